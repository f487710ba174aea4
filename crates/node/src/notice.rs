//! Sentences the owner should know: damage that was found, derived data that was rebuilt.

use std::sync::{Mutex, PoisonError};

/// How many are kept; the newest matter.
const KEPT: usize = 20;

/// The node's notices, in the order they came.
#[derive(Default)]
pub(crate) struct Notices(Mutex<Vec<String>>);

impl Notices {
    /// Adds one, unless it was the last one said.
    pub(crate) fn add(&self, sentence: String) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.last() != Some(&sentence) {
            notices.push(sentence);
        }
        let extra = notices.len().saturating_sub(KEPT);
        notices.drain(..extra);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
