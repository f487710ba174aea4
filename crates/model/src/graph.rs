//! The layer graph of a decoder, written once, over whatever carries out its operations.
//!
//! [`Ops`] is the seam: this crate fills it with int8 kernels and a key-value cache ([`crate::ops`]); training fills it
//! with differentiable operations over the same [`Decoder`]. The graph holds no numbers and takes no shortcuts, so that
//! both compute the same function.

use crate::Config;

/// The operations a decoder is made of.
///
/// An implementer guarantees that each row of a result depends only on the same row of the arguments and, in
/// [`Ops::attention`], on the rows before it in the same sequence; and that the number of rows given at once does not change any of them.
/// Arguments taken by value are used up, so that an implementation may reuse their memory.
pub trait Ops {
    /// Rows of activations, one per token.
    type Rows;
    /// A matrix of weights, `[out, in]`.
    type Matrix;
    /// One gain per column.
    type Gains;
    /// What can go wrong.
    type Error;

    /// The rows of `table` that belong to the tokens.
    fn embed(&mut self, table: &Self::Matrix, tokens: &[u32]) -> Result<Self::Rows, Self::Error>;
    /// Each row divided by its root mean square, times the gains.
    fn norm(&mut self, x: &Self::Rows, gains: &Self::Gains, eps: f32) -> Result<Self::Rows, Self::Error>;
    /// `x · wᵀ` for several matrices at once.
    fn project<const N: usize>(
        &mut self,
        weights: [&Self::Matrix; N],
        x: Self::Rows,
    ) -> Result<[Self::Rows; N], Self::Error>;
    /// Rotates every head of every row by its position.
    fn rope(&mut self, x: Self::Rows, heads: usize) -> Result<Self::Rows, Self::Error>;
    /// Causal attention of the queries over all keys and values of this layer so far, these included.
    fn attention(
        &mut self,
        layer: usize,
        queries: Self::Rows,
        keys: Self::Rows,
        values: Self::Rows,
    ) -> Result<Self::Rows, Self::Error>;
    /// `silu(gate) ⊙ up`.
    fn gate(&mut self, gate: Self::Rows, up: Self::Rows) -> Result<Self::Rows, Self::Error>;
    /// `x + y`.
    fn add(&mut self, x: Self::Rows, y: Self::Rows) -> Result<Self::Rows, Self::Error>;
    /// The last `count` rows.
    fn last(&mut self, x: Self::Rows, count: usize) -> Result<Self::Rows, Self::Error>;
}

/// The weights of one layer.
#[derive(Debug)]
pub struct Layer<M, G> {
    /// Gains before attention.
    pub attention_norm: G,
    /// Query projection.
    pub query: M,
    /// Key projection.
    pub key: M,
    /// Value projection.
    pub value: M,
    /// Projection of what attention gathered back into the stream.
    pub output: M,
    /// Gains before the feed-forward layer.
    pub hidden_norm: G,
    /// Gate of the feed-forward layer.
    pub gate: M,
    /// Up-projection of the feed-forward layer.
    pub up: M,
    /// Down-projection of the feed-forward layer.
    pub down: M,
}

/// A decoder: its shape and its weights.
#[derive(Debug)]
pub struct Decoder<M, G> {
    /// The shape.
    pub config: Config,
    /// One row per token of the vocabulary.
    pub embedding: M,
    /// The layers, first to last.
    pub layers: Vec<Layer<M, G>>,
    /// Gains before the head.
    pub norm: G,
    /// The head, where it is not the embedding again.
    pub head: Option<M>,
}

/// Runs the tokens through all layers; the result holds one row per token.
pub fn forward<O: Ops>(
    ops: &mut O,
    decoder: &Decoder<O::Matrix, O::Gains>,
    tokens: &[u32],
) -> Result<O::Rows, O::Error> {
    let config = &decoder.config;
    let mut x = ops.embed(&decoder.embedding, tokens)?;
    for (index, layer) in decoder.layers.iter().enumerate() {
        let h = ops.norm(&x, &layer.attention_norm, config.norm_eps)?;
        let [q, k, v] = ops.project([&layer.query, &layer.key, &layer.value], h)?;
        let q = ops.rope(q, config.heads)?;
        let k = ops.rope(k, config.kv_heads)?;
        let h = ops.attention(index, q, k, v)?;
        let [h] = ops.project([&layer.output], h)?;
        x = ops.add(x, h)?;

        let h = ops.norm(&x, &layer.hidden_norm, config.norm_eps)?;
        let [gate, up] = ops.project([&layer.gate, &layer.up], h)?;
        let h = ops.gate(gate, up)?;
        let [h] = ops.project([&layer.down], h)?;
        x = ops.add(x, h)?;
    }
    Ok(x)
}

/// The logits of the last `count` rows that [`forward`] gave.
pub fn logits<O: Ops>(
    ops: &mut O,
    decoder: &Decoder<O::Matrix, O::Gains>,
    x: O::Rows,
    count: usize,
) -> Result<O::Rows, O::Error> {
    let x = ops.last(x, count)?;
    let h = ops.norm(&x, &decoder.norm, decoder.config.norm_eps)?;
    let [logits] = ops.project([decoder.head.as_ref().unwrap_or(&decoder.embedding)], h)?;
    Ok(logits)
}
