//! A BERT encoder for sentence vectors: loading, and a forward pass over texts laid end to end without padding.
//!
//! Rows never meet except inside the attention of their own text, and every sum has a fixed order (see [`dense`]),
//! so a text's vector is the same bits whatever else is in its batch and however many threads there are. Checked
//! against candle-transformers' `BertModel` in `tests/embed.rs`.

mod dense;
mod lanes;

pub(crate) use dense::Kernel;

use crate::{ModelError, shelf::Shelf};
use dense::{PANEL, Packed, Rows, dense};
use rayon::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::Deserialize;
use std::cell::RefCell;

/// Rows that one thread takes through the dense layers at once: a multiple of the tallest tile, and little enough
/// that the widest activations (48 rows of 1536) stay in a second-level cache.
const BLOCK_ROWS: usize = 48;
/// Sizes that no sentence encoder exceeds.
const WIDTH_MAX: usize = 8192;
const LAYERS_MAX: usize = 64;

/// What `config.json` says, as far as it matters.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BertConfig {
    pub hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    pub max_position_embeddings: usize,
    type_vocab_size: usize,
    pub vocab_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    model_type: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

impl BertConfig {
    fn check(&self) -> Result<(), ModelError> {
        let bad = |problem| Err(ModelError::BadEmbedder { problem });
        let fits = |size: usize, most: usize| (1..=most).contains(&size);
        if self.model_type != "bert" || self.hidden_act != "gelu" {
            return bad("only BERT with GELU is supported");
        }
        if self.position_embedding_type.as_deref().is_some_and(|kind| kind != "absolute") {
            return bad("only absolute positions are supported");
        }
        if !fits(self.hidden_size, WIDTH_MAX)
            || !fits(self.intermediate_size, 4 * WIDTH_MAX)
            || !fits(self.num_hidden_layers, LAYERS_MAX)
            || !fits(self.num_attention_heads, self.hidden_size)
            || !fits(self.max_position_embeddings, 1 << 16)
            || !fits(self.vocab_size, 1 << 20)
            || !fits(self.type_vocab_size, 16)
        {
            return bad("a size is out of range");
        }
        let head = self.hidden_size / self.num_attention_heads;
        if head * self.num_attention_heads != self.hidden_size
            || !head.is_multiple_of(PANEL)
            || !self.intermediate_size.is_multiple_of(PANEL)
        {
            return bad("its widths are not multiples of 32");
        }
        Ok(())
    }
}

/// Weights of one layer norm.
#[derive(Debug)]
struct LayerNorm {
    gain: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

/// One dense layer, packed.
#[derive(Debug)]
struct Dense {
    weights: Packed<Shelf<f32>>,
    bias: Vec<f32>,
}

#[derive(Debug)]
struct Layer {
    /// Queries (already divided by the root of the head width), keys and values side by side.
    qkv: Dense,
    out: Dense,
    out_norm: LayerNorm,
    up: Dense,
    down: Dense,
    down_norm: LayerNorm,
}

/// The encoder.
#[derive(Debug)]
pub(crate) struct Bert {
    config: BertConfig,
    words: Vec<f32>,
    /// Position plus the embedding of token type 0, by position.
    places: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
    kernel: Kernel,
}

/// Buffers that a thread keeps between blocks and heads.
#[derive(Default)]
struct Scratch {
    wide: Vec<f32>,
    narrow: Vec<f32>,
    scores: Vec<f32>,
    scale: Vec<f32>,
    keys: Packed,
    values: Packed,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Runs `f` with this thread's buffers, which hold activations only as long as the call lasts.
fn with_scratch<T>(f: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let result = f(&mut scratch);
    SCRATCH.set(scratch);
    result
}

impl Bert {
    /// Reads `config.json` and `model.safetensors`; every tensor's shape is checked against the configuration.
    pub fn load(config: &[u8], weights: &[u8], kernel: Kernel) -> Result<Self, ModelError> {
        let config: BertConfig =
            serde_json::from_slice(config).map_err(|e| ModelError::BadWeights { source: Box::new(e) })?;
        config.check()?;
        let file = SafeTensors::deserialize(weights).map_err(|e| ModelError::BadWeights { source: Box::new(e) })?;
        let read = Reader { kernel, file, config: &config };
        let hidden = config.hidden_size;
        let words = read.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let mut places =
            read.tensor("embeddings.position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
        let types = read.tensor("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        places.chunks_exact_mut(hidden).for_each(|row| row.iter_mut().zip(&types).for_each(|(x, t)| *x += t));
        let norm = read.norm("embeddings.LayerNorm")?;
        let layers: Result<Vec<_>, _> = (0..config.num_hidden_layers).map(|i| read.layer(i)).collect();
        Ok(Self { words, places, norm, layers: layers?, kernel, config })
    }

    /// The configuration.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// The mean of each text's last hidden states; `texts` are token ids, each text at least one and no more than the
    /// positions of the model, every id in the vocabulary.
    pub fn mean_pooled(&self, texts: &[&[u32]]) -> Vec<Vec<f32>> {
        let hidden = self.config.hidden_size;
        let mut x = self.embeddings(texts);
        let count = x.len() / hidden;
        let mut qkv = vec![0.0; count * 3 * hidden];
        let mut context = vec![0.0; count * hidden];
        for layer in &self.layers {
            qkv.par_chunks_mut(BLOCK_ROWS * 3 * hidden).zip(x.par_chunks(BLOCK_ROWS * hidden)).for_each(|(out, x)| {
                layer.qkv.apply(self.kernel, x, hidden, out, 3 * hidden);
            });
            let mut parts = Vec::with_capacity(texts.len());
            let (mut qkv_rest, mut context_rest) = (qkv.as_slice(), context.as_mut_slice());
            for text in texts {
                let (qkv_text, after) = qkv_rest.split_at(text.len() * 3 * hidden);
                let (context_text, context_after) = context_rest.split_at_mut(text.len() * hidden);
                parts.push((qkv_text, context_text));
                (qkv_rest, context_rest) = (after, context_after);
            }
            parts.into_par_iter().for_each(|(qkv, context)| with_scratch(|s| self.attend(qkv, context, s)));
            x.par_chunks_mut(BLOCK_ROWS * hidden)
                .zip(context.par_chunks(BLOCK_ROWS * hidden))
                .for_each(|(x, context)| with_scratch(|scratch| self.after_attention(layer, x, context, scratch)));
        }
        let mut rest = x.as_slice();
        let pooled = texts.iter().map(|text| {
            let (rows, after) = rest.split_at(text.len() * hidden);
            rest = after;
            mean(rows, hidden)
        });
        pooled.collect()
    }

    /// Word plus place, normalised.
    fn embeddings(&self, texts: &[&[u32]]) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let count: usize = texts.iter().map(|text| text.len()).sum();
        let (mut x, mut places) = (Vec::with_capacity(count * hidden), Vec::with_capacity(count * hidden));
        for text in texts {
            text.iter().for_each(|&id| x.extend_from_slice(&self.words[id as usize * hidden..][..hidden]));
            places.extend_from_slice(&self.places[..text.len() * hidden]);
        }
        dense::add_norm(self.kernel, &mut x, &places, &self.norm);
        x
    }

    /// Attention of one text over itself: `qkv` has three times the hidden width, `context` once.
    fn attend(&self, qkv: &[f32], context: &mut [f32], scratch: &mut Scratch) {
        let hidden = self.config.hidden_size;
        let head_width = hidden / self.config.num_attention_heads;
        let count = context.len() / hidden;
        let stride = count.div_ceil(PANEL) * PANEL;
        let Scratch { scores, scale, keys, values, .. } = scratch;
        scores.resize(count * stride, 0.0);
        scale.resize(count, 0.0);
        for at in (0..hidden).step_by(head_width) {
            keys.pack_transposed(self.kernel, &qkv[hidden + at..], count, head_width, 3 * hidden);
            values.pack(self.kernel, &qkv[2 * hidden + at..], head_width, count, 3 * hidden);
            let queries = Rows { data: &qkv[at..], count, stride: 3 * hidden };
            dense(self.kernel, queries, keys, None, scores, stride);
            dense::softmax(self.kernel, scores, stride, count, scale);
            let weights = Rows { data: scores, count, stride };
            dense(self.kernel, weights, values, None, &mut context[at..], hidden);
            for (row, scale) in context.chunks_exact_mut(hidden).zip(scale.iter()) {
                row[at..at + head_width].iter_mut().for_each(|x| *x *= scale);
            }
        }
    }

    /// Everything of a layer after its attention, for a block of rows.
    fn after_attention(&self, layer: &Layer, x: &mut [f32], context: &[f32], scratch: &mut Scratch) {
        let (hidden, wide_width) = (self.config.hidden_size, self.config.intermediate_size);
        let count = x.len() / hidden;
        let Scratch { wide, narrow, .. } = scratch;
        narrow.resize(count * hidden, 0.0);
        wide.resize(count * wide_width, 0.0);
        layer.out.apply(self.kernel, context, hidden, narrow, hidden);
        dense::add_norm(self.kernel, x, narrow, &layer.out_norm);
        layer.up.apply(self.kernel, x, hidden, wide, wide_width);
        dense::gelu(self.kernel, wide);
        layer.down.apply(self.kernel, wide, wide_width, narrow, hidden);
        dense::add_norm(self.kernel, x, narrow, &layer.down_norm);
    }
}

impl Dense {
    fn apply(&self, kernel: Kernel, x: &[f32], inner: usize, out: &mut [f32], width: usize) {
        let rows = Rows { data: x, count: x.len() / inner, stride: inner };
        dense(kernel, rows, &self.weights, Some(&self.bias), out, width);
    }
}

/// The mean of rows, added in order.
fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0f32; width];
    rows.chunks_exact(width).for_each(|row| sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
    #[allow(clippy::cast_precision_loss, reason = "a text has some hundreds of tokens")]
    let count = (rows.len() / width) as f32;
    sum.iter_mut().for_each(|x| *x /= count);
    sum
}

/// Reads checked tensors.
struct Reader<'a> {
    kernel: Kernel,
    file: SafeTensors<'a>,
    config: &'a BertConfig,
}

impl Reader<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let names = [name.to_owned(), format!("bert.{name}")];
        let view = names.iter().find_map(|name| self.file.tensor(name).ok());
        let view = view.ok_or_else(|| ModelError::MissingTensor { name: name.to_owned() })?;
        if view.shape() != shape {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        if view.dtype() != Dtype::F32 {
            return Err(ModelError::BadTensor { name: name.to_owned(), problem: "is not stored as F32" });
        }
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if !values.iter().all(|x| x.is_finite()) {
            return Err(ModelError::NotFinite { name: name.to_owned() });
        }
        Ok(values)
    }

    fn norm(&self, name: &str) -> Result<LayerNorm, ModelError> {
        let part = |part| self.tensor(&format!("{name}.{part}"), &[self.config.hidden_size]);
        #[allow(clippy::cast_possible_truncation, reason = "the epsilon is a small constant")]
        let epsilon = self.config.layer_norm_eps as f32;
        Ok(LayerNorm { gain: part("weight")?, shift: part("bias")?, epsilon })
    }

    fn dense(&self, name: &str, outputs: usize, inner: usize) -> Result<Dense, ModelError> {
        let rows = self.tensor(&format!("{name}.weight"), &[outputs, inner])?;
        let bias = self.tensor(&format!("{name}.bias"), &[outputs])?;
        let mut weights = Packed::default();
        weights.pack_transposed(self.kernel, &rows, outputs, inner, inner);
        Ok(Dense { weights: weights.shelved(), bias })
    }

    fn layer(&self, index: usize) -> Result<Layer, ModelError> {
        let (hidden, wide) = (self.config.hidden_size, self.config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        #[allow(clippy::cast_precision_loss, reason = "a head is some tens of numbers wide")]
        let scale = 1.0 / ((hidden / self.config.num_attention_heads) as f32).sqrt();
        let (mut rows, mut bias) = (Vec::with_capacity(3 * hidden * hidden), Vec::with_capacity(3 * hidden));
        for (part, factor) in [("query", scale), ("key", 1.0), ("value", 1.0)] {
            let part = name(&format!("attention.self.{part}"));
            rows.extend(self.tensor(&format!("{part}.weight"), &[hidden, hidden])?.iter().map(|x| x * factor));
            bias.extend(self.tensor(&format!("{part}.bias"), &[hidden])?.iter().map(|x| x * factor));
        }
        let mut weights = Packed::default();
        weights.pack_transposed(self.kernel, &rows, 3 * hidden, hidden, hidden);
        Ok(Layer {
            qkv: Dense { weights: weights.shelved(), bias },
            out: self.dense(&name("attention.output.dense"), hidden, hidden)?,
            out_norm: self.norm(&name("attention.output.LayerNorm"))?,
            up: self.dense(&name("intermediate.dense"), wide, hidden)?,
            down: self.dense(&name("output.dense"), hidden, wide)?,
            down_norm: self.norm(&name("output.LayerNorm"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers that look random and are always the same.
    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            #[allow(clippy::cast_precision_loss)]
            let unit = (state >> 8) as f32 / 16_777_216.0;
            unit * 2.0 - 1.0
        };
        (0..count).map(next).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_kernel_gives_the_bits_of_the_plain_sum(rows in 1usize..40, inner in (1usize..70).prop_union(250usize..600), outputs in 1usize..100, seed: u32) {
            let (a, w) = (noise(rows * inner, seed), noise(outputs * inner, !seed));
            let padded = outputs.div_ceil(PANEL) * PANEL;
            let bias = noise(padded, seed ^ 77);
            let mut expected = vec![0.0; rows * padded];
            for r in 0..rows {
                for c in 0..padded {
                    let weight = |i: usize| if c < outputs { w[c * inner + i] } else { 0.0 };
                    expected[r * padded + c] = (0..inner).fold(bias[c], |sum, i| a[r * inner + i].mul_add(weight(i), sum));
                }
            }
            for kernel in Kernel::all() {
                let mut b = Packed::default();
                b.pack_transposed(kernel, &w, outputs, inner, inner);
                let columns = outputs.div_ceil(kernel.panel()) * kernel.panel();
                let mut out = expected.clone();
                out.chunks_exact_mut(padded).for_each(|row| row[..columns].fill(f32::NAN));
                dense(kernel, Rows { data: &a, count: rows, stride: inner }, &b, Some(&bias[..columns]), &mut out, padded);
                prop_assert_eq!(&out, &expected, "{:?}", kernel);
            }
        }

        #[test]
        fn every_kernel_gives_the_same_bits_for_rows(rows in 1usize..6, valid in 1usize..70, seed: u32) {
            let stride = valid.div_ceil(PANEL) * PANEL;
            let norm = LayerNorm { gain: noise(stride, 1), shift: noise(stride, 2), epsilon: 1e-12 };
            let results: Vec<_> = Kernel::all().into_iter().map(|kernel| {
                let (mut x, mut y) = (noise(rows * stride, seed), noise(rows * stride, seed ^ 5));
                let (mut z, mut scale) = (x.iter().map(|x| x * 9.0).collect::<Vec<_>>(), vec![0.0; rows]);
                dense::gelu(kernel, &mut y);
                dense::add_norm(kernel, &mut x, &y, &norm);
                dense::softmax(kernel, &mut z, stride, valid, &mut scale);
                (x, y, z, scale)
            }).collect();
            for other in &results[1..] {
                prop_assert_eq!(other, &results[0]);
            }
        }
    }
}
