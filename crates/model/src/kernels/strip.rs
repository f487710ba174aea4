//! The product of a strip of quantised weights with rows of activations, written once for all kinds and paths.
//!
//! The whole-number part of a product is exact on every path; each part of 32 columns then adds to its output with one
//! or two fused multiply-adds in the order of the columns, so every path and every number of rows gives the same bits.
//!
//! A few rows are multiplied with the weights as they lie in memory, which is then what takes the time. For many rows
//! the codes of a chunk of columns are taken apart once, into a scratch that stays in the nearest cache.
#![allow(unsafe_code, reason = "outputs are written through a pointer, because threads share the rows they write to")]

use super::{
    BLOCK, Int8Rows, STRIP,
    int8::Int8Block,
    lanes::Lanes,
    pack::{Packed, Sum},
};
use std::marker::PhantomData;

/// Parts whose codes are taken apart at once.
const CHUNK: usize = 8;
/// Rows from which taking the codes apart first pays: eight are still faster without.
const MANY: usize = 12;

/// Bytes that lie between what is multiplied and what is asked of the memory: the processor itself looks ahead within a
/// page only.
pub(super) const AHEAD: usize = 2048;

/// Where some rows of outputs go: sixteen floats at each step of `stride`.
#[derive(Clone, Copy)]
pub(super) struct Output {
    /// The first of them.
    pub(super) to: *mut f32,
    /// From one row to the next.
    pub(super) stride: usize,
}

/// The codes of a part, taken apart.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Open<F> {
    codes: [u8; BLOCK * STRIP],
    scale: [f32; STRIP],
    min: [f32; STRIP],
    factors: [i8; 2 * STRIP],
    kind: PhantomData<F>,
}

impl<F: Packed> Open<F> {
    const ZERO: Self = Self {
        codes: [0; BLOCK * STRIP],
        scale: [0.0; STRIP],
        min: [0.0; STRIP],
        factors: [0; 2 * STRIP],
        kind: PhantomData,
    };

    /// # Safety
    /// The processor must have the instruction set of `L`.
    #[inline(always)]
    unsafe fn fill<L: Lanes>(&mut self, block: &F, part: usize) {
        // SAFETY: every array has room for what is stored.
        unsafe {
            for g in 0..8 {
                L::put(block.codes::<L>(part, g), self.codes.as_mut_ptr().add(64 * g));
            }
            block.scale::<L>(part).store(self.scale.as_mut_ptr());
            if F::MIN {
                block.min::<L>(part).store(self.min.as_mut_ptr());
            }
            if F::SUM == Sum::Factors {
                self.factors = *block.factors(part);
            }
        }
    }
}

impl<F: Packed> Packed for Open<F> {
    const PARTS: usize = 1;
    const SUM: Sum = F::SUM;
    const CENTRE: i32 = F::CENTRE;
    const MIN: bool = F::MIN;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, _part: usize, g: usize) -> L::Bytes {
        // SAFETY: group `g` is 64 bytes inside the array.
        unsafe { L::bytes(self.codes.as_ptr().add(64 * g)) }
    }
    #[inline(always)]
    unsafe fn scale<L: Lanes>(&self, _part: usize) -> L {
        // SAFETY: the array has sixteen floats.
        unsafe { L::load(self.scale.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn min<L: Lanes>(&self, _part: usize) -> L {
        // SAFETY: the array has sixteen floats.
        unsafe { L::load(self.min.as_ptr()) }
    }
    #[inline(always)]
    fn factors(&self, _part: usize) -> &[i8; 2 * STRIP] {
        &self.factors
    }
}

/// Multiplies strips `strips` of a matrix, whose rows are `parts` long, with `rows` rows.
///
/// # Safety
/// The processor must have the instruction set of `L`; `out` is good for the outputs of all strips of the matrix at each
/// of `rows` steps, and those of these strips are this call's alone.
#[inline(always)]
pub(super) unsafe fn multiply<L: Lanes, F: Packed>(
    all: &[F],
    parts: usize,
    strips: std::ops::Range<usize>,
    x: &Int8Rows,
    rows: usize,
    out: Output,
) {
    let blocks = parts / F::PARTS;
    assert!(x.blocks == parts && parts.is_multiple_of(F::PARTS) && x.data.len() >= rows * parts, "shapes agree");
    // SAFETY: forwarded.
    unsafe {
        let mut scratch = [Open::<F>::ZERO; CHUNK];
        for strip in strips {
            let all = &all[strip * blocks..][..blocks];
            let out = Output { to: out.to.add(strip * STRIP), ..out };
            if rows < MANY {
                let mut row = 0;
                while row < rows {
                    let left = rows - row;
                    row += if const { L::ROWS >= 4 } && left >= 4 {
                        direct::<L, F, 4>(all, x, row, out)
                    } else if const { L::ROWS >= 4 } && left >= 2 {
                        direct::<L, F, 2>(all, x, row, out)
                    } else {
                        direct::<L, F, 1>(all, x, row, out)
                    };
                }
            } else {
                many::<L, F>(all, x, rows, out, &mut scratch);
            }
        }
    }
}

/// The outputs of `T` rows from `first` on.
///
/// # Safety
/// As for [`multiply`].
#[inline(always)]
pub(super) unsafe fn direct<L: Lanes, F: Packed, const T: usize>(
    strip: &[F],
    x: &Int8Rows,
    first: usize,
    out: Output,
) -> usize {
    let rows = x.rows::<T>(first, strip.len() * F::PARTS);
    // SAFETY: forwarded.
    unsafe {
        let mut sums = [L::splat(0.0); T];
        for (b, block) in strip.iter().enumerate() {
            for part in 0..F::PARTS {
                if first == 0 {
                    ahead::<L, F>(block, part, AHEAD);
                }
                let x = rows.map(|row| row.get_unchecked(b * F::PARTS + part));
                add::<L, F, T>(block, part, x, &mut sums);
            }
        }
        for (t, sum) in sums.iter().enumerate() {
            sum.store(out.to.add((first + t) * out.stride));
        }
    }
    T
}

/// Asks for the memory `distance` bytes beyond a part.
///
/// # Safety
/// The processor must have the instruction set of `L`.
#[inline(always)]
unsafe fn ahead<L: Lanes, F: Packed>(block: &F, part: usize, distance: usize) {
    let bytes = size_of::<F>() / F::PARTS;
    let from = std::ptr::from_ref(block).cast::<u8>().wrapping_add(part * bytes + distance);
    for line in (0..bytes).step_by(64) {
        // SAFETY: by contract.
        unsafe { L::prefetch(from.wrapping_add(line)) };
    }
}

/// The outputs of all rows, a chunk of columns after the other.
///
/// # Safety
/// As for [`multiply`].
#[inline(always)]
unsafe fn many<L: Lanes, F: Packed>(
    strip: &[F],
    x: &Int8Rows,
    rows: usize,
    out: Output,
    scratch: &mut [Open<F>; CHUNK],
) {
    let parts = strip.len() * F::PARTS;
    for start in (0..parts).step_by(CHUNK) {
        let count = CHUNK.min(parts - start);
        // SAFETY: forwarded.
        unsafe {
            for (i, open) in scratch[..count].iter_mut().enumerate() {
                let (block, part) = (&strip[(start + i) / F::PARTS], (start + i) % F::PARTS);
                open.fill::<L>(block, part);
                // While these are multiplied, the next come.
                ahead::<L, F>(block, part, CHUNK * size_of::<F>() / F::PARTS);
            }
            let open = &scratch[..count];
            let mut row = 0;
            while row < rows {
                let left = rows - row;
                row += if const { L::ROWS >= 8 } && left >= 8 {
                    further::<L, Open<F>, 8>(open, x, start, row, out)
                } else if const { L::ROWS >= 4 } && left >= 4 {
                    further::<L, Open<F>, 4>(open, x, start, row, out)
                } else {
                    further::<L, Open<F>, 1>(open, x, start, row, out)
                };
            }
        }
    }
}

/// Adds some parts from part `start` on to the outputs of `T` rows; the first part begins them.
///
/// # Safety
/// As for [`multiply`].
#[inline(always)]
unsafe fn further<L: Lanes, F: Packed, const T: usize>(
    open: &[F],
    x: &Int8Rows,
    start: usize,
    first: usize,
    out: Output,
) -> usize {
    // SAFETY: forwarded.
    unsafe {
        let rows: [&[Int8Block]; T] = std::array::from_fn(|t| &x.data[(first + t) * x.blocks + start..][..open.len()]);
        let to: [*mut f32; T] = std::array::from_fn(|t| out.to.add((first + t) * out.stride));
        let mut sums = [L::splat(0.0); T];
        if start > 0 {
            for t in 0..T {
                sums[t] = L::load(to[t]);
            }
        }
        for (i, block) in open.iter().enumerate() {
            let x = rows.map(|row| row.get_unchecked(i));
            add::<L, F, T>(block, 0, x, &mut sums);
        }
        for (sum, to) in sums.iter().zip(to) {
            sum.store(to);
        }
    }
    T
}

/// Adds the products of one part.
///
/// # Safety
/// The processor must have the instruction set of `L`.
#[inline(always)]
unsafe fn add<L: Lanes, F: Packed, const T: usize>(block: &F, part: usize, x: [&Int8Block; T], sums: &mut [L; T]) {
    // SAFETY: forwarded.
    unsafe {
        // No closures here: what the processor's instructions are called from has to be compiled for them.
        let mut dots = [L::begin_signed(0); T];
        match F::SUM {
            Sum::Whole => {
                let all = groups::<L, F, T, 0, 8>(block, part, x, [L::begin(0); T]);
                for t in 0..T {
                    dots[t] = L::sums(all[t]);
                }
            }
            Sum::Halves => {
                let low = groups::<L, F, T, 0, 4>(block, part, x, [L::begin(0); T]);
                for t in 0..T {
                    dots[t] = L::sums(low[t]);
                }
                let high = groups::<L, F, T, 4, 8>(block, part, x, [L::begin(0); T]);
                for t in 0..T {
                    dots[t] = L::plus(dots[t], L::sums(high[t]));
                }
            }
            Sum::Factors => {
                let from = block.factors(part).as_ptr();
                let mut begin = [L::begin(0); T];
                for t in 0..T {
                    begin[t] = L::begin(x[t].centre[0]);
                }
                let low = groups::<L, F, T, 0, 4>(block, part, x, begin);
                let factors = L::factors(from);
                for t in 0..T {
                    dots[t] = L::scaled(low[t], factors);
                    begin[t] = L::begin(x[t].centre[1]);
                }
                let high = groups::<L, F, T, 4, 8>(block, part, x, begin);
                let factors = L::factors(from.add(STRIP));
                for t in 0..T {
                    dots[t] = L::plus(dots[t], L::scaled(high[t], factors));
                }
            }
            Sum::Signed => {
                for t in 0..T {
                    dots[t] = L::begin_signed(x[t].total);
                }
                for g in 0..8 {
                    let codes = block.codes::<L>(part, g);
                    for (dot, x) in dots.iter_mut().zip(x) {
                        *dot = L::dot_signed(*dot, codes, words(x)[g]);
                    }
                }
            }
        }
        let scale = block.scale::<L>(part);
        for t in 0..T {
            let dot = if F::CENTRE == 0 { dots[t] } else { L::less(dots[t], F::CENTRE * x[t].total) };
            sums[t] = L::floats(dot).fma(scale.mul(L::splat(x[t].scale)), sums[t]);
        }
        if F::MIN {
            let min = block.min::<L>(part);
            for t in 0..T {
                sums[t] = min.fma(L::splat(x[t].sum), sums[t]);
            }
        }
    }
}

/// Adds the products of groups `FROM..TO`.
///
/// The loops are in this order, with little inside, so that the compiler unrolls both and keeps all sums in registers.
///
/// # Safety
/// The processor must have the instruction set of `L`.
#[inline(always)]
unsafe fn groups<L: Lanes, F: Packed, const T: usize, const FROM: usize, const TO: usize>(
    block: &F,
    part: usize,
    x: [&Int8Block; T],
    mut dots: [L::Dots; T],
) -> [L::Dots; T] {
    // SAFETY: forwarded.
    unsafe {
        for g in FROM..TO {
            let codes = block.codes::<L>(part, g);
            for (dot, x) in dots.iter_mut().zip(x) {
                *dot = L::dot(*dot, codes, words(x)[g]);
            }
        }
        dots
    }
}

/// The numbers of a block by fours.
#[inline(always)]
fn words(block: &Int8Block) -> &[i32; 8] {
    // SAFETY: a block begins with 32 bytes and is aligned to four.
    unsafe { &*std::ptr::from_ref(block).cast() }
}
