//! Measuring the engine: reading, writing and embedding, beside what the machine could give and, where one is
//! installed, beside another runtime. Both sides take turns on the same processors; what is compared is each pair.

use hinet_node::measure::{Ceilings, Engine, Reference, Taken, ceilings, embed, stay_on};
use hinet_node::{DeviceKind, Embedder, Kernel, KvKind, LoadOptions};
use hinet_protocol::{ErrorKind, Failure};
use std::path::PathBuf;

use super::figures::{Figure, Goal, Report};
use super::{Say, Told, process};

/// Tokens that are read in one go.
const PREFILL: usize = 512;
/// Tokens that are written.
const WRITE: usize = 128;
/// Tokens written at each end of the long context.
const WRITE_LONG: usize = 48;
/// The long context.
const LONG: usize = 1_900;
/// The first turn of a conversation, and what the second adds.
const TURNS: (usize, usize) = (1_500, 48);
/// Sequences that are written at once, and tokens in each.
const TOGETHER: (usize, usize) = (8, 48);
/// Texts in a batch, and tokens in each.
const TEXTS: (usize, usize) = (32, 64);
/// Tokens of each greedy answer that is compared.
const GREEDY: usize = 24;

/// What to measure.
#[derive(Debug, Clone)]
pub struct EnginePlan {
    /// The GGUF file.
    pub model: PathBuf,
    /// Threads on both sides.
    pub threads: usize,
    /// Samples of each figure, or pairs of samples.
    pub pairs: usize,
    /// The Python that may have the other runtime; `None` compares with nothing.
    pub python: Option<PathBuf>,
    /// A text whose perplexity is compared.
    pub text: Option<String>,
    /// The kernels; `None` takes the fastest.
    pub kernel: Option<Kernel>,
    /// The device; `None` is the processor, by these kernels.
    pub device: Option<DeviceKind>,
}

/// What to measure of the embedder.
#[derive(Debug, Clone)]
pub struct EmbedPlan {
    /// The embedder's folder.
    pub folder: PathBuf,
    /// Threads on both sides.
    pub threads: usize,
    /// Pairs of samples.
    pub pairs: usize,
    /// The Python that may have the other runtime.
    pub python: Option<PathBuf>,
}

pub(super) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::Failed, format!("Measuring stopped: {error}."), "Does the model load by itself?")
}

fn begin(report: &mut Report) {
    if let Some(load) = process::load() {
        report.notes.push(format!("load when it began {load:.1}"));
    }
}

/// Measures a decoder.
///
/// # Errors
/// Where the model cannot be loaded, or the other runtime stops in the middle.
pub fn inference(plan: &EnginePlan, say: Say<'_>) -> Result<Report, Failure> {
    let mut report = Report::default();
    begin(&mut report);
    stay_on(plan.threads);
    let options = LoadOptions { threads: Some(plan.threads), kernel: plan.kernel };
    let context = LONG + 2 * WRITE;
    let (mut engine, first) = first_tokens(plan, options, context, say)?;
    let kernel = engine.anchor().kernel();
    let how = plan.device.map_or_else(
        || format!("{} threads, {} kernels", plan.threads, kernel.name()),
        |device| format!("the device {}; what the machine can give is said of its processor", device.name()),
    );
    report.notes.push(format!("{}, {how}", plan.model.display()));
    report.add(Figure::new("from loading to the first token", "ms", first).promised(Goal::Median(500.0)), say);
    say(Told::Doing("Measuring what the machine can give …"));
    let most = ceilings(plan.threads, kernel, plan.pairs.min(5)).map_err(failed)?;
    report.add(Figure::new("memory read in order", "GB/s", most.read_gb_s.clone()), say);
    report.add(Figure::new("fused multiply-adds", "GFLOP/s", most.fma_gflop_s.clone()), say);
    let mut other = match &plan.python {
        None => None,
        Some(python) => {
            let other = Reference::llama(python, &plan.model, plan.threads, context);
            report.notes.push(other.as_ref().map_or_else(
                || format!("{} has no llama_cpp that loads this file, so nothing was compared", python.display()),
                |other| format!("compared with {}, taking turns", other.name),
            ));
            other
        }
    };
    speed(plan, &mut engine, other.as_mut(), &most, &mut report, say)?;
    if plan.device.is_none() {
        wide(plan, &mut engine, &mut report, say)?;
    }
    super::deltas::cost(plan.pairs, &mut engine, &mut report, say)?;
    long(plan, &mut engine, &mut report, say)?;
    if let Some(text) = &plan.text {
        quality(&mut engine, other.as_mut(), text, &mut report, say)?;
    }
    Ok(report)
}

/// Loads the model several times, each time up to its first token; keeps the last.
fn first_tokens(
    plan: &EnginePlan,
    options: LoadOptions,
    context: usize,
    say: Say<'_>,
) -> Result<(Engine, Vec<f64>), Failure> {
    say(Told::Doing("Loading the model …"));
    let (mut kept, mut samples) = (None, Vec::new());
    for _ in 0..plan.pairs.clamp(1, 3) {
        drop(kept.take());
        let (taken, engine) = Taken::by(|| {
            let mut engine = Engine::load(&plan.model, options, plan.device, context)?;
            engine.prefill(16).map(|_| engine)
        });
        kept = Some(engine.map_err(failed)?);
        samples.push(taken.wall_ms);
    }
    kept.map(|engine| (engine, samples)).ok_or_else(|| failed("nothing was loaded"))
}

#[allow(clippy::cast_precision_loss, reason = "counts of tokens and bytes")]
fn speed(
    plan: &EnginePlan,
    engine: &mut Engine,
    mut other: Option<&mut Reference>,
    most: &Ceilings,
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Failure> {
    let rate = |taken: &Taken| PREFILL as f64 * 1e3 / taken.wall_ms;
    say(Told::Doing("Reading …"));
    let (ours, theirs) =
        turns(plan.pairs, engine, other.as_deref_mut(), |e| e.prefill(PREFILL), |r| r.prefill(PREFILL))?;
    report.add(Figure::new("reading 512 tokens", "tokens/s", ours.iter().map(rate).collect()), say);
    compare("reading 512 tokens", &ours, &theirs, &rate, "tokens/s", report, say);
    let each = |taken: &Taken| taken.wall_ms / WRITE as f64;
    say(Told::Doing("Writing …"));
    let (ours, theirs) = turns(plan.pairs, engine, other, |e| e.decode(1, WRITE), |r| r.decode(1, WRITE))?;
    report.add(Figure::new("writing, each token", "ms", ours.iter().map(each).collect()), say);
    compare("writing", &ours, &theirs, &each, "ms", report, say);
    let bandwidth = Figure::new("", "", most.read_gb_s.clone()).rank(0.5);
    let share = |taken: &Taken| 100.0 * engine.token_bytes as f64 / each(taken) / 1e6 / bandwidth;
    let name =
        format!("share of the memory bandwidth that writing uses ({} MB a token)", engine.token_bytes / 1_000_000);
    report.add(Figure::new(name, "%", ours.iter().map(share).collect()), say);
    Ok(())
}

/// One warm-up and then `pairs` turns of both sides.
fn turns(
    pairs: usize,
    engine: &mut Engine,
    mut other: Option<&mut Reference>,
    mut one: impl FnMut(&mut Engine) -> Result<Taken, hinet_node::ModelError>,
    mut two: impl FnMut(&mut Reference) -> Result<Taken, hinet_node::ModelError>,
) -> Result<(Vec<Taken>, Vec<Taken>), Failure> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..=pairs {
        let taken = one(engine).map_err(failed)?;
        let taken_there = other.as_deref_mut().map(&mut two).transpose().map_err(failed)?;
        if turn > 0 {
            ours.push(taken);
            theirs.extend(taken_there);
        }
    }
    Ok((ours, theirs))
}

/// The other side's samples, and how many times as quick each of ours was, by the clock and by processor time.
fn compare(
    what: &str,
    ours: &[Taken],
    theirs: &[Taken],
    unit_of: &dyn Fn(&Taken) -> f64,
    unit: &'static str,
    report: &mut Report,
    say: Say<'_>,
) {
    if theirs.is_empty() {
        return;
    }
    report.add(Figure::new(format!("  the other runtime, {what}"), unit, theirs.iter().map(unit_of).collect()), say);
    let pairs = || ours.iter().zip(theirs);
    let wall = pairs().map(|(a, b)| b.wall_ms / a.wall_ms).collect();
    report.add(Figure::new(format!("  {what}: times as quick, pair by pair"), "x", wall), say);
    let cpu = pairs().map(|(a, b)| b.cpu_ms / a.cpu_ms).collect();
    report.add(Figure::new(format!("  {what}: the same in processor time"), "x", cpu), say);
}

/// Writing in several sequences at once, beside reading as many rows at a time.
#[allow(clippy::cast_precision_loss, reason = "counts of tokens")]
fn wide(plan: &EnginePlan, engine: &mut Engine, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    say(Told::Doing("Writing in eight sequences …"));
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    for turn in 0..=plan.pairs {
        let read = engine.in_pieces(TOGETHER.0, TOGETHER.1).map_err(failed)?;
        let (written, tokens) = engine.together(TOGETHER.0, TOGETHER.1).map_err(failed)?;
        if turn > 0 && tokens > 0 {
            rates.push(tokens as f64 * 1e3 / written.wall_ms);
            let reading = (TOGETHER.0 * TOGETHER.1) as f64 * 1e3 / read.wall_ms;
            shares.push(100.0 * tokens as f64 * 1e3 / written.wall_ms / reading);
        }
    }
    report.add(Figure::new("writing in 8 sequences, all together", "tokens/s", rates), say);
    let name = "  of reading 8 tokens at a time, of which only the last asks for logits";
    report.add(Figure::new(name, "%", shares).promised(Goal::AtLeast(80.0)), say);
    Ok(())
}

/// Writing behind a long context, and the second turn of a conversation.
fn long(plan: &EnginePlan, engine: &mut Engine, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    if engine.anchor().context() < LONG + WRITE_LONG {
        report.notes.push("the model's context is too short for the long figures".into());
        return Ok(());
    }
    // A device keeps half floats.
    let kinds = [(KvKind::Int8, 70.0), (KvKind::F16, 60.0)];
    for (kind, goal) in kinds.into_iter().skip(usize::from(plan.device.is_some())) {
        say(Told::Doing("Writing behind a long context …"));
        if plan.device.is_none() {
            engine.keep(kind);
        }
        let mut kept = Vec::new();
        for turn in 0..=plan.pairs {
            let short = engine.decode(64, WRITE_LONG).map_err(failed)?;
            let far = engine.decode(LONG, WRITE_LONG).map_err(failed)?;
            if turn > 0 {
                kept.push(100.0 * short.wall_ms / far.wall_ms);
            }
        }
        let name = format!("speed of writing at {LONG} tokens of context, of that at 64, {} cache", kind.name());
        report.add(Figure::new(name, "%", kept).promised(Goal::AtLeast(goal)), say);
    }
    say(Told::Doing("Taking the second turn of a conversation …"));
    let mut share = Vec::new();
    for _ in 0..plan.pairs.min(5) {
        let (cold, warm) = engine.turns(TURNS.0, TURNS.1).map_err(failed)?;
        share.push(100.0 * warm.wall_ms / cold.wall_ms);
    }
    let name = format!("second turn ({} more tokens) of a conversation of {}, of reading it cold", TURNS.1, TURNS.0);
    report.add(Figure::new(name, "%", share).promised(Goal::Median(15.0)), say);
    Ok(())
}

/// Perplexity of a text, and greedy answers, on both sides.
#[allow(clippy::cast_precision_loss, reason = "counts of tokens")]
fn quality(
    engine: &mut Engine,
    other: Option<&mut Reference>,
    text: &str,
    report: &mut Report,
    say: Say<'_>,
) -> Result<(), Failure> {
    say(Told::Doing("Reading the text …"));
    let mut tokens = engine.anchor().encode(text, false);
    tokens.truncate(LONG);
    let perplexity = |logs: &[f32]| (-logs.iter().copied().map(f64::from).sum::<f64>() / logs.len() as f64).exp();
    let ours = perplexity(&engine.log_probabilities(&tokens).map_err(failed)?);
    report.add(Figure::new(format!("perplexity of {} tokens", tokens.len()), "", vec![ours]), say);
    let Some(other) = other else { return Ok(()) };
    let theirs = perplexity(&other.log_probabilities(&tokens).map_err(failed)?);
    report.add(Figure::new("  the other runtime, perplexity", "", vec![theirs]), say);
    let apart = 100.0 * (ours / theirs - 1.0).abs();
    report.add(Figure::new("  perplexity apart", "%", vec![apart]).promised(Goal::Median(0.5)), say);
    let mut same = Vec::new();
    for prompt in tokens.chunks(tokens.len().div_ceil(20).max(8)) {
        let (one, two) =
            (engine.greedy(prompt, GREEDY).map_err(failed)?, other.greedy(prompt, GREEDY).map_err(failed)?);
        same.push(one.iter().zip(&two).take_while(|(a, b)| a == b).count() as f64);
    }
    let name = format!("  greedy tokens until the two part, of {GREEDY}");
    report.add(Figure::new(name, "tokens", same), say);
    Ok(())
}

/// Measures the embedder.
///
/// # Errors
/// Where it cannot embed, or the other runtime stops in the middle.
#[allow(clippy::cast_precision_loss, reason = "a number of texts")]
pub fn embedding(plan: &EmbedPlan, embedder: &Embedder, say: Say<'_>) -> Result<Report, Failure> {
    let mut report = Report::default();
    begin(&mut report);
    let other = plan.python.as_ref().map(|python| (python, Reference::minilm(python, &plan.folder, plan.threads)));
    let mut other = other.and_then(|(python, other)| {
        report.notes.push(other.as_ref().map_or_else(
            || format!("{} has no torch and transformers, so nothing was compared", python.display()),
            |other| format!("compared with {}, taking turns", other.name),
        ));
        other
    });
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    say(Told::Doing("Embedding …"));
    for turn in 0..=plan.pairs {
        let one = embed(embedder, TEXTS.0, TEXTS.1).map_err(failed)?;
        let two = other.as_mut().map(|other| other.embed(TEXTS.0, TEXTS.1)).transpose().map_err(failed)?;
        if turn > 0 {
            ours.push(one);
            theirs.extend(two);
        }
    }
    let rate = |taken: &Taken| TEXTS.0 as f64 * 1e3 / taken.wall_ms;
    let what = format!("embedding {} texts of {} tokens", TEXTS.0, TEXTS.1);
    report.add(Figure::new(&what, "texts/s", ours.iter().map(rate).collect()), say);
    compare(&what, &ours, &theirs, &rate, "texts/s", &mut report, say);
    Ok(report)
}
