//! Causal attention of a few queries over one head of the key-value cache.
//!
//! Keys lie in panels of sixteen positions (`[position / 16][dim][16]`), so that one vector holds the same number of
//! sixteen keys; values lie position by position. Each score sums over the head from its first number to its last, and
//! each output over positions from the first to the last, whatever else is computed beside it. A position a query may
//! not see has weight zero and adds an exact zero.
#![allow(unsafe_code, reason = "vector loads and stores over the cache")]

use super::{
    Job, Slots,
    lanes::Lanes,
    rowwise::{Cap, Softmax},
};
use crate::config::Attention;

/// Some queries that share a key-value head.
pub(crate) struct Attend<'a> {
    /// The panels of this head's keys, half floats.
    pub keys: &'a [u16],
    /// This head's values, half floats.
    pub values: &'a [u16],
    /// Numbers in a head; a multiple of 16.
    pub head_dim: usize,
    /// All queries of the step, `[token][head][head_dim]`.
    pub queries: &'a [f32],
    /// Where the outputs go, laid out like the queries.
    pub out: Slots<f32>,
    /// Query heads of a token.
    pub heads: usize,
    /// Query heads that share this key-value head.
    pub group: usize,
    /// Which key-value head.
    pub kv_head: usize,
    /// Position of the first token of the step.
    pub start: usize,
    /// Scale, soft cap and window.
    pub how: Attention,
    /// Queries to do, counted through tokens and the heads of the group.
    pub rows: std::ops::Range<usize>,
    /// Room for `L::ROWS` rows of scores.
    pub scores: &'a mut Vec<f32>,
}

impl Attend<'_> {
    /// The first position that a query may see which sees up to `seen`.
    #[inline(always)]
    fn first(&self, seen: usize) -> usize {
        self.how.window.map_or(0, |window| seen.saturating_sub(window))
    }

    /// Where the numbers of query `row` begin, and before which position it sees.
    #[inline(always)]
    fn place(&self, row: usize) -> (usize, usize) {
        let token = row / self.group;
        let head = self.kv_head * self.group + row % self.group;
        ((token * self.heads + head) * self.head_dim, self.start + token + 1)
    }

    /// # Safety
    /// As for [`Job::go`], with `first..first + R` inside the rows.
    #[inline(always)]
    unsafe fn block<L: Lanes, const R: usize>(&mut self, first: usize) {
        let dim = self.head_dim;
        let places: [(usize, usize); R] = std::array::from_fn(|r| self.place(first + r));
        let seen = places[R - 1].1;
        let width = seen.next_multiple_of(16);
        // Later queries see no earlier positions, and panels are read whole.
        let low = self.first(places[0].1) / 16 * 16;
        assert!(self.keys.len() >= width * dim && self.values.len() >= seen * dim, "the cache holds what is seen");
        assert!(places.iter().all(|place| place.0 + dim <= self.queries.len()), "the queries are there");
        if self.scores.len() < R * width {
            self.scores.resize(R * width, 0.0);
        }
        let scores = self.scores.as_mut_ptr();
        // SAFETY: the lengths were just checked; loads are of sixteen at multiples of sixteen inside them, and the
        // outputs of these queries are this call's alone by contract.
        unsafe {
            for panel in (low..width).step_by(16) {
                let keys = self.keys.as_ptr().add(panel * dim);
                let mut sums = [L::splat(0.0); R];
                for i in 0..dim {
                    let key = L::load_half(keys.add(16 * i));
                    for (sum, place) in sums.iter_mut().zip(&places) {
                        *sum = L::splat(*self.queries.get_unchecked(place.0 + i)).fma(key, *sum);
                    }
                }
                for (r, sum) in sums.iter().enumerate() {
                    sum.store(scores.add(r * width + panel));
                }
            }
            for (r, place) in places.iter().enumerate() {
                let scores = std::slice::from_raw_parts_mut(scores.add(r * width + low), width - low);
                let mut scale = self.how.scale;
                if let Some(limit) = self.how.cap {
                    Cap { x: scores, scale, limit }.go::<L>();
                    scale = 1.0;
                }
                Softmax { scores, skip: self.first(place.1) - low, seen: place.1 - low, scale }.go::<L>();
            }
            for column in (0..dim).step_by(16) {
                let mut sums = [L::splat(0.0); R];
                for position in low..seen {
                    let value = L::load_half(self.values.as_ptr().add(position * dim + column));
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = L::splat(*scores.add(r * width + position)).fma(value, *sum);
                    }
                }
                for (sum, place) in sums.iter().zip(&places) {
                    sum.store(self.out.part(place.0 + column, 16).as_mut_ptr());
                }
            }
        }
    }
}

impl Job for Attend<'_> {
    type Output = ();

    /// Needs that nobody else writes the outputs of these queries.
    #[inline(always)]
    unsafe fn go<L: Lanes>(mut self) {
        let rows = self.rows.clone();
        let mut row = rows.start;
        // SAFETY: the blocks stay inside the rows.
        unsafe {
            while row < rows.end {
                let left = (rows.end - row).min(L::ROWS);
                row += match left {
                    8.. => {
                        self.block::<L, 8>(row);
                        8
                    }
                    4.. => {
                        self.block::<L, 4>(row);
                        4
                    }
                    3 => {
                        self.block::<L, 3>(row);
                        3
                    }
                    _ => {
                        self.block::<L, 1>(row);
                        1
                    }
                };
            }
        }
    }
}
