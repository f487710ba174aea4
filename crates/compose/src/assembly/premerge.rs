//! A pre-merge: several low-rank members as one delta that is made beforehand, so that they answer in one thin product.
//!
//! A weighted sum of low-rank changes is a low-rank change again, whose factors are the members' factors side by side:
//! nothing is approximated, and no whole matrix is ever made. It computes what mixing the same members with the same
//! weights computes, but for the rounding of half floats. Methods that look at whole matrices (TIES, `RegMean`) are those
//! of [`crate::compose`].
//!
//! Nothing is kept but the recipe and the delta. So a member leaves by both being thrown away: there is nothing to subtract.

use crate::{
    ComposeError, Method, PARTS_MAX, Recipe, Setting,
    error::{member, recipe},
    recipe::{hashed, parsed},
};
use hinet_model::{
    Delta, Passport,
    delta::{Factors, Place},
};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a member's weight is called in a recipe.
const WEIGHT: &str = "weight";

/// Everything that decides a pre-merge, without the members' numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Premerge {
    /// The anchor's architecture.
    pub arch: String,
    /// The hash of what decides the anchor's tokens.
    pub tokenizer: Hash,
    /// The root that members were tuned on, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Hash>,
    /// The anchor's weights, the members by the hashes of their deltas with the weight of each, the method and the seed.
    /// Nothing is drawn by lot, so the seed changes no byte.
    pub recipe: Recipe,
}

impl Premerge {
    /// The recipe for these members, each with its weight, on the anchor of this passport.
    ///
    /// # Errors
    /// Where they are fewer than two or more than answer one question, one is there twice, a weight is not finite, or they
    /// were tuned on different roots.
    pub fn of(anchor: &Passport, members: &[(&Delta, f32)]) -> Result<Self, ComposeError> {
        let roots = members.iter().filter_map(|(delta, _)| delta.origin.as_ref()?.root);
        let mut roots: Vec<Hash> = roots.collect();
        roots.sort_unstable();
        roots.dedup();
        if roots.len() > 1 {
            return Err(recipe("its members were tuned on different roots; take members of one root, or of none"));
        }
        let whole =
            members.iter().fold(Recipe::new(anchor.weights, Method::TaskArithmetic), |whole, (delta, weight)| {
                whole.with(delta.hash(), [(WEIGHT, *weight)])
            });
        let (arch, root) = (anchor.arch.clone(), roots.pop());
        let made = Self { arch, tokenizer: anchor.tokenizer, root, recipe: whole };
        made.check()?;
        Ok(made)
    }

    /// Reads one from JSON, as serde writes it, and checks it.
    ///
    /// # Errors
    /// Where it is malformed or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, ComposeError> {
        let mut found = parsed::<Self>(text)?;
        found.recipe = found.recipe.ordered();
        found.check()?;
        Ok(found)
    }

    /// The members in the order of their hashes, and how much of each delta is added.
    ///
    /// # Errors
    /// Where a member has other parameters than one weight.
    pub fn parts(&self) -> Result<Vec<(Hash, f32)>, ComposeError> {
        let part = |member: &crate::Member| match member.parameters.get(WEIGHT) {
            Some(Setting::Number(weight)) if member.parameters.len() == 1 => Ok((member.hash, *weight)),
            _ => Err(recipe(format!("a pre-merge has one weight for each member, and {} has not", member.hash))),
        };
        self.recipe.members.iter().map(part).collect()
    }

    /// Whether it is of exactly these members.
    #[must_use]
    pub fn is_of(&self, members: &[Hash]) -> bool {
        let mut wanted = members.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        self.recipe.who() == wanted
    }

    /// BLAKE3 over all of it; the same for the same members in any order.
    ///
    /// # Errors
    /// Where it contradicts itself.
    pub fn hash(&self) -> Result<Hash, ComposeError> {
        self.check()?;
        hashed("hinet/compose/premerge/v1", &Self { recipe: self.recipe.clone().ordered(), ..self.clone() })
    }

    /// Makes the delta of its members, which may be given in any order.
    ///
    /// # Errors
    /// Where one is not at hand, gives rows a length of their own (`DoRA`), or does not fit the others.
    pub fn make(&self, members: &[&Delta]) -> Result<Delta, ComposeError> {
        self.check()?;
        let known: BTreeMap<Hash, &Delta> = members.iter().map(|delta| (delta.hash(), *delta)).collect();
        let mut sides: BTreeMap<Place, Vec<(&Factors, f32)>> = BTreeMap::new();
        for (hash, weight) in self.parts()? {
            let delta = *known.get(&hash).ok_or(ComposeError::Absent { hash })?;
            for (place, factors) in delta.iter() {
                sides.entry(place).or_default().push((factors, weight * delta.scale(factors)));
            }
        }
        let (arch, tokenizer, weights) = (self.arch.clone(), self.tokenizer, self.recipe.anchor);
        let mut made = Delta::new(Some(Passport { arch, tokenizer, weights, root: self.root }));
        for (place, sides) in sides {
            let factors = side_by_side(place, &sides)?;
            made.insert(place, factors).map_err(|source| member("the pre-merge".to_owned(), source))?;
        }
        Ok(made)
    }

    fn check(&self) -> Result<(), ComposeError> {
        let whole = &self.recipe;
        whole.check()?;
        if whole.method != Method::TaskArithmetic || !whole.parameters.is_empty() || whole.tuned.is_some() {
            return Err(recipe("a pre-merge adds its members up and has no other parameters than their weights"));
        }
        if !(2..=PARTS_MAX).contains(&whole.members.len()) {
            return Err(recipe(format!(
                "a pre-merge is of 2 to {PARTS_MAX} members, as many as answer one question, and this is of {}",
                whole.members.len()
            )));
        }
        self.parts().map(|_| ())
    }
}

/// `Σ scaleᵢ·Bᵢ·Aᵢ` as one pair of factors: `A` has the members' rows one after another, each row of `B` their columns.
fn side_by_side(place: Place, sides: &[(&Factors, f32)]) -> Result<Factors, ComposeError> {
    let (outputs, inputs) = sides.first().map_or((0, 0), |(first, _)| (first.outputs(), first.inputs()));
    for (factors, _) in sides {
        if factors.magnitudes.is_some() {
            return Err(recipe(format!(
                "a member gives the rows of {} a length of their own (DoRA), which does not add up with others; leave it out",
                place.path()
            )));
        }
        if (factors.outputs(), factors.inputs()) != (outputs, inputs) {
            let (expected, found) = (vec![outputs, inputs], vec![factors.outputs(), factors.inputs()]);
            return Err(ComposeError::Shape { name: place.path(), whose: "a member".to_owned(), expected, found });
        }
    }
    let rank: usize = sides.iter().map(|(factors, _)| factors.rank).sum();
    let a: Vec<f32> = sides.iter().flat_map(|(factors, _)| factors.a.iter().copied()).collect();
    let mut b = Vec::with_capacity(outputs * rank);
    for row in 0..outputs {
        for (factors, scale) in sides {
            b.extend(factors.b[row * factors.rank..][..factors.rank].iter().map(|number| scale * number));
        }
    }
    // Everything is in the factors, so the product is multiplied with one.
    #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
    let alpha = rank as f32;
    Ok(Factors { rank, a, b, alpha, magnitudes: None })
}

#[cfg(test)]
mod tests;
