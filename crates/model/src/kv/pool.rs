//! The memory that all sequences of an anchor take their pages from.

use super::{
    KvKind,
    page::{Cells, Page, Shape},
};
use crate::ModelError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of pages unless another limit is set.
const LIMIT: usize = 4 << 30;
/// Pages that are kept for the next sequence when nobody uses them.
const SPARE_MAX: usize = 32;

/// A bounded supply of pages. Cloning gives another handle on the same supply.
#[derive(Clone)]
pub struct KvPool(Arc<Inner>);

struct Inner {
    shape: Shape,
    state: Mutex<State>,
}

struct State {
    limit: usize,
    used: usize,
    pages: usize,
    /// Blank pages that nobody uses.
    spare: Vec<(KvKind, Cells)>,
}

/// What a pool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvUsage {
    /// Pages in use; one that several sequences share counts once.
    pub pages: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Blank pages kept for the next sequence.
    pub spare_pages: usize,
    /// Their bytes.
    pub spare_bytes: usize,
    /// Bytes that pages in use and spare ones may take together.
    pub limit: usize,
}

impl std::fmt::Debug for KvPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.usage().fmt(f)
    }
}

impl KvPool {
    pub(crate) fn new(shape: Shape) -> Self {
        let state = Mutex::new(State { limit: LIMIT, used: 0, pages: 0, spare: Vec::new() });
        Self(Arc::new(Inner { shape, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The counts are changed by single statements, so a panic elsewhere leaves them right.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of one page.
    #[must_use]
    pub fn page_bytes(&self, kind: KvKind) -> usize {
        self.0.shape.bytes(kind)
    }

    /// Pages and bytes in use.
    #[must_use]
    pub fn usage(&self) -> KvUsage {
        let state = self.state();
        KvUsage {
            pages: state.pages,
            bytes: state.used,
            spare_pages: state.spare.len(),
            spare_bytes: self.spare_bytes(&state),
            limit: state.limit,
        }
    }

    /// Sets how many bytes pages may take. Pages in use stay, even where they are more.
    pub fn set_limit(&self, bytes: usize) {
        let mut state = self.state();
        state.limit = bytes;
        while state.used + self.spare_bytes(&state) > bytes && state.spare.pop().is_some() {}
    }

    /// Gives the memory of spare pages back to the system.
    pub fn trim(&self) {
        self.state().spare = Vec::new();
    }

    /// Whether no spare page holds anything. It looks at all of them, so it is for checks, not for use.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.state().spare.iter().all(|(_, cells)| cells.is_blank())
    }

    fn spare_bytes(&self, state: &State) -> usize {
        state.spare.iter().map(|(kind, _)| self.page_bytes(*kind)).sum()
    }

    /// A blank page.
    pub(crate) fn take(&self, kind: KvKind) -> Result<Page, ModelError> {
        let bytes = self.page_bytes(kind);
        let mut state = self.state();
        let spare = state.spare.iter().rposition(|(other, _)| *other == kind);
        let cells = if let Some(at) = spare {
            state.spare.swap_remove(at).1
        } else {
            let full = ModelError::CacheFull { used: state.used, limit: state.limit };
            // Spare pages of the other kind make room.
            while state.used + self.spare_bytes(&state) + bytes > state.limit && state.spare.pop().is_some() {}
            if state.used + bytes > state.limit {
                return Err(full);
            }
            Cells::new(self.0.shape, kind).ok_or(full)?
        };
        state.used += bytes;
        state.pages += 1;
        drop(state);
        Ok(Page::new(self.0.shape, kind, cells, self.clone()))
    }

    /// Takes back a page that was wiped.
    pub(super) fn give_back(&self, kind: KvKind, cells: Cells) {
        let bytes = self.page_bytes(kind);
        let mut state = self.state();
        state.used -= bytes;
        state.pages -= 1;
        if state.spare.len() < SPARE_MAX && state.used + self.spare_bytes(&state) + bytes <= state.limit {
            state.spare.push((kind, cells));
        }
    }
}
