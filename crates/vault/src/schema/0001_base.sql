-- Ids are the 16 bytes of a UUID, hashes 32 bytes, times Unix milliseconds.
CREATE TABLE state (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    home      TEXT    NOT NULL,
    owner     TEXT    NOT NULL,
    vault_seq INTEGER NOT NULL,
    keyslots  INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    n        INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    path     TEXT NOT NULL,
    state    TEXT NOT NULL,
    grant_id BLOB,
    added    INTEGER NOT NULL,
    synced   INTEGER
) STRICT;

-- The text is last, so that reading the other columns never walks its overflow pages.
CREATE TABLE items (
    n        INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL UNIQUE,
    source   BLOB    NOT NULL REFERENCES sources (id),
    key      TEXT    NOT NULL,
    title    TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    trust    TEXT    NOT NULL,
    modified INTEGER NOT NULL,
    ingested INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    bytes    INTEGER NOT NULL,
    text     TEXT    NOT NULL,
    UNIQUE (source, key)
) STRICT;
CREATE INDEX items_modified ON items (modified);

-- AUTOINCREMENT: an id that the search index may still hold is never given to another chunk.
CREATE TABLE chunks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    item       INTEGER NOT NULL REFERENCES items (n) ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,
    span_start INTEGER NOT NULL,
    span_end   INTEGER NOT NULL,
    heading    TEXT    NOT NULL
) STRICT;
CREATE INDEX chunks_item ON chunks (item, ordinal);

CREATE TABLE embedders (n INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE) STRICT;

-- The item is repeated, so that the scan that fills the search's memory reads this table alone.
CREATE TABLE vectors (
    n        INTEGER PRIMARY KEY,
    chunk    INTEGER NOT NULL REFERENCES chunks (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES embedders (n),
    item     BLOB    NOT NULL,
    vector   BLOB    NOT NULL,
    UNIQUE (chunk, embedder)
) STRICT;

CREATE TABLE index_queue (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    chunk INTEGER NOT NULL,
    item  BLOB    NOT NULL,
    adds  INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    n       INTEGER PRIMARY KEY,
    id      BLOB    NOT NULL UNIQUE,
    title   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

CREATE TABLE messages (
    n       INTEGER PRIMARY KEY,
    id      BLOB    NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES sessions (n) ON DELETE CASCADE,
    role    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    stats   TEXT,
    text    TEXT    NOT NULL
) STRICT;
CREATE INDEX messages_session ON messages (session, n);
CREATE INDEX messages_at ON messages (at);

CREATE TABLE message_citations (
    message    INTEGER NOT NULL REFERENCES messages (n) ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,
    item       BLOB    NOT NULL,
    source     TEXT    NOT NULL,
    span_start INTEGER NOT NULL,
    span_end   INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    PRIMARY KEY (message, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX citations_item ON message_citations (item);

CREATE TABLE grants (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, json TEXT NOT NULL) STRICT;

CREATE TABLE ledger (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;

CREATE TABLE ledger_leaves (
    seq        INTEGER NOT NULL REFERENCES ledger (seq),
    leaf       INTEGER NOT NULL,
    commitment BLOB    NOT NULL,
    item       BLOB,
    salt       BLOB,
    body       TEXT,
    PRIMARY KEY (seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX leaves_item ON ledger_leaves (item) WHERE item IS NOT NULL;
