//! Projection: a delta that others may see, distilled on public prompts alone from the anchor with what it learned of its
//! owner's texts. Nothing of the teacher's numbers is copied; what is learned is how it answers what anybody may ask.

use crate::{
    Example, Recipe, TrainError,
    judge::{Judge, Watch},
    turns,
};
use hinet_model::{Anchor, Sampling};

/// The learning rate (`docs/results.md`, E2).
pub const RATE: f32 = 4e-4;
/// How often everything is gone through.
pub const ROUNDS: u64 = 3;

/// A question as it is asked, behind what comes before every conversation.
#[must_use]
pub fn conversation(system: &(String, String), question: &str) -> [(String, String); 2] {
    [system.clone(), ("user".to_owned(), question.to_owned())]
}

/// The likeliest answer of a model to each question, of at most so many tokens. The watch is told of questions.
///
/// # Errors
/// Where the model cannot answer, or somebody asked to stop.
pub fn answers(
    judge: &mut Judge,
    system: &(String, String),
    questions: &[&str],
    tokens: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<String>, TrainError> {
    let ask = |question: &&str| turns::asked(judge.anchor(), &conversation(system, question));
    let prompts: Vec<Vec<u32>> = questions.iter().map(ask).collect::<Result<_, _>>()?;
    let sampling = Sampling { max_tokens: tokens, ..Sampling::default() };
    judge.write(&prompts, &sampling, watch)
}

/// Questions and answers as examples of which the answers count, each cut to `longest` tokens; what nothing can be learned
/// of is left out.
///
/// # Errors
/// Where the anchor's template cannot be filled in.
pub fn examples(
    anchor: &Anchor,
    system: &(String, String),
    pairs: &[(String, String)],
    longest: usize,
) -> Result<Vec<Example>, TrainError> {
    let mut all = Vec::with_capacity(pairs.len());
    for (question, answer) in pairs {
        all.extend(turns::answered(anchor, &conversation(system, question), answer, longest)?);
    }
    Ok(all)
}

/// How what is projected is tuned: plain low-rank factors, whatever the teacher has.
#[must_use]
pub fn recipe(rank: usize, steps: u64, batch: usize, seed: u64) -> Recipe {
    Recipe { learning_rate: RATE, batch, ..Recipe::nightly(rank, false, steps, seed) }
}
