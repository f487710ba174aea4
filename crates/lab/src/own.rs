//! Texts that the anchor wrote itself: rehearsed beside what is new, and read for the virtual member of a merge.

use crate::{LabError, desk::Desk};
use hinet_model::Anchor;
use hinet_train::{
    Example, Lesson,
    judge::{Judge, Watch},
    replay::{self, Own},
};

/// `count` texts of the bare anchor's, drawn by `seed`.
pub(crate) fn texts(desk: &mut Desk<'_>, anchor: &Anchor, count: usize, seed: u64) -> Result<Vec<Own>, LabError> {
    let weights = anchor.passport().weights.to_string();
    let from = [weights.as_str(), &count.to_string(), &seed.to_string()];
    desk.measured("texts of the anchor's own", &from, |watch| {
        Ok(replay::write(&mut Judge::new(anchor, &[])?, count, seed, watch)?)
    })
}

/// What goes with `views` other texts, each cut to `longest` tokens, with what the anchor says about each of its tokens.
pub(crate) fn lessons(
    desk: &mut Desk<'_>,
    anchor: &Anchor,
    (views, longest): (usize, usize),
    seed: u64,
) -> Result<Vec<Lesson>, LabError> {
    let own = texts(desk, anchor, replay::wanted(views), seed)?;
    let mut told = |_, _| {};
    let mut teacher = Judge::new(anchor, &[])?;
    Ok(replay::lessons(&mut teacher, &own, longest, &mut Watch::new(desk.stop, &mut told))?)
}

/// What is new with the anchor's own among it, evenly.
pub(crate) fn mixed(examples: Vec<Example>, own: Vec<Lesson>) -> Vec<Lesson> {
    let every = (examples.len() / own.len().max(1)).max(1);
    replay::mixed(examples, own, every)
}
