//! Attaching: the socket alone is not trust. Both ends prove they hold the key that only the unlock secret gives,
//! over fresh nonces of both, and agree on the exact protocol version.
//!
//! node → `Hello{version, nonce}`; client → `Attach{version, nonce, mac}`; node → `Welcome{mac}` or `Refused`. Another home,
//! which has no such key, says something else instead of `Attach`: see [`crate::peer`].

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use crate::peer::{PeerAsk, PeerAsked};
use crate::protocol::{ErrorKind, Failure, Hash, Op, OwnerProof, PROTOCOL_VERSION};
use crate::wire::{HELLO_MAX, Lane, WireError, receive, send};

/// The node's first frame.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) nonce: Hash,
}

/// The client's answer.
#[derive(Serialize, Deserialize)]
struct Attach {
    version: u32,
    nonce: Hash,
    mac: Hash,
}

/// What whoever knocked says first.
#[derive(Deserialize)]
#[serde(untagged)]
enum First {
    Client(Attach),
    Peer(Box<PeerAsk>),
}

/// Who is let in.
pub(crate) enum Guest {
    /// A client of the owner's, with the keys of its connection.
    Client(Lanes),
    /// Another home with one question.
    Peer(PeerAsked),
}

/// The node's verdict.
#[derive(Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
enum Verdict {
    Welcome { mac: Hash },
    Refused { failure: Failure },
}

/// The keys of an attached connection, one per direction.
pub(crate) struct Lanes {
    /// What the client sends.
    pub(crate) to_node: Lane,
    /// What the node sends.
    pub(crate) to_client: Lane,
}

/// A key of the unlock secret.
pub(crate) type AttachKey = Zeroizing<[u8; 32]>;

/// A nonce nobody has seen.
pub(crate) fn fresh_nonce() -> Hash {
    Hash(rand::random())
}

fn hmac(key: &AttachKey, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

fn tag(key: &AttachKey, parts: &[&[u8]]) -> Hash {
    Hash(hmac(key, parts).finalize().into_bytes().into())
}

fn holds(key: &AttachKey, parts: &[&[u8]], claimed: &Hash) -> bool {
    hmac(key, parts).verify_slice(&claimed.0).is_ok()
}

fn lanes(key: &AttachKey, node: &Hash, client: &Hash) -> Lanes {
    Lanes {
        to_node: Lane::new(tag(key, &[b"lane to node", &node.0, &client.0]).0),
        to_client: Lane::new(tag(key, &[b"lane to client", &node.0, &client.0]).0),
    }
}

fn refused(message: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Refused, message, hint)
}

/// The owner's proof over a nonce for exactly this op.
pub(crate) fn prove(key: &AttachKey, nonce: Hash, op: &Op) -> OwnerProof {
    OwnerProof { nonce, mac: tag(key, &[b"owner-proof", &nonce.0, &op_hash(op)]) }
}

/// Whether a proof is for this nonce and this op.
pub(crate) fn proof_holds(key: &AttachKey, nonce: &Hash, op: &Op, proof: &OwnerProof) -> bool {
    proof.nonce == *nonce && holds(key, &[b"owner-proof", &nonce.0, &op_hash(op)], &proof.mac)
}

fn op_hash(op: &Op) -> [u8; 32] {
    let json = serde_json::to_vec(op).expect("an op always serialises: it has string keys only");
    *blake3::hash(&json).as_bytes()
}

/// The node's side. `Ok(Err(why))` is an attach that was refused and should be recorded.
pub(crate) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    key: &AttachKey,
) -> Result<Result<Guest, &'static str>, WireError> {
    let nonce = fresh_nonce();
    send(stream, None, &Hello { version: PROTOCOL_VERSION, nonce }).await?;
    let attach = match receive::<First>(stream, None, HELLO_MAX).await {
        Ok(First::Client(attach)) => attach,
        Ok(First::Peer(ask)) => return Ok(ask.check(nonce).map(Guest::Peer)),
        Err(WireError::Malformed(_) | WireError::TooLarge(_)) => {
            let failure = refused("The node did not understand this client.", "Use the same icore on both sides.");
            send(stream, None, &Verdict::Refused { failure }).await?;
            return Ok(Err("it did not speak the protocol"));
        }
        Err(error) => return Err(error),
    };
    if attach.version != PROTOCOL_VERSION {
        let failure = refused(
            format!("The running node speaks version {PROTOCOL_VERSION}, this client version {}.", attach.version),
            "Stop the node with `icore node --stop` of its own version and start it again with this one.",
        );
        send(stream, None, &Verdict::Refused { failure }).await?;
        return Ok(Err("it spoke another protocol version"));
    }
    let version = PROTOCOL_VERSION.to_le_bytes();
    if !holds(key, &[b"client", &version, &nonce.0, &attach.nonce.0], &attach.mac) {
        let failure =
            refused("The node refused this client: its answer to the challenge is wrong.", "Check the passphrase.");
        send(stream, None, &Verdict::Refused { failure }).await?;
        return Ok(Err("its answer to the challenge was wrong"));
    }
    let mac = tag(key, &[b"node", &version, &attach.nonce.0, &nonce.0]);
    send(stream, None, &Verdict::Welcome { mac }).await?;
    Ok(Ok(Guest::Client(lanes(key, &nonce, &attach.nonce))))
}

/// Why a client could not attach.
#[derive(Debug)]
pub(crate) enum AttachError {
    /// The connection broke off before a verdict.
    Lost(WireError),
    /// The node refused, or it is not this home's.
    Refused(Failure),
}

impl From<WireError> for AttachError {
    fn from(error: WireError) -> Self {
        Self::Lost(error)
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Lost(error) => {
                let message = format!("The node could not be reached: {error}.");
                Self::new(ErrorKind::Failed, message, "Try again, or `icore node --stop`.")
            }
            AttachError::Refused(failure) => failure,
        }
    }
}

/// The client's side.
pub(crate) async fn attach<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    key: &AttachKey,
) -> Result<Lanes, AttachError> {
    let hello: Hello = receive(stream, None, HELLO_MAX).await?;
    let nonce = fresh_nonce();
    let version = PROTOCOL_VERSION.to_le_bytes();
    let mac = tag(key, &[b"client", &version, &hello.nonce.0, &nonce.0]);
    send(stream, None, &Attach { version: PROTOCOL_VERSION, nonce, mac }).await?;
    match receive(stream, None, HELLO_MAX).await? {
        Verdict::Refused { failure } => Err(AttachError::Refused(failure)),
        Verdict::Welcome { mac } if holds(key, &[b"node", &version, &nonce.0, &hello.nonce.0], &mac) => {
            Ok(lanes(key, &hello.nonce, &nonce))
        }
        Verdict::Welcome { .. } => Err(AttachError::Refused(refused(
            "What answers on this home's socket is not this home's node.",
            "Another program may have taken the socket: stop it, then start icore again.",
        ))),
    }
}

#[cfg(test)]
mod tests;
