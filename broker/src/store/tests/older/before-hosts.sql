CREATE TABLE entry(
    seq   INTEGER PRIMARY KEY,
    leaf  BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE head(
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    hash BLOB NOT NULL,
    time INTEGER NOT NULL,
    note TEXT
) STRICT;
CREATE TABLE node(
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE request(
    seq     INTEGER PRIMARY KEY,
    id      BLOB NOT NULL,
    digest  BLOB NOT NULL,
    subject BLOB,
    scope   TEXT NOT NULL,
    by      TEXT NOT NULL,
    state   INTEGER NOT NULL,
    due     INTEGER,
    serial  INTEGER,
    lane    INTEGER NOT NULL,
    issued  INTEGER,
    ended   INTEGER,
    review  INTEGER
) STRICT;
CREATE UNIQUE INDEX request_id ON request(id);
CREATE INDEX request_digest ON request(substr(digest, 1, 8)) WHERE state < 4;
CREATE INDEX request_subject ON request(substr(subject, 1, 8))
    WHERE state < 4 AND subject IS NOT NULL;
CREATE INDEX closed_digest ON request(seq >> 13, substr(digest, 1, 8)) WHERE state = 4;
CREATE INDEX closed_subject ON request(seq >> 13, substr(subject, 1, 8))
    WHERE state = 4 AND subject IS NOT NULL;
CREATE INDEX request_due ON request(state, due) WHERE state < 4;
CREATE INDEX request_open ON request(by, scope) WHERE state = 1;
CREATE INDEX request_held ON request(scope, by, ended) WHERE issued IS NOT NULL AND lane < 4;
CREATE INDEX request_unreviewed ON request(scope, lane)
    WHERE ended IS NOT NULL AND review IS NULL AND lane < 4;
CREATE TABLE grant_entry(
    request INTEGER NOT NULL,
    gseq    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (request, gseq)
) STRICT, WITHOUT ROWID;
CREATE TABLE scope(
    id   TEXT PRIMARY KEY,
    live INTEGER NOT NULL,
    drilled INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE standing_entry(
    seq    INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    ground TEXT NOT NULL,
    until  INTEGER
) STRICT;
CREATE INDEX standing_entry_name ON standing_entry(kind, name);
CREATE TABLE statement(
    expires INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (expires, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE policy(
    version INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL,
    seq     INTEGER NOT NULL
) STRICT;
CREATE TABLE text(
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    salt   BLOB NOT NULL,
    text   TEXT NOT NULL
) STRICT;
CREATE INDEX text_digest ON text(substr(digest, 1, 8));
CREATE TABLE blob(
    digest BLOB PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
