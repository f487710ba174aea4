//! Blocks of eight parts: 256 columns that share half floats, each part with whole numbers that multiply them.

use super::{BLOCK, Packed, STRIP, Sum, five_bits, four_bits, place_fifth, place_low, place_sixth};
use crate::kernels::lanes::Lanes;

/// Parts in a superblock.
const PARTS: usize = 8;

/// Sixteen rows × 256 columns of four-bit weights: `scale · s · code - min · m`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Q4KBlock {
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
    /// Half floats, one per row.
    pub min: [u16; STRIP],
    /// The parts.
    pub parts: [Q4KPart; PARTS],
}

/// 32 columns of a [`Q4KBlock`].
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q4KPart {
    /// The codes.
    pub quants: [u8; 256],
    /// What multiplies the scale, one per row.
    pub scale: [u8; STRIP],
    /// What multiplies the minimum, one per row.
    pub min: [u8; STRIP],
}

/// Sixteen rows × 256 columns of five-bit weights: `scale · s · code - min · m`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Q5KBlock {
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
    /// Half floats, one per row.
    pub min: [u16; STRIP],
    /// The parts.
    pub parts: [Q5KPart; PARTS],
}

/// 32 columns of a [`Q5KBlock`].
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q5KPart {
    /// The lowest four bits of the codes.
    pub quants: [u8; 256],
    /// Their fifth bits.
    pub fifth: [u8; 64],
    /// What multiplies the scale, one per row.
    pub scale: [u8; STRIP],
    /// What multiplies the minimum, one per row.
    pub min: [u8; STRIP],
}

/// Sixteen rows × 256 columns of six-bit weights: `scale · factor · (code - 32)`, with a factor for sixteen columns.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q6KBlock {
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
    /// The parts.
    pub parts: [Q6KPart; PARTS],
}

/// 32 columns of a [`Q6KBlock`].
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q6KPart {
    /// The lowest four bits of the codes.
    pub quants: [u8; 256],
    /// Their fifth and sixth bits.
    pub sixth: [u8; 128],
    /// The factors of the rows for the first sixteen columns, and for the others.
    pub factors: [i8; 2 * STRIP],
}

impl Q4KBlock {
    /// Nothing yet.
    pub const ZERO: Self = Self {
        scale: [0; STRIP],
        min: [0; STRIP],
        parts: [Q4KPart { quants: [0; 256], scale: [0; STRIP], min: [0; STRIP] }; PARTS],
    };

    /// Puts one row of a part in its place.
    pub fn set_row(&mut self, part: usize, row: usize, codes: &[u8; BLOCK], scale: u8, min: u8) {
        let part = &mut self.parts[part];
        place_low(&mut part.quants, row, codes);
        (part.scale[row], part.min[row]) = (scale, min);
    }
}

impl Q5KBlock {
    /// Nothing yet.
    pub const ZERO: Self = Self {
        scale: [0; STRIP],
        min: [0; STRIP],
        parts: [Q5KPart { quants: [0; 256], fifth: [0; 64], scale: [0; STRIP], min: [0; STRIP] }; PARTS],
    };

    /// Puts one row of a part in its place.
    pub fn set_row(&mut self, part: usize, row: usize, codes: &[u8; BLOCK], scale: u8, min: u8) {
        let part = &mut self.parts[part];
        place_low(&mut part.quants, row, codes);
        place_fifth(&mut part.fifth, row, codes);
        (part.scale[row], part.min[row]) = (scale, min);
    }
}

impl Q6KBlock {
    /// Nothing yet. The codes of zero are 32.
    pub const ZERO: Self = Self {
        scale: [0; STRIP],
        parts: [Q6KPart { quants: [0; 256], sixth: [0xaa; 128], factors: [0; 2 * STRIP] }; PARTS],
    };

    /// Puts one row of a part in its place, with the factors of its two halves.
    pub fn set_row(&mut self, part: usize, row: usize, codes: &[u8; BLOCK], factors: [i8; 2]) {
        let part = &mut self.parts[part];
        place_low(&mut part.quants, row, codes);
        place_sixth(&mut part.sixth, row, codes);
        (part.factors[row], part.factors[STRIP + row]) = (factors[0], factors[1]);
    }
}

/// The scale and the minimum of a part: both products are exact in a float.
macro_rules! products {
    () => {
        #[inline(always)]
        unsafe fn scale<L: Lanes>(&self, part: usize) -> L {
            // SAFETY: the arrays have sixteen numbers.
            unsafe { L::load_half(self.scale.as_ptr()).mul(L::load_bytes(self.parts[part].scale.as_ptr())) }
        }
        #[inline(always)]
        unsafe fn min<L: Lanes>(&self, part: usize) -> L {
            // SAFETY: the arrays have sixteen numbers.
            unsafe {
                let min = L::load_half(self.min.as_ptr()).mul(L::load_bytes(self.parts[part].min.as_ptr()));
                L::splat(0.0).sub(min)
            }
        }
    };
}

impl Packed for Q4KBlock {
    const PARTS: usize = PARTS;
    const SUM: Sum = Sum::Whole;
    const MIN: bool = true;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, part: usize, g: usize) -> L::Bytes {
        // SAFETY: forwarded.
        unsafe { four_bits::<L>(&self.parts[part].quants, g) }
    }
    products!();
}

impl Packed for Q5KBlock {
    const PARTS: usize = PARTS;
    const SUM: Sum = Sum::Halves;
    const MIN: bool = true;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, part: usize, g: usize) -> L::Bytes {
        let part = &self.parts[part];
        // SAFETY: forwarded.
        unsafe { five_bits::<L>(&part.quants, &part.fifth, g) }
    }
    products!();
}

impl Packed for Q6KBlock {
    const PARTS: usize = PARTS;
    const SUM: Sum = Sum::Factors;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, part: usize, g: usize) -> L::Bytes {
        let part = &self.parts[part];
        // SAFETY: both halves of `sixth` have 64 bytes.
        unsafe {
            let sixth = L::bytes(part.sixth.as_ptr().add(64 * (g / 4)));
            L::above(four_bits::<L>(&part.quants, g), sixth, 2 * (g % 4), 0x30)
        }
    }
    #[inline(always)]
    unsafe fn scale<L: Lanes>(&self, _part: usize) -> L {
        // SAFETY: the array has sixteen half floats.
        unsafe { L::load_half(self.scale.as_ptr()) }
    }
    #[inline(always)]
    fn factors(&self, part: usize) -> &[i8; 2 * STRIP] {
        &self.parts[part].factors
    }
}
