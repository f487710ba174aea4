//! Where a message stands in its thread.

use crate::{ItemId, Millis};
use serde::{Deserialize, Serialize};

/// The thread of a message, as far as it is in the memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadView {
    /// How many messages of it there are, this one among them; copies count once.
    pub messages: u64,
    /// The one before it.
    pub before: Option<ThreadLine>,
    /// The one after it.
    pub after: Option<ThreadLine>,
}

/// A message beside another in its thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadLine {
    /// Its item.
    pub item: ItemId,
    /// Its title.
    pub title: String,
    /// When it was sent.
    pub modified: Millis,
}
