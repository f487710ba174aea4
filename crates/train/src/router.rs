//! Routers of sparse models, made of public prompts alone.
//!
//! The anchor reads the prompts of every member, and general public text for itself; what its feed-forward layers are given
//! is what the router of that layer will be given. A [`Classifier`] learns from that whose prompt a token is from, in closed
//! form, and the rows are scaled so that the softmax over them is about as sure as it is right: the scale is the best one for
//! the half of the prompts that the rows were not made of.
//!
//! As for Grams ([`crate::grams`]), only [`PublicPrompts`] are taken, which know no private origin. Whoever leaves takes
//! their prompts along: the rows for some experts depend on these experts' prompts and on no others.

mod fit;

use crate::{
    TrainError,
    grams::{PublicPrompts, Triangle},
    model::number,
    seen::{self, Seen, Seer},
};
pub use fit::Fitted;
use fit::Half;
use hinet_compose::{ComposeError, GramSum, Router, Whose};
use hinet_model::{
    Anchor,
    delta::{Linear, Place},
};
use hinet_protocol::Hash;
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

/// Rows of each half of somebody's prompts by which a router is examined.
const EXAMINED: usize = 96;

/// How rows are made of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Classifier {
    /// Ridge regression of whose prompt a token is from; of a few ridges the one that does best on the other half.
    #[default]
    Ridge,
    /// Directions from the mean of all to the mean of each, at right angles to the mean of all.
    Centroids,
}

/// What somebody's prompts give the feed-forward layer of one layer, in two halves.
#[derive(Debug)]
struct Inputs([Half; 2]);

/// A router that is made of public prompts.
#[derive(Debug, Default)]
pub struct PublicRouter {
    classifier: Classifier,
    /// The anchor that read the prompts.
    anchor: Option<Hash>,
    /// By layer.
    all: BTreeMap<Whose, Vec<Inputs>>,
    hashes: BTreeMap<Whose, Hash>,
}

impl PublicRouter {
    /// Of nobody yet.
    #[must_use]
    pub fn new(classifier: Classifier) -> Self {
        Self { classifier, ..Self::default() }
    }

    /// Has the anchor read a member's prompts, or for [`Whose::Anchor`] general public text; the first position of each is
    /// left out. The numbers are the same for any number of threads.
    ///
    /// They lie in memory: for a model of 135 million parameters some 60 MB a member.
    ///
    /// # Errors
    /// Where the anchor is a mixture, cannot read the prompts or is another than before, a number is not finite, or somebody
    /// asked to stop.
    pub fn add(
        &mut self,
        whose: Whose,
        anchor: &Anchor,
        prompts: &PublicPrompts,
        cancel: &AtomicBool,
    ) -> Result<(), TrainError> {
        let passport = anchor.passport();
        let mut hasher = blake3::Hasher::new_derive_key("hinet/train/router/v1");
        hasher.update(&passport.weights.0).update(&passport.root.unwrap_or(Hash([0; 32])).0);
        let weights = Hash(*hasher.finalize().as_bytes());
        if self.anchor.is_some_and(|before| before != weights) {
            let problem = "another anchor read those before; have one read all of them".into();
            return Err(TrainError::Prompts { problem });
        }
        let mut sums = Sums { anchor, split: Split::of(prompts), open: None, all: Vec::new() };
        seen::read(anchor, prompts, cancel, &mut sums)?;
        hasher.update(&prompts.hash().0).update(anchor.kernel().name().as_bytes());
        self.anchor = Some(weights);
        self.all.insert(whose, sums.all);
        self.hashes.insert(whose, Hash(*hasher.finalize().as_bytes()));
        Ok(())
    }

    /// The rows of one layer for these experts, and how well they do.
    ///
    /// # Errors
    /// Where nobody's prompts were read for one of them, there is no such layer, or the rows cannot be found.
    pub fn fit(&self, layer: usize, experts: &[Whose]) -> Result<Fitted, ComposeError> {
        let bad = |problem| ComposeError::Router { layer, problem };
        let missing = || bad("no public prompts were read for one of its experts; add some for each");
        let beyond = || bad("the anchor that read the prompts has no such layer; use the anchor of the recipe");
        let of = |whose: &Whose| Ok(&self.all.get(whose).ok_or_else(missing)?.get(layer).ok_or_else(beyond)?.0);
        let inputs = experts.iter().map(of).collect::<Result<Vec<_>, ComposeError>>()?;
        fit::fit(self.classifier, layer, &inputs)
    }
}

impl Router for PublicRouter {
    fn rows(&self, layer: usize, experts: &[Whose], width: usize) -> Result<Vec<f32>, ComposeError> {
        let fitted = self.fit(layer, experts)?;
        if fitted.rows.len() != experts.len() * width {
            let problem = "the anchor that read the prompts has another width; use the anchor of the recipe";
            return Err(ComposeError::Router { layer, problem });
        }
        Ok(fitted.rows)
    }

    fn hash(&self, experts: &[Whose]) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/train/router of several/v1");
        hasher.update(format!("{:?}", self.classifier).as_bytes());
        for whose in experts {
            let who = if let Whose::Member(hash) = whose { &hash.0[..] } else { b"anchor" };
            hasher.update(who).update(&self.hashes.get(whose).map_or([0; 32], |hash| hash.0));
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

/// Which rows belong to which half: every second text, or of one text its first and its last rows.
struct Split {
    /// Of one text alone, rows in the first half.
    alone: Option<usize>,
    /// Rows in each half.
    rows: [usize; 2],
}

impl Split {
    fn of(prompts: &PublicPrompts) -> Self {
        let texts = prompts.texts();
        // The first position of each is left out.
        let rows = |half: usize| texts.iter().skip(half).step_by(2).map(|text| text.len() - 1).sum();
        match texts {
            [text] => {
                let first = (text.len() - 1).div_ceil(2);
                Self { alone: Some(first), rows: [first, text.len() - 1 - first] }
            }
            _ => Self { alone: None, rows: [rows(0), rows(1)] },
        }
    }
}

/// Half of the inputs of one layer, while it is read.
struct Open {
    gram: GramSum,
    mean: Vec<f64>,
    rows: usize,
    square: f64,
    examined: Vec<f32>,
}

struct Sums<'a> {
    anchor: &'a Anchor,
    split: Split,
    open: Option<[Open; 2]>,
    all: Vec<Inputs>,
}

impl Sums<'_> {
    fn take(&mut self, half: usize, rows: &[f32], size: usize) -> Result<(), TrainError> {
        let new =
            || Open { gram: GramSum::new(size), mean: vec![0.0; size], rows: 0, square: 0.0, examined: Vec::new() };
        let open = &mut self.open.get_or_insert_with(|| [new(), new()])[half];
        open.gram.add(rows, self.anchor.threads()).map_err(Box::new)?;
        for row in rows.chunks_exact(size) {
            open.mean.iter_mut().zip(row).for_each(|(to, from)| *to += f64::from(*from));
            open.square += row.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>();
            // At equal distances.
            let (at, of) = (open.rows, self.split.rows[half]);
            if at * EXAMINED / of != (at + 1) * EXAMINED / of {
                open.examined.extend_from_slice(row);
            }
            open.rows += 1;
        }
        Ok(())
    }
}

impl Seer for Sums<'_> {
    fn see(&mut self, seen: &Seen<'_>) -> Result<(), TrainError> {
        // The gate and the up-projection are given what the router will be given.
        let gate = number(Place { layer: self.all.len(), linear: Linear::Gate });
        if seen.matrices[0] != gate {
            return Ok(());
        }
        for (text, rows) in seen.texts() {
            match self.split.alone {
                None => self.take(text % 2, rows, seen.columns)?,
                Some(first) => {
                    let (first, last) = rows.split_at(first * seen.columns);
                    self.take(0, first, seen.columns)?;
                    self.take(1, last, seen.columns)?;
                }
            }
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "rows and inputs are counted in millions at most")]
    fn end(&mut self, layer: usize) -> Result<(), TrainError> {
        let nothing = || TrainError::Mixture { layer };
        let open = self.open.take().ok_or_else(nothing)?;
        let finish = |open: Open| -> Result<Option<Half>, TrainError> {
            if open.rows == 0 {
                return Ok(None);
            }
            let (size, rows) = (open.gram.size(), open.rows as f64);
            let gram = Triangle::of(&open.gram.finish().map_err(Box::new)?, size);
            let mean = open.mean.iter().map(|sum| sum / rows).collect();
            let scale = open.square / rows / size as f64;
            Ok(Some(Half { rows: open.rows, mean, gram, scale, examined: open.examined }))
        };
        let [one, two] = open;
        let one = finish(one)?.ok_or_else(nothing)?;
        // One row alone is both what is learned from and what it is examined by.
        let two = finish(two)?.unwrap_or_else(|| one.clone());
        self.all.push(Inputs([one, two]));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
