//! What a mode costs: how long a question takes, taken in turns with the anchor in the same run, and the weights that lie in
//! memory.

use crate::{
    LabError,
    e1::{exam::Together, gate::Parts, trial::Trial},
};
use hinet_train::{
    TrainError,
    judge::{By, Judge, Watch},
};
use serde::{Deserialize, Serialize};
use std::{slice, time::Instant};

/// What a mode costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Milliseconds of a question with its options, the median: finding out who answers, and answering.
    pub ms: f64,
    /// The same of the bare anchor, in turns with it.
    pub anchor_ms: f64,
    /// Bytes of the weights that lie in memory: the models' and the deltas', without the embedder that a gate looks through.
    pub bytes: u64,
}

impl Cost {
    /// How many times as long as the anchor's a question takes.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ms / self.anchor_ms
    }
}

/// Says who answers a question, by its place.
pub(super) type Who<'a> = dyn FnMut(usize) -> Result<Parts, LabError> + 'a;

/// Takes the time of `timed` questions at even distances, each asked of the anchor and of whoever answers. What `who` needs
/// counts, what `judge` needs does not: whoever serves has its models open.
pub(super) fn taken(
    trial: &Trial<'_>,
    (timed, bytes): (usize, usize),
    who: &mut Who<'_>,
    judge: &mut Together<'_>,
    watch: &mut Watch<'_>,
) -> Result<Cost, LabError> {
    let count = trial.exam.packs.len();
    let timed = timed.clamp(1, count.max(1));
    let mut bare = Judge::new(trial.anchor, &[])?;
    let (mut anchors, mut modes) = (Vec::with_capacity(timed), Vec::with_capacity(timed));
    // The first is asked twice, because what is asked first wakes things up.
    for (turn, at) in std::iter::once(0).chain((0..timed).map(|turn| turn * count / timed)).enumerate() {
        if !watch.goes_on(turn, timed + 1) {
            return Err(TrainError::Unjudged.into());
        }
        let ask = |judge: &mut Judge| -> Result<f64, LabError> {
            let mut quiet = |_, _| {};
            let began = Instant::now();
            judge.choose(slice::from_ref(trial.exam.question(at)), By::Sum, &mut Watch::new(trial.stop, &mut quiet))?;
            Ok(1e3 * began.elapsed().as_secs_f64())
        };
        let anchor = ask(&mut bare)?;
        let began = Instant::now();
        let parts = who(at)?;
        let found = 1e3 * began.elapsed().as_secs_f64();
        let mode = found + ask(&mut judge(&parts)?)?;
        if turn > 0 {
            anchors.push(anchor);
            modes.push(mode);
        }
    }
    Ok(Cost { ms: median(&mut modes), anchor_ms: median(&mut anchors), bytes: bytes as u64 })
}

/// The number in the middle, or between the two in the middle; none is no number.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let (count, at) = (numbers.len(), numbers.len() / 2);
    match count {
        0 => f64::NAN,
        _ if count.is_multiple_of(2) => f64::midpoint(numbers[at - 1], numbers[at]),
        _ => numbers[at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&mut [9.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&mut [9.0, 1.0, 2.0, 4.0]) - 3.0).abs() < 1e-12);
        assert!(median(&mut []).is_nan());
        assert!((Cost { ms: 3.0, anchor_ms: 2.0, bytes: 1 }.ratio() - 1.5).abs() < 1e-12);
    }
}
