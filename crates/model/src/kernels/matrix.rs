//! A matrix of weights, stored for multiplying, and the multiplication of some of its strips.
#![allow(unsafe_code, reason = "threads write to separate columns of the same rows")]

use super::{
    BLOCK, Crew, Int8Rows, Job, Kernel, Q4Block, Q4KBlock, Q4MinBlock, Q5Block, Q5KBlock, Q5MinBlock, Q6KBlock,
    Q8Block, Running, STRIP, Slots, dense,
    lanes::{Lanes, widen},
    pack::Packed,
    rowwise::Round,
    strip::{self, Output},
};
use crate::{ModelError, shelf::Shelf};

/// How the strips of a matrix are stored.
#[derive(Debug)]
pub enum Strips {
    /// Four bits with a scale per 32 columns.
    Q4(Shelf<Q4Block>),
    /// Four bits with a scale and a minimum per 32 columns.
    Q4Min(Shelf<Q4MinBlock>),
    /// Five bits with a scale per 32 columns.
    Q5(Shelf<Q5Block>),
    /// Five bits with a scale and a minimum per 32 columns.
    Q5Min(Shelf<Q5MinBlock>),
    /// Eight bits with a scale per 32 columns.
    Q8(Shelf<Q8Block>),
    /// Four bits with whole scales and minimums per 32 columns of 256.
    Q4K(Shelf<Q4KBlock>),
    /// Five bits with whole scales and minimums per 32 columns of 256.
    Q5K(Shelf<Q5KBlock>),
    /// Six bits with whole scales per 16 columns of 256.
    Q6K(Shelf<Q6KBlock>),
    /// Half floats: for every column, sixteen rows.
    Half(Shelf<u16>),
    /// The upper halves of floats: for every column, sixteen rows.
    Brain(Shelf<u16>),
    /// Floats: for every column, sixteen rows.
    Dense(Shelf<f32>),
}

/// A matrix of weights, `[rows, columns]`, in strips of sixteen rows; the last strip is filled up with zeros.
#[derive(Debug)]
pub struct Matrix {
    /// Outputs.
    pub rows: usize,
    /// Inputs; a multiple of 32.
    pub columns: usize,
    /// The weights.
    pub strips: Strips,
    /// Which of a model's matrices this is, for what may be added to its products.
    pub slot: Option<usize>,
}

/// Does the same with the blocks of every quantised kind, or with the numbers of the others.
macro_rules! each_kind {
    ($strips:expr, $blocks:ident => $quantised:expr, $numbers:ident as $load:ident => $other:expr) => {
        match $strips {
            Strips::Q4($blocks) => $quantised,
            Strips::Q4Min($blocks) => $quantised,
            Strips::Q5($blocks) => $quantised,
            Strips::Q5Min($blocks) => $quantised,
            Strips::Q8($blocks) => $quantised,
            Strips::Q4K($blocks) => $quantised,
            Strips::Q5K($blocks) => $quantised,
            Strips::Q6K($blocks) => $quantised,
            Strips::Half($numbers) => {
                let $load = dense::halves;
                $other
            }
            Strips::Brain($numbers) => {
                let $load = dense::brains;
                $other
            }
            Strips::Dense($numbers) => {
                let $load = dense::floats;
                $other
            }
        }
    };
}

impl Matrix {
    /// Strips of sixteen rows.
    #[must_use]
    pub fn strip_count(&self) -> usize {
        self.rows.div_ceil(STRIP)
    }

    /// Whether the inputs are wanted rounded to int8.
    #[must_use]
    pub fn is_quantised(&self) -> bool {
        !matches!(self.strips, Strips::Half(_) | Strips::Brain(_) | Strips::Dense(_))
    }

    /// Bytes the weights take in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        each_kind!(&self.strips, blocks => size_of_val(&blocks[..]), numbers as load => size_of_val(load(numbers)))
    }

    /// Writes one row as floats.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows && out.len() == self.columns, "the row is one of the matrix");
        let (strip, row) = (row / STRIP, row % STRIP);
        match &self.strips {
            Strips::Q4(all) => row_of(all, strip, row, out),
            Strips::Q4Min(all) => row_of(all, strip, row, out),
            Strips::Q5(all) => row_of(all, strip, row, out),
            Strips::Q5Min(all) => row_of(all, strip, row, out),
            Strips::Q8(all) => row_of(all, strip, row, out),
            Strips::Q4K(all) => row_of(all, strip, row, out),
            Strips::Q5K(all) => row_of(all, strip, row, out),
            Strips::Q6K(all) => row_of(all, strip, row, out),
            Strips::Half(all) => column_of(all, strip, row, out, |bits| widen(*bits)),
            Strips::Brain(all) => column_of(all, strip, row, out, |bits| f32::from_bits(u32::from(*bits) << 16)),
            Strips::Dense(all) => column_of(all, strip, row, out, |number| *number),
        }
    }

    /// Multiplies strips `strips` with every row of the input, and writes to the columns `16 · strips` of `out`, whose
    /// rows are `16 · strip_count` long.
    ///
    /// # Safety
    /// Nobody else uses these columns of `out` meanwhile, and `out` has `input.rows()` rows.
    pub(crate) unsafe fn multiply(
        &self,
        running: Running,
        strips: std::ops::Range<usize>,
        input: Input<'_>,
        out: Slots<f32>,
    ) {
        assert!(strips.end <= self.strip_count() && input.columns() == self.columns, "shapes agree");
        if strips.is_empty() || input.rows == 0 {
            return;
        }
        // SAFETY: forwarded.
        unsafe { running.run(Multiply { matrix: self, strips, input, out }) }
    }
}

impl Matrix {
    /// Multiplies with rows of floats on this path, shared with the crew; `out` becomes as many rows, each filled up to
    /// a multiple of sixteen. For measuring and checking: a model goes through its own operations.
    pub fn times(
        &self,
        kernel: Kernel,
        crew: &Crew,
        x: &[f32],
        rounded: &mut Int8Rows,
        out: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let running = kernel.checked()?;
        let rows = x.len() / self.columns;
        rounded.shape(rows, self.columns);
        let blocks = rounded.blocks;
        for (x, into) in x.chunks_exact(self.columns).zip(rounded.data.chunks_exact_mut(blocks)) {
            // SAFETY: rounding asks for nothing.
            unsafe { running.run(Round { x, into }) };
        }
        out.resize(rows * self.strip_count() * STRIP, 0.0);
        let (slots, input) = (Slots::over(out), Input { floats: &x[..rows * self.columns], rounded, rows });
        let (total, tasks) = (self.strip_count(), (crew.threads() * 4).min(self.strip_count()));
        crew.run(tasks, |_, task| {
            // SAFETY: the ranges of the tasks do not overlap, and `out` has these rows.
            unsafe { self.multiply(running, total * task / tasks..total * (task + 1) / tasks, input, slots) }
        });
        Ok(())
    }
}

/// One row of a strip of blocks.
pub(super) fn row_of<F: Packed>(all: &[F], strip: usize, row: usize, out: &mut [f32]) {
    let blocks = out.len() / BLOCK / F::PARTS;
    for (block, out) in all[strip * blocks..][..blocks].iter().zip(out.chunks_exact_mut(BLOCK * F::PARTS)) {
        for (part, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            block.row(part, row, out);
        }
    }
}

/// One row of a strip of numbers.
fn column_of<W>(all: &[W], strip: usize, row: usize, out: &mut [f32], widen: impl Fn(&W) -> f32) {
    let strip = &all[strip * out.len() * STRIP..][..out.len() * STRIP];
    for (out, column) in out.iter_mut().zip(strip.chunks_exact(STRIP)) {
        *out = widen(&column[row]);
    }
}

/// What a matrix is multiplied with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// The rows as floats.
    pub floats: &'a [f32],
    /// The same rows rounded; filled where a quantised matrix is among those to multiply.
    pub rounded: &'a Int8Rows,
    /// How many rows.
    pub rows: usize,
}

impl Input<'_> {
    fn columns(&self) -> usize {
        self.floats.len() / self.rows.max(1)
    }
}

struct Multiply<'a> {
    matrix: &'a Matrix,
    strips: std::ops::Range<usize>,
    input: Input<'a>,
    out: Slots<f32>,
}

impl Job for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let Self { matrix, strips, input, out } = self;
        let (columns, rows) = (matrix.columns, input.rows);
        // SAFETY: `out` has room for these rows, and the columns are this call's alone.
        unsafe {
            let out = Output { to: out.at(0), stride: matrix.strip_count() * STRIP };
            each_kind!(&matrix.strips,
                all => strip::multiply::<L, _>(all, columns / BLOCK, strips, input.rounded, rows, out),
                all as load => dense::multiply::<L, _>(load(all), columns, strips, input.floats, rows, out)
            );
        }
    }
}
