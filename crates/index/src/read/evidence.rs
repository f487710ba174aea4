//! Evidence: does a passage speak about what a question asks, or does it only look near?
//!
//! Three things are weighed: how much of the question's meaning-bearing words the passage (with its title and path)
//! holds, rare words counting more; how near the two are in meaning; and whether the passage has the sort of thing
//! that would answer (a time for "when"). Near in meaning alone is not evidence: "my dentist" is near "my doctor".

use super::question::{Question, Wanted};
use super::words::{is_stop, stems, stems_at};
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

/// Below this strength a passage does not answer (chosen on the question sets in `tests/`, see ARCHITECTURE.md).
const ENOUGH: f32 = 0.5;

/// Taken off where the passage lacks the sort of thing that would answer.
const MISFIT: f32 = 0.2;

impl Evidence {
    /// Whether the passage may be answered from.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.strength >= ENOUGH
    }
}

/// Weighs a hit against a question. `rarity` gives a stem's weight (its inverse document frequency).
#[must_use]
pub fn weigh(question: &Question, hit: &Hit, rarity: &dyn Fn(&str) -> f32) -> Evidence {
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
    let meaning = hit.parts.vector.clamp(0.0, 1.0);
    // "How many employees" is not answered by a passage that counts something else.
    let counts = question.counted.as_ref().is_none_or(|counted| presence(counted, &there) > 0.0);
    // Nor is a question about Priya answered by what is known of Clara.
    let named = question.names.iter().all(|name| presence(name, &there) > 0.0);
    let fits = holds_wanted(question.wanted, &hit.text) && counts && named;
    let strength = (0.62 * coverage + 0.55 * meaning - if fits { 0.0 } else { MISFIT }).clamp(0.0, 1.0);
    Evidence { coverage, meaning, fits, strength }
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
        Wanted::Name => stems_at(text)
            .iter()
            .any(|(stem, at)| !is_stop(stem) && text[at.clone()].chars().next().is_some_and(char::is_uppercase)),
    }
}
