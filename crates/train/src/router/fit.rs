//! Rows of a router in closed form, and the scale at which their softmax is about as sure as it is right.

use super::Classifier;
use crate::grams::Triangle;
use hinet_compose::{ComposeError, regress};

/// Ridges that are tried, as parts of the mean square of an input.
const RIDGES: [f64; 4] = [0.01, 0.1, 1.0, 10.0];
/// What a router is never surer than of those it is examined by, spread over all experts: rows that are always right would
/// be scaled without end.
const DOUBT: f64 = 0.05;
/// Steps of halving to the best scale.
const STEPS: usize = 50;

/// Half of what somebody's prompts give a layer.
#[derive(Debug, Clone)]
pub(super) struct Half {
    pub rows: usize,
    pub mean: Vec<f64>,
    /// `E[x·xᵀ]`, divided by its mean diagonal.
    pub gram: Triangle,
    /// That mean.
    pub scale: f64,
    /// Some of the rows.
    pub examined: Vec<f32>,
}

/// The rows of a layer's router.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// `[experts, width]`, scaled.
    pub rows: Vec<f32>,
    /// The part of the examined tokens whose likeliest expert is the right one, each expert's tokens counted alike; by rows
    /// made of the other half.
    pub right: f32,
    /// The mean of minus the logarithm of the right expert's probability, counted in the same way.
    pub loss: f32,
    /// The ridge that was taken, as a part of the mean square of an input; 0 where there is none.
    pub ridge: f32,
}

/// How an answer does where it was not learned.
struct Found {
    /// What scores are multiplied with.
    factor: f64,
    loss: f64,
    right: f64,
}

/// Scores `[rows, experts]` of those who are examined, and who they are.
struct Exam {
    scores: Vec<(usize, Vec<f64>)>,
    /// Of each expert, one over its rows.
    weight: Vec<f64>,
}

#[allow(clippy::cast_possible_truncation, reason = "weights are floats")]
pub(super) fn fit(how: Classifier, layer: usize, all: &[&[Half; 2]]) -> Result<Fitted, ComposeError> {
    let problem = "nobody is to be told from anybody; name its experts";
    if all.is_empty() {
        return Err(ComposeError::Router { layer, problem });
    }
    let learned = [0, 1].map(|half| {
        let classes: Vec<Class> = all.iter().map(|halves| Class::of(&halves[half..=half])).collect();
        System::of(how, &classes)
    });
    let ridges = if how == Classifier::Ridge { &RIDGES[..] } else { &[0.0] };
    let mut best: Option<(f64, Found)> = None;
    for &ridge in ridges {
        let mut exam = Exam { scores: Vec::new(), weight: vec![0.0; all.len()] };
        for (half, learned) in learned.iter().enumerate() {
            let rows = learned.answer(layer, ridge)?;
            all.iter().enumerate().for_each(|(who, halves)| exam.ask(who, &halves[1 - half], &rows));
        }
        let found = exam.mark();
        if best.as_ref().is_none_or(|(_, best)| found.loss < best.loss) {
            best = Some((ridge, found));
        }
    }
    let (ridge, found) = best.ok_or(ComposeError::Router { layer, problem })?;
    let whole: Vec<Class> = all.iter().map(|halves| Class::of(&halves[..])).collect();
    let rows = System::of(how, &whole).answer(layer, ridge)?;
    let rows = rows.iter().map(|number| (number * found.factor) as f32).collect();
    Ok(Fitted { rows, right: found.right as f32, loss: found.loss as f32, ridge: ridge as f32 })
}

/// One expert's inputs: what is learned from.
struct Class<'a> {
    mean: Vec<f64>,
    /// The halves, and how much each counts.
    grams: Vec<(&'a Half, f64)>,
}

impl<'a> Class<'a> {
    #[allow(clippy::cast_precision_loss, reason = "rows are counted in millions at most")]
    fn of(halves: &'a [Half]) -> Self {
        let total = halves.iter().map(|half| half.rows).sum::<usize>() as f64;
        let mut mean = vec![0.0; halves[0].mean.len()];
        let mut grams = Vec::new();
        for half in halves {
            let part = half.rows as f64 / total;
            mean.iter_mut().zip(&half.mean).for_each(|(to, from)| *to += part * from);
            grams.push((half, part));
        }
        Self { mean, grams }
    }
}

/// What rows are found from.
struct System {
    /// The Gram of all inputs, each expert's counted alike; empty where there is nothing to solve.
    gram: Vec<f64>,
    /// `[experts, width]`: what is to be explained by it, or the rows.
    rows: Vec<f64>,
}

#[allow(clippy::cast_precision_loss, reason = "few experts and inputs")]
impl System {
    fn of(how: Classifier, all: &[Class<'_>]) -> Self {
        let (size, part) = (all[0].mean.len(), 1.0 / all.len() as f64);
        if how == Classifier::Centroids {
            return Self { gram: Vec::new(), rows: centroids(all, size, part) };
        }
        let (mut gram, mut rows) = (vec![0.0; size * size], Vec::with_capacity(all.len() * size));
        for class in all {
            for (half, weight) in &class.grams {
                let factor = part * weight * half.scale;
                gram.iter_mut().zip(half.gram.whole().0).for_each(|(to, from)| *to += factor * f64::from(from));
            }
            rows.extend(class.mean.iter().map(|number| part * number));
        }
        Self { gram, rows }
    }

    /// Rows `[experts, width]` that are not scaled yet.
    fn answer(&self, layer: usize, ridge: f64) -> Result<Vec<f64>, ComposeError> {
        let mut rows = self.rows.clone();
        let size = self.gram.len().isqrt();
        if size > 0 {
            let mean = (0..size).map(|at| self.gram[at * size + at]).sum::<f64>() / size as f64;
            regress(&format!("the router of layer {layer}"), self.gram.clone(), ridge * mean, &mut rows)?;
        }
        Ok(rows)
    }
}

fn centroids(all: &[Class<'_>], size: usize, part: f64) -> Vec<f64> {
    let mut middle = vec![0.0; size];
    for class in all {
        middle.iter_mut().zip(&class.mean).for_each(|(to, from)| *to += part * from);
    }
    let dot = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(a, b)| a * b).sum::<f64>();
    let square = dot(&middle, &middle).max(f64::MIN_POSITIVE);
    let direction = |class: &Class<'_>| {
        let mut row: Vec<f64> = class.mean.iter().zip(&middle).map(|(own, middle)| own - middle).collect();
        let along = dot(&row, &middle) / square;
        row.iter_mut().zip(&middle).for_each(|(to, middle)| *to -= along * middle);
        row
    };
    all.iter().flat_map(direction).collect()
}

impl Exam {
    #[allow(clippy::cast_precision_loss, reason = "few rows")]
    fn ask(&mut self, who: usize, half: &Half, rows: &[f64]) {
        let size = half.mean.len();
        for x in half.examined.chunks_exact(size) {
            let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum::<f64>();
            self.scores.push((who, rows.chunks_exact(size).map(dot).collect()));
        }
        self.weight[who] += (half.examined.len() / size) as f64;
    }

    /// Finds the best factor, and marks with it.
    #[allow(clippy::cast_precision_loss, reason = "few experts")]
    fn mark(mut self) -> Found {
        let experts = self.weight.len() as f64;
        self.weight.iter_mut().for_each(|rows| *rows = 1.0 / (*rows * experts));
        // The size of scores around their mean is one, so that factors are comparable.
        let mut spread = 0.0;
        for (who, scores) in &mut self.scores {
            let mean = scores.iter().sum::<f64>() / experts;
            scores.iter_mut().for_each(|score| *score -= mean);
            spread += self.weight[*who] * scores.iter().map(|score| score * score).sum::<f64>() / experts;
        }
        let unit = if spread > 0.0 { 1.0 / spread.sqrt() } else { 1.0 };
        // The loss is convex in the factor: its slope rises, and is zero where it is best.
        let (mut low, mut high) = (1e-3f64.ln(), 1e3f64.ln());
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if self.slope(unit * middle.exp()) < 0.0 { low = middle } else { high = middle }
        }
        let factor = unit * f64::midpoint(low, high).exp();
        let (mut loss, mut right) = (0.0, 0.0);
        for (who, scores) in &self.scores {
            let weight = self.weight[*who];
            loss -= weight * softmax(scores, factor)[*who].max(f64::MIN_POSITIVE).ln();
            if scores.iter().enumerate().all(|(other, score)| other == *who || *score < scores[*who]) {
                right += weight;
            }
        }
        Found { factor, loss, right }
    }

    #[allow(clippy::cast_precision_loss, reason = "few experts")]
    fn slope(&self, factor: f64) -> f64 {
        let doubt = DOUBT / self.weight.len() as f64;
        let of = |(who, scores): &(usize, Vec<f64>)| {
            let said: f64 = softmax(scores, factor).iter().zip(scores).map(|(p, score)| p * score).sum();
            let wanted = (1.0 - DOUBT) * scores[*who] + doubt * scores.iter().sum::<f64>();
            self.weight[*who] * (said - wanted)
        };
        self.scores.iter().map(of).sum()
    }
}

fn softmax(scores: &[f64], factor: f64) -> Vec<f64> {
    let most = scores.iter().fold(f64::NEG_INFINITY, |most, score| most.max(factor * score));
    let mut all: Vec<f64> = scores.iter().map(|score| (factor * score - most).exp()).collect();
    let total: f64 = all.iter().sum();
    all.iter_mut().for_each(|number| *number /= total);
    all
}
