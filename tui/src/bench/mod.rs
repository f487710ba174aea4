//! Measuring the face from outside: the very binary in a pseudo-terminal, on a large home, with a stopwatch.
//!
//! What is timed is what a person would see: from the bytes of a key written to the terminal until the bytes that show it
//! have been read back. The stopwatch, the emulated terminal and everything that is measured share the same cores.
//! A missed goal is said, never an error: time is no verdict.

mod deltas;
mod engine;
mod figures;
mod home;
mod process;
mod retrieval;
mod stages;
pub mod terminal;
mod texts;
mod train;

pub use engine::{EmbedPlan, EnginePlan, embedding, inference};
pub use figures::{Figure, Goal, Report};
pub use home::PASSPHRASE;
pub use retrieval::tables;
pub use train::{TrainPlan, TrainReport, training};

use hinet_node::{Settings, Unlock};
use hinet_protocol::{ErrorKind, Failure};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest wait for anything; reached only where something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program: `icore`.
    pub program: PathBuf,
    /// The folder everything is made in: the home, the texts. Kept by whoever made it.
    pub dir: PathBuf,
    /// Where the home's models are, and the program that extracts.
    pub settings: Settings,
    /// The home's passphrase.
    pub passphrase: Zeroizing<String>,
    /// How many chunks a home that is made holds.
    pub chunks: usize,
    /// How many messages its conversation holds.
    pub messages: usize,
    /// Key presses for each figure.
    pub presses: usize,
    /// Starts that are timed.
    pub starts: usize,
    /// Seconds of doing nothing.
    pub idle_s: u64,
    /// Minutes of streaming.
    pub minutes: f64,
}

/// What is told while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// What is being done now.
    Doing(&'a str),
    /// A figure, as soon as it is there: what follows may fail.
    Measured(&'a Figure),
}

/// Who hears it.
pub type Say<'a> = &'a mut dyn FnMut(Told<'_>);

/// Makes the home where there is none, measures, and gives the figures; `say` hears what is being done and what came out.
///
/// # Errors
/// Where the home cannot be made or opened, or the face does not show what it should.
pub fn run(plan: &Plan, say: Say<'_>) -> Result<Report, Failure> {
    let mut report = Report::default();
    if let Some(load) = process::load() {
        report.notes.push(format!("load when it began {load:.1}"));
    }
    home::prepare(plan, &mut report, say)?;
    stages::run(plan, &mut report, say)?;
    if let Some(load) = process::load() {
        report.notes.push(format!("load when it ended {load:.1}"));
    }
    Ok(report)
}

impl Plan {
    fn unlock(&self) -> Unlock {
        Unlock::Passphrase(self.passphrase.clone())
    }
}

/// A step that did not come to its end, with the screen as it was.
fn stuck(what: &str, screen: &str) -> Failure {
    Failure::new(
        ErrorKind::Failed,
        format!("Measuring stopped: waited in vain for {what}."),
        format!("The screen was:\n{screen}"),
    )
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        ErrorKind::Failed,
        format!("Measuring stopped: {error}."),
        "Is there room on the disk, and are there pseudo-terminals here?",
    )
}
