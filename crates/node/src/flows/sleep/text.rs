//! Conversations as tokens: what is read, and what is learned of it.

use hinet_model::{Anchor, Turn};
use hinet_train::Example;

use super::views::View;
use crate::failure::NodeError;

/// Tokens of one text that is learned from.
const LONGEST: usize = 512;

fn render(anchor: &Anchor, turns: &[(String, String)], answer: bool) -> Result<String, NodeError> {
    let turns: Vec<Turn<'_>> = turns.iter().map(|(role, content)| Turn { role, content }).collect();
    Ok(anchor.render(&turns, answer)?)
}

/// A conversation whose answer is to be written.
pub(super) fn encode(anchor: &Anchor, turns: &[(String, String)]) -> Result<Vec<u32>, NodeError> {
    Ok(anchor.encode(&render(anchor, turns, true)?, true))
}

/// A view as the tuner takes it; `None` where nothing of it can be learned.
pub(super) fn example(anchor: &Anchor, system: &(String, String), view: &View) -> Result<Option<Example>, NodeError> {
    let turns = match view {
        View::Plain { text } => {
            let mut tokens = anchor.encode(text, false);
            tokens.truncate(LONGEST);
            return Ok((tokens.len() > 1).then(|| Example::whole(tokens)));
        }
        View::Turn { user, .. } => vec![system.clone(), ("user".to_owned(), user.clone())],
        View::Replay { user, .. } => vec![("user".to_owned(), user.clone())],
    };
    let (View::Turn { answer, .. } | View::Replay { answer, .. } | View::Plain { text: answer }) = view;
    let before = render(anchor, &turns, true)?;
    let mut all = turns;
    all.push(("assistant".to_owned(), answer.clone()));
    let whole = render(anchor, &all, false)?;
    // Where a template writes what was answered otherwise than what is to be answered, the end of the turn is not learned.
    let learned = whole.strip_prefix(&before).map_or(answer.as_str(), str::trim_end);
    let mut tokens = anchor.encode(&before, true);
    let from = tokens.len();
    tokens.extend(anchor.encode(learned, true));
    tokens.truncate(LONGEST);
    Ok((tokens.len() > from).then(|| Example::from(tokens, from)))
}
