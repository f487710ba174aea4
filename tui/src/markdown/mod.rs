//! Markdown as lines for the terminal: CommonMark with tables, struck text and task lists.
//!
//! Invariant: whatever the text is, laying it out does not panic, no line is wider than asked, every piece is clean, and
//! a text that arrived in parts looks as if it had come whole. Addresses of links are shown and never made into
//! anything a terminal would open; raw HTML is text.

mod document;
mod flow;
mod ink;
mod layout;
mod split;
mod table;

pub use document::Document;
pub use ink::{CodeAt, Ink, Kind, Row};
pub use layout::{Code, Wish};

use crate::theme::Theme;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use ratatui::text::{Line, Span};
use split::{Piece, Rest, Splitter};
use std::ops::Range;

/// A laid-out line in the styles of a theme. Numbers in brackets are marks where they cite one of `citations`.
#[must_use]
pub fn draw(row: &Row, theme: &Theme, citations: usize) -> Line<'static> {
    let spans = row.pieces.iter().map(|(piece, ink)| {
        let cites = || piece.trim_matches(['[', ']']).parse().is_ok_and(|n: usize| (1..=citations).contains(&n));
        let ink = if ink.kind == Kind::Cite && !cites() { Ink { kind: Kind::Text, ..*ink } } else { *ink };
        Span::styled(piece.clone(), ink.style(theme))
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// The blocks of code of a text: the language each names, and where the code stands, without its fences. Their order is
/// that of [`CodeAt::block`].
#[must_use]
pub fn code_blocks(text: &str) -> Vec<(String, Range<usize>)> {
    let mut out = Vec::new();
    let mut splitter = Splitter::default();
    splitter.feed(text, |piece| match piece {
        Piece::Prose(body, _) => prose_blocks(text, body, &mut out),
        Piece::Fence(line, info) => {
            let start = (line.end + 1).min(text.len());
            out.push((layout::language(&text[info]), start..start));
        }
        Piece::Line(line, _) => {
            if let Some((_, code)) = out.last_mut() {
                code.end = (line.end + 1).min(text.len());
            }
        }
        Piece::Closed(_) => {}
    });
    match splitter.rest(text) {
        Rest::Prose(body, ..) => prose_blocks(text, body, &mut out),
        Rest::Line(line, _) if !splitter.closes(&text[line.clone()]) => {
            if let Some((_, code)) = out.last_mut() {
                code.end = line.end;
            }
        }
        Rest::Line(..) => {}
    }
    out
}

fn prose_blocks(text: &str, body: Range<usize>, out: &mut Vec<(String, Range<usize>)>) {
    let mut inside = false;
    for (event, range) in Parser::new_ext(&text[body.clone()], layout::options()).into_offset_iter() {
        let at = body.start + range.start..body.start + range.end;
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => layout::language(info),
                    CodeBlockKind::Indented => String::new(),
                };
                out.push((language, at.end..at.start));
                inside = true;
            }
            Event::End(TagEnd::CodeBlock) => {
                inside = false;
                if let Some((_, code)) = out.last_mut().filter(|(_, code)| code.start > code.end) {
                    *code = at.end..at.end;
                }
            }
            Event::Text(_) if inside => {
                if let Some((_, code)) = out.last_mut() {
                    *code = code.start.min(at.start)..code.end.max(at.end);
                }
            }
            _ => {}
        }
    }
}
