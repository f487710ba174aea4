//! How sure a mean is: percentile intervals by drawing the same items again with replacement (Efron 1979).

use super::{mean, unfit};
use crate::{TrainError, examples::Stream};
use serde::{Deserialize, Serialize};

/// How often items are drawn again.
pub const RESAMPLES: usize = 10_000;

/// A number, and where it lies with a probability of 95 percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The number itself.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Over how many items.
    pub items: usize,
}

/// Draws items by a seed.
pub(crate) struct Draw(Stream);

impl Draw {
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self(Stream::new(seed, purpose))
    }

    /// One of `count`.
    #[allow(clippy::cast_possible_truncation, reason = "below `count`")]
    pub fn of(&mut self, count: usize) -> usize {
        (((self.0.next() >> 32) * count as u64) >> 32) as usize
    }

    /// The mean of as many as there are, each drawn from all.
    pub fn mean(&mut self, numbers: &[f64]) -> f64 {
        let mut sum = 0.0;
        for _ in 0..numbers.len() {
            sum += numbers[self.of(numbers.len())];
        }
        #[allow(clippy::cast_precision_loss, reason = "items are few")]
        let mean = sum / numbers.len() as f64;
        mean
    }
}

/// The interval of what `again` says about [`RESAMPLES`] draws.
pub(crate) fn interval(mean: f64, items: usize, mut again: impl FnMut() -> f64) -> Result<Interval, TrainError> {
    let mut all: Vec<f64> = (0..RESAMPLES).map(|_| again()).collect();
    if !mean.is_finite() || all.iter().any(|number| !number.is_finite()) {
        return Err(unfit("a score is not a finite number"));
    }
    all.sort_by(f64::total_cmp);
    let out = RESAMPLES / 40;
    Ok(Interval { mean, low: all[out - 1], high: all[RESAMPLES - out], items })
}

/// The mean of `after - before` over the same items, and its interval: 10,000 draws of whole items, decided by the seed.
pub fn paired_bootstrap(before: &[f64], after: &[f64], seed: u64) -> Result<Interval, TrainError> {
    if before.len() != after.len() || before.is_empty() {
        let (before, after) = (before.len(), after.len());
        return Err(unfit(format!(
            "{before} scores before and {after} after make no pairs; score the same items twice"
        )));
    }
    let differences: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    let mut draw = Draw::new(seed, "bootstrap");
    interval(mean(&differences), differences.len(), || draw.mean(&differences))
}
