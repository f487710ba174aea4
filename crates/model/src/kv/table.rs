//! One sequence's pages, in the order of its positions.

use super::{KvKind, KvPool, PAGE, page::Page};
use crate::{
    ModelError,
    kernels::attend::{Cells, Pages},
};
use std::{marker::PhantomData, sync::Arc};

/// The pages of one sequence.
#[derive(Debug)]
pub(crate) struct PageTable {
    pool: KvPool,
    kind: KvKind,
    pages: Vec<Arc<Page>>,
}

impl PageTable {
    /// No pages yet, and room to list those of `positions` tokens.
    pub(crate) fn new(pool: KvPool, kind: KvKind, positions: usize) -> Self {
        Self { pool, kind, pages: Vec::with_capacity(positions.div_ceil(PAGE)) }
    }

    /// A table of the same pool and kind that holds nothing, while this one is lent to a step.
    pub(crate) fn without_pages(&self) -> Self {
        Self { pool: self.pool.clone(), kind: self.kind, pages: Vec::new() }
    }

    pub(crate) fn kind(&self) -> KvKind {
        self.kind
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The pages, first to last.
    pub(crate) fn pages(&self) -> &[Arc<Page>] {
        &self.pages
    }

    /// Lets go of every page.
    pub(crate) fn clear(&mut self) {
        self.pages.clear();
    }

    /// Shares pages that somebody else has filled, from the first position on.
    pub(crate) fn adopt(&mut self, pages: &[Arc<Page>]) {
        debug_assert!(pages.iter().all(|page| page.kind() == self.kind));
        self.pages.clear();
        self.pages.extend(pages.iter().cloned());
    }

    /// Makes sure that `rows` positions from `start` on can be written, and that what was read before stays.
    ///
    /// Pages beyond are let go of. What this sequence shares with others is copied as far as it lies before `start`.
    /// When the pool is full nothing before `start` is lost.
    pub(crate) fn make_room(&mut self, start: usize, rows: usize) -> Result<(), ModelError> {
        let (first, end) = (start / PAGE, (start + rows).div_ceil(PAGE));
        assert!(self.pages.len() >= start.div_ceil(PAGE), "the positions before were read");
        self.pages.truncate(end);
        // Shared pages after the one that is begun hold nothing of what stays.
        let shared = (first + 1..self.pages.len()).find(|at| Arc::get_mut(&mut self.pages[*at]).is_none());
        self.pages.truncate(shared.unwrap_or(end));
        if let Some(page) = self.pages.get_mut(first)
            && Arc::get_mut(page).is_none()
        {
            let mut own = self.pool.take(self.kind)?;
            own.copy_from(page, start % PAGE);
            *page = Arc::new(own);
        }
        while self.pages.len() < end {
            self.pages.push(Arc::new(self.pool.take(self.kind)?));
        }
        Ok(())
    }

    /// Stores the keys and values of one token, `[head][head_dim]` each, where [`PageTable::make_room`] made room.
    pub(crate) fn store(&mut self, layer: usize, position: usize, keys: &[f32], values: &[f32]) {
        let page = self.pages.get_mut(position / PAGE).and_then(Arc::get_mut);
        page.expect("room was made for this step").store(layer, position % PAGE, keys, values);
    }

    /// One head's keys and values, for the kernels.
    pub(crate) fn head<T>(&self, layer: usize, head: usize) -> HeadOf<'_, T> {
        HeadOf { pages: &self.pages, layer, head, kept_as: PhantomData }
    }
}

/// One head of one layer, page by page, of a table whose numbers are kept as `T`.
#[derive(Debug)]
pub(crate) struct HeadOf<'a, T> {
    pages: &'a [Arc<Page>],
    layer: usize,
    head: usize,
    kept_as: PhantomData<T>,
}

impl<T> Clone for HeadOf<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for HeadOf<'_, T> {}

impl<'a> Pages<'a> for HeadOf<'a, u16> {
    type Cell = u16;

    #[inline(always)]
    fn cells(&self, page: usize) -> Cells<'a, u16> {
        let (keys, values) = self.pages[page].halves(self.layer, self.head);
        Cells { keys, values, key_scales: &[], value_scales: &[] }
    }
}

impl<'a> Pages<'a> for HeadOf<'a, i8> {
    type Cell = i8;

    #[inline(always)]
    fn cells(&self, page: usize) -> Cells<'a, i8> {
        let (keys, values) = self.pages[page].bytes(self.layer, self.head);
        let (key_scales, value_scales) = self.pages[page].scales(self.layer, self.head);
        Cells { keys, values, key_scales, value_scales }
    }
}
