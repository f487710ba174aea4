//! The OS keychain as a keyslot: it holds a random key-encryption key under the home's id.

use crate::VaultError;
use crate::keys::Key;
use zeroize::Zeroizing;

const SERVICE: &str = "hinet-icore";

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

/// The Secret Service client brings its own event loop, which must not start inside somebody's async runtime.
fn apart<T: Send>(work: impl FnOnce() -> Result<T, keyring::Error> + Send) -> Result<T, VaultError> {
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or(Err(keyring::Error::NoDefaultStore))
        .map_err(|source| VaultError::Keychain { source: Box::new(source) })
}

impl Keychain for OsKeychain {
    fn get(&self, home: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        apart(|| match keyring::Entry::new(SERVICE, home)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn set(&self, home: &str, key: &[u8]) -> Result<(), VaultError> {
        apart(|| keyring::Entry::new(SERVICE, home)?.set_secret(key))
    }

    fn delete(&self, home: &str) -> Result<(), VaultError> {
        apart(|| match keyring::Entry::new(SERVICE, home)?.delete_credential() {
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
