//! Sentence vectors agree with an independent computation, and depend on the text alone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_transformers::models::bert::{BertModel, Config};
use hinet_model::Embedder;
use std::sync::LazyLock;

static EMBEDDER: LazyLock<Embedder> = LazyLock::new(|| Embedder::load(&common::embedder_paths()).unwrap());

#[derive(serde::Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

fn golden() -> Vec<Golden> {
    serde_json::from_str(include_str!("golden/embed.json")).unwrap()
}

/// The largest difference between two vectors' numbers.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn vectors_are_those_of_the_published_model() {
    let golden = golden();
    let texts: Vec<&str> = golden.iter().map(|case| case.text.as_str()).collect();
    let vectors = EMBEDDER.embed(&texts).unwrap();
    assert_eq!(EMBEDDER.dim(), 384);
    for (case, vector) in golden.iter().zip(&vectors) {
        assert_eq!(EMBEDDER.tokens(&case.text).unwrap(), case.ids);
        let off = distance(&case.vector, vector);
        assert!(off < 5e-6, "{:?} is off by {off}", case.text);
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
}

#[test]
fn vectors_are_those_of_candle() {
    let paths = common::embedder_paths();
    let config: Config = serde_json::from_slice(&paths.open("config.json").unwrap()).unwrap();
    let weights = paths.open("model.safetensors").unwrap().to_vec();
    let weights = candle_nn::VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).unwrap();
    let bert = BertModel::load(weights, &config).unwrap();
    for case in golden().iter().skip(2).take(4) {
        let ids = Tensor::new(case.ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let types = ids.zeros_like().unwrap();
        let states = bert.forward(&ids, &types, None).unwrap();
        let mean = states.i(0).unwrap().mean(0).unwrap().to_vec1::<f32>().unwrap();
        let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
        let expected: Vec<f32> = mean.iter().map(|x| x / length).collect();
        let off = distance(&expected, &EMBEDDER.embed(&[&case.text]).unwrap()[0]);
        assert!(off < 1e-4, "{:?} is off by {off}", case.text);
    }
}

#[test]
fn a_vector_depends_on_the_text_alone() {
    let golden = golden();
    let mut texts: Vec<&str> = golden.iter().map(|case| case.text.as_str()).collect();
    let alone: Vec<Vec<f32>> = texts.iter().map(|text| EMBEDDER.embed(&[text]).unwrap().remove(0)).collect();
    assert_eq!(EMBEDDER.embed(&texts).unwrap(), alone);
    texts.reverse();
    texts.extend(["filler text of some other length"; 7]);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let again = one_thread.install(|| EMBEDDER.embed(&texts)).unwrap();
    assert_eq!(again[..alone.len()].iter().rev().cloned().collect::<Vec<_>>(), alone);
    assert!(EMBEDDER.embed(&[]).unwrap().is_empty());
}

#[test]
fn special_tokens_and_endless_texts_are_only_text() {
    let spelled = EMBEDDER.tokens("[SEP] [MASK] [CLS]").unwrap();
    assert_eq!(spelled.iter().filter(|&&id| (100..=103).contains(&id)).count(), 2, "only the frame: {spelled:?}");
    let long = "word ".repeat(1_000_000);
    assert_eq!(EMBEDDER.tokens(&long).unwrap().len(), 256);
    let odd = ["\u{0}\u{0}", "\u{fffd}", &"x".repeat(100_000), &" ".repeat(100_000), &"\u{301}".repeat(9_000)];
    assert_eq!(EMBEDDER.embed(&odd).unwrap().len(), odd.len());
}

#[test]
fn a_changed_byte_is_noticed_when_loading() {
    let paths = common::embedder_paths();
    let copy = tempfile::tempdir().unwrap();
    let dir = copy.path().join(&paths.entry().name);
    std::fs::create_dir(&dir).unwrap();
    for file in &paths.entry().files {
        std::fs::copy(paths.dir().join(&file.name), dir.join(&file.name)).unwrap();
    }
    let weights = dir.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let found = hinet_model::locate(paths.entry(), copy.path()).unwrap();
    assert!(matches!(Embedder::load(&found), Err(hinet_model::ModelError::WrongHash { .. })));
    assert!(hinet_model::verify(paths.entry(), copy.path()).is_err());
}
