//! Mixtral's layout: what of an anchor it can carry, and the configuration that says so.

use super::Experts;
use crate::{
    ComposeError, Float, Source,
    plan::{self, Job},
    source::{layer_of, read_json},
};
use hinet_model::Config;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The tensors of a layer that are shared.
const SHARED: [&str; 6] = [
    "input_layernorm",
    "post_attention_layernorm",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
];
/// The matrices of a feed-forward layer, and what Mixtral calls them.
pub(super) const FEED: [(&str, &str); 3] = [("mlp.gate_proj", "w1"), ("mlp.down_proj", "w2"), ("mlp.up_proj", "w3")];
/// Settings that are carried over as they are, and what `transformers` takes for those that a Llama leaves out. Mixtral's
/// own would be others.
const CARRIED: [(&str, Value); 11] = [
    ("hidden_size", Value::Null),
    ("intermediate_size", Value::Null),
    ("num_hidden_layers", Value::Null),
    ("num_attention_heads", Value::Null),
    ("vocab_size", Value::Null),
    ("max_position_embeddings", Value::Null),
    ("bos_token_id", Value::Null),
    ("eos_token_id", Value::Null),
    ("pad_token_id", Value::Null),
    ("tie_word_embeddings", Value::Bool(false)),
    ("use_cache", Value::Bool(true)),
];

/// What a tensor of an anchor is in the result.
pub(super) enum Part {
    /// A matrix of an expert.
    Feed { layer: usize, matrix: &'static str },
    /// Everybody's.
    Shared,
    /// Nothing: it follows from the configuration.
    Follows,
    /// Something that has no place, and why.
    Foreign(&'static str),
}

/// What a tensor of this name is.
pub(super) fn part(name: &str) -> Part {
    if name.ends_with("rotary_emb.inv_freq") {
        return Part::Follows;
    }
    let inner = match layer_of(name) {
        None if ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"].contains(&name) => {
            return Part::Shared;
        }
        Some((layer, at)) if name[..at.start] == *"model.layers." => Some((layer, &name[at.end..])),
        _ => None,
    };
    if let Some((layer, inner)) = inner
        && let Some(inner) = inner.strip_prefix('.').and_then(|inner| inner.strip_suffix(".weight"))
    {
        if SHARED.contains(&inner) {
            return Part::Shared;
        }
        if let Some((_, matrix)) = FEED.iter().find(|(theirs, _)| *theirs == inner) {
            return Part::Feed { layer, matrix };
        }
    }
    Part::Foreign(if name.ends_with(".bias") {
        "is a bias, and the layout has none"
    } else if name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight") {
        "norms the heads of queries or keys, which the layout does not"
    } else if name.contains("experts") || name.contains("block_sparse_moe") || name.ends_with("mlp.gate.weight") {
        "belongs to a mixture already; take the model without mixtures that its experts came from"
    } else if name.contains("feedforward_layernorm") {
        "norms what is added to the stream, which the layout does not"
    } else {
        "has no place there"
    })
}

/// That a tensor has no place in the layout.
pub(super) fn foreign(anchor: &dyn Source, name: &str) -> ComposeError {
    let problem = if let Part::Foreign(problem) = part(name) { problem } else { "has no place there" };
    ComposeError::NoMixture { whose: anchor.label(), problem: format!("its tensor \"{name}\" {problem}") }
}

/// An anchor that the layout can carry.
pub(super) struct Layout {
    pub layers: usize,
    pub width: usize,
    whose: String,
    json: Map<String, Value>,
    shape: Config,
}

impl Layout {
    /// Looks at an anchor's configuration and at the names of its tensors.
    pub fn of(anchor: &dyn Source, files: Option<&Path>) -> Result<Self, ComposeError> {
        let refused = |problem: String| ComposeError::NoMixture { whose: anchor.label(), problem };
        let foreign = |name: &&String| matches!(part(name), Part::Foreign(_));
        if let Some(name) = anchor.tensors().keys().find(foreign) {
            return Err(self::foreign(anchor, name));
        }
        let json = match files.map(|folder| folder.join("config.json")).filter(|path| path.exists()) {
            Some(path) => Some(read_json(&path)?),
            None => anchor.config()?,
        };
        let Some(Value::Object(json)) = json else {
            let problem = "nothing says how it is run; put its config.json beside it, or name a folder that has it";
            return Err(refused(problem.into()));
        };
        if let Some(problem) = unfit(&json) {
            return Err(refused(problem));
        }
        let shape = Config::from_checkpoint(&Value::Object(json.clone()))
            .map_err(|source| crate::error::member(anchor.label(), source))?;
        if shape.plan.windows(2).any(|two| two[0].window != two[1].window) {
            let problem =
                "some of its layers look through a window and some do not; take an anchor whose layers are alike";
            return Err(refused(problem.into()));
        }
        let layout = Self { layers: shape.layers, width: shape.width, whose: anchor.label(), json, shape };
        layout.whole(anchor)?;
        Ok(layout)
    }

    /// Whether every tensor is there that the configuration speaks of, as large as it says, and no more layers.
    fn whole(&self, anchor: &dyn Source) -> Result<(), ComposeError> {
        let (shape, width) = (&self.shape, self.width);
        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        let mut wanted = vec![
            ("model.embed_tokens.weight".to_owned(), vec![shape.vocabulary, width]),
            ("model.norm.weight".to_owned(), vec![width]),
        ];
        if !self.tied() {
            wanted.push(("lm_head.weight".to_owned(), vec![shape.vocabulary, width]));
        }
        for layer in 0..self.layers {
            for inner in SHARED.into_iter().chain(FEED.map(|(theirs, _)| theirs)) {
                let dimensions = match inner {
                    "self_attn.q_proj" => vec![queries, width],
                    "self_attn.k_proj" | "self_attn.v_proj" => vec![keys, width],
                    "self_attn.o_proj" => vec![width, queries],
                    "mlp.gate_proj" | "mlp.up_proj" => vec![shape.hidden, width],
                    "mlp.down_proj" => vec![width, shape.hidden],
                    _ => vec![width],
                };
                wanted.push((format!("model.layers.{layer}.{inner}.weight"), dimensions));
            }
        }
        let all = anchor.tensors();
        for (name, dimensions) in wanted {
            let whose = self.whose.clone();
            let problem = match all.get(&name) {
                None => "is not there, but its configuration speaks of it; fetch the model once more".to_owned(),
                Some(info) if info.shape != dimensions => {
                    let found = &info.shape;
                    format!("is {found:?}, but its configuration says {dimensions:?}; fetch the model once more")
                }
                Some(_) => continue,
            };
            return Err(ComposeError::Tensor { name, whose, problem });
        }
        let beyond = |name: &&String| layer_of(name).is_some_and(|(layer, _)| layer >= self.layers);
        match all.keys().find(beyond) {
            Some(name) => {
                let problem = "is of a layer beyond those in its configuration; fetch the model once more".into();
                Err(ComposeError::Tensor { name: name.clone(), whose: self.whose.clone(), problem })
            }
            None => Ok(()),
        }
    }

    fn tied(&self) -> bool {
        self.json.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The matrix whose format a layer's router has.
    pub fn gate(&self, layer: usize) -> String {
        format!("model.layers.{layer}.{}.weight", FEED[0].0)
    }

    /// The configuration of the result.
    pub fn config(&self, recipe: &Experts, jobs: &[Job<'_>]) -> Value {
        let experts = recipe.experts().len();
        let get = |key: &str| self.json.get(key).filter(|value| !value.is_null()).cloned();
        let mut all = Map::new();
        all.insert("architectures".into(), json!(["MixtralForCausalLM"]));
        all.insert("model_type".into(), "mixtral".into());
        for (key, otherwise) in CARRIED {
            all.insert(key.into(), get(key).unwrap_or(otherwise));
        }
        all.insert("num_key_value_heads".into(), self.shape.kv_heads.into());
        all.insert("head_dim".into(), self.shape.head_dim.into());
        let window = self.shape.plan.first().and_then(|plan| plan.window);
        all.insert("sliding_window".into(), window.map_or(Value::Null, Value::from));
        all.insert("hidden_act".into(), get("hidden_act").unwrap_or_else(|| "silu".into()));
        all.insert("rms_norm_eps".into(), get("rms_norm_eps").unwrap_or_else(|| json!(1e-6)));
        all.insert("initializer_range".into(), get("initializer_range").unwrap_or_else(|| json!(0.02)));
        all.insert("attention_dropout".into(), get("attention_dropout").unwrap_or_else(|| json!(0.0)));
        let (theta, scaling) = rope(&self.json);
        all.insert("rope_theta".into(), theta);
        all.insert("rope_scaling".into(), scaling);
        all.insert("num_local_experts".into(), experts.into());
        all.insert("num_experts_per_tok".into(), recipe.used.min(experts).into());
        all.insert("output_router_logits".into(), false.into());
        let float = plan::shape(jobs).1.unwrap_or(Float::F32);
        let key = if self.json.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        all.insert(key.into(), float.torch().into());
        Value::Object(all)
    }
}

/// The base of the rotary frequencies and how they are scaled, as versions of `transformers` before and since 5 read them.
fn rope(json: &Map<String, Value>) -> (Value, Value) {
    let there = |key: &str| json.get(key).filter(|value| !value.is_null());
    let given = there("rope_parameters").or_else(|| there("rope_scaling")).and_then(Value::as_object);
    let theta = given.and_then(|given| given.get("rope_theta")).or_else(|| there("rope_theta"));
    let theta = theta.cloned().unwrap_or_else(|| json!(10000.0));
    let kind = given.and_then(|given| given.get("rope_type").or_else(|| given.get("type"))).and_then(Value::as_str);
    let scaled = given.filter(|_| kind.is_some_and(|kind| kind != "default"));
    let scaling = scaled.cloned().map(|mut scaling| {
        scaling.remove("rope_theta");
        scaling.entry("rope_type").or_insert_with(|| kind.into());
        Value::Object(scaling)
    });
    (theta, scaling.unwrap_or(Value::Null))
}

/// What of a configuration the layout has no place for.
fn unfit(json: &Map<String, Value>) -> Option<String> {
    let there = |key: &str| json.get(key).filter(|value| !value.is_null());
    let problem = match there("model_type").and_then(Value::as_str) {
        None => "its config.json names no model_type; fetch that file once more",
        Some("llama" | "mistral") => "",
        Some("mixtral" | "qwen3_moe" | "qwen2_moe") => {
            "it is a mixture already; take the model without mixtures that its experts came from"
        }
        Some("qwen3") => "it norms the heads of its queries and keys; take an anchor of the Llama family",
        Some("qwen2") => "its projections of attention have biases; take an anchor of the Llama family",
        Some("gemma" | "gemma2" | "gemma3" | "gemma3_text") => {
            "it caps scores or norms what it adds to the stream; take an anchor of the Llama family"
        }
        Some(other) => return Some(format!("it is a \"{other}\"; take an anchor of the Llama family")),
    };
    if !problem.is_empty() {
        return Some(problem.into());
    }
    for key in ["attention_bias", "mlp_bias"] {
        if there(key).and_then(Value::as_bool) == Some(true) {
            return Some(format!("it has biases ({key}), and the layout has none; take an anchor without"));
        }
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if there(key).is_some() {
            return Some(format!("it caps its scores ({key}), and the layout does not; take an anchor without"));
        }
    }
    None
}
