//! The messages beside a message: the one that answers it and the one it answers, as near as their times say. "At seven,
//! from the old pier" is found alone and says nothing alone; a question that was found has its answer in another message.
//!
//! They are offered to whoever reads what was found. What is found, and in which order, they do not change.

use crate::{IndexError, stages::Stages};
use hinet_protocol::{Hit, ScoreParts, Span};
use hinet_vault::{Reader, Vault, records::ItemHead};

/// Bytes of a message that is read only because it stands beside one that was found: about two passages.
const BESIDE_MAX: usize = 2_000;

/// For each hit, the message after it and the one before it in its thread, where there are such. One that is a hit
/// itself is given as it was found; of another it is the beginning.
///
/// # Errors
/// Where the vault cannot be read.
pub fn around(vault: &Vault, hits: &[Hit], stages: Stages) -> Result<Vec<Vec<Hit>>, IndexError> {
    if !stages.thread {
        return Ok(vec![Vec::new(); hits.len()]);
    }
    vault.read(|reader| hits.iter().map(|hit| beside(reader, hit, hits)).collect())
}

fn beside(reader: &Reader<'_>, hit: &Hit, hits: &[Hit]) -> Result<Vec<Hit>, IndexError> {
    let (before, after) = reader.thread_around(hit.item)?;
    let mut beside = Vec::new();
    // What answers a message says more of it than what it answers, which it mostly repeats.
    for item in after.into_iter().chain(before) {
        match hits.iter().find(|found| found.item == item.id) {
            Some(found) => beside.push(found.clone()),
            None => beside.extend(beginning(reader, item)?),
        }
    }
    Ok(beside)
}

/// The first passages of an item, as one.
fn beginning(reader: &Reader<'_>, item: ItemHead) -> Result<Option<Hit>, IndexError> {
    let chunks = reader.chunks_of(item.id)?;
    let Some(first) = chunks.first() else { return Ok(None) };
    let start = first.span.start;
    let ends = chunks.iter().map(|chunk| chunk.span.end);
    let end = ends.take_while(|end| end - start <= BESIDE_MAX).last().unwrap_or(first.span.end);
    let Some(row) = reader.item(item.id)? else { return Ok(None) };
    let Some(text) = row.text.get(start..end) else { return Ok(None) };
    Ok(Some(Hit {
        item: item.id,
        source: item.key,
        title: item.title,
        text: text.to_owned(),
        span: Span { start, end },
        score: 0.0,
        parts: ScoreParts::default(),
        modified: item.modified,
        kind: item.kind,
        pinned: false,
    }))
}
