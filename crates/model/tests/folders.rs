//! Damaged and hostile folders of Hugging Face's: each is refused with a sentence, none brings the program down; and
//! configurations as older versions wrote them.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "families/checkpoint.rs"]
#[allow(dead_code, reason = "each test target uses what it needs")]
mod checkpoint;

use checkpoint::Golden;
use hinet_model::{Anchor, LoadOptions};
use safetensors::Dtype;
use serde_json::{Value, json};
use std::{fs, path::Path};

fn options() -> LoadOptions {
    LoadOptions { threads: Some(1), ..LoadOptions::default() }
}

fn golden(family: &str) -> Golden {
    checkpoint::all().remove(family).unwrap()
}

fn folder(family: &str, shards: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    golden(family).write_folder(folder.path(), Dtype::F32, shards);
    folder
}

/// What is said about a folder that cannot be used, with all its causes.
fn refused(folder: &Path) -> String {
    let error = Anchor::open(folder, options()).expect_err("it cannot be used");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn says(folder: &Path, parts: &[&str]) {
    let text = refused(folder);
    assert!(parts.iter().all(|part| text.contains(part)), "\"{text}\" should say {parts:?}");
}

fn edit(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

/// Changes the header of a `safetensors` file, and keeps its data.
fn edit_header(path: &Path, edit: impl FnOnce(&mut Value)) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    edit(&mut header);
    let header = header.to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(&bytes[8 + length..]);
    fs::write(path, out).unwrap();
}

#[test]
fn an_index_names_only_files_beside_it() {
    for name in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "config.json", "a\\b.safetensors"]
    {
        let folder = folder("llama", 2);
        edit(&folder.path().join("model.safetensors.index.json"), |index| {
            index["weight_map"]["lm_head.weight"] = name.into();
        });
        says(folder.path(), &["model.safetensors.index.json", "beside it"]);
    }
    let folder = folder("llama", 2);
    let index = folder.path().join("model.safetensors.index.json");
    edit(&index, |index| index["weight_map"]["lm_head.weight"] = "model-00009-of-00002.safetensors".into());
    says(folder.path(), &["cannot read", "model-00009-of-00002.safetensors"]);
    edit(&index, |index| index["weight_map"]["lm_head.weight"] = "model-00002-of-00002.safetensors".into());
    says(folder.path(), &["lm_head.weight", "is not in the file that the index says"]);
    edit(&index, |index| drop(index["weight_map"].as_object_mut().unwrap().remove("lm_head.weight")));
    says(folder.path(), &["lacks the tensor \"lm_head.weight\""]);
    fs::write(&index, "{").unwrap();
    says(folder.path(), &["index.json is not the JSON file it should be"]);
    fs::remove_file(&index).unwrap();
    says(folder.path(), &["neither model.safetensors nor"]);
}

#[test]
fn a_bad_header_is_named() {
    let folder = folder("llama", 1);
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    let tensor = "model.layers.1.self_attn.k_proj.weight";
    let damaged = |bytes: &[u8], parts: &[&str]| {
        fs::write(&path, bytes).unwrap();
        says(folder.path(), parts);
    };
    damaged(&[], &["model.safetensors"]);
    damaged(b"\x10\0\0", &["ends in the middle of its header"]);
    damaged(&u64::MAX.to_le_bytes(), &["impossible length"]);
    damaged(&[&(1u64 << 20).to_le_bytes()[..], &[b' '; 100]].concat(), &["ends in the middle of its header"]);
    damaged(&[&4u64.to_le_bytes()[..], b"nope"].concat(), &["not the JSON"]);
    damaged(&whole[..whole.len() - 1], &["beyond the end of the file"]);
    let edits: [(&str, Value, &str); 9] = [
        ("data_offsets", json!([0, u64::MAX]), "beyond the end"),
        ("data_offsets", json!([8, 4]), "beyond the end"),
        ("data_offsets", json!([0, 4]), "do not agree"),
        ("data_offsets", json!([-1, 4]), "JSON"),
        ("shape", json!([u64::MAX, u64::MAX]), "do not agree"),
        ("shape", json!([32, 65]), "do not agree"),
        ("shape", json!([64, 32]), "needs [32, 64]"),
        ("shape", json!([2048]), "needs [32, 64]"),
        ("dtype", json!("F8_E4M3"), "stored as F8_E4M3"),
    ];
    for (key, value, said) in edits {
        fs::write(&path, &whole).unwrap();
        edit_header(&path, |header| header[tensor][key] = value.clone());
        says(folder.path(), &[said]);
    }
    fs::write(&path, &whole).unwrap();
    edit_header(&path, |header| drop(header.as_object_mut().unwrap().remove(tensor)));
    says(folder.path(), &["lacks the tensor", tensor]);
    fs::write(&path, &whole).unwrap();
    let bias = "model.layers.0.self_attn.q_proj.bias";
    edit_header(&path, |header| header[bias] = header["model.norm.weight"].clone());
    says(folder.path(), &[bias, "is a bias"]);
}

#[test]
fn numbers_that_are_none_are_found() {
    let golden = golden("qwen3moe");
    let folder = folder("qwen3moe", 1);
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for name in ["model.layers.1.mlp.experts.5.down_proj.weight", "model.layers.0.self_attn.q_norm.weight"] {
        let first: Vec<u8> = golden.numbers(name).iter().take(8).flat_map(|x| x.to_le_bytes()).collect();
        let at = whole.windows(first.len()).position(|window| window == first).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        says(folder.path(), &[name, "not finite"]);
    }
}

#[test]
fn a_bad_configuration_is_named() {
    let cases: [(&str, &str, Value, &str); 16] = [
        ("llama", "hidden_size", json!(0), "hidden_size"),
        ("llama", "hidden_size", json!(u64::MAX), "hidden_size"),
        ("llama", "num_hidden_layers", json!(3), "model.layers.2.input_layernorm.weight"),
        ("llama", "num_attention_heads", json!(3), "num_"),
        ("llama", "num_key_value_heads", json!(3), "num_key_value_heads"),
        ("llama", "vocab_size", json!("many"), "vocab_size"),
        ("llama", "vocab_size", json!(100), "more tokens than the model has rows for"),
        ("llama", "model_type", json!("gpt_neox"), "gpt_neox"),
        ("llama", "hidden_act", json!("relu"), "hidden_act"),
        ("llama", "attention_bias", json!(true), "attention_bias"),
        ("llama", "rope_parameters", json!({"rope_type": "yarn", "factor": 4.0}), "rope_scaling"),
        ("llama", "quantization_config", json!({"quant_method": "gptq"}), "quantisation"),
        ("gemma3", "layer_types", json!(["full_attention"]), "layer_types"),
        ("gemma3", "query_pre_attn_scalar", json!(0), "query_pre_attn_scalar"),
        ("mixtral", "num_experts_per_tok", json!(9), "num_experts_per_tok"),
        ("mixtral", "num_local_experts", json!(5), "needs [5, 64]"),
    ];
    for (family, key, value, named) in cases {
        let folder = folder(family, 1);
        edit(&folder.path().join("config.json"), |config| config[key] = value.clone());
        says(folder.path(), &[named]);
    }
    let folder = folder("llama", 1);
    for (bytes, named) in [(&b"[]"[..], "model_type"), (b"{", "JSON"), (b"", "JSON")] {
        fs::write(folder.path().join("config.json"), bytes).unwrap();
        says(folder.path(), &[named]);
    }
    fs::remove_file(folder.path().join("config.json")).unwrap();
    says(folder.path(), &["cannot read", "config.json"]);
}

#[test]
fn configurations_of_before_version_5_mean_the_same() {
    let same = |family: &str, change: &dyn Fn(&mut Value)| {
        let folder = folder(family, 1);
        let now = Anchor::open(folder.path(), options()).unwrap().config().clone();
        edit(&folder.path().join("config.json"), |config| change(config));
        assert_eq!(*Anchor::open(folder.path(), options()).unwrap().config(), now, "{family}");
    };
    let forget = |config: &mut Value, keys: &[&str]| {
        keys.iter().for_each(|key| drop(config.as_object_mut().unwrap().remove(*key)));
    };
    same("llama", &|config| {
        let mut rope = config["rope_parameters"].take();
        config["rope_theta"] = rope["rope_theta"].take();
        config["rope_scaling"] = rope;
        forget(config, &["rope_parameters", "head_dim"]);
    });
    same("qwen3", &|config| {
        config["rope_theta"] = json!(1_000_000);
        config["rope_scaling"] = Value::Null;
        forget(config, &["rope_parameters", "layer_types"]);
    });
    same("qwen3moe", &|config| {
        config["num_experts"] = config["num_local_experts"].take();
        config["rope_theta"] = json!(10_000.0);
        forget(config, &["rope_parameters", "num_local_experts"]);
    });
    same("gemma2", &|config| {
        config["hidden_act"] = json!("gelu_pytorch_tanh");
        forget(config, &["rope_parameters", "layer_types", "hidden_activation", "tie_word_embeddings"]);
    });
    same("gemma3", &|config| {
        config["rope_theta"] = json!(1_000_000.0);
        config["rope_local_base_freq"] = json!(10_000.0);
        config["rope_scaling"] = json!({"rope_type": "linear", "factor": 8.0});
        config["sliding_window_pattern"] = json!(6);
        forget(config, &["rope_parameters", "layer_types", "_sliding_window_pattern"]);
    });
}

#[test]
fn the_text_part_of_a_model_that_also_sees_is_run() {
    for prefix in ["language_model.model.", "model.language_model."] {
        let folder = folder("gemma3", 1);
        let tokens = golden("gemma3").tokens;
        let alone = Anchor::open(folder.path(), options()).unwrap().session(64).logits(&tokens).unwrap();
        edit(&folder.path().join("config.json"), |config| {
            let mut text = config.take();
            let keys = ["tie_word_embeddings", "max_position_embeddings"];
            keys.iter().for_each(|key| drop(text.as_object_mut().unwrap().remove(*key)));
            *config = json!({"model_type": "gemma3", "text_config": text, "eos_token_id": [1, 106]});
        });
        edit_header(&folder.path().join("model.safetensors"), |header| {
            let old = std::mem::take(header.as_object_mut().unwrap());
            let renamed = |name: String| name.replacen("model.", prefix, 1);
            *header = old.into_iter().map(|(name, value)| (renamed(name), value)).collect();
        });
        let anchor = Anchor::open(folder.path(), options()).unwrap();
        assert_eq!(anchor.context(), 131_072);
        assert_eq!(anchor.session(64).logits(&tokens).unwrap(), alone);
    }
}

#[test]
fn chats_and_ends_come_from_the_files_beside_the_weights() {
    let folder = folder("llama", 1);
    let anchor = Anchor::open(folder.path(), options()).unwrap();
    assert_eq!(anchor.render(&[], true).unwrap(), "<s>");
    assert_eq!((anchor.tokenizer().bos(), anchor.tokenizer().eos()), (Some(256), Some(257)));
    fs::write(folder.path().join("chat_template.jinja"), "{{ eos_token }}!").unwrap();
    assert_eq!(Anchor::open(folder.path(), options()).unwrap().render(&[], true).unwrap(), "</s>!");
    fs::write(folder.path().join("tokenizer_config.json"), "[").unwrap();
    says(folder.path(), &["tokenizer_config.json", "JSON"]);
    fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    says(folder.path(), &["cannot read", "tokenizer.json"]);
}
