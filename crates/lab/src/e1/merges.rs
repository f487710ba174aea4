//! Compositions: which recipes, the Grams they ask for, and the model file each becomes.

use super::{
    Plan,
    members::Member,
    trial::{Trial, piece},
};
use crate::{
    LabError,
    desk::{places, write_folded},
};
use hinet_compose::{
    Checkpoint, Float, GgufFile, Grams, Method, Options, Recipe, Source, Sources, Whose, compose, gather,
};
use hinet_model::{Anchor, Config, LoadOptions, ModelError, gguf::Gguf};
use hinet_protocol::Hash;
use hinet_train::{
    TrainError,
    grams::{PublicGrams, PublicPrompts},
    judge::Watch,
};
use std::{
    collections::BTreeSet,
    fs,
    ops::ControlFlow,
    panic,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
};

/// The weight of the virtual member in the composition that has it.
const VIRTUAL: f32 = 2.0;
/// What TIES keeps of each member.
const DENSITY: f32 = 0.2;

/// Parameters by their names.
type Numbers<'a> = &'a [(&'static str, f32)];

fn recipe<'m>(
    trial: &Trial<'_>,
    members: impl IntoIterator<Item = &'m Member>,
    method: Method,
    (shared, own): (Numbers<'_>, Numbers<'_>),
) -> Recipe {
    let mut recipe = Recipe::new(trial.anchor.passport().weights, method);
    recipe.parameters = shared.iter().map(|(name, number)| ((*name).to_owned(), (*number).into())).collect();
    // Linear layers lie in four bits in the anchor, where most of a difference would be rounded away.
    recipe.dtype = Some(Float::F16);
    members.into_iter().fold(recipe, |recipe, member| recipe.with(member.hash, own.iter().copied()))
}

/// What the composition is called in which the anchor is a virtual member.
pub(crate) fn virtual_name() -> String {
    format!("RegMean, virtual anchor member of weight {VIRTUAL}")
}

/// The composition in which the anchor is a virtual member: of those that harm little the one that keeps most.
pub(crate) fn with_virtual<'m>(trial: &Trial<'_>, members: impl IntoIterator<Item = &'m Member>) -> Recipe {
    recipe(trial, members, Method::Regmean, (&[("anchor_weight", VIRTUAL)], &[]))
}

/// The sum of the members' differences, times a scale, and what it is called.
fn summed<'m>(trial: &Trial<'_>, members: impl IntoIterator<Item = &'m Member>, scale: f32) -> (String, Recipe) {
    let name = format!("task arithmetic, scale {scale}");
    (name, recipe(trial, members, Method::TaskArithmetic, (&[("lambda", scale)], &[])))
}

/// The one composition of members where only one is made, and what it is called: the one with the virtual member, or the
/// sum at a scale where there is no time for Grams.
pub(crate) fn one<'m>(
    trial: &Trial<'_>,
    members: impl IntoIterator<Item = &'m Member>,
    quick: Option<f32>,
) -> (String, Recipe) {
    match quick {
        Some(scale) => summed(trial, members, scale),
        None => (virtual_name(), with_virtual(trial, members)),
    }
}

/// All compositions by what they are called, the one with the virtual member last.
pub(crate) fn recipes(trial: &Trial<'_>, members: &[Member]) -> Vec<(String, Recipe)> {
    let mut all = Vec::new();
    all.extend(trial.plan.sizes.scales.iter().map(|scale| summed(trial, members, *scale)));
    let ties = recipe(trial, members, Method::Ties, (&[], &[("density", DENSITY)]));
    all.push((format!("TIES, density {DENSITY}"), ties));
    all.push(("RegMean".into(), recipe(trial, members, Method::Regmean, (&[("anchor_weight", 0.0)], &[]))));
    all.push((virtual_name(), with_virtual(trial, members)));
    all
}

/// Composes members, all of them or some, with Grams of each on its own public prompts, and of the anchor on its own
/// words, which are made when first asked for.
pub(crate) struct Merger<'a> {
    trial: &'a Trial<'a>,
    members: &'a [Member],
    own: &'a PublicPrompts,
    sources: Sources,
    grams: PublicGrams,
    /// Whose Grams are there.
    gathered: BTreeSet<Whose>,
}

/// Whether a recipe asks for Grams.
fn wants(recipe: &Recipe) -> bool {
    recipe.method == Method::Regmean
}

impl<'a> Merger<'a> {
    pub fn new(trial: &'a Trial<'a>, members: &'a [Member], own: &'a PublicPrompts) -> Result<Self, LabError> {
        let anchor = Arc::new(GgufFile::open(&trial.plan.anchor)?) as Arc<dyn Source>;
        let sources = gather(std::iter::once(anchor).chain(members.iter().map(|member| Arc::clone(&member.source))))?;
        Ok(Self { trial, members, own, sources, grams: PublicGrams::new(), gathered: BTreeSet::new() })
    }

    /// Those of the members whom a recipe names.
    fn named(&self, recipe: &Recipe) -> impl Iterator<Item = &'a Member> {
        let hashes: BTreeSet<Hash> = recipe.members.iter().map(|member| member.hash).collect();
        self.members.iter().filter(move |member| hashes.contains(&member.hash))
    }

    /// What decides a composition, beside the kernels: the recipe, and the prompts of the Grams it asks for.
    pub fn key(&self, recipe: &Recipe) -> Result<[String; 2], LabError> {
        let prompts = self.named(recipe).map(|member| member.prompts.hash()).chain([self.own.hash()]);
        let prompts =
            if wants(recipe) { prompts.map(|hash| hash.to_string()).collect::<String>() } else { String::new() };
        Ok([recipe.hash()?.to_string(), prompts])
    }

    /// What comes of a recipe.
    pub fn made(&mut self, recipe: &Recipe, watch: &mut Watch<'_>) -> Result<Composed, LabError> {
        if wants(recipe) {
            watch.part(piece(0, 2), |watch| self.gather(recipe, watch))?;
        }
        let grams = wants(recipe).then_some(&self.grams as &dyn Grams);
        watch.part(piece(1, 2), |watch| composed(self.trial, recipe, (&self.sources, grams), watch))
    }

    /// Lets the Grams go, which lie in memory; they are made anew where somebody asks for them again.
    pub fn forget(&mut self) {
        (self.grams, self.gathered) = (PublicGrams::new(), BTreeSet::new());
    }

    /// Makes the Grams that a recipe asks for and that are not there.
    fn gather(&mut self, recipe: &Recipe, watch: &mut Watch<'_>) -> Result<(), LabError> {
        let missing = |member: &&Member| !self.gathered.contains(&Whose::Member(member.hash));
        let missing: Vec<&Member> = self.named(recipe).filter(missing).collect();
        let (count, stop) = (missing.len() + 1, self.trial.stop);
        for (at, member) in missing.into_iter().enumerate() {
            if !watch.goes_on(at, count) {
                return Err(TrainError::Unjudged.into());
            }
            let model = open(self.trial.plan, &member.file)?;
            let whose = Whose::Member(member.hash);
            self.grams.add(whose, &model, &member.prompts, stop)?;
            self.gathered.insert(whose);
        }
        if !self.gathered.contains(&Whose::Anchor) {
            self.grams.add(Whose::Anchor, self.trial.anchor, self.own, stop)?;
            self.gathered.insert(Whose::Anchor);
        }
        watch.goes_on(count, count);
        Ok(())
    }
}

/// Opens a model with the experiment's threads.
pub(crate) fn open(plan: &Plan, file: &Path) -> Result<Anchor, LabError> {
    Ok(Anchor::open(file, LoadOptions { threads: plan.threads, kernel: None })?)
}

/// A composed model's file, which is taken away again.
pub(crate) struct Composed {
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
fn composed(
    trial: &Trial<'_>,
    recipe: &Recipe,
    (sources, grams): (&Sources, Option<&dyn Grams>),
    watch: &mut Watch<'_>,
) -> Result<Composed, LabError> {
    let (plan, stop) = (trial.plan, trial.stop);
    let name = format!("composed-{}", &recipe.hash()?.to_string()[..16]);
    // What is half written of either has the name with `.part`, so the two are called differently.
    let made = Composed { folder: plan.dir.join(&name), file: plan.dir.join(name + "-folded.gguf") };
    if made.folder.exists() {
        fs::remove_dir_all(&made.folder).map_err(|source| LabError::Disk { path: made.folder.clone(), source })?;
    }
    let options = Options { threads: plan.threads.unwrap_or(0), grams, ..Options::default() };
    let (tell, heard) = mpsc::channel();
    let (place, options) = (made.folder.as_path(), &options);
    // Whoever watches hears of it on this thread, so the work is done on another.
    thread::scope(|scope| {
        let work = scope.spawn(move || {
            let mut told = move |progress: hinet_compose::Progress<'_>| {
                // Nobody listens any more where the other thread came to an end.
                let _ = tell.send((progress.tensors, progress.of_tensors));
                if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            compose(recipe, sources, place, options, &mut told)
        });
        for (done, all) in heard {
            watch.goes_on(done, all);
        }
        work.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
    })?;
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
