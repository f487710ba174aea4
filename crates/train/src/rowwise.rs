//! The way back through what is done row by row: norm, gate, cap; and what the optimiser does to every number.
#![allow(unsafe_code, reason = "vector loads and stores; every loop stays inside its slice")]

use hinet_model::{
    Activation,
    kernels::{Job, lanes::Lanes},
};

/// From the gradient of a normed row to that of the row: `dx (+)= r · (g ⊙ dy) - x · r³ / n · Σ x ⊙ g ⊙ dy`, where `r` is
/// one over the root mean square. Gives `r`.
pub(crate) struct NormBack<'a> {
    pub x: &'a [f32],
    pub gains: &'a [f32],
    pub eps: f32,
    pub dy: &'a [f32],
    pub dx: &'a mut [f32],
    pub more: bool,
}

impl Job for NormBack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let n = self.x.len();
        assert!(n == self.gains.len() && n == self.dy.len() && n == self.dx.len() && n.is_multiple_of(16));
        // SAFETY: every access is at a multiple of sixteen below `n`.
        unsafe {
            let (mut squares, mut dot) = (L::splat(0.0), L::splat(0.0));
            for i in (0..n).step_by(16) {
                let x = L::load(self.x.as_ptr().add(i));
                squares = x.fma(x, squares);
                let g = L::load(self.gains.as_ptr().add(i)).mul(L::load(self.dy.as_ptr().add(i)));
                dot = x.fma(g, dot);
            }
            #[allow(clippy::cast_precision_loss, reason = "widths are small")]
            let count = n as f32;
            let r = 1.0 / (squares.sum() / count + self.eps).sqrt();
            let (back, r) = (L::splat(-dot.sum() * r * r * r / count), L::splat(r));
            for i in (0..n).step_by(16) {
                let g = L::load(self.gains.as_ptr().add(i)).mul(L::load(self.dy.as_ptr().add(i)));
                let mut dx = L::load(self.x.as_ptr().add(i)).mul(back);
                let to = self.dx.as_mut_ptr().add(i);
                if self.more {
                    dx = dx.add(L::load(to));
                }
                g.fma(r, dx).store(to);
            }
        }
    }
}

/// Adds what one row says about the gains: `dg += dy ⊙ x · r`.
pub(crate) struct GainsBack<'a> {
    pub x: &'a [f32],
    pub eps: f32,
    pub dy: &'a [f32],
    pub dg: &'a mut [f32],
}

impl Job for GainsBack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let n = self.x.len();
        assert!(n == self.dy.len() && n == self.dg.len() && n.is_multiple_of(16));
        // SAFETY: every access is at a multiple of sixteen below `n`.
        unsafe {
            let mut squares = L::splat(0.0);
            for i in (0..n).step_by(16) {
                let x = L::load(self.x.as_ptr().add(i));
                squares = x.fma(x, squares);
            }
            #[allow(clippy::cast_precision_loss, reason = "widths are small")]
            let r = L::splat(1.0 / (squares.sum() / n as f32 + self.eps).sqrt());
            for i in (0..n).step_by(16) {
                let x = L::load(self.x.as_ptr().add(i)).mul(r);
                let to = self.dg.as_mut_ptr().add(i);
                x.fma(L::load(self.dy.as_ptr().add(i)), L::load(to)).store(to);
            }
        }
    }
}

/// Twice √(2 / π).
const GELU_LINE: f32 = 1.595_769_2;
/// The same, times 0.044715.
const GELU_CUBE: f32 = 0.071_354_814;

/// The way back through `activation(gate) ⊙ up`: `dy` becomes the gradient of `up`.
pub(crate) struct GateBack<'a> {
    pub gate: &'a [f32],
    pub up: &'a [f32],
    pub dy: &'a mut [f32],
    pub dgate: &'a mut [f32],
    pub activation: Activation,
}

impl Job for GateBack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let n = self.gate.len();
        assert!(n == self.up.len() && n == self.dy.len() && n == self.dgate.len() && n.is_multiple_of(16));
        // SAFETY: every access is at a multiple of sixteen below `n`.
        unsafe {
            let (zero, one) = (L::splat(0.0), L::splat(1.0));
            for i in (0..n).step_by(16) {
                let gate = L::load(self.gate.as_ptr().add(i));
                // The activation is `x · s`, with s the sigmoid of `inner`, whose slope is `slope`.
                let (inner, slope) = match self.activation {
                    Activation::Silu => (gate, one),
                    Activation::GeluTanh => {
                        let square = gate.mul(gate);
                        let slope = square.fma(L::splat(3.0 * GELU_CUBE), L::splat(GELU_LINE));
                        (gate.mul(square.fma(L::splat(GELU_CUBE), L::splat(GELU_LINE))), slope)
                    }
                };
                let s = one.div(zero.sub(inner).exp().add(one));
                let to = self.dy.as_mut_ptr().add(i);
                let (dy, active) = (L::load(to), gate.mul(s));
                // s + x · s · (1 - s) · slope
                let change = active.mul(one.sub(s)).fma(slope, s);
                dy.mul(L::load(self.up.as_ptr().add(i))).mul(change).store(self.dgate.as_mut_ptr().add(i));
                dy.mul(active).store(to);
            }
        }
    }
}

/// The way back through a soft cap, from what came out: `dy · (1 - (y / limit)²)`.
pub(crate) struct CapBack<'a> {
    pub y: &'a [f32],
    pub dy: &'a mut [f32],
    pub limit: f32,
}

impl Job for CapBack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        for (dy, y) in self.dy.iter_mut().zip(self.y) {
            let part = y / self.limit;
            *dy *= 1.0 - part * part;
        }
    }
}

/// Makes of logits the exponentials of how far they are from the largest; gives that and their sum. Beyond `vocabulary`
/// they are next to nothing.
///
/// # Safety
/// The instruction set of `L` is there.
#[inline(always)]
pub(crate) unsafe fn exponentials<L: Lanes>(logits: &mut [f32], vocabulary: usize) -> (f32, f32) {
    let n = logits.len();
    assert!(vocabulary <= n && n.is_multiple_of(16));
    logits[vocabulary..].fill(f32::NEG_INFINITY);
    // SAFETY: every access is at a multiple of sixteen below `n`.
    unsafe {
        let at = logits.as_mut_ptr();
        let mut top = L::splat(f32::NEG_INFINITY);
        for i in (0..n).step_by(16) {
            top = top.max(L::load(at.add(i)));
        }
        let top = top.largest();
        let mut sum = L::splat(0.0);
        for i in (0..n).step_by(16) {
            let x = L::load(at.add(i)).sub(L::splat(top)).exp();
            x.store(at.add(i));
            sum = sum.add(x);
        }
        (top, sum.sum())
    }
}

/// Multiplies numbers, of which there is a multiple of sixteen.
///
/// # Safety
/// The instruction set of `L` is there.
#[inline(always)]
pub(crate) unsafe fn scaled<L: Lanes>(numbers: &mut [f32], factor: f32) {
    assert!(numbers.len().is_multiple_of(16));
    // SAFETY: every access is at a multiple of sixteen below the length.
    unsafe {
        for i in (0..numbers.len()).step_by(16) {
            let at = numbers.as_mut_ptr().add(i);
            L::load(at).mul(L::splat(factor)).store(at);
        }
    }
}

/// The loss of a row of logits, which become the gradient of the loss times `weight`. Gives `-ln p(target)`.
pub(crate) struct Entropy<'a> {
    /// The logits; a multiple of sixteen.
    pub logits: &'a mut [f32],
    /// How many of them are meant.
    pub vocabulary: usize,
    /// The token that should come.
    pub target: usize,
    /// What the gradient is multiplied with.
    pub weight: f32,
}

impl Job for Entropy<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) -> f32 {
        assert!(self.target < self.vocabulary);
        let wanted = self.logits[self.target];
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let (top, sum) = exponentials::<L>(self.logits, self.vocabulary);
            scaled::<L>(self.logits, self.weight / sum);
            self.logits[self.vocabulary..].fill(0.0);
            self.logits[self.target] -= self.weight;
            sum.ln() + top - wanted
        }
    }
}

/// A bfloat16 as a float.
#[inline(always)]
pub(crate) fn widened(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The nearest bfloat16, of two equally near the even one.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the upper half is what is asked for")]
pub(crate) fn rounded(number: f32) -> u16 {
    let bits = number.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// One step of `AdamW` for some numbers.
///
/// Means of gradients are bfloat16: a tenth of each is new at every step, so what is lost by rounding is soon gone, which
/// is not so for the mean squares.
pub(crate) struct AdamW<'a> {
    pub values: &'a mut [f32],
    pub grads: &'a [f32],
    pub means: &'a mut [u16],
    pub squares: &'a mut [f32],
    /// What gradients are multiplied with first.
    pub shrink: f32,
    /// The learning rate.
    pub rate: f32,
    /// What numbers are multiplied with first: one minus the decay.
    pub keep: f32,
    pub beta1: f32,
    pub beta2: f32,
    /// `1 / (1 - beta1ᵗ)`.
    pub correct1: f32,
    /// `1 / (1 - beta2ᵗ)`.
    pub correct2: f32,
    pub epsilon: f32,
}

impl Job for AdamW<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        let others = self.grads.iter().zip(self.means).zip(self.squares);
        for (value, ((grad, mean), square)) in self.values.iter_mut().zip(others) {
            let grad = grad * self.shrink;
            let new = self.beta1 * widened(*mean) + (1.0 - self.beta1) * grad;
            *mean = rounded(new);
            *square = self.beta2 * *square + (1.0 - self.beta2) * grad * grad;
            let step = new * self.correct1 / ((*square * self.correct2).sqrt() + self.epsilon);
            *value = *value * self.keep - self.rate * step;
        }
    }
}

/// Numbers kept as bfloat16.
pub(crate) struct Narrow<'a> {
    pub from: &'a [f32],
    pub to: &'a mut [u16],
}

impl Job for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to = rounded(*from));
    }
}

/// And as floats again.
pub(crate) struct Widen<'a> {
    pub from: &'a [u16],
    pub to: &'a mut [f32],
}

impl Job for Widen<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn go<L: Lanes>(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to = widened(*from));
    }
}
