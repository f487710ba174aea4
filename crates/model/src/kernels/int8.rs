//! Quantised matrices, repacked once so that sixteen rows are multiplied at a time, and their plain kernels.
//!
//! A *strip* is sixteen rows of a matrix, stored as blocks of 32 columns. Inside a block, the four columns `4g..4g+4` of
//! row 0, row 1, … row 15 lie one after the other, which is what the int8 dot instructions eat. Activations are rounded
//! to int8 per 32 columns with their own scale. The integer part of a product is exact on every path; each block then
//! adds to its output with two fused multiply-adds in the order of the columns, so every path gives the same bits.
#![allow(unsafe_code, reason = "outputs are written through a pointer, because threads share the rows they write to")]

use super::lanes::{fused, widen};
use zeroize::Zeroize;

/// Rows in a strip.
pub const STRIP: usize = 16;
/// Columns in a block.
pub const BLOCK: usize = 32;

/// Sixteen rows × 32 columns of four-bit weights: `scale · q + min`.
///
/// Byte `64g + 4r + i` holds column `4g + i` of row `r` below and column `16 + 4g + i` above.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Q4Block {
    /// The weights.
    pub quants: [u8; 256],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
    /// Half floats, one per row.
    pub min: [u16; STRIP],
}

/// Sixteen rows × 32 columns of eight-bit weights: `scale · q`. Byte `64g + 4r + i` holds column `4g + i` of row `r`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q8Block {
    /// The weights.
    pub quants: [i8; 512],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
}

impl Q4Block {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; 256], scale: [0; STRIP], min: [0; STRIP] };

    /// Puts one row of a block of `Q4_1` or `Q4_0` in its place: sixteen bytes, column `i` below and `16 + i` above.
    pub fn set_row(&mut self, row: usize, quants: &[u8], scale: u16, min: u16) {
        for (group, bytes) in quants.chunks_exact(4).enumerate() {
            self.quants[64 * group + 4 * row..][..4].copy_from_slice(bytes);
        }
        self.scale[row] = scale;
        self.min[row] = min;
    }

    /// One row as floats.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (scale, min) = (widen(self.scale[row]), widen(self.min[row]));
        for column in 0..16 {
            let byte = self.quants[64 * (column / 4) + 4 * row + column % 4];
            out[column] = fused(f32::from(byte & 15), scale, min);
            out[16 + column] = fused(f32::from(byte >> 4), scale, min);
        }
    }
}

impl Q8Block {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; 512], scale: [0; STRIP] };

    /// Puts one row of a `Q8_0` block in its place.
    pub fn set_row(&mut self, row: usize, quants: &[u8], scale: u16) {
        for (group, bytes) in quants.chunks_exact(4).enumerate() {
            for (to, from) in self.quants[64 * group + 4 * row..][..4].iter_mut().zip(bytes) {
                *to = from.cast_signed();
            }
        }
        self.scale[row] = scale;
    }

    /// One row as floats.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let scale = widen(self.scale[row]);
        for (column, out) in out.iter_mut().enumerate().take(BLOCK) {
            *out = f32::from(self.quants[64 * (column / 4) + 4 * row + column % 4]) * scale;
        }
    }
}

/// Thirty-two numbers of a row of activations, rounded to int8.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(4))]
pub struct Int8Block {
    /// The numbers.
    pub quants: [i8; BLOCK],
    /// What to multiply them by.
    pub scale: f32,
    /// Their sum, times the scale.
    pub sum: f32,
    /// Their sum.
    pub total: i32,
}

impl Int8Block {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; BLOCK], scale: 0.0, sum: 0.0, total: 0 };
}

/// Rows of activations, rounded to int8 per 32 columns.
#[derive(Debug, Default)]
pub struct Int8Rows {
    /// Blocks in a row.
    pub blocks: usize,
    /// The blocks, row after row.
    pub data: Vec<Int8Block>,
}

impl Int8Rows {
    /// Makes room for `rows` of `columns`; what was in it is unspecified.
    pub fn shape(&mut self, rows: usize, columns: usize) {
        self.blocks = columns / BLOCK;
        self.data.resize(rows * self.blocks, Int8Block::ZERO);
    }

    /// Overwrites everything.
    pub fn wipe(&mut self) {
        for block in &mut self.data {
            block.quants.zeroize();
            block.scale.zeroize();
            block.sum.zeroize();
            block.total.zeroize();
        }
        self.data.clear();
    }

    /// `T` rows from `first` on, each `blocks` long.
    #[inline(always)]
    pub(super) fn rows<const T: usize>(&self, first: usize, blocks: usize) -> [&[Int8Block]; T] {
        assert!(self.blocks == blocks, "the rows are as wide as the matrix");
        std::array::from_fn(|t| &self.data[(first + t) * blocks..][..blocks])
    }
}

/// # Safety
/// `out` must be good for sixteen floats at each of `T` steps of `stride`, and `x` hold rows `first..first + T` of as
/// many blocks as `strip`.
#[inline(always)]
pub(super) unsafe fn plain_q4<const T: usize>(
    strip: &[Q4Block],
    x: &Int8Rows,
    first: usize,
    out: *mut f32,
    stride: usize,
) {
    for (t, row) in x.rows::<T>(first, strip.len()).into_iter().enumerate() {
        let mut sums = [0f32; STRIP];
        for (block, x) in strip.iter().zip(row) {
            let q = &x.quants;
            for (row, sum) in sums.iter_mut().enumerate() {
                let mut dot = 0i32;
                for column in 0..16 {
                    let byte = block.quants[64 * (column / 4) + 4 * row + column % 4];
                    dot +=
                        i32::from(byte & 15) * i32::from(q[column]) + i32::from(byte >> 4) * i32::from(q[16 + column]);
                }
                #[allow(clippy::cast_precision_loss, reason = "at most 32 · 15 · 127, exact in 24 bits")]
                let dot = dot as f32;
                *sum = fused(dot, widen(block.scale[row]) * x.scale, *sum);
                *sum = fused(widen(block.min[row]), x.sum, *sum);
            }
        }
        // SAFETY: by contract.
        unsafe { out.add(t * stride).cast::<[f32; STRIP]>().write_unaligned(sums) };
    }
}

/// # Safety
/// As for [`plain_q4`].
#[inline(always)]
pub(super) unsafe fn plain_q8<const T: usize>(
    strip: &[Q8Block],
    x: &Int8Rows,
    first: usize,
    out: *mut f32,
    stride: usize,
) {
    for (t, row) in x.rows::<T>(first, strip.len()).into_iter().enumerate() {
        let mut sums = [0f32; STRIP];
        for (block, x) in strip.iter().zip(row) {
            let q = &x.quants;
            for (row, sum) in sums.iter_mut().enumerate() {
                let mut dot = 0i32;
                for (column, &q) in q.iter().enumerate() {
                    dot += i32::from(block.quants[64 * (column / 4) + 4 * row + column % 4]) * i32::from(q);
                }
                #[allow(clippy::cast_precision_loss, reason = "at most 32 · 128 · 127, exact in 24 bits")]
                let dot = dot as f32;
                *sum = fused(dot, widen(block.scale[row]) * x.scale, *sum);
            }
        }
        // SAFETY: by contract.
        unsafe { out.add(t * stride).cast::<[f32; STRIP]>().write_unaligned(sums) };
    }
}
