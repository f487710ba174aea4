//! Consent grants: who may do what with which part of the memory, how filtered, how often, and why.
//!
//! A grant is data. Only `consent` decides from it. The schema is version 1 and frozen by a golden vector.

use crate::{GrantId, Millis, SourceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Asker {
    /// The owner's own iCore, working for its owner.
    Own,
    /// A program on this machine, by the name it was given.
    App(String),
    /// Another person's iCore, by its public identity in hex.
    Peer(String),
    /// A compute backend, by its public key in hex.
    Backend(String),
    /// A place encrypted copies go to.
    Replica(String),
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::App(id) => write!(f, "app:{id}"),
            Self::Peer(id) => write!(f, "peer:{id}"),
            Self::Backend(id) => write!(f, "backend:{id}"),
            Self::Replica(id) => write!(f, "replica:{id}"),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Read a source into the memory.
    Ingest,
    /// Have questions answered.
    Converse,
    /// Receive excerpts.
    Retrieve,
    /// Become training views.
    Train,
    /// Be part of an assembly.
    Compose,
    /// Run a work order elsewhere.
    Compute,
    /// Keep an encrypted copy.
    Replicate,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingest => "ingest",
            Self::Converse => "converse",
            Self::Retrieve => "retrieve",
            Self::Train => "train",
            Self::Compose => "compose",
            Self::Compute => "compute",
            Self::Replicate => "replicate",
        })
    }
}

/// Which part of the memory. Narrower is safer; an absent bound does not bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Everything, whatever the other fields say. False by default.
    pub everything: bool,
    /// These sources.
    pub sources: Vec<SourceId>,
    /// Items under these folders (absolute paths).
    pub folders: Vec<String>,
    /// Items with one of these labels.
    pub labels: Vec<String>,
    /// Items with one of these people.
    pub people: Vec<String>,
    /// Items about one of these topics (a word or phrase).
    pub topics: Vec<String>,
    /// Items changed at or after this time.
    pub after: Option<Millis>,
    /// Items changed before this time.
    pub before: Option<Millis>,
}

/// What is taken out before anything is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Kinds of personal data that are withheld (`email`, `phone`, `address`, `name`, `secret`, …); `*` is all.
    pub withhold: Vec<String>,
    /// Whether withheld spans are replaced by placeholders such as `⟦HOST-1⟧` (else the sentence is dropped).
    pub placeholders: bool,
}

impl Filter {
    /// What is withheld where nobody said otherwise: all that identifies without telling anything. Names of people are
    /// not in it, because what is asked about is mostly somebody, and says nothing without the name.
    pub const USUAL: &[&str] = &["secret", "email", "iban", "card", "host", "id", "phone", "birth", "address"];
}

impl Default for Filter {
    fn default() -> Self {
        Self { withhold: Self::USUAL.iter().map(|kind| (*kind).to_owned()).collect(), placeholders: true }
    }
}

/// How much and how long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The grant ends at this time.
    pub expires: Option<Millis>,
    /// At most this many uses in all.
    pub uses: Option<u64>,
    /// At most this many uses an hour.
    pub uses_per_hour: Option<u32>,
    /// At most this many bytes released in all.
    pub bytes: Option<u64>,
}

/// What the owner is asked to agree to; `consent` turns it into a [`Grant`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDraft {
    /// Who.
    pub asker: Asker,
    /// What.
    pub capability: Capability,
    /// On which part of the memory.
    pub scope: Scope,
    /// With what taken out.
    #[serde(default)]
    pub filter: Filter,
    /// How much.
    #[serde(default)]
    pub limits: Limits,
    /// What for, in the owner's words.
    pub purpose: String,
}

/// A decision of the owner that stands until it is revoked or runs out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Schema version, 1.
    pub v: u32,
    /// Its id.
    pub id: GrantId,
    /// What was agreed.
    pub terms: GrantDraft,
    /// When it was given.
    pub granted: Millis,
    /// When it was taken back, if it was.
    pub revoked: Option<Millis>,
}
