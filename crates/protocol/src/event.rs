//! What the node answers.

use crate::{
    Answer, Asking, AssemblyLine, Attached, AuditReport, Bedtime, Composition, DeltaLine, DoctorReport, Draft, Failure,
    ForgetReport, Found, Grant, Hash, Hit, IngestReport, ItemLine, ItemView, LedgerLine, LoginPage, Message, ModelLine,
    Name, Night, NodeStatus, PersonLine, Receipt, SessionId, SessionLine, Skipped, Sleeping, SourceId, SourceLine,
    Stats, Tally, Verification,
};
use serde::{Deserialize, Serialize};

/// What a progress count counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Files.
    Files,
    /// Chunks.
    Chunks,
    /// Bytes.
    Bytes,
    /// Tokens.
    Tokens,
    /// Steps of tuning, questions, facts: parts of a night.
    Parts,
}

/// How far long work is. Progress may be dropped when the reader is slow; facts never are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, as the start of a sentence: "reading notes/".
    pub what: String,
    /// How much is done.
    pub done: u64,
    /// How much there is, if that is known.
    pub total: Option<u64>,
    /// In what.
    pub unit: Unit,
}

/// Something the node says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How far.
    Progress {
        /// The count.
        progress: Progress,
    },
    /// What this turn recalled, before the first word of the answer.
    Recalled {
        /// The conversation.
        session: SessionId,
        /// What was found, best first.
        hits: Vec<Hit>,
    },
    /// More of the answer.
    ChatDelta {
        /// The words.
        text: String,
    },
    /// The draft streamed so far is withdrawn: what follows replaces it.
    ChatReset,
    /// The answer, whole and stored. Final.
    ChatDone {
        /// It.
        answer: Box<Answer>,
    },
    /// The top line. Final; also sent by itself (request id 0) when it changes.
    Status {
        /// It.
        status: NodeStatus,
    },
    /// Conversations. Final.
    Sessions {
        /// Newest first.
        sessions: Vec<SessionLine>,
    },
    /// Messages found in conversations. Final.
    Found {
        /// Newest first.
        found: Vec<Found>,
    },
    /// What was said lately and what is typed. Final.
    Typed {
        /// Newest first.
        said: Vec<String>,
        /// One for each conversation that has one.
        drafts: Vec<Draft>,
    },
    /// An attachment was read. Final.
    Attached {
        /// What it became.
        attached: Attached,
    },
    /// Names. Final.
    Names {
        /// Best first.
        names: Vec<Name>,
    },
    /// Messages. Final.
    Messages {
        /// Oldest first.
        messages: Vec<Message>,
    },
    /// An import or a sync is over. Final; also sent by itself (request id 0) when a watched folder changed.
    Indexed {
        /// Counts.
        report: IngestReport,
    },
    /// How far a source is that is read by itself; sent by itself (request id 0).
    Reading {
        /// Which.
        source: SourceId,
        /// How far; none when it is over.
        progress: Option<Progress>,
    },
    /// Where the owner logs in, so that an account can be opened.
    LoginPage {
        /// The page.
        page: LoginPage,
    },
    /// An account was compared with its server. Final.
    SourceVerified {
        /// What was found.
        verification: Verification,
    },
    /// What was left out. Final.
    Skips {
        /// Each with why.
        skipped: Vec<Skipped>,
    },
    /// Sources. Final.
    Sources {
        /// All of them.
        sources: Vec<SourceLine>,
    },
    /// Hits. Final.
    Hits {
        /// Best first.
        hits: Vec<Hit>,
    },
    /// Items. Final.
    Items {
        /// Newest first.
        items: Vec<ItemLine>,
    },
    /// An item. Final.
    Item {
        /// It.
        item: Box<ItemView>,
    },
    /// People. Final.
    People {
        /// Those of the most items first.
        people: Vec<PersonLine>,
        /// How many there are of them in all.
        total: u64,
    },
    /// What went. Final.
    Forgotten {
        /// Counts.
        report: ForgetReport,
    },
    /// Counts. Final.
    Stats {
        /// Them.
        stats: Stats,
    },
    /// Grants. Final.
    Grants {
        /// Newest first.
        grants: Vec<Grant>,
    },
    /// Disclosures that wait. Final; also sent by itself (request id 0) when one comes or goes.
    Asking {
        /// Oldest first.
        asking: Vec<Asking>,
    },
    /// A disclosure was granted; this is what leaves. Final.
    Disclosed {
        /// Exactly the bytes.
        text: String,
        /// The ledger entry that says so.
        entry: u64,
    },
    /// Ledger entries. Final.
    Ledger {
        /// Newest first.
        lines: Vec<LedgerLine>,
    },
    /// The ledger, verified. Final.
    Verified {
        /// The verdict.
        report: AuditReport,
    },
    /// The exported ledger, one JSON document. Final.
    Exported {
        /// It.
        json: String,
    },
    /// Models. Final.
    Models {
        /// All of the registry's.
        models: Vec<ModelLine>,
    },
    /// Deltas. Final.
    Deltas {
        /// Newest first.
        deltas: Vec<DeltaLine>,
    },
    /// How far a night is; also sent by itself (request id 0).
    Sleeping {
        /// How far.
        sleeping: Sleeping,
    },
    /// Nights. Final; also sent by itself (request id 0) when one ends.
    Nights {
        /// Newest first.
        nights: Vec<Night>,
        /// How far the one is that goes on.
        #[serde(default)]
        going: Option<Sleeping>,
        /// When they begin by themselves; only where they were asked for.
        #[serde(default)]
        bedtime: Option<Bedtime>,
    },
    /// Assemblies. Final.
    Assemblies {
        /// By name.
        assemblies: Vec<AssemblyLine>,
    },
    /// Who would answer. Final.
    Tried {
        /// It.
        composition: Composition,
    },
    /// Receipts. Final.
    Receipts {
        /// Newest first.
        receipts: Vec<Receipt>,
        /// What all of them add up to, the member with the most first.
        tallies: Vec<Tally>,
    },
    /// A signature of what a delta knows. Final.
    Signed {
        /// It, as JSON.
        signature: String,
    },
    /// Several models were composed into one. Final.
    Composed {
        /// The folder it is in.
        out: String,
        /// The hash of the recipe, with members named by their weights.
        recipe: Hash,
        /// The hashes of the members' weights.
        members: Vec<Hash>,
        /// Tensors in it.
        tensors: u64,
        /// Of those, how many an interrupted run had written.
        kept: u64,
        /// Bytes of all tensors.
        bytes: u64,
    },
    /// The doctor's findings. Final.
    Doctor {
        /// Them.
        report: DoctorReport,
    },
    /// A nonce to prove oneself over; the request is to be sent again with the proof. Final.
    Challenge {
        /// Valid once, for one minute.
        nonce: Hash,
    },
    /// It is done and there is nothing to show. Final.
    Done,
    /// It is not done. Final.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl Event {
    /// Whether a request is over with this event.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(
            self,
            Self::Progress { .. }
                | Self::Reading { .. }
                | Self::Sleeping { .. }
                | Self::Recalled { .. }
                | Self::ChatDelta { .. }
                | Self::ChatReset
                | Self::LoginPage { .. }
        )
    }
}

/// An event on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The request it answers; 0 for what the node says by itself.
    pub id: u64,
    /// What it says.
    pub event: Event,
}
