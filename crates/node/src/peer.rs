//! Asking another home on this machine, and being asked by one: one signed question, one signed answer, and it is over.
//!
//! node → `Hello`; the asker → [`PeerAsk`]; node → [`PeerReply`]. Each side signs, with the key of its device, the nonces of
//! both and everything it says; the device's certificate says whose key that is. A question names the identity it is for, so
//! that nobody can hand it on to another home, and an answer holds for one question. Nothing on the way is secret: a program
//! of the same user that took the socket's place could read along, and could not put a word in.
//!
//! Whoever has no standing grant is turned away before anything is looked up; everybody else is asked about as
//! [`crate::protocol::Op::Disclose`] is: grants, the filter, the ledger, the permit, then the bytes.

use hinet_vault::{DeviceCert, DeviceKey, hex, verify_signature};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::failure::NodeError;
use crate::flows::disclose;
use crate::handshake::{Hello, fresh_nonce};
use crate::protocol::{Asker, Capability, ErrorKind, Event, Hash, PROTOCOL_VERSION};
use crate::state::{Node, now};
use crate::wire::{HELLO_MAX, WireError, receive, send};

/// Bytes of a question that is put to another home; it must fit into the handshake's frame however it is escaped.
pub(crate) const ABOUT_MAX: usize = 500;
/// Largest answer, in bytes: three excerpts of a few sentences are far below it.
const REPLY_MAX: usize = 1 << 16;
/// What signatures begin with, so that they hold for nothing else.
const ASK: &[u8] = b"hinet/peer-ask/v2\0";
const REPLY: &[u8] = b"hinet/peer-reply/v2\0";

/// The only frame of an asker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerAsk {
    version: u32,
    nonce: Hash,
    /// Whose device asks.
    certificate: DeviceCert,
    /// Which identity is meant; absent only where it is asked who is there.
    to: Option<Hash>,
    /// About what excerpts are wanted; absent asks who is there.
    about: Option<String>,
    signature: String,
}

/// A question that is what it says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerAsked {
    /// Who asks.
    pub(crate) identity: Hash,
    to: Option<Hash>,
    about: Option<String>,
    /// The nonces of the node and of the asker.
    nonces: (Hash, Hash),
}

/// What a home says to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub(crate) enum Said {
    /// It is here.
    Here,
    /// Excerpts, in the bytes that were permitted.
    Excerpts { text: String },
    /// It says nothing, and why in a sentence.
    Refused { message: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerReply {
    certificate: DeviceCert,
    said: Said,
    signature: String,
}

/// What is signed: a label, and a hash of everything that is said.
fn message(label: &[u8], all: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(all).expect("plain data serialises");
    [label, blake3::hash(&json).as_bytes().as_slice()].concat()
}

fn ask_message(nonces: (Hash, Hash), asker: Hash, version: u32, to: Option<Hash>, about: Option<&str>) -> Vec<u8> {
    message(ASK, &(nonces.0, nonces.1, asker, version, to, about))
}

/// An answer names who asked and what, so that nobody between the two can have another question answered.
fn reply_message(nonces: (Hash, Hash), (asker, home): (Hash, Hash), about: Option<&str>, said: &Said) -> Vec<u8> {
    message(REPLY, &(nonces.0, nonces.1, asker, home, about, said))
}

/// Whether this certificate's device signed it, and its identity stands for the device.
fn holds(certificate: &DeviceCert, message: &[u8], signature: &str) -> bool {
    let signature: Option<[u8; 64]> = hex::decode(signature);
    certificate.verify(&certificate.identity.0)
        && signature.is_some_and(|signature| verify_signature(&certificate.device.0, message, &signature))
}

impl PeerAsk {
    /// Checks a question that answers this nonce of the node's. The error says what would be written down.
    pub(crate) fn check(self, hello: Hash) -> Result<PeerAsked, &'static str> {
        if self.version != PROTOCOL_VERSION {
            return Err("another home spoke another protocol version");
        }
        let nonces = (hello, self.nonce);
        let message = ask_message(nonces, self.certificate.identity, self.version, self.to, self.about.as_deref());
        if !holds(&self.certificate, &message, &self.signature) {
            return Err("another home's signature was wrong");
        }
        Ok(PeerAsked { identity: self.certificate.identity, to: self.to, about: self.about, nonces })
    }
}

/// The node's side, after [`PeerAsk::check`]. Gives what is to be written down, where something was refused before consent
/// was asked.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    node: &Node,
    stream: &mut S,
    asked: PeerAsked,
) -> Option<String> {
    let mut refused = None;
    let own = Hash(node.vault.identity());
    let said = match &asked.about {
        _ if asked.to.is_some_and(|to| to != own) || (asked.about.is_some() && asked.to.is_none()) => {
            return Some("another home's question was refused: it was meant for somebody else".to_owned());
        }
        None => Said::Here,
        Some(about) if about.len() > ABOUT_MAX => {
            Said::Refused { message: format!("The question is longer than {ABOUT_MAX} bytes.") }
        }
        Some(_) if is_waiting(node, asked.identity) => {
            Said::Refused { message: "A question of yours waits for its owner already.".to_owned() }
        }
        Some(about) => {
            if is_granted(node, asked.identity).await {
                let cancel = node.live();
                let mut excerpts = std::pin::pin!(excerpts(node, asked.identity, about.clone(), &cancel));
                tokio::select! {
                    said = &mut excerpts => said,
                    // Whoever asked has gone: what waits for the owner is taken away again.
                    () = gone(stream) => {
                        cancel.cancel();
                        excerpts.await
                    }
                }
            } else {
                refused =
                    Some(format!("another home's question was refused: nothing is granted to peer:{}", asked.identity));
                Said::Refused { message: format!("Its owner has granted nothing to peer:{}.", asked.identity) }
            }
        }
    };
    let device = node.vault.device();
    let signed = reply_message(asked.nonces, (asked.identity, own), asked.about.as_deref(), &said);
    let signature = hex::encode(&device.sign(&signed));
    // Whoever asked may be gone by now.
    let _ = send(stream, None, &PeerReply { certificate: device.certificate().clone(), said, signature }).await;
    refused
}

/// Returns when the other end has hung up. An asker says nothing after its question.
async fn gone(stream: &mut (impl AsyncRead + Unpin)) {
    let _ = stream.read_u8().await;
}

/// Whether the owner has a question of this identity on the desk: one at a time, so that nobody fills it.
fn is_waiting(node: &Node, identity: Hash) -> bool {
    let asker = Asker::Peer(identity.to_string());
    node.desk.all().iter().any(|asking| asking.asker == asker)
}

/// Whether a grant stands for excerpts to this identity, whatever its bounds but time.
async fn is_granted(node: &Node, identity: Hash) -> bool {
    let asker = Asker::Peer(identity.to_string());
    let grants = node.apart("the grants", |node| Ok(node.consent.grants()?)).await;
    grants.is_ok_and(|all| {
        all.iter().any(|grant| {
            grant.revoked.is_none()
                && grant.terms.asker == asker
                && grant.terms.capability == Capability::Retrieve
                && grant.terms.limits.expires.is_none_or(|at| at > now())
        })
    })
}

async fn excerpts(node: &Node, identity: Hash, about: String, cancel: &CancellationToken) -> Said {
    let asker = Asker::Peer(identity.to_string());
    match disclose::disclose(node, asker, Capability::Retrieve, about, cancel).await {
        Ok(Event::Disclosed { text, .. }) => Said::Excerpts { text },
        Ok(_) => Said::Refused { message: "It answered with something else.".to_owned() },
        Err(NodeError::Said(said)) if matches!(said.kind, ErrorKind::Refused | ErrorKind::Usage) => {
            Said::Refused { message: said.message }
        }
        // What is wrong here is nobody else's matter.
        Err(_) => Said::Refused { message: "It could not be looked up.".to_owned() },
    }
}

/// The asker's side: asks who is there, or for excerpts about something. Gives who answered, and what; the error is the end of
/// a sentence that begins with the home's name.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    device: &DeviceKey,
    to: Option<Hash>,
    about: Option<String>,
) -> Result<(Hash, Said), String> {
    let lost = |_: WireError| "hung up".to_owned();
    let hello: Hello = receive(stream, None, HELLO_MAX).await.map_err(lost)?;
    if hello.version != PROTOCOL_VERSION {
        return Err("runs another version of icore".to_owned());
    }
    let nonces = (hello.nonce, fresh_nonce());
    let certificate = device.certificate().clone();
    let own = certificate.identity;
    let signature = hex::encode(&device.sign(&ask_message(nonces, own, PROTOCOL_VERSION, to, about.as_deref())));
    let ask = PeerAsk { version: PROTOCOL_VERSION, nonce: nonces.1, certificate, to, about, signature };
    send(stream, None, &ask).await.map_err(lost)?;
    let PeerReply { certificate, said, signature } = receive(stream, None, REPLY_MAX).await.map_err(lost)?;
    let signed = reply_message(nonces, (own, certificate.identity), ask.about.as_deref(), &said);
    if !holds(&certificate, &signed, &signature) {
        return Err("gave an answer whose signature is wrong".to_owned());
    }
    if to.is_some_and(|to| to != certificate.identity) {
        return Err("is not the home that was added".to_owned());
    }
    Ok((certificate.identity, said))
}
