//! The differentiable operations: what the layer graph does, written down on a tape.
#![allow(unsafe_code, reason = "entering kernels, and threads that write to separate rows of one buffer")]

use crate::{
    TrainError,
    attend::{Attend, Heads, Seen},
    engine::Engine,
    products::Forward,
    tape::{Entry, Pool, Rows, Tape},
    weight::{Gains, Weight},
};
use hinet_model::{
    Activation, Attention, Config, Mixture, RopeTable,
    graph::{Feed, Ops},
    kernels::{
        Slots,
        rowwise::{Add, Cap, Gate, Norm, Rotate},
    },
};
use std::ops::Range;

/// The operations over the packed rows of some segments. Matrices and gains are numbers in the tables of this step.
pub(crate) struct TapeOps<'a> {
    pub engine: &'a Engine,
    pub config: &'a Config,
    pub weights: &'a [Weight<'a>],
    pub gains: &'a [Gains<'a>],
    pub ropes: &'a [RopeTable],
    /// Rows of each sequence.
    pub segments: &'a [Range<usize>],
    /// The position of every row.
    pub positions: &'a [usize],
    pub pool: &'a mut Pool,
    pub tape: Tape,
    /// Whether there will be a way back.
    pub records: bool,
    /// Whoever looks at what linear layers are given.
    pub look: Option<&'a mut Look<'a>>,
}

/// Is shown the inputs that some matrices share, by their numbers in the graph: `[rows, columns]`.
pub(crate) type Look<'a> = dyn FnMut(&[usize], &[f32]) -> Result<(), TrainError> + 'a;

impl TapeOps<'_> {
    /// A new tape that begins with these rows.
    pub fn begin(&mut self, data: Vec<f32>, wants: bool) -> Rows {
        self.tape.clear(self.pool);
        self.tape.node(data, wants)
    }

    /// The rows a tape ends with; the tape keeps what the way back needs.
    pub fn finish(&mut self, rows: Rows) -> (Vec<f32>, Tape) {
        let data = self.steal(rows);
        (data, std::mem::take(&mut self.tape))
    }

    pub fn width(&self, rows: &Rows) -> usize {
        self.tape.nodes[rows.0].count / self.positions.len().max(1)
    }

    pub fn data(&self, at: usize) -> &[f32] {
        self.tape.nodes[at].data.as_deref().unwrap_or_default()
    }

    pub fn wants(&self, at: usize) -> bool {
        self.tape.nodes[at].wants
    }

    fn need(&mut self, at: usize) {
        if self.records {
            self.tape.nodes[at].needed = true;
        }
    }

    /// The numbers of rows that nobody needs after this.
    pub fn steal(&mut self, rows: Rows) -> Vec<f32> {
        let node = &mut self.tape.nodes[rows.0];
        if !node.needed {
            return node.data.take().unwrap_or_default();
        }
        let mut copy = self.pool.take(node.count);
        copy.copy_from_slice(node.data.as_deref().unwrap_or_default());
        copy
    }

    /// Lets go of rows; they stay where the way back needs them.
    fn release(&mut self, at: usize) {
        let node = &mut self.tape.nodes[at];
        if !node.needed {
            self.pool.give(node.data.take().unwrap_or_default());
        }
    }

    fn write(&mut self, entry: Entry) {
        if self.records {
            self.tape.entries.push(entry);
        }
    }

    /// Runs `job` for every stretch of `width` numbers of a buffer, shared by threads.
    pub fn each(engine: &Engine, data: &mut [f32], width: usize, job: impl Fn(usize, &mut [f32]) + Sync) {
        let count = data.len() / width.max(1);
        let slots = Slots::over(data);
        engine.share(count, (4096 / width.max(1)).max(1), |_, range| {
            for at in range {
                // SAFETY: each stretch is one call's alone.
                job(at, unsafe { slots.part(at * width, width) });
            }
        });
    }

    /// Runs `job` for parts of a buffer, each a multiple of sixteen long, with where it begins; shared by threads.
    pub fn spread(engine: &Engine, data: &mut [f32], job: impl Fn(usize, &mut [f32]) + Sync) {
        debug_assert!(data.len().is_multiple_of(16), "rows are multiples of 16");
        let count = data.len() / 16;
        let slots = Slots::over(data);
        engine.share(count, 256, |_, range| {
            // SAFETY: each part is one call's alone.
            job(range.start * 16, unsafe { slots.part(range.start * 16, range.len() * 16) });
        });
    }

    pub fn normed(&mut self, x: usize, gains: usize, eps: f32) -> Vec<f32> {
        let mut out = self.pool.take(self.tape.nodes[x].count);
        let (x, gains, running) = (self.data(x), self.gains[gains].values, self.engine.running);
        let width = gains.len();
        Self::each(self.engine, &mut out, width, |row, out| {
            // SAFETY: the job asks for nothing.
            unsafe { running.run(Norm { x: &x[row * width..][..width], gains, eps, out }) };
        });
        out
    }

    pub fn gated(&mut self, gate: usize, up: usize, activation: Activation) -> Vec<f32> {
        let mut out = self.pool.take(self.tape.nodes[gate].count);
        let (gate, up, running) = (self.data(gate), self.data(up), self.engine.running);
        Self::spread(self.engine, &mut out, |from, out| {
            out.copy_from_slice(&gate[from..][..out.len()]);
            let up = &up[from..][..out.len()];
            // SAFETY: the job asks for nothing.
            unsafe { running.run(Gate { gate: out, up, activation }) };
        });
        out
    }

    /// Turns heads by their positions, or back.
    pub fn turn(&self, data: &mut [f32], rope: usize, back: bool) {
        let (table, running, dims) = (&self.ropes[rope], self.engine.running, self.config.head_dim);
        let width = data.len() / self.positions.len().max(1);
        Self::each(self.engine, data, width, |row, data| {
            let (cos, sin) = table.angles(self.positions[row]);
            let mut turned = [0f32; 128];
            let sin = if back {
                let turned = &mut turned[..sin.len()];
                turned.iter_mut().zip(sin).for_each(|(to, from)| *to = -from);
                turned
            } else {
                sin
            };
            let neighbours = table.neighbours();
            // SAFETY: the job asks for nothing.
            unsafe { running.run(Rotate { row: data, head_dim: dims, cos, sin, neighbours }) };
        });
    }

    pub fn attend(&self, how: Attention) -> Attend<'_> {
        let heads = Heads { queries: self.config.heads, keys: self.config.kv_heads, dims: self.config.head_dim };
        Attend { engine: self.engine, heads, how, segments: self.segments }
    }

    fn norm_of(&mut self, x: usize, gains: usize, eps: f32) -> Rows {
        let wants = self.wants(x) || self.gains[gains].at.is_some();
        // Also where nothing flows back, because a projection may want the rows made again.
        self.need(x);
        let data = self.normed(x, gains, eps);
        let rows = self.tape.node(data, wants);
        self.write(Entry::Norm { x, gains, eps, out: rows.0 });
        self.tape.nodes[rows.0].maker = self.tape.entries.len().checked_sub(1);
        rows
    }

    /// Only the rows at these places, which rise; a place may come once.
    pub fn pick(&mut self, x: &Rows, rows: Vec<usize>, width: usize) -> Rows {
        let mut data = self.pool.take(rows.len() * width);
        for (to, &from) in data.chunks_exact_mut(width).zip(&rows) {
            to.copy_from_slice(&self.data(x.0)[from * width..][..width]);
        }
        let out = self.tape.node(data, self.wants(x.0));
        self.write(Entry::Pick { x: x.0, rows, out: out.0 });
        out
    }
}

impl Ops for TapeOps<'_> {
    type Rows = Rows;
    type Matrix = usize;
    type Gains = usize;
    type Error = TrainError;

    fn embed(&mut self, table: &usize, tokens: &[u32]) -> Result<Rows, TrainError> {
        let weight = &self.weights[*table];
        let mut data = self.pool.take(tokens.len() * weight.columns);
        for (token, row) in tokens.iter().zip(data.chunks_exact_mut(weight.columns)) {
            weight.row(*token as usize, row);
        }
        let out = self.tape.node(data, weight.at.is_some());
        self.write(Entry::Embed { tokens: tokens.to_vec(), weight: *table, out: out.0 });
        Ok(out)
    }

    fn norm(&mut self, x: &Rows, gains: &usize, eps: f32) -> Result<Rows, TrainError> {
        Ok(self.norm_of(x.0, *gains, eps))
    }

    fn norm_parts(&mut self, x: Rows, gains: &usize, eps: f32) -> Result<Rows, TrainError> {
        let out = self.norm_of(x.0, *gains, eps);
        self.release(x.0);
        Ok(out)
    }

    fn project<const N: usize>(&mut self, weights: [&usize; N], x: Rows) -> Result<[Rows; N], TrainError> {
        if let Some(look) = self.look.take() {
            look(&weights.map(|weight| *weight), self.data(x.0))?;
            self.look = Some(look);
        }
        let all = self.weights;
        let used: Vec<&Weight<'_>> = weights.iter().map(|weight| &all[**weight]).collect();
        let learns = used.iter().any(|weight| weight.learns());
        if learns && self.tape.nodes[x.0].maker.is_none() {
            self.need(x.0);
        }
        let pack = self.engine.pack(self.data(x.0), used[0].columns);
        let narrow = self.engine.narrow(&pack, &used);
        let rows = self.tape.nodes[x.0].count / used[0].columns;
        let mut data: Vec<Vec<f32>> = used.iter().map(|weight| self.pool.take(rows * weight.width())).collect();
        let mut products: Vec<Forward<'_>> = used
            .iter()
            .zip(&narrow)
            .zip(&mut data)
            .map(|((weight, narrow), out)| Forward { weight, narrow: narrow.as_deref(), out })
            .collect();
        self.engine.forward(&pack, &mut products);
        self.engine.unpack(pack);
        let wants = self.wants(x.0);
        let mut data = data.into_iter();
        let out = weights.map(|weight| {
            let weight = &all[*weight];
            let rows = self.tape.node(data.next().unwrap_or_default(), wants || weight.learns());
            if weight.adapter.is_some_and(|adapter| adapter.lengths.is_some()) {
                self.need(rows.0);
            }
            rows
        });
        let outs = out.iter().map(|rows| rows.0).collect();
        self.write(Entry::Project { x: x.0, weights: weights.map(|weight| *weight).to_vec(), outs, narrow });
        self.release(x.0);
        Ok(out)
    }

    fn rope(&mut self, x: Rows, _heads: usize, rope: usize) -> Result<Rows, TrainError> {
        let (from, wants) = (x.0, self.wants(x.0));
        let mut data = self.steal(x);
        self.turn(&mut data, rope, false);
        let out = self.tape.node(data, wants);
        self.write(Entry::Rope { x: from, rope, out: out.0 });
        Ok(out)
    }

    fn attention(
        &mut self,
        _layer: usize,
        how: Attention,
        queries: Rows,
        keys: Rows,
        values: Rows,
    ) -> Result<Rows, TrainError> {
        let mut out = self.pool.take(self.tape.nodes[queries.0].count);
        let seen = Seen { queries: self.data(queries.0), keys: self.data(keys.0), values: self.data(values.0) };
        self.attend(how).forward(seen, &mut out);
        let places = [queries.0, keys.0, values.0];
        let wants = places.iter().any(|at| self.wants(*at));
        for at in places {
            if wants {
                self.need(at);
            }
            self.release(at);
        }
        let out = self.tape.node(out, wants);
        let [queries, keys, values] = places;
        self.write(Entry::Attention { queries, keys, values, how, out: out.0 });
        Ok(out)
    }

    fn gate(&mut self, gate: Rows, up: Rows, activation: Activation) -> Result<Rows, TrainError> {
        let data = self.gated(gate.0, up.0, activation);
        let wants = self.wants(gate.0) || self.wants(up.0);
        for at in [gate.0, up.0] {
            self.need(at);
            self.release(at);
        }
        let out = self.tape.node(data, wants);
        self.write(Entry::Gate { gate: gate.0, up: up.0, activation, out: out.0 });
        self.tape.nodes[out.0].maker = self.tape.entries.len().checked_sub(1);
        Ok(out)
    }

    fn mixture(
        &mut self,
        _router: &usize,
        _experts: &[Feed<usize>],
        _how: Mixture,
        _activation: Activation,
        _x: Rows,
    ) -> Result<Rows, TrainError> {
        // Recipes are checked before, so that nobody comes here.
        Err(TrainError::Mixture { layer: 0 })
    }

    fn add(&mut self, x: Rows, y: Rows) -> Result<Rows, TrainError> {
        let (x_at, y_at) = (x.0, y.0);
        let wants = self.wants(x_at) || self.wants(y_at);
        let mut data = self.steal(x);
        let (other, running) = (self.data(y_at), self.engine.running);
        Self::spread(self.engine, &mut data, |from, x| {
            let y = &other[from..][..x.len()];
            // SAFETY: the job asks for nothing.
            unsafe { running.run(Add { x, y }) };
        });
        self.release(y_at);
        let out = self.tape.node(data, wants);
        self.write(Entry::Add { x: x_at, y: y_at, out: out.0 });
        Ok(out)
    }

    fn scale(&mut self, x: Rows, factor: f32) -> Result<Rows, TrainError> {
        let (from, wants) = (x.0, self.wants(x.0));
        let mut data = self.steal(x);
        data.iter_mut().for_each(|number| *number *= factor);
        let out = self.tape.node(data, wants);
        self.write(Entry::Scale { x: from, factor, out: out.0 });
        Ok(out)
    }

    fn cap(&mut self, x: Rows, limit: f32) -> Result<Rows, TrainError> {
        let (from, wants) = (x.0, self.wants(x.0));
        let mut data = self.steal(x);
        // SAFETY: the job asks for nothing.
        unsafe { self.engine.running.run(Cap { x: &mut data, scale: 1.0, limit }) };
        let out = self.tape.node(data, wants);
        if wants {
            self.need(out.0);
        }
        self.write(Entry::Cap { x: from, limit, out: out.0 });
        Ok(out)
    }

    fn last(&mut self, x: Rows, count: usize) -> Result<Rows, TrainError> {
        let (rows, width) = (self.positions.len(), self.width(&x));
        let out = self.pick(&x, (rows - count.min(rows)..rows).collect(), width);
        self.release(x.0);
        Ok(out)
    }
}
