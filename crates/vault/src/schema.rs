//! The database's schema, as the steps that lead to it. A step is never edited once released; a new one is added.

use crate::VaultError;
use rusqlite::Connection;

/// Each step, in order; a database of version N has had the first N.
const STEPS: [&str; 14] = [
    include_str!("schema/0001_base.sql"),
    include_str!("schema/0002_ledger_guard.sql"),
    include_str!("schema/0003_conversations.sql"),
    include_str!("schema/0004_memory.sql"),
    include_str!("schema/0005_deltas.sql"),
    include_str!("schema/0006_nights.sql"),
    include_str!("schema/0007_wishes.sql"),
    include_str!("schema/0008_assemblies.sql"),
    include_str!("schema/0009_accounts.sql"),
    include_str!("schema/0010_people.sql"),
    include_str!("schema/0011_threads.sql"),
    include_str!("schema/0012_public_deltas.sql"),
    include_str!("schema/0013_premerges.sql"),
    include_str!("schema/0014_homes.sql"),
];

/// The version this program writes.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

pub(crate) fn version(db: &Connection) -> Result<u32, VaultError> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// The stored version, where this program can work with it.
pub(crate) fn check(db: &Connection) -> Result<u32, VaultError> {
    let found = version(db)?;
    if found > VERSION {
        return Err(VaultError::Newer { what: "the database's schema", found, known: VERSION });
    }
    Ok(found)
}

/// Takes the steps that are missing, up to `to`. To be called within a transaction.
pub(crate) fn migrate(db: &Connection, to: u32) -> Result<(), VaultError> {
    let from = version(db)? as usize;
    for step in STEPS.iter().take(to as usize).skip(from) {
        db.execute_batch(step)?;
    }
    Ok(db.pragma_update(None, "user_version", to)?)
}
