//! Verifying the ledger, entry by entry, from its bytes alone. The vault's ledger and an export go through the same walk.

use hinet_protocol::{AuditReport, Hash};
use hinet_vault::{DeviceCert, Head};

use crate::entry::{Entry, EntryFault, commitment, hash_of};
use crate::merkle;

/// What is wrong with an entry, or with the end of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The stored bytes are not an entry.
    #[error("{0}")]
    Entry(#[from] EntryFault),
    /// Entries are missing, doubled or swapped.
    #[error("it says that it is entry {found}, so entries were removed, doubled or swapped")]
    Sequence {
        /// The number in the entry.
        found: u64,
    },
    /// The bytes were changed.
    #[error("its bytes do not have the hash it was stored with")]
    Hash,
    /// The chain is cut here.
    #[error("it does not follow the entry before it")]
    Chain,
    /// It is of another ledger.
    #[error("it belongs to another owner's ledger")]
    Owner,
    /// It was signed by a device the owner did not certify.
    #[error("it was signed by a device that the owner's identity did not certify")]
    Device,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// Leaves are missing or too many.
    #[error("it has {expected} leaves, and {found} are stored")]
    LeafCount {
        /// What the entry says.
        expected: u32,
        /// What is there.
        found: u64,
    },
    /// A leaf is out of place.
    #[error("its leaf {index} is out of place")]
    LeafOrder {
        /// Which leaf.
        index: u32,
    },
    /// A body is not the one that was committed to.
    #[error("the text of its leaf {index} is not the one it committed to")]
    Body {
        /// Which leaf.
        index: u32,
    },
    /// A leaf has a body without salt or a salt without body.
    #[error("its leaf {index} is half erased")]
    HalfErased {
        /// Which leaf.
        index: u32,
    },
    /// The commitments are not those the entry was signed over.
    #[error("its leaves do not have the root it was signed with")]
    Root,
    /// The head is not signed by the device.
    #[error("the signed head of the ledger is not signed by a device of this owner")]
    HeadForged,
    /// The ledger is shorter or longer than its head says.
    #[error("the ledger has {found} entries, and its signed head says {expected}: it was cut or added to")]
    HeadCount {
        /// What the head says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The ledger ends with another entry than its head says.
    #[error("the ledger ends with another entry than its signed head says")]
    HeadHash,
    /// An export was changed after it was signed.
    #[error("the export was changed after it was signed")]
    ExportSignature,
    /// An export is of another owner than the one expected.
    #[error("the export is not signed for the expected public key")]
    OtherKey,
    /// An export is not written the one way an export is written.
    #[error("the export is not written as it was signed")]
    Spelling,
}

/// A leaf as it is stored or exported.
#[derive(Clone)]
pub struct Leaf<'a> {
    /// Its place in the entry.
    pub index: u32,
    /// The commitment.
    pub commitment: Hash,
    /// The salt, unless erased or withheld.
    pub salt: Option<[u8; 32]>,
    /// The body, unless erased or withheld.
    pub body: Option<&'a str>,
}

/// A walk along a ledger, from its first entry to its head.
pub struct Walk {
    home: [u8; 32],
    devices: Vec<[u8; 32]>,
    next: u64,
    prev: Hash,
}

impl Walk {
    /// Begins at the first entry of the ledger of `home`, signed by devices that hold one of `certificates`;
    /// certificates that do not hold count for nothing.
    #[must_use]
    pub fn begin(home: [u8; 32], certificates: &[DeviceCert]) -> Self {
        let devices = certificates.iter().filter(|cert| cert.verify(&home)).map(|cert| cert.device.0).collect();
        Self { home, devices, next: 0, prev: Hash::default() }
    }

    /// How many entries held so far; the number of the next one.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.next
    }

    /// Hash of the last entry that held; zero before the first.
    #[must_use]
    pub fn head(&self) -> Hash {
        self.prev
    }

    /// Looks at the next entry and its leaves.
    ///
    /// # Errors
    /// The [`Fault`] that makes it the first broken entry.
    pub fn step<'a>(
        &mut self,
        bytes: &[u8],
        stored_hash: Hash,
        leaves: impl IntoIterator<Item = Leaf<'a>>,
    ) -> Result<Entry, Fault> {
        let entry = Entry::parse(bytes)?;
        if entry.seq != self.next {
            return Err(Fault::Sequence { found: entry.seq });
        }
        let hash = hash_of(bytes);
        if hash != stored_hash {
            return Err(Fault::Hash);
        }
        if entry.prev != self.prev {
            return Err(Fault::Chain);
        }
        if entry.home != self.home {
            return Err(Fault::Owner);
        }
        if !self.devices.contains(&entry.device) {
            return Err(Fault::Device);
        }
        if !entry.signature_holds() {
            return Err(Fault::Signature);
        }
        check_leaves(&entry, leaves)?;
        self.next += 1;
        self.prev = hash;
        Ok(entry)
    }

    /// Holds the end of the walk against the signed head.
    ///
    /// # Errors
    /// The [`Fault`] of the head.
    pub fn finish(&self, head: &Head) -> Result<(), Fault> {
        if !self.devices.contains(&head.device.0) || !head.verify() {
            return Err(Fault::HeadForged);
        }
        if head.entries != self.next {
            return Err(Fault::HeadCount { expected: head.entries, found: self.next });
        }
        if head.ledger_hash != self.prev {
            return Err(Fault::HeadHash);
        }
        Ok(())
    }

    /// The verdict: all is well, or the next entry (or, behind the last entry, the head) is broken.
    #[must_use]
    pub fn report(&self, fault: Option<Fault>) -> AuditReport {
        AuditReport {
            entries: self.next,
            ok: fault.is_none(),
            head: self.prev,
            broken: fault.map(|fault| (self.next, fault.to_string())),
        }
    }
}

fn check_leaves<'a>(entry: &Entry, leaves: impl IntoIterator<Item = Leaf<'a>>) -> Result<(), Fault> {
    let mut commitments = Vec::new();
    for leaf in leaves {
        let index = leaf.index;
        if u64::from(index) != commitments.len() as u64 {
            return Err(Fault::LeafOrder { index });
        }
        match (leaf.salt, leaf.body) {
            (Some(salt), Some(body)) if commitment(&salt, body) != leaf.commitment => {
                return Err(Fault::Body { index });
            }
            (Some(_), Some(_)) | (None, None) => commitments.push(leaf.commitment),
            _ => return Err(Fault::HalfErased { index }),
        }
    }
    let found = commitments.len() as u64;
    if found != u64::from(entry.leaves) {
        return Err(Fault::LeafCount { expected: entry.leaves, found });
    }
    if merkle::root(&commitments) != entry.root {
        return Err(Fault::Root);
    }
    Ok(())
}
