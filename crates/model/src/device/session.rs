//! One conversation on a device: the tokens read so far, and how it goes on.
//!
//! It is asked as [`crate::Session`] is, and drives the same state machine of writing. Nothing is guessed ahead, and no
//! known beginnings are shared with other conversations.

use super::{DeviceModel, ops::DeviceOps};
use crate::{
    Flow, Gates, Generated, ModelError, Resident, Sampling, StopReason, delta::DeltaSet, graph,
    sample::log_probability, writer::Writer,
};
use candle_core::Tensor;
use std::time::Instant;
use zeroize::Zeroize;

/// Tokens of a prompt read at once: enough to use each weight many times, few enough to stop soon.
const CHUNK: usize = 128;

/// A conversation on a device.
pub struct DeviceSession {
    model: DeviceModel,
    context: usize,
    ops: DeviceOps,
    /// The tokens whose keys and values are on the device.
    tokens: Vec<u32>,
    logits: Vec<f32>,
    /// What the conversation is read with.
    deltas: DeltaSet,
}

impl std::fmt::Debug for DeviceSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceSession({} of {} tokens)", self.tokens.len(), self.context)
    }
}

impl Drop for DeviceSession {
    fn drop(&mut self) {
        self.clear();
    }
}

impl DeviceSession {
    pub(super) fn new(model: &DeviceModel, context: usize) -> Result<Self, ModelError> {
        let config = model.anchor().config();
        let context = context.clamp(1, config.context);
        let ops = DeviceOps::new(config, context, model.device()).map_err(|source| model.kind().failed(source))?;
        let deltas = DeltaSet::none(model.anchor());
        Ok(Self { model: model.clone(), context, ops, tokens: Vec::new(), logits: Vec::new(), deltas })
    }

    /// Tokens the session holds.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// Tokens whose keys and values are on the device.
    #[must_use]
    pub fn used(&self) -> usize {
        self.tokens.len()
    }

    /// Forgets everything: tokens, logits, keys and values are overwritten. Intermediate results are not: candle gives
    /// their memory back as it is, on the device and in this process.
    pub fn clear(&mut self) {
        self.ops.cache.wipe();
        self.tokens.zeroize();
        self.logits.zeroize();
    }

    /// Whether no trace of anything read is left of what [`DeviceSession::clear`] overwrites. It reads all of it, so it is
    /// for checks, not for use.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.tokens.is_empty() && self.logits.is_empty() && self.ops.cache.is_blank()
    }

    /// Reads on with these deltas, each as much as its gate says; with none, as the anchor alone.
    ///
    /// # Errors
    /// Where one is another anchor's, or a gate is no finite number.
    pub fn set_deltas(&mut self, deltas: &[(Resident, f32)]) -> Result<(), ModelError> {
        self.switch(DeltaSet::new(self.model.anchor(), deltas)?);
        Ok(())
    }

    /// Other gates for the same deltas.
    ///
    /// # Errors
    /// Where the table does not have one finite gate for each delta in every row.
    pub fn set_gates(&mut self, gates: Gates<'_>) -> Result<(), ModelError> {
        self.switch(self.deltas.with(gates)?);
        Ok(())
    }

    /// Reads on with these weights of the experts, as [`crate::Session::set_experts`] says.
    ///
    /// # Errors
    /// As there.
    pub fn set_experts(&mut self, weights: Option<&[f32]>) -> Result<(), ModelError> {
        weights.map_or(Ok(()), |weights| self.model.anchor().check_experts(weights))?;
        if self.ops.experts.as_deref() != weights {
            self.tokens.clear();
            self.ops.experts = weights.map(<[f32]>::to_vec);
        }
        Ok(())
    }

    fn switch(&mut self, deltas: DeltaSet) {
        self.tokens.truncate(self.deltas.agrees(&deltas, self.tokens.len()));
        self.ops.factors.keep(&deltas);
        self.deltas = deltas;
    }

    /// Continues the prompt until something ends the answer; `on_text` is called as by [`crate::Session::generate`], and
    /// stops it within one token or one part of the prompt. [`Sampling::drafts`] is not used.
    ///
    /// # Errors
    /// Where the prompt or a setting cannot be used, or the device fails.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, ModelError> {
        let mut writer = Writer::new(self.model.anchor(), sampling, self.context)?;
        let began = Instant::now();
        let cached = self.known(prompt)?;
        let read = self.read(prompt, cached, &mut || on_text("") == Flow::Continue && !writer.is_late())?;
        let prefill_ms = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        if !read {
            writer.stop(StopReason::Cancelled);
        }
        let mut next = if writer.stopped().is_none() { writer.step(&mut self.logits, on_text)? } else { None };
        while let Some(token) = next {
            if self.tokens.len() >= self.context {
                writer.stop(StopReason::ContextFull);
                break;
            }
            self.step(&[token], true)?;
            next = writer.step(&mut self.logits, on_text)?;
        }
        let decode_ms = began.elapsed().as_secs_f64() * 1e3;
        let done = writer.finish(on_text);
        Ok(Generated { prompt: prompt.len(), cached, prefill_ms, decode_ms, ..done })
    }

    /// The logits after the last of these tokens, over the vocabulary.
    ///
    /// # Errors
    /// Where the tokens cannot be read, or the device fails.
    pub fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let cached = self.known(tokens)?;
        self.read(tokens, cached, &mut || true)?;
        Ok(self.logits.clone())
    }

    /// The natural logarithm of the probability of each token but the first, given those before it.
    ///
    /// # Errors
    /// As for [`DeviceSession::logits`].
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.known(tokens)?;
        self.tokens.clear();
        let mut out = Vec::with_capacity(tokens.len());
        let vocabulary = self.model.anchor().config().vocabulary;
        for (chunk, part) in tokens.chunks(CHUNK).enumerate() {
            let rows = self.forward(part)?;
            let mut logits = self.head(rows, part.len())?;
            for (row, logits) in logits.chunks_exact(vocabulary).enumerate() {
                let Some(&next) = tokens.get(chunk * CHUNK + row + 1) else { break };
                out.push(log_probability(logits, next));
            }
            logits.zeroize();
        }
        Ok(out)
    }

    /// Checks a prompt, and says how many of its tokens need not be read: the last always must, for its logits.
    fn known(&self, prompt: &[u32]) -> Result<usize, ModelError> {
        self.model.anchor().check_prompt(prompt, self.context)?;
        let same = self.tokens.iter().zip(prompt).take_while(|(known, token)| known == token).count();
        Ok(same.min(prompt.len() - 1))
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
        if wants_logits {
            let logits = self.head(rows, 1)?;
            self.logits.zeroize();
            self.logits = logits;
        }
        Ok(())
    }

    /// Reads some tokens; one row for each.
    fn forward(&mut self, tokens: &[u32]) -> Result<Tensor, ModelError> {
        let rows = self.ops.forward(self.model.decoder(), &self.deltas, self.tokens.len(), tokens);
        // One number that is not finite makes the sum so. Rounding could hide it from the head, so it is looked for before.
        let sum = rows.and_then(|rows| Ok((rows.sum_all()?.to_scalar::<f32>()?, rows)));
        let (sum, rows) = sum.map_err(|source| self.model.kind().failed(source))?;
        if !sum.is_finite() {
            self.clear();
            return Err(ModelError::Diverged);
        }
        self.tokens.extend_from_slice(tokens);
        Ok(rows)
    }

    /// The logits of the last `count` rows, one after the other.
    fn head(&mut self, rows: Tensor, count: usize) -> Result<Vec<f32>, ModelError> {
        let logits = graph::logits(&mut self.ops, self.model.decoder(), rows, count);
        let logits = logits.and_then(|logits| logits.flatten_all()?.to_vec1::<f32>());
        logits.map_err(|source| self.model.kind().failed(source))
    }
}
