//! What every model is asked, and what it made of it.

use super::packs::Pack;
use crate::LabError;
use hinet_model::Anchor;
use hinet_train::{
    TrainError,
    judge::{By, Judge, Question, Watch, general},
};
use serde::{Deserialize, Serialize};

/// Questions of all packs, one pack after the other, and the neutral text.
pub(super) struct Exam {
    questions: Vec<Question>,
    /// Which pack each is of.
    pub packs: Vec<usize>,
    neutral: Vec<u32>,
}

/// What one model made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// For each question whether the right option is the likeliest of the options.
    pub chosen: Vec<bool>,
    /// For each question whether the right option is the likeliest of the whole vocabulary.
    pub recalled: Vec<bool>,
    /// Perplexity of the neutral text.
    pub neutral: f64,
}

/// The words as they go on after a prompt.
pub(super) fn word(anchor: &Anchor, word: &str) -> Vec<u32> {
    anchor.encode(&format!(" {word}"), false)
}

impl Exam {
    pub fn new(anchor: &Anchor, packs: &[Pack], neutral: usize) -> Self {
        let (mut questions, mut of) = (Vec::new(), Vec::new());
        for (at, pack) in packs.iter().enumerate() {
            for asked in pack.facts.iter().flat_map(|fact| &fact.eval) {
                questions.push(Question {
                    prompt: anchor.encode(&asked.prompt, false),
                    options: asked.options.iter().map(|option| word(anchor, option)).collect(),
                    right: asked.answer,
                });
                of.push(at);
            }
        }
        let mut text = anchor.encode(&general::neutral(), false);
        text.truncate(neutral);
        Self { questions, packs: of, neutral: text }
    }

    /// Tokens of the neutral text.
    pub fn neutral_tokens(&self) -> usize {
        self.neutral.len()
    }

    pub fn marks(&self, model: &Anchor, watch: &mut Watch<'_>) -> Result<Marks, LabError> {
        let mut judge = Judge::new(model, &[])?;
        let part = |at: usize| move |done: usize, all: usize| (500 * at + 500 * done.min(all) / all.max(1), 1000);
        let choices = watch.part(part(0), |watch| judge.choose(&self.questions, By::Sum, watch))?;
        let neutral: Result<f64, TrainError> =
            watch.part(part(1), |watch| judge.perplexity(&self.neutral, general::WINDOW, watch));
        Ok(Marks {
            chosen: choices.iter().map(|choice| choice.right).collect(),
            recalled: choices.iter().map(|choice| choice.recalled).collect(),
            neutral: neutral?,
        })
    }

    /// The share that is right of the questions of each pack.
    #[allow(clippy::cast_precision_loss, reason = "questions are few")]
    pub fn by_pack(&self, right: &[bool]) -> Vec<f64> {
        let packs = self.packs.last().map_or(0, |last| last + 1);
        let mut all = vec![(0usize, 0usize); packs];
        for (pack, right) in self.packs.iter().zip(right) {
            all[*pack].0 += usize::from(*right);
            all[*pack].1 += 1;
        }
        all.into_iter().map(|(right, count)| right as f64 / count.max(1) as f64).collect()
    }
}

/// The mean of shares; that of none is zero.
#[allow(clippy::cast_precision_loss, reason = "packs are few")]
pub(super) fn mean(shares: &[f64]) -> f64 {
    shares.iter().sum::<f64>() / shares.len().max(1) as f64
}
