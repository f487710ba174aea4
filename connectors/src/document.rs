//! What a source yields: a file worth reading, and the document it turned out to be.

use hinet_protocol::{Millis, Trust};
use std::path::PathBuf;

/// A file that the walk found and that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRef {
    /// Where it is: absolute, with every link resolved.
    pub path: PathBuf,
    /// When it was last changed.
    pub modified: Millis,
    /// Its size in bytes when it was seen.
    pub size: u64,
}

/// A file's text and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The absolute path, and for an item of a file of many the item's name after it: its key within its source.
    pub key: String,
    /// What a person would call it; never empty, one line, at most 200 characters.
    pub title: String,
    /// `markdown`, `text`, `code`, `html`, `pdf`, `docx`, `odt`, `epub`, `mail`, `event`, `contact`,
    /// `commit` or `chat`.
    pub kind: &'static str,
    /// The text, as [`crate::normalised`] leaves it; spans refer to these bytes.
    pub text: String,
    /// When the file was last changed; of a message when it was sent, of an event when it begins.
    pub modified: Millis,
    /// Web pages, PDFs, books, mail, chats, calendars and cards are mostly written by others and are never more than facts; the
    /// rest is the owner's own.
    pub trust: Trust,
    /// The thread a message belongs to, by a hash of the id of the message that began it; none for whatever is no message.
    pub thread: Option<String>,
    /// What a mailbox files a message under, each once, in order. It is what the mailbox says, and not what the owner says.
    pub labels: Vec<String>,
    /// What is not exactly as in the file, one sentence each: replaced bytes, pages that could not be read.
    pub notes: Vec<String>,
}
