
-- Sentences that the owner does not want to be learned by heart, by a hash of their words.
CREATE TABLE vetoes (
    sentence BLOB PRIMARY KEY CHECK (length(sentence) = 32),
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The answers that each night learned from, because the owner took them or wrote them anew.
CREATE TABLE night_messages (
    night   INTEGER NOT NULL REFERENCES nights (n) ON DELETE CASCADE,
    message BLOB    NOT NULL,
    PRIMARY KEY (night, message)
) STRICT, WITHOUT ROWID;
