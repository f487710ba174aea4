//! What linear layers are given when a model reads public prompts: the Grams that `RegMean` merges with
//! (Jin et al. 2023).
//!
//! **Never of private prompts.** The Gram of the first layer is a sum over embeddings, and gives away the vocabulary of what
//! was read, canaries included, also when it is cut to a low rank. So whoever merges makes the Grams anew,
//! from published weights and [`PublicPrompts`], which know no private origin and cannot be made of anything else: there is no
//! way from a vault's text, from `Reading` or from `Released` to them, nor from bytes that somebody sends.

use crate::{
    TrainError,
    model::place,
    replay::Own,
    seen::{self, Seen, Seer},
};
use hinet_compose::{ComposeError, Gram, GramSum, Grams, Whose};
use hinet_model::Anchor;
use hinet_protocol::Hash;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

/// Tokens of one text that are read.
const LONGEST: usize = 4096;

/// Where public prompts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Made up by a program from this seed, about nobody.
    MadeUp(u64),
    /// Published with everybody's consent; where one finds them.
    Published(String),
    /// Written by the bare anchor after public beginnings.
    Anchor,
}

/// Prompts that anybody may read.
///
/// Nothing turns other texts into them but a stated [`Origin`]; they are neither read from bytes nor made of strings:
///
/// ```compile_fail,E0277
/// let forged: hinet_train::grams::PublicPrompts = vec![vec![1u32, 2]].into();
/// ```
#[derive(Debug, Clone)]
pub struct PublicPrompts {
    texts: Vec<Vec<u32>>,
    hash: Hash,
}

impl PublicPrompts {
    /// Prompts of a public origin, as tokens, each cut to 4,096.
    ///
    /// # Errors
    /// Where there is none, one has fewer than two tokens (the first is left out of every Gram), or the place where they
    /// were published is not said.
    pub fn new(origin: &Origin, mut texts: Vec<Vec<u32>>) -> Result<Self, TrainError> {
        let bad = |problem: String| Err(TrainError::Prompts { problem });
        if matches!(origin, Origin::Published(place) if place.trim().is_empty()) {
            return bad("nobody says where they are published; private prompts are never taken".into());
        }
        if texts.is_empty() {
            return bad("there are none; give some".into());
        }
        if let Some(index) = texts.iter().position(|text| text.len() < 2) {
            return bad(format!(
                "prompt {index} has fewer than two tokens, of which the first is left out; give longer ones"
            ));
        }
        texts.iter_mut().for_each(|text| text.truncate(LONGEST));
        // Short ones together, so that packs are alike; it does not depend on the order in which they were given.
        texts.sort_unstable_by(|one, two| one.len().cmp(&two.len()).then_with(|| one.cmp(two)));
        let mut hasher = blake3::Hasher::new_derive_key("hinet/train/public prompts/v1");
        hasher.update(format!("{origin:?}").as_bytes());
        for text in &texts {
            hasher.update(&(text.len() as u64).to_le_bytes());
            for token in text {
                hasher.update(&token.to_le_bytes());
            }
        }
        Ok(Self { texts, hash: Hash(*hasher.finalize().as_bytes()) })
    }

    /// Texts that [`crate::replay::write`] had the bare anchor write, without any delta: for the virtual member.
    ///
    /// # Errors
    /// Where nothing of them can be read.
    pub fn of_anchor(anchor: &Anchor, texts: &[Own]) -> Result<Self, TrainError> {
        let mut all = Vec::with_capacity(texts.len());
        for text in texts {
            all.extend(text.example(anchor, LONGEST)?.map(|example| example.tokens).filter(|tokens| tokens.len() > 1));
        }
        Self::new(&Origin::Anchor, all)
    }

    /// Identifies the prompts and their origin.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The tokens of each.
    pub(crate) fn texts(&self) -> &[Vec<u32>] {
        &self.texts
    }
}

/// A Gram without the half that follows from the other.
#[derive(Debug, Clone)]
pub(crate) struct Triangle {
    size: usize,
    numbers: Vec<f32>,
}

impl Triangle {
    pub fn of(gram: &Gram, size: usize) -> Self {
        let rows = gram.0.chunks_exact(size).enumerate();
        Self { size, numbers: rows.flat_map(|(at, row)| &row[..=at]).copied().collect() }
    }

    pub fn whole(&self) -> Gram {
        let at = |row: usize, column: usize| {
            let (low, high) = (row.min(column), row.max(column));
            self.numbers[high * (high + 1) / 2 + low]
        };
        Gram((0..self.size * self.size).map(|place| at(place / self.size, place % self.size)).collect())
    }
}

/// The Grams of all linear layers of some models, each divided by its mean diagonal.
///
/// They lie in memory: for a model of 135 million parameters some 200 MB a member.
#[derive(Debug, Default)]
pub struct PublicGrams {
    all: BTreeMap<Whose, BTreeMap<String, Arc<Triangle>>>,
    hashes: BTreeMap<Whose, Hash>,
}

impl PublicGrams {
    /// Of nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What decides the Grams of a model on these prompts.
    #[must_use]
    pub fn key(model: &Anchor, prompts: &PublicPrompts) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/train/grams/v1");
        hasher.update(&model.passport().weights.0).update(&prompts.hash.0).update(model.kernel().name().as_bytes());
        if let Some(root) = model.passport().root {
            hasher.update(&root.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// Has `model` read the prompts, and keeps what its linear layers are given, the first position of each prompt left out:
    /// its numbers are hundreds of times larger than all others and say nothing about the text.
    ///
    /// `model` is the member as it is published, or the anchor in its place; for [`Whose::Anchor`] the anchor.
    /// The numbers are the same for any number of threads.
    ///
    /// # Errors
    /// Where the model is a mixture or cannot read the prompts, a number is not finite, or somebody asked to stop.
    pub fn add(
        &mut self,
        whose: Whose,
        model: &Anchor,
        prompts: &PublicPrompts,
        cancel: &AtomicBool,
    ) -> Result<(), TrainError> {
        let mut sums = Sums { model, open: BTreeMap::new(), all: BTreeMap::new() };
        seen::read(model, prompts, cancel, &mut sums)?;
        self.all.insert(whose, sums.all);
        self.hashes.insert(whose, Self::key(model, prompts));
        Ok(())
    }
}

/// Grams that are being summed.
struct Sums<'a> {
    model: &'a Anchor,
    /// Those of the present layer, by the first of the matrices that share their inputs.
    open: BTreeMap<usize, (Vec<usize>, GramSum)>,
    all: BTreeMap<String, Arc<Triangle>>,
}

impl Seer for Sums<'_> {
    fn see(&mut self, seen: &Seen<'_>) -> Result<(), TrainError> {
        let new = || (seen.matrices.to_vec(), GramSum::new(seen.columns));
        let (_, sum) = self.open.entry(seen.matrices[0]).or_insert_with(new);
        let kept: Vec<f32> = seen.texts().flat_map(|(_, rows)| rows).copied().collect();
        Ok(sum.add(&kept, self.model.threads()).map_err(Box::new)?)
    }

    fn end(&mut self, _: usize) -> Result<(), TrainError> {
        for (matrices, sum) in std::mem::take(&mut self.open).into_values() {
            let size = sum.size();
            let gram = Arc::new(Triangle::of(&sum.finish().map_err(Box::new)?, size));
            let places = matrices.iter().filter_map(|index| place(*index, self.model.config().layers));
            self.all.extend(places.map(|place| (format!("{}.weight", place.path()), Arc::clone(&gram))));
        }
        Ok(())
    }
}

impl Grams for PublicGrams {
    fn gram(&self, whose: Whose, tensor: &str, inputs: usize) -> Result<Option<Gram>, ComposeError> {
        let Some(triangle) = self.all.get(&whose).and_then(|all| all.get(tensor)) else { return Ok(None) };
        if triangle.size != inputs {
            let problem = "they are for another number of inputs; gather them with this anchor";
            return Err(ComposeError::Gram { name: tensor.into(), problem });
        }
        Ok(Some(triangle.whole()))
    }

    fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/train/grams of several/v1");
        for (whose, key) in &self.hashes {
            let who = if let Whose::Member(hash) = whose { &hash.0[..] } else { b"anchor" };
            hasher.update(who).update(&key.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{families, tiny};

    static GO: AtomicBool = AtomicBool::new(false);

    fn prompts(texts: &[&[u32]]) -> Result<PublicPrompts, TrainError> {
        PublicPrompts::new(&Origin::MadeUp(1), texts.iter().map(|text| text.to_vec()).collect())
    }

    /// The inputs of the first projection by hand: normed rows of the embedding.
    fn first_inputs(anchor: &Anchor, text: &[u32]) -> Vec<Vec<f64>> {
        let (decoder, width) = (anchor.decoder(), anchor.config().width);
        let row = |token: &u32| {
            let mut row = vec![0.0; width];
            decoder.embedding.row(*token as usize, &mut row);
            let scale = f64::from(anchor.config().embedding_scale);
            let row: Vec<f64> = row.iter().map(|x| f64::from(*x) * scale).collect();
            let square = row.iter().map(|x| x * x).sum::<f64>() / width as f64;
            let root = (square + f64::from(anchor.config().norm_eps)).sqrt();
            row.iter().zip(&decoder.layers[0].attention_norm).map(|(x, gain)| x / root * f64::from(*gain)).collect()
        };
        text.iter().skip(1).map(row).collect()
    }

    #[test]
    fn grams_are_those_of_inputs_that_were_captured_by_hand() {
        for (family, golden) in families() {
            let anchor = tiny(&golden, 2);
            let width = anchor.config().width;
            let texts: [&[u32]; 2] = [&golden.tokens[..9], &golden.tokens[4..11]];
            let mut grams = PublicGrams::new();
            grams.add(Whose::Anchor, &anchor, &prompts(&texts).unwrap(), &GO).unwrap();
            let rows: Vec<Vec<f64>> = texts.iter().flat_map(|text| first_inputs(&anchor, text)).collect();
            let plain = |one: usize, two: usize| rows.iter().map(|row| row[one] * row[two]).sum::<f64>();
            let mean = (0..width).map(|at| plain(at, at)).sum::<f64>() / width as f64;
            let name = "model.layers.0.self_attn.q_proj.weight";
            let found = grams.gram(Whose::Anchor, name, width).unwrap().unwrap().0;
            for (at, found) in found.iter().enumerate() {
                let expected = plain(at / width, at % width) / mean;
                assert!((f64::from(*found) - expected).abs() < 1e-4, "{family} {at}: {found} for {expected}");
            }
            // Queries, keys and values share their inputs, gate and up theirs; every layer has its own.
            let gram = |name: &str, layer: usize| {
                let name = format!("model.layers.{layer}.{name}.weight");
                grams.all[&Whose::Anchor][&name].clone()
            };
            assert!(Arc::ptr_eq(&gram("self_attn.q_proj", 0), &gram("self_attn.v_proj", 0)), "{family}");
            assert!(Arc::ptr_eq(&gram("mlp.gate_proj", 1), &gram("mlp.up_proj", 1)), "{family}");
            assert_eq!(gram("mlp.down_proj", 0).size, anchor.config().hidden, "{family}");
            assert_ne!(gram("mlp.down_proj", 0).numbers, gram("mlp.down_proj", 1).numbers, "{family}");
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads_and_have_a_mean_diagonal_of_one() {
        let (_, golden) = families().into_iter().next().unwrap();
        let (one, two) = (tiny(&golden, 1), tiny(&golden, 3));
        let texts: [&[u32]; 2] = [&golden.tokens[..20], &golden.tokens[2..8]];
        let made = |anchor: &Anchor| {
            let mut grams = PublicGrams::new();
            grams.add(Whose::Anchor, anchor, &prompts(&texts).unwrap(), &GO).unwrap();
            grams
        };
        let (one, two) = (made(&one), made(&two));
        for (name, triangle) in &one.all[&Whose::Anchor] {
            assert_eq!(triangle.numbers, two.all[&Whose::Anchor][name].numbers, "{name} on other threads");
            let mean = (0..triangle.size).map(|at| triangle.numbers[at * (at + 3) / 2]).sum::<f32>();
            assert!((mean / triangle.size as f32 - 1.0).abs() < 1e-4, "{name}");
        }
        assert_eq!(one.hash(), two.hash());
    }

    #[test]
    fn nonsense_and_what_names_no_public_place_are_refused() {
        let (_, golden) = families().into_iter().next().unwrap();
        let anchor = tiny(&golden, 1);
        let refused = |found: Result<PublicPrompts, TrainError>, word: &str| {
            let error = found.unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(prompts(&[]), "give some");
        refused(prompts(&[&[1, 2], &[1]]), "fewer than two");
        refused(PublicPrompts::new(&Origin::Published(" ".into()), vec![vec![1, 2]]), "never taken");
        refused(PublicPrompts::of_anchor(&anchor, &[]), "give some");
        let mut grams = PublicGrams::new();
        let vocabulary = u32::try_from(anchor.config().vocabulary).unwrap();
        let mut add = |prompts: PublicPrompts, stop: bool| {
            grams.add(Whose::Anchor, &anchor, &prompts, &AtomicBool::new(stop)).unwrap_err()
        };
        assert!(add(prompts(&[&[1, vocabulary]]).unwrap(), false).to_string().contains("outside the vocabulary"));
        assert!(add(prompts(&[&[1; 4000]]).unwrap(), false).to_string().contains("cut it"));
        assert!(matches!(add(prompts(&[&[1, 2]]).unwrap(), true), TrainError::Cancelled));
        // Nothing of what failed is there, and other sizes are named.
        let name = "model.layers.0.mlp.up_proj.weight";
        assert!(grams.gram(Whose::Anchor, name, 8).unwrap().is_none());
        grams.add(Whose::Anchor, &anchor, &prompts(&[&[1, 2]]).unwrap(), &GO).unwrap();
        assert!(grams.gram(Whose::Anchor, name, 8).is_err());
        assert!(grams.gram(Whose::Anchor, "model.norm.weight", 8).unwrap().is_none());
    }

    #[test]
    fn prompts_are_known_by_what_they_are_and_where_from() {
        let of = |origin, texts: &[&[u32]]| {
            PublicPrompts::new(&origin, texts.iter().map(|text| text.to_vec()).collect()).unwrap().hash()
        };
        let (one, two): (&[u32], &[u32]) = (&[1, 2], &[3, 4, 5]);
        assert_eq!(of(Origin::MadeUp(1), &[one, two]), of(Origin::MadeUp(1), &[two, one]));
        assert_ne!(of(Origin::MadeUp(1), &[one]), of(Origin::MadeUp(2), &[one]));
        assert_ne!(of(Origin::MadeUp(1), &[one]), of(Origin::MadeUp(1), &[two]));
    }
}
