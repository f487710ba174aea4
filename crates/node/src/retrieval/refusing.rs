//! The evidence the chat decides by, with each sentence embedded once for all questions: the chat measures a dozen hits
//! for each, and the same ones come again and again.

use std::collections::HashMap;

use hinet_index::read::{Question, sentences, weigh};
use hinet_index::{Index, Query};
use hinet_model::Embedder;

use crate::failure::NodeError;
use crate::flows::chat::{LOOKED_AT, WORDS_MIN};
use crate::state::{Node, now};

use super::Asked;

/// Weighs questions against a memory.
pub(super) struct Scales<'a> {
    pub(super) node: &'a Node,
    pub(super) index: &'a Index,
    pub(super) embedder: &'a Embedder,
    /// Vectors of sentences.
    pub(super) known: HashMap<String, Vec<f32>>,
}

impl Scales<'_> {
    /// The strength of the best evidence for a question, 0..=1, and whether the chat would answer from it.
    pub(super) fn weigh(&mut self, asked: &Asked) -> Result<(f32, bool), NodeError> {
        let question = Question::read(&asked.text);
        let (text, vector) = (asked.text.clone(), asked.vector.clone());
        let query = Query { text, vector, k: LOOKED_AT, now: now(), ..Query::default() };
        let hits = self.index.search(&self.node.vault, &query)?;
        let rarity = |stem: &str| self.index.rarity(stem);
        let (mut best, mut enough) = (0f32, false);
        for hit in &hits {
            let mut near = 0f32;
            for range in sentences(&hit.text) {
                let sentence = &hit.text[range];
                if sentence.split_whitespace().nth(WORDS_MIN - 1).is_none() {
                    continue;
                }
                if !self.known.contains_key(sentence) {
                    let vector = self.embedder.embed(&[sentence])?.pop().unwrap_or_default();
                    self.known.insert(sentence.to_owned(), vector);
                }
                if let (Some(sentence), Some(asked)) = (self.known.get(sentence), &asked.vector) {
                    near = near.max(sentence.iter().zip(asked).map(|(a, b)| a * b).sum());
                }
            }
            let evidence = weigh(&question, hit, near, &rarity);
            best = best.max(evidence.strength);
            enough |= evidence.is_enough();
        }
        Ok((best, enough))
    }
}
