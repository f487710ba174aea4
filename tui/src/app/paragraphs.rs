//! A long text as blocks that can be laid out one at a time, with a span of its bytes marked.

use super::scroll::{Blocks, Place};
use crate::text;
use ratatui::{style::Style, text::Line};
use std::ops::Range;

/// Bytes one block holds at most, so that a file of one enormous line is still laid out piece by piece.
const BLOCK_BYTES_MAX: usize = 4096;

/// The text and where its blocks begin.
#[derive(Debug, Clone, Default)]
pub struct Paragraphs {
    text: String,
    blocks: Vec<Range<usize>>,
    marked: Range<usize>,
    columns: usize,
}

impl Paragraphs {
    /// Splits the text at its line breaks and marks `span`, moved inwards to character borders.
    #[must_use]
    pub fn new(text: String, span: Option<Range<usize>>) -> Self {
        let mut blocks = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            let mut from = start;
            while end - from > BLOCK_BYTES_MAX {
                let mut to = from + BLOCK_BYTES_MAX;
                while !text.is_char_boundary(to) {
                    to -= 1;
                }
                blocks.push(from..to);
                from = to;
            }
            blocks.push(from..end);
            start = end;
        }
        if blocks.is_empty() {
            blocks.push(0..0);
        }
        let mut out = Self { text, blocks, marked: 0..0, columns: 80 };
        out.mark(span.unwrap_or(0..0));
        out
    }

    /// Marks other bytes, moved inwards to character borders.
    pub fn mark(&mut self, span: Range<usize>) {
        let mut marked = span.start.min(self.text.len())..span.end.min(self.text.len());
        while !self.text.is_char_boundary(marked.start) {
            marked.start += 1;
        }
        while !self.text.is_char_boundary(marked.end) {
            marked.end -= 1;
        }
        self.marked = marked;
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says how wide the lines are.
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = columns.max(1);
    }

    /// The marked text.
    #[must_use]
    pub fn marked(&self) -> &str {
        self.text.get(self.marked.clone()).unwrap_or_default()
    }

    /// The marked bytes, moved to character borders.
    #[must_use]
    pub fn marked_range(&self) -> Range<usize> {
        self.marked.clone()
    }

    /// The text again.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// A place some lines above the marked span, so that it can be read in its surroundings.
    #[must_use]
    pub fn place_of_mark(&self) -> Place {
        let block = self.blocks.partition_point(|b| b.end <= self.marked.start).min(self.blocks.len() - 1);
        let before = self.blocks[block].start..self.marked.start.max(self.blocks[block].start);
        let line = text::wrap_plain(&self.text[before], Style::new(), self.columns).len().saturating_sub(1);
        if line >= 2 { Place { block, line: line - 2 } } else { Place { block: block.saturating_sub(2), line: 0 } }
    }

    /// One block, wrapped.
    #[must_use]
    pub fn wrapped(&self, block: usize, plain: Style, mark: Style) -> Vec<Line<'static>> {
        let Some(range) = self.blocks.get(block) else { return Vec::new() };
        let text = self.text[range.clone()].trim_end_matches(['\n', '\r']);
        let end = range.start + text.len();
        let from = self.marked.start.clamp(range.start, end);
        let to = self.marked.end.clamp(from, end);
        text::wrap(
            &[(&self.text[range.start..from], plain), (&self.text[from..to], mark), (&self.text[to..end], plain)],
            self.columns,
        )
    }

    /// The `height` lines from `top`.
    #[must_use]
    pub fn window(&self, top: Place, height: usize, plain: Style, mark: Style) -> Vec<Line<'static>> {
        let mut out = Vec::with_capacity(height);
        for block in top.block..self.blocks.len() {
            let skip = if block == top.block { top.line } else { 0 };
            out.extend(self.wrapped(block, plain, mark).into_iter().skip(skip));
            if out.len() >= height {
                out.truncate(height);
                break;
            }
        }
        out
    }
}

impl Blocks for Paragraphs {
    fn count(&self) -> usize {
        self.blocks.len()
    }

    fn lines(&self, block: usize) -> usize {
        self.wrapped(block, Style::new(), Style::new()).len().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    #[test]
    fn marks_the_cited_bytes_and_nothing_else() {
        let text = "first line\nthe 14:39 from Oriente, coach 21\nlast".to_owned();
        let start = text.find("14:39").unwrap();
        let mut p = Paragraphs::new(text, Some(start..start + 18));
        p.set_columns(12);
        let mark = Style::new().add_modifier(Modifier::REVERSED);
        let marked: String = (0..p.count())
            .flat_map(|b| p.wrapped(b, Style::new(), mark))
            .flat_map(|l| l.spans)
            .filter(|s| s.style == mark)
            .map(|s| s.content.into_owned())
            .collect();
        assert_eq!(marked.replace(' ', ""), "14:39fromOriente");
        assert_eq!(p.marked(), "14:39 from Oriente");
    }

    #[test]
    fn spans_outside_the_text_or_inside_a_character_are_survived() {
        for span in [0..0, Range { start: 3, end: 1 }, 1..2, 5..900, 900..901, 2..3] {
            let p = Paragraphs::new("é世\nx".to_owned(), Some(span));
            let _ = (p.place_of_mark(), p.window(Place::default(), 10, Style::new(), Style::new()));
        }
        assert_eq!(Paragraphs::new(String::new(), None).count(), 1);
    }

    #[test]
    fn one_enormous_line_is_many_blocks() {
        let p = Paragraphs::new("é".repeat(1_000_000), Some(1_000_000..1_000_010));
        assert!(p.count() > 400);
        assert!(p.place_of_mark().block > 200);
    }
}
