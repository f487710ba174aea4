//! Short answers of many prompts, written side by side as they will be served.

use super::{Judge, LONGEST, Watch};
use crate::TrainError;
use hinet_model::{BatchOptions, Event, Flow, Sampling};

/// Prompts that are answered side by side.
const TOGETHER: usize = 24;

impl Judge {
    /// What is written after each prompt, as `sampling` says. Greedy where the temperature is zero.
    ///
    /// The watch is told of prompts. An answer is the same whatever others are written beside it.
    pub fn write(
        &mut self,
        prompts: &[Vec<u32>],
        sampling: &Sampling,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<String>, TrainError> {
        let mut texts = vec![String::new(); prompts.len()];
        let context = self.anchor.context().min(LONGEST);
        let mut batch = self.anchor.batch(BatchOptions { context, ..BatchOptions::default() });
        batch.set_deltas(&self.deltas)?;
        let (mut ids, mut waiting, mut done) = (Vec::new(), prompts.iter(), 0);
        let mut failed = None;
        loop {
            if !watch.goes_on(done, prompts.len()) {
                return Err(TrainError::Unjudged);
            }
            while batch.len() < TOGETHER {
                let Some(prompt) = waiting.next() else { break };
                ids.push(batch.add(prompt, sampling, None)?);
            }
            if batch.is_empty() {
                return Ok(texts);
            }
            batch.step(&mut |id, event| {
                match event {
                    Event::Text(_) => {}
                    Event::Done(answer) => {
                        done += 1;
                        // Numbers of sequences rise in the order in which they join.
                        if let Ok(at) = ids.binary_search(&id) {
                            texts[at] = answer.text;
                        }
                    }
                    Event::Failed { error, .. } => failed = Some(error),
                }
                Flow::Continue
            });
            if let Some(error) = failed.take() {
                return Err(error.into());
            }
        }
    }
}
