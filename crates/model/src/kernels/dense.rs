//! The product of a strip of floating-point weights with rows of floats.
//!
//! Weights of sixteen bits stay sixteen bits in memory and are widened, exactly, as they are loaded. A strip holds, for
//! every column, sixteen rows. Every output sums from the first column to the last.
#![allow(unsafe_code, reason = "vector loads and stores; outputs are written through a pointer")]

use super::{STRIP, lanes::Lanes, strip::Output};

/// Columns done for all rows before the next, so that their weights stay in the nearest cache.
const CHUNK: usize = 256;

/// A float as it lies in memory.
pub(super) trait Stored: Copy {
    /// Sixteen of them.
    ///
    /// # Safety
    /// The processor must have the instruction set of `L`, and `from` be good for sixteen.
    unsafe fn load<L: Lanes>(from: *const Self) -> L;
}

/// A half float.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Half(#[allow(dead_code, reason = "read through a pointer")] u16);

/// A bfloat16.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Brain(#[allow(dead_code, reason = "read through a pointer")] u16);

impl Stored for f32 {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: forwarded.
        unsafe { L::load(from) }
    }
}

impl Stored for Half {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: forwarded.
        unsafe { L::load_half(from.cast()) }
    }
}

impl Stored for Brain {
    #[inline(always)]
    unsafe fn load<L: Lanes>(from: *const Self) -> L {
        // SAFETY: forwarded.
        unsafe { L::load_brain(from.cast()) }
    }
}

/// Sixteen-bit numbers as what they mean.
pub(super) fn halves(bits: &[u16]) -> &[Half] {
    // SAFETY: a transparent wrapper.
    unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
}

/// Sixteen-bit numbers as what they mean.
pub(super) fn brains(bits: &[u16]) -> &[Brain] {
    // SAFETY: a transparent wrapper.
    unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
}

/// Numbers that are what they mean.
pub(super) fn floats(numbers: &[f32]) -> &[f32] {
    numbers
}

/// Multiplies strips `strips` of a matrix with `rows` rows of `columns` floats.
///
/// # Safety
/// The processor must have the instruction set of `L`; `out` is good for the outputs of all strips of the matrix at each
/// of `rows` steps, and those of these strips are this call's alone.
#[inline(always)]
pub(super) unsafe fn multiply<L: Lanes, W: Stored>(
    all: &[W],
    columns: usize,
    strips: std::ops::Range<usize>,
    x: &[f32],
    rows: usize,
    out: Output,
) {
    assert!(x.len() >= rows * columns, "the input has these rows");
    // SAFETY: forwarded; loads are inside the slices by the checks here.
    unsafe {
        for strip in strips {
            let all = &all[strip * columns * STRIP..][..columns * STRIP];
            let out = Output { to: out.to.add(strip * STRIP), ..out };
            for start in (0..columns).step_by(CHUNK) {
                let chunk = &all[start * STRIP..(start + CHUNK).min(columns) * STRIP];
                let mut row = 0;
                while row < rows {
                    let left = rows - row;
                    let x = x.as_ptr().add(row * columns + start);
                    let out = Output { to: out.to.add(row * out.stride), ..out };
                    let begin = start == 0;
                    row += if const { L::ROWS >= 8 } && left >= 8 {
                        further::<L, W, 8>(chunk, x, columns, begin, out)
                    } else if const { L::ROWS >= 4 } && left >= 4 {
                        further::<L, W, 4>(chunk, x, columns, begin, out)
                    } else if const { L::ROWS >= 4 } && left >= 2 {
                        further::<L, W, 2>(chunk, x, columns, begin, out)
                    } else {
                        further::<L, W, 1>(chunk, x, columns, begin, out)
                    };
                }
            }
        }
    }
}

/// Adds a chunk of columns to the outputs of `T` rows, or begins them.
///
/// # Safety
/// As for [`multiply`], with `x` at the first column of the chunk in the first of `T` rows of `columns`.
#[inline(always)]
unsafe fn further<L: Lanes, W: Stored, const T: usize>(
    chunk: &[W],
    x: *const f32,
    columns: usize,
    begin: bool,
    out: Output,
) -> usize {
    // SAFETY: by contract.
    unsafe {
        let to: [*mut f32; T] = std::array::from_fn(|t| out.to.add(t * out.stride));
        let mut sums = [L::splat(0.0); T];
        if !begin {
            for t in 0..T {
                sums[t] = L::load(to[t]);
            }
        }
        for column in 0..chunk.len() / STRIP {
            let weights: L = W::load(chunk.as_ptr().add(column * STRIP));
            for (t, sum) in sums.iter_mut().enumerate() {
                *sum = L::splat(*x.add(t * columns + column)).fma(weights, *sum);
            }
        }
        for (sum, to) in sums.iter().zip(to) {
            sum.store(to);
        }
    }
    T
}
