-- What changes the anchor. The numbers are a sealed object; `said` is what people read about it.
CREATE TABLE deltas (
    n      INTEGER PRIMARY KEY,
    hash   BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    object BLOB    NOT NULL CHECK (length(object) = 32),
    at     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    said   TEXT    NOT NULL,
    bytes  INTEGER NOT NULL,
    worn   INTEGER NOT NULL DEFAULT 0
) STRICT;
-- At most one is worn.
CREATE UNIQUE INDEX deltas_worn ON deltas (worn) WHERE worn = 1;
