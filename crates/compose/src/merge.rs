//! The methods of merging, each over one tensor at a time.
//!
//! A tensor is taken some rows at a time. What a method must know about a whole tensor (a threshold, a norm, an angle)
//! it finds in passes of its own before it combines, so that a few blocks are in memory and never a model. Blocks depend
//! on the tensor's shape alone, what is summed over blocks is summed in their order, and members are taken in the order in
//! which they are given: results do not depend on the number of threads.

mod blocks;
mod combine;
mod gram;
mod masks;
mod regmean;
mod solve;
mod sphere;
mod stock;
mod trim;

pub use gram::GramSum;
pub use regmean::{Gram, Grams, Whose};
pub use solve::regress;

use crate::{ComposeError, error::recipe};
use blocks::Blocks;
use hinet_protocol::Hash;

/// The inputs of one tensor.
pub trait Stack: Sync {
    /// Rows.
    fn rows(&self) -> usize;

    /// Numbers in a row.
    fn columns(&self) -> usize;

    /// How many members there are, the base not counted.
    fn members(&self) -> usize;

    /// Reads `out.len() / columns` rows of the base.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn base(&self, first: usize, out: &mut [f32]) -> Result<(), ComposeError>;

    /// Reads `out.len() / columns` rows of a member.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn member(&self, index: usize, first: usize, out: &mut [f32]) -> Result<(), ComposeError>;
}

/// Which numbers of a member's difference from the base are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sparsity {
    /// All.
    None,
    /// The largest (TIES, Yadav et al. 2023).
    Largest,
    /// Any, by lot (DARE, Yu et al. 2024).
    Random,
    /// The largest but the very largest (breadcrumbs, Davari and Belilovsky 2023).
    Middle,
    /// By lot, larger ones of a row likelier (DELLA, Deep et al. 2024).
    Ranked,
}

/// How what is kept makes up for what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rescale {
    /// Not at all.
    None,
    /// Each number is divided by the probability that it is kept: right in expectation, as in the papers.
    Density,
    /// All are multiplied so that the sum of magnitudes is what it was, as mergekit does.
    Norm,
}

/// How the members of one tensor are combined, with everything all of them share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// The weighted mean of whole weights (model soups, Wortsman et al. 2022), or their weighted sum.
    Linear {
        /// Whether the sum is divided by that of the weights.
        normalize: bool,
    },
    /// Differences from the base, trimmed, weighted and added (task arithmetic, Ilharco et al. 2023, and what followed).
    Arithmetic {
        /// What of each difference is kept.
        sparsity: Sparsity,
        /// How that makes up for the rest.
        rescale: Rescale,
        /// Whether only differences count whose sign is that of the weighted sum (TIES).
        consensus: bool,
        /// Whether the sum is divided by that of the weights that counted.
        normalize: bool,
        /// The sum is multiplied with this.
        lambda: f32,
    },
    /// Along the arc from the base to the one member (Shoemake 1985).
    Slerp {
        /// How far: 0 is the base and 1 the member.
        t: f32,
    },
    /// As far from the base towards the members' mean as their angles say (Model Stock, Jang et al. 2024).
    ModelStock {
        /// Whether each row has angles of its own.
        filter_wise: bool,
    },
    /// The least-squares solution for the members' inputs (RegMean, Jin et al. 2023).
    RegMean {
        /// Numbers beside a Gram's diagonal are multiplied with this.
        alpha: f32,
        /// Added to the sum's diagonal, of which each Gram's has mean one.
        ridge: f32,
        /// The weight of a virtual member that differs in nothing from the anchor.
        anchor: f32,
    },
    /// One source as it is, times a scale.
    Passthrough,
}

/// What one member brings to one tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Whose it is.
    pub who: Hash,
    /// Its weight.
    pub weight: f32,
    /// The part of its numbers that is kept, from 0 to 1.
    pub density: f32,
    /// The part that breadcrumbs leave out at the top.
    pub gamma: f32,
    /// How far DELLA's probabilities lie from the density at most.
    pub epsilon: f32,
    /// What its lots are drawn from.
    pub key: u64,
}

impl Default for Share {
    fn default() -> Self {
        Self { who: Hash([0; 32]), weight: 1.0, density: 1.0, gamma: 0.01, epsilon: 0.15, key: 0 }
    }
}

/// Where rows of the result go, in order.
pub struct Sink<'a> {
    /// Turns rows of floats into what is written, on any thread; fails where they do not fit the format.
    pub narrow: &'a Narrow<'a>,
    /// Writes what `narrow` made of the next rows; fails where that cannot be done, or somebody asked to stop.
    pub put: &'a mut Put<'a>,
}

/// See [`Sink::narrow`].
pub type Narrow<'a> = dyn Fn(&[f32]) -> Result<Vec<u8>, ComposeError> + Sync + 'a;
/// See [`Sink::put`].
pub type Put<'a> = dyn FnMut(&[u8]) -> Result<(), ComposeError> + Send + 'a;

/// Merges one tensor on the current threads. `name` is the tensor's, and `grams` what [`Rule::RegMean`] asks.
///
/// Without members the result is the base.
///
/// # Errors
/// Where a rule and its members contradict each other, statistics are missing, or reading or writing fails.
pub fn merge(
    name: &str,
    rule: Rule,
    shares: &[Share],
    stack: &dyn Stack,
    grams: Option<&dyn Grams>,
    sink: &mut Sink<'_>,
) -> Result<(), ComposeError> {
    if shares.len() != stack.members() {
        return Err(recipe("it says something about another number of members than there are"));
    }
    let blocks = Blocks::of(stack);
    if shares.is_empty() {
        return blocks.write(sink, |block, out| stack.base(block.first, out));
    }
    match rule {
        Rule::Linear { normalize } => combine::linear(name, normalize, shares, &blocks, sink),
        Rule::Arithmetic { sparsity, rescale, consensus, normalize, lambda } => {
            let cuts = trim::plan(sparsity, rescale, shares, &blocks)?;
            combine::arithmetic(shares, &cuts, consensus, normalize, lambda, &blocks, sink)
        }
        Rule::Slerp { t } => sphere::slerp(t, &blocks, sink),
        Rule::ModelStock { filter_wise } => stock::model_stock(filter_wise, &blocks, sink),
        Rule::RegMean { alpha, ridge, anchor } => {
            let how = regmean::How { alpha, ridge, anchor };
            regmean::regmean(name, how, shares, grams, &blocks, sink)
        }
        Rule::Passthrough => {
            if shares.len() != 1 {
                return Err(recipe("passthrough takes one source for a slice; choose a method for several"));
            }
            blocks.write(sink, |block, out| {
                stack.member(0, block.first, out)?;
                let scale = shares[0].weight;
                out.iter_mut().for_each(|number| *number *= scale);
                Ok(())
            })
        }
    }
}

#[cfg(test)]
mod tests;
