//! Items as lists need them: everything but the text, by when they were changed, read from one index.

use super::Reader;
use super::columns::id;
use crate::VaultError;
use hinet_protocol::{ItemId, Millis, SourceId};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// An item without its text, lent for as long as it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its number in the vault, which its chunks, pins, labels and people are kept under.
    pub row: i64,
    /// Its id.
    pub id: ItemId,
    /// Its source.
    pub source: SourceId,
    /// Its path or address.
    pub key: &'a str,
    /// Its title.
    pub title: &'a str,
    /// `markdown`, `text`, `code`, `html`, `pdf`, `docx`.
    pub kind: &'a str,
    /// When it was last changed.
    pub modified: Millis,
    /// When it was remembered.
    pub ingested: Millis,
}

const LINE: &str = "n, id, source, key, title, kind, modified, ingested";

fn text<'a>(value: ValueRef<'a>) -> Result<&'a str, VaultError> {
    value.as_str().map_err(|_| VaultError::row("an item"))
}

fn line<'a>(row: &'a Row<'_>) -> Result<Line<'a>, VaultError> {
    Ok(Line {
        row: row.get(0)?,
        id: id(row, 1)?,
        source: id(row, 2)?,
        key: text(row.get_ref(3)?)?,
        title: text(row.get_ref(4)?)?,
        kind: text(row.get_ref(5)?)?,
        modified: row.get(6)?,
        ingested: row.get(7)?,
    })
}

impl Reader<'_> {
    /// Hands items changed in `[from, to)` to `f`, the newest first, until it says no.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn lines(&self, from: Millis, to: Millis, f: &mut dyn FnMut(Line<'_>) -> bool) -> Result<(), VaultError> {
        let sql = format!(
            "SELECT {LINE} FROM items INDEXED BY items_lines WHERE modified >= ?1 AND modified < ?2
             ORDER BY modified DESC, id DESC"
        );
        let mut all = self.db.prepare_cached(&sql)?;
        let mut rows = all.query((from, to))?;
        while let Some(row) = rows.next()? {
            if !f(line(row)?) {
                break;
            }
        }
        Ok(())
    }

    /// Hands the items of these numbers to `f`, in the order given; what is gone is passed over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn lines_of(&self, numbers: &[i64], f: &mut dyn FnMut(Line<'_>)) -> Result<(), VaultError> {
        let mut one = self.db.prepare_cached(&format!("SELECT {LINE} FROM items WHERE n = ?1"))?;
        for number in numbers {
            let mut rows = one.query([number])?;
            if let Some(row) = rows.next()? {
                f(line(row)?);
            }
        }
        Ok(())
    }

    /// The number an item is kept under.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn item_number(&self, item: ItemId) -> Result<Option<i64>, VaultError> {
        let mut one = self.db.prepare_cached("SELECT n FROM items WHERE id = ?1")?;
        let mut rows = one.query([super::columns::Id::raw(&item)])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// Hands the chunks of these items to `f`, in no particular order. Few items are looked up one by one, many are
    /// picked out of one pass over all chunks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chunk_ids_of(&self, numbers: &[i64], f: &mut dyn FnMut(i64)) -> Result<(), VaultError> {
        /// Beyond so many items one pass over the index of all chunks costs less than a look-up for each.
        const LOOKED_UP: usize = 4096;
        if numbers.len() <= LOOKED_UP {
            let mut some = self.db.prepare_cached("SELECT id FROM chunks WHERE item = ?1")?;
            for number in numbers {
                let mut rows = some.query([number])?;
                while let Some(row) = rows.next()? {
                    f(row.get(0)?);
                }
            }
            return Ok(());
        }
        let wanted: std::collections::HashSet<i64> = numbers.iter().copied().collect();
        let mut all = self.db.prepare_cached("SELECT item, id FROM chunks INDEXED BY chunks_item")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            if wanted.contains(&row.get(0)?) {
                f(row.get(1)?);
            }
        }
        Ok(())
    }
}
