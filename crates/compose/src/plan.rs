//! What is to be done for each tensor of the result: which tensors of whom, by which rule.

use crate::{
    ComposeError, Float, Method, Recipe, Rule, Share, Source, Sources, Stack,
    error::recipe,
    experts::Route,
    method::Settings,
    setting::Parameters,
    source::{Info, layer_of},
};
use hinet_protocol::Hash;
use std::{collections::BTreeMap, sync::Arc};

/// Where the numbers of one tensor come from.
#[derive(Clone)]
pub(crate) enum Input<'a> {
    /// A tensor of a source.
    Tensor { source: Arc<dyn Source>, name: String },
    /// The router of a layer.
    Route(Route<'a>),
}

impl Input<'_> {
    fn read(&self, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        match self {
            Self::Tensor { source, name } => source.read(name, first, out),
            Self::Route(route) => route.read(first, out),
        }
    }

    fn info(&self) -> Option<&Info> {
        match self {
            Self::Tensor { source, name } => source.tensors().get(name),
            Self::Route(_) => None,
        }
    }
}

/// One tensor of the result.
pub(crate) struct Job<'a> {
    pub name: String,
    pub info: Info,
    pub rule: Rule,
    pub shares: Vec<Share>,
    pub base: Input<'a>,
    pub members: Vec<Input<'a>>,
}

impl Stack for Job<'_> {
    fn rows(&self) -> usize {
        self.info.rows()
    }

    fn columns(&self) -> usize {
        self.info.columns()
    }

    fn members(&self) -> usize {
        self.members.len()
    }

    fn base(&self, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        self.base.read(first, out)
    }

    fn member(&self, index: usize, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        self.members[index].read(first, out)
    }
}

/// Where a tensor's inputs come from.
struct From<'a> {
    who: Hash,
    source: &'a Arc<dyn Source>,
    /// The number of the layer there; for tensors outside of layers, nothing.
    layer: Option<usize>,
    parameters: &'a Parameters,
}

/// Plans all tensors of the result, in the order of their names.
pub(crate) fn plan(recipe: &Recipe, sources: &Sources) -> Result<Vec<Job<'static>>, ComposeError> {
    recipe.check()?;
    let planner = Planner { recipe, sources, nothing: Parameters::new() };
    let mut jobs: BTreeMap<String, Job<'static>> = BTreeMap::new();
    for job in if recipe.slices.is_empty() { planner.whole()? } else { planner.sliced()? } {
        jobs.insert(job.name.clone(), job);
    }
    Ok(jobs.into_values().collect())
}

struct Planner<'a> {
    recipe: &'a Recipe,
    sources: &'a Sources,
    nothing: Parameters,
}

impl<'a> Planner<'a> {
    fn source(&self, hash: Hash) -> Result<&'a Arc<dyn Source>, ComposeError> {
        self.sources.get(&hash).ok_or(ComposeError::Absent { hash })
    }

    /// All tensors of the anchor, each from all members.
    fn whole(&self) -> Result<Vec<Job<'static>>, ComposeError> {
        let anchor = self.source(self.recipe.anchor)?;
        let layers = layers(anchor.as_ref());
        let mut members = Vec::new();
        for member in &self.recipe.members {
            let source = self.source(member.hash)?;
            known(source.as_ref(), anchor.as_ref())?;
            members.push((member, source));
        }
        let of = |name: &String| {
            let layer = layer_of(name).map(|(layer, _)| layer);
            let t = layer.map_or(0.0, |layer| place(layer, layers));
            let mut all: Vec<From<'_>> = members
                .iter()
                .map(|(member, source)| From { who: member.hash, source, layer, parameters: &member.parameters })
                .collect();
            if self.recipe.method.has_base() && !all.iter().any(|from| from.who == self.recipe.anchor) {
                all.push(From { who: self.recipe.anchor, source: anchor, layer, parameters: &self.nothing });
            }
            let fallback = Input::Tensor { source: anchor.clone(), name: name.clone() };
            self.job(name.clone(), name, t, &all, &self.nothing, Some(fallback))
        };
        anchor.tensors().keys().map(of).collect()
    }

    /// Layers from slices, what comes before them from the first slice and what comes after from the last.
    fn sliced(&self) -> Result<Vec<Job<'static>>, ComposeError> {
        let anchor = self.source(self.recipe.anchor)?;
        let mut jobs = Vec::new();
        let mut layer_out = 0;
        for slice in &self.recipe.slices {
            let sources: Vec<_> = slice
                .sources
                .iter()
                .map(|from| Ok((from, self.source(from.hash)?)))
                .collect::<Result<_, ComposeError>>()?;
            let count = slice.sources[0].layers.1 - slice.sources[0].layers.0;
            for index in 0..count {
                let t = if count > 1 { place(index, count) } else { 1.0 };
                let all: Vec<From<'_>> = sources
                    .iter()
                    .map(|(from, source)| From {
                        who: from.hash,
                        source,
                        layer: Some(from.layers.0 + index),
                        parameters: &from.parameters,
                    })
                    .collect();
                let first = &all[0];
                let wanted = first.layer.unwrap_or_default();
                let names: Vec<&String> = first
                    .source
                    .tensors()
                    .keys()
                    .filter(|name| layer_of(name).is_some_and(|(layer, _)| layer == wanted))
                    .collect();
                if names.is_empty() {
                    return Err(recipe(format!("{} has no layer {wanted}; shorten the slice", first.source.label())));
                }
                for name in names {
                    jobs.push(self.job(renamed(name, layer_out), name, t, &all, &slice.parameters, None)?);
                }
                layer_out += 1;
            }
        }
        let (first, last) = (&self.recipe.slices[0], &self.recipe.slices[self.recipe.slices.len() - 1]);
        for name in anchor.tensors().keys().filter(|name| layer_of(name).is_none()) {
            let slice = if name.contains("embed") { first } else { last };
            let from = |from: &'a crate::recipe::SliceSource| {
                let source = self.source(from.hash)?;
                Ok(From { who: from.hash, source, layer: None, parameters: &from.parameters })
            };
            let all = slice.sources.iter().map(from).collect::<Result<Vec<_>, ComposeError>>()?;
            jobs.push(self.job(name.clone(), name, 0.0, &all, &slice.parameters, None)?);
        }
        Ok(jobs)
    }

    /// One tensor: `name` in the result, called `named` in the first of its sources but for the layer's number.
    fn job(
        &self,
        name: String,
        named: &str,
        t: f32,
        all: &[From<'_>],
        slice: &Parameters,
        fallback: Option<Input<'static>>,
    ) -> Result<Job<'static>, ComposeError> {
        let (method, anchor) = (self.recipe.method, self.recipe.anchor);
        let (mut base, mut members, mut shares) = (fallback, Vec::new(), Vec::new());
        let tuned = self.recipe.tuned.as_ref().map(|tuned| &tuned.parameters);
        let shared = || tuned.into_iter().chain([slice, &self.recipe.parameters]);
        let mut expected: Option<Info> = base.as_ref().and_then(Input::info).cloned();
        for from in all {
            let (theirs, info) = found(from.source.as_ref(), from.layer, named)?;
            let wanted = expected.get_or_insert_with(|| info.clone());
            if wanted.shape != info.shape {
                let (expected, found) = (wanted.shape.clone(), info.shape.clone());
                return Err(ComposeError::Shape { name: theirs, whose: from.source.label(), expected, found });
            }
            let input = Input::Tensor { source: from.source.clone(), name: theirs.clone() };
            if method.has_base() && from.who == anchor {
                // The format of the result is the base's.
                wanted.float = info.float;
                base = Some(input);
                continue;
            }
            let scopes = std::iter::once(from.parameters).chain(shared()).collect();
            let settings = Settings { scopes, tensor: &theirs, t };
            shares.push(method.share(from.who, key(self.recipe.seed, &name, from.who), &settings)?);
            members.push(input);
        }
        let rule = method.rule(&Settings { scopes: shared().collect(), tensor: &name, t })?;
        let Some((base, mut info)) = base.or_else(|| members.first().cloned()).zip(expected) else {
            return Err(recipe("one of its slices has no source"));
        };
        if method.has_base() && self.recipe.slices.iter().any(|slice| slice.sources.iter().all(|s| s.hash != anchor)) {
            return Err(recipe("one of its slices lacks the base model among its sources; add it with its layers"));
        }
        if let Some(float) = self.recipe.dtype {
            info.float = float;
        }
        Ok(Job { name, info, rule, shares, base, members })
    }
}

/// The tensor of a source that corresponds to one named `named` in another, where that is layer `layer`.
pub(crate) fn found<'s>(
    source: &'s dyn Source,
    layer: Option<usize>,
    named: &str,
) -> Result<(String, &'s Info), ComposeError> {
    let mut name = layer.map_or_else(|| named.to_owned(), |layer| renamed(named, layer));
    let tensors = source.tensors();
    if name == "lm_head.weight" && !tensors.contains_key(&name) && source.tied() {
        name = "model.embed_tokens.weight".into();
    }
    let Some(info) = tensors.get(&name) else {
        return Err(ComposeError::MissingTensor { name, whose: source.label() });
    };
    Ok((name, info))
}

/// A tensor's name with another layer's number.
fn renamed(name: &str, layer: usize) -> String {
    layer_of(name).map_or_else(|| name.to_owned(), |(_, at)| format!("{}{layer}{}", &name[..at.start], &name[at.end..]))
}

/// Where a layer lies among `count`, from 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "a number of layers")]
fn place(layer: usize, count: usize) -> f32 {
    if count > 1 { layer as f32 / (count - 1) as f32 } else { 1.0 }
}

fn layers(source: &dyn Source) -> usize {
    source.tensors().keys().filter_map(|name| layer_of(name)).map(|(layer, _)| layer + 1).max().unwrap_or(0)
}

/// Refuses members that have what the anchor has not.
pub(crate) fn known(source: &dyn Source, anchor: &dyn Source) -> Result<(), ComposeError> {
    let fits = |name: &String| {
        // What follows from the configuration, and a head that is the embedding once more, are nothing of their own.
        let follows = name.ends_with("rotary_emb.inv_freq") || (name == "lm_head.weight" && source.tied());
        follows || anchor.tensors().contains_key(name)
    };
    match source.tensors().keys().find(|name| !fits(name)) {
        Some(name) => Err(ComposeError::UnknownTensor { name: name.clone(), whose: source.label() }),
        None => Ok(()),
    }
}

/// What the lots of a member are drawn from, for one tensor.
fn key(seed: u64, tensor: &str, who: Hash) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("hinet/compose/lots/v1");
    hasher.update(&seed.to_le_bytes()).update(&who.0).update(tensor.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// The number formats and layers of the result, which its configuration names.
pub(crate) fn shape(jobs: &[Job<'_>]) -> (usize, Option<Float>) {
    let layers = jobs.iter().filter_map(|job| layer_of(&job.name)).map(|(layer, _)| layer + 1).max().unwrap_or(0);
    (layers, jobs.first().map(|job| job.info.float).filter(|float| jobs.iter().all(|job| job.info.float == *float)))
}

/// Whether a recipe's method asks for input statistics.
pub(crate) fn wants_grams(recipe: &Recipe) -> bool {
    recipe.method == Method::Regmean
}
