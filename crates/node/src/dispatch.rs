//! From a request to its flow: the kill switch, the owner's proof, cancellation, then the flow's own file.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hinet_consent::EntryKind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::failure::NodeError;
use crate::flows::{self, conversations};
use crate::handshake::{self, fresh_nonce};
use crate::protocol::{ErrorKind, Event, Failure, Op, Progress, Reply, Request};
use crate::state::Node;

/// How long a nonce for the owner's proof is good.
const NONCE_LIFE: Duration = Duration::from_secs(60);
/// How many nonces may be out at once.
const NONCES_MAX: usize = 64;
/// How many requests of one client may run at once.
const RUNNING_MAX: usize = 64;

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

    /// Words of an answer: waits where the reader is slow, but not longer than the answer is wanted. False where there
    /// is no reader or the answer was stopped.
    pub(crate) async fn send_until(&self, event: Event, cancel: &CancellationToken) -> bool {
        tokio::select! {
            sent = self.send(event) => sent,
            () = cancel.cancelled() => false,
        }
    }

    /// Dropped where the reader is slow.
    pub(crate) fn offer(&self, event: Event) {
        let _ = self.replies.try_send(Reply { id: self.id, event });
    }

    /// How far: dropped where the reader is slow.
    pub(crate) fn progress(&self, progress: Progress) {
        self.offer(Event::Progress { progress });
    }
}

/// The requests of one client that are running.
type Running = Arc<Mutex<HashMap<u64, CancellationToken>>>;

/// Where a client sits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// In this process.
    Inside,
    /// At the socket.
    Guest,
}

/// A guest's request that is being answered.
struct Busy(Node);

impl Busy {
    fn begin(node: &Node) -> Self {
        node.guests_busy.fetch_add(1, Ordering::SeqCst);
        Self(node.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.guests_busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves one client until it or the node goes away; what a client left running is cancelled.
pub(crate) fn serve(node: Node, seat: Seat, mut inbox: mpsc::Receiver<Request>, replies: mpsc::Sender<Reply>) {
    let mut news = node.news.subscribe();
    let (tidings, ending) = (replies.clone(), node.ending.clone());
    // Cancelled when the client has gone: the news must not keep its connection open.
    let gone = CancellationToken::new();
    let left = gone.clone().drop_guard();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = ending.cancelled() => break,
                () = gone.cancelled() => break,
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
        let mut unproven = 0usize;
        loop {
            let request = tokio::select! {
                () = node.ending.cancelled() => break,
                request = inbox.recv() => request,
            };
            let Some(request) = request else { break };
            if request.op.needs_proof() {
                unproven = if request.proof.is_none() { unproven + 1 } else { unproven.saturating_sub(1) };
            }
            if let Op::Cancel { request } = request.op {
                if let Some(token) = running.lock().unwrap_or_else(PoisonError::into_inner).get(&request) {
                    token.cancel();
                }
                continue;
            }
            let sink = Sink { id: request.id, replies: replies.clone() };
            // The kill switch is for the moment when everything else is too busy.
            if running.lock().unwrap_or_else(PoisonError::into_inner).len() >= RUNNING_MAX && request.op != Op::Kill {
                sink.send(Event::Failed { failure: too_many() }).await;
                continue;
            }
            let cancel = if matches!(request.op, Op::Chat { .. } | Op::Regenerate { .. }) {
                node.live_answer()
            } else {
                node.live()
            };
            running.lock().unwrap_or_else(PoisonError::into_inner).insert(request.id, cancel.clone());
            let (busy, running) = ((seat == Seat::Guest).then(|| Busy::begin(&node)), running.clone());
            let (id, worker, words) = (request.id, node.clone(), sink.clone());
            // A task of its own, so that a fault in a flow is an answer too and nobody waits for ever.
            let work = node.tasks.spawn(async move { answer(&worker, request, &words, &cancel).await });
            node.tasks.spawn(async move {
                let event = match work.await {
                    Ok(Ok(event)) => event,
                    Ok(Err(failure)) => Event::Failed { failure: failure.into() },
                    Err(_) => Event::Failed { failure: crate::failure::unexpected("this request") },
                };
                running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                sink.send(event).await;
                drop(busy);
            });
        }
        running.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(CancellationToken::cancel);
        drop(left);
        if seat == Seat::Guest && unproven > 0 {
            let said = "an approval was asked for and no owner's proof came";
            if let Err(error) = node.apart("the ledger", move |node| node.record(EntryKind::Refused, said)).await {
                node.notices.add(error.to_string());
            }
        }
    });
}

fn too_many() -> Failure {
    Failure::new(
        ErrorKind::Failed,
        format!("More than {RUNNING_MAX} requests are running for this client."),
        "Wait until some of them are done.",
    )
}

/// Whether an op may go on while the kill switch is on: looking, forgetting, revoking and lifting may.
fn allowed_when_killed(op: &Op) -> bool {
    !matches!(
        op,
        Op::Chat { .. }
            | Op::Regenerate { .. }
            | Op::Ingest { .. }
            | Op::SourceAdd { .. }
            | Op::AccountAdd { .. }
            | Op::SourceVerify { .. }
            | Op::SourceSync { .. }
            | Op::SourcePause { paused: false, .. }
            | Op::MemoryPause { paused: false }
            | Op::Attach { .. }
            | Op::Disclose { .. }
            | Op::Search { .. }
            | Op::Grant { .. }
            | Op::DeltaImport { .. }
            | Op::DeltaExport { .. }
            | Op::Sleep { .. }
            | Op::Compose { .. }
            | Op::ComposeExperts { .. }
            | Op::AssemblyJoin { .. }
            | Op::AssemblyJoinHome { .. }
            | Op::AssemblyPremerge { .. }
            | Op::DeltaSign { .. }
    )
}

async fn answer(node: &Node, request: Request, sink: &Sink, cancel: &CancellationToken) -> Result<Event, NodeError> {
    let Request { op, proof, .. } = request;
    if flows::sleep::schedule::is_wish(&op) {
        node.wished.store(crate::state::now(), Ordering::Relaxed);
    }
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
            let said = "an approval was refused: the owner's proof was wrong";
            node.apart("the ledger", move |node| node.record(EntryKind::Refused, said)).await?;
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
    nonces.retain(|_, born| born.elapsed() < NONCE_LIFE);
    if nonces.len() >= NONCES_MAX
        && let Some(oldest) = nonces.iter().min_by_key(|(_, born)| **born).map(|(nonce, _)| *nonce)
    {
        nonces.remove(&oldest);
    }
    nonces.insert(nonce, Instant::now());
    nonce
}

/// Whether the proof is right for this op; its nonce is used up either way.
fn proven(node: &Node, op: &Op, proof: &crate::protocol::OwnerProof) -> bool {
    let born = node.nonces.lock().unwrap_or_else(PoisonError::into_inner).remove(&proof.nonce);
    let fresh = born.is_some_and(|born| born.elapsed() < NONCE_LIFE);
    fresh && handshake::proof_holds(&node.vault.attach_key(), &proof.nonce, op, proof)
}

async fn flow(node: &Node, op: Op, sink: &Sink, cancel: &CancellationToken) -> Result<Event, NodeError> {
    match op {
        Op::Status => node.apart("the status", flows::status::status).await,
        Op::Chat { session, text, turn, params } => {
            flows::chat::chat(node, session, text, turn, params, sink, cancel).await
        }
        Op::Regenerate { session, message, turn, params } => {
            flows::chat::regenerate(node, session, message, turn, params, sink, cancel).await
        }
        Op::Cancel { .. } => Ok(Event::Done),
        Op::Sessions => node.apart("the conversations", conversations::sessions).await,
        Op::Messages { session } => {
            node.apart("the messages", move |node| conversations::messages(node, session)).await
        }
        Op::Branch { session, message } => {
            node.apart("the branch", move |node| conversations::branch(node, session, message)).await
        }
        Op::Rewind { session, message } => {
            node.apart("the branch", move |node| conversations::rewind(node, session, message)).await
        }
        Op::Fork { session, message } => {
            node.apart("the copy", move |node| conversations::fork(node, session, message)).await
        }
        Op::SessionChange { session, change } => {
            node.apart("the conversation", move |node| conversations::change(node, session, &change)).await
        }
        Op::Find { query, k } => node.apart("the search", move |node| flows::finding::find(node, &query, k)).await,
        Op::Feedback { message, feedback } => {
            node.apart("the feedback", move |node| flows::feedback::feedback(node, message, &feedback)).await
        }
        Op::Typed { limit } => node.apart("what was typed", move |node| flows::typing::typed(node, limit)).await,
        Op::Draft { draft } => node.apart("the draft", move |node| flows::typing::draft(node, &draft)).await,
        Op::LetOut { way, bytes } => {
            node.apart("the ledger", move |node| flows::typing::let_out(node, &way, bytes)).await
        }
        Op::Ingest { paths } => flows::ingest::ingest(node, paths, sink, cancel).await,
        Op::Sources => node.apart("the sources", flows::sources::list).await,
        Op::SourceAdd { path } => flows::sources::add(node, path, sink, cancel).await,
        Op::AccountAdd { plan, secret } => flows::accounts::add(node, *plan, secret, sink, cancel).await,
        Op::SourceVerify { source } => flows::accounts::verify(node, source, cancel).await,
        Op::SourceSync { source } => flows::sources::sync(node, source, sink, cancel).await,
        Op::SourcePause { source, paused } => flows::sources::pause(node, source, paused).await,
        Op::Search { query, k } => flows::memory::search(node, query, k).await,
        Op::Attach { what } => flows::attach::attach(node, what, sink, cancel).await,
        Op::Names { typed, limit } => {
            node.apart("the names", move |node| flows::names::names(node, &typed, limit)).await
        }
        Op::Skips { source } => node.apart("the source", move |node| flows::sources::skips(node, source)).await,
        Op::MemoryPause { paused } => flows::pause::pause(node, paused).await,
        Op::Timeline { query, before, limit } => {
            node.apart("the timeline", move |node| flows::memory::timeline(node, &query, before, limit)).await
        }
        Op::Mark { item, pinned, labels } => {
            node.apart("the item", move |node| flows::memory::mark(node, item, pinned, labels)).await
        }
        Op::Show { item } => node.apart("the item", move |node| flows::memory::show(node, item)).await,
        Op::People { name, limit } => {
            node.apart("the people", move |node| flows::people::people(node, &name, limit)).await
        }
        Op::PersonMerge { one, other } => {
            node.apart("the people", move |node| flows::people::merge(node, &one, &other)).await
        }
        Op::PersonSplit { spelling } => {
            node.apart("the people", move |node| flows::people::split(node, &spelling)).await
        }
        Op::PersonUndo => node.apart("the people", flows::people::undo).await,
        Op::Forget { target, dry_run } => flows::forget::forget(node, target, dry_run).await,
        Op::Stats => node.apart("the counts", flows::memory::stats).await,
        Op::Grants => node.apart("the grants", flows::consent::grants).await,
        Op::Grant { draft } => node.apart("the grant", move |node| flows::consent::grant(node, draft)).await,
        Op::Revoke { grant } => node.apart("the grant", move |node| flows::consent::revoke(node, grant)).await,
        Op::Pending => Ok(flows::disclose::pending(node)),
        Op::Disclose { asker, capability, about } => {
            flows::disclose::disclose(node, asker, capability, about, cancel).await
        }
        Op::Answer { id, verdict } => flows::disclose::answer(node, id, verdict).await,
        Op::Ledger { limit, kinds, matching, before } => {
            let look = move |node: &Node| flows::consent::ledger(node, limit, &kinds, &matching, before);
            node.apart("the ledger", look).await
        }
        Op::Verify => node.apart("the ledger", flows::consent::verify).await,
        Op::ExportLedger => node.apart("the ledger", flows::consent::export).await,
        Op::Kill => node.apart("the kill switch", flows::consent::kill).await,
        Op::Lift => node.apart("the kill switch", flows::consent::lift).await,
        Op::Models => Ok(Event::Models { models: crate::models::list(&node.settings) }),
        Op::Deltas => node.apart("the deltas", flows::deltas::list).await,
        Op::DeltaImport { folder, name } => flows::deltas::import(node, folder, name).await,
        Op::DeltaWear { hash } => flows::deltas::wear(node, hash).await,
        Op::DeltaRemove { hash } => flows::deltas::remove(node, hash).await,
        Op::DeltaExport { hash, folder, form, private } => {
            flows::deltas::export(node, hash, folder, form, private).await
        }
        Op::Sleep { plan, anew } => flows::sleep::sleep(node, plan, anew, sink, cancel).await,
        Op::Wake => flows::sleep::wake(node).await,
        Op::Bedtime { bedtime } => {
            node.apart("the schedule", move |node| flows::sleep::schedule::set(node, bedtime)).await
        }
        Op::Nights { limit } => node.apart("the nights", move |node| flows::sleep::nights(node, limit)).await,
        Op::Veto { night, line, vetoed } => {
            node.apart("the veto", move |node| flows::sleep::veto(node, night, line, vetoed)).await
        }
        Op::Rollback { night } => flows::sleep::rollback(node, night).await,
        Op::Compose { recipe, out, without } => {
            flows::compose::compose(node, (recipe, without), out, sink, cancel).await
        }
        Op::ComposeExperts { recipe, out, without } => {
            flows::compose::experts(node, (recipe, without), out, sink, cancel).await
        }
        Op::Assemblies => node.apart("the assemblies", flows::assembly::list).await,
        Op::AssemblyJoin { assembly, delta, competence } => {
            flows::assembly::join(node, assembly, delta, competence, sink, cancel).await
        }
        Op::AssemblyLeave { assembly, delta } => flows::assembly::leave(node, assembly, delta).await,
        Op::AssemblyJoinHome { assembly, home, name } => {
            flows::assembly::homes::join_home(node, assembly, home, name).await
        }
        Op::AssemblyLeaveHome { assembly, identity } => {
            flows::assembly::homes::leave_home(node, assembly, identity).await
        }
        Op::AssemblyPremerge { assembly, members } => {
            flows::assembly::premerge(node, assembly, members, sink, cancel).await
        }
        Op::AssemblyTry { assembly, text } => {
            node.apart("the assembly", move |node| flows::assembly::look(node, &assembly, &text)).await
        }
        Op::Receipts { assembly, limit } => {
            let look = move |node: &Node| flows::assembly::receipts(node, assembly.as_deref(), limit);
            node.apart("the receipts", look).await
        }
        Op::DeltaSign { hash, prompts, published } => {
            let make = move |node: &Node| flows::assembly::sign(node, hash, &prompts, &published);
            node.apart("the signature", make).await
        }
        Op::Doctor { rebuild_index } => flows::doctor::doctor(node, rebuild_index, sink).await,
        Op::Shutdown => shutdown(node),
    }
}

fn shutdown(node: &Node) -> Result<Event, NodeError> {
    if !node.detached {
        return Err(NodeError::said(
            ErrorKind::Failed,
            "This node is part of another icore and ends with it.",
            "Close the icore that has this home open.",
        ));
    }
    node.ending.cancel();
    Ok(Event::Done)
}

#[cfg(test)]
mod tests;
