//! Grants, the ledger and the kill switch, as the owner sees them.

use std::sync::atomic::Ordering;

use hinet_consent::{EntryKind, Lines, Subject};
use hinet_vault::records::{ItemHead, Reader};

use crate::failure::NodeError;
use crate::flows::{background, status};
use crate::protocol::{ErrorKind, Event, GrantDraft, GrantId};
use crate::state::{Node, now};

/// What grants are asked about an item: where it comes from, what marks it, who is in it. None where it is not there any more.
pub(crate) fn subject(r: &Reader<'_>, head: &ItemHead) -> Result<Option<Subject>, NodeError> {
    let Some(number) = r.item_number(head.id)? else { return Ok(None) };
    Ok(Some(Subject {
        source: Some(head.source),
        folder: Some(head.key.clone()),
        labels: r.labels_of(number)?,
        people: r.people_of(number)?.into_iter().map(|row| row.person).collect(),
        topics: Vec::new(),
        modified: Some(head.modified),
    }))
}

/// Most ledger lines in one answer.
const LINES_MAX: usize = 10_000;

/// [`crate::protocol::Op::Grants`].
pub(crate) fn grants(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Grants { grants: node.consent.grants()? })
}

/// [`crate::protocol::Op::Grant`]; the owner's proof has been checked.
pub(crate) fn grant(node: &Node, draft: GrantDraft) -> Result<Event, NodeError> {
    let grant = node.consent.grant(draft, now())?;
    status::tell(node);
    Ok(Event::Grants { grants: vec![grant] })
}

/// [`crate::protocol::Op::Revoke`].
pub(crate) fn revoke(node: &Node, grant: GrantId) -> Result<Event, NodeError> {
    node.consent.revoke(grant, now())?;
    status::tell(node);
    Ok(Event::Done)
}

/// [`crate::protocol::Op::Ledger`].
pub(crate) fn ledger(
    node: &Node,
    limit: usize,
    kinds: &[String],
    matching: &str,
    before: Option<u64>,
) -> Result<Event, NodeError> {
    let known = |word: &String| {
        EntryKind::from_word(word).ok_or_else(|| {
            let all: Vec<&str> = EntryKind::ALL.iter().map(|kind| kind.word()).collect();
            NodeError::said(
                ErrorKind::Usage,
                format!("The ledger has no entries of the kind \"{word}\"."),
                format!("The kinds are {}.", all.join(", ")),
            )
        })
    };
    let kinds = kinds.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let wanted = Lines { limit: limit.min(LINES_MAX), kinds, matching: matching.to_owned(), before };
    Ok(Event::Ledger { lines: node.consent.lines_of(&wanted)? })
}

/// [`crate::protocol::Op::Verify`].
pub(crate) fn verify(node: &Node) -> Result<Event, NodeError> {
    let report = node.consent.verify()?;
    node.ledger_ok.store(report.ok, Ordering::Relaxed);
    Ok(Event::Verified { report })
}

/// [`crate::protocol::Op::ExportLedger`]; the owner's proof has been checked.
pub(crate) fn export(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Exported { json: node.consent.export(now())? })
}

/// [`crate::protocol::Op::Kill`]: everything is cut, also where the disk is too full to write it down.
pub(crate) fn kill(node: &Node) -> Result<Event, NodeError> {
    // Before, so that nothing goes on while the disk is waited for; after, for what began before the switch was thrown.
    node.cut();
    let written = node.consent.kill(now());
    node.cut();
    node.watch.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    status::tell(node);
    written?;
    Ok(Event::Done)
}

/// [`crate::protocol::Op::Lift`]; the owner's proof has been checked.
pub(crate) fn lift(node: &Node) -> Result<Event, NodeError> {
    node.consent.lift(now())?;
    if node.settings.presence == crate::settings::Presence::Lasting {
        let watcher = node.clone();
        node.tasks.spawn(async move { background::resume(watcher).await });
    }
    status::tell(node);
    Ok(Event::Done)
}
