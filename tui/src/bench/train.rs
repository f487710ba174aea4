//! Measuring how a model is tuned, beside what the machine could give and, where one is installed, beside PyTorch. Both
//! sides begin with the same numbers, learn from the same tokens and take turns on the same processors.

use hinet_node::{
    Anchor, LoadOptions,
    measure::{Reference, Taken, Tuned, ceilings, stay_on},
    tuning::{BATCH, DECAY, RATE, Tuning, What, gflop},
};
use hinet_protocol::{ErrorKind, Failure};
use serde::Serialize;
use std::path::{Path, PathBuf};

use super::figures::Figure;
use super::{Say, Told, process};

/// What to measure.
#[derive(Debug, Clone)]
pub struct TrainPlan {
    /// The GGUF file.
    pub model: PathBuf,
    /// Threads on both sides.
    pub threads: usize,
    /// Steps that are timed; one more warms up.
    pub steps: usize,
    /// The Python that may have the other runtime.
    pub python: Option<PathBuf>,
    /// A folder for the factors both sides begin with.
    pub dir: PathBuf,
}

/// What was measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TrainReport {
    /// Sentences about the run.
    pub notes: Vec<String>,
    /// Which kernels ran.
    pub kernel: String,
    /// What the processors could give, in thousands of millions of operations per second: every sample.
    pub fma_gflop_s: Vec<f64>,
    /// Low-rank factors.
    pub lora: Option<Side>,
    /// The whole model.
    pub full: Option<Side>,
}

/// One way of tuning.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Side {
    /// Seconds of a step, the median.
    pub step_s: f64,
    /// Seconds of every step.
    pub samples: Vec<f64>,
    /// Seconds of processor time of every step.
    pub processor_s: Vec<f64>,
    /// The largest resident memory, in MiB; 0 where that is not known.
    pub peak_mib: f64,
    /// The loss before every step, the first included.
    pub losses: Vec<f32>,
    /// Thousands of millions of operations per second of processor time, the median.
    pub gflop_s: f64,
    /// Which part of the machine's peak that is.
    pub of_peak: f64,
    /// The same of the other runtime.
    pub other: Option<Other>,
}

/// The other runtime.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Other {
    /// What it calls itself.
    pub name: String,
    /// Seconds of a step, the median.
    pub step_s: f64,
    /// Seconds of every step.
    pub samples: Vec<f64>,
    /// Seconds of processor time of every step.
    pub processor_s: Vec<f64>,
    /// The largest resident memory of its process, in MiB.
    pub peak_mib: f64,
    /// The loss before every step.
    pub losses: Vec<f32>,
    /// How many times as quick we were, pair by pair, by the clock.
    pub times_as_quick: Vec<f64>,
    /// The same in processor time.
    pub times_as_quick_processor: Vec<f64>,
    /// Our memory as a part of its.
    pub memory: f64,
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::Failed, format!("Measuring stopped: {error}."), "Does the model load by itself?")
}

fn median(samples: &[f64]) -> f64 {
    Figure::new("", "", samples.to_vec()).rank(0.5)
}

/// Measures both ways of tuning.
///
/// # Errors
/// Where the model cannot be loaded or tuned, or the other runtime stops in the middle.
pub fn training(plan: &TrainPlan, say: Say<'_>) -> Result<TrainReport, Failure> {
    let mut report = TrainReport::default();
    if let Some(load) = process::load() {
        report.notes.push(format!("load when it began {load:.1}"));
    }
    stay_on(plan.threads);
    let options = LoadOptions { threads: Some(plan.threads), kernel: None };
    let anchor = Anchor::open(&plan.model, options).map_err(failed)?;
    report.kernel = anchor.kernel().name().to_owned();
    report.notes.push(format!("{}, {} threads, {} kernels", plan.model.display(), plan.threads, report.kernel));
    report.notes.push(format!("{} examples of {} tokens in a step", BATCH.0, BATCH.1));
    say(Told::Doing("Looking what this machine can give …"));
    report.fma_gflop_s = ceilings(plan.threads, anchor.kernel(), 5).map_err(failed)?.fma_gflop_s;
    for what in [What::Lora, What::Full] {
        let side = side(plan, &anchor, what, &mut report, say)?;
        match what {
            What::Lora => report.lora = Some(side),
            What::Full => report.full = Some(side),
        }
    }
    Ok(report)
}

fn side(
    plan: &TrainPlan,
    anchor: &Anchor,
    what: What,
    report: &mut TrainReport,
    say: Say<'_>,
) -> Result<Side, Failure> {
    process::forget_peak();
    let mut ours = Tuning::new(anchor, what, plan.steps as u64 + 1).map_err(failed)?;
    if what == What::Lora {
        ours.save(&plan.dir).map_err(failed)?;
    }
    say(Told::Doing("Waiting for the other runtime …"));
    let mut theirs = plan.python.as_deref().and_then(|python| other(plan, python, what, report));
    say(Told::Doing("Tuning …"));
    let (mut taken, mut there): (Vec<Taken>, Vec<Tuned>) = (Vec::new(), Vec::new());
    let mut losses = Vec::new();
    for step in 0..=plan.steps {
        let (time, loss) = ours.step().map_err(failed)?;
        let tuned = theirs.as_mut().map(Reference::tune).transpose().map_err(failed)?;
        losses.push(loss);
        there.extend(tuned);
        if step > 0 {
            taken.push(time);
        }
    }
    let seconds = |all: &[Taken]| all.iter().map(|taken| taken.wall_ms / 1e3).collect::<Vec<_>>();
    let processor = |all: &[Taken]| all.iter().map(|taken| taken.cpu_ms / 1e3).collect::<Vec<_>>();
    let (samples, processor_s) = (seconds(&taken), processor(&taken));
    let gflop_s = gflop(anchor.config(), what) / median(&processor_s);
    // The peak is that of all threads, processor time counts each.
    let peak = report.fma_gflop_s.iter().copied().fold(0.0, f64::max) / plan.threads as f64;
    let peak_mib = process::peak_mib().unwrap_or(0.0);
    let name = what.name();
    say(Told::Measured(&Figure::new(format!("{name}: a step"), "s", samples.clone())));
    say(Told::Measured(&Figure::new(format!("{name}: a step, processor time"), "s", processor_s.clone())));
    say(Told::Measured(&Figure::new(format!("{name}: largest memory"), "MiB", vec![peak_mib])));
    say(Told::Measured(&Figure::new(format!("{name}: of the processor's peak"), "%", vec![100.0 * gflop_s / peak])));
    let other = theirs.map(|reference| {
        let times: Vec<Taken> = there.iter().skip(1).map(|tuned| tuned.taken).collect();
        let pairs = |of: &dyn Fn(&Taken) -> f64| {
            taken.iter().zip(&times).map(|(ours, theirs)| of(theirs) / of(ours)).collect::<Vec<_>>()
        };
        let its_peak = there.iter().map(|tuned| tuned.peak_mib).fold(0.0, f64::max);
        let other = Other {
            name: reference.name.clone(),
            step_s: median(&seconds(&times)),
            samples: seconds(&times),
            processor_s: processor(&times),
            peak_mib: its_peak,
            losses: there.iter().map(|tuned| tuned.loss).collect(),
            times_as_quick: pairs(&|taken| taken.wall_ms),
            times_as_quick_processor: pairs(&|taken| taken.cpu_ms),
            memory: if its_peak > 0.0 { peak_mib / its_peak } else { 0.0 },
        };
        let figures = [
            Figure::new(format!("  the other runtime, {name}: a step"), "s", other.samples.clone()),
            Figure::new(format!("  {name}: times as quick, pair by pair"), "x", other.times_as_quick.clone()),
            Figure::new(format!("  {name}: the same in processor time"), "x", other.times_as_quick_processor.clone()),
            Figure::new(format!("  {name}: memory, of the other's"), "x", vec![other.memory]),
            Figure::new(
                format!("  {name}: loss apart after {} steps", plan.steps),
                "",
                losses.last().zip(other.losses.last()).map(|(a, b)| f64::from(a - b).abs()).into_iter().collect(),
            ),
        ];
        figures.iter().for_each(|figure| say(Told::Measured(figure)));
        other
    });
    Ok(Side {
        step_s: median(&samples),
        samples,
        processor_s,
        peak_mib,
        losses,
        gflop_s,
        of_peak: gflop_s / peak,
        other,
    })
}

fn other(plan: &TrainPlan, python: &Path, what: What, report: &mut TrainReport) -> Option<Reference> {
    let numbers = [plan.threads, BATCH.0, BATCH.1];
    let found = Reference::tuning(python, &plan.model, what.name(), &plan.dir, numbers, [RATE, DECAY]);
    report.notes.push(found.as_ref().map_or_else(
        || format!("{} has no torch and transformers, so nothing was compared", python.display()),
        |other| format!("{}: compared with {}, taking turns", what.name(), other.name),
    ));
    found
}
