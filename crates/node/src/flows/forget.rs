//! Forgetting: when the command returns, the text, its chunks, vectors, index entries, cached prompts and the stored
//! answers that quote it are gone, and the segments and pages that held them are rewritten.
//!
//! Order: the ledger entry and the deletions in one transaction; then the model's caches, the index, the vault's
//! pages. A kill in between leaves the work marked, and the next start finishes it before anything is answered.

use std::collections::HashSet;
use std::time::Duration;

use hinet_consent::{EntryKind, Note};
use hinet_vault::records::{SourceRow, Tx};

use crate::failure::NodeError;
use crate::flows::{background, conversations, deltas, ingest, people, sleep, sources, status};
use crate::protocol::{Event, ForgetReport, ForgetTarget, ItemId, SessionId};
use crate::state::{Node, now};

/// Set while a forget has deleted rows but not yet rewritten what held them.
const UNFINISHED: &str = "forget/unfinished";
/// Shortest sentence whose reappearance in a stored message counts as a quotation, in bytes.
const QUOTE_MIN: usize = 24;
/// How long answers have to stop before they are told again.
const SILENCE: Duration = Duration::from_millis(200);

/// What a target comes to.
struct Affected {
    items: Vec<ItemId>,
    source: Option<SourceRow>,
    /// Messages said in this time go too.
    time: Option<(i64, i64)>,
    /// This conversation goes.
    session: Option<SessionId>,
}

/// [`crate::protocol::Op::Forget`].
pub(crate) async fn forget(node: &Node, target: ForgetTarget, dry_run: bool) -> Result<Event, NodeError> {
    if !dry_run {
        // A night may have the text before it. It goes on later, with what is left.
        sleep::interrupt(node).await;
    }
    let _alone = node.memory_work.lock().await;
    if dry_run {
        let look = node.apart("the forgetting", move |node| preview(node, &resolve(node, &target)?));
        return Ok(Event::Forgotten { report: look.await? });
    }
    let _silence = silence(node).await;
    let erased = node.apart("the forgetting", move |node| {
        // An earlier one that could not be finished, because the disk was full for instance, comes first.
        finish_interrupted(node)?;
        erase(node, &resolve(node, &target)?)
    });
    let report = erased.await?;
    node.gates.forget();
    node.mind.clear().await;
    node.mind.wear_recorded().await;
    node.apart("the forgetting", finish).await?;
    status::tell(node);
    Ok(Event::Forgotten { report })
}

/// Stops the answers that are being made, which may have the text before them, and keeps new ones waiting. What they
/// have said so far is stored by then, so that it is erased with the rest.
async fn silence(node: &Node) -> tokio::sync::RwLockWriteGuard<'_, ()> {
    loop {
        node.hush();
        // An answer may have begun between the two; it is stopped the next time round.
        if let Ok(alone) = tokio::time::timeout(SILENCE, node.answering.write()).await {
            return alone;
        }
    }
}

fn resolve(node: &Node, target: &ForgetTarget) -> Result<Affected, NodeError> {
    Ok(match target {
        ForgetTarget::Item { item } => {
            let (row, cited) = node.vault.read(|r| {
                let row = r.item(*item)?;
                let cited = r.answers_citing(*item)?;
                Ok::<_, NodeError>((row, cited))
            })?;
            // An item that left the memory with its file may still stand in answers.
            if row.is_none() && cited == 0 {
                return Err(NodeError::said(
                    crate::protocol::ErrorKind::Failed,
                    format!("There is no item {item} in the memory."),
                    "`icore memory search` finds items and prints their ids.",
                ));
            }
            // A file that was handed over by itself is its source: nothing would be left of it but its name.
            let sources = node.vault.read(|r| r.sources())?;
            let source = match row.and_then(|row| Some((sources.into_iter().find(|s| s.id == row.source)?, row))) {
                Some((source, row)) if source.path == row.key => Some(source),
                // So it is with the last of what a command printed.
                Some((source, _)) if sources::is_printed(&source) => {
                    (node.vault.read(|r| r.source_items(source.id))? == 1).then_some(source)
                }
                _ => None,
            };
            Affected { items: vec![*item], source, time: None, session: None }
        }
        ForgetTarget::Source { source } => {
            let row = sources::row(node, *source)?;
            let items = node.vault.read(|r| r.items_of(*source))?.into_iter().map(|item| item.id).collect();
            Affected { items, source: Some(row), time: None, session: None }
        }
        ForgetTarget::Session { session } => {
            if node.vault.read(|r| r.session(*session))?.is_none() {
                return Err(conversations::unknown(*session));
            }
            Affected { items: Vec::new(), source: None, time: None, session: Some(*session) }
        }
        ForgetTarget::Time { from, to } => {
            let items = node.vault.read(|r| r.items_between(*from, *to))?;
            Affected { items, source: None, time: Some((*from, *to)), session: None }
        }
    })
}

/// Sentences of the items, for finding messages that repeat them without citing.
fn quotable(node: &Node, items: &[ItemId]) -> Result<Vec<String>, NodeError> {
    let mut sentences = HashSet::new();
    for item in items {
        let Some(row) = node.vault.read(|r| r.item(*item))? else { continue };
        let parts = row.text.split(['\n', '.', '!', '?']).map(str::trim);
        sentences.extend(parts.filter(|part| part.len() >= QUOTE_MIN).map(str::to_owned));
    }
    Ok(sentences.into_iter().collect())
}

/// What items may be called where they were attached to a message.
fn names(tx: &Tx<'_>, items: &[ItemId]) -> Result<Vec<String>, NodeError> {
    let mut names = Vec::new();
    for item in items {
        let Some(head) = tx.item_head(*item)? else { continue };
        let file = std::path::Path::new(&head.key).file_name().map(|name| name.to_string_lossy().into_owned());
        names.extend([head.title, head.key].into_iter().chain(file));
    }
    Ok(names)
}

fn preview(node: &Node, affected: &Affected) -> Result<ForgetReport, NodeError> {
    node.vault.read(|r| {
        let mut report = ForgetReport { items: affected.items.len() as u64, ..ForgetReport::default() };
        for item in &affected.items {
            report.chunks += r.chunks_of(*item)?.len() as u64;
        }
        for item in &affected.items {
            report.answers += r.answers_citing(*item)?;
        }
        if let Some((from, to)) = affected.time {
            report.messages = r.messages_between(from, to)?;
        }
        if let Some(session) = affected.session {
            report.messages = r.session(session)?.map_or(0, |line| line.messages);
        }
        Ok::<_, NodeError>(report)
    })
}

fn erase(node: &Node, affected: &Affected) -> Result<ForgetReport, NodeError> {
    let quotes = quotable(node, &affected.items)?;
    let keys = node.vault.read(|r| {
        affected
            .items
            .iter()
            .filter_map(|item| r.item(*item).transpose())
            .map(|row| row.map(|row| row.key))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let mut mentions = keys.clone();
    if let Some(source) = &affected.source {
        mentions.push(source.path.clone());
    }
    let mut report = ForgetReport { items: affected.items.len() as u64, done: true, ..ForgetReport::default() };
    node.vault.write(|tx| {
        // The entry says how much, never what: what is forgotten must not live on in the ledger.
        let body = match (affected.session, affected.items.len()) {
            (Some(session), _) => match tx.session(session)?.map_or(0, |line| line.messages) {
                1 => "a conversation of one message was forgotten at the owner's word".to_owned(),
                n => format!("a conversation of {n} messages was forgotten at the owner's word"),
            },
            (None, 1) => "one item was forgotten at the owner's word".to_owned(),
            (None, n) => format!("{n} items were forgotten at the owner's word"),
        };
        node.consent.record(tx, EntryKind::Forget, vec![Note { item: None, body }], now())?;
        tx.set_meta(UNFINISHED, "1")?;
        tx.erase_attached(&names(tx, &affected.items)?)?;
        let mut unlearned = sleep::forget(node, tx, &affected.items)?;
        for item in &affected.items {
            report.answers += tx.delete_answers_citing(*item)?;
            report.chunks += tx.delete_item(*item)?;
        }
        people::prune(tx)?;
        keys.iter().try_for_each(|key| tx.drop_skip(key))?;
        report.answers += tx.delete_messages_containing(&quotes)?;
        node.consent.erase_mentions(tx, &mentions)?;
        if let Some((from, to)) = affected.time {
            report.messages = tx.delete_messages_between(from, to)?;
        }
        if let Some(session) = affected.session {
            report.messages = tx.delete_session(session)?;
        }
        unlearned |= sleep::forget_lost_answers(node, tx)?;
        if unlearned {
            node.notices.add(
                "What the anchor had learned from what is forgotten went with it; it learns anew with the next night."
                    .into(),
            );
        }
        match &affected.source {
            // The whole source goes, and its grant with the path it names.
            Some(source) => {
                if let Some(grant) = source.grant {
                    node.consent.erase_grant(tx, grant, now())?;
                }
                tx.delete_source(source.id)?;
            }
            // The source stays: its watcher must not bring the item back.
            None => {
                for key in &keys {
                    tx.set_meta(&ingest::forgotten_key(node, key), "1")?;
                }
            }
        }
        Ok::<_, NodeError>(())
    })?;
    node.names.clear();
    node.people.clear();
    node.desk.forget(node, &affected.items);
    if let Some(source) = &affected.source {
        background::unwatch(node, source.id, std::path::Path::new(&source.path));
    }
    Ok(report)
}

/// Rewrites what held deleted rows. Safe to repeat. The mark goes only when all of it is done.
fn finish(node: &Node) -> Result<(), NodeError> {
    node.index().purge(&node.vault)?;
    deltas::sweep(node)?;
    node.vault.scrub()?;
    node.vault.write(|tx| tx.set_meta(UNFINISHED, ""))?;
    node.vault.checkpoint()?;
    Ok(())
}

/// Finishes a forget that a kill interrupted.
pub(crate) fn finish_interrupted(node: &Node) -> Result<(), NodeError> {
    let mark = node.vault.read(|r| r.meta(UNFINISHED))?;
    if mark.is_some_and(|mark| !mark.is_empty()) {
        finish(node)?;
        node.notices.add("A forgetting that was interrupted has been finished.".into());
    }
    Ok(())
}
