//! The products of a step, shared by threads: forward, to the inputs, and to what changes.
//!
//! Threads split outputs, never sums. A panel of weights is taken apart into floats once for all rows, so weights stay as
//! small as the anchor has them; a group of panels and a block of rows lie in the second cache while they are multiplied.
#![allow(unsafe_code, reason = "threads write to separate columns of the same rows")]

use crate::{
    engine::Engine,
    gemm::{APART, Left, Pack, Times},
    weight::Weight,
};
use hinet_model::kernels::{STRIP, Slots};
use std::ops::Range;

/// Strips that a task multiplies.
const GROUP: usize = 8;
/// Numbers that are summed over before the next panels are taken apart.
const CHUNK: usize = 256;
/// Rows that are multiplied with all panels of a group before the next.
const ROWS: usize = 96;
/// Numbers in a panel.
const PANEL: usize = CHUNK * STRIP;

/// `out = x · Wᵀ` and what the adapter adds.
pub(crate) struct Forward<'a> {
    pub weight: &'a Weight<'a>,
    /// What [`Engine::narrow`] gave.
    pub narrow: Option<&'a [f32]>,
    /// `[rows, width]`.
    pub out: &'a mut [f32],
}

/// One of the products whose gradients flow into the same rows.
#[derive(Clone, Copy)]
pub(crate) struct Back<'a> {
    pub weight: &'a Weight<'a>,
    /// The gradient of the product, `[rows, width]`.
    pub dy: &'a [f32],
    /// The same, packed.
    pub packed: &'a [f32],
    /// What [`Engine::narrow`] gave.
    pub narrow: Option<&'a [f32]>,
    /// The gradient of that.
    pub dnarrow: Option<&'a [f32]>,
}

impl Engine {
    /// `s · x · Aᵀ` of each adapter, `[rows, rank]`, of packed rows.
    pub fn narrow(&self, x: &[f32], weights: &[&Weight<'_>]) -> Vec<Option<Vec<f32>>> {
        let parts: Vec<_> = weights.iter().map(|weight| weight.adapter).collect();
        let columns = weights[0].columns;
        let rows = x.len() / columns;
        let mut out: Vec<Option<Vec<f32>>> =
            parts.iter().map(|part| part.map(|adapter| vec![0.0; rows * adapter.rank])).collect();
        let slots: Vec<_> = out.iter_mut().map(|out| out.as_mut().map(|out| Slots::over(out))).collect();
        if slots.iter().all(Option::is_none) {
            return out;
        }
        self.share(rows.div_ceil(APART), 2, |_, range| {
            let range = range.start * APART..(range.end * APART).min(rows);
            for (adapter, slots) in parts.iter().zip(&slots) {
                let (Some(adapter), Some(slots)) = (adapter, slots) else { continue };
                let rank = adapter.rank;
                // SAFETY: these rows are this task's alone, and all shapes are those of the adapter.
                unsafe {
                    let out = slots.part(range.start * rank, range.len() * rank);
                    self.running.run(Times {
                        rows: range.len(),
                        columns: rank,
                        inner: columns,
                        a: x[range.start * columns..range.end * columns].as_ptr(),
                        left: Left::Packed { columns, from: 0 },
                        b: adapter.a.as_ptr(),
                        b_step: rank,
                        b_strip: STRIP,
                        c: out.as_mut_ptr(),
                        c_row: rank,
                        more: false,
                    });
                    out.iter_mut().for_each(|number| *number *= adapter.scale);
                }
            }
        });
        out
    }

    /// `s · dy · B` of an adapter, `[rows, rank]`, of packed rows.
    pub fn narrow_back(&self, rows: usize, weight: &Weight<'_>, dy: &[f32]) -> Option<Vec<f32>> {
        let adapter = weight.adapter?;
        let (rank, width) = (adapter.rank, weight.width());
        let b = transposed(adapter.b, rank, width);
        let mut out = vec![0.0; rows * rank];
        let slots = Slots::over(&mut out);
        self.share(rows.div_ceil(APART), 2, |_, range| {
            let range = range.start * APART..(range.end * APART).min(rows);
            // SAFETY: these rows are this task's alone, and all shapes are those of the adapter.
            unsafe {
                let out = slots.part(range.start * rank, range.len() * rank);
                self.running.run(Times {
                    rows: range.len(),
                    columns: rank,
                    inner: width,
                    a: dy[range.start * width..range.end * width].as_ptr(),
                    left: Left::Packed { columns: width, from: 0 },
                    b: b.as_ptr(),
                    b_step: rank,
                    b_strip: STRIP,
                    c: out.as_mut_ptr(),
                    c_row: rank,
                    more: false,
                });
                out.iter_mut().for_each(|number| *number *= adapter.scale);
            }
        });
        Some(out)
    }

    /// The products of the same packed rows with several matrices.
    pub fn forward(&self, x: &[f32], all: &mut [Forward<'_>]) {
        let columns = all[0].weight.columns;
        let rows = x.len() / columns;
        let tasks = groups(all.iter().map(|one| one.weight.strips()), GROUP);
        for one in &*all {
            assert!(one.weight.columns == columns && one.out.len() == rows * one.weight.width(), "shapes agree");
        }
        let all: Vec<_> = all.iter_mut().map(|one| (one.weight, one.narrow, Slots::over(one.out))).collect();
        self.crew.run(tasks.len(), |worker, task| {
            let (which, strips) = tasks[task].clone();
            let (weight, narrow, out) = &all[which];
            let width = weight.width();
            let mut room = self.room(worker, GROUP * PANEL);
            for from in (0..columns).step_by(CHUNK) {
                let inner = CHUNK.min(columns - from);
                let mut panels = [std::ptr::null(); GROUP];
                for ((panel, strip), room) in panels.iter_mut().zip(strips.clone()).zip(room.chunks_exact_mut(PANEL)) {
                    *panel = weight.panel(self.running, strip, from..from + inner, room).as_ptr();
                }
                for first in (0..rows).step_by(ROWS) {
                    for (panel, strip) in panels.into_iter().zip(strips.clone()) {
                        // SAFETY: these strips are this task's alone, and all shapes are checked above.
                        unsafe {
                            self.running.run(Times {
                                rows: ROWS.min(rows - first),
                                columns: STRIP,
                                inner,
                                a: x.as_ptr().add(first * columns),
                                left: Left::Packed { columns, from },
                                b: panel,
                                b_step: STRIP,
                                b_strip: STRIP,
                                c: out.at(first * width + strip * STRIP),
                                c_row: width,
                                more: from > 0,
                            });
                        }
                    }
                }
            }
            let Some((adapter, narrow)) = weight.adapter.as_ref().zip(*narrow) else { return };
            let first = strips.start * STRIP;
            assert!(narrow.len() == rows * adapter.rank && adapter.b.len() == adapter.rank * width, "shapes agree");
            // SAFETY: as above.
            unsafe {
                self.running.run(Times {
                    rows,
                    columns: strips.len() * STRIP,
                    inner: adapter.rank,
                    a: narrow.as_ptr(),
                    left: Left::Strided { row: adapter.rank, step: 1 },
                    b: adapter.b.as_ptr().add(first),
                    b_step: width,
                    b_strip: STRIP,
                    c: out.at(first),
                    c_row: width,
                    more: true,
                });
                let Some(lengths) = adapter.lengths else { return };
                for row in 0..rows {
                    let out = out.part(row * width + first, strips.len() * STRIP);
                    for (i, out) in out.iter_mut().enumerate() {
                        *out *= lengths.wanted[first + i] / lengths.found[first + i];
                    }
                }
            }
        });
    }

    /// What the gradients of products say about the rows they were made from; added to `dx` where there is `more`.
    pub fn to_inputs(&self, rows: usize, all: &[Back<'_>], dx: &mut [f32], more: bool) {
        let columns = all[0].weight.columns;
        assert!(dx.len() == rows * columns, "shapes agree");
        let a: Vec<_> = all
            .iter()
            .map(|one| one.weight.adapter.map(|adapter| transposed(adapter.a, columns, adapter.rank)))
            .collect();
        let tasks = groups([columns / STRIP].into_iter(), GROUP);
        let out = Slots::over(dx);
        self.crew.run(tasks.len(), |worker, task| {
            let (_, strips) = tasks[task].clone();
            let first_column = strips.start * STRIP;
            let these = first_column..strips.end * STRIP;
            let mut more = more;
            let mut room = self.room(worker, GROUP * PANEL);
            for (one, a) in all.iter().zip(&a) {
                let (weight, width) = (one.weight, one.weight.width());
                assert!(weight.columns == columns && one.packed.len() == rows * width, "shapes agree");
                for from in (0..width).step_by(CHUNK) {
                    let inner = CHUNK.min(width - from);
                    for strip in 0..inner / STRIP {
                        let room = &mut room[strip * STRIP * STRIP..GROUP * PANEL];
                        weight.across(self.running, from / STRIP + strip, these.clone(), room, PANEL);
                    }
                    for first in (0..rows).step_by(ROWS) {
                        for (panel, strip) in room.chunks_exact(PANEL).zip(strips.clone()) {
                            // SAFETY: these columns are this task's alone, and all shapes are checked above.
                            unsafe {
                                self.running.run(Times {
                                    rows: ROWS.min(rows - first),
                                    columns: STRIP,
                                    inner,
                                    a: one.packed.as_ptr().add(first * width),
                                    left: Left::Packed { columns: width, from },
                                    b: panel.as_ptr(),
                                    b_step: STRIP,
                                    b_strip: STRIP,
                                    c: out.at(first * columns + strip * STRIP),
                                    c_row: columns,
                                    more,
                                });
                            }
                        }
                    }
                    more = true;
                }
                let (Some(adapter), Some(a), Some(dnarrow)) = (weight.adapter, a, one.dnarrow) else { continue };
                assert!(dnarrow.len() == rows * adapter.rank, "shapes agree");
                // SAFETY: as above.
                unsafe {
                    self.running.run(Times {
                        rows,
                        columns: these.len(),
                        inner: adapter.rank,
                        a: dnarrow.as_ptr(),
                        left: Left::Strided { row: adapter.rank, step: 1 },
                        b: a.as_ptr().add(first_column),
                        b_step: columns,
                        b_strip: STRIP,
                        c: out.at(first_column),
                        c_row: columns,
                        more: true,
                    });
                }
            }
        });
    }

    /// Adds what the gradients of products say about factors and weights.
    pub fn to_weights(&self, rows: usize, x: &[f32], all: &[Back<'_>], grads: &mut [f32]) {
        for one in all {
            self.to_factors(rows, x, one, grads);
            self.to_numbers(rows, x, one, grads);
        }
    }

    fn to_factors(&self, rows: usize, x: &[f32], one: &Back<'_>, grads: &mut [f32]) {
        let (Some(adapter), Some(narrow), Some(dnarrow)) = (one.weight.adapter, one.narrow, one.dnarrow) else {
            return;
        };
        let (rank, columns, width) = (adapter.rank, one.weight.columns, one.weight.width());
        assert!(narrow.len() == rows * rank && dnarrow.len() == rows * rank, "shapes agree");
        assert!(x.len() == rows * columns && one.dy.len() == rows * width, "shapes agree");
        let a = Slots::over(&mut grads[adapter.a_at..][..columns * rank]);
        self.share(columns, 24, |_, range| {
            // SAFETY: these rows of the gradient are this task's alone, and all shapes are checked above.
            unsafe {
                self.running.run(Times {
                    rows: range.len(),
                    columns: rank,
                    inner: rows,
                    a: x.as_ptr().add(range.start),
                    left: Left::Flat { step: columns },
                    b: dnarrow.as_ptr(),
                    b_step: rank,
                    b_strip: STRIP,
                    c: a.at(range.start * rank),
                    c_row: rank,
                    more: true,
                });
            }
        });
        let b = Slots::over(&mut grads[adapter.b_at..][..rank * width]);
        self.share(width / STRIP, 2, |_, range| {
            // SAFETY: these columns of the gradient are this task's alone, and all shapes are checked above.
            unsafe {
                self.running.run(Times {
                    rows: rank,
                    columns: range.len() * STRIP,
                    inner: rows,
                    a: narrow.as_ptr(),
                    left: Left::Flat { step: rank },
                    b: one.dy.as_ptr().add(range.start * STRIP),
                    b_step: width,
                    b_strip: STRIP,
                    c: b.at(range.start * STRIP),
                    c_row: width,
                    more: true,
                });
            }
        });
    }

    fn to_numbers(&self, rows: usize, x: &[f32], one: &Back<'_>, grads: &mut [f32]) {
        let Some(at) = one.weight.at else { return };
        let (columns, width) = (one.weight.columns, one.weight.width());
        assert!(x.len() == rows * columns && one.dy.len() == rows * width, "shapes agree");
        let mut turned = self.packs().take(x.len());
        let slots = Slots::over(&mut turned);
        self.share(columns.div_ceil(APART), 2, |_, range| {
            let (first, last) = (range.start * APART, (range.end * APART).min(columns));
            // SAFETY: these columns are this task's alone.
            let to = unsafe { slots.part(first * rows, (last - first) * rows) };
            let pack = Pack { rows: last - first, columns: rows, from: &x[first..], row: 1, step: columns, to };
            // SAFETY: the job asks for nothing.
            unsafe { self.running.run(pack) };
        });
        let out = Slots::over(&mut grads[at..][..width * columns]);
        self.share(width / STRIP, 1, |worker, strips| {
            let mut room = self.room(worker, PANEL);
            for strip in strips {
                for first in (0..rows).step_by(CHUNK) {
                    let inner = CHUNK.min(rows - first);
                    for (i, to) in room.chunks_exact_mut(STRIP).take(inner).enumerate() {
                        to.copy_from_slice(&one.dy[(first + i) * width + strip * STRIP..][..STRIP]);
                    }
                    // SAFETY: this strip of the gradient is this task's alone, and all shapes are checked above.
                    unsafe {
                        self.running.run(Times {
                            rows: columns,
                            columns: STRIP,
                            inner,
                            a: turned.as_ptr(),
                            left: Left::Packed { columns: rows, from: first },
                            b: room.as_ptr(),
                            b_step: STRIP,
                            b_strip: STRIP,
                            c: out.at(strip * columns * STRIP),
                            c_row: STRIP,
                            more: true,
                        });
                    }
                }
            }
        });
        self.unpack(turned);
    }
}

/// The strips of several matrices in groups.
fn groups(strips: impl Iterator<Item = usize>, most: usize) -> Vec<(usize, Range<usize>)> {
    let cut = |(which, count): (usize, usize)| {
        (0..count).step_by(most).map(move |from| (which, from..(from + most).min(count)))
    };
    strips.enumerate().flat_map(cut).collect()
}

/// `[rows, columns]` the other way round.
pub(crate) fn transposed(from: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut to = vec![0.0; rows * columns];
    for (row, from) in from.chunks_exact(columns).enumerate() {
        for (column, number) in from.iter().enumerate() {
            to[column * rows + row] = *number;
        }
    }
    to
}
