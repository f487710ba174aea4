//! Composing: a recipe of the owner's, models of the owner's machine, a folder.
//!
//! Nothing of the sealed home goes into it: what is merged are the files that the recipe names, and what routers are made of
//! are the public prompts that it holds.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hinet_compose::{Draft, ExpertsDraft, OpenedExperts, Options, Whose, compose_experts};
use hinet_model::{Anchor, LoadOptions};
use hinet_protocol::Hash;
use hinet_train::TrainError;
use hinet_train::grams::{Origin, PublicPrompts};
use hinet_train::judge::general;
use hinet_train::router::{Classifier, PublicRouter};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::{NodeError, of_training};
use crate::protocol::{ErrorKind, Event, Progress, Unit};
use crate::state::Node;

/// Tokens of a piece of the neutral text that the anchor's expert is known by.
const PIECE: usize = 48;

/// [`crate::protocol::Op::Compose`]: the recipe, and who leaves it first.
pub(crate) async fn compose(
    node: &Node,
    (recipe, without): (String, Vec<String>),
    out: String,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let (sink, cancel) = (sink.clone(), cancel.clone());
    node.apart("the composition", move |_| merge((Path::new(&recipe), &without), out, &sink, &cancel)).await
}

/// [`crate::protocol::Op::ComposeExperts`]: the recipe, and who leaves it first.
pub(crate) async fn experts(
    node: &Node,
    (recipe, without): (String, Vec<String>),
    out: String,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, stopped) = (stop.clone(), cancel.clone());
    let watching = tokio::spawn(async move {
        stopped.cancelled().await;
        flag.store(true, Ordering::Relaxed);
    });
    let sink = sink.clone();
    let made =
        node.apart("the composition", move |_| side_by_side((Path::new(&recipe), &without), out, &sink, &stop)).await;
    watching.abort();
    made
}

fn read(recipe: &Path) -> Result<String, NodeError> {
    std::fs::read_to_string(recipe).map_err(|error| {
        let said = format!("The recipe {} cannot be read ({error}).", recipe.display());
        NodeError::said(ErrorKind::Failed, said, "Name a file in YAML, as mergekit reads it.")
    })
}

/// Refuses a place that is taken before anything is read.
fn free(out: &str) -> Result<(), NodeError> {
    let path = Path::new(out).to_owned();
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(hinet_compose::ComposeError::Exists { path }.into());
    }
    Ok(())
}

fn reading(sink: &Sink, what: &str) {
    sink.progress(Progress { what: what.into(), done: 0, total: None, unit: Unit::Bytes });
}

/// Tells how far it is, and stops it where `stopped` says so.
fn told<'a>(
    sink: &'a Sink,
    stopped: impl Fn() -> bool + Send + 'a,
) -> impl FnMut(hinet_compose::Progress<'_>) -> ControlFlow<()> + Send + 'a {
    move |far| {
        let what = format!("writing {}", far.tensor);
        sink.progress(Progress { what, done: far.bytes, total: Some(far.of_bytes), unit: Unit::Bytes });
        if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn composed(out: String, members: Vec<Hash>, made: &hinet_compose::Composed) -> Event {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let (tensors, kept) = (count(made.tensors), count(made.kept));
    Event::Composed { out, recipe: made.recipe, members, tensors, kept, bytes: made.bytes }
}

fn merge(
    (recipe, without): (&Path, &[String]),
    out: String,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let whole = Draft::parse(&read(recipe)?)?;
    let draft = without.iter().try_fold(whole, |draft, model| draft.without(model))?;
    free(&out)?;
    reading(sink, "reading the models");
    let (plan, sources) = draft.open(recipe.parent().unwrap_or(Path::new("/")))?;
    // A GGUF file has no configuration that others read: another of the models lends its own.
    let whole = |folder: &&Path| folder.join("config.json").exists();
    let of_anchor = sources.get(&plan.anchor).and_then(|anchor| anchor.folder()).filter(whole);
    let files = of_anchor.or_else(|| sources.values().find_map(|source| source.folder().filter(whole)));
    let Some(files) = files else {
        return Err(NodeError::said(
            ErrorKind::Failed,
            "None of the models has a config.json, so no program could open what would come out.",
            "Name one of them as a folder of Hugging Face's, with its configuration and its tokenizer.",
        ));
    };
    let options = Options { files: Some(files.to_owned()), ..Options::default() };
    let mut told = told(sink, || cancel.is_cancelled());
    let made = hinet_compose::compose(&plan, &sources, Path::new(&out), &options, &mut told)?;
    Ok(composed(out, plan.who(), &made))
}

/// Prompts as the anchor reads them.
fn prompts(anchor: &Anchor, published: &str, texts: &[String]) -> Result<PublicPrompts, NodeError> {
    let texts = texts.iter().map(|text| anchor.encode(text, false)).collect();
    PublicPrompts::new(&Origin::Published(published.to_owned()), texts).map_err(failed)
}

fn failed(error: TrainError) -> NodeError {
    let stopped = || {
        NodeError::said(
            ErrorKind::Cancelled,
            "Composing was stopped before anything was written.",
            "The same command begins again.",
        )
    };
    of_training(error, stopped, "No router can be made of it; look at the prompts in the recipe.")
}

fn side_by_side(
    (recipe, without): (&Path, &[String]),
    out: String,
    sink: &Sink,
    stop: &AtomicBool,
) -> Result<Event, NodeError> {
    let whole = ExpertsDraft::parse(&read(recipe)?)?;
    let draft = without.iter().try_fold(whole, |draft, model| draft.without(model))?;
    free(&out)?;
    let root = recipe.parent().unwrap_or(Path::new("/"));
    reading(sink, "reading the models");
    let OpenedExperts { recipe: plan, sources, prompts: texts } = draft.open(root)?;
    let anchor = Anchor::open(&root.join(draft.base()), LoadOptions::default())?;
    let mut router = PublicRouter::new(Classifier::Ridge);
    reading(sink, "reading the public prompts");
    let neutral = anchor.encode(&general::neutral(), false);
    let pieces = neutral.chunks(PIECE).filter(|piece| piece.len() > 1).map(<[u32]>::to_vec).collect();
    let general = PublicPrompts::new(&Origin::Published("the neutral text of HiNet".into()), pieces).map_err(failed)?;
    router.add(Whose::Anchor, &anchor, &general, stop).map_err(failed)?;
    for (member, texts) in &texts {
        let prompts = prompts(&anchor, draft.published(), texts)?;
        router.add(Whose::Member(*member), &anchor, &prompts, stop).map_err(failed)?;
    }
    // What read the prompts is not needed for writing.
    drop(anchor);
    let mut told = told(sink, || stop.load(Ordering::Relaxed));
    let made = compose_experts(&plan, &sources, &router, Path::new(&out), &Options::default(), &mut told)?;
    Ok(composed(out, plan.members, &made))
}
