//! A stopwatch around tuning: what a step costs, of low-rank factors and of a whole model.

use crate::{Example, Full, Lora, Method, Recipe, Schedule, TrainError, Tuner};
use hinet_model::{Anchor, Config, delta::Linear, measure::Taken};
use std::{path::Path, sync::atomic::AtomicBool};

/// Examples in a step, and tokens of each.
pub const BATCH: (usize, usize) = (4, 128);
/// The learning rate.
pub const RATE: f32 = 1e-4;
/// The weight decay.
pub const DECAY: f32 = 0.01;

/// What is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Factors of rank 16 beside all linear layers.
    Lora,
    /// Every number of the model.
    Full,
}

impl What {
    /// What to call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lora => "lora",
            Self::Full => "full",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Lora => Method::Lora(Lora::default()),
            Self::Full => Method::Full(Full::Everything),
        }
    }
}

/// A model that is tuned under the stopwatch, on tokens that mean nothing.
#[derive(Debug)]
pub struct Tuning(Tuner);

impl Tuning {
    /// Gets ready for so many steps.
    ///
    /// # Errors
    /// Where the model cannot be tuned.
    pub fn new(anchor: &Anchor, what: What, steps: u64) -> Result<Self, TrainError> {
        let recipe = Recipe {
            method: what.method(),
            learning_rate: RATE,
            schedule: Schedule::Constant,
            warmup: 0,
            steps,
            batch: BATCH.0,
            weight_decay: DECAY,
            clip: None,
            compact: what == What::Full,
            ..Recipe::default()
        };
        let (count, long) = BATCH;
        let most = anchor.config().vocabulary.saturating_sub(152).max(1);
        #[allow(clippy::cast_possible_truncation, reason = "below the size of a vocabulary")]
        let ids: Vec<u32> = (0..count * long).map(|i| ((i * 7919 + 13) % most) as u32).collect();
        let example = |at: usize| {
            let following = ids[(at + 1) * long % ids.len()];
            Example::whole([&ids[at * long..(at + 1) * long], &[following]].concat())
        };
        Tuner::new(anchor, recipe, (0..count).map(example).collect()).map(Self)
    }

    /// Writes the low-rank factors as they are, so that another runtime can begin with the same.
    ///
    /// # Errors
    /// Where there are none, or they cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        Ok(self.0.delta()?.save(folder)?)
    }

    /// Makes a step; gives how long it took, and the loss before it.
    ///
    /// # Errors
    /// As for [`Tuner::step`].
    pub fn step(&mut self) -> Result<(Taken, f32), TrainError> {
        let (taken, report) = Taken::by(|| self.0.step(&AtomicBool::new(false)));
        Ok((taken, report?.loss))
    }
}

/// Additions and multiplications of one step, in thousands of millions: forward, to the inputs, and to what changes. What
/// attention does is left out.
#[must_use]
pub fn gflop(config: &Config, what: What) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let (rows, layers) = ((BATCH.0 * BATCH.1) as f64, config.layers as f64);
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let shapes = Linear::ALL.map(|linear| linear.shape(config)).map(|(rows, columns)| (rows as f64, columns as f64));
    let linears: f64 = layers * shapes.iter().map(|(rows, columns)| rows * columns).sum::<f64>();
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let head = (config.vocabulary * config.width) as f64;
    let factors: f64 = 16.0 * layers * shapes.iter().map(|(rows, columns)| rows + columns).sum::<f64>();
    let products = match what {
        What::Lora => 2.0 * (linears + head) + 3.0 * factors,
        What::Full => 3.0 * (linears + head),
    };
    2.0 * rows * products / 1e9
}
