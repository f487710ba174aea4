//! A client of the node: the same calls whether the node is in this process or behind the Unix socket.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc};

use crate::protocol::{ErrorKind, Event, Failure, Op, OwnerProof, Reply, Request};
use crate::settings::{Presence, Settings, Unlock};
use crate::state::Node;
use crate::{failure, handshake};

/// How many requests may wait for the node.
pub(crate) const REQUESTS_MAX: usize = 64;
/// How many events may wait for a slow reader before progress is dropped and facts make the node wait.
pub(crate) const REPLIES_MAX: usize = 1024;

/// The streams that wait for events; `None` once the node is gone, so that none is added that would wait for ever.
type Waiting = Arc<Mutex<Option<HashMap<u64, mpsc::UnboundedSender<Event>>>>>;

/// A handle on the node. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    waiting: Waiting,
    /// Gone when the node is gone, so that listeners learn of it.
    news: Arc<Mutex<Option<broadcast::Sender<Event>>>>,
    next: Arc<AtomicU64>,
    settings: Arc<Settings>,
    /// The node, where it runs in this process.
    node: Option<Node>,
}

/// The events of one request. Dropping it cancels the request.
pub struct Stream {
    id: u64,
    events: mpsc::UnboundedReceiver<Event>,
    requests: mpsc::Sender<Request>,
    ended: bool,
}

fn gone() -> Failure {
    Failure::new(ErrorKind::Failed, "The node went away.", "Start icore again; everything acknowledged is kept.")
}

impl Client {
    /// A client that sends on `requests` and is fed by `replies`.
    pub(crate) fn new(
        settings: Settings,
        requests: mpsc::Sender<Request>,
        mut replies: mpsc::Receiver<Reply>,
        node: Option<Node>,
    ) -> Self {
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let news = Arc::new(Mutex::new(Some(broadcast::channel(256).0)));
        let (routes, tidings) = (waiting.clone(), news.clone());
        tokio::spawn(async move {
            while let Some(Reply { id, event }) = replies.recv().await {
                if id == 0 {
                    // Nobody may be listening; news is also what a later Status says.
                    if let Some(tidings) = &*tidings.lock().unwrap_or_else(PoisonError::into_inner) {
                        let _ = tidings.send(event);
                    }
                    continue;
                }
                let mut routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(routes) = routes.as_mut() else { break };
                let last = event.is_final();
                if let Some(route) = routes.get(&id) {
                    let _ = route.send(event);
                }
                if last {
                    routes.remove(&id);
                }
            }
            // Senders dropped: every waiting stream ends, and so does the news.
            *tidings.lock().unwrap_or_else(PoisonError::into_inner) = None;
            *routes.lock().unwrap_or_else(PoisonError::into_inner) = None;
        });
        Self { requests, waiting, news, next: Arc::new(AtomicU64::new(1)), settings: Arc::new(settings), node }
    }

    /// Asks for something; the events come on the stream.
    ///
    /// # Errors
    /// Where the node is gone.
    pub async fn call(&self, op: Op) -> Result<Stream, Failure> {
        self.request(op, None).await
    }

    async fn request(&self, op: Op, proof: Option<OwnerProof>) -> Result<Stream, Failure> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = mpsc::unbounded_channel();
        match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(waiting) => waiting.insert(id, sender),
            None => return Err(gone()),
        };
        if self.requests.send(Request { id, op, proof }).await.is_err() {
            if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                waiting.remove(&id);
            }
            return Err(gone());
        }
        Ok(Stream { id, events, requests: self.requests.clone(), ended: false })
    }

    /// Asks for something that needs the owner's proof, made afresh from `unlock`.
    ///
    /// # Errors
    /// Where the secret is wrong or the node is gone.
    pub async fn prove(&self, op: Op, unlock: &Unlock) -> Result<Stream, Failure> {
        let nonce = match self.one(op.clone()).await? {
            Event::Challenge { nonce } => nonce,
            _ => return Err(failure::unexpected("the owner's proof")),
        };
        let secret = unlock.secret()?;
        let settings = self.settings.clone();
        let key = tokio::task::spawn_blocking(move || {
            hinet_vault::attach_key(&hinet_vault::Home::at(&settings.home), &secret)
        })
        .await
        .map_err(|_| failure::unexpected("the key"))?
        .map_err(failure::of)?;
        let proof = handshake::prove(&key, nonce, &op);
        self.request(op, Some(proof)).await
    }

    /// Asks and waits for the final event; progress is passed over.
    ///
    /// # Errors
    /// The failure the node answered with, or that it is gone.
    pub async fn one(&self, op: Op) -> Result<Event, Failure> {
        self.call(op).await?.last().await
    }

    /// What the node says by itself: status changes, watched folders that were read. Closed when the node goes away.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<Event> {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a node the receiver is closed from the start.
        news.as_ref().map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe)
    }

    /// Whether the node runs in another process.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.node.is_none()
    }

    /// Ends the connection; a node in this process is stopped cleanly. Where it served one command only, other commands
    /// that attached to it meanwhile first get their answers.
    pub async fn close(self) {
        if let Some(node) = &self.node {
            if node.settings.presence == Presence::Brief {
                node.see_guests_off().await;
            }
            node.stop().await;
        }
    }
}

impl Stream {
    /// The request's id, for [`Op::Cancel`].
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The next event; `None` after the final one, or where the node went away.
    pub async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        let event = self.events.recv().await;
        self.ended = event.as_ref().is_none_or(Event::is_final);
        event
    }

    /// Waits for the final event.
    ///
    /// # Errors
    /// The failure the node answered with, or that it is gone.
    pub async fn last(mut self) -> Result<Event, Failure> {
        while let Some(event) = self.next().await {
            match event {
                Event::Failed { failure } => return Err(failure),
                event if event.is_final() => return Ok(event),
                _ => {}
            }
        }
        Err(gone())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.ended {
            let cancel = Request { id: u64::MAX, op: Op::Cancel { request: self.id }, proof: None };
            // A full queue takes it later; a closed one means that the node is gone, and the request with it.
            if let Err(mpsc::error::TrySendError::Full(cancel)) = self.requests.try_send(cancel)
                && let Ok(runtime) = tokio::runtime::Handle::try_current()
            {
                let requests = self.requests.clone();
                runtime.spawn(async move { requests.send(cancel).await });
            }
        }
    }
}
