//! The weights of a step: what is frozen, what changes, and where gradients go.

use hinet_model::kernels::{Matrix, Running, STRIP, turned};
use std::ops::Range;

/// The numbers of a matrix, `[rows, columns]`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    /// As the anchor has them.
    Frozen(&'a Matrix),
    /// In strips of sixteen rows: for every column, sixteen rows.
    Floats(&'a [f32]),
}

/// Low-rank factors beside a matrix. Ranks are filled up to a multiple of sixteen with zeros, which stay zeros.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adapter<'a> {
    /// The rank, filled up.
    pub rank: usize,
    /// What the product of the factors is multiplied with.
    pub scale: f32,
    /// `Aᵀ`, `[columns, rank]`, and where its gradient goes.
    pub a: &'a [f32],
    /// Where the gradient of `a` goes.
    pub a_at: usize,
    /// `Bᵀ`, `[rank, rows]`.
    pub b: &'a [f32],
    /// Where the gradient of `b` goes.
    pub b_at: usize,
    /// Lengths of rows, where they are learned.
    pub lengths: Option<Lengths<'a>>,
}

/// Lengths of rows that are learned apart from their direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths<'a> {
    /// The lengths, one per row.
    pub wanted: &'a [f32],
    /// Where their gradient goes.
    pub at: usize,
    /// The lengths of the rows of `W + s·B·A`.
    pub found: &'a [f32],
}

/// A matrix of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight<'a> {
    /// Outputs.
    pub rows: usize,
    /// Inputs, a multiple of 32.
    pub columns: usize,
    /// The numbers.
    pub numbers: Numbers<'a>,
    /// Where the gradient of the numbers goes, in the same order, if they change.
    pub at: Option<usize>,
    /// What is added to products.
    pub adapter: Option<Adapter<'a>>,
}

/// The gains of a norm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gains<'a> {
    /// One per column.
    pub values: &'a [f32],
    /// Where their gradient goes, if they change.
    pub at: Option<usize>,
}

impl Weight<'_> {
    /// Strips of sixteen rows.
    pub fn strips(&self) -> usize {
        self.rows.div_ceil(STRIP)
    }

    /// Outputs, filled up to whole strips.
    pub fn width(&self) -> usize {
        self.strips() * STRIP
    }

    /// Whether anything about it changes.
    pub fn learns(&self) -> bool {
        self.at.is_some() || self.adapter.is_some()
    }

    /// As [`Matrix::panel`].
    pub fn panel<'s>(
        &'s self,
        running: Running,
        strip: usize,
        columns: Range<usize>,
        room: &'s mut [f32],
    ) -> &'s [f32] {
        match self.numbers {
            Numbers::Frozen(matrix) => matrix.panel(running, strip, columns, room),
            Numbers::Floats(all) => &all[(strip * self.columns + columns.start) * STRIP..][..columns.len() * STRIP],
        }
    }

    /// As [`Matrix::across`].
    pub fn across(&self, running: Running, strip: usize, columns: Range<usize>, out: &mut [f32], stride: usize) {
        match self.numbers {
            Numbers::Frozen(matrix) => matrix.across(running, strip, columns, out, stride),
            Numbers::Floats(all) => {
                let from = &all[(strip * self.columns + columns.start) * STRIP..][..columns.len() * STRIP];
                for (from, to) in from.chunks_exact(STRIP * STRIP).zip(out.chunks_mut(stride)) {
                    turned(from, to, |number| *number);
                }
            }
        }
    }

    /// One row.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match self.numbers {
            Numbers::Frozen(matrix) => matrix.row(row, out),
            Numbers::Floats(all) => {
                let strip = &all[row / STRIP * self.columns * STRIP..][..self.columns * STRIP];
                for (out, column) in out.iter_mut().zip(strip.chunks_exact(STRIP)) {
                    *out = column[row % STRIP];
                }
            }
        }
    }
}
