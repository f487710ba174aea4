//! Evidence: does a passage speak about what a question asks, or does it only look near?
//!
//! Three things are weighed: how much of the question's meaning-bearing words the passage (with its title and path)
//! holds, rare words counting more; how near the two are in meaning; and whether the passage has the sort of thing
//! that would answer (a time for "when"). Near in meaning alone is not evidence: "my dentist" is near "my doctor".

use super::question::{Question, Wanted};
use super::words::{is_stop, sentences, stems, stems_at};
use crate::chunk::{CHAT, speaker};
use hinet_protocol::Hit;

/// How much a passage speaks to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Share of the question's content words found in the passage, its title or its path, by rarity; 0..=1.
    pub coverage: f32,
    /// Nearness in meaning, 0..=1.
    pub meaning: f32,
    /// Whether the passage has the sort of thing that would answer.
    pub fits: bool,
    /// One number to rank and to decide by, 0..=1.
    pub strength: f32,
}

/// Below this strength a passage does not answer: chosen, with the weights, on 70 answerable and 60 unanswerable
/// questions over two made-up folders, of which it takes 69 and refuses 52 (`docs/results.md`).
const ENOUGH: f32 = 0.471;

/// Taken off where the passage lacks the sort of thing that would answer.
const MISFIT: f32 = 0.214;
/// A sentence's nearness counts so much of a whole chunk's.
const SENTENCE: f32 = 0.9;
/// Weight of the words in common, and of the nearness in meaning.
const COVERAGE: f32 = 0.286;
const MEANING: f32 = 0.714;

impl Evidence {
    /// Whether the passage may be answered from.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.strength >= ENOUGH
    }
}

/// Weighs a hit against a question. `sentence` is the nearness of the hit's nearest sentence, 0 where nobody measured
/// it; `rarity` gives a stem's weight (its inverse document frequency).
#[must_use]
pub fn weigh(question: &Question, hit: &Hit, sentence: f32, rarity: &dyn Fn(&str) -> f32) -> Evidence {
    let mut there: Vec<String> = stems(&hit.text);
    there.extend(stems(&hit.title));
    there.extend(stems(&hit.source));
    let (mut have, mut all) = (0.0f32, 0.0f32);
    for term in &question.terms {
        let weight = rarity(term).max(0.1);
        all += weight;
        have += weight * presence(term, &there);
    }
    let coverage = if all > 0.0 { have / all } else { 0.0 };
    // One sentence about the matter is drowned in a chunk about other things.
    let meaning = hit.parts.vector.max(SENTENCE * sentence).clamp(0.0, 1.0);
    // "How many employees" is not answered by a passage that counts something else.
    let counts = question.counted.as_ref().is_none_or(|counted| presence(counted, &there) > 0.0);
    // Nor is a question about Priya answered by what is known of Clara.
    let named = question.names.iter().all(|name| presence(name, &there) > 0.0);
    let fits = holds_wanted_here(question, &hit.text) && counts && named && is_said_by_whom_it_asks(question, hit);
    let strength = (COVERAGE * coverage + MEANING * meaning - if fits { 0.0 } else { MISFIT }).clamp(0.0, 1.0);
    Evidence { coverage, meaning, fits, strength }
}

/// Whether a message of a conversation is said by somebody the question names, where it names one of those who talk:
/// what Bo tells of his race says nothing of Ana's. Where the owner is asked about as well, they may be who speaks.
fn is_said_by_whom_it_asks(question: &Question, hit: &Hit) -> bool {
    let Some(who) = (hit.kind == CHAT).then(|| speaker(&hit.text)).flatten() else { return true };
    let (who, titled) = (stems(who), stems(&hit.title));
    let talks = |name: &String| titled.contains(name) || who.contains(name);
    question.own || !question.names.iter().any(talks) || question.names.iter().any(|name| who.contains(name))
}

/// 1 where a stem is there, a part where a word that begins alike is (`dentist`, `dental`).
fn presence(term: &str, there: &[String]) -> f32 {
    if there.iter().any(|stem| stem == term) {
        return 1.0;
    }
    let shared = |stem: &String| stem.bytes().zip(term.bytes()).take_while(|(a, b)| a == b).count();
    let near = |stem: &String| {
        let n = shared(stem);
        n >= 4 && n + 3 >= stem.len().max(term.len())
    };
    if term.len() >= 5 && there.iter().any(near) { 0.7 } else { 0.0 }
}

const DATES: &[&str] = &[
    "april",
    "august",
    "autumn",
    "daili",
    "day",
    "decemb",
    "dec",
    "evening",
    "februari",
    "feb",
    "fridai",
    "friday",
    "hour",
    "januari",
    "jan",
    "juli",
    "jul",
    "june",
    "jun",
    "march",
    "mar",
    "midnight",
    "minut",
    "monday",
    "month",
    "morn",
    "night",
    "noon",
    "novemb",
    "nov",
    "octob",
    "oct",
    "saturday",
    "septemb",
    "sep",
    "spring",
    "summer",
    "sunday",
    "thursday",
    "today",
    "tomorrow",
    "tonight",
    "tuesday",
    "wednesday",
    "week",
    "winter",
    "year",
    "yesterday",
    "hourli",
    "weekli",
    "monthli",
    "annual",
    "easter",
    "christma",
];

/// Whether a word looks like a name.
fn is_name(stem: &str, word: &str) -> bool {
    !is_stop(stem) && !is_calendar_word(stem) && word.chars().next().is_some_and(char::is_uppercase)
}

/// Whether a passage has what is wanted where it speaks of the question: for a name, one that the question does not
/// have itself, in a sentence with a word of the question or in the one after it ("Dentist at nine" names nobody).
fn holds_wanted_here(question: &Question, text: &str) -> bool {
    if question.wanted != Wanted::Name {
        return holds_wanted(question.wanted, text);
    }
    let parts = sentences(text);
    let asked = |part: &str| question.terms.iter().any(|term| presence(term, &stems(part)) > 0.0);
    let named = |part: &str| {
        stems_at(part).iter().any(|(stem, at)| is_name(stem, &part[at.clone()]) && !question.terms.contains(stem))
    };
    (0..parts.len())
        .any(|n| asked(&text[parts[n].clone()]) && parts[n..].iter().take(2).any(|range| named(&text[range.clone()])))
}

/// Six digits or more in a row, with the spaces and signs people put between them.
fn has_phone_number(text: &str) -> bool {
    let mut digits = 0;
    text.split_whitespace().any(|word| {
        let count = word.bytes().filter(u8::is_ascii_digit).count();
        let separators = word.bytes().filter(|b| matches!(b, b'-' | b'/')).count();
        let date = count == 8 && separators == 2;
        let plain = word.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '/' | '(' | ')' | '+' | '.' | ','));
        digits = if plain && !date { digits + count } else { 0 };
        digits >= 6
    })
}

/// Whether a word is a month or a day: a document may write it as a number.
pub(super) fn is_calendar_word(stem: &str) -> bool {
    DATES.contains(&stem)
}

/// Whether a text has the sort of thing that is wanted.
pub(crate) fn holds_wanted(wanted: Wanted, text: &str) -> bool {
    let digit = || text.bytes().any(|b| b.is_ascii_digit());
    match wanted {
        Wanted::Thing => true,
        Wanted::When => digit() || stems(text).iter().any(|stem| DATES.contains(&stem.as_str())),
        Wanted::Number => {
            digit()
                || stems(text).iter().any(|stem| {
                    matches!(
                        stem.as_str(),
                        "one"
                            | "two"
                            | "three"
                            | "four"
                            | "five"
                            | "six"
                            | "seven"
                            | "eight"
                            | "nine"
                            | "ten"
                            | "eleven"
                            | "twelv"
                            | "twenti"
                            | "thirti"
                            | "forti"
                            | "fifti"
                            | "hundr"
                            | "thousand"
                            | "million"
                            | "dozen"
                            | "half"
                            | "none"
                            | "free"
                            | "twice"
                            | "onc"
                    )
                })
        }
        Wanted::Phone => has_phone_number(text),
        Wanted::Email => text.contains('@'),
        Wanted::Name => stems_at(text).iter().any(|(stem, at)| is_name(stem, &text[at.clone()])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinet_protocol::{ItemId, ScoreParts, Span};

    #[test]
    fn what_one_person_tells_is_no_evidence_of_another() {
        let said = |who: &str, kind: &str| Hit {
            item: ItemId::new(),
            source: "chat.txt".into(),
            title: "Ana and Bo, 2026-03-12".into(),
            text: format!("[09:00] {who}: The race was for the hospital, and I won it."),
            span: Span { start: 0, end: 1 },
            score: 1.0,
            parts: ScoreParts { vector: 0.6, ..ScoreParts::default() },
            modified: 0,
            kind: kind.into(),
            pinned: false,
        };
        let fits = |question: &str, hit: &Hit| weigh(&Question::read(question), hit, 0.0, &|_| 1.0).fits;
        assert!(fits("What was Bo's race for?", &said("Bo", "chat")));
        assert!(!fits("What was Ana's race for?", &said("Bo", "chat")));
        assert!(fits("What was Ana's race for?", &said("Bo", "text")), "a note is told by its owner");
        assert!(fits("What did I tell Ana of the race?", &said("Bo", "chat")), "the owner may be who speaks");
        assert!(fits("What was the race for?", &said("Bo", "chat")));
    }
}
