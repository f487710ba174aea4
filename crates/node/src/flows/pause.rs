//! Pausing the memory altogether: no source is read and nothing new is taken in; recall goes on.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use hinet_consent::EntryKind;
use hinet_vault::Vault;

use crate::failure::NodeError;
use crate::flows::{background, status};
use crate::protocol::{ErrorKind, Event};
use crate::settings::Presence;
use crate::state::Node;

const PAUSED: &str = "memory/paused";

/// Whether a home was left paused.
pub(crate) fn was_paused(vault: &Vault) -> Result<bool, NodeError> {
    Ok(vault.read(|r| r.meta(PAUSED))?.is_some_and(|mark| !mark.is_empty()))
}

/// Whether remembering is paused now.
pub(crate) fn is_on(node: &Node) -> bool {
    node.paused.load(Ordering::SeqCst)
}

/// Refuses what would take something in while remembering is paused.
pub(crate) fn check(node: &Node) -> Result<(), NodeError> {
    if !is_on(node) {
        return Ok(());
    }
    Err(NodeError::said(
        ErrorKind::Refused,
        "Remembering is paused: nothing new is read.",
        "Resume it in the memory pane, or with `icore memory resume`.",
    ))
}

/// [`crate::protocol::Op::MemoryPause`].
pub(crate) async fn pause(node: &Node, paused: bool) -> Result<Event, NodeError> {
    let changed = node.apart("the pause", move |node| set(node, paused)).await?;
    if changed && !paused && node.settings.presence == Presence::Lasting {
        // What changed meanwhile was not watched.
        let reader = node.clone();
        node.tasks.spawn(async move { background::resume(reader).await });
    }
    status::tell(node);
    Ok(Event::Done)
}

/// Whether that changed anything.
fn set(node: &Node, paused: bool) -> Result<bool, NodeError> {
    if node.paused.swap(paused, Ordering::SeqCst) == paused {
        return Ok(false);
    }
    let (kind, body) = if paused {
        (EntryKind::MemoryPaused, "remembering was paused")
    } else {
        (EntryKind::MemoryResumed, "remembering was resumed")
    };
    let note = hinet_consent::Note::say(body);
    let written = node.vault.write(|tx| {
        tx.set_meta(PAUSED, if paused { "1" } else { "" })?;
        node.consent.record(tx, kind, vec![note], crate::state::now())?;
        Ok::<_, NodeError>(())
    });
    if written.is_err() {
        // What the next start would not know is not so now either.
        node.paused.store(!paused, Ordering::SeqCst);
    }
    written?;
    if paused {
        node.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
    Ok(true)
}
