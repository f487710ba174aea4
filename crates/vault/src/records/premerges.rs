//! Pre-merges: several members of an assembly as one delta. Each goes with the seat of any of its members, whatever takes
//! that away.

use super::columns::{count, hash};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, Millis};
use rusqlite::Row;

/// A pre-merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PremergeRow {
    /// What the owner calls the assembly.
    pub assembly: String,
    /// What it computes, as a hash.
    pub hash: Hash,
    /// The sealed object that holds its numbers.
    pub object: Hash,
    /// Bytes of the object.
    pub bytes: u64,
    /// When it was made.
    pub at: Millis,
    /// What it is made of; the vault gives it no meaning.
    pub recipe: String,
}

fn premerge(row: &Row<'_>) -> rusqlite::Result<PremergeRow> {
    Ok(PremergeRow {
        assembly: row.get(0)?,
        hash: hash(row, 1)?,
        object: hash(row, 2)?,
        bytes: count(row, 3)?,
        at: row.get(4)?,
        recipe: row.get(5)?,
    })
}

impl Reader<'_> {
    /// All pre-merges, by the assembly's name and their hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn premerges(&self) -> Result<Vec<PremergeRow>, VaultError> {
        let sql = "SELECT assembly, hash, object, bytes, at, recipe FROM premerges ORDER BY assembly, hash";
        Ok(self.db.prepare_cached(sql)?.query_map([], premerge)?.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Adds a pre-merge of these members, in place of the same one.
    ///
    /// # Errors
    /// When one of them has no seat in the assembly or the database cannot be written.
    pub fn put_premerge(&self, row: &PremergeRow, members: &[Hash]) -> Result<(), VaultError> {
        let sql = "INSERT INTO premerges (assembly, hash, object, bytes, at, recipe) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (assembly, hash) DO UPDATE SET object = ?3, bytes = ?4, at = ?5, recipe = ?6";
        let bytes = i64::try_from(row.bytes).map_err(|_| VaultError::row("a size out of reach"))?;
        let all = (&row.assembly, &row.hash.0, &row.object.0, bytes, row.at, &row.recipe);
        self.db.prepare_cached(sql)?.execute(all)?;
        let mut put = self.db.prepare_cached(
            "INSERT INTO premerge_members (assembly, hash, delta) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?;
        for delta in members {
            put.execute((&row.assembly, &row.hash.0, &delta.0))?;
        }
        Ok(())
    }
}
