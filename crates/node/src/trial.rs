//! A large home made quickly, for measuring: the files go through the import like any others, but their vectors are drawn
//! by chance, and the conversation is written down without being asked. A hundred thousand chunks would take the
//! embedder most of an hour, and ten thousand messages the model a day; what is measured on such a home (starting,
//! drawing, scrolling) never looks at what a vector means or who thought of a sentence.
//!
//! Invariant: only a home without any item or conversation is filled, so nobody's memory is ever mixed with it.

use std::path::Path;

use hinet_index::encode;
use hinet_model::{Embedder, registry::Registry};
use tokio_util::sync::CancellationToken;

use crate::failure::NodeError;
use crate::flows::{ingest, sources};
use crate::protocol::{After, ErrorKind, Failure, Feedback, Message, MessageId, Role, SessionId, SourceKind};
use crate::settings::{Settings, Unlock};
use crate::state::{Node, now};

/// Rows in one transaction.
const BATCH: usize = 2_000;
/// Dimensions of the built-in embedder.
const DIMENSIONS: usize = 384;
/// Milliseconds between two messages.
const PACE: i64 = 1_000;

/// What a filled home holds.
#[derive(Debug, Clone, Copy)]
pub struct Filled {
    /// Items.
    pub items: u64,
    /// Chunks, each with a vector.
    pub chunks: u64,
    /// The conversation.
    pub session: SessionId,
}

/// Reads `folder` into a home that holds nothing, gives every chunk a vector drawn by chance, and writes one conversation
/// of the sentences of `said`, the owner's and the answers in turn, titled `title`.
///
/// # Errors
/// Where the home holds something, cannot be opened, or cannot be written.
pub async fn fill(
    settings: &Settings,
    unlock: &Unlock,
    folder: &Path,
    title: &str,
    said: &[String],
) -> Result<Filled, Failure> {
    let (secret, opened) = (unlock.secret()?, settings.clone());
    let node = tokio::task::spawn_blocking(move || Node::open(&opened, &secret, false))
        .await
        .map_err(|_| crate::failure::unexpected("the home"))??;
    let filled = fill_open(&node, folder, title, said.to_vec()).await;
    node.stop().await;
    Ok(filled?)
}

async fn fill_open(node: &Node, folder: &Path, title: &str, said: Vec<String>) -> Result<Filled, NodeError> {
    let empty = node.vault.read(|r| Ok::<_, NodeError>(r.counts()?.items == 0 && r.sessions()?.is_empty()))?;
    if !empty {
        return Err(NodeError::said(
            ErrorKind::Usage,
            "This home holds something, and only an empty one is filled for measuring; it was left as it is.",
            "Name a folder that is not there yet.",
        ));
    }
    let root = folder.to_path_buf();
    let source = node.vault.write(|tx| sources::open_in(&node.consent, tx, &root, SourceKind::Folder))?;
    let pass = ingest::Pass { root, forced: false };
    ingest::run(node, source, pass, None, &CancellationToken::new()).await?;
    let title = title.to_owned();
    node.apart("filling the home", move |node| {
        put_vectors(node)?;
        let session = put_conversation(node, &title, &said)?;
        let counts = node.vault.read(|r| r.counts())?;
        Ok(Filled { items: counts.items, chunks: counts.chunks, session })
    })
    .await
}

/// Vectors by chance, the same for the same chunk; the index reads them when the home is opened next.
fn put_vectors(node: &Node) -> Result<(), NodeError> {
    let embedder = Embedder::hash_of(Registry::builtin().default_embedder())?;
    let chunks = node.vault.read(|r| r.all_chunk_ids())?;
    for some in chunks.chunks(BATCH) {
        let vectors = some
            .iter()
            .map(|chunk| Ok((*chunk, encode(&by_chance(*chunk))?)))
            .collect::<Result<Vec<_>, NodeError>>()?;
        node.vault.write(|tx| tx.put_vectors(embedder, &vectors))?;
    }
    Ok(())
}

/// Numbers between minus one and one: SplitMix64, seeded with the chunk.
fn by_chance(chunk: i64) -> Vec<f32> {
    let mut state = chunk.cast_unsigned();
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..DIMENSIONS).map(|_| next()).collect()
}

fn put_conversation(node: &Node, title: &str, said: &[String]) -> Result<SessionId, NodeError> {
    let session = SessionId::new();
    let began = now() - PACE * said.len() as i64;
    node.vault.write(|tx| tx.put_session(session, title, began))?;
    let numbered: Vec<(usize, &String)> = said.iter().enumerate().collect();
    for some in numbered.chunks(BATCH) {
        node.vault.write(|tx| {
            for (n, text) in some {
                let message = Message {
                    id: MessageId::new(),
                    role: if n % 2 == 0 { Role::User } else { Role::Assistant },
                    text: (*text).clone(),
                    at: began + PACE * *n as i64,
                    citations: Vec::new(),
                    stats: None,
                    parent: None,
                    siblings: Vec::new(),
                    onward: 0,
                    attached: Vec::new(),
                    feedback: Feedback::default(),
                };
                tx.put_message(session, &message, After::Head)?;
            }
            Ok::<_, NodeError>(())
        })?;
    }
    Ok(session)
}
