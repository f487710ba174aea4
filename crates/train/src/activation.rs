//! How differently models take the same public text: what their linear layers are given at the last token of each prompt,
//! from which the answer is foretold.

use crate::{
    TrainError,
    grams::PublicPrompts,
    judge::unfit,
    seen::{self, Seen, Seer},
};
use hinet_model::Anchor;
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

/// What the linear layers of a model are given at the last token of each of some prompts.
#[derive(Debug, Clone)]
pub struct Activations {
    /// By the number of the first matrix that is given it, and by that of the prompt.
    all: BTreeMap<(usize, usize), Vec<f32>>,
}

impl Activations {
    /// Has `model` read the prompts. The numbers are the same for any number of threads.
    ///
    /// They lie in memory: for a model of 135 million parameters some 400 KB a prompt.
    ///
    /// # Errors
    /// Where the model is a mixture or cannot read the prompts, or somebody asked to stop.
    pub fn of(model: &Anchor, prompts: &PublicPrompts, cancel: &AtomicBool) -> Result<Self, TrainError> {
        let mut found = Self { all: BTreeMap::new() };
        seen::read(model, prompts, cancel, &mut found)?;
        Ok(found)
    }

    /// How far apart two models' are on the same prompts: the length of the difference by the mean of both lengths, as a
    /// mean over layers and prompts. It is 0 where they are the same, and 2 where they are opposite.
    ///
    /// # Errors
    /// Where they are not of the same prompts and shapes, or a number is not finite.
    pub fn distance(&self, other: &Self) -> Result<f64, TrainError> {
        let same = self.all.len() == other.all.len() && self.all.keys().eq(other.all.keys());
        if !same || self.all.is_empty() {
            return Err(unfit("activations of other prompts or layers cannot be compared; have both read the same"));
        }
        let mut sum = 0.0;
        for (one, two) in self.all.values().zip(other.all.values()) {
            let apart = length(one.iter().zip(two).map(|(a, b)| a - b));
            let mean = f64::midpoint(length(one.iter().copied()), length(two.iter().copied()));
            sum += if mean > 0.0 { apart / mean } else { 0.0 };
        }
        #[allow(clippy::cast_precision_loss, reason = "layers times prompts are few")]
        let mean = sum / self.all.len() as f64;
        if mean.is_finite() { Ok(mean) } else { Err(unfit("an activation is not a finite number")) }
    }
}

fn length(numbers: impl Iterator<Item = f32>) -> f64 {
    numbers.map(|number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt()
}

impl Seer for Activations {
    fn see(&mut self, seen: &Seen<'_>) -> Result<(), TrainError> {
        for (text, rows) in seen.texts() {
            if let Some(last) = rows.rchunks_exact(seen.columns).next() {
                self.all.insert((seen.matrices[0], text), last.to_vec());
            }
        }
        Ok(())
    }

    fn end(&mut self, _: usize) -> Result<(), TrainError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        grams::Origin,
        tests::{families, tiny},
    };

    fn given(vectors: &[&[f32]]) -> Activations {
        Activations { all: vectors.iter().enumerate().map(|(at, vector)| ((at, 0), vector.to_vec())).collect() }
    }

    #[test]
    fn distance_is_none_to_oneself_and_two_to_the_opposite() {
        let one = given(&[&[1.0, 0.0], &[0.0, 2.0]]);
        let far = |other: &Activations| one.distance(other).unwrap();
        assert!(far(&one).abs() < 1e-12);
        assert!((far(&given(&[&[-1.0, 0.0], &[0.0, -2.0]])) - 2.0).abs() < 1e-6);
        // At right angles and as long it is the root of two; half of the places are the same.
        assert!((far(&given(&[&[0.0, 1.0], &[0.0, 2.0]])) - 2f64.sqrt() / 2.0).abs() < 1e-6);
        assert!(one.distance(&given(&[&[1.0, 0.0]])).is_err());
        assert!(given(&[]).distance(&given(&[])).is_err());
    }

    #[test]
    fn every_layer_is_seen_at_the_last_token_of_each_prompt() {
        let go = AtomicBool::new(false);
        for (family, golden) in families() {
            let anchor = tiny(&golden, 1);
            let prompts = |texts: &[&[u32]]| {
                PublicPrompts::new(&Origin::MadeUp(1), texts.iter().map(|text| text.to_vec()).collect()).unwrap()
            };
            let of = |texts: &[&[u32]]| Activations::of(&anchor, &prompts(texts), &go).unwrap();
            let (short, long) = (&golden.tokens[..4], &golden.tokens[..9]);
            let both = of(&[short, long]);
            let kinds = both.all.len() / 2;
            assert!(kinds >= anchor.config().layers && both.all.len() == 2 * kinds, "{family}");
            assert!(both.distance(&of(&[short, long])).unwrap().abs() < 1e-9, "{family}");
            // What one prompt is given does not depend on the others.
            let alone = of(&[short]);
            let mut first = both.clone();
            first.all.retain(|(_, text), _| *text == 0);
            assert!(alone.distance(&first).unwrap() < 1e-5, "{family}");
            assert!(alone.distance(&of(&[long])).unwrap() > 0.0, "{family}");
        }
    }
}
