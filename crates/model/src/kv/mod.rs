//! The keys and values of every token that sequences have read, in pages that sequences may share.
//!
//! A page holds [`PAGE`] positions of all layers and heads. Pages come from the [`KvPool`] of an anchor, which bounds how
//! many there are; a [`PageTable`] is one sequence's list of them. A page that two hold is never written to: whoever
//! wants to write gets a copy of its own first. When its last holder lets go, what was written to it is overwritten with
//! zeros, so that nothing of a prompt outlives whoever read it.

mod page;
mod pool;
mod table;

pub use pool::{KvPool, KvUsage};

pub(crate) use page::{Page, Shape};
pub(crate) use table::PageTable;

/// Positions in a page. Four pages make a block of [`crate::kernels::attend`].
pub const PAGE: usize = 64;
/// Positions in a panel of keys.
pub(crate) const PANEL: usize = 16;

/// How keys and values are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KvKind {
    /// As half floats.
    #[default]
    F16,
    /// Rounded to int8, with one scale per position and head for keys and one for values: half the memory, and a little
    /// less exact.
    Int8,
}

impl KvKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}
