//! The vault: one owner's keys, recovery words, sealed files and encrypted records.
//!
//! Everything personal is in SQLCipher or in a sealed file; no plaintext reaches the disk. Keys are random and wrapped
//! in keyslots (`slots`); the identity comes from the recovery words and is never stored. A signed head beside the
//! database shows an old file or a cut log at the next opening (`head`). The vault gives its rows no meaning, knows
//! no network, no terminal and no environment, and asks no model anything.

mod check;
mod create;
mod db;
mod error;
mod file;
mod head;
pub mod hex;
mod home;
mod keychain;
mod keys;
mod objects;
pub mod records;
mod rotate;
mod schema;
pub mod sealed;
mod slots;
#[cfg(test)]
mod tests;
mod vault;
mod wal;
mod words;

pub use check::Finding;
pub use error::{Evidence, Part, VaultError};
pub use head::Head;
pub use home::{Home, HomeLock};
pub use keychain::{Keychain, OsKeychain};
pub use keys::{DeviceCert, DeviceKey, verify_signature};
pub use records::{Reader, Tx};
pub use sealed::{SealError, SealKey};
pub use slots::PassphraseCost;
pub use vault::{Options, Secret, SlotKinds, Vault, attach_key, attach_key_with, slot_kinds};
pub use words::{WORD_COUNT, Words};
