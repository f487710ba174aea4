//! The configuration in the metadata of a GGUF file.

use super::{
    Activation, CONTEXT_MAX, Config, EXPERTS_MAX, Family, HEAD_DIM_MAX, HEADS_MAX, LAYERS_MAX, LayerPlan, Mixture,
    Rope, RopePairs, VOCABULARY_MAX, WIDTH_MAX, WINDOW_MAX, windowed,
};
use crate::{
    ModelError,
    gguf::{Gguf, Value},
    weights,
};

/// What a family's files leave unsaid.
struct Habits {
    family: Family,
    pairs: RopePairs,
    head_norms: bool,
    /// Gemma's ways: scaled embeddings, GELU, norms around both halves.
    gemma: bool,
    /// Every so many layers one sees everything, where the file says nothing; 0 where none has a window.
    pattern: usize,
    /// Base of the rotary frequencies of windowed layers, where it is another and the file says nothing.
    local_base: Option<f64>,
    /// The number of layers whose heads are scaled as if they were `width / heads` wide.
    wide_scale: usize,
}

const PLAIN: Habits = Habits {
    family: Family::Llama,
    pairs: RopePairs::Halves,
    head_norms: false,
    gemma: false,
    pattern: 0,
    local_base: None,
    wide_scale: 0,
};

impl Config {
    /// Reads the configuration of a model file.
    pub fn from_gguf(file: &Gguf) -> Result<Self, ModelError> {
        let architecture = file.text("general.architecture")?;
        let habits = match architecture {
            "llama" => Habits { pairs: RopePairs::Neighbours, ..PLAIN },
            "qwen3" => Habits { family: Family::Qwen3, head_norms: true, ..PLAIN },
            "qwen3moe" => Habits { family: Family::Qwen3Moe, head_norms: true, ..PLAIN },
            "gemma2" => Habits { family: Family::Gemma2, gemma: true, pattern: 2, wide_scale: 46, ..PLAIN },
            "gemma3" => Habits {
                family: Family::Gemma3,
                head_norms: true,
                gemma: true,
                pattern: 6,
                local_base: Some(10_000.0),
                wide_scale: 62,
                ..PLAIN
            },
            _ => return Err(ModelError::Architecture { name: architecture.to_owned() }),
        };
        Self::read(&Keys { file, prefix: architecture }, habits)
    }

    fn read(keys: &Keys<'_>, habits: Habits) -> Result<Self, ModelError> {
        let width = keys.size("embedding_length", WIDTH_MAX)?;
        let layers = keys.size("block_count", LAYERS_MAX)?;
        let heads = keys.size("attention.head_count", HEADS_MAX)?;
        let head_dim = keys.size_or("attention.key_length", HEAD_DIM_MAX, width / heads)?;
        if keys.find_u64("attention.value_length").is_some_and(|length| length != head_dim as u64) {
            return Err(keys.bad("attention.value_length", "differs from the length of a key"));
        }
        let rope_dims = keys.size_or("rope.dimension_count", HEAD_DIM_MAX, head_dim)?;
        let mixture = keys.mixture()?;
        let hidden = match mixture {
            Some(mixture) => keys.size_or("feed_forward_length", WIDTH_MAX, mixture.hidden)?,
            None => keys.size("feed_forward_length", WIDTH_MAX)?,
        };
        let window = match keys.file.find(&keys.key("attention.sliding_window")) {
            Some(_) if keys.find_u64("attention.sliding_window") != Some(0) => {
                Some(keys.size("attention.sliding_window", WINDOW_MAX)?)
            }
            _ => None,
        };
        let listed = keys.window_list(layers)?;
        let pattern = match listed {
            Some(_) => 1,
            None => keys.size_or("attention.sliding_window_pattern", LAYERS_MAX, habits.pattern)?,
        };
        if window.is_some() && pattern == 0 && habits.family != Family::Llama {
            return Err(keys.bad("attention.sliding_window", "is given without saying for which layers"));
        }
        let mut ropes = vec![Rope {
            base: keys.number_or("rope.freq_base", 10_000.0, 1.0..=1e12)?,
            scale: keys.rope_scale()?,
            factors: weights::rope_factors(keys.file, rope_dims)?,
        }];
        if let Some(base) = habits.local_base {
            let base = keys.number_or("rope.freq_base_swa", base, 1.0..=1e12)?;
            ropes.push(Rope { base, scale: 1.0, factors: Vec::new() });
        }
        let plan = |index| {
            let sees_less = match &listed {
                Some(listed) => listed[index],
                None => pattern == 0 || windowed(index, pattern),
            };
            let window = window.filter(|_| sees_less);
            let local = habits.local_base.is_some() && window.is_some();
            LayerPlan { window, rope: usize::from(local), mixture: mixture.is_some() }
        };
        let scaled_as = if habits.wide_scale == layers { width / heads } else { head_dim };
        let cap = |name| match keys.number_or(name, 0.0, 0.0..=1e6)? {
            0.0 => Ok(None),
            cap => Ok(Some(cap)),
        };
        let config = Self {
            family: if mixture.is_some() && habits.family == Family::Llama { Family::Mixtral } else { habits.family },
            architecture: keys.prefix.to_owned(),
            layers,
            width,
            heads,
            kv_heads: keys.size_or("attention.head_count_kv", HEADS_MAX, heads)?,
            head_dim,
            hidden,
            vocabulary: keys.vocabulary()?,
            context: keys.size("context_length", CONTEXT_MAX)?,
            norm_eps: keys.number_or("attention.layer_norm_rms_epsilon", 1e-5, 0.0..=1.0)?,
            embedding_scale: if habits.gemma { root(width) } else { 1.0 },
            activation: if habits.gemma { Activation::GeluTanh } else { Activation::Silu },
            head_norms: habits.head_norms,
            post_norms: habits.gemma,
            attention_scale: keys.number_or("attention.scale", 1.0 / f64::from(root(scaled_as)), 1e-6..=1e6)?,
            attention_cap: cap("attn_logit_softcapping")?,
            logit_cap: cap("final_logit_softcapping")?,
            mixture,
            ropes,
            rope_dims,
            rope_pairs: habits.pairs,
            plan: (0..layers).map(plan).collect(),
        };
        config.checked(|name| keys.key(name))
    }
}

/// The square root of a size.
#[allow(clippy::cast_precision_loss, reason = "sizes are at most 2¹⁷")]
pub(super) fn root(size: usize) -> f32 {
    (size as f32).sqrt()
}

struct Keys<'a> {
    file: &'a Gguf,
    prefix: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn bad(&self, name: &str, problem: &'static str) -> ModelError {
        ModelError::BadKey { key: self.key(name), problem }
    }

    fn find_u64(&self, name: &str) -> Option<u64> {
        self.file.find_u64(&self.key(name))
    }

    fn size(&self, name: &str, limit: u64) -> Result<usize, ModelError> {
        if self.file.find(&self.key(name)).is_none() {
            return Err(ModelError::MissingKey { key: self.key(name) });
        }
        let size = self.find_u64(name).filter(|size| (1..=limit).contains(size));
        size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| self.bad(name, "is not a plausible size"))
    }

    fn size_or(&self, name: &str, limit: u64, otherwise: usize) -> Result<usize, ModelError> {
        if self.file.find(&self.key(name)).is_none() { Ok(otherwise) } else { self.size(name, limit) }
    }

    fn number_or(&self, name: &str, otherwise: f64, range: std::ops::RangeInclusive<f64>) -> Result<f32, ModelError> {
        let number = match self.file.find(&self.key(name)) {
            None => otherwise,
            Some(_) => self.file.find_f64(&self.key(name)).unwrap_or(f64::NAN),
        };
        #[allow(clippy::cast_possible_truncation, reason = "the range fits")]
        if range.contains(&number) { Ok(number as f32) } else { Err(self.bad(name, "is not a plausible number")) }
    }

    fn rope_scale(&self) -> Result<f32, ModelError> {
        match self.file.find_text(&self.key("rope.scaling.type")) {
            None | Some("none") => Ok(1.0),
            Some("linear") => self.number_or("rope.scaling.factor", 1.0, 1e-3..=1e6),
            Some(_) => Err(self.bad("rope.scaling.type", "names a scaling that is not supported")),
        }
    }

    /// For each layer whether it has a window, where the file lists that.
    fn window_list(&self, layers: usize) -> Result<Option<Vec<bool>>, ModelError> {
        let key = "attention.sliding_window_pattern";
        let Some(Value::List(list)) = self.file.find(&self.key(key)) else { return Ok(None) };
        let flags = list.iter().map(|flag| if let Value::Bool(flag) = flag { Some(*flag) } else { None });
        let flags: Option<Vec<bool>> = flags.collect();
        match flags.filter(|flags| flags.len() == layers) {
            Some(flags) => Ok(Some(flags)),
            None => Err(self.bad(key, "does not say for every layer whether it has a window")),
        }
    }

    fn vocabulary(&self) -> Result<usize, ModelError> {
        match self.file.tensor("token_embd.weight")?.shape {
            [rows, _] if *rows as u64 <= VOCABULARY_MAX => Ok(*rows),
            _ => {
                let name = "token_embd.weight".into();
                Err(ModelError::BadTensor { name, problem: "is not a matrix over a vocabulary" })
            }
        }
    }

    fn mixture(&self) -> Result<Option<Mixture>, ModelError> {
        let none = self.file.find(&self.key("expert_count")).is_none() || self.find_u64("expert_count") == Some(0);
        if none {
            return Ok(None);
        }
        if self.find_u64("expert_shared_count").is_some_and(|count| count > 0) {
            return Err(self.bad("expert_shared_count", "asks for shared experts, which are not supported"));
        }
        if self.find_u64("expert_gating_func").is_some_and(|function| function > 1) {
            return Err(self.bad("expert_gating_func", "names a gate that is not supported"));
        }
        let hidden = if self.file.find(&self.key("expert_feed_forward_length")).is_some() {
            "expert_feed_forward_length"
        } else {
            "feed_forward_length"
        };
        Ok(Some(Mixture {
            experts: self.size("expert_count", EXPERTS_MAX)?,
            used: self.size("expert_used_count", EXPERTS_MAX)?,
            hidden: self.size(hidden, WIDTH_MAX)?,
            normalised: self.file.find_bool(&self.key("expert_weights_norm")).unwrap_or(true),
        }))
    }
}
