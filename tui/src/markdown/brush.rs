//! Laid-out rows in the styles of a theme and the colours of their code.

use super::colours::{Colours, Run, Shade};
use super::document::Document;
use super::ink::{Ink, Kind, Row};
use crate::theme::Theme;
use ratatui::{
    style::Style,
    text::{Line, Span},
};
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
