//! Composing: a recipe of the owner's, models of the owner's machine, a folder.
//!
//! Nothing of the sealed home goes into it: what is merged are the files that the recipe names.

use std::ops::ControlFlow;
use std::path::Path;

use hinet_compose::{Draft, Options};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Event, Progress, Unit};
use crate::state::Node;

/// [`crate::protocol::Op::Compose`].
pub(crate) async fn compose(
    node: &Node,
    recipe: String,
    out: String,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let (sink, cancel) = (sink.clone(), cancel.clone());
    node.apart("the composition", move |_| merge(Path::new(&recipe), out, &sink, &cancel)).await
}

fn merge(recipe: &Path, out: String, sink: &Sink, cancel: &CancellationToken) -> Result<Event, NodeError> {
    let text = std::fs::read_to_string(recipe).map_err(|error| {
        let said = format!("The recipe {} cannot be read ({error}).", recipe.display());
        NodeError::said(ErrorKind::Failed, said, "Name a file in YAML, as mergekit reads it.")
    })?;
    let draft = Draft::parse(&text)?;
    sink.progress(Progress { what: "reading the models".into(), done: 0, total: None, unit: Unit::Bytes });
    let (plan, sources) = draft.open(recipe.parent().unwrap_or(Path::new("/")))?;
    let mut told = |far: hinet_compose::Progress<'_>| {
        let what = format!("merging {}", far.tensor);
        sink.progress(Progress { what, done: far.bytes, total: Some(far.of_bytes), unit: Unit::Bytes });
        if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
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
    let made = hinet_compose::compose(&plan, &sources, Path::new(&out), &options, &mut told)?;
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let (tensors, kept) = (count(made.tensors), count(made.kept));
    Ok(Event::Composed { out, recipe: made.recipe, members: plan.who(), tensors, kept, bytes: made.bytes })
}
