//! Quotation: the sentences of a passage that say it best, word for word.

use std::ops::Range;

use super::evidence::holds_wanted;
use super::question::{Question, Wanted};
use super::words::{sentences, stems};

/// Longest quotation, in bytes; a single longer sentence is cut at a word.
const QUOTE_MAX: usize = 320;
/// What nearness in meaning counts beside one shared word.
const NEAR: f32 = 4.0;
/// What having the sort of thing that is wanted counts beside one shared word.
const FITS: f32 = 1.5;
/// Fewer words than this are a fragment, and count so much less.
const FRAGMENT: usize = 5;
const FRAGMENT_LESS: f32 = 1.5;
/// What a sentence that asks is worth less than one that says something: it shares its words with the question and
/// answers nothing.
const ASKS: f32 = 2.5;
/// What a heading is worth less than a sentence with the same words: it names the matter and says nothing of it.
const HEADING: f32 = 2.5;

/// The byte range of `passage` (of the document called `title`) to quote: the best sentence, widened by its neighbours
/// while it stays short. `meaning` has, for each of [`sentences`]`(passage)`, its nearness to the question; empty where
/// nobody measured it.
#[must_use]
pub fn quote(question: &Question, title: &str, passage: &str, meaning: &[f32]) -> Range<usize> {
    let parts = sentences(passage);
    let is_heading = |part: usize| looks_like_heading(passage, parts[part].clone(), title);
    let rate = |part: usize| {
        let heading = if is_heading(part) { HEADING } else { 0.0 };
        let near = meaning.get(part).copied().unwrap_or(0.0);
        let sentence = &passage[parts[part].clone()];
        let question_back = if asks(sentence) { ASKS } else { 0.0 };
        rate(question, sentence) + NEAR * near - heading - question_back
    };
    let ratings: Vec<f32> = (0..parts.len()).map(rate).collect();
    let Some(best) = (0..parts.len()).max_by(|&a, &b| {
        // The earlier of two equals.
        ratings[a].total_cmp(&ratings[b]).then(b.cmp(&a))
    }) else {
        return 0..0;
    };
    let (mut first, mut last) = (best, best);
    loop {
        let length = |from: usize, to: usize| parts[to].end - parts[from].start;
        // What follows explains more often than what came before.
        if last + 1 < parts.len() && length(first, last + 1) <= QUOTE_MAX && !is_heading(last + 1) {
            last += 1;
        } else if first > 0 && length(first - 1, last) <= QUOTE_MAX && !is_heading(first - 1) {
            first -= 1;
        } else {
            break;
        }
    }
    let range = parts[first].start..parts[last].end;
    if range.len() <= QUOTE_MAX { range } else { cut(passage, range) }
}

/// Whether all that is quoted asks and says nothing. Short words around it, a greeting or a name, do not count.
#[must_use]
pub fn only_asks(quotation: &str) -> bool {
    let mut said =
        sentences(quotation).into_iter().map(|range| &quotation[range]).filter(|sentence| !is_short(sentence));
    said.clone().next().is_some() && said.all(asks)
}

fn asks(sentence: &str) -> bool {
    sentence.trim_end_matches(['"', '”', '»', ')', ' ']).ends_with(['?', '？'])
}

fn is_short(sentence: &str) -> bool {
    stems(sentence).len() < FRAGMENT && !asks(sentence)
}

/// A Markdown heading, the title, or a short line of its own before a blank one.
fn looks_like_heading(passage: &str, range: Range<usize>, title: &str) -> bool {
    let after = &passage[range.end..];
    let line = &passage[range];
    let ended = line.ends_with(['.', '!', '?', ':', ';', ',']);
    line == title || !ended && (line.starts_with('#') || (line.len() <= 60 && after.starts_with("\n\n")))
}

fn rate(question: &Question, sentence: &str) -> f32 {
    let there = stems(sentence);
    let found = question.terms.iter().filter(|term| there.contains(term)).count() as f32;
    let fits = question.wanted != Wanted::Thing && holds_wanted(question.wanted, sentence);
    found + if fits { FITS } else { 0.0 } - if there.len() < FRAGMENT { FRAGMENT_LESS } else { 0.0 }
}

fn cut(passage: &str, range: Range<usize>) -> Range<usize> {
    let mut end = range.start + QUOTE_MAX;
    while !passage.is_char_boundary(end) {
        end -= 1;
    }
    let slice = &passage[range.start..end];
    let word = slice.rfind(char::is_whitespace).unwrap_or(slice.len());
    range.start..range.start + word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted<'a>(question: &str, passage: &'a str) -> &'a str {
        &passage[quote(&Question::read(question), "", passage, &[])]
    }

    #[test]
    fn a_sentence_that_asks_is_quoted_only_where_nothing_else_fits() {
        let question = "When does the ferry to Naxos leave?";
        let asked = "Hi Ana,\n\nWhen does the ferry to Naxos leave?\n\nThanks, Ben";
        assert!(only_asks(quoted(question, asked)), "{}", quoted(question, asked));
        let rest = "It is a long way and we will be many. ".repeat(9);
        let both = format!("When does the ferry to Naxos leave? {rest}The ferry leaves at nine from the old harbour.");
        let said = quoted(question, &both);
        assert!(said.contains("at nine") && !only_asks(said), "{said}");
    }

    #[test]
    fn asking_and_saying_are_told_apart() {
        for (text, expected) in [
            ("When does it leave?", true),
            ("“Where is the key to the cellar?”", true),
            ("Hi Ana, when does it leave? And who drives us there?", true),
            ("When does it leave? The ferry leaves at nine from the old harbour.", false),
            ("Thanks!", false),
            ("", false),
        ] {
            assert_eq!(only_asks(text), expected, "{text}");
        }
    }
}
