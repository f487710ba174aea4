-- Conversations branch: each message hangs on the one it follows, and a conversation is where its head is. A message is
-- always younger (of a higher n) than its parent. What was said before this step becomes one chain.
ALTER TABLE messages ADD COLUMN parent INTEGER REFERENCES messages (n);
-- Names as a JSON list; none where nothing was attached.
ALTER TABLE messages ADD COLUMN attached TEXT;
UPDATE messages SET parent =
    (SELECT max(n) FROM messages AS before WHERE before.session = messages.session AND before.n < messages.n);
CREATE INDEX messages_parent ON messages (parent);

-- The shape of a conversation is read from this alone, without its texts.
DROP INDEX messages_session;
CREATE INDEX messages_session ON messages (session, n, parent);

-- Without a head the conversation is before its first message.
ALTER TABLE sessions ADD COLUMN head INTEGER REFERENCES messages (n);
ALTER TABLE sessions ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET head = (SELECT max(n) FROM messages WHERE session = sessions.n);
CREATE INDEX sessions_head ON sessions (head);

-- Where a recalled passage lies and why it was chosen, never its words. The hash is that of the item's whole text: of a
-- text that changed since, the span would show other words.
CREATE TABLE message_recalled (
    message    INTEGER NOT NULL REFERENCES messages (n) ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,
    item       BLOB    NOT NULL,
    hash       BLOB    NOT NULL,
    span_start INTEGER NOT NULL,
    span_end   INTEGER NOT NULL,
    score      REAL    NOT NULL,
    bm25       REAL    NOT NULL,
    vector     REAL    NOT NULL,
    recency    REAL    NOT NULL,
    PRIMARY KEY (message, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX recalled_item ON message_recalled (item);

CREATE TABLE feedback (
    message  INTEGER PRIMARY KEY REFERENCES messages (n) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    thumb    TEXT,
    accepted INTEGER NOT NULL,
    edited   TEXT
) STRICT;

-- The draft of the conversation that has not begun has no session.
CREATE TABLE drafts (
    n       INTEGER PRIMARY KEY,
    session INTEGER UNIQUE REFERENCES sessions (n) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    text    TEXT    NOT NULL
) STRICT;
