-- Accounts on servers: what is asked of them (`plan`), what opens them (`keys`), and how far each was read. The vault
-- gives none of it a meaning. All of it goes with its source.
CREATE TABLE accounts (
    source INTEGER PRIMARY KEY REFERENCES sources (n) ON DELETE CASCADE,
    plan   TEXT NOT NULL,
    keys   TEXT NOT NULL
) STRICT;

CREATE TABLE bookmarks (
    source INTEGER NOT NULL REFERENCES sources (n) ON DELETE CASCADE,
    name   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    PRIMARY KEY (source, name)
) STRICT, WITHOUT ROWID;
