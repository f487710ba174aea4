//! What was computed on the way there, for the way back.
//!
//! A tape holds one stretch of the graph, usually a layer: its operations in order, and those of their rows that the way
//! back needs. Rows that are cheap to make again (norms and gates) are made again instead.

use crate::engine::Engine;
use hinet_model::{Activation, Attention};

/// Rows of activations: a place on a tape.
#[derive(Debug)]
pub struct Rows(pub(crate) usize);

/// Memory that is used again and never given back.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<Vec<f32>>, Vec<Vec<u16>>);

impl Pool {
    /// A buffer whose contents are unspecified.
    pub fn take(&mut self, count: usize) -> Vec<f32> {
        let fits = self.0.iter().enumerate().filter(|(_, buffer)| buffer.capacity() >= count);
        let best = fits.min_by_key(|(_, buffer)| buffer.capacity()).map(|(at, _)| at);
        let mut buffer = best.map(|at| self.0.swap_remove(at)).unwrap_or_default();
        buffer.resize(count, 0.0);
        buffer
    }

    /// The same of sixteen bits.
    fn take_small(&mut self, count: usize) -> Vec<u16> {
        let fits = self.1.iter().position(|buffer| buffer.capacity() == count);
        let mut buffer = fits.map(|at| self.1.swap_remove(at)).unwrap_or_default();
        buffer.resize(count, 0);
        buffer
    }

    /// A buffer of zeros.
    pub fn zeros(&mut self, count: usize) -> Vec<f32> {
        let mut buffer = self.take(count);
        buffer.fill(0.0);
        buffer
    }

    pub fn give(&mut self, buffer: Vec<f32>) {
        if buffer.capacity() > 0 {
            self.0.push(buffer);
        }
    }

    /// Overwrites and frees everything.
    pub fn wipe(&mut self) {
        for buffer in &mut self.0 {
            buffer.resize(buffer.capacity(), 0.0);
            buffer.fill(0.0);
        }
        self.0.clear();
        self.1.iter_mut().for_each(|buffer| buffer.fill(0));
        self.1.clear();
    }
}

/// One place on a tape.
#[derive(Debug)]
pub(crate) struct Node {
    pub data: Option<Vec<f32>>,
    /// The same as bfloat16, while a tape waits for the way back.
    pub small: Option<Vec<u16>>,
    /// Numbers in all rows.
    pub count: usize,
    /// Whether anything that changes lies behind it.
    pub wants: bool,
    /// Whether the way back needs the numbers.
    pub needed: bool,
    /// Which entry makes it again, if that is cheap.
    pub maker: Option<usize>,
}

/// An operation.
#[derive(Debug)]
pub(crate) enum Entry {
    Embed { tokens: Vec<u32>, weight: usize, out: usize },
    Norm { x: usize, gains: usize, eps: f32, out: usize },
    Project { x: usize, weights: Vec<usize>, outs: Vec<usize>, narrow: Vec<Option<Vec<f32>>> },
    Rope { x: usize, rope: usize, out: usize },
    Attention { queries: usize, keys: usize, values: usize, how: Attention, out: usize },
    Gate { gate: usize, up: usize, activation: Activation, out: usize },
    Add { x: usize, y: usize, out: usize },
    Scale { x: usize, factor: f32, out: usize },
    Cap { x: usize, limit: f32, out: usize },
    Pick { x: usize, rows: Vec<usize>, out: usize },
}

/// A stretch of the graph.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub nodes: Vec<Node>,
    pub entries: Vec<Entry>,
}

impl Tape {
    pub fn node(&mut self, data: Vec<f32>, wants: bool) -> Rows {
        let count = data.len();
        self.nodes.push(Node { data: Some(data), small: None, count, wants, needed: false, maker: None });
        Rows(self.nodes.len() - 1)
    }

    /// Keeps what it has as bfloat16, until [`Tape::unfold`].
    pub fn fold(&mut self, engine: &Engine, pool: &mut Pool) {
        for node in &mut self.nodes {
            let Some(data) = node.data.take() else { continue };
            let mut small = pool.take_small(data.len());
            engine.narrow_down(&data, &mut small);
            node.small = Some(small);
            pool.give(data);
        }
    }

    /// Has floats again.
    pub fn unfold(&mut self, engine: &Engine, pool: &mut Pool) {
        for node in &mut self.nodes {
            let Some(small) = node.small.take() else { continue };
            let mut data = pool.take(small.len());
            engine.widen_up(&small, &mut data);
            node.data = Some(data);
            pool.1.push(small);
        }
    }

    /// Gives the memory of everything that is left back.
    pub fn clear(&mut self, pool: &mut Pool) {
        for node in self.nodes.drain(..) {
            pool.give(node.data.unwrap_or_default());
            pool.1.extend(node.small);
        }
        self.entries.clear();
    }
}
