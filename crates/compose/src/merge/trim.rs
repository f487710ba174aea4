//! What of a member's difference is kept: the largest, the middle, or by lot.
//!
//! Ranks are exact: a difference's magnitude is ordered by the bits of its float, and equal ones by their place. They are
//! found without sorting, by counting the upper and then the lower halves of those bits.

use super::{
    Rescale, Share, Sparsity,
    blocks::{Block, Blocks},
    masks::lot,
};
use crate::{ComposeError, error::recipe};

const HALF: usize = 1 << 16;

/// What is kept of one member's difference, and what it is multiplied with.
#[derive(Debug)]
pub(super) struct Trim {
    keep: Keep,
    scale: f32,
    /// Whether each number is divided by the probability with which it is kept.
    expectation: bool,
}

#[derive(Debug)]
enum Keep {
    All,
    Nothing,
    /// Ranks from the first cut on, up to the second where there is one.
    Band(Cut, Option<Cut>),
    /// With this probability.
    Random {
        density: f32,
        key: u64,
    },
    /// With a probability around this one that rises with the rank in a row.
    Ranked {
        density: f32,
        epsilon: f32,
        key: u64,
    },
}

/// A rank among the magnitudes of a tensor: what is smaller than `bits` lies below it, and so do the first `skip` of those
/// that are equal.
#[derive(Debug)]
struct Cut {
    bits: u32,
    skip: u64,
    /// How many equal ones lie before each block; empty where none is skipped.
    before: Vec<u64>,
}

/// Decides what is kept of each member's difference.
pub(super) fn plan(
    sparsity: Sparsity,
    rescale: Rescale,
    shares: &[Share],
    blocks: &Blocks<'_>,
) -> Result<Vec<Trim>, ComposeError> {
    let one = |(member, share): (usize, &Share)| {
        let keep = keep(sparsity, share, member, blocks)?;
        let drawn = matches!(keep, Keep::Random { .. } | Keep::Ranked { .. });
        let mut trim = Trim { keep, scale: 1.0, expectation: drawn && rescale == Rescale::Density };
        match rescale {
            Rescale::Density if !drawn && share.density > 0.0 && !matches!(trim.keep, Keep::All) => {
                trim.scale = 1.0 / share.density;
            }
            Rescale::Norm if !matches!(trim.keep, Keep::All | Keep::Nothing) => {
                trim.scale = norm_ratio(&trim, member, blocks)?;
            }
            _ => {}
        }
        Ok(trim)
    };
    shares.iter().enumerate().map(one).collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part between 0 and 1 of a number of weights"
)]
fn keep(sparsity: Sparsity, share: &Share, member: usize, blocks: &Blocks<'_>) -> Result<Keep, ComposeError> {
    let Share { density, gamma, epsilon, key, .. } = *share;
    if !(0.0..=1.0).contains(&density) || !(0.0..=1.0).contains(&gamma) {
        return Err(recipe(format!("density {density} and gamma {gamma} must lie between 0 and 1")));
    }
    if sparsity == Sparsity::None || density >= 1.0 {
        return Ok(Keep::All);
    }
    let count = blocks.numbers();
    if density <= 0.0 || count == 0 {
        return Ok(Keep::Nothing);
    }
    let part = |part: f32| (f64::from(part) * count as f64).floor() as usize;
    Ok(match sparsity {
        Sparsity::None => Keep::All,
        Sparsity::Largest => {
            let cut = cuts(&[count - part(density).max(1)], member, blocks)?.pop();
            cut.map_or(Keep::All, |cut| Keep::Band(cut, None))
        }
        Sparsity::Middle => {
            let (kept, top) = (part(density), part(gamma));
            let low = count.saturating_sub(kept + top);
            if kept == 0 {
                return Ok(Keep::Nothing);
            }
            let ranks = if low + kept < count { vec![low, low + kept] } else { vec![low] };
            let mut found = cuts(&ranks, member, blocks)?.into_iter();
            match (found.next(), found.next()) {
                (Some(low), high) => Keep::Band(low, high),
                (None, _) => Keep::Nothing,
            }
        }
        Sparsity::Random => Keep::Random { density, key },
        Sparsity::Ranked => {
            if epsilon < 0.0 || density + epsilon >= 1.0 || density - epsilon <= 0.0 {
                return Err(recipe(format!(
                    "epsilon {epsilon} is too large for a density of {density}; the density with it added or taken away must lie between 0 and 1"
                )));
            }
            Keep::Ranked { density, epsilon, key }
        }
    })
}

/// The bits that order a number by its magnitude.
fn magnitude(number: f32) -> u32 {
    number.to_bits() & 0x7fff_ffff
}

/// Finds the cuts at these ranks, each below the number of weights.
fn cuts(ranks: &[usize], member: usize, blocks: &Blocks<'_>) -> Result<Vec<Cut>, ComposeError> {
    let difference = |block| blocks.difference(member, block, &blocks.base(block)?);
    let upper = blocks.count_up(
        || vec![0; HALF],
        |block, counts| {
            difference(block)?.iter().for_each(|number| counts[(magnitude(*number) >> 16) as usize] += 1);
            Ok(())
        },
    )?;
    let mut found = Vec::new();
    for rank in ranks {
        let (bucket, below) = reach(&upper, *rank as u64);
        let lower = blocks.count_up(
            || vec![0; HALF],
            |block, counts| {
                for number in difference(block)? {
                    let bits = magnitude(number);
                    if bits >> 16 == bucket {
                        counts[(bits & 0xffff) as usize] += 1;
                    }
                }
                Ok(())
            },
        )?;
        let (rest, skip) = reach(&lower, below);
        let bits = bucket << 16 | rest;
        let mut before = Vec::new();
        if skip > 0 {
            let equal = blocks.look(|block| {
                Ok(difference(block)?.iter().filter(|number| magnitude(**number) == bits).count() as u64)
            })?;
            let mut sum = 0;
            for count in equal {
                before.push(sum);
                sum += count;
            }
        }
        found.push(Cut { bits, skip, before });
    }
    Ok(found)
}

/// The bucket in which a rank lies, and how many of it lie below the rank.
fn reach(counts: &[u64], rank: u64) -> (u32, u64) {
    let mut left = rank;
    for (bucket, count) in (0u32..).zip(counts) {
        if left < *count {
            return (bucket, left);
        }
        left -= count;
    }
    // A rank is below the number of weights, so it was reached.
    (u32::from(u16::MAX), 0)
}

impl Cut {
    /// Says of the numbers of a block, asked one after the other, whether they lie below.
    fn below(&self, block: Block) -> impl FnMut(u32) -> bool + '_ {
        let mut equal = self.before.get(block.index).copied().unwrap_or(0);
        move |bits| {
            if bits != self.bits {
                return bits < self.bits;
            }
            equal += 1;
            equal <= self.skip
        }
    }
}

/// What the sum of magnitudes must be multiplied with to be what it was.
#[allow(clippy::cast_possible_truncation, reason = "a ratio of sums of floats")]
fn norm_ratio(trim: &Trim, member: usize, blocks: &Blocks<'_>) -> Result<f32, ComposeError> {
    let sums = blocks.look(|block| {
        let mut numbers = blocks.difference(member, block, &blocks.base(block)?)?;
        let sum = |numbers: &[f32]| numbers.iter().map(|number| f64::from(number.abs())).sum::<f64>();
        let before = sum(&numbers);
        trim.apply(block, blocks.columns, &mut numbers);
        Ok((before, sum(&numbers)))
    })?;
    let (before, after) = sums.iter().fold((0.0, 0.0), |all, part| (all.0 + part.0, all.1 + part.1));
    // Below this, what is left of a difference says nothing about how large it was.
    Ok(if before < 1e-7 || after < 1e-7 { 1.0 } else { (before / after) as f32 })
}

impl Trim {
    /// Trims the numbers of a block.
    #[allow(clippy::cast_precision_loss, reason = "a rank within a row")]
    pub fn apply(&self, block: Block, columns: usize, numbers: &mut [f32]) {
        match &self.keep {
            Keep::All => return,
            Keep::Nothing => return numbers.fill(0.0),
            Keep::Band(low, high) => {
                let mut under = low.below(block);
                let mut inside = high.as_ref().map(|high| high.below(block));
                for number in &mut *numbers {
                    let bits = magnitude(*number);
                    let (below, inside) = (under(bits), inside.as_mut().is_none_or(|inside| inside(bits)));
                    if below || !inside {
                        *number = 0.0;
                    }
                }
            }
            Keep::Random { density, key } => {
                let first = (block.first * columns) as u64;
                let scale = if self.expectation { 1.0 / density } else { 1.0 };
                for (index, number) in (first..).zip(&mut *numbers) {
                    *number = if lot(*key, index) < *density { *number * scale } else { 0.0 };
                }
            }
            Keep::Ranked { density, epsilon, key } => {
                let mut order: Vec<u64> = Vec::with_capacity(columns);
                let steps = (columns.max(2) - 1) as f32;
                for (row, numbers) in numbers.chunks_exact_mut(columns).enumerate() {
                    order.clear();
                    order.extend((0u64..).zip(&*numbers).map(|(at, x)| u64::from(magnitude(*x)) << 32 | at));
                    order.sort_unstable();
                    let first = ((block.first + row) * columns) as u64;
                    for (rank, at) in order.iter().enumerate() {
                        let at = at & 0xffff_ffff;
                        let probability = (density - epsilon) + rank as f32 / steps * 2.0 * epsilon;
                        #[allow(clippy::cast_possible_truncation, reason = "a column")]
                        let number = &mut numbers[at as usize];
                        let kept = lot(*key, first + at) < probability;
                        let scale = if self.expectation { 1.0 / probability } else { 1.0 };
                        *number = if kept { *number * scale } else { 0.0 };
                    }
                }
            }
        }
        if self.scale.to_bits() != 1.0f32.to_bits() {
            numbers.iter_mut().for_each(|number| *number *= self.scale);
        }
    }
}
