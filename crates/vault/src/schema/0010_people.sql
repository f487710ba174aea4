-- What the owner said about who is who: that two spellings are one person or, without the other, that one stands apart. What
-- was said in one go has one step, so that it can be taken back; a higher step was said later.
CREATE TABLE person_words (
    step  INTEGER NOT NULL CHECK (step > 0),
    one   TEXT    NOT NULL,
    other TEXT
) STRICT;
