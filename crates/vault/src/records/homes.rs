//! Other homes on this machine that are members of an assembly.

use super::columns::hash;
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, Millis};
use rusqlite::Row;

/// A home that is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeRow {
    /// What the owner calls the assembly.
    pub assembly: String,
    /// The identity of the home's owner.
    pub identity: Hash,
    /// The weights of the anchor that answered here when it was added.
    pub anchor: Hash,
    /// Since when.
    pub at: Millis,
    /// What the owner calls the home.
    pub name: String,
    /// Where it lies.
    pub path: String,
}

fn home(row: &Row<'_>) -> rusqlite::Result<HomeRow> {
    Ok(HomeRow {
        assembly: row.get(0)?,
        identity: hash(row, 1)?,
        anchor: hash(row, 2)?,
        at: row.get(3)?,
        name: row.get(4)?,
        path: row.get(5)?,
    })
}

impl Reader<'_> {
    /// All homes that are members, by the assembly's name and their identity.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn homes(&self) -> Result<Vec<HomeRow>, VaultError> {
        let sql = "SELECT assembly, identity, anchor, at, name, path FROM homes ORDER BY assembly, identity";
        Ok(self.db.prepare_cached(sql)?.query_map([], home)?.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Makes a home a member, in place of what was known of it there.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_home(&self, row: &HomeRow) -> Result<(), VaultError> {
        let sql = "INSERT INTO homes (assembly, identity, anchor, at, name, path) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (assembly, identity) DO UPDATE SET anchor = ?3, at = ?4, name = ?5, path = ?6";
        let all = (&row.assembly, &row.identity.0, &row.anchor.0, row.at, &row.name, &row.path);
        self.db.prepare_cached(sql)?.execute(all)?;
        Ok(())
    }

    /// Takes a home out of an assembly.
    ///
    /// # Errors
    /// When it is no member there or the database cannot be written.
    pub fn delete_home(&self, assembly: &str, identity: Hash) -> Result<(), VaultError> {
        let sql = "DELETE FROM homes WHERE assembly = ?1 AND identity = ?2";
        match self.db.prepare_cached(sql)?.execute((assembly, &identity.0))? {
            1 => Ok(()),
            _ => Err(VaultError::Missing { what: "member" }),
        }
    }
}
