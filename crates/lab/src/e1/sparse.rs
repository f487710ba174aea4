//! Members side by side in one sparse model, as owners compose it: by its own routers, which see tokens, and by the gate of
//! the product, which sees the whole prompt.

use super::{
    exam::Marks,
    gate::{Chosen, Parts},
    members::Member,
    merges,
    trial::{Trial, piece},
};
use crate::{LabError, desk::Desk, own};
use hinet_compose::{Experts, Float, GgufFile, Options, Source, Sources, Whose, compose_experts, gather};
use hinet_model::Anchor;
use hinet_train::{
    TrainError,
    grams::PublicPrompts,
    judge::{Judge, Watch},
    router::{Classifier, PublicRouter},
};
use std::{fs, ops::ControlFlow, path::PathBuf, sync::Arc, sync::atomic::Ordering};

/// What the row by the product's gate is called.
pub(super) const GATED: &str = "moe: right-sized prompt gate";

/// The folder of a sparse model, which is taken away again.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be taken away lies in the experiment's folder, and is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The marks of the sparse model by what they are called.
pub(super) fn marks(
    desk: &mut Desk<'_>,
    trial: &Trial<'_>,
    members: &[Member],
    chosen: &Chosen,
) -> Result<Vec<(&'static str, Marks)>, LabError> {
    let plan = trial.plan;
    let anchor = trial.anchor.passport().weights;
    // Four bits would round most of what was learned away.
    let recipe = Experts { dtype: Some(Float::F16), ..Experts::new(anchor, members.iter().map(|member| member.hash)) };
    let texts = own::texts(desk, trial.anchor, plan.sizes.own, plan.seed)?;
    let own = PublicPrompts::of_anchor(trial.anchor, &texts)?;
    let prompts: String =
        members.iter().map(|member| member.prompts.hash()).chain([own.hash()]).map(|h| h.to_string()).collect();
    let hash = recipe.hash()?.to_string();
    let everybody: Parts = (0..members.len()).map(|member| (member, 1.0)).collect();
    let (questions, windows) = (chosen.questions.len(), chosen.windows.len());
    let ways = [
        ("moe: its routers, two experts a token", None),
        (GATED, Some((chosen.questions.clone(), chosen.windows.clone()))),
        ("moe: all members alike (control)", Some((vec![everybody.clone(); questions], vec![everybody; windows]))),
    ];
    let (mut all, mut made) = (Vec::with_capacity(ways.len()), None);
    for (name, way) in ways {
        let marks = trial.marked(desk, name, &[&hash, &prompts, &format!("{way:?}")], |watch| {
            let (model, _) = match &made {
                Some(made) => made,
                None => made.insert(watch.part(piece(0, 2), |watch| composed(trial, members, &recipe, &own, watch))?),
            };
            watch.part(piece(1, 2), |watch| match &way {
                None => trial.exam.marks(model, watch),
                Some((questions, windows)) => {
                    let mut judge = |parts: &[(usize, f32)]| -> Result<Judge, LabError> {
                        Ok(Judge::new(model, &[])?.with_experts(&weights(&recipe, members, parts))?)
                    };
                    trial.exam.marks_by(questions, windows, &mut judge, watch)
                }
            })
        })?;
        all.push((name, marks));
    }
    Ok(all)
}

/// How much of each expert; the anchor's alone where nobody was chosen.
fn weights(recipe: &Experts, members: &[Member], parts: &[(usize, f32)]) -> Vec<f32> {
    let total: f32 = parts.iter().map(|(_, weight)| weight).sum();
    let of = |whose: Whose| match whose {
        Whose::Anchor => f32::from(u8::from(parts.is_empty())),
        Whose::Member(hash) => {
            let mine = parts.iter().filter(|(member, _)| members[*member].hash == hash);
            mine.map(|(_, weight)| weight / total).sum()
        }
    };
    recipe.experts().into_iter().map(of).collect()
}

/// Composes it, and opens it.
fn composed(
    trial: &Trial<'_>,
    members: &[Member],
    recipe: &Experts,
    own: &PublicPrompts,
    watch: &mut Watch<'_>,
) -> Result<(Anchor, Folder), LabError> {
    let (plan, parts) = (trial.plan, members.len() + 3);
    let mut at = 0;
    let mut goes_on = |watch: &mut Watch<'_>| {
        at += 1;
        if watch.goes_on(at - 1, parts) { Ok(()) } else { Err(LabError::from(TrainError::Unjudged)) }
    };
    let mut router = PublicRouter::new(Classifier::Ridge);
    goes_on(watch)?;
    router.add(Whose::Anchor, trial.anchor, own, trial.stop)?;
    for member in members {
        goes_on(watch)?;
        router.add(Whose::Member(member.hash), trial.anchor, &member.prompts, trial.stop)?;
    }
    goes_on(watch)?;
    let sources: Sources = gather(
        std::iter::once(Arc::new(GgufFile::open(&plan.anchor)?) as Arc<dyn Source>)
            .chain(members.iter().map(|member| Arc::clone(&member.source))),
    )?;
    let folder = Folder(plan.dir.join(format!("sparse-{}", &recipe.hash()?.to_string()[..16])));
    if folder.0.exists() {
        fs::remove_dir_all(&folder.0).map_err(|source| LabError::Disk { path: folder.0.clone(), source })?;
    }
    let options = Options { threads: plan.threads.unwrap_or(0), ..Options::default() };
    let mut told = |_: hinet_compose::Progress<'_>| {
        if trial.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    compose_experts(recipe, &sources, &router, &folder.0, &options, &mut told)?;
    let model = merges::open(plan, &folder.0)?;
    Ok((model, folder))
}
