//! How to tune: what changes, how fast, for how long. Plain data.

use crate::TrainError;
use hinet_model::{Anchor, Config, delta::Linear};
use serde::{Deserialize, Serialize};

/// How to tune.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// What changes.
    pub method: Method,
    /// The highest learning rate.
    pub learning_rate: f32,
    /// How it falls after the warm-up.
    pub schedule: Schedule,
    /// Steps in which it rises to the highest.
    pub warmup: u64,
    /// Steps in all.
    pub steps: u64,
    /// Examples computed at once.
    pub batch: usize,
    /// Batches whose gradients make one step.
    pub accumulate: usize,
    /// How much of the mean gradient is kept at each step.
    pub beta1: f32,
    /// How much of the mean square is kept.
    pub beta2: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// How much of every number decays, times the learning rate. Lengths of rows and gains of norms do not decay.
    pub weight_decay: f32,
    /// Gradients that are longer than this are shortened to it; `None` for never.
    pub clip: Option<f32>,
    /// Decides the first numbers and the order of the examples.
    pub seed: u64,
    /// Whether layers are computed a second time on the way back, instead of keeping what they made: a third slower, in a
    /// small part of the memory.
    pub recompute: bool,
    /// Whether what layers made is kept as bfloat16 until the way back: half the memory, and gradients that are off by about
    /// a thousandth. What is computed with stays floats.
    pub compact: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            method: Method::default(),
            learning_rate: 2e-4,
            schedule: Schedule::Linear,
            warmup: 8,
            steps: 100,
            batch: 16,
            accumulate: 1,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip: Some(1.0),
            seed: 0,
            recompute: false,
            compact: false,
        }
    }
}

impl Recipe {
    /// Examples in one step of a nightly run.
    pub const NIGHTLY_BATCH: usize = 16;
    /// How often a nightly run goes through everything.
    pub const NIGHTLY_EPOCHS: u64 = 5;

    /// What a night does by default: low-rank factors beside every linear layer, alpha twice the rank, the rate that left
    /// the rest of the anchor's abilities alone (`docs/results.md`).
    #[must_use]
    pub fn nightly(rank: usize, magnitudes: bool, steps: u64, seed: u64) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
        let alpha = 2.0 * rank as f32;
        Self {
            method: Method::Lora(Lora { rank, alpha, magnitudes, ..Lora::default() }),
            learning_rate: 3e-4,
            warmup: 8.min(steps / 4),
            steps,
            batch: Self::NIGHTLY_BATCH,
            beta2: 0.99,
            seed,
            ..Self::default()
        }
    }

    /// Steps in which a nightly run goes through so many examples as often as it should.
    #[must_use]
    pub fn nightly_steps(examples: usize) -> u64 {
        Self::steps_for(examples, Self::NIGHTLY_EPOCHS, Self::NIGHTLY_BATCH)
    }

    /// Steps that go through so many examples so often, `batch` of them in each; eight at least.
    #[must_use]
    pub fn steps_for(examples: usize, rounds: u64, batch: usize) -> u64 {
        (examples as u64 * rounds).div_ceil(batch.max(1) as u64).max(8)
    }
}

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// In a line to zero, which it would reach one step after the last.
    Linear,
    /// Along half a cosine to zero.
    Cosine,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Low-rank factors beside frozen weights.
    Lora(Lora),
    /// Numbers of the model itself.
    Full(Full),
}

impl Default for Method {
    fn default() -> Self {
        Self::Lora(Lora::default())
    }
}

/// Low-rank factors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lora {
    /// The rank.
    pub rank: usize,
    /// The product of the factors is multiplied with `alpha / rank`.
    pub alpha: f32,
    /// Whether with `alpha / √rank` instead.
    pub rank_stabilised: bool,
    /// Whether the length of every row is learned apart from its direction (`DoRA`).
    pub magnitudes: bool,
    /// Which linear layers get factors.
    pub linears: Vec<Linear>,
}

impl Default for Lora {
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, rank_stabilised: false, magnitudes: false, linears: Linear::ALL.to_vec() }
    }
}

impl Lora {
    /// What the product of the factors is multiplied with.
    #[must_use]
    pub fn scale(&self) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
        let rank = self.rank as f32;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }
}

/// Which numbers of the model itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Full {
    /// The feed-forward layers.
    Mlp,
    /// All linear layers; embeddings, head and norms stay.
    Linears,
    /// Everything.
    Everything,
}

impl Recipe {
    /// The learning rate of step `step`, counted from zero.
    #[must_use]
    pub fn rate(&self, step: u64) -> f32 {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "steps are few")]
        let part = |of: u64, all: u64| (of as f64 / all.max(1) as f64) as f32;
        if step < self.warmup {
            return self.learning_rate * part(step + 1, self.warmup);
        }
        let done = part(step - self.warmup, self.steps.saturating_sub(self.warmup)).min(1.0);
        self.learning_rate
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Linear => 1.0 - done,
                Schedule::Cosine => 0.5 + 0.5 * (std::f32::consts::PI * done).cos(),
            }
    }

    /// Whether the recipe makes sense for a model of this shape.
    pub fn check(&self, config: &Config) -> Result<(), TrainError> {
        let demand = |holds: bool, problem: &str| {
            if holds { Ok(()) } else { Err(TrainError::Recipe { problem: problem.into() }) }
        };
        if let Some(layer) = config.plan.iter().position(|plan| plan.mixture) {
            return Err(TrainError::Mixture { layer });
        }
        let rate = self.learning_rate;
        demand(rate.is_finite() && rate > 0.0 && rate <= 1.0, "its learning rate is not between 0 and 1")?;
        demand(self.steps > 0, "it has no steps")?;
        demand(self.batch > 0 && self.accumulate > 0, "its batches are empty; give batch and accumulate at least 1")?;
        let beta = |beta: f32| (0.0..1.0).contains(&beta);
        demand(beta(self.beta1) && beta(self.beta2), "its betas are not at least 0 and below 1")?;
        demand(self.epsilon > 0.0 && self.epsilon < 1.0, "its epsilon is not between 0 and 1")?;
        demand((0.0..1.0).contains(&self.weight_decay), "its weight decay is not at least 0 and below 1")?;
        demand(
            self.clip.is_none_or(|clip| clip > 0.0 && clip.is_finite()),
            "it clips to a length that is not positive",
        )?;
        if let Method::Lora(lora) = &self.method {
            demand((1..=1024).contains(&lora.rank), "its rank is not between 1 and 1024")?;
            demand(lora.alpha.is_finite() && lora.alpha > 0.0, "its alpha is not positive")?;
            demand(!lora.linears.is_empty(), "it names no linear layers that get factors")?;
        }
        Ok(())
    }

    /// Whether the recipe makes sense for this anchor, and can leave alone the root that it stands on.
    pub fn check_on(&self, anchor: &Anchor) -> Result<(), TrainError> {
        self.check(anchor.config())?;
        if anchor.root().is_none() {
            return Ok(());
        }
        let refuse = |problem: &str| Err(TrainError::Recipe { problem: problem.into() });
        match &self.method {
            Method::Full(_) => refuse("whole matrices cannot be tuned on a root; tune low-rank factors"),
            Method::Lora(lora) if lora.magnitudes => {
                refuse("lengths of rows (DoRA) cannot be learned on a root; learn plain factors")
            }
            Method::Lora(_) if self.weight_decay > 0.0 => refuse("weight decay would change the root; leave it out"),
            Method::Lora(_) => Ok(()),
        }
    }
}
