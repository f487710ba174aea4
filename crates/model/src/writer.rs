//! Writing one answer, whoever computes the logits: choosing each token, turning tokens into text, and knowing when to
//! stop. A single conversation ([`crate::Session`]) and a batch of many drive the same state machine.

use crate::{
    Anchor, Flow, Generated, ModelError, Sampling, StopReason, TokenLog,
    constrain::Constraint,
    generate::Speaker,
    sample::{Sampler, token_log},
};
use std::time::Instant;
use zeroize::Zeroize;

/// One answer being written.
pub(crate) struct Writer<'a> {
    anchor: &'a Anchor,
    sampling: &'a Sampling,
    sampler: Sampler<'a>,
    speaker: Speaker<'a>,
    constraint: Option<Constraint>,
    written: Vec<u32>,
    logs: Vec<TokenLog>,
    began: Instant,
    stopped: Option<StopReason>,
}

impl<'a> Writer<'a> {
    /// An answer with nothing written; `room` is the longest it could become.
    ///
    /// # Errors
    /// Where a setting is out of its range, or the form is not understood.
    pub(crate) fn new(anchor: &'a Anchor, sampling: &'a Sampling, room: usize) -> Result<Self, ModelError> {
        let constraint = sampling.form.as_ref().map(|form| anchor.forms()?.constraint(form)).transpose()?;
        Ok(Self {
            anchor,
            sampling,
            sampler: Sampler::new(sampling)?,
            speaker: Speaker::new(anchor.tokenizer(), &sampling.stop),
            constraint,
            written: Vec::with_capacity(sampling.max_tokens.min(room)),
            logs: Vec::new(),
            began: Instant::now(),
            stopped: (sampling.max_tokens == 0).then_some(StopReason::MaxTokens),
        })
    }

    /// Why it is over, once it is.
    pub(crate) fn stopped(&self) -> Option<StopReason> {
        self.stopped
    }

    /// Ends it from outside.
    pub(crate) fn stop(&mut self, reason: StopReason) {
        self.stopped = self.stopped.or(Some(reason));
    }

    /// Whether its time is over; says so by stopping.
    pub(crate) fn is_late(&mut self) -> bool {
        let late = self.sampling.within.is_some_and(|within| self.began.elapsed() >= within);
        if late {
            self.stop(StopReason::Deadline);
        }
        late
    }

    /// Draws the next token from the logits after everything so far, and says its text. `None` where that ended the
    /// answer without a further token to be read. The logits are changed.
    pub(crate) fn step(
        &mut self,
        logits: &mut [f32],
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Option<u32>, ModelError> {
        if self.stopped.is_some() || self.is_late() {
            return Ok(None);
        }
        let ends = self.anchor.ends();
        if self.constraint.as_ref().is_some_and(Constraint::is_over) {
            self.stop(StopReason::End);
            return Ok(None);
        }
        let before = self.sampling.log_probabilities.map(|_| logits.to_vec());
        if let Some(constraint) = &mut self.constraint {
            constraint.mask(logits, ends, self.anchor.end())?;
        }
        let token = self.sampler.draw(logits, &self.written)?;
        if let (Some(count), Some(mut before)) = (self.sampling.log_probabilities, before) {
            self.logs.push(token_log(&before, token, count));
            before.zeroize();
        }
        if ends.contains(&token) {
            self.stop(StopReason::End);
            return Ok(None);
        }
        if let Some(constraint) = &mut self.constraint {
            constraint.push(token)?;
        }
        self.written.push(token);
        let (text, ended) = self.speaker.push(token);
        let flow = on_text(text);
        if ended {
            self.stop(StopReason::StopText);
        } else if flow == Flow::Stop {
            self.stop(StopReason::Cancelled);
        } else if self.constraint.as_ref().is_some_and(Constraint::is_over) {
            self.stop(StopReason::End);
        } else if self.written.len() >= self.sampling.max_tokens {
            self.stop(StopReason::MaxTokens);
        }
        Ok(if self.stopped.is_some() { None } else { Some(token) })
    }

    /// Tokens that may still be written.
    pub(crate) fn left(&self) -> usize {
        self.sampling.max_tokens - self.written.len()
    }

    /// What became of it. Nothing of the tokens is kept beside it.
    pub(crate) fn finish(mut self, on_text: &mut dyn FnMut(&str) -> Flow) -> Generated {
        let stopped = self.stopped.unwrap_or(StopReason::Cancelled);
        if stopped != StopReason::StopText {
            let rest = self.speaker.finish();
            if !rest.is_empty() && stopped != StopReason::Cancelled {
                on_text(rest);
            }
        }
        let generated = self.written.len();
        self.written.zeroize();
        Generated {
            text: self.speaker.into_text(),
            prompt: 0,
            cached: 0,
            generated,
            drafted: 0,
            accepted: 0,
            logs: self.logs,
            stopped,
            prefill_ms: 0.0,
            decode_ms: 0.0,
        }
    }
}
