//! Items and their chunks, written together: the chunks of an item are always those of its present text.

use super::columns::{Id, Word, count, hash, id, int, trust};
use super::{ChunkDraft, ItemHead, ItemRow, Reader, Tx};
use crate::VaultError;
use hinet_protocol::{ItemId, Millis, SourceId};
use rusqlite::Row;

pub(super) const HEAD: &str = "items.id, items.source, items.key, items.title, items.kind, items.trust, \
                               items.modified, items.ingested, items.hash";

/// The item in the columns [`HEAD`], from column `at` on.
pub(super) fn item_head(row: &Row<'_>, at: usize) -> rusqlite::Result<ItemHead> {
    Ok(ItemHead {
        id: id(row, at)?,
        source: id(row, at + 1)?,
        key: row.get(at + 2)?,
        title: row.get(at + 3)?,
        kind: row.get(at + 4)?,
        trust: trust(row, at + 5)?,
        modified: row.get(at + 6)?,
        ingested: row.get(at + 7)?,
        hash: hash(row, at + 8)?,
    })
}

/// Between which keys those lie that begin with `key` and a slash; the character after the slash is a zero.
fn below(key: &str) -> (String, String) {
    (format!("{key}/"), format!("{key}0"))
}

impl Reader<'_> {
    /// An item with its text.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn item(&self, item: ItemId) -> Result<Option<ItemRow>, VaultError> {
        let mut one = self.db.prepare_cached(&format!("SELECT {HEAD}, items.text FROM items WHERE id = ?1"))?;
        let mut rows = one.query([item.raw()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let ItemHead { id, source, key, title, kind, trust, modified, ingested, hash } = item_head(row, 0)?;
        let (text, filing) = (row.get(9)?, self.filing(id)?);
        Ok(Some(ItemRow { id, source, key, title, kind, trust, modified, ingested, hash, text, filing }))
    }

    /// An item without its text.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn item_head(&self, item: ItemId) -> Result<Option<ItemHead>, VaultError> {
        let mut one = self.db.prepare_cached(&format!("SELECT {HEAD} FROM items WHERE id = ?1"))?;
        let mut rows = one.query([item.raw()])?;
        Ok(rows.next()?.map(|row| item_head(row, 0)).transpose()?)
    }

    /// The item of a source with this path.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn item_by_key(&self, source: SourceId, key: &str) -> Result<Option<ItemHead>, VaultError> {
        let sql = format!("SELECT {HEAD} FROM items WHERE source = ?1 AND key = ?2");
        let mut one = self.db.prepare_cached(&sql)?;
        let mut rows = one.query((source.raw(), key))?;
        Ok(rows.next()?.map(|row| item_head(row, 0)).transpose()?)
    }

    /// The items of a source, by path.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn items_of(&self, source: SourceId) -> Result<Vec<ItemHead>, VaultError> {
        let sql = format!("SELECT {HEAD} FROM items WHERE source = ?1 ORDER BY key");
        let mut all = self.db.prepare_cached(&sql)?;
        Ok(all.query_map([source.raw()], |row| item_head(row, 0))?.collect::<Result<_, _>>()?)
    }

    /// Ids and keys of a source's items that lie within the item or file of this key, as messages lie in a mailbox.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn each_below(&self, source: SourceId, key: &str, f: &mut dyn FnMut(ItemId, &str)) -> Result<(), VaultError> {
        let sql = "SELECT id, key FROM items WHERE source = ?1 AND key > ?2 AND key < ?3";
        let mut all = self.db.prepare_cached(sql)?;
        let (from, to) = below(key);
        let mut rows = all.query((source.raw(), from, to))?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(1)?;
            f(id(row, 0)?, &key);
        }
        Ok(())
    }

    /// How many items [`Reader::each_below`] would tell of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count_below(&self, source: SourceId, key: &str) -> Result<u64, VaultError> {
        let sql = "SELECT count(*) FROM items WHERE source = ?1 AND key > ?2 AND key < ?3";
        let (from, to) = below(key);
        Ok(self.db.prepare_cached(sql)?.query_row((source.raw(), from, to), |row| count(row, 0))?)
    }

    /// Items changed in `[from, to)`, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn items_between(&self, from: Millis, to: Millis) -> Result<Vec<ItemId>, VaultError> {
        let sql = "SELECT id FROM items WHERE modified >= ?1 AND modified < ?2 ORDER BY modified, n";
        let mut all = self.db.prepare_cached(sql)?;
        Ok(all.query_map((from, to), |row| id(row, 0))?.collect::<Result<_, _>>()?)
    }

    /// The texts of these items, in their order; items that are gone are passed over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn item_texts(&self, items: &[ItemId]) -> Result<Vec<String>, VaultError> {
        let mut one = self.db.prepare_cached("SELECT text FROM items WHERE id = ?1")?;
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let mut rows = one.query([item.raw()])?;
            if let Some(row) = rows.next()? {
                texts.push(row.get(0)?);
            }
        }
        Ok(texts)
    }
}

impl Tx<'_> {
    /// Stores an item with its chunks, instead of the version before, whose chunks and vectors go; gives the new
    /// chunks' ids. Where it stands is said anew with it. Both goings and comings are queued for the search index.
    ///
    /// # Errors
    /// When a span does not lie in the text, the source is unknown, or the database cannot be written.
    pub fn put_item(&self, item: &ItemRow, chunks: &[ChunkDraft]) -> Result<Vec<i64>, VaultError> {
        for (ordinal, chunk) in chunks.iter().enumerate() {
            if item.text.get(chunk.span.start..chunk.span.end).is_none() {
                return Err(VaultError::BadSpan { ordinal });
            }
        }
        self.drop_chunks(item.id)?;
        let mut put = self.db.prepare_cached(
            "INSERT INTO items (id, source, key, title, kind, trust, modified, ingested, hash, bytes, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (id) DO UPDATE SET source = excluded.source, key = excluded.key, title = excluded.title,
             kind = excluded.kind, trust = excluded.trust, modified = excluded.modified,
             ingested = excluded.ingested, hash = excluded.hash, bytes = excluded.bytes, text = excluded.text
             RETURNING n",
        )?;
        let n: i64 = put.query_row(
            (
                item.id.raw(),
                item.source.raw(),
                &item.key,
                &item.title,
                &item.kind,
                item.trust.word(),
                item.modified,
                item.ingested,
                item.hash.0,
                int(item.text.len())?,
                &item.text,
            ),
            |row| row.get(0),
        )?;
        self.file_under(n, item.filing.as_ref())?;
        let mut add = self.db.prepare_cached(
            "INSERT INTO chunks (item, ordinal, span_start, span_end, heading) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut queue = self.db.prepare_cached("INSERT INTO index_queue (chunk, item, adds) VALUES (?1, ?2, 1)")?;
        let mut ids = Vec::with_capacity(chunks.len());
        for (ordinal, chunk) in chunks.iter().enumerate() {
            add.execute((n, int(ordinal)?, int(chunk.span.start)?, int(chunk.span.end)?, &chunk.heading))?;
            let chunk = self.db.last_insert_rowid();
            queue.execute((chunk, item.id.raw()))?;
            ids.push(chunk);
        }
        Ok(ids)
    }

    /// Says that an item's file was touched, or moved to another time, without a change of its text.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_item_modified(&self, item: ItemId, modified: Millis) -> Result<(), VaultError> {
        let mut set = self.db.prepare_cached("UPDATE items SET modified = ?2 WHERE id = ?1 AND modified <> ?2")?;
        set.execute((item.raw(), modified))?;
        Ok(())
    }

    /// Removes an item's chunks with their vectors and queues it; gives how many.
    fn drop_chunks(&self, item: ItemId) -> Result<u64, VaultError> {
        let mut queue = self.db.prepare_cached(
            "INSERT INTO index_queue (chunk, item, adds)
             SELECT chunks.id, items.id, 0 FROM items JOIN chunks ON chunks.item = items.n
             WHERE items.id = ?1 ORDER BY chunks.id",
        )?;
        let queued = queue.execute([item.raw()])?;
        // Vectors go with their chunks (ON DELETE CASCADE).
        let mut gone = self.db.prepare_cached("DELETE FROM chunks WHERE item = (SELECT n FROM items WHERE id = ?1)")?;
        gone.execute([item.raw()])?;
        Ok(queued as u64)
    }

    /// Removes an item with its text, chunks and vectors, and what the ledger's leaves said about it; gives how many
    /// chunks went. Answers that cite it are [`Tx::delete_answers_citing`]'s.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_item(&self, item: ItemId) -> Result<u64, VaultError> {
        let chunks = self.drop_chunks(item)?;
        self.db.prepare_cached("DELETE FROM items WHERE id = ?1")?.execute([item.raw()])?;
        self.db.prepare_cached("DELETE FROM message_recalled WHERE item = ?1")?.execute([item.raw()])?;
        self.erase_leaves_of(item)?;
        Ok(chunks)
    }
}
