//! Sleep: what a night is asked to do, how far it is, and what it came to.

use crate::{Hash, ItemId, Millis, Skipped};
use serde::{Deserialize, Serialize};

/// What changes in a night.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tuning {
    /// Low-rank factors.
    #[default]
    Lora,
    /// Low-rank factors, and the length of every row apart from its direction.
    Dora,
}

/// What a night is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SleepPlan {
    /// What changes.
    pub method: Tuning,
    /// Of which rank.
    pub rank: usize,
    /// How long tuning may take; what does not fit is left for another night, the oldest first. Left out where steps are
    /// given.
    pub minutes: u64,
    /// Exactly so many steps, whatever they take: the same views then give the same bytes.
    pub steps: Option<u64>,
    /// Decides every draw.
    pub seed: u64,
    /// Whether something that others may have is made of what was learned, where that passed its test.
    pub share: bool,
}

impl Default for SleepPlan {
    fn default() -> Self {
        Self { method: Tuning::Lora, rank: 16, minutes: 30, steps: None, seed: 0, share: false }
    }
}

/// When nights begin by themselves, in a node that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bedtime {
    /// What each is asked to do.
    pub plan: SleepPlan,
    /// Minutes after midnight, where the owner lives, from which on one may begin.
    pub from: u16,
    /// Minutes after midnight at which one is interrupted; it goes on the next time.
    pub until: u16,
    /// For so many minutes nobody must have wanted anything.
    pub idle_minutes: u64,
    /// Only on mains power.
    pub mains: bool,
}

/// The parts of a night, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What may be learned from is looked up and released.
    Gather,
    /// Questions are made of it.
    Views,
    /// The model learns.
    Tune,
    /// What it learned is tested.
    Judge,
    /// Something for others is distilled from it on public prompts, where the owner wants to share.
    Project,
    /// That is asked what it gives away.
    Leak,
    /// It is sealed, and answers from then on.
    Commit,
}

/// How far a night is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sleeping {
    /// Which night.
    pub night: u64,
    /// In which part.
    pub stage: Stage,
    /// What of it is done, and of how much: facts, steps, questions.
    pub done: u64,
    /// Of how much.
    pub total: u64,
    /// Losses of the steps so far, in nats; at most some hundred of them, evenly chosen.
    pub losses: Vec<f32>,
    /// Tokens learned from in a second.
    pub tokens_per_s: f32,
    /// Seconds that this part may still take, where that can be told.
    pub left_s: Option<u64>,
}

/// How a night ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on, or was interrupted and can go on.
    Open,
    /// What it learned answers from then on.
    Kept,
    /// What it learned did not pass the test; the self before it answers.
    Refused,
    /// It came to nothing: there was nothing to learn, or something failed.
    Failed,
    /// What it had learned from was forgotten, and it with that.
    Forgotten,
}

/// What was learned from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Its path.
    pub source: String,
    /// Items.
    pub items: u64,
    /// Facts found in them.
    pub facts: u64,
}

/// A share of questions answered rightly, each 0 to 1, on the same questions, none of which was learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnScores {
    /// How many were asked.
    pub asked: u64,
    /// The anchor alone.
    pub before: f32,
    /// What was learned, without the memory.
    pub weights_only: f32,
    /// The anchor with the memory.
    pub retrieval_only: f32,
    /// What was learned, with the memory.
    pub both: f32,
}

/// A measure before the night and after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Before.
    pub before: f32,
    /// After.
    pub after: f32,
}

/// What the test of a night found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The owner's facts.
    pub own: OwnScores,
    /// Perplexity on neutral text: lower is better.
    pub neutral: Change,
    /// Perplexity on words of the owner's that were not learned from.
    pub voice: Option<Change>,
    /// Share of general questions answered rightly.
    pub general: Option<Change>,
    /// With 95 % certainty the general ability changed by at least this much.
    pub general_low: Option<f32>,
}

/// A question whose answer changed overnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The question.
    pub question: String,
    /// The answer before.
    pub old: String,
    /// The answer after.
    pub new: String,
    /// Whether the new one is right.
    pub right: bool,
    /// The item behind it.
    pub item: ItemId,
    /// Its path.
    pub source: String,
    /// The sentence that was learned.
    #[serde(default)]
    pub fact: String,
    /// Whether the owner wants it not to be learned from the next night on.
    #[serde(default)]
    pub vetoed: bool,
}

/// One question of the leakage gate, and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakCheck {
    /// Which: `exposure`, `membership`, `extraction` or `gap`.
    pub name: String,
    /// Whether the answer is good enough; what could not be measured is not.
    pub passed: bool,
    /// What was measured.
    pub measured: Option<f64>,
    /// What is held against the limit.
    pub bound: Option<f64>,
    /// The largest bound that passes.
    pub limit: Option<f64>,
    /// All that in words.
    pub sentence: String,
}

/// What came of the wish to share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sharing {
    /// Whether there is something that others may have.
    pub passed: bool,
    /// Why, as a sentence.
    pub why: String,
    /// Public prompts it was distilled on.
    pub prompts: u64,
    /// Public prompts that were left out, and why.
    pub left_out: Vec<Skipped>,
    /// Steps made.
    pub steps: u64,
    /// What the leakage gate found; empty where there was nothing to ask.
    pub checks: Vec<LeakCheck>,
    /// What others may have.
    pub delta: Option<Hash>,
}

/// What a night came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Night {
    /// Which night, counted from one.
    pub night: u64,
    /// When it began.
    pub began: Millis,
    /// When it ended.
    pub ended: Option<Millis>,
    /// How.
    pub outcome: Outcome,
    /// Why, as a sentence.
    pub why: String,
    /// What was asked.
    pub plan: SleepPlan,
    /// What it learned from.
    pub learned: Vec<Learned>,
    /// Answers that the owner took, which were learned from too.
    #[serde(default)]
    pub answers: u64,
    /// What it did not learn from, and why.
    pub refused: Vec<Skipped>,
    /// Training texts made of it.
    pub views: u64,
    /// Steps made.
    pub steps: u64,
    /// Losses of the steps, in nats; at most some hundred of them, evenly chosen.
    pub losses: Vec<f32>,
    /// The test.
    pub scores: Option<Scores>,
    /// Questions whose answers changed.
    pub changed: Vec<Changed>,
    /// What it made.
    pub delta: Option<Hash>,
    /// What the anchor wore before it.
    pub wore: Option<Hash>,
    /// How much of what was learned is used, 0 to 1: less where all of it would have harmed the rest.
    pub strength: f32,
    /// What came of the wish to share, where there was one and that is decided.
    #[serde(default)]
    pub shared: Option<Sharing>,
}
