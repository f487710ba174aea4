//! Kernels over single rows: norm, rotation, gate, sum, softmax, rounding to int8.
#![allow(unsafe_code, reason = "vector loads and stores; every loop stays inside its slice")]

use super::{Job, int8::BLOCK, int8::Int8Block, lanes::Lanes};
use crate::config::Activation;

/// `out = x / rms(x) ⊙ gains`.
pub struct Norm<'a> {
    /// The row.
    pub x: &'a [f32],
    /// One per number.
    pub gains: &'a [f32],
    /// Added to the mean square.
    pub eps: f32,
    /// The result, as long as the row.
    pub out: &'a mut [f32],
}

impl Job for Norm<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let n = self.x.len();
        assert!(n == self.gains.len() && n == self.out.len() && n.is_multiple_of(16), "rows are multiples of 16");
        // SAFETY: every access is at a multiple of sixteen below `n`.
        unsafe {
            let mut squares = L::splat(0.0);
            for i in (0..n).step_by(16) {
                let x = L::load(self.x.as_ptr().add(i));
                squares = x.fma(x, squares);
            }
            #[allow(clippy::cast_precision_loss, reason = "widths are small")]
            let scale = L::splat(1.0 / (squares.sum() / n as f32 + self.eps).sqrt());
            for i in (0..n).step_by(16) {
                let x = L::load(self.x.as_ptr().add(i)).mul(scale);
                x.mul(L::load(self.gains.as_ptr().add(i))).store(self.out.as_mut_ptr().add(i));
            }
        }
    }
}

/// Twice √(2 / π).
const GELU_LINE: f32 = 1.595_769_2;
/// The same, times 0.044715.
const GELU_CUBE: f32 = 0.071_354_814;

/// `gate = activation(gate) ⊙ up`.
///
/// Both activations are `x · sigmoid(f(x))`: GELU's `(1 + tanh u) / 2` is `sigmoid(2u)`.
pub struct Gate<'a> {
    /// The gate, which becomes the result.
    pub gate: &'a mut [f32],
    /// What it lets through.
    pub up: &'a [f32],
    /// What the gate goes through.
    pub activation: Activation,
}

impl Job for Gate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let n = self.gate.len();
        assert!(n == self.up.len() && n.is_multiple_of(16), "rows are multiples of 16");
        // SAFETY: every access is at a multiple of sixteen below `n`.
        unsafe {
            let (zero, one) = (L::splat(0.0), L::splat(1.0));
            for i in (0..n).step_by(16) {
                let gate = L::load(self.gate.as_ptr().add(i));
                let inner = match self.activation {
                    Activation::Silu => gate,
                    Activation::GeluTanh => gate.mul(gate.mul(gate).fma(L::splat(GELU_CUBE), L::splat(GELU_LINE))),
                };
                let active = gate.div(zero.sub(inner).exp().add(one));
                active.mul(L::load(self.up.as_ptr().add(i))).store(self.gate.as_mut_ptr().add(i));
            }
        }
    }
}

/// `x = limit · tanh(scale · x / limit)`.
pub struct Cap<'a> {
    /// The row.
    pub x: &'a mut [f32],
    /// What it is multiplied with first.
    pub scale: f32,
    /// The limit.
    pub limit: f32,
}

impl Job for Cap<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let n = self.x.len();
        assert!(n.is_multiple_of(16), "rows are multiples of 16");
        // SAFETY: every access is at a multiple of sixteen below `n`.
        unsafe {
            let (one, limit) = (L::splat(1.0), L::splat(self.limit));
            let twice = L::splat(2.0 * self.scale / self.limit);
            for i in (0..n).step_by(16) {
                let at = self.x.as_mut_ptr().add(i);
                let rest = L::splat(2.0).div(L::load(at).mul(twice).exp().add(one));
                one.sub(rest).mul(limit).store(at);
            }
        }
    }
}

/// `x += factor · y`.
pub struct AddScaled<'a> {
    /// What is added to.
    pub x: &'a mut [f32],
    /// What is added.
    pub y: &'a [f32],
    /// How often.
    pub factor: f32,
}

impl Job for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        self.x.iter_mut().zip(self.y).for_each(|(x, y)| *x += self.factor * y);
    }
}

/// `x += y`.
pub struct Add<'a> {
    /// What is added to.
    pub x: &'a mut [f32],
    /// What is added.
    pub y: &'a [f32],
}

impl Job for Add<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        self.x.iter_mut().zip(self.y).for_each(|(x, y)| *x += y);
    }
}

/// Turns neighbouring numbers of each head by the angles whose cosine and sine are given.
pub struct Rotate<'a> {
    /// The row, head after head.
    pub row: &'a mut [f32],
    /// Numbers in a head.
    pub head_dim: usize,
    /// Cosines of the angles, one per pair.
    pub cos: &'a [f32],
    /// Their sines.
    pub sin: &'a [f32],
    /// Whether the pairs are neighbours, or lie half the rotated part apart.
    pub neighbours: bool,
}

impl Job for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let half = self.cos.len();
        for head in self.row.chunks_exact_mut(self.head_dim) {
            let turn = |a: f32, b: f32, c: f32, s: f32| (a * c - b * s, a * s + b * c);
            let angles = self.cos.iter().zip(self.sin);
            if self.neighbours {
                for (pair, (&c, &s)) in head[..2 * half].chunks_exact_mut(2).zip(angles) {
                    (pair[0], pair[1]) = turn(pair[0], pair[1], c, s);
                }
            } else {
                let (low, high) = head[..2 * half].split_at_mut(half);
                for ((a, b), (&c, &s)) in low.iter_mut().zip(high).zip(angles) {
                    (*a, *b) = turn(*a, *b, c, s);
                }
            }
        }
    }
}

/// Rounds one row to int8 per block of 32.
pub struct Round<'a> {
    /// The row.
    pub x: &'a [f32],
    /// One block for every 32 numbers.
    pub into: &'a mut [Int8Block],
}

impl Job for Round<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "a block's total is at most 32 · 127")]
    unsafe fn go<L: Lanes>(self) {
        // 1.5 · 2²³: adding it leaves the nearest integer, ties to even, in the lowest bits.
        const MAGIC: f32 = 12_582_912.0;
        assert!(self.x.len() == self.into.len() * BLOCK, "the rows were shaped for this width");
        for (x, into) in self.x.as_chunks::<BLOCK>().0.iter().zip(self.into) {
            // SAFETY: loads and stores are of both halves of a block of 32.
            unsafe {
                let (low, high) = (L::load(x.as_ptr()), L::load(x.as_ptr().add(16)));
                let largest = low.abs().max(high.abs()).largest();
                let inverse = L::splat(if largest > 0.0 { 127.0 / largest } else { 0.0 });
                let magic = L::splat(MAGIC);
                let (low, high) = (low.mul(inverse).add(magic), high.mul(inverse).add(magic));
                low.store_low_bytes(into.quants.as_mut_ptr());
                high.store_low_bytes(into.quants.as_mut_ptr().add(16));
                // A sum of 32 integers up to 127 is exact in floats.
                let total = low.sub(magic).add(high.sub(magic)).sum();
                into.scale = largest / 127.0;
                into.sum = into.scale * total;
                into.total = total as i32;
                let quants = into.quants.as_ptr();
                into.centre = [L::centre(quants), L::centre(quants.add(16))];
            }
        }
    }
}

/// Turns scores into the weights of a softmax before they are divided by their sum: `exp(scale · x - top)` for those
/// that are seen, and 0 for the others. Gives the largest, `top`, and the sum.
///
/// The slice is a multiple of sixteen long; each lane's partial sum depends only on the places of what is seen, not on
/// the length. Where nothing is seen, all weights are 0.
pub struct Weigh<'a> {
    /// The scores, which become the weights.
    pub scores: &'a mut [f32],
    /// The places that are seen.
    pub seen: std::ops::Range<usize>,
    /// What scores are multiplied with.
    pub scale: f32,
}

impl Job for Weigh<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) -> (f32, f32) {
        let n = self.scores.len();
        let std::ops::Range { start, end } = self.seen;
        assert!(n.is_multiple_of(16) && end <= n, "scores come in panels of 16");
        if start >= end {
            self.scores.fill(0.0);
            return (f32::NEG_INFINITY, 0.0);
        }
        let (low, high) = (start / 16 * 16, end.next_multiple_of(16));
        self.scores[..low].fill(0.0);
        self.scores[low..start].fill(f32::NEG_INFINITY);
        self.scores[end..high].fill(f32::NEG_INFINITY);
        self.scores[high..].fill(0.0);
        // SAFETY: every access is at a multiple of sixteen below `high`, which is at most `n`.
        unsafe {
            let at = self.scores.as_mut_ptr();
            let mut top = L::splat(f32::NEG_INFINITY);
            for i in (low..high).step_by(16) {
                top = top.max(L::load(at.add(i)));
            }
            let top = top.largest() * self.scale;
            let (scale, shift) = (L::splat(self.scale), L::splat(-top));
            for i in (low..high).step_by(16) {
                L::load(at.add(i)).fma(scale, shift).exp().store(at.add(i));
            }
            // What the clamped exponential made of the masked places goes back to nothing.
            self.scores[low..start].fill(0.0);
            self.scores[end..high].fill(0.0);
            let mut sum = L::splat(0.0);
            for i in (low..high).step_by(16) {
                sum = sum.add(L::load(at.add(i)));
            }
            (top, sum.sum())
        }
    }
}

/// Scales, masks and normalises one row of scores in place: `softmax(scale · x[..seen])`, and 0 elsewhere.
pub struct Softmax<'a> {
    /// The scores, which become the weights.
    pub scores: &'a mut [f32],
    /// How many places are seen, from the first on.
    pub seen: usize,
    /// What scores are multiplied with.
    pub scale: f32,
}

impl Job for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let Self { scores, seen, scale } = self;
        // SAFETY: forwarded; every access is at a multiple of sixteen below the length, which is one itself.
        unsafe {
            let (_, sum) = Weigh { scores: &mut *scores, seen: 0..seen, scale }.go::<L>();
            let inverse = L::splat(1.0 / sum);
            for i in (0..scores.len()).step_by(16) {
                let at = scores.as_mut_ptr().add(i);
                L::load(at).mul(inverse).store(at);
            }
        }
    }
}
