//! Search hits and answers. Field names are what scripts read from `--json`; change them only with a new version.

use crate::{Composition, Hash, ItemId, MessageId, SessionId};
use serde::{Deserialize, Serialize};

/// A half-open byte range `[start, end)` of an item's text; serialises as `[start, end]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl From<(usize, usize)> for Span {
    fn from((start, end): (usize, usize)) -> Self {
        Self { start, end }
    }
}

impl From<Span> for (usize, usize) {
    fn from(span: Span) -> Self {
        (span.start, span.end)
    }
}

/// Why a hit ranks where it does; each part is in 0..=1, higher is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreParts {
    /// Words in common (BM25, scaled to the best hit of this search).
    pub bm25: f32,
    /// Meaning in common (cosine of the embeddings, clamped at 0).
    pub vector: f32,
    /// How recent the item is (1 now, halving every 90 days).
    pub recency: f32,
}

/// One chunk of one item that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The item it is in.
    pub item: ItemId,
    /// Where the item came from: a path or an address, as a person would say it.
    pub source: String,
    /// The item's title.
    pub title: String,
    /// The chunk's text.
    pub text: String,
    /// Where the chunk lies in the item's text.
    pub span: Span,
    /// The fused score the list is ordered by.
    pub score: f32,
    /// What the score is made of.
    pub parts: ScoreParts,
    /// When the item was last changed, in Unix milliseconds.
    pub modified: i64,
    /// What the item is: `markdown`, `text`, `code`, `html`, `pdf`, `docx`, `mail`, `event`, `contact`, `chat`.
    #[serde(default)]
    pub kind: String,
    /// Whether the owner pinned it.
    #[serde(default)]
    pub pinned: bool,
}

/// A passage that an answer stands on. Only passages that really were in the prompt are cited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The item.
    pub item: ItemId,
    /// Where it came from.
    pub source: String,
    /// The cited bytes of the item's text.
    pub span: Span,
    /// Those bytes.
    pub text: String,
    /// The home that handed them out, where it is another than this one: a member of the assembly that was asked. Then the
    /// item is none of this memory's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// Something that did not fit into the prompt, said rather than hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// What was left out: a passage's source, "earlier turns", the tail of the question.
    pub what: String,
    /// How many tokens it would have taken.
    pub tokens: usize,
}

/// Token counts of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Tokens in the prompt.
    pub prompt: usize,
    /// Of those, tokens whose KV entries were still cached from the turn before.
    pub cached: usize,
    /// Tokens generated.
    pub generated: usize,
}

/// A finished answer. `icore ask --json` prints this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What was said.
    pub answer: String,
    /// What it stands on, in the order of the `[n]` marks.
    pub citations: Vec<Citation>,
    /// What did not fit.
    pub cut: Vec<Cut>,
    /// Token counts.
    pub tokens: TokenCounts,
    /// Decode speed, tokens per second (0 where nothing was generated).
    pub tokens_per_s: f32,
    /// Hashes of the deltas that answered; empty for the bare anchor.
    pub deltas: Vec<Hash>,
    /// How the answer came about: `generated`, `quoted` (the passage itself, because the model's words could not be
    /// grounded in it), `not_in_memory`, `about` (icore on itself, in fixed words), `draft`, `assembled` (by members of an
    /// assembly, from their weights or from excerpts they handed out) or `stopped`.
    pub how: String,
    /// The session the turn was stored in.
    pub session: SessionId,
    /// The stored message; for an incognito answer an id that is stored nowhere.
    pub message: MessageId,
    /// The owner's message it answers.
    pub question: MessageId,
    /// Context window use, 0..=1.
    pub context: f32,
    /// Who answered, where an assembly was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composed: Option<Composition>,
}
