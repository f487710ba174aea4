//! A text laid out for a width, which may still be growing.
//!
//! What is finished is laid out once. Only the open piece at the end is done again when words are added, and of an open
//! code fence only its last line, so that the cost of a word does not grow with the text before it.

use super::code::{self, Code};
use super::ink::{CodeAt, Ink, Row};
use super::layout::{self, Counts, Source, Wish};
use super::split::{Carry, Piece, Rest, Splitter, is_undecided};
use crate::text;
use std::ops::Range;

/// The lines of a text.
#[derive(Debug, Clone, Default)]
pub struct Document {
    wish: Option<Wish>,
    /// What was laid out, to know whether a new text only goes on with it; empty once it is finished.
    text: String,
    finished: bool,
    splitter: Splitter,
    rows: Vec<Row>,
    codes: Vec<Code>,
    counts: Counts,
    /// How many of the rows and codes will not change any more.
    stable: (usize, usize),
}

impl Document {
    /// Shows `text`; a text that goes on with the one before costs only what is new. `finished` says that nothing more
    /// is added, so that what the last line might become is no longer waited for.
    pub fn set(&mut self, text: &str, wish: Wish, finished: bool) {
        let goes_on = !self.finished && self.wish == Some(wish) && text.starts_with(&self.text);
        if !goes_on {
            *self = Self { wish: Some(wish), ..Self::default() };
        }
        if !finished {
            let known = self.text.len();
            self.text.push_str(&text[known..]);
        }
        self.finished = finished;
        self.rows.truncate(self.stable.0);
        self.codes.truncate(self.stable.1);
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.feed(text, |piece| self.certain(text, piece, wish));
        self.stable = (self.rows.len(), self.codes.len());
        let open = splitter.rest(text);
        self.open(text, open, &splitter, wish);
        self.splitter = splitter;
        if finished {
            self.text = String::new();
        }
    }

    /// Shows `text` as it is, line breaks kept and nothing understood.
    pub fn set_plain(&mut self, text: &str, wish: Wish) {
        *self = Self { wish: Some(wish), finished: true, ..Self::default() };
        let end = text.trim_end().len();
        let mut start = 0;
        for line in text[..end].split_inclusive('\n') {
            let mut flow = super::flow::Flow::default();
            flow.push(line.trim_end_matches(['\n', '\r']), Ink::default(), start..start + line.len());
            for part in flow.lines(wish.columns) {
                let source = if flow.is_empty() { start..start + line.len() } else { flow.source(&part) };
                self.rows.push(Row { pieces: flow.pieces(&part, wish.columns), source, code: None });
            }
            start += line.len();
        }
        self.stable = (self.rows.len(), 0);
    }

    /// Shows `text` as code of a language.
    pub fn set_code(&mut self, text: &str, language: &str, wish: Wish) {
        *self = Self { wish: Some(wish), finished: true, ..Self::default() };
        self.codes.push(Code { language: language.to_owned(), ..Code::default() });
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            self.certain(text, Piece::Line(start..end - usize::from(line.ends_with('\n')), false), wish);
            start = end;
        }
        self.stable = (self.rows.len(), self.codes.len());
    }

    /// Its lines.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Its blocks of code, in the order of their numbers in the rows.
    #[must_use]
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// Whether more may be added to a block of code.
    #[must_use]
    pub fn grows(&self, block: usize) -> bool {
        let open = self.splitter.in_fence() || block >= self.stable.1;
        !self.finished && open && block + 1 == self.codes.len()
    }

    /// The first line that shows the byte at `at`, or comes after it.
    #[must_use]
    pub fn row_of(&self, at: usize) -> usize {
        let shows = |row: &Row| row.source.start <= at && at < row.source.end;
        let found = self.rows.iter().position(shows);
        let after = || self.rows.iter().position(|row| !row.source.is_empty() && row.source.start > at);
        found.or_else(after).unwrap_or(self.rows.len().saturating_sub(1))
    }

    fn certain(&mut self, text: &str, piece: Piece, wish: Wish) {
        match piece {
            Piece::Prose(body, carry) => self.prose(text, body, &carry, wish),
            Piece::Fence(line, info) => {
                if !self.rows.is_empty() && layout::blank_before(text, line.start) {
                    self.rows.push(Row { source: line.start..line.start, ..Row::default() });
                }
                let language = code::language(&text[info]);
                let rule = code::open_rule(&language, wish.columns, self.codes.len());
                self.rows.push(Row { source: line, ..rule });
                self.codes.push(Code { language, ..Code::default() });
            }
            Piece::Line(line, goes_on) => {
                let Some(code) = self.codes.last_mut() else { return };
                let cleaned = text::clean(text[line.clone()].trim_end_matches('\r')).replace('\n', " ");
                if !goes_on && self.rows.last().is_some_and(is_code) {
                    code.text.push('\n');
                }
                let from = code.text.len();
                code.text.push_str(&cleaned);
                let (first, last) = (wish.mark.0.max(line.start), wish.mark.1.min(line.end));
                if first < last {
                    // Tabs became wider: what stands before an end of the mark says where it is now.
                    let place =
                        |at: usize| from + text.get(line.start..at).map_or(0, |before| text::clean(before).len());
                    let start = if code.marked.1 == 0 { place(first) } else { code.marked.0 };
                    code.marked = (start, place(last).min(code.text.len()));
                }
                let block = self.codes.len() - 1;
                self.rows.extend(code::code_rows(&cleaned, from, line, wish.columns, block));
            }
            Piece::Closed(line) => {
                let rule = code::close_rule(wish.columns, self.codes.len().saturating_sub(1));
                self.rows.push(Row { source: line, ..rule });
            }
        }
    }

    fn prose(&mut self, text: &str, body: Range<usize>, carry: &Carry, wish: Wish) {
        let head = if let Carry::Table(head) = carry { head.clone() } else { 0..0 };
        let source = Source { text, head, body, goes_on: *carry == Carry::List };
        layout::piece(&source, wish, &mut self.rows, &mut self.codes, &mut self.counts);
    }

    /// Lays out what may still change, without counting it as done.
    fn open(&mut self, text: &str, rest: Rest, splitter: &Splitter, wish: Wish) {
        let counts = self.counts;
        match rest {
            Rest::Prose(mut body, carry, line) => {
                if !self.finished && line > body.start && is_undecided(&text[line..]) {
                    body.end = line;
                }
                self.prose(text, body, &carry, wish);
            }
            Rest::Line(line, goes_on) => {
                let said = &text[line.clone()];
                let closing = splitter.closes(said);
                if self.finished && closing {
                    self.certain(text, Piece::Closed(line), wish);
                } else if !line.is_empty() && (self.finished || !splitter.may_close(said)) {
                    let known = self.codes.last().map(|code| code.text.len());
                    self.certain(text, Piece::Line(line, goes_on), wish);
                    if let (false, Some(code), Some(known)) = (self.finished, self.codes.last_mut(), known) {
                        code.text.truncate(known);
                    }
                }
            }
        }
        self.counts = counts;
    }
}

fn is_code(row: &Row) -> bool {
    matches!(row.code, Some(CodeAt { from: Some(_), .. }))
}
