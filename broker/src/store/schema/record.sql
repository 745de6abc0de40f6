-- The record, and what it refers to: `entry` is the ledger; `text` and `blob` are what entries name;
-- `head` says how far it reaches. What is lost here is lost. A change of these tables is a line in
-- `upgrade::RECORD_CHANGES`, which brings older files forward.

-- One entry, for ever: rows are only ever added, at the end.
CREATE TABLE entry(
    seq   INTEGER PRIMARY KEY,   -- from 0, no gaps
    leaf  BLOB NOT NULL,         -- 32 bytes, SHA-256(0x00 ‖ bytes); before the bytes, so that
                                 -- proofs do not read past it
    bytes BLOB NOT NULL          -- the entry exactly as hashed and exported, without line feed
) STRICT;

-- How far the ledger reaches. One row, changed in the same transaction as `entry`.
CREATE TABLE head(
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,       -- number of entries
    root BLOB NOT NULL,          -- 32 bytes, root of the tree over them
    hash BLOB NOT NULL,          -- 32 bytes, SHA-256 of the newest entry's bytes: the next `prev`
    time INTEGER NOT NULL,       -- of the newest entry, milliseconds since the Unix epoch
    note TEXT                    -- the signed checkpoint of this size; NULL only while size is 0
) STRICT;

-- Openings of the salted commitments in statements. Erased on demand; the only rows of the record
-- that may go.
CREATE TABLE text(
    number INTEGER PRIMARY KEY,  -- order of arrival, never shown
    digest BLOB NOT NULL,        -- 32 bytes, SHA-256(salt ‖ text)
    salt   BLOB NOT NULL,        -- 32 bytes
    text   TEXT NOT NULL
) STRICT;
CREATE INDEX text_digest ON text(substr(digest, 1, 8));

-- Files of policies, by content.
CREATE TABLE blob(
    digest BLOB PRIMARY KEY,     -- 32 bytes, SHA-256 of bytes
    bytes  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
