//! Asking: words and meaning each give their best hundred, fused into one list of passages.

use crate::{
    Index, IndexError,
    fuse::{Candidate, Weights, diverse, fuse},
    lexical::View,
    vectors::{Near, Probe},
};
use hinet_protocol::{Hit, Millis};
use hinet_vault::Vault;
use std::collections::HashMap;

/// How many candidates words and meaning each bring in, at least.
const CANDIDATES_MIN: usize = 100;
/// More hits than this are never wanted at once.
const HITS_MAX: usize = 1000;
/// A question longer than this is cut; what follows would drown what was asked.
const TEXT_MAX_BYTES: usize = 16 * 1024;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The question in free text; no character is syntax.
    pub text: String,
    /// Its embedding by the index's embedder; without one, words decide alone.
    pub vector: Option<Vec<f32>>,
    /// How many hits.
    pub k: usize,
    /// The present, for recency.
    pub now: Millis,
}

impl Index {
    /// The best passages, best first, at most one hit per chunk.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] where a sealed file does not authenticate ([`Index::rebuild`] makes it again), or where
    /// the vault cannot be read or the vector has another dimension.
    pub fn search(&self, vault: &Vault, query: &Query) -> Result<Vec<Hit>, IndexError> {
        let k = query.k.min(HITS_MAX);
        if k == 0 {
            return Ok(Vec::new());
        }
        let fused = fuse(&self.candidates(query)?, Weights::default(), query.now);
        // A few more than wanted: a chunk may have left the vault since the last commit of the index.
        let mut picked = diverse(fused, k + 8);
        let ids: Vec<i64> = picked.iter().map(|hit| hit.candidate.chunk).collect();
        let views = vault.read(|reader| Ok::<_, IndexError>(reader.chunk_views(&ids)?))?;
        let mut views: HashMap<i64, _> = views.into_iter().map(|view| (view.chunk.id, view)).collect();
        picked.retain(|hit| views.contains_key(&hit.candidate.chunk));
        let hits = diverse(picked, k).into_iter().filter_map(|hit| {
            let view = views.remove(&hit.candidate.chunk)?;
            Some(Hit {
                item: view.item.id,
                source: view.item.key,
                title: view.item.title,
                text: view.text,
                span: view.chunk.span,
                score: hit.score,
                parts: hit.parts,
                modified: view.item.modified,
                kind: view.item.kind,
                pinned: false,
            })
        });
        Ok(hits.collect())
    }

    /// How much of what a question asks for a passage holds, in 0..=1: the question's words without stop words,
    /// each weighed by how rare it is in this memory. With the cosine it is the evidence that refusal is decided from.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub fn coverage(&self, question: &str, passage: &str) -> Result<f32, IndexError> {
        self.view().coverage(cut(question), passage)
    }

    /// How rare a stemmed word is in this memory (its inverse document frequency); 0 where the index cannot be read.
    #[must_use]
    pub fn rarity(&self, stem: &str) -> f32 {
        self.view().rarity(stem).unwrap_or(0.0)
    }

    /// The candidates of a search with their raw evidence, in no particular order.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn candidates(&self, query: &Query) -> Result<Vec<Candidate>, IndexError> {
        let limit = CANDIDATES_MIN.max(3 * query.k.min(HITS_MAX));
        let view = self.view();
        let probe = query.vector.as_deref().map(Probe::new).transpose()?;
        let (shared, near) = rayon::join(
            || view.search(cut(&query.text), limit),
            || match (&query.vector, &probe) {
                (Some(vector), Some(probe)) => self.near(vector, probe, limit),
                _ => Ok(Vec::new()),
            },
        );
        let mut found: HashMap<i64, Candidate> = HashMap::with_capacity(2 * limit);
        for hit in shared? {
            let (chunk, facts, bm25) = (hit.chunk, hit.facts, hit.bm25);
            found.insert(chunk, Candidate { chunk, item: facts.item, modified: facts.modified, bm25, cosine: None });
        }
        self.add_near(&view, near?, &mut found)?;
        if let Some(probe) = &probe {
            let vectors = self.vectors();
            for candidate in found.values_mut().filter(|c| c.cosine.is_none()) {
                candidate.cosine = vectors.cosine(candidate.chunk, probe);
            }
        }
        Ok(found.into_values().collect())
    }

    fn near(&self, vector: &[f32], probe: &Probe, limit: usize) -> Result<Vec<Near>, IndexError> {
        let vectors = self.vectors();
        match self.accelerator.nearest(&vectors, vector, probe, limit) {
            Some(near) => Ok(near),
            None => vectors.nearest(probe, limit, rayon::current_num_threads().min(2)),
        }
    }

    /// Chunks that only meaning found. One the lexical index does not know is about to leave or to come; it waits.
    fn add_near(&self, view: &View, near: Vec<Near>, found: &mut HashMap<i64, Candidate>) -> Result<(), IndexError> {
        for hit in near {
            if let Some(candidate) = found.get_mut(&hit.chunk) {
                candidate.cosine = Some(hit.cosine);
            } else if let Some(facts) = view.facts(hit.chunk)? {
                let (item, modified) = (facts.item, facts.modified);
                let cosine = Some(hit.cosine);
                found.insert(hit.chunk, Candidate { chunk: hit.chunk, item, modified, bm25: 0.0, cosine });
            }
        }
        Ok(())
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
