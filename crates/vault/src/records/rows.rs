//! The rows of sources, items and chunks.

use super::Filing;
use hinet_protocol::{GrantId, Hash, ItemId, Millis, SourceId, SourceKind, SourceState, Span, Trust};

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Its id.
    pub id: SourceId,
    /// What it is.
    pub kind: SourceKind,
    /// Its path.
    pub path: String,
    /// What it is doing.
    pub state: SourceState,
    /// The grant it is read under.
    pub grant: Option<GrantId>,
    /// When it was opened.
    pub added: Millis,
    /// When it was last read to the end.
    pub synced: Option<Millis>,
}

/// An item with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// Its id.
    pub id: ItemId,
    /// Its source.
    pub source: SourceId,
    /// Its path or address, unique in its source.
    pub key: String,
    /// Its title.
    pub title: String,
    /// `markdown`, `text`, `code`, `html`, `pdf`, `docx`, `mail`, `event`, `contact`, `chat`.
    pub kind: String,
    /// Whose words they are.
    pub trust: Trust,
    /// When it was last changed.
    pub modified: Millis,
    /// When it was remembered.
    pub ingested: Millis,
    /// BLAKE3 of the text.
    pub hash: Hash,
    /// The text.
    pub text: String,
    /// Where it stands in its source; nothing where nobody looked.
    pub filing: Option<Filing>,
}

impl ItemRow {
    /// The item without its text.
    #[must_use]
    pub fn head(&self) -> ItemHead {
        ItemHead {
            id: self.id,
            source: self.source,
            key: self.key.clone(),
            title: self.title.clone(),
            kind: self.kind.clone(),
            trust: self.trust,
            modified: self.modified,
            ingested: self.ingested,
            hash: self.hash,
        }
    }
}

/// An item without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemHead {
    /// Its id.
    pub id: ItemId,
    /// Its source.
    pub source: SourceId,
    /// Its path or address, unique in its source.
    pub key: String,
    /// Its title.
    pub title: String,
    /// `markdown`, `text`, `code`, `html`, `pdf`, `docx`, `mail`, `event`, `contact`, `chat`.
    pub kind: String,
    /// Whose words they are.
    pub trust: Trust,
    /// When it was last changed.
    pub modified: Millis,
    /// When it was remembered.
    pub ingested: Millis,
    /// BLAKE3 of the text.
    pub hash: Hash,
}

/// A chunk that is to be stored with its item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDraft {
    /// Where it lies in the item's text, on character boundaries.
    pub span: Span,
    /// The headings above it; empty where there are none.
    pub heading: String,
}

/// A stored chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRow {
    /// Its id, never given twice.
    pub id: i64,
    /// Its item.
    pub item: ItemId,
    /// Its place among the item's chunks, from 0.
    pub ordinal: u32,
    /// Where it lies in the item's text.
    pub span: Span,
    /// The headings above it.
    pub heading: String,
}

/// A stored chunk with its text and its item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkView {
    /// The chunk.
    pub chunk: ChunkRow,
    /// Its item.
    pub item: ItemHead,
    /// Its text.
    pub text: String,
}

/// Something the search index has yet to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRow {
    /// Its number.
    pub seq: i64,
    /// The chunk. It may be gone by now; then a later row says so.
    pub chunk: i64,
    /// The chunk's item.
    pub item: ItemId,
    /// Whether the chunk is to be added (else removed).
    pub add: bool,
}
