//! Deltas: what there is to know about each, where its numbers are sealed, and which one the anchor wears.

use super::columns::{Word, count, delta_kind, hash};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{DeltaKind, Hash, Millis};
use rusqlite::{OptionalExtension, Row};

/// A delta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaRow {
    /// What it computes, as a hash.
    pub hash: Hash,
    /// Whom it is for.
    pub kind: DeltaKind,
    /// The sealed object that holds its numbers.
    pub object: Hash,
    /// When it came.
    pub at: Millis,
    /// What the owner calls it.
    pub name: String,
    /// What else is known about it; the vault gives it no meaning.
    pub said: String,
    /// Bytes of the object.
    pub bytes: u64,
    /// Whether the anchor wears it.
    pub worn: bool,
}

const COLUMNS: &str = "SELECT hash, object, at, name, said, bytes, worn, kind FROM deltas";

fn row(row: &Row<'_>) -> rusqlite::Result<DeltaRow> {
    Ok(DeltaRow {
        hash: hash(row, 0)?,
        object: hash(row, 1)?,
        at: row.get(2)?,
        name: row.get(3)?,
        said: row.get(4)?,
        bytes: count(row, 5)?,
        worn: row.get(6)?,
        kind: delta_kind(row, 7)?,
    })
}

impl Reader<'_> {
    /// All deltas, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn deltas(&self) -> Result<Vec<DeltaRow>, VaultError> {
        let mut all = self.db.prepare_cached(&format!("{COLUMNS} ORDER BY n DESC"))?;
        Ok(all.query_map([], row)?.collect::<Result<_, _>>()?)
    }

    /// The delta that the anchor wears.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn worn_delta(&self) -> Result<Option<DeltaRow>, VaultError> {
        Ok(self.db.prepare_cached(&format!("{COLUMNS} WHERE worn = 1"))?.query_row([], row).optional()?)
    }
}

impl Tx<'_> {
    /// Adds a delta; one with the same hash is replaced, and stays worn where it was. What is known to be private stays so,
    /// from wherever it comes again, as long as a night names it; so does what is known to be public, unless it is private.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_delta(&self, delta: &DeltaRow) -> Result<(), VaultError> {
        let sql = "INSERT INTO deltas (hash, object, at, name, said, bytes, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                       CASE WHEN ?7 = 'imported' AND EXISTS (SELECT 1 FROM nights WHERE delta = ?1) THEN 'private'
                            ELSE ?7 END)
                   ON CONFLICT (hash) DO UPDATE SET object = ?2, at = ?3, name = ?4, said = ?5, bytes = ?6,
                   kind = CASE WHEN kind = 'private' OR excluded.kind = 'imported' THEN kind ELSE excluded.kind END";
        let bytes = i64::try_from(delta.bytes).map_err(|_| VaultError::row("a size out of reach"))?;
        let row = (&delta.hash.0, &delta.object.0, delta.at, &delta.name, &delta.said, bytes, delta.kind.word());
        self.db.prepare_cached(sql)?.execute(row)?;
        if delta.worn {
            self.wear_delta(Some(delta.hash))?;
        }
        Ok(())
    }

    /// Has the anchor wear this delta, or none.
    ///
    /// # Errors
    /// When there is no such delta or the database cannot be written.
    pub fn wear_delta(&self, hash: Option<Hash>) -> Result<(), VaultError> {
        self.db.prepare_cached("UPDATE deltas SET worn = 0 WHERE worn = 1")?.execute([])?;
        let Some(hash) = hash else { return Ok(()) };
        match self.db.prepare_cached("UPDATE deltas SET worn = 1 WHERE hash = ?1")?.execute([&hash.0])? {
            1 => Ok(()),
            _ => Err(VaultError::Missing { what: "delta" }),
        }
    }

    /// Removes a delta. Its object is removed by [`crate::Vault::keep_objects`] afterwards.
    ///
    /// # Errors
    /// When there is no such delta or the database cannot be written.
    pub fn delete_delta(&self, hash: Hash) -> Result<(), VaultError> {
        match self.db.prepare_cached("DELETE FROM deltas WHERE hash = ?1")?.execute([&hash.0])? {
            1 => Ok(()),
            _ => Err(VaultError::Missing { what: "delta" }),
        }
    }
}
