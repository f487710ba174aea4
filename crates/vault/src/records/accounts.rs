//! Accounts on servers: what is asked of each, what opens it, and how far it was read.

use super::columns::Id;
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::SourceId;
use rusqlite::OptionalExtension;
use std::fmt;
use zeroize::Zeroizing;

/// An account; the vault gives neither part a meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// What is asked of it.
    pub plan: String,
    /// What opens it. Nothing shows it.
    pub keys: Zeroizing<String>,
}

impl fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRow").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// The account that a source is, where it is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn account(&self, source: SourceId) -> Result<Option<AccountRow>, VaultError> {
        let sql = "SELECT plan, keys FROM accounts WHERE source = (SELECT n FROM sources WHERE id = ?1)";
        let row = |row: &rusqlite::Row<'_>| Ok(AccountRow { plan: row.get(0)?, keys: Zeroizing::new(row.get(1)?) });
        Ok(self.db.prepare_cached(sql)?.query_row([source.raw()], row).optional()?)
    }

    /// How far an account was read, by a name that whoever reads it gave.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn bookmark(&self, source: SourceId, name: &str) -> Result<Option<String>, VaultError> {
        let sql = "SELECT value FROM bookmarks WHERE source = (SELECT n FROM sources WHERE id = ?1) AND name = ?2";
        Ok(self.db.prepare_cached(sql)?.query_row((source.raw(), name), |row| row.get(0)).optional()?)
    }
}

impl Tx<'_> {
    /// Stores what an account is and what opens it.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn put_account(&self, source: SourceId, row: &AccountRow) -> Result<(), VaultError> {
        let number = self.source_number(source)?;
        let sql = "INSERT INTO accounts (source, plan, keys) VALUES (?1, ?2, ?3)
                   ON CONFLICT (source) DO UPDATE SET plan = excluded.plan, keys = excluded.keys";
        self.db.prepare_cached(sql)?.execute((number, &row.plan, row.keys.as_str()))?;
        Ok(())
    }

    /// Takes back everything that was said about how far an account was read.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn drop_bookmarks(&self, source: SourceId) -> Result<(), VaultError> {
        let number = self.source_number(source)?;
        self.db.prepare_cached("DELETE FROM bookmarks WHERE source = ?1")?.execute([number])?;
        Ok(())
    }

    /// Says how far an account was read; `None` takes that back.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn set_bookmark(&self, source: SourceId, name: &str, value: Option<&str>) -> Result<(), VaultError> {
        let number = self.source_number(source)?;
        match value {
            Some(value) => {
                let sql = "INSERT INTO bookmarks (source, name, value) VALUES (?1, ?2, ?3)
                           ON CONFLICT (source, name) DO UPDATE SET value = excluded.value";
                self.db.prepare_cached(sql)?.execute((number, name, value))?;
            }
            None => {
                let sql = "DELETE FROM bookmarks WHERE source = ?1 AND name = ?2";
                self.db.prepare_cached(sql)?.execute((number, name))?;
            }
        }
        Ok(())
    }
}
