//! Members: what each learns, and what comes of it as a model file of its own.

use super::{Plan, Tuning, exam::word, packs::Pack};
use crate::{LabError, desk::Desk, own};
use hinet_compose::{GgufFile, Source};
use hinet_model::Anchor;
use hinet_protocol::Hash;
use hinet_train::{
    Example, Full, Lesson, Lora, Method, Recipe,
    grams::{Origin, PublicPrompts},
};
use std::{path::PathBuf, sync::Arc};

/// Learning rate of whole matrices, with which the first trials of composition left the rest of the model nearly alone.
const RATE: f32 = 1e-4;
/// Tokens of a rehearsed text: few, because each of them counts as much as a whole fact.
const LONGEST: usize = 64;

/// One that takes part.
pub(super) struct Member {
    pub name: String,
    /// Its model file: the anchor's with linear layers changed, at half precision.
    pub file: PathBuf,
    /// The hash of its weights, as a recipe names it.
    pub hash: Hash,
    pub source: Arc<dyn Source>,
    /// What it was tuned with, all of it public; its Grams are made of it.
    pub prompts: PublicPrompts,
    /// The loss of every step, in nats.
    pub losses: Vec<f32>,
}

fn recipe(plan: &Plan, lessons: usize) -> Recipe {
    let sizes = &plan.sizes;
    let steps = (lessons as u64 * sizes.rounds).div_ceil(sizes.batch as u64).max(1);
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

/// Tunes a member on its pack, or finds the one that was tuned before. Only what comes after a prompt is learned.
pub(super) fn tuned(desk: &mut Desk<'_>, anchor: &Anchor, plan: &Plan, pack: &Pack) -> Result<Member, LabError> {
    let learned = || pack.facts.iter().flat_map(|fact| &fact.train);
    let prompts: Vec<Vec<u32>> = learned().map(|(prompt, _)| anchor.encode(prompt, false)).collect();
    let example = |((_, answer), prompt): (&(String, String), &Vec<u32>)| {
        Example::from([prompt.as_slice(), &word(anchor, answer)].concat(), prompt.len())
    };
    let examples: Vec<Example> = learned().zip(&prompts).map(example).collect();
    let (name, file) = (format!("the member {}", pack.name), plan.anchor.as_path());
    let (made, losses) = if plan.tuning == Tuning::Lora {
        let own = own::lessons(desk, anchor, (examples.len(), LONGEST), plan.seed)?;
        let lessons = own::mixed(examples, own);
        let tuned = desk.lora(&name, anchor, recipe(plan, lessons.len()), lessons)?;
        (desk.folded(&name, file, &tuned.made)?, tuned.losses)
    } else {
        let lessons: Vec<Lesson> = examples.into_iter().map(Lesson::from).collect();
        let tuned = desk.whole(&name, (anchor, file), recipe(plan, lessons.len()), lessons)?;
        (tuned.made, tuned.losses)
    };
    let origin = match &plan.packs {
        None => Origin::MadeUp(plan.seed),
        Some(path) => Origin::Published(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
    };
    let source = Arc::new(GgufFile::open(&made)?);
    Ok(Member {
        name: pack.name.clone(),
        hash: source.hash()?,
        source,
        file: made,
        prompts: PublicPrompts::new(&origin, prompts)?,
        losses,
    })
}
