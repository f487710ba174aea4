//! What a turn recalls: hits of the memory, weighed as evidence for the question.

use hinet_index::read::{Evidence, Intent, Question, weigh};

use super::{Node, memory};
use crate::failure::NodeError;
use crate::protocol::{Hit, Message, Role};

/// Hits looked at for one question.
const LOOKED_AT: usize = 12;
/// Hits shown beside the answer.
const SHOWN: usize = 6;
/// A question with fewer content words than this may lean on the one before.
const TERMS_MIN: usize = 3;

/// What was found, and what it is worth.
pub(super) struct Recalled {
    /// The question, read.
    pub(super) question: Question,
    /// Best evidence first.
    pub(super) hits: Vec<Hit>,
    /// One for each hit.
    pub(super) evidence: Vec<Evidence>,
    /// Whether the question leaned on an earlier turn.
    pub(super) follows: bool,
}

impl Recalled {
    /// Hits that may be answered from, best first.
    pub(super) fn passages(&self) -> impl Iterator<Item = &Hit> {
        self.hits.iter().zip(&self.evidence).filter(|(_, evidence)| evidence.is_enough()).map(|(hit, _)| hit)
    }

    /// What to show beside the answer: nothing, where nothing found is evidence.
    pub(super) fn shown(&self) -> Vec<Hit> {
        if self.passages().next().is_some() { self.hits.clone() } else { Vec::new() }
    }
}

/// Words that point back at an earlier turn.
const POINTERS: &[&str] =
    &["it", "its", "that", "this", "they", "them", "those", "these", "he", "she", "him", "her", "there", "then", "one"];

fn leans(text: &str, question: &Question) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let starts = matches!(words.next(), Some("and" | "but" | "also" | "then"));
    starts || (question.terms.len() < TERMS_MIN && words.any(|word| POINTERS.contains(&word)))
}

/// Searches the memory for a message.
pub(super) async fn recall(node: &Node, text: &str, history: &[Message]) -> Result<Recalled, NodeError> {
    let mut question = Question::read(text);
    // "And when is it back?" has no word of its own to search for, and yet asks the memory.
    if !history.is_empty() && text.contains('?') && leans(text, &question) {
        question.intent = Intent::Recall;
    }
    if question.intent != Intent::Recall {
        let follows = question.intent == Intent::Converse && !history.is_empty();
        return Ok(Recalled { question, hits: Vec::new(), evidence: Vec::new(), follows });
    }
    let earlier = history.iter().rev().find(|message| message.role == Role::User).map(|message| message.text.as_str());
    let mut query = text.to_owned();
    let follows = match earlier {
        Some(earlier) if leans(text, &question) => {
            query = format!("{earlier} {text}");
            for term in Question::read(earlier).terms {
                if !question.terms.contains(&term) {
                    question.terms.push(term);
                }
            }
            true
        }
        _ => false,
    };
    let hits = memory::find(node, query, LOOKED_AT).await?;
    let index = node.index();
    let rarity = |stem: &str| index.rarity(stem);
    let mut weighed: Vec<(Hit, Evidence)> = hits
        .into_iter()
        .map(|hit| {
            let evidence = weigh(&question, &hit, &rarity);
            (hit, evidence)
        })
        .collect();
    // Stable: equal evidence keeps the search's order.
    weighed.sort_by(|a, b| b.1.strength.total_cmp(&a.1.strength));
    weighed.truncate(SHOWN);
    let (hits, evidence) = weighed.into_iter().unzip();
    Ok(Recalled { question, hits, evidence, follows })
}
