//! The deltas of one step of a decoder: a plain table of gates, and the thin products of one projection.
//!
//! A step may hold rows of several conversations; each says with [`StepDeltas::set`] which deltas its rows are read
//! with. The columns of the table are kept in one order that depends on the deltas alone, so a row's sums are taken in
//! the same order whatever the other rows want.
//!
//! Both halves of a thin product run in the round of tasks of the plain product: the tasks of `A` are handed out first,
//! and whoever has finished strips of the plain product waits until `A` is done, which it then almost always is.
#![allow(unsafe_code, reason = "threads write to separate parts of one buffer")]

use super::{Resident, resident::Thin};
use crate::kernels::{
    Running, STRIP, Slots,
    matrix::Input,
    thin::{Addend, Narrow, Widen},
};
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroize;

/// Rows in one task of `A`; a multiple of what a kernel keeps in registers.
const ROWS_PER_TASK: usize = 32;
/// Polls before whoever waits lets other programs run.
const WAIT_SPINS: u32 = 10_000;

/// The deltas of a step.
#[derive(Debug, Default)]
pub(crate) struct StepDeltas {
    rows: usize,
    columns: Vec<Column>,
    /// What the projection at hand adds, matrix by matrix and in the order of the columns.
    entries: Vec<Entry>,
    /// The results of `A`: for each row, all entries one after the other.
    thin: Vec<f32>,
    stride: usize,
    tasks: usize,
    done: AtomicUsize,
}

#[derive(Debug)]
struct Column {
    resident: Resident,
    /// A gate for each row.
    gates: Vec<f32>,
    /// Whether one of them is not zero.
    used: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    matrix: usize,
    column: usize,
    slot: usize,
    /// Where it begins in a row of the thin results.
    at: usize,
    strips: usize,
}

/// Counts a task as done when it ends, also when it panics, so that nobody waits for ever.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl StepDeltas {
    /// Begins a step of so many rows, none of which has a delta yet.
    pub(crate) fn begin(&mut self, rows: usize) {
        self.rows = rows;
        for column in &mut self.columns {
            column.gates.clear();
            column.gates.resize(rows, 0.0);
            column.used = false;
        }
    }

    /// Lets one row be read with a delta.
    pub(crate) fn set(&mut self, resident: &Resident, row: usize, gate: f32) {
        let at = self.columns.partition_point(|column| column.resident.order() < resident.order());
        if self.columns.get(at).is_none_or(|column| !column.resident.is(resident)) {
            self.columns.insert(at, Column { resident: resident.clone(), gates: vec![0.0; self.rows], used: false });
        }
        self.columns[at].gates[row] = gate;
        self.columns[at].used = true;
    }

    /// Lets go of the deltas, so that their memory can be given back.
    pub(crate) fn release(&mut self) {
        self.columns.clear();
    }

    /// Overwrites what was computed.
    pub(crate) fn wipe(&mut self) {
        self.thin.zeroize();
    }

    /// Finds out what is added to the matrices of these slots, and makes room for it.
    pub(crate) fn plan(&mut self, slots: &[Option<usize>], rows: usize) -> Slots<f32> {
        self.entries.clear();
        (self.stride, self.tasks) = (0, 0);
        let parts = rows.div_ceil(ROWS_PER_TASK);
        for (matrix, slot) in slots.iter().enumerate() {
            let Some(slot) = *slot else { continue };
            for (index, column) in self.columns.iter().enumerate().filter(|(_, column)| column.used) {
                let Some(thin) = column.resident.thin(slot) else { continue };
                assert_eq!(rows, self.rows, "a step has the rows its gates were given for");
                let strips = thin.rank.div_ceil(STRIP);
                self.entries.push(Entry { matrix, column: index, slot, at: self.stride, strips });
                self.stride += strips * STRIP;
                self.tasks += strips * parts;
            }
        }
        self.thin.resize(rows * self.stride, 0.0);
        *self.done.get_mut() = 0;
        Slots::over(&mut self.thin)
    }

    /// Tasks of `A` in the projection that was planned.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks
    }

    /// Whether the projection wants its input rounded to int8.
    pub(crate) fn wants_rounded(&self) -> bool {
        self.entries.iter().any(|entry| self.part(entry).0.inward.is_quantised())
    }

    fn part(&self, entry: &Entry) -> (&Thin, &[f32]) {
        let column = &self.columns[entry.column];
        (column.resident.thin(entry.slot).expect("an entry was made from it"), &column.gates)
    }

    /// Carries out one of the tasks of `A`.
    ///
    /// # Safety
    /// Each task is carried out once, with the slots that [`StepDeltas::plan`] gave.
    pub(crate) unsafe fn narrow(&self, running: Running, task: usize, input: Input<'_>, into: Slots<f32>) {
        let _done = Done(&self.done);
        let parts = input.rows.div_ceil(ROWS_PER_TASK);
        let (mut strip, part) = (task / parts, task % parts);
        for entry in &self.entries {
            if strip >= entry.strips {
                strip -= entry.strips;
                continue;
            }
            let (thin, gates) = self.part(entry);
            let job = Narrow {
                factor: &thin.inward,
                strip,
                floats: input.floats,
                rounded: input.rounded,
                columns: input.floats.len() / input.rows,
                rows: part * ROWS_PER_TASK..((part + 1) * ROWS_PER_TASK).min(input.rows),
                gates,
                scale: thin.scale,
                out: into,
                at: entry.at + strip * STRIP,
                stride: self.stride,
            };
            // SAFETY: each task has its own strip and rows.
            unsafe { running.run(job) };
            return;
        }
    }

    /// Adds to strips of a plain product, of matrix `matrix` among those planned for.
    ///
    /// # Safety
    /// Nobody else uses these columns of `out`, whose rows are `stride` long; all tasks of `A` are carried out by
    /// somebody; `from` are the slots that [`StepDeltas::plan`] gave.
    pub(crate) unsafe fn widen(
        &self,
        running: Running,
        matrix: usize,
        strips: std::ops::Range<usize>,
        from: Slots<f32>,
        out: Slots<f32>,
        stride: usize,
    ) {
        let first = self.entries.partition_point(|entry| entry.matrix < matrix);
        let addends = self.entries.partition_point(|entry| entry.matrix <= matrix) - first;
        if addends == 0 || strips.is_empty() {
            return;
        }
        let mut polls = 0u32;
        while self.done.load(Ordering::Acquire) < self.tasks {
            polls += 1;
            if polls < WAIT_SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let addend = |index: usize| {
            let entry = &self.entries[first + index];
            let (thin, gates) = self.part(entry);
            let stretch = thin.stretch.as_deref();
            Addend { factor: &thin.outward, rank: thin.rank, at: entry.at, gates, stretch }
        };
        // SAFETY: all of `A` is done, so its results are only read from here on; the rest is the caller's promise.
        unsafe {
            let t = from.read(0, self.thin.len());
            let (rows, t_stride) = (self.rows, self.stride);
            running.run(Widen { addend, addends, strips, rows, t, t_stride, out, stride });
        }
    }
}
