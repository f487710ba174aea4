//! What a composition has to be compared with: one model that learned everything itself.

use super::{
    exam::Marks,
    members::{self, LONGEST, Member},
    merges::open,
    trial::{Trial, let_go, piece},
};
use crate::{LabError, desk::Desk};

/// What its row is called.
pub(super) const JOINT: &str = "joint training, same steps (control)";

/// The marks of one model that is tuned on all packs together, as the members are, in as many steps as all of them.
pub(super) fn joint(desk: &mut Desk<'_>, trial: &Trial<'_>, members: &[Member]) -> Result<Marks, LabError> {
    let plan = trial.plan;
    let steps: u64 = members.iter().map(|member| member.losses.len() as u64).sum();
    let key = format!("{:?} {LONGEST}", members::recipe(plan, steps));
    trial.marked(desk, JOINT, &[&key], |watch| {
        let examples = trial.packs.iter().flat_map(|pack| members::examples(trial.anchor, pack)).collect();
        let tuned = watch.part(piece(0, 2), |watch| {
            trial.inside(watch, |desk| {
                members::learned(desk, trial.anchor, plan, "one model of all packs", (examples, Some(steps)))
            })
        })?;
        let marks = watch.part(piece(1, 2), |watch| trial.exam.marks(&open(plan, &tuned.file)?, watch))?;
        let_go(&tuned.file);
        Ok(marks)
    })
}
