//! Finding words in the open conversation: from where the reader is, message by message, line by line.

use super::{Chat, reader};
use crate::app::field::Field;
use crate::app::pane::face;
use crate::app::pane::transcript::Transcript;
use crate::app::scroll::Place;
use crate::app::state::State;
use crate::app::view::Areas;
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeSet;

/// Looking for something.
pub struct Find {
    /// What is looked for.
    pub field: Field,
    /// Whether it is still being typed.
    pub typing: bool,
    /// Messages that hold it.
    pub turns: BTreeSet<usize>,
    /// Where the reader was when it began.
    from: Option<Place>,
}

impl Find {
    /// What is looked for, ready to be compared.
    #[must_use]
    pub fn needle(&self) -> String {
        self.field.text().trim().to_lowercase()
    }

    /// How many messages hold it, and which of them the reader is at.
    #[must_use]
    pub fn said(&self, at: Option<usize>) -> String {
        if self.needle().is_empty() {
            return "type what to look for".to_owned();
        }
        let all = self.turns.len();
        let many = crate::app::words::some(all as u64, "message");
        match at.filter(|at| self.turns.contains(at)) {
            _ if all == 0 => "not in this conversation".to_owned(),
            Some(at) => format!("{} of {many}", self.turns.range(..=at).count()),
            None => many,
        }
    }
}

/// Whether a text holds a needle that is in lower case already.
#[must_use]
pub fn holds(text: &str, needle: &str) -> bool {
    if needle.is_ascii() && text.is_ascii() {
        let (text, needle) = (text.as_bytes(), needle.as_bytes());
        return needle.is_empty() || text.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle));
    }
    text.to_lowercase().contains(needle)
}

impl Chat {
    /// Looks again, because the messages are others now.
    pub(super) fn find_again(&mut self) {
        let Some(find) = &mut self.find else { return };
        let needle = find.needle();
        find.turns.clear();
        if !needle.is_empty() {
            let found = self.turns.iter().enumerate().filter(|(_, turn)| holds(&turn.text, &needle));
            find.turns = found.map(|(at, _)| at).collect();
        }
    }

    /// Whether what is typed goes to the search in this conversation.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        self.find.as_ref().is_some_and(|find| find.typing)
    }
}

/// Begins to look, or goes on typing what was looked for.
pub fn begin(state: &mut State, areas: &Areas) {
    if state.chat.turns.is_empty() {
        state.toast = Some("There is nothing to look through yet.".into());
        return;
    }
    let from = state.chat.reader.at;
    if from.is_none() {
        reader::enter(state, areas);
    }
    match &mut state.chat.find {
        Some(find) => find.typing = true,
        None => {
            state.chat.find = Some(Find { field: Field::plain(), typing: true, turns: BTreeSet::new(), from });
        }
    }
}

/// A key while the words are typed. Returns whether the reader is to stay in the conversation afterwards.
pub fn key(state: &mut State, areas: &Areas, key: KeyEvent) -> Option<bool> {
    let find = state.chat.find.as_mut()?;
    match key.code {
        KeyCode::Esc => {
            let from = find.from;
            state.chat.find = None;
            state.chat.reader.at = from;
            return Some(from.is_some());
        }
        KeyCode::Enter | KeyCode::Down => {
            find.typing = false;
            if key.code == KeyCode::Down {
                next(state, areas, true);
            }
            return Some(true);
        }
        KeyCode::Up => next(state, areas, false),
        _ => {
            if find.field.key(key) {
                state.chat.find_again();
                // The nearest place at or above the end of what is on the screen: the newest is most often meant.
                if !at_match(state, areas) {
                    next(state, areas, false);
                }
            }
        }
    }
    None
}

/// Pasted words.
pub fn paste(state: &mut State, areas: &Areas, text: &str) {
    if let Some(find) = &mut state.chat.find {
        find.field.insert(text);
        state.chat.find_again();
        next(state, areas, false);
    }
}

fn at_match(state: &State, areas: &Areas) -> bool {
    let (Some(find), Some(at)) = (&state.chat.find, state.chat.reader.at) else { return false };
    let needle = find.needle();
    let transcript = state.chat.transcript(state, usize::from(face::inside(areas.main).width));
    find.turns.contains(&at.block) && lines_with(&transcript, at.block, &needle).contains(&at.line)
}

/// The lines of a message that hold the needle; its beginning, where the lines break it apart.
fn lines_with(transcript: &Transcript<'_>, block: usize, needle: &str) -> Vec<usize> {
    let mut lines = transcript.lines_with(block, |line| holds(line, needle));
    if lines.is_empty() {
        lines.push(0);
    }
    lines
}

/// Goes to the next place, or to the one before; from the last one on to the first.
pub fn next(state: &mut State, areas: &Areas, forward: bool) {
    let Some(find) = &state.chat.find else { return };
    let needle = find.needle();
    if find.turns.is_empty() || needle.is_empty() {
        return;
    }
    let at = state.chat.reader.at.unwrap_or(Place { block: state.chat.turns.len(), line: 0 });
    let transcript = state.chat.transcript(state, usize::from(face::inside(areas.main).width));
    let within =
        |block: usize| lines_with(&transcript, block, &needle).into_iter().map(move |line| Place { block, line });
    let here = || within(at.block).collect::<Vec<_>>();
    let place = if forward {
        let rest = find.turns.contains(&at.block).then(here).and_then(|all| all.into_iter().find(|place| *place > at));
        let later = || find.turns.range(at.block + 1..).next().or_else(|| find.turns.first());
        rest.or_else(|| later().and_then(|block| within(*block).next()))
    } else {
        let rest = find.turns.contains(&at.block).then(here);
        let rest = rest.and_then(|all| all.into_iter().rfind(|place| *place < at));
        let earlier = || find.turns.range(..at.block).next_back().or_else(|| find.turns.last());
        rest.or_else(|| earlier().and_then(|block| within(*block).next_back()))
    };
    if let Some(place) = place {
        reader::go(state, areas, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_does_not_matter() {
        assert!(holds("The Train to ÉVORA", "évora") && holds("The Train", "train") && holds("x", ""));
        assert!(!holds("abc", "abcd") && !holds("", "a"));
    }
}
