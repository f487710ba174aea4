-- Which thread a message belongs to: a hash of the id of the message that began it. A row without one is an item that
-- was looked at and belongs to none; an item without a row was read before anybody looked. Both go with the item.
CREATE TABLE threads (
    item   INTEGER PRIMARY KEY REFERENCES items (n) ON DELETE CASCADE,
    thread TEXT
) STRICT;
CREATE INDEX threads_thread ON threads (thread, item) WHERE thread IS NOT NULL;

-- What a mailbox files a message under, apart from the owner's own labels: whoever writes a header could write these.
CREATE TABLE source_labels (
    item   INTEGER NOT NULL REFERENCES items (n) ON DELETE CASCADE,
    folded TEXT    NOT NULL,
    label  TEXT    NOT NULL,
    PRIMARY KEY (item, folded)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_labels_folded ON source_labels (folded, label);
