//! The parts of E1, in their order. Each is kept as soon as it is done.

use super::{
    Plan, Report, Row,
    exam::{Exam, Marks, mean},
    members::{self, Member},
    merges::{self, Statistics},
    packs::{self, Pack},
    report::{Routed, Single},
    route::{Router, Way},
};
use crate::{
    LabError, Told,
    desk::{Desk, write_json},
    own,
};
use hinet_compose::{GgufFile, Method, Source, Sources, gather};
use hinet_train::{grams::PublicPrompts, judge::general};
use std::{path::Path, sync::Arc, sync::atomic::AtomicBool};

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
    let packs = match &plan.packs {
        Some(path) => packs::read(path, sizes.members)?,
        None => packs::made_up(plan.seed, sizes.members, sizes.entities),
    };
    let mut desk = Desk::open(&plan.dir, stop, say)?;
    let anchor = merges::open(plan, &plan.anchor)?;
    let exam = Exam::new(&anchor, &packs, sizes.neutral);
    let (weights, kernel) = (anchor.passport().weights, anchor.kernel().name());
    // What every mark depends on beside the model.
    let setting = blake3::hash(format!("{packs:?} {}", sizes.neutral).as_bytes()).to_string();
    let weights_named = weights.to_string();
    let of = [setting.as_str(), weights_named.as_str(), kernel];

    let bare: Marks = desk.measured("the anchor's marks", &of, |watch| exam.marks(&anchor, watch))?;
    let mut all: Vec<Member> = Vec::new();
    for pack in &packs {
        all.push(members::tuned(&mut desk, &anchor, plan, pack)?);
    }
    let mut singles: Vec<Marks> = Vec::new();
    for member in &all {
        let (name, hash) = (format!("the marks of {}", member.name), member.hash.to_string());
        singles.push(desk.measured(&name, &[of[0], of[1], of[2], &hash], |watch| {
            exam.marks(&merges::open(plan, &member.file)?, watch)
        })?);
    }

    let mut rows = vec![row("anchor", &exam, &bare)];
    rows.extend(all.iter().zip(&singles).map(|(member, marks)| row(&format!("{} alone", member.name), &exam, marks)));
    let own = PublicPrompts::of_anchor(&anchor, &own::texts(&mut desk, &anchor, sizes.own, plan.seed)?)?;
    let mut statistics = Statistics::new(plan, &anchor, &all, &own);
    let sources: Sources = gather(
        std::iter::once(Arc::new(GgufFile::open(&plan.anchor)?) as Arc<dyn Source>)
            .chain(all.iter().map(|member| Arc::clone(&member.source))),
    )?;
    for (name, recipe) in merges::recipes(plan, weights, &all) {
        let wants = recipe.method == Method::Regmean;
        let (hash, key) = (recipe.hash()?.to_string(), if wants { statistics.key() } else { String::new() });
        let marks: Marks = desk.measured(&name, &[of[0], of[1], of[2], &hash, &key], |watch| {
            let grams = if wants { Some(statistics.get(stop, watch)?) } else { None };
            let made = merges::composed(plan, &recipe, &sources, grams.map(|grams| grams as _), stop)?;
            exam.marks(&merges::open(plan, &made.file)?, watch)
        })?;
        rows.push(row(&name, &exam, &marks));
    }
    let (routed, ways) = routed(plan, &exam, &packs)?;
    rows.extend(routes(&exam, &ways, &singles));

    let report = Report {
        seed: plan.seed,
        sizes: sizes.clone(),
        tuning: plan.tuning,
        packs: packs.iter().map(|pack| pack.name.clone()).collect(),
        made_up: plan.packs.is_none(),
        facts: packs.iter().map(|pack| pack.facts.len()).sum(),
        questions: exam.packs.len(),
        neutral_tokens: exam.neutral_tokens(),
        anchor: weights_named.clone(),
        kernel: kernel.to_owned(),
        singles: all.iter().zip(&singles).enumerate().map(|(at, (m, marks))| single(at, m, marks, &exam)).collect(),
        rows,
        routed,
    };
    publish(&plan.dir, &report)?;
    Ok(report)
}

fn row(name: &str, exam: &Exam, marks: &Marks) -> Row {
    let by_pack = exam.by_pack(&marks.chosen);
    Row {
        name: name.to_owned(),
        choice: mean(&by_pack),
        exact: mean(&exam.by_pack(&marks.recalled)),
        neutral: Some(marks.neutral),
        by_pack,
    }
}

fn single(at: usize, member: &Member, marks: &Marks, exam: &Exam) -> Single {
    let (chosen, recalled) = (exam.by_pack(&marks.chosen), exam.by_pack(&marks.recalled));
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

/// Where questions and the neutral text would go. The router sees public prompts and questions, never answers.
fn routed(plan: &Plan, exam: &Exam, packs: &[Pack]) -> Result<(Routed, Vec<usize>), LabError> {
    let prompts = |pack: &Pack| -> Vec<String> {
        pack.facts.iter().flat_map(|fact| &fact.train).map(|(prompt, _)| prompt.clone()).collect()
    };
    let prompts: Vec<Vec<String>> = packs.iter().map(prompts).collect();
    let prompts: Vec<Vec<&str>> = prompts.iter().map(|all| all.iter().map(String::as_str).collect()).collect();
    let router = Router::new(&plan.embedder, &prompts)?;
    let facts = packs.iter().flat_map(|pack| &pack.facts);
    let questions: Vec<&str> = facts.flat_map(|fact| &fact.eval).map(|asked| asked.prompt.as_str()).collect();
    let ways = router.ways(&plan.embedder, &questions)?;
    let text = general::neutral();
    let sentences: Vec<&str> = text.split(". ").filter(|sentence| !sentence.trim().is_empty()).collect();
    let elsewhere = router.ways(&plan.embedder, &sentences)?;
    let right = ways.iter().zip(&exam.packs).filter(|(way, pack)| way.member == **pack).count();
    let similarities = |ways: &[Way]| ways.iter().map(|way| way.similarity).collect::<Vec<_>>();
    #[allow(clippy::cast_precision_loss, reason = "questions are few")]
    let routed = Routed {
        right: right as f64 / ways.len().max(1) as f64,
        least_inside: similarities(&ways).into_iter().fold(f32::INFINITY, f32::min),
        most_outside: similarities(&elsewhere).into_iter().fold(f32::NEG_INFINITY, f32::max),
    };
    Ok((routed, ways.iter().map(|way| way.member).collect()))
}

/// What one gets who asks one member each question: the one that is nearest, the next after the right one, the right one.
fn routes(exam: &Exam, ways: &[usize], singles: &[Marks]) -> Vec<Row> {
    let count = singles.len();
    let wrong: Vec<usize> = exam.packs.iter().map(|pack| (pack + 1) % count).collect();
    let all =
        [("route: 5 nearest public prompts", ways), ("route: wrong (control)", &wrong), ("route: oracle", &exam.packs)];
    let one = |(name, ways): (&str, &[usize])| {
        let pick = |of: fn(&Marks) -> &Vec<bool>| -> Vec<bool> {
            ways.iter().enumerate().map(|(question, member)| of(&singles[*member])[question]).collect()
        };
        let by_pack = exam.by_pack(&pick(|marks| &marks.chosen));
        let exact = mean(&exam.by_pack(&pick(|marks| &marks.recalled)));
        Row { name: name.into(), choice: mean(&by_pack), exact, neutral: None, by_pack }
    };
    all.map(one).into()
}

/// Writes the report as JSON, a table and a chart.
fn publish(dir: &Path, report: &Report) -> Result<(), LabError> {
    write_json(&dir.join("e1.json"), report)?;
    for (name, text) in [("e1.md", report.markdown()), ("e1.svg", report.svg())] {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|source| LabError::Disk { path, source })?;
    }
    Ok(())
}
