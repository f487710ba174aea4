//! A stored text to read, with the cited bytes marked: Markdown rendered, code in its colours, all else as it is.
//!
//! The text is cut into blocks that are laid out when they come on the screen, so that a long one opens like a short one.

use super::paragraphs::Paragraphs;
use super::scroll::{Blocks, Place};
use crate::markdown::{Brush, Colours, Document, Wish, blank_before, blocks, colours::CODE_BYTES_MAX};
use crate::theme::Theme;
use ratatui::text::Line;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// A longer text is shown as it is.
const MARKDOWN_BYTES_MAX: usize = 1024 * 1024;
/// Lines above the marked ones that are shown with them.
const LINES_BEFORE: usize = 2;

/// The text.
pub enum Reader {
    /// As it is.
    Plain(Paragraphs),
    /// Laid out.
    Rendered(Box<Rendered>),
}

/// A text that is laid out block by block.
pub struct Rendered {
    text: String,
    blocks: Vec<Range<usize>>,
    /// The language, where all of it is code.
    language: Option<String>,
    marked: Range<usize>,
    columns: usize,
    kept: RefCell<HashMap<usize, Document>>,
}

impl Default for Reader {
    fn default() -> Self {
        Self::Plain(Paragraphs::new(String::new(), None))
    }
}

impl Reader {
    /// The text of an item of a kind, with the bytes of `span` marked.
    #[must_use]
    pub fn new(text: String, kind: &str, source: &str, span: Option<Range<usize>>) -> Self {
        let language = match kind {
            "markdown" if text.len() <= MARKDOWN_BYTES_MAX => None,
            "code" if text.len() <= CODE_BYTES_MAX => Some(language_of(source)),
            _ => return Self::Plain(Paragraphs::new(text, span)),
        };
        // One place moves a span to character borders.
        let paragraphs = Paragraphs::new(text, span);
        let marked = paragraphs.marked_range();
        let text = paragraphs.into_text();
        let blocks = match language {
            Some(_) => std::iter::once(0..text.len()).collect(),
            None => blocks(&text),
        };
        Self::Rendered(Box::new(Rendered { text, blocks, language, marked, columns: 80, kept: RefCell::default() }))
    }

    /// Says how wide the lines are.
    pub fn set_columns(&mut self, columns: usize) {
        match self {
            Self::Plain(plain) => plain.set_columns(columns),
            Self::Rendered(rendered) => {
                if rendered.columns != columns.max(1) {
                    rendered.columns = columns.max(1);
                    rendered.kept.borrow_mut().clear();
                }
            }
        }
    }

    /// Marks other bytes, which begin and end at character borders.
    pub fn mark(&mut self, span: Range<usize>) {
        match self {
            Self::Plain(plain) => plain.mark(span),
            Self::Rendered(rendered) => {
                rendered.marked = span;
                rendered.kept.borrow_mut().clear();
            }
        }
    }

    /// The bytes that are marked.
    #[must_use]
    pub fn marked_range(&self) -> Range<usize> {
        match self {
            Self::Plain(plain) => plain.marked_range(),
            Self::Rendered(rendered) => rendered.marked.clone(),
        }
    }

    /// The whole text, as it is stored.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Plain(plain) => plain.text(),
            Self::Rendered(rendered) => &rendered.text,
        }
    }

    /// The marked text.
    #[must_use]
    pub fn marked(&self) -> &str {
        match self {
            Self::Plain(plain) => plain.marked(),
            Self::Rendered(rendered) => rendered.text.get(rendered.marked.clone()).unwrap_or_default(),
        }
    }

    /// A place some lines above the marked bytes, so that they can be read in their surroundings.
    #[must_use]
    pub fn place_of_mark(&self) -> Place {
        match self {
            Self::Plain(plain) => plain.place_of_mark(),
            Self::Rendered(rendered) => rendered.place_of_mark(),
        }
    }

    /// The `height` lines from `top`.
    #[must_use]
    pub fn window(&self, top: Place, height: usize, theme: &Theme, colours: &Colours) -> Vec<Line<'static>> {
        match self {
            Self::Plain(plain) => plain.window(top, height, theme.text, theme.mark),
            Self::Rendered(rendered) => rendered.window(top, height, Brush { theme, colours, citations: 0 }),
        }
    }
}

impl Rendered {
    /// A block's blank lines before it, and the block.
    fn with<R>(&self, block: usize, read: impl FnOnce(usize, &Document) -> R) -> R {
        let mut kept = self.kept.borrow_mut();
        let document = kept.entry(block).or_insert_with(|| self.lay_out(block));
        let start = self.blocks.get(block).map_or(0, |range| range.start);
        read(usize::from(block > 0 && blank_before(&self.text, start)), document)
    }

    fn lay_out(&self, block: usize) -> Document {
        let range = self.blocks.get(block).cloned().unwrap_or(0..0);
        let inside = |at: usize| at.clamp(range.start, range.end) - range.start;
        let mark = (inside(self.marked.start), inside(self.marked.end));
        let wish = Wish { columns: self.columns, breaks: false, mark };
        let mut document = Document::default();
        match &self.language {
            Some(language) => document.set_code(&self.text[range], language, wish),
            None => document.set(&self.text[range], wish, true),
        }
        document
    }

    fn place_of_mark(&self) -> Place {
        let block = self.blocks.partition_point(|b| b.end <= self.marked.start).min(self.blocks.len() - 1);
        let at = self.marked.start.saturating_sub(self.blocks[block].start);
        let line = self.with(block, |gap, document| gap + document.row_of(at));
        if line >= LINES_BEFORE || block == 0 {
            return Place { block, line: line.saturating_sub(LINES_BEFORE) };
        }
        let before = self.lines(block - 1);
        Place { block: block - 1, line: before.saturating_sub(LINES_BEFORE - line) }
    }

    fn window(&self, top: Place, height: usize, brush: Brush) -> Vec<Line<'static>> {
        let mut out = Vec::with_capacity(height);
        for block in top.block..self.blocks.len() {
            let skip = if block == top.block { top.line } else { 0 };
            self.with(block, |gap, document| {
                out.extend((skip..gap).map(|_| Line::default()));
                let from = skip.saturating_sub(gap).min(document.rows().len());
                let to = (from + height.saturating_sub(out.len())).min(document.rows().len());
                out.extend(brush.lines(document, from..to));
            });
            if out.len() >= height {
                break;
            }
        }
        out.truncate(height);
        out
    }
}

impl Blocks for Rendered {
    fn count(&self) -> usize {
        self.blocks.len()
    }

    fn lines(&self, block: usize) -> usize {
        self.with(block, |gap, document| gap + document.rows().len()).max(1)
    }
}

impl Blocks for Reader {
    fn count(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.count(),
            Self::Rendered(rendered) => rendered.count(),
        }
    }

    fn lines(&self, block: usize) -> usize {
        match self {
            Self::Plain(plain) => plain.lines(block),
            Self::Rendered(rendered) => rendered.lines(block),
        }
    }
}

/// What a file's name says about its language: its ending, or the whole name.
fn language_of(source: &str) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    fn marked(reader: &Reader) -> String {
        let theme = Theme { mark: ratatui::style::Style::new().add_modifier(Modifier::REVERSED), ..Theme::default() };
        let lines = reader.window(Place::default(), 200, &theme, &Colours::default());
        let spans = lines.into_iter().flat_map(|line| line.spans);
        spans
            .filter(|span| span.style.add_modifier.contains(Modifier::REVERSED))
            .map(|span| span.content.into_owned())
            .collect()
    }

    #[test]
    fn the_cited_bytes_are_marked_in_what_is_rendered() {
        let text = "# Porto\n\nThe **train leaves** at 14:39 from\nOriente.\n\n- one\n- two and three\n\n```rust\nlet coach = 21;\n```\n";
        for cited in ["train leaves", "leaves** at 14:39", "from\nOriente", "two and", "coach = 21"] {
            let start = text.find(cited).unwrap();
            let mut reader = Reader::new(text.into(), "markdown", "/a/b.md", Some(start..start + cited.len()));
            reader.set_columns(70);
            assert_eq!(reader.marked(), cited);
            assert_eq!(marked(&reader), cited.replace("**", "").replace('\n', " "));
        }
    }

    #[test]
    fn code_keeps_its_lines_and_its_mark() {
        let text = "fn main() {\n\tlet x = 1;\n}\n";
        let start = text.find("let x").unwrap();
        let reader = Reader::new(text.into(), "code", "/a/b.rs", Some(start..start + 5));
        assert_eq!(reader.lines(0), 3);
        assert_eq!(marked(&reader), "let x");
        assert_eq!(reader.place_of_mark(), Place { block: 0, line: 0 });
        let colours = Colours::default();
        let _ = reader.window(Place::default(), 5, &Theme::default(), &colours);
        let mut colours = colours;
        assert_eq!(colours.take_wanted()[0].language, "rs");
    }

    #[test]
    fn odd_spans_and_texts_are_survived() {
        for kind in ["markdown", "code", "text"] {
            for span in [0..0, Range { start: 3, end: 1 }, 1..2, 5..900, 900..901, 2..3] {
                let reader = Reader::new("é世\n\n# x\n\ty".to_owned(), kind, "/a/b.rs", Some(span));
                let _ = (
                    reader.place_of_mark(),
                    reader.window(Place { block: 9, line: 9 }, 5, &Theme::default(), &Colours::default()),
                );
            }
            let empty = Reader::new(String::new(), kind, "", None);
            assert_eq!(empty.count(), 1);
            let _ = empty.place_of_mark();
        }
    }

    #[test]
    fn a_long_text_is_laid_out_where_it_is_read() {
        let text = "## A heading\n\nSome words that are read by nobody.\n\n".repeat(5000);
        let reader = Reader::new(text, "markdown", "/a/b.md", Some(200_000..200_010));
        let _ = reader.window(reader.place_of_mark(), 40, &Theme::default(), &Colours::default());
        let Reader::Rendered(rendered) = &reader else { panic!("it is short enough") };
        assert!(rendered.blocks.len() > 5000 && rendered.kept.borrow().len() < 60);
    }
}
