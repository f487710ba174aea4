//! Asking: words and meaning each give their best hundred, fused into one list of passages.

use crate::{
    Filter, Index, IndexError, Persons,
    asked::folded,
    choose::{Choice, Chunks},
    fuse::{Candidate, Fused, Weights, diverse, fuse, in_order, recency, together},
    second,
    stages::Stages,
    vectors::{Near, Probe},
    view::{Shared, View},
    when, words,
};
use hinet_protocol::{Hit, ItemId, Millis, ScoreParts};
use hinet_vault::{Vault, records::ChunkView};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a pin adds to a score of 0..=1: about what a twentieth of the best words in common add. It decides between
/// passages that are nearly alike and never lifts one over another that clearly says more.
pub const PIN_LIFT: f32 = 0.05;
/// What the time asked about adds to a score of 0..=1: what was told then stands before what only shares more words.
const TIME_LIFT: f32 = 0.4;
/// Passages with a phrase in them that are ranked; beyond them the phrase says too little to be worth more.
const PHRASED: usize = 1_000;
/// Passages with all words of a phrase that are looked at before those left are taken in no order.
const LOOKED_AT: usize = 5_000;
/// Passages whose text is read at once.
const TEXTS: usize = 128;

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
    /// What must stand in a passage as it is, letter case and white space aside; it must lie in one passage.
    pub phrases: Vec<String>,
    /// Which items are looked at. Where it is all that is asked, their first passages are given, the newest first.
    pub filter: Filter,
    /// Who is who, where the filter asks for people; it is read where nobody says it.
    pub persons: Option<Arc<Persons>>,
    /// Which stages are taken; all, unless somebody measures.
    pub stages: Stages,
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
        let within = self.within(vault, query)?;
        if within.as_ref().is_some_and(|chunks| chunks.len() == 0) {
            return Ok(Vec::new());
        }
        let asks = query.vector.is_some() || !query.phrases.is_empty() || query.text.chars().any(char::is_alphanumeric);
        let fused = match (&within, asks) {
            (None, false) => return Ok(Vec::new()),
            (_, false) => return self.newest(vault, query, k),
            _ => self.ranked(vault, query, within.as_ref())?,
        };
        let pinned = self.pinned(vault)?;
        // A few more than wanted: a chunk may have left the vault since the last commit of the index.
        let mut picked = diverse(lifted(fused, &pinned), k + 8);
        let ids: Vec<i64> = picked.iter().map(|hit| hit.candidate.chunk).collect();
        let views = vault.read(|reader| Ok::<_, IndexError>(reader.chunk_views(&ids)?))?;
        let mut views: HashMap<i64, _> = views.into_iter().map(|view| (view.chunk.id, view)).collect();
        picked.retain(|hit| views.contains_key(&hit.candidate.chunk));
        let hits = diverse(picked, k).into_iter().filter_map(|hit| {
            let view = views.remove(&hit.candidate.chunk)?;
            Some(shown(view, hit.score, hit.parts, &pinned))
        });
        Ok(hits.collect())
    }

    /// What a filter alone leaves: the first passage of each item, the newest item first.
    fn newest(&self, vault: &Vault, query: &Query, k: usize) -> Result<Vec<Hit>, IndexError> {
        let pinned = self.pinned(vault)?;
        vault.read(|reader| {
            let mut hits = Vec::new();
            let mut items = Vec::new();
            Choice::read(&query.filter, reader, query.persons.as_deref())?.each(reader, &mut |line| {
                items.push(line.id);
                items.len() < k
            })?;
            for item in items {
                let Some(first) = reader.chunks_of(item)?.into_iter().next() else { continue };
                let Some(view) = reader.chunk(first.id)? else { continue };
                let fresh = recency(view.item.modified, query.now);
                hits.push(shown(view, fresh, ScoreParts { recency: fresh, ..ScoreParts::default() }, &pinned));
            }
            Ok(hits)
        })
    }

    fn pinned(&self, vault: &Vault) -> Result<HashSet<ItemId>, IndexError> {
        vault.read(|reader| {
            let mut items = HashSet::new();
            reader.lines_of(&reader.pinned()?, &mut |line| {
                items.insert(line.id);
            })?;
            Ok(items)
        })
    }

    /// The chunks a search is confined to, where it is.
    fn within(&self, vault: &Vault, query: &Query) -> Result<Option<Arc<Chunks>>, IndexError> {
        let filter = &query.filter;
        let chosen = if filter.is_empty() {
            None
        } else {
            let persons = query.persons.as_deref();
            Some(Arc::new(vault.read(|reader| Choice::read(filter, reader, persons)?.chunks(reader))?))
        };
        if query.phrases.is_empty() {
            return Ok(chosen);
        }
        let (chunks, _) = self.with_phrases(&self.view(), vault, &query.phrases, chosen.as_ref(), PHRASED)?;
        Ok(Some(Arc::new(chunks)))
    }

    /// Chunks in whose text all phrases stand, the likeliest first until there are `enough`, and their items.
    pub(crate) fn with_phrases(
        &self,
        view: &View,
        vault: &Vault,
        phrases: &[String],
        within: Option<&Arc<Chunks>>,
        enough: usize,
    ) -> Result<(Chunks, HashSet<ItemId>), IndexError> {
        let phrases: Vec<String> = phrases.iter().map(|phrase| folded(phrase)).collect();
        let words: Vec<String> = phrases.iter().flat_map(|phrase| words::phrase(phrase)).collect();
        let having = |limit: usize| -> Result<Vec<i64>, IndexError> {
            let found = view.having_all(&words, limit, within)?;
            Ok(found.into_iter().map(|Shared { chunk, .. }| chunk).collect())
        };
        let mut likely = if words.is_empty() {
            view.chunks().into_iter().filter(|chunk| within.is_none_or(|within| within.contains(*chunk))).collect()
        } else {
            having(LOOKED_AT)?
        };
        let (mut chunks, mut items) = (Chunks::default(), HashSet::new());
        loop {
            for batch in likely.chunks(TEXTS) {
                for found in vault.read(|reader| Ok::<_, IndexError>(reader.chunk_views(batch)?))? {
                    let text = folded(&found.text);
                    if phrases.iter().all(|phrase| text.contains(phrase.as_str())) {
                        chunks.insert(found.chunk.id);
                        items.insert(found.item.id);
                    }
                }
                if chunks.len() >= enough {
                    return Ok((chunks, items));
                }
            }
            if words.is_empty() || likely.len() != LOOKED_AT {
                return Ok((chunks, items));
            }
            // All words are common and the phrase is rare: all of them are looked at.
            likely = having(usize::try_from(view.len()).unwrap_or(usize::MAX))?;
        }
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

    /// The candidates of one search with their raw evidence, in no particular order; the second search is not made.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn candidates(&self, query: &Query) -> Result<Vec<Candidate>, IndexError> {
        self.found(query, &[], None)
    }

    /// All candidates in order: a first search, and a second one with the words of its best passages.
    fn ranked(&self, vault: &Vault, query: &Query, within: Option<&Arc<Chunks>>) -> Result<Vec<Fused>, IndexError> {
        let order = |found: &[Candidate]| {
            let fused = timely(fuse(found, Weights::default(), query.now), query);
            if query.stages.together { together(fused) } else { fused }
        };
        let mut found = self.found(query, &[], within)?;
        let first = order(&found);
        if !(query.stages.second && query.stages.words) || query.text.is_empty() {
            return Ok(first);
        }
        let best: Vec<(i64, f32)> =
            // What shares no word with the question says nothing of which words to go on with.
            first
                .iter()
                .take(second::HITS)
                .filter(|hit| hit.candidate.bm25 > 0.0)
                .map(|hit| (hit.candidate.chunk, hit.score))
                .collect();
        let ids: Vec<i64> = best.iter().map(|(chunk, _)| *chunk).collect();
        let views = vault.read(|reader| Ok::<_, IndexError>(reader.chunk_views(&ids)?))?;
        let score = |chunk: i64| best.iter().find(|(known, _)| *known == chunk).map_or(0.0, |(_, score)| *score);
        let texts: Vec<(f32, String)> = views.into_iter().map(|view| (score(view.chunk.id), view.text)).collect();
        let more = second::words_of(&self.view(), cut(&query.text), &texts)?;
        if more.is_empty() {
            return Ok(first);
        }
        let known: HashSet<i64> = found.iter().map(|candidate| candidate.chunk).collect();
        let again = self.found(query, &more, within)?;
        let raised: HashMap<i64, f32> = again.iter().map(|candidate| (candidate.chunk, candidate.bm25)).collect();
        for candidate in &mut found {
            candidate.bm25 = raised.get(&candidate.chunk).copied().unwrap_or(candidate.bm25).max(candidate.bm25);
        }
        found.extend(again.into_iter().filter(|candidate| !known.contains(&candidate.chunk)));
        Ok(order(&found))
    }

    fn found(
        &self,
        query: &Query,
        more: &[(String, f32)],
        within: Option<&Arc<Chunks>>,
    ) -> Result<Vec<Candidate>, IndexError> {
        let limit = CANDIDATES_MIN.max(3 * query.k.min(HITS_MAX));
        let (view, stages) = (self.view(), query.stages);
        let vector = query.vector.as_deref().filter(|_| stages.meaning);
        let probe = vector.map(Probe::new).transpose()?;
        let (shared, near) = rayon::join(
            || match stages.words {
                true => view.search(cut(&query.text), more, stages, limit, within),
                false => Ok(Vec::new()),
            },
            || match (vector, &probe) {
                (Some(vector), Some(probe)) => self.near(vector, probe, limit, within),
                _ => Ok(Vec::new()),
            },
        );
        let mut found: HashMap<i64, Candidate> = HashMap::with_capacity(2 * limit);
        for Shared { chunk, facts, bm25 } in shared? {
            found.insert(chunk, facts.candidate(chunk, bm25, None));
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

    fn near(
        &self,
        vector: &[f32],
        probe: &Probe,
        limit: usize,
        within: Option<&Arc<Chunks>>,
    ) -> Result<Vec<Near>, IndexError> {
        let vectors = self.vectors();
        let threads = rayon::current_num_threads().min(2);
        // The graph knows no filter; what a filter leaves is scanned exactly.
        if let Some(within) = within {
            return vectors.nearest_among(probe, limit, threads, &|chunk| within.contains(chunk));
        }
        match self.accelerator.nearest(&vectors, vector, probe, limit) {
            Some(near) => Ok(near),
            None => vectors.nearest(probe, limit, threads),
        }
    }

    /// Chunks that only meaning found. One the lexical index does not know is about to leave or to come; it waits.
    fn add_near(&self, view: &View, near: Vec<Near>, found: &mut HashMap<i64, Candidate>) -> Result<(), IndexError> {
        for hit in near {
            if let Some(candidate) = found.get_mut(&hit.chunk) {
                candidate.cosine = Some(hit.cosine);
            } else if let Some(facts) = view.facts(hit.chunk)? {
                found.insert(hit.chunk, facts.candidate(hit.chunk, 0.0, Some(hit.cosine)));
            }
        }
        Ok(())
    }
}

fn shown(view: ChunkView, score: f32, parts: ScoreParts, pinned: &HashSet<ItemId>) -> Hit {
    Hit {
        item: view.item.id,
        source: view.item.key,
        title: view.item.title,
        text: view.text,
        span: view.chunk.span,
        score,
        parts,
        modified: view.item.modified,
        kind: view.item.kind,
        pinned: pinned.contains(&view.item.id),
    }
}

/// The list with what was told at the time asked about in front, where a time is asked about.
fn timely(mut fused: Vec<Fused>, query: &Query) -> Vec<Fused> {
    let Some(when) = when::asked(cut(&query.text), query.now).filter(|_| query.stages.time) else { return fused };
    for hit in &mut fused {
        let fits = if hit.candidate.dated { when.fits(hit.candidate.modified) } else { 0.0 };
        hit.score = (hit.score + TIME_LIFT * fits) / (1.0 + TIME_LIFT);
    }
    in_order(&mut fused);
    fused
}

/// The list with what the owner pinned lifted a little, best first again.
fn lifted(mut fused: Vec<Fused>, pinned: &HashSet<ItemId>) -> Vec<Fused> {
    if pinned.is_empty() {
        return fused;
    }
    for hit in &mut fused {
        let lift = if pinned.contains(&hit.candidate.item) { PIN_LIFT } else { 0.0 };
        // Scaled, so that the best possible is still 1.
        hit.score = (hit.score + lift) / (1.0 + PIN_LIFT);
    }
    in_order(&mut fused);
    fused
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
