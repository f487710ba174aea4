//! Markdown as lines for the terminal: CommonMark with tables, struck text and task lists.
//!
//! Invariant: whatever the text is, laying it out does not panic, no line is wider than asked, every piece is clean, and
//! a text that arrived in parts looks as if it had come whole. Addresses of links are shown and never made into
//! anything a terminal would open; raw HTML is text.

pub mod colours;
mod document;
mod flow;
pub mod highlight;
mod ink;
mod layout;
mod split;
mod table;

pub use colours::Colours;
pub use document::Document;
pub use ink::{CodeAt, Ink, Kind, Row};
pub use layout::{Code, Wish, blank_before};

use crate::theme::Theme;
use colours::{Run, Shade};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use ratatui::{
    style::Style,
    text::{Line, Span},
};
use split::{Piece, Rest, Splitter};
use std::ops::Range;

/// What lines are drawn with.
#[derive(Clone, Copy)]
pub struct Brush<'a> {
    /// The styles.
    pub theme: &'a Theme,
    /// The colours of code.
    pub colours: &'a Colours,
    /// Numbers in brackets are marks where they cite one of so many.
    pub citations: usize,
}

impl<'a> Brush<'a> {
    /// Lines `lines` of a document, in styles.
    #[must_use]
    pub fn lines(&self, document: &Document, lines: Range<usize>) -> Vec<Line<'static>> {
        let mut known: Option<(usize, &'a [Run])> = None;
        let rows = document.rows().get(lines).unwrap_or_default();
        rows.iter()
            .map(|row| {
                let runs = match (row.code, known) {
                    (Some(at), Some((block, runs))) if at.block == block => runs,
                    (Some(at), _) => {
                        let code = document.codes().get(at.block);
                        let runs = code.map_or(&[][..], |code| self.colours.of(code, document.grows(at.block)));
                        known = Some((at.block, runs));
                        runs
                    }
                    (None, _) => &[],
                };
                let mark = row.code.and_then(|at| document.codes().get(at.block)).map_or((0, 0), |code| code.marked);
                self.line(row, runs, mark)
            })
            .collect()
    }

    fn line(&self, row: &Row, runs: &[Run], mark: (usize, usize)) -> Line<'static> {
        let mut spans = Vec::with_capacity(row.pieces.len());
        let last = row.pieces.len().wrapping_sub(1);
        for (number, (piece, ink)) in row.pieces.iter().enumerate() {
            match row.code.and_then(|at| at.from) {
                Some(from) if number == last => {
                    let first = spans.len();
                    self.code(piece, from, runs, &mut spans);
                    if mark.0 < from + piece.len() && from < mark.1 {
                        let code = spans.split_off(first);
                        let part = mark.0.saturating_sub(from)..mark.1 - from;
                        spans.extend(marked(code, &part, self.theme.mark));
                    }
                }
                _ => spans.push(Span::styled(piece.clone(), self.ink(piece, *ink).style(self.theme))),
            }
        }
        Line::from(spans)
    }

    fn ink(&self, piece: &str, ink: Ink) -> Ink {
        let cites = || piece.trim_matches(['[', ']']).parse().is_ok_and(|n: usize| (1..=self.citations).contains(&n));
        if ink.kind == Kind::Cite && !cites() { Ink { kind: Kind::Text, ..ink } } else { ink }
    }

    /// A line of code that begins at `from`, in the colours of its runs.
    fn code(&self, piece: &str, from: usize, runs: &[Run], spans: &mut Vec<Span<'static>>) {
        let mut at = 0;
        let first = runs.partition_point(|(end, _)| *end as usize <= from);
        for (end, shade) in runs.iter().skip(first) {
            let end = (*end as usize - from).min(piece.len());
            if at >= piece.len() {
                break;
            }
            // Colours of another text with the same name cannot cut a character.
            let Some(part) = piece.get(at..end) else { break };
            let style = match shade {
                Shade::Plain => self.theme.text,
                Shade::Keyword => self.theme.keyword,
                Shade::String => self.theme.string,
                Shade::Comment => self.theme.comment,
                Shade::Number => self.theme.number,
            };
            spans.push(Span::styled(part.to_owned(), style));
            at = end;
        }
        if at < piece.len() {
            spans.push(Span::styled(piece[at..].to_owned(), self.theme.text));
        }
    }
}

/// The spans of a line of code, with a part of its bytes marked.
fn marked(code: Vec<Span<'static>>, part: &Range<usize>, style: Style) -> Vec<Span<'static>> {
    let mut out = Vec::with_capacity(code.len() + 2);
    let mut at = 0;
    for span in code {
        let len = span.content.len();
        let mut start = 0;
        for (end, inside) in [(part.start, false), (part.end, true), (usize::MAX, false)] {
            let mut end = end.saturating_sub(at).min(len);
            while !span.content.is_char_boundary(end) {
                end -= 1;
            }
            if end > start {
                let patched = if inside { span.style.patch(style) } else { span.style };
                out.push(Span::styled(span.content[start..end].to_owned(), patched));
                start = end;
            }
        }
        at += len;
    }
    out
}

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

/// The code that stands at `range`, a part that [`code_blocks`] named, without what stands before its lines in a list or
/// a quotation.
#[must_use]
pub fn code_text(text: &str, range: &Range<usize>) -> String {
    let Some(code) = text.get(range.clone()) else { return String::new() };
    let line = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let stands_in = text[line..range.start].chars().count();
    let mut out = String::with_capacity(code.len());
    for (number, line) in code.split_inclusive('\n').enumerate() {
        let before = line.char_indices().take_while(|(_, c)| matches!(c, ' ' | '>' | '\t')).take(stands_in).last();
        let from = if number == 0 { 0 } else { before.map_or(0, |(at, c)| at + c.len_utf8()) };
        out.push_str(&line[from..]);
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
