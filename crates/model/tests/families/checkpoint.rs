//! Tiny checkpoints of every family, made from `golden/families.json`: as folders of Hugging Face's, and as GGUF files.

use half::{bf16, f16};
use hinet_model::gguf::{Kind, Tensor, Value, write::write};
use safetensors::{Dtype, tensor::TensorView};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// What transformers computes for one family, and from what.
#[derive(Deserialize)]
pub struct Golden {
    pub config: serde_json::Value,
    pub tensors: BTreeMap<String, Vec<usize>>,
    pub tokens: Vec<u32>,
    pub logits: BTreeMap<usize, Vec<f32>>,
    /// The same with keys and values rounded to half floats.
    pub rounded: BTreeMap<usize, Vec<f32>>,
}

pub fn all() -> BTreeMap<String, Golden> {
    serde_json::from_str(include_str!("../golden/families.json")).unwrap()
}

/// The first numbers of `SplitMix64`, begun at the FNV-1a hash of the name.
fn stream(name: &str) -> impl Iterator<Item = u64> {
    let hash = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

impl Golden {
    fn kind(&self) -> &str {
        self.config["model_type"].as_str().unwrap()
    }

    fn size(&self, key: &str) -> usize {
        self.config[key].as_u64().unwrap() as usize
    }

    fn is_gemma(&self) -> bool {
        self.kind().starts_with("gemma")
    }

    /// The numbers of a tensor; `golden/families.py` makes the same.
    pub fn numbers(&self, name: &str) -> Vec<f32> {
        let shape = &self.tensors[name];
        let centre = if self.is_gemma() { 0.0 } else { 1.0 };
        let number = |z: u64| match shape[..] {
            [_] => ((z >> 60) as f32 - 8.0) / 64.0 + centre,
            [.., columns] => {
                ((z >> 56) as f32 - 128.0) / (1u64 << (6 + (usize::BITS - columns.leading_zeros()) / 2)) as f32
            }
            [] => unreachable!("no tensor is a single number"),
        };
        stream(name).take(shape.iter().product()).map(number).collect()
    }

    /// Writes a folder; with several shards, tensors are dealt to them in turn.
    pub fn write_folder(&self, folder: &Path, dtype: Dtype, shards: usize) {
        fs::write(folder.join("config.json"), self.config.to_string()).unwrap();
        fs::write(folder.join("tokenizer.json"), tokenizer_json()).unwrap();
        let settings = r#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": "{{ bos_token }}"}"#;
        fs::write(folder.join("tokenizer_config.json"), settings).unwrap();
        let bytes: Vec<(&String, Vec<u8>)> =
            self.tensors.keys().map(|name| (name, encode(&self.numbers(name), dtype))).collect();
        let mut files: Vec<Vec<(String, TensorView<'_>)>> = (0..shards).map(|_| Vec::new()).collect();
        let mut index = serde_json::Map::new();
        let file = |shard: usize| match shards {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{shards:05}.safetensors", shard + 1),
        };
        for (at, (name, bytes)) in bytes.iter().enumerate() {
            let view = TensorView::new(dtype, self.tensors[*name].clone(), bytes).unwrap();
            files[at % shards].push(((*name).clone(), view));
            index.insert((*name).clone(), file(at % shards).into());
        }
        for (shard, tensors) in files.into_iter().enumerate() {
            fs::write(folder.join(file(shard)), safetensors::serialize(tensors, None).unwrap()).unwrap();
        }
        if shards > 1 {
            let index = serde_json::json!({"metadata": {}, "weight_map": index});
            fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
        }
    }

    /// The same model as the bytes of a GGUF file; `None` where GGUF has no way to say it.
    pub fn gguf(&self) -> Option<Vec<u8>> {
        let mixed = self.config["mlp_only_layers"].as_array().is_some_and(|layers| !layers.is_empty());
        if mixed {
            return None;
        }
        let mut tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
        for (name, shape) in &self.tensors {
            let numbers = self.gguf_numbers(name);
            let (name, expert) = gguf_name(name, self.is_gemma());
            let entry = tensors.entry(name).or_default();
            if let Some(expert) = expert {
                // Experts come in the order of their names, of which there are at most ten.
                assert_eq!(entry.0.first().copied().unwrap_or(0), expert);
                entry.0 = vec![expert + 1, shape[0], shape[1]];
            } else {
                entry.0.clone_from(shape);
            }
            entry.1.extend(numbers);
        }
        if let Some(factors) = self.llama3_factors() {
            tensors.insert("rope_freqs.weight".into(), (vec![factors.len()], factors));
        }
        let bytes: Vec<_> = tensors.iter().map(|(name, (shape, x))| (name, shape, encode(x, Dtype::F32))).collect();
        let tensors: Vec<Tensor<'_>> =
            bytes.iter().map(|(name, shape, bytes)| Tensor { name, shape, kind: Kind::F32, bytes }).collect();
        let mut file = Vec::new();
        write(&mut file, &self.metadata(), &tensors).unwrap();
        Some(file)
    }

    /// GGUF counts gains from zero, and pairs neighbours in Llama's heads.
    fn gguf_numbers(&self, name: &str) -> Vec<f32> {
        let (numbers, shape) = (self.numbers(name), &self.tensors[name]);
        if self.is_gemma() && shape.len() == 1 {
            return numbers.iter().map(|x| x + 1.0).collect();
        }
        let turned = name.contains("q_proj") || name.contains("k_proj");
        if !turned || !["llama", "mistral", "mixtral"].contains(&self.kind()) {
            return numbers;
        }
        let (dims, columns) = (self.size("head_dim"), shape[1]);
        let row = |row: usize| {
            let (head, i) = (row / dims, row % dims);
            &numbers[(head * dims + i % 2 * dims / 2 + i / 2) * columns..][..columns]
        };
        (0..shape[0]).flat_map(row).copied().collect()
    }

    fn llama3_factors(&self) -> Option<Vec<f32>> {
        let rope = &self.config["rope_parameters"];
        let number = |key: &str| rope[key].as_f64().unwrap();
        if rope["rope_type"] != "llama3" {
            return None;
        }
        let (factor, trained) = (number("factor"), number("original_max_position_embeddings"));
        let (low, high) = (number("low_freq_factor"), number("high_freq_factor"));
        let dims = self.size("head_dim");
        let factor = |i: usize| {
            let wave = std::f64::consts::TAU * number("rope_theta").powf(2.0 * i as f64 / dims as f64);
            if wave > trained / low {
                factor as f32
            } else if wave < trained / high {
                1.0
            } else {
                let smooth = (trained / wave - low) / (high - low);
                (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
            }
        };
        Some((0..dims / 2).map(factor).collect())
    }

    fn metadata(&self) -> BTreeMap<String, Value> {
        let kind = self.kind();
        let architecture = match kind {
            "llama" | "mistral" | "mixtral" => "llama",
            "qwen3_moe" => "qwen3moe",
            "gemma3_text" => "gemma3",
            other => other,
        };
        let mut metadata = BTreeMap::new();
        let mut put = |key: &str, value: Value| metadata.insert(key.replace('*', architecture), value);
        let text = |text: &str| Value::Text(text.into());
        put("general.architecture", text(architecture));
        let sizes = [
            ("block_count", "num_hidden_layers"),
            ("embedding_length", "hidden_size"),
            ("feed_forward_length", "intermediate_size"),
            ("context_length", "max_position_embeddings"),
            ("attention.head_count", "num_attention_heads"),
            ("attention.head_count_kv", "num_key_value_heads"),
            ("attention.key_length", "head_dim"),
            ("attention.value_length", "head_dim"),
            ("attention.sliding_window", "sliding_window"),
            ("expert_count", "num_local_experts"),
            ("expert_used_count", "num_experts_per_tok"),
            ("expert_feed_forward_length", "moe_intermediate_size"),
        ];
        for (key, size) in sizes {
            if let Some(size) = self.config[size].as_i64() {
                put(&format!("*.{key}"), Value::Int(size));
            }
        }
        put("*.attention.layer_norm_rms_epsilon", Value::Float(self.config["rms_norm_eps"].as_f64().unwrap()));
        for cap in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if let Some(cap_at) = self.config[cap].as_f64() {
                put(&format!("*.{cap}"), Value::Float(cap_at));
            }
        }
        if let Some(scalar) = self.config["query_pre_attn_scalar"].as_f64() {
            put("*.attention.scale", Value::Float(scalar.powf(-0.5)));
        }
        let rope = &self.config["rope_parameters"];
        let rope = if rope["full_attention"].is_object() { &rope["full_attention"] } else { rope };
        put("*.rope.freq_base", Value::Float(rope["rope_theta"].as_f64().unwrap()));
        if rope["rope_type"] == "linear" {
            put("*.rope.scaling.type", text("linear"));
            put("*.rope.scaling.factor", Value::Float(rope["factor"].as_f64().unwrap()));
        }
        put("tokenizer.ggml.model", text("gpt2"));
        put("tokenizer.ggml.pre", text("gpt-2"));
        let tokens = bytes_spelled().into_iter().chain(["<s>".into(), "</s>".into()]);
        // Other programs want a token for every row of the embedding.
        let tokens = tokens.chain((258..self.size("vocab_size")).map(|id| format!("<unused{id}>")));
        put("tokenizer.ggml.tokens", Value::List(tokens.map(Value::Text).collect()));
        let kinds = std::iter::repeat_n(1, 256).chain([3, 3]);
        let kinds = kinds.chain(std::iter::repeat_n(5, self.size("vocab_size") - 258)).map(Value::Int);
        put("tokenizer.ggml.token_type", Value::List(kinds.collect()));
        put("tokenizer.ggml.merges", Value::List(Vec::new()));
        put("tokenizer.ggml.bos_token_id", Value::Int(256));
        put("tokenizer.ggml.eos_token_id", Value::Int(257));
        metadata
    }
}

/// The name in a GGUF file, and which expert it is.
fn gguf_name(name: &str, gemma: bool) -> (String, Option<usize>) {
    let name = name.strip_prefix("model.").unwrap_or(name);
    let inner = match name.strip_prefix("layers.") {
        Some(inner) => inner,
        None => {
            let name = name.replace("embed_tokens", "token_embd").replace("lm_head", "output");
            return (if name == "norm.weight" { "output_norm.weight".into() } else { name }, None);
        }
    };
    let (layer, inner) = inner.split_once('.').unwrap();
    let words: Vec<&str> = inner.split('.').collect();
    let (part, expert) = match words[..] {
        [_, "experts", expert, matrix, _] => {
            let part = match matrix {
                "w1" | "gate_proj" => "ffn_gate_exps",
                "w2" | "down_proj" => "ffn_down_exps",
                _ => "ffn_up_exps",
            };
            (part, Some(expert.parse().unwrap()))
        }
        [_, "gate", _] => ("ffn_gate_inp", None),
        ["mlp", part, _] => {
            (["ffn_gate", "ffn_up", "ffn_down"][at(&["gate_proj", "up_proj", "down_proj"], part)], None)
        }
        ["self_attn", part, _] => {
            let theirs = ["q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm"];
            let ours = ["attn_q", "attn_k", "attn_v", "attn_output", "attn_q_norm", "attn_k_norm"];
            (ours[at(&theirs, part)], None)
        }
        ["input_layernorm", _] => ("attn_norm", None),
        ["post_attention_layernorm", _] if gemma => ("post_attention_norm", None),
        ["post_attention_layernorm" | "pre_feedforward_layernorm", _] => ("ffn_norm", None),
        ["post_feedforward_layernorm", _] => ("post_ffw_norm", None),
        _ => panic!("{name} has no place in a GGUF file"),
    };
    (format!("blk.{layer}.{part}.weight"), expert)
}

fn at(list: &[&str], wanted: &str) -> usize {
    list.iter().position(|name| *name == wanted).unwrap()
}

fn encode(numbers: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Dtype::F16 => numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
        _ => numbers.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
    }
}

/// Every byte in GPT-2's alphabet.
fn bytes_spelled() -> Vec<String> {
    let mut next = 0x100;
    let spell = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte).to_string(),
        _ => {
            next += 1;
            char::from_u32(next - 1).unwrap().to_string()
        }
    };
    (0..=u8::MAX).map(spell).collect()
}

/// A tokenizer of single bytes with two control tokens.
fn tokenizer_json() -> String {
    let vocab: serde_json::Map<_, _> = bytes_spelled().into_iter().zip((0..).map(serde_json::Value::from)).collect();
    let added = |id: u32, content: &str| {
        serde_json::json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false})
    };
    let bytes =
        serde_json::json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [added(256, "<s>"), added(257, "</s>")], "pre_tokenizer": bytes, "decoder": bytes,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": []},
    })
    .to_string()
}
