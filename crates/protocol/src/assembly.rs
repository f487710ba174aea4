//! Assemblies: who takes part, who answered what and why, and the receipts of it.

use crate::{Hash, MessageId, Millis};
use serde::{Deserialize, Serialize};

/// How an answer was composed, from small to large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The owner's iCore alone.
    Own,
    /// One member.
    Route,
    /// Several members in one forward pass, each as much as its weight says.
    Mix,
    /// The same members as one delta that was made of them beforehand.
    Merge,
    /// The owner's iCore, from excerpts that other homes handed out.
    #[serde(rename = "retrieval-union")]
    Union,
}

impl Mode {
    /// The word that is written and read.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Route => "route",
            Self::Mix => "mix",
            Self::Merge => "merge",
            Self::Union => "retrieval-union",
        }
    }
}

/// By what a member's competence is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Competence {
    /// Public prompts about what it knows; a signature is made of them here.
    Prompts {
        /// The prompts, each alone or with what is to be answered behind a tab.
        prompts: Vec<String>,
        /// Where they are published.
        published: String,
    },
    /// A signature that its owner made, as JSON.
    Signature {
        /// It.
        signature: String,
    },
}

/// What the test found that a member had to pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Admitted {
    /// By how much neutral text becomes less expected with it: 0.03 is 3 percent.
    pub neutral: f32,
    /// Mean loss of the answers to its own prompts on the bare anchor and with it, in nats; absent where its prompts came
    /// without answers.
    #[serde(default)]
    pub known: Option<(f32, f32)>,
    /// The length of everything it changes, beside that of the median member; absent where it is the first.
    #[serde(default)]
    pub length: Option<f32>,
}

/// A member of an assembly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberLine {
    /// The hash of its delta.
    pub delta: Hash,
    /// What the owner calls the delta.
    pub name: String,
    /// How many prompts say what it knows.
    pub prompts: u64,
    /// Where they are published.
    pub published: String,
    /// Whose key vouches for that.
    pub by: Hash,
    /// Whether that is this home's own key.
    pub own: bool,
    /// What its test found.
    pub admitted: Admitted,
    /// Answers it took part in.
    pub answers: u64,
}

/// An assembly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssemblyLine {
    /// What the owner calls it.
    pub name: String,
    /// The hash of who takes part.
    pub hash: Hash,
    /// The weights of the anchor.
    pub anchor: Hash,
    /// The members, in the order of their deltas' hashes.
    pub members: Vec<MemberLine>,
    /// Who is farther away than this does not answer.
    pub floor: f32,
    /// Who is behind the nearest by less than this answers too.
    pub margin: f32,
    /// What was made of several of them beforehand, in the order of their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub premerges: Vec<PremergeLine>,
    /// Other homes that answer by excerpts, in the order of their identities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub homes: Vec<HomeLine>,
}

/// Another home on this machine that is a member: it answers by excerpts that its own consent lets out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HomeLine {
    /// The identity of the home's owner.
    pub identity: Hash,
    /// What it is called here.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// Since when it is a member.
    pub at: Millis,
    /// Answers it took part in.
    pub answers: u64,
}

/// Several members of an assembly as one delta. It goes with whoever of them leaves first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PremergeLine {
    /// The hash of the delta.
    pub hash: Hash,
    /// The hash of the recipe it was made by.
    pub recipe: Hash,
    /// The members, and how much of each is in it.
    pub members: Vec<(Hash, f32)>,
    /// Bytes it takes at rest.
    pub bytes: u64,
    /// When it was made.
    pub at: Millis,
}

/// A member's part in an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The hash of its delta; of another home, its identity.
    pub delta: Hash,
    /// What the owner calls it.
    pub name: String,
    /// How near it is to the question, from -1 to 1; 0 for another home, of which that is not known.
    pub similarity: f32,
    /// How much of its delta is added, from 0 to 1; 0 for one that was looked at and does not answer. Homes that handed
    /// something out have equal parts.
    pub weight: f32,
}

/// Who answers a question, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    /// Which assembly.
    pub assembly: String,
    /// The hash of who took part in it then.
    pub hash: Hash,
    /// How.
    pub mode: Mode,
    /// Why, in a sentence.
    pub why: String,
    /// The members that were nearest, those that answer first.
    pub near: Vec<Share>,
}

/// What is signed about an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBody {
    /// Version of this form.
    pub v: u32,
    /// When.
    pub at: Millis,
    /// The stored answer.
    pub answer: MessageId,
    /// The hash of the assembly.
    pub assembly: Hash,
    /// The weights of the anchor.
    pub anchor: Hash,
    /// How it was composed.
    pub mode: Mode,
    /// Who took part, and with what weight; nobody is the owner's iCore alone.
    pub members: Vec<(Hash, f32)>,
    /// Tokens that were read and not cached.
    pub read: u64,
    /// Tokens that were written.
    pub written: u64,
}

/// A receipt as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its number, counted from one.
    pub n: u64,
    /// What it says.
    pub body: ReceiptBody,
    /// Whether the signature of this device holds for it.
    pub holds: bool,
}

/// What a member's receipts add up to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The hash of its delta.
    pub delta: Hash,
    /// What the owner calls it; empty where it has gone.
    pub name: String,
    /// Answers it took part in.
    pub answers: u64,
    /// Tokens read, each counted with the member's weight.
    pub read: f64,
    /// Tokens written, each counted with the member's weight.
    pub written: f64,
}
