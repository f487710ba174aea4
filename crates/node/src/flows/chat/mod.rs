//! Chat: search → evidence → prompt within a budget → generate → hold against the passage → store → done.
//!
//! Whether there is anything to answer from is decided from retrieval evidence, in code. An answer that is not
//! grounded in its passage is withdrawn and the passage is quoted instead. What had to be cut is said.

mod prompt;
mod recall;
mod speak;

use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::{memory, status};
use crate::protocol::{
    Answer, ChatParams, Citation, Cut, ErrorKind, Event, Feedback, Message, MessageId, MessageStats, Role, SessionId,
    TokenCounts,
};
use crate::state::{Node, now};

use recall::Recalled;
use speak::Reply;

/// Longest message that is taken, in bytes. More belongs into a file.
const MESSAGE_MAX: usize = 64 << 10;
/// Longest title made from a first message, in characters.
const TITLE_MAX: usize = 60;

/// [`crate::protocol::Op::Chat`].
pub(crate) async fn chat(
    node: &Node,
    session: Option<SessionId>,
    text: String,
    params: ChatParams,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let text = text.trim().to_owned();
    if text.is_empty() || text.len() > MESSAGE_MAX {
        let message = if text.is_empty() {
            "There is no question.".into()
        } else {
            format!("The message is {} bytes long; at most {MESSAGE_MAX} are taken.", text.len())
        };
        return Err(NodeError::said(
            ErrorKind::Usage,
            message,
            "Ask something, or hand a long text over with `icore ingest`.",
        ));
    }
    // Until the answer is stored no forget begins; one that wants to cancels this.
    let _answering = node.answering.read().await;
    let words = text.clone();
    let (session, history) = node.apart("the chat", move |node| begin(node, session, &words)).await?;
    let recalled = recall::recall(node, &text, &history).await?;
    sink.send_until(Event::Recalled { session, hits: recalled.shown() }, cancel).await;
    let reply = speak::answer(node, &text, &history, &recalled, &params, sink, cancel).await?;
    let answer = match node.apart("the chat", move |node| store(node, session, reply)).await {
        Err(failure) => {
            // It may have been read from a file that is gone by now, and its item with it.
            node.mind.clear().await;
            return Err(failure);
        }
        stored => stored?,
    };
    status::tell(node);
    Ok(Event::ChatDone { answer: Box::new(answer) })
}

/// Stores the owner's words before anything else is done with them.
fn begin(node: &Node, session: Option<SessionId>, text: &str) -> Result<(SessionId, Vec<Message>), NodeError> {
    let history = match session {
        None => Vec::new(),
        Some(id) => {
            let known = node.vault.read(|r| r.sessions())?.iter().any(|line| line.id == id);
            if !known {
                return Err(NodeError::said(
                    ErrorKind::Failed,
                    format!("There is no session {id}."),
                    "Leave --session out to begin a new one.",
                ));
            }
            node.vault.read(|r| r.messages(id))?
        }
    };
    let id = session.unwrap_or_else(SessionId::new);
    let message = Message {
        id: MessageId::new(),
        role: Role::User,
        text: text.to_owned(),
        at: now(),
        citations: Vec::new(),
        stats: None,
        parent: None,
        siblings: Vec::new(),
        onward: 0,
        attached: Vec::new(),
        feedback: Feedback::default(),
    };
    node.vault.write(|tx| {
        if session.is_none() {
            tx.put_session(id, &title(text), now())?;
        }
        tx.put_message(id, &message)
    })?;
    Ok((id, history))
}

fn title(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut title: String = line.chars().take(TITLE_MAX).collect();
    if title.len() < line.len() {
        title.push('…');
    }
    title
}

fn store(node: &Node, session: SessionId, reply: Reply) -> Result<Answer, NodeError> {
    let Reply { text, how, citations, cut, tokens, tokens_per_s, context } = reply;
    let message = Message {
        id: MessageId::new(),
        role: Role::Assistant,
        text: text.clone(),
        at: now(),
        citations: citations.clone(),
        stats: Some(MessageStats { how: how.to_owned(), tokens, tokens_per_s, cut: cut.clone(), recalled: Vec::new() }),
        parent: None,
        siblings: Vec::new(),
        onward: 0,
        attached: Vec::new(),
        feedback: Feedback::default(),
    };
    node.vault.write(|tx| {
        // What left the memory while this was being said must not come back with it.
        for citation in &message.citations {
            if tx.chunks_of(citation.item)?.is_empty() {
                return Err(NodeError::said(
                    ErrorKind::Failed,
                    "What this answer was read from has left the memory meanwhile; the answer was not kept.",
                    "Ask again.",
                ));
            }
        }
        Ok(tx.put_message(session, &message)?)
    })?;
    Ok(Answer {
        answer: text,
        citations,
        cut,
        tokens,
        tokens_per_s,
        deltas: Vec::new(),
        how: how.to_owned(),
        session,
        message: message.id,
        question: message.id,
        context,
    })
}
