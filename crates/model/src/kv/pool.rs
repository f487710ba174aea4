//! The memory that all sequences of an anchor take their pages from.

use super::{
    KvKind,
    page::{Cells, Page, Shape},
};
use crate::{ModelError, shelf::Arena};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of pages unless another limit is set.
const LIMIT: usize = 4 << 30;
/// Pages that are kept for the next sequence when nobody uses them.
const SPARE_MAX: usize = 32;

/// A bounded supply of pages. Cloning gives another handle on the same supply.
#[derive(Clone)]
pub struct KvPool(Arc<Inner>);

struct Inner {
    shape: Shape,
    /// Where pages of half floats lie, and those of int8: several side by side in one mapping of large pages.
    arenas: [Arena; 2],
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
        let arenas = [KvKind::F16, KvKind::Int8].map(|kind| Arena::for_pieces(shape.bytes(kind)));
        Self(Arc::new(Inner { shape, arenas, state }))
    }

    fn arena(&self, kind: KvKind) -> &Arena {
        match kind {
            KvKind::F16 => &self.0.arenas[0],
            KvKind::Int8 => &self.0.arenas[1],
        }
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
        while state.used + self.spare_bytes(&state) > bytes && state.shed() {}
    }

    /// Gives the memory of spare pages back to the system, but for those that share theirs with a page in use.
    pub fn trim(&self) {
        let mut state = self.state();
        while state.shed() {}
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
            // Spare pages of the other kind make room.
            while state.used + self.spare_bytes(&state) + bytes > state.limit && state.shed() {}
            let used = state.used + self.spare_bytes(&state);
            let full = ModelError::CacheFull { used, limit: state.limit };
            if used + bytes > state.limit {
                return Err(full);
            }
            Cells::new(self.0.shape, kind, self.arena(kind)).ok_or(full)?
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
        state.spare.push((kind, cells));
        let too_much = |state: &State| state.used + self.spare_bytes(state) > state.limit;
        while (state.spare.len() > SPARE_MAX || too_much(&state)) && state.shed() {}
    }
}

impl State {
    /// Lets spare pages go that have a mapping to themselves, since only that gives memory back: those of one mapping, the
    /// one that was used longest ago. Whether there was one.
    fn shed(&mut self) -> bool {
        let mut spare: BTreeMap<usize, usize> = BTreeMap::new();
        for (mapping, _) in self.spare.iter().flat_map(|(_, cells)| cells.sharers()) {
            *spare.entry(mapping).or_default() += 1;
        }
        let alone = |cells: &Cells| cells.sharers().all(|(mapping, all)| spare.get(&mapping) == Some(&all));
        let found = self.spare.iter().find(|(_, cells)| alone(cells)).and_then(|(_, cells)| cells.sharers().next());
        let Some((mapping, _)) = found else { return false };
        self.spare.retain(|(_, cells)| cells.sharers().all(|(other, _)| other != mapping));
        true
    }
}
