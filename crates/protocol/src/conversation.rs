//! Conversations beyond a plain turn: where a turn hangs in the tree of messages, what it may draw on, what the owner
//! thought of an answer, what is found in earlier conversations.

use crate::{ItemId, MessageId, Millis, Role, SessionId, SourceId};
use serde::{Deserialize, Serialize};

/// Where a turn goes on in the tree of a conversation. Nothing that hangs elsewhere is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// Where the conversation is now.
    #[default]
    Head,
    /// At its beginning: a new first message beside the present one.
    Start,
    /// After this message; editing a message means a new one after its parent.
    Message(MessageId),
}

/// A part of the memory that a turn is confined to (`@file`, `@source`, `@person`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// One item.
    Item(ItemId),
    /// All of a source.
    Source(SourceId),
    /// Items under this folder (an absolute path).
    Folder(String),
    /// Items this person wrote or is named in.
    Person(String),
    /// Items with this label.
    Label(String),
}

/// How a turn is made, beside its words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turn {
    /// Where it goes on.
    pub after: After,
    /// Parts of the memory it is confined to, any of them; empty means all of it.
    pub within: Vec<Within>,
    /// What was attached to it, by the names people read.
    pub attached: Vec<String>,
    /// Whether the memory is left alone: nothing is recalled.
    pub forgo: bool,
    /// Whether it is not a question but asks for a draft in the owner's voice.
    pub voice: bool,
    /// The assembly that is asked where the memory has no answer.
    pub assembly: Option<String>,
    /// Nothing of this turn is stored. What was said before it travels along, because the node keeps nothing either.
    pub incognito: Option<Vec<Said>>,
}

/// One earlier message of an incognito conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who.
    pub role: Role,
    /// What.
    pub text: String,
}

/// Something handed to the conversation. It is read into the memory as an import, under the owner's own grant, so that
/// it can be cited, opened and forgotten like everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Attachment {
    /// A file, a saved page among them.
    File {
        /// Absolute path.
        path: String,
    },
    /// A folder, read once.
    Folder {
        /// Absolute path.
        path: String,
    },
    /// Text with no file: a command's output.
    Text {
        /// What it is called: the command.
        name: String,
        /// The text.
        text: String,
    },
}

/// What became of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The name people read.
    pub name: String,
    /// What a turn is confined to, to answer from it.
    pub within: Within,
    /// Items it holds.
    pub items: u64,
}

/// A thumb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thumb {
    /// Good.
    Up,
    /// Bad.
    Down,
}

/// What the owner thought of an answer. It is kept private: no grant but training on this machine ever covers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feedback {
    /// A thumb, where one was given.
    pub thumb: Option<Thumb>,
    /// The answer as the owner would have had it.
    pub edited: Option<String>,
    /// The owner took it: copied it, or wrote on from it.
    pub accepted: bool,
}

impl Feedback {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is changed about a conversation; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionChange {
    /// Its title.
    pub title: Option<String>,
    /// Whether it is pinned to the top of the list.
    pub pinned: Option<bool>,
    /// Whether it is put away.
    pub archived: Option<bool>,
}

/// A message of an earlier conversation that was searched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The conversation.
    pub session: SessionId,
    /// Its title.
    pub title: String,
    /// The message.
    pub message: MessageId,
    /// Who said it.
    pub role: Role,
    /// When.
    pub at: Millis,
    /// Some words around the first place found, on one line.
    pub excerpt: String,
}

/// What is typed and not sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// In which conversation; none is the new one.
    pub session: Option<SessionId>,
    /// The text; empty removes the draft.
    pub text: String,
}

/// What a name that is typed after `@` may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// What it confines a turn to.
    pub within: Within,
    /// The name itself: a title, a folder, a person, a label.
    pub name: String,
    /// Where it is, as a person would say it.
    pub detail: String,
}
