//! What the owner thought of an answer.
//!
//! It is kept private. It lies in a table of its own that no search reads, no disclosure is composed from and no ledger
//! entry mentions; only training on this machine will ever be handed it, under a grant of its own.

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Event, Feedback, MessageId, Role};
use crate::state::{Node, now};

/// Longest edited answer, in bytes.
const EDITED_MAX: usize = 64 << 10;

/// [`crate::protocol::Op::Feedback`].
pub(crate) fn feedback(node: &Node, message: MessageId, feedback: &Feedback) -> Result<Event, NodeError> {
    if feedback.edited.as_ref().is_some_and(|edited| edited.len() > EDITED_MAX) {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("The edited answer is longer than {EDITED_MAX} bytes."),
            "Keep what matters of it.",
        ));
    }
    node.vault.write(|tx| {
        if tx.message(message)?.is_some_and(|(_, said)| said.role == Role::User) {
            return Err(NodeError::said(
                ErrorKind::Usage,
                "That message is your own.",
                "Feedback is about answers; to change a message, edit it and ask again.",
            ));
        }
        Ok(tx.put_feedback(message, feedback, now())?)
    })?;
    Ok(Event::Done)
}
