//! The configuration in a `config.json`, as `transformers` writes it, before version 5 and since.

use super::{
    Activation, CONTEXT_MAX, Config, EXPERTS_MAX, Family, HEAD_DIM_MAX, HEADS_MAX, LAYERS_MAX, LayerPlan, Mixture,
    Rope, RopePairs, VOCABULARY_MAX, WIDTH_MAX, WINDOW_MAX, windowed,
};
use crate::ModelError;
use serde_json::{Map, Value};

/// Keys whose defaults `transformers` leaves out of the text part of a Gemma 3 that also sees.
const GEMMA3_SIZES: [(&str, usize); 5] = [
    ("num_attention_heads", 8),
    ("num_key_value_heads", 4),
    ("head_dim", 256),
    ("vocab_size", 262_208),
    ("max_position_embeddings", 131_072),
];

/// What a `config.json` says.
#[derive(Debug)]
pub(crate) struct HfConfig {
    /// The shape.
    pub config: Config,
    /// Whether the head is the embedding again.
    pub tied: bool,
    /// Tokens that end a text.
    pub ends: Vec<u32>,
}

impl HfConfig {
    /// Reads the configuration.
    pub(crate) fn read(json: &Value) -> Result<Self, ModelError> {
        let none = Map::new();
        let outer = Keys { map: json.as_object().unwrap_or(&none), family: Family::Llama };
        if outer.get("quantization_config").is_some() {
            return Err(outer.bad("quantization_config", "names a quantisation that is not supported; use a GGUF file"));
        }
        let kind = outer.text("model_type")?;
        let inner = match outer.get("text_config") {
            Some(Value::Object(text)) if kind == "gemma3" => Keys { map: text, ..outer },
            _ => outer,
        };
        let family = match kind {
            "llama" | "mistral" => Family::Llama,
            "mixtral" => Family::Mixtral,
            "qwen3" => Family::Qwen3,
            "qwen3_moe" => Family::Qwen3Moe,
            "gemma2" => Family::Gemma2,
            "gemma3" | "gemma3_text" => Family::Gemma3,
            _ => return Err(ModelError::Architecture { name: kind.to_owned() }),
        };
        let keys = Keys { family, ..inner };
        let tied = keys.flag("tie_word_embeddings", keys.gemma())?;
        let ends = match keys.get("eos_token_id").or(outer.get("eos_token_id")) {
            Some(ends) => tokens(ends),
            None => Vec::new(),
        };
        Ok(Self { config: keys.config(kind)?, tied, ends })
    }
}

impl Config {
    /// Reads the configuration of a checkpoint: the value of its `config.json`.
    ///
    /// # Errors
    /// Where it is of a family that does not run, or contradicts itself.
    pub fn from_checkpoint(json: &Value) -> Result<Self, ModelError> {
        HfConfig::read(json).map(|read| read.config)
    }
}

/// One token or a list of them.
pub(crate) fn tokens(value: &Value) -> Vec<u32> {
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    all.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect()
}

#[derive(Clone, Copy)]
struct Keys<'a> {
    map: &'a Map<String, Value>,
    family: Family,
}

impl<'a> Keys<'a> {
    fn config(&self, kind: &str) -> Result<Config, ModelError> {
        for key in ["attention_bias", "mlp_bias", "use_bidirectional_attention"] {
            if self.flag(key, false)? {
                return Err(self.bad(key, "asks for something that is not supported"));
            }
        }
        let width = self.size("hidden_size", WIDTH_MAX)?;
        let layers = self.size("num_hidden_layers", LAYERS_MAX)?;
        let heads = self.size("num_attention_heads", HEADS_MAX)?;
        let head_dim = self.size_or("head_dim", HEAD_DIM_MAX, width / heads)?;
        let mixture = self.mixture()?;
        let (ropes, plan) = (self.ropes(head_dim)?, self.plan(layers, mixture.is_some())?);
        let gemma = self.gemma();
        let scaled_as = self.number_or("query_pre_attn_scalar", if gemma { 256.0 } else { 0.0 }, 0.0..=1e6)?;
        #[allow(clippy::cast_precision_loss, reason = "heads are at most 256 wide")]
        let scaled_as = if gemma { scaled_as } else { head_dim as f64 };
        let cap =
            |key| Ok::<_, ModelError>(Some(narrow(self.number_or(key, 0.0, 0.0..=1e6)?)).filter(|cap| *cap > 0.0));
        let config = Config {
            family: self.family,
            architecture: kind.to_owned(),
            layers,
            width,
            heads,
            kv_heads: self.size_or("num_key_value_heads", HEADS_MAX, heads)?,
            head_dim,
            hidden: self.size_or("intermediate_size", WIDTH_MAX, mixture.map_or(0, |mixture| mixture.hidden))?,
            vocabulary: self.size("vocab_size", VOCABULARY_MAX)?,
            context: self.size("max_position_embeddings", CONTEXT_MAX)?,
            norm_eps: narrow(self.number_or("rms_norm_eps", 1e-6, 0.0..=1.0)?),
            embedding_scale: if gemma { super::gguf::root(width) } else { 1.0 },
            activation: self.activation()?,
            head_norms: matches!(self.family, Family::Qwen3 | Family::Qwen3Moe | Family::Gemma3),
            post_norms: gemma,
            attention_scale: narrow(scaled_as.powf(-0.5)),
            // Of the families here only Gemma 2 caps its scores, whatever the file of another says.
            attention_cap: cap("attn_logit_softcapping")?.filter(|_| self.family == Family::Gemma2),
            logit_cap: cap("final_logit_softcapping")?.filter(|_| gemma),
            mixture,
            ropes,
            rope_dims: head_dim,
            rope_pairs: RopePairs::Halves,
            plan,
        };
        config.checked(|key| own_name(key).to_owned())
    }

    fn gemma(&self) -> bool {
        matches!(self.family, Family::Gemma2 | Family::Gemma3)
    }

    fn activation(&self) -> Result<Activation, ModelError> {
        let key = if self.get("hidden_activation").is_some() { "hidden_activation" } else { "hidden_act" };
        match self.get(key).map(|name| name.as_str().unwrap_or_default()) {
            None => Ok(if self.gemma() { Activation::GeluTanh } else { Activation::Silu }),
            Some("silu" | "swish") => Ok(Activation::Silu),
            // Gemma's first files said "gelu" and meant its approximation.
            Some("gelu_pytorch_tanh" | "gelu_new") => Ok(Activation::GeluTanh),
            Some("gelu") if self.gemma() && key == "hidden_act" => Ok(Activation::GeluTanh),
            Some(_) => Err(self.bad(key, "names an activation that is not supported")),
        }
    }

    fn mixture(&self) -> Result<Option<Mixture>, ModelError> {
        let (experts, hidden, normalised) = match self.family {
            Family::Mixtral => ("num_local_experts", "intermediate_size", true),
            Family::Qwen3Moe => {
                let experts = if self.get("num_experts").is_some() { "num_experts" } else { "num_local_experts" };
                (experts, "moe_intermediate_size", self.flag("norm_topk_prob", false)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Mixture {
            experts: self.size(experts, EXPERTS_MAX)?,
            used: self.size("num_experts_per_tok", EXPERTS_MAX)?,
            hidden: self.size(hidden, WIDTH_MAX)?,
            normalised,
        }))
    }

    /// Windows, frequencies and mixtures of the layers.
    fn plan(&self, layers: usize, mixtures: bool) -> Result<Vec<LayerPlan>, ModelError> {
        let wanted = match self.family {
            Family::Qwen3 | Family::Qwen3Moe => self.flag("use_sliding_window", false)?,
            _ => true,
        };
        let window = match self.get("sliding_window") {
            Some(_) if wanted => Some(self.size("sliding_window", WINDOW_MAX)?),
            _ => None,
        };
        let pattern = match self.family {
            Family::Gemma2 => 2,
            Family::Gemma3 => {
                let old = self.size_or("_sliding_window_pattern", LAYERS_MAX, 6)?;
                self.size_or("sliding_window_pattern", LAYERS_MAX, old)?
            }
            _ => 0,
        };
        let full_until = self.size_or("max_window_layers", LAYERS_MAX, LAYERS_MAX as usize)?;
        let kinds = match self.get("layer_types") {
            None => None,
            Some(Value::Array(kinds)) if kinds.len() == layers => Some(kinds),
            Some(_) => return Err(self.bad("layer_types", "does not give the type of every layer")),
        };
        let dense = self.get("mlp_only_layers").map(tokens).unwrap_or_default();
        let step = self.size_or("decoder_sparse_step", LAYERS_MAX, 1)?;
        let plan = |index: usize| {
            let sees_less = match kinds.map(|kinds| kinds[index].as_str()) {
                Some(Some("sliding_attention")) => true,
                Some(Some("full_attention")) => false,
                Some(_) => return Err(self.bad("layer_types", "names a kind of attention that is not supported")),
                None if pattern > 0 => windowed(index, pattern),
                None if matches!(self.family, Family::Qwen3 | Family::Qwen3Moe) => index >= full_until,
                None => true,
            };
            let dense = dense.iter().any(|layer| *layer as usize == index) || !(index + 1).is_multiple_of(step);
            Ok(LayerPlan {
                window: window.filter(|_| sees_less),
                rope: usize::from(self.family == Family::Gemma3 && sees_less),
                mixture: mixtures && !dense,
            })
        };
        (0..layers).map(plan).collect()
    }

    /// Frequencies of layers that see everything, and for Gemma 3 of those with a window.
    fn ropes(&self, head_dim: usize) -> Result<Vec<Rope>, ModelError> {
        let base = match self.family {
            Family::Mixtral | Family::Gemma3 => 1e6,
            _ => 1e4,
        };
        let base = self.number_or("rope_theta", base, 1.0..=1e12)?;
        let given = self.get("rope_parameters").or(self.get("rope_scaling"));
        if self.family != Family::Gemma3 {
            return Ok(vec![self.rope(given, base, head_dim)?]);
        }
        let local = self.number_or("rope_local_base_freq", 1e4, 1.0..=1e12)?;
        let both =
            given.filter(|given| given.get("full_attention").is_some() || given.get("sliding_attention").is_some());
        let (global, windowed) = match both {
            Some(both) => (both.get("full_attention"), both.get("sliding_attention")),
            None => (given, None),
        };
        Ok(vec![self.rope(global, base, head_dim)?, self.rope(windowed, local, head_dim)?])
    }

    fn rope(&self, given: Option<&Value>, base: f64, head_dim: usize) -> Result<Rope, ModelError> {
        let none = Map::new();
        let map = given.and_then(Value::as_object).unwrap_or(&none);
        let keys = Keys { map, ..*self };
        let base = keys.number_or("rope_theta", base, 1.0..=1e12)?;
        if keys.number_or("partial_rotary_factor", 1.0, 0.0..=1.0)? < 1.0
            || self.number_or("partial_rotary_factor", 1.0, 0.0..=1.0)? < 1.0
        {
            return Err(self.bad("partial_rotary_factor", "asks for something that is not supported"));
        }
        let (mut scale, mut factors) = (1.0, Vec::new());
        match keys.get("rope_type").or(keys.get("type")).map(|kind| kind.as_str().unwrap_or_default()) {
            None | Some("default") => {}
            Some("linear") => scale = keys.number_or("factor", 1.0, 1e-3..=1e6)?,
            Some("llama3") => factors = keys.llama3(base, head_dim)?,
            Some(_) => return Err(self.bad("rope_scaling", "names a scaling that is not supported")),
        }
        Ok(Rope { base: narrow(base), scale: narrow(scale), factors })
    }

    /// Llama 3.1's factors: low frequencies are slowed, high ones stay, and those between are between.
    fn llama3(&self, base: f64, head_dim: usize) -> Result<Vec<f32>, ModelError> {
        let factor = self.number_or("factor", f64::NAN, 1e-3..=1e6)?;
        let low = self.number_or("low_freq_factor", f64::NAN, 1e-3..=1e6)?;
        let high = self.number_or("high_freq_factor", f64::NAN, 1e-3..=1e6)?;
        let trained = self.number_or("original_max_position_embeddings", f64::NAN, 1.0..=1e9)?;
        if high <= low {
            return Err(self.bad("high_freq_factor", "is not above low_freq_factor"));
        }
        #[allow(clippy::cast_precision_loss, reason = "heads are at most 256 wide")]
        let slowed = |i: usize| {
            let turns = trained * base.powf(-2.0 * i as f64 / head_dim as f64) / std::f64::consts::TAU;
            let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
            narrow(1.0 / ((1.0 - kept) / factor + kept))
        };
        Ok((0..head_dim / 2).map(slowed).collect())
    }

    /// What is at a key, where that is not null.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn bad(&self, key: &str, problem: &'static str) -> ModelError {
        ModelError::BadKey { key: key.to_owned(), problem }
    }

    fn text(&self, key: &str) -> Result<&'a str, ModelError> {
        let missing = || ModelError::MissingKey { key: key.to_owned() };
        self.get(key).ok_or_else(missing)?.as_str().ok_or_else(|| self.bad(key, "is not a string"))
    }

    fn flag(&self, key: &str, otherwise: bool) -> Result<bool, ModelError> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(flag) => flag.as_bool().ok_or_else(|| self.bad(key, "is neither true nor false")),
        }
    }

    fn size(&self, key: &str, limit: u64) -> Result<usize, ModelError> {
        let default = GEMMA3_SIZES.iter().find(|(name, _)| *name == key && self.family == Family::Gemma3);
        let Some(value) = self.get(key) else {
            return default.map(|(_, size)| *size).ok_or_else(|| ModelError::MissingKey { key: key.to_owned() });
        };
        let size = value.as_u64().filter(|size| (1..=limit).contains(size));
        size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| self.bad(key, "is not a plausible size"))
    }

    fn size_or(&self, key: &str, limit: u64, otherwise: usize) -> Result<usize, ModelError> {
        match self.size(key, limit) {
            Err(ModelError::MissingKey { .. }) => Ok(otherwise),
            size => size,
        }
    }

    fn number_or(&self, key: &str, otherwise: f64, range: std::ops::RangeInclusive<f64>) -> Result<f64, ModelError> {
        let number = self.get(key).map_or(otherwise, |number| number.as_f64().unwrap_or(f64::NAN));
        if range.contains(&number) { Ok(number) } else { Err(self.bad(key, "is not a plausible number")) }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the ranges fit")]
fn narrow(number: f64) -> f32 {
    number as f32
}

/// What `config.json` calls what GGUF calls `key`.
fn own_name(key: &str) -> &str {
    match key {
        "attention.head_count" => "num_attention_heads",
        "attention.head_count_kv" => "num_key_value_heads",
        "attention.scale" => "query_pre_attn_scalar",
        "expert_used_count" => "num_experts_per_tok",
        _ => key,
    }
}
