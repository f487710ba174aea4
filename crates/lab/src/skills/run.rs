//! The parts of the experiment on skills, in their order. Each is kept as soon as it is done.

use super::{
    Advice, By, Pair, Report, Set, Sizes, Skill,
    made::{self, EACH, ITEMS_MAX, bound},
    select::{self, foretell, foretold},
};
use crate::{
    LabError, Told,
    desk::{Desk, publish},
    e1::{
        Pack, Plan, Row, Tuning,
        distil::{self, Distillate},
        exam::{Exam, Marks, mean},
        gate::{self, Parts, Places, PromptGate},
        members::{self, Member},
        merges::{self, Merger},
        mix,
        packs::check,
        route,
        run::{picked, row},
        trial::{Trial, piece},
    },
    own,
};
use hinet_compose::Recipe;
use hinet_model::Delta;
use hinet_train::{
    TrainError,
    activation::Activations,
    grams::{Origin, PublicPrompts},
    judge::{Judge, Watch},
    replay::Own,
};
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::atomic::AtomicBool};

/// How far apart activations are.
#[derive(Serialize, Deserialize)]
struct Distances {
    /// Of the members of each two skills, on the prompts of both.
    between: Vec<Vec<f64>>,
    /// Of each skill's member and the anchor, on its own prompts.
    moved: Vec<f64>,
}

/// What all parts have at hand.
struct Common<'a> {
    sizes: &'a Sizes,
    /// Of all skills.
    trial: &'a Trial<'a>,
    members: &'a [Member],
    bare: Marks,
    singles: Vec<Marks>,
    outside: Vec<Vec<f32>>,
    prompts: Vec<gate::Prompts>,
    places: Places,
    texts: Vec<Own>,
}

/// Runs it, or goes on where it was left. What is tuned has to be low-rank; of the plan's own numbers of members and of
/// entities nothing is taken.
///
/// # Errors
/// Where a model, the folder or what was asked for cannot be used, or somebody asked to stop: everything done before is
/// kept.
pub fn run(plan: &Plan, sizes: &Sizes, stop: &AtomicBool, say: &mut dyn FnMut(Told<'_>)) -> Result<Report, LabError> {
    checked(plan, sizes)?;
    let skills = made::skills(plan.seed, sizes.skills, (sizes.learned, sizes.held));
    let packs: Vec<Pack> = skills.iter().map(|skill| skill.pack.clone()).collect();
    check(&packs).map_err(|problem| LabError::Plan { problem })?;
    let mut desk = Desk::open(&plan.dir, stop, say)?;
    let anchor = merges::open(plan, &plan.anchor)?;
    let exam = Exam::new(&anchor, &packs, plan.sizes.neutral);
    let trial = Trial::new(plan, &anchor, &exam, &packs, stop);
    // Packs of which no gate can be made are refused before anything is tuned.
    let (outside, prompts) = (gate::outside(&plan.embedder)?, gate::prompts(&plan.embedder, &packs)?);
    PromptGate::new(plan, &outside, &prompts)?;

    let bare = trial.marked(&mut desk, "the anchor's marks", &[], |watch| exam.marks(&anchor, watch))?;
    let mut members: Vec<Member> = Vec::new();
    for pack in &packs {
        members.push(members::tuned(&mut desk, &anchor, plan, pack)?);
    }
    let mut singles: Vec<Marks> = Vec::new();
    for member in &members {
        let (name, hash) = (format!("the marks of {}", member.name), member.hash.to_string());
        singles.push(
            trial.marked(&mut desk, &name, &[&hash], |watch| exam.marks(&merges::open(plan, &member.file)?, watch))?,
        );
    }
    let places = Places::new(&trial)?;
    let texts = own::texts(&mut desk, &anchor, plan.sizes.own, plan.seed)?;
    let own = PublicPrompts::of_anchor(&anchor, &texts)?;
    let common = Common { sizes, trial: &trial, members: &members, bare, singles, outside, prompts, places, texts };
    let mut merger = Merger::new(&trial, &members, &own)?;

    // What is known beforehand, and then what comes of it.
    let perplexities = common.perplexities(&mut desk)?;
    let distances = common.distances(&mut desk)?;
    let mut pairs = common.pairs(&mut desk, &mut merger, (&perplexities, &distances))?;
    foretell(&mut pairs);
    let (advice, advised) = common.advised(&mut desk, &mut merger, &pairs)?;
    let count = members.len();
    let apart = sizes.skills[0];
    let (mut sets, mut seen): (Vec<Set>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    for (name, range) in [("complementary", 0..apart), ("conflicting", apart..count), ("all", 0..count)] {
        if range.len() > 1 && !seen.contains(&range) {
            seen.push(range.clone());
            sets.push(common.set(&mut desk, &mut merger, (name, range))?);
        }
    }
    if let Some(all) = sets.iter_mut().find(|set| set.skills.len() == count) {
        all.rows.extend(advised);
    }
    let report = Report {
        seed: plan.seed,
        sizes: Sizes { each: plan.sizes.clone(), ..sizes.clone() },
        anchor: anchor.passport().weights.to_string(),
        kernel: anchor.kernel().name().to_owned(),
        neutral_tokens: exam.neutral_tokens(),
        neutral: common.bare.neutral,
        skills: (0..count)
            .map(|at| common.skill(at, skills[at].conflicting, (perplexities[at], distances.moved[at])))
            .collect(),
        foretold: foretold(&pairs),
        pairs,
        advice,
        sets,
    };
    publish(&plan.dir, "skills", &report, [report.markdown(), report.svg()])?;
    Ok(report)
}

fn checked(plan: &Plan, sizes: &Sizes) -> Result<(), LabError> {
    let refuse = |problem: &str| Err(LabError::Plan { problem: problem.to_owned() });
    if plan.tuning != Tuning::Lora || plan.packs.is_some() {
        return refuse("members of skills are low-rank, and what they learn is made up from the seed");
    }
    if sizes.skills.iter().any(|count| *count > EACH) || sizes.skills.iter().sum::<usize>() < 2 {
        return refuse("there are up to three skills of each sort, and at least two together");
    }
    if sizes.learned < 8 || sizes.held == 0 || sizes.learned + sizes.held > ITEMS_MAX {
        return refuse("a skill has at least 8 items to learn from and one to be asked, and at most 1,000 together");
    }
    Ok(())
}

/// Marks of the questions of some packs, in the order of these; those of the neutral text stay.
fn part(marks: &Marks, exam: &Exam, packs: &[usize]) -> Marks {
    let of = |all: &[bool]| -> Vec<bool> {
        let asked = |pack: &usize| {
            let pack = *pack;
            all.iter().zip(&exam.packs).filter(move |(_, other)| **other == pack).map(|(right, _)| *right)
        };
        packs.iter().flat_map(asked).collect()
    };
    Marks { chosen: of(&marks.chosen), recalled: of(&marks.recalled), neutral: marks.neutral }
}

impl Common<'_> {
    fn name(&self, skill: usize) -> &str {
        &self.members[skill].name
    }

    /// The share of its own questions that a skill's member recalls.
    fn own(&self, skill: usize) -> f64 {
        let (exam, marks) = (self.trial.exam, &self.singles[skill]);
        exam.by_pack(&marks.recalled, None)[skill]
    }

    fn skill(&self, at: usize, conflicting: bool, (perplexity, moved): (f64, f64)) -> Skill {
        let (exam, marks, member) = (self.trial.exam, &self.singles[at], &self.members[at]);
        Skill {
            name: member.name.clone(),
            conflicting,
            perplexity,
            moved,
            own_choice: exam.by_pack(&marks.chosen, None)[at],
            own_exact: self.own(at),
            anchor_exact: exam.by_pack(&self.bare.recalled, None)[at],
            neutral: marks.neutral,
            losses: member.losses.clone(),
        }
    }

    /// How surprising each skill's answers are to the anchor: perplexity over what is learned.
    fn perplexities(&self, desk: &mut Desk<'_>) -> Result<Vec<f64>, LabError> {
        let trial = self.trial;
        trial.marked(desk, "base perplexity", &[], |watch| {
            let mut judge = Judge::new(trial.anchor, &[])?;
            let (mut all, count) = (Vec::new(), trial.packs.len());
            for (at, pack) in trial.packs.iter().enumerate() {
                let examples = members::examples(trial.anchor, pack);
                let losses = watch.part(piece(at, count), |watch| judge.mean_losses(&examples, watch))?;
                all.push(mean(&losses).exp());
            }
            Ok(all)
        })
    }

    /// How far apart activations are, on some public prompts of each skill.
    fn distances(&self, desk: &mut Desk<'_>) -> Result<Distances, LabError> {
        let (trial, probes) = (self.trial, self.sizes.probes.max(1));
        let hashes: String = self.members.iter().map(|member| member.hash.to_string()).collect();
        trial.marked(desk, "activation distances", &[&hashes, &probes.to_string()], |watch| {
            let (plan, count) = (trial.plan, self.members.len());
            let mut prompts: Vec<PublicPrompts> = Vec::with_capacity(count);
            for pack in trial.packs {
                let all = pack.prompts();
                let some = all.iter().step_by(all.len().div_ceil(probes).max(1));
                let tokens = some.map(|prompt| trial.anchor.encode(prompt, false)).collect();
                prompts.push(PublicPrompts::new(&Origin::MadeUp(plan.seed), tokens)?);
            }
            let mut done = 0;
            let mut read = |model: &hinet_model::Anchor, watch: &mut Watch<'_>| -> Result<Vec<Activations>, LabError> {
                if !watch.goes_on(done, count + 1) {
                    return Err(TrainError::Unjudged.into());
                }
                done += 1;
                let of = |some| Activations::of(model, some, trial.stop).map_err(LabError::from);
                prompts.iter().map(of).collect()
            };
            // What each model makes of each skill's prompts; the anchor's own last.
            let mut all: Vec<Vec<Activations>> = Vec::with_capacity(count + 1);
            for member in self.members {
                all.push(read(&merges::open(plan, &member.file)?, watch)?);
            }
            all.push(read(trial.anchor, watch)?);
            let far = |one: usize, two: usize, skill: usize| all[one][skill].distance(&all[two][skill]);
            let of_two = |one, two| Ok::<f64, LabError>(f64::midpoint(far(one, two, one)?, far(one, two, two)?));
            let to_all = |one| (0..count).map(|two| of_two(one, two)).collect::<Result<Vec<f64>, LabError>>();
            let between = (0..count).map(to_all).collect::<Result<_, _>>()?;
            let moved = (0..count).map(|one| far(one, count, one)).collect::<Result<_, _>>()?;
            Ok(Distances { between, moved })
        })
    }

    /// The marks of the merge of some skills on their own questions.
    fn merged(&self, desk: &mut Desk<'_>, merger: &mut Merger<'_>, skills: &[usize]) -> Result<Marks, LabError> {
        let whole = self.trial;
        let packs: Vec<Pack> = skills.iter().map(|at| whole.packs[*at].clone()).collect();
        let exam = Exam::new(whole.anchor, &packs, whole.plan.sizes.neutral);
        let trial = Trial::new(whole.plan, whole.anchor, &exam, &packs, whole.stop);
        let (_, recipe) = merges::one(&trial, skills.iter().map(|at| &self.members[*at]), self.sizes.quick);
        let names: Vec<&str> = skills.iter().map(|at| self.name(*at)).collect();
        composed(desk, &trial, merger, (&format!("the merge of {}", names.join(" and ")), &recipe))
    }

    /// Every two skills, and what their merge came to.
    fn pairs(
        &self,
        desk: &mut Desk<'_>,
        merger: &mut Merger<'_>,
        (perplexities, distances): (&[f64], &Distances),
    ) -> Result<Vec<Pair>, LabError> {
        let (count, packs) = (self.members.len(), self.trial.packs);
        let deltas: Vec<Option<&Delta>> = self.members.iter().map(|member| member.delta.as_ref()).collect();
        let mut pairs = Vec::new();
        for (one, two) in (0..count).flat_map(|one| (one + 1..count).map(move |two| (one, two))) {
            let marks = self.merged(desk, merger, &[one, two])?;
            pairs.push(Pair {
                skills: [self.name(one).to_owned(), self.name(two).to_owned()],
                distance: distances.between[one][two],
                perplexity: (perplexities[one] * perplexities[two]).sqrt(),
                cosine: deltas[one].zip(deltas[two]).and_then(|(one, two)| one.cosine(two)),
                bound: bound(&[&packs[one], &packs[two]]),
                apart: f64::midpoint(self.own(one), self.own(two)),
                merged: share(&marks.recalled),
                by_activation: None,
                by_conflict: None,
            });
        }
        Ok(pairs)
    }

    /// What each says to do with all skills, and what comes of doing so: some in one model, the others each asked of its own
    /// member by somebody who knows which.
    fn advised(
        &self,
        desk: &mut Desk<'_>,
        merger: &mut Merger<'_>,
        pairs: &[Pair],
    ) -> Result<(Vec<Advice>, Vec<Row>), LabError> {
        let (trial, count) = (self.trial, self.members.len());
        let (mut advice, mut rows) = (Vec::new(), Vec::new());
        for by in By::ALL {
            let may = |one: usize, two: usize| {
                let is = |pair: &&Pair| pair.skills[0] == self.name(one) && pair.skills[1] == self.name(two);
                pairs.iter().find(is).and_then(|pair| by.merges(pair)).unwrap_or(false)
            };
            let together = select::merged(count, &may);
            let marks = if together.is_empty() { None } else { Some(self.merged(desk, merger, &together)?) };
            let asked = |of: fn(&Marks) -> &Vec<bool>| -> Vec<bool> {
                let mut all = Vec::new();
                let mut merged = marks.iter().flat_map(|marks| of(marks).iter().copied());
                for (at, pack) in trial.exam.packs.iter().enumerate() {
                    let own = of(&self.singles[*pack])[at];
                    // The merge was asked the questions of its own skills, in their order.
                    all.push(if together.contains(pack) { merged.next().unwrap_or(false) } else { own });
                }
                all
            };
            let name = format!("merged or routed, as says the {}", by.name());
            rows.push(picked(trial, &name, (&asked(|m| &m.chosen), &asked(|m| &m.recalled)), None)?);
            advice.push(Advice { by, merged: together.iter().map(|at| self.name(*at).to_owned()).collect() });
        }
        Ok((advice, rows))
    }

    /// What becomes of skills one after the other, in all modes.
    fn set(
        &self,
        desk: &mut Desk<'_>,
        merger: &mut Merger<'_>,
        (name, range): (&str, Range<usize>),
    ) -> Result<Set, LabError> {
        let (whole, which): (_, Vec<usize>) = (self.trial, range.clone().collect());
        let (packs, members) = (&whole.packs[range.clone()], &self.members[range.clone()]);
        let exam = Exam::new(whole.anchor, packs, whole.plan.sizes.neutral);
        let trial = Trial::new(whole.plan, whole.anchor, &exam, packs, whole.stop);
        let bare = part(&self.bare, whole.exam, &which);
        let singles: Vec<Marks> = which.iter().map(|at| part(&self.singles[*at], whole.exam, &which)).collect();
        let gate = PromptGate::new(whole.plan, &self.outside, &self.prompts[range.clone()])?;
        let asked = whole.exam.packs.iter().enumerate().filter(|(_, pack)| range.contains(*pack)).map(|(at, _)| at);
        let chosen = gate::chosen_at(&trial, &gate, &self.places.of(&asked.collect::<Vec<_>>()));

        let mut rows = vec![row(&trial, "anchor", &bare)?];
        for (member, marks) in members.iter().zip(&singles) {
            rows.push(row(&trial, &format!("{} alone", member.name), marks)?);
        }
        let best = merges::one(&trial, members, self.sizes.quick).0;
        let recipes = if self.sizes.quick.is_some() { Vec::new() } else { merges::recipes(&trial, members) };
        for (name, recipe) in recipes.iter().filter(|(name, _)| *name != best) {
            rows.push(row(&trial, name, &composed(desk, &trial, merger, (name, recipe))?)?);
        }
        rows.push(row(&trial, &best, &self.merged(desk, merger, &which)?)?);
        if whole.plan.sizes.distil_steps > 0 {
            let mut distillate = Distillate::new(&trial, members, &self.texts);
            rows.push(row(&trial, &distil::name(whole.plan), &distillate.of_merge(desk, merger, None)?)?);
            merger.forget();
            rows.push(row(&trial, distil::BARE, &distillate.of_anchor(desk)?)?);
        }
        let neutral = route::neutral(desk, &trial, members, (&chosen, &bare))?;
        let first = |parts: &Parts| parts.first().map(|(member, _)| *member);
        for (name, ways, neutral) in [
            (route::GATED, chosen.questions.iter().map(first).collect::<Vec<_>>(), Some(neutral)),
            (route::ORACLE, exam.packs.iter().map(|pack| Some(*pack)).collect(), None),
        ] {
            rows.push(route::sent(&trial, &(name, ways, neutral), (&bare, &singles))?);
        }
        for (name, marks) in mix::marks(desk, &trial, members, &chosen)? {
            rows.push(row(&trial, name, &marks)?);
        }
        Ok(Set {
            name: name.to_owned(),
            skills: members.iter().map(|member| member.name.clone()).collect(),
            bound: bound(&packs.iter().collect::<Vec<_>>()),
            gated: chosen.gated,
            rows,
        })
    }
}

/// The share that is right.
fn share(right: &[bool]) -> f64 {
    gate::share(right.iter().filter(|right| **right).count(), right.len())
}

/// The marks of what comes of a recipe.
fn composed(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    merger: &mut Merger<'_>,
    (name, recipe): (&str, &Recipe),
) -> Result<Marks, LabError> {
    let [hash, prompts] = merger.key(recipe)?;
    trial.marked(desk, name, &[&hash, &prompts], |watch| {
        let made = watch.part(piece(0, 2), |watch| merger.made(recipe, watch))?;
        watch.part(piece(1, 2), |watch| trial.exam.marks(&merges::open(trial.plan, &made.file)?, watch))
    })
}
