//! `ledger.head`: what the device signed last, kept beside the database so that an old database or a cut log shows.
//!
//! The next head is written and synced before the commit it is for, and renamed into place after it. A crash between
//! the two leaves the head exactly one commit behind, which opening accepts and mends; nothing else is accepted.

use crate::hex;
use crate::keys::{DeviceKey, verify_signature};
use crate::{Evidence, Home, VaultError, file};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
const FILE_CAP: u64 = 64 * 1024;

/// How far database and ledger have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Schema version, 1.
    pub v: u32,
    /// The home's id.
    pub home: String,
    /// Ledger entries.
    pub entries: u64,
    /// Hash of the last entry; zeros before the first.
    pub ledger_hash: Hash,
    /// Commits of the database.
    pub vault_seq: u64,
    /// Changes of the keyslots file.
    pub keyslots: u64,
    /// The device that signed.
    pub device: Hash,
    /// The device's signature over all of the above, hex.
    pub signature: String,
}

/// What the database says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) home: String,
    pub(crate) entries: u64,
    pub(crate) ledger_hash: Hash,
    pub(crate) vault_seq: u64,
    pub(crate) keyslots: u64,
}

impl Head {
    fn message(&self) -> Vec<u8> {
        let mut message = b"hinet/head/v1".to_vec();
        message.extend((self.home.len() as u64).to_be_bytes());
        message.extend(self.home.as_bytes());
        for number in [self.entries, self.vault_seq, self.keyslots] {
            message.extend(number.to_be_bytes());
        }
        message.extend(self.ledger_hash.0);
        message.extend(self.device.0);
        message
    }

    pub(crate) fn sign(at: Position, device: &DeviceKey) -> Self {
        let mut head = Self {
            v: VERSION,
            home: at.home,
            entries: at.entries,
            ledger_hash: at.ledger_hash,
            vault_seq: at.vault_seq,
            keyslots: at.keyslots,
            device: Hash(device.public()),
            signature: String::new(),
        };
        head.signature = hex::encode(&device.sign(&head.message()));
        head
    }

    /// Whether the device named in it signed exactly this.
    #[must_use]
    pub fn verify(&self) -> bool {
        hex::decode(&self.signature)
            .is_some_and(|signature| verify_signature(&self.device.0, &self.message(), &signature))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string(self).expect("strings and numbers serialise");
        text.push('\n');
        text.into_bytes()
    }

    /// Writes the head beside its place; it counts once it is published.
    pub(crate) fn prepare(&self, home: &Home) -> Result<file::Prepared, VaultError> {
        file::Prepared::write(&home.head(), &self.bytes())
    }

    /// The head this device signed last.
    pub(crate) fn load(home: &Home, device: &DeviceKey) -> Result<Self, VaultError> {
        let bytes = file::read_small(&home.head(), FILE_CAP)?.ok_or(Evidence::HeadMissing)?;
        #[derive(Deserialize)]
        struct Dated {
            v: u32,
        }
        let forged = |_| Evidence::HeadForged;
        let Dated { v } = serde_json::from_slice(&bytes).map_err(forged)?;
        let head: Self = match serde_json::from_slice(&bytes) {
            Err(_) if v > VERSION => {
                return Err(VaultError::Newer { what: "ledger.head", found: v, known: VERSION });
            }
            other => other.map_err(forged)?,
        };
        // Byte equality, so that not even a changed letter case passes for the file that was written.
        let intact = head.v == VERSION && head.device.0 == device.public() && head.bytes() == bytes && head.verify();
        if intact { Ok(head) } else { Err(Evidence::HeadForged.into()) }
    }

    /// Holds the database against the head. True where the head is one commit behind and must be signed again.
    pub(crate) fn compare(&self, at: &Position, ledger_at_head: Option<Hash>) -> Result<bool, VaultError> {
        let (database, head) = (at.vault_seq, self.vault_seq);
        if at.home != self.home {
            return Err(Evidence::OtherHome.into());
        }
        if database < head {
            return Err(Evidence::DatabaseBehindHead { database, head }.into());
        }
        if database > head + 1 {
            return Err(Evidence::HeadBehindDatabase { database, head }.into());
        }
        let same_ledger = if database == head {
            at.entries == self.entries && at.ledger_hash == self.ledger_hash && at.keyslots == self.keyslots
        } else {
            at.entries >= self.entries && ledger_at_head == (self.entries > 0).then_some(self.ledger_hash)
        };
        if !same_ledger {
            return Err(Evidence::LedgerMismatch.into());
        }
        Ok(database != head)
    }
}
