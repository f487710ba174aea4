//! Many sequences at once: each step computes rows of several in one forward pass.
//!
//! Whoever writes gets one row of a step, and what is left of its rows goes to those whose prompts are still being read,
//! the first come first. Sequences join and leave between any two steps, and what one of them computes is bit for bit
//! what it would compute alone. One that fails, or finds no room in the pool, takes nothing from the others.

use crate::{
    Anchor, Flow, Generated, ModelError, Resident, Sampling, StopReason,
    delta::DeltaSet,
    graph,
    kv::{KvKind, PageTable},
    ops::FastOps,
    prefix::{self, Link, Prefixes},
    step::Segment,
    writer::Writer,
};
use std::time::Instant;
use zeroize::{Zeroize, Zeroizing};

/// How a batch is run.
#[derive(Debug, Clone)]
pub struct BatchOptions {
    /// Tokens each sequence holds, but never more than the model was trained for.
    pub context: usize,
    /// How keys and values are kept.
    pub kv: KvKind,
    /// Where known beginnings are looked for, and what was read is left for others. What is there outlives the batch.
    pub prefixes: Option<Prefixes>,
    /// Rows of a step that go to prompts, those of the sequences that write included.
    pub rows: usize,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self { context: 4096, kv: KvKind::default(), prefixes: None, rows: 128 }
    }
}

/// A sequence of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(u64);

/// What a step tells about a sequence.
#[derive(Debug)]
pub enum Event<'a> {
    /// Text that has become certain; empty while a prompt is read, and after tokens that add nothing yet.
    Text(&'a str),
    /// The answer is complete, and the sequence has left.
    Done(Generated),
    /// The sequence could not go on, and has left. The text is what it had written.
    Failed {
        /// What it had written.
        text: String,
        /// Why.
        error: ModelError,
    },
}

struct Sequence {
    id: SequenceId,
    table: PageTable,
    /// The prompt, and what was written.
    tokens: Zeroizing<Vec<u32>>,
    prompt: usize,
    /// Tokens whose keys and values are in the table.
    read: usize,
    /// Of the prompt, tokens that were known already.
    cached: usize,
    writer: Writer,
    began: Instant,
    prefill_ms: Option<f64>,
    /// Why it is to leave, once that is known.
    leaves: Option<Result<StopReason, ModelError>>,
}

impl Sequence {
    fn unread(&self) -> usize {
        self.tokens.len() - self.read
    }

    /// Lets go of everything that was read.
    fn restart(&mut self) {
        self.table.clear();
        self.read = 0;
    }

    /// What is told when it leaves.
    fn end(self, why: Result<StopReason, ModelError>, on: &mut dyn FnMut(SequenceId, Event<'_>) -> Flow) {
        let Self { id, mut writer, prompt, cached, began, prefill_ms, .. } = self;
        let total = began.elapsed().as_secs_f64() * 1e3;
        let prefill_ms = prefill_ms.unwrap_or(total);
        writer.stop(*why.as_ref().unwrap_or(&StopReason::Cancelled));
        let done = writer.finish(&mut |text| on(id, Event::Text(text)));
        match why {
            Ok(_) => {
                on(id, Event::Done(Generated { prompt, cached, prefill_ms, decode_ms: total - prefill_ms, ..done }))
            }
            Err(error) => on(id, Event::Failed { text: done.text, error }),
        };
    }
}

/// Sequences that are read and written together.
pub struct Batch {
    anchor: Anchor,
    context: usize,
    kind: KvKind,
    shelf: Option<(Prefixes, Link)>,
    rows: usize,
    ops: FastOps,
    /// In the order in which they came.
    sequences: Vec<Sequence>,
    came: u64,
    /// The sequences of the present step and their rows.
    chosen: Vec<(usize, usize)>,
    /// The tokens of the present step.
    tokens: Vec<u32>,
    /// The last rows of those whose next token is wanted, and whose they are.
    wanted: Vec<usize>,
    drawers: Vec<usize>,
    /// What all sequences are read with.
    deltas: DeltaSet,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} sequences)", self.sequences.len())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Batch {
    pub(crate) fn new(anchor: &Anchor, options: BatchOptions) -> Self {
        let config = anchor.config();
        let context = options.context.clamp(1, config.context);
        let fingerprint = prefix::fingerprint(anchor, options.kv, &[]);
        Self {
            anchor: anchor.clone(),
            context,
            kind: options.kv,
            shelf: options.prefixes.map(|prefixes| (prefixes, fingerprint)),
            rows: options.rows.max(1),
            ops: FastOps::new(anchor.running(), anchor.crew(), config, context),
            sequences: Vec::new(),
            came: 0,
            chosen: Vec::new(),
            tokens: Vec::new(),
            wanted: Vec::new(),
            drawers: Vec::new(),
            deltas: DeltaSet::none(anchor),
        }
    }

    /// Reads whoever joins with these deltas, each as much as its gate says; with none, as the anchor alone.
    ///
    /// Refused while somebody is here. With deltas no known beginnings are used, and none are left.
    pub fn set_deltas(&mut self, deltas: &[(Resident, f32)]) -> Result<(), ModelError> {
        if !self.is_empty() {
            return Err(ModelError::BadGates { problem: "sequences are being written with other deltas" });
        }
        self.deltas = DeltaSet::new(&self.anchor, deltas)?;
        self.ops.deltas.release();
        Ok(())
    }

    /// Reads whoever joins with these weights of the experts, as [`crate::Session::set_experts`] says.
    ///
    /// Refused while somebody is here. With weights no known beginnings are used, and none are left.
    pub fn set_experts(&mut self, weights: Option<&[f32]>) -> Result<(), ModelError> {
        if !self.is_empty() {
            return Err(ModelError::BadExperts { problem: "sequences are being written with others" });
        }
        weights.map_or(Ok(()), |weights| self.anchor.check_experts(weights))?;
        self.ops.experts = weights.map(<[f32]>::to_vec);
        Ok(())
    }

    /// Sequences that have not left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Adds a prompt; its answer begins with the next steps and ends, at the latest, at the first step after `deadline`.
    pub fn add(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        deadline: Option<Instant>,
    ) -> Result<SequenceId, ModelError> {
        self.anchor.check_prompt(prompt, self.context)?;
        let mut writer = Writer::new(&self.anchor, sampling, self.context)?;
        writer.end_by(deadline);
        let began = Instant::now();
        let pool = self.anchor.kv_pool();
        let shelf = self.shelf.clone().filter(|_| self.deltas.is_empty() && self.ops.experts.is_none());
        let mut table = PageTable::new(pool.clone(), self.kind, self.context, shelf);
        let cached = table.recall(prompt, 0).min(prompt.len() - 1);
        let room = prompt.len() + sampling.max_tokens.min(self.context);
        let mut tokens = Zeroizing::new(Vec::with_capacity(room.min(self.context + 1)));
        tokens.extend_from_slice(prompt);
        self.came += 1;
        let id = SequenceId(self.came);
        self.sequences.push(Sequence {
            id,
            table,
            tokens,
            prompt: prompt.len(),
            read: cached,
            cached,
            writer,
            began,
            prefill_ms: None,
            leaves: None,
        });
        Ok(id)
    }

    /// Lets a sequence leave with the next step, which says so. `false` when it has left already.
    pub fn cancel(&mut self, id: SequenceId) -> bool {
        let found = self.sequences.iter_mut().find(|sequence| sequence.id == id);
        found.is_some_and(|sequence| {
            sequence.leaves = Some(Ok(StopReason::Cancelled));
            true
        })
    }

    /// Forgets all sequences without a word, and overwrites what was computed.
    pub fn clear(&mut self) {
        self.sequences.clear();
        self.ops.wipe();
        self.tokens.zeroize();
    }

    /// Computes one step; gives how many sequences are left. `on` may stop any sequence of which it is told.
    pub fn step(&mut self, on: &mut dyn FnMut(SequenceId, Event<'_>) -> Flow) -> usize {
        for sequence in &mut self.sequences {
            if sequence.leaves.is_some() {
                continue;
            }
            if sequence.writer.is_late() {
                sequence.leaves = Some(Ok(StopReason::Deadline));
            } else if sequence.read < sequence.prompt && on(sequence.id, Event::Text("")) == Flow::Stop {
                sequence.leaves = Some(Ok(StopReason::Cancelled));
            }
        }
        self.dismiss(on);
        self.choose();
        if !self.chosen.is_empty() {
            self.compute(on);
        }
        self.dismiss(on);
        self.sequences.len()
    }

    /// Tells of those who leave.
    fn dismiss(&mut self, on: &mut dyn FnMut(SequenceId, Event<'_>) -> Flow) {
        let mut at = 0;
        while at < self.sequences.len() {
            match self.sequences[at].leaves.take() {
                None => at += 1,
                Some(why) => self.sequences.remove(at).end(why, on),
            }
        }
    }

    /// Chooses the rows of a step, and makes room for them.
    ///
    /// Who finds no room waits. When all would wait, the last to come lets go of its pages and reads everything again
    /// later, which changes none of its numbers; only who finds no room with no other before it has to leave.
    fn choose(&mut self) {
        for attempt in 0.. {
            self.chosen.clear();
            let mut left = self.rows;
            let mut full = None;
            for writing in [true, false] {
                if !writing {
                    // However many write, prompts go on being read.
                    left = left.max(self.rows / 8).max(1);
                }
                for (index, sequence) in self.sequences.iter_mut().enumerate() {
                    if attempt == 0 && sequence.table.is_empty() {
                        let known = sequence.table.recall(&sequence.tokens, 0);
                        sequence.read = known.min(sequence.tokens.len() - 1);
                    }
                    let unread = sequence.unread();
                    if (unread == 1) != writing || sequence.leaves.is_some() {
                        continue;
                    }
                    let rows = if writing { 1 } else { unread.min(left) };
                    if rows == 0 {
                        break;
                    }
                    match sequence.table.make_room(sequence.read, rows) {
                        Ok(()) => {
                            self.chosen.push((index, rows));
                            left = left.saturating_sub(rows);
                        }
                        Err(error) => full = full.or(Some((index, error))),
                    }
                }
            }
            let Some((index, error)) = full.filter(|_| self.chosen.is_empty()) else { return };
            let mut holders = (0..self.sequences.len()).rev().filter(|at| !self.sequences[*at].table.is_empty());
            match (holders.next(), holders.next()) {
                (Some(last), Some(_)) => self.sequences[last].restart(),
                (alone, _) => {
                    let alone = &mut self.sequences[alone.unwrap_or(index)];
                    alone.restart();
                    alone.leaves = Some(Err(error));
                }
            }
        }
    }

    fn compute(&mut self, on: &mut dyn FnMut(SequenceId, Event<'_>) -> Flow) {
        self.tokens.clear();
        self.wanted.clear();
        self.drawers.clear();
        self.ops.deltas.begin(self.chosen.iter().map(|(_, rows)| rows).sum());
        for &(index, rows) in &self.chosen {
            let sequence = &self.sequences[index];
            self.deltas.fill(&mut self.ops.deltas, self.tokens.len(), sequence.read, rows);
            self.tokens.extend_from_slice(&sequence.tokens[sequence.read..][..rows]);
        }
        let sequences = &mut self.sequences;
        self.ops.step.begin(self.chosen.iter().map(|&(index, rows)| {
            let sequence = &mut sequences[index];
            Segment { table: sequence.table.lend(), start: sequence.read, rows }
        }));
        let anchor = self.anchor.clone();
        let Ok(x) = graph::forward(&mut self.ops, anchor.decoder(), &self.tokens);
        let width = x.data.len() / self.tokens.len();
        let mut first = 0;
        for (&(index, rows), table) in self.chosen.iter().zip(self.ops.step.end()) {
            let sequence = &mut self.sequences[index];
            sequence.table = table;
            // Rounding to int8 would hide a NaN, so it is looked for here, before the head.
            if x.data[first * width..][..rows * width].iter().all(|number| number.is_finite()) {
                sequence.read += rows;
                sequence.table.share(&sequence.tokens[..sequence.read]);
                if sequence.unread() == 0 {
                    self.wanted.push(first + rows - 1);
                    self.drawers.push(index);
                }
            } else {
                sequence.leaves = Some(Err(ModelError::Diverged));
            }
            first += rows;
        }
        let count = self.wanted.len();
        let x = self.ops.pick(x, &self.wanted);
        if count == 0 {
            self.ops.give(x);
            return;
        }
        let Ok(mut logits) = graph::logits(&mut self.ops, anchor.decoder(), x, count);
        let (width, vocabulary) = (logits.data.len() / count, anchor.config().vocabulary);
        for (&index, logits) in self.drawers.iter().zip(logits.data.chunks_exact_mut(width)) {
            let sequence = &mut self.sequences[index];
            sequence.leaves = sequence.draw(self.context, &mut logits[..vocabulary], on).transpose();
        }
        self.ops.give(logits);
    }
}

impl Sequence {
    /// Draws the next token, and tells its text; gives why that was the last.
    fn draw(
        &mut self,
        context: usize,
        logits: &mut [f32],
        on: &mut dyn FnMut(SequenceId, Event<'_>) -> Flow,
    ) -> Result<Option<StopReason>, ModelError> {
        let (id, began) = (self.id, self.began);
        self.prefill_ms.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
        if let Some(token) = self.writer.step(logits, &mut |text| on(id, Event::Text(text)))? {
            self.tokens.push(token);
            if self.read >= context {
                self.writer.stop(StopReason::ContextFull);
            }
        }
        Ok(self.writer.stopped())
    }
}
