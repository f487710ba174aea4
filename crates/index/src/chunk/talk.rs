//! Conversations to passages: what one person says in one go is a passage, under the end of what was said before it.
//!
//! A question about a chat is answered by one message out of many. Passages of several messages would spend the room
//! that an answer has on the others, and their vector would be the mean of them all; a message alone often does not say
//! what it is about ("Yes, two of them"), and what came before does. So a passage is small, and what it answers stands
//! with it as a heading.

use super::{Layout, WEIGHT_MAX, WEIGHT_TARGET, blocks::Block, divide, trimmed, weight};
use crate::people;
use hinet_vault::records::ChunkDraft;

/// The document kind of conversations, as the connectors name it.
pub const KIND: &str = "chat";
/// What weighs less than this many words says nothing alone ("haha", "ok, see you"), and stays with what it follows.
const REMARK: usize = 4;
/// Words of what was said before that stand with a passage.
const BEFORE_WORDS: usize = 25;
/// The same in bytes, at most: a word can be an address.
const BEFORE_BYTES: usize = 240;
/// Longest name of a speaker, in bytes.
const NAME_MAX: usize = 80;

/// A run of bytes that one person said.
#[derive(Debug, Clone, Copy)]
struct Run<'t> {
    start: usize,
    end: usize,
    /// Nobody where the header or the program speaks.
    who: Option<&'t str>,
}

/// Cuts a conversation; nothing where the text has no messages in it.
pub(super) fn chunks(text: &str) -> Option<Vec<ChunkDraft>> {
    let mut drafts = Vec::new();
    let mut before = String::new();
    for run in runs(text)? {
        for (start, end) in parts(text, run.start, run.end) {
            let Some(span) = trimmed(text, start, end) else { continue };
            let heading = std::mem::replace(&mut before, ending(&text[span.start..span.end]));
            drafts.push(ChunkDraft { span, heading });
        }
    }
    Some(drafts)
}

/// Who says a passage of a conversation: the first name before a colon, behind the time where there is one.
pub(crate) fn speaker(passage: &str) -> Option<&str> {
    passage.lines().find_map(|line| after_clock(line).and_then(named)).or_else(|| named(passage.lines().next()?))
}

/// The runs of a conversation in its order; they tile the text, and the header belongs to the first.
fn runs(text: &str) -> Option<Vec<Run<'_>>> {
    let speakers: Vec<String> = people(text).into_iter().filter(|row| row.wrote).map(|row| row.person).collect();
    let mut runs: Vec<Run<'_>> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let who = after_clock(line).map(named).or_else(|| {
            let who = named(line)?;
            speakers.iter().any(|known| known == who).then_some(Some(who))
        });
        match (who, runs.last_mut()) {
            (Some(who), None) => runs.push(Run { start: 0, end: at, who }),
            (Some(who), Some(last)) if last.goes_on(text, who, start, at) => last.end = at,
            (Some(who), Some(_)) => runs.push(Run { start, end: at, who }),
            // The header, or a message of several lines.
            (None, Some(last)) => last.end = at,
            (None, None) => {}
        }
    }
    (!runs.is_empty()).then_some(runs)
}

impl Run<'_> {
    /// Whether a message belongs to what was said before it: the same person goes on, or it is a mere remark.
    fn goes_on(&self, text: &str, who: Option<&str>, start: usize, end: usize) -> bool {
        let dense = Layout::Prose.dense();
        let added = weight(said(&text[start..end]), dense);
        let together = weight(&text[self.start..self.end], dense) + added;
        together <= WEIGHT_TARGET / 2 && (who == self.who || added < REMARK)
    }
}

/// A message without its time and its speaker.
fn said(line: &str) -> &str {
    let line = after_clock(line).unwrap_or(line);
    named(line).map_or(line, |who| &line[who.len() + 1..])
}

/// What follows the time in brackets with which a message begins; nothing where none does.
fn after_clock(line: &str) -> Option<&str> {
    let (clock, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let proper = clock.len() <= 32 && clock.contains(':') && clock.starts_with(|c: char| c.is_ascii_digit());
    proper.then_some(rest)
}

/// The name a line begins with.
fn named(line: &str) -> Option<&str> {
    let (who, _) = line.split_once(": ")?;
    let proper = !who.trim().is_empty() && who.len() <= NAME_MAX && !who.contains(['.', '?', '!', '(']);
    proper.then_some(who)
}

/// A run in parts of at most a chunk's weight.
fn parts(text: &str, start: usize, end: usize) -> Vec<(usize, usize)> {
    let heavy = weight(&text[start..end], Layout::Prose.dense());
    if heavy <= WEIGHT_MAX {
        return vec![(start, end)];
    }
    let whole = Block { start, end, weight: heavy, path: 0, is_heading: false, opens_section: false, by_line: false };
    divide::divide_all(text, vec![whole], Layout::Prose).into_iter().map(|part| (part.start, part.end)).collect()
}

/// The last words of a passage, on one line.
fn ending(passage: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut bytes = 0;
    for word in passage.split_whitespace().rev().take(BEFORE_WORDS) {
        bytes += word.len() + 1;
        if bytes > BEFORE_BYTES {
            break;
        }
        kept.push(word);
    }
    kept.reverse();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(&str, String)> {
        let drafts = chunks(text).unwrap_or_default();
        drafts.into_iter().map(|draft| (&text[draft.span.start..draft.span.end], draft.heading)).collect()
    }

    #[test]
    fn each_turn_is_a_passage_under_what_it_answers() {
        let text = "Chat: Ana (WhatsApp)\nFrom: Ana, Bo Lee\nDate: 2026-03-12\n\n\
            [09:00] Ana: Did you find the keys to the boat house?\n\
            [09:01] Bo Lee: Yes, under the third flower pot, as you said.\nThey were wet.\n\
            [09:02] Bo Lee: I hung them up beside the door.\n\
            [09:03] Ana: Thank you!\n\
            [09:04] Messages are encrypted end to end, nobody reads them.\n";
        let found = cut(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].0.starts_with("Chat: Ana") && found[0].0.ends_with("boat house?"));
        assert!(found[1].0.starts_with("[09:01] Bo Lee:") && found[1].0.ends_with("Thank you!"), "{}", found[1].0);
        assert_eq!(found[1].1.split_whitespace().last(), Some("house?"), "what it answers stands with it");
        assert_eq!(
            found.iter().map(|(passage, _)| speaker(passage)).collect::<Vec<_>>(),
            [Some("Ana"), Some("Bo Lee"), None]
        );
    }

    #[test]
    fn speakers_without_a_clock_are_known_from_the_header() {
        let text = "Chat: x (Messenger)\nFrom: Ana, Bo\nDate: without a date\n\n\
            Ana: The plan has three points: first, second and third one.\n\
            Bo: I like the second of them more than all of the others.\nNote: this line is Bo's as well.\n";
        let found = cut(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(speaker(found[1].0), Some("Bo"));
    }

    #[test]
    fn a_long_message_is_cut_and_a_text_without_messages_is_none() {
        let long = format!("[09:00] Ana: {}\n", "A sentence of some words goes on. ".repeat(120));
        let found = cut(&long);
        assert!(found.len() > 3 && found.iter().all(|(passage, _)| passage.split_whitespace().count() <= 240));
        assert!(chunks("Nothing is said here.\nNothing at all.").is_none());
        assert!(chunks("").is_none());
    }
}
