//! Who is who in the memory.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// A person, as items and contacts' cards name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonLine {
    /// The name.
    pub name: String,
    /// The spellings as they stand in items, the one of the most items first.
    pub spellings: Vec<String>,
    /// Mail addresses, in lower case.
    pub addresses: Vec<String>,
    /// Telephone numbers, in digits.
    #[serde(default)]
    pub phones: Vec<String>,
    /// How many items name the person or are a card of theirs.
    pub items: u64,
    /// When the last of them was changed.
    pub last: Millis,
}
