//! The top line.

use crate::failure::NodeError;
use crate::protocol::{Event, NodeStatus};
use crate::state::Node;

/// What the top line shows now.
pub(crate) fn read(node: &Node) -> Result<NodeStatus, NodeError> {
    let counts = node.vault.read(|r| r.counts())?;
    let grants = node.consent.grants()?.iter().filter(|grant| grant.revoked.is_none()).count() as u64;
    Ok(NodeStatus {
        owner: node.vault.owner(),
        mind: node.mind_name(),
        grants,
        ledger: counts.ledger,
        ledger_ok: node.ledger_held(),
        killed: node.consent.is_killed(),
        detached: node.detached,
        embedding_left: counts.chunks.saturating_sub(counts.embedded),
        paused: super::pause::is_on(node),
        asking: node.desk.len(),
        notices: node.notices.all(),
    })
}

/// [`crate::protocol::Op::Status`].
pub(crate) fn status(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Status { status: read(node)? })
}

/// Tells every client that the top line changed, as soon as it has been read.
pub(crate) fn tell(node: &Node) {
    let teller = node.clone();
    node.tasks.spawn_blocking(move || {
        if let Ok(event) = status(&teller) {
            // Nobody listening is fine.
            let _ = teller.news.send(event);
        }
    });
}
