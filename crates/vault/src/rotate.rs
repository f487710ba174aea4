//! Changing keys and passphrases, and scrubbing what was deleted.
//!
//! The order is always: keyslots file (whole, atomic), then the database's record of its counter. A rotation writes
//! the keyslots with the current and the next database key, rekeys in one transaction, and writes them again with the
//! next one alone; opening tries both and finishes what a crash cut short.

use crate::db;
use crate::slots::{Keyring, Versioned};
use crate::{Part, Vault, VaultError};
use rusqlite::Connection;
use std::sync::PoisonError;

/// Moves the whole log into the database and cuts it to nothing.
pub(crate) fn truncate_log(db: &Connection) -> Result<(), VaultError> {
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(VaultError::Locked) }
}

impl Vault {
    /// Records the keyslots file's counter in the database, where a crash kept them apart.
    pub(crate) fn sync_counter(&self) -> Result<(), VaultError> {
        let counter = i64::try_from(self.keyring().file().counter()).map_err(|_| Part::Keyslots)?;
        self.write(|tx| {
            tx.connection().execute("UPDATE state SET keyslots = ?1 WHERE keyslots <> ?1", [counter])?;
            Ok(())
        })
    }

    /// Changes the keyslots: file first, then the record of it. On an error before the file is written nothing changed.
    fn change_keys<T>(&self, f: impl FnOnce(&mut Keyring) -> Result<T, VaultError>) -> Result<T, VaultError> {
        self.sync_counter()?;
        let out = {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            let mut next = keys.clone();
            let out = f(&mut next)?;
            next.save(&self.home)?;
            *keys = next;
            out
        };
        self.sync_counter()?;
        Ok(out)
    }

    /// Sets or replaces the passphrase. The old one opens nothing any more, except old copies of the keyslots file,
    /// which [`Vault::rotate_keys`] makes worthless.
    ///
    /// # Errors
    /// An empty passphrase, or a home that cannot be written.
    pub fn change_passphrase(&self, new: &str) -> Result<(), VaultError> {
        self.change_keys(|ring| ring.set_passphrase(new, self.options.cost))
    }

    /// Adds or removes the OS keychain as a way of unlocking.
    ///
    /// # Errors
    /// When the keychain or the home cannot be written.
    pub fn set_keychain(&self, on: bool) -> Result<(), VaultError> {
        let home = self.home_id();
        if on {
            return self.change_keys(|ring| {
                let key = ring.add_keychain();
                self.options.keychain.set(&home, key.bytes())
            });
        }
        if self.slot_kinds().keychain {
            self.change_keys(|ring| {
                ring.remove_keychain();
                Ok(())
            })?;
            self.options.keychain.delete(&home)?;
        }
        Ok(())
    }

    /// New master key, database key and sealing key. What old copies of the keyslots file open is the past alone.
    /// Files sealed with older sealing keys still open. A crash half-way is finished by the next opening. Must not be
    /// called within a read or a write.
    ///
    /// # Errors
    /// When the home cannot be written; then the old database key holds, and the next opening or rotation tidies up.
    pub fn rotate_keys(&self) -> Result<(), VaultError> {
        let next = self.prepare_rotation()?;
        let closed = self.readers.close();
        self.with_writer(|_, writer| {
            truncate_log(&writer.db)?;
            db::rekey(&writer.db, &next.key)?;
            closed.change_key(next.key.clone());
            // Before the key before is forgotten, no page in the file may be under it any more.
            truncate_log(&writer.db)
        })?;
        drop(closed);
        self.finish_rotation(next.version)
    }

    /// Writes keyslots that hold, besides the current database key, the next one.
    pub(crate) fn prepare_rotation(&self) -> Result<Versioned, VaultError> {
        self.change_keys(|ring| {
            // Pushed, never put in place of another: after a rotation that failed half-way in this process the
            // database may have any of them, and opening tries them all.
            let next = ring.bundle.database.last().ok_or(Part::Bundle)?.next();
            ring.bundle.database.push(next.clone());
            let sealing = ring.bundle.sealing.last().ok_or(Part::Bundle)?.next();
            ring.bundle.sealing.push(sealing);
            ring.renew_master();
            Ok(next)
        })
    }

    /// Keeps only the database key that opens the database.
    pub(crate) fn finish_rotation(&self, version: u32) -> Result<(), VaultError> {
        if self.keyring().bundle.database.len() == 1 {
            return Ok(());
        }
        self.change_keys(|ring| {
            ring.bundle.database.retain(|key| key.version == version);
            if ring.bundle.database.len() == 1 { Ok(()) } else { Err(Part::Bundle.into()) }
        })
    }

    /// After deleting: rewrites the database without free space and cuts the log to nothing, so that nothing deleted
    /// remains in any page, even for someone with the key. Takes time in proportion to the database, and its size in
    /// memory. Waits for reads to end, so it must not be called within one, nor within a write.
    ///
    /// # Errors
    /// When the database could not be written; then some of what was deleted may still be in free pages.
    pub fn scrub(&self) -> Result<(), VaultError> {
        let _closed = self.readers.close();
        self.with_writer(|_, writer| {
            writer.db.execute_batch("VACUUM")?;
            truncate_log(&writer.db)
        })
    }

    /// Folds the log into the database, as a clean end does. Must not be called within a read or a write.
    ///
    /// # Errors
    /// When the database could not be written.
    pub fn checkpoint(&self) -> Result<(), VaultError> {
        let _closed = self.readers.close();
        self.with_writer(|_, writer| truncate_log(&writer.db))
    }
}
