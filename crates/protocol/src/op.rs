//! What a client may ask of the node.

use crate::{
    AccountPlan, Asker, Attachment, Bedtime, Capability, Competence, Draft, Feedback, GrantDraft, GrantId, Hash,
    ItemId, MessageId, Millis, Secret, SessionChange, SessionId, SleepPlan, SourceId, Turn, Verdict,
};
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
    /// A conversation with all its branches, drafts and feedback. What it was answered from stays.
    Session {
        /// Which.
        session: SessionId,
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
        /// Where it hangs and what it may draw on.
        #[serde(default)]
        turn: Turn,
        /// How to answer.
        params: ChatParams,
    },
    /// Answer a message of the owner's again, beside the answers it has. Answered like [`Op::Chat`].
    Regenerate {
        /// Which conversation.
        session: SessionId,
        /// The owner's message, or an answer to it.
        message: MessageId,
        /// What it may draw on; `after` and `incognito` mean nothing here.
        #[serde(default)]
        turn: Turn,
        /// How to answer.
        params: ChatParams,
    },
    /// Stop the request with this id.
    Cancel {
        /// Which request.
        request: u64,
    },
    /// Conversations: pinned ones first, then by when they were last added to, newest first; archived ones are among
    /// them.
    Sessions,
    /// The messages of a conversation, on the branch it is on.
    Messages {
        /// Which.
        session: SessionId,
    },
    /// Turn a conversation to the branch that goes through a message; answered by its messages. The branch ends where
    /// it was last added to.
    Branch {
        /// Which.
        session: SessionId,
        /// Through which message.
        message: MessageId,
    },
    /// Go back to a message, or before the first: what follows stays, as a branch. Answered by the messages left.
    Rewind {
        /// Which.
        session: SessionId,
        /// The last message kept in view.
        message: Option<MessageId>,
    },
    /// A new conversation with the messages up to and with this one; answered by its line alone.
    Fork {
        /// Which.
        session: SessionId,
        /// The last message taken along.
        message: MessageId,
    },
    /// Give a conversation a title, pin it, put it away.
    SessionChange {
        /// Which.
        session: SessionId,
        /// What changes.
        change: SessionChange,
    },
    /// Search all conversations, archived ones too; words must all occur, `"a phrase"` as it stands.
    Find {
        /// The words.
        query: String,
        /// How many.
        k: usize,
    },
    /// What the owner thought of an answer; replaces what was thought before.
    Feedback {
        /// Which answer.
        message: MessageId,
        /// What.
        feedback: Feedback,
    },
    /// What the owner said lately, newest first, in all conversations, and what is typed and not sent yet.
    Typed {
        /// At most so many sentences.
        limit: usize,
    },
    /// Keep what is typed and not sent yet.
    Draft {
        /// It.
        draft: Draft,
    },
    /// Hand something to a conversation: it is read into the memory as an import.
    Attach {
        /// What.
        what: Attachment,
    },
    /// What a name typed after `@` may mean, best first: files, sources, people, labels.
    Names {
        /// What is typed.
        typed: String,
        /// At most so many.
        limit: usize,
    },
    /// Something of the owner's leaves the sealed home by the owner's own hand (an editor's file, a saved text): one
    /// line in the ledger, without what it says.
    LetOut {
        /// By which way: `editor`, `file`, `command`.
        way: String,
        /// How many bytes.
        bytes: u64,
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
    /// Open an account on a server: log in, grant, read. An account that is open already gets the new plan and login. Needs
    /// no proof, as [`Self::SourceAdd`].
    AccountAdd {
        /// Which, and how.
        plan: Box<AccountPlan>,
        /// A password, or the secret of the owner's OAuth client.
        secret: Option<Secret>,
    },
    /// Compare what an account's server says it holds with what is remembered of it.
    SourceVerify {
        /// Which.
        source: SourceId,
    },
    /// Read a source again now.
    SourceSync {
        /// Which; all where absent.
        source: Option<SourceId>,
    },
    /// What was left out when a source was last read, and why.
    Skips {
        /// Which.
        source: SourceId,
    },
    /// Pause or resume remembering altogether: no source is read, nothing new is taken in; recall goes on.
    MemoryPause {
        /// Whether to pause.
        paused: bool,
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
        /// Words, with the operators `from:` (a person), `source:` (a part of the path), `before:` and `after:` (a date,
        /// `2026-03-12`, `2026-03`, `2026`), `type:`, `label:`, `is:pinned` and `"an exact phrase"`.
        query: String,
        /// How many hits.
        k: usize,
    },
    /// Items by when they were last changed, newest first; the operators of [`Op::Search`] confine it. The pinned ones
    /// come in front, on the first page only, and are not among the others. A page may be longer than its limit, so that
    /// items of one instant are not parted.
    Timeline {
        /// Operators and words that must occur; empty is everything.
        query: String,
        /// Only items changed before this; absent is the first page.
        before: Option<Millis>,
        /// At most so many beside the pinned ones.
        limit: usize,
    },
    /// An item with its text.
    Show {
        /// Which.
        item: ItemId,
    },
    /// Pin an item, give it other labels; answered by the item.
    Mark {
        /// Which.
        item: ItemId,
        /// Whether it is pinned; absent leaves it.
        pinned: Option<bool>,
        /// All its labels; absent leaves them.
        labels: Option<Vec<String>>,
    },
    /// Who is who, those of the most items first.
    People {
        /// Words of a name or an address; empty is everybody.
        name: String,
        /// At most so many.
        limit: usize,
    },
    /// Two are one person. Both are said by a spelling or an address, or by words that mean nobody else. Answered by
    /// [`crate::Event::People`] with the one.
    PersonMerge {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
    /// A spelling stands apart from the person it was one of, or an address with its spellings. Answered by
    /// [`crate::Event::People`] with both.
    PersonSplit {
        /// The spelling, the address or the telephone number.
        spelling: String,
    },
    /// Take the last [`Op::PersonMerge`] or [`Op::PersonSplit`] back. Answered by [`crate::Event::People`] with those it was
    /// about.
    PersonUndo,
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
    /// Ask, on behalf of someone else, for excerpts about something. Decided from grants; where none covers it, the owner
    /// is asked, and it waits.
    Disclose {
        /// On whose behalf.
        asker: Asker,
        /// What for.
        capability: Capability,
        /// About what.
        about: String,
    },
    /// Decide a disclosure that waits (owner's proof needed, except for a no); answered by [`crate::Event::Done`].
    Answer {
        /// Which.
        id: u64,
        /// How.
        verdict: Verdict,
    },
    /// Ledger entries, newest first.
    Ledger {
        /// At most so many.
        limit: usize,
        /// Only these kinds; empty is all.
        #[serde(default)]
        kinds: Vec<String>,
        /// Only entries whose sentence holds this, in whatever letter case.
        #[serde(default)]
        matching: String,
        /// Only entries before this one.
        #[serde(default)]
        before: Option<u64>,
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
    /// Deltas.
    Deltas,
    /// Take a delta in from a folder in PEFT's form; answered by its line alone.
    DeltaImport {
        /// Absolute path.
        folder: String,
        /// What to call it; absent takes the folder's name.
        name: Option<String>,
    },
    /// Have the anchor answer with a delta, or with none.
    DeltaWear {
        /// Which.
        hash: Option<Hash>,
    },
    /// Remove a delta that is not worn.
    DeltaRemove {
        /// Which.
        hash: Hash,
    },
    /// Write a delta out of the sealed home (owner's proof needed).
    DeltaExport {
        /// Which.
        hash: Hash,
        /// Absolute path of a folder that is empty or not there, or of a file that is not there: see `form`.
        folder: String,
        /// In which form.
        #[serde(default)]
        form: DeltaForm,
        /// Also one that was learned from the owner's own texts, which is refused otherwise.
        #[serde(default)]
        private: bool,
    },
    /// Sleep now: learn from what the grants allow. Goes on with a night that was interrupted, unless `anew`. Answered by
    /// [`crate::Event::Sleeping`] and at the end by its [`crate::Event::Nights`].
    Sleep {
        /// How.
        plan: SleepPlan,
        /// Begin anew, whatever was interrupted.
        anew: bool,
    },
    /// Interrupt the night that goes on; the next [`Op::Sleep`] goes on with it.
    Wake,
    /// When nights begin by themselves, or that none does. Answered by [`crate::Event::Nights`].
    Bedtime {
        /// When.
        bedtime: Option<Bedtime>,
    },
    /// Nights, newest first.
    Nights {
        /// At most so many.
        limit: usize,
    },
    /// Have the sentence behind a changed answer not learned from the next night on, or have it learned again. Answered by
    /// [`crate::Event::Nights`].
    Veto {
        /// In the report of which night.
        night: u64,
        /// Which changed answer, counted from one.
        line: u64,
        /// Whether it is left out.
        vetoed: bool,
    },
    /// Be again as after this night; zero is before the first.
    Rollback {
        /// Which.
        night: u64,
    },
    /// Compose several models into one by a recipe, into a folder. Goes on where the same was interrupted.
    Compose {
        /// Absolute path of the recipe; models are named relative to its folder.
        recipe: String,
        /// Absolute path of a folder that is not there.
        out: String,
        /// Models of the recipe that leave it first, as they are called in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without: Vec<String>,
    },
    /// Put the feed-forward layers of several models side by side as the experts of one, by a recipe, into a folder. Goes on
    /// where the same was interrupted; answered by [`crate::Event::Composed`].
    ComposeExperts {
        /// Absolute path of the recipe; models are named relative to its folder.
        recipe: String,
        /// Absolute path of a folder that is not there.
        out: String,
        /// Models of the recipe that leave it first, as they are called in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without: Vec<String>,
    },
    /// Assemblies.
    Assemblies,
    /// Have a delta take part in an assembly, which is made where there is none of that name. It is tested first; answered by
    /// the line of this assembly alone.
    AssemblyJoin {
        /// Which.
        assembly: String,
        /// The member's delta.
        delta: Hash,
        /// What it knows.
        competence: Competence,
    },
    /// Have a member leave; the assembly is then one that never had it, and goes with its last member. Answered by all
    /// assemblies.
    AssemblyLeave {
        /// Which.
        assembly: String,
        /// The member's delta.
        delta: Hash,
    },
    /// Have another home on this machine take part, which answers by excerpts where its owner has granted this home some.
    /// Its node must be running. Answered by the line of this assembly alone.
    AssemblyJoinHome {
        /// Which; made where there is none of that name.
        assembly: String,
        /// Absolute path of the other home.
        home: String,
        /// What to call it; absent takes the folder's name.
        name: Option<String>,
    },
    /// Have another home leave. Answered by all assemblies.
    AssemblyLeaveHome {
        /// Which.
        assembly: String,
        /// The home's identity.
        identity: Hash,
    },
    /// Make one delta of several members, which answers where exactly these would be mixed. Answered by the line of this
    /// assembly alone.
    AssemblyPremerge {
        /// Which.
        assembly: String,
        /// The members' deltas; where none is named, those that were mixed most often, else all.
        #[serde(default)]
        members: Vec<Hash>,
    },
    /// Say who would answer a question; nothing is answered.
    AssemblyTry {
        /// Which.
        assembly: String,
        /// The question.
        text: String,
    },
    /// Receipts of what assemblies answered, newest first, and what they add up to for each member.
    Receipts {
        /// Only of this assembly as it is now.
        assembly: Option<String>,
        /// At most so many are listed; all are added up.
        limit: usize,
    },
    /// Make a signature of what a delta knows, for assemblies elsewhere.
    DeltaSign {
        /// Which.
        hash: Hash,
        /// Public prompts about what it knows.
        prompts: Vec<String>,
        /// Where they are published.
        published: String,
    },
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
        match self {
            Self::Grant { .. } | Self::ExportLedger | Self::Lift | Self::DeltaExport { .. } => true,
            Self::Answer { verdict, .. } => *verdict != Verdict::No,
            _ => false,
        }
    }
}

/// How a delta is written out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaForm {
    /// A folder in the form of Hugging Face PEFT.
    #[default]
    Peft,
    /// A GGUF file with low-rank factors, which is loaded beside the model.
    GgufLora,
    /// A GGUF file of the whole model, what was learned added to it, as half floats.
    FoldedF16,
    /// The same as bfloat16.
    FoldedBf16,
    /// The same as floats.
    FoldedF32,
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
