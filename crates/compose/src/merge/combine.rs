//! Weighted sums: of whole weights, and of differences from the base.

use super::{Share, Sink, blocks::Blocks, trim::Trim};
use crate::{ComposeError, error::recipe};

/// The weighted mean, or sum, of the members' weights.
pub(super) fn linear(
    name: &str,
    normalize: bool,
    shares: &[Share],
    blocks: &Blocks<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), ComposeError> {
    let total: f32 = shares.iter().map(|share| share.weight).sum();
    if normalize && total.abs() < 1e-8 {
        return Err(recipe(format!(
            "the weights for \"{name}\" add up to zero; change one, or set normalize to false"
        )));
    }
    blocks.write(sink, |block, out| {
        let mut room = blocks.room(block);
        for (index, share) in shares.iter().enumerate() {
            blocks.stack.member(index, block.first, &mut room)?;
            out.iter_mut().zip(&room).for_each(|(to, from)| *to += share.weight * from);
        }
        if normalize {
            out.iter_mut().for_each(|number| *number /= total);
        }
        Ok(())
    })
}

/// The base and the weighted differences of the members, trimmed as `trims` says.
pub(super) fn arithmetic(
    shares: &[Share],
    trims: &[Trim],
    consensus: bool,
    normalize: bool,
    lambda: f32,
    blocks: &Blocks<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), ComposeError> {
    let total: f32 = shares.iter().map(|share| share.weight).sum();
    let total = if total.abs() < 1e-8 { 1.0 } else { total };
    blocks.write(sink, |block, out| {
        let base = blocks.base(block)?;
        let mut all = Vec::new();
        for (index, (share, trim)) in shares.iter().zip(trims).enumerate() {
            let mut numbers = blocks.difference(index, block, &base)?;
            trim.apply(block, blocks.columns, &mut numbers);
            numbers.iter_mut().for_each(|number| *number *= share.weight);
            if consensus {
                all.push(numbers);
            } else {
                out.iter_mut().zip(&numbers).for_each(|(to, from)| *to += from);
            }
        }
        if consensus {
            agree(shares, &all, normalize, out);
        } else if normalize {
            out.iter_mut().for_each(|number| *number /= total);
        }
        out.iter_mut().zip(&base).for_each(|(to, base)| *to = base + lambda * *to);
        Ok(())
    })
}

/// Adds what has the sign of the sum; of nothing but zeros, nothing.
fn agree(shares: &[Share], all: &[Vec<f32>], normalize: bool, out: &mut [f32]) {
    for numbers in all {
        out.iter_mut().zip(numbers).for_each(|(to, from)| *to += from);
    }
    for (at, out) in out.iter_mut().enumerate() {
        let positive = *out >= 0.0;
        let (mut sum, mut total) = (0.0f32, 0.0f32);
        for (share, numbers) in shares.iter().zip(all) {
            let number = numbers[at];
            if (positive && number > 0.0) || (!positive && number < 0.0) {
                sum += number;
                total += share.weight;
            }
        }
        *out = if normalize && total != 0.0 { sum / total } else { sum };
    }
}
