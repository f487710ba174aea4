//! Causal attention of a few queries over one head of paged keys and values.
//!
//! Keys lie in panels of sixteen positions (`[position / 16][dim][16]`), so that one vector holds the same number of
//! sixteen keys; values lie position by position. Each score sums over the head from its first number to its last.
//! Positions are taken in fixed blocks of [`BLOCK_POSITIONS`]: a block gives a partial softmax, whose outputs sum over
//! its positions from the first to the last, and the blocks of a query are combined from the first to the last. So the
//! result of a query is the same whatever else is computed beside it, and whether one thread takes all of its blocks
//! ([`Into::Rows`]) or several do ([`Into::Parts`], and [`Gather`] afterwards). A position that a query may not see has
//! weight zero and adds an exact zero.
#![allow(unsafe_code, reason = "vector loads and stores over the cache")]

use super::{
    Job, Slots,
    lanes::Lanes,
    rowwise::{Cap, Weigh},
};
pub(crate) use crate::config::Attention as How;
use crate::kv::{PAGE, PANEL};
use std::ops::Range;

/// Positions in a block.
pub(crate) const BLOCK_POSITIONS: usize = 256;
/// Pages in a block.
const PAGES: usize = BLOCK_POSITIONS / PAGE;

/// A number as the cache keeps it.
pub(crate) trait Cell: Copy {
    /// Whether each position has scales that its numbers are to be multiplied by.
    const SCALED: bool;

    /// Sixteen of them, widened.
    ///
    /// # Safety
    /// As for [`Lanes`].
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
}

impl Cell for u16 {
    const SCALED: bool = false;

    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: forwarded.
        unsafe { L::load_half(from) }
    }
}

impl Cell for i8 {
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: forwarded.
        unsafe { L::load_int8(from) }
    }
}

/// One head's keys and values in one page, and their scales where they have some.
pub(crate) struct Cells<'a, C> {
    pub keys: &'a [C],
    pub values: &'a [C],
    pub key_scales: &'a [f32],
    pub value_scales: &'a [f32],
}

/// One head's keys and values, page by page.
pub(crate) trait Pages<'a>: Copy {
    /// How its numbers are kept.
    type Cell: Cell + 'a;

    /// Those of one page.
    fn cells(&self, page: usize) -> Cells<'a, Self::Cell>;
}

/// How queries lie in their rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Numbers in a head; a multiple of 16.
    pub head_dim: usize,
    /// Query heads of a token.
    pub heads: usize,
    /// Query heads that share a key-value head.
    pub group: usize,
}

impl Heads {
    /// Numbers of a partial result: the outputs, the largest score, the sum of the weights, and room to sixteen.
    pub(crate) fn part(&self) -> usize {
        self.head_dim + 16
    }
}

/// Some queries of one sequence that share a key-value head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queries<'a> {
    /// All queries of the step, `[row][head][head_dim]`.
    pub all: &'a [f32],
    /// The row of the step in which the sequence's first token lies.
    pub first_row: usize,
    /// The position of that token.
    pub start: usize,
    /// Which key-value head.
    pub kv_head: usize,
    /// How they look at its keys.
    pub how: How,
}

/// Where a query lies, and which positions it sees.
#[derive(Debug, Clone)]
struct Place {
    at: usize,
    sees: Range<usize>,
}

impl Place {
    /// Blocks of which it sees something.
    fn blocks(&self) -> Range<usize> {
        self.sees.start / BLOCK_POSITIONS..self.sees.end.div_ceil(BLOCK_POSITIONS)
    }
}

impl Queries<'_> {
    /// Query `row`, counted through tokens and the heads of the group.
    #[inline(always)]
    fn place(&self, heads: &Heads, row: usize) -> Place {
        let token = row / heads.group;
        let head = self.kv_head * heads.group + row % heads.group;
        let seen = self.start + token + 1;
        Place {
            at: ((self.first_row + token) * heads.heads + head) * heads.head_dim,
            sees: self.how.window.map_or(0, |window| seen.saturating_sub(window))..seen,
        }
    }
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Into {
    /// All blocks of the queries are here: to their outputs, laid out like the queries.
    Rows(Slots<f32>),
    /// To partial results, `[row][block]` from element `at` on, for [`Gather`].
    Parts {
        /// The partial results.
        slots: Slots<f32>,
        /// Where those of row 0 begin.
        at: usize,
        /// Blocks of a row.
        blocks: usize,
    },
}

/// Attention of some queries.
pub(crate) struct Attend<'a, P> {
    pub pages: P,
    pub heads: Heads,
    pub queries: Queries<'a>,
    /// Which queries, counted through tokens and the heads of the group.
    pub rows: Range<usize>,
    /// Which blocks of positions.
    pub blocks: Range<usize>,
    pub into: Into,
    /// Room to work in.
    pub scratch: &'a mut Vec<f32>,
}

impl<'a, P: Pages<'a>> Attend<'a, P> {
    /// # Safety
    /// As for [`Job::go`], with `first..first + R` inside the rows.
    #[inline(always)]
    unsafe fn group<L: Lanes, const R: usize, const PANELS: usize, const COLUMNS: usize>(&mut self, first: usize) {
        let (heads, part) = (self.heads, self.heads.part());
        let places: [Place; R] = std::array::from_fn(|r| self.queries.place(&heads, first + r));
        assert!(
            places.iter().all(|place| place.at + heads.head_dim <= self.queries.all.len()),
            "the queries are there"
        );
        if self.scratch.len() < R * (BLOCK_POSITIONS + 2 * part) {
            self.scratch.resize(R * (BLOCK_POSITIONS + 2 * part), 0.0);
        }
        let scores = self.scratch.as_mut_ptr();
        // Rows see more from one to the next, from the first block of the first to the last block of the last.
        let (low, high) = (places[0].blocks().start, places[R - 1].blocks().end);
        // SAFETY: the scratch was made large enough, a row's part of it is used by one name at a time, and the outputs
        // of these queries and blocks are this call's alone by contract.
        unsafe {
            let parts = scores.add(R * BLOCK_POSITIONS);
            let state = |r: usize| std::slice::from_raw_parts_mut(parts.add((R + r) * part), part);
            for block in self.blocks.start.max(low)..self.blocks.end.min(high) {
                self.block::<L, R, PANELS, COLUMNS>(&places, block, scores, parts);
                for (r, place) in places.iter().enumerate() {
                    let seen = place.blocks();
                    if !seen.contains(&block) {
                        continue;
                    }
                    let found = std::slice::from_raw_parts(parts.add(r * part), part);
                    match self.into {
                        Into::Rows(_) if block == seen.start => state(r).copy_from_slice(found),
                        Into::Rows(_) => combine::<L>(state(r), found),
                        Into::Parts { slots, at, blocks } => {
                            slots.part(at + ((first + r) * blocks + block) * part, part).copy_from_slice(found);
                        }
                    }
                }
            }
            if let Into::Rows(out) = self.into {
                for (r, place) in places.iter().enumerate() {
                    finish::<L>(state(r), out.part(place.at, heads.head_dim));
                }
            }
        }
    }

    /// The partial results of `R` queries over one block.
    ///
    /// # Safety
    /// `scores` is good for `R` times [`BLOCK_POSITIONS`] floats, and `parts` for `R` partial results.
    #[inline(always)]
    unsafe fn block<L: Lanes, const R: usize, const PANELS: usize, const COLUMNS: usize>(
        &self,
        places: &[Place; R],
        block: usize,
        scores: *mut f32,
        parts: *mut f32,
    ) {
        let (dim, part, base) = (self.heads.head_dim, self.heads.part(), block * BLOCK_POSITIONS);
        let end = places[R - 1].sees.end.min(base + BLOCK_POSITIONS);
        // Pages that nobody here sees any more are left out; their weights would be zero.
        let pages = (places[0].sees.start.max(base) / PAGE)..end.div_ceil(PAGE);
        debug_assert!(pages.len() <= PAGES);
        // With one token's queries the cache is read once, and the processor would wait for it: each load then asks for
        // what lies at the same place of the page that is read next. With more queries it is near already.
        let ahead = self.rows.len() <= self.heads.group;
        // SAFETY: the lengths of the cells are checked for every page, and loads are of sixteen at multiples of
        // sixteen inside them; queries were checked before.
        unsafe {
            for page in pages.clone() {
                let cells = self.pages.cells(page);
                assert!(cells.keys.len() >= PAGE * dim && cells.values.len() >= PAGE * dim, "a page is whole");
                assert!(!P::Cell::SCALED || cells.key_scales.len() >= PAGE, "a page has its scales");
                let to = scores.add(page * PAGE - base);
                let next = match page + 1 < pages.end {
                    true => self.pages.cells(page + 1).keys,
                    false => self.pages.cells(pages.start).values,
                };
                for first in (0..(end - page * PAGE).min(PAGE)).step_by(PANELS * PANEL) {
                    let keys = cells.keys.as_ptr().add(first * dim);
                    let mut sums = [[L::splat(0.0); R]; PANELS];
                    for i in 0..dim {
                        for (panel, sums) in sums.iter_mut().enumerate() {
                            let at = panel * PANEL * dim + PANEL * i;
                            let key = P::Cell::load::<L>(keys.add(at));
                            if ahead {
                                L::prefetch(next.as_ptr().wrapping_add(first * dim + at).cast());
                            }
                            for (sum, place) in sums.iter_mut().zip(places) {
                                *sum = L::splat(*self.queries.all.get_unchecked(place.at + i)).fma(key, *sum);
                            }
                        }
                    }
                    for (panel, sums) in sums.into_iter().enumerate() {
                        let at = first + panel * PANEL;
                        for (r, mut sum) in sums.into_iter().enumerate() {
                            if P::Cell::SCALED {
                                sum = sum.mul(L::load(cells.key_scales.as_ptr().add(at)));
                            }
                            sum.store(to.add(r * BLOCK_POSITIONS + at));
                        }
                    }
                }
            }
            let width = (end - base).next_multiple_of(PANEL);
            for (r, place) in places.iter().enumerate() {
                let scores = std::slice::from_raw_parts_mut(scores.add(r * BLOCK_POSITIONS), width);
                let seen = place.sees.start.saturating_sub(base)..place.sees.end.saturating_sub(base).min(width);
                let mut scale = self.queries.how.scale;
                if let Some(limit) = self.queries.how.cap {
                    Cap { x: scores, scale, limit }.go::<L>();
                    scale = 1.0;
                }
                let (top, sum) = Weigh { scores, seen, scale }.go::<L>();
                parts.add(r * part + dim).write(top);
                parts.add(r * part + dim + 1).write(sum);
            }
            for (turn, page) in pages.clone().enumerate() {
                let cells = self.pages.cells(page);
                let (from, count) = (page * PAGE - base, (end - page * PAGE).min(PAGE));
                if P::Cell::SCALED {
                    assert!(cells.value_scales.len() >= PAGE, "a page has its scales");
                    for r in 0..R {
                        let weights = scores.add(r * BLOCK_POSITIONS + from);
                        for i in (0..count).step_by(PANEL) {
                            let scales = L::load(cells.value_scales.as_ptr().add(i));
                            L::load(weights.add(i)).mul(scales).store(weights.add(i));
                        }
                    }
                }
                let values = cells.values.as_ptr();
                let next = match page + 1 < pages.end {
                    true => self.pages.cells(page + 1).values,
                    false if places[R - 1].sees.end > base + BLOCK_POSITIONS => self.pages.cells(page + 1).keys,
                    false => cells.values,
                };
                let next = ahead.then_some(next.as_ptr());
                let mut column = 0;
                while column + COLUMNS * 16 <= dim {
                    let to = parts.add(column);
                    gather_values::<L, P::Cell, R, COLUMNS>(
                        (values.add(column), next.map(|next| next.wrapping_add(column))),
                        dim,
                        scores.add(from),
                        count,
                        to,
                        part,
                        turn == 0,
                    );
                    column += COLUMNS * 16;
                }
                while column < dim {
                    let to = parts.add(column);
                    gather_values::<L, P::Cell, R, 1>(
                        (values.add(column), next.map(|next| next.wrapping_add(column))),
                        dim,
                        scores.add(from),
                        count,
                        to,
                        part,
                        turn == 0,
                    );
                    column += 16;
                }
            }
        }
    }
}

/// Adds `count` values, times their weights, to what is in `out`, or to nothing, and asks for what is at the same place
/// of `next`.
///
/// # Safety
/// `values` is good for `COLUMNS` times sixteen cells at each of `count` steps of `dim`, `weights` for `count` floats at
/// each of `R` steps of [`BLOCK_POSITIONS`], and `out` for `COLUMNS` times sixteen floats at each of `R` steps of `part`.
#[inline(always)]
unsafe fn gather_values<L: Lanes, C: Cell, const R: usize, const COLUMNS: usize>(
    (values, next): (*const C, Option<*const C>),
    dim: usize,
    weights: *const f32,
    count: usize,
    out: *mut f32,
    part: usize,
    fresh: bool,
) {
    // SAFETY: by contract.
    unsafe {
        let mut sums = [[L::splat(0.0); R]; COLUMNS];
        if !fresh {
            for (column, sums) in sums.iter_mut().enumerate() {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(out.add(r * part + 16 * column));
                }
            }
        }
        for position in 0..count {
            for (column, sums) in sums.iter_mut().enumerate() {
                let at = position * dim + 16 * column;
                let value = C::load::<L>(values.add(at));
                if let Some(next) = next {
                    L::prefetch(next.wrapping_add(at).cast());
                }
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = L::splat(*weights.add(r * BLOCK_POSITIONS + position)).fma(value, *sum);
                }
            }
        }
        for (column, sums) in sums.into_iter().enumerate() {
            for (r, sum) in sums.into_iter().enumerate() {
                sum.store(out.add(r * part + 16 * column));
            }
        }
    }
}

/// Adds the next block's partial result to those before it.
///
/// # Safety
/// The processor must have the instruction set of `L`.
#[inline(always)]
unsafe fn combine<L: Lanes>(state: &mut [f32], part: &[f32]) {
    assert!(state.len() == part.len() && state.len() >= 32 && state.len().is_multiple_of(16), "both are parts");
    let dim = state.len() - 16;
    let top = state[dim].max(part[dim]);
    // SAFETY: every access is of sixteen at a multiple of sixteen below the length.
    unsafe {
        let old = L::splat(state[dim] - top).exp();
        let new = L::splat(part[dim] - top).exp();
        for i in (0..dim).step_by(16) {
            let sum = L::load(part.as_ptr().add(i)).mul(new);
            L::load(state.as_ptr().add(i)).fma(old, sum).store(state.as_mut_ptr().add(i));
        }
        let sum = L::splat(part[dim + 1]).mul(new);
        L::splat(state[dim + 1]).fma(old, sum).store(state.as_mut_ptr().add(dim));
    }
    state[dim + 1] = state[dim];
    state[dim] = top;
}

/// The outputs of a query all of whose blocks were combined.
///
/// # Safety
/// The processor must have the instruction set of `L`.
#[inline(always)]
unsafe fn finish<L: Lanes>(state: &[f32], out: &mut [f32]) {
    let dim = out.len();
    assert!(state.len() == dim + 16 && dim.is_multiple_of(16), "the state is one of this width");
    // SAFETY: every access is of sixteen at a multiple of sixteen below the width.
    unsafe {
        let inverse = L::splat(1.0 / state[dim + 1]);
        for i in (0..dim).step_by(16) {
            L::load(state.as_ptr().add(i)).mul(inverse).store(out.as_mut_ptr().add(i));
        }
    }
}

impl<'a, P: Pages<'a>> Job for Attend<'a, P> {
    type Output = ();

    /// Needs that nobody else writes the outputs, or the partial results, of these queries.
    #[inline(always)]
    unsafe fn go<L: Lanes>(mut self) {
        let rows = self.rows.clone();
        let mut row = rows.start;
        // SAFETY: the groups stay inside the rows.
        unsafe {
            while row < rows.end {
                // With few queries, several panels or columns are taken at once, so that the sums do not wait for
                // each other; which does not change any of them.
                row += match (rows.end - row).min(L::ROWS) {
                    8.. => {
                        self.group::<L, 8, 1, 1>(row);
                        8
                    }
                    4.. => {
                        self.group::<L, 4, 1, 1>(row);
                        4
                    }
                    3 => {
                        self.group::<L, 3, 2, 2>(row);
                        3
                    }
                    2 => {
                        self.group::<L, 2, 2, 2>(row);
                        2
                    }
                    _ => {
                        self.group::<L, 1, 4, 4>(row);
                        1
                    }
                };
            }
        }
    }
}

/// Combines the partial results of queries whose blocks were computed apart.
pub(crate) struct Gather<'a> {
    pub heads: Heads,
    pub queries: Queries<'a>,
    pub rows: Range<usize>,
    /// The partial results, `[row][block]` from row 0 on. The first of a row becomes the sum of all.
    pub parts: &'a mut [f32],
    /// Blocks of a row.
    pub blocks: usize,
    pub out: Slots<f32>,
}

impl Job for Gather<'_> {
    type Output = ();

    /// Needs that nobody else writes the outputs of these queries.
    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let (dim, part) = (self.heads.head_dim, self.heads.part());
        for row in self.rows {
            let place = self.queries.place(&self.heads, row);
            let seen = place.blocks();
            let all = &mut self.parts[row * self.blocks * part..][..self.blocks * part];
            let (state, rest) = all[seen.start * part..].split_at_mut(part);
            // SAFETY: the outputs are this call's alone by contract.
            unsafe {
                for next in rest.chunks_exact(part).take(seen.len() - 1) {
                    combine::<L>(state, next);
                }
                finish::<L>(state, self.out.part(place.at, dim));
            }
        }
    }
}
