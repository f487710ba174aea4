//! What the owner says about an item: that it is pinned, and its labels. They stay with the item when its text changes
//! and go with it.

use super::columns::{Id, count};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::ItemId;

impl Reader<'_> {
    /// The numbers of all pinned items.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn pinned(&self) -> Result<Vec<i64>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT item FROM pins")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Whether an item, by its number, is pinned.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_pinned(&self, number: i64) -> Result<bool, VaultError> {
        Ok(self.db.prepare_cached("SELECT 1 FROM pins WHERE item = ?1")?.exists([number])?)
    }

    /// The owner's labels of an item, by its number, sorted without regard to case.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn labels_of(&self, number: i64) -> Result<Vec<String>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT label FROM labels WHERE item = ?1 ORDER BY folded")?;
        Ok(all.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The numbers of the items that carry a label, the owner's or their source's, in whatever letter case.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn labelled(&self, label: &str) -> Result<Vec<i64>, VaultError> {
        let mut some = self.db.prepare_cached(
            "SELECT item FROM labels WHERE folded = ?1 UNION SELECT item FROM source_labels WHERE folded = ?1",
        )?;
        Ok(some.query_map([label.to_lowercase()], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// All labels in use, the owner's and those of sources, each with how many items carry it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn labels(&self) -> Result<Vec<(String, u64)>, VaultError> {
        let sql = "SELECT min(label), count(DISTINCT item) FROM (
                       SELECT folded, label, item FROM labels UNION ALL SELECT folded, label, item FROM source_labels)
                   GROUP BY folded ORDER BY folded";
        let mut all = self.db.prepare_cached(sql)?;
        Ok(all.query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Pins an item or takes its pin away.
    ///
    /// # Errors
    /// When there is no such item or the database cannot be written.
    pub fn set_pinned(&self, item: ItemId, pinned: bool) -> Result<(), VaultError> {
        let number = self.known_item(item)?;
        let sql =
            if pinned { "INSERT OR IGNORE INTO pins (item) VALUES (?1)" } else { "DELETE FROM pins WHERE item = ?1" };
        self.db.prepare_cached(sql)?.execute([number])?;
        Ok(())
    }

    /// Gives an item these labels in place of those it has. Labels that differ in letter case alone are one.
    ///
    /// # Errors
    /// When there is no such item or the database cannot be written.
    pub fn set_labels(&self, item: ItemId, labels: &[String]) -> Result<(), VaultError> {
        let number = self.known_item(item)?;
        self.db.prepare_cached("DELETE FROM labels WHERE item = ?1")?.execute([number])?;
        let mut add =
            self.db.prepare_cached("INSERT OR IGNORE INTO labels (item, folded, label) VALUES (?1, ?2, ?3)")?;
        for label in labels {
            add.execute((number, label.to_lowercase(), label))?;
        }
        Ok(())
    }

    pub(super) fn known_item(&self, item: ItemId) -> Result<i64, VaultError> {
        let mut one = self.db.prepare_cached("SELECT n FROM items WHERE id = ?1")?;
        let mut rows = one.query([item.raw()])?;
        Ok(rows.next()?.ok_or(VaultError::Missing { what: "item" })?.get(0)?)
    }
}
