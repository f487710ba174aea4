//! Replay: the anchor's own words after public beginnings, learned beside what is new, so that the rest is not unlearned
//! (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal"). Half of them are answers to messages, half plain
//! text: a model that only rehearses conversations unlearns what it knew outside them (`docs/results.md`).

use crate::{
    Example, Lesson, TrainError, distill,
    judge::{Judge, Watch},
    turns,
};
use hinet_model::{Anchor, Sampling};
use serde::{Deserialize, Serialize};

const MESSAGES: &str = include_str!("../../../prompts/sleep_replay.txt");
const OPENINGS: &str = include_str!("../../../prompts/sleep_replay_plain.txt");
/// Tokens that are written after one beginning.
const TOKENS: usize = 96;

/// What a nightly run goes through beside each text of the owner's: so many texts of the anchor's own for one.
pub const SHARE: f32 = 0.25;

/// A text of the anchor's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Own {
    /// Its answer to a message.
    Answer {
        /// The message.
        user: String,
        /// The answer.
        answer: String,
    },
    /// A plain text, its opening included.
    Plain {
        /// The text.
        text: String,
    },
}

impl Own {
    /// As the tuner takes it, cut to `longest` tokens; `None` where nothing of it can be learned.
    pub fn example(&self, anchor: &Anchor, longest: usize) -> Result<Option<Example>, TrainError> {
        match self {
            Self::Answer { user, answer } => turns::answered(anchor, &[("user".into(), user.clone())], answer, longest),
            Self::Plain { text } => Ok(turns::plain(anchor, text, longest)),
        }
    }
}

fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// How many texts of the anchor's own go with so many of the owner's.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few")]
pub fn wanted(views: usize) -> usize {
    (views as f32 * SHARE).ceil() as usize
}

/// What is new with the anchor's own among it: one after every so many, which are at least one.
#[must_use]
pub fn mixed(new: impl IntoIterator<Item = Example>, own: Vec<Lesson>, every: usize) -> Vec<Lesson> {
    let (mut all, mut own) = (Vec::new(), own.into_iter());
    for (at, example) in new.into_iter().enumerate() {
        all.push(Lesson::from(example));
        if at % every == every - 1 {
            all.extend(own.next());
        }
    }
    all.extend(own);
    all
}

/// Texts of the anchor's own, each cut to `longest` tokens, with what the judge says about each of their tokens: the bare
/// anchor, where what it can do is to be held where it is.
pub fn lessons(
    judge: &mut Judge,
    own: &[Own],
    longest: usize,
    watch: &mut Watch<'_>,
) -> Result<Vec<Lesson>, TrainError> {
    let mut examples = Vec::with_capacity(own.len());
    for own in own {
        examples.extend(own.example(judge.anchor(), longest)?);
    }
    distill::lessons(judge, &examples, distill::LIKELIEST, watch)
}

/// `count` texts of the judge's model, drawn by `seed`; what comes out empty is left out. The watch is told of texts.
pub fn write(judge: &mut Judge, count: usize, seed: u64, watch: &mut Watch<'_>) -> Result<Vec<Own>, TrainError> {
    let (messages, openings) = (lines(MESSAGES), lines(OPENINGS));
    let mut prompts = Vec::with_capacity(count);
    for at in 0..count {
        prompts.push(if at % 2 == 0 {
            turns::asked(judge.anchor(), &[("user".to_owned(), messages[at / 2 % messages.len()].to_owned())])?
        } else {
            judge.anchor().encode(openings[at / 2 % openings.len()], false)
        });
    }
    let mut all = Vec::with_capacity(count);
    // Nothing comes twice: each round through the beginnings has draws of its own.
    let round = 2 * messages.len().min(openings.len());
    for (number, some) in prompts.chunks(round).enumerate() {
        let sampling = Sampling {
            temperature: 0.9,
            top_p: 0.98,
            seed: seed.wrapping_add(number as u64),
            max_tokens: TOKENS,
            ..Sampling::default()
        };
        let before = number * round;
        let written = watch.part(|done, _| (before + done, count), |watch| judge.write(some, &sampling, watch))?;
        for (at, text) in written.into_iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let at = before + at;
            all.push(if at % 2 == 0 {
                Own::Answer { user: messages[at / 2 % messages.len()].to_owned(), answer: text.trim().to_owned() }
            } else {
                Own::Plain { text: format!("{}{text}", openings[at / 2 % openings.len()]) }
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchors_own_comes_after_every_few() {
        let text = |token: u32| Example::whole(vec![token, token]);
        let own = |count: u32| (100..100 + count).map(|token| Lesson::from(text(token))).collect::<Vec<_>>();
        let order = |own: Vec<Lesson>, every: usize| -> Vec<u32> {
            mixed((0..5).map(text), own, every).iter().map(|lesson| lesson.example.tokens[0]).collect()
        };
        assert_eq!(order(own(2), 2), [0, 1, 100, 2, 3, 101, 4]);
        assert_eq!(order(own(3), 4), [0, 1, 2, 3, 100, 4, 101, 102]);
        assert_eq!(order(own(0), 1), [0, 1, 2, 3, 4]);
    }
}
