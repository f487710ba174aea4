-- Other homes on this machine that are members of an assembly: they answer by excerpts that their own consent lets out. The
-- identity is the one that answered when the home was added; nothing else is believed in its place later.
CREATE TABLE homes (
    assembly TEXT    NOT NULL,
    identity BLOB    NOT NULL CHECK (length(identity) = 32),
    anchor   BLOB    NOT NULL CHECK (length(anchor) = 32),
    at       INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    PRIMARY KEY (assembly, identity)
) STRICT, WITHOUT ROWID;

-- What another home handed out for an answer is no item of this one: the member's name says whose it is.
ALTER TABLE message_citations ADD COLUMN member TEXT;
