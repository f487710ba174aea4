//! What the owner types: what was said lately, what is not sent yet, and what is handed out of the sealed home.

use std::collections::HashSet;

use hinet_consent::EntryKind;

use crate::failure::NodeError;
use crate::protocol::{Draft, ErrorKind, Event, Role};
use crate::state::{Node, now};

/// Most sentences in one answer.
const SAID_MAX: usize = 10_000;
/// Longest draft that is kept, in bytes.
const DRAFT_MAX: usize = 4 << 20;

/// [`crate::protocol::Op::Typed`]: each text once, where it was said last.
pub(crate) fn typed(node: &Node, limit: usize) -> Result<Event, NodeError> {
    let limit = limit.min(SAID_MAX);
    node.vault.read(|r| {
        let (mut said, mut seen) = (Vec::new(), HashSet::new());
        if limit > 0 {
            r.each_message(&mut |line| {
                if line.role == Role::User && seen.insert(line.text.clone()) {
                    said.push(line.text);
                }
                said.len() < limit
            })?;
        }
        Ok(Event::Typed { said, drafts: r.drafts()? })
    })
}

/// [`crate::protocol::Op::Draft`].
pub(crate) fn draft(node: &Node, draft: &Draft) -> Result<Event, NodeError> {
    if draft.text.len() > DRAFT_MAX {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("The draft is {} bytes long; at most {DRAFT_MAX} are kept.", draft.text.len()),
            "Attach a long text instead.",
        ));
    }
    node.vault.write(|tx| tx.put_draft(draft, now()))?;
    Ok(Event::Done)
}

/// [`crate::protocol::Op::LetOut`]. It is the owner's own hand, so the kill switch does not refuse the line: bytes that
/// leave unsaid would be worse.
pub(crate) fn let_out(node: &Node, way: &str, bytes: u64) -> Result<Event, NodeError> {
    let size = if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    let (was, them) = if bytes == 1 { ("was", "it") } else { ("were", "them") };
    let said = match way {
        "editor" => format!("{size} of a draft {was} handed to an editor"),
        "file" => format!("{size} {was} saved to a file where the owner put {them}"),
        "command" => format!("{size} {was} handed to a command"),
        _ => {
            return Err(NodeError::said(
                ErrorKind::Usage,
                "That is no way out that the ledger knows.",
                "The ways are editor, file and command.",
            ));
        }
    };
    node.record(EntryKind::LetOut, &said)?;
    Ok(Event::Done)
}
