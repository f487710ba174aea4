//! Small checkpoints for tests: written, read, and composed.
#![allow(dead_code, reason = "each test target uses some of it")]

use hinet_compose::{Checkpoint, ComposeError, Composed, Options, Recipe, Source, Sources, compose, gather};
use hinet_protocol::Hash;
use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Names and dimensions of a small decoder.
pub fn shapes(layers: usize) -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("model.embed_tokens.weight".into(), vec![40, 8]), ("model.norm.weight".into(), vec![8])];
    for layer in 0..layers {
        let at = |name: &str| format!("model.layers.{layer}.{name}.weight");
        all.push((at("input_layernorm"), vec![8]));
        all.push((at("self_attn.q_proj"), vec![8, 8]));
        all.push((at("mlp.up_proj"), vec![12, 8]));
        all.push((at("mlp.down_proj"), vec![8, 12]));
    }
    all
}

/// Numbers that look random, from -1 to 1.
pub fn noise(seed: u64, count: usize) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        #[allow(clippy::cast_precision_loss, reason = "24 bits")]
        let number = (state >> 40) as f32 / 8_388_608.0 - 1.0;
        number
    })
}

/// A model that differs from a common base by noise of its own.
pub fn model(seed: u64, layers: usize) -> Tensors {
    let one = |(index, (name, shape)): (usize, (String, Vec<usize>))| {
        let count = shape.iter().product();
        let base = noise(1000 + index as u64, count);
        let own = noise(seed * 7919 + index as u64, count);
        (name, (shape, base.zip(own).map(|(base, own)| if seed == 0 { base } else { base + 0.1 * own }).collect()))
    };
    shapes(layers).into_iter().enumerate().map(one).collect()
}

/// Writes a folder with one file of floats and a configuration.
pub fn write(folder: &Path, tensors: &Tensors) {
    write_tensors(folder, tensors);
    fs::write(folder.join("config.json"), r#"{"model_type": "llama", "num_hidden_layers": 2}"#).unwrap();
    fs::write(folder.join("tokenizer.json"), "{}").unwrap();
}

/// Writes one file of floats into a folder.
pub fn write_tensors(folder: &Path, tensors: &Tensors) {
    fs::create_dir_all(folder).unwrap();
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let all: Vec<(&String, &Vec<usize>, Vec<u8>)> =
        tensors.iter().map(|(name, (shape, numbers))| (name, shape, bytes(numbers))).collect();
    let views = all
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).unwrap()));
    serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}

/// Reads all numbers of a file, and the names of their formats.
pub fn read(file: &Path) -> BTreeMap<String, (String, Vec<f32>)> {
    let bytes = fs::read(file).unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    let one = |(name, view): (&str, TensorView<'_>)| {
        let numbers = match view.dtype() {
            Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::BF16 => view
                .data()
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16))
                .collect(),
            other => panic!("{other:?}"),
        };
        (name.to_owned(), (format!("{:?}", view.dtype()), numbers))
    };
    all.iter().map(one).collect()
}

/// Models on disk, the anchor (seed 0) first.
pub struct Models {
    pub dir: tempfile::TempDir,
    pub sources: Sources,
    pub hashes: Vec<Hash>,
}

impl Models {
    pub fn new(count: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut all: Vec<Arc<dyn Source>> = Vec::new();
        for seed in 0..count {
            let folder = dir.path().join(format!("model-{seed}"));
            write(&folder, &model(seed, 2));
            all.push(Arc::new(Checkpoint::open(&folder).unwrap()));
        }
        let hashes = all.iter().map(|source| source.hash().unwrap()).collect();
        Self { dir, sources: gather(all).unwrap(), hashes }
    }

    pub fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Composes without looking on.
pub fn make(recipe: &Recipe, sources: &Sources, place: &Path, options: &Options<'_>) -> Result<Composed, ComposeError> {
    compose(recipe, sources, place, options, &mut |_| ControlFlow::Continue(()))
}
