//! How quantised weights are stored: repacked once so that sixteen rows are multiplied at a time, never changed.
//!
//! A *strip* is sixteen rows of a matrix, stored as blocks. A block is made of *parts* of 32 columns. The weights of a
//! part are whole numbers, its *codes*; inside a part, the four columns `4g..4g+4` of row 0, row 1, … row 15 lie one
//! after the other, which is what the int8 dot instructions eat. The lowest four bits of a code lie in byte `64g + 4r + i`:
//! column `4g + i` of row `r` below, and column `16 + 4g + i` above. What a code has beyond four bits lies beside them.
//!
//! Scales and minimums stay what the file has: half floats, and for the kinds with superblocks of 256 columns whole
//! numbers that multiply them. The product of the two is exact in a float, so no weight is ever rounded.

mod simple;
mod superblock;

pub use simple::{Q4Block, Q4MinBlock, Q5Block, Q5MinBlock, Q8Block};
pub use superblock::{Q4KBlock, Q5KBlock, Q6KBlock};

use super::lanes::{Lanes, Plain, fused};

/// Rows in a strip.
pub const STRIP: usize = 16;
/// Columns in a part.
pub const BLOCK: usize = 32;

/// How the products of a part are summed, so that no path overflows on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    /// Codes up to 15: all 32 columns at once.
    Whole,
    /// Codes up to 31: sixteen columns at a time.
    Halves,
    /// Codes up to 63 that count from -32, and a whole factor for sixteen columns.
    Factors,
    /// Bytes with a sign.
    Signed,
}

/// A block of a strip.
pub(crate) trait Packed: Copy {
    /// Parts of 32 columns.
    const PARTS: usize;
    /// How its products are summed.
    const SUM: Sum;
    /// What is taken off a code before it is multiplied by the scale; [`Sum::Factors`] does so by itself.
    const CENTRE: i32 = 0;
    /// Whether a minimum is added.
    const MIN: bool = false;

    /// Group `g` of a part: columns `4g..4g+4` of sixteen rows, one byte each.
    ///
    /// # Safety
    /// The processor must have the instruction set of `L`, here and below.
    unsafe fn codes<L: Lanes>(&self, part: usize, g: usize) -> L::Bytes;
    /// The scales of the sixteen rows.
    unsafe fn scale<L: Lanes>(&self, part: usize) -> L;
    /// The minimums of the sixteen rows.
    unsafe fn min<L: Lanes>(&self, _part: usize) -> L {
        // SAFETY: by contract.
        unsafe { L::splat(0.0) }
    }
    /// The factors of a part: sixteen rows of its first half, and of its second.
    fn factors(&self, _part: usize) -> &[i8; 2 * STRIP] {
        &[1; 2 * STRIP]
    }

    /// The weights of one row of a part.
    fn row(&self, part: usize, row: usize, out: &mut [f32]) {
        let (mut scale, mut min, mut codes) = ([0f32; STRIP], [0f32; STRIP], [0u8; 64]);
        // SAFETY: the plain path needs no instruction set, and the arrays have room.
        unsafe {
            self.scale::<Plain>(part).store(scale.as_mut_ptr());
            self.min::<Plain>(part).store(min.as_mut_ptr());
        }
        let factors = self.factors(part);
        for (g, out) in out.chunks_exact_mut(4).enumerate() {
            // SAFETY: as above.
            unsafe { Plain::put(self.codes::<Plain>(part, g), codes.as_mut_ptr()) };
            for (out, code) in out.iter_mut().zip(&codes[4 * row..]) {
                *out = match Self::SUM {
                    Sum::Signed => f32::from(code.cast_signed()) * scale[row],
                    Sum::Factors => {
                        let factor = i16::from(factors[STRIP * (g / 4) + row]);
                        f32::from((i16::from(*code) - 32) * factor) * scale[row]
                    }
                    Sum::Whole | Sum::Halves => {
                        #[allow(clippy::cast_precision_loss, reason = "at most 31")]
                        let code = (i32::from(*code) - Self::CENTRE) as f32;
                        if Self::MIN { fused(code, scale[row], min[row]) } else { code * scale[row] }
                    }
                };
            }
        }
    }
}

/// Puts the lowest four bits of one row's codes in their places.
fn place_low(to: &mut [u8; 256], row: usize, codes: &[u8; BLOCK]) {
    for column in 0..16 {
        to[64 * (column / 4) + 4 * row + column % 4] = (codes[column] & 15) | (codes[16 + column] << 4);
    }
}

/// Puts the fifth bits of one row's codes in their places: bit `g` of byte `4r + i` belongs to column `4g + i`.
fn place_fifth(to: &mut [u8; 64], row: usize, codes: &[u8; BLOCK]) {
    for (column, code) in codes.iter().enumerate() {
        let (byte, g) = (&mut to[4 * row + column % 4], column / 4);
        *byte = *byte & !(1 << g) | (code >> 4 & 1) << g;
    }
}

/// Puts the fifth and sixth bits of one row's codes in their places: bits `2g` and `2g + 1` of byte `4r + i` belong to
/// column `4g + i` in the first 64 bytes, and to column `16 + 4g + i` in the others.
fn place_sixth(to: &mut [u8; 128], row: usize, codes: &[u8; BLOCK]) {
    for (column, code) in codes.iter().enumerate() {
        let (byte, g) = (&mut to[64 * (column / 16) + 4 * row + column % 4], column % 16 / 4);
        *byte = *byte & !(3 << (2 * g)) | (code >> 4 & 3) << (2 * g);
    }
}

/// Group `g` of codes of four bits.
///
/// # Safety
/// The processor must have the instruction set of `L`.
#[inline(always)]
unsafe fn four_bits<L: Lanes>(quants: &[u8; 256], g: usize) -> L::Bytes {
    // SAFETY: group `g % 4` is 64 bytes inside the array.
    unsafe {
        let bytes = L::bytes(quants.as_ptr().add(64 * (g % 4)));
        if g < 4 { L::low(bytes) } else { L::high(bytes) }
    }
}

/// Group `g` of codes of five bits.
///
/// # Safety
/// As for [`four_bits`].
#[inline(always)]
unsafe fn five_bits<L: Lanes>(quants: &[u8; 256], fifth: &[u8; 64], g: usize) -> L::Bytes {
    // SAFETY: the array has 64 bytes.
    unsafe { L::above(four_bits::<L>(quants, g), L::bytes(fifth.as_ptr()), g, 0x10) }
}
