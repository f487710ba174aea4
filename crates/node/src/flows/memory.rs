//! Looking into the memory: search, items, counts.

use hinet_index::Query;

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Event, Hit, ItemId, ItemView};
use crate::state::{Node, now};

/// Most hits a search gives.
const HITS_MAX: usize = 200;
/// Longest query that is searched, in bytes.
const QUERY_MAX: usize = 16 << 10;

/// [`crate::protocol::Op::Search`].
pub(crate) async fn search(node: &Node, query: String, k: usize) -> Result<Event, NodeError> {
    Ok(Event::Hits { hits: find(node, query, k).await? })
}

/// Searches by words and, where the embedder is on this machine, by meaning.
pub(crate) async fn find(node: &Node, query: String, k: usize) -> Result<Vec<Hit>, NodeError> {
    if query.len() > QUERY_MAX {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("The search is {} bytes long; at most {QUERY_MAX} are searched.", query.len()),
            "Search for a sentence or a few words.",
        ));
    }
    let node = node.clone();
    tokio::task::spawn_blocking(move || {
        let vector = match node.embedder() {
            Ok(embedder) => embedder.embed(&[query.as_str()])?.pop(),
            // Without the embedder, words alone still find most things.
            Err(failure) => {
                node.notices.add(failure.to_string());
                None
            }
        };
        let query = Query { text: query, vector, k: k.clamp(1, HITS_MAX), now: now() };
        Ok(node.index().search(&node.vault, &query)?)
    })
    .await
    .map_err(|_| crate::failure::unexpected("the search"))?
}

/// [`crate::protocol::Op::Show`].
pub(crate) fn show(node: &Node, item: ItemId) -> Result<Event, NodeError> {
    let row = node.vault.read(|r| r.item(item))?.ok_or_else(|| {
        NodeError::said(
            ErrorKind::Failed,
            format!("There is no item {item} in the memory."),
            "It may have been forgotten.",
        )
    })?;
    let view = ItemView {
        item: row.id,
        source_id: row.source,
        source: row.key,
        title: row.title,
        kind: row.kind,
        trust: row.trust,
        modified: row.modified,
        ingested: row.ingested,
        hash: row.hash,
        text: row.text,
        pinned: false,
        labels: Vec::new(),
        cited: 0,
    };
    Ok(Event::Item { item: Box::new(view) })
}

/// [`crate::protocol::Op::Stats`].
pub(crate) fn stats(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Stats { stats: node.vault.read(|r| r.counts())? })
}
