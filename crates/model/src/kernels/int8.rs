//! Activations rounded to int8, with a scale of their own per 32 columns.

pub use super::pack::BLOCK;
use zeroize::Zeroize;

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
    /// For each half of sixteen, -32 times the sum of what stands at places 0 and 1 of every four, in the lower sixteen
    /// bits, and of what stands at places 2 and 3, in the upper.
    pub centre: [i32; 2],
}

impl Int8Block {
    /// Nothing yet.
    pub const ZERO: Self = Self { quants: [0; BLOCK], scale: 0.0, sum: 0.0, total: 0, centre: [0; 2] };
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
            block.centre.zeroize();
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
