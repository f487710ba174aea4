//! The parts of a root, in their order. Each is kept as soon as it is done.

use super::{
    Plan, Report, Row, exam,
    items::{self, Item},
    texts::{Paper, Talk},
};
use crate::{
    LabError, Told,
    desk::{Desk, publish},
    own,
};
use hinet_model::{Anchor, LoadOptions};
use hinet_train::{
    Example, Lora, Method, Recipe,
    judge::{By, Judge, general, paired_bootstrap, points},
    turns,
};
use std::sync::atomic::AtomicBool;

/// Tokens of an exercise, at most.
const LONGEST: usize = 900;
/// Tokens of a rehearsed text.
const OWN_LONGEST: usize = 80;
/// Of widths that do not count one paper in so many is enough.
const PART: usize = 4;

/// Makes the root and examines it, or goes on where it was left.
///
/// # Errors
/// Where the texts, the anchor or the folder cannot be used, or somebody asked to stop: everything done before is kept.
pub fn run(plan: &Plan, stop: &AtomicBool, say: &mut dyn FnMut(Told<'_>)) -> Result<Report, LabError> {
    let sizes = &plan.sizes;
    let (learn, test) = plan.root.papers();
    let mut papers: Vec<Paper> = Vec::new();
    for file in learn {
        papers.extend(file.papers()?);
    }
    let talks: Vec<Talk> = super::TALK.talks()?;
    let mut kept_apart = test.papers()?;
    kept_apart.truncate(sizes.examined.max(sizes.width));
    let mut desk = Desk::open(&plan.dir, stop, say)?;
    let anchor = Anchor::open(&plan.anchor, LoadOptions { threads: plan.threads, kernel: None })?;

    let mut exercises = items::lessons(&papers, &talks, plan.seed);
    exercises.truncate(sizes.exercises);
    let mut examples: Vec<Example> = Vec::with_capacity(exercises.len());
    for item in &exercises {
        let example = turns::answered(&anchor, &item.turns, &item.answer, usize::MAX)?;
        // One that is cut would be learned without its end.
        examples.extend(example.filter(|example| example.tokens.len() <= LONGEST));
    }
    let learned = examples.len();
    let views = 4 * sizes.own;
    let own = own::lessons(&mut desk, &anchor, (views, OWN_LONGEST), plan.seed)?;
    let lessons = own::mixed(examples, own);
    let tokens: usize = lessons.iter().map(|lesson| lesson.example.tokens.len()).sum();
    let recipe = recipe(plan, lessons.len());
    let tuned = desk.lora(&format!("the root {}", plan.root.name()), &anchor, recipe, lessons)?;
    // As it ships: half floats, half the bytes.
    let (delta, losses) = (tuned.made.halved()?, tuned.losses);

    let part: Vec<Paper> = kept_apart.iter().step_by(PART).cloned().collect();
    let examination = |width| {
        // Other passages are drawn from the same papers, so there must be enough of them.
        let papers = if width == sizes.width || part.len() <= width { &kept_apart } else { &part };
        items::exam(papers, width, plan.seed)
    };
    let hash = delta.hash().to_string();
    let weights = anchor.passport().weights.to_string();
    let rooted = || Ok::<_, LabError>(Judge::new(&anchor, &[(anchor.attach(&delta)?, 1.0)])?);
    let mut rows: Vec<Row> = vec![exam::quotations(&examination(sizes.width))];
    for (name, of, cites) in [("anchor", None, false), ("root", Some(&hash), true)] {
        for width in std::iter::once(sizes.width).chain(sizes.widths.iter().copied()) {
            let items = examination(width);
            let key = [weights.as_str(), anchor.kernel().name(), of.map_or("bare", |hash| hash), &asked(&items)];
            let said: Vec<String> = desk.measured(&format!("{name} with {width} passages"), &key, |watch| {
                let mut judge = if cites { rooted()? } else { Judge::new(&anchor, &[])? };
                exam::said(&mut judge, &items, cites, watch)
            })?;
            rows.push(exam::row(name, &items, &said, cites));
        }
    }

    let mut questions = general::questions(&anchor)?;
    questions.truncate(sizes.general);
    let mut text = anchor.encode(&general::neutral(), false);
    text.truncate(sizes.neutral);
    let mut abilities = Vec::new();
    for (name, of) in [("anchor", None), ("root", Some(&hash))] {
        let count = format!("{} {}", questions.len(), text.len());
        let key = [weights.as_str(), anchor.kernel().name(), of.map_or("bare", |hash| hash), &count];
        let ability: (Vec<f64>, f64) = desk.measured(&format!("general ability of the {name}"), &key, |watch| {
            let mut judge = if of.is_some() { rooted()? } else { Judge::new(&anchor, &[])? };
            let chosen = judge.choose(&questions, By::Sum, watch)?;
            Ok((points(&chosen), judge.perplexity(&text, general::WINDOW, watch)?))
        })?;
        abilities.push(ability);
    }
    let [(before, neutral_before), (after, neutral_after)] = &abilities[..] else { unreachable!("two were measured") };
    let bounds = paired_bootstrap(before, after, plan.seed)?;
    #[allow(clippy::cast_precision_loss, reason = "questions are few")]
    let mean = |points: &[f64]| points.iter().sum::<f64>() / points.len().max(1) as f64;
    let report = Report {
        name: plan.root.name().to_owned(),
        seed: plan.seed,
        sizes: sizes.clone(),
        anchor: weights.clone(),
        kernel: anchor.kernel().name().to_owned(),
        delta: hash.clone(),
        texts: (papers.len(), talks.len(), kept_apart.len()),
        learned: (learned, tokens * usize::try_from(sizes.rounds).unwrap_or(1)),
        rows,
        general: (mean(before), mean(after)),
        general_bounds: (bounds.low, bounds.high),
        neutral: (*neutral_before, *neutral_after),
        losses,
    };
    delta.save(&plan.dir.join("root"))?;
    publish(&plan.dir, "root", &report, [report.markdown(), report.svg()])?;
    Ok(report)
}

/// What was asked, as a name.
fn asked(items: &[Item]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("hinet/lab/root/exam/v1");
    for (role, words) in items.iter().flat_map(|item| &item.turns) {
        hasher.update(role.as_bytes()).update(b"\0").update(words.as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn recipe(plan: &Plan, lessons: usize) -> Recipe {
    let sizes = &plan.sizes;
    let accumulate = 2;
    let steps = (lessons as u64 * sizes.rounds).div_ceil((sizes.batch * accumulate) as u64).max(1);
    #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
    let alpha = 2.0 * sizes.rank as f32;
    Recipe {
        method: Method::Lora(Lora { rank: sizes.rank, alpha, ..Lora::default() }),
        learning_rate: sizes.rate,
        warmup: 12.min(steps / 4),
        steps,
        batch: sizes.batch,
        accumulate,
        beta2: 0.99,
        seed: plan.seed,
        ..Recipe::default()
    }
}
