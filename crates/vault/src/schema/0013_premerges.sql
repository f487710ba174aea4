-- Pre-merges: several members of an assembly as one delta. The numbers are a sealed object; `recipe` says what it is made
-- of, the vault gives it no meaning. Who is in it has a seat there.
CREATE TABLE premerges (
    assembly TEXT    NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    object   BLOB    NOT NULL CHECK (length(object) = 32),
    bytes    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    recipe   TEXT    NOT NULL,
    PRIMARY KEY (assembly, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE premerge_members (
    assembly TEXT NOT NULL,
    hash     BLOB NOT NULL,
    delta    BLOB NOT NULL,
    PRIMARY KEY (assembly, hash, delta),
    FOREIGN KEY (assembly, hash) REFERENCES premerges (assembly, hash) ON DELETE CASCADE,
    FOREIGN KEY (assembly, delta) REFERENCES seats (assembly, delta)
) STRICT, WITHOUT ROWID;
CREATE INDEX premerge_members_delta ON premerge_members (assembly, delta);

-- Whatever takes a seat away takes every pre-merge along that its member is in, in the same transaction.
CREATE TRIGGER premerges_left BEFORE DELETE ON seats BEGIN
    DELETE FROM premerges WHERE assembly = OLD.assembly AND hash IN
        (SELECT hash FROM premerge_members WHERE assembly = OLD.assembly AND delta = OLD.delta);
END;
