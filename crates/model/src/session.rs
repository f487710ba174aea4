//! One conversation with an anchor: what it has read so far, and how it goes on.
//!
//! The keys and values of the tokens read stay, so that the next prompt is read only from where it differs. Reading a
//! prompt with a known beginning gives the same numbers, bit for bit, as reading all of it anew.

use crate::{
    Anchor, Flow, Generated, ModelError, Sampling, StopReason,
    generate::Speaker,
    graph,
    kv::{KvKind, PageTable},
    ops::{FastOps, RopeTable, Rows},
    prefix::{self, Link, Prefix, Prefixes},
    sample::Sampler,
    step::Segment,
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
        let rope = RopeTable::new(config, anchor.rope_factors(), context);
        let ops = FastOps::new(anchor.running(), anchor.crew(), config, rope);
        let fingerprint = prefix::fingerprint(anchor, options.kv, &[]);
        let shelf = options.prefixes.map(|prefixes| (prefixes, fingerprint));
        let table = PageTable::new(anchor.kv_pool().clone(), options.kv, context, shelf);
        Self { anchor: anchor.clone(), context, ops, table, fingerprint, tokens: Vec::new(), logits: Vec::new() }
    }

    /// What was read of the first `tokens` tokens, by whole pages, to be kept beyond this session.
    #[must_use]
    pub fn prefix(&self, tokens: usize) -> Prefix {
        Prefix::of(&self.anchor, self.fingerprint, &self.table, &self.tokens[..tokens.min(self.tokens.len())])
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
        let mut sampler = Sampler::new(sampling)?;
        let anchor = self.anchor.clone();
        let mut speaker = Speaker::new(anchor.tokenizer(), &sampling.stop);
        let mut written: Vec<u32> = Vec::with_capacity(sampling.max_tokens.min(self.context));
        let began = Instant::now();
        let cached = self.known(prompt)?;
        let read = self.read(prompt, cached, &mut || on_text("") == Flow::Continue)?;
        let prefill_ms = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        let mut stopped = if read { None } else { Some(StopReason::Cancelled) };
        if sampling.max_tokens == 0 {
            stopped = stopped.or(Some(StopReason::MaxTokens));
        }
        while stopped.is_none() {
            let token = sampler.draw(&mut self.logits, &written)?;
            if anchor.is_end(token) {
                stopped = Some(StopReason::End);
                break;
            }
            written.push(token);
            let (text, ended) = speaker.push(token);
            let flow = on_text(text);
            stopped = if ended {
                Some(StopReason::StopText)
            } else if flow == Flow::Stop {
                Some(StopReason::Cancelled)
            } else if written.len() >= sampling.max_tokens {
                Some(StopReason::MaxTokens)
            } else if self.tokens.len() >= self.context {
                Some(StopReason::ContextFull)
            } else {
                self.step(&[token], true)?;
                None
            };
        }
        let stopped = stopped.expect("the loop ends only when there is a reason");
        if stopped != StopReason::StopText {
            let rest = speaker.finish();
            if !rest.is_empty() && stopped != StopReason::Cancelled {
                on_text(rest);
            }
        }
        let generated = written.len();
        written.zeroize();
        let decode_ms = began.elapsed().as_secs_f64() * 1e3;
        let text = speaker.into_text();
        Ok(Generated { text, prompt: prompt.len(), cached, generated, stopped, prefill_ms, decode_ms })
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
                let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f64 = logits.iter().map(|x| f64::from(x - top).exp()).sum();
                #[allow(clippy::cast_possible_truncation, reason = "a log-probability is small")]
                out.push((f64::from(logits[next as usize] - top) - total.ln()) as f32);
            }
            self.ops.give(logits);
        }
        Ok(out)
    }

    /// Checks a prompt, and says how many of its tokens need not be read: the last always must, for its logits.
    fn known(&mut self, prompt: &[u32]) -> Result<usize, ModelError> {
        self.anchor.check_prompt(prompt, self.context)?;
        let same = self.tokens.iter().zip(prompt).take_while(|(known, token)| known == token).count();
        let found = self.table.recall(prompt, same);
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
        self.table.share(&self.tokens);
        Ok(rows)
    }
}
