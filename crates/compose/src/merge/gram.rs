//! Grams of a linear layer's inputs, summed some rows at a time in double precision.

use super::solve::{View, add_product};
use crate::{ComposeError, Gram};
use std::sync::{Mutex, PoisonError};

/// Rows of the product that one thread makes at a time.
const PART: usize = 64;
/// Rows of inputs that are widened at a time.
const ROWS: usize = 512;

/// The sum of `xᵀ·x` over rows `x` of inputs.
///
/// Parts of the product are shared by threads, rows never, so the numbers do not depend on how many threads there are.
#[derive(Debug)]
pub struct GramSum {
    size: usize,
    /// `[size, size]`; of every part of rows what lies left of its last diagonal number, and nothing else.
    sum: Vec<f64>,
}

impl GramSum {
    /// Nothing yet, of a layer with `size` inputs.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { size, sum: vec![0.0; size * size] }
    }

    /// How many inputs the layer has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Adds rows of inputs, `[rows, size]`, one after the other.
    ///
    /// # Errors
    /// Where they are no whole rows, or hold a number that is not finite.
    pub fn add(&mut self, inputs: &[f32], threads: usize) -> Result<(), ComposeError> {
        let size = self.size;
        let bad = |problem| Err(ComposeError::Gram { name: format!("a layer of {size} inputs"), problem });
        if size == 0 || !inputs.len().is_multiple_of(size) {
            return bad("its inputs are no whole rows; give all numbers of each token");
        }
        if !inputs.iter().fold(true, |finite, number| finite & number.is_finite()) {
            return bad("its inputs hold numbers that are not finite; leave that model out, or train it again");
        }
        for some in inputs.chunks(ROWS * size) {
            let wide: Vec<f64> = some.iter().map(|number| f64::from(*number)).collect();
            let rows = some.len() / size;
            let parts = Mutex::new(self.sum.chunks_mut(PART * size).enumerate());
            let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
            let work = || {
                while let Some((part, out)) = next() {
                    let (first, count) = (part * PART, out.len() / size);
                    let left = View::rows(&wide[first..], size).turned();
                    add_product((count, rows, first + count), 1.0, left, View::rows(&wide, size), out, size);
                }
            };
            std::thread::scope(|scope| {
                (1..threads.max(1)).for_each(|_| drop(scope.spawn(work)));
                work();
            });
        }
        Ok(())
    }

    /// The Gram, divided by its mean diagonal, so that members with more text or larger inputs count no more than others.
    ///
    /// # Errors
    /// Where nothing was added, or nothing but zeros.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "few inputs; a Gram is of floats")]
    pub fn finish(self) -> Result<Gram, ComposeError> {
        let size = self.size;
        let mean = (0..size).map(|at| self.sum[at * size + at]).sum::<f64>() / size.max(1) as f64;
        if mean <= 0.0 || !mean.is_finite() {
            let problem = "they have no length; gather them from more prompts";
            return Err(ComposeError::Gram { name: format!("a layer of {size} inputs"), problem });
        }
        let at = |row: usize, column: usize| self.sum[row.max(column) * size + row.min(column)] / mean;
        Ok(Gram((0..size * size).map(|place| at(place / size, place % size) as f32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::masks::lot;

    #[test]
    fn sums_are_those_of_the_plain_loops_on_any_number_of_threads() {
        for (size, rows) in [(1, 1), (7, 3), (70, 600), (130, 40)] {
            let inputs: Vec<f32> = (0..size * rows).map(|at| lot(9, at as u64) - 0.3).collect();
            let mut plain = vec![0.0f64; size * size];
            for row in inputs.chunks_exact(size) {
                for (at, to) in plain.iter_mut().enumerate() {
                    *to += f64::from(row[at / size]) * f64::from(row[at % size]);
                }
            }
            let mean = (0..size).map(|at| plain[at * size + at]).sum::<f64>() / size as f64;
            let made = |threads, at_once: usize| {
                let mut sum = GramSum::new(size);
                inputs.chunks(at_once * size).for_each(|some| sum.add(some, threads).unwrap());
                sum.finish().unwrap().0
            };
            let found = made(1, rows);
            assert_eq!(found, made(3, rows));
            for (found, plain) in found.iter().chain(&made(2, 5)).zip(plain.iter().chain(&plain)) {
                assert!((f64::from(*found) - plain / mean).abs() < 1e-6, "{size} {rows}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let mut sum = GramSum::new(3);
        assert!(sum.add(&[1.0; 4], 1).unwrap_err().to_string().contains("whole rows"));
        assert!(sum.add(&[1.0, f32::NAN, 0.0], 1).unwrap_err().to_string().contains("finite"));
        assert!(GramSum::new(0).add(&[], 1).is_err());
        assert!(sum.finish().unwrap_err().to_string().contains("more prompts"));
        let mut zeros = GramSum::new(2);
        zeros.add(&[0.0; 4], 2).unwrap();
        assert!(zeros.finish().is_err());
    }
}
