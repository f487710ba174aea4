//! Blocks of one part: 32 columns with a half float as scale, and perhaps one as minimum.

use super::{BLOCK, Packed, STRIP, Sum, five_bits, four_bits, place_fifth, place_low};
use crate::kernels::lanes::Lanes;

/// Sixteen rows × 32 columns of four-bit weights: `scale · (code - 8)`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q4Block {
    /// The codes.
    pub quants: [u8; 256],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
}

/// Sixteen rows × 32 columns of four-bit weights: `scale · code + min`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Q4MinBlock {
    /// The codes.
    pub quants: [u8; 256],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
    /// Half floats, one per row.
    pub min: [u16; STRIP],
}

/// Sixteen rows × 32 columns of five-bit weights: `scale · (code - 16)`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q5Block {
    /// The lowest four bits of the codes.
    pub quants: [u8; 256],
    /// Their fifth bits.
    pub fifth: [u8; 64],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
}

/// Sixteen rows × 32 columns of five-bit weights: `scale · code + min`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Q5MinBlock {
    /// The lowest four bits of the codes.
    pub quants: [u8; 256],
    /// Their fifth bits.
    pub fifth: [u8; 64],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
    /// Half floats, one per row.
    pub min: [u16; STRIP],
}

/// Sixteen rows × 32 columns of eight-bit weights: `scale · code`. Byte `64g + 4r + i` holds column `4g + i` of row `r`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Q8Block {
    /// The codes, which have a sign.
    pub quants: [u8; 512],
    /// Half floats, one per row.
    pub scale: [u16; STRIP],
}

impl Q4Block {
    /// Nothing yet. The codes of zero are 8.
    pub const ZERO: Self = Self { quants: [0x88; 256], scale: [0; STRIP] };

    /// Puts one row in its place: its bytes as the file has them, column `i` below and `16 + i` above.
    pub fn set_row(&mut self, row: usize, bytes: &[u8], scale: u16) {
        copy_groups(&mut self.quants, row, bytes);
        self.scale[row] = scale;
    }
}

impl Q4MinBlock {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; 256], scale: [0; STRIP], min: [0; STRIP] };

    /// Puts one row in its place: its bytes as the file has them, column `i` below and `16 + i` above.
    pub fn set_row(&mut self, row: usize, bytes: &[u8], scale: u16, min: u16) {
        copy_groups(&mut self.quants, row, bytes);
        (self.scale[row], self.min[row]) = (scale, min);
    }
}

impl Q5Block {
    /// Nothing yet. The codes of zero are 16.
    pub const ZERO: Self = Self { quants: [0; 256], fifth: [0xff; 64], scale: [0; STRIP] };

    /// Puts one row in its place.
    pub fn set_row(&mut self, row: usize, codes: &[u8; BLOCK], scale: u16) {
        place_low(&mut self.quants, row, codes);
        place_fifth(&mut self.fifth, row, codes);
        self.scale[row] = scale;
    }
}

impl Q5MinBlock {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; 256], fifth: [0; 64], scale: [0; STRIP], min: [0; STRIP] };

    /// Puts one row in its place.
    pub fn set_row(&mut self, row: usize, codes: &[u8; BLOCK], scale: u16, min: u16) {
        place_low(&mut self.quants, row, codes);
        place_fifth(&mut self.fifth, row, codes);
        (self.scale[row], self.min[row]) = (scale, min);
    }
}

impl Q8Block {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; 512], scale: [0; STRIP] };

    /// Puts one row in its place: its bytes as the file has them.
    pub fn set_row(&mut self, row: usize, bytes: &[u8], scale: u16) {
        copy_groups(&mut self.quants, row, bytes);
        self.scale[row] = scale;
    }
}

/// Fours of one row's bytes to where they are multiplied.
fn copy_groups(to: &mut [u8], row: usize, bytes: &[u8]) {
    for (group, bytes) in bytes.as_chunks::<4>().0.iter().enumerate() {
        to[64 * group + 4 * row..][..4].copy_from_slice(bytes);
    }
}

macro_rules! halves {
    ($name:ident) => {
        #[inline(always)]
        unsafe fn $name<L: Lanes>(&self, _part: usize) -> L {
            // SAFETY: the array has sixteen half floats.
            unsafe { L::load_half(self.$name.as_ptr()) }
        }
    };
}

impl Packed for Q4Block {
    const PARTS: usize = 1;
    const SUM: Sum = Sum::Whole;
    const CENTRE: i32 = 8;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, _part: usize, g: usize) -> L::Bytes {
        // SAFETY: forwarded.
        unsafe { four_bits::<L>(&self.quants, g) }
    }
    halves!(scale);
}

impl Packed for Q4MinBlock {
    const PARTS: usize = 1;
    const SUM: Sum = Sum::Whole;
    const MIN: bool = true;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, _part: usize, g: usize) -> L::Bytes {
        // SAFETY: forwarded.
        unsafe { four_bits::<L>(&self.quants, g) }
    }
    halves!(scale);
    halves!(min);
}

impl Packed for Q5Block {
    const PARTS: usize = 1;
    const SUM: Sum = Sum::Halves;
    const CENTRE: i32 = 16;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, _part: usize, g: usize) -> L::Bytes {
        // SAFETY: forwarded.
        unsafe { five_bits::<L>(&self.quants, &self.fifth, g) }
    }
    halves!(scale);
}

impl Packed for Q5MinBlock {
    const PARTS: usize = 1;
    const SUM: Sum = Sum::Halves;
    const MIN: bool = true;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, _part: usize, g: usize) -> L::Bytes {
        // SAFETY: forwarded.
        unsafe { five_bits::<L>(&self.quants, &self.fifth, g) }
    }
    halves!(scale);
    halves!(min);
}

impl Packed for Q8Block {
    const PARTS: usize = 1;
    const SUM: Sum = Sum::Signed;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(&self, _part: usize, g: usize) -> L::Bytes {
        // SAFETY: group `g` is 64 bytes inside the array.
        unsafe { L::bytes(self.quants.as_ptr().add(64 * g)) }
    }
    halves!(scale);
}
