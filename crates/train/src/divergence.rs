//! Learning from a teacher: how far its probabilities are from the student's, and the way back (Hinton et al. 2015).
#![allow(unsafe_code, reason = "vector loads and stores; every loop stays inside its slice")]

use crate::{
    examples::Soft,
    rowwise::{exponentials, scaled},
};
use hinet_model::kernels::{Job, lanes::Lanes};

/// The divergence of a row of logits from what a teacher says, which become its gradient times `weight`.
///
/// Gives `KL(teacher ‖ student) = Σ p · ln (p / q)` over the teacher's likeliest tokens and over all others taken together.
/// The gradient is `q - p` at those tokens, and at each other one its part of `Σ q - Σ p` over them.
pub(crate) struct Divergence<'a> {
    /// The logits; a multiple of sixteen.
    pub logits: &'a mut [f32],
    /// How many of them are meant.
    pub vocabulary: usize,
    /// What the teacher says.
    pub teacher: &'a Soft,
    /// What the gradient is multiplied with.
    pub weight: f32,
}

impl Job for Divergence<'_> {
    type Output = f32;

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "floats are enough for what comes out")]
    unsafe fn go<L: Lanes>(self) -> f32 {
        let Self { logits, vocabulary, teacher, weight } = self;
        let before: Vec<f32> = teacher.tokens.iter().map(|token| logits[*token as usize]).collect();
        // SAFETY: the caller vouches for the instruction set.
        let (top, _) = unsafe { exponentials::<L>(logits, vocabulary) };
        logits[vocabulary..].fill(0.0);
        let mut own = Vec::with_capacity(before.len());
        for token in &teacher.tokens {
            own.push(std::mem::take(&mut logits[*token as usize]));
        }
        // What is left is summed by itself, because a difference to one would be mostly rounding.
        let mut sums = [0f64; 16];
        for sixteen in logits.chunks_exact(16) {
            for (sum, number) in sums.iter_mut().zip(sixteen) {
                *sum += f64::from(*number);
            }
        }
        let others = sums.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let total = others + own.iter().map(|number| f64::from(*number)).sum::<f64>();
        let left = (1.0 - teacher.probabilities.iter().map(|p| f64::from(*p)).sum::<f64>()).max(0.0);
        let mut loss = 0.0;
        for (p, logit) in teacher.probabilities.iter().zip(&before) {
            let p = f64::from(*p);
            if p > 0.0 {
                loss += p * (p.ln() - f64::from(logit - top) + total.ln());
            }
        }
        if left > 0.0 {
            loss += left * (left.ln() - others.ln() + total.ln());
        }
        // SAFETY: the caller vouches for the instruction set.
        unsafe { scaled::<L>(logits, (f64::from(weight) * (1.0 / total - left / others)) as f32) };
        for ((token, own), p) in teacher.tokens.iter().zip(own).zip(&teacher.probabilities) {
            logits[*token as usize] = (f64::from(weight) * (f64::from(own) / total - f64::from(*p))) as f32;
        }
        loss as f32
    }
}
