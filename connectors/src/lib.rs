//! Outside sources to items: folders are walked and watched, files become [`Document`]s, and mailboxes, calendars,
//! address books and chat exports become many, streamed where they lie.
//!
//! Invariants:
//! - Nothing is read without a [`Reading`], which only `consent` makes, and nothing that it does not cover.
//! - Whatever is wrong with a file becomes a [`Skipped`] with a sentence a person understands; it never stops the walk
//!   and never takes the process down. PDF parsing, which can panic or run away, happens in a child process.
//! - Sizes, depths and expansion of what strangers wrote are capped before memory is spent on them.
//!
//! It writes nothing: not to the vault, not to the disk, not to a log.

mod account;
mod archive;
mod calendar;
mod chat;
mod cloud;
mod contacts;
mod decode;
mod document;
mod docx;
mod epub;
mod extract;
mod git;
mod html;
mod kinds;
mod limits;
mod lines;
mod mail;
mod notes;
mod odf;
mod package;
mod parts;
mod plain;
mod read;
mod reader;
mod text;
mod unreadable;
mod walk;
mod watch;
mod xml;

pub use account::{AccountError, Http, Key, Login, Place, Steward, Tokens, count_account, read_account, try_account};
pub use cloud::awaits_download;
pub use document::{Document, FileRef};
pub use extract::{Extractor, extract_child};
pub use hinet_consent::Reading;
pub use hinet_protocol::Skipped;
pub use kinds::holds_items;
pub use limits::ReadLimits;
pub use mail::maildir::key_of;
pub use parts::Taker;
pub use read::read;
pub use reader::{Reader, Whole};
pub use text::normalised;
pub use unreadable::Unreadable;
pub use walk::{Walk, walk, walk_changed, walk_changes};
pub use watch::{DEBOUNCE, Watch, WatchError};
