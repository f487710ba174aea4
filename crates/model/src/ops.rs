//! The fast operations: int8 kernels, attention over paged keys and values, and buffers that are used again.
//!
//! The first steps make the buffers; after that a step reserves no memory. Every operation splits its
//! outputs over the crew and no output is shared, so results depend neither on threads nor on how many rows there are.
#![allow(unsafe_code, reason = "threads write to separate parts of one buffer")]

pub(crate) mod mixture;

use crate::{
    Config, RopePairs,
    config::{Activation, Attention, Mixture, Rope},
    delta::StepDeltas,
    graph::{Feed, Ops},
    kernels::{
        Crew, Int8Rows, Matrix, Running, STRIP, Slots,
        attend::Heads,
        matrix::Input,
        rowwise::{Add, Cap, Gate, Norm, Rotate, Round},
    },
    step::Step,
};
use mixture::Route;
use std::{convert::Infallible, sync::Arc};
use zeroize::Zeroize;

/// Tasks handed out per thread, so that one that is held up leaves the rest to the others.
const TASKS_PER_THREAD: usize = 4;
/// Rows from which it pays to share row-wise work with other threads.
const ROWS_SHARED_MIN: usize = 8;

/// Rows of activations; a row may be longer than what is asked of it, up to a multiple of sixteen.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) data: Vec<f32>,
    rows: usize,
}

impl Rows {
    fn width(&self) -> usize {
        self.data.len() / self.rows.max(1)
    }
}

/// Cosines and sines of every position and frequency.
#[derive(Debug)]
pub struct RopeTable {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
    neighbours: bool,
}

impl RopeTable {
    /// Cosines and sines of one position, one per pair.
    #[must_use]
    pub fn angles(&self, position: usize) -> (&[f32], &[f32]) {
        let angles = position * self.half..(position + 1) * self.half;
        (&self.cos[angles.clone()], &self.sin[angles])
    }

    /// Whether the pairs are neighbours, or lie half the rotated part apart.
    #[must_use]
    pub fn neighbours(&self) -> bool {
        self.neighbours
    }

    /// The angles of positions `0..positions` with these frequencies.
    #[must_use]
    pub fn new(config: &Config, rope: &Rope, positions: usize) -> Self {
        let half = config.rope_dims / 2;
        let mut table = Self {
            cos: Vec::with_capacity(positions * half),
            sin: Vec::with_capacity(positions * half),
            half,
            neighbours: config.rope_pairs == RopePairs::Neighbours,
        };
        // In double precision: at position 8000 a float frequency would already be off by a thousandth of a turn.
        #[allow(clippy::cast_precision_loss, reason = "positions and dimensions are small")]
        let frequency = |i: usize| {
            let base = f64::from(rope.base).powf(-2.0 * i as f64 / config.rope_dims as f64);
            base / f64::from(rope.scale) / rope.factors.get(i).map_or(1.0, |factor| f64::from(*factor))
        };
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        for position in 0..positions {
            for frequency in &frequencies {
                #[allow(clippy::cast_precision_loss, reason = "positions are small")]
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                #[allow(clippy::cast_possible_truncation, reason = "rounded to float on purpose")]
                let (sin, cos) = (sin as f32, cos as f32);
                table.cos.push(cos);
                table.sin.push(sin);
            }
        }
        table
    }
}

/// The fast operations of one session, or of one batch.
pub(crate) struct FastOps {
    running: Running,
    crew: Arc<Crew>,
    ropes: Vec<RopeTable>,
    /// Whose rows are computed, and where their keys and values are. It begins before the graph runs, and ends after.
    pub(crate) step: Step,
    head_dim: usize,
    /// What is added to the projections of the step.
    pub(crate) deltas: StepDeltas,
    rounded: Int8Rows,
    spare: Vec<Vec<f32>>,
    routes: Vec<Route>,
    /// How much each expert counts for every token, where the routers are not asked.
    pub(crate) experts: Option<Vec<f32>>,
}

impl FastOps {
    pub(crate) fn new(running: Running, crew: Arc<Crew>, config: &Config, context: usize) -> Self {
        let group = config.heads / config.kv_heads;
        let heads = Heads { head_dim: config.head_dim, heads: config.heads, group };
        Self {
            running,
            step: Step::new(heads, config.kv_heads, crew.threads()),
            crew,
            ropes: config.ropes.iter().map(|rope| RopeTable::new(config, rope, context)).collect(),
            head_dim: config.head_dim,
            deltas: StepDeltas::default(),
            rounded: Int8Rows::default(),
            spare: Vec::new(),
            routes: Vec::new(),
            experts: None,
        }
    }

    /// Overwrites everything that was computed from a prompt.
    pub(crate) fn wipe(&mut self) {
        self.step.wipe();
        self.spare.iter_mut().for_each(Zeroize::zeroize);
        self.spare.clear();
        self.rounded.wipe();
        self.routes.fill(Route::default());
        self.routes.clear();
        self.deltas.wipe();
    }

    /// A buffer whose contents are unspecified: whatever fills it writes every element.
    fn take(&mut self, rows: usize, width: usize) -> Rows {
        let mut data = self.spare.pop().unwrap_or_default();
        data.resize(rows * width, 0.0);
        Rows { data, rows }
    }

    /// Takes a buffer back.
    pub(crate) fn give(&mut self, rows: Rows) {
        self.spare.push(rows.data);
    }

    /// Only the rows at these places, which rise.
    pub(crate) fn pick(&mut self, mut x: Rows, places: &[usize]) -> Rows {
        let width = x.width();
        for (to, &from) in places.iter().enumerate() {
            x.data.copy_within(from * width..(from + 1) * width, to * width);
        }
        x.data.truncate(places.len() * width);
        x.rows = places.len();
        x
    }

    /// Copies of the rows at these places.
    pub(crate) fn copies(&mut self, x: &Rows, places: &[usize]) -> Rows {
        let width = x.width();
        let mut out = self.take(places.len(), width);
        for (to, &from) in out.data.chunks_exact_mut(width).zip(places) {
            to.copy_from_slice(&x.data[from * width..][..width]);
        }
        out
    }

    /// Runs `job` for every row, shared with the crew where there are enough.
    fn each_row(&self, rows: usize, job: impl Fn(usize) + Sync) {
        if rows < ROWS_SHARED_MIN {
            (0..rows).for_each(job);
            return;
        }
        let tasks = (self.crew.threads() * TASKS_PER_THREAD).min(rows);
        self.crew.run(tasks, |_, task| (rows * task / tasks..rows * (task + 1) / tasks).for_each(&job));
    }
}

impl Drop for FastOps {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Ops for FastOps {
    type Rows = Rows;
    type Matrix = Matrix;
    type Gains = Vec<f32>;
    type Error = Infallible;

    fn embed(&mut self, table: &Matrix, tokens: &[u32]) -> Result<Rows, Infallible> {
        let mut out = self.take(tokens.len(), table.columns);
        for (token, row) in tokens.iter().zip(out.data.chunks_exact_mut(table.columns)) {
            table.row(*token as usize, row);
        }
        Ok(out)
    }

    fn norm(&mut self, x: &Rows, gains: &Vec<f32>, eps: f32) -> Result<Rows, Infallible> {
        let width = x.width();
        let mut out = self.take(x.rows, width);
        let slots = Slots::over(&mut out.data);
        let running = self.running;
        self.each_row(x.rows, |row| {
            // SAFETY: each row is one call's alone.
            unsafe {
                let out = slots.part(row * width, width);
                running.run(Norm { x: &x.data[row * width..][..width], gains, eps, out });
            }
        });
        Ok(out)
    }

    fn norm_parts(&mut self, x: Rows, gains: &Vec<f32>, eps: f32) -> Result<Rows, Infallible> {
        let (width, part) = (x.width(), gains.len());
        let mut out = self.take(x.rows, width);
        let slots = Slots::over(&mut out.data);
        let running = self.running;
        self.each_row(x.rows, |row| {
            for at in (row * width..(row + 1) * width).step_by(part) {
                // SAFETY: each row is one call's alone.
                unsafe {
                    let out = slots.part(at, part);
                    running.run(Norm { x: &x.data[at..][..part], gains, eps, out });
                }
            }
        });
        self.give(x);
        Ok(out)
    }

    fn project<const N: usize>(&mut self, weights: [&Matrix; N], x: Rows) -> Result<[Rows; N], Infallible> {
        let (running, width) = (self.running, x.width());
        let thin = self.deltas.plan(&weights.map(|matrix| matrix.slot), x.rows);
        if weights.iter().any(|matrix| matrix.is_quantised()) || self.deltas.wants_rounded() {
            let mut rounded = std::mem::take(&mut self.rounded);
            rounded.shape(x.rows, width);
            let blocks = rounded.blocks;
            let into = Slots::over(&mut rounded.data);
            self.each_row(x.rows, |row| {
                // SAFETY: each row is one call's alone.
                unsafe {
                    let into = into.part(row * blocks, blocks);
                    running.run(Round { x: &x.data[row * width..][..width], into });
                }
            });
            self.rounded = rounded;
        }
        let mut out = weights.map(|matrix| self.take(x.rows, matrix.strip_count() * STRIP));
        let slots: [Slots<f32>; N] = std::array::from_fn(|i| Slots::over(&mut out[i].data));
        let input = Input { floats: &x.data, rounded: &self.rounded, rows: x.rows };
        let total: usize = weights.iter().map(|matrix| matrix.strip_count()).sum();
        let tasks = (self.crew.threads() * TASKS_PER_THREAD).min(total);
        let (deltas, narrow) = (&self.deltas, self.deltas.tasks());
        self.crew.run(narrow + tasks, |_, task| {
            let Some(task) = task.checked_sub(narrow) else {
                // SAFETY: each task runs once.
                unsafe { deltas.narrow(running, task, input, thin) };
                return;
            };
            let mut range = total * task / tasks..total * (task + 1) / tasks;
            for (index, (matrix, slots)) in weights.iter().zip(slots).enumerate() {
                let count = matrix.strip_count();
                let mine = range.start.min(count)..range.end.min(count);
                // SAFETY: the ranges of the tasks do not overlap, so each strip's columns are one call's alone.
                unsafe {
                    matrix.multiply(running, mine.clone(), input, slots);
                    deltas.widen(running, index, mine, thin, slots, count * STRIP);
                }
                range = range.start.saturating_sub(count)..range.end.saturating_sub(count);
            }
        });
        self.give(x);
        Ok(out)
    }

    fn rope(&mut self, mut x: Rows, heads: usize, rope: usize) -> Result<Rows, Infallible> {
        let (width, head_dim, table) = (x.width(), self.head_dim, &self.ropes[rope]);
        let positions = self.step.positions();
        debug_assert_eq!(width, heads * head_dim);
        let slots = Slots::over(&mut x.data);
        let running = self.running;
        self.each_row(x.rows, |row| {
            let angles = positions[row] * table.half..(positions[row] + 1) * table.half;
            let (cos, sin) = (&table.cos[angles.clone()], &table.sin[angles]);
            // SAFETY: each row is one call's alone.
            unsafe {
                let row = slots.part(row * width, width);
                running.run(Rotate { row, head_dim, cos, sin, neighbours: table.neighbours });
            }
        });
        Ok(x)
    }

    fn attention(
        &mut self,
        layer: usize,
        how: Attention,
        queries: Rows,
        keys: Rows,
        values: Rows,
    ) -> Result<Rows, Infallible> {
        let mut out = self.take(queries.rows, queries.width());
        let rows = [&queries.data[..], &keys.data, &values.data];
        self.step.attention(self.running, &self.crew, layer, how, rows, &mut out.data);
        self.give(queries);
        self.give(keys);
        self.give(values);
        Ok(out)
    }

    fn gate(&mut self, mut gate: Rows, up: Rows, activation: Activation) -> Result<Rows, Infallible> {
        let width = gate.width();
        let slots = Slots::over(&mut gate.data);
        let running = self.running;
        self.each_row(gate.rows, |row| {
            // SAFETY: each row is one call's alone.
            unsafe {
                let gate = slots.part(row * width, width);
                running.run(Gate { gate, up: &up.data[row * width..][..width], activation });
            }
        });
        self.give(up);
        Ok(gate)
    }

    fn mixture(
        &mut self,
        router: &Matrix,
        experts: &[Feed<Matrix>],
        how: Mixture,
        activation: Activation,
        x: Rows,
    ) -> Result<Rows, Infallible> {
        self.mix(router, experts, how, activation, x)
    }

    fn add(&mut self, mut x: Rows, y: Rows) -> Result<Rows, Infallible> {
        // SAFETY: adding asks for nothing.
        unsafe { self.running.run(Add { x: &mut x.data, y: &y.data }) };
        self.give(y);
        Ok(x)
    }

    fn scale(&mut self, mut x: Rows, factor: f32) -> Result<Rows, Infallible> {
        x.data.iter_mut().for_each(|x| *x *= factor);
        Ok(x)
    }

    fn cap(&mut self, mut x: Rows, limit: f32) -> Result<Rows, Infallible> {
        // SAFETY: the job asks for nothing.
        unsafe { self.running.run(Cap { x: &mut x.data, scale: 1.0, limit }) };
        Ok(x)
    }

    fn last(&mut self, mut x: Rows, count: usize) -> Result<Rows, Infallible> {
        let width = x.width();
        let count = count.min(x.rows);
        x.data.copy_within((x.rows - count) * width.., 0);
        x.data.truncate(count * width);
        x.rows = count;
        Ok(x)
    }
}
