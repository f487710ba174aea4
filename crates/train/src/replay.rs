//! Replay: the anchor's own answers to public messages, learned beside what is new, so that the rest is not unlearned
//! (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal").

use crate::{
    TrainError,
    judge::{Judge, Watch},
    turns,
};
use hinet_model::Sampling;

const BEGINNINGS: &str = include_str!("../../../prompts/sleep_replay.txt");
/// Tokens of one answer.
const TOKENS: usize = 96;

/// What a nightly run goes through beside each text of the owner's: so many texts of the anchor's own for one.
pub const SHARE: f32 = 0.25;

/// The public messages that are answered.
#[must_use]
pub fn beginnings() -> Vec<&'static str> {
    BEGINNINGS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// How many texts of the anchor's own go with so many of the owner's.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few")]
pub fn wanted(views: usize) -> usize {
    (views as f32 * SHARE).ceil() as usize
}

/// `count` messages and what the judge's model says to them, drawn by `seed`; answers that came out empty are left out.
/// The watch is told of messages.
pub fn write(
    judge: &mut Judge,
    count: usize,
    seed: u64,
    watch: &mut Watch<'_>,
) -> Result<Vec<(&'static str, String)>, TrainError> {
    let beginnings = beginnings();
    let mut all = Vec::with_capacity(count);
    let (mut made, mut round) = (0, 0);
    while made < count {
        let some = &beginnings[..beginnings.len().min(count - made)];
        let turn = |user: &&str| turns::asked(judge.anchor(), &[("user".to_owned(), (*user).to_owned())]);
        let prompts: Vec<Vec<u32>> = some.iter().map(turn).collect::<Result<_, _>>()?;
        let sampling = Sampling {
            temperature: 0.9,
            top_p: 0.98,
            seed: seed.wrapping_add(round),
            max_tokens: TOKENS,
            ..Sampling::default()
        };
        let before = made;
        let answers = watch.part(|done, _| (before + done, count), |watch| judge.write(&prompts, &sampling, watch))?;
        (made, round) = (made + some.len(), round + 1);
        let pairs = some.iter().copied().zip(answers.into_iter().map(|answer| answer.trim().to_owned()));
        all.extend(pairs.filter(|(_, answer)| !answer.is_empty()));
    }
    Ok(all)
}
