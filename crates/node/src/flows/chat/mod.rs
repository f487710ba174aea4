//! Chat: search → evidence → prompt within a budget → generate → hold against the passage → store → done.
//!
//! Whether there is anything to answer from is decided from retrieval evidence, in code. An answer that is not
//! grounded in its passage is withdrawn and the passage is quoted instead. What had to be cut is said.
//!
//! A conversation is a tree: a turn hangs where it says, its history is the path that leads there, and answering again
//! puts another answer beside the ones there are. An answer made again is drawn with another seed and, where the anchor
//! or the reading of a passage would be greedy, with a temperature above 0. Answers that no model makes (about icore
//! itself, not in the memory) stay what they are.

mod members;
pub(crate) mod prompt;
pub mod reader;
mod recall;
mod speak;
mod union;
mod voice;

use hinet_vault::records::{Reader, Tx};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::{assembly, conversations, memory, status};
use crate::protocol::{
    After, Answer, ChatParams, Citation, Cut, ErrorKind, Event, Feedback, Hit, Message, MessageId, MessageStats, Role,
    SessionId, TokenCounts, Turn,
};
use crate::state::{Node, now};

use prompt::HISTORY_MAX;
use recall::Recalled;
pub(crate) use recall::{LOOKED_AT, WORDS_MIN, nearness};
use speak::Reply;

/// Longest message that is taken, in bytes. More belongs into a file.
const MESSAGE_MAX: usize = 64 << 10;
/// Longest title made from a first message, in characters.
const TITLE_MAX: usize = 60;
/// Most names of attachments that one message keeps, and the longest of them in bytes.
const ATTACHED_MAX: (usize, usize) = (256, 4096);

/// A message of the owner's that is to be answered.
struct Asked {
    session: SessionId,
    /// The message.
    question: MessageId,
    text: String,
    /// The end of the path that leads to it, as much of it as a prompt looks at.
    history: Vec<Message>,
    turn: Turn,
    params: ChatParams,
    /// Whether it has been answered before, and something else is wanted.
    again: bool,
    /// Where the conversation was when this began.
    head: Option<MessageId>,
}

/// The turns with which the anchor would be asked a question that nothing was said before: with the best passage of the
/// memory, where `remember`. `None` where the memory has no evidence.
pub(crate) async fn turns_for(
    node: &Node,
    question: &str,
    remember: bool,
) -> Result<Option<Vec<(String, String)>>, NodeError> {
    let about = node.mind.about().await?;
    let mut passages = Vec::new();
    if remember {
        let recalled = recall::recall(node, question, &[], &Turn::default()).await?;
        let Some(first) = recalled.readings(about.passages, 1).pop() else { return Ok(None) };
        passages = first.into_iter().cloned().collect::<Vec<Hit>>();
    }
    let passages: Vec<&Hit> = passages.iter().collect();
    let window = about.context.min(crate::mind::CONTEXT_MAX);
    Ok(Some(prompt::build(node, question, (&passages, about.cites), &[], window, window / 4).await?.turns))
}

/// [`crate::protocol::Op::Chat`].
pub(crate) async fn chat(
    node: &Node,
    session: Option<SessionId>,
    text: String,
    turn: Turn,
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
    let (most, longest) = ATTACHED_MAX;
    if turn.attached.len() > most || turn.attached.iter().any(|name| name.len() > longest) {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("At most {most} things can be attached to one message, with names of at most {longest} bytes."),
            "Attach the folder they lie in.",
        ));
    }
    // Until the answer is stored no forget begins; one that wants to cancels this.
    let _answering = node.answering.read().await;
    let asked = node
        .apart("the chat", move |node| {
            assembly::check(node, turn.assembly.as_deref())?;
            begin(node, session, text, turn, params)
        })
        .await?;
    respond(node, asked, sink, cancel).await
}

/// [`crate::protocol::Op::Regenerate`].
pub(crate) async fn regenerate(
    node: &Node,
    session: SessionId,
    message: MessageId,
    turn: Turn,
    params: ChatParams,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let _answering = node.answering.read().await;
    let asked = node
        .apart("the chat", move |node| {
            assembly::check(node, turn.assembly.as_deref())?;
            begin_again(node, session, message, turn, params)
        })
        .await?;
    respond(node, asked, sink, cancel).await
}

/// Answers what was asked, and keeps the answer.
async fn respond(node: &Node, asked: Asked, sink: &Sink, cancel: &CancellationToken) -> Result<Event, NodeError> {
    let recalled = recall::recall(node, &asked.text, &asked.history, &asked.turn).await?;
    let shown = recalled.shown();
    sink.send_until(Event::Recalled { session: asked.session, hits: shown.clone() }, cancel).await;
    let reply = speak::answer(node, &asked, &recalled, sink, cancel).await?;
    let answer = match node.apart("the chat", move |node| store(node, &asked, reply, shown)).await {
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

/// A message with nothing around it.
fn message(role: Role, text: &str) -> Message {
    Message {
        id: MessageId::new(),
        role,
        text: text.to_owned(),
        at: now(),
        citations: Vec::new(),
        stats: None,
        parent: None,
        siblings: Vec::new(),
        onward: 0,
        attached: Vec::new(),
        feedback: Feedback::default(),
    }
}

/// Stores the owner's words before anything else is done with them; an incognito turn's are not stored at all.
fn begin(
    node: &Node,
    session: Option<SessionId>,
    text: String,
    turn: Turn,
    params: ChatParams,
) -> Result<Asked, NodeError> {
    let id = session.unwrap_or_else(SessionId::new);
    let mut said = message(Role::User, &text);
    let question = said.id;
    let asked = |history| Asked {
        session: id,
        question,
        text: text.clone(),
        history,
        turn: turn.clone(),
        params,
        again: false,
        head: Some(question),
    };
    if let Some(before) = &turn.incognito {
        let kept = &before[before.len().saturating_sub(HISTORY_MAX)..];
        return Ok(asked(kept.iter().map(|said| message(said.role, &said.text)).collect()));
    }
    said.attached.clone_from(&turn.attached);
    let history = node.vault.write(|tx| {
        let parent = match session {
            None if matches!(turn.after, After::Message(_)) => {
                return Err(NodeError::said(
                    ErrorKind::Usage,
                    "A new conversation has no message to go on from.",
                    "Name the conversation that the message is in.",
                ));
            }
            None => {
                tx.put_session(id, &title(&text), now())?;
                None
            }
            Some(_) if tx.session(id)?.is_none() => return Err(conversations::unknown(id)),
            Some(_) => match turn.after {
                After::Head => tx.head(id)?,
                After::Start => None,
                After::Message(above) => Some(above),
            },
        };
        let history = history(tx, id, parent)?;
        tx.put_message(id, &said, turn.after)?;
        Ok(history)
    })?;
    Ok(asked(history))
}

fn history(r: &Reader<'_>, session: SessionId, parent: Option<MessageId>) -> Result<Vec<Message>, NodeError> {
    Ok(parent.map(|parent| r.path(session, parent, HISTORY_MAX)).transpose()?.unwrap_or_default())
}

/// Finds the owner's message that is to be answered again.
fn begin_again(
    node: &Node,
    session: SessionId,
    message: MessageId,
    mut turn: Turn,
    mut params: ChatParams,
) -> Result<Asked, NodeError> {
    // It is stored beside the others, whatever is said.
    turn.incognito = None;
    // Another seed each time, so that it is not the same words again. The end of an id is random.
    params.seed.get_or_insert(MessageId::new().0.as_u128() as u64);
    node.vault.read(|r| {
        let known = |message| match r.message(message)? {
            Some((within, said)) if within == session => Ok(said),
            _ => Err(NodeError::said(
                ErrorKind::Failed,
                "There is no such message in this conversation.",
                "It may have been forgotten in the meantime.",
            )),
        };
        let mut said = known(message)?;
        if said.role == Role::Assistant {
            said = said.parent.map(known).transpose()?.filter(|above| above.role == Role::User).ok_or_else(|| {
                NodeError::said(
                    ErrorKind::Failed,
                    "The question of this answer is gone, so it cannot be answered again.",
                    "Ask it anew.",
                )
            })?;
        }
        let history = history(r, session, said.parent)?;
        let head = r.head(session)?;
        Ok(Asked { session, question: said.id, text: said.text, history, turn, params, again: true, head })
    })
}

fn title(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut title: String = line.chars().take(TITLE_MAX).collect();
    if title.len() < line.len() {
        title.push('…');
    }
    title
}

/// Stores an answer under its question; an incognito one is only checked and handed back.
fn store(node: &Node, asked: &Asked, reply: Reply, recalled: Vec<Hit>) -> Result<Answer, NodeError> {
    let Reply { text, how, citations, cut, tokens, tokens_per_s, context, deltas, composed } = reply;
    let mut answer = message(Role::Assistant, &text);
    answer.citations.clone_from(&citations);
    answer.stats = Some(MessageStats {
        how: how.to_owned(),
        tokens,
        tokens_per_s,
        cut: cut.clone(),
        recalled,
        composed: composed.as_ref().map(|composed| composed.said.clone()),
    });
    if asked.turn.incognito.is_some() {
        node.vault.read(|r| still_there(r, &citations))?;
    } else {
        node.vault.write(|tx| {
            still_there(tx, &citations)?;
            keep(tx, asked, &answer)?;
            match &composed {
                Some(composed) => assembly::record(node, tx, composed, answer.id, tokens),
                None => Ok(()),
            }
        })?;
    }
    Ok(Answer {
        answer: text,
        citations,
        cut,
        tokens,
        tokens_per_s,
        deltas,
        how: how.to_owned(),
        session: asked.session,
        message: answer.id,
        question: asked.question,
        context,
        composed: composed.map(|composed| composed.said),
    })
}

/// What left the memory while an answer was being said must not come back with it.
fn still_there(r: &Reader<'_>, citations: &[Citation]) -> Result<(), NodeError> {
    for citation in citations.iter().filter(|citation| citation.member.is_none()) {
        if r.chunks_of(citation.item)?.is_empty() {
            return Err(NodeError::said(
                ErrorKind::Failed,
                "What this answer was read from has left the memory meanwhile; the answer was not kept.",
                "Ask again.",
            ));
        }
    }
    Ok(())
}

/// Hangs an answer on its question. Of two that are made at once, the conversation is at the one stored last; where it
/// was turned to another branch meanwhile it stays there, and the answer waits in its own.
fn keep(tx: &Tx<'_>, asked: &Asked, answer: &Message) -> Result<(), NodeError> {
    let head = tx.head(asked.session)?;
    tx.put_message(asked.session, answer, After::Message(asked.question))?;
    let here = match head {
        head if head == asked.head => true,
        None => false,
        Some(head) => tx.is_below(asked.session, head, asked.question)?,
    };
    if !here {
        tx.set_head(asked.session, head)?;
    }
    Ok(())
}
