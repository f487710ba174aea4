//! The parts of E1, in their order. Each is kept as soon as it is done.

use super::{
    Plan, Report, Row, controls,
    distil::{self, Distillate},
    exam::{Exam, Marks, mean},
    gate, leaving, made,
    members::{self, Member},
    merges::{self, Merger},
    mix, packs,
    packs::Sort,
    report::{OptOut, Single, modes},
    retrieval, route, sparse,
    trial::{Trial, piece},
    verdict::Hypotheses,
};
use crate::{
    LabError, Told,
    desk::{Desk, publish},
    own,
};
use hinet_train::grams::PublicPrompts;
use std::sync::atomic::AtomicBool;

/// Runs it, or goes on where it was left.
///
/// # Errors
/// Where the packs, a model or the folder cannot be used, or somebody asked to stop: everything done before is kept.
pub fn run(plan: &Plan, stop: &AtomicBool, say: &mut dyn FnMut(Told<'_>)) -> Result<Report, LabError> {
    let sizes = &plan.sizes;
    if !(2..=64).contains(&sizes.members) {
        let problem = format!("it has {} members; give it 2 to 64", sizes.members);
        return Err(LabError::Plan { problem });
    }
    let hypotheses = Hypotheses::shipped()?;
    let packs = match &plan.packs {
        Some(path) => packs::read(path, sizes.members)?,
        None => made::made_up(plan.seed, sizes.members, sizes.entities),
    };
    let mut desk = Desk::open(&plan.dir, stop, say)?;
    let anchor = merges::open(plan, &plan.anchor)?;
    let exam = Exam::new(&anchor, &packs, sizes.neutral);
    let trial = Trial::new(plan, &anchor, &exam, &packs, stop);
    // Packs of which no gate can be made are refused before anything is tuned.
    let chosen = gate::chosen(&trial)?;

    let bare = trial.marked(&mut desk, "the anchor's marks", &[], |watch| exam.marks(&anchor, watch))?;
    let mut all: Vec<Member> = Vec::new();
    for pack in &packs {
        all.push(members::tuned(&mut desk, &anchor, plan, pack)?);
    }
    let mut singles: Vec<Marks> = Vec::new();
    for member in &all {
        let (name, hash) = (format!("the marks of {}", member.name), member.hash.to_string());
        let marks =
            trial.marked(&mut desk, &name, &[&hash], |watch| exam.marks(&merges::open(plan, &member.file)?, watch))?;
        singles.push(marks);
    }

    let mut rows = vec![row(&trial, "anchor", &bare)?];
    for (member, marks) in all.iter().zip(&singles) {
        rows.push(row(&trial, &format!("{} alone", member.name), marks)?);
    }
    // The quickest first; what takes longest, joint training, last.
    let retrieved = retrieval::rows(&mut desk, &trial)?;
    let mixes = mix::marks(&mut desk, &trial, &all, &chosen)?;
    let sparse = sparse::marks(&mut desk, &trial, &all, &chosen)?;
    let (routed, nearest) = route::routed(&trial)?;
    let neutral = route::neutral(&mut desk, &trial, &all, (&chosen, &bare))?;
    let (merges, opt_out) = merged(&mut desk, &trial, &all)?;
    rows.push(row(&trial, controls::JOINT, &controls::joint(&mut desk, &trial, &all)?)?);
    for (name, marks) in merges {
        rows.push(row(&trial, &name, &marks)?);
    }
    rows.extend(route::rows(&trial, (&nearest, &chosen), (&bare, &singles), neutral)?);
    for (name, marks) in mixes.into_iter().chain(sparse) {
        rows.push(row(&trial, name, &marks)?);
    }
    rows.extend(retrieved);

    let all_questions = exam.counts(None).into_iter();
    let mut report = Report {
        seed: plan.seed,
        sizes: sizes.clone(),
        tuning: plan.tuning,
        packs: packs.iter().map(|pack| pack.name.clone()).collect(),
        made_up: plan.packs.is_none(),
        facts: packs.iter().map(|pack| pack.facts.len()).sum(),
        questions: exam.packs.len(),
        neutral_tokens: exam.neutral_tokens(),
        anchor: anchor.passport().weights.to_string(),
        kernel: anchor.kernel().name().to_owned(),
        singles: all.iter().zip(&singles).enumerate().map(|(at, (m, marks))| single(at, m, marks, &exam)).collect(),
        modes: modes(&rows, &named(plan, &rows[1..=all.len()])),
        rows,
        routed,
        gated: chosen.gated,
        sent: gate::sent(&exam, &nearest, &chosen.questions),
        asked: all_questions.zip(exam.counts(Some(Sort::Named))).map(|(all, named)| [all, named]).collect(),
        opt_out: Some(opt_out),
        verdict: None,
    };
    report.verdict = Some(hypotheses.verdict(&report)?);
    publish(&plan.dir, "e1", &report, [report.markdown(), report.svg()])?;
    Ok(report)
}

/// The compositions, what comes of distilling the members into the best of them and into the bare anchor, and of leaving
/// it.
fn merged(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    members: &[Member],
) -> Result<(Vec<(String, Marks)>, OptOut), LabError> {
    let plan = trial.plan;
    let texts = own::texts(desk, trial.anchor, plan.sizes.own, plan.seed)?;
    let own = PublicPrompts::of_anchor(trial.anchor, &texts)?;
    let mut merger = Merger::new(trial, members, &own)?;
    let (mut all, mut kept) = (Vec::new(), None);
    for (name, recipe) in merges::recipes(trial, members) {
        let [hash, prompts] = merger.key(&recipe)?;
        let best = name == merges::virtual_name();
        let marks = trial.marked(desk, &name, &[&hash, &prompts], |watch| {
            let made = watch.part(piece(0, 2), |watch| merger.made(&recipe, watch))?;
            let marks = watch.part(piece(1, 2), |watch| trial.exam.marks(&merges::open(plan, &made.file)?, watch))?;
            kept = best.then_some(made);
            Ok(marks)
        })?;
        all.push((name, marks));
    }
    let opt_out = leaving::left(desk, trial, members, (&mut merger, &own))?;

    let mut distillate = Distillate::new(trial, members, &texts);
    all.push((distil::name(plan), distillate.of_merge(desk, &mut merger, kept)?));
    merger.forget();
    all.push((distil::BARE.to_owned(), distillate.of_anchor(desk)?));
    Ok((all, opt_out))
}

/// Which rows are which modes; `singles` are those of the members alone. Of two rows of one mode the second counts.
fn named(plan: &Plan, singles: &[Row]) -> Vec<(&'static str, String)> {
    let worth = |one: &&Row, two: &&Row| one.choice.total_cmp(&two.choice).then(one.exact.total_cmp(&two.exact));
    let best = singles.iter().max_by(worth).map(|row| row.name.clone()).unwrap_or_default();
    vec![
        ("anchor", "anchor".to_owned()),
        ("best_single", best),
        ("joint", controls::JOINT.to_owned()),
        ("merge", merges::virtual_name()),
        ("distill", distil::name(plan)),
        ("route", route::GATED.to_owned()),
        ("mix", mix::RIGHT.to_owned()),
        ("moe", sparse::GATED.to_owned()),
        ("retrieval", retrieval::QUOTED.to_owned()),
        ("retrieval_reader", retrieval::READ.to_owned()),
        ("oracle", route::ORACLE.to_owned()),
        ("oracle", mix::ORACLE.to_owned()),
    ]
}

/// The row of a model's marks.
pub(crate) fn row(trial: &Trial<'_>, name: &str, marks: &Marks) -> Result<Row, LabError> {
    picked(trial, name, (&marks.chosen, &marks.recalled), Some(marks.neutral))
}

/// The row of answers by options and by the whole vocabulary.
pub(crate) fn picked(
    trial: &Trial<'_>,
    name: &str,
    (chosen, recalled): (&[bool], &[bool]),
    neutral: Option<f64>,
) -> Result<Row, LabError> {
    let (exam, seed) = (trial.exam, trial.plan.seed);
    let (by_pack, named) = (exam.by_pack(chosen, None), Some(Sort::Named));
    Ok(Row {
        name: name.to_owned(),
        choice: mean(&by_pack),
        choice_interval: exam.interval(chosen, None, seed)?,
        exact: mean(&exam.by_pack(recalled, named)),
        exact_interval: exam.interval(recalled, named, seed)?,
        neutral,
        by_pack,
        by_sort: exam.by_sort(chosen),
        chosen: bits(chosen),
        recalled: bits(&exam.of(recalled, named)),
    })
}

fn bits(right: &[bool]) -> String {
    right.iter().map(|right| if *right { '1' } else { '0' }).collect()
}

fn single(at: usize, member: &Member, marks: &Marks, exam: &Exam) -> Single {
    let (chosen, recalled) = (exam.by_pack(&marks.chosen, None), exam.by_pack(&marks.recalled, Some(Sort::Named)));
    let others: Vec<f64> = chosen.iter().enumerate().filter(|(pack, _)| *pack != at).map(|(_, share)| *share).collect();
    Single {
        name: member.name.clone(),
        own_choice: chosen[at],
        own_exact: recalled[at],
        others_choice: mean(&others),
        neutral: marks.neutral,
        losses: member.losses.clone(),
    }
}
