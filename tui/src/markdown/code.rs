//! Blocks of code: how they are framed and broken into rows, and where they stand in a text.

use super::ink::{CodeAt, Ink, Kind, Row};
use super::layout;
use super::split::{Piece, Rest, Splitter};
use crate::text;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use std::ops::Range;

/// In front of a line of code that goes on with the line above.
const GOES_ON: &str = "↪ ";

/// A block of code as the layout found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// The language it names, or nothing.
    pub language: String,
    /// The code, made harmless.
    pub text: String,
    /// The bytes of it that are marked, from and to.
    pub marked: (usize, usize),
}

/// The line above code.
pub(super) fn open_rule(language: &str, columns: usize, block: usize) -> Row {
    let said = if language.is_empty() { "──".to_owned() } else { format!("── {} ", text::fit(language, 24)) };
    let fill = columns.saturating_sub(text::width(&said));
    let said = text::cut_raw(&(said + &"─".repeat(fill)), columns);
    Row { pieces: vec![(said, Ink::of(Kind::Aside))], source: 0..0, code: Some(CodeAt { block, from: None }) }
}

/// The line below code.
pub(super) fn close_rule(columns: usize, block: usize) -> Row {
    let pieces = vec![("─".repeat(columns), Ink::of(Kind::Aside))];
    Row { pieces, source: 0..0, code: Some(CodeAt { block, from: None }) }
}

/// The rows of one cleaned line of code, `from` its place in the whole code.
pub(super) fn code_rows(line: &str, from: usize, source: Range<usize>, columns: usize, block: usize) -> Vec<Row> {
    let mark = if columns > 8 { GOES_ON } else { "" };
    let mut out = Vec::new();
    let mut start = 0;
    loop {
        let room = if out.is_empty() { columns } else { columns - text::width(mark) };
        let mut piece = text::cut_raw(&line[start..], room);
        let mut end = start + piece.len();
        if piece.is_empty() && start < line.len() {
            // Not even one character fits: show that there is one.
            end = line[start..].chars().next().map_or(line.len(), |c| start + c.len_utf8());
            piece = "…".into();
        }
        let mut pieces = Vec::with_capacity(2);
        if !out.is_empty() && !mark.is_empty() {
            pieces.push((mark.to_owned(), Ink::of(Kind::Aside)));
        }
        pieces.push((piece, Ink::of(Kind::Code)));
        let at = (source.start + start).min(source.end)..(source.start + end).min(source.end);
        let at = if end == line.len() { at.start..source.end } else { at };
        out.push(Row { pieces, source: at, code: Some(CodeAt { block, from: Some(from + start) }) });
        start = end;
        if start >= line.len() {
            return out;
        }
    }
}

/// The language a fence names: its first word.
pub(super) fn language(info: &str) -> String {
    let word = info.trim().split(|c: char| c.is_whitespace() || matches!(c, ',' | '{')).next().unwrap_or_default();
    text::clean_line(word)
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
            out.push((language(&text[info]), start..start));
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
                    CodeBlockKind::Fenced(info) => language(info),
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
