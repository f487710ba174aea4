//! A stopwatch around the engine: what reading, writing and embedding cost, and what this machine could give at most.
//!
//! Everything is a sample, never a verdict: whoever asks gets all of them. A reference ([`Reference`]) answers the same
//! commands from a process of its own, so that both sides can take turns.

mod ceilings;
mod drawn;
mod reference;

pub use ceilings::{Ceilings, ceilings};
pub use drawn::drawn;
pub use reference::{Reference, Tuned};

use crate::{
    Anchor, AnySession, BatchOptions, DeviceKind, DeviceModel, Embedder, Flow, KvKind, LoadOptions, ModelError,
    Resident, Sampling, SessionOptions, gguf::Gguf, sample::likeliest,
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Instant};

/// Tokens that stand before what is timed.
const BEFORE: usize = 16;

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Milliseconds on the clock.
    pub wall_ms: f64,
    /// Milliseconds of processor time, all threads together; what other programs take is not in it.
    pub cpu_ms: f64,
}

impl Taken {
    /// Times some work.
    pub fn by<T>(work: impl FnOnce() -> T) -> (Self, T) {
        let (began, cpu) = (Instant::now(), processor_ms());
        let out = work();
        let wall_ms = began.elapsed().as_secs_f64() * 1e3;
        (Self { wall_ms, cpu_ms: processor_ms() - cpu }, out)
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of one run")]
fn processor_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Keeps this process, and those it starts, on the first `cores` processors it may use, so that both sides of a
/// comparison have the same; does nothing where the system has no such thing.
pub fn stay_on(cores: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let Ok(allowed) = sched_getaffinity(None) else { return };
        let mut some = CpuSet::new();
        let mine = (0..CpuSet::MAX_CPU).rev().filter(|cpu| allowed.is_set(*cpu));
        mine.take(cores.max(1)).for_each(|cpu| some.set(cpu));
        // Where it is refused, the system goes on choosing.
        let _ = sched_setaffinity(None, &some);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = cores;
}

/// A decoder under the stopwatch.
#[derive(Debug)]
pub struct Engine {
    anchor: Anchor,
    session: AnySession,
    /// Milliseconds it took to load.
    pub load_ms: f64,
    /// Bytes of weights that writing one token reads.
    pub token_bytes: u64,
}

impl Engine {
    /// Loads a GGUF file, with room for `context` tokens, on a device where one is given.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub fn load(
        path: &Path,
        options: LoadOptions,
        device: Option<DeviceKind>,
        context: usize,
    ) -> Result<Self, ModelError> {
        let began = Instant::now();
        let file = Gguf::open(path)?;
        let anchor = Anchor::from_gguf(&file, options)?;
        let session: AnySession = match device {
            None => anchor.session(context).into(),
            Some(kind) => DeviceModel::from_gguf(&anchor, &file, kind)?.session(context)?.into(),
        };
        let load_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok(Self { session, load_ms, token_bytes: token_bytes(&file)?, anchor })
    }

    /// The model.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Tokens that mean nothing, the same for every runtime.
    fn tokens(&self, count: usize) -> Vec<u32> {
        let most = self.anchor.tokenizer().vocabulary().saturating_sub(152).max(1);
        #[allow(clippy::cast_possible_truncation, reason = "below the size of a vocabulary")]
        (0..count).map(|i| ((i * 7919 + 13) % most) as u32).collect()
    }

    /// Reads `count` tokens from nothing.
    ///
    /// # Errors
    /// Where the context is too small.
    pub fn prefill(&mut self, count: usize) -> Result<Taken, ModelError> {
        let tokens = self.tokens(count);
        self.session.clear();
        let (taken, read) = Taken::by(|| self.session.logits(&tokens).map(drop));
        read.map(|()| taken)
    }

    /// Reads `from` tokens, then times `count` more, one by one.
    ///
    /// # Errors
    /// Where the context is too small.
    pub fn decode(&mut self, from: usize, count: usize) -> Result<Taken, ModelError> {
        let tokens = self.tokens(from + count);
        self.session.clear();
        self.session.logits(&tokens[..from])?;
        let one_by_one = || (from + 1..=tokens.len()).try_for_each(|end| self.session.logits(&tokens[..end]).map(drop));
        let (taken, read) = Taken::by(one_by_one);
        read.map(|()| taken)
    }

    /// Reads a conversation of `count` tokens anew, and then a second turn of `more` tokens behind it.
    ///
    /// # Errors
    /// Where the context is too small.
    pub fn turns(&mut self, count: usize, more: usize) -> Result<(Taken, Taken), ModelError> {
        let tokens = self.tokens(count + more);
        self.session.clear();
        let (first, read) = Taken::by(|| self.session.logits(&tokens[..count]).map(drop));
        read?;
        let (second, read) = Taken::by(|| self.session.logits(&tokens).map(drop));
        read.map(|()| (first, second))
    }

    /// Keeps keys and values in this way from now on, on the processor; what was read is gone.
    pub fn keep(&mut self, kv: KvKind) {
        let options = SessionOptions { context: self.session.context(), kv, prefixes: None };
        self.session = self.anchor.session_with(options).into();
    }

    /// Reads and writes with these deltas from now on, each as much as its gate says.
    ///
    /// # Errors
    /// Where they are another model's.
    pub fn wear(&mut self, deltas: &[(Resident, f32)]) -> Result<(), ModelError> {
        self.session.set_deltas(deltas)
    }

    /// Reads `rows` tokens at a time, `count` times, behind a few.
    ///
    /// # Errors
    /// Where the context is too small.
    pub fn in_pieces(&mut self, rows: usize, count: usize) -> Result<Taken, ModelError> {
        let tokens = self.tokens(BEFORE + rows * count);
        self.session.clear();
        self.session.logits(&tokens[..BEFORE])?;
        let pieces =
            || (1..=count).try_for_each(|piece| self.session.logits(&tokens[..BEFORE + piece * rows]).map(drop));
        let (taken, read) = Taken::by(pieces);
        read.map(|()| taken)
    }

    /// Writes in `sequences` at once, on the processor, each behind a few tokens of its own, up to `count` tokens in each; ends early where
    /// one of them says that it is done. Gives how many tokens all of them have written, too.
    ///
    /// # Errors
    /// Where the context is too small.
    pub fn together(&mut self, sequences: usize, count: usize) -> Result<(Taken, usize), ModelError> {
        let rows = sequences * BEFORE;
        let mut batch =
            self.anchor.batch(BatchOptions { rows, context: 2 * (BEFORE + count), ..BatchOptions::default() });
        let prompts = self.tokens(rows);
        let sampling = Sampling { max_tokens: count + 2, ..Sampling::default() };
        for prompt in prompts.chunks(BEFORE) {
            batch.add(prompt, &sampling, None)?;
        }
        // All prompts fit into one step.
        batch.step(&mut |_, _| Flow::Continue);
        let mut steps = 0;
        let (taken, ()) = Taken::by(|| {
            while steps < count && batch.len() == sequences {
                batch.step(&mut |_, _| Flow::Continue);
                steps += 1;
            }
        });
        Ok((taken, steps * sequences))
    }

    /// The natural logarithm of the probability of each token of a text but the first.
    ///
    /// # Errors
    /// Where the text is longer than the context.
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.session.clear();
        self.session.log_probabilities(tokens)
    }

    /// The likeliest continuation of a prompt.
    ///
    /// # Errors
    /// Where the context is too small.
    pub fn greedy(&mut self, prompt: &[u32], count: usize) -> Result<Vec<u32>, ModelError> {
        let mut all = prompt.to_vec();
        for _ in 0..count {
            let logits = self.session.logits(&all)?;
            all.push(likeliest(&logits).0);
        }
        Ok(all.split_off(prompt.len()))
    }
}

/// Bytes of all matrices that one token goes through; a table of embeddings that is also the head counts once.
fn token_bytes(file: &Gguf) -> Result<u64, ModelError> {
    let all = file.tensor_bytes();
    Ok(match file.find_tensor("output.weight")? {
        None => all,
        Some(_) => all - file.tensor("token_embd.weight")?.bytes.len() as u64,
    })
}

/// Embeds `texts` texts of `tokens` tokens in one batch, tokenizing included.
///
/// # Errors
/// Where a text cannot be embedded.
pub fn embed(embedder: &Embedder, texts: usize, tokens: usize) -> Result<Taken, ModelError> {
    // Each word is one token; the two at the ends are the model's own.
    let words = ["river", "garden", "letter", "window", "bridge", "market", "school", "forest"];
    let text = |n: usize| (0..tokens - 2).map(|i| words[(i * 5 + n) % words.len()]).collect::<Vec<_>>().join(" ");
    let all: Vec<String> = (0..texts).map(text).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    debug_assert!(embedder.tokens(all[0]).is_ok_and(|ids| ids.len() == tokens));
    let (taken, done) = Taken::by(|| embedder.embed(&all).map(drop));
    done.map(|()| taken)
}
