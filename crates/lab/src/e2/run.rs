//! The parts of E2, in their order. Each is kept as soon as it is done.

use super::{Facts, Leak, Noise, Plan, Report, Sizes, Spread, lessons, report::Leakage};
use crate::{
    LabError, Told,
    desk::{Desk, Tuned, publish},
    memory::Memory,
    own,
    owner::{Fact, Owner},
};
use hinet_index::read::answers;
use hinet_model::{Anchor, Delta, LoadOptions};
use hinet_node::Settings;
use hinet_train::{
    Example, Full, Lesson, Method, Recipe, Stream, TrainError, distill,
    judge::{By, Judge, Question, Watch, general, paired_bootstrap, points},
    leak::{Evidence, Secret, canaries, exposures},
    project,
};
use std::sync::atomic::AtomicBool;

/// Tokens of an answer.
const ANSWER: usize = 32;
/// Learning rate of the upper bound: all matrices, as the first trials of composition found it.
const WHOLE_RATE: f32 = 1e-4;
/// Learning rate of the leaky control.
const LEAKY_RATE: f32 = 1e-3;
/// δ of what the noise would promise.
const DELTA: f64 = 1e-5;

/// What the model writes to each question, as the chat would ask it without a memory.
fn written(judge: &mut Judge, questions: &[&str], watch: &mut Watch<'_>) -> Result<Vec<String>, TrainError> {
    project::answers(judge, &lessons::system(), questions, ANSWER, watch)
}

#[allow(clippy::cast_precision_loss, reason = "few")]
fn share(right: impl Iterator<Item = bool>) -> f64 {
    let (mut all, mut good) = (0u32, 0u32);
    for right in right {
        all += 1;
        good += u32::from(right);
    }
    f64::from(good) / f64::from(all.max(1))
}

/// What is asked of everybody.
struct Exam<'a> {
    people: Vec<(&'a Fact, &'a str)>,
    plants: Vec<(&'a Fact, &'a str)>,
    voice: Vec<Example>,
    others: Vec<Example>,
    neutral: Vec<u32>,
    general: Vec<Question>,
}

/// What a model made of it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Marks {
    people: f64,
    plants: f64,
    voice: f64,
    others: f64,
    neutral: f64,
    general: Vec<f64>,
}

impl Marks {
    /// Over all facts; there are as many people as plants.
    fn facts(&self) -> f64 {
        f64::midpoint(self.people, self.plants)
    }

    #[allow(clippy::cast_precision_loss, reason = "few")]
    fn general(&self) -> f64 {
        self.general.iter().sum::<f64>() / self.general.len().max(1) as f64
    }
}

impl<'a> Exam<'a> {
    fn new(anchor: &Anchor, owner: &'a Owner, sizes: &Sizes) -> Result<Self, LabError> {
        let held = |entities: &'a [crate::owner::Entity]| {
            let facts = entities.iter().flat_map(|entity| &entity.facts);
            facts.flat_map(|fact| fact.held.iter().map(move |question| (fact, question.as_str()))).collect()
        };
        let texts = |entries: &[crate::owner::Entry]| {
            lessons::plain(anchor, entries.iter().take(sizes.others).map(|entry| entry.text.as_str()))
        };
        let mut neutral = anchor.encode(&general::neutral(), false);
        neutral.truncate(sizes.neutral);
        let mut questions = general::questions(anchor)?;
        questions.truncate(sizes.general);
        Ok(Self {
            people: held(&owner.people),
            plants: held(&owner.plants),
            voice: texts(&owner.kept_back),
            others: texts(&owner.others),
            neutral,
            general: questions,
        })
    }

    fn questions(&self) -> Vec<&'a str> {
        self.people.iter().chain(&self.plants).map(|(_, question)| *question).collect()
    }

    /// The share of answers, given in the order of [`Self::questions`], that are right.
    fn right(&self, texts: &[String]) -> f64 {
        let facts = self.people.iter().chain(&self.plants);
        share(facts.zip(texts).map(|((fact, _), text)| answers(text, &fact.value)))
    }

    fn marks(&self, judge: &mut Judge, watch: &mut Watch<'_>) -> Result<Marks, TrainError> {
        let part = |at: usize| move |done: usize, all: usize| (250 * at + 250 * done.min(all) / all.max(1), 1000);
        let of = |facts: &[(&Fact, &str)], texts: Vec<String>| {
            share(facts.iter().zip(&texts).map(|((fact, _), text)| answers(text, &fact.value)))
        };
        let asked = |facts: &[(&'a Fact, &'a str)]| facts.iter().map(|(_, question)| *question).collect::<Vec<_>>();
        let people = watch.part(part(0), |watch| written(judge, &asked(&self.people), watch))?;
        let plants = watch.part(part(1), |watch| written(judge, &asked(&self.plants), watch))?;
        let expected = |judge: &mut Judge, texts: &[Example], watch: &mut Watch<'_>| -> Result<f64, TrainError> {
            let losses = watch.part(part(2), |watch| judge.losses(texts, watch))?.concat();
            #[allow(clippy::cast_precision_loss, reason = "tokens are few")]
            let mean = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len().max(1) as f64;
            Ok(mean.exp())
        };
        let (voice, others) = (expected(judge, &self.voice, watch)?, expected(judge, &self.others, watch)?);
        let neutral = watch.part(part(2), |watch| judge.perplexity(&self.neutral, general::WINDOW, watch))?;
        let chosen = watch.part(part(3), |watch| judge.choose(&self.general, By::Sum, watch))?;
        let (people, plants) = (of(&self.people, people), of(&self.plants, plants));
        Ok(Marks { people, plants, voice, others, neutral, general: points(&chosen) })
    }
}

/// Everything the leakage gate is given but the suspect.
fn evidence(anchor: &Anchor, owner: &Owner, plan: &Plan) -> Result<Evidence, LabError> {
    let mut inserted = canaries(plan.seed, 2 * plan.sizes.canaries)?;
    let fresh = inserted.split_off(plan.sizes.canaries);
    let texts =
        |entries: &[crate::owner::Entry]| lessons::plain(anchor, entries.iter().map(|entry| entry.text.as_str()));
    let secrets = owner.diary.iter().filter_map(|entry| entry.secret.clone());
    let secrets = secrets.map(|(prompt, secret)| Secret { prompt, secret }).collect();
    Ok(Evidence { inserted, fresh, members: texts(&owner.diary), strangers: texts(&owner.kept_back), secrets })
}

/// Runs it, or goes on where it was left.
///
/// # Errors
/// Where a model or the folder cannot be used, or somebody asked to stop: everything done before is kept.
pub fn run(plan: &Plan, stop: &AtomicBool, say: &mut dyn FnMut(Told<'_>)) -> Result<Report, LabError> {
    let Plan { seed, sizes, .. } = plan;
    let mut desk = Desk::open(&plan.dir, stop, say)?;
    let anchor = Anchor::open(&plan.anchor, LoadOptions { threads: plan.threads, kernel: None })?;
    let owner = Owner::new(*seed, sizes.entities, sizes.diary, sizes.others);
    let exam = Exam::new(&anchor, &owner, sizes)?;
    let evidence = evidence(&anchor, &owner, plan)?;
    let (weights, kernel) = (anchor.passport().weights.to_string(), anchor.kernel().name());
    let setting = serde_json::to_string(&(seed, sizes)).unwrap_or_default();
    let of = [setting.as_str(), &weights, kernel];

    let bare: Marks =
        desk.measured("the anchor's marks", &of, |watch| Ok(exam.marks(&mut Judge::new(&anchor, &[])?, watch)?))?;
    let questions = exam.questions();
    let files = owner.files();
    // Another owner has another home.
    let name = format!("home-{}", &blake3::hash(setting.as_bytes()).to_hex()[..16]);
    let folder = plan.dir.join(name.replace("home", "files"));
    let settings = Settings { home: plan.dir.join(name), ..plan.settings.clone() };
    let open = || Memory::open(&settings, &folder, &files);
    let retrieved: Vec<String> = desk.measured("retrieval only", &of, |watch| {
        let memory = open()?;
        let answers = memory.undress().and_then(|()| memory.ask(&questions, watch));
        memory.close();
        answers
    })?;

    // Δ_private, as a night makes it.
    let private_texts = lessons::private(&anchor, &owner, &evidence.inserted)?;
    let own = own::lessons(&mut desk, &anchor, (private_texts.len(), lessons::LONGEST), *seed)?;
    let private_lessons = own::mixed(private_texts, own);
    let steps = rounds(private_lessons.len(), sizes, sizes.rounds);
    let nightly = Recipe::nightly(sizes.rank, false, steps, *seed);
    let nightly = Recipe { learning_rate: sizes.rate.unwrap_or(nightly.learning_rate), batch: sizes.batch, ..nightly };
    let private = desk.lora("Δ_private", &anchor, nightly.clone(), private_lessons.clone())?;
    let marks = |desk: &mut Desk<'_>, name: &str, delta: &Delta| -> Result<Marks, LabError> {
        let (hash, resident) = (delta.hash().to_string(), anchor.attach(delta)?);
        let from = [of[0], of[1], of[2], hash.as_str()];
        desk.measured(name, &from, |watch| Ok(exam.marks(&mut Judge::new(&anchor, &[(resident, 1.0)])?, watch)?))
    };
    let private_marks = marks(&mut desk, "Δ_private's marks", &private.made)?;
    let hash = private.made.hash().to_string();
    let both: Vec<String> = desk.measured("both", &[of[0], of[1], of[2], &hash], |watch| {
        let memory = open()?;
        let folder = plan.dir.join("worn");
        let worn = private.made.save(&folder).map_err(LabError::from).and_then(|()| memory.wear(&folder));
        let answers = worn.and_then(|()| memory.ask(&questions, watch));
        let answers = answers.and_then(|answers| memory.undress().map(|()| answers));
        memory.close();
        answers
    })?;

    // Δ_public, from public prompts alone.
    let public = public(&mut desk, &anchor, &owner, plan, &private.made)?;
    let public_marks = marks(&mut desk, "Δ_public's marks", &public.tuned.made)?;

    // The leaky control: the private texts as they are, often.
    let raw = lessons::raw(&anchor, &owner, &evidence.inserted);
    let leaky = {
        let recipe = Recipe {
            learning_rate: LEAKY_RATE,
            batch: sizes.batch / 2,
            steps: (raw.len() as u64 * sizes.leaky_rounds).div_ceil(sizes.batch as u64 / 2),
            ..nightly.clone()
        };
        desk.lora("leaky control", &anchor, recipe, raw.iter().cloned().map(Lesson::from).collect())?
    };
    let gated =
        |desk: &mut Desk<'_>, name: &str, delta: &Delta, texts: (&[Example], &[Example])| -> Result<Leak, LabError> {
            let (hash, resident) = (delta.hash().to_string(), anchor.attach(delta)?);
            let report = desk.measured(name, &[of[0], of[1], of[2], &hash], |watch| {
                let report = evidence.gate(&anchor, &resident, texts, &sizes.limits, watch);
                // What was stopped is no finding.
                if watch.goes_on(1, 1) { Ok(report) } else { Err(TrainError::Unjudged.into()) }
            })?;
            Ok(Leak::from(report))
        };
    let own_texts = (evidence.members.as_slice(), evidence.strangers.as_slice());
    let leakage = Leakage {
        public: gated(&mut desk, "the gate on Δ_public", &public.tuned.made, (&public.training, &public.validation))?,
        private: gated(&mut desk, "the gate on Δ_private", &private.made, own_texts)?,
        leaky_control: gated(&mut desk, "the gate on the leaky control", &leaky.made, own_texts)?,
    };
    let noise = noisy(&mut desk, &anchor, &exam, &evidence, plan, &public.tuned.made)?;

    // All matrices: the upper bound, which is never shared.
    let whole: Option<Marks> = if sizes.whole {
        let recipe = Recipe { method: Method::Full(Full::Linears), learning_rate: WHOLE_RATE, ..nightly.clone() };
        let folded = desk.whole("all matrices", (&anchor, &plan.anchor), recipe, private_lessons)?;
        let name = folded.made.display().to_string();
        Some(desk.measured("all matrices' marks", &[of[0], of[1], of[2], &name], |watch| {
            let model = Anchor::open(&folded.made, LoadOptions { threads: plan.threads, kernel: None })?;
            Ok(exam.marks(&mut Judge::new(&model, &[])?, watch)?)
        })?)
    } else {
        None
    };

    let low = paired_bootstrap(&bare.general, &private_marks.general, *seed)?.low;
    let spread = |of: &dyn Fn(&Marks) -> f64| Spread {
        before: of(&bare),
        after: of(&private_marks),
        whole: whole.as_ref().map(of),
        public: of(&public_marks),
        low: None,
    };
    let report = Report {
        seed: *seed,
        sizes: sizes.clone(),
        kernel: kernel.to_owned(),
        facts: Facts {
            asked: questions.len(),
            anchor: bare.facts(),
            retrieval_only: exam.right(&retrieved),
            weights_only: private_marks.facts(),
            both: exam.right(&both),
            whole_weights_only: whole.as_ref().map(Marks::facts),
            public_on_plants: public_marks.plants,
            private_on_plants: private_marks.plants,
            public_on_people: public_marks.people,
            anchor_on_people: bare.people,
        },
        voice: spread(&|marks| marks.voice),
        others: spread(&|marks| marks.others),
        general: Spread { low: Some(low), ..spread(&Marks::general) },
        neutral: spread(&|marks| marks.neutral),
        leakage,
        noise,
        losses: private.losses,
        anchor: weights.clone(),
    };
    publish(&plan.dir, "e2", &report, [report.markdown(), report.svg()])?;
    Ok(report)
}

/// Steps that go through so many lessons so often.
fn rounds(lessons: usize, sizes: &Sizes, rounds: u64) -> u64 {
    Recipe::steps_for(lessons, rounds, sizes.batch)
}

/// What is made to be shared, what it was made from, and texts like those that were kept back.
struct Public {
    tuned: Tuned<Delta>,
    training: Vec<Example>,
    validation: Vec<Example>,
}

/// Distils what Δ_private says to public prompts, and what the anchor says to the rest, into a delta of its own.
fn public(
    desk: &mut Desk<'_>,
    anchor: &Anchor,
    owner: &Owner,
    plan: &Plan,
    private: &Delta,
) -> Result<Public, LabError> {
    let hash = private.hash().to_string();
    let mut teacher = Judge::new(anchor, &[(anchor.attach(private)?, 1.0)])?;
    let mut pairs: Vec<Vec<(String, String)>> = Vec::new();
    for held in [false, true] {
        let questions = lessons::public_questions(owner, held);
        let said: Vec<String> = desk.measured("the teacher's answers", &[&hash, &questions.join("\n")], |watch| {
            Ok(written(&mut teacher, &questions, watch)?)
        })?;
        let said = said.into_iter().map(|answer| answer.trim().to_owned());
        pairs.push(questions.iter().map(|question| (*question).to_owned()).zip(said).collect());
    }
    let training = project::examples(anchor, &lessons::system(), &pairs[0], lessons::LONGEST)?;
    let validation = project::examples(anchor, &lessons::system(), &pairs[1], lessons::LONGEST)?;
    let mut told = |_, _| {};
    let mut all = distill::lessons(&mut teacher, &training, distill::LIKELIEST, &mut Watch::new(desk.stop, &mut told))?;
    let views = (training.len(), lessons::LONGEST);
    all.extend(own::lessons(desk, anchor, views, plan.seed.wrapping_add(1))?);
    let steps = rounds(all.len(), &plan.sizes, plan.sizes.public_rounds);
    let recipe = project::recipe(plan.sizes.rank, steps, plan.sizes.batch, plan.seed);
    let tuned = desk.lora("Δ_public", anchor, recipe, all)?;
    Ok(Public { tuned, training, validation })
}

/// Δ_public with more and more noise on its factors.
fn noisy(
    desk: &mut Desk<'_>,
    anchor: &Anchor,
    exam: &Exam<'_>,
    evidence: &Evidence,
    plan: &Plan,
    public: &Delta,
) -> Result<Vec<Noise>, LabError> {
    let mut all = Vec::new();
    for level in [0.0].into_iter().chain(plan.sizes.noise.iter().copied()) {
        let (delta, epsilon) = with_noise(public, level, plan.seed)?;
        let hash = delta.hash().to_string();
        let name = format!("Δ_public with noise {level}");
        all.push(desk.measured(&name, &[&hash, &plan.sizes.canaries.to_string()], |watch| {
            let mut judge = Judge::new(anchor, &[(anchor.attach(&delta)?, 1.0)])?;
            #[allow(clippy::cast_precision_loss, reason = "canaries are few")]
            let mean = |bits: Vec<f64>| bits.iter().sum::<f64>() / bits.len().max(1) as f64;
            let inside = mean(exposures(&mut judge, &evidence.inserted, watch)?);
            let outside = mean(exposures(&mut judge, &evidence.fresh, watch)?);
            let asked: Vec<&str> = exam.plants.iter().map(|(_, question)| *question).collect();
            let texts = written(&mut judge, &asked, watch)?;
            let useful = share(exam.plants.iter().zip(&texts).map(|((fact, _), text)| answers(text, &fact.value)));
            let neutral = judge.perplexity(&exam.neutral, general::WINDOW, watch)?;
            Ok(Noise { noise: level, epsilon, exposure: inside - outside, useful, neutral })
        })?);
    }
    Ok(all)
}

/// The delta with noise on every number of its factors, and what ε would be if the owner's part in it were the whole: by
/// zero-concentrated privacy, ρ = Σ square / 2 spread² and ε = ρ + 2 √(ρ ln 1/δ) (Bun and Steinke 2016). The spread is taken
/// from the numbers themselves and nothing is cut, so this is an indication of scale and no guarantee.
fn with_noise(delta: &Delta, level: f32, seed: u64) -> Result<(Delta, Option<f64>), LabError> {
    let mut stream = Stream::new(seed, "noise");
    let (mut out, mut rho) = (delta.clone(), 0.0);
    for (place, factors) in delta.iter() {
        let mut factors = factors.clone();
        for numbers in [&mut factors.a, &mut factors.b] {
            let square: f64 = numbers.iter().map(|number| f64::from(*number).powi(2)).sum();
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a spread needs few digits"
            )]
            let spread = level * (square / numbers.len().max(1) as f64).sqrt() as f32;
            rho += square / (2.0 * f64::from(spread).powi(2));
            numbers.iter_mut().for_each(|number| *number += spread * stream.normal());
        }
        out.insert(place, factors)?;
    }
    let epsilon = rho + 2.0 * (rho * (1.0 / DELTA).ln()).sqrt();
    Ok((out, epsilon.is_finite().then_some(epsilon)))
}
