//! The compute seam: every model call that could run elsewhere crosses as a signed `WorkOrder` and comes back as a
//! verified `BackendReceipt`. The seam moves computation, never authority.

use crate::{GrantId, Hash, Millis};
use serde::{Deserialize, Serialize};

/// What a backend is asked to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Continue a prompt.
    Generate,
    /// Embed texts.
    Embed,
    /// Tune a delta.
    Train,
    /// Merge deltas.
    Merge,
}

/// An order for work, signed by the device that gives it. The payload travels beside it and is bound by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOrder {
    /// Schema version, 1.
    pub v: u32,
    /// Random, so that an order cannot be replayed.
    pub nonce: Hash,
    /// What to do.
    pub kind: WorkKind,
    /// Passport of the anchor that must do it.
    pub anchor: Hash,
    /// Deltas to apply, in order.
    pub deltas: Vec<Hash>,
    /// BLAKE3 of the payload bytes.
    pub payload: Hash,
    /// The grant the payload was released under; absent for work on the owner's own machine.
    pub grant: Option<GrantId>,
    /// When it was given.
    pub issued: Millis,
    /// After this time nobody may start it.
    pub expires: Millis,
    /// Ed25519 public key of the device, hex.
    pub device: String,
    /// Ed25519 signature over the canonical bytes of every field above, hex.
    pub signature: String,
}

/// What a backend says it did, signed by the backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendReceipt {
    /// Schema version, 1.
    pub v: u32,
    /// BLAKE3 of the canonical bytes of the order, signature included.
    pub order: Hash,
    /// BLAKE3 of the result bytes.
    pub result: Hash,
    /// Which backend: `local`, or the name it is known by.
    pub backend: String,
    /// Tokens in, tokens out.
    pub tokens: (u64, u64),
    /// Wall-clock time taken, in milliseconds.
    pub duration_ms: u64,
    /// Ed25519 public key of the backend, hex.
    pub key: String,
    /// Ed25519 signature over the canonical bytes of every field above, hex.
    pub signature: String,
}
