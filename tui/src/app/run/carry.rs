//! What effects do: keys, files, chores and requests to the node, each beside the loop where it may wait, with a message back.

use super::{Back, Runner};
use crate::app::chores;
use crate::app::effect::Effect;
use crate::app::msg::{Msg, Proven, Tag, Unlock};
use crate::app::state::State;
use crate::outside;
use hinet_node::{Client, Stream};
use hinet_protocol::{Event, Op};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A request on its way.
pub(super) struct Request {
    pub(super) task: JoinHandle<()>,
    /// The node's id of it; 0 until it is sent.
    id: Arc<AtomicU64>,
    /// Gone when the node has said something about it: what the owner wrote is stored by then.
    pub(super) heard: oneshot::Receiver<()>,
}

impl Runner {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>, state: &mut State) -> io::Result<()> {
        for effect in effects {
            match effect {
                Effect::Quit => self.over = true,
                Effect::Redraw => {
                    self.screen.clear()?;
                    state.dirty = true;
                }
                Effect::Mouse(on) => self.screen.mouse(on)?,
                Effect::Tick => {
                    let back = self.back.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        let _ = back.send(Back::Msg(Msg::Tick));
                    });
                }
                Effect::Copy(text) => self.screen.copy(&text)?,
                Effect::Draft(draft) => {
                    if self.draft.as_ref().is_some_and(|(before, _)| before.session != draft.session) {
                        self.keep_draft();
                    }
                    self.draft = Some((draft, Instant::now()));
                }
                Effect::Edit(text) => self.edit = Some(text),
                Effect::Command(command) => {
                    self.command_cancel.store(true, Ordering::Relaxed);
                    self.command_cancel = Arc::default();
                    let cancel = self.command_cancel.clone();
                    self.beside(move || {
                        let result = outside::run(&command, &cancel);
                        Some(Msg::Ran { command, result })
                    });
                }
                Effect::StopCommand => self.command_cancel.store(true, Ordering::Relaxed),
                Effect::Write { path, text } => self.beside(move || {
                    let result = chores::write(&path, &text);
                    Some(Msg::Written { path, result })
                }),
                Effect::Call { tag, op } => self.request(tag, op, None),
                Effect::Prove { tag, proven: Proven { op, unlock } } => self.request(tag, op, Some(unlock)),
                Effect::Stop(tag) => self.stop(tag),
                Effect::Drop(tag) => {
                    // The stream goes with its task, and that cancels the request.
                    if let Some(request) = self.requests.remove(&tag) {
                        request.task.abort();
                    }
                }
                Effect::Unlock(unlock) => self.unlock(unlock),
                Effect::ListFolders(path) => self.beside(move || chores::folders(path)),
                Effect::ListPaths(path) => self.beside(move || chores::paths(path)),
                Effect::CountFiles(path) => {
                    let mine = self.counting.fetch_add(1, Ordering::Relaxed) + 1;
                    let counting = self.counting.clone();
                    let wanted = move || counting.load(Ordering::Relaxed) == mine;
                    self.beside(move || chores::count(path, &wanted));
                }
                Effect::NewWords => self.beside(chores::new_words),
                Effect::ListModels => {
                    let settings = self.settings.clone();
                    self.beside(move || chores::models(&settings));
                }
                Effect::PullModels(names) => {
                    self.pull_cancel.store(true, Ordering::Relaxed);
                    self.pull_cancel = Arc::default();
                    let (settings, cancel, back) = (self.settings.clone(), self.pull_cancel.clone(), self.back.clone());
                    tokio::task::spawn_blocking(move || chores::pull(&settings, &names, &cancel, &back));
                }
                Effect::CancelPull => self.pull_cancel.store(true, Ordering::Relaxed),
                Effect::Make(draft) => {
                    let settings = self.settings.clone();
                    self.beside(move || Some(Msg::Made(chores::make(&settings, *draft))));
                }
            }
        }
        Ok(())
    }

    /// Has what is typed kept by the node. A draft that could not be kept is still in the input.
    pub(super) fn keep_draft(&mut self) {
        let (Some((draft, _)), Some(client)) = (self.draft.take(), self.client.clone()) else { return };
        tokio::spawn(async move {
            let _ = client.one(Op::Draft { draft }).await;
        });
    }

    /// Runs something that blocks beside the loop.
    pub(super) fn beside(&self, chore: impl FnOnce() -> Option<Msg> + Send + 'static) {
        let back = self.back.clone();
        tokio::task::spawn_blocking(move || {
            if let Some(msg) = chore() {
                let _ = back.send(Back::Msg(msg));
            }
        });
    }

    fn unlock(&self, unlock: Unlock) {
        let (settings, back) = (self.settings.clone(), self.back.clone());
        tokio::spawn(async move {
            let reached = match hinet_node::connect(&settings, &unlock).await {
                Ok(client) => Back::Client(client),
                Err(failure) => Back::Msg(Msg::NotUnlocked(failure)),
            };
            let _ = back.send(reached);
        });
    }

    pub(super) fn listen(&mut self, client: &Client) {
        if let Some(before) = self.news.take() {
            before.abort();
        }
        let (mut news, back, client) = (client.news(), self.back.clone(), client.clone());
        self.news = Some(tokio::spawn(async move {
            loop {
                let event = match news.recv().await {
                    Ok(event) => event,
                    // Some news was missed; the present status says what matters of it.
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => match client.one(Op::Status).await {
                        Ok(event) => event,
                        Err(_) => return,
                    },
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                };
                if back.send(Back::Msg(Msg::News(event))).is_err() {
                    return;
                }
            }
        }));
    }

    fn request(&mut self, tag: Tag, op: Op, unlock: Option<Unlock>) {
        let Some(client) = self.client.clone() else { return };
        let id = Arc::new(AtomicU64::new(0));
        let (back, known) = (self.back.clone(), id.clone());
        let (unheard, heard) = oneshot::channel();
        let task = tokio::spawn(async move {
            let sent = match &unlock {
                Some(unlock) => client.prove(op, unlock).await,
                None => client.call(op).await,
            };
            let say = |msg| back.send(Back::Msg(msg)).is_ok();
            match sent {
                Ok(stream) => {
                    known.store(stream.id(), Ordering::Release);
                    if !follow(stream, tag, unheard, &say).await {
                        say(Msg::NodeLost);
                    }
                }
                Err(failure) => {
                    say(Msg::reply(tag, Event::Failed { failure }));
                    if unlock.is_none() {
                        say(Msg::NodeLost);
                    }
                }
            }
        });
        // A list that is asked for again replaces the request before; an answer in the making has a tag of its own.
        if let Some(before) = self.requests.insert(tag, Request { task, id, heard }) {
            before.task.abort();
        }
    }

    fn stop(&mut self, tag: Tag) {
        let Some(request) = self.requests.get(&tag) else { return };
        let (id, client) = (request.id.load(Ordering::Acquire), self.client.clone());
        if let (Some(client), true) = (client, id > 0) {
            tokio::spawn(async move {
                let _ = client.one(Op::Cancel { request: id }).await;
            });
        }
    }
}

/// Passes the events of a request on. Returns whether its last event came.
async fn follow(mut stream: Stream, tag: Tag, unheard: oneshot::Sender<()>, say: &impl Fn(Msg) -> bool) -> bool {
    let mut unheard = Some(unheard);
    while let Some(event) = stream.next().await {
        unheard.take();
        let last = event.is_final();
        if !say(Msg::reply(tag, event)) || last {
            return true;
        }
    }
    false
}
