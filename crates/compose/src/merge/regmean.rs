//! `RegMean` (Jin et al. 2023): the linear layer whose outputs are closest to every member's, on every member's inputs.
//!
//! `ΔW = (Σ wᵢ Δᵢ Gᵢ)(Σ wᵢ Gᵢ + ridge·I)⁻¹`. A Gram `Gᵢ` is `Xᵀ·X` of the inputs that member `i` gives this layer on
//! public prompts; it is divided by its mean diagonal, and its other numbers are multiplied with `alpha`. A virtual member
//! that differs in nothing from the anchor adds its Gram to the second sum alone, which keeps what the anchor can do.
//!
//! Statistics are made by whoever merges, from published weights and public prompts: those of private prompts give
//! away their words. This module takes what [`Grams`] hands it and does not ask where that comes from.

use super::{
    Share, Sink,
    blocks::Blocks,
    solve::{Cholesky, View, add_product},
};
use crate::{ComposeError, error::recipe};
use hinet_protocol::Hash;

/// Whose inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// Those of a member, on its public prompts.
    Member(Hash),
    /// Those of the anchor, on text that it wrote itself.
    Anchor,
}

/// The products of a linear layer's inputs: `Xᵀ·X`, `[inputs, inputs]`, summed or averaged over tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram(pub Vec<f32>);

/// Input statistics of linear layers.
///
/// An implementation gives the same numbers each time; [`Grams::hash`] says which.
pub trait Grams: Sync {
    /// The Gram of the linear layer whose weight is `tensor`, which has `inputs` inputs; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be made or read.
    fn gram(&self, whose: Whose, tensor: &str, inputs: usize) -> Result<Option<Gram>, ComposeError>;

    /// What decides all of them: the prompts, the weights they were made with, the program.
    fn hash(&self) -> Hash;
}

/// The numbers of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub alpha: f32,
    pub ridge: f32,
    pub anchor: f32,
}

/// A tensor of which no statistics are there is merged as if all its inputs were alike: by the weighted mean.
pub(super) fn regmean(
    name: &str,
    how: How,
    shares: &[Share],
    grams: Option<&dyn Grams>,
    blocks: &Blocks<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), ComposeError> {
    if how.anchor < 0.0 || how.ridge < 0.0 || shares.iter().any(|share| share.weight < 0.0) {
        return Err(recipe("RegMean takes weights, a ridge and a weight of the anchor that are not negative"));
    }
    let Some(grams) = grams else {
        return Err(recipe(
            "RegMean needs input statistics, and none were given; gather them, or choose another method",
        ));
    };
    if nobody_differs(shares.len(), blocks)? {
        return blocks.write(sink, |block, out| blocks.stack.base(block.first, out));
    }
    let size = blocks.columns;
    let mut all: Vec<Vec<f64>> = Vec::new();
    for share in shares {
        if let Some(gram) = grams.gram(Whose::Member(share.who), name, size)? {
            all.push(normed(name, &gram, size, how.alpha)?);
        }
    }
    if all.is_empty() {
        return mean(name, how, shares, blocks, sink);
    }
    if all.len() < shares.len() {
        let problem = "those of some members are missing; gather them from all, with the same prompts";
        return Err(ComposeError::Gram { name: name.into(), problem });
    }
    let mut sum = vec![0.0; size * size];
    let mut add = |weight: f32, gram: &[f64]| {
        sum.iter_mut().zip(gram).for_each(|(to, from)| *to += f64::from(weight) * from);
    };
    all.iter().zip(shares).for_each(|(gram, share)| add(share.weight, gram));
    if how.anchor > 0.0 {
        let problem = "the anchor's own are missing; gather them, or give it no weight";
        let missing = || ComposeError::Gram { name: name.into(), problem };
        let gram = grams.gram(Whose::Anchor, name, size)?.ok_or_else(missing)?;
        add(how.anchor, &normed(name, &gram, size, how.alpha)?);
    }
    (0..size).for_each(|at| sum[at * size + at] += f64::from(how.ridge));
    let solver = Cholesky::of(sum, size).ok_or_else(|| ComposeError::Singular { name: name.into() })?;
    blocks.write(sink, |block, out| {
        let base = blocks.base(block)?;
        let mut rows = vec![0.0; out.len()];
        for (index, (gram, share)) in all.iter().zip(shares).enumerate() {
            let difference: Vec<f64> = blocks.difference(index, block, &base)?.into_iter().map(f64::from).collect();
            let (left, right) = (View::rows(&difference, size), View::rows(gram, size));
            add_product((block.rows, size, size), f64::from(share.weight), left, right, &mut rows, size);
        }
        solver.solve(&mut rows);
        #[allow(clippy::cast_possible_truncation, reason = "weights are floats")]
        out.iter_mut().zip(&base).zip(&rows).for_each(|((to, base), delta)| *to = (f64::from(*base) + delta) as f32);
        Ok(())
    })
}

/// Whether all members are the base, as in the layers that none of them tuned: then there is nothing to solve.
fn nobody_differs(members: usize, blocks: &Blocks<'_>) -> Result<bool, ComposeError> {
    let alike = blocks.look(|block| {
        let base = blocks.base(block)?;
        for member in 0..members {
            if blocks.difference(member, block, &base)?.iter().any(|number| *number != 0.0) {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(alike.into_iter().all(|alike| alike))
}

/// Checks a Gram, divides it by its mean diagonal and draws its other numbers in.
#[allow(clippy::cast_precision_loss, reason = "a number of inputs")]
fn normed(name: &str, gram: &Gram, size: usize, alpha: f32) -> Result<Vec<f64>, ComposeError> {
    let bad = |problem| ComposeError::Gram { name: name.into(), problem };
    if gram.0.len() != size * size {
        return Err(bad("they are for another number of inputs; gather them with this anchor"));
    }
    if !gram.0.iter().fold(true, |finite, number| finite & number.is_finite()) {
        return Err(bad("they hold numbers that are not finite; gather them once more"));
    }
    let mean = (0..size).map(|at| f64::from(gram.0[at * size + at])).sum::<f64>() / size as f64;
    if mean <= 0.0 {
        return Err(bad("they have no length; gather them from more prompts"));
    }
    let mut out: Vec<f64> = gram.0.iter().map(|number| f64::from(alpha) * f64::from(*number) / mean).collect();
    (0..size).for_each(|at| out[at * size + at] = f64::from(gram.0[at * size + at]) / mean);
    Ok(out)
}

fn mean(name: &str, how: How, shares: &[Share], blocks: &Blocks<'_>, sink: &mut Sink<'_>) -> Result<(), ComposeError> {
    let total = shares.iter().map(|share| share.weight).sum::<f32>() + how.anchor;
    if total <= 0.0 {
        return Err(recipe(format!("the weights for \"{name}\" add up to nothing; give one member a weight")));
    }
    blocks.write(sink, |block, out| {
        let base = blocks.base(block)?;
        for (index, share) in shares.iter().enumerate() {
            let difference = blocks.difference(index, block, &base)?;
            out.iter_mut().zip(&difference).for_each(|(to, from)| *to += share.weight * from);
        }
        out.iter_mut().zip(&base).for_each(|(to, base)| *to = base + *to / total);
        Ok(())
    })
}
