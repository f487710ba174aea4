//! Choosing the next token: temperature, top-p, min-p, repetition penalty, and a seed that fixes the draw.

use crate::{Form, ModelError};
use std::time::Duration;

/// Logits this far below the best one, after temperature, are never drawn: all of a large vocabulary at that distance
/// holds less than a hundred-thousandth of the mass, and leaving it out spares sorting it.
const REACH: f32 = 24.0;
/// Generated tokens the repetition penalty looks back on.
const PENALTY_WINDOW: usize = 256;

/// How to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divides the logits before the softmax; 0 always takes the likeliest token.
    pub temperature: f32,
    /// Keeps the likeliest tokens that together hold this much of the mass; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens at least this likely relative to the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides the positive logits, and multiplies the negative ones, of tokens already generated; 1 changes nothing.
    /// The prompt does not count: an answer must be free to repeat the passage it quotes.
    pub repeat_penalty: f32,
    /// The same seed, prompt and settings give the same text.
    pub seed: u64,
    /// Tokens to write at most.
    pub max_tokens: usize,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// The form the answer must have.
    pub form: Option<Form>,
    /// Tokens to guess ahead at most in one step; 0 guesses none. The answer is the same either way.
    pub drafts: usize,
    /// Keep each token's log-probability, and those of this many likeliest ones.
    pub log_probabilities: Option<usize>,
    /// Time for reading the prompt and writing the answer.
    pub within: Option<Duration>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            seed: 0,
            max_tokens: 256,
            stop: Vec::new(),
            form: None,
            drafts: 0,
            log_probabilities: None,
            within: None,
        }
    }
}

impl Sampling {
    fn check(&self) -> Result<(), ModelError> {
        let range = |name, value: f32, low: f32, high: f32| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(ModelError::Sampling { name, value }) }
        };
        range("temperature", self.temperature, 0.0, 100.0)?;
        range("top_p", self.top_p, 0.0, 1.0)?;
        range("min_p", self.min_p, 0.0, 1.0)?;
        range("repeat_penalty", self.repeat_penalty, 0.01, 100.0)
    }
}

/// How likely a token was, before temperature, penalty and form.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLog {
    /// The token.
    pub token: u32,
    /// Natural logarithm of its probability.
    pub log_probability: f32,
    /// The likeliest tokens at this place with theirs, the likeliest first.
    pub top: Vec<(u32, f32)>,
}

/// Natural logarithm of the sum of the exponentials, in double precision.
pub(crate) fn log_total(logits: &[f32]) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(top) + logits.iter().map(|x| f64::from(x - top).exp()).sum::<f64>().ln()
}

/// Natural logarithm of the probability of a token.
#[allow(clippy::cast_possible_truncation, reason = "a log-probability is small")]
pub(crate) fn log_probability(logits: &[f32], token: u32) -> f32 {
    (f64::from(logits[token as usize]) - log_total(logits)) as f32
}

/// The same for a token and the `count` likeliest.
#[allow(clippy::cast_possible_truncation, reason = "a log-probability is small")]
pub(crate) fn token_log(logits: &[f32], token: u32, count: usize) -> TokenLog {
    let total = log_total(logits);
    let log_probability = (f64::from(logits[token as usize]) - total) as f32;
    TokenLog { token, log_probability, top: top_logs(logits, total, count) }
}

/// The `count` likeliest tokens with the logarithms of their probabilities, the likeliest first; `total` is that of all.
#[allow(clippy::cast_possible_truncation, reason = "a log-probability is small")]
pub(crate) fn top_logs(logits: &[f32], total: f64, count: usize) -> Vec<(u32, f32)> {
    if count == 0 {
        return Vec::new();
    }
    let mut top: Vec<u32> = (0u32..).zip(logits).map(|(id, _)| id).collect();
    let better = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let count = count.min(top.len());
    if count < top.len() {
        top.select_nth_unstable_by(count - 1, better);
    }
    top.truncate(count);
    top.sort_unstable_by(better);
    top.into_iter().map(|id| (id, (f64::from(logits[id as usize]) - total) as f32)).collect()
}

/// The likeliest token, the first of several, and its logit; negative infinity where there is none.
pub(crate) fn likeliest(logits: &[f32]) -> (u32, f32) {
    let (mut best, mut top) = (0, f32::NEG_INFINITY);
    for (id, &logit) in (0u32..).zip(logits) {
        if logit > top {
            (best, top) = (id, logit);
        }
    }
    (best, top)
}

/// Draws tokens for one answer.
pub(crate) struct Sampler {
    temperature: f32,
    top_p: f32,
    min_p: f32,
    repeat_penalty: f32,
    random: SplitMix64,
    candidates: Vec<(f32, u32)>,
}

impl Sampler {
    pub(crate) fn new(sampling: &Sampling) -> Result<Self, ModelError> {
        sampling.check()?;
        let &Sampling { temperature, top_p, min_p, repeat_penalty, seed, .. } = sampling;
        let random = SplitMix64(seed);
        Ok(Self { temperature, top_p, min_p, repeat_penalty, random, candidates: Vec::new() })
    }

    /// The next token after `generated`. The logits are changed by the penalty.
    pub(crate) fn draw(&mut self, logits: &mut [f32], generated: &[u32]) -> Result<u32, ModelError> {
        self.penalise(logits, generated);
        let (best, top) = likeliest(logits);
        if !top.is_finite() {
            return Err(ModelError::Diverged);
        }
        // Below this temperature every other token has lost all of its mass.
        if self.temperature < 1e-4 {
            return Ok(best);
        }
        Ok(self.draw_warm(logits, top))
    }

    fn penalise(&self, logits: &mut [f32], generated: &[u32]) {
        let penalty = self.repeat_penalty;
        #[allow(clippy::float_cmp, reason = "exactly one is the value that means off")]
        if penalty == 1.0 {
            return;
        }
        let recent = &generated[generated.len().saturating_sub(PENALTY_WINDOW)..];
        for (place, &id) in recent.iter().enumerate() {
            if recent[..place].contains(&id) {
                continue;
            }
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    fn draw_warm(&mut self, logits: &[f32], top: f32) -> u32 {
        let temperature = self.temperature;
        let floor = if self.min_p > 0.0 { self.min_p.ln().max(-REACH) } else { -REACH };
        self.candidates.clear();
        self.candidates.extend((0u32..).zip(logits).filter_map(|(id, &logit)| {
            let distance = (logit - top) / temperature;
            (distance >= floor).then(|| (distance.exp(), id))
        }));
        if self.top_p < 1.0 {
            self.candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let total: f32 = self.candidates.iter().map(|candidate| candidate.0).sum();
            let mut mass = 0.0;
            let enough = self.candidates.iter().position(|candidate| {
                mass += candidate.0;
                mass >= self.top_p * total
            });
            self.candidates.truncate(enough.map_or(usize::MAX, |last| last + 1));
        }
        let total: f32 = self.candidates.iter().map(|candidate| candidate.0).sum();
        let mut left = self.random.unit() * total;
        for &(mass, id) in &self.candidates {
            left -= mass;
            if left < 0.0 {
                return id;
            }
        }
        self.candidates.last().map_or(0, |candidate| candidate.1)
    }
}

/// Steele, Lea and Flood's `SplitMix64`: a few lines, so that a seed means the same in every later version.
struct SplitMix64(u64);

impl SplitMix64 {
    /// A number from 0 up to, but not including, 1.
    #[allow(clippy::cast_precision_loss, reason = "24 bits fit a float exactly")]
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(sampling: &Sampling, logits: &[f32], count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling).unwrap();
        (0..count).map(|_| sampler.draw(&mut logits.to_vec(), &[]).unwrap()).collect()
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        assert_eq!(draws(&Sampling::default(), &[0.0, 3.0, 3.0, -1.0], 3), [1, 1, 1]);
    }

    #[test]
    fn a_seed_fixes_the_draws_and_frequencies_follow_the_softmax() {
        let sampling = Sampling { temperature: 1.0, seed: 7, ..Sampling::default() };
        let logits = [0.0f32, 1.0, 2.0];
        let first = draws(&sampling, &logits, 20_000);
        assert_eq!(first, draws(&sampling, &logits, 20_000));
        assert_ne!(first, draws(&Sampling { seed: 8, ..sampling }, &logits, 20_000));
        let total: f32 = logits.iter().map(|x| x.exp()).sum();
        for (id, logit) in (0u32..).zip(logits) {
            let share = first.iter().filter(|&&drawn| drawn == id).count() as f32 / 20_000.0;
            assert!((share - logit.exp() / total).abs() < 0.015, "token {id} came up {share}");
        }
    }

    #[test]
    fn top_p_and_min_p_cut_the_tail() {
        let logits = [(0.5f32).ln(), (0.3f32).ln(), (0.15f32).ln(), (0.05f32).ln()];
        let largest = |sampling: Sampling| draws(&sampling, &logits, 3000).into_iter().max();
        let warm = Sampling { temperature: 1.0, ..Sampling::default() };
        assert_eq!(largest(warm.clone()), Some(3));
        assert_eq!(largest(Sampling { top_p: 0.75, ..warm.clone() }), Some(1));
        assert_eq!(largest(Sampling { top_p: 0.0, ..warm.clone() }), Some(0));
        assert_eq!(largest(Sampling { min_p: 0.25, ..warm.clone() }), Some(2));
        assert_eq!(largest(Sampling { min_p: 1.0, ..warm }), Some(0));
    }

    #[test]
    fn repetition_is_penalised_whatever_the_sign() {
        let sampling = Sampling { repeat_penalty: 2.0, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling).unwrap();
        assert_eq!(sampler.draw(&mut [3.0, 2.0], &[0, 0]).unwrap(), 1);
        assert_eq!(sampler.draw(&mut [-1.0, -1.5], &[0]).unwrap(), 1);
        assert_eq!(sampler.draw(&mut [3.0, 1.0], &[9]).unwrap(), 0);
    }

    #[test]
    fn settings_and_logits_are_checked() {
        for sampling in [
            Sampling { temperature: f32::NAN, ..Sampling::default() },
            Sampling { temperature: -1.0, ..Sampling::default() },
            Sampling { top_p: 1.5, ..Sampling::default() },
            Sampling { repeat_penalty: 0.0, ..Sampling::default() },
        ] {
            assert!(matches!(Sampler::new(&sampling).err(), Some(ModelError::Sampling { .. })));
        }
        let sampling = Sampling::default();
        let mut sampler = Sampler::new(&sampling).unwrap();
        assert!(matches!(sampler.draw(&mut [f32::NAN; 3], &[]), Err(ModelError::Diverged)));
    }
}
