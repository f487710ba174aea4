//! The weights of the signs, and the chance of each word to be a part of a name.

use super::signs::{BITS, JOINTS, is_open, joint, place, signs};
use crate::filter::words::Word;
use std::sync::OnceLock;

/// What one step of a stored weight is worth.
pub(super) const STEP: f32 = 1.0 / 24.0;

/// What a word that can be no part of a name has instead of a score.
pub(super) const CLOSED: f32 = -30.0;

/// The weights, unpacked once when the first text is looked at.
pub(super) struct Weights {
    /// For each sign what it says for a name.
    pub(super) signs: Vec<i8>,
    /// For each way in which two words stand beside each other, what it says for (name after none, none after name,
    /// name after name).
    pub(super) joints: Vec<[i8; 3]>,
}

impl Weights {
    /// The weights of this program.
    pub(super) fn get() -> &'static Self {
        static WEIGHTS: OnceLock<Weights> = OnceLock::new();
        WEIGHTS.get_or_init(|| Self::read(include_bytes!("../../../assets/names.weights")))
    }

    /// The file: three bytes for each joint, then for each sign with a weight the distance from the one before as a
    /// variable-length number (seven bits a byte, lowest first) and the weight.
    fn read(bytes: &[u8]) -> Self {
        let (head, rest) = bytes.split_at(bytes.len().min(3 * JOINTS));
        let mut joints = vec![[0; 3]; JOINTS];
        for (at, byte) in head.iter().enumerate() {
            joints[at / 3][at % 3] = *byte as i8;
        }
        let mut signs = vec![0; 1 << BITS];
        let (mut sign, mut step, mut shift, mut is_weight) = (0usize, 0usize, 0, false);
        for &byte in rest {
            if is_weight {
                if let Some(weight) = signs.get_mut(sign) {
                    *weight = byte as i8;
                }
                (step, shift, is_weight) = (0, 0, false);
                continue;
            }
            step |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                sign += step;
                is_weight = true;
            }
        }
        Self { signs, joints }
    }

    /// The chance of each word to be a part of a name, given all the others.
    pub(super) fn chances(&self, words: &[Word]) -> Vec<f32> {
        let score = |at: usize| {
            if !is_open(words, at) {
                return CLOSED;
            }
            let mut sum = 0;
            signs(words, at, |sign| sum += i32::from(self.signs[place(sign)]));
            sum as f32 * STEP
        };
        let scores: Vec<f32> = (0..words.len()).map(score).collect();
        marginals(words, &scores, |way, change| f32::from(self.joints[way][change]) * STEP)
    }
}

/// Forward and backward over the two labels, each time only the difference of both being kept: `ahead` is how much
/// likelier a name is than none after the words so far.
pub(super) fn marginals(words: &[Word], scores: &[f32], weight: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut ahead = vec![0.0f32; words.len()];
    for at in 0..words.len() {
        let before = if at == 0 {
            0.0
        } else {
            let way = joint(&words[at - 1], &words[at]);
            let last = ahead[at - 1];
            above(last + weight(way, 2), weight(way, 0)) - above(last + weight(way, 1), 0.0)
        };
        ahead[at] = before + scores[at];
    }
    let mut behind = 0.0f32;
    let mut chances = vec![0.0f32; words.len()];
    for at in (0..words.len()).rev() {
        let sum = ahead[at] + behind;
        chances[at] = if sum < -16.0 { 0.0 } else { 1.0 / (1.0 + (-sum).exp()) };
        if at > 0 {
            let way = joint(&words[at - 1], &words[at]);
            let next = behind + scores[at];
            behind = above(next + weight(way, 2), weight(way, 1)) - above(next + weight(way, 0), 0.0);
        }
    }
    chances
}

/// The logarithm of the sum of two exponentials.
pub(super) fn above(a: f32, b: f32) -> f32 {
    let apart = (a - b).abs();
    if apart > 16.0 { a.max(b) } else { a.max(b) + (-apart).exp().ln_1p() }
}
