//! E1: members that our own trainer made become one model. What is left of each one's knowledge, and of the anchor's?
//!
//! Every member learns a pack of facts that the anchor does not know (`packs.rs`, `made.rs`). They are composed by the
//! room that composes for owners, from recipes; the best of these learns once more from its members. They are routed to
//! by the public prompt nearest to a question, and where they are deltas they answer together as the product's gate
//! says. Single members, one model that learned everything itself, a memory that is searched, a wrong route and an
//! oracle stand beside that. All are asked the same questions, in words that neither tuning nor merging saw. What would
//! count as a pass was written down before (`assets/e1/preregistration.toml`), and `verdict.rs` holds each report
//! against it.

mod controls;
pub(crate) mod distil;
pub(crate) mod exam;
pub(crate) mod gate;
mod kinds;
mod leaving;
pub(crate) mod made;
pub(crate) mod members;
pub(crate) mod merges;
pub(crate) mod mix;
pub(crate) mod packs;
mod report;
mod retrieval;
pub(crate) mod route;
pub(crate) mod run;
mod sparse;
pub(crate) mod trial;
mod verdict;

pub use packs::{Asked, Fact, Pack, Sort};
pub use report::{Gated, Mode, OptOut, Report, Routed, Row, Sent, Shares, Single};
pub use run::run;
pub use verdict::{Finding, Outcome, Use, Verdict};

use hinet_model::{Embedder, delta::Linear};
use hinet_node::Settings;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What of a member is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tuning {
    /// All linear layers.
    Full,
    /// The feed-forward layers.
    Mlp,
    /// Low-rank factors beside all linear layers, with texts of the anchor's own among what is learned.
    Lora,
}

/// How large the experiment is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Members, each with a pack.
    pub members: usize,
    /// Made-up entities of a pack, with three facts each; at most eight.
    pub entities: usize,
    /// Examples in one step.
    pub batch: usize,
    /// Rounds of learning.
    pub rounds: u64,
    /// Rank of low-rank factors.
    pub rank: usize,
    /// The linear layers that get them.
    pub linears: Vec<Linear>,
    /// Learning rate of the factors.
    pub lora_rate: f32,
    /// Tokens of the neutral text.
    pub neutral: usize,
    /// Texts of the anchor's own, of which the virtual member's Gram is made.
    pub own: usize,
    /// What the sum of task vectors is multiplied with, one composition for each.
    pub scales: Vec<f32>,
    /// Steps in which the members are distilled into their merge.
    pub distil_steps: u64,
    /// Learning rate of these.
    pub distil_rate: f32,
}

impl Sizes {
    /// The experiment that counts: 864 prompts are learned, 720 questions asked.
    ///
    /// A seed should take a little more than an hour of two idle processors, estimated from the parts that were timed:
    /// a low-rank member of 144 prompts 170 to 250 seconds, so twenty minutes for six of them and as many again for one
    /// model of all packs in the same steps; a quarter of an hour for marks, which some thirty models get; ten minutes
    /// for Grams and compositions, leaving among them, and as many for distilling twice. Tuning grows with members
    /// times entities, so eight members of six entities cost what six of eight do.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            members: 8,
            entities: 6,
            batch: 16,
            rounds: 6,
            rank: 32,
            linears: Linear::ALL.to_vec(),
            lora_rate: 4e-4,
            neutral: 2_560,
            own: 64,
            // Larger ones lost everywhere they were tried.
            scales: vec![0.33, 0.5],
            distil_steps: 50,
            distil_rate: 3e-5,
        }
    }

    /// Every part in a minute or two: too small for its figures to mean anything.
    #[must_use]
    pub fn small() -> Self {
        Self {
            members: 2,
            entities: 1,
            batch: 6,
            rounds: 3,
            rank: 8,
            linears: vec![Linear::Query, Linear::Output],
            // A dozen steps must show.
            lora_rate: 4e-3,
            neutral: 96,
            own: 2,
            scales: vec![0.5],
            distil_steps: 2,
            distil_rate: 3e-5,
        }
    }
}

/// What to run.
#[derive(Clone)]
pub struct Plan {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How large it is.
    pub sizes: Sizes,
    /// What is tuned.
    pub tuning: Tuning,
    /// A file of packs, all of whose prompts count as public; made up from the seed without it.
    pub packs: Option<PathBuf>,
    /// Where the experiment keeps what it has done.
    pub dir: PathBuf,
    /// The anchor's GGUF file.
    pub anchor: PathBuf,
    /// In whose space questions are compared.
    pub embedder: Embedder,
    /// Where models are; homes of the experiment's own take the place of its home.
    pub settings: Settings,
    /// Threads; as many as the machine has where nothing is said.
    pub threads: Option<usize>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plan(seed {}, {:?}, {:?}, in {})", self.seed, self.tuning, self.sizes, self.dir.display())
    }
}
