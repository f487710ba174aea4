//! Judging a model as it will serve: the anchor, its deltas and their gates, on the kernels that answer.
//!
//! A [`Judge`] says how likely texts are ([`Judge::losses`], [`Judge::perplexity`]), chooses among options
//! ([`Judge::choose`]) and writes ([`Judge::write`]). All of it is the same for any number of threads, and can be stopped at
//! any time; whatever is not finite is an error, never a number.

mod bootstrap;
mod choice;
pub mod general;
mod write;

pub(crate) use bootstrap::{Draw, interval};
pub use bootstrap::{Interval, RESAMPLES, paired_bootstrap};
pub use choice::{By, Choice, Question, points};

use crate::{Example, TrainError};
use hinet_model::{Anchor, Asked, Reader, Resident};
use std::sync::atomic::{AtomicBool, Ordering};

/// Tokens of the longest text that can be read, where the model was trained to see as many.
pub(crate) const LONGEST: usize = 8192;

/// Whoever waits for something that takes long: it is told how far it is, and may stop it.
pub struct Watch<'a> {
    cancel: &'a AtomicBool,
    told: &'a mut dyn FnMut(usize, usize),
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch(stopped: {})", self.cancel.load(Ordering::Relaxed))
    }
}

impl<'a> Watch<'a> {
    /// Stops as soon as `cancel` says so; `told` hears how much is done and how much there is, in whatever is counted.
    #[must_use]
    pub fn new(cancel: &'a AtomicBool, told: &'a mut dyn FnMut(usize, usize)) -> Self {
        Self { cancel, told }
    }

    /// Tells how far it is; `false` where it is to stop.
    pub fn goes_on(&mut self, done: usize, all: usize) -> bool {
        (self.told)(done, all);
        !self.cancel.load(Ordering::Relaxed)
    }

    /// Watches a part of something: `place` says how far the whole is when the part is so far.
    pub fn part<T>(
        &mut self,
        place: impl Fn(usize, usize) -> (usize, usize),
        job: impl FnOnce(&mut Watch<'_>) -> T,
    ) -> T {
        let told = &mut *self.told;
        let mut placed = |done, all| {
            let (done, all) = place(done, all);
            told(done, all);
        };
        job(&mut Watch { cancel: self.cancel, told: &mut placed })
    }

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if self.cancel.load(Ordering::Relaxed) { Err(TrainError::Unjudged) } else { Ok(()) }
    }
}

/// Something that cannot be judged.
pub(crate) fn unfit(problem: impl Into<String>) -> TrainError {
    TrainError::Judge { problem: problem.into() }
}

/// A model as it will serve.
pub struct Judge {
    anchor: Anchor,
    deltas: Vec<(Resident, f32)>,
    reader: Reader,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Judge(of {} deltas)", self.deltas.len())
    }
}

impl Judge {
    /// A judge of the anchor with these deltas, each as much as its gate says; with none, of the anchor alone.
    pub fn new(anchor: &Anchor, deltas: &[(Resident, f32)]) -> Result<Self, TrainError> {
        let reader = anchor.reader(deltas, anchor.context().min(LONGEST))?;
        Ok(Self { anchor: anchor.clone(), deltas: deltas.to_vec(), reader })
    }

    /// The same of a model of experts, with these weights of them for every token in place of what its routers say.
    ///
    /// # Errors
    /// Where the model has no experts, or the weights do not fit.
    pub fn with_experts(mut self, weights: &[f32]) -> Result<Self, TrainError> {
        self.reader.set_experts(Some(weights))?;
        Ok(self)
    }

    /// The anchor.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// For each example the loss of each of its tokens that count, in nats and in their order.
    ///
    /// Examples that begin alike are read once as far as they agree, in whatever order they come.
    pub fn losses(&mut self, examples: &[Example], watch: &mut Watch<'_>) -> Result<Vec<Vec<f32>>, TrainError> {
        let told = self.read(examples, 0, watch)?;
        let losses = |logs: Vec<hinet_model::TokenLog>| logs.into_iter().map(|log| -log.log_probability).collect();
        let all: Vec<Vec<f32>> = told.into_iter().map(losses).collect();
        match all.iter().position(|losses| losses.iter().any(|loss| !loss.is_finite())) {
            Some(index) => Err(unfit(format!("a loss of example {index} is not a finite number"))),
            None => Ok(all),
        }
    }

    /// For each example the mean loss of its tokens that count, in nats.
    pub fn mean_losses(&mut self, examples: &[Example], watch: &mut Watch<'_>) -> Result<Vec<f64>, TrainError> {
        #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
        let mean = |losses: &Vec<f32>| sum(losses) / losses.len() as f64;
        Ok(self.losses(examples, watch)?.iter().map(mean).collect())
    }

    /// What is told of each token that counts, with the `top` likeliest at its place.
    pub(crate) fn read(
        &mut self,
        examples: &[Example],
        top: usize,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Vec<hinet_model::TokenLog>>, TrainError> {
        for (index, example) in examples.iter().enumerate() {
            example.check(index, self.anchor.config())?;
        }
        let asked: Vec<Asked<'_>> =
            examples.iter().map(|example| Asked { tokens: &example.tokens, wanted: &example.learn }).collect();
        watch.check()?;
        let told = self.reader.read(&asked, top, &mut |done, all| watch.goes_on(done, all))?;
        told.ok_or(TrainError::Unjudged)
    }

    /// The perplexity of a text of any length: e to the mean loss of all tokens but the first.
    ///
    /// It is read in windows of `window` tokens, each of which begins in the middle of the one before; a token counts in
    /// the first window that has it.
    pub fn perplexity(&mut self, text: &[u32], window: usize, watch: &mut Watch<'_>) -> Result<f64, TrainError> {
        let window = window.clamp(2, self.anchor.context().min(LONGEST));
        let mut examples = Vec::new();
        let (mut from, mut known) = (0, 1);
        while known < text.len() {
            let end = (from + window).min(text.len());
            examples.push(Example::from(text[from..end].to_vec(), known - from));
            known = end;
            from += window / 2;
        }
        if examples.is_empty() {
            return Err(unfit("a text of fewer than two tokens has no perplexity; give a longer one"));
        }
        let losses = self.losses(&examples, watch)?.concat();
        #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
        let mean = sum(&losses) / losses.len() as f64;
        Ok(mean.exp())
    }
}

/// The mean of some numbers; that of none is no number.
#[allow(clippy::cast_precision_loss, reason = "numbers are few")]
pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The sum of some losses.
pub(crate) fn sum(losses: &[f32]) -> f64 {
    losses.iter().map(|loss| f64::from(*loss)).sum()
}
