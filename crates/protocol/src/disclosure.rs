//! Disclosures that wait for the owner: who asks, for what, the exact bytes, and what the owner may answer.

use crate::{Asker, Capability, Millis};
use serde::{Deserialize, Serialize};

/// A disclosure nobody decided yet. What is not answered by `until` is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Its number, for [`crate::Op::Answer`]; never used twice while the node runs.
    pub id: u64,
    /// Who asks.
    pub asker: Asker,
    /// What for.
    pub capability: Capability,
    /// In the asker's words.
    pub about: String,
    /// Exactly what would leave, byte for byte.
    pub text: String,
    /// Where it is from, as a person would say it.
    pub sources: Vec<String>,
    /// Spans that were taken out of it.
    pub withheld: u64,
    /// What the asker knows after it, in words: `1 host, 1 routine, 0 people`.
    pub learns: String,
    /// How many disclosures this asker had before.
    pub before: u64,
    /// When this asker was first heard of.
    pub known_since: Option<Millis>,
    /// When it asked.
    pub since: Millis,
    /// When it is refused by itself.
    pub until: Millis,
}

/// The owner's answer. All but `No` need the owner's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// These bytes, this once.
    Once,
    /// This asker, this capability, from these sources, for an hour.
    Hour,
    /// The same, until it is taken back.
    Standing,
    /// Nothing leaves.
    No,
}
