//! One forward pass over rows of several sequences, and how its attention is cut into tasks.
//!
//! A step is a list of segments; the rows of a segment follow each other, and those of the first segment come first.
//! How attention is cut decides only who computes what, never what comes out: see [`crate::kernels::attend`].
#![allow(unsafe_code, reason = "threads write to separate parts of one buffer")]

use crate::{
    kernels::{
        Crew, Running, Slots,
        attend::{Attend, BLOCK_POSITIONS, Gather, Heads, How, Into, Queries},
    },
    kv::{KvKind, PageTable},
};
use std::ops::Range;
use zeroize::Zeroize;

/// Queries in one task of attention; a multiple of what a kernel keeps in registers.
const QUERIES_PER_TASK: usize = 32;
/// Tasks per thread below which the positions of short segments are shared out too.
const TASKS_PER_THREAD: usize = 4;

/// Rows of one sequence.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The sequence's pages, with room for these rows.
    pub(crate) table: PageTable,
    /// Position of the first row.
    pub(crate) start: usize,
    /// How many rows.
    pub(crate) rows: usize,
}

/// Some queries of a segment over one key-value head.
#[derive(Debug, Clone)]
struct Task {
    segment: usize,
    first_row: usize,
    kv_head: usize,
    queries: Range<usize>,
    blocks: Range<usize>,
    /// Where partial results of the first query begin, when the task does not have all of its blocks.
    parts: Option<usize>,
}

/// A segment whose blocks are shared out, for one key-value head.
#[derive(Debug, Clone)]
struct Seam {
    task: Task,
    at: usize,
}

/// The segments of a step, and the tasks of its attention.
#[derive(Debug)]
pub(crate) struct Step {
    heads: Heads,
    kv_heads: usize,
    segments: Vec<Segment>,
    /// The position of every row.
    positions: Vec<usize>,
    tasks: Vec<Task>,
    seams: Vec<Seam>,
    parts: Vec<f32>,
    scratch: Vec<Vec<f32>>,
}

impl Step {
    pub(crate) fn new(heads: Heads, kv_heads: usize, threads: usize) -> Self {
        Self {
            heads,
            kv_heads,
            segments: Vec::new(),
            positions: Vec::new(),
            tasks: Vec::new(),
            seams: Vec::new(),
            parts: Vec::new(),
            scratch: (0..threads).map(|_| Vec::new()).collect(),
        }
    }

    /// The position of every row.
    pub(crate) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// Overwrites what was computed, and lets go of the segments.
    pub(crate) fn wipe(&mut self) {
        self.segments.clear();
        self.parts.zeroize();
        self.scratch.iter_mut().for_each(Zeroize::zeroize);
    }

    /// Begins a step over these segments.
    pub(crate) fn begin(&mut self, segments: impl Iterator<Item = Segment>) {
        self.segments.clear();
        self.segments.extend(segments);
        self.positions.clear();
        for segment in &self.segments {
            self.positions.extend(segment.start..segment.start + segment.rows);
        }
        self.cut();
    }

    /// Ends the step, and gives the sequences their pages back.
    pub(crate) fn end(&mut self) -> impl Iterator<Item = PageTable> {
        self.segments.drain(..).map(|segment| segment.table)
    }

    fn cut(&mut self) {
        self.tasks.clear();
        self.seams.clear();
        let whole = |segment: &Segment| (segment.rows * self.heads.group).div_ceil(QUERIES_PER_TASK);
        let count = self.kv_heads * self.segments.iter().map(whole).sum::<usize>();
        let short_of_tasks = self.scratch.len() > 1 && count < self.scratch.len() * TASKS_PER_THREAD;
        let (mut first_row, mut room) = (0, 0);
        for (index, segment) in self.segments.iter().enumerate() {
            let queries = segment.rows * self.heads.group;
            let blocks = (segment.start + segment.rows).div_ceil(BLOCK_POSITIONS);
            let apart = short_of_tasks && queries <= QUERIES_PER_TASK && blocks > 1;
            for kv_head in 0..self.kv_heads {
                let task = |queries, blocks, parts| Task { segment: index, first_row, kv_head, queries, blocks, parts };
                if apart {
                    self.seams.push(Seam { task: task(0..queries, 0..blocks, None), at: room });
                    self.tasks.extend((0..blocks).map(|block| task(0..queries, block..block + 1, Some(room))));
                    room += queries * blocks * self.heads.part();
                } else {
                    let parts = (0..queries).step_by(QUERIES_PER_TASK);
                    let parts = parts.map(|first| first..(first + QUERIES_PER_TASK).min(queries));
                    self.tasks.extend(parts.map(|part| task(part, 0..blocks, None)));
                }
            }
            first_row += segment.rows;
        }
        if self.parts.len() < room {
            self.parts.resize(room, 0.0);
        }
        // What takes longest goes first, and the short ones fill up the end.
        let segments = &self.segments;
        self.tasks.sort_unstable_by_key(|task| {
            let seen = segments[task.segment].start + task.queries.end / self.heads.group;
            let positions = (task.blocks.len() * BLOCK_POSITIONS).min(seen);
            std::cmp::Reverse(positions * task.queries.len())
        });
    }

    /// Stores the keys and values of all rows, and attends to them.
    pub(crate) fn attention(
        &mut self,
        running: Running,
        crew: &Crew,
        layer: usize,
        how: How,
        [queries, keys, values]: [&[f32]; 3],
        out: &mut [f32],
    ) {
        let width = self.kv_heads * self.heads.head_dim;
        let mut rows = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for segment in &mut self.segments {
            for (row, (key, value)) in rows.by_ref().take(segment.rows).enumerate() {
                segment.table.store(layer, segment.start + row, key, value);
            }
        }
        let out = Slots::over(out);
        let (parts, scratch) = (Slots::over(&mut self.parts), Slots::over(&mut self.scratch));
        let (heads, segments, tasks) = (self.heads, &self.segments, &self.tasks);
        let asked = |task: &Task| Queries {
            all: queries,
            first_row: task.first_row,
            start: segments[task.segment].start,
            kv_head: task.kv_head,
            how,
        };
        crew.run(tasks.len(), |worker, index| {
            let task = &tasks[index];
            let segment = &segments[task.segment];
            let into = match task.parts {
                None => Into::Rows(out),
                Some(at) => {
                    let blocks = (segment.start + segment.rows).div_ceil(BLOCK_POSITIONS);
                    Into::Parts { slots: parts, at, blocks }
                }
            };
            // SAFETY: each worker has its own scratch, and each task its own queries and blocks.
            unsafe {
                let scratch = &mut scratch.part(worker, 1)[0];
                macro_rules! attend {
                    ($cell:ty) => {
                        running.run(Attend {
                            pages: segment.table.head::<$cell>(layer, task.kv_head),
                            heads,
                            queries: asked(task),
                            rows: task.queries.clone(),
                            blocks: task.blocks.clone(),
                            into,
                            scratch,
                        })
                    };
                }
                match segment.table.kind() {
                    KvKind::F16 => attend!(u16),
                    KvKind::Int8 => attend!(i8),
                }
            }
        });
        for Seam { task, at } in &self.seams {
            let (queries, rows, blocks) = (asked(task), task.queries.clone(), task.blocks.len());
            let parts = &mut self.parts[*at..][..rows.len() * blocks * heads.part()];
            // SAFETY: all tasks are done, and nobody else writes.
            unsafe { running.run(Gather { heads, queries, rows, parts, blocks, out }) };
        }
    }
}
