//! The encoder's functions of single numbers and rows, written so that compilers vectorise them.
//!
//! Sums run in sixteen lanes that are added in a fixed order, and every rounding is spelled out (`mul_add` or not),
//! so the results are the same bits on every processor. Loops stand where closures would be shorter: a closure that is not
//! inlined knows nothing of the instructions around it, and each `mul_add` in it would be a call.

use super::LayerNorm;

/// Lanes of a row sum.
const LANES: usize = 16;
/// 1.5 · 2^23: adding it rounds a small number to the nearest integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// Below this `exp` is the smallest normal number, near enough to nothing.
const EXP_MIN: f32 = -87.33;

/// e^x for x ≤ 0, within two units in the last place (Cephes' polynomial).
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = if x < EXP_MIN { EXP_MIN } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, so that the remainder is exact.
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_6e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

/// x · Φ(x); the error function is Abramowitz and Stegun's 7.1.26, within 1.5e-7.
#[inline(always)]
fn gelu_one(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / 0.327_591_1f32.mul_add(z, 1.0);
    let p = 1.061_405_4f32.mul_add(t, -1.453_152_1);
    let p = p.mul_add(t, 1.421_413_8);
    let p = p.mul_add(t, -0.284_496_72);
    let p = p.mul_add(t, 0.254_829_6);
    let tail = p * t * exp(-(z * z));
    // Φ(-|x|) is half the tail; the positive side is its complement.
    let below = 0.5 * tail;
    x * if x < 0.0 { below } else { 1.0 - below }
}

/// See [`super::dense::gelu`].
#[inline(always)]
pub(super) fn gelu_plain(values: &mut [f32]) {
    let (blocks, rest) = values.as_chunks_mut::<LANES>();
    for block in blocks {
        for value in block {
            *value = gelu_one(*value);
        }
    }
    for value in rest {
        *value = gelu_one(*value);
    }
}

/// Adds lanes in a fixed order.
#[inline(always)]
fn total(lanes: [f32; LANES]) -> f32 {
    let half: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let quarter: [f32; 4] = std::array::from_fn(|i| half[i] + half[i + 4]);
    (quarter[0] + quarter[2]) + (quarter[1] + quarter[3])
}

/// See [`super::dense::softmax`]; `stride` is a multiple of the lanes.
#[inline(always)]
pub(super) fn softmax_plain(scores: &mut [f32], stride: usize, valid: usize, scale: &mut [f32]) {
    for (row, scale) in scores.chunks_exact_mut(stride).zip(scale) {
        row[valid..].fill(f32::NEG_INFINITY);
        let (blocks, _) = row.as_chunks_mut::<LANES>();
        let mut top = [f32::NEG_INFINITY; LANES];
        for block in blocks.iter() {
            for (top, x) in top.iter_mut().zip(block) {
                *top = if *x > *top { *x } else { *top };
            }
        }
        let top = top.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = [0.0; LANES];
        for block in blocks.iter_mut() {
            for x in block {
                *x = exp(*x - top);
            }
        }
        row[valid..].fill(0.0);
        for block in row.as_chunks::<LANES>().0 {
            for (sum, x) in sum.iter_mut().zip(block) {
                *sum += x;
            }
        }
        *scale = 1.0 / total(sum);
    }
}

/// See [`super::dense::add_norm`]; rows are a multiple of the lanes long.
#[inline(always)]
pub(super) fn add_norm_plain(x: &mut [f32], add: &[f32], norm: &LayerNorm) {
    let width = norm.gain.len();
    #[allow(clippy::cast_precision_loss, reason = "a row has some hundreds of numbers")]
    let count = width as f32;
    for (row, add) in x.chunks_exact_mut(width).zip(add.chunks_exact(width)) {
        let blocks = row.as_chunks_mut::<LANES>().0;
        let mut sum = [0.0; LANES];
        for (block, add) in blocks.iter_mut().zip(add.as_chunks::<LANES>().0) {
            for ((x, add), sum) in block.iter_mut().zip(add).zip(&mut sum) {
                *x += add;
                *sum += *x;
            }
        }
        let mean = total(sum) / count;
        let mut squares = [0.0f32; LANES];
        for block in blocks.iter() {
            for (square, x) in squares.iter_mut().zip(block) {
                let d = x - mean;
                *square = d.mul_add(d, *square);
            }
        }
        let scale = 1.0 / (total(squares) / count + norm.epsilon).sqrt();
        let (gain, shift) = (norm.gain.as_chunks::<LANES>().0, norm.shift.as_chunks::<LANES>().0);
        for ((block, gain), shift) in blocks.iter_mut().zip(gain).zip(shift) {
            for ((x, gain), shift) in block.iter_mut().zip(gain).zip(shift) {
                *x = ((*x - mean) * scale).mul_add(*gain, *shift);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_near_the_true_one() {
        for i in 0..87_000i32 {
            let x = -f64::from(i) / 1000.0;
            #[allow(clippy::cast_possible_truncation)]
            let (ours, truth) = (f64::from(exp(x as f32)), f64::from(x as f32).exp());
            assert!((ours - truth).abs() <= truth * 3e-7, "exp({x}) = {ours}, not {truth}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1.2e-38);
    }

    #[test]
    fn gelu_is_near_the_true_one() {
        // Values of x·Φ(x) from the error function in double precision.
        let cases = [(-5.0, -1.4332586e-6), (-1.0, -0.158_655_25), (0.0, 0.0), (0.5, 0.345_731_23), (3.0, 2.995_950_3)];
        for (x, truth) in cases {
            assert!((gelu_one(x) - truth).abs() < 1e-6, "gelu({x}) = {}", gelu_one(x));
        }
    }
}
