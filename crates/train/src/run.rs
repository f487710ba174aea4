//! There and back through a model for some packed examples.
#![allow(unsafe_code, reason = "entering kernels, and threads that write to separate rows of one buffer")]

use crate::{
    TrainError, Tuner,
    divergence::Divergence,
    engine::Engine,
    examples::{Example, Lesson, Soft},
    model::Model,
    ops::{Look, TapeOps},
    recipe::Recipe,
    rowwise::Entropy,
    tape::{Pool, Rows, Tape},
    weight::{Gains, Weight},
};
use hinet_model::{graph, kernels::Slots};
use std::{ops::Range, sync::atomic::AtomicBool};

/// Numbers in the logits that are there at once.
const LOGITS: usize = 8 << 20;

/// Rows whose logits are there at once.
pub(crate) fn rows_at_once(vocabulary: usize) -> usize {
    (LOGITS / vocabulary).clamp(16, 512)
}

/// A row whose loss counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub row: usize,
    /// The token that should come after it.
    pub token: usize,
    /// What a teacher says instead.
    pub teacher: Option<&'a Soft>,
}

/// Examples one after the other.
#[derive(Debug, Default)]
pub(crate) struct Pack<'a> {
    pub tokens: Vec<u32>,
    pub positions: Vec<usize>,
    pub segments: Vec<Range<usize>>,
    /// Rows whose loss counts, which rise.
    pub targets: Vec<Target<'a>>,
}

impl<'a> Pack<'a> {
    pub fn new(examples: impl Iterator<Item = &'a Example>) -> Self {
        Self::of(examples.map(|example| (example, &[][..])))
    }

    pub fn taught(lessons: impl Iterator<Item = &'a Lesson>) -> Self {
        Self::of(lessons.map(|lesson| (&lesson.example, &lesson.teacher[..])))
    }

    /// Whole texts, of which no loss counts.
    pub fn texts<'t>(texts: impl Iterator<Item = &'t [u32]>) -> Self {
        let mut pack = Self::default();
        for text in texts {
            let first = pack.tokens.len();
            pack.tokens.extend(text);
            pack.positions.extend(0..text.len());
            pack.segments.push(first..first + text.len());
        }
        pack
    }

    fn of(all: impl Iterator<Item = (&'a Example, &'a [Soft])>) -> Self {
        let mut pack = Self::default();
        for (example, teacher) in all {
            let (first, rows) = (pack.tokens.len(), example.rows());
            pack.tokens.extend(&example.tokens[..rows]);
            pack.positions.extend(0..rows);
            pack.segments.push(first..first + rows);
            let target = |(index, at): (usize, usize)| Target {
                row: first + at - 1,
                token: example.tokens[at] as usize,
                teacher: teacher.get(index),
            };
            pack.targets.extend(example.targets().enumerate().map(target));
        }
        pack
    }
}

/// A model as it is at one step.
pub(crate) struct Run<'a> {
    pub model: &'a Model,
    pub engine: &'a Engine,
    pub weights: &'a [Weight<'a>],
    pub gains: &'a [Gains<'a>],
    pub cancel: &'a AtomicBool,
}

/// What the way back through a layer begins with.
enum Left {
    /// Its tape, and where it ends.
    Tape(Tape, Rows),
    /// The rows it was given, and whether they want a gradient.
    Rows(Vec<f32>, bool),
}

impl Run<'_> {
    fn ops<'o>(&'o self, pack: &'o Pack<'_>, pool: &'o mut Pool, records: bool) -> TapeOps<'o> {
        TapeOps {
            engine: self.engine,
            config: self.model.anchor.config(),
            weights: self.weights,
            gains: self.gains,
            ropes: &self.model.ropes,
            segments: &pack.segments,
            positions: &pack.positions,
            pool,
            tape: Tape::default(),
            records,
            look: None,
        }
    }

    /// What the first layer is given.
    pub fn embedded(&self, pack: &Pack<'_>, pool: &mut Pool) -> Result<Vec<f32>, TrainError> {
        let mut ops = self.ops(pack, pool, false);
        let x = graph::embed(&mut ops, &self.model.decoder, &pack.tokens)?;
        Ok(ops.finish(x).0)
    }

    /// What one layer makes of these rows, while somebody looks at what its linear layers are given.
    pub fn seen<'o>(
        &'o self,
        (pack, pool): (&'o Pack<'_>, &'o mut Pool),
        layer: usize,
        x: Vec<f32>,
        look: &'o mut Look<'o>,
    ) -> Result<Vec<f32>, TrainError> {
        let mut ops = TapeOps { look: Some(look), ..self.ops(pack, pool, false) };
        let rows = ops.begin(x, false);
        let rows = graph::layer(&mut ops, &self.model.decoder, layer, rows)?;
        let (out, mut tape) = ops.finish(rows);
        tape.clear(ops.pool);
        Ok(out)
    }

    /// The loss of every row that counts; what it says about the numbers that change, times `weight`, is added to `grads`.
    pub fn learn(
        &self,
        pack: &Pack<'_>,
        weight: f32,
        recipe: &Recipe,
        grads: &mut [f32],
        pool: &mut Pool,
    ) -> Result<Vec<f32>, TrainError> {
        let mut ops = self.ops(pack, pool, true);
        let decoder = &self.model.decoder;
        let x = graph::embed(&mut ops, decoder, &pack.tokens)?;
        let mut wants = ops.wants(x.0);
        let end = Rows(x.0);
        let (mut x, embedded) = ops.finish(x);
        let mut left = Vec::with_capacity(decoder.layers.len());
        for index in 0..decoder.layers.len() {
            Tuner::stopped(self.cancel)?;
            let wanted = wants;
            let kept = recipe.recompute.then(|| copied(&x, ops.pool));
            ops.records = !recipe.recompute;
            let rows = ops.begin(x, wanted);
            let rows = graph::layer(&mut ops, decoder, index, rows)?;
            wants = ops.wants(rows.0);
            let end = Rows(rows.0);
            let (out, mut tape) = ops.finish(rows);
            x = out;
            if recipe.compact && !recipe.recompute {
                tape.fold(self.engine, ops.pool);
            }
            left.push(match kept {
                Some(kept) => {
                    tape.clear(ops.pool);
                    Left::Rows(kept, wanted)
                }
                None => Left::Tape(tape, end),
            });
        }
        ops.records = true;
        let (losses, mut dx) = self.head(&mut ops, pack, &x, wants, weight, Some(&mut *grads))?;
        ops.pool.give(x);
        while let Some(layer) = left.pop() {
            Tuner::stopped(self.cancel)?;
            let Some(gradient) = dx else { break };
            let end = match layer {
                Left::Tape(tape, end) => {
                    ops.tape = tape;
                    ops.tape.unfold(self.engine, ops.pool);
                    end
                }
                Left::Rows(rows, wanted) => {
                    let rows = ops.begin(rows, wanted);
                    let rows = graph::layer(&mut ops, decoder, left.len(), rows)?;
                    let end = Rows(rows.0);
                    let data = ops.steal(rows);
                    ops.pool.give(data);
                    end
                }
            };
            dx = ops.back(end, gradient, grads);
        }
        if let Some(gradient) = dx {
            ops.tape = embedded;
            ops.back(end, gradient, grads);
        }
        for layer in left {
            match layer {
                Left::Tape(mut tape, _) => tape.clear(ops.pool),
                Left::Rows(rows, _) => ops.pool.give(rows),
            }
        }
        Ok(losses)
    }

    /// The rows that the last layer gives.
    fn read(&self, ops: &mut TapeOps<'_>, pack: &Pack) -> Result<Vec<f32>, TrainError> {
        let decoder = &self.model.decoder;
        let x = graph::embed(ops, decoder, &pack.tokens)?;
        let mut x = ops.finish(x).0;
        for index in 0..decoder.layers.len() {
            Tuner::stopped(self.cancel)?;
            let rows = ops.begin(x, false);
            let rows = graph::layer(ops, decoder, index, rows)?;
            let (out, mut tape) = ops.finish(rows);
            tape.clear(ops.pool);
            x = out;
        }
        Ok(x)
    }

    /// The loss of every row that counts.
    pub fn losses(&self, pack: &Pack<'_>, pool: &mut Pool) -> Result<Vec<f32>, TrainError> {
        let mut ops = self.ops(pack, pool, false);
        let x = self.read(&mut ops, pack)?;
        let (losses, _) = self.head(&mut ops, pack, &x, false, 0.0, None)?;
        ops.pool.give(x);
        Ok(losses)
    }

    /// The logits of every row.
    pub fn logits(&self, pack: &Pack<'_>, pool: &mut Pool) -> Result<Vec<Vec<f32>>, TrainError> {
        let mut ops = self.ops(pack, pool, false);
        let x = self.read(&mut ops, pack)?;
        let rows = ops.begin(x, false);
        let logits = graph::head(&mut ops, &self.model.decoder, rows)?;
        let data = ops.steal(logits);
        let vocabulary = self.model.anchor.config().vocabulary;
        let out = data.chunks_exact(data.len() / pack.tokens.len()).map(|row| row[..vocabulary].to_vec()).collect();
        ops.pool.give(data);
        Ok(out)
    }

    /// The losses, some rows at a time, and the gradient of what the last layer gave.
    fn head(
        &self,
        ops: &mut TapeOps<'_>,
        pack: &Pack<'_>,
        x: &[f32],
        wants: bool,
        weight: f32,
        mut grads: Option<&mut [f32]>,
    ) -> Result<(Vec<f32>, Option<Vec<f32>>), TrainError> {
        let config = self.model.anchor.config();
        let (width, vocabulary) = (config.width, config.vocabulary);
        let most = rows_at_once(vocabulary);
        let mut losses = vec![0f32; pack.targets.len()];
        let mut dx = wants.then(|| ops.pool.zeros(x.len()));
        for (targets, losses) in pack.targets.chunks(most).zip(losses.chunks_mut(most)) {
            Tuner::stopped(self.cancel)?;
            let mut picked = ops.pool.take(targets.len() * width);
            for (to, Target { row, .. }) in picked.chunks_exact_mut(width).zip(targets) {
                to.copy_from_slice(&x[row * width..][..width]);
            }
            let rows = ops.begin(picked, wants);
            let logits = graph::head(ops, &self.model.decoder, rows)?;
            let end = Rows(logits.0);
            let mut logits = ops.steal(logits);
            let (long, running) = (logits.len() / targets.len(), self.engine.running);
            let found = Slots::over(losses);
            TapeOps::each(self.engine, &mut logits, long, |row, logits| {
                let Target { token: target, teacher, .. } = targets[row];
                // SAFETY: each row is one call's alone.
                unsafe {
                    found.part(row, 1)[0] = match teacher {
                        None => running.run(Entropy { logits, vocabulary, target, weight }),
                        Some(teacher) => running.run(Divergence { logits, vocabulary, teacher, weight }),
                    };
                }
            });
            let Some(grads) = grads.as_deref_mut() else {
                ops.pool.give(logits);
                continue;
            };
            let back = ops.back(end, logits, grads);
            if let (Some(dx), Some(back)) = (&mut dx, back) {
                for (from, Target { row, .. }) in back.chunks_exact(width).zip(targets) {
                    dx[row * width..][..width].copy_from_slice(from);
                }
                ops.pool.give(back);
            }
        }
        Ok((losses, dx))
    }
}

fn copied(from: &[f32], pool: &mut Pool) -> Vec<f32> {
    let mut to = pool.take(from.len());
    to.copy_from_slice(from);
    to
}
