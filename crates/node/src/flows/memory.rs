//! Looking into the memory: search, timeline, items, marks, counts.

use hinet_index::{Asked, Filter, NotADate, Query};
use hinet_vault::Reader;
use hinet_vault::records::{Filing, ItemHead};
use jiff::tz::TimeZone;

use crate::failure::NodeError;
use crate::flows::people;
use crate::protocol::{ErrorKind, Event, Hit, ItemId, ItemView, Millis, ThreadLine, ThreadView, Within};
use crate::state::{Node, now};

/// Most hits a search gives.
const HITS_MAX: usize = 200;
/// Most items of one page of the timeline.
const LINES_MAX: usize = 1_000;
/// Longest query that is searched, in bytes.
const QUERY_MAX: usize = 16 << 10;
/// Labels of one item, and characters of one label.
const LABELS_MAX: usize = 16;
const LABEL_CHARS_MAX: usize = 40;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sought {
    /// What to rank by, in free text.
    pub(crate) text: String,
    /// What must stand in a passage.
    pub(crate) phrases: Vec<String>,
    /// Which items.
    pub(crate) filter: Filter,
    /// How many hits.
    pub(crate) k: usize,
}

/// [`crate::protocol::Op::Search`].
pub(crate) async fn search(node: &Node, query: String, k: usize) -> Result<Event, NodeError> {
    let asked = read(&query)?;
    let sought = Sought { text: asked.text(), phrases: asked.phrases, filter: asked.filter, k };
    Ok(Event::Hits { hits: seek(node, sought).await? })
}

/// [`crate::protocol::Op::Timeline`].
pub(crate) fn timeline(node: &Node, query: &str, before: Option<Millis>, limit: usize) -> Result<Event, NodeError> {
    let asked = read(query)?;
    let persons = people::asked_for(node, &asked.filter)?;
    let limit = limit.clamp(1, LINES_MAX);
    let items = node.index().timeline(&node.vault, &asked, persons.as_deref(), before, limit)?;
    Ok(Event::Items { items })
}

/// A search line with its operators.
fn read(query: &str) -> Result<Asked, NodeError> {
    bounded(query)?;
    Asked::read(query, &TimeZone::system()).map_err(|fault: NotADate| {
        NodeError::said(
            ErrorKind::Usage,
            format!("{fault}."),
            "Write a day, a month or a year: 2026-03-12, 2026-03 or 2026.",
        )
    })
}

fn bounded(query: &str) -> Result<(), NodeError> {
    if query.len() > QUERY_MAX {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("The search is {} bytes long; at most {QUERY_MAX} are searched.", query.len()),
            "Search for a sentence or a few words.",
        ));
    }
    Ok(())
}

/// Searches all of the memory, or the parts of it named in `within`, for a text in which nothing is an operator.
pub(crate) async fn find(node: &Node, text: String, within: &[Within], k: usize) -> Result<Vec<Hit>, NodeError> {
    bounded(&text)?;
    let filter = Filter { within: within.to_vec(), ..Filter::default() };
    seek(node, Sought { text, filter, k, ..Sought::default() }).await
}

/// Searches by words and, where the embedder is on this machine, by meaning.
pub(crate) async fn seek(node: &Node, sought: Sought) -> Result<Vec<Hit>, NodeError> {
    let node = node.clone();
    tokio::task::spawn_blocking(move || {
        let Sought { text, phrases, filter, k } = sought;
        let persons = people::asked_for(&node, &filter)?;
        // Operators alone are a list, and a list needs no meaning.
        let vector = if text.chars().any(char::is_alphanumeric) { meaning(&node, &text)? } else { None };
        let k = k.clamp(1, HITS_MAX);
        let query = Query { text, vector, k, now: now(), phrases, filter, persons, ..Query::default() };
        Ok(node.index().search(&node.vault, &query)?)
    })
    .await
    .map_err(|_| crate::failure::unexpected("the search"))?
}

fn meaning(node: &Node, text: &str) -> Result<Option<Vec<f32>>, NodeError> {
    match node.embedder() {
        Ok(embedder) => Ok(embedder.embed(&[text])?.pop()),
        // Without the embedder, words alone still find most things.
        Err(failure) => {
            node.notices.add(failure.to_string());
            Ok(None)
        }
    }
}

/// [`crate::protocol::Op::Show`].
pub(crate) fn show(node: &Node, item: ItemId) -> Result<Event, NodeError> {
    let item = Box::new(node.vault.read(|r| view(r, item))?);
    Ok(Event::Item { item })
}

fn view(reader: &Reader<'_>, item: ItemId) -> Result<ItemView, NodeError> {
    let (Some(row), Some(number)) = (reader.item(item)?, reader.item_number(item)?) else { return Err(gone(item)) };
    let filing = row.filing.unwrap_or_default();
    let thread = thread(reader, item, &filing)?;
    Ok(ItemView {
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
        pinned: reader.is_pinned(number)?,
        labels: reader.labels_of(number)?,
        cited: reader.answers_citing(item)?,
        filed: filing.labels,
        thread,
    })
}

/// The thread of an item with what stands beside it; nothing where nothing else of it is in the memory.
fn thread(reader: &Reader<'_>, item: ItemId, filing: &Filing) -> Result<Option<ThreadView>, NodeError> {
    let Some(name) = &filing.thread else { return Ok(None) };
    let messages = reader.thread_len(name)?;
    let (before, after) = reader.thread_around(item)?;
    let line = |head: ItemHead| ThreadLine { item: head.id, title: head.title, modified: head.modified };
    Ok((messages > 1).then(|| ThreadView { messages, before: before.map(line), after: after.map(line) }))
}

fn gone(item: ItemId) -> NodeError {
    NodeError::said(ErrorKind::Failed, format!("There is no item {item} in the memory."), "It may have been forgotten.")
}

/// [`crate::protocol::Op::Mark`].
pub(crate) fn mark(
    node: &Node,
    item: ItemId,
    pinned: Option<bool>,
    labels: Option<Vec<String>>,
) -> Result<Event, NodeError> {
    let labels = labels.map(tidy).transpose()?;
    let view = node.vault.write(|tx| {
        if tx.item_number(item)?.is_none() {
            return Err(gone(item));
        }
        if let Some(pinned) = pinned {
            tx.set_pinned(item, pinned)?;
        }
        if let Some(labels) = &labels {
            tx.set_labels(item, labels)?;
        }
        view(tx, item)
    })?;
    node.names.soil();
    Ok(Event::Item { item: Box::new(view) })
}

/// Labels without white space around them, each once whatever its letter case.
fn tidy(labels: Vec<String>) -> Result<Vec<String>, NodeError> {
    let mut kept: Vec<String> = Vec::new();
    for label in labels {
        let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
        if label.is_empty() || kept.iter().any(|known| known.to_lowercase() == label.to_lowercase()) {
            continue;
        }
        if label.chars().count() > LABEL_CHARS_MAX || label.chars().any(char::is_control) {
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("A label has at most {LABEL_CHARS_MAX} letters; nothing was changed."),
                "Give it a shorter name.",
            ));
        }
        kept.push(label);
    }
    if kept.len() > LABELS_MAX {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("An item has at most {LABELS_MAX} labels; nothing was changed."),
            "Take some away first.",
        ));
    }
    Ok(kept)
}

/// [`crate::protocol::Op::Stats`].
pub(crate) fn stats(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Stats { stats: node.vault.read(|r| r.counts())? })
}
