//! What is learned from, and in which order.

use crate::TrainError;
use hinet_model::Config;

/// Tokens, and which of them are to be foretold from those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// For each token whether its loss counts; that of the first never does, because nothing comes before it.
    pub learn: Vec<bool>,
}

impl Example {
    /// An example of which all tokens but the first are learned.
    #[must_use]
    pub fn whole(tokens: Vec<u32>) -> Self {
        let learn = vec![true; tokens.len()];
        Self { tokens, learn }
    }

    /// An example of which the tokens from `from` on are learned.
    #[must_use]
    pub fn from(tokens: Vec<u32>, from: usize) -> Self {
        let learn = (0..tokens.len()).map(|at| at >= from).collect();
        Self { tokens, learn }
    }

    /// Positions whose loss counts.
    pub(crate) fn targets(&self) -> impl Iterator<Item = usize> {
        self.learn.iter().enumerate().skip(1).filter(|(_, learn)| **learn).map(|(at, _)| at)
    }

    /// Tokens that have to be read: nothing after the last that counts, and not that one itself.
    pub(crate) fn rows(&self) -> usize {
        self.targets().last().unwrap_or(0)
    }

    pub(crate) fn check(&self, index: usize, config: &Config) -> Result<(), TrainError> {
        let bad = |problem: String| Err(TrainError::Example { index, problem });
        if self.tokens.len() != self.learn.len() {
            return bad(format!("it has {} tokens and {} marks", self.tokens.len(), self.learn.len()));
        }
        if self.rows() == 0 {
            return bad("it marks nothing to be learned; mark a token that is not the first".into());
        }
        if self.rows() > config.context {
            let (rows, most) = (self.rows(), config.context);
            return bad(format!("it has {rows} tokens, and the model was trained to see {most}; cut it"));
        }
        match self.tokens.iter().find(|id| **id as usize >= config.vocabulary) {
            Some(id) => bad(format!("token {id} is outside the vocabulary of {}", config.vocabulary)),
            None => Ok(()),
        }
    }
}

/// What a teacher says about one token: how probable the likeliest are. What is left to one belongs to all others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Soft {
    /// Tokens, each at most once.
    pub tokens: Vec<u32>,
    /// The probability of each.
    pub probabilities: Vec<f32>,
}

/// An example, and what a teacher says about its tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// The tokens, and which of them count.
    pub example: Example,
    /// One for each token that counts, in their order; none where the tokens themselves are to be learned.
    pub teacher: Vec<Soft>,
}

impl From<Example> for Lesson {
    fn from(example: Example) -> Self {
        Self { example, teacher: Vec::new() }
    }
}

impl Lesson {
    pub(crate) fn check(&self, index: usize, config: &Config) -> Result<(), TrainError> {
        self.example.check(index, config)?;
        let bad = |problem: &str| Err(TrainError::Example { index, problem: problem.into() });
        if !self.teacher.is_empty() && self.teacher.len() != self.example.targets().count() {
            return bad("its teacher does not speak of every token that counts, or of more; give one answer for each");
        }
        for soft in &self.teacher {
            let mut tokens = soft.tokens.clone();
            tokens.sort_unstable();
            tokens.dedup();
            if soft.tokens.is_empty() || tokens.len() != soft.probabilities.len() || tokens.len() != soft.tokens.len() {
                return bad("its teacher does not name tokens that differ, each with its probability");
            }
            if tokens.last().is_some_and(|id| *id as usize >= config.vocabulary) {
                return bad("its teacher names a token outside the vocabulary");
            }
            let sum: f32 = soft.probabilities.iter().sum();
            if soft.probabilities.iter().any(|p| !(0.0..=1.001).contains(p)) || sum > 1.001 {
                return bad("its teacher's probabilities are not between zero and one, or more than one together");
            }
        }
        Ok(())
    }
}

/// Identifies the lessons and their order.
#[must_use]
pub fn hash(lessons: &[Lesson]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("hinet/train/examples/v2");
    for Lesson { example, teacher } in lessons {
        hasher.update(&(example.tokens.len() as u64).to_le_bytes());
        for (token, learn) in example.tokens.iter().zip(&example.learn) {
            hasher.update(&token.to_le_bytes());
            hasher.update(&[u8::from(*learn)]);
        }
        hasher.update(&(teacher.len() as u64).to_le_bytes());
        for soft in teacher {
            hasher.update(&(soft.tokens.len() as u64).to_le_bytes());
            for (token, probability) in soft.tokens.iter().zip(&soft.probabilities) {
                hasher.update(&token.to_le_bytes());
                hasher.update(&probability.to_le_bytes());
            }
        }
    }
    hasher.finalize()
}

/// A stream of numbers that a seed and a purpose decide (`SplitMix64`), on every machine the same.
#[derive(Debug, Clone)]
pub struct Stream(u64);

impl Stream {
    /// The stream of this seed for this purpose.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/train/stream/v1");
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().unwrap_or_default();
        Self(u64::from_le_bytes(bytes))
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `count`, which is at least one.
    #[allow(clippy::cast_possible_truncation, reason = "below `count`")]
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Puts them into an order that all orders are equally likely to be (Fisher and Yates).
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
    }

    /// A number from the standard normal distribution (Box and Muller 1958).
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "53 bits fit, floats are enough")]
    pub fn normal(&mut self) -> f32 {
        let mut part = || ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (length, angle) = ((-2.0 * part().ln()).sqrt(), 2.0 * std::f64::consts::PI * part());
        (length * angle.cos()) as f32
    }

    /// A number from -1 up to 1.
    pub fn unit(&mut self) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "24 bits fit")]
        let part = (self.next() >> 40) as f32 / (1u64 << 23) as f32;
        part - 1.0
    }
}

/// Which example comes at place `at` when all are gone through again and again, each time in an order of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Order {
    seed: u64,
    count: usize,
    round: Option<u64>,
    places: Vec<usize>,
}

impl Order {
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        Self { seed, count, ..Self::default() }
    }

    pub(crate) fn example(&mut self, at: u64) -> usize {
        let count = self.count as u64;
        let (round, inside) = (at / count, at % count);
        if self.round != Some(round) {
            self.places = (0..self.count).collect();
            Stream::new(self.seed, &format!("order {round}")).shuffle(&mut self.places);
            self.round = Some(round);
        }
        #[allow(clippy::cast_possible_truncation, reason = "below `count`")]
        let inside = inside as usize;
        self.places[inside]
    }
}
