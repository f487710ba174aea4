//! Sources: where items come from.

use super::columns::{Id, Word, count, id, id_or_none, source_kind, source_state};
use super::{Reader, SourceRow, Tx};
use crate::VaultError;
use hinet_protocol::{Millis, SourceId, SourceState};
use rusqlite::Row;

const COLUMNS: &str = "id, kind, path, state, grant_id, added, synced";

fn source_row(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        id: id(row, 0)?,
        kind: source_kind(row, 1)?,
        path: row.get(2)?,
        state: source_state(row, 3)?,
        grant: id_or_none(row, 4)?,
        added: row.get(5)?,
        synced: row.get(6)?,
    })
}

impl Reader<'_> {
    /// All sources, in the order they were opened.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sources(&self) -> Result<Vec<SourceRow>, VaultError> {
        let mut all = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM sources ORDER BY n"))?;
        Ok(all.query_map([], source_row)?.collect::<Result<_, _>>()?)
    }

    /// One source.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn source(&self, source: SourceId) -> Result<Option<SourceRow>, VaultError> {
        let mut one = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM sources WHERE id = ?1"))?;
        let mut rows = one.query([source.raw()])?;
        Ok(rows.next()?.map(source_row).transpose()?)
    }

    /// How many items a source holds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn source_items(&self, source: SourceId) -> Result<u64, VaultError> {
        let mut items = self.db.prepare_cached("SELECT count(*) FROM items WHERE source = ?1")?;
        Ok(items.query_row([source.raw()], |row| count(row, 0))?)
    }
}

impl Tx<'_> {
    /// Stores a source, or replaces what was said about it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_source(&self, row: &SourceRow) -> Result<(), VaultError> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO sources (id, kind, path, state, grant_id, added, synced) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, path = excluded.path, state = excluded.state,
             grant_id = excluded.grant_id, added = excluded.added, synced = excluded.synced",
        )?;
        let grant = row.grant.as_ref().map(Id::raw);
        put.execute((row.id.raw(), row.kind.word(), &row.path, row.state.word(), grant, row.added, row.synced))?;
        Ok(())
    }

    /// Says what a source is doing.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn set_source_state(&self, source: SourceId, state: SourceState) -> Result<(), VaultError> {
        let mut set = self.db.prepare_cached("UPDATE sources SET state = ?2 WHERE id = ?1")?;
        known_source(set.execute((source.raw(), state.word()))?)
    }

    /// Says when a source was last read to the end.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn set_source_synced(&self, source: SourceId, at: Millis) -> Result<(), VaultError> {
        let mut set = self.db.prepare_cached("UPDATE sources SET synced = ?2 WHERE id = ?1")?;
        known_source(set.execute((source.raw(), at))?)
    }

    /// Removes a source with every item of it; gives how many items went. There need be none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_source(&self, source: SourceId) -> Result<u64, VaultError> {
        let items = self.items_of(source)?;
        for item in &items {
            self.delete_item(item.id)?;
        }
        self.db.prepare_cached("DELETE FROM sources WHERE id = ?1")?.execute([source.raw()])?;
        Ok(items.len() as u64)
    }
}

fn known_source(changed: usize) -> Result<(), VaultError> {
    if changed == 1 { Ok(()) } else { Err(VaultError::Missing { what: "source" }) }
}
