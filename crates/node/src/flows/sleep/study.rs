//! Learning: the recipe of a night, how much of it fits into its time and into the memory, and the steps.

use std::time::Instant;

use hinet_model::{Anchor, free_memory};
use hinet_train::judge::{Judge, Watch};
use hinet_train::{Lesson, Recipe, Tuner, distill, replay};

use super::views::{View, Work};
use super::{Room, text};
use crate::failure::{NodeError, of_training};
use crate::protocol::{ErrorKind, SleepPlan, Stage, Tuning};

const BATCH: usize = Recipe::NIGHTLY_BATCH;
/// Seconds between two checkpoints.
const CHECKPOINT_S: u64 = 45;
/// Bytes that stay free beside tuning.
const SPARE: u64 = 256 << 20;

fn recipe(plan: &SleepPlan, steps: u64) -> Recipe {
    Recipe::nightly(plan.rank, plan.method == Tuning::Dora, steps, plan.seed)
}

/// Refuses a night that would not fit into the memory, before it begins.
pub(super) fn refuse_too_large(anchor: &Anchor, plan: &SleepPlan, longest: usize) -> Result<(), NodeError> {
    let recipe = recipe(plan, 1);
    recipe.check_on(anchor).map_err(failed)?;
    let needs = recipe.memory(anchor, longest, BATCH) + SPARE;
    match free_memory() {
        Some(free) if free < needs => Err(NodeError::said(
            ErrorKind::Failed,
            format!("Tuning would take about {} MB of memory, and {} MB are free.", needs >> 20, free >> 20),
            "Close other programs, or give a lower --rank.",
        )),
        _ => Ok(()),
    }
}

/// Something that tuning refused, as a person reads it.
pub(super) fn failed(error: hinet_train::TrainError) -> NodeError {
    of_training(error, super::interrupted, "The self before this night answers.")
}

/// Decides, once, how many views and steps the night has.
fn decide(room: &mut Room<'_>, anchor: &Anchor, work: &mut Work, examples: &[Lesson]) -> Result<(), NodeError> {
    work.used = examples.len();
    work.steps = Recipe::nightly_steps(examples.len());
    if let Some(steps) = room.night.plan.steps {
        work.steps = steps;
        return Ok(());
    }
    // One step of the middle of the texts says how long they take.
    let sample: Vec<Lesson> = examples.iter().step_by((examples.len() / BATCH).max(1)).take(BATCH).cloned().collect();
    let mut tuner = Tuner::new(anchor, recipe(&room.night.plan, 2), sample).map_err(failed)?;
    tuner.step(room.stop).map_err(failed)?;
    let report = tuner.step(room.stop).map_err(failed)?;
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few")]
    let most = (room.night.plan.minutes as f64 * 60.0 / report.seconds.max(1e-3)) as u64;
    if work.steps > most {
        let fits = most.max(8) * BATCH as u64 / Recipe::NIGHTLY_EPOCHS;
        work.used = usize::try_from(fits).unwrap_or(usize::MAX).clamp(1, examples.len());
        work.steps = Recipe::nightly_steps(work.used);
    }
    Ok(())
}

/// What the views come to: after every few of the owner's one of the anchor's own, with what the anchor itself says about
/// each of its tokens, so that what it can do is held where it is.
fn lessons(room: &mut Room<'_>, anchor: &Anchor, work: &Work) -> Result<Vec<Lesson>, NodeError> {
    let system = crate::flows::chat::prompt::system(room.node);
    let (mut own, mut replay) = (Vec::new(), Vec::new());
    for view in &work.views {
        let to = if matches!(view, View::Replay(_)) { &mut replay } else { &mut own };
        to.extend(text::example(anchor, &system, view).map_err(failed)?);
    }
    let mut told = |_, _| {};
    let mut teacher = Judge::new(anchor, &[]).map_err(failed)?;
    let replay = distill::lessons(&mut teacher, &replay, distill::LIKELIEST, &mut Watch::new(room.stop, &mut told));
    Ok(replay::mixed(own, replay.map_err(failed)?, (1.0 / replay::SHARE) as usize))
}

/// Learns, from where a checkpoint was left if there is one. Gives what was learned.
pub(super) fn learn(room: &mut Room<'_>, anchor: &Anchor, work: &mut Work) -> Result<Tuner, NodeError> {
    let mut examples = lessons(room, anchor, work)?;
    let longest = examples.iter().map(|lesson| lesson.example.tokens.len()).max().unwrap_or(0);
    refuse_too_large(anchor, &room.night.plan, longest)?;
    if work.steps == 0 {
        decide(room, anchor, work, &examples)?;
        room.save(Some(work), None, &[])?;
    }
    examples.truncate(work.used.max(1));
    let recipe = recipe(&room.night.plan, work.steps);
    steps(room, anchor, recipe, examples, Stage::Tune)
}

/// Makes the steps of a recipe, from where a checkpoint was left if there is one. Gives what was learned.
pub(super) fn steps(
    room: &mut Room<'_>,
    anchor: &Anchor,
    recipe: Recipe,
    lessons: Vec<Lesson>,
    stage: Stage,
) -> Result<Tuner, NodeError> {
    let mut tuner = match room.checkpoint()? {
        Some(bytes) => match Tuner::resume(anchor, lessons.clone(), bytes.as_slice()) {
            // A damaged one costs the steps that were made, and nothing else.
            Err(hinet_train::TrainError::Checkpoint { .. }) => Tuner::new(anchor, recipe, lessons).map_err(failed)?,
            resumed => resumed.map_err(failed)?,
        },
        None => Tuner::new(anchor, recipe, lessons).map_err(failed)?,
    };
    let all = tuner.recipe().steps;
    let mut saved = Instant::now();
    while !tuner.is_finished() {
        room.gathered_check()?;
        let done = tuner.step(room.stop);
        let stopped = matches!(done, Err(hinet_train::TrainError::Cancelled));
        if stopped || saved.elapsed().as_secs() >= CHECKPOINT_S {
            let mut bytes = zeroize::Zeroizing::new(Vec::new());
            tuner.save(&mut *bytes).map_err(failed)?;
            room.save(None, Some(&bytes), &[])?;
            saved = Instant::now();
        }
        let report = done.map_err(failed)?;
        // What is reported as learned is what was learned for the owner.
        if stage == Stage::Tune {
            room.losses.push(report.loss);
            room.night.steps = tuner.steps_done();
        }
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "shown"
        )]
        let (pace, left) = {
            let read: usize = report.tokens;
            let left = (all - tuner.steps_done()) as f64 * report.seconds;
            ((read as f64 / report.seconds.max(1e-6)) as f32, left as u64)
        };
        room.tell(stage, tuner.steps_done(), all, pace, Some(left));
    }
    Ok(tuner)
}
