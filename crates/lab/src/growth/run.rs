//! The parts of growth, in their order. Each is kept as soon as it is done.

use super::{
    Cost, MEMBERS_MAX, Report, Row, Size, Sizes, cost,
    groups::{self, Tiers},
    report::{change, changes},
};
use crate::{
    LabError, Told,
    desk::{Desk, publish},
    e1::{
        Pack, Plan, Tuning,
        distil::{self, Distillate},
        exam::{Exam, Marks, Together},
        gate::{self, Chosen, Parts, Places, PromptGate, Prompts},
        made,
        members::{self, Member},
        merges::{self, Composed, Merger},
        mix::{self, Mixer},
        route,
        run::row,
        trial::{Trial, piece},
    },
    own,
};
use hinet_model::{Anchor, Delta};
use hinet_train::{
    grams::PublicPrompts,
    judge::{Judge, Watch},
    replay::Own,
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;

/// What the anchor's row is called.
pub(super) const ANCHOR: &str = "anchor";
/// What the row of merges of groups that lie near is called.
const NEAR: &str = "groups near: merges";
/// What the row of merges of groups that are drawn is called.
const DRAWN: &str = "groups drawn: merges (control)";
/// What the row is called in which the members of a group answer together.
const WITHIN: &str = "groups near: mix within";

/// Marks and what they cost.
#[derive(Serialize, Deserialize)]
struct Weighed {
    marks: Marks,
    cost: Cost,
}

/// A mode at a size: what it is called, its marks, what it costs, how often the right one was chosen.
type Found = (String, Marks, Option<Cost>, Option<f64>);

/// Who answers each question, and who each window of the neutral text.
type Ways = (Vec<Parts>, Vec<Parts>);

/// Says who answers a text, by its place in the embedder's space.
type Decide<'a> = &'a dyn Fn(&[f32]) -> Parts;

/// What all sizes have in common.
struct Common<'a> {
    sizes: &'a Sizes,
    outside: Vec<Vec<f32>>,
    prompts: Vec<Prompts>,
    /// Of all questions of the largest size; those of a smaller one are its first.
    places: Places,
    texts: Vec<Own>,
}

/// One size.
struct At<'a> {
    trial: &'a Trial<'a>,
    members: &'a [Member],
    places: Places,
    /// The gate over all of them.
    gate: PromptGate,
    chosen: Chosen,
    /// Those that lie near and, unless there is no time for it, those that are drawn; none where one sub-assembly holds all.
    tiers: Vec<Tiers>,
}

/// Runs it, or goes on where it was left. What is tuned has to be low-rank; of the plan's own number of members nothing is
/// taken.
///
/// # Errors
/// Where a model, the folder or what was asked for cannot be used, or somebody asked to stop: everything done before is
/// kept.
pub fn run(plan: &Plan, sizes: &Sizes, stop: &AtomicBool, say: &mut dyn FnMut(Told<'_>)) -> Result<Report, LabError> {
    let counts = counts(plan, sizes)?;
    let packs = made::made_up(plan.seed, counts.last().copied().unwrap_or(0), plan.sizes.entities);
    let mut desk = Desk::open(&plan.dir, stop, say)?;
    let anchor = merges::open(plan, &plan.anchor)?;
    let exams: Vec<Exam> =
        counts.iter().map(|count| Exam::new(&anchor, &packs[..*count], plan.sizes.neutral)).collect();
    let trials: Vec<Trial<'_>> = counts
        .iter()
        .zip(&exams)
        .map(|(count, exam)| Trial::new(plan, &anchor, exam, &packs[..*count], stop))
        .collect();
    let Some(whole) = trials.last() else { return Err(problem("it has no sizes; give it some with --members")) };
    let common = Common {
        sizes,
        outside: gate::outside(&plan.embedder)?,
        prompts: gate::prompts(&plan.embedder, &packs)?,
        places: Places::new(whole)?,
        texts: own::texts(&mut desk, &anchor, plan.sizes.own, plan.seed)?,
    };
    let bare: Marks = whole.marked(&mut desk, "the anchor's marks", &[], |watch| whole.exam.marks(&anchor, watch))?;
    let mut all: Vec<Member> = Vec::with_capacity(packs.len());
    for pack in &packs {
        all.push(members::tuned(&mut desk, &anchor, plan, pack)?);
    }

    let own = PublicPrompts::of_anchor(&anchor, &common.texts)?;
    let mut merger = Merger::new(whole, &all, &own)?;
    let (mut ats, mut founds, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (count, trial) in counts.iter().zip(&trials) {
        let at = At::new(&common, trial, &all[..*count])?;
        let mut found = at.mixed(&mut desk, &common, &bare)?;
        let (merges, best) = at.merged(&mut desk, &common, &mut merger)?;
        found.extend(merges);
        kept.push(best);
        founds.push(found);
        ats.push(at);
    }
    // Tuning needs the room that Grams take, so it comes when nothing is composed any more.
    merger.forget();
    let distilled = plan.sizes.distil_steps > 0;
    for ((at, found), kept) in ats.iter().zip(&mut founds).zip(kept).filter(|_| distilled) {
        let mut distillate = Distillate::new(at.trial, at.members, &common.texts);
        found.push((distil::name(plan), distillate.of_merge(&mut desk, &mut merger, kept)?, None, None));
    }
    let mut found = Vec::with_capacity(ats.len());
    for (at, modes) in ats.iter().zip(founds) {
        found.push(at.size(&common, modes)?);
    }
    let report = Report {
        seed: plan.seed,
        sizes: Sizes { members: counts, each: plan.sizes.clone(), ..sizes.clone() },
        anchor: anchor.passport().weights.to_string(),
        kernel: anchor.kernel().name().to_owned(),
        neutral_tokens: whole.exam.neutral_tokens(),
        members: all.iter().map(|m| (m.name.clone(), m.losses.last().copied().unwrap_or(f32::NAN))).collect(),
        changes: changes(&found, plan.seed)?,
        all: found,
    };
    publish(&plan.dir, "growth", &report, [report.markdown(), report.svg()])?;
    Ok(report)
}

fn problem(problem: &str) -> LabError {
    LabError::Plan { problem: problem.to_owned() }
}

/// The sizes, in rising order.
fn counts(plan: &Plan, sizes: &Sizes) -> Result<Vec<usize>, LabError> {
    let mut counts = sizes.members.clone();
    counts.sort_unstable();
    counts.dedup();
    if plan.tuning != Tuning::Lora || plan.packs.is_some() {
        return Err(problem("members of growth are low-rank, on packs made up from the seed"));
    }
    if counts.iter().any(|count| !(2..=MEMBERS_MAX).contains(count)) {
        return Err(problem("each size is of 2 to 64 members"));
    }
    if sizes.group < 2 {
        return Err(problem("a sub-assembly holds two members at least"));
    }
    Ok(counts)
}

impl<'a> At<'a> {
    fn new(common: &Common<'_>, trial: &'a Trial<'a>, members: &'a [Member]) -> Result<Self, LabError> {
        let (plan, outside, group) = (trial.plan, &common.outside, common.sizes.group);
        let prompts = &common.prompts[..members.len()];
        let places = common.places.of(&(0..trial.exam.packs.len()).collect::<Vec<_>>());
        let gate = PromptGate::new(plan, outside, prompts)?;
        let chosen = gate::chosen_at(trial, &gate, &places);
        let mut tiers = Vec::new();
        if members.len() > group {
            tiers.push(Tiers::new(plan, outside, prompts, groups::near(prompts, group))?);
            if common.sizes.quick.is_none() {
                tiers.push(Tiers::new(plan, outside, prompts, groups::drawn(members.len(), group, plan.seed))?);
            }
        }
        Ok(Self { trial, members, places, gate, chosen, tiers })
    }

    /// Who answers questions and windows where each is decided by its place.
    fn ways(&self, decide: Decide<'_>) -> Ways {
        let all = |places: &[Vec<f32>]| places.iter().map(|place| decide(place)).collect::<Vec<Parts>>();
        (all(&self.places.questions), all(&self.places.windows))
    }

    /// What a name is said with, so that one knows which size goes on.
    fn titled(&self, name: &str) -> String {
        format!("{} members, {name}", self.members.len())
    }

    /// What needs no merging: the anchor, one member, and members that answer together in several ways.
    fn mixed(&self, desk: &mut Desk<'_>, common: &Common<'_>, bare: &Marks) -> Result<Vec<Found>, LabError> {
        let (trial, count, timed) = (self.trial, self.members.len(), common.sizes.timed);
        let deltas: Option<Vec<&Delta>> = self.members.iter().map(|member| member.delta.as_ref()).collect();
        let Some(deltas) = deltas else { return Err(problem("a member has no low-rank factors")) };
        let hashes: String = deltas.iter().map(|delta| delta.hash().to_string()).collect();
        let (packs, windows) = (&trial.exam.packs, self.places.windows.len());
        let same = |parts: Parts| (vec![parts.clone(); packs.len()], vec![parts; windows]);
        #[allow(clippy::cast_precision_loss, reason = "members are few")]
        let even: Parts = (0..count).map(|member| (member, 1.0 / count as f32)).collect();
        let oracle: Vec<Parts> = packs.iter().map(|pack| vec![(*pack, 1.0)]).collect();
        let gated: Decide<'_> = &|place: &[f32]| self.gate.parts(place);
        let routed: Decide<'_> =
            &|place: &[f32]| gated(place).first().map(|(member, _)| (*member, 1.0)).into_iter().collect();
        let near = self.tiers.first();
        let within: Decide<'_> = &|place: &[f32]| near.map_or_else(Parts::new, |near| near.members(place));
        let right = Some(self.chosen.gated.right);
        let mut all: Vec<(&str, Ways, Option<f64>, Option<Decide<'_>>)> = vec![
            (ANCHOR, same(Parts::new()), None, None),
            ("one member alone (control)", same(vec![(0, 1.0)]), None, None),
            ("mix: all members, weight 1/n (control)", same(even), None, None),
            (mix::ORACLE, (oracle, vec![Parts::new(); windows]), None, None),
            (route::GATED, self.ways(routed), right, Some(routed)),
            (mix::RIGHT, self.ways(gated), right, Some(gated)),
        ];
        if let Some(near) = near {
            let groups = self.ways(&|place| near.group(place)).0;
            all.push((WITHIN, self.ways(within), Some(near.right(packs, &groups)), Some(within)));
        }
        let mut found = Vec::with_capacity(all.len());
        for (name, ways, right, decide) in all {
            let from = [hashes.as_str(), &format!("{ways:?}"), &timed.to_string()];
            let Weighed { marks, cost } = trial.marked(desk, &self.titled(name), &from, |watch| {
                let deltas: &[&Delta] = if name == ANCHOR { &[] } else { &deltas };
                let mixer = Mixer::new(trial.anchor, deltas)?;
                let mut judge = |parts: &[(usize, f32)]| mixer.judge(parts);
                let marks = watch.part(piece(0, 2), |watch| match name {
                    // It was asked the questions of all sizes at once.
                    ANCHOR => Ok(first_of(bare, packs.len())),
                    _ => trial.exam.marks_by(&ways.0, &ways.1, &mut judge, watch),
                })?;
                let cost = watch
                    .part(piece(1, 2), |watch| self.cost(common, (&ways, decide), mixer.bytes(), &mut judge, watch))?;
                Ok(Weighed { marks, cost })
            })?;
            found.push((name.to_owned(), marks, Some(cost), right));
        }
        Ok(found)
    }

    /// What it costs to be answered in these ways: by whoever it takes time to decide on, or by those whom one knows.
    fn cost(
        &self,
        common: &Common<'_>,
        (ways, decide): (&Ways, Option<Decide<'_>>),
        bytes: usize,
        judge: &mut Together<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Cost, LabError> {
        let embedder = &self.trial.plan.embedder;
        let asked: Vec<&str> = self.trial.packs.iter().flat_map(Pack::questions).collect();
        let mut who = |at: usize| -> Result<Parts, LabError> {
            match decide {
                Some(decide) => Ok(decide(&route::vectors(embedder, &asked[at..=at])?.concat())),
                None => Ok(ways.0[at].clone()),
            }
        };
        cost::taken(self.trial, (common.sizes.timed, bytes), &mut who, judge, watch)
    }

    /// Merges of all, and of groups; the one that is distilled later is handed out where it was made now.
    fn merged(
        &self,
        desk: &mut Desk<'_>,
        common: &Common<'_>,
        merger: &mut Merger<'_>,
    ) -> Result<(Vec<Found>, Option<Composed>), LabError> {
        let (trial, plan, timed) = (self.trial, self.trial.plan, common.sizes.timed.to_string());
        let (mut found, mut kept) = (Vec::new(), None);
        let nobody: Ways = self.ways(&|_| Parts::new());
        let quick = common.sizes.quick;
        let recipes = match quick {
            None => merges::recipes(trial, self.members),
            Some(_) => vec![merges::one(trial, self.members, quick)],
        };
        for (name, recipe) in recipes {
            let [hash, prompts] = merger.key(&recipe)?;
            let best = name == merges::virtual_name();
            let weighed = trial.marked(desk, &self.titled(&name), &[&hash, &prompts, &timed], |watch| {
                let made = watch.part(piece(0, 3), |watch| merger.made(&recipe, watch))?;
                let model = merges::open(plan, &made.file)?;
                let marks = watch.part(piece(1, 3), |watch| trial.exam.marks(&model, watch))?;
                let mut judge = |_: &[(usize, f32)]| -> Result<Judge, LabError> { Ok(Judge::new(&model, &[])?) };
                let cost = watch.part(piece(2, 3), |watch| {
                    self.cost(common, (&nobody, None), model.weight_bytes(), &mut judge, watch)
                })?;
                kept = best.then_some(made);
                Ok(Weighed { marks, cost })
            })?;
            found.push((name, weighed.marks, Some(weighed.cost), None));
        }
        for (name, tiers) in [NEAR, DRAWN].into_iter().zip(&self.tiers) {
            let decide: Decide<'_> = &|place: &[f32]| tiers.group(place);
            let ways = self.ways(decide);
            let of = |group: &Vec<usize>| merges::one(trial, group.iter().map(|at| &self.members[*at]), quick).1;
            let recipes: Vec<_> = tiers.groups.iter().map(of).collect();
            let mut key = format!("{ways:?}");
            for recipe in &recipes {
                key += &merger.key(recipe)?.concat();
            }
            let weighed = trial.marked(desk, &self.titled(name), &[&key, &timed], |watch| {
                let (mut models, parts): (Vec<Anchor>, usize) = (Vec::new(), recipes.len() + 2);
                for (at, recipe) in recipes.iter().enumerate() {
                    let made = watch.part(piece(at, parts), |watch| merger.made(recipe, watch))?;
                    models.push(merges::open(plan, &made.file)?);
                }
                let mut judge = |parts: &[(usize, f32)]| -> Result<Judge, LabError> {
                    let model = parts.first().map_or(trial.anchor, |(group, _)| &models[*group]);
                    Ok(Judge::new(model, &[])?)
                };
                let marks = watch
                    .part(piece(parts - 2, parts), |watch| trial.exam.marks_by(&ways.0, &ways.1, &mut judge, watch))?;
                let bytes: usize = models.iter().chain([trial.anchor]).map(Anchor::weight_bytes).sum();
                let cost = watch.part(piece(parts - 1, parts), |watch| {
                    self.cost(common, (&ways, Some(decide)), bytes, &mut judge, watch)
                })?;
                Ok(Weighed { marks, cost })
            })?;
            let right = tiers.right(&trial.exam.packs, &ways.0);
            found.push((name.to_owned(), weighed.marks, Some(weighed.cost), Some(right)));
        }
        Ok((found, kept))
    }

    /// The rows of the modes.
    fn size(&self, common: &Common<'_>, modes: Vec<Found>) -> Result<Size, LabError> {
        let trial = self.trial;
        let mut rows = Vec::with_capacity(modes.len());
        for (name, marks, cost, right) in modes {
            rows.push(Row { marks: row(trial, &name, &marks)?, cost, right, beside_merge: None });
        }
        let (best, _) = merges::one(trial, self.members, common.sizes.quick);
        let merge = rows.iter().find(|row| row.marks.name == best).map(|row| row.marks.recalled.clone());
        for row in &mut rows {
            if let Some(merge) = merge.as_ref().filter(|_| [NEAR, DRAWN, WITHIN].contains(&row.marks.name.as_str())) {
                row.beside_merge = Some(change(merge, &row.marks.recalled, trial.plan.seed)?);
            }
        }
        let name = |at: &usize| self.members[*at].name.clone();
        let names = |group: &Vec<usize>| group.iter().map(name).collect::<Vec<String>>();
        let groups = self.tiers.first().into_iter().flat_map(|near| &near.groups).map(names).collect();
        let (members, questions) = (self.members.len(), trial.exam.packs.len());
        Ok(Size { members, questions, groups, gated: self.chosen.gated, rows })
    }
}

/// Marks of the first so many questions; those of the neutral text stay.
fn first_of(marks: &Marks, questions: usize) -> Marks {
    let first = |all: &[bool]| all[..questions.min(all.len())].to_vec();
    Marks { chosen: first(&marks.chosen), recalled: first(&marks.recalled), neutral: marks.neutral }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_questions_of_a_smaller_size_are_the_first() {
        let marks = Marks { chosen: vec![true, false, true], recalled: vec![false, true, true], neutral: 20.0 };
        let found = first_of(&marks, 2);
        assert_eq!((found.chosen, found.recalled), (vec![true, false], vec![false, true]));
        assert_eq!(first_of(&marks, 9), marks);
    }
}
