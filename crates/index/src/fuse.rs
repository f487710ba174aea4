//! One order out of two: words and meaning, each scaled to this search, plus a little recency.
//!
//! What the stages are worth is measured by `icore bench retrieval` (`docs/results.md`).

use hinet_protocol::{ItemId, Millis, ScoreParts};
use std::collections::HashMap;

/// Recency halves in so many milliseconds (90 days).
const HALF_LIFE_MS: f64 = 90.0 * 24.0 * 3600.0 * 1000.0;

/// Passages of an item that speak for each other, at most, and among how many of the best they are looked for.
const TOGETHER: usize = 3;
const TOGETHER_AMONG: usize = 60;
/// What they add to a score of 0..=1, at most.
const TOGETHER_LIFT: f32 = 0.1;

/// How much each part counts in the fused score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Words in common.
    pub bm25: f32,
    /// Meaning in common.
    pub vector: f32,
    /// How recent the item is.
    pub recency: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { bm25: 0.75, vector: 0.25, recency: 0.02 }
    }
}

/// A chunk that words, meaning or both found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The chunk.
    pub chunk: i64,
    /// Its item.
    pub item: ItemId,
    /// When the item was last changed.
    pub modified: Millis,
    /// Whether that is the time of what it tells, as for a message.
    pub dated: bool,
    /// The raw BM25 score; 0 where no word is shared.
    pub bm25: f32,
    /// The cosine; nothing where the chunk or the question has no vector.
    pub cosine: Option<f32>,
}

/// A candidate with its fused score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// The candidate.
    pub candidate: Candidate,
    /// In 0..=1.
    pub score: f32,
    /// What the score is made of.
    pub parts: ScoreParts,
}

/// How recent something is: 1 now or in the future, halving every 90 days.
#[must_use]
pub fn recency(modified: Millis, now: Millis) -> f32 {
    let age = now.saturating_sub(modified).max(0) as f64;
    (-age / HALF_LIFE_MS).exp2() as f32
}

/// Scores the candidates, best first. BM25 is scaled to the best of this search. Cosines are stretched between the
/// worst and the best of this search for the score, because an embedder's cosines crowd together; the part that is
/// reported stays the cosine. Without any vector, words decide alone.
#[must_use]
pub fn fuse(candidates: &[Candidate], weights: Weights, now: Millis) -> Vec<Fused> {
    let best_bm25 = candidates.iter().fold(0f32, |best, c| best.max(c.bm25));
    let cosines = || candidates.iter().filter_map(|c| c.cosine).map(|c| c.max(0.0));
    let has_vectors = cosines().next().is_some();
    let (low, high) = cosines().fold((f32::INFINITY, 0f32), |(low, high), c| (low.min(c), high.max(c)));
    // Never stretch a narrow band to the full width: where all are alike, meaning says little.
    let width = (high - low).max(0.2);
    let vector_weight = if has_vectors { weights.vector } else { 0.0 };
    let bm25_weight = if best_bm25 > 0.0 { weights.bm25 } else { 0.0 };
    let total = (bm25_weight + vector_weight + weights.recency).max(f32::MIN_POSITIVE);
    let mut fused: Vec<Fused> = candidates
        .iter()
        .map(|candidate| {
            let parts = ScoreParts {
                bm25: if best_bm25 > 0.0 { candidate.bm25 / best_bm25 } else { 0.0 },
                vector: candidate.cosine.unwrap_or(0.0).clamp(0.0, 1.0),
                recency: recency(candidate.modified, now),
            };
            let meaning = candidate.cosine.map_or(0.0, |c| 1.0 - (high - c.max(0.0)) / width).max(0.0);
            let sum = bm25_weight * parts.bm25 + vector_weight * meaning + weights.recency * parts.recency;
            Fused { candidate: *candidate, score: sum / total, parts }
        })
        .collect();
    in_order(&mut fused);
    fused
}

/// The list with passages lifted by the best of their item, themselves included: what a conversation or a document is
/// about, its best passages say together.
#[must_use]
pub fn together(mut fused: Vec<Fused>) -> Vec<Fused> {
    let floor = fused.get(TOGETHER_AMONG).map_or(0.0, |hit| hit.score);
    let mut best: HashMap<ItemId, Vec<f32>> = HashMap::new();
    for hit in fused.iter().take(TOGETHER_AMONG) {
        let scores = best.entry(hit.candidate.item).or_default();
        if scores.len() < TOGETHER {
            scores.push(hit.score - floor);
        }
    }
    let means: HashMap<ItemId, f32> =
        best.into_iter().map(|(item, scores)| (item, scores.iter().sum::<f32>() / scores.len() as f32)).collect();
    let most = means.values().copied().fold(f32::MIN_POSITIVE, f32::max);
    for hit in &mut fused {
        let mean = means.get(&hit.candidate.item).copied().unwrap_or(0.0);
        hit.score = (hit.score + TOGETHER_LIFT * mean / most) / (1.0 + TOGETHER_LIFT);
    }
    in_order(&mut fused);
    fused
}

/// Sorts by score, the best first; of equal ones the older chunk.
pub(crate) fn in_order(fused: &mut [Fused]) {
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.candidate.chunk.cmp(&b.candidate.chunk)));
}

/// Picks `k` of an ordered list so that one item fills at most half of it (never less than three) while others wait,
/// and keeps the order.
#[must_use]
pub fn diverse(fused: Vec<Fused>, k: usize) -> Vec<Fused> {
    let cap = k.div_ceil(2).max(3);
    let mut taken: HashMap<ItemId, usize> = HashMap::new();
    let (mut picked, mut spare) = (Vec::with_capacity(k), Vec::new());
    for hit in fused {
        if picked.len() == k {
            break;
        }
        let count = taken.entry(hit.candidate.item).or_default();
        if *count < cap {
            *count += 1;
            picked.push(hit);
        } else {
            spare.push(hit);
        }
    }
    spare.truncate(k - picked.len());
    picked.extend(spare);
    picked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.candidate.chunk.cmp(&b.candidate.chunk)));
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(chunk: i64, item: ItemId, bm25: f32, cosine: Option<f32>) -> Candidate {
        Candidate { chunk, item, modified: 0, dated: false, bm25, cosine }
    }

    fn order(fused: &[Fused]) -> Vec<i64> {
        fused.iter().map(|f| f.candidate.chunk).collect()
    }

    #[test]
    fn both_kinds_of_evidence_beat_one() {
        let item = ItemId::new();
        let all = [
            candidate(1, item, 10.0, Some(0.1)),
            candidate(2, item, 0.0, Some(0.7)),
            candidate(3, item, 9.0, Some(0.6)),
        ];
        let fused = fuse(&all, Weights::default(), 0);
        assert_eq!(order(&fused)[0], 3);
        assert!(fused.iter().all(|f| (0.0..=1.0).contains(&f.score)));
        assert_eq!(fused[0].parts.vector, 0.6, "the part is the cosine itself");
    }

    #[test]
    fn words_alone_decide_without_vectors_and_meaning_alone_without_words() {
        let item = ItemId::new();
        let words = [candidate(1, item, 1.0, None), candidate(2, item, 4.0, None)];
        assert_eq!(order(&fuse(&words, Weights::default(), 0)), [2, 1]);
        let meaning = [candidate(1, item, 0.0, Some(0.3)), candidate(2, item, 0.0, Some(-0.4))];
        assert_eq!(order(&fuse(&meaning, Weights::default(), 0)), [1, 2]);
        assert!(fuse(&[], Weights::default(), 0).is_empty());
    }

    #[test]
    fn recency_breaks_ties_only() {
        let item = ItemId::new();
        let now = HALF_LIFE_MS as i64;
        let fresh = Candidate { modified: now, ..candidate(2, item, 5.0, Some(0.5)) };
        let fused = fuse(&[candidate(1, item, 5.0, Some(0.5)), fresh], Weights::default(), now);
        assert_eq!(order(&fused), [2, 1]);
        assert!((fused[1].parts.recency - 0.5).abs() < 1e-6);
        assert_eq!(recency(i64::MAX, i64::MIN), 1.0);
        assert_eq!(recency(i64::MIN, i64::MAX), 0.0);
    }

    #[test]
    fn one_long_document_does_not_fill_the_list() {
        let (long, short) = (ItemId::new(), ItemId::new());
        let mut all: Vec<Candidate> = (0..20).map(|i| candidate(i, long, 20.0 - i as f32 / 10.0, None)).collect();
        all.push(candidate(100, short, 1.0, None));
        let picked = diverse(fuse(&all, Weights::default(), 0), 6);
        assert_eq!(order(&picked), [0, 1, 2, 3, 4, 100], "the rest is filled up from the long one");
        assert!(picked.is_sorted_by(|a, b| a.score >= b.score));
    }
}
