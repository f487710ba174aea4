//! `icore bench`: what the face and the engine cost on this machine.

use clap::{Args, Subcommand};
use hinet_node::{Kernel, models, retrieval};
use hinet_protocol::Failure;
use hinet_tui::bench::{self, EmbedPlan, EnginePlan, Plan, Report, Say, Told, TrainPlan};
use serde::Serialize;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::context::{self, Context};
use super::end::End;
use super::models::pull_all;
use super::unlock;

const EXAMPLES: &str = "\
Examples:
  icore bench tui
  icore bench inference --threads 2
  icore bench embed --json
  icore bench train --steps 10 --json
  icore bench retrieval --locomo ~/data/locomo";

const TUI_EXAMPLES: &str = "\
Examples:
  icore bench tui
  icore bench tui --dir ~/bench --minutes 60     (the home made there is used again the next time)

It makes a home of generated text in DIR (a temporary folder without --dir, removed at the end), opens the chat on it in a \
pseudo-terminal, and times what reaches the screen. Your own iCore is not opened. The files of that home go through the \
real import; their vectors are drawn by chance and the long conversation is written straight into the vault, because \
the models would take hours for them and nothing that is measured looks at either.";

/// `icore bench`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The terminal face: starting, typing, idling, scrolling, memory
    Tui(Tui),
    /// The decoder: reading, writing, long contexts, beside llama.cpp where it is installed
    Inference(Inference),
    /// The embedder, beside PyTorch where it is installed
    Embed(Embed),
    /// Tuning: low-rank factors and the whole model, beside PyTorch where it is installed
    Train(Train),
    /// The search: how much of the evidence of LoCoMo's questions is found, and what each stage is worth
    Retrieval(Retrieval),
}

const RETRIEVAL_EXAMPLES: &str = "\
Examples:
  icore bench retrieval --locomo ~/data/locomo
  icore bench retrieval --locomo ~/data/locomo --json

All dialogues of the folder (LoCoMo's NAME.json) are read as chat exports into one home, made for this and removed, and \
every question is put to the search the chat uses. What is counted are turns: a passage that brings three spends three. \
The dialogues' licence is non-commercial; nothing of them is kept.";

#[derive(Debug, Args)]
#[command(after_help = RETRIEVAL_EXAMPLES)]
struct Retrieval {
    /// The folder of LoCoMo's dialogues
    #[arg(long, value_name = "DIR")]
    locomo: PathBuf,
}

const TRAIN_EXAMPLES: &str = "\
Examples:
  icore bench train
  icore bench train --threads 2 --steps 20 --python ~/venv/bin/python3 --json

Where the Python named by --python has torch, transformers and gguf, both sides begin with the same numbers, learn from the \
same made-up tokens (4 x 128 a step), and take turns on the same processors. Tuning the whole model of 135 million \
numbers takes about three gigabytes, and PyTorch four more. Nothing of yours is read but the model file.";

#[derive(Debug, Args)]
#[command(after_help = TRAIN_EXAMPLES)]
struct Train {
    /// A GGUF file; the default anchor without it
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Threads on both sides
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Steps that are timed on each side
    #[arg(long, value_name = "N", default_value_t = 10)]
    steps: usize,
    /// The Python that may have torch and transformers
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
}

const INFERENCE_EXAMPLES: &str = "\
Examples:
  icore bench inference
  icore bench inference --model ~/models/some.gguf --threads 2 --pairs 20 --text book.txt --json

Where the Python named by --python has llama_cpp, both take turns on the same processors and each pair is compared. \
Nothing of yours is read but the model file and the text you name.";

#[derive(Debug, Args)]
#[command(after_help = INFERENCE_EXAMPLES)]
struct Inference {
    /// A GGUF file; the default anchor without it
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Threads on both sides
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Samples of each figure, or pairs of samples
    #[arg(long, value_name = "N", default_value_t = 10)]
    pairs: usize,
    /// The Python that may have llama_cpp
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// A text whose perplexity is measured on both sides
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// The kernels: avx2, avx512-vnni, plain, …; the fastest without it
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// What our side computes on: cpu, candle, or metal or cuda where icore was built with it
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

#[derive(Debug, Args)]
struct Embed {
    /// Threads of the other side; ours takes what the machine has
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Pairs of samples
    #[arg(long, value_name = "N", default_value_t = 10)]
    pairs: usize,
    /// The Python that may have torch and transformers
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = TUI_EXAMPLES)]
struct Tui {
    /// The folder for the home and the texts; kept, and used again
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Chunks of a home that is made
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    chunks: usize,
    /// Messages of its long conversation
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    messages: usize,
    /// Key presses for each figure
    #[arg(long, value_name = "N", default_value_t = 300)]
    presses: usize,
    /// Starts that are timed
    #[arg(long, value_name = "N", default_value_t = 20)]
    starts: usize,
    /// Idle seconds
    #[arg(long, value_name = "N", default_value_t = 30)]
    idle: u64,
    /// Minutes of streaming while the memory is watched; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    minutes: f64,
}

/// A temporary folder, removed with the value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // The system's own sweep takes what cannot be removed now.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Bench {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        match self.what {
            What::Tui(tui) => tui.run(context),
            What::Inference(inference) => inference.run(context),
            What::Embed(embed) => embed.run(context),
            What::Train(train) => train.run(context),
            What::Retrieval(retrieval) => retrieval.run(context),
        }
    }
}

/// Runs a measurement, says each figure as it comes, and the notes at the end; with `--json` one document.
fn told<R: Serialize>(
    context: &Context,
    measure: impl FnOnce(Say<'_>) -> Result<R, Failure>,
    notes: impl FnOnce(&R) -> &[String],
) -> Result<(), End> {
    let out = &context.out;
    let mut told = Ok(());
    let report = measure(&mut |what| match what {
        Told::Doing(doing) => out.note(doing),
        Told::Measured(figure) if !out.json() && told.is_ok() => told = out.line(figure.to_string()),
        Told::Measured(_) => {}
    })?;
    told?;
    if out.json() {
        return out.document(&report);
    }
    notes(&report).iter().try_for_each(|note| out.line(format!("({note})")))
}

fn notes(report: &Report) -> &[String] {
    &report.notes
}

/// The file that was named, or the default anchor's.
fn model(context: &Context, named: Option<&Path>) -> Result<PathBuf, End> {
    match named {
        Some(model) => context::absolute(model),
        None => {
            pull_all(context, &models::missing(context.brief()))?;
            Ok(models::anchor_file(context.brief())?)
        }
    }
}

impl Train {
    fn run(self, context: &Context) -> Result<(), End> {
        let model = model(context, self.model.as_deref())?;
        let dir = std::env::temp_dir().join(format!("icore-bench-train-{}", std::process::id()));
        private(&dir)?;
        let temporary = Temporary(dir);
        let plan = TrainPlan {
            model,
            threads: self.threads.clamp(1, 256),
            steps: self.steps.max(1),
            python: Some(self.python),
            dir: temporary.0.clone(),
        };
        told(context, |say| bench::training(&plan, say), |report| &report.notes)
    }
}

impl Retrieval {
    fn run(self, context: &Context) -> Result<(), End> {
        let locomo = context::absolute(&self.locomo)?;
        pull_all(context, &models::missing(context.brief()))?;
        let temporary = Temporary(std::env::temp_dir().join(format!("icore-bench-retrieval-{}", std::process::id())));
        private(&temporary.0)?;
        let settings = context.at(temporary.0.join("home"));
        let plan = retrieval::Plan { locomo, dir: temporary.0.clone(), settings };
        let report = retrieval::measure(&plan, &mut |doing| context.out.note(doing))?;
        if context.out.json() {
            return context.out.document(&report);
        }
        context.out.line(bench::tables(&report))
    }
}

impl Inference {
    fn run(self, context: &Context) -> Result<(), End> {
        let kernel = match &self.kernel {
            None => None,
            Some(name) => {
                let found = Kernel::ALL.into_iter().find(|kernel| kernel.name() == name);
                let names = Kernel::ALL.map(Kernel::name).join(", ");
                Some(found.ok_or_else(|| {
                    End::usage(format!("There are no kernels called {name}."), format!("There are {names}."))
                })?)
            }
        };
        let model = model(context, self.model.as_deref())?;
        let text = self.text.as_ref().map(|path| {
            std::fs::read_to_string(path).map_err(|error| {
                End::usage(format!("{} cannot be read as text: {error}.", path.display()), "Name a UTF-8 text file.")
            })
        });
        let plan = EnginePlan {
            model,
            threads: self.threads.clamp(1, 256),
            pairs: self.pairs.max(1),
            python: Some(self.python),
            text: text.transpose()?,
            kernel,
            device: models::device_named(&self.device)?,
        };
        told(context, |say| bench::inference(&plan, say), notes)
    }
}

impl Embed {
    fn run(self, context: &Context) -> Result<(), End> {
        pull_all(context, &models::missing(context.brief()))?;
        let (folder, embedder) = models::default_embedder(context.brief())?;
        let threads = self.threads.clamp(1, 256);
        let plan = EmbedPlan { folder, threads, pairs: self.pairs.max(1), python: Some(self.python) };
        told(context, |say| bench::embedding(&plan, &embedder, say), notes)
    }
}

impl Tui {
    fn run(self, context: &Context) -> Result<(), End> {
        pull_all(context, &models::missing(context.brief()))?;
        let (dir, _temporary) = match &self.dir {
            Some(dir) => (context::absolute(dir)?, None),
            None => {
                let dir = std::env::temp_dir().join(format!("icore-bench-{}", std::process::id()));
                (dir.clone(), Some(Temporary(dir)))
            }
        };
        private(&dir)?;
        let plan = self.plan(context, &dir)?;
        told(context, |say| bench::run(&plan, say), notes)
    }

    fn plan(&self, context: &Context, dir: &Path) -> Result<Plan, End> {
        let passphrase = match &context.passphrase_file {
            Some(file) => unlock::read_passphrase(context, file, "ICORE_PASSPHRASE_FILE")?,
            None => Zeroizing::new(bench::PASSPHRASE.to_owned()),
        };
        let settings = context.at(dir.join("home"));
        Ok(Plan {
            program: settings.extractor.program.clone(),
            dir: dir.to_path_buf(),
            settings,
            passphrase,
            chunks: self.chunks,
            messages: self.messages,
            presses: self.presses,
            starts: self.starts,
            idle_s: self.idle,
            minutes: self.minutes,
        })
    }
}

fn private(dir: &Path) -> Result<(), End> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        End::failed(format!("The folder {} could not be made: {error}.", dir.display()), "Name another with --dir.")
    })
}
