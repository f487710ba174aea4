//! Which skills to merge and which to route, said before anything is merged: from how far apart two members' activations
//! lie and how surprising their answers are to the anchor; by the whitepaper's rule, from the angle between their deltas;
//! and by what their labels leave room for.
//!
//! The first two foretell the share of the members' own recall that a merge of two keeps, by least squares over the other
//! pairs: no pair has a part in what is said about itself. With fewer than [`OTHERS`] others nothing is said. The whitepaper
//! names no angle from which on deltas conflict, so it is learned in the same way. Pairs have skills in common, so what holds
//! among those of one seed has yet to hold for another's.

use serde::{Deserialize, Serialize};

/// What a merge has to keep of the members' own recall to be worth it.
pub const KEEPS: f64 = 0.9;
/// Pairs that something is learned from, at least.
const OTHERS: usize = 4;
/// How much coefficients are held back, for each pair: a little, so that there is always one answer.
const RIDGE: f64 = 0.01;

/// Two skills, what is known of them beforehand, what was foretold, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Their names.
    pub skills: [String; 2],
    /// How far apart their members' activations are on the prompts of both, from 0 to 2.
    pub distance: f64,
    /// The perplexity of both skills' answers to the anchor: the geometric mean.
    pub perplexity: f64,
    /// The cosine of the angle between their deltas; none where it is not defined.
    pub cosine: Option<f64>,
    /// The share of answers that one model can have right at most.
    pub bound: f64,
    /// The share that the two members recall, each of its own.
    pub apart: f64,
    /// The share that their merge recalls.
    pub merged: f64,
    /// What the selector foretells the merge to keep of the members' recall.
    pub by_activation: Option<f64>,
    /// What the whitepaper's rule foretells it to keep.
    pub by_conflict: Option<f64>,
}

impl Pair {
    /// What the merge kept of the members' recall; none where they recall nothing.
    #[must_use]
    pub fn kept(&self) -> Option<f64> {
        (self.apart > 0.0).then(|| self.merged / self.apart)
    }
}

/// Who says which skills to merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The selector: activation distance and base perplexity.
    Activation,
    /// The whitepaper's rule: the conflict of the deltas.
    Conflict,
    /// The bound that label agreement sets.
    Labels,
}

impl By {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Activation, Self::Conflict, Self::Labels];

    /// As tables call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Activation => "selector: activation distance and base perplexity",
            Self::Conflict => "whitepaper: conflict of deltas",
            Self::Labels => "bound: label agreement",
        }
    }

    /// Whether a pair is to be merged; none where nothing is said.
    #[must_use]
    pub fn merges(self, pair: &Pair) -> Option<bool> {
        let foretold = match self {
            Self::Activation => pair.by_activation?,
            Self::Conflict => pair.by_conflict?,
            Self::Labels => pair.bound,
        };
        Some(foretold >= KEEPS)
    }
}

/// How often somebody was right about pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Foretold {
    /// Who said it.
    pub by: By,
    /// Pairs about which something was said and something came of it.
    pub pairs: usize,
    /// How many of them were rightly merged or routed.
    pub right: usize,
    /// How many were merged and lost more than a merge may.
    pub wrongly_merged: usize,
}

/// How right each was.
pub(super) fn foretold(pairs: &[Pair]) -> Vec<Foretold> {
    let of = |by: By| {
        let said: Vec<(bool, bool)> =
            pairs.iter().filter_map(|pair| Some((by.merges(pair)?, pair.kept()? >= KEEPS))).collect();
        let count = |fits: fn(&(bool, bool)) -> bool| said.iter().filter(|one| fits(one)).count();
        let (right, wrongly_merged) = (count(|(said, came)| said == came), count(|(said, came)| *said && !came));
        Foretold { by, pairs: said.len(), right, wrongly_merged }
    };
    By::ALL.map(of).to_vec()
}

/// Fills in what is foretold about each pair from all the others.
pub(super) fn foretell(pairs: &mut [Pair]) {
    let known: Vec<(usize, f64)> = pairs.iter().enumerate().filter_map(|(at, pair)| Some((at, pair.kept()?))).collect();
    let activation = |pair: &Pair| vec![pair.distance, pair.perplexity.ln()];
    let conflict = |pair: &Pair| vec![pair.cosine.unwrap_or(0.0).abs()];
    let by = |features: &dyn Fn(&Pair) -> Vec<f64>, at: usize| {
        let others: Vec<(Vec<f64>, f64)> = known
            .iter()
            .filter(|(other, _)| *other != at)
            .map(|(other, kept)| (features(&pairs[*other]), *kept))
            .collect();
        predicted(&others, &features(&pairs[at]))
    };
    let found: Vec<[Option<f64>; 2]> = (0..pairs.len()).map(|at| [by(&activation, at), by(&conflict, at)]).collect();
    for (pair, [by_activation, by_conflict]) in pairs.iter_mut().zip(found) {
        (pair.by_activation, pair.by_conflict) = (by_activation, by_conflict.filter(|_| pair.cosine.is_some()));
    }
}

/// What least squares over `others`, each with what is known of it and what came of it, foretell for one.
#[allow(clippy::cast_precision_loss, reason = "pairs are few")]
fn predicted(others: &[(Vec<f64>, f64)], one: &[f64]) -> Option<f64> {
    if others.len() < OTHERS || others.iter().any(|(features, _)| features.len() != one.len()) {
        return None;
    }
    let count = others.len() as f64;
    let scale = |at: usize| {
        let mean = others.iter().map(|(features, _)| features[at]).sum::<f64>() / count;
        let square = others.iter().map(|(features, _)| (features[at] - mean).powi(2)).sum::<f64>() / count;
        // What is the same for all of them is off by rounding alone.
        (mean, if square.sqrt() > 1e-9 * (1.0 + mean.abs()) { square.sqrt() } else { 1.0 })
    };
    let scales: Vec<(f64, f64)> = (0..one.len()).map(scale).collect();
    let row = |features: &[f64]| -> Vec<f64> {
        let scaled = features.iter().zip(&scales).map(|(feature, (mean, spread))| (feature - mean) / spread);
        std::iter::once(1.0).chain(scaled).collect()
    };
    let size = one.len() + 1;
    // The normal equations, the right side last.
    let mut sums = vec![vec![0.0; size + 1]; size];
    for (features, kept) in others {
        let row = row(features);
        for (at, sums) in sums.iter_mut().enumerate() {
            sums.iter_mut().zip(row.iter().chain([kept])).for_each(|(sum, number)| *sum += row[at] * number);
        }
    }
    for (at, sums) in sums.iter_mut().enumerate().skip(1) {
        sums[at] += RIDGE * count;
    }
    let weights = solved(sums)?;
    let found = row(one).iter().zip(&weights).map(|(number, weight)| number * weight).sum::<f64>();
    found.is_finite().then_some(found)
}

/// Solves equations by elimination, each a row of coefficients and its right side; none where there is not one solution.
fn solved(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = rows.len();
    for at in 0..size {
        let largest = (at..size).max_by(|one, two| rows[*one][at].abs().total_cmp(&rows[*two][at].abs()))?;
        rows.swap(at, largest);
        let pivot = rows[at].clone();
        if pivot[at].abs() < 1e-12 {
            return None;
        }
        for (other, row) in rows.iter_mut().enumerate() {
            let times = if other == at { 0.0 } else { row[at] / pivot[at] };
            row.iter_mut().zip(&pivot).for_each(|(number, above)| *number -= times * above);
        }
    }
    Some(rows.iter().enumerate().map(|(at, row)| row[size] / row[at]).collect())
}

/// Which of so many skills are merged into one model by what somebody says of pairs: each in turn who may be merged with
/// all that are. The others are routed; so are all where only one would be left to merge, or nothing is said.
pub(super) fn merged(skills: usize, may: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut together: Vec<usize> = Vec::new();
    for skill in 0..skills {
        if together.iter().all(|other| may(*other, skill)) {
            together.push(skill);
        }
    }
    if together.len() < 2 { Vec::new() } else { together }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(distance: f64, bound: f64, merged: f64) -> Pair {
        Pair {
            skills: ["a".into(), "b".into()],
            distance,
            perplexity: 10.0,
            cosine: Some(0.0),
            bound,
            apart: 0.8,
            merged,
            by_activation: None,
            by_conflict: None,
        }
    }

    #[test]
    fn equations_are_solved_where_they_can_be() {
        let found = solved(vec![vec![0.0, 2.0, 4.0], vec![3.0, 1.0, 5.0]]).unwrap();
        assert!((found[0] - 1.0).abs() < 1e-9 && (found[1] - 2.0).abs() < 1e-9, "{found:?}");
        assert_eq!(solved(vec![vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 6.0]]), None);
    }

    #[test]
    fn a_pair_is_foretold_by_the_others_alone() {
        // The farther apart, the more is kept; one of them is an exception, of which only the others learn.
        let near = |distance: f64| pair(distance, 0.5, 0.4);
        let far = |distance: f64| pair(distance, 1.0, 0.8);
        let mut pairs = vec![near(0.1), near(0.12), near(0.11), far(0.5), far(0.52), far(0.51), pair(0.5, 1.0, 0.0)];
        foretell(&mut pairs);
        let foretold = |at: usize| pairs[at].by_activation.unwrap();
        assert!(foretold(0) < 0.7 && foretold(6) > 0.9, "{pairs:?}");
        // Nothing tells them apart by the angle, so all are foretold the mean of the others.
        let mean = (2.0 * 0.5 + 3.0 * 1.0 + 0.0) / 6.0;
        assert!((pairs[0].by_conflict.unwrap() - mean).abs() < 1e-9, "{pairs:?}");
        let found = super::foretold(&pairs);
        assert_eq!(found[2], Foretold { by: By::Labels, pairs: 7, right: 6, wrongly_merged: 1 });
        // Of few nothing is learned, and labels still say what they say.
        let mut few = vec![near(0.1), far(0.5)];
        foretell(&mut few);
        assert_eq!((few[0].by_activation, By::Labels.merges(&few[0])), (None, Some(false)));
        assert_eq!(super::foretold(&few)[0].pairs, 0);
    }

    #[test]
    fn what_conflicts_with_something_merged_is_routed() {
        let may = |one: usize, two: usize| (one, two) != (1, 3) && two != 4;
        assert_eq!(merged(5, &may), [0, 1, 2]);
        assert!(merged(5, &|_, _| false).is_empty());
        assert_eq!(merged(2, &|_, _| true), [0, 1]);
    }
}
