//! What merging lost is learned again: a few dozen steps on the members' answers to their public prompts, and on what
//! the bare anchor says about its own words, so that the rest stays. The same steps from the bare anchor say what the
//! merge was worth.
//!
//! Only the words that answer count, as when members are tuned, and of the anchor's own words about as many.

use super::{
    Plan,
    exam::Marks,
    members::{self, Member},
    merges::{self, Composed, Merger, open},
    trial::{Trial, let_go, piece},
};
use crate::{LabError, desk::Desk};
use hinet_model::Anchor;
use hinet_train::{
    Example, Full, Lesson, Method, Recipe, distill,
    judge::{Judge, Watch},
    replay::Own,
};
use std::path::Path;

/// Tokens of a text of the anchor's own.
const LONGEST: usize = 64;
/// What the control is called.
pub(crate) const BARE: &str = "distilled from the bare anchor, same steps (control)";

/// What the row of the distilled merge is called.
pub(crate) fn name(plan: &Plan) -> String {
    format!("RegMean + virtual member, distilled ({} steps)", plan.sizes.distil_steps)
}

fn recipe(plan: &Plan) -> Recipe {
    let (sizes, steps) = (&plan.sizes, plan.sizes.distil_steps);
    Recipe {
        method: Method::Full(Full::Mlp),
        learning_rate: sizes.distil_rate,
        warmup: 5.min(steps / 4),
        steps,
        batch: sizes.batch,
        beta2: 0.99,
        seed: plan.seed,
        ..Recipe::default()
    }
}

/// What is distilled; the lessons are made when first asked for.
pub(crate) struct Distillate<'a> {
    trial: &'a Trial<'a>,
    members: &'a [Member],
    own: &'a [Own],
    lessons: Option<Vec<Lesson>>,
}

impl<'a> Distillate<'a> {
    /// Of members, with these texts of the bare anchor's.
    pub fn new(trial: &'a Trial<'a>, members: &'a [Member], own: &'a [Own]) -> Self {
        Self { trial, members, own, lessons: None }
    }

    /// What decides it, beside the packs, the anchor and the kernels.
    fn key(&self) -> String {
        let members: String = self.members.iter().map(|member| member.hash.to_string()).collect();
        let own = blake3::hash(format!("{:?}", self.own).as_bytes());
        format!("{members} {own} {LONGEST} {} {:?}", distill::LIKELIEST, recipe(self.trial.plan))
    }

    /// The marks of the merge of the members once it learned; `kept` is that merge, where it is there already.
    pub fn of_merge(
        &mut self,
        desk: &mut Desk<'_>,
        merger: &mut Merger<'_>,
        mut kept: Option<Composed>,
    ) -> Result<Marks, LabError> {
        let (trial, plan) = (self.trial, self.trial.plan);
        let recipe = merges::with_virtual(trial, self.members);
        let [hash, prompts] = merger.key(&recipe)?;
        let key = self.key();
        trial.marked(desk, &name(plan), &[&hash, &prompts, &key], |watch| {
            let made = match kept.take() {
                Some(made) => made,
                None => watch.part(piece(0, 2), |watch| merger.made(&recipe, watch))?,
            };
            // Tuning needs the room.
            merger.forget();
            let model = open(plan, &made.file)?;
            watch.part(piece(1, 2), |watch| self.marks("distilled into the merge", (&model, &made.file), watch))
        })
    }

    /// The marks of the bare anchor once it learned the same: the control.
    pub fn of_anchor(&mut self, desk: &mut Desk<'_>) -> Result<Marks, LabError> {
        let (trial, key) = (self.trial, self.key());
        trial.marked(desk, BARE, &[&key], |watch| {
            self.marks("distilled into the anchor", (trial.anchor, &trial.plan.anchor), watch)
        })
    }

    /// The marks of a model, opened from its file, once it learned.
    fn marks(&mut self, name: &str, (model, file): (&Anchor, &Path), watch: &mut Watch<'_>) -> Result<Marks, LabError> {
        let trial = self.trial;
        let lessons = watch.part(piece(0, 3), |watch| self.lessons(watch))?;
        let tuned = watch.part(piece(1, 3), |watch| {
            trial.inside(watch, |desk| desk.whole(name, (model, file), recipe(trial.plan), lessons))
        })?;
        let marks = watch.part(piece(2, 3), |watch| trial.exam.marks(&open(trial.plan, &tuned.made)?, watch))?;
        let_go(&tuned.made);
        Ok(marks)
    }

    fn lessons(&mut self, watch: &mut Watch<'_>) -> Result<Vec<Lesson>, LabError> {
        if let Some(lessons) = &self.lessons {
            return Ok(lessons.clone());
        }
        let (trial, count) = (self.trial, self.members.len() + 1);
        let mut all = Vec::new();
        for (at, (pack, member)) in trial.packs.iter().zip(self.members).enumerate() {
            let mut teacher = Judge::new(&open(trial.plan, &member.file)?, &[])?;
            let answers = members::examples(trial.anchor, pack);
            let taught = watch
                .part(piece(at, count), |watch| distill::lessons(&mut teacher, &answers, distill::LIKELIEST, watch))?;
            all.extend(taught);
        }
        let mut own = Vec::new();
        for text in self.own {
            own.extend(text.example(trial.anchor, LONGEST)?);
        }
        let own = thinned(own, all.iter().map(|lesson| lesson.teacher.len()).sum());
        if !own.is_empty() {
            let mut teacher = Judge::new(trial.anchor, &[])?;
            let taught = watch.part(piece(count - 1, count), |watch| {
                distill::lessons(&mut teacher, &own, distill::LIKELIEST, watch)
            })?;
            all.extend(taught);
        }
        Ok(self.lessons.insert(all).clone())
    }
}

/// Texts of which about so many tokens count together, where there are as many, at even distances.
fn thinned(mut texts: Vec<Example>, tokens: usize) -> Vec<Example> {
    // Nothing comes before the first token, so it never counts.
    let counting = |text: &Example| text.learn.iter().skip(1).filter(|learn| **learn).count();
    let every = texts.iter().map(counting).sum::<usize>().div_ceil(tokens.max(1)).max(1);
    let mut at = 0usize;
    for text in &mut texts {
        for learn in text.learn.iter_mut().skip(1).filter(|learn| **learn) {
            *learn = at.is_multiple_of(every);
            at += 1;
        }
    }
    texts.retain(|text| counting(text) > 0);
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_texts_about_as_many_tokens_count_as_are_wanted() {
        let texts = || vec![Example::whole(vec![7; 31]), Example::from(vec![8; 12], 10), Example::whole(vec![9; 9])];
        let counting = |texts: &[Example]| -> Vec<usize> {
            texts.iter().map(|text| text.learn.iter().skip(1).filter(|learn| **learn).count()).collect()
        };
        assert_eq!(counting(&texts()), [30, 2, 8]);
        assert_eq!(counting(&thinned(texts(), 1000)), [30, 2, 8]);
        // Every fourth of forty; neither of the second text's two is one of them, so it goes.
        assert_eq!(counting(&thinned(texts(), 10)), [8, 2]);
        assert!(thinned(Vec::new(), 10).is_empty());
    }
}
