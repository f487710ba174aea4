//! The Unix socket, and the choice between attaching to a running node and being one.
//!
//! The same user running a different program is not trusted: see [`crate::handshake`]. The socket lies in the home
//! folder (0700), is bound under a temporary name and renamed, and is removed at the end.
#![allow(clippy::disallowed_types, reason = "the node's socket is one of the doors")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use hinet_consent::EntryKind;
use hinet_vault::Home;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::client::{Client, REPLIES_MAX, REQUESTS_MAX};
use crate::dispatch;
use crate::handshake::{self, AttachKey, Lanes};
use crate::protocol::{ErrorKind, Failure, Reply, Request};
use crate::settings::{Settings, Unlock};
use crate::state::Node;
use crate::wire::{FRAME_MAX, WireError, receive, send};

/// How long a client has for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Unix sockets have paths of at most about a hundred bytes; longer homes get a socket in the temp folder.
const SOCKET_PATH_MAX: usize = 90;
/// Refused attaches recorded in one run of the node; the rest are counted in one more entry at its end.
const REFUSALS_RECORDED: usize = 100;

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
    for attempt in 0..20 {
        if let Ok(stream) = UnixStream::connect(socket_path(&home)).await {
            return attach(settings, unlock, stream).await;
        }
        match open_here(settings, unlock).await {
            // Another icore is starting or ending: its socket appears, or its lock goes, within moments.
            Err(failure) if failure.is_busy() && attempt < 19 => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(Opening::Failed(failure) | Opening::Busy(failure)) => return Err(failure),
            Ok(client) => return Ok(client),
        }
    }
    unreachable!("the last attempt returns")
}

/// Why a home could not be opened here.
enum Opening {
    Busy(Failure),
    Failed(Failure),
}

impl Opening {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }
}

async fn open_here(settings: &Settings, unlock: &Unlock) -> Result<Client, Opening> {
    let node = open(settings, unlock, false).await?;
    listen(&node).map_err(Opening::Failed)?;
    node.settle();
    let (requests, inbox) = mpsc::channel::<Request>(REQUESTS_MAX);
    let (outbox, replies) = mpsc::channel::<Reply>(REPLIES_MAX);
    dispatch::serve(node.clone(), inbox, outbox);
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

async fn attach(settings: &Settings, unlock: &Unlock, mut stream: UnixStream) -> Result<Client, Failure> {
    let (home, secret) = (Home::at(&settings.home), unlock.secret()?);
    let key = tokio::task::spawn_blocking(move || hinet_vault::attach_key(&home, &secret))
        .await
        .map_err(|_| crate::failure::unexpected("the key"))?
        .map_err(crate::failure::of)?;
    let Lanes { mut to_node, mut to_client } =
        tokio::time::timeout(HANDSHAKE, handshake::attach(&mut stream, &key)).await.map_err(|_| {
            Failure::new(ErrorKind::Failed, "The running node does not answer.", "Stop it and start it again.")
        })??;
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
    let path = listen(&node)?;
    node.settle();
    on_ready(&path);
    told_to_stop(&node).await;
    node.stop().await;
    Ok(())
}

/// Waits for `Op::Shutdown`, SIGTERM or SIGINT.
async fn told_to_stop(node: &Node) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        // No handler could be installed: the default action ends the process, and the next start finds all it needs.
        return node.ending.cancelled().await;
    };
    tokio::select! {
        () = node.ending.cancelled() => {}
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
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
        let mut refusals = 0usize;
        loop {
            let accepted = tokio::select! {
                () = node.ending.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, most likely: let some close.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let node = node.clone();
            refusals += 1;
            let recorded = refusals <= REFUSALS_RECORDED;
            tokio::spawn(async move { admit(node, stream, recorded).await });
        }
        let _ = std::fs::remove_file(&at);
    });
    Ok(path)
}

/// One client: peer uid, handshake, then its requests until it goes.
async fn admit(node: Node, mut stream: UnixStream, record: bool) {
    let refuse = |why: &str| {
        if record {
            let sentence = format!("an attach was refused: {why}");
            if let Err(error) = node.record(EntryKind::AttachRefused, &sentence) {
                node.notices.add(error.to_string());
            }
        }
    };
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own => {}
        _ => return refuse("it came from another user"),
    }
    let key: AttachKey = node.vault.attach_key();
    let lanes = match tokio::time::timeout(HANDSHAKE, handshake::greet(&mut stream, &key)).await {
        Ok(Ok(Ok(lanes))) => lanes,
        Ok(Ok(Err(why))) => return refuse(why),
        // Closed before it said anything: a probe, nothing was asked.
        Ok(Err(WireError::Closed)) => return,
        Ok(Err(_)) => return refuse("the handshake broke off"),
        Err(_) => return refuse("it did not finish the handshake in time"),
    };
    serve_attached(node, stream, lanes).await;
}

async fn serve_attached(node: Node, stream: UnixStream, lanes: Lanes) {
    let Lanes { mut to_node, mut to_client } = lanes;
    let (mut reader, mut writer) = stream.into_split();
    let (requests, inbox) = mpsc::channel::<Request>(REQUESTS_MAX);
    let (outbox, mut replies) = mpsc::channel::<Reply>(REPLIES_MAX);
    let ending = node.ending.clone();
    dispatch::serve(node, inbox, outbox);
    let write = tokio::spawn(async move {
        while let Some(reply) = replies.recv().await {
            if send(&mut writer, Some(&mut to_client), &reply).await.is_err() {
                break;
            }
        }
    });
    loop {
        let request = tokio::select! {
            () = ending.cancelled() => break,
            request = receive::<Request>(&mut reader, Some(&mut to_node), FRAME_MAX) => request,
        };
        // A forged, malformed or oversized frame ends the connection: nothing after it can be trusted.
        let Ok(request) = request else { break };
        if requests.send(request).await.is_err() {
            break;
        }
    }
    drop(requests);
    let _ = tokio::time::timeout(Duration::from_secs(2), write).await;
}
