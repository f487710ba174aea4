//! Conversations as tokens: what is read, and what is learned of it.

use crate::{Example, TrainError};
use hinet_model::{Anchor, Turn};

fn render(anchor: &Anchor, turns: &[(String, String)], answer: bool) -> Result<String, TrainError> {
    let turns: Vec<Turn<'_>> = turns.iter().map(|(role, content)| Turn { role, content }).collect();
    Ok(anchor.render(&turns, answer)?)
}

/// A conversation, of roles and words, whose answer is to be written.
pub fn asked(anchor: &Anchor, turns: &[(String, String)]) -> Result<Vec<u32>, TrainError> {
    Ok(anchor.encode(&render(anchor, turns, true)?, true))
}

/// A conversation whose answer is learned, cut to `longest` tokens; `None` where nothing of it can be learned.
pub fn answered(
    anchor: &Anchor,
    turns: &[(String, String)],
    answer: &str,
    longest: usize,
) -> Result<Option<Example>, TrainError> {
    let before = render(anchor, turns, true)?;
    let mut all = turns.to_vec();
    all.push(("assistant".to_owned(), answer.to_owned()));
    let whole = render(anchor, &all, false)?;
    // Where a template writes what was answered otherwise than what is to be answered, the end of the turn is not learned.
    let learned = whole.strip_prefix(&before).map_or(answer, str::trim_end);
    let mut tokens = anchor.encode(&before, true);
    let from = tokens.len();
    tokens.extend(anchor.encode(learned, true));
    tokens.truncate(longest);
    Ok((tokens.len() > from).then(|| Example::from(tokens, from)))
}

/// A text that is learned from its first token on, cut to `longest` tokens; `None` where there is nothing to learn.
#[must_use]
pub fn plain(anchor: &Anchor, text: &str, longest: usize) -> Option<Example> {
    let mut tokens = anchor.encode(text, false);
    tokens.truncate(longest);
    (tokens.len() > 1).then(|| Example::whole(tokens))
}
