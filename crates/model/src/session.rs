//! One conversation with an anchor: what it has read so far, and how it goes on.
//!
//! The keys and values of the tokens read stay, so that the next prompt is read only from where it differs. Reading a
//! prompt with a known beginning gives the same numbers, bit for bit, as reading all of it anew.

use crate::{
    Anchor, Drafter, Flow, Gates, Generated, ModelError, PromptLookup, Resident, Sampling, StopReason,
    delta::DeltaSet,
    draft::Pace,
    graph,
    kv::{KvKind, PageTable},
    ops::{FastOps, Rows},
    prefix::{self, Link, Prefix, Prefixes},
    sample::log_probability,
    step::Segment,
    writer::Writer,
};
use std::time::Instant;
use zeroize::Zeroize;

/// Tokens of a prompt read at once: enough to use each weight many times, few enough to stop within a fraction of a
/// second.
const CHUNK: usize = 128;

/// How a conversation is kept.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Tokens it holds, but never more than the model was trained for.
    pub context: usize,
    /// How keys and values are kept.
    pub kv: KvKind,
    /// Where known beginnings are looked for, and what was read is left for others. What is there outlives the session.
    pub prefixes: Option<Prefixes>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { context: 4096, kv: KvKind::default(), prefixes: None }
    }
}

/// A conversation.
pub struct Session {
    anchor: Anchor,
    context: usize,
    ops: FastOps,
    /// The keys and values of the tokens.
    table: PageTable,
    fingerprint: Link,
    /// The tokens whose keys and values are in the table.
    tokens: Vec<u32>,
    logits: Vec<f32>,
    /// What the conversation is read with.
    deltas: DeltaSet,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({} of {} tokens)", self.tokens.len(), self.context)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Session {
    /// A session that holds up to so many tokens, but never more than the model was trained for.
    pub(crate) fn new(anchor: &Anchor, options: SessionOptions) -> Self {
        let config = anchor.config();
        let context = options.context.clamp(1, config.context);
        let ops = FastOps::new(anchor.running(), anchor.crew(), config, context);
        let fingerprint = prefix::fingerprint(anchor, options.kv, &[]);
        let shelf = options.prefixes.map(|prefixes| (prefixes, fingerprint));
        let table = PageTable::new(anchor.kv_pool().clone(), options.kv, context, shelf);
        Self {
            anchor: anchor.clone(),
            context,
            ops,
            table,
            fingerprint,
            tokens: Vec::new(),
            logits: Vec::new(),
            deltas: DeltaSet::none(anchor),
        }
    }

    /// What was read of the first `tokens` tokens, by whole pages, to be kept beyond this session; nothing where it was
    /// read with deltas, or with weights of experts that no router gave.
    #[must_use]
    pub fn prefix(&self, tokens: usize) -> Prefix {
        let count = if self.is_plain() { tokens.min(self.tokens.len()) } else { 0 };
        Prefix::of(&self.anchor, self.fingerprint, &self.table, &self.tokens[..count])
    }

    /// Tokens the session holds.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// Tokens in the cache.
    #[must_use]
    pub fn used(&self) -> usize {
        self.tokens.len()
    }

    /// Forgets everything: tokens, keys, values and intermediate results are overwritten.
    pub fn clear(&mut self) {
        self.ops.wipe();
        self.table.clear();
        self.tokens.zeroize();
        self.logits.zeroize();
    }

    /// Whether no trace of anything read is left, here or in the pages nobody uses any more. It looks at all of them, so
    /// it is for checks, not for use.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.tokens.is_empty() && self.logits.is_empty() && self.table.is_empty() && self.anchor.kv_pool().is_blank()
    }

    /// Reads on with these deltas, each as much as its gate says; with none, as the anchor alone.
    ///
    /// Keys and values depend on the deltas, so only the beginning that is read alike stays known.
    pub fn set_deltas(&mut self, deltas: &[(Resident, f32)]) -> Result<(), ModelError> {
        self.switch(DeltaSet::new(&self.anchor, deltas)?);
        Ok(())
    }

    /// Other gates for the same deltas.
    pub fn set_gates(&mut self, gates: Gates<'_>) -> Result<(), ModelError> {
        self.switch(self.deltas.with(gates)?);
        Ok(())
    }

    /// Reads on with these weights of the experts for every token, in place of what the routers say; with none, the routers
    /// say it again. Weights are taken as they are, and an expert of no weight is not computed.
    ///
    /// Keys and values depend on them, so where they are others, nothing that was read stays known.
    ///
    /// # Errors
    /// Where the model has no experts, or the weights are not one finite number for each, of which some is not zero.
    pub fn set_experts(&mut self, weights: Option<&[f32]>) -> Result<(), ModelError> {
        weights.map_or(Ok(()), |weights| self.anchor.check_experts(weights))?;
        if self.ops.experts.as_deref() != weights {
            self.tokens.clear();
            self.ops.experts = weights.map(<[f32]>::to_vec);
        }
        Ok(())
    }

    /// Whether everything is read as the model itself reads it.
    fn is_plain(&self) -> bool {
        self.deltas.is_empty() && self.ops.experts.is_none()
    }

    fn switch(&mut self, deltas: DeltaSet) {
        self.tokens.truncate(self.deltas.agrees(&deltas, self.tokens.len()));
        self.deltas = deltas;
        self.ops.deltas.release();
    }

    /// Continues the prompt until something ends the answer.
    ///
    /// `on_text` receives the text as it becomes certain. It is also called with an empty text between parts of the
    /// prompt and after tokens that add nothing yet, so that [`Flow::Stop`] always takes effect within one token or one
    /// part of the prompt. After a stop everything read so far stays known.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, ModelError> {
        self.generate_with(prompt, sampling, &mut PromptLookup, on_text)
    }

    /// The same with a drafter of one's own; the answer does not depend on it.
    pub fn generate_with(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        drafter: &mut dyn Drafter,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, ModelError> {
        let anchor = self.anchor.clone();
        let mut writer = Writer::new(&anchor, sampling, self.context)?;
        let began = Instant::now();
        let cached = self.known(prompt)?;
        let read = self.read(prompt, cached, &mut || on_text("") == Flow::Continue && !writer.is_late())?;
        let prefill_ms = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        if !read {
            writer.stop(StopReason::Cancelled);
        }
        let (drafted, accepted) = self.write(&mut writer, sampling.drafts, drafter, on_text)?;
        let decode_ms = began.elapsed().as_secs_f64() * 1e3;
        let done = writer.finish(on_text);
        Ok(Generated { prompt: prompt.len(), cached, drafted, accepted, prefill_ms, decode_ms, ..done })
    }

    /// Writes until the writer stops; gives how many tokens were guessed, and how many of them came true.
    fn write(
        &mut self,
        writer: &mut Writer,
        drafts: usize,
        drafter: &mut dyn Drafter,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<(usize, usize), ModelError> {
        let (mut pace, mut ahead) = (Pace::new(drafts), Vec::new());
        let (mut drafted, mut accepted) = (0, 0);
        let mut logits = std::mem::take(&mut self.logits);
        let mut next = if writer.stopped().is_none() { writer.step(&mut logits, on_text)? } else { None };
        self.logits = logits;
        while let Some(token) = next {
            if self.tokens.len() >= self.context {
                writer.stop(StopReason::ContextFull);
                break;
            }
            ahead.clear();
            ahead.push(token);
            let room = (self.context - self.tokens.len() - 1).min(writer.left().saturating_sub(1));
            let most = if drafts == 0 { 0 } else { pace.next().min(room) };
            if most > 0 {
                self.tokens.push(token);
                let guessed = drafter.draft(&self.tokens, most, &mut ahead);
                self.tokens.pop();
                guessed?;
                ahead.truncate(1 + most);
                let vocabulary = self.anchor.config().vocabulary;
                ahead.retain(|id| (*id as usize) < vocabulary);
            }
            let known = self.tokens.len();
            let rows = self.forward(&ahead)?;
            let anchor = self.anchor.clone();
            let count = ahead.len();
            let Ok(mut logits) = graph::logits(&mut self.ops, anchor.decoder(), rows, count);
            let (width, vocabulary) = (logits.data.len() / count, anchor.config().vocabulary);
            let mut right = 0;
            for (row, logits) in logits.data.chunks_exact_mut(width).enumerate() {
                next = writer.step(&mut logits[..vocabulary], on_text)?;
                if next.is_none() || ahead.get(row + 1) != next.as_ref() {
                    break;
                }
                right += 1;
            }
            self.ops.give(logits);
            // What was guessed wrongly was never said.
            self.tokens.truncate(known + 1 + right);
            pace.learn(right, count - 1);
            drafted += count - 1;
            accepted += right;
        }
        ahead.zeroize();
        Ok((drafted, accepted))
    }

    /// The logits after the last of these tokens, over the vocabulary.
    pub fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let cached = self.known(tokens)?;
        self.read(tokens, cached, &mut || true)?;
        Ok(self.logits.clone())
    }

    /// The natural logarithm of the probability of each token but the first, given those before it.
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.known(tokens)?;
        self.tokens.clear();
        let mut out = Vec::with_capacity(tokens.len());
        let vocabulary = self.anchor.config().vocabulary;
        for (chunk, part) in tokens.chunks(CHUNK).enumerate() {
            let rows = self.forward(part)?;
            let count = part.len();
            let Ok(logits) = graph::logits(&mut self.ops, self.anchor.clone().decoder(), rows, count);
            let width = logits.data.len() / count;
            for (row, logits) in logits.data.chunks_exact(width).enumerate() {
                let Some(&next) = tokens.get(chunk * CHUNK + row + 1) else { break };
                let logits = &logits[..vocabulary];
                out.push(log_probability(logits, next));
            }
            self.ops.give(logits);
        }
        Ok(out)
    }

    /// Checks a prompt, and says how many of its tokens need not be read: the last always must, for its logits.
    fn known(&mut self, prompt: &[u32]) -> Result<usize, ModelError> {
        self.anchor.check_prompt(prompt, self.context)?;
        let same = self.tokens.iter().zip(prompt).take_while(|(known, token)| known == token).count();
        // What others left was read without deltas, and with the routers.
        let found = if self.is_plain() { self.table.recall(prompt, same) } else { same };
        if found > same {
            self.tokens.clear();
            self.tokens.extend_from_slice(&prompt[..found]);
        }
        Ok(found.min(prompt.len() - 1))
    }

    /// Reads the prompt from token `cached` on; `false` when it was not to go on.
    fn read(&mut self, prompt: &[u32], cached: usize, go_on: &mut dyn FnMut() -> bool) -> Result<bool, ModelError> {
        self.tokens.truncate(cached);
        for part in prompt[cached..].chunks(CHUNK) {
            if !go_on() {
                return Ok(false);
            }
            let last = self.tokens.len() + part.len() == prompt.len();
            self.step(part, last)?;
        }
        Ok(true)
    }

    /// Reads some tokens, and computes the logits after the last of them if they are wanted.
    fn step(&mut self, tokens: &[u32], wants_logits: bool) -> Result<(), ModelError> {
        let rows = self.forward(tokens)?;
        if !wants_logits {
            self.ops.give(rows);
            return Ok(());
        }
        let anchor = self.anchor.clone();
        let Ok(logits) = graph::logits(&mut self.ops, anchor.decoder(), rows, 1);
        self.logits.clear();
        self.logits.extend_from_slice(&logits.data[..anchor.config().vocabulary]);
        self.ops.give(logits);
        Ok(())
    }

    fn forward(&mut self, tokens: &[u32]) -> Result<Rows, ModelError> {
        let (start, rows) = (self.tokens.len(), tokens.len());
        self.table.make_room(start, rows)?;
        self.ops.deltas.begin(rows);
        self.deltas.fill(&mut self.ops.deltas, 0, start, rows);
        let anchor = self.anchor.clone();
        let table = self.table.lend();
        self.ops.step.begin(std::iter::once(Segment { table, start, rows }));
        let Ok(rows) = graph::forward(&mut self.ops, anchor.decoder(), tokens);
        self.ops.step.end().for_each(|table| self.table = table);
        // Rounding to int8 would hide a NaN, so it is looked for here, before the head.
        if rows.data.iter().any(|number| !number.is_finite()) {
            self.clear();
            return Err(ModelError::Diverged);
        }
        self.tokens.extend_from_slice(tokens);
        if self.is_plain() {
            self.table.share(&self.tokens);
        }
        Ok(rows)
    }
}
