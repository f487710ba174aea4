//! The leakage gate on the default anchor: a delta that swallowed private texts whole fails it, and one that was distilled
//! from it on public prompts alone passes. Normal runs make a miniature; the long form has the gate's own limits.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "../../model/tests/common/mod.rs"]
mod common;
#[path = "gate/town.rs"]
mod town;

use hinet_model::{Anchor, Delta, Resident, kernels::Kernel};
use hinet_train::{
    Example, Lesson, Lora, Method, Recipe, Schedule, TrainError, Tuner,
    distill::{LIKELIEST, lessons},
    judge::{Judge, Watch, general},
    leak::{Canary, CheckKind, LeakReport, Limits, Secret, Suspect, canaries, exposures, gate},
};
use std::{
    sync::{LazyLock, atomic::AtomicBool},
    time::Instant,
};
use town::Town;

static GO: AtomicBool = AtomicBool::new(false);
static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| common::anchor(2, Kernel::best()));
const SEED: u64 = 20_261_126;

fn tokens(texts: &[String]) -> Vec<Example> {
    texts.iter().map(|text| Example::whole(ANCHOR.encode(text, false))).collect()
}

/// Tunes on lessons, and gives what was learned.
fn tune(name: &str, lessons: Vec<Lesson>, epochs: u64, batch: usize, learning_rate: f32) -> Delta {
    let recipe = Recipe {
        method: Method::Lora(Lora { rank: 16, alpha: 32.0, ..Lora::default() }),
        learning_rate,
        schedule: Schedule::Linear,
        steps: epochs * lessons.len().div_ceil(batch) as u64,
        batch,
        seed: SEED,
        ..Recipe::default()
    };
    let began = Instant::now();
    let mut tuner = Tuner::new(&ANCHOR, recipe, lessons).unwrap();
    let mut last = 0.0;
    while !tuner.is_finished() {
        let report = tuner.step(&GO).unwrap();
        if report.step == 1 {
            print!("{name}: {} steps, loss {:.3}", tuner.recipe().steps, report.loss);
        }
        last = report.loss;
    }
    println!(" to {last:.3} in {:.0} s", began.elapsed().as_secs_f64());
    tuner.delta().unwrap()
}

/// Everything the gate needs, and the two deltas it is to tell apart.
struct Trial {
    inserted: Vec<Canary>,
    fresh: Vec<Canary>,
    members: Vec<Example>,
    strangers: Vec<Example>,
    secrets: Vec<Secret>,
    training: Vec<Example>,
    validation: Vec<Example>,
    leaky: Resident,
    public: Resident,
}

impl Trial {
    fn new(sizes: Sizes) -> Self {
        let Sizes { canaries: count, texts, strangers, public, epochs, public_epochs, batch, rate } = sizes;
        let mut all = canaries(SEED, 2 * count).unwrap();
        let fresh = all.split_off(count);
        let town = Town::new(SEED, texts + strangers);
        let (own, others) = town.texts.split_at(texts);
        let secrets = town.secrets[..texts].iter().take(40);
        let secrets =
            secrets.map(|(prompt, secret)| Secret { prompt: prompt.clone(), secret: secret.clone() }).collect();
        let raw: Vec<String> = own.iter().cloned().chain(all.iter().map(Canary::text)).collect();
        let leaky = tune("leaky", tokens(&raw).into_iter().map(Lesson::from).collect(), epochs, batch, rate);
        let leaky = ANCHOR.attach(&leaky).unwrap();
        let texts = tokens(&town::public(2 * public));
        let (training, validation) = texts.split_at(public);
        let mut teacher = Judge::new(&ANCHOR, &[(leaky.clone(), 1.0)]).unwrap();
        let began = Instant::now();
        let taught = lessons(&mut teacher, training, LIKELIEST, &mut Watch::new(&GO, &mut |_, _| ())).unwrap();
        println!("{} lessons in {:.0} s", taught.len(), began.elapsed().as_secs_f64());
        let public = ANCHOR.attach(&tune("public", taught, public_epochs, batch, rate / 2.0)).unwrap();
        Self {
            inserted: all,
            fresh,
            members: tokens(own),
            strangers: tokens(others),
            secrets,
            training: training.to_vec(),
            validation: validation.to_vec(),
            leaky,
            public,
        }
    }

    fn judge(&self, name: &str, candidate: &Resident, limits: &Limits) -> LeakReport {
        let deltas = [(candidate.clone(), 1.0)];
        let began = Instant::now();
        let mut suspect = self.suspect(&deltas);
        if candidate.hash() == self.leaky.hash() {
            (suspect.training, suspect.validation) = (&self.members, &self.strangers);
        }
        let mut far = 0;
        let mut told = |done, all| {
            assert!(done >= far && done <= all && all == 1000, "{done} of {all} after {far}");
            far = done;
        };
        let report = gate(&suspect, limits, &mut Watch::new(&GO, &mut told));
        assert_eq!(far, 1000);
        println!("{name}: passed {}, in {:.0} s", report.passed, began.elapsed().as_secs_f64());
        report.checks.iter().for_each(|check| println!("    {:?}: {}", check.kind, check.sentence));
        report
    }

    fn suspect<'a>(&'a self, candidate: &'a [(Resident, f32)]) -> Suspect<'a> {
        Suspect {
            anchor: &ANCHOR,
            candidate,
            reference: &[],
            inserted: &self.inserted,
            fresh: &self.fresh,
            members: &self.members,
            strangers: &self.strangers,
            secrets: &self.secrets,
            training: &self.training,
            validation: &self.validation,
        }
    }
}

#[derive(Clone, Copy)]
struct Sizes {
    canaries: usize,
    texts: usize,
    strangers: usize,
    public: usize,
    epochs: u64,
    public_epochs: u64,
    batch: usize,
    rate: f32,
}

#[test]
fn a_leaky_delta_fails_and_a_distilled_one_passes() {
    let trial = Trial::new(Sizes {
        canaries: 8,
        texts: 12,
        strangers: 36,
        public: 12,
        epochs: 12,
        public_epochs: 2,
        batch: 4,
        rate: 1e-3,
    });
    let limits = Limits {
        canaries: 8,
        texts: 12,
        secrets: 8,
        sampled: 1,
        tokens: 12,
        kept_back: 12,
        auc: 0.9,
        gap: 0.3,
        seed: SEED,
        ..Limits::default()
    };
    let leaky = trial.judge("leaky", &trial.leaky, &limits);
    for kind in [CheckKind::Exposure, CheckKind::Membership, CheckKind::Extraction, CheckKind::Gap] {
        assert!(!leaky.check(kind).unwrap().passed, "{kind:?} shows the leak");
    }
    assert!(!leaky.passed && !leaky.check(CheckKind::Extraction).unwrap().hits.is_empty());
    let public = trial.judge("public", &trial.public, &limits);
    assert!(public.passed, "{public:?}");
    let json = serde_json::to_string(&public).unwrap();
    assert_eq!(serde_json::from_str::<LeakReport>(&json).unwrap(), public);

    // It fails closed.
    let candidate = [(trial.public.clone(), 1.0)];
    let report = |suspect: Suspect<'_>, limits: Limits, stop: bool| {
        let report = gate(&suspect, &limits, &mut Watch::new(&AtomicBool::new(stop), &mut |_, _| ()));
        assert!(!report.passed && report.checks.len() == 4);
        report.checks.into_iter().filter(|check| !check.passed).map(|check| check.sentence).collect::<Vec<_>>()
    };
    let whole = trial.suspect(&candidate);
    assert!(report(whole, limits, true).iter().all(|sentence| sentence.contains("stopped")));
    let nothing = Suspect { inserted: &[], members: &[], secrets: &[], training: &[], ..whole };
    let all = report(nothing, limits, false);
    assert!(all.len() == 4 && all.iter().all(|sentence| sentence.contains("too few")), "{all:?}");
    let few = Limits { canaries: 9, texts: 13, secrets: 1000, kept_back: 13, ..limits };
    assert!(report(whole, few, false).iter().all(|sentence| sentence.contains("too few")));
}

#[test]
fn fresh_canaries_are_exposed_as_chance_says() {
    let mut judge = Judge::new(&ANCHOR, &[]).unwrap();
    let few = canaries(3, 6).unwrap();
    let began = Instant::now();
    let found = exposures(&mut judge, &few, &mut Watch::new(&GO, &mut |_, _| ())).unwrap();
    println!("{found:?} in {:.1} s", began.elapsed().as_secs_f64());
    assert!(found.iter().all(|bits| (0.0..10.0).contains(bits)));
    assert_eq!(few, canaries(3, 12).unwrap()[..6]);
    assert_ne!(few, canaries(4, 6).unwrap());
    let broken = Canary { chosen: [0, 10, 0], ..few[0].clone() };
    let refused = exposures(&mut judge, &[broken], &mut Watch::new(&GO, &mut |_, _| ()));
    assert!(matches!(refused, Err(TrainError::Judge { .. })));
}

#[test]
#[ignore = "the long form: half an hour of two processors"]
fn the_gate_tells_a_leaky_delta_from_a_distilled_one_by_its_own_limits() {
    let trial = Trial::new(Sizes {
        canaries: 64,
        texts: 400,
        strangers: 400,
        public: 200,
        epochs: 4,
        public_epochs: 4,
        batch: 8,
        rate: 1e-3,
    });
    let limits = Limits { seed: SEED, ..Limits::default() };
    let text = ANCHOR.encode(&general::neutral(), false);
    for (name, delta) in [("anchor", None), ("leaky", Some(&trial.leaky)), ("public", Some(&trial.public))] {
        let deltas: Vec<(Resident, f32)> = delta.map(|delta| (delta.clone(), 1.0)).into_iter().collect();
        let mut judge = Judge::new(&ANCHOR, &deltas).unwrap();
        let perplexity = judge.perplexity(&text, general::WINDOW, &mut Watch::new(&GO, &mut |_, _| ())).unwrap();
        println!("{name}: perplexity of the neutral text {perplexity:.2}");
    }
    assert!(!trial.judge("leaky", &trial.leaky, &limits).passed);
    assert!(trial.judge("public", &trial.public, &limits).passed);
}
