-- Assemblies: who takes part. `signature` says what a member knows and who vouches for it, `admitted` what its test found;
-- the vault gives neither a meaning. A member goes with its delta, an assembly with its last member.
CREATE TABLE seats (
    assembly  TEXT    NOT NULL,
    delta     BLOB    NOT NULL REFERENCES deltas (hash) ON DELETE CASCADE,
    anchor    BLOB    NOT NULL CHECK (length(anchor) = 32),
    at        INTEGER NOT NULL,
    signature TEXT    NOT NULL,
    admitted  TEXT    NOT NULL,
    PRIMARY KEY (assembly, delta)
) STRICT, WITHOUT ROWID;
CREATE INDEX seats_delta ON seats (delta);

-- What was answered together, signed; nothing of what was asked or said.
CREATE TABLE receipts (
    n         INTEGER PRIMARY KEY,
    assembly  BLOB NOT NULL CHECK (length(assembly) = 32),
    body      TEXT NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
CREATE INDEX receipts_assembly ON receipts (assembly);
