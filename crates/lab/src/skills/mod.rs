//! Skills: three that have nothing to do with each other and three that label the same sentences differently, merged,
//! distilled and routed. Can one say beforehand which to merge and which to route?
//!
//! Each skill is a pack of E1's, made up from the seed (`made.rs`), learned by low-rank factors and asked on items that are
//! held out. All sets of one sort, all skills together and every pair of them are merged. Of each pair it is said beforehand
//! whether merging will do (`select.rs`): by how far apart the members' activations lie and how surprising the answers are to
//! the anchor, by the whitepaper's rule of conflict, and by the bound that label agreement sets; and all are held against what
//! came of it.

mod made;
mod report;
mod run;
mod select;

pub use report::{Advice, Report, Set, Skill};
pub use run::run;
pub use select::{By, Foretold, KEEPS, Pair};

use crate::e1;
use serde::{Deserialize, Serialize};

/// How large the experiment is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Complementary skills, and conflicting ones; three of each there are.
    pub skills: [usize; 2],
    /// Items of a skill that are learned.
    pub learned: usize,
    /// Items of a skill that are held out and asked.
    pub held: usize,
    /// Prompts of a skill on which activations are compared.
    pub probes: usize,
    /// The scale of the sum that takes the place of every composition where there is no time for their Grams.
    pub quick: Option<f32>,
    /// How members are tuned, composed and asked; how many there are and what they learn is said above.
    pub each: e1::Sizes,
}

impl Sizes {
    /// The experiment that counts: 75 steps a skill, and some twenty compositions.
    #[must_use]
    pub fn whole() -> Self {
        let each = e1::Sizes { rounds: 3, ..e1::Sizes::whole() };
        Self { skills: [made::EACH; 2], learned: 320, held: 200, probes: 32, quick: None, each }
    }

    /// Every part in a minute or two, with two skills that conflict: too small for its figures to mean anything.
    #[must_use]
    pub fn small() -> Self {
        let each = e1::Sizes { distil_steps: 0, ..e1::Sizes::small() };
        Self { skills: [0, 2], learned: 12, held: 8, probes: 4, quick: Some(0.5), each }
    }
}
