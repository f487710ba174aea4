//! Conversations as they lie there: their list and their messages, their branches, copies, titles and marks.

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Event, MessageId, SessionChange, SessionId};
use crate::state::{Node, now};

/// Longest title, in characters.
const TITLE_MAX: usize = 200;

/// There is no conversation with this id.
pub(crate) fn unknown(session: SessionId) -> NodeError {
    NodeError::said(
        ErrorKind::Failed,
        format!("There is no conversation {session}."),
        "It may have been forgotten in the meantime; without --session a new one begins.",
    )
}

/// [`crate::protocol::Op::Sessions`].
pub(crate) fn sessions(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Sessions { sessions: node.vault.read(|r| r.sessions())? })
}

/// [`crate::protocol::Op::Messages`].
pub(crate) fn messages(node: &Node, session: SessionId) -> Result<Event, NodeError> {
    node.vault.read(|r| match r.session(session)? {
        None => Err(unknown(session)),
        Some(_) => Ok(Event::Messages { messages: r.messages(session)? }),
    })
}

/// [`crate::protocol::Op::Branch`].
pub(crate) fn branch(node: &Node, session: SessionId, message: MessageId) -> Result<Event, NodeError> {
    node.vault.write(|tx| tx.turn_to(session, message))?;
    messages(node, session)
}

/// [`crate::protocol::Op::Rewind`].
pub(crate) fn rewind(node: &Node, session: SessionId, message: Option<MessageId>) -> Result<Event, NodeError> {
    node.vault.write(|tx| tx.set_head(session, message))?;
    messages(node, session)
}

/// [`crate::protocol::Op::Fork`].
pub(crate) fn fork(node: &Node, session: SessionId, message: MessageId) -> Result<Event, NodeError> {
    let copy = SessionId::new();
    let line = node.vault.write(|tx| {
        tx.fork(session, message, copy, now())?;
        tx.session(copy)
    })?;
    Ok(Event::Sessions { sessions: line.into_iter().collect() })
}

/// [`crate::protocol::Op::SessionChange`].
pub(crate) fn change(node: &Node, session: SessionId, change: &SessionChange) -> Result<Event, NodeError> {
    let mut change = change.clone();
    if let Some(title) = &mut change.title {
        // A title is one line.
        *title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.chars().count() > TITLE_MAX {
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("The title is longer than {TITLE_MAX} characters."),
                "Choose a shorter one.",
            ));
        }
    }
    node.vault.write(|tx| tx.change_session(session, &change))?;
    Ok(Event::Done)
}
