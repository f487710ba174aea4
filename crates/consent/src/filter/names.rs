//! Names of people, by a small linear model over words, what lists say about them, and what stands around them.
//!
//! A text is cut into words (`words.rs`); each gets signs (`names/signs.rs`): its shape, how common it is as a given
//! name, a family name or a word (`lexicon.rs`), its ending, its neighbours. A conditional random field with two
//! labels weighs them (`names/weights.rs`), and a word is a name's where its marginal chance is at least [`SURE`]. Known
//! weaknesses: writing without spaces (Chinese, Japanese, Thai), and names that are nothing but common words.

mod signs;
#[cfg(test)]
mod train;
mod weights;

use super::tokens::List;
use super::words::{Shape, Word};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

/// The chance from which a word is taken for a part of a name, chosen by `cross_names` in `names/train.rs`.
const SURE: f32 = 0.25;
/// The chance from which a name makes the same word elsewhere in the text one, too, where that has [`AGAIN`].
const CERTAIN: f32 = 0.8;
const AGAIN: f32 = 0.1;

/// Where the names in a text lie, given its words. Names that follow each other without a sign between them are one.
pub(super) fn names(text: &str, words: &[Word]) -> Vec<Range<usize>> {
    let mut chances = weights::Weights::get().chances(words);
    after_titles(words, &mut chances);
    chosen(text, words, &chances, SURE)
}

/// Words that stand before a name and nothing else.
const TITLES: &str =
    "mr mrs ms mx mme mlle herr frau senhor senhora señor señora signor signora monsieur madame mevrouw";

/// A title is no name, and a word with a capital after one is.
fn after_titles(words: &[Word], chances: &mut [f32]) {
    static LIST: OnceLock<List> = OnceLock::new();
    let titles = LIST.get_or_init(|| List::new(&[(1, TITLES)]));
    for at in 0..words.len() {
        if titles.bits(&words[at]) == 0 {
            continue;
        }
        chances[at] = 0.0;
        let next = at + 1 + usize::from(words.get(at + 1).is_some_and(|word| word.id == u32::from('.')));
        if words.get(next).is_some_and(|word| word.shape == Shape::Capital && titles.bits(word) == 0) {
            chances[next] = 1.0;
        }
    }
}

fn chosen(text: &str, words: &[Word], chances: &[f32], sure: f32) -> Vec<Range<usize>> {
    let both = || words.iter().zip(chances);
    let certain: HashSet<u32> = both()
        .filter(|(word, chance)| word.is_word() && word.letters > 2 && **chance >= CERTAIN)
        .map(|(word, _)| word.id)
        .collect();
    joined(text, words, |at| chances[at] >= sure || (chances[at] >= AGAIN && certain.contains(&words[at].id)))
}

/// The words that were chosen, those that follow each other as one span. A sign is a part of a name only inside one, or
/// as the full stop of a last initial.
fn joined(text: &str, words: &[Word], chosen: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut last: Option<usize> = None;
    for (at, word) in words.iter().enumerate() {
        if !word.is_word() || !chosen(at) {
            continue;
        }
        let near = last.is_some_and(|before| {
            let signs = &words[before + 1..at];
            let gap = &text[words[before].end..word.start];
            signs.len() <= 2
                && gap.len() <= 3
                && gap.chars().all(|c| " .-'’\u{a0}".contains(c))
                && !(gap.contains('.') && words[before].end - words[before].start > 4)
        });
        match spans.last_mut() {
            Some(span) if near => span.end = word.end,
            _ => spans.push(word.start..word.end),
        }
        last = Some(at);
    }
    spans
}
