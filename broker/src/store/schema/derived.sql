-- What the entries say, kept in tables: derived from the entries' bytes inside the transaction that
-- appends them. It can be derived again at any time: to compare (`Read::rebuild_and_compare`), and
-- when a newer version wants other tables (`upgrade`).
--
-- Keys grow with time wherever they can, so that a batch of rows touches the same few pages however
-- large the ledger is. Random keys (digests) are indexed by their first 8 bytes only and compared in
-- full in the row.

-- Inner hashes of the tree, every fourth level only: one row per 16 of the level below. The levels
-- between are recombined from at most 8 children.
CREATE TABLE node(
    level INTEGER NOT NULL,      -- 4, 8, 12 …: the subtree has 2^level leaves
    place INTEGER NOT NULL,      -- the subtree begins at leaf place * 2^level
    hash  BLOB NOT NULL,         -- 32 bytes
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;

-- One request and the grant it may become. Kept after it closed, so that its digest still leads
-- to its entries.
CREATE TABLE request(
    seq     INTEGER PRIMARY KEY, -- of its `requested` entry
    id      BLOB NOT NULL,       -- 16 bytes, RequestId
    digest  BLOB NOT NULL,       -- 32 bytes, SHA-256 of the request statement
    subject BLOB,                -- 32 bytes, SHA-256 of the subject key's wire form; NULL for none
    scope   TEXT NOT NULL,       -- ScopeId
    by      TEXT NOT NULL,       -- PrincipalId of the requester
    state   INTEGER NOT NULL,    -- 1 open, 2 live, 3 ended (revoked, maybe still on hosts' clocks),
                                 -- 4 closed
    due     INTEGER,             -- seconds since the epoch: when the clock must lapse (open), expire
                                 -- (live) or close (ended) it; NULL when closed
    serial  INTEGER,             -- of its first credential: the seq of its `issued` entry; NULL before
    lane    INTEGER NOT NULL,    -- 1 normal, 2 outage, 3 emergency, 4 drill
    issued  INTEGER,             -- seconds since the epoch: time of its `issued` entry
    ended   INTEGER,             -- seconds since the epoch: time of its `revoked` entry
    review  INTEGER              -- what the newest review found: 1 drill, 2 justified,
                                 -- 3 unjustified, 4 inconclusive; NULL while nobody reviewed it
) STRICT;
CREATE UNIQUE INDEX request_id ON request(id);
-- Look-ups by digest and by subject key, whose order is random. Those of requests in progress are
-- spread over few pages because there are few; those of closed ones are kept by the age of the
-- request, so that an insert touches the newest few pages and not one anywhere in the ledger.
CREATE INDEX request_digest ON request(substr(digest, 1, 8)) WHERE state < 4;
CREATE INDEX request_subject ON request(substr(subject, 1, 8))
    WHERE state < 4 AND subject IS NOT NULL;
CREATE INDEX closed_digest ON request(seq >> 13, substr(digest, 1, 8)) WHERE state = 4;
CREATE INDEX closed_subject ON request(seq >> 13, substr(subject, 1, 8))
    WHERE state = 4 AND subject IS NOT NULL;
-- What is not closed, by state and then by deadline: the clock's agenda, the list of pending
-- requests, of live grants, and of revoked serials, all without reading the rows of closed ones.
CREATE INDEX request_due ON request(state, due) WHERE state < 4;
-- Finds the request that a duplicate repeats.
CREATE INDEX request_open ON request(by, scope) WHERE state = 1;

-- What a principal held of a scope, by time: for budgets and cooldowns.
CREATE INDEX request_held ON request(scope, by, ended) WHERE issued IS NOT NULL AND lane < 4;
-- What has ended and waits for its review.
CREATE INDEX request_unreviewed ON request(scope, lane)
    WHERE ended IS NOT NULL AND review IS NULL AND lane < 4;

-- Which entries belong to a request.
CREATE TABLE grant_entry(
    request INTEGER NOT NULL,    -- request.seq
    gseq    INTEGER NOT NULL,    -- from 0, no gaps
    seq     INTEGER NOT NULL,    -- entry.seq
    PRIMARY KEY (request, gseq)
) STRICT, WITHOUT ROWID;

-- Credentials of a grant after its first: of other kinds, and later tokens.
CREATE TABLE further(
    serial  INTEGER PRIMARY KEY, -- the seq of its `issued` entry
    request INTEGER NOT NULL     -- request.seq
) STRICT;
CREATE INDEX further_request ON further(request);

-- X.509 certificates: what their list says of those that are revoked. A few bytes of each are here so
-- that a start does not read them all.
CREATE TABLE x509(
    seq     INTEGER PRIMARY KEY, -- of its `issued` entry
    request INTEGER NOT NULL,    -- request.seq
    number  BLOB NOT NULL,       -- 16 bytes, the serial number in the certificate
    ends    INTEGER NOT NULL,    -- seconds since the epoch: first second at which it is not valid
    revoked INTEGER              -- seconds since the epoch: time of its `revoked` entry; NULL before
) STRICT;
CREATE INDEX x509_ends ON x509(ends) WHERE revoked IS NOT NULL;

-- Tokens: which count, and which are denied although their time is not over. Not the token itself,
-- which is nowhere kept.
CREATE TABLE token(
    seq     INTEGER PRIMARY KEY, -- of its `issued` entry
    request INTEGER NOT NULL,    -- request.seq
    digest  BLOB NOT NULL,       -- 32 bytes, SHA-256 of the compact token
    ends    INTEGER NOT NULL,    -- seconds since the epoch: first second at which it is not valid
    over    INTEGER              -- seconds since the epoch: time of the entry that revoked it, or put
                                 -- another in its place; NULL before
) STRICT;
CREATE INDEX token_ends ON token(ends);

-- How many grants of a scope are live, so that `live-max` costs one read.
CREATE TABLE scope(
    id   TEXT PRIMARY KEY,       -- ScopeId
    live INTEGER NOT NULL,       -- number of requests in state 2
    drilled INTEGER              -- seconds since the epoch: time of the newest `drill` entry that
                                 -- says passed; NULL if there is none
) STRICT, WITHOUT ROWID;

-- Entries about locks, outages and keys that are still of importance: folded again at a start, instead of
-- the whole ledger. A lock's entry goes when it is lifted; a dependency's go when nobody and nothing
-- says any more that it is down, all but the newest that ended an outage. Those about keys stay.
CREATE TABLE standing_entry(
    seq    INTEGER PRIMARY KEY,  -- entry.seq
    kind   TEXT NOT NULL,        -- `lock`, `outage` or `key`
    name   TEXT NOT NULL,        -- digest of the lock's statement in hex; DependencyId; role of the key
    ground TEXT NOT NULL,        -- for an outage: `measured` or `declared` while that stands, `ended`
                                 -- if the outage ended with it, else empty; empty for a lock
    until  INTEGER               -- of a declaration: seconds since the epoch; else NULL
) STRICT;
CREATE INDEX standing_entry_name ON standing_entry(kind, name);

-- Statements that made an entry, so that a repeated one is recognised. Ordered by expiry, which the
-- statement itself carries. Removed a day after it: from then on it is refused as expired.
CREATE TABLE statement(
    expires INTEGER NOT NULL,    -- seconds since the epoch
    digest  BLOB NOT NULL,       -- 32 bytes, SHA-256 of the statement
    seq     INTEGER NOT NULL,    -- the first entry that carries it
    PRIMARY KEY (expires, digest)
) STRICT, WITHOUT ROWID;

-- Which policy was in force from which entry on.
CREATE TABLE policy(
    version INTEGER PRIMARY KEY, -- from 1
    digest  BLOB NOT NULL,       -- 32 bytes, SHA-256 of the manifest
    seq     INTEGER NOT NULL     -- its `policy` entry
) STRICT;

-- What hosts reported about revocation lists, one row for each `applied` entry.
CREATE TABLE landing(
    seq     INTEGER PRIMARY KEY, -- entry.seq
    target  TEXT NOT NULL,       -- TargetId
    by      TEXT NOT NULL,       -- PrincipalId of the reporting service
    list    INTEGER NOT NULL,    -- 1 krl, 2 crl, 3 deny
    version INTEGER NOT NULL,    -- of the list: the ledger's size when it was made
    canary  INTEGER NOT NULL,    -- 0 untried, 1 refused, 2 accepted
    at      INTEGER NOT NULL,    -- seconds since the epoch: time of the entry
    latency INTEGER,             -- milliseconds, by the host's clock; NULL if it did not say
    ended   INTEGER              -- sessions ended; NULL if it did not say
) STRICT;
CREATE INDEX landing_target ON landing(list, target, version);

-- The newest report of each target and list.
CREATE TABLE target(
    name    TEXT NOT NULL,       -- TargetId
    list    INTEGER NOT NULL,    -- as in landing
    by      TEXT NOT NULL,       -- PrincipalId of the reporting service
    seq     INTEGER NOT NULL,    -- landing.seq
    overdue INTEGER,             -- seq of the `revoked` entry that it was said to be late with, until
                                 -- it reports a list that holds it; NULL otherwise
    PRIMARY KEY (name, list)
) STRICT, WITHOUT ROWID;

-- The newest report of each credential at each target.
CREATE TABLE sighting(
    serial   BLOB NOT NULL,      -- 8 bytes, big-endian: a stranger's may be any
    target   TEXT NOT NULL,      -- TargetId
    known    INTEGER NOT NULL,   -- 1 if the ledger knows the serial, else 0
    at       INTEGER NOT NULL,   -- seconds since the epoch, by the host's clock
    recorded INTEGER NOT NULL,   -- seconds since the epoch: time of the entry
    seq      INTEGER NOT NULL,   -- of the entry
    PRIMARY KEY (serial, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX sighting_stranger ON sighting(target, recorded) WHERE known = 0;
