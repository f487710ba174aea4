//! Writing one answer, whoever computes the logits: choosing each token, turning tokens into text, and knowing when to
//! stop. A single conversation ([`crate::Session`]) and a batch of many drive the same state machine.

use crate::{
    Anchor, Flow, Generated, ModelError, Sampling, StopReason, TokenLog,
    constrain::Constraint,
    generate::Speaker,
    sample::{Sampler, token_log},
};
use std::time::Instant;
use zeroize::{Zeroize, Zeroizing};

/// One answer being written.
pub(crate) struct Writer {
    anchor: Anchor,
    sampler: Sampler,
    speaker: Speaker,
    constraint: Option<Constraint>,
    written: Zeroizing<Vec<u32>>,
    max_tokens: usize,
    log_count: Option<usize>,
    logs: Vec<TokenLog>,
    deadline: Option<Instant>,
    stopped: Option<StopReason>,
}

impl Writer {
    /// An answer with nothing written; `room` is the longest it could become. Its time begins now.
    ///
    /// # Errors
    /// Where a setting is out of its range, or the form is not understood.
    pub(crate) fn new(anchor: &Anchor, sampling: &Sampling, room: usize) -> Result<Self, ModelError> {
        let constraint = sampling.form.as_ref().map(|form| anchor.forms()?.constraint(form)).transpose()?;
        Ok(Self {
            sampler: Sampler::new(sampling)?,
            speaker: Speaker::new(anchor.tokenizer(), &sampling.stop),
            constraint,
            written: Zeroizing::new(Vec::with_capacity(sampling.max_tokens.min(room))),
            max_tokens: sampling.max_tokens,
            log_count: sampling.log_probabilities,
            logs: Vec::new(),
            deadline: sampling.within.and_then(|within| Instant::now().checked_add(within)),
            stopped: None,
            anchor: anchor.clone(),
        })
    }

    /// Ends it at this moment, if not before.
    pub(crate) fn end_by(&mut self, deadline: Option<Instant>) {
        self.deadline = self.deadline.into_iter().chain(deadline).min();
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
        let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
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
        if self.left() == 0 {
            self.stop(StopReason::MaxTokens);
            return Ok(None);
        }
        if self.constraint.as_ref().is_some_and(Constraint::is_over) {
            self.stop(StopReason::End);
            return Ok(None);
        }
        let before = self.log_count.map(|_| logits.to_vec());
        if let Some(constraint) = &mut self.constraint {
            constraint.mask(logits, self.anchor.ends(), self.anchor.end())?;
        }
        let token = self.sampler.draw(logits, &self.written)?;
        if let (Some(count), Some(mut before)) = (self.log_count, before) {
            self.logs.push(token_log(&before, token, count));
            before.zeroize();
        }
        if self.anchor.ends().contains(&token) {
            self.stop(StopReason::End);
            return Ok(None);
        }
        if let Some(constraint) = &mut self.constraint {
            constraint.push(token)?;
        }
        self.written.push(token);
        let (text, ended) = self.speaker.push(self.anchor.tokenizer(), token);
        let flow = on_text(text);
        if ended {
            self.stop(StopReason::StopText);
        } else if flow == Flow::Stop {
            self.stop(StopReason::Cancelled);
        } else if self.constraint.as_ref().is_some_and(Constraint::is_over) {
            self.stop(StopReason::End);
        } else if self.left() == 0 {
            self.stop(StopReason::MaxTokens);
        }
        Ok(if self.stopped.is_some() { None } else { Some(token) })
    }

    /// Tokens that may still be written.
    pub(crate) fn left(&self) -> usize {
        self.max_tokens - self.written.len()
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
