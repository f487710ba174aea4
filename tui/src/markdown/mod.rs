//! Markdown as lines for the terminal: CommonMark with tables, struck text and task lists.
//!
//! Invariant: whatever the text is, laying it out does not panic, no line is wider than asked, every piece is clean, and
//! a text that arrived in parts looks as if it had come whole. Addresses of links are shown and never made into
//! anything a terminal would open; raw HTML is text.

mod brush;
mod code;
pub mod colours;
mod document;
mod flow;
pub mod highlight;
mod ink;
mod layout;
mod split;
mod table;

pub use brush::Brush;
pub use code::{Code, code_blocks, code_text};
pub use colours::Colours;
pub use document::Document;
pub use ink::{CodeAt, Ink, Kind, Row};
pub use layout::{Wish, blank_before};

use split::{Piece, Rest, Splitter};
use std::ops::Range;

/// The parts of a text that can be laid out alone, one after the other; never none.
#[must_use]
pub fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut fence: Option<usize> = None;
    let mut splitter = Splitter::default();
    splitter.feed(text, |piece| match piece {
        Piece::Prose(body, _) => out.push(body),
        Piece::Fence(line, _) => fence = Some(line.start),
        Piece::Line(..) => {}
        Piece::Closed(line) => out.push(fence.take().unwrap_or(line.start)..line.end),
    });
    let rest = match (fence, splitter.rest(text)) {
        (Some(start), _) => start..text.len(),
        (None, Rest::Prose(body, ..)) => body,
        (None, Rest::Line(line, _)) => line,
    };
    if out.is_empty() || !text[rest.clone()].trim().is_empty() {
        out.push(rest);
    }
    out
}

/// A part of a text with the marks of Markdown before and after it on its lines: the signs of a heading, an item, a
/// quotation, a cell, emphasis.
#[must_use]
pub fn with_markup(text: &str, part: Range<usize>) -> Range<usize> {
    let (Some(before), Some(after)) = (text.get(..part.start), text.get(part.end..)) else { return part };
    let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    let rest = &after[..after.find('\n').unwrap_or(after.len())];
    let opens = |c: char| " \t#>*_-+`~|[]x!().0123456789".contains(c);
    let closes = |c: char| " \t\r*_`~|]#".contains(c);
    let start = if line.chars().all(opens) { part.start - line.len() } else { part.start };
    let end = if rest.chars().all(closes) { part.end + rest.len() } else { part.end };
    start..end
}
