//! Choosing among options by how likely each is after a prompt.

use super::{Judge, Watch, unfit};
use crate::{Example, TrainError};
use hinet_model::TokenLog;

/// A prompt, and how it may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The tokens before the options.
    pub prompt: Vec<u32>,
    /// The tokens of each option; two at least.
    pub options: Vec<Vec<u32>>,
    /// Which option is right, counted from zero.
    pub right: usize,
}

/// How the tokens of an option are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// By the sum of their log-probabilities: the probability of the whole option.
    #[default]
    Sum,
    /// By their mean, so that long options are not worse off.
    Mean,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What each option is worth, in nats: the more, the likelier.
    pub worth: Vec<f64>,
    /// The option worth most; of several the first.
    pub picked: usize,
    /// Whether that one is right.
    pub right: bool,
    /// Whether the right option is what the model writes by itself: each of its tokens is the likeliest of the whole
    /// vocabulary at its place.
    pub recalled: bool,
}

/// One for each choice that is right, zero for the others.
#[must_use]
pub fn points(choices: &[Choice]) -> Vec<f64> {
    choices.iter().map(|choice| f64::from(u8::from(choice.right))).collect()
}

impl Judge {
    /// Chooses for each question. What options of one question, or of several, have in common is read once.
    pub fn choose(&mut self, questions: &[Question], by: By, watch: &mut Watch<'_>) -> Result<Vec<Choice>, TrainError> {
        let mut examples = Vec::new();
        for (index, question) in questions.iter().enumerate() {
            if question.prompt.is_empty() || question.options.len() < 2 || question.right >= question.options.len() {
                let problem = "has no prompt, fewer than two options, or none of them is right";
                return Err(unfit(format!("question {index} {problem}")));
            }
            if question.options.iter().any(Vec::is_empty) {
                return Err(unfit(format!("question {index} has an empty option")));
            }
            let whole = |option: &Vec<u32>| [question.prompt.as_slice(), option].concat();
            examples.extend(question.options.iter().map(|option| Example::from(whole(option), question.prompt.len())));
        }
        let mut told = self.read(&examples, 1, watch)?.into_iter();
        let worth = |told: &Vec<TokenLog>| {
            let sum: f64 = told.iter().map(|log| f64::from(log.log_probability)).sum();
            match by {
                By::Sum => sum,
                #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
                By::Mean => sum / told.len() as f64,
            }
        };
        let likeliest = |log: &TokenLog| log.top.first().is_some_and(|(token, _)| *token == log.token);
        let mut choices = Vec::with_capacity(questions.len());
        for (index, question) in questions.iter().enumerate() {
            let options: Vec<Vec<TokenLog>> = told.by_ref().take(question.options.len()).collect();
            let worth: Vec<f64> = options.iter().map(worth).collect();
            if worth.iter().any(|worth| !worth.is_finite()) {
                return Err(unfit(format!("an option of question {index} is worth no finite number")));
            }
            let mut picked = 0;
            for (at, other) in worth.iter().enumerate() {
                if *other > worth[picked] {
                    picked = at;
                }
            }
            let recalled = options[question.right].iter().all(likeliest);
            choices.push(Choice { worth, picked, right: picked == question.right, recalled });
        }
        Ok(choices)
    }
}
