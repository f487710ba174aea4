//! One sequence's pages, in the order of its positions.

use super::{KvKind, KvPool, PAGE, page::Page};
use crate::{
    ModelError,
    kernels::attend::{Cells, Pages},
    prefix::{self, Link, Prefixes},
};
use std::{marker::PhantomData, sync::Arc};

/// The pages of one sequence.
#[derive(Debug)]
pub(crate) struct PageTable {
    pool: KvPool,
    kind: KvKind,
    pages: Vec<Arc<Page>>,
    /// Where known pages are looked for and left, and how the chain of this sequence begins.
    shelf: Option<(Prefixes, Link)>,
    /// The links of the pages that were found or left there.
    links: Vec<Link>,
}

impl PageTable {
    /// No pages yet, and room to list those of `positions` tokens.
    pub(crate) fn new(pool: KvPool, kind: KvKind, positions: usize, shelf: Option<(Prefixes, Link)>) -> Self {
        let count = positions.div_ceil(PAGE);
        let links = Vec::with_capacity(if shelf.is_some() { count } else { 0 });
        Self { pool, kind, pages: Vec::with_capacity(count), shelf, links }
    }

    /// The table itself, for a step; what stays holds nothing until it is given back.
    pub(crate) fn lend(&mut self) -> Self {
        let (pages, links) = (std::mem::take(&mut self.pages), std::mem::take(&mut self.links));
        Self { pool: self.pool.clone(), kind: self.kind, pages, shelf: self.shelf.clone(), links }
    }

    /// Another sequence that begins with all this one has read; what they share is copied by whoever writes on it first.
    pub(crate) fn fork(&self) -> Self {
        Self { pages: self.pages.clone(), links: Vec::new(), pool: self.pool.clone(), kind: self.kind, shelf: None }
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
        self.links.clear();
    }

    /// Shares what is known of a prompt; gives how many of its tokens that is. What was read before is let go of when
    /// more than `known` of its tokens are found.
    pub(crate) fn recall(&mut self, prompt: &[u32], known: usize) -> usize {
        let Some((prefixes, fingerprint)) = &self.shelf else { return known };
        if prompt.len() / PAGE * PAGE <= known {
            return known;
        }
        let (pages, links) = prefixes.find(*fingerprint, prompt);
        if pages.len() * PAGE <= known {
            return known;
        }
        let found = pages.len() * PAGE;
        self.clear();
        self.pages.extend(pages);
        self.links.extend(links);
        found
    }

    /// Leaves the full pages of the tokens read for others.
    pub(crate) fn share(&mut self, tokens: &[u32]) {
        let Some((prefixes, fingerprint)) = &self.shelf else { return };
        let full = tokens.len() / PAGE;
        if self.links.len() >= full {
            return;
        }
        for at in self.links.len()..full {
            let before = self.links.last().unwrap_or(fingerprint);
            let link = prefix::link(before, &tokens[at * PAGE..][..PAGE]);
            self.links.push(link);
        }
        prefixes.keep(&self.links, &self.pages, self.pool.page_bytes(self.kind));
    }

    /// A blank page; when the pool is full, one of the known pages nobody uses makes room.
    fn page(&self) -> Result<Page, ModelError> {
        loop {
            match (self.pool.take(self.kind), &self.shelf) {
                (Err(ModelError::CacheFull { .. }), Some((prefixes, _))) if prefixes.give_up_one() => {}
                (page, _) => return page,
            }
        }
    }

    /// Makes sure that `rows` positions from `start` on can be written, and that what was read before stays.
    ///
    /// Pages beyond are let go of. What this sequence shares with others is copied as far as it lies before `start`.
    /// When the pool is full nothing before `start` is lost.
    pub(crate) fn make_room(&mut self, start: usize, rows: usize) -> Result<(), ModelError> {
        let (first, end) = (start / PAGE, (start + rows).div_ceil(PAGE));
        assert!(self.pages.len() >= start.div_ceil(PAGE), "the positions before were read");
        self.pages.truncate(end);
        self.links.truncate(first);
        // Shared pages after the one that is begun hold nothing of what stays.
        let shared = (first + 1..self.pages.len()).find(|at| Arc::get_mut(&mut self.pages[*at]).is_none());
        self.pages.truncate(shared.unwrap_or(end));
        if self.pages.get_mut(first).is_some_and(|page| Arc::get_mut(page).is_none()) {
            let mut own = self.page()?;
            own.copy_from(&self.pages[first], start % PAGE);
            self.pages[first] = Arc::new(own);
        }
        while self.pages.len() < end {
            self.pages.push(Arc::new(self.page()?));
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
