//! What a model file says about the shape of its decoder: one description from which the layer graph is run.
//!
//! Llama is the first family. A further family is a further arm of [`Config::from_gguf`] and, where its layers differ,
//! a field here that [`crate::graph`] follows; nothing else branches on the family.

use crate::{ModelError, gguf::Gguf};

/// The families of decoders that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama and its relatives: RMS norm, rotary positions, grouped queries, SwiGLU.
    Llama,
}

/// Which two numbers of a head a rotary position turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// `2i` and `2i + 1`, as in GGUF files of the Llama family.
    Neighbours,
    /// `i` and `i + dims / 2`, as in Hugging Face checkpoints.
    Halves,
}

/// The shape of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Its family.
    pub family: Family,
    /// The architecture's name in the file.
    pub architecture: String,
    /// Layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Numbers in one head.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub hidden: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Tokens the model was trained to see at once.
    pub context: usize,
    /// Added to the mean square before its root is taken.
    pub norm_eps: f32,
    /// Base of the rotary frequencies.
    pub rope_base: f32,
    /// Positions are divided by this (linear scaling); 1 for none.
    pub rope_scale: f32,
    /// Numbers of a head that are rotated.
    pub rope_dims: usize,
    /// How they are paired.
    pub rope_pairs: RopePairs,
}

/// Limits on what a file may declare, far above every real model and far below what would exhaust memory by itself.
const LAYERS_MAX: u64 = 512;
const WIDTH_MAX: u64 = 1 << 17;
const HEADS_MAX: u64 = 1024;
const HEAD_DIM_MAX: u64 = 256;
const CONTEXT_MAX: u64 = 1 << 20;
const VOCABULARY_MAX: u64 = 1 << 20;

impl Config {
    /// Reads the configuration of a model file.
    pub fn from_gguf(file: &Gguf) -> Result<Self, ModelError> {
        let architecture = file.text("general.architecture")?.to_owned();
        match architecture.as_str() {
            "llama" => Self::llama(file, architecture),
            _ => Err(ModelError::Architecture { name: architecture }),
        }
    }

    fn llama(file: &Gguf, architecture: String) -> Result<Self, ModelError> {
        let keys = Keys { file, prefix: "llama" };
        let width = keys.size("embedding_length", WIDTH_MAX)?;
        let heads = keys.size("attention.head_count", HEADS_MAX)?;
        let kv_heads = keys.size_or("attention.head_count_kv", HEADS_MAX, heads)?;
        let head_dim = keys.size_or("attention.key_length", HEAD_DIM_MAX, width / heads)?;
        let rope_dims = keys.size_or("rope.dimension_count", HEAD_DIM_MAX, head_dim)?;
        keys.demand(heads.is_multiple_of(kv_heads), "attention.head_count_kv", "does not divide the number of heads")?;
        keys.demand(head_dim.is_multiple_of(16), "attention.head_count", "gives heads that are not multiples of 16")?;
        keys.demand(head_dim <= 256, "attention.head_count", "gives heads wider than 256")?;
        keys.demand(
            rope_dims.is_multiple_of(2) && rope_dims <= head_dim,
            "rope.dimension_count",
            "does not fit into a head",
        )?;
        if keys.find_u64("expert_count").is_some_and(|count| count > 0) {
            return Err(ModelError::Architecture { name: "llama with experts".into() });
        }
        if keys.find_u64("attention.value_length").is_some_and(|length| length != head_dim as u64) {
            return Err(keys.bad("attention.value_length", "differs from the length of a key"));
        }
        let vocabulary = match file.tensor("token_embd.weight")?.shape {
            [rows, _] if *rows as u64 <= VOCABULARY_MAX => *rows,
            _ => {
                let name = "token_embd.weight".into();
                return Err(ModelError::BadTensor { name, problem: "is not a matrix over a vocabulary" });
            }
        };
        Ok(Self {
            family: Family::Llama,
            architecture,
            layers: keys.size("block_count", LAYERS_MAX)?,
            width,
            heads,
            kv_heads,
            head_dim,
            hidden: keys.size("feed_forward_length", WIDTH_MAX)?,
            vocabulary,
            context: keys.size("context_length", CONTEXT_MAX)?,
            norm_eps: keys.number_or("attention.layer_norm_rms_epsilon", 1e-5, 0.0..=1.0)?,
            rope_base: keys.number_or("rope.freq_base", 10_000.0, 1.0..=1e12)?,
            rope_scale: keys.rope_scale()?,
            rope_dims,
            rope_pairs: RopePairs::Neighbours,
        })
    }
}

struct Keys<'a> {
    file: &'a Gguf,
    prefix: &'static str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn bad(&self, name: &str, problem: &'static str) -> ModelError {
        ModelError::BadKey { key: self.key(name), problem }
    }

    fn demand(&self, holds: bool, name: &str, problem: &'static str) -> Result<(), ModelError> {
        if holds { Ok(()) } else { Err(self.bad(name, problem)) }
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
}
