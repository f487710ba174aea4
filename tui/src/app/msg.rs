//! What can happen to the terminal UI: keys, the node's events, and what effects bring back.

use crossterm::event::KeyEvent;
use hinet_protocol::{Event, Failure, ItemId, ModelLine, Op, Progress, SessionId, SourceId};
use zeroize::Zeroizing;

pub use hinet_node::Unlock;

/// Which part of the screen a request belongs to. A reply whose tag nobody waits for any more is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    /// The top line.
    Status,
    /// The answer with this number.
    Chat(u32),
    /// The list of conversations.
    Sessions,
    /// The messages of a conversation.
    Open(SessionId),
    /// A conversation being taken along into a new one.
    Fork,
    /// What the owner thought of an answer.
    Feedback,
    /// What was said and typed in earlier runs.
    Typed,
    /// A conversation being given a title, pinned, put away.
    SessionChange,
    /// The search in all conversations with this number.
    Find(u32),
    /// What a name may mean, by the number of the asking.
    Names(u32),
    /// Something handed to the conversation, by its number.
    Attach(u32),
    /// Something that is of no interest once it is done.
    Quiet,
    /// The list of sources.
    Sources,
    /// A source being read for the first time or again.
    Reading,
    /// A source being paused or resumed.
    Pause,
    /// The nights.
    Nights,
    /// A night that was begun here.
    Sleep,
    /// A night being interrupted.
    Wake,
    /// The self of another night being put on.
    Rollback,
    /// A sentence being left out of the nights to come.
    Veto,
    /// The assemblies.
    Assemblies,
    /// Receipts of what assemblies answered.
    Receipts,
    /// The question with this number, of which is asked who would answer it.
    AssemblyTry(u32),
    /// A member leaving an assembly.
    AssemblyLeave,
    /// One delta being made of several members.
    AssemblyPremerge,
    /// The search with this number.
    Search(u32),
    /// The item with this number of openings.
    Show(u32),
    /// What would go.
    ForgetPreview(u32),
    /// What went.
    Forget(u32),
    /// The newest of what is remembered.
    Timeline,
    /// Older ones.
    TimelineOlder,
    /// An item being pinned or labelled.
    Mark(ItemId),
    /// Remembering being paused, or gone on with.
    MemoryPause,
    /// What was left out of a source.
    Skips(SourceId),
    /// Counts.
    Stats,
    /// Grants.
    Grants,
    /// A grant being taken back.
    Revoke,
    /// The ledger's last lines.
    Ledger,
    /// Older lines of it.
    LedgerOlder,
    /// The ledger's lines about what left.
    Disclosed,
    /// Older ones of those.
    DisclosedOlder,
    /// Requests that wait for the owner.
    Pending,
    /// The owner's answer to the request with this number.
    Answer(u64),
    /// The ledger being verified.
    Verify,
    /// The kill switch being thrown.
    Kill,
    /// The kill switch being lifted.
    Lift,
}

/// Something that happened.
pub enum Msg {
    /// A key.
    Key(KeyEvent),
    /// Pasted text.
    Paste(String),
    /// The wheel, where the pointer is.
    Wheel {
        /// Column.
        column: u16,
        /// Row.
        row: u16,
        /// Away from the reader.
        up: bool,
    },
    /// The left mouse button went down, where the pointer is.
    Click {
        /// Column.
        column: u16,
        /// Row.
        row: u16,
    },
    /// The second that was asked for went by.
    Tick,
    /// The terminal has another size.
    Resize(u16, u16),
    /// An event of a request.
    Reply {
        /// Whose.
        tag: Tag,
        /// What.
        event: Event,
    },
    /// Something the node says by itself.
    News(Event),
    /// The node is gone: a request ended without its last event.
    NodeLost,
    /// The home is open and the node is reached.
    Unlocked {
        /// Whether the node runs in another process.
        attached: bool,
    },
    /// The home was not opened.
    NotUnlocked(Failure),
    /// The folders under a path that is being typed.
    Folders {
        /// What was typed when it was asked.
        typed: String,
        /// Whole paths, sorted.
        found: Vec<String>,
    },
    /// The files and folders under a path that is being typed.
    Paths {
        /// What was typed when it was asked.
        typed: String,
        /// Whole paths, sorted, folders with a slash at their end.
        found: Vec<String>,
    },
    /// How many files a folder holds.
    Counted {
        /// The folder.
        path: String,
        /// Files in it.
        files: u64,
        /// Whether counting stopped early.
        more: bool,
        /// Whether it is a folder that can be read.
        readable: bool,
    },
    /// New recovery words, and which four must be typed back.
    Words {
        /// The 24 words.
        phrase: Zeroizing<String>,
        /// Indexes in 0..24, different from each other.
        ask: [usize; 4],
    },
    /// The models of the registry.
    Models(Vec<ModelLine>),
    /// How far a model is.
    Pulling {
        /// Which.
        name: String,
        /// How far.
        progress: Progress,
    },
    /// A model is there, or is not.
    Pulled {
        /// Which.
        name: String,
        /// How it went.
        result: Result<(), Failure>,
    },
    /// Onboarding wrote the home, or did not.
    Made(Result<(), Failure>),
    /// The owner's editor was closed.
    Edited(Result<String, Failure>),
    /// A command has ended.
    Ran {
        /// The command.
        command: String,
        /// What it printed.
        result: Result<String, Failure>,
    },
    /// A file was written, or was not.
    Written {
        /// Where.
        path: String,
        /// How it went.
        result: Result<(), Failure>,
    },
    /// Code was painted.
    Painted(Vec<(crate::markdown::colours::Key, Vec<crate::markdown::colours::Run>)>),
    /// A background thread panicked there.
    Fault(String),
}

impl Msg {
    /// A reply to `tag`.
    #[must_use]
    pub fn reply(tag: Tag, event: Event) -> Self {
        Self::Reply { tag, event }
    }
}

/// An op that is sent with the owner's proof.
pub struct Proven {
    /// The op.
    pub op: Op,
    /// How the owner proves themselves.
    pub unlock: Unlock,
}
