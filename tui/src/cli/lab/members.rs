//! `icore lab e1`, `growth` and `skills`: members that learn different things, and what becomes of them together.

use clap::{Args, ValueEnum};
use hinet_lab::{
    e1::{self, Plan, Tuning},
    growth, skills,
};
use hinet_node::models;
use std::path::PathBuf;

use super::{followed, shown};
use crate::cli::context::{self, Context};
use crate::cli::end::End;
use crate::cli::models::pull_all;

/// Members of a file of packs, where nothing else is said.
const OF_A_FILE: usize = 3;

/// What all of them take.
#[derive(Debug, Args)]
struct Shared {
    /// Decides everything: what is learned, the order of learning, every draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Every part, but as small as can be
    #[arg(long)]
    small: bool,
    /// Rounds of learning
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: Option<u64>,
    /// The folder of the experiment; `lab/NAME-SEED` in the folder for generated files without it
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Threads
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Shared {
    /// The plan of members of these sizes.
    fn plan(&self, context: &Context, name: &str, sizes: e1::Sizes, tuning: Tuning) -> Result<Plan, End> {
        pull_all(context, &models::missing(context.brief()))?;
        let usual = || context.generated().join("lab").join(format!("{name}-{}", self.seed));
        let dir = self.dir.as_deref().map_or_else(|| Ok(usual()), context::absolute)?;
        Ok(Plan {
            seed: self.seed,
            sizes: e1::Sizes { rounds: self.rounds.unwrap_or(sizes.rounds), ..sizes },
            tuning,
            packs: None,
            anchor: models::anchor_file(context.brief())?,
            embedder: models::default_embedder(context.brief())?.1,
            settings: context.at(dir.join("home")),
            dir,
            threads: self.threads.map(|threads| threads.clamp(1, 256)),
        })
    }
}

const E1_EXAMPLES: &str = "\
Examples:
  icore lab e1 --seed 1
  icore lab e1 --seed 1 --method lora
  icore lab e1 --seed 1 --method lora --members 8 --entities 6
  icore lab e1 --seed 1 --packs packs.json --dir ~/lab/e1-packs

It tunes the members and one model of everything, composes the members in several ways, distils them into the best of \
these, has them answer together (low-rank ones, with --method lora) and side by side in one larger model, searches a memory of \
what they know, and asks all of them the same held-out questions: more than an hour of two processors, some minutes with \
--small, whose figures mean nothing. The report ends with a verdict on what was pre-registered, for which members have to be \
low-rank. The folder ends up with e1.json, e1.md and the chart e1.svg, with 280 MB for every member, and for a while with some \
gigabytes. A file given with --packs counts as published: its prompts are read for statistics that give away their words.";

#[derive(Debug, Args)]
#[command(after_help = E1_EXAMPLES)]
pub(super) struct E1 {
    #[command(flatten)]
    shared: Shared,
    /// How many members; eight without it, three of a file of packs, two with --small
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(2..=64))]
    members: Option<u32>,
    /// Made-up entities of a pack, with three facts each; six without it, one with --small
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8), conflicts_with = "packs")]
    entities: Option<u32>,
    /// A JSON file of public packs instead of made-up ones
    #[arg(long, value_name = "FILE")]
    packs: Option<PathBuf>,
    /// What of a member is tuned: all linear layers, the feed-forward ones, or low-rank factors
    #[arg(long, value_enum, default_value_t = Tuned::Full)]
    method: Tuned,
}

/// What of a member is tuned, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tuned {
    Full,
    Mlp,
    Lora,
}

impl E1 {
    pub(super) fn run(self, context: &Context) -> Result<(), End> {
        let mut sizes = if self.shared.small { e1::Sizes::small() } else { e1::Sizes::whole() };
        let members = if self.packs.is_some() { sizes.members.min(OF_A_FILE) } else { sizes.members };
        sizes.members = self.members.map_or(members, |members| members as usize);
        sizes.entities = self.entities.map_or(sizes.entities, |entities| entities as usize);
        let tuning = match self.method {
            Tuned::Full => Tuning::Full,
            Tuned::Mlp => Tuning::Mlp,
            Tuned::Lora => Tuning::Lora,
        };
        let plan = self.shared.plan(context, "e1", sizes, tuning)?;
        let plan = Plan { packs: self.packs.as_deref().map(context::absolute).transpose()?, ..plan };
        let place = plan.dir.clone();
        let report = followed(context, move |stop, say| e1::run(&plan, stop, say))?;
        shown(context, &report, &report.markdown(), &place, "e1.json, e1.md, e1.svg")
    }
}

const GROWTH_EXAMPLES: &str = "\
Examples:
  icore lab growth --seed 1
  icore lab growth --seed 1 --members 3,8 --json
  icore lab growth --seed 1 --members 16 --group 4

It tunes as many low-rank members as the largest number says, each on a small pack, and takes the first of them for smaller \
numbers. At each number it merges all of them, merges them in groups whose prompts lie near one another, distils, routes and \
mixes, and says what each mode knows, how it harms neutral text, how long a question takes beside the bare anchor in the same \
run, and how many bytes of weights lie in memory. The folder ends up with growth.json, growth.md and the chart growth.svg, and \
with 280 MB for every member; merging thirty-two takes some 7 GB of memory. With --small its figures mean nothing.";

#[derive(Debug, Args)]
#[command(after_help = GROWTH_EXAMPLES)]
pub(super) struct Growth {
    #[command(flatten)]
    shared: Shared,
    /// How many members, several numbers with commas; 3,8,16,32 without it, 2,3 with --small
    #[arg(long, value_name = "M", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(2..=64))]
    members: Vec<u32>,
    /// Members of a group, at most; eight without it, two with --small
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=64))]
    group: Option<u32>,
}

impl Growth {
    pub(super) fn run(self, context: &Context) -> Result<(), End> {
        let mut sizes = if self.shared.small { growth::Sizes::small() } else { growth::Sizes::whole() };
        if !self.members.is_empty() {
            sizes.members = self.members.iter().map(|members| *members as usize).collect();
        }
        sizes.group = self.group.map_or(sizes.group, |group| group as usize);
        let plan = self.shared.plan(context, "growth", sizes.each.clone(), Tuning::Lora)?;
        let place = plan.dir.clone();
        let report = followed(context, move |stop, say| growth::run(&plan, &sizes, stop, say))?;
        shown(context, &report, &report.markdown(), &place, "growth.json, growth.md, growth.svg")
    }
}

const SKILLS_EXAMPLES: &str = "\
Examples:
  icore lab skills --seed 1
  icore lab skills --seed 1 --small --json

It tunes six skills that are made up from the seed, three that have nothing to do with each other and three that label the same \
sentences differently, merges every two of them, those of each sort and all, distils, routes and mixes, and holds what was \
foretold of each two against what came of it. The folder ends up with skills.json, skills.md and the chart skills.svg, and with \
280 MB for every skill. With --small there are two skills, and the figures mean nothing.";

#[derive(Debug, Args)]
#[command(after_help = SKILLS_EXAMPLES)]
pub(super) struct Skills {
    #[command(flatten)]
    shared: Shared,
}

impl Skills {
    pub(super) fn run(self, context: &Context) -> Result<(), End> {
        let sizes = if self.shared.small { skills::Sizes::small() } else { skills::Sizes::whole() };
        let plan = self.shared.plan(context, "skills", sizes.each.clone(), Tuning::Lora)?;
        let place = plan.dir.clone();
        let report = followed(context, move |stop, say| skills::run(&plan, &sizes, stop, say))?;
        shown(context, &report, &report.markdown(), &place, "skills.json, skills.md, skills.svg")
    }
}
