//! The layer graph of a decoder, written once, over whatever carries out its operations.
//!
//! [`Ops`] is the seam: this crate fills it with int8 kernels and a key-value cache ([`crate::ops`]); training fills it
//! with differentiable operations over the same [`Decoder`]. The graph holds no numbers and takes no shortcuts, so that
//! both compute the same function. It follows the data of [`Config`] and knows no family by name.

use crate::{
    Config,
    config::{Activation, Attention, Mixture},
};

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
    /// The same for each stretch of a row that is as long as the gains: the heads of queries and keys, or whole rows
    /// that are not needed any more.
    fn norm_parts(&mut self, x: Self::Rows, gains: &Self::Gains, eps: f32) -> Result<Self::Rows, Self::Error>;
    /// `x · wᵀ` for several matrices at once.
    fn project<const N: usize>(
        &mut self,
        weights: [&Self::Matrix; N],
        x: Self::Rows,
    ) -> Result<[Self::Rows; N], Self::Error>;
    /// Rotates every head of every row by its position, with the frequencies of [`Config::ropes`] at `rope`.
    fn rope(&mut self, x: Self::Rows, heads: usize, rope: usize) -> Result<Self::Rows, Self::Error>;
    /// Causal attention of the queries over all keys and values of this layer so far, these included.
    fn attention(
        &mut self,
        layer: usize,
        how: Attention,
        queries: Self::Rows,
        keys: Self::Rows,
        values: Self::Rows,
    ) -> Result<Self::Rows, Self::Error>;
    /// `activation(gate) ⊙ up`.
    fn gate(&mut self, gate: Self::Rows, up: Self::Rows, activation: Activation) -> Result<Self::Rows, Self::Error>;
    /// A mixture of experts: `softmax(x · routerᵀ)` says how much each expert counts, the largest `how.used` of them
    /// (of equals the first) are computed, and their results are added in the order of the experts.
    fn mixture(
        &mut self,
        router: &Self::Matrix,
        experts: &[Feed<Self::Matrix>],
        how: Mixture,
        activation: Activation,
        x: Self::Rows,
    ) -> Result<Self::Rows, Self::Error>;
    /// `x + y`.
    fn add(&mut self, x: Self::Rows, y: Self::Rows) -> Result<Self::Rows, Self::Error>;
    /// `factor · x`.
    fn scale(&mut self, x: Self::Rows, factor: f32) -> Result<Self::Rows, Self::Error>;
    /// `limit · tanh(x / limit)`.
    fn cap(&mut self, x: Self::Rows, limit: f32) -> Result<Self::Rows, Self::Error>;
    /// The last `count` rows.
    fn last(&mut self, x: Self::Rows, count: usize) -> Result<Self::Rows, Self::Error>;
}

/// A gated feed-forward layer, or one expert of a mixture.
#[derive(Debug)]
pub struct Feed<M> {
    /// Gate.
    pub gate: M,
    /// Up-projection.
    pub up: M,
    /// Down-projection.
    pub down: M,
}

/// The feed-forward part of a layer.
#[derive(Debug)]
pub enum FeedForward<M> {
    /// One for every token.
    Dense(Feed<M>),
    /// Several, of which each token uses some.
    Mixture {
        /// How many there are, and how many are used.
        how: Mixture,
        /// Says how much each expert counts, `[experts, width]`.
        router: M,
        /// The experts.
        experts: Vec<Feed<M>>,
    },
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
    /// Gains of every query head, where heads are normed.
    pub query_norm: Option<G>,
    /// Gains of every key head.
    pub key_norm: Option<G>,
    /// Projection of what attention gathered back into the stream.
    pub output: M,
    /// Gains of what attention adds to the stream, where that is normed.
    pub attention_post_norm: Option<G>,
    /// Gains before the feed-forward layer.
    pub hidden_norm: G,
    /// The feed-forward layer.
    pub feed: FeedForward<M>,
    /// Gains of what the feed-forward layer adds to the stream.
    pub hidden_post_norm: Option<G>,
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

impl<M> Feed<M> {
    fn map<'a, N>(&'a self, matrix: &mut impl FnMut(&'a M) -> N) -> Feed<N> {
        Feed { gate: matrix(&self.gate), up: matrix(&self.up), down: matrix(&self.down) }
    }
}

impl<M, G> Decoder<M, G> {
    /// A decoder of the same shape, with something else for every matrix and for the gains of every norm. They are asked
    /// for in the order in which the graph comes to them, the embedding first and the head last.
    pub fn map<'a, N, H>(
        &'a self,
        mut matrix: impl FnMut(&'a M) -> N,
        mut gains: impl FnMut(&'a G) -> H,
    ) -> Decoder<N, H> {
        let embedding = matrix(&self.embedding);
        let layer = |layer: &'a Layer<M, G>| Layer {
            attention_norm: gains(&layer.attention_norm),
            query: matrix(&layer.query),
            key: matrix(&layer.key),
            value: matrix(&layer.value),
            query_norm: layer.query_norm.as_ref().map(&mut gains),
            key_norm: layer.key_norm.as_ref().map(&mut gains),
            output: matrix(&layer.output),
            attention_post_norm: layer.attention_post_norm.as_ref().map(&mut gains),
            hidden_norm: gains(&layer.hidden_norm),
            feed: match &layer.feed {
                FeedForward::Dense(feed) => FeedForward::Dense(feed.map(&mut matrix)),
                FeedForward::Mixture { how, router, experts } => FeedForward::Mixture {
                    how: *how,
                    router: matrix(router),
                    experts: experts.iter().map(|expert| expert.map(&mut matrix)).collect(),
                },
            },
            hidden_post_norm: layer.hidden_post_norm.as_ref().map(&mut gains),
        };
        let layers = self.layers.iter().map(layer).collect();
        let norm = gains(&self.norm);
        Decoder { config: self.config.clone(), embedding, layers, norm, head: self.head.as_ref().map(matrix) }
    }
}

/// Runs the tokens through all layers; the result holds one row per token.
pub fn forward<O: Ops>(
    ops: &mut O,
    decoder: &Decoder<O::Matrix, O::Gains>,
    tokens: &[u32],
) -> Result<O::Rows, O::Error> {
    let mut x = embed(ops, decoder, tokens)?;
    for index in 0..decoder.layers.len() {
        x = layer(ops, decoder, index, x)?;
    }
    Ok(x)
}

/// What the first layer is given: one row per token.
pub fn embed<O: Ops>(ops: &mut O, decoder: &Decoder<O::Matrix, O::Gains>, tokens: &[u32]) -> Result<O::Rows, O::Error> {
    let x = ops.embed(&decoder.embedding, tokens)?;
    match decoder.config.embedding_scale {
        1.0 => Ok(x),
        scale => ops.scale(x, scale),
    }
}

/// What layer `index` makes of the rows that the one before it gave.
pub fn layer<O: Ops>(
    ops: &mut O,
    decoder: &Decoder<O::Matrix, O::Gains>,
    index: usize,
    x: O::Rows,
) -> Result<O::Rows, O::Error> {
    let config = &decoder.config;
    let (layer, plan, eps) = (&decoder.layers[index], &config.plan[index], config.norm_eps);
    let h = ops.norm(&x, &layer.attention_norm, eps)?;
    let [mut q, mut k, v] = ops.project([&layer.query, &layer.key, &layer.value], h)?;
    if let Some(gains) = &layer.query_norm {
        q = ops.norm_parts(q, gains, eps)?;
    }
    if let Some(gains) = &layer.key_norm {
        k = ops.norm_parts(k, gains, eps)?;
    }
    let q = ops.rope(q, config.heads, plan.rope)?;
    let k = ops.rope(k, config.kv_heads, plan.rope)?;
    let h = ops.attention(index, config.attention(index), q, k, v)?;
    let [mut h] = ops.project([&layer.output], h)?;
    if let Some(gains) = &layer.attention_post_norm {
        h = ops.norm_parts(h, gains, eps)?;
    }
    let x = ops.add(x, h)?;

    let h = ops.norm(&x, &layer.hidden_norm, eps)?;
    let mut h = match &layer.feed {
        FeedForward::Dense(weights) => feed(ops, weights, config.activation, h)?,
        FeedForward::Mixture { how, router, experts } => ops.mixture(router, experts, *how, config.activation, h)?,
    };
    if let Some(gains) = &layer.hidden_post_norm {
        h = ops.norm_parts(h, gains, eps)?;
    }
    ops.add(x, h)
}

/// One feed-forward layer or expert.
pub fn feed<O: Ops>(
    ops: &mut O,
    weights: &Feed<O::Matrix>,
    activation: Activation,
    x: O::Rows,
) -> Result<O::Rows, O::Error> {
    let [gate, up] = ops.project([&weights.gate, &weights.up], x)?;
    let h = ops.gate(gate, up, activation)?;
    let [h] = ops.project([&weights.down], h)?;
    Ok(h)
}

/// The logits of the last `count` rows that [`forward`] gave.
pub fn logits<O: Ops>(
    ops: &mut O,
    decoder: &Decoder<O::Matrix, O::Gains>,
    x: O::Rows,
    count: usize,
) -> Result<O::Rows, O::Error> {
    let x = ops.last(x, count)?;
    head(ops, decoder, x)
}

/// The logits of all of these rows, which the last layer gave.
pub fn head<O: Ops>(ops: &mut O, decoder: &Decoder<O::Matrix, O::Gains>, x: O::Rows) -> Result<O::Rows, O::Error> {
    let h = ops.norm_parts(x, &decoder.norm, decoder.config.norm_eps)?;
    let [logits] = ops.project([decoder.head.as_ref().unwrap_or(&decoder.embedding)], h)?;
    match decoder.config.logit_cap {
        Some(limit) => ops.cap(logits, limit),
        None => Ok(logits),
    }
}
