//! Compositions: which recipes, the Grams they ask for, and the model file each becomes.

use super::{Plan, members::Member};
use crate::{
    LabError,
    desk::{places, write_folded},
};
use hinet_compose::{Checkpoint, Float, Grams, Method, Options, Recipe, Source, Sources, Whose, compose};
use hinet_model::{Anchor, Config, LoadOptions, ModelError, gguf::Gguf};
use hinet_protocol::Hash;
use hinet_train::{
    TrainError,
    grams::{PublicGrams, PublicPrompts},
    judge::Watch,
};
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// The weight of the virtual member in the composition that has it.
const VIRTUAL: f32 = 2.0;
/// What TIES keeps of each member.
const DENSITY: f32 = 0.2;

/// All compositions by what they are called.
pub(super) fn recipes(plan: &Plan, anchor: Hash, members: &[Member]) -> Vec<(String, Recipe)> {
    let recipe = |method: Method, shared: &[(&str, f32)], own: &[(&'static str, f32)]| {
        let mut recipe = Recipe::new(anchor, method);
        recipe.parameters = shared.iter().map(|(name, number)| ((*name).to_owned(), (*number).into())).collect();
        // Linear layers lie in four bits in the anchor, where most of a difference would be rounded away.
        recipe.dtype = Some(Float::F16);
        members.iter().fold(recipe, |recipe, member| recipe.with(member.hash, own.iter().copied()))
    };
    let mut all = Vec::new();
    for scale in &plan.sizes.scales {
        let name = format!("task arithmetic, scale {scale}");
        all.push((name, recipe(Method::TaskArithmetic, &[("lambda", *scale)], &[])));
    }
    all.push((format!("TIES, density {DENSITY}"), recipe(Method::Ties, &[], &[("density", DENSITY)])));
    all.push(("RegMean".into(), recipe(Method::Regmean, &[("anchor_weight", 0.0)], &[])));
    let name = format!("RegMean, virtual anchor member of weight {VIRTUAL}");
    all.push((name, recipe(Method::Regmean, &[("anchor_weight", VIRTUAL)], &[])));
    all
}

/// Grams of all members on their own public prompts, and of the anchor on its own words; made when first asked for.
pub(super) struct Statistics<'a> {
    plan: &'a Plan,
    anchor: &'a Anchor,
    members: &'a [Member],
    own: &'a PublicPrompts,
    made: Option<PublicGrams>,
}

impl<'a> Statistics<'a> {
    pub fn new(plan: &'a Plan, anchor: &'a Anchor, members: &'a [Member], own: &'a PublicPrompts) -> Self {
        Self { plan, anchor, members, own, made: None }
    }

    /// What decides them, beside the weights of the members and the kernels.
    pub fn key(&self) -> String {
        let prompts = self.members.iter().map(|member| member.prompts.hash());
        prompts.chain([self.own.hash()]).map(|hash| hash.to_string()).collect()
    }

    pub fn get(&mut self, stop: &AtomicBool, watch: &mut Watch<'_>) -> Result<&PublicGrams, LabError> {
        let grams = match self.made.take() {
            Some(made) => made,
            None => self.gathered(stop, watch)?,
        };
        Ok(self.made.insert(grams))
    }

    fn gathered(&self, stop: &AtomicBool, watch: &mut Watch<'_>) -> Result<PublicGrams, LabError> {
        let (mut grams, count) = (PublicGrams::new(), self.members.len() + 1);
        for (at, member) in self.members.iter().enumerate() {
            if !watch.goes_on(at, count) {
                return Err(TrainError::Unjudged.into());
            }
            let model = open(self.plan, &member.file)?;
            grams.add(Whose::Member(member.hash), &model, &member.prompts, stop)?;
        }
        grams.add(Whose::Anchor, self.anchor, self.own, stop)?;
        watch.goes_on(count, count);
        Ok(grams)
    }
}

/// Opens a model with the experiment's threads.
pub(super) fn open(plan: &Plan, file: &Path) -> Result<Anchor, LabError> {
    Ok(Anchor::open(file, LoadOptions { threads: plan.threads, kernel: None })?)
}

/// A composed model's file, which is taken away again.
pub(super) struct Composed {
    folder: PathBuf,
    pub file: PathBuf,
}

impl Drop for Composed {
    fn drop(&mut self) {
        // What cannot be taken away lies in the experiment's folder, and is written over the next time.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.file);
    }
}

/// Composes a recipe and folds what comes of it into the anchor's file, which has the configuration and the tokenizer.
///
/// A composition that was stopped is gone on with.
pub(super) fn composed(
    plan: &Plan,
    recipe: &Recipe,
    sources: &Sources,
    grams: Option<&dyn Grams>,
    stop: &AtomicBool,
) -> Result<Composed, LabError> {
    let name = format!("composed-{}", &recipe.hash()?.to_string()[..16]);
    // What is half written of either has the name with `.part`, so the two are called differently.
    let made = Composed { folder: plan.dir.join(&name), file: plan.dir.join(name + "-folded.gguf") };
    if made.folder.exists() {
        fs::remove_dir_all(&made.folder).map_err(|source| LabError::Disk { path: made.folder.clone(), source })?;
    }
    let options = Options { threads: plan.threads.unwrap_or(0), grams, ..Options::default() };
    let mut told = |_: hinet_compose::Progress<'_>| {
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    compose(recipe, sources, &made.folder, &options, &mut told)?;
    let folder = Checkpoint::open(&made.folder)?;
    let file = Gguf::open(&plan.anchor)?;
    let places = places(&Config::from_gguf(&file)?);
    let mut failed = None;
    let folded = write_folded(&made.file, &file, &places, &mut |place, weights| {
        let name = format!("{}.weight", place.path());
        folder.read(&name, 0, weights).map_err(|error| {
            failed = Some(error);
            ModelError::BadTensor { name, problem: "could not be read from what was composed" }
        })
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    folded.map(|()| made)
}
