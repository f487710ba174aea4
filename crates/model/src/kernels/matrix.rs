//! A matrix of weights, stored for multiplying, and the multiplication of some of its strips.
#![allow(unsafe_code, reason = "threads write to separate columns of the same rows")]

use super::{BLOCK, Int8Rows, Job, Q4Block, Q8Block, Running, STRIP, Slots, lanes::Lanes};

/// How the strips of a matrix are stored.
#[derive(Debug)]
pub enum Strips {
    /// Four bits with a scale and a minimum per 32 columns.
    Q4(Vec<Q4Block>),
    /// Eight bits with a scale per 32 columns.
    Q8(Vec<Q8Block>),
    /// Floats: for every column, sixteen rows.
    Dense(Vec<f32>),
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

impl Matrix {
    /// Strips of sixteen rows.
    #[must_use]
    pub fn strip_count(&self) -> usize {
        self.rows.div_ceil(STRIP)
    }

    /// Whether the inputs are wanted rounded to int8.
    #[must_use]
    pub fn is_quantised(&self) -> bool {
        !matches!(self.strips, Strips::Dense(_))
    }

    /// Writes one row as floats.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows && out.len() == self.columns, "the row is one of the matrix");
        let (strip, row) = (row / STRIP, row % STRIP);
        let blocks = self.columns / BLOCK;
        match &self.strips {
            Strips::Q4(all) => {
                for (block, out) in all[strip * blocks..][..blocks].iter().zip(out.chunks_exact_mut(BLOCK)) {
                    block.row(row, out);
                }
            }
            Strips::Q8(all) => {
                for (block, out) in all[strip * blocks..][..blocks].iter().zip(out.chunks_exact_mut(BLOCK)) {
                    block.row(row, out);
                }
            }
            Strips::Dense(all) => {
                let strip = &all[strip * self.columns * STRIP..][..self.columns * STRIP];
                for (out, column) in out.iter_mut().zip(strip.chunks_exact(STRIP)) {
                    *out = column[row];
                }
            }
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
        // SAFETY: forwarded.
        unsafe { running.run(Multiply { matrix: self, strips, input, out }) }
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
        let stride = matrix.strip_count() * STRIP;
        let blocks = matrix.columns / BLOCK;
        if matrix.is_quantised() {
            let rounded = input.rounded;
            assert!(rounded.blocks == blocks && rounded.data.len() >= input.rows * blocks, "the rows were rounded");
        }
        for strip in strips {
            let mut row = 0;
            while row < input.rows {
                // SAFETY: the input has these rows, `out` has room for them, and the columns are this call's alone.
                unsafe {
                    let to = out.at(row * stride + strip * STRIP);
                    macro_rules! rows {
                        ($t:literal) => {{
                            match &matrix.strips {
                                Strips::Q4(all) => {
                                    L::strip_q4::<$t>(&all[strip * blocks..][..blocks], input.rounded, row, to, stride);
                                }
                                Strips::Q8(all) => {
                                    L::strip_q8::<$t>(&all[strip * blocks..][..blocks], input.rounded, row, to, stride);
                                }
                                Strips::Dense(all) => {
                                    let length = matrix.columns * STRIP;
                                    dense::<L, $t>(&all[strip * length..][..length], input.floats, row, to, stride);
                                }
                            }
                            $t
                        }};
                    }
                    row += match (input.rows - row).min(L::ROWS) {
                        8.. => rows!(8),
                        4.. => rows!(4),
                        2.. => rows!(2),
                        _ => rows!(1),
                    };
                }
            }
        }
    }
}

/// # Safety
/// `out` is good for sixteen floats at each of `T` steps of `stride`, and `x` holds `first + T` rows.
#[inline(always)]
unsafe fn dense<L: Lanes, const T: usize>(strip: &[f32], x: &[f32], first: usize, out: *mut f32, stride: usize) {
    let columns = strip.len() / STRIP;
    assert!(x.len() >= (first + T) * columns, "the input has these rows");
    // SAFETY: inside the slices by the check above.
    unsafe {
        let mut sums = [L::splat(0.0); T];
        for column in 0..columns {
            let weights = L::load(strip.as_ptr().add(column * STRIP));
            for (t, sum) in sums.iter_mut().enumerate() {
                *sum = L::splat(*x.get_unchecked((first + t) * columns + column)).fma(weights, *sum);
            }
        }
        for (t, sum) in sums.iter().enumerate() {
            sum.store(out.add(t * stride));
        }
    }
}
