//! The operations of a decoder by candle's, on whatever device its tensors are.

use super::{
    attend::Cache,
    factors::StepFactors,
    weights::{DeviceDecoder, DeviceMatrix},
};
use crate::{
    Config, RopeTable,
    config::{Activation, Attention, Mixture},
    delta::DeltaSet,
    graph::{self, Feed, Ops},
    ops::mixture::{Route, choose, fixed},
};
use candle_core::{D, Device, Error, Module, Result, Tensor};

/// Cosines and sines of every position and frequency, `[context, pairs]` each.
#[derive(Debug)]
struct Angles {
    cos: Tensor,
    sin: Tensor,
    neighbours: bool,
}

impl Angles {
    fn new(table: &RopeTable, context: usize, device: &Device) -> Result<Self> {
        let (mut cos, mut sin, mut half) = (Vec::new(), Vec::new(), 0);
        for position in 0..context {
            let (cosines, sines) = table.angles(position);
            half = cosines.len();
            cos.extend_from_slice(cosines);
            sin.extend_from_slice(sines);
        }
        Ok(Self {
            cos: Tensor::from_vec(cos, (context, half), device)?,
            sin: Tensor::from_vec(sin, (context, half), device)?,
            neighbours: table.neighbours(),
        })
    }
}

/// The operations of one conversation on a device.
#[derive(Debug)]
pub(super) struct DeviceOps {
    device: Device,
    head_dim: usize,
    /// Numbers of a head that are rotated.
    rope_dims: usize,
    ropes: Vec<Angles>,
    pub(super) cache: Cache,
    pub(super) factors: StepFactors,
    /// Position of the first row of the step, and how many rows it has.
    step: (usize, usize),
    /// How much each expert counts for every token, where the routers are not asked.
    pub(super) experts: Option<Vec<f32>>,
}

/// Each row divided by its sum of exponentials, after taking them.
pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    let x = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    x.broadcast_div(&x.sum_keepdim(D::Minus1)?)
}

/// `limit · tanh(x / limit)`.
pub(super) fn capped(x: &Tensor, limit: f32) -> Result<Tensor> {
    let limit = f64::from(limit);
    x.affine(limit.recip(), 0.0)?.tanh()?.affine(limit, 0.0)
}

impl DeviceOps {
    pub(super) fn new(config: &Config, context: usize, device: &Device) -> Result<Self> {
        let angles = |rope| Angles::new(&RopeTable::new(config, rope, context), context, device);
        Ok(Self {
            ropes: config.ropes.iter().map(angles).collect::<Result<_>>()?,
            cache: Cache::new(config, context, device)?,
            device: device.clone(),
            head_dim: config.head_dim,
            rope_dims: config.rope_dims,
            factors: StepFactors::default(),
            step: (0, 0),
            experts: None,
        })
    }

    /// Reads `tokens` at position `start` and on, with these deltas; one row per token.
    pub(super) fn forward(
        &mut self,
        decoder: &DeviceDecoder,
        deltas: &DeltaSet,
        start: usize,
        tokens: &[u32],
    ) -> Result<Tensor> {
        let rows = tokens.len();
        self.step = (start, rows);
        self.cache.begin(start, rows);
        self.factors.begin(deltas, start, rows, &decoder.config, &self.device)?;
        graph::forward(self, decoder, tokens)
    }

    fn routes(&mut self, router: &DeviceMatrix, how: Mixture, x: &Tensor) -> Result<Vec<Route>> {
        let mut routes = Vec::new();
        if let Some(weights) = &self.experts {
            fixed(weights, x.dim(0)?, &mut routes);
        } else {
            let [scores] = self.project([router], x.clone())?;
            for (row, weights) in softmax(&scores)?.to_vec2::<f32>()?.iter().enumerate() {
                choose(weights, how, row, &mut routes);
            }
            routes.sort_unstable_by_key(|route| (route.expert, route.row));
        }
        Ok(routes)
    }
}

impl Ops for DeviceOps {
    type Rows = Tensor;
    type Matrix = DeviceMatrix;
    type Gains = Tensor;
    type Error = Error;

    fn embed(&mut self, table: &DeviceMatrix, tokens: &[u32]) -> Result<Tensor> {
        table.weights.embedding(&Tensor::from_slice(tokens, tokens.len(), &self.device)?)
    }

    fn norm(&mut self, x: &Tensor, gains: &Tensor, eps: f32) -> Result<Tensor> {
        let squares = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&squares.affine(1.0, f64::from(eps))?.sqrt()?)?.broadcast_mul(gains)
    }

    fn norm_parts(&mut self, x: Tensor, gains: &Tensor, eps: f32) -> Result<Tensor> {
        let ((rows, width), part) = (x.dims2()?, gains.dim(0)?);
        self.norm(&x.reshape((rows, width / part, part))?, gains, eps)?.reshape((rows, width))
    }

    fn project<const N: usize>(&mut self, weights: [&DeviceMatrix; N], x: Tensor) -> Result<[Tensor; N]> {
        let x = x.contiguous()?;
        let mut out = weights.map(|_| x.clone());
        for (out, matrix) in out.iter_mut().zip(weights) {
            *out = self.factors.added(matrix.slot, &x, matrix.weights.forward(&x)?)?;
        }
        Ok(out)
    }

    fn rope(&mut self, x: Tensor, heads: usize, rope: usize) -> Result<Tensor> {
        let ((start, rows), head_dim, dims) = (self.step, self.head_dim, self.rope_dims);
        if dims == 0 {
            return Ok(x);
        }
        let Angles { cos, sin, neighbours } = &self.ropes[rope];
        // The two numbers of a pair lie along their own dimension: the last, or the one before.
        let (pairs, angles, along) = if *neighbours {
            ((rows, heads, dims / 2, 2), (rows, 1, dims / 2, 1), 3usize)
        } else {
            ((rows, heads, 2, dims / 2), (rows, 1, 1, dims / 2), 2usize)
        };
        let cos = cos.narrow(0, start, rows)?.reshape(angles)?;
        let sin = sin.narrow(0, start, rows)?.reshape(angles)?;
        let x = x.reshape((rows, heads, head_dim))?;
        let turned = x.narrow(2, 0, dims)?.contiguous()?.reshape(pairs)?;
        let (one, two) = (turned.narrow(along, 0, 1)?.contiguous()?, turned.narrow(along, 1, 1)?.contiguous()?);
        let left = one.broadcast_mul(&cos)?.sub(&two.broadcast_mul(&sin)?)?;
        let right = one.broadcast_mul(&sin)?.add(&two.broadcast_mul(&cos)?)?;
        let turned = Tensor::cat(&[left, right], along)?.contiguous()?.reshape((rows, heads, dims))?;
        let whole = if dims == head_dim {
            turned
        } else {
            Tensor::cat(&[turned, x.narrow(2, dims, head_dim - dims)?.contiguous()?], 2)?.contiguous()?
        };
        whole.reshape((rows, heads * head_dim))
    }

    fn attention(
        &mut self,
        layer: usize,
        how: Attention,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
    ) -> Result<Tensor> {
        self.cache.attend(layer, how, &queries, &keys, &values)
    }

    fn gate(&mut self, gate: Tensor, up: Tensor, activation: Activation) -> Result<Tensor> {
        let gate = match activation {
            Activation::Silu => gate.silu()?,
            // By its hyperbolic tangent, as candle calls it.
            Activation::GeluTanh => gate.gelu()?,
        };
        gate.mul(&up)
    }

    fn mixture(
        &mut self,
        router: &DeviceMatrix,
        experts: &[Feed<DeviceMatrix>],
        how: Mixture,
        activation: Activation,
        x: Tensor,
    ) -> Result<Tensor> {
        let x = x.contiguous()?;
        let routes = self.routes(router, how, &x)?;
        let mut out = x.zeros_like()?;
        for routes in routes.chunk_by(|a, b| a.expert == b.expert) {
            let count = routes.len();
            let rows: Vec<u32> = routes.iter().map(|route| route.row).collect();
            let weights: Vec<f32> = routes.iter().map(|route| route.weight).collect();
            let rows = Tensor::from_vec(rows, count, &self.device)?;
            let weights = Tensor::from_vec(weights, (count, 1), &self.device)?;
            let mine = x.index_select(&rows, 0)?;
            let said = graph::feed(self, &experts[routes[0].expert as usize], activation, mine)?;
            out = out.index_add(&rows, &said.broadcast_mul(&weights)?, 0)?;
        }
        Ok(out)
    }

    fn add(&mut self, x: Tensor, y: Tensor) -> Result<Tensor> {
        x.add(&y)
    }

    fn scale(&mut self, x: Tensor, factor: f32) -> Result<Tensor> {
        x.affine(f64::from(factor), 0.0)
    }

    fn cap(&mut self, x: Tensor, limit: f32) -> Result<Tensor> {
        capped(&x, limit)
    }

    fn last(&mut self, x: Tensor, count: usize) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let count = count.min(rows);
        x.narrow(0, rows - count, count)
    }
}
