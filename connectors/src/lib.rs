//! Outside sources to items: folders are walked and watched, files become [`Document`]s.
//!
//! Invariants:
//! - Nothing is read without a [`Reading`], which only `consent` makes, and nothing that it does not cover.
//! - Whatever is wrong with a file becomes a [`Skipped`] with a sentence a person understands; it never stops the walk
//!   and never takes the process down. PDF parsing, which can panic or run away, happens in a child process.
//! - Sizes, depths and expansion of what strangers wrote are capped before memory is spent on them.
//!
//! It writes nothing: not to the vault, not to the disk, not to a log.

mod decode;
mod document;
mod docx;
mod extract;
mod html;
mod kinds;
mod limits;
mod plain;
mod read;
mod text;
mod unreadable;
mod walk;
mod watch;

pub use document::{Document, FileRef};
pub use extract::{Extractor, extract_child};
pub use hinet_consent::Reading;
pub use hinet_protocol::Skipped;
pub use limits::ReadLimits;
pub use read::read;
pub use text::normalised;
pub use unreadable::Unreadable;
pub use walk::{Walk, walk, walk_changed, walk_changes};
pub use watch::{DEBOUNCE, Watch, WatchError};
