//! Growth: what becomes of modes of composing as members become more. Where does the merge begin to fall, and what do
//! sub-assemblies do about it?
//!
//! The members are E1's, with small packs and low-rank factors. A smaller group is the first of a larger one, so each is
//! tuned once, and the same questions of the first packs are asked at every size. Each size is measured as in E1: merges
//! by recipes, one of them distilled, a route, mixes and their controls; each with what it costs beside the anchor in the
//! same run (`cost.rs`). Where members are more than a sub-assembly holds, they are merged in groups that lie near one
//! another, and a gate picks the group first (`groups.rs`); groups that are drawn say what the nearness is worth.
//!
//! Sparse models are left out: beside each other thirty-two members' feed-forward layers would take five gigabytes.

mod cost;
mod groups;
mod report;
mod run;

pub use cost::Cost;
pub use report::{Change, Report, Row, Size};
pub use run::run;

use crate::e1;
use serde::{Deserialize, Serialize};

/// Members of the largest group, at most.
pub const MEMBERS_MAX: usize = 64;

/// How large the experiment is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// How many members each size has; each is the first of the next larger one.
    pub members: Vec<usize>,
    /// Members of a sub-assembly, at most.
    pub group: usize,
    /// Questions by which the time of a mode is taken.
    pub timed: usize,
    /// The scale of the sum that takes the place of every composition where there is no time for their Grams.
    pub quick: Option<f32>,
    /// How members are tuned, composed and asked; how many, `members` says.
    pub each: e1::Sizes,
}

impl Sizes {
    /// The experiment that counts.
    ///
    /// A member has 36 prompts, a quarter of E1's, of which twelve rounds are 34 steps; E1's took 170 to 250 seconds for 68
    /// steps, so thirty-two members should take about an hour of two idle processors.
    #[must_use]
    pub fn whole() -> Self {
        let each = e1::Sizes { entities: 2, rounds: 12, scales: vec![0.33], ..e1::Sizes::whole() };
        Self { members: vec![3, 8, 16, 32], group: 8, timed: 24, quick: None, each }
    }

    /// Every part in a minute or two: too small for its figures to mean anything.
    #[must_use]
    pub fn small() -> Self {
        let each = e1::Sizes { distil_steps: 0, ..e1::Sizes::small() };
        Self { members: vec![2, 3], group: 2, timed: 2, quick: Some(0.5), each }
    }
}
