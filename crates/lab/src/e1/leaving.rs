//! A member leaves: what is composed then, where its Grams still lie about, is held against what the others compose who
//! never met it.

use super::{
    members::Member,
    merges::{Composed, Merger, with_virtual},
    report::OptOut,
    trial::{Trial, piece},
};
use crate::{LabError, desk::Desk};
use hinet_train::grams::PublicPrompts;
use std::fs::File;

/// Whether the last member can leave the composition of all; `merger` composes all of them.
pub(super) fn left(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    members: &[Member],
    (merger, own): (&mut Merger<'_>, &PublicPrompts),
) -> Result<OptOut, LabError> {
    let (others, last) = members.split_at(members.len().saturating_sub(1));
    let whole = with_virtual(trial, members);
    let [hash, prompts] = merger.key(&whole)?;
    let byte_equal = trial.marked(desk, "leaving", &[&hash, &prompts], |watch| {
        let mut recipe = whole.clone();
        for member in last {
            recipe = recipe.leave(member.hash)?;
        }
        let left = watch.part(piece(0, 2), |watch| merger.made(&recipe, watch))?;
        let left = bytes(left)?;
        // There is no room for the Grams of both.
        merger.forget();
        let mut strangers = Merger::new(trial, others, own)?;
        let never = watch.part(piece(1, 2), |watch| strangers.made(&with_virtual(trial, others), watch))?;
        Ok(left == bytes(never)?)
    })?;
    Ok(OptOut { byte_equal })
}

/// The hash of all bytes of a composed model's file, which is taken away.
fn bytes(composed: Composed) -> Result<blake3::Hash, LabError> {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(&composed.file).and_then(|file| hasher.update_reader(file).map(|_| ()));
    read.map_err(|source| LabError::Disk { path: composed.file.clone(), source })?;
    Ok(hasher.finalize())
}
