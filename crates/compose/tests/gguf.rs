//! A GGUF file is the checkpoint it was made from.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod kit;

use hinet_compose::{GgufFile, Method, Options, Recipe, Source, gather};
use hinet_model::gguf::{Kind, Tensor, Value, write};
use kit::{make, noise};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

const WIDTH: usize = 32;

/// Writes a file of the Llama family with the numbers of a checkpoint: rows of queries and keys change places in it.
fn convert(path: &Path, seed: u64) -> BTreeMap<String, Vec<f32>> {
    let metadata: BTreeMap<String, Value> = [
        ("general.architecture", Value::Text("llama".into())),
        ("llama.embedding_length", Value::Int(32)),
        ("llama.block_count", Value::Int(1)),
        ("llama.attention.head_count", Value::Int(2)),
        ("llama.feed_forward_length", Value::Int(64)),
        ("llama.context_length", Value::Int(16)),
        ("llama.vocab_size", Value::Int(40)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let (mut plain, mut file) = (BTreeMap::new(), Vec::new());
    for (index, (here, there, shape)) in [
        ("token_embd", "model.embed_tokens", vec![40, WIDTH]),
        ("output_norm", "model.norm", vec![WIDTH]),
        ("blk.0.attn_norm", "model.layers.0.input_layernorm", vec![WIDTH]),
        ("blk.0.attn_q", "model.layers.0.self_attn.q_proj", vec![WIDTH, WIDTH]),
        ("blk.0.attn_v", "model.layers.0.self_attn.v_proj", vec![WIDTH, WIDTH]),
        ("blk.0.ffn_down", "model.layers.0.mlp.down_proj", vec![WIDTH, 64]),
    ]
    .into_iter()
    .enumerate()
    {
        let numbers: Vec<f32> = noise(seed * 100 + index as u64, shape.iter().product()).collect();
        let mut moved = numbers.clone();
        if here.ends_with("attn_q") {
            // Row `i + 8 j` of a head of sixteen is row `2 i + j` of the file.
            for (to, row) in moved.chunks_exact_mut(WIDTH).enumerate() {
                let (head, inside) = (to / 16 * 16, to % 16);
                row.copy_from_slice(&numbers[(head + inside / 2 + inside % 2 * 8) * WIDTH..][..WIDTH]);
            }
        }
        let bytes: Vec<u8> = moved.iter().flat_map(|number| number.to_le_bytes()).collect();
        file.push((format!("{here}.weight"), shape, bytes));
        plain.insert(format!("{there}.weight"), numbers);
    }
    let tensors: Vec<Tensor<'_>> =
        file.iter().map(|(name, shape, bytes)| Tensor { name, shape, kind: Kind::F32, bytes }).collect();
    let mut bytes = Vec::new();
    write::write(&mut bytes, &metadata, &tensors).unwrap();
    fs::write(path, bytes).unwrap();
    plain
}

#[test]
fn names_and_rows_are_those_of_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let plain = convert(&dir.path().join("a.gguf"), 1);
    let file = GgufFile::open(&dir.path().join("a.gguf")).unwrap();
    assert!(file.tensors().keys().eq(plain.keys()));
    for (name, expected) in &plain {
        let columns = file.tensors()[name].columns();
        for first in [0, 1].into_iter().filter(|first| first * columns < expected.len()) {
            let expected = &expected[first * columns..];
            let mut found = vec![0.0; expected.len()];
            file.read(name, first, &mut found).unwrap();
            assert_eq!(found, expected, "{name} from row {first}");
        }
    }
}

#[test]
fn files_can_be_merged_when_a_folder_says_what_belongs_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut all: Vec<Arc<dyn Source>> = Vec::new();
    let mut plain = Vec::new();
    for seed in 0..2 {
        let path = dir.path().join(format!("{seed}.gguf"));
        plain.push(convert(&path, seed));
        all.push(Arc::new(GgufFile::open(&path).unwrap()));
    }
    let hashes: Vec<_> = all.iter().map(|source| source.hash().unwrap()).collect();
    let recipe = Recipe::new(hashes[0], Method::TaskArithmetic).with(hashes[1], [("weight", 0.5)]);
    kit::write(&dir.path().join("files"), &kit::model(0, 1));
    let options = Options { files: Some(dir.path().join("files")), ..Options::default() };
    make(&recipe, &gather(all).unwrap(), &dir.path().join("out"), &options).unwrap();
    for (name, (_, found)) in kit::read(&dir.path().join("out/model.safetensors")) {
        for ((found, a), b) in found.iter().zip(&plain[0][&name]).zip(&plain[1][&name]) {
            assert!((found - (a + b) / 2.0).abs() < 1e-6, "{name}");
        }
    }
    assert!(dir.path().join("out/config.json").exists());
}
