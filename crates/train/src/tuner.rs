//! The tuner: a model, a recipe and examples in, a step at a time, what was learned out.

use crate::{
    TrainError,
    engine::Engine,
    examples::{Example, Lesson, Order, hash},
    model::Model,
    recipe::Recipe,
    rowwise::AdamW,
    run::{Pack, Run},
    tape::Pool,
};
use hinet_model::{Anchor, kernels::Slots};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Numbers that are updated, or summed up, by one task.
const PART: usize = 1 << 16;

/// Tokens of a text that can be looked at whatever the examples are, where the model was trained to see as many.
const READS: usize = 4096;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Which step it was, counted from one.
    pub step: u64,
    /// The mean loss of the tokens that count, in nats, before the step.
    pub loss: f32,
    /// How many tokens count.
    pub tokens: usize,
    /// The length of the gradient, before it was shortened.
    pub grad_norm: f32,
    /// The learning rate.
    pub rate: f32,
    /// How long it took.
    pub seconds: f64,
}

/// A model that is tuned.
///
/// For a fixed recipe, model, set of examples and kernel path every step gives the same bytes, on any number of threads
/// and across [`Tuner::save`] and [`Tuner::resume`].
pub struct Tuner {
    pub(crate) model: Model,
    pub(crate) recipe: Recipe,
    pub(crate) lessons: Vec<Lesson>,
    pub(crate) engine: Engine,
    /// The numbers that change, and what the optimiser knows about each.
    pub(crate) values: Vec<f32>,
    pub(crate) means: Vec<u16>,
    pub(crate) squares: Vec<f32>,
    pub(crate) grads: Vec<f32>,
    /// Steps that are done.
    pub(crate) step: u64,
    order: Order,
    pool: Pool,
    /// Squared lengths of frozen rows, where lengths are learned.
    frozen: Vec<Vec<f32>>,
    /// Tokens of the longest text that can be read.
    longest: usize,
}

impl std::fmt::Debug for Tuner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tuner(step {} of {}, {} numbers)", self.step, self.recipe.steps, self.values.len())
    }
}

impl Drop for Tuner {
    fn drop(&mut self) {
        self.pool.wipe();
        self.engine.wipe();
        self.means.fill(0);
        for numbers in [&mut self.values, &mut self.squares, &mut self.grads] {
            numbers.fill(0.0);
        }
    }
}

impl Tuner {
    /// Gets ready to tune `anchor`, with its threads and its kernels. The weights stay those of the anchor, shared with
    /// whoever else uses it.
    ///
    /// Examples teach their tokens; a [`Lesson`] can have a teacher who says how probable others are. Refuses a recipe that
    /// does not fit the model, and examples that cannot be learned from.
    pub fn new(anchor: &Anchor, recipe: Recipe, examples: Vec<impl Into<Lesson>>) -> Result<Self, TrainError> {
        let config = anchor.config();
        recipe.check_on(anchor)?;
        if examples.is_empty() {
            return Err(TrainError::NoExamples);
        }
        let lessons: Vec<Lesson> = examples.into_iter().map(Into::into).collect();
        for (index, lesson) in lessons.iter().enumerate() {
            lesson.check(index, config)?;
        }
        let longest =
            lessons.iter().map(|lesson| lesson.example.rows()).max().unwrap_or(1).max(config.context.min(READS));
        let engine = Engine::new(anchor.kernel().checked()?, anchor.threads());
        let model = Model::new(anchor, &recipe.method, longest);
        let values = model.first(&engine, recipe.seed);
        let zeros = || vec![0.0; values.len()];
        Ok(Self {
            means: vec![0; values.len()],
            squares: zeros(),
            grads: zeros(),
            values,
            step: 0,
            order: Order::new(recipe.seed, lessons.len()),
            pool: Pool::default(),
            frozen: model.squares(),
            longest,
            model,
            recipe,
            lessons,
            engine,
        })
    }

    /// The recipe.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Steps that are done.
    #[must_use]
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Whether all steps of the recipe are done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.step >= self.recipe.steps
    }

    /// Numbers that change.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn examples_hash(&self) -> blake3::Hash {
        hash(&self.lessons)
    }

    /// Learns from the next batch. `cancel` stops it between layers.
    ///
    /// On any error the numbers are those before the step, and the same step can be tried again.
    pub fn step(&mut self, cancel: &AtomicBool) -> Result<StepReport, TrainError> {
        if self.is_finished() {
            return Err(TrainError::Finished { steps: self.recipe.steps });
        }
        let began = Instant::now();
        let all = self.recipe.batch * self.recipe.accumulate;
        let first = self.step * all as u64;
        let chosen: Vec<usize> = (0..all as u64).map(|at| self.order.example(first + at)).collect();
        let (loss, tokens) = self.gather(&chosen, cancel)?;
        let step = self.step + 1;
        let finite = |number: f32, what| {
            if number.is_finite() { Ok(number) } else { Err(TrainError::Diverged { step, what }) }
        };
        finite(loss, "loss")?;
        let grad_norm = finite(self.grad_norm(), "gradient")?;
        let rate = self.recipe.rate(self.step);
        let shrink = self.recipe.clip.filter(|clip| grad_norm > *clip).map_or(1.0, |clip| clip / grad_norm);
        self.update(rate, shrink);
        self.step = step;
        Ok(StepReport { step, loss, tokens, grad_norm, rate, seconds: began.elapsed().as_secs_f64() })
    }

    /// The mean loss over these examples, and how many tokens count; its gradient is left in `grads`.
    pub(crate) fn gather(&mut self, chosen: &[usize], cancel: &AtomicBool) -> Result<(f32, usize), TrainError> {
        let tokens: usize = chosen.iter().map(|at| self.lessons[*at].example.targets().count()).sum();
        self.grads.fill(0.0);
        let lengths = self.model.lengths(&self.engine, &self.values, &self.frozen);
        let (weights, gains) = self.model.tables(&self.values, &lengths);
        let run = Run { model: &self.model, engine: &self.engine, weights: &weights, gains: &gains, cancel };
        #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
        let weight = 1.0 / tokens as f32;
        let mut sum = 0.0f64;
        for part in chosen.chunks(self.recipe.batch) {
            let pack = Pack::taught(part.iter().map(|at| &self.lessons[*at]));
            let losses = run.learn(&pack, weight, &self.recipe, &mut self.grads, &mut self.pool)?;
            sum += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        }
        self.model.spare_root(&mut self.grads);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a float is enough")]
        let loss = (sum / tokens as f64) as f32;
        Ok((loss, tokens))
    }

    /// For each example the log-probability of each of its tokens that count, in their order, with what was learned so far.
    pub fn log_probs(&mut self, examples: &[Example], cancel: &AtomicBool) -> Result<Vec<Vec<f32>>, TrainError> {
        for (index, example) in examples.iter().enumerate() {
            example.check(index, self.model.anchor.config())?;
        }
        let all: Vec<&Example> = examples.iter().collect();
        let mut all = self.losses(&all, |part| Pack::new(part.iter().copied()), cancel)?;
        all.iter_mut().flatten().for_each(|loss| *loss = -*loss);
        Ok(all)
    }

    /// For each lesson the loss of each of its tokens that count, in nats: how far the student is from the teacher, and
    /// where there is none how surprised it is by the token.
    pub fn divergences(&mut self, lessons: &[Lesson], cancel: &AtomicBool) -> Result<Vec<Vec<f32>>, TrainError> {
        for (index, lesson) in lessons.iter().enumerate() {
            lesson.check(index, self.model.anchor.config())?;
        }
        let examples: Vec<&Example> = lessons.iter().map(|lesson| &lesson.example).collect();
        let mut left = lessons.iter();
        self.losses(&examples, |part| Pack::taught(left.by_ref().take(part.len())), cancel)
    }

    /// The losses of examples that were checked; `pack` puts the next of them one after the other.
    fn losses<'a>(
        &mut self,
        examples: &[&'a Example],
        mut pack: impl FnMut(&[&'a Example]) -> Pack<'a>,
        cancel: &AtomicBool,
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        for (index, example) in examples.iter().enumerate() {
            if example.rows() > self.longest {
                let (rows, most) = (example.rows(), self.longest);
                let problem = format!("it has {rows} tokens, and {most} can be read here; cut it");
                return Err(TrainError::Example { index, problem });
            }
        }
        let lengths = self.model.lengths(&self.engine, &self.values, &self.frozen);
        let (weights, gains) = self.model.tables(&self.values, &lengths);
        let run = Run { model: &self.model, engine: &self.engine, weights: &weights, gains: &gains, cancel };
        let mut all = Vec::with_capacity(examples.len());
        for part in examples.chunks(self.recipe.batch) {
            let mut losses = run.losses(&pack(part), &mut self.pool)?.into_iter();
            for example in part {
                all.push(losses.by_ref().take(example.targets().count()).collect());
            }
        }
        Ok(all)
    }

    /// For each example the mean loss of its tokens that count, in nats, with what was learned so far.
    pub fn loss(&mut self, examples: &[Example], cancel: &AtomicBool) -> Result<Vec<f32>, TrainError> {
        let all = self.log_probs(examples, cancel)?;
        #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
        Ok(all.iter().map(|all| -all.iter().sum::<f32>() / all.len().max(1) as f32).collect())
    }

    /// The logits after every token of a text, `[tokens, vocabulary]`, with what was learned so far.
    pub fn logits(&mut self, tokens: &[u32], cancel: &AtomicBool) -> Result<Vec<Vec<f32>>, TrainError> {
        let mut longer = tokens.to_vec();
        longer.extend(tokens.first());
        let example = Example::whole(longer);
        example.check(0, self.model.anchor.config())?;
        if example.rows() > self.longest {
            let problem = format!("it has more than the {} tokens that can be read here; cut it", self.longest);
            return Err(TrainError::Example { index: 0, problem });
        }
        let lengths = self.model.lengths(&self.engine, &self.values, &self.frozen);
        let (weights, gains) = self.model.tables(&self.values, &lengths);
        let run = Run { model: &self.model, engine: &self.engine, weights: &weights, gains: &gains, cancel };
        run.logits(&Pack::new([&example].into_iter()), &mut self.pool)
    }

    /// The length of the whole gradient; parts are summed in a fixed order.
    fn grad_norm(&self) -> f32 {
        let parts = self.grads.len().div_ceil(PART);
        let sums: Vec<std::sync::OnceLock<f64>> = (0..parts).map(|_| std::sync::OnceLock::new()).collect();
        self.engine.crew.run(parts, |_, part| {
            let mut lanes = [0f64; 8];
            let numbers = &self.grads[part * PART..self.grads.len().min((part + 1) * PART)];
            for eight in numbers.chunks(8) {
                for (lane, number) in lanes.iter_mut().zip(eight) {
                    *lane += f64::from(*number) * f64::from(*number);
                }
            }
            // Each part is summed once.
            let _ = sums[part].set(lanes.iter().sum());
        });
        let sum: f64 = sums.iter().filter_map(|sum| sum.get()).sum();
        #[allow(clippy::cast_possible_truncation, reason = "a float is enough")]
        let norm = sum.sqrt() as f32;
        norm
    }

    fn update(&mut self, rate: f32, shrink: f32) {
        let (recipe, running) = (&self.recipe, self.engine.running);
        let correct = |beta: f32| {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a float is enough")]
            let correct = (1.0 / (1.0 - f64::from(beta).powf((self.step + 1) as f64))) as f32;
            correct
        };
        let (correct1, correct2) = (correct(recipe.beta1), correct(recipe.beta2));
        for piece in &self.model.pieces {
            let all = piece.at..piece.at + piece.count;
            let keep = if piece.decays() { 1.0 - rate * recipe.weight_decay } else { 1.0 };
            let grads = &self.grads[all.clone()];
            let values = Slots::over(&mut self.values[all.clone()]);
            let means = Slots::over(&mut self.means[all.clone()]);
            let squares = Slots::over(&mut self.squares[all]);
            self.engine.crew.run(piece.count.div_ceil(PART), |_, part| {
                let (from, count) = (part * PART, PART.min(piece.count - part * PART));
                // SAFETY: each part is one task's alone, and the job asks for nothing.
                #[allow(unsafe_code, reason = "threads write to separate parts")]
                unsafe {
                    running.run(AdamW {
                        values: values.part(from, count),
                        grads: &grads[from..][..count],
                        means: means.part(from, count),
                        squares: squares.part(from, count),
                        shrink,
                        rate,
                        keep,
                        beta1: recipe.beta1,
                        beta2: recipe.beta2,
                        correct1,
                        correct2,
                        epsilon: recipe.epsilon,
                    });
                }
            });
        }
    }

    /// Stops as soon as `cancel` says so.
    pub(crate) fn stopped(cancel: &AtomicBool) -> Result<(), TrainError> {
        if cancel.load(Ordering::Relaxed) { Err(TrainError::Cancelled) } else { Ok(()) }
    }
}
