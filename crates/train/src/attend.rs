//! Causal attention within segments of packed rows, and the way back.
//!
//! A task is one head of keys in one segment, with all query heads that it serves. Weights are computed for blocks of
//! queries, forward and again on the way back, so that nothing of the size of a square is kept.
#![allow(unsafe_code, reason = "threads write to separate columns and rows of the same buffers")]

use crate::{
    engine::Engine,
    gemm::{Left, Times},
    rowwise::CapBack,
};
use hinet_model::{
    Attention,
    kernels::{
        Running, Slots,
        rowwise::{Cap, Softmax, Weigh},
    },
};
use std::ops::Range;

/// Queries whose weights are computed at once.
const BLOCK: usize = 48;

/// The shape of heads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub queries: usize,
    pub keys: usize,
    pub dims: usize,
}

impl Heads {
    fn group(self) -> usize {
        self.queries / self.keys
    }
    fn query_width(self) -> usize {
        self.queries * self.dims
    }
    fn key_width(self) -> usize {
        self.keys * self.dims
    }
}

/// Queries, keys and values, `[rows, heads · dims]`.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub queries: &'a [f32],
    pub keys: &'a [f32],
    pub values: &'a [f32],
}

/// Attention of one kind over some segments.
pub(crate) struct Attend<'a> {
    pub engine: &'a Engine,
    pub heads: Heads,
    pub how: Attention,
    pub segments: &'a [Range<usize>],
}

/// One task.
struct Task<'a> {
    attend: &'a Attend<'a>,
    rows: Range<usize>,
    head: usize,
    /// Length of the segment, filled up to a multiple of sixteen.
    long: usize,
}

impl Attend<'_> {
    fn each(&self, job: impl Fn(usize, Task<'_>) + Sync) {
        let keys = self.heads.keys;
        self.engine.crew.run(self.segments.len() * keys, |worker, task| {
            let rows = self.segments[task / keys].clone();
            let long = rows.len().next_multiple_of(16);
            job(worker, Task { attend: self, rows, head: task % keys, long });
        });
    }

    /// What the queries gather, to `out`, which is as long as the queries.
    pub fn forward(&self, seen: Seen<'_>, out: &mut [f32]) {
        let width = self.heads.query_width();
        assert!(out.len() == seen.queries.len(), "shapes agree");
        let out = Slots::over(out);
        self.each(|worker, task| {
            let (dims, long) = (self.heads.dims, task.long);
            let mut room = self.engine.room(worker, long * dims + BLOCK * long);
            let (keys, weights) = room.split_at_mut(long * dims);
            task.turned(seen.keys, keys);
            task.blocks(|head, queries| {
                let range = task.keys(&queries);
                let weights = &mut weights[..queries.len() * long];
                task.weights(seen.queries, keys, head, &queries, weights);
                // SAFETY: the columns of this head in these rows are this task's alone, and segments lie inside the rows.
                unsafe {
                    self.engine.running.run(Times {
                        rows: queries.len(),
                        columns: dims,
                        inner: range.len(),
                        a: weights.as_ptr().add(range.start),
                        left: Left::Strided { row: long, step: 1 },
                        b: task.key_row(seen.values, range.start),
                        b_step: self.heads.key_width(),
                        b_strip: 16,
                        c: out.at((task.rows.start + queries.start) * width + head * dims),
                        c_row: width,
                        more: false,
                    });
                }
            });
        });
    }

    /// From the gradient of what was gathered to those of queries, keys and values, which begin at zero.
    pub fn back(&self, seen: Seen<'_>, dout: &[f32], dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
        let (width, key_width, dims) = (self.heads.query_width(), self.heads.key_width(), self.heads.dims);
        assert!(dout.len() == seen.queries.len() && dq.len() == dout.len(), "shapes agree");
        assert!(dk.len() == seen.keys.len() && dv.len() == dk.len(), "shapes agree");
        let (dq, dk, dv) = (Slots::over(dq), Slots::over(dk), Slots::over(dv));
        self.each(|worker, task| {
            let long = task.long;
            let mut room = self.engine.room(worker, 2 * long * dims + 3 * BLOCK * long);
            let (keys, rest) = room.split_at_mut(long * dims);
            let (values, rest) = rest.split_at_mut(long * dims);
            let (weights, rest) = rest.split_at_mut(BLOCK * long);
            let (changes, capped) = rest.split_at_mut(BLOCK * long);
            task.turned(seen.keys, keys);
            task.turned(seen.values, values);
            let first_key = task.rows.start * key_width + task.head * dims;
            task.blocks(|head, queries| {
                let range = task.keys(&queries);
                let count = queries.len() * long;
                let (weights, changes) = (&mut weights[..count], &mut changes[..count]);
                task.weights_capped(seen.queries, keys, head, &queries, weights, Some(&mut capped[..count]));
                let at = (task.rows.start + queries.start) * width + head * dims;
                task.scores(dout[at..].as_ptr(), values, &queries, changes);
                for (row, query) in queries.clone().enumerate() {
                    let line = row * long..(row + 1) * long;
                    let part = line.start + range.start..line.start + range.end.next_multiple_of(16);
                    let seen = task.seen(query).start - range.start..query + 1 - range.start;
                    task.change(seen, &weights[part.clone()], &capped[part.clone()], &mut changes[part]);
                }
                let times = Times {
                    rows: queries.len(),
                    columns: dims,
                    inner: range.len(),
                    a: changes[range.start..].as_ptr(),
                    left: Left::Strided { row: long, step: 1 },
                    b: task.key_row(seen.keys, range.start),
                    b_step: key_width,
                    b_strip: 16,
                    // SAFETY: the segment lies inside the rows.
                    c: unsafe { dq.at(at) },
                    c_row: width,
                    more: false,
                };
                let flipped = Times {
                    rows: range.len(),
                    inner: queries.len(),
                    left: Left::Flat { step: long },
                    b_step: width,
                    c_row: key_width,
                    more: true,
                    ..times
                };
                // SAFETY: the columns of this head in the rows of this segment are this task's alone.
                unsafe {
                    let key = first_key + range.start * key_width;
                    self.engine.running.run(times);
                    self.engine.running.run(Times { b: seen.queries[at..].as_ptr(), c: dk.at(key), ..flipped });
                    let a = weights[range.start..].as_ptr();
                    self.engine.running.run(Times { a, b: dout[at..].as_ptr(), c: dv.at(key), ..flipped });
                }
            });
        });
    }
}

impl Task<'_> {
    fn running(&self) -> Running {
        self.attend.engine.running
    }

    /// Calls `job` for each head and block of queries, counted within the segment.
    fn blocks(&self, mut job: impl FnMut(usize, Range<usize>)) {
        let group = self.attend.heads.group();
        for head in self.head * group..(self.head + 1) * group {
            for first in (0..self.rows.len()).step_by(BLOCK) {
                job(head, first..(first + BLOCK).min(self.rows.len()));
            }
        }
    }

    /// Where the key head has its numbers at a position of the segment.
    fn key_row(&self, all: &[f32], position: usize) -> *const f32 {
        let heads = self.attend.heads;
        all[(self.rows.start + position) * heads.key_width() + self.head * heads.dims..].as_ptr()
    }

    /// Positions that a query sees.
    fn seen(&self, query: usize) -> Range<usize> {
        let first = self.attend.how.window.map_or(0, |window| (query + 1).saturating_sub(window));
        first..query + 1
    }

    /// Positions that any of these queries sees, the first a multiple of sixteen.
    fn keys(&self, queries: &Range<usize>) -> Range<usize> {
        self.seen(queries.start).start / 16 * 16..queries.end
    }

    /// The head of keys or values of the segment, number by number: `[dims, long]`.
    fn turned(&self, all: &[f32], out: &mut [f32]) {
        let heads = self.attend.heads;
        out.fill(0.0);
        for (at, row) in
            all[self.rows.start * heads.key_width()..].chunks(heads.key_width()).take(self.rows.len()).enumerate()
        {
            for (dim, number) in row[self.head * heads.dims..][..heads.dims].iter().enumerate() {
                out[dim * self.long + at] = *number;
            }
        }
    }

    /// Products of the rows of a query head with what [`Task::turned`] gave.
    fn scores(&self, rows: *const f32, turned: &[f32], queries: &Range<usize>, out: &mut [f32]) {
        let (heads, range) = (self.attend.heads, self.keys(queries));
        let times = Times {
            rows: queries.len(),
            columns: range.end.next_multiple_of(16) - range.start,
            inner: heads.dims,
            a: rows,
            left: Left::Strided { row: heads.query_width(), step: 1 },
            b: turned[range.start..].as_ptr(),
            b_step: self.long,
            b_strip: 16,
            c: out[range.start..].as_mut_ptr(),
            c_row: self.long,
            more: false,
        };
        // SAFETY: `turned` and `out` have `long` numbers for each dimension and query, and `rows` has these queries.
        unsafe { self.running().run(times) };
    }

    fn weights(&self, all: &[f32], keys: &[f32], head: usize, queries: &Range<usize>, out: &mut [f32]) {
        self.weights_capped(all, keys, head, queries, out, None);
    }

    /// How much each of the queries weighs each position, and the scores that came out of the soft cap.
    fn weights_capped(
        &self,
        all: &[f32],
        keys: &[f32],
        head: usize,
        queries: &Range<usize>,
        out: &mut [f32],
        mut capped: Option<&mut [f32]>,
    ) {
        let heads = self.attend.heads;
        let first = (self.rows.start + queries.start) * heads.query_width() + head * heads.dims;
        self.scores(all[first..].as_ptr(), keys, queries, out);
        let (how, range) = (self.attend.how, self.keys(queries));
        let end = range.end.next_multiple_of(16);
        for (row, query) in queries.clone().enumerate() {
            let line = &mut out[row * self.long..(row + 1) * self.long];
            let scores = &mut line[range.start..end];
            let mut scale = how.scale;
            if let Some(limit) = how.cap {
                // SAFETY: the job asks for nothing.
                unsafe { self.running().run(Cap { x: &mut *scores, scale, limit }) };
                scale = 1.0;
                if let Some(capped) = &mut capped {
                    capped[row * self.long + range.start..][..scores.len()].copy_from_slice(scores);
                }
            }
            let seen = self.seen(query);
            let seen = seen.start - range.start..seen.end - range.start;
            // SAFETY: the jobs ask for nothing.
            unsafe {
                if seen.start == 0 {
                    self.running().run(Softmax { scores, seen: seen.end, scale });
                } else {
                    let (_, sum) = self.running().run(Weigh { scores: &mut *scores, seen, scale });
                    scores.iter_mut().for_each(|score| *score /= sum);
                }
            }
        }
    }

    /// Turns the gradients of one query's weights into those of its scores.
    fn change(&self, seen: Range<usize>, weights: &[f32], capped: &[f32], changes: &mut [f32]) {
        let how = self.attend.how;
        let low = seen.start / 16 * 16;
        let high = seen.end.next_multiple_of(16);
        let mut dots = [0f32; 16];
        for (w, d) in weights[low..high].chunks_exact(16).zip(changes[low..high].chunks_exact(16)) {
            dots.iter_mut().zip(w.iter().zip(d)).for_each(|(dot, (w, d))| *dot += w * d);
        }
        let dot: f32 = dots.iter().sum();
        // Scores after a cap are scaled before it.
        for (d, w) in changes.iter_mut().zip(weights) {
            *d = w * (*d - dot) * how.scale;
        }
        if let Some(limit) = how.cap {
            // SAFETY: the job asks for nothing.
            unsafe { self.running().run(CapBack { y: &capped[low..high], dy: &mut changes[low..high], limit }) };
        }
    }
}
