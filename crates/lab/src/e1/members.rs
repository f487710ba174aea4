//! Members: what each learns, and what comes of it as a model file of its own.

use super::{Plan, Tuning, exam::word, packs::Pack};
use crate::{LabError, desk::Desk, own};
use hinet_compose::{GgufFile, Source};
use hinet_model::{Anchor, Delta};
use hinet_protocol::Hash;
use hinet_train::{
    Example, Full, Lesson, Lora, Method, Recipe,
    grams::{Origin, PublicPrompts},
};
use std::{path::PathBuf, sync::Arc};

/// Learning rate of whole matrices, with which the first trials of composition left the rest of the model nearly alone.
const RATE: f32 = 1e-4;
/// Tokens of a rehearsed text: few, because each of them counts as much as a whole fact.
pub(crate) const LONGEST: usize = 64;

/// One that takes part.
pub(crate) struct Member {
    pub name: String,
    /// Its model file: the anchor's with linear layers changed, at half precision.
    pub file: PathBuf,
    /// The hash of its weights, as a recipe names it.
    pub hash: Hash,
    pub source: Arc<dyn Source>,
    /// Its low-rank factors, where it was tuned with such.
    pub delta: Option<Delta>,
    /// What it was tuned with, all of it public; its Grams are made of it.
    pub prompts: PublicPrompts,
    /// The loss of every step, in nats.
    pub losses: Vec<f32>,
}

/// What tuning came to.
pub(crate) struct Learned {
    /// The model file.
    pub file: PathBuf,
    /// The low-rank factors, where it was tuned with such.
    pub delta: Option<Delta>,
    /// The loss of every step, in nats.
    pub losses: Vec<f32>,
}

/// How so many steps are made.
pub(crate) fn recipe(plan: &Plan, steps: u64) -> Recipe {
    let sizes = &plan.sizes;
    #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
    let alpha = 2.0 * sizes.rank as f32;
    let (method, learning_rate) = match plan.tuning {
        Tuning::Full => (Method::Full(Full::Linears), RATE),
        Tuning::Mlp => (Method::Full(Full::Mlp), RATE),
        Tuning::Lora => (
            Method::Lora(Lora { rank: sizes.rank, alpha, linears: sizes.linears.clone(), ..Lora::default() }),
            sizes.lora_rate,
        ),
    };
    let warmup = 8.min(steps / 4);
    Recipe {
        method,
        learning_rate,
        warmup,
        steps,
        batch: sizes.batch,
        beta2: 0.99,
        seed: plan.seed,
        ..Recipe::default()
    }
}

/// The public prompts of a pack, each with the word that goes on after it, which alone is learned.
pub(crate) fn examples(anchor: &Anchor, pack: &Pack) -> Vec<Example> {
    let example = |(prompt, answer): &(String, String)| {
        let prompt = anchor.encode(prompt, false);
        Example::from([prompt.as_slice(), &word(anchor, answer)].concat(), prompt.len())
    };
    pack.facts.iter().flat_map(|fact| &fact.train).map(example).collect()
}

/// Tunes on examples in the plan's way, or finds what was tuned before: in so many steps, or where none are given in as
/// many as the rounds of the plan make.
pub(crate) fn learned(
    desk: &mut Desk<'_>,
    anchor: &Anchor,
    plan: &Plan,
    name: &str,
    (examples, steps): (Vec<Example>, Option<u64>),
) -> Result<Learned, LabError> {
    let (sizes, file) = (&plan.sizes, plan.anchor.as_path());
    let rounds = |lessons: usize| (lessons as u64 * sizes.rounds).div_ceil(sizes.batch as u64).max(1);
    let how = |lessons: usize| recipe(plan, steps.unwrap_or_else(|| rounds(lessons)));
    if plan.tuning == Tuning::Lora {
        let own = own::lessons(desk, anchor, (examples.len(), LONGEST), plan.seed)?;
        let lessons = own::mixed(examples, own);
        let tuned = desk.lora(name, anchor, how(lessons.len()), lessons)?;
        let file = desk.folded(name, file, &tuned.made)?;
        return Ok(Learned { file, delta: Some(tuned.made), losses: tuned.losses });
    }
    let lessons: Vec<Lesson> = examples.into_iter().map(Lesson::from).collect();
    let tuned = desk.whole(name, (anchor, file), how(lessons.len()), lessons)?;
    Ok(Learned { file: tuned.made, delta: None, losses: tuned.losses })
}

/// Tunes a member on its pack, or finds the one that was tuned before. Only what comes after a prompt is learned.
pub(crate) fn tuned(desk: &mut Desk<'_>, anchor: &Anchor, plan: &Plan, pack: &Pack) -> Result<Member, LabError> {
    let name = format!("the member {}", pack.name);
    let learned = learned(desk, anchor, plan, &name, (examples(anchor, pack), None))?;
    let origin = match &plan.packs {
        None => Origin::MadeUp(plan.seed),
        Some(path) => Origin::Published(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
    };
    let prompts = pack.prompts().into_iter().map(|prompt| anchor.encode(prompt, false)).collect();
    let source = Arc::new(GgufFile::open(&learned.file)?);
    Ok(Member {
        name: pack.name.clone(),
        hash: source.hash()?,
        source,
        file: learned.file,
        delta: learned.delta,
        prompts: PublicPrompts::new(&origin, prompts)?,
        losses: learned.losses,
    })
}
