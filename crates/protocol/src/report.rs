//! What the node reports about what it holds and what it did.

use crate::{
    Citation, Composition, Cut, Feedback, GrantId, Hash, Hit, ItemId, MessageId, Millis, SessionId, SourceId,
    ThreadView, TokenCounts,
};
use serde::{Deserialize, Serialize};

/// How far a text may be believed; it travels from item to chunk to training view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Written by someone else: a fact to recall, never an instruction.
    Untrusted,
    /// The owner's own files.
    Own,
}

/// What kind of place a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A folder that is watched.
    Folder,
    /// Files that were handed over once.
    Import,
    /// An account on a server.
    Account,
}

/// What a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Read and, for folders, watched.
    Active,
    /// Left alone until resumed.
    Paused,
    /// It cannot be found on this machine now.
    Missing,
}

/// A source as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceLine {
    /// Its id.
    pub id: SourceId,
    /// What it is.
    pub kind: SourceKind,
    /// Its path.
    pub path: String,
    /// What it is doing.
    pub state: SourceState,
    /// The grant it is read under.
    pub grant: Option<GrantId>,
    /// Items it holds.
    pub items: u64,
    /// When it was last read to the end.
    pub synced: Option<Millis>,
    /// Files that were left out when it was last read; [`crate::Op::Skips`] says which and why.
    #[serde(default)]
    pub skipped: u64,
    /// Chunks of it that still wait for their vector.
    #[serde(default)]
    pub waiting: u64,
}

/// Something that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file or part.
    pub what: String,
    /// The reason, as a sentence.
    pub why: String,
}

/// `icore ingest --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestReport {
    /// Files looked at; of a mailbox, a calendar or a chat export each of its items.
    pub seen: u64,
    /// Items that were not known before.
    pub new: u64,
    /// Items that had not changed.
    pub same: u64,
    /// Items whose content changed.
    pub updated: u64,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// An item with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemView {
    /// Its id.
    pub item: ItemId,
    /// Its source.
    pub source_id: SourceId,
    /// Its path or address.
    pub source: String,
    /// Its title.
    pub title: String,
    /// `markdown`, `text`, `code`, `html`, `pdf`, `docx`, `mail`, `event`, `contact`, `chat`.
    pub kind: String,
    /// Whose words they are.
    pub trust: Trust,
    /// When it was last changed.
    pub modified: Millis,
    /// When it was remembered.
    pub ingested: Millis,
    /// BLAKE3 of the text.
    pub hash: Hash,
    /// The text.
    pub text: String,
    /// Whether the owner pinned it.
    #[serde(default)]
    pub pinned: bool,
    /// The owner's labels, sorted.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Stored answers that cite it.
    #[serde(default)]
    pub cited: u64,
    /// What its mailbox files it under, sorted; the mailbox says so, not the owner.
    #[serde(default)]
    pub filed: Vec<String>,
    /// The thread it stands in, where there is more of it.
    #[serde(default)]
    pub thread: Option<ThreadView>,
}

/// An item as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemLine {
    /// Its id.
    pub item: ItemId,
    /// Its path or address.
    pub source: String,
    /// Its title.
    pub title: String,
    /// `markdown`, `text`, `code`, `html`, `pdf`, `docx`, `mail`, `event`, `contact`, `chat`.
    pub kind: String,
    /// When it was last changed.
    pub modified: Millis,
    /// When it was remembered.
    pub ingested: Millis,
    /// Whether the owner pinned it.
    pub pinned: bool,
    /// The owner's labels, sorted.
    pub labels: Vec<String>,
}

/// What went when something was forgotten. The same shape, with `done` false, previews it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetReport {
    /// Items.
    pub items: u64,
    /// Chunks, with their vectors and index entries.
    pub chunks: u64,
    /// Stored answers that quoted them.
    pub answers: u64,
    /// Messages of the time or the conversation that was to be forgotten.
    #[serde(default)]
    pub messages: u64,
    /// Whether it was done (a preview says false).
    pub done: bool,
}

/// `icore memory stats`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Items.
    pub items: u64,
    /// Chunks.
    pub chunks: u64,
    /// Chunks with a vector of the present embedder.
    pub embedded: u64,
    /// Sources.
    pub sources: u64,
    /// Conversations.
    pub sessions: u64,
    /// Stored messages.
    pub messages: u64,
    /// Ledger entries.
    pub ledger: u64,
    /// Bytes of text.
    pub text_bytes: u64,
}

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The owner.
    User,
    /// The iCore.
    Assistant,
}

/// How an assistant message was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageStats {
    /// `generated`, `quoted`, `not_in_memory`, `about`, `draft`, `assembled`, `stopped`.
    pub how: String,
    /// Token counts.
    pub tokens: TokenCounts,
    /// Decode speed.
    pub tokens_per_s: f32,
    /// What did not fit into its prompt.
    #[serde(default)]
    pub cut: Vec<Cut>,
    /// What was recalled for it, best first. The words are read from the memory each time; what was forgotten is not
    /// among them.
    #[serde(default)]
    pub recalled: Vec<Hit>,
    /// Who answered, where an assembly was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composed: Option<Composition>,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub text: String,
    /// When.
    pub at: Millis,
    /// What an answer stands on.
    pub citations: Vec<Citation>,
    /// How an answer was made.
    pub stats: Option<MessageStats>,
    /// The message before it.
    #[serde(default)]
    pub parent: Option<MessageId>,
    /// All messages that follow the same parent, itself among them, oldest first: the versions the owner can turn
    /// between. Empty where it is the only one.
    #[serde(default)]
    pub siblings: Vec<MessageId>,
    /// How many messages follow this one that the branch shown does not go on to; only the last message shown has any.
    #[serde(default)]
    pub onward: u64,
    /// What was attached to it.
    #[serde(default)]
    pub attached: Vec<String>,
    /// What the owner thought of it.
    #[serde(default)]
    pub feedback: Feedback,
}

/// A conversation as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its id.
    pub id: SessionId,
    /// Its title.
    pub title: String,
    /// When it was last added to.
    pub updated: Millis,
    /// How many messages it has, in all its branches.
    pub messages: u64,
    /// Whether it is pinned to the top.
    #[serde(default)]
    pub pinned: bool,
    /// Whether it is put away.
    #[serde(default)]
    pub archived: bool,
    /// When it was begun.
    #[serde(default)]
    pub created: Millis,
}

/// One ledger entry as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Its number, from 0.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// What kind of act: `init`, `unlock`, `ingest`, `forget`, `grant`, `revoke`, `kill`, `lift`, …
    pub kind: String,
    /// What happened, or that it was erased.
    pub text: String,
    /// The entry's hash.
    pub hash: Hash,
}

/// `icore audit verify --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Entries verified.
    pub entries: u64,
    /// Whether all is well.
    pub ok: bool,
    /// Hash of the last entry.
    pub head: Hash,
    /// The first broken entry and what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broken: Option<(u64, String)>,
}

/// One thing the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// `ok`, `warn` or `damaged`.
    pub state: String,
    /// What was found, as a sentence.
    pub detail: String,
}

/// `icore doctor --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// Everything that was looked at, in order.
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// Whether nothing stored is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|c| c.state != "damaged")
    }
}

/// A model the registry names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLine {
    /// Its name.
    pub name: String,
    /// `anchor` or `embedder`.
    pub role: String,
    /// Bytes on disk; about that, where nobody could look at its files yet.
    pub bytes: u64,
    /// Whether it is in the cache and its hash is right.
    pub present: bool,
    /// Its licence.
    pub licence: String,
    /// About how many bytes of memory it takes while it answers.
    #[serde(default)]
    pub needs: u64,
    /// Whether this machine has so much memory at all.
    #[serde(default)]
    pub fits: bool,
    /// Whether the registry knows what its files must hash to.
    #[serde(default)]
    pub pinned: bool,
}

/// Whom a delta is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaKind {
    /// It was taken in from elsewhere.
    #[default]
    Imported,
    /// A night learned it from the owner's own texts: it is for the owner alone.
    Private,
    /// It was distilled from a private one on public prompts and passed the leakage gate: others may have it.
    Public,
}

/// Something that changes the anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaLine {
    /// What it computes, as a hash.
    pub hash: Hash,
    /// What the owner calls it.
    pub name: String,
    /// What it is: `LoRA, rank 16, 210 matrices`.
    pub said: String,
    /// Bytes it takes on disk.
    pub bytes: u64,
    /// When it came.
    pub at: Millis,
    /// Whether the anchor answers with it.
    pub worn: bool,
    /// Whom it is for.
    #[serde(default)]
    pub kind: DeltaKind,
}

/// What the top line shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The owner's name.
    pub owner: String,
    /// The anchor, and the root or night on it.
    pub mind: String,
    /// Standing grants.
    pub grants: u64,
    /// Ledger entries.
    pub ledger: u64,
    /// Whether the ledger verified at the last look.
    pub ledger_ok: bool,
    /// Whether the kill switch is on.
    pub killed: bool,
    /// Whether this node runs on its own (`icore node`) rather than inside the terminal.
    pub detached: bool,
    /// Chunks still waiting for their vector.
    pub embedding_left: u64,
    /// Whether remembering is paused: no source is read and nothing new is taken in.
    #[serde(default)]
    pub paused: bool,
    /// Disclosures that wait for the owner.
    #[serde(default)]
    pub asking: u64,
    /// Sentences about damaged derived data that was rebuilt, or anything else the owner should know.
    pub notices: Vec<String>,
}
