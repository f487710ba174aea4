//! A tensor in blocks of whole rows: read, looked over and written in parallel, with results in order.

use super::{Sink, Stack};
use crate::ComposeError;
use rayon::prelude::*;

/// Numbers in a block, if a row is not longer: a megabyte of floats, which fits the caches of common processors.
const NUMBERS: usize = 1 << 18;

/// Some rows of a tensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Which one.
    pub index: usize,
    /// Its first row.
    pub first: usize,
    /// How many rows.
    pub rows: usize,
}

/// The blocks of one tensor's inputs.
pub(super) struct Blocks<'a> {
    pub stack: &'a dyn Stack,
    pub columns: usize,
    rows: usize,
    step: usize,
}

impl<'a> Blocks<'a> {
    pub fn of(stack: &'a dyn Stack) -> Self {
        let (rows, columns) = (stack.rows(), stack.columns());
        Self { stack, columns, rows, step: (NUMBERS / columns.max(1)).max(1) }
    }

    /// All numbers of one input.
    pub fn numbers(&self) -> usize {
        self.rows * self.columns
    }

    pub fn count(&self) -> usize {
        if self.columns == 0 { 0 } else { self.rows.div_ceil(self.step) }
    }

    fn block(&self, index: usize) -> Block {
        let first = index * self.step;
        Block { index, first, rows: self.step.min(self.rows - first) }
    }

    /// Room for the numbers of a block.
    pub fn room(&self, block: Block) -> Vec<f32> {
        vec![0.0; block.rows * self.columns]
    }

    /// The base's numbers of a block.
    pub fn base(&self, block: Block) -> Result<Vec<f32>, ComposeError> {
        let mut out = self.room(block);
        self.stack.base(block.first, &mut out)?;
        Ok(out)
    }

    /// How a member differs from the base in a block; `base` is what [`Blocks::base`] gave.
    pub fn difference(&self, member: usize, block: Block, base: &[f32]) -> Result<Vec<f32>, ComposeError> {
        let mut out = self.room(block);
        self.stack.member(member, block.first, &mut out)?;
        out.iter_mut().zip(base).for_each(|(to, base)| *to -= base);
        Ok(out)
    }

    /// Looks at all blocks, in parallel; what is found comes in their order.
    pub fn look<T: Send>(
        &self,
        look: impl Fn(Block) -> Result<T, ComposeError> + Sync,
    ) -> Result<Vec<T>, ComposeError> {
        (0..self.count()).into_par_iter().map(|index| look(self.block(index))).collect()
    }

    /// Looks at all blocks, in parallel, and adds up what does not depend on the order: counts.
    pub fn count_up(
        &self,
        zero: impl Fn() -> Vec<u64> + Sync + Send,
        look: impl Fn(Block, &mut [u64]) -> Result<(), ComposeError> + Sync,
    ) -> Result<Vec<u64>, ComposeError> {
        let add = |mut all: Vec<u64>, part: Vec<u64>| {
            all.iter_mut().zip(part).for_each(|(to, from)| *to += from);
            Ok(all)
        };
        (0..self.count())
            .into_par_iter()
            .try_fold(&zero, |mut all, index| look(self.block(index), &mut all).map(|()| all))
            .try_reduce(&zero, add)
    }

    /// Makes all blocks of the result and writes them in order, as many at a time as there are threads.
    pub fn write(
        &self,
        sink: &mut Sink<'_>,
        make: impl Fn(Block, &mut [f32]) -> Result<(), ComposeError> + Sync,
    ) -> Result<(), ComposeError> {
        let at_once = rayon::current_num_threads().max(1);
        for first in (0..self.count()).step_by(at_once) {
            let wave = first..(first + at_once).min(self.count());
            let narrow = sink.narrow;
            let made: Vec<Result<Vec<u8>, ComposeError>> = wave
                .into_par_iter()
                .map(|index| {
                    let block = self.block(index);
                    let mut out = self.room(block);
                    make(block, &mut out)?;
                    narrow(&out)
                })
                .collect();
            for bytes in made {
                (sink.put)(&bytes?)?;
            }
        }
        Ok(())
    }
}
