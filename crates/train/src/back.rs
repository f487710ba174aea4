//! The way back over a tape, with the derivative of every operation written by hand.
#![allow(unsafe_code, reason = "entering kernels, and threads that write to separate rows of one buffer")]

use crate::{
    attend::Seen,
    ops::TapeOps,
    products::Back,
    rowwise::{CapBack, GainsBack, GateBack, NormBack},
    tape::{Entry, Rows},
    weight::Weight,
};
use hinet_model::kernels::{Slots, rowwise::Add};

/// Gradients of the places of a tape, while they are gathered.
type Flow = Vec<Option<Vec<f32>>>;

/// A matrix whose product is undone: it, the gradient of the product, and what its adapter made of the inputs.
type Reached<'a, 'w> = (&'a Weight<'w>, Vec<f32>, Option<&'a [f32]>);

impl TapeOps<'_> {
    /// Goes back over the tape from the gradient of `out`; gives that of the first place, if anything wants it. What is
    /// said about numbers that change is added to `grads`.
    pub fn back(&mut self, out: Rows, gradient: Vec<f32>, grads: &mut [f32]) -> Option<Vec<f32>> {
        self.back_to(&[0], out, gradient, grads).pop().flatten()
    }

    /// The same, and gives the gradients of several places.
    pub fn back_to(&mut self, to: &[usize], out: Rows, gradient: Vec<f32>, grads: &mut [f32]) -> Flow {
        let mut flow: Flow = self.tape.nodes.iter().map(|_| None).collect();
        flow[out.0] = Some(gradient);
        while let Some(entry) = self.tape.entries.pop() {
            self.undo(entry, &mut flow, grads);
        }
        let found = to.iter().map(|at| flow.get_mut(*at).and_then(Option::take)).collect();
        flow.into_iter().flatten().for_each(|left| self.pool.give(left));
        let mut tape = std::mem::take(&mut self.tape);
        tape.clear(self.pool);
        found
    }

    fn undo(&mut self, entry: Entry, flow: &mut Flow, grads: &mut [f32]) {
        match entry {
            Entry::Project { x, weights, outs, narrow } => {
                self.undo_project(x, &weights, &outs, &narrow, flow, grads);
            }
            Entry::Norm { x, gains, eps, out } => {
                if let Some(dy) = flow[out].take() {
                    self.undo_norm(x, gains, eps, &dy, flow, grads);
                    self.pool.give(dy);
                }
            }
            Entry::Attention { queries, keys, values, how, out } => {
                let Some(dy) = flow[out].take() else { return };
                let [mut dq, mut dk, mut dv] =
                    [queries, keys, values].map(|at| self.pool.zeros(self.tape.nodes[at].count));
                let seen = Seen { queries: self.data(queries), keys: self.data(keys), values: self.data(values) };
                self.attend(how).back(seen, &dy, &mut dq, &mut dk, &mut dv);
                self.pool.give(dy);
                for (at, gradient) in [(queries, dq), (keys, dk), (values, dv)] {
                    self.flows(flow, at, gradient);
                }
            }
            Entry::Gate { gate, up, activation, out } => {
                let Some(mut dy) = flow[out].take() else { return };
                let mut dgate = self.pool.take(dy.len());
                let (gates, ups, running) = (self.data(gate), self.data(up), self.engine.running);
                let slots = Slots::over(&mut dgate);
                Self::spread(self.engine, &mut dy, |from, dy| {
                    let count = dy.len();
                    let (gate, up) = (&gates[from..][..count], &ups[from..][..count]);
                    // SAFETY: this part is this call's alone.
                    unsafe { running.run(GateBack { gate, up, dy, dgate: slots.part(from, count), activation }) };
                });
                self.flows(flow, gate, dgate);
                self.flows(flow, up, dy);
            }
            Entry::Rope { x, rope, out, .. } => {
                let Some(mut dy) = flow[out].take() else { return };
                self.turn(&mut dy, rope, true);
                self.flows(flow, x, dy);
            }
            Entry::Add { x, y, out } => {
                let Some(dy) = flow[out].take() else { return };
                if self.wants(y) {
                    let mut copy = self.pool.take(dy.len());
                    copy.copy_from_slice(&dy);
                    self.flows(flow, y, copy);
                }
                self.flows(flow, x, dy);
            }
            Entry::Scale { x, factor, out } => {
                let Some(mut dy) = flow[out].take() else { return };
                dy.iter_mut().for_each(|number| *number *= factor);
                self.flows(flow, x, dy);
            }
            Entry::Cap { x, limit, out } => {
                let Some(mut dy) = flow[out].take() else { return };
                // SAFETY: the job asks for nothing.
                unsafe { self.engine.running.run(CapBack { y: self.data(out), dy: &mut dy, limit }) };
                self.flows(flow, x, dy);
            }
            Entry::Pick { x, rows, out } => {
                let Some(dy) = flow[out].take() else { return };
                let width = dy.len() / rows.len().max(1);
                let mut dx = self.pool.zeros(self.tape.nodes[x].count);
                for (from, &to) in dy.chunks_exact(width).zip(&rows) {
                    dx[to * width..][..width].copy_from_slice(from);
                }
                self.pool.give(dy);
                self.flows(flow, x, dx);
            }
            Entry::Embed { tokens, weight, out } => {
                let Some(dy) = flow[out].take() else { return };
                let weight = &self.weights[weight];
                if let Some(at) = weight.at {
                    for (token, dy) in tokens.iter().zip(dy.chunks_exact(weight.columns)) {
                        let (strip, row) = (*token as usize / 16, *token as usize % 16);
                        let to = &mut grads[at + strip * weight.columns * 16..][..weight.columns * 16];
                        to.iter_mut().skip(row).step_by(16).zip(dy).for_each(|(to, dy)| *to += dy);
                    }
                }
                self.pool.give(dy);
            }
        }
    }

    /// A gradient that flows to a place, together with what has flowed there already.
    fn flows(&mut self, flow: &mut Flow, at: usize, gradient: Vec<f32>) {
        if !self.wants(at) {
            self.pool.give(gradient);
            return;
        }
        match &mut flow[at] {
            Some(sum) => {
                let running = self.engine.running;
                Self::spread(self.engine, sum, |from, x| {
                    let y = &gradient[from..][..x.len()];
                    // SAFETY: the job asks for nothing.
                    unsafe { running.run(Add { x, y }) };
                });
                self.pool.give(gradient);
            }
            empty => *empty = Some(gradient),
        }
    }

    fn undo_norm(&mut self, x: usize, gains: usize, eps: f32, dy: &[f32], flow: &mut Flow, grads: &mut [f32]) {
        let (place, all) = (x, self.gains);
        let gains = &all[gains];
        let (running, width) = (self.engine.running, gains.values.len());
        if self.wants(x) {
            let (mut dx, more) = match flow[x].take() {
                Some(sum) => (sum, true),
                None => (self.pool.take(dy.len()), false),
            };
            let x = self.data(x);
            Self::each(self.engine, &mut dx, width, |row, dx| {
                let part = row * width..(row + 1) * width;
                let (x, dy) = (&x[part.clone()], &dy[part]);
                // SAFETY: the job asks for nothing.
                unsafe { running.run(NormBack { x, gains: gains.values, eps, dy, dx, more }) };
            });
            flow[place] = Some(dx);
        }
        if let Some(at) = gains.at {
            let dg = &mut grads[at..][..width];
            for (x, dy) in self.data(x).chunks_exact(width).zip(dy.chunks_exact(width)) {
                // SAFETY: the job asks for nothing.
                unsafe { running.run(GainsBack { x, eps, dy, dg: &mut *dg }) };
            }
        }
    }

    fn undo_project(
        &mut self,
        x: usize,
        weights: &[usize],
        outs: &[usize],
        narrow: &[Option<Vec<f32>>],
        flow: &mut Flow,
        grads: &mut [f32],
    ) {
        let all = self.weights;
        let mut found: Vec<Reached<'_, '_>> = Vec::new();
        for ((weight, &out), narrow) in weights.iter().zip(outs).zip(narrow) {
            if let Some(mut dy) = flow[out].take() {
                let weight = &all[*weight];
                self.undo_lengths(weight, out, &mut dy, grads);
                found.push((weight, dy, narrow.as_deref()));
            }
            let left = self.tape.nodes[out].data.take().unwrap_or_default();
            self.pool.give(left);
        }
        let Some((first, ..)) = found.first() else { return };
        let rows = self.tape.nodes[x].count / first.columns;
        let wants = self.wants(x);
        // Packed only where it is multiplied by rows.
        let pack = |(weight, dy, _): &(&Weight<'_>, Vec<f32>, _)| {
            if wants || weight.adapter.is_some() { self.engine.pack(dy, weight.width()) } else { Vec::new() }
        };
        let packs: Vec<Vec<f32>> = found.iter().map(pack).collect();
        let dnarrow: Vec<Option<Vec<f32>>> =
            found.iter().zip(&packs).map(|((weight, ..), pack)| self.engine.narrow_back(rows, weight, pack)).collect();
        let backs: Vec<Back<'_>> = found
            .iter()
            .zip(packs.iter().zip(&dnarrow))
            .map(|((weight, dy, narrow), (packed, dnarrow))| Back {
                weight,
                dy,
                packed,
                narrow: *narrow,
                dnarrow: dnarrow.as_deref(),
            })
            .collect();
        if found.iter().any(|(weight, ..)| weight.learns()) {
            self.make(x);
            self.engine.to_weights(rows, self.data(x), &backs, grads);
            if !self.tape.nodes[x].needed {
                let data = self.tape.nodes[x].data.take().unwrap_or_default();
                self.pool.give(data);
            }
        }
        if wants {
            let (mut dx, more) = match flow[x].take() {
                Some(sum) => (sum, true),
                None => (self.pool.take(self.tape.nodes[x].count), false),
            };
            self.engine.to_inputs(rows, &backs, &mut dx, more);
            flow[x] = Some(dx);
        }
        packs.into_iter().for_each(|pack| self.engine.unpack(pack));
        found.into_iter().for_each(|(_, dy, _)| self.pool.give(dy));
    }

    /// Where lengths of rows are learned: what the product says about them, and from there to the product before it got
    /// them. The lengths that were found count as constants.
    fn undo_lengths(&self, weight: &Weight<'_>, out: usize, dy: &mut [f32], grads: &mut [f32]) {
        let Some(lengths) = weight.adapter.and_then(|adapter| adapter.lengths) else { return };
        let width = weight.width();
        let to = &mut grads[lengths.at..][..width];
        for (dy, y) in dy.chunks_exact_mut(width).zip(self.data(out).chunks_exact(width)) {
            let both = lengths.wanted.iter().zip(lengths.found);
            for (((dy, y), to), (wanted, found)) in dy.iter_mut().zip(y).zip(&mut *to).zip(both) {
                // y = wanted / found · u, and the gradient of `wanted` is dy · u / found = dy · y / wanted.
                *to += if *wanted == 0.0 { 0.0 } else { *dy * y / wanted };
                *dy *= wanted / found;
            }
        }
    }

    /// Makes rows again that were let go.
    fn make(&mut self, at: usize) {
        if self.tape.nodes[at].data.is_some() {
            return;
        }
        let made = match self.tape.nodes[at].maker.and_then(|maker| self.tape.entries.get(maker)) {
            Some(&Entry::Norm { x, gains, eps, .. }) => self.normed(x, gains, eps),
            Some(&Entry::Gate { gate, up, activation, .. }) => self.gated(gate, up, activation),
            _ => return,
        };
        self.tape.nodes[at].data = Some(made);
    }
}
