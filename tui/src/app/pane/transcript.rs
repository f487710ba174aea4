//! The turns of a conversation as lines: name and time, words with their citation marks, and how the answer came about.
//!
//! Lines are laid out only for turns on the screen and kept until the width or the turn changes. The answer being made
//! keeps what it laid out from word to word, and when it is finished.

use super::chat::{Live, Turn};
use super::foot::footer;
pub use super::foot::name_of;
use crate::app::scroll::{Blocks, Place};
use crate::app::words;
use crate::markdown::{self, Brush, Colours, Document, Wish};
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Millis, Role};
use jiff::tz::TimeZone;
use ratatui::{
    style::Style,
    text::{Line, Span},
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// How far the words stand in from the names.
const INDENT: usize = 2;
/// Laid-out lines kept at most; the screen and what is looked at below it are far fewer.
const KEPT_LINES_MAX: usize = 20_000;

/// Laid-out turns, for one width and theme.
#[derive(Default)]
pub struct Kept {
    columns: usize,
    theme: Theme,
    turns: HashMap<usize, Laid>,
    lines: usize,
    /// Counts up with every look, so that what was not looked at for the longest time goes first.
    looks: u64,
}

/// One turn, laid out.
#[derive(Default)]
struct Laid {
    version: u64,
    looked: u64,
    head: Vec<Line<'static>>,
    words: Document,
    citations: usize,
    foot: Vec<Line<'static>>,
}

impl Laid {
    fn lines(&self) -> usize {
        self.head.len() + self.words.rows().len() + self.foot.len()
    }
}

impl Kept {
    /// Forgets the half that was not looked at for the longest time.
    fn shrink(&mut self) {
        let mut looked: Vec<u64> = self.turns.values().map(|laid| laid.looked).collect();
        looked.sort_unstable();
        let Some(middle) = looked.get(looked.len() / 2).copied() else { return };
        self.turns.retain(|_, laid| laid.looked >= middle);
        self.lines = self.turns.values().map(Laid::lines).sum();
    }
}

/// What a line of the conversation shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Who and when.
    Head,
    /// Words: their bytes in the turn's text, and which block of code they are in, by its place in
    /// [`crate::markdown::code_blocks`].
    Words {
        /// The bytes; empty for a line the layout added.
        source: Range<usize>,
        /// The block of code.
        code: Option<usize>,
    },
    /// How the answer came about.
    Foot,
}

/// The conversation at a width, ready to be scrolled and drawn.
pub struct Transcript<'a> {
    /// The finished turns.
    pub turns: &'a [Turn],
    /// The answer being made.
    pub live: Option<&'a Live>,
    /// What was laid out before.
    pub kept: &'a RefCell<Kept>,
    /// Columns.
    pub columns: usize,
    /// The styles.
    pub theme: &'a Theme,
    /// The colours of code.
    pub colours: &'a Colours,
    /// Now.
    pub now: Millis,
    /// The zone of the times.
    pub zone: &'a TimeZone,
}

impl Transcript<'_> {
    fn with<R>(&self, block: usize, read: impl FnOnce(&Laid) -> R) -> R {
        let version = match (self.turns.get(block), self.live) {
            (Some(turn), _) => turn.version,
            (None, Some(live)) => live.version,
            (None, None) => return read(&Laid::default()),
        };
        let mut kept = self.kept.borrow_mut();
        let kept = &mut *kept;
        if kept.columns != self.columns || kept.theme != *self.theme {
            *kept = Kept { columns: self.columns, theme: self.theme.clone(), ..Kept::default() };
        }
        kept.looks += 1;
        let laid = kept.turns.entry(block).or_default();
        laid.looked = kept.looks;
        if laid.version != version || laid.head.is_empty() {
            let before = laid.lines();
            laid.version = version;
            match (self.turns.get(block), self.live) {
                (Some(turn), _) => self.lay_out_turn(turn, laid),
                (None, Some(live)) => self.lay_out_live(live, laid),
                (None, None) => {}
            }
            kept.lines = kept.lines + laid.lines() - before.min(kept.lines);
        }
        let answer = read(laid);
        if kept.lines > KEPT_LINES_MAX {
            kept.shrink();
        }
        answer
    }

    fn heading(&self, role: Role, at: Millis, version: Option<(usize, usize)>) -> Line<'static> {
        let (name, style) = match role {
            Role::User => ("you", self.theme.you),
            Role::Assistant => ("icore", self.theme.accent),
        };
        let time = words::when(at, self.now, self.zone);
        let version = version.map(|(n, of)| format!("  ‹ {n} of {of} ›")).unwrap_or_default();
        let gap = self.columns.saturating_sub(text::width(name) + text::width(&version) + text::width(&time));
        let rest = format!("{}{time}", " ".repeat(gap));
        Line::from(vec![
            Span::styled(name, style),
            Span::styled(version, self.theme.accent),
            Span::styled(rest, self.theme.dim),
        ])
    }

    fn wish(&self) -> Wish {
        Wish { columns: self.columns.saturating_sub(INDENT).max(1), breaks: true, mark: (0, 0) }
    }

    fn lay_out_turn(&self, turn: &Turn, laid: &mut Laid) {
        laid.head = vec![self.heading(turn.role, turn.at, turn.version_of())];
        match turn.role {
            Role::User => laid.words.set_plain(&turn.text, self.wish()),
            Role::Assistant => laid.words.set(turn.text.trim_end(), self.wish(), true),
        }
        laid.citations = turn.citations.len();
        laid.foot.clear();
        for (line, style) in footer(turn, self.columns.saturating_sub(INDENT), self.theme) {
            laid.foot.extend(self.indented(&line, style));
        }
        laid.foot.push(Line::default());
    }

    fn lay_out_live(&self, live: &Live, laid: &mut Laid) {
        laid.head = vec![self.heading(Role::Assistant, live.at, None)];
        laid.words.set(&live.text, self.wish(), false);
        laid.citations = live.hits.len();
        laid.foot = self.indented(&live.doing(), self.theme.dim);
    }

    fn indented(&self, said: &str, style: Style) -> Vec<Line<'static>> {
        let mut lines = text::wrap_plain(said, style, self.columns.saturating_sub(INDENT));
        lines.iter_mut().for_each(|line| self.stand_in(line));
        lines
    }

    fn stand_in(&self, line: &mut Line<'static>) {
        line.spans.insert(0, " ".repeat(INDENT.min(self.columns)).into());
    }

    /// The `height` lines from `top`.
    #[must_use]
    pub fn window(&self, top: Place, height: usize) -> Vec<Line<'static>> {
        let mut out = Vec::with_capacity(height);
        for block in top.block..self.count() {
            let skip = if block == top.block { top.line } else { 0 };
            self.with(block, |laid| {
                let end = laid.lines().min(skip + height - out.len());
                self.draw(laid, skip..end, &mut out);
            });
            if out.len() >= height {
                break;
            }
        }
        out
    }

    fn draw(&self, laid: &Laid, lines: Range<usize>, out: &mut Vec<Line<'static>>) {
        let (head, words) = (laid.head.len(), laid.words.rows().len());
        let part = |from: usize, len: usize| {
            lines.start.saturating_sub(from).min(len)..lines.end.saturating_sub(from).min(len)
        };
        out.extend_from_slice(&laid.head[part(0, head)]);
        let brush = Brush { theme: self.theme, colours: self.colours, citations: laid.citations };
        for mut line in brush.lines(&laid.words, part(head, words)) {
            self.stand_in(&mut line);
            out.push(line);
        }
        out.extend_from_slice(&laid.foot[part(head + words, laid.foot.len())]);
    }

    fn words(&self, laid: &Laid, line: usize) -> String {
        let words_of = |line: &Line| line.spans.iter().map(|span| span.content.as_ref()).collect();
        let Some(after) = line.checked_sub(laid.head.len()) else { return words_of(&laid.head[line]) };
        match laid.words.rows().get(after) {
            Some(row) => " ".repeat(INDENT.min(self.columns)) + &row.words(),
            None => laid.foot.get(after - laid.words.rows().len()).map(words_of).unwrap_or_default(),
        }
    }

    /// What a line shows: part of which turn is its block; the answer being made comes after the last turn.
    #[must_use]
    pub fn place_of(&self, place: Place) -> Option<Part> {
        if place.block >= self.count() {
            return None;
        }
        self.with(place.block, |laid| {
            if place.line >= laid.lines() {
                return None;
            }
            let Some(line) = place.line.checked_sub(laid.head.len()) else { return Some(Part::Head) };
            Some(match laid.words.rows().get(line) {
                Some(row) => Part::Words { source: row.source.clone(), code: row.code.map(|code| code.block) },
                None => Part::Foot,
            })
        })
    }

    /// The bytes of a turn's text that its `lines` show, with the marks around them; empty where they show none.
    #[must_use]
    pub fn source_of(&self, block: usize, lines: Range<usize>) -> Range<usize> {
        let text = match (self.turns.get(block), self.live) {
            (Some(turn), _) => &turn.text,
            (None, Some(live)) => &live.text,
            (None, None) => return 0..0,
        };
        let span = self.with(block, |laid| {
            let first = lines.start.saturating_sub(laid.head.len());
            let count = lines.end.saturating_sub(laid.head.len()).saturating_sub(first);
            let shown = laid.words.rows().iter().skip(first).take(count).filter(|row| !row.source.is_empty());
            shown.fold(None, |all: Option<Range<usize>>, row| match all {
                Some(all) => Some(all.start.min(row.source.start)..all.end.max(row.source.end)),
                None => Some(row.source.clone()),
            })
        });
        let Some(mut span) = span else { return 0..0 };
        span.end = span.end.min(text.len());
        span.start = span.start.min(span.end);
        while !text.is_char_boundary(span.start) {
            span.start -= 1;
        }
        while !text.is_char_boundary(span.end) {
            span.end += 1;
        }
        markdown::with_markup(text, span)
    }

    /// The line of a turn that shows the byte at `at` of its text.
    #[must_use]
    pub fn line_of(&self, block: usize, at: usize) -> Place {
        let line = self.with(block, |laid| laid.head.len() + laid.words.row_of(at));
        Place { block, line }
    }
}

impl Transcript<'_> {
    /// The `height` lines from `top`, and the place of each.
    #[must_use]
    pub fn window_with_places(&self, top: Place, height: usize) -> (Vec<Line<'static>>, Vec<Place>) {
        let lines = self.window(top, height);
        let mut places = Vec::with_capacity(lines.len());
        for block in top.block..self.count() {
            let skip = if block == top.block { top.line } else { 0 };
            places.extend((skip..self.lines(block)).map(|line| Place { block, line }).take(lines.len() - places.len()));
            if places.len() == lines.len() {
                break;
            }
        }
        (lines, places)
    }

    /// The lines of a block whose words are wanted.
    #[must_use]
    pub fn lines_with(&self, block: usize, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
        self.with(block, |laid| (0..laid.lines()).filter(|line| wanted(&self.words(laid, *line))).collect())
    }

    /// The words of a line as they stand on the screen.
    #[must_use]
    pub fn words_at(&self, place: Place) -> String {
        self.with(place.block, |laid| self.words(laid, place.line))
    }

    /// The code block a line lies in, else the first one of its message.
    #[must_use]
    pub fn code_at(&self, place: Place) -> Option<String> {
        let text = &self.turns.get(place.block)?.text;
        let here = match self.place_of(place) {
            Some(Part::Words { code: Some(code), .. }) => code,
            _ => 0,
        };
        let (_, range) = markdown::code_blocks(text).into_iter().nth(here)?;
        Some(markdown::code_text(text, &range))
    }

    /// What was written in the lines from `from` to `to`, both included, as it was written: one message after another.
    #[must_use]
    pub fn written_between(&self, from: Place, to: Place) -> String {
        let mut out: Vec<&str> = Vec::new();
        for block in from.block..=to.block.min(self.turns.len().saturating_sub(1)) {
            let first = if block == from.block { from.line } else { 0 };
            let end = if block == to.block { to.line + 1 } else { self.lines(block) };
            let written = self.turns.get(block).and_then(|turn| turn.text.get(self.source_of(block, first..end)));
            out.extend(written.map(str::trim_end).filter(|written| !written.is_empty()));
        }
        out.join("\n\n")
    }
}

impl Blocks for Transcript<'_> {
    fn count(&self) -> usize {
        self.turns.len() + usize::from(self.live.is_some())
    }

    fn lines(&self, block: usize) -> usize {
        self.with(block, Laid::lines).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::scroll::Scroll;

    #[test]
    fn only_what_is_looked_at_is_laid_out_and_kept() {
        let turn = |n: u64| Turn {
            version: n + 1,
            ..Turn::said(
                if n.is_multiple_of(2) { Role::User } else { Role::Assistant },
                format!("**words** {n}\n\n- a\n- b"),
                0,
            )
        };
        let turns: Vec<Turn> = (0..10_000).map(turn).collect();
        let (kept, theme, colours) = (RefCell::default(), Theme::default(), Colours::default());
        let transcript = Transcript {
            turns: &turns,
            live: None,
            kept: &kept,
            columns: 80,
            theme: &theme,
            colours: &colours,
            now: 0,
            zone: &TimeZone::UTC,
        };
        let mut scroll = Scroll::End;
        assert_eq!(transcript.window(scroll.top(&transcript, 40), 40).len(), 40);
        let below = scroll.by(-40, &transcript, 40).below(&transcript, 40, 99);
        assert_eq!(below, 40);
        assert!(kept.borrow().turns.len() < 40, "the end alone was looked at");
        let home = Scroll::home(&transcript, 40);
        let _ = (transcript.window(home.top(&transcript, 40), 40), home.below(&transcript, 40, 99));
        assert!(kept.borrow().turns.len() < 100, "the beginning was looked at too");
        for _ in 0..1_600 {
            scroll = scroll.by(-38, &transcript, 40);
            let _ = transcript.window(scroll.top(&transcript, 40), 40);
            let kept = kept.borrow();
            assert!(kept.lines <= KEPT_LINES_MAX && kept.turns.len() > 5);
            assert_eq!(kept.lines, kept.turns.values().map(Laid::lines).sum::<usize>());
        }
        assert_eq!(scroll, Scroll::At(Place::default()));
    }
}
