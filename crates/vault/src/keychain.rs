//! The OS keychain as a keyslot: it holds a random key-encryption key under the home's id.

use crate::VaultError;
use crate::keys::Key;
use std::sync::mpsc;
use std::time::Duration;
use zeroize::Zeroizing;

const SERVICE: &str = "hinet-icore";
/// How long a keychain that asks its owner something is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A place outside the home that keeps one 32-byte key per home.
pub trait Keychain: Send + Sync {
    /// The key kept for a home, if there is one.
    ///
    /// # Errors
    /// When the keychain cannot be asked.
    fn get(&self, home: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;
    /// Keeps a key for a home, instead of the one before.
    ///
    /// # Errors
    /// When the keychain did not take it.
    fn set(&self, home: &str, key: &[u8]) -> Result<(), VaultError>;
    /// Forgets a home's key; there need be none.
    ///
    /// # Errors
    /// When the keychain could not forget it.
    fn delete(&self, home: &str) -> Result<(), VaultError>;
}

/// The keychain of macOS, or the Secret Service elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsKeychain;

/// The first call finds this system's store and makes it the one that entries are looked up in. It stays what it was
/// found to be: a keychain that appears later is seen by the next start.
fn entry(home: &str) -> Result<keyring::Entry, VaultError> {
    // An entry without a store says only that there is none; the store's own status says why.
    if let Err(source) = keyring::Entry::store_status() {
        return Err(VaultError::NoKeychain { source });
    }
    keyring::Entry::new(SERVICE, home).map_err(failed)
}

fn failed(source: keyring::Error) -> VaultError {
    VaultError::Keychain { source: Box::new(source) }
}

/// Runs `work` on a thread of its own: the Secret Service client brings its own event loop, which must not start inside
/// somebody's async runtime, and a locked keychain asks the person, who may be sitting at another screen.
fn apart<T: Send + 'static>(
    home: &str,
    work: impl FnOnce(keyring::Entry) -> Result<T, keyring::Error> + Send + 'static,
) -> Result<T, VaultError> {
    let (done, outcome) = mpsc::channel();
    let home = home.to_owned();
    std::thread::spawn(move || {
        // Where nobody waits any more, nobody is to be told.
        let _ = done.send(entry(&home).and_then(|entry| work(entry).map_err(failed)));
    });
    outcome.recv_timeout(PATIENCE).unwrap_or(Err(VaultError::KeychainSilent))
}

impl Keychain for OsKeychain {
    fn get(&self, home: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        apart(home, |entry| match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn set(&self, home: &str, key: &[u8]) -> Result<(), VaultError> {
        let key = Zeroizing::new(key.to_vec());
        apart(home, move |entry| entry.set_secret(&key))
    }

    fn delete(&self, home: &str) -> Result<(), VaultError> {
        apart(home, |entry| match entry.delete_credential() {
            Err(keyring::Error::NoEntry) => Ok(()),
            other => other,
        })
    }
}

/// A home's key from the keychain.
pub(crate) fn fetch(keychain: &dyn Keychain, home: &str) -> Result<Key, VaultError> {
    let secret = keychain.get(home)?.ok_or(VaultError::NoSlot { kind: "the OS keychain (it has no key for it)" })?;
    let key: [u8; 32] = secret.as_slice().try_into().map_err(|_| VaultError::WrongKeychain)?;
    Ok(Key(Zeroizing::new(key)))
}
