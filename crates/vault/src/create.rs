//! A new home: built whole in a folder of its own inside the home, then moved into place, the keyslots last.
//!
//! Killed at any point before that, the next try finds the folder, knows that nothing had begun, and clears it away.

use crate::db;
use crate::home::Home;
use crate::keys::DeviceKey;
use crate::slots::Keyring;
use crate::vault::{Options, Secret, Vault, position};
use crate::{Evidence, VaultError, Words, file, head::Head, schema};
use hinet_protocol::Millis;
use std::fs;

impl Vault {
    /// Makes a home and opens it. `secrets` are the ways of unlocking besides the words, which always work; words
    /// among them are passed over.
    ///
    /// # Errors
    /// When there is a home already or it cannot be written; then there is none, as before.
    pub fn create(
        home: &Home,
        owner_name: &str,
        words: &Words,
        secrets: &[Secret],
        now: Millis,
    ) -> Result<Self, VaultError> {
        Self::create_with(home, owner_name, words, secrets, now, Options::default())
    }

    /// [`Vault::create`] with another keychain, or a cheaper passphrase for tests.
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn create_with(
        home: &Home,
        owner_name: &str,
        words: &Words,
        secrets: &[Secret],
        now: Millis,
        options: Options,
    ) -> Result<Self, VaultError> {
        let slots = home.keyslots().exists() || home.keyslots_copy().exists();
        if home.exists() && slots && home.db().exists() {
            return Err(VaultError::AlreadyThere { path: home.dir().to_owned() });
        }
        clear_unfinished(home)?;
        let mut ring = Keyring::create(words, now);
        let mut in_keychain = false;
        for secret in secrets {
            match secret {
                Secret::Passphrase(passphrase) => ring.set_passphrase(passphrase, options.cost)?,
                Secret::Keychain => {
                    let key = ring.add_keychain();
                    options.keychain.set(ring.file().home(), key.bytes())?;
                    in_keychain = true;
                }
                Secret::Words(_) => {}
            }
        }
        let built = build(home, owner_name, &mut ring, schema::VERSION);
        if let Err(error) = built {
            // Nothing appears, so nothing is kept either; what cannot be cleared now is cleared by the next try.
            let _ = clear_unfinished(home);
            if in_keychain {
                let _ = options.keychain.delete(ring.file().home());
            }
            return Err(error);
        }
        Self::open_with(home, &Secret::Words(words.clone()), options)
    }
}

/// Removes what a killed creation left. Refuses to touch anything else.
fn clear_unfinished(home: &Home) -> Result<(), VaultError> {
    let cradle = home.cradle();
    if home.keyslots().exists() || (home.keyslots_copy().exists() && !cradle.exists()) {
        return Err(Evidence::DatabaseMissing.into());
    }
    if !cradle.exists() {
        return if home.db().exists() { Err(Evidence::KeyslotsMissing.into()) } else { Ok(()) };
    }
    for path in [home.keyslots_copy(), home.head(), home.log(), home.db()] {
        file::remove(&path)?;
    }
    fs::remove_dir_all(&cradle).map_err(|source| VaultError::io(&cradle, source))
}

fn build(home: &Home, owner_name: &str, ring: &mut Keyring, version: u32) -> Result<(), VaultError> {
    file::private_dir(home.dir())?;
    file::private_dir(&home.cradle())?;
    let staged = Home::at(home.cradle());
    let bundle = &ring.bundle;
    let device = DeviceKey::from_seed(&bundle.device, bundle.certificate.clone(), &ring.file().identity())
        .ok_or(Evidence::DeviceForged)?;
    let key = bundle.database[0].key.clone();
    ring.save(&staged)?;
    file::private_file(&staged.db())?;
    let Some(mut db) = db::connect(&staged.db(), &key)? else { return Err(VaultError::row("a new database")) };
    db::make_writer(&db)?;
    let tx = db.transaction()?;
    schema::migrate(&tx, version)?;
    let counter = i64::try_from(ring.file().counter()).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO state (one, home, owner, vault_seq, keyslots) VALUES (1, ?1, ?2, 1, ?3)",
        (ring.file().home(), owner_name, counter),
    )?;
    tx.commit()?;
    Head::sign(position(&db)?, &device).prepare(&staged)?.publish()?;
    // A journal mode other than WAL leaves one file, which can be renamed on its own.
    db.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    drop(db);
    file::sync_parent(&staged.db())?;
    file::rename(&staged.db(), &home.db())?;
    file::rename(&staged.head(), &home.head())?;
    file::rename(&staged.keyslots(), &home.keyslots())?;
    file::rename(&staged.keyslots_copy(), &home.keyslots_copy())?;
    fs::remove_dir_all(home.cradle()).map_err(|source| VaultError::io(home.dir(), source))?;
    file::sync_parent(&home.db())
}

/// A home as an older program made it.
#[cfg(test)]
pub(crate) fn build_version(home: &Home, owner: &str, words: &Words, version: u32) -> Result<(), VaultError> {
    build(home, owner, &mut Keyring::create(words, 1), version)
}
