//! One ledger entry and its canonical bytes.
//!
//! The stored form is binary, of fixed length, and has one spelling per value (all numbers big-endian):
//! `domain ‖ v:u32 ‖ seq:u64 ‖ prev[32] ‖ at:i64 ‖ kind:u8 ‖ leaves:u32 ‖ root[32] ‖ device[32] ‖ home[32] ‖
//! signature[64]`. The device signs everything before the signature; the entry's hash is BLAKE3 of all of it and is the
//! next entry's `prev`. What happened is not in the entry: the root commits to salted bodies kept in the vault, so that
//! forgetting erases them and the chain still verifies. `tests/golden/` freezes this form.

use hinet_protocol::{Hash, ItemId, Millis};

use crate::Signer;

/// Version of the stored form.
pub const ENTRY_VERSION: u32 = 1;

const DOMAIN: &[u8] = b"hinet/ledger-entry\0";
const COMMITMENT_DOMAIN: &[u8] = b"hinet/ledger-leaf/v1\0";
const UNSIGNED_LEN: usize = DOMAIN.len() + 4 + 8 + 32 + 8 + 1 + 4 + 32 + 32 + 32;

/// Bytes of a stored entry.
pub const ENTRY_LEN: usize = UNSIGNED_LEN + 64;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What kind of act an entry is about. Codes and words are stored: they may be added to, never changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EntryKind {
            $($(#[$doc])* $name,)*
        }

        impl EntryKind {
            /// Every kind, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in the stored form.
            #[must_use]
            pub fn code(self) -> u8 {
                match self { $(Self::$name => $code,)* }
            }

            /// The word people and exports read.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            pub(crate) fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The kind with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The home was made.
    Init = 1, "init";
    /// The home was unlocked.
    Unlock = 2, "unlock";
    /// A batch of items was remembered.
    Ingest = 3, "ingest";
    /// Something was forgotten.
    Forget = 4, "forget";
    /// A grant was given.
    Grant = 5, "grant";
    /// A grant was taken back.
    Revoke = 6, "revoke";
    /// The kill switch was thrown.
    Kill = 7, "kill";
    /// The kill switch was lifted.
    Lift = 8, "lift";
    /// A program that tried to attach to the node was turned away.
    AttachRefused = 9, "attach_refused";
    /// The passphrase, or another way to unlock, was changed.
    PassphraseChanged = 10, "passphrase_changed";
    /// Keys were rotated.
    KeyRotated = 11, "key_rotated";
    /// Bytes were permitted to leave.
    Disclose = 12, "disclose";
    /// Something was released for use inside (training views, …).
    Release = 13, "release";
    /// The ledger was exported.
    Export = 14, "export";
    /// A source was paused.
    SourcePaused = 15, "source_paused";
    /// A source was resumed.
    SourceResumed = 16, "source_resumed";
    /// Another model answers or embeds from here on.
    ModelChanged = 17, "model_changed";
    /// An approval was tried without the owner's proof, or something else was refused.
    Refused = 18, "refused";
    /// Remembering was paused altogether.
    MemoryPaused = 19, "memory_paused";
    /// Remembering was resumed.
    MemoryResumed = 20, "memory_resumed";
    /// The owner let something out of the sealed home by their own hand: to an editor, into a file.
    LetOut = 21, "let_out";
    /// A delta was taken in.
    DeltaAdded = 22, "delta_added";
    /// The anchor answers with another delta, or with none.
    DeltaWorn = 23, "delta_worn";
    /// A delta was removed.
    DeltaRemoved = 24, "delta_removed";
    /// A part of a night was done.
    Sleep = 25, "sleep";
    /// The owner went back to the self of an earlier night.
    Rollback = 26, "rollback";
    /// A delta takes part in an assembly.
    AssemblyJoined = 27, "assembly_joined";
    /// A member has left an assembly.
    AssemblyLeft = 28, "assembly_left";
}

impl EntryKind {
    /// Whether the act takes in or gives out, so that the kill switch forbids it.
    #[must_use]
    pub fn is_stopped_by_kill(self) -> bool {
        matches!(self, Self::Ingest | Self::Disclose | Self::Release)
    }
}

/// What is to be said in an entry: one leaf, erasable by forgetting `item`.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// The item it is about; forgetting that item erases the body.
    pub item: Option<ItemId>,
    /// What happened, readable: a sentence, or for an ingested item its path.
    pub body: String,
}

impl Note {
    /// A sentence that is about no single item. It must not quote what can be forgotten.
    #[must_use]
    pub fn say(body: impl Into<String>) -> Self {
        Self { item: None, body: body.into() }
    }

    /// A body about `item`, erased when it is forgotten.
    #[must_use]
    pub fn about(item: ItemId, body: impl Into<String>) -> Self {
        Self { item: Some(item), body: body.into() }
    }
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Note").field("item", &self.item).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// The commitment to one body: BLAKE3(domain ‖ salt ‖ body). The salt is 32 random bytes, so that without it a body
/// cannot be guessed from its commitment.
#[must_use]
pub fn commitment(salt: &[u8; 32], body: &str) -> Hash {
    Hash(crate::merkle::blake3(&[COMMITMENT_DOMAIN, salt, body.as_bytes()]))
}

/// A ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Version of the stored form, [`ENTRY_VERSION`].
    pub v: u32,
    /// Its number, from 0, without gaps.
    pub seq: u64,
    /// Hash of the entry before; zero for the first.
    pub prev: Hash,
    /// When, by the node's clock.
    pub at: Millis,
    /// What kind of act.
    pub kind: EntryKind,
    /// How many leaves.
    pub leaves: u32,
    /// Merkle root over the leaf commitments.
    pub root: Hash,
    /// Public key of the device that signed it.
    pub device: [u8; 32],
    /// Public identity of the owner whose ledger it is.
    pub home: [u8; 32],
    /// The device's Ed25519 signature.
    pub signature: [u8; 64],
}

/// Why stored bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Not as long as an entry is.
    #[error("it is {0} bytes long, not {ENTRY_LEN}")]
    Length(usize),
    /// It does not begin like an entry.
    #[error("it does not begin like a ledger entry")]
    Domain,
    /// A version this program does not know.
    #[error("it has version {0}, and this program knows version {ENTRY_VERSION}")]
    Version(u32),
    /// A kind this program does not know.
    #[error("it is of the unknown kind {0}")]
    Kind(u8),
}

impl Entry {
    /// The bytes the device signs.
    #[must_use]
    pub fn unsigned_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRY_LEN);
        bytes.extend_from_slice(DOMAIN);
        bytes.extend_from_slice(&self.v.to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.prev.0);
        bytes.extend_from_slice(&self.at.to_be_bytes());
        bytes.push(self.kind.code());
        bytes.extend_from_slice(&self.leaves.to_be_bytes());
        bytes.extend_from_slice(&self.root.0);
        bytes.extend_from_slice(&self.device);
        bytes.extend_from_slice(&self.home);
        bytes
    }

    /// The stored bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.unsigned_bytes();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// BLAKE3 of the stored bytes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash_of(&self.bytes())
    }

    /// Signs it with the device's key.
    #[must_use]
    pub fn signed(mut self, device: &impl Signer) -> Self {
        self.device = device.public_key();
        self.signature = device.sign_bytes(&self.unsigned_bytes());
        self
    }

    /// Whether the signature is the device's.
    #[must_use]
    pub fn signature_holds(&self) -> bool {
        crate::signature_holds(&self.device, &self.unsigned_bytes(), &self.signature)
    }

    /// Reads stored bytes. `parse(e.bytes()) == e`, and `parse(b)?.bytes() == b`.
    ///
    /// # Errors
    /// [`EntryFault`] where the bytes are not an entry of a known version and kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryFault> {
        if bytes.len() != ENTRY_LEN {
            return Err(EntryFault::Length(bytes.len()));
        }
        let mut rest = bytes.strip_prefix(DOMAIN).ok_or(EntryFault::Domain)?;
        let v = u32::from_be_bytes(take(&mut rest));
        if v != ENTRY_VERSION {
            return Err(EntryFault::Version(v));
        }
        let seq = u64::from_be_bytes(take(&mut rest));
        let prev = Hash(take(&mut rest));
        let at = i64::from_be_bytes(take(&mut rest));
        let [code] = take(&mut rest);
        let kind = EntryKind::from_code(code).ok_or(EntryFault::Kind(code))?;
        let leaves = u32::from_be_bytes(take(&mut rest));
        let root = Hash(take(&mut rest));
        let (device, home, signature) = (take(&mut rest), take(&mut rest), take(&mut rest));
        Ok(Self { v, seq, prev, at, kind, leaves, root, device, home, signature })
    }
}

/// BLAKE3 of stored entry bytes.
#[must_use]
pub fn hash_of(entry_bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(entry_bytes).as_bytes())
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk::<N>().expect("the length was checked to be exactly ENTRY_LEN");
    *rest = tail;
    *head
}
