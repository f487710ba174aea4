//! `icore lab`: the experiments that say whether any of this works, for anybody to run again.

mod members;

use clap::{Args, Subcommand, ValueEnum};
use hinet_lab::{
    LabError, Told,
    e2::{self, Plan, Sizes},
    root,
};
use hinet_node::models;
use hinet_protocol::{Progress, Unit};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

use super::context::{self, Context};
use super::end::End;
use super::line;
use super::meter::Meter;
use super::models::pull_all;
use members::{E1, Growth, Skills};

const EXAMPLES: &str = "\
Examples:
  icore lab e1 --seed 1
  icore lab growth --seed 1 --members 3,8,16,32
  icore lab skills --seed 1
  icore lab e2 --seed 1
  icore lab e2 --seed 1 --small --json
  icore lab root --name general

An experiment keeps every part in its folder as soon as it is done; the same command goes on from there. Nothing of yours \
is read: the owner, the notes and the secrets are made up from the seed.";

/// `icore lab`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Lab {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Members learn different things and become one model: what is left of each
    E1(E1),
    /// The same with more and more members: where the merge falls, and what groups of members do about it
    Growth(Growth),
    /// Skills that go together and skills that conflict: which to merge and which to route
    Skills(Skills),
    /// A made-up owner sleeps: what is learned, what is forgotten, what leaks
    E2(E2),
    /// A small anchor learns to read its owner's papers: the root that `icore init` offers, made again from its texts
    Root(Root),
}

const E2_EXAMPLES: &str = "\
Examples:
  icore lab e2 --seed 1 --dir ~/lab/e2-1
  icore lab e2 --seed 1 --small --json

It tunes four models and puts two thousand questions to each: more than an hour of two processors, some minutes with \
--small, whose figures mean nothing. The folder ends up with e2.json, e2.md and the chart e2.svg.";

#[derive(Debug, Args)]
#[command(after_help = E2_EXAMPLES)]
struct E2 {
    /// Decides everything: the owner, the order of learning, every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The folder of the experiment; `lab/e2-SEED` in the folder for generated files without it
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Every part, but as small as can be
    #[arg(long)]
    small: bool,
    /// Leave out the tuning of all matrices, which takes two gigabytes of memory
    #[arg(long)]
    without_whole: bool,
    /// Rank of the low-rank factors
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=256))]
    rank: Option<u32>,
    /// Learning rate of what the night makes, where it is not to be the night's own
    #[arg(long, value_name = "RATE")]
    rate: Option<f32>,
    /// Rounds of learning
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: Option<u64>,
    /// Entries of the diary
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4000))]
    diary: Option<u32>,
    /// Threads
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

const ROOT_EXAMPLES: &str = "\
Examples:
  icore lab root --name general --dir ~/lab/general
  icore lab root --name developer --small --json

It tunes low-rank factors on the texts in the program and examines them on papers they never saw: two or three hours of two \
processors, some minutes with --small, whose figures mean nothing. The folder ends up with the delta in root, root.json, \
root.md and the chart root.svg.";

#[derive(Debug, Args)]
#[command(after_help = ROOT_EXAMPLES)]
struct Root {
    /// Which root
    #[arg(long, value_enum, default_value_t = Named::General)]
    name: Named,
    /// Decides everything: the exercises, the order of learning, every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Every part, but as small as can be
    #[arg(long)]
    small: bool,
    /// Exercises that are learned, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    exercises: Option<u32>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    rate: Option<f32>,
    /// Rounds of learning
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: Option<u64>,
    /// The folder of the experiment; `lab/root-NAME-SEED` in the folder for generated files without it
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Threads
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// A root, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Named {
    General,
    Developer,
}

impl Lab {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        match self.what {
            What::E1(e1) => e1.run(context),
            What::Growth(growth) => growth.run(context),
            What::Skills(skills) => skills.run(context),
            What::E2(e2) => e2.run(context),
            What::Root(root) => root.run(context),
        }
    }
}

impl E2 {
    fn run(self, context: &Context) -> Result<(), End> {
        pull_all(context, &models::missing(context.brief()))?;
        let usual = || context.generated().join("lab").join(format!("e2-{}", self.seed));
        let dir = self.dir.as_deref().map_or_else(|| Ok(usual()), context::absolute)?;
        let mut sizes = if self.small { Sizes::small() } else { Sizes::whole() };
        sizes.whole &= !self.without_whole;
        sizes.rank = self.rank.map_or(sizes.rank, |rank| rank as usize);
        (sizes.rate, sizes.rounds) = (self.rate.or(sizes.rate), self.rounds.unwrap_or(sizes.rounds));
        sizes.diary = self.diary.map_or(sizes.diary, |entries| entries as usize);
        let plan = Plan {
            seed: self.seed,
            sizes,
            anchor: models::anchor_file(context.brief())?,
            settings: context.at(dir.join("home")),
            dir,
            threads: self.threads.map(|threads| threads.clamp(1, 256)),
        };
        let place = plan.dir.clone();
        let report = followed(context, move |stop, say| e2::run(&plan, stop, say))?;
        shown(context, &report, &report.markdown(), &place, "e2.json, e2.md, e2.svg")
    }
}

impl Root {
    fn run(self, context: &Context) -> Result<(), End> {
        pull_all(context, &models::missing(context.brief()))?;
        let root = match self.name {
            Named::General => root::Root::General,
            Named::Developer => root::Root::Developer,
        };
        let usual = || context.generated().join("lab").join(format!("root-{}-{}", root.name(), self.seed));
        let dir = self.dir.as_deref().map_or_else(|| Ok(usual()), context::absolute)?;
        let mut sizes = if self.small { root::Sizes::small() } else { root::Sizes::whole() };
        sizes.exercises = self.exercises.map_or(sizes.exercises, |count| count as usize);
        (sizes.rate, sizes.rounds) = (self.rate.unwrap_or(sizes.rate), self.rounds.unwrap_or(sizes.rounds));
        let plan = root::Plan {
            root,
            seed: self.seed,
            sizes,
            anchor: models::anchor_file(context.brief())?,
            dir,
            threads: self.threads.map(|threads| threads.clamp(1, 256)),
        };
        let place = plan.dir.clone();
        let report = followed(context, move |stop, say| root::run(&plan, stop, say))?;
        shown(context, &report, &report.markdown(), &place, "the delta in root, root.json, root.md, root.svg")
    }
}

/// Prints what an experiment found, and where everything is.
fn shown(context: &Context, report: &impl Serialize, tables: &str, place: &Path, files: &str) -> Result<(), End> {
    if context.out.json() {
        return context.out.document(report);
    }
    context.out.line(tables.trim_end())?;
    context.out.note(format!("All of it is in {}: {files}.", place.display()));
    Ok(())
}

/// One thing an experiment said.
enum Said {
    Line(String),
    Goes(Progress),
}

/// Runs an experiment on a thread of its own, shows how far it is, and stops it on Ctrl-C.
fn followed<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&AtomicBool, &mut dyn FnMut(Told<'_>)) -> Result<T, LabError> + Send + 'static,
) -> Result<T, End> {
    line::block_on(async {
        let stop = Arc::new(AtomicBool::new(false));
        let (saying, mut heard) = mpsc::unbounded_channel();
        let flag = stop.clone();
        let mut work = tokio::task::spawn_blocking(move || {
            let mut last = String::new();
            work(&flag, &mut |told| {
                let said = match told {
                    Told::Begins(what) => Said::Line(format!("{what} …")),
                    Told::Kept(what) => Said::Line(format!("{what}: done before")),
                    Told::Ended { what, seconds } => Said::Line(format!("{what}: {seconds:.0} s")),
                    Told::Goes { what, done, all } => {
                        let words = format!("{what} {}", 1000 * done / all.max(1));
                        if words == last {
                            return;
                        }
                        last = words;
                        let (done, total) = (done as u64, Some(all as u64));
                        Said::Goes(Progress { what: what.to_owned(), done, total, unit: Unit::Parts })
                    }
                };
                // Nobody listens any more where the person left.
                let _ = saying.send(said);
            })
        });
        let mut meter = Meter::new(&context.out);
        loop {
            tokio::select! {
                biased;
                Some(said) = heard.recv() => match said {
                    Said::Goes(progress) => meter.report(&progress),
                    Said::Line(line) => {
                        meter.clear();
                        context.out.note(line);
                    }
                },
                done = &mut work => {
                    meter.clear();
                    return match done.map_err(|_| End::unexpected("an experiment"))? {
                        Err(error) if error.is_stop() => Err(End::Interrupted),
                        Err(LabError::Node(failure)) => Err((*failure).into()),
                        Err(error) => Err(End::failed(sentence(&error), "The same command goes on from what is done.")),
                        Ok(found) => Ok(found),
                    };
                }
                _ = tokio::signal::ctrl_c() => {
                    if stop.swap(true, Ordering::Relaxed) {
                        return Err(End::Interrupted);
                    }
                }
            }
        }
    })
}

/// An error and what is behind it, as a sentence.
fn sentence(error: &LabError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    let mut signs = text.chars();
    let first: String = signs.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", signs.as_str().trim_end_matches('.'))
}
