//! A second search from the first hits: the words that the best passages share, and the question does not have, are
//! asked for as well, with little weight (pseudo-relevance feedback, RM3: Abdul-Jaleel et al. 2004).
//!
//! It finds what answers in other words, and for a question whose answer lies in several places the others, from the
//! first one found.

use crate::{IndexError, view::View, words};
use std::collections::{HashMap, HashSet};

/// Hits whose words are taken.
pub(crate) const HITS: usize = 5;
/// Words taken.
const WORDS: usize = 16;
/// Weight of the best of them, where a word of the question has 1.
const WEIGHT: f32 = 0.25;
/// Shorter words say too little alone.
const CHARS_MIN: usize = 3;

/// The words to search for besides the question's, stemmed, each with its weight. `hits` are the texts of the best
/// passages with their scores, the best first.
pub(crate) fn words_of(view: &View, question: &str, hits: &[(f32, String)]) -> Result<Vec<(String, f32)>, IndexError> {
    let Some(best) = hits.first().map(|(score, _)| *score).filter(|score| *score > 0.0) else { return Ok(Vec::new()) };
    let asked: HashSet<String> = words::question(question).stemmed.into_iter().collect();
    let mut shares: HashMap<String, f32> = HashMap::new();
    for (score, text) in hits {
        for stem in words::content(text) {
            if stem.chars().count() >= CHARS_MIN && !asked.contains(&stem) {
                *shares.entry(stem).or_default() += score / best;
            }
        }
    }
    let mut weighed = Vec::with_capacity(shares.len());
    for (stem, share) in shares {
        // A word of one passage leads nowhere, and who speaks says nothing of the matter.
        if view.frequency(&stem)? > 1 && !view.is_speaker(&stem)? {
            weighed.push((share * view.rarity(&stem)?, stem));
        }
    }
    weighed.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    weighed.truncate(WORDS);
    let most = weighed.first().map_or(1.0, |(weight, _)| *weight);
    Ok(weighed.into_iter().map(|(weight, stem)| (stem, WEIGHT * weight / most)).collect())
}
