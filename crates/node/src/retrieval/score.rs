//! What a ranking is worth: the share of the evidence within the first k turns, and how well a score tells what can be
//! answered from what cannot.

use serde::Serialize;

/// The numbers of turns at which recall is measured.
pub const KS: [usize; 4] = [1, 5, 10, 20];

/// Recall of some questions: the mean over them of the share of their evidence turns within the first k.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Recall {
    /// How many questions.
    pub questions: usize,
    /// At each of [`KS`], 0..=1.
    pub at: [f64; 4],
}

impl Recall {
    /// Takes in a question: its evidence, and the turns that were found, best first, each once.
    pub(super) fn add(&mut self, evidence: &[usize], found: &[usize]) {
        let before = self.questions as f64;
        self.questions += 1;
        for (mean, k) in self.at.iter_mut().zip(KS) {
            let within = evidence.iter().filter(|turn| found.iter().take(k).any(|other| other == *turn)).count();
            let share = within as f64 / evidence.len().max(1) as f64;
            *mean += (share - *mean) / (before + 1.0);
        }
    }
}

/// The probability that something answerable scores above something that is not, ties counting half (AUROC; the
/// Mann-Whitney statistic); 0.5 where either is missing.
pub(super) fn auroc(answerable: &[f32], other: &[f32]) -> f64 {
    if answerable.is_empty() || other.is_empty() {
        return 0.5;
    }
    let mut all: Vec<(f32, bool)> =
        answerable.iter().map(|score| (*score, true)).chain(other.iter().map(|score| (*score, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut at) = (0f64, 0f64, 0);
    while at < all.len() {
        let tied = all[at..].iter().take_while(|(score, _)| *score == all[at].0).count();
        let group = &all[at..at + tied];
        let wanted = group.iter().filter(|(_, answerable)| *answerable).count() as f64;
        let unwanted = tied as f64 - wanted;
        sum += wanted * (below + unwanted / 2.0);
        below += unwanted;
        at += tied;
    }
    sum / (answerable.len() as f64 * other.len() as f64)
}

/// The share of `other` that is refused where at most `allowed` of what is answerable is.
pub(super) fn refused_at(answerable: &[f32], other: &[f32], allowed: f64) -> f64 {
    let mut scores = answerable.to_vec();
    scores.sort_by(f32::total_cmp);
    let lost = (allowed * scores.len() as f64).floor() as usize;
    let Some(threshold) = scores.get(lost).filter(|_| !other.is_empty()) else { return 0.0 };
    other.iter().filter(|score| *score < threshold).count() as f64 / other.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_the_mean_share_of_the_evidence() {
        let mut recall = Recall::default();
        recall.add(&[3, 4], &[3, 9, 8, 7, 6, 4]);
        recall.add(&[1], &[]);
        assert_eq!(recall, Recall { questions: 2, at: [0.25, 0.25, 0.5, 0.5] });
    }

    #[test]
    fn a_score_tells_apart_or_does_not() {
        assert_eq!(auroc(&[0.9, 0.8], &[0.1, 0.2]), 1.0);
        assert_eq!(auroc(&[0.5, 0.5], &[0.5]), 0.5);
        assert_eq!(auroc(&[0.1], &[0.9]), 0.0);
        assert_eq!(auroc(&[], &[0.9]), 0.5);
        let answerable: Vec<f32> = (0..10).map(|n| n as f32).collect();
        assert_eq!(refused_at(&answerable, &[0.5, 5.0], 0.1), 0.5);
        assert_eq!(refused_at(&[], &[0.5], 0.1), 0.0);
    }
}
