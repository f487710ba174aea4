//! Guessing what comes next, so that several tokens are checked in one step.
//!
//! A guess costs one row more in a step that reads all weights anyway. Every token is still drawn from the model's own
//! logits, computed for just the tokens before it, with the same draws of the same seed; a guess only decides which
//! rows are computed beforehand. So the answer is the same, token for token, with any drafter and with none (the
//! acceptance rule of speculative sampling, Leviathan et al. 2023, with deterministic drafts).

use crate::{Anchor, ModelError, Session, sample::likeliest};

/// Guesses at most this many tokens at once.
pub const DRAFT_MAX: usize = 16;
/// The longest and shortest run of tokens that is looked up.
const RUNS: std::ops::RangeInclusive<usize> = 2..=4;
/// Tokens looked back on.
const REACH: usize = 8192;

/// Whoever guesses.
pub trait Drafter {
    /// Appends at most `most` guesses of what follows `tokens`.
    ///
    /// # Errors
    /// Where guessing itself fails.
    fn draft(&mut self, tokens: &[u32], most: usize, out: &mut Vec<u32>) -> Result<(), ModelError>;
}

/// Guesses that what followed the last few tokens earlier follows them again: passages are quoted, code is repeated.
#[derive(Debug, Clone, Copy, Default)]
pub struct PromptLookup;

impl Drafter for PromptLookup {
    fn draft(&mut self, tokens: &[u32], most: usize, out: &mut Vec<u32>) -> Result<(), ModelError> {
        let tokens = &tokens[tokens.len().saturating_sub(REACH)..];
        for length in RUNS.rev() {
            if tokens.len() <= length {
                continue;
            }
            let run = &tokens[tokens.len() - length..];
            let earlier = &tokens[..tokens.len() - 1];
            if let Some(at) = earlier.windows(length).rposition(|window| window == run) {
                out.extend(tokens[at + length..].iter().take(most));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Lets a smaller model with the same tokenizer guess, greedily.
#[derive(Debug)]
pub struct SmallModel {
    session: Session,
}

impl SmallModel {
    /// A drafter for answers of `target`.
    ///
    /// # Errors
    /// Where the two models do not have the same tokenizer.
    pub fn new(drafter: &Anchor, target: &Anchor, context: usize) -> Result<Self, ModelError> {
        if drafter.passport().tokenizer != target.passport().tokenizer {
            return Err(ModelError::OtherTokenizer);
        }
        Ok(Self { session: drafter.session(context) })
    }
}

impl Drafter for SmallModel {
    fn draft(&mut self, tokens: &[u32], most: usize, out: &mut Vec<u32>) -> Result<(), ModelError> {
        let mut all = tokens.to_vec();
        for _ in 0..most {
            if all.len() > self.session.context() {
                break;
            }
            let logits = self.session.logits(&all)?;
            let (best, _) = likeliest(&logits);
            out.push(best);
            all.push(best);
        }
        Ok(())
    }
}

/// How many tokens to guess next, from how the last guesses went: a wrong guess costs time, a right one saves it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Share of guesses that came true, a running mean.
    luck: f32,
    /// Steps without guesses until luck is tried again.
    rest: u32,
    most: usize,
}

impl Pace {
    pub(crate) fn new(most: usize) -> Self {
        Self { luck: 0.6, rest: 0, most: most.min(DRAFT_MAX) }
    }

    /// How many to guess in this step.
    pub(crate) fn next(&mut self) -> usize {
        if self.rest > 0 {
            self.rest -= 1;
            return 0;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let some = (self.luck * self.most as f32).ceil() as usize;
        some.clamp(1, self.most.max(1)).min(self.most)
    }

    /// Takes note that `right` of `made` guesses came true.
    pub(crate) fn learn(&mut self, right: usize, made: usize) {
        if made == 0 {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "small")]
        let share = right as f32 / made as f32;
        self.luck = 0.7 * self.luck + 0.3 * share;
        if self.luck < 0.15 {
            self.rest = 16;
            self.luck = 0.3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(tokens: &[u32], most: usize) -> Vec<u32> {
        let mut out = Vec::new();
        PromptLookup.draft(tokens, most, &mut out).unwrap();
        out
    }

    #[test]
    fn what_followed_before_is_guessed() {
        assert_eq!(guess(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 2), [4, 5]);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 9), [4, 5, 9, 1, 2, 3]);
        // The latest place counts, and the longest run before it.
        assert_eq!(guess(&[1, 2, 7, 1, 2, 8, 1, 2], 1), [8]);
        assert_eq!(guess(&[5, 1, 2, 7, 6, 1, 2, 8, 5, 1, 2], 1), [7]);
        assert!(guess(&[1, 2, 3], 4).is_empty() && guess(&[], 4).is_empty() && guess(&[1], 4).is_empty());
    }

    #[test]
    fn bad_luck_rests() {
        let mut pace = Pace::new(8);
        assert!(pace.next() > 1);
        for _ in 0..8 {
            pace.learn(0, 4);
        }
        let idle = (0..20).filter(|_| pace.next() == 0).count();
        assert!(idle >= 10, "{idle}");
        for _ in 0..20 {
            pace.learn(8, 8);
        }
        assert_eq!(pace.next(), 8);
        assert_eq!(Pace::new(0).next(), 0);
    }
}
