//! Anchors, members and routers of which no sparse model can be made, and GGUF files of which one can.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

#[path = "kit/experts.rs"]
mod experts;
mod kit;

use experts::{MadeUp, Models, gap, golden, make, model, open, plain, write};
use hinet_compose::{
    Adapted, Checkpoint, ComposeError, Experts, Float, GgufFile, Router, Source, Whose, compose_experts,
    experts_to_gguf, gather,
};
use hinet_model::{
    Anchor, Delta, LoadOptions,
    delta::{Factors, Linear, Place},
    gguf::Gguf,
};
use hinet_protocol::Hash;
use kit::{Tensors, noise};
use serde_json::{Value, json};
use std::{fs, ops::ControlFlow, path::Path, sync::Arc};

fn edit(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("config.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut json);
    fs::write(&path, json.to_string()).unwrap();
}

/// What is said about an anchor, with its causes.
fn said(anchor: Arc<dyn Source>) -> String {
    let hash = anchor.hash().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("out");
    let error = make(&Experts::new(hash, []), &gather([anchor]).unwrap(), &place, &plain(1)).unwrap_err();
    assert!(!place.exists() && !dir.path().join("out.part").exists(), "nothing half-written");
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

/// What is said about the anchor of a family, changed.
fn of(family: &str, change: impl FnOnce(&mut Tensors), config: impl FnOnce(&mut Value)) -> String {
    let golden = golden(family);
    let mut tensors = model(&golden, 0);
    change(&mut tensors);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &golden, &tensors);
    edit(dir.path(), config);
    said(Arc::new(Checkpoint::open(dir.path()).unwrap()))
}

#[test]
fn what_the_layout_cannot_carry_is_named() {
    let says = |text: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| text.contains(part)), "\"{text}\" should say {parts:?}");
    };
    let none = |_: &mut Tensors| ();
    let same = |_: &mut Value| ();
    says(of("mixtral", none, same), &["belongs to a mixture already", "block_sparse_moe"]);
    says(of("qwen3moe", none, same), &["belongs to a mixture already"]);
    says(of("qwen3", none, same), &["norms the heads", "k_norm"]);
    says(of("gemma2", none, same), &["norms what is added to the stream"]);
    let bias =
        |all: &mut Tensors| drop(all.insert("model.layers.0.self_attn.q_proj.bias".into(), (vec![64], vec![0.0; 64])));
    says(of("llama", bias, same), &["q_proj.bias", "is a bias"]);
    let strange = |all: &mut Tensors| drop(all.insert("model.layers.0.adapter.weight".into(), (vec![1], vec![0.0])));
    says(of("llama", strange, same), &["adapter.weight", "has no place"]);
    for (key, value, word) in [
        ("attention_bias", json!(true), "has biases (attention_bias)"),
        ("mlp_bias", json!(true), "has biases (mlp_bias)"),
        ("final_logit_softcapping", json!(30.0), "caps its scores"),
        ("attn_logit_softcapping", json!(50.0), "caps its scores"),
        ("model_type", json!("granite"), "it is a \"granite\""),
        ("model_type", json!("qwen2"), "biases"),
        ("model_type", Value::Null, "names no model_type"),
        ("rope_parameters", json!({"rope_type": "yarn", "factor": 4.0}), "rope_scaling"),
        ("quantization_config", json!({"quant_method": "gptq"}), "quantisation"),
        ("hidden_size", json!(128), "its configuration says"),
        ("num_hidden_layers", json!(3), "is not there"),
        ("num_hidden_layers", json!(1), "beyond those in its configuration"),
    ] {
        says(of("llama", none, |config| config[key] = value), &[word]);
    }
    let kinds = json!(["sliding_attention", "full_attention"]);
    says(of("mistral", none, |config| config["layer_types"] = kinds), &["window"]);
    let less = |all: &mut Tensors| drop(all.remove("lm_head.weight"));
    says(of("llama", less, same), &["lm_head.weight", "is not there"]);
}

#[test]
fn members_that_do_not_fit_are_named() {
    let name = "model.layers.1.mlp.up_proj.weight";
    let say = |change: &dyn Fn(&mut Tensors)| {
        let golden = golden("llama");
        let mut member = model(&golden, 1);
        change(&mut member);
        let models = Models::of(golden, vec![model(&experts::golden("llama"), 0), member]);
        let error = models.make(&models.recipe(&[1]), "out").unwrap_err().to_string();
        assert!(!models.place("out").exists() && !models.place("out.part").exists(), "nothing half-written");
        error
    };
    let lacking = say(&|all| drop(all.remove(name)));
    assert!(lacking.contains("lacks") && lacking.contains(name), "{lacking}");
    let more = say(&|all| drop(all.insert("model.layers.2.extra".into(), (vec![1], vec![0.0]))));
    assert!(more.contains("model.layers.2.extra"), "{more}");
    let shape = say(&|all| all.get_mut(name).unwrap().0 = vec![64, 96]);
    assert!(shape.contains("[64, 96]") && shape.contains("[96, 64]"), "{shape}");
    let infinite = say(&|all| all.get_mut(name).unwrap().1[5] = f32::NAN);
    assert!(infinite.contains("not finite") && infinite.contains(name), "{infinite}");
}

/// Rows that do not fit.
struct Unfit(fn(usize) -> Vec<f32>);

impl Router for Unfit {
    fn rows(&self, layer: usize, experts: &[Whose], width: usize) -> Result<Vec<f32>, ComposeError> {
        assert!(layer < 2 && experts[0] == Whose::Anchor);
        Ok((self.0)(experts.len() * width))
    }

    fn hash(&self, _: &[Whose]) -> Hash {
        Hash([1; 32])
    }
}

#[test]
fn rows_of_a_router_that_do_not_fit_are_refused() {
    let models = Models::new("llama", 2);
    let say = |rows: fn(usize) -> Vec<f32>| {
        let place = models.place("out");
        let go = &mut |_: hinet_compose::Progress<'_>| ControlFlow::Continue(());
        let made = compose_experts(&models.recipe(&[1]), &models.sources, &Unfit(rows), &place, &plain(1), go);
        assert!(!place.exists() && !models.place("out.part").exists(), "nothing half-written");
        made.unwrap_err().to_string()
    };
    assert!(say(|count| vec![0.0; count - 1]).contains("layer 0 cannot be used: it has another number of rows"));
    assert!(say(|count| vec![f32::INFINITY; count]).contains("not finite"));
}

#[test]
fn a_folder_that_is_cut_short_meanwhile_is_an_error() {
    let models = Models::new("llama", 2);
    let file = fs::OpenOptions::new().write(true).open(models.place("model-1/model.safetensors")).unwrap();
    file.set_len(20_000).unwrap();
    let error = models.make(&models.recipe(&[1]), "out").unwrap_err();
    assert!(matches!(error, ComposeError::Read { .. }), "{error}");
    assert!(!models.place("out").exists());
}

fn delta(seed: u64) -> Delta {
    let mut delta = Delta::default();
    for (at, (layer, linear)) in [(0, Linear::Query), (1, Linear::Up), (1, Linear::Down)].into_iter().enumerate() {
        let (inputs, outputs) = match linear {
            Linear::Query => (64, 64),
            Linear::Up => (64, 96),
            _ => (96, 64),
        };
        let numbers = |salt: u64, count| noise(seed * 100 + at as u64 * 10 + salt, count).map(|x| x / 4.0).collect();
        let factors =
            Factors { rank: 2, a: numbers(1, 2 * inputs), b: numbers(2, 2 * outputs), alpha: 2.0, magnitudes: None };
        delta.insert(Place { layer, linear }, factors).unwrap();
    }
    delta
}

#[test]
fn a_gguf_file_with_deltas_gives_what_the_folder_gives() {
    let golden = golden("mistral");
    let dir = tempfile::tempdir().unwrap();
    let gguf = dir.path().join("anchor.gguf");
    fs::write(&gguf, golden.gguf().unwrap()).unwrap();
    let folder = dir.path().join("anchor");
    fs::create_dir(&folder).unwrap();
    golden.write_folder(&folder, safetensors::Dtype::F32, 1);
    let anchors: [Arc<dyn Source>; 2] =
        [Arc::new(GgufFile::open(&gguf).unwrap()), Arc::new(Checkpoint::open(&folder).unwrap())];
    let mut found = Vec::new();
    for (index, anchor) in anchors.into_iter().enumerate() {
        let mut all = vec![anchor.clone()];
        for seed in 1..3 {
            let path = dir.path().join(format!("delta-{seed}"));
            all.push(Arc::new(Adapted::new(anchor.clone(), delta(seed), path).unwrap()));
        }
        let hashes: Vec<Hash> = all.iter().map(|source| source.hash().unwrap()).collect();
        // Members are ordered by their hashes, which are others here and there; all experts are used, and none is first.
        let recipe = Experts { used: 3, ..Experts::new(hashes[0], hashes[1..].iter().copied()) };
        let place = dir.path().join(format!("moe-{index}"));
        let router = Alike;
        let go = &mut |_: hinet_compose::Progress<'_>| ControlFlow::Continue(());
        compose_experts(&recipe, &gather(all).unwrap(), &router, &place, &plain(2), go).unwrap();
        let anchor = open(&place);
        assert_eq!(anchor.config().plan[1].window, Some(8));
        assert_eq!((anchor.tokenizer().bos(), anchor.tokenizer().eos()), (Some(256), Some(257)));
        assert_eq!(anchor.encode("a b", false).len(), 3);
        found.push(anchor.session(64).logits(&golden.tokens).unwrap());
    }
    let mut bytes = Vec::new();
    let plain = Gguf::open(&gguf).unwrap();
    experts_to_gguf(&dir.path().join("moe-0"), &plain, Float::F32, &mut bytes).unwrap();
    let file = Gguf::from_bytes(bytes).unwrap();
    assert_eq!(file.tensor("blk.1.ffn_down_exps.weight").unwrap().shape, [3, 64, 96]);
    let anchor = Anchor::from_gguf(&file, LoadOptions { threads: Some(2), ..LoadOptions::default() }).unwrap();
    let again = gap(&anchor.session(64).logits(&golden.tokens).unwrap(), &found[0]);
    println!("as a GGUF file: differs by at most {again:.1e}");
    assert!(again < 1e-3, "{again}");
    let other = experts_to_gguf(&folder, &plain, Float::F16, &mut Vec::new()).unwrap_err();
    assert!(other.to_string().contains("names no experts"), "{other}");
    let gap = gap(&found[0], &found[1]);
    println!("from a GGUF file: differs by at most {gap:.1e}");
    assert!(gap < 1e-3, "{gap}");
}

/// A router that prefers nobody.
struct Alike;

impl Router for Alike {
    fn rows(&self, _: usize, experts: &[Whose], width: usize) -> Result<Vec<f32>, ComposeError> {
        Ok(vec![0.0; experts.len() * width])
    }

    fn hash(&self, experts: &[Whose]) -> Hash {
        MadeUp.hash(experts)
    }
}

#[test]
fn a_gguf_file_whose_configuration_cannot_be_written_asks_for_one() {
    // Its frequencies are divided by factors, which a configuration does not say like that.
    let golden = golden("llama");
    let dir = tempfile::tempdir().unwrap();
    let gguf = dir.path().join("anchor.gguf");
    fs::write(&gguf, golden.gguf().unwrap()).unwrap();
    let anchor: Arc<dyn Source> = Arc::new(GgufFile::open(&gguf).unwrap());
    let text = said(anchor.clone());
    assert!(text.contains("config.json"), "{text}");
    let files = dir.path().join("files");
    fs::create_dir(&files).unwrap();
    golden.write_folder(&files, safetensors::Dtype::F32, 1);
    let recipe = Experts::new(anchor.hash().unwrap(), []);
    let options = hinet_compose::Options { files: Some(files.clone()), ..plain(2) };
    make(&recipe, &gather([anchor]).unwrap(), &dir.path().join("moe"), &options).unwrap();
    let logits = |folder: &Path| open(folder).session(64).logits(&golden.tokens).unwrap();
    let gap = gap(&logits(&dir.path().join("moe")), &logits(&files));
    assert!(gap < 1e-3, "{gap}");
}
