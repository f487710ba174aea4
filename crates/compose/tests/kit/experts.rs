//! Small models that run, their members, and sparse models of them.
#![allow(dead_code, reason = "each test target uses some of it")]

#[path = "../../../model/tests/families/checkpoint.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
pub mod checkpoint;

use crate::kit::{Tensors, noise, write_tensors};
use checkpoint::Golden;
use hinet_compose::{
    Checkpoint, ComposeError, Composed, Experts, Options, Router, Source, Sources, Whose, compose_experts, gather,
};
use hinet_model::{Anchor, LoadOptions};
use hinet_protocol::Hash;
use safetensors::Dtype;
use std::{ops::ControlFlow, path::Path, path::PathBuf, sync::Arc};

/// Rows that look random and depend on layer and expert alone.
pub struct MadeUp;

impl Router for MadeUp {
    fn rows(&self, layer: usize, experts: &[Whose], width: usize) -> Result<Vec<f32>, ComposeError> {
        let row = |whose: &Whose| {
            let own = if let Whose::Member(hash) = whose { u64::from(hash.0[0]) + 2 } else { 1 };
            noise(own * 131 + layer as u64, width).collect::<Vec<f32>>()
        };
        Ok(experts.iter().flat_map(row).collect())
    }

    fn hash(&self, _: &[Whose]) -> Hash {
        Hash([7; 32])
    }
}

pub fn golden(family: &str) -> Golden {
    checkpoint::all().remove(family).unwrap()
}

/// The anchor (seed 0), or a member that differs from it everywhere.
pub fn model(golden: &Golden, seed: u64) -> Tensors {
    let one = |(index, (name, shape)): (usize, (&String, &Vec<usize>))| {
        let mut numbers = golden.numbers(name);
        let columns = if shape.len() > 1 { shape[1] } else { 16 };
        #[allow(clippy::cast_precision_loss, reason = "a small width")]
        let size = if seed == 0 { 0.0 } else { 0.5 / (columns as f32).sqrt() };
        let own = noise(seed * 7919 + index as u64, numbers.len());
        numbers.iter_mut().zip(own).for_each(|(number, own)| *number += size * own);
        (name.clone(), (shape.clone(), numbers))
    };
    golden.tensors.iter().enumerate().map(one).collect()
}

/// Writes a folder that runs.
pub fn write(folder: &Path, golden: &Golden, tensors: &Tensors) {
    std::fs::create_dir_all(folder).unwrap();
    golden.write_folder(folder, Dtype::F32, 1);
    write_tensors(folder, tensors);
}

/// Models on disk, the anchor first.
pub struct Models {
    pub dir: tempfile::TempDir,
    pub golden: Golden,
    pub sources: Sources,
    pub hashes: Vec<Hash>,
}

impl Models {
    /// The anchor and `count - 1` members.
    pub fn new(family: &str, count: u64) -> Self {
        let golden = golden(family);
        let all = (0..count).map(|seed| model(&golden, seed)).collect();
        Self::of(golden, all)
    }

    /// These models.
    pub fn of(golden: Golden, all: Vec<Tensors>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sources: Vec<Arc<dyn Source>> = Vec::new();
        for (index, tensors) in all.iter().enumerate() {
            let folder = dir.path().join(format!("model-{index}"));
            write(&folder, &golden, tensors);
            sources.push(Arc::new(Checkpoint::open(&folder).unwrap()));
        }
        let hashes = sources.iter().map(|source| source.hash().unwrap()).collect();
        Self { dir, golden, sources: gather(sources).unwrap(), hashes }
    }

    pub fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The anchor with members of these numbers.
    pub fn recipe(&self, members: &[usize]) -> Experts {
        Experts::new(self.hashes[0], members.iter().map(|member| self.hashes[*member]))
    }

    /// Which member is the expert of this number, where the anchor is the first.
    pub fn expert(&self, recipe: &Experts, expert: usize) -> usize {
        match recipe.experts()[expert] {
            Whose::Anchor => 0,
            Whose::Member(hash) => self.hashes.iter().position(|other| *other == hash).unwrap(),
        }
    }

    pub fn make(&self, recipe: &Experts, name: &str) -> Result<Composed, ComposeError> {
        make(recipe, &self.sources, &self.place(name), &plain(2))
    }

    pub fn logits(&self, name: &str, tokens: &[u32]) -> Vec<f32> {
        open(&self.place(name)).session(64).logits(tokens).unwrap()
    }
}

pub fn plain(threads: usize) -> Options<'static> {
    Options { threads, ..Options::default() }
}

/// Composes without looking on, with a made-up router.
pub fn make(
    recipe: &Experts,
    sources: &Sources,
    place: &Path,
    options: &Options<'_>,
) -> Result<Composed, ComposeError> {
    compose_experts(recipe, sources, &MadeUp, place, options, &mut |_| ControlFlow::Continue(()))
}

pub fn open(folder: &Path) -> Anchor {
    Anchor::open(folder, LoadOptions { threads: Some(2), ..LoadOptions::default() }).unwrap()
}

/// The largest difference.
pub fn gap(one: &[f32], two: &[f32]) -> f32 {
    assert_eq!(one.len(), two.len());
    one.iter().zip(two).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The sparse models that are held against transformers, by name: frequencies as in Llama 3.1; a window, and a head that is
/// the embedding; and experts of members alone, with the anchor's attention.
pub fn cases() -> Vec<(&'static str, Models, Experts)> {
    let of = |family: &str, members: &[usize]| {
        let models = Models::new(family, 4);
        let recipe = models.recipe(members);
        (models, recipe)
    };
    let (llama, first) = of("llama", &[1, 2]);
    let mut tied = golden("mistral");
    tied.tensors.remove("lm_head.weight");
    tied.config["tie_word_embeddings"] = true.into();
    let all = (0..4).map(|seed| model(&tied, seed)).collect();
    let mistral = Models::of(tied, all);
    let second = Experts { scale: 0.8, used: 3, ..mistral.recipe(&[1, 2, 3]) };
    let (other, third) = of("llama", &[1, 2, 3]);
    let third = Experts { with_anchor: false, attention: hinet_compose::Shared::Anchor, ..third };
    vec![("averaged", llama, first), ("windowed", mistral, second), ("alone", other, third)]
}
