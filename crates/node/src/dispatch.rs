//! From a request to its flow: the kill switch, the owner's proof, cancellation, then the flow's own file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hinet_consent::EntryKind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::failure::NodeError;
use crate::flows;
use crate::handshake::{self, fresh_nonce};
use crate::protocol::{ErrorKind, Event, Op, Progress, Reply, Request};
use crate::state::{Node, now};

/// How long a nonce for the owner's proof is good, in milliseconds.
const NONCE_LIFE_MS: i64 = 60_000;
/// How many nonces may be out at once.
const NONCES_MAX: usize = 64;

/// Where a flow sends its events.
#[derive(Clone)]
pub(crate) struct Sink {
    id: u64,
    replies: mpsc::Sender<Reply>,
}

impl Sink {
    /// A fact: waits where the reader is slow. False where the reader is gone.
    pub(crate) async fn send(&self, event: Event) -> bool {
        self.replies.send(Reply { id: self.id, event }).await.is_ok()
    }

    /// How far: dropped where the reader is slow.
    pub(crate) fn progress(&self, progress: Progress) {
        let _ = self.replies.try_send(Reply { id: self.id, event: Event::Progress { progress } });
    }
}

/// The requests of one client that are running.
type Running = Arc<Mutex<HashMap<u64, CancellationToken>>>;

/// Serves one client until it goes away; what it left running is cancelled.
pub(crate) fn serve(node: Node, mut inbox: mpsc::Receiver<Request>, replies: mpsc::Sender<Reply>) {
    let mut news = node.news.subscribe();
    let (tidings, ending) = (replies.clone(), node.ending.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = ending.cancelled() => break,
                () = tidings.closed() => break,
                event = news.recv() => match event {
                    Ok(event) => {
                        if tidings.send(Reply { id: 0, event }).await.is_err() {
                            break;
                        }
                    }
                    // News is a hint to look again: a missed one is made good by the next Status.
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => break,
                },
            }
        }
    });
    tokio::spawn(async move {
        let running: Running = Arc::default();
        while let Some(request) = inbox.recv().await {
            if let Op::Cancel { request } = request.op {
                if let Some(token) = running.lock().unwrap_or_else(PoisonError::into_inner).get(&request) {
                    token.cancel();
                }
                continue;
            }
            let cancel = node.live();
            running.lock().unwrap_or_else(PoisonError::into_inner).insert(request.id, cancel.clone());
            let sink = Sink { id: request.id, replies: replies.clone() };
            let (node, running) = (node.clone(), running.clone());
            let tasks = node.tasks.clone();
            tasks.spawn(async move {
                let id = request.id;
                let event = match answer(&node, request, &sink, &cancel).await {
                    Ok(event) => event,
                    Err(failure) => Event::Failed { failure: failure.into() },
                };
                running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                sink.send(event).await;
            });
        }
        running.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(CancellationToken::cancel);
    });
}

/// Whether an op may go on while the kill switch is on: looking, forgetting, revoking and lifting may.
fn allowed_when_killed(op: &Op) -> bool {
    !matches!(
        op,
        Op::Chat { .. }
            | Op::Ingest { .. }
            | Op::SourceAdd { .. }
            | Op::SourceSync { .. }
            | Op::SourcePause { paused: false, .. }
            | Op::Search { .. }
            | Op::Grant { .. }
    )
}

async fn answer(node: &Node, request: Request, sink: &Sink, cancel: &CancellationToken) -> Result<Event, NodeError> {
    let Request { op, proof, .. } = request;
    if node.consent.is_killed() && !allowed_when_killed(&op) {
        return Err(NodeError::said(
            ErrorKind::Refused,
            "The kill switch is on: every source, door and job is stopped.",
            "Lift it with `icore kill --lift`.",
        ));
    }
    if op.needs_proof() {
        let Some(proof) = proof else {
            return Ok(Event::Challenge { nonce: hand_out(node) });
        };
        if !proven(node, &op, &proof) {
            node.record(EntryKind::Refused, "an approval was refused: the owner's proof was wrong")?;
            return Err(NodeError::said(
                ErrorKind::Refused,
                "That needs the owner's proof, and the proof given is wrong.",
                "Type the passphrase again.",
            ));
        }
    }
    flow(node, op, sink, cancel).await
}

fn hand_out(node: &Node) -> crate::protocol::Hash {
    let nonce = fresh_nonce();
    let mut nonces = node.nonces.lock().unwrap_or_else(PoisonError::into_inner);
    nonces.retain(|_, born| now() - *born < NONCE_LIFE_MS);
    if nonces.len() >= NONCES_MAX
        && let Some(oldest) = nonces.iter().min_by_key(|(_, born)| **born).map(|(nonce, _)| *nonce)
    {
        nonces.remove(&oldest);
    }
    nonces.insert(nonce, now());
    nonce
}

/// Whether the proof is right for this op; its nonce is used up either way.
fn proven(node: &Node, op: &Op, proof: &crate::protocol::OwnerProof) -> bool {
    let born = node.nonces.lock().unwrap_or_else(PoisonError::into_inner).remove(&proof.nonce);
    let fresh = born.is_some_and(|born| now() - born < NONCE_LIFE_MS);
    fresh && handshake::proof_holds(&node.vault.attach_key(), &proof.nonce, op, proof)
}

async fn flow(node: &Node, op: Op, sink: &Sink, cancel: &CancellationToken) -> Result<Event, NodeError> {
    match op {
        Op::Status => flows::status::status(node),
        Op::Chat { session, text, params } => flows::chat::chat(node, session, text, params, sink, cancel).await,
        Op::Cancel { .. } => Ok(Event::Done),
        Op::Sessions => flows::memory::sessions(node),
        Op::Messages { session } => flows::memory::messages(node, session),
        Op::Ingest { paths } => flows::ingest::ingest(node, paths, sink, cancel).await,
        Op::Sources => flows::sources::list(node),
        Op::SourceAdd { path } => flows::sources::add(node, path, sink, cancel).await,
        Op::SourceSync { source } => flows::sources::sync(node, source, sink, cancel).await,
        Op::SourcePause { source, paused } => flows::sources::pause(node, source, paused).await,
        Op::Search { query, k } => flows::memory::search(node, query, k).await,
        Op::Show { item } => flows::memory::show(node, item),
        Op::Forget { target, dry_run } => flows::forget::forget(node, target, dry_run).await,
        Op::Stats => flows::memory::stats(node),
        Op::Grants => flows::consent::grants(node),
        Op::Grant { draft } => flows::consent::grant(node, draft),
        Op::Revoke { grant } => flows::consent::revoke(node, grant),
        Op::Pending => flows::consent::pending(node),
        Op::Ledger { limit } => flows::consent::ledger(node, limit),
        Op::Verify => flows::consent::verify(node).await,
        Op::ExportLedger => flows::consent::export(node),
        Op::Kill => flows::consent::kill(node).await,
        Op::Lift => flows::consent::lift(node),
        Op::Models => Ok(Event::Models { models: crate::models::list(&node.settings) }),
        Op::Doctor { rebuild_index } => flows::doctor::doctor(node, rebuild_index, sink).await,
        Op::Shutdown => {
            node.ending.cancel();
            Ok(Event::Done)
        }
    }
}
