//! E2: an owner sleeps. Do the weights come to know what the owner knows, in words that were never learned, without
//! forgetting the rest? Does what is shared give away what is not?
//!
//! The owner is made up (`owner.rs`). Four models are tuned: Δ_private as a night does by default, all matrices as the
//! upper bound, Δ_public distilled from Δ_private on public prompts alone, and a leaky control that swallows the private
//! texts whole. Each is judged as it serves; the memory is that of a real home, asked as anybody's is.

mod lessons;
mod report;
mod run;

pub use report::{Facts, Leak, Noise, Report, Spread};
pub use run::run;

use hinet_node::Settings;
use hinet_train::leak::Limits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How large the experiment is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// People, and as many plants, with three facts each.
    pub entities: usize,
    /// Entries of the diary; as many are kept back.
    pub diary: usize,
    /// Entries by other people.
    pub others: usize,
    /// Canaries among the private texts, and as many fresh ones.
    pub canaries: usize,
    /// General questions.
    pub general: usize,
    /// Tokens of the neutral text.
    pub neutral: usize,
    /// Examples in one step.
    pub batch: usize,
    /// Rank of the factors.
    pub rank: usize,
    /// Learning rate of Δ_private; a night's where nothing else is said.
    pub rate: Option<f32>,
    /// Rounds of learning; a night's number where nothing else is said.
    pub rounds: u64,
    /// Rounds in which the leaky control goes through the private texts.
    pub leaky_rounds: u64,
    /// Rounds in which Δ_public is distilled.
    pub public_rounds: u64,
    /// Whether all matrices are tuned too.
    pub whole: bool,
    /// Noise that Δ_public is tried with, in root mean squares of its factors.
    pub noise: Vec<f32>,
    /// What the leakage gate demands.
    pub limits: Limits,
}

impl Sizes {
    /// The experiment that counts.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            entities: 8,
            diary: 400,
            others: 80,
            canaries: 64,
            general: usize::MAX,
            neutral: usize::MAX,
            batch: hinet_train::Recipe::NIGHTLY_BATCH,
            rank: 16,
            rate: None,
            rounds: hinet_train::Recipe::NIGHTLY_EPOCHS,
            leaky_rounds: 4,
            public_rounds: hinet_train::project::ROUNDS,
            whole: true,
            noise: vec![0.25, 0.5, 1.0, 2.0],
            limits: Limits::default(),
        }
    }

    /// The same in some minutes: too small for its figures to mean anything, large enough for every part to run.
    #[must_use]
    pub fn small() -> Self {
        Self {
            entities: 1,
            diary: 16,
            others: 8,
            canaries: 2,
            general: 40,
            neutral: 300,
            batch: 4,
            rank: 4,
            rate: None,
            rounds: 2,
            leaky_rounds: 4,
            public_rounds: 1,
            whole: true,
            noise: vec![1.0],
            limits: Limits {
                canaries: 2,
                texts: 16,
                secrets: 1,
                sampled: 1,
                tokens: 8,
                kept_back: 4,
                ..Limits::default()
            },
        }
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// How large it is.
    pub sizes: Sizes,
    /// Where the experiment keeps what it has done.
    pub dir: PathBuf,
    /// The anchor's file.
    pub anchor: PathBuf,
    /// The made-up owner's home, and where models are.
    pub settings: Settings,
    /// Threads; as many as the machine has where nothing is said.
    pub threads: Option<usize>,
}
