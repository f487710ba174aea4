-- What the owner says about items, who is named in them, and what was left out of a source. Each row goes with the item
-- or the source it belongs to. `folded` is the same text in lower case, which is what is compared.
CREATE TABLE pins (item INTEGER PRIMARY KEY REFERENCES items (n) ON DELETE CASCADE) STRICT;

CREATE TABLE labels (
    item   INTEGER NOT NULL REFERENCES items (n) ON DELETE CASCADE,
    folded TEXT    NOT NULL,
    label  TEXT    NOT NULL,
    PRIMARY KEY (item, folded)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_folded ON labels (folded, label);

CREATE TABLE people (
    item   INTEGER NOT NULL REFERENCES items (n) ON DELETE CASCADE,
    folded TEXT    NOT NULL,
    person TEXT    NOT NULL,
    wrote  INTEGER NOT NULL,
    PRIMARY KEY (item, folded)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_folded ON people (folded, person, wrote);

CREATE TABLE skips (
    source INTEGER NOT NULL REFERENCES sources (n) ON DELETE CASCADE,
    what   TEXT    NOT NULL,
    why    TEXT    NOT NULL,
    PRIMARY KEY (source, what, why)
) STRICT, WITHOUT ROWID;
ALTER TABLE sources ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;

-- A list of items is read from this index alone: the table's pages are full of text.
DROP INDEX items_modified;
CREATE INDEX items_lines ON items (modified, id, source, key, title, kind, ingested);
