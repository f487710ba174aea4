//! Another runtime in a process of its own, answering line by line, so that both sides can take turns.
#![allow(
    clippy::disallowed_types,
    reason = "the runtime one compares with is another program; it gets public weights only"
)]

use super::Taken;
use crate::ModelError;
use serde::Deserialize;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// What llama.cpp is asked through.
const LLAMA: &str = include_str!("../../../../assets/bench/llama.py");
/// What PyTorch's MiniLM is asked through.
const MINILM: &str = include_str!("../../../../assets/bench/minilm.py");

/// What PyTorch tunes through.
const TUNE: &str = include_str!("../../../../assets/bench/tune.py");

/// One step of tuning in another runtime.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Tuned {
    /// How long it took.
    #[serde(flatten)]
    pub taken: Taken,
    /// The mean loss before it.
    pub loss: f32,
    /// The largest resident memory of its process so far, in MiB; 0 where that is not known.
    pub peak_mib: f64,
}

/// A runtime to compare with; ended with the value.
#[derive(Debug)]
pub struct Reference {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it calls itself.
    pub name: String,
}

#[derive(Deserialize)]
struct Ready {
    ready: String,
}

#[derive(Deserialize)]
struct Logs {
    log_probabilities: Vec<f32>,
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<u32>,
}

impl Reference {
    /// llama.cpp, if this Python has it, with a GGUF file loaded; `None` where it does not start.
    #[must_use]
    pub fn llama(python: &Path, model: &Path, threads: usize, context: usize) -> Option<Self> {
        let numbers = [threads, context].map(|n| n.to_string());
        Self::start(python, LLAMA, &[model.as_os_str(), numbers[0].as_ref(), numbers[1].as_ref()])
    }

    /// PyTorch's MiniLM, if this Python has it; `None` where it does not start.
    #[must_use]
    pub fn minilm(python: &Path, folder: &Path, threads: usize) -> Option<Self> {
        Self::start(python, MINILM, &[folder.as_os_str(), threads.to_string().as_ref()])
    }

    /// PyTorch tuning a GGUF file, if this Python has it: `lora` with the factors in `adapter`, or `full`; `None` where it
    /// does not start. The numbers are threads, examples in a step and tokens of each; then the learning rate and the decay.
    #[must_use]
    pub fn tuning(
        python: &Path,
        model: &Path,
        what: &str,
        adapter: &Path,
        numbers: [usize; 3],
        rates: [f32; 2],
    ) -> Option<Self> {
        let numbers = numbers.map(|n| n.to_string()).into_iter().chain(rates.map(|n| n.to_string()));
        let words: Vec<String> = numbers.collect();
        let mut arguments: Vec<&OsStr> = vec![model.as_os_str(), what.as_ref(), adapter.as_os_str()];
        arguments.extend(words.iter().map(AsRef::<OsStr>::as_ref));
        Self::start(python, TUNE, &arguments)
    }

    /// One step of tuning.
    ///
    /// # Errors
    /// Where the reference is gone.
    pub fn tune(&mut self) -> Result<Tuned, ModelError> {
        self.ask("step")
    }

    fn start(python: &Path, script: &str, arguments: &[&OsStr]) -> Option<Self> {
        let mut child = Command::new(python)
            .args(["-u", "-c", script])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (asked, answers) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut reference = Self { child, asked, answers, name: String::new() };
        reference.name = reference.answer::<Ready>().ok()?.ready;
        Some(reference)
    }

    fn answer<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, ModelError> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.ok().and_then(|_| serde_json::from_str(&line).ok()).ok_or(ModelError::Reference)
    }

    fn ask<T: for<'de> Deserialize<'de>>(&mut self, command: &str) -> Result<T, ModelError> {
        writeln!(self.asked, "{command}").map_err(|_| ModelError::Reference)?;
        self.answer()
    }

    /// Reads so many tokens from nothing.
    ///
    /// # Errors
    /// Where the reference is gone.
    pub fn prefill(&mut self, count: usize) -> Result<Taken, ModelError> {
        self.ask(&format!("prefill {count}"))
    }

    /// Reads `from` tokens, then times `count` more, one by one.
    ///
    /// # Errors
    /// Where the reference is gone.
    pub fn decode(&mut self, from: usize, count: usize) -> Result<Taken, ModelError> {
        self.ask(&format!("decode {from} {count}"))
    }

    /// The natural logarithm of the probability of each token but the first.
    ///
    /// # Errors
    /// Where the reference is gone.
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let ids = tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        self.ask::<Logs>(&format!("perplexity {ids}")).map(|answer| answer.log_probabilities)
    }

    /// The likeliest continuation of a prompt.
    ///
    /// # Errors
    /// Where the reference is gone.
    pub fn greedy(&mut self, prompt: &[u32], count: usize) -> Result<Vec<u32>, ModelError> {
        let ids = prompt.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        self.ask::<Tokens>(&format!("greedy {count} {ids}")).map(|answer| answer.tokens)
    }

    /// Embeds so many texts of so many tokens.
    ///
    /// # Errors
    /// Where the reference is gone.
    pub fn embed(&mut self, texts: usize, tokens: usize) -> Result<Taken, ModelError> {
        self.ask(&format!("embed {texts} {tokens}"))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
