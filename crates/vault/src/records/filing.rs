//! What a mailbox says of a message besides its text: the thread it belongs to, and the labels it is filed under. It
//! stays apart from what the owner says (`marks`), is written with the item, and goes with it.

use super::columns::{Id, count};
use super::items::{HEAD, item_head};
use super::{ItemHead, Reader, Tx};
use crate::VaultError;
use hinet_protocol::{ItemId, Millis};

/// Where an item stands in its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filing {
    /// The thread it belongs to.
    pub thread: Option<String>,
    /// What its source files it under, sorted without regard to case, each once.
    pub labels: Vec<String>,
}

impl Reader<'_> {
    /// Where an item stands; nothing where it was read before anybody looked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn filing(&self, item: ItemId) -> Result<Option<Filing>, VaultError> {
        let sql = "SELECT threads.item, threads.thread FROM items JOIN threads ON threads.item = items.n
                   WHERE items.id = ?1";
        let mut one = self.db.prepare_cached(sql)?;
        let mut rows = one.query([item.raw()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (number, thread): (i64, Option<String>) = (row.get(0)?, row.get(1)?);
        let mut all = self.db.prepare_cached("SELECT label FROM source_labels WHERE item = ?1 ORDER BY folded")?;
        let labels = all.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Some(Filing { thread, labels }))
    }

    /// Whether it is known where an item stands.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_filed(&self, item: ItemId) -> Result<bool, VaultError> {
        let sql = "SELECT 1 FROM items JOIN threads ON threads.item = items.n WHERE items.id = ?1";
        Ok(self.db.prepare_cached(sql)?.exists([item.raw()])?)
    }

    /// How many messages of a thread are here; copies of one text count once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn thread_len(&self, thread: &str) -> Result<u64, VaultError> {
        let sql = "SELECT count(DISTINCT items.hash) FROM threads JOIN items ON items.n = threads.item
                   WHERE threads.thread = ?1";
        Ok(self.db.prepare_cached(sql)?.query_row([thread], |row| count(row, 0))?)
    }

    /// The messages right before and right after an item in its thread, by when they were sent. A copy of its text, as
    /// it lies in two mailboxes, is neither.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn thread_around(&self, item: ItemId) -> Result<(Option<ItemHead>, Option<ItemHead>), VaultError> {
        let sql = "SELECT threads.thread, items.modified, items.n, items.hash
                   FROM items JOIN threads ON threads.item = items.n
                   WHERE items.id = ?1 AND threads.thread IS NOT NULL";
        let mut own = self.db.prepare_cached(sql)?;
        let mut rows = own.query([item.raw()])?;
        let Some(row) = rows.next()? else { return Ok((None, None)) };
        let thread: String = row.get(0)?;
        let (modified, number, hash): (Millis, i64, [u8; 32]) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let beside = |which: &str, order: &str| -> Result<Option<ItemHead>, VaultError> {
            let sql = format!(
                "SELECT {HEAD} FROM threads JOIN items ON items.n = threads.item
                 WHERE threads.thread = ?1 AND (items.modified, items.n) {which} (?2, ?3) AND items.hash <> ?4
                 ORDER BY items.modified {order}, items.n {order} LIMIT 1"
            );
            let mut one = self.db.prepare_cached(&sql)?;
            let mut rows = one.query((&thread, modified, number, hash))?;
            Ok(rows.next()?.map(|row| item_head(row, 0)).transpose()?)
        };
        Ok((beside("<", "DESC")?, beside(">", "ASC")?))
    }
}

impl Tx<'_> {
    /// Says where an item stands, in place of what was said before. Its text, its passages and their vectors stay.
    ///
    /// # Errors
    /// When there is no such item or the database cannot be written.
    pub fn set_filing(&self, item: ItemId, filing: &Filing) -> Result<(), VaultError> {
        let number = self.known_item(item)?;
        self.file_under(number, Some(filing))
    }

    /// The same, by the item's number; nothing where nobody looked.
    pub(super) fn file_under(&self, number: i64, filing: Option<&Filing>) -> Result<(), VaultError> {
        self.db.prepare_cached("DELETE FROM source_labels WHERE item = ?1")?.execute([number])?;
        let Some(Filing { thread, labels }) = filing else {
            self.db.prepare_cached("DELETE FROM threads WHERE item = ?1")?.execute([number])?;
            return Ok(());
        };
        let mut put = self.db.prepare_cached(
            "INSERT INTO threads (item, thread) VALUES (?1, ?2)
             ON CONFLICT (item) DO UPDATE SET thread = excluded.thread",
        )?;
        put.execute((number, thread))?;
        let mut add =
            self.db.prepare_cached("INSERT OR IGNORE INTO source_labels (item, folded, label) VALUES (?1, ?2, ?3)")?;
        for label in labels {
            add.execute((number, label.to_lowercase(), label))?;
        }
        Ok(())
    }
}
