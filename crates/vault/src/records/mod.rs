//! What is stored, as plain rows, and the two ways to get at it: [`Reader`], a snapshot, and [`Tx`], which can also
//! write. The vault gives rows no meaning: what a grant allows or a ledger entry says is decided above.

mod accounts;
mod assemblies;
mod chunks;
mod columns;
mod deltas;
mod drafts;
mod feedback;
mod filing;
mod forgetting;
mod homes;
mod items;
mod ledger;
mod lines;
mod marks;
mod messages;
mod nights;
mod people;
mod premerges;
mod rows;
mod sessions;
mod skips;
mod sources;
mod tree;
mod vectors;

pub use accounts::AccountRow;
pub use assemblies::{ReceiptRow, SeatRow};
pub use deltas::DeltaRow;
pub use feedback::Taken;
pub use filing::Filing;
pub use homes::HomeRow;
pub use ledger::{EntryRow, LeafDraft, LeafRow};
pub use lines::Line;
pub use messages::MessageLine;
pub use nights::NightRow;
pub use people::{PersonRow, PersonWord};
pub use premerges::PremergeRow;
pub use rows::{ChunkDraft, ChunkRow, ChunkView, ItemHead, ItemRow, QueueRow, SourceRow};

use crate::VaultError;
use crate::db::lock;
use crate::head::Head;
use crate::vault::position;
use rusqlite::Connection;
use std::ops::Deref;
use std::sync::Mutex;

/// A snapshot of everything committed before it began.
pub struct Reader<'a> {
    db: &'a Connection,
    head: &'a Mutex<Head>,
}

/// The writing transaction; everything readable is readable in it, own writes included.
pub struct Tx<'a> {
    reader: Reader<'a>,
}

impl<'a> Deref for Tx<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}

impl<'a> Tx<'a> {
    pub(crate) fn new(db: &'a Connection, head: &'a Mutex<Head>) -> Self {
        Self { reader: Reader { db, head } }
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.db
    }

    /// Sets a value by name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), VaultError> {
        // The condition keeps a value that is there already from counting as a write.
        self.db
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
            )?
            .execute((key, value))?;
        Ok(())
    }

    /// Removes a value; there need be none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_meta(&self, key: &str) -> Result<(), VaultError> {
        self.db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
        Ok(())
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(db: &'a Connection, head: &'a Mutex<Head>) -> Self {
        Self { db, head }
    }

    /// A value by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<String>, VaultError> {
        let mut found = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        let mut rows = found.query([key])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// How many commits there have been.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn vault_seq(&self) -> Result<u64, VaultError> {
        Ok(position(self.db)?.vault_seq)
    }

    /// The head that was signed last (not part of the snapshot).
    #[must_use]
    pub fn last_head(&self) -> Head {
        lock(self.head).clone()
    }
}
