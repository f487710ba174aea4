//! What a model file says about the shape of its decoder: one description from which the layer graph is run.
//!
//! A family is data here and nothing else. [`crate::graph`] follows the fields, and only the readers of files
//! ([`gguf`](self) metadata and `config.json`) know the families by name.

mod gguf;
mod hf;

use crate::ModelError;
pub(crate) use hf::{HfConfig, tokens};

/// The families of decoders that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama and its relatives: RMS norm, rotary positions, grouped queries, SwiGLU.
    Llama,
    /// Mixtral: Llama whose feed-forward layers are mixtures of experts.
    Mixtral,
    /// Qwen 3: every query and key head is normed.
    Qwen3,
    /// Qwen 3 with mixtures of experts.
    Qwen3Moe,
    /// Gemma 2: norms around both halves of a layer, windows in every other layer, soft caps.
    Gemma2,
    /// Gemma 3 for text: as Gemma 2 with normed heads, five windows to one global layer, no caps.
    Gemma3,
}

/// Which two numbers of a head a rotary position turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// `2i` and `2i + 1`, as in GGUF files of the Llama family.
    Neighbours,
    /// `i` and `i + dims / 2`, as in Hugging Face checkpoints.
    Halves,
}

/// What the gate of a feed-forward layer goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// GELU by its hyperbolic tangent.
    GeluTanh,
}

/// Rotary frequencies of some layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub base: f32,
    /// Positions are divided by this (linear scaling); 1 for none.
    pub scale: f32,
    /// Each frequency is divided by its factor (Llama 3.1 and later); empty for none.
    pub factors: Vec<f32>,
}

/// What is particular to one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerPlan {
    /// A token sees itself and at most this many less one before it; `None` sees everything before.
    pub window: Option<usize>,
    /// Which of [`Config::ropes`] turns its heads.
    pub rope: usize,
    /// Whether its feed-forward part is a mixture.
    pub mixture: bool,
}

/// The mixtures of experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mixture {
    /// Experts in a layer.
    pub experts: usize,
    /// Experts that a token uses.
    pub used: usize,
    /// Width of an expert.
    pub hidden: usize,
    /// Whether the weights of the experts used are scaled to sum to one.
    pub normalised: bool,
}

/// How attention weighs what it sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Scores are multiplied by this.
    pub scale: f32,
    /// Then drawn softly into ± this.
    pub cap: Option<f32>,
    /// As in [`LayerPlan::window`].
    pub window: Option<usize>,
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
    /// Width of the feed-forward layers that are no mixtures.
    pub hidden: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Tokens the model was trained to see at once.
    pub context: usize,
    /// Added to the mean square before its root is taken.
    pub norm_eps: f32,
    /// Embeddings are multiplied by this.
    pub embedding_scale: f32,
    /// What the gates go through.
    pub activation: Activation,
    /// Whether every head of queries and keys is normed before it is turned.
    pub head_norms: bool,
    /// Whether the result of attention and of the feed-forward part is normed before it joins the stream.
    pub post_norms: bool,
    /// Scores of attention are multiplied by this.
    pub attention_scale: f32,
    /// Scores of attention are drawn softly into ± this.
    pub attention_cap: Option<f32>,
    /// Logits are drawn softly into ± this.
    pub logit_cap: Option<f32>,
    /// The mixtures of the layers that have one.
    pub mixture: Option<Mixture>,
    /// Rotary frequencies.
    pub ropes: Vec<Rope>,
    /// Numbers of a head that are rotated.
    pub rope_dims: usize,
    /// How they are paired.
    pub rope_pairs: RopePairs,
    /// One entry per layer.
    pub plan: Vec<LayerPlan>,
}

/// Limits on what a file may declare, far above every real model and far below what would exhaust memory by itself.
const LAYERS_MAX: u64 = 512;
const WIDTH_MAX: u64 = 1 << 17;
const HEADS_MAX: u64 = 1024;
const HEAD_DIM_MAX: u64 = 256;
const CONTEXT_MAX: u64 = 1 << 20;
const VOCABULARY_MAX: u64 = 1 << 20;
const EXPERTS_MAX: u64 = 1024;
const WINDOW_MAX: u64 = 1 << 30;

impl Config {
    /// How layer `index` attends.
    #[must_use]
    pub fn attention(&self, index: usize) -> Attention {
        Attention { scale: self.attention_scale, cap: self.attention_cap, window: self.plan[index].window }
    }

    /// About how many bytes a session of `context` tokens takes: keys and values as half floats, and the angles of the
    /// rotary positions.
    #[must_use]
    pub fn session_bytes(&self, context: usize) -> u64 {
        let product = |numbers: &[usize]| numbers.iter().fold(1u64, |all, n| all.saturating_mul(*n as u64));
        let cache = product(&[2, 2, self.layers, self.kv_heads, self.head_dim, context]);
        cache.saturating_add(product(&[4, self.ropes.len(), self.rope_dims, context]))
    }

    /// Checks what every family must fulfil. `named` gives the file's own name of a GGUF key.
    fn checked(self, named: impl Fn(&str) -> String) -> Result<Self, ModelError> {
        let demand = |holds: bool, key: &str, problem| {
            if holds { Ok(()) } else { Err(ModelError::BadKey { key: named(key), problem }) }
        };
        let heads = "attention.head_count";
        demand(
            self.heads.is_multiple_of(self.kv_heads),
            "attention.head_count_kv",
            "does not divide the number of heads",
        )?;
        demand(
            self.head_dim.is_multiple_of(16) && self.head_dim > 0,
            heads,
            "gives heads that are not multiples of 16",
        )?;
        demand(self.head_dim as u64 <= HEAD_DIM_MAX, heads, "gives heads wider than 256")?;
        let turned = self.rope_dims;
        demand(
            turned.is_multiple_of(2) && turned <= self.head_dim,
            "rope.dimension_count",
            "does not fit into a head",
        )?;
        let scale = self.attention_scale;
        demand(scale.is_finite() && scale > 0.0, "attention.scale", "is not a plausible number")?;
        if let Some(mixture) = self.mixture {
            demand(mixture.used <= mixture.experts, "expert_used_count", "is more than there are experts")?;
        }
        Ok(self)
    }
}

/// Whether layer `index` looks through a window, where every `pattern`-th layer sees everything.
fn windowed(index: usize, pattern: usize) -> bool {
    !(index + 1).is_multiple_of(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_six_layers_the_last_sees_everything() {
        let seen: Vec<bool> = (0..8).map(|index| windowed(index, 6)).collect();
        assert_eq!(seen, [true, true, true, true, true, false, true, true]);
        assert_eq!([0, 1, 2].map(|index| windowed(index, 2)), [true, false, true]);
    }
}
