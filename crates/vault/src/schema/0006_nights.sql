-- Nights. `report` says what there is to say about each; while one goes on, `work` and `checkpoint` are sealed objects.
CREATE TABLE nights (
    n          INTEGER PRIMARY KEY,
    began      INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    report     TEXT    NOT NULL,
    work       BLOB CHECK (work IS NULL OR length(work) = 32),
    checkpoint BLOB CHECK (checkpoint IS NULL OR length(checkpoint) = 32),
    delta      BLOB CHECK (delta IS NULL OR length(delta) = 32)
) STRICT;
-- At most one goes on.
CREATE UNIQUE INDEX nights_open ON nights (open) WHERE open = 1;

-- What each learned from.
CREATE TABLE night_items (
    night INTEGER NOT NULL REFERENCES nights (n) ON DELETE CASCADE,
    item  BLOB    NOT NULL,
    PRIMARY KEY (night, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX night_items_item ON night_items (item);
