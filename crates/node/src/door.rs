//! The Unix socket, and the choice between attaching to a running node and being one.
//!
//! The same user running a different program is not trusted: see [`crate::handshake`]. The socket lies in the home
//! folder (0700), is bound under a temporary name and renamed, and is removed at the end.
#![allow(clippy::disallowed_types, reason = "the node's socket is one of the doors")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hinet_consent::EntryKind;
use hinet_vault::Home;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};

use crate::client::{Client, REPLIES_MAX, REQUESTS_MAX};
use crate::dispatch::{self, Seat};
use crate::handshake::{self, AttachError, AttachKey, Guest, Lanes};
use crate::peer::{self, Said};
use crate::protocol::{ErrorKind, Failure, Hash, Reply, Request};
use crate::settings::{Settings, Unlock};
use crate::state::Node;
use crate::wire::{FRAME_MAX, WireError, receive, send};

/// How long a client has for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Unix sockets have paths of at most about a hundred bytes; longer homes get a socket in the temp folder.
const SOCKET_PATH_MAX: usize = 90;
/// Refused attaches recorded in one run of the node; the rest are counted in one more entry at its end.
const REFUSALS_RECORDED: usize = 100;
/// Connections at once; more wait to be accepted.
const GUESTS_MAX: usize = 128;
/// How long a client that stopped reading has for its last answers.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long another home has for its answer; its owner may have to decide first.
const PEER_PATIENCE: Duration = Duration::from_secs(20);
/// How often a home that is just being opened or closed elsewhere is tried, a tenth of a second apart.
const ATTEMPTS: usize = 20;

/// Where the socket of a home is.
fn socket_path(home: &Home) -> PathBuf {
    let path = home.socket();
    if path.as_os_str().len() <= SOCKET_PATH_MAX {
        return path.to_path_buf();
    }
    let name = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    std::env::temp_dir().join(format!("icore-{}.sock", &name[..16]))
}

/// Attaches to the node that has this home open, or starts one in this process.
///
/// # Errors
/// Where the home cannot be opened, or the running node refuses.
pub async fn connect(settings: &Settings, unlock: &Unlock) -> Result<Client, Failure> {
    let home = Home::at(&settings.home);
    let mut attempt = 1;
    loop {
        let opened = match UnixStream::connect(socket_path(&home)).await {
            Ok(stream) => attach(settings, unlock, stream).await,
            Err(_) => open_here(settings, unlock).await,
        };
        match opened {
            Ok(client) => return Ok(client),
            // Another icore is starting or ending: its socket appears, or its lock goes, within moments.
            Err(Opening::Busy(_)) if attempt < ATTEMPTS => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(Opening::Failed(failure) | Opening::Busy(failure)) => return Err(failure),
        }
        attempt += 1;
    }
}

/// Asks the node that has another home open, as this home: who is there, or for excerpts about something. Gives who answered
/// and what; the error is the end of a sentence that begins with the home's name.
pub(crate) async fn ask_home(
    node: &Node,
    home: &Path,
    to: Option<Hash>,
    about: Option<String>,
) -> Result<(Hash, Said), String> {
    let Ok(mut stream) = UnixStream::connect(socket_path(&Home::at(home))).await else {
        return Err("is locked or not running".to_owned());
    };
    if !is_own(&stream) {
        return Err("is answered for by another user's program".to_owned());
    }
    let asked = peer::ask(&mut stream, node.vault.device(), to, about);
    tokio::time::timeout(PEER_PATIENCE, asked).await.unwrap_or_else(|_| Err("did not answer in time".to_owned()))
}

/// Why a home could not be opened.
enum Opening {
    /// Another process is just opening or closing it.
    Busy(Failure),
    Failed(Failure),
}

async fn open_here(settings: &Settings, unlock: &Unlock) -> Result<Client, Opening> {
    let node = open(settings, unlock, false).await?;
    listen(&node).map_err(Opening::Failed)?;
    node.settle();
    let (requests, inbox) = mpsc::channel::<Request>(REQUESTS_MAX);
    let (outbox, replies) = mpsc::channel::<Reply>(REPLIES_MAX);
    dispatch::serve(node.clone(), Seat::Inside, inbox, outbox);
    Ok(Client::new(settings.clone(), requests, replies, Some(node)))
}

async fn open(settings: &Settings, unlock: &Unlock, detached: bool) -> Result<Node, Opening> {
    let secret = unlock.secret().map_err(Opening::Failed)?;
    let settings = settings.clone();
    let opened = tokio::task::spawn_blocking(move || Node::open(&settings, &secret, detached))
        .await
        .map_err(|_| Opening::Failed(crate::failure::unexpected("the home")))?;
    opened.map_err(|error| {
        let failure = Failure::from(error);
        if crate::failure::is_busy(&failure) { Opening::Busy(failure) } else { Opening::Failed(failure) }
    })
}

async fn attach(settings: &Settings, unlock: &Unlock, mut stream: UnixStream) -> Result<Client, Opening> {
    if !is_own(&stream) {
        return Err(Opening::Failed(Failure::new(
            ErrorKind::Refused,
            "What answers on this home's socket belongs to another user.",
            format!("Look at who made {}.", socket_path(&Home::at(&settings.home)).display()),
        )));
    }
    let (home, secret) = (Home::at(&settings.home), unlock.secret().map_err(Opening::Failed)?);
    let key = tokio::task::spawn_blocking(move || hinet_vault::attach_key(&home, &secret))
        .await
        .map_err(|_| Opening::Failed(crate::failure::unexpected("the key")))?
        .map_err(|error| Opening::Failed(crate::failure::of(error)))?;
    let silent = || Failure::new(ErrorKind::Failed, "The running node does not answer.", "Stop it and start it again.");
    let Lanes { mut to_node, mut to_client } =
        match tokio::time::timeout(HANDSHAKE, handshake::attach(&mut stream, &key)).await {
            Ok(Ok(lanes)) => lanes,
            Ok(Err(AttachError::Refused(failure))) => return Err(Opening::Failed(failure)),
            // It was just ending.
            Ok(Err(lost @ AttachError::Lost(_))) => return Err(Opening::Busy(lost.into())),
            Err(_) => return Err(Opening::Failed(silent())),
        };
    let (requests, mut inbox) = mpsc::channel::<Request>(REQUESTS_MAX);
    let (outbox, replies) = mpsc::channel::<Reply>(REPLIES_MAX);
    let (mut reader, mut writer) = stream.into_split();
    tokio::spawn(async move {
        while let Some(request) = inbox.recv().await {
            if send(&mut writer, Some(&mut to_node), &request).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok(reply) = receive::<Reply>(&mut reader, Some(&mut to_client), FRAME_MAX).await {
            if outbox.send(reply).await.is_err() {
                break;
            }
        }
    });
    Ok(Client::new(settings.clone(), requests, replies, None))
}

/// `icore node`: opens the home and serves it until it is told to stop.
///
/// # Errors
/// Where the home cannot be opened or the socket cannot be made.
pub async fn run_node(settings: &Settings, unlock: &Unlock, on_ready: impl FnOnce(&Path)) -> Result<(), Failure> {
    let node = match open(settings, unlock, true).await {
        Ok(node) => node,
        Err(Opening::Busy(failure) | Opening::Failed(failure)) => return Err(failure),
    };
    // Before anybody can see that it runs: a signal that came earlier would end it without a word.
    let signals = Signals::heard();
    let path = listen(&node)?;
    node.settle();
    on_ready(&path);
    signals.told_to_stop(&node).await;
    node.stop().await;
    Ok(())
}

/// SIGTERM and SIGINT, from the moment on at which they no longer end the process.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn heard() -> Self {
        // Where no handler can be installed the default action ends the process, and the next start finds all it needs.
        let both = signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        Self(both.ok())
    }

    /// Waits for `Op::Shutdown` or a signal.
    async fn told_to_stop(self, node: &Node) {
        let Some((mut term, mut interrupt)) = self.0 else { return node.ending.cancelled().await };
        tokio::select! {
            () = node.ending.cancelled() => {}
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Binds the socket and accepts clients until the node ends.
fn listen(node: &Node) -> Result<PathBuf, Failure> {
    let path = socket_path(&Home::at(&node.settings.home));
    let made = path.with_extension("sock.new");
    let failed = |error: std::io::Error| {
        Failure::new(
            ErrorKind::Failed,
            format!("The node's socket could not be made at {}: {error}.", path.display()),
            "Check that the home folder is writable.",
        )
    };
    let _ = std::fs::remove_file(&made);
    let listener = UnixListener::bind(&made).map_err(failed)?;
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    // Whoever held the old name is gone: this process has the home's lock.
    std::fs::rename(&made, &path).map_err(failed)?;
    let (node, at) = (node.clone(), path.clone());
    let tasks = node.tasks.clone();
    tasks.spawn(async move {
        let room = Arc::new(Semaphore::new(GUESTS_MAX));
        let guest = async || (room.clone().acquire_owned().await, listener.accept().await);
        loop {
            let (place, accepted) = tokio::select! {
                () = node.ending.cancelled() => break,
                guest = guest() => guest,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, most likely: let some close.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let guest = node.clone();
            node.tasks.spawn(async move {
                guest.guests.fetch_add(1, Ordering::SeqCst);
                admit(&guest, stream).await;
                guest.guests.fetch_sub(1, Ordering::SeqCst);
                drop(place);
            });
        }
        let _ = std::fs::remove_file(&at);
        let more = node.refusals.load(Ordering::SeqCst).saturating_sub(REFUSALS_RECORDED);
        if more > 0 {
            let said = format!("{more} more attaches were refused or cut off");
            // The node is ending: there is nobody left to tell that the disk is full.
            let _ = node.apart("the ledger", move |node| node.record(EntryKind::AttachRefused, &said)).await;
        }
    });
    Ok(path)
}

/// Whether the other end is a program of the same user.
fn is_own(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// One client: peer uid, handshake, then its requests until it goes.
async fn admit(node: &Node, mut stream: UnixStream) {
    if !is_own(&stream) {
        return refused(node, "an attach was refused: it came from another user").await;
    }
    let key: AttachKey = node.vault.attach_key();
    let greeted = tokio::select! {
        () = node.ending.cancelled() => return,
        greeted = tokio::time::timeout(HANDSHAKE, handshake::greet(&mut stream, &key)) => greeted,
    };
    let lanes = match greeted {
        Ok(Ok(Ok(Guest::Client(lanes)))) => lanes,
        Ok(Ok(Ok(Guest::Peer(asked)))) => {
            let served = tokio::select! {
                () = node.ending.cancelled() => return,
                served = peer::serve(node, &mut stream, asked) => served,
            };
            if let Some(why) = served {
                refused(node, &why).await;
            }
            return;
        }
        Ok(Ok(Err(why))) => return refused(node, &format!("an attach was refused: {why}")).await,
        // Closed before it said anything: a probe, nothing was asked.
        Ok(Err(WireError::Closed)) => return,
        Ok(Err(_)) => return refused(node, "an attach was refused: the handshake broke off").await,
        Err(_) => return refused(node, "an attach was refused: it did not finish the handshake in time").await,
    };
    if let Some(error) = serve_attached(node.clone(), stream, lanes).await {
        refused(node, &format!("an attached connection was cut off: {error}")).await;
    }
}

/// Writes a refused attach, or one that was cut off, down.
async fn refused(node: &Node, said: &str) {
    if node.refusals.fetch_add(1, Ordering::SeqCst) >= REFUSALS_RECORDED {
        return;
    }
    let said = said.to_owned();
    let written = node.apart("the ledger", move |node| node.record(EntryKind::AttachRefused, &said));
    if let Err(error) = written.await {
        node.notices.add(error.to_string());
    }
}

/// Serves an attached client until it goes. Gives what was wrong with the frame that ended it, where one did.
async fn serve_attached(node: Node, stream: UnixStream, lanes: Lanes) -> Option<WireError> {
    let Lanes { mut to_node, mut to_client } = lanes;
    let (mut reader, mut writer) = stream.into_split();
    let (requests, inbox) = mpsc::channel::<Request>(REQUESTS_MAX);
    let (outbox, mut replies) = mpsc::channel::<Reply>(REPLIES_MAX);
    let ending = node.ending.clone();
    dispatch::serve(node, Seat::Guest, inbox, outbox);
    let mut write = tokio::spawn(async move {
        while let Some(reply) = replies.recv().await {
            if send(&mut writer, Some(&mut to_client), &reply).await.is_err() {
                break;
            }
        }
    });
    let wrong = loop {
        let request = tokio::select! {
            () = ending.cancelled() => break None,
            request = receive::<Request>(&mut reader, Some(&mut to_node), FRAME_MAX) => request,
        };
        match request {
            Ok(request) => {
                if requests.send(request).await.is_err() {
                    break None;
                }
            }
            Err(WireError::Closed | WireError::Io(_)) => break None,
            // A forged, malformed or oversized frame ends the connection: nothing after it can be trusted.
            Err(wrong) => break Some(wrong),
        }
    };
    drop(requests);
    // A client that stopped reading must not keep answers, and with them the node, waiting.
    if tokio::time::timeout(LAST_WORDS, &mut write).await.is_err() {
        write.abort();
    }
    wrong
}
