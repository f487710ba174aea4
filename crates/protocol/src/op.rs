//! What a client may ask of the node.

use crate::{GrantDraft, GrantId, Hash, ItemId, Millis, SessionId, SourceId};
use serde::{Deserialize, Serialize};

/// How an answer is to be made. Absent means the anchor's measured default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatParams {
    /// Sampling temperature; 0 is greedy.
    pub temperature: Option<f32>,
    /// Nucleus: the smallest set of tokens whose probability reaches this.
    pub top_p: Option<f32>,
    /// Tokens below this share of the best token's probability are dropped.
    pub min_p: Option<f32>,
    /// Repetition penalty, 1 is none.
    pub repeat_penalty: Option<f32>,
    /// Most tokens to generate.
    pub max_tokens: Option<usize>,
    /// Seed of the sampler.
    pub seed: Option<u64>,
}

/// What to forget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum ForgetTarget {
    /// One item.
    Item {
        /// Which.
        item: ItemId,
    },
    /// All items of a source, and the source.
    Source {
        /// Which.
        source: SourceId,
    },
    /// Items changed, and messages said, in `[from, to)`.
    Time {
        /// From, inclusive.
        from: Millis,
        /// To, exclusive.
        to: Millis,
    },
}

/// Something a client asks for. Each is answered by events of the same request id, the last of which
/// [`crate::Event::is_final`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "an op is made once for each request; boxing the draft would buy nothing")]
pub enum Op {
    /// The top line.
    Status,
    /// A turn of a conversation; a new session where none is named.
    Chat {
        /// Which conversation.
        session: Option<SessionId>,
        /// What the owner said.
        text: String,
        /// How to answer.
        params: ChatParams,
    },
    /// Stop the request with this id.
    Cancel {
        /// Which request.
        request: u64,
    },
    /// Conversations, newest first.
    Sessions,
    /// The messages of a conversation.
    Messages {
        /// Which.
        session: SessionId,
    },
    /// Read files and folders once.
    Ingest {
        /// Absolute paths.
        paths: Vec<String>,
    },
    /// Sources.
    Sources,
    /// Open a folder: grant, read, watch. Needs no proof beyond the attach, because it widens only what the owner's
    /// own iCore reads.
    SourceAdd {
        /// Absolute path.
        path: String,
    },
    /// Read a source again now.
    SourceSync {
        /// Which; all where absent.
        source: Option<SourceId>,
    },
    /// Pause or resume a source.
    SourcePause {
        /// Which.
        source: SourceId,
        /// Whether to pause.
        paused: bool,
    },
    /// Search the memory.
    Search {
        /// The words.
        query: String,
        /// How many hits.
        k: usize,
    },
    /// An item with its text.
    Show {
        /// Which.
        item: ItemId,
    },
    /// Forget, or with `dry_run` say what would go.
    Forget {
        /// What.
        target: ForgetTarget,
        /// Only say what would go.
        dry_run: bool,
    },
    /// Counts.
    Stats,
    /// Standing and past grants.
    Grants,
    /// Give a grant (owner's proof needed).
    Grant {
        /// Its terms.
        draft: GrantDraft,
    },
    /// Take a grant back.
    Revoke {
        /// Which.
        grant: GrantId,
    },
    /// Disclosures waiting for the owner.
    Pending,
    /// Ledger entries, newest first.
    Ledger {
        /// At most so many.
        limit: usize,
    },
    /// Verify the ledger.
    Verify,
    /// The ledger in a form that verifies elsewhere without the vault (owner's proof needed).
    ExportLedger,
    /// Throw the kill switch: every source, door and job stops.
    Kill,
    /// Lift the kill switch (owner's proof needed).
    Lift,
    /// Models of the registry.
    Models,
    /// Look everything stored over; with `rebuild_index` make the index again from the vault.
    Doctor {
        /// Whether to rebuild the index.
        rebuild_index: bool,
    },
    /// Stop a node that runs on its own.
    Shutdown,
}

impl Op {
    /// Whether the owner must prove themselves afresh for this.
    #[must_use]
    pub fn needs_proof(&self) -> bool {
        matches!(self, Self::Grant { .. } | Self::ExportLedger | Self::Lift)
    }
}

/// Proof that the owner, not just a program of the owner's, asks: an HMAC with a key only the unlock secret gives,
/// over the nonce the node handed out and the hash of the op.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerProof {
    /// The nonce from [`crate::Event::Challenge`].
    pub nonce: Hash,
    /// HMAC-SHA256(proof key, "owner-proof" ‖ nonce ‖ BLAKE3(op as JSON)).
    pub mac: Hash,
}

/// An op on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client, unique in the connection, never 0.
    pub id: u64,
    /// What is asked.
    pub op: Op,
    /// The owner's proof, where the op needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<OwnerProof>,
}
