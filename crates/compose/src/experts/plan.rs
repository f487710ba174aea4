//! What is to be done for each tensor of a sparse model.

use super::{
    Experts, Route, Router, Shared,
    layout::{Layout, Part, foreign, part},
};
use crate::{
    ComposeError, Rule, Share, Source, Sources, Sparsity, Whose,
    merge::Rescale,
    plan::{Input, Job, found, known},
    source::Info,
};
use std::{collections::BTreeMap, sync::Arc};

/// Plans all tensors of the result, in the order of their names.
pub(super) fn plan<'a>(
    recipe: &Experts,
    sources: &Sources,
    layout: &Layout,
    router: &'a dyn Router,
) -> Result<Vec<Job<'a>>, ComposeError> {
    let source = |hash| sources.get(&hash).ok_or(ComposeError::Absent { hash });
    let anchor = source(recipe.anchor)?;
    let experts: Arc<[Whose]> = recipe.experts().into();
    let mut members = Vec::new();
    for whose in experts.iter() {
        if let Whose::Member(hash) = whose {
            let member = source(*hash)?;
            known(member.as_ref(), anchor.as_ref())?;
            members.push((*hash, member));
        }
    }
    let of_expert = |whose: &Whose| match whose {
        Whose::Anchor => Ok(anchor),
        Whose::Member(hash) => source(*hash),
    };
    let format = |info: &Info| recipe.dtype.unwrap_or(info.float);
    let mut jobs: BTreeMap<String, Job<'a>> = BTreeMap::new();
    let mut put = |job: Job<'a>| drop(jobs.insert(job.name.clone(), job));
    for (name, info) in anchor.tensors() {
        let info = Info { float: format(info), ..info.clone() };
        match part(name) {
            Part::Feed { layer, matrix } => {
                for (expert, whose) in experts.iter().enumerate() {
                    let base = input(of_expert(whose)?, name, &info)?;
                    let name = format!("model.layers.{layer}.block_sparse_moe.experts.{expert}.{matrix}.weight");
                    put(copy(name, info.clone(), base));
                }
            }
            Part::Shared => {
                let base = input(anchor, name, &info)?;
                let mut job = copy(name.clone(), info.clone(), base);
                // Looked at even where they are not taken: a member of another shape is no member of this anchor.
                let inputs = members.iter().map(|(who, member)| Ok((*who, input(member, name, &info)?)));
                let inputs = inputs.collect::<Result<Vec<_>, ComposeError>>()?;
                if recipe.attention == Shared::Average {
                    job.rule = mean(recipe.scale);
                    job.shares = inputs.iter().map(|(who, _)| Share { who: *who, ..Share::default() }).collect();
                    job.members = inputs.into_iter().map(|(_, input)| input).collect();
                }
                put(job);
            }
            Part::Follows => {}
            // The layout was looked at before.
            Part::Foreign(_) => return Err(foreign(anchor.as_ref(), name)),
        }
    }
    for layer in 0..layout.layers {
        let (name, gate) = (format!("model.layers.{layer}.block_sparse_moe.gate.weight"), layout.gate(layer));
        let (_, info) = found(anchor.as_ref(), None, &gate)?;
        let info = Info { shape: vec![experts.len(), layout.width], float: format(info) };
        let route = Route { router, layer, experts: experts.clone(), width: layout.width };
        put(copy(name, info, Input::Route(route)));
    }
    Ok(jobs.into_values().collect())
}

/// A tensor that is one of the sources' as it is.
fn copy(name: String, info: Info, base: Input<'_>) -> Job<'_> {
    Job { name, info, rule: Rule::Passthrough, shares: Vec::new(), base, members: Vec::new() }
}

/// The mean of whole weights, which one member alone leaves as they are to the bit; with a scale, of differences.
#[allow(clippy::float_cmp, reason = "one is what is written where nothing is said")]
fn mean(scale: f32) -> Rule {
    if scale == 1.0 {
        return Rule::Linear { normalize: true };
    }
    let (sparsity, rescale) = (Sparsity::None, Rescale::None);
    Rule::Arithmetic { sparsity, rescale, consensus: false, normalize: true, lambda: scale }
}

fn input(source: &Arc<dyn Source>, named: &str, expected: &Info) -> Result<Input<'static>, ComposeError> {
    let (name, info) = found(source.as_ref(), None, named)?;
    if info.shape != expected.shape {
        let (expected, found) = (expected.shape.clone(), info.shape.clone());
        return Err(ComposeError::Shape { name, whose: source.label(), expected, found });
    }
    Ok(Input::Tensor { source: source.clone(), name })
}
