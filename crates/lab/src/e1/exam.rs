//! What every model is asked, and what it made of it.

use super::{
    gate::Parts,
    packs::{Pack, Sort},
    trial::piece,
};
use crate::LabError;
use hinet_model::Anchor;
use hinet_train::{
    Example, TrainError,
    judge::{By, Interval, Judge, Question, Watch, general, paired_bootstrap},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Questions of all packs, one pack after the other, and the neutral text.
pub(crate) struct Exam {
    questions: Vec<Question>,
    /// Which pack each is of.
    pub packs: Vec<usize>,
    /// What each says of what it asks for.
    pub sorts: Vec<Sort>,
    neutral: Vec<u32>,
}

/// What members are together, each as much as it says.
pub(crate) type Together<'a> = dyn FnMut(&[(usize, f32)]) -> Result<Judge, LabError> + 'a;

/// What one model made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// For each question whether the right option is the likeliest of the options.
    pub chosen: Vec<bool>,
    /// For each question whether the right option is the likeliest of the whole vocabulary.
    pub recalled: Vec<bool>,
    /// Perplexity of the neutral text.
    pub neutral: f64,
}

/// The words as they go on after a prompt.
pub(crate) fn word(anchor: &Anchor, word: &str) -> Vec<u32> {
    anchor.encode(&format!(" {word}"), false)
}

impl Exam {
    pub fn new(anchor: &Anchor, packs: &[Pack], neutral: usize) -> Self {
        let (mut questions, mut of, mut sorts) = (Vec::new(), Vec::new(), Vec::new());
        for (at, pack) in packs.iter().enumerate() {
            for asked in pack.facts.iter().flat_map(|fact| &fact.eval) {
                questions.push(Question {
                    prompt: anchor.encode(&asked.prompt, false),
                    options: asked.options.iter().map(|option| word(anchor, option)).collect(),
                    right: asked.answer,
                });
                of.push(at);
                sorts.push(asked.sort);
            }
        }
        let mut text = anchor.encode(&general::neutral(), false);
        text.truncate(neutral);
        Self { questions, packs: of, sorts, neutral: text }
    }

    /// The question at a place, counted over all packs.
    pub fn question(&self, at: usize) -> &Question {
        &self.questions[at]
    }

    /// Tokens of the neutral text.
    pub fn neutral_tokens(&self) -> usize {
        self.neutral.len()
    }

    /// The neutral text in windows, as [`Judge::perplexity`] reads it: each begins in the middle of the one before, and
    /// a token counts in the first that has it.
    pub fn windows(&self) -> Vec<Example> {
        let (mut all, mut from, mut known) = (Vec::new(), 0, 1);
        while known < self.neutral.len() {
            let end = (from + general::WINDOW).min(self.neutral.len());
            all.push(Example::from(self.neutral[from..end].to_vec(), known - from));
            known = end;
            from += general::WINDOW / 2;
        }
        all
    }

    pub fn marks(&self, model: &Anchor, watch: &mut Watch<'_>) -> Result<Marks, LabError> {
        let mut judge = Judge::new(model, &[])?;
        let choices = watch.part(piece(0, 2), |watch| judge.choose(&self.questions, By::Sum, watch))?;
        let neutral: Result<f64, TrainError> =
            watch.part(piece(1, 2), |watch| judge.perplexity(&self.neutral, general::WINDOW, watch));
        Ok(Marks {
            chosen: choices.iter().map(|choice| choice.right).collect(),
            recalled: choices.iter().map(|choice| choice.recalled).collect(),
            neutral: neutral?,
        })
    }

    /// Marks where each question and each window of the neutral text is answered by members of its own; `judge` is what
    /// they are together. Those with the same members, and as much of each, are read at once. Where no questions are
    /// given, none are asked.
    pub fn marks_by(
        &self,
        questions: &[Parts],
        windows: &[Parts],
        judge: &mut Together<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Marks, LabError> {
        let key = |parts: &Parts| parts.iter().map(|(member, weight)| (*member, weight.to_bits())).collect::<Vec<_>>();
        let mut groups: BTreeMap<Vec<(usize, u32)>, [Vec<usize>; 2]> = BTreeMap::new();
        for (at, parts) in questions.iter().enumerate() {
            groups.entry(key(parts)).or_default()[0].push(at);
        }
        for (at, parts) in windows.iter().enumerate() {
            groups.entry(key(parts)).or_default()[1].push(at);
        }
        let (texts, count) = (self.windows(), groups.len());
        let (mut chosen, mut recalled) = (vec![false; questions.len()], vec![false; questions.len()]);
        let mut losses: Vec<f32> = Vec::new();
        for (group, (parts, [asked, read])) in groups.into_iter().enumerate() {
            let parts: Parts = parts.into_iter().map(|(member, bits)| (member, f32::from_bits(bits))).collect();
            let mut who = judge(&parts)?;
            watch.part(piece(group, count), |watch| -> Result<(), TrainError> {
                if !asked.is_empty() {
                    let some: Vec<Question> = asked.iter().map(|at| self.questions[*at].clone()).collect();
                    for (at, choice) in asked.iter().zip(who.choose(&some, By::Sum, watch)?) {
                        (chosen[*at], recalled[*at]) = (choice.right, choice.recalled);
                    }
                }
                if !read.is_empty() {
                    let some: Vec<Example> = read.iter().map(|at| texts[*at].clone()).collect();
                    losses.extend(who.losses(&some, watch)?.into_iter().flatten());
                }
                Ok(())
            })?;
        }
        #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
        let mean = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64;
        Ok(Marks { chosen, recalled, neutral: mean.exp() })
    }

    /// Questions of one sort, or all of them, of each pack.
    pub fn counts(&self, sort: Option<Sort>) -> Vec<usize> {
        let mut counts = vec![0; self.packs.last().map_or(0, |last| last + 1)];
        let asked = self.packs.iter().zip(&self.sorts).filter(|(_, other)| sort.is_none_or(|sort| sort == **other));
        asked.for_each(|(pack, _)| counts[*pack] += 1);
        counts
    }

    /// Of what is said of all questions that of one sort, or all of it.
    pub fn of(&self, right: &[bool], sort: Option<Sort>) -> Vec<bool> {
        let asked = right.iter().zip(&self.sorts).filter(|(_, other)| sort.is_none_or(|sort| sort == **other));
        asked.map(|(right, _)| *right).collect()
    }

    /// The share that is right of the questions of each pack, of one sort or all.
    #[allow(clippy::cast_precision_loss, reason = "questions are few")]
    pub fn by_pack(&self, right: &[bool], sort: Option<Sort>) -> Vec<f64> {
        let (right, mut from) = (self.of(right, sort), 0);
        let share = |count: usize| {
            let some = right[from..from + count].iter().filter(|right| **right).count();
            from += count;
            some as f64 / count.max(1) as f64
        };
        self.counts(sort).into_iter().map(share).collect()
    }

    /// The mean over packs of the share that is right, of one sort or all, and where it lies with 95 percent.
    pub fn interval(&self, right: &[bool], sort: Option<Sort>, seed: u64) -> Result<Interval, LabError> {
        let points = points(&self.counts(sort), &self.of(right, sort));
        let found = paired_bootstrap(&vec![0.0; points.len()], &points, seed)?;
        Ok(Interval { high: found.high.min(1.0), ..found })
    }

    /// The mean over packs of the share that is right of each sort of question that was asked.
    pub fn by_sort(&self, right: &[bool]) -> BTreeMap<Sort, f64> {
        let asked = Sort::ALL.into_iter().filter(|sort| self.sorts.contains(sort));
        asked.map(|sort| (sort, mean(&points(&self.counts(Some(sort)), &self.of(right, Some(sort)))))).collect()
    }
}

/// What each answer is worth, so that packs of so many questions each count alike: the mean of it is the mean over packs
/// of the share that is right.
#[allow(clippy::cast_precision_loss, reason = "questions are few")]
pub(crate) fn points(counts: &[usize], right: &[bool]) -> Vec<f64> {
    let (asked, all) = (counts.iter().filter(|count| **count > 0).count(), counts.iter().sum::<usize>());
    let pack = counts.iter().flat_map(|count| std::iter::repeat_n(*count, *count));
    pack.zip(right).map(|(count, right)| if *right { all as f64 / (asked * count) as f64 } else { 0.0 }).collect()
}

/// The mean of shares; that of none is zero.
#[allow(clippy::cast_precision_loss, reason = "packs are few")]
pub(crate) fn mean(shares: &[f64]) -> f64 {
    shares.iter().sum::<f64>() / shares.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exam(packs: Vec<usize>, tokens: u32) -> Exam {
        let sorts = vec![Sort::Named; packs.len()];
        Exam { questions: Vec::new(), packs, sorts, neutral: (0..tokens).collect() }
    }

    #[test]
    fn every_token_but_the_first_counts_in_one_window() {
        for tokens in [2, 96, 512, 513, 2560] {
            let windows = exam(Vec::new(), tokens).windows();
            let counting =
                windows.iter().flat_map(|one| one.tokens.iter().zip(&one.learn).filter(|(_, learn)| **learn));
            let counting: Vec<u32> = counting.map(|(token, _)| *token).collect();
            assert_eq!(counting, (1..tokens).collect::<Vec<u32>>());
            assert!(windows.iter().all(|one| one.tokens.len() <= general::WINDOW));
        }
        assert!(exam(Vec::new(), 1).windows().is_empty());
    }

    #[test]
    fn packs_count_alike_however_many_questions_they_have() {
        let exam = exam(vec![0, 0, 1], 2);
        let right = [true, false, true];
        assert!((mean(&exam.by_pack(&right, None)) - 0.75).abs() < 1e-12);
        assert!((mean(&points(&exam.counts(None), &right)) - 0.75).abs() < 1e-12);
        let found = exam.interval(&right, None, 1).unwrap();
        assert!((found.mean - 0.75).abs() < 1e-12 && found.items == 3, "{found:?}");
        assert!(found.low < 0.75 && found.high > 0.75 && found.high <= 1.0, "{found:?}");
        let all = exam.interval(&[true; 3], None, 1).unwrap();
        assert!((all.mean - 1.0).abs() < 1e-12, "{all:?}");
        assert_eq!(exam.interval(&right, Some(Sort::Named), 1).unwrap(), found);
    }

    #[test]
    fn questions_of_one_sort_are_counted_by_themselves() {
        let mut exam = exam(vec![0, 0, 0, 1, 1], 2);
        exam.sorts = vec![Sort::Named, Sort::Ambiguous, Sort::Named, Sort::Named, Sort::Ambiguous];
        let right = [true, false, false, true, true];
        assert_eq!((exam.counts(None), exam.counts(Some(Sort::Named))), (vec![3, 2], vec![2, 1]));
        assert_eq!(exam.of(&right, Some(Sort::Named)), [true, false, true]);
        assert_eq!(exam.by_pack(&right, Some(Sort::Named)), [0.5, 1.0]);
        let found = exam.by_sort(&right);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [Sort::Named, Sort::Ambiguous]);
        assert!(
            (found[&Sort::Named] - 0.75).abs() < 1e-12 && (found[&Sort::Ambiguous] - 0.5).abs() < 1e-12,
            "{found:?}"
        );
        // A pack without such questions says nothing about them.
        assert_eq!(points(&[0, 2], &[true, false]), [1.0, 0.0]);
    }
}
