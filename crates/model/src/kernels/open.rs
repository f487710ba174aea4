//! Weights taken apart into floats, a panel at a time: for products in floats with more rows than it takes to pay.
//!
//! A panel has sixteen outputs of a product for every number that is summed over. [`Matrix::panel`] gives panels of the
//! matrix, [`Matrix::across`] those of its transpose. The numbers are the ones that [`Matrix::row`] gives, bit for bit.
#![allow(unsafe_code, reason = "vector loads and stores; every loop stays inside its slice")]

use super::{
    BLOCK, Job, Matrix, Running, STRIP, Strips,
    lanes::{Lanes, widen},
    pack::{Packed, Sum},
};
use std::ops::Range;

/// Does the same with the blocks of every quantised kind, or with the numbers of the others.
macro_rules! each_kind {
    ($strips:expr, $blocks:ident => $quantised:expr, $numbers:ident, $widen:ident => $other:expr) => {
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
                let $widen = |bits: &u16| widen(*bits);
                $other
            }
            Strips::Brain($numbers) => {
                let $widen = |bits: &u16| f32::from_bits(u32::from(*bits) << 16);
                $other
            }
            Strips::Dense($numbers) => {
                let $widen = |number: &f32| *number;
                $other
            }
        }
    };
}

impl Matrix {
    /// Columns `columns` of strip `strip`, sixteen rows for each; `room` has space for them, where they do not lie like
    /// that already. The columns begin and end at multiples of 32.
    #[must_use]
    pub fn panel<'a>(
        &'a self,
        running: Running,
        strip: usize,
        columns: Range<usize>,
        room: &'a mut [f32],
    ) -> &'a [f32] {
        assert!(
            columns.end <= self.columns && columns.start.is_multiple_of(BLOCK) && columns.end.is_multiple_of(BLOCK)
        );
        let room = &mut room[..columns.len() * STRIP];
        let all = strip * self.columns * STRIP;
        if let Strips::Dense(numbers) = &self.strips {
            return &numbers[all + columns.start * STRIP..][..room.len()];
        }
        each_kind!(&self.strips,
            blocks => {
                let blocks = self.blocks(blocks, strip);
                // SAFETY: the job asks for nothing.
                unsafe { running.run(Along { blocks, first: columns.start / BLOCK, out: &mut *room }) }
            },
            numbers, widen => {
                let from = &numbers[all + columns.start * STRIP..][..room.len()];
                room.iter_mut().zip(from).for_each(|(to, from)| *to = widen(from));
            }
        );
        room
    }

    /// The same weights the other way round: for each sixteen of the columns a stretch of `out`, `stride` long, that
    /// begins with sixteen columns for each of the sixteen rows of the strip.
    pub fn across(&self, running: Running, strip: usize, columns: Range<usize>, out: &mut [f32], stride: usize) {
        assert!(
            columns.end <= self.columns && columns.start.is_multiple_of(BLOCK) && columns.end.is_multiple_of(BLOCK)
        );
        assert!(
            stride >= STRIP * STRIP
                && (columns.is_empty() || out.len() + stride >= columns.len() / STRIP * stride + STRIP * STRIP)
        );
        each_kind!(&self.strips,
            blocks => {
                let blocks = self.blocks(blocks, strip);
                // SAFETY: `out` has room by the check above.
                unsafe { running.run(Across { blocks, parts: columns.start / BLOCK..columns.end / BLOCK, out, stride }) }
            },
            numbers, widen => {
                let from = &numbers[(strip * self.columns + columns.start) * STRIP..][..columns.len() * STRIP];
                for (from, to) in from.chunks_exact(STRIP * STRIP).zip(out.chunks_mut(stride)) {
                    turned(from, to, widen);
                }
            }
        );
    }

    fn blocks<'a, F: Packed>(&self, all: &'a [F], strip: usize) -> &'a [F] {
        let blocks = self.columns / BLOCK / F::PARTS;
        &all[strip * blocks..][..blocks]
    }
}

/// Turns sixteen columns of sixteen rows into rows of columns.
pub fn turned<W>(from: &[W], to: &mut [f32], widen: impl Fn(&W) -> f32) {
    assert!(from.len() == STRIP * STRIP && to.len() >= STRIP * STRIP);
    for row in 0..STRIP {
        for column in 0..STRIP {
            to[row * STRIP + column] = widen(&from[column * STRIP + row]);
        }
    }
}

/// Sixteen weights from their codes, all of one column or all of one row.
///
/// # Safety
/// The processor must have the instruction set of `L`, and `codes` be good for sixteen bytes.
#[inline(always)]
unsafe fn weights<L: Lanes, F: Packed>(codes: *const u8, scale: L, min: L, factor: L) -> L {
    // SAFETY: by contract.
    unsafe {
        match F::SUM {
            Sum::Signed => L::load_int8(codes.cast()).mul(scale),
            Sum::Factors => L::load_bytes(codes).sub(L::splat(32.0)).mul(factor).mul(scale),
            Sum::Whole | Sum::Halves if F::MIN => L::load_bytes(codes).fma(scale, min),
            #[allow(clippy::cast_precision_loss, reason = "at most 16")]
            Sum::Whole | Sum::Halves => L::load_bytes(codes).sub(L::splat(F::CENTRE as f32)).mul(scale),
        }
    }
}

/// Writes parts of a strip from `first` on, column by column.
struct Along<'a, F> {
    blocks: &'a [F],
    first: usize,
    out: &'a mut [f32],
}

impl<F: Packed> Job for Along<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let (mut codes, mut turned) = ([0u8; 64], [0u8; 64]);
        for (index, out) in self.out.chunks_exact_mut(BLOCK * STRIP).enumerate() {
            let at = self.first + index;
            let (block, part) = (&self.blocks[at / F::PARTS], at % F::PARTS);
            // SAFETY: the arrays have 64 bytes, and each stretch of `out` has room for 32 columns.
            unsafe {
                let (scale, min) = (block.scale::<L>(part), block.min::<L>(part));
                let factors = block.factors(part).as_ptr();
                for g in 0..8 {
                    L::put(block.codes::<L>(part, g), codes.as_mut_ptr());
                    for row in 0..STRIP {
                        for column in 0..4 {
                            turned[column * STRIP + row] = codes[4 * row + column];
                        }
                    }
                    let factor = L::load_int8(factors.add(STRIP * (g / 4)));
                    for column in 0..4 {
                        weights::<L, F>(turned.as_ptr().add(STRIP * column), scale, min, factor)
                            .store(out.as_mut_ptr().add((4 * g + column) * STRIP));
                    }
                }
            }
        }
    }
}

/// Writes parts of a strip row by row, sixteen columns at a time.
struct Across<'a, F> {
    blocks: &'a [F],
    parts: Range<usize>,
    out: &'a mut [f32],
    stride: usize,
}

impl<F: Packed> Job for Across<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let (mut scales, mut mins) = ([0f32; STRIP], [0f32; STRIP]);
        let mut codes = [0u8; 256];
        let mut halves = self.out.chunks_mut(self.stride);
        for at in self.parts {
            let (block, part) = (&self.blocks[at / F::PARTS], at % F::PARTS);
            // SAFETY: the arrays have room for what is stored.
            unsafe {
                block.scale::<L>(part).store(scales.as_mut_ptr());
                block.min::<L>(part).store(mins.as_mut_ptr());
            }
            let factors = block.factors(part);
            for half in 0..2 {
                let Some(out) = halves.next() else { return };
                assert!(out.len() >= STRIP * STRIP, "room for sixteen rows of sixteen columns");
                // SAFETY: as above; groups are 64 bytes of 256, and rows sixteen floats of 256.
                unsafe {
                    for g in 0..4 {
                        L::put(block.codes::<L>(part, 4 * half + g), codes.as_mut_ptr().add(64 * g));
                    }
                    for row in 0..STRIP {
                        let mut line = [0u8; STRIP];
                        for g in 0..4 {
                            line[4 * g..4 * g + 4].copy_from_slice(&codes[64 * g + 4 * row..][..4]);
                        }
                        let factor = L::splat(f32::from(factors[STRIP * half + row]));
                        weights::<L, F>(line.as_ptr(), L::splat(scales[row]), L::splat(mins[row]), factor)
                            .store(out.as_mut_ptr().add(row * STRIP));
                    }
                }
            }
        }
    }
}
