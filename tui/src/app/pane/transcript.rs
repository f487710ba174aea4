//! The turns of a conversation as lines: name and time, words with their citation marks, and how the answer came about.
//!
//! Lines are laid out only for turns on the screen and kept until the width or the turn changes.

use super::chat::{Foot, Live, Turn};
use crate::app::scroll::{Blocks, Place};
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Cut, Millis, Role};
use jiff::tz::TimeZone;
use ratatui::{style::Style, text::Line};
use std::cell::RefCell;
use std::collections::HashMap;

/// How far the words stand in from the names.
const INDENT: usize = 2;
/// Laid-out turns kept at most; the screen shows far fewer.
const KEPT_MAX: usize = 256;

/// Laid-out lines by turn, for one width.
#[derive(Default)]
pub struct Kept {
    columns: usize,
    turns: HashMap<usize, (u64, Vec<Line<'static>>)>,
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
    /// Now.
    pub now: Millis,
    /// The zone of the times.
    pub zone: &'a TimeZone,
}

impl Transcript<'_> {
    fn with<R>(&self, block: usize, read: impl FnOnce(&[Line<'static>]) -> R) -> R {
        let version = match (self.turns.get(block), self.live) {
            (Some(turn), _) => turn.version,
            (None, Some(live)) => live.version,
            (None, None) => return read(&[]),
        };
        let mut kept = self.kept.borrow_mut();
        if kept.columns != self.columns || kept.turns.len() > KEPT_MAX {
            *kept = Kept { columns: self.columns, turns: HashMap::new() };
        }
        let stale = kept.turns.get(&block).is_none_or(|(known, _)| *known != version);
        if stale {
            let lines = match (self.turns.get(block), self.live) {
                (Some(turn), _) => self.turn_lines(turn),
                (None, live) => live.map(|live| self.live_lines(live)).unwrap_or_default(),
            };
            kept.turns.insert(block, (version, lines));
        }
        read(&kept.turns[&block].1)
    }

    fn heading(&self, role: Role, at: Millis) -> Line<'static> {
        let (name, style) = match role {
            Role::User => ("you", self.theme.you),
            Role::Assistant => ("icore", self.theme.accent),
        };
        let time = words::when(at, self.now, self.zone);
        let gap = self.columns.saturating_sub(text::width(name) + text::width(&time));
        let mut line = Line::styled(name, style);
        line.push_span(ratatui::text::Span::styled(format!("{}{time}", " ".repeat(gap)), self.theme.dim));
        line
    }

    fn turn_lines(&self, turn: &Turn) -> Vec<Line<'static>> {
        let mut out = vec![self.heading(turn.role, turn.at)];
        out.extend(self.body(&turn.text, turn.citations.len()));
        for (line, style) in footer(turn, self.theme) {
            out.extend(self.indented(&[(&line, style)]));
        }
        out.push(Line::default());
        out
    }

    fn live_lines(&self, live: &Live) -> Vec<Line<'static>> {
        let mut out = vec![self.heading(Role::Assistant, live.at)];
        if !live.text.is_empty() {
            out.extend(self.body(&live.text, live.hits.len()));
        }
        out.extend(self.indented(&[(&live.doing(), self.theme.dim)]));
        out
    }

    /// The words, citation marks picked out, code fences in the secondary colour.
    fn body(&self, words: &str, citations: usize) -> Vec<Line<'static>> {
        let mut out = Vec::new();
        let mut code = false;
        for line in text::clean(words).trim_end().split('\n') {
            let fence = line.trim_start().starts_with("```");
            let style = if code || fence { self.theme.dim } else { self.theme.text };
            code ^= fence;
            let pieces = marks(line, citations);
            let styled: Vec<(&str, Style)> =
                pieces.iter().map(|(part, mark)| (*part, if *mark { self.theme.cite } else { style })).collect();
            out.extend(self.indented(&styled));
        }
        out
    }

    fn indented(&self, pieces: &[(&str, Style)]) -> Vec<Line<'static>> {
        let mut lines = text::wrap(pieces, self.columns.saturating_sub(INDENT));
        for line in &mut lines {
            line.spans.insert(0, " ".repeat(INDENT.min(self.columns)).into());
        }
        lines
    }

    /// The `height` lines from `top`.
    #[must_use]
    pub fn window(&self, top: Place, height: usize) -> Vec<Line<'static>> {
        let mut out = Vec::with_capacity(height);
        for block in top.block..self.count() {
            let skip = if block == top.block { top.line } else { 0 };
            self.with(block, |lines| out.extend(lines.iter().skip(skip).take(height - out.len()).cloned()));
            if out.len() >= height {
                break;
            }
        }
        out
    }
}

impl Blocks for Transcript<'_> {
    fn count(&self) -> usize {
        self.turns.len() + usize::from(self.live.is_some())
    }

    fn lines(&self, block: usize) -> usize {
        self.with(block, <[_]>::len).max(1)
    }
}

/// Splits a line at its `[n]` marks; only numbers that cite something are marks.
fn marks(line: &str, citations: usize) -> Vec<(&str, bool)> {
    let mut out = Vec::new();
    let mut from = 0;
    let mut look = 0;
    while let Some(open) = line[look..].find('[').map(|at| look + at) {
        let digits = line[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let close = open + 1 + digits;
        let number = line[open + 1..close].parse::<usize>().unwrap_or(0);
        if line[close..].starts_with(']') && (1..=citations).contains(&number) {
            out.push((&line[from..open], false));
            out.push((&line[open..=close], true));
            from = close + 1;
        }
        look = close.max(open + 1);
    }
    out.push((&line[from..], false));
    out.retain(|(part, mark)| *mark || !part.is_empty());
    out
}

/// How the answer came about, what it stands on, what was cut.
fn footer(turn: &Turn, theme: &Theme) -> Vec<(String, Style)> {
    let Foot::Made { how, tokens_per_s, cut } = &turn.foot else {
        return match &turn.foot {
            Foot::Failed(failure) => vec![(words::failure(failure), theme.bad)],
            _ => vec![],
        };
    };
    let sources = distinct_sources(turn);
    let speed = if *tokens_per_s >= 0.5 { format!(" · {tokens_per_s:.0} tok/s") } else { String::new() };
    // An answer that stands on nothing of the owner's says so: it may be the model's invention.
    let stood = match sources.len() {
        0 => " · from no source".to_owned(),
        n => format!(" · {}", words::some(n as u64, "source")),
    };
    let first = match how.as_str() {
        "quoted" => format!("quoted from {}", sources.first().map_or("your memory", String::as_str)),
        "not_in_memory" => "not in your memory".to_owned(),
        "about" => "icore, on itself".to_owned(),
        "stopped" if sources.is_empty() => format!("stopped by you · own{speed}"),
        "stopped" => format!("stopped by you · own{stood}{speed}"),
        _ => format!("own{stood}{speed}"),
    };
    let mut out = vec![(first, theme.dim)];
    let legend: Vec<String> =
        turn.citations.iter().take(9).enumerate().map(|(i, c)| format!("[{}] {}", i + 1, name_of(&c.source))).collect();
    if !legend.is_empty() {
        out.push((legend.join("  "), theme.cite));
    }
    if !cut.is_empty() {
        out.push((cut_in_words(cut), theme.warn));
    }
    out
}

fn distinct_sources(turn: &Turn) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for citation in &turn.citations {
        let name = name_of(&citation.source);
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// The last part of a path, or the whole of what is no path.
#[must_use]
pub fn name_of(source: &str) -> String {
    text::fit(source.rsplit('/').find(|part| !part.is_empty()).unwrap_or(source), 40)
}

fn cut_in_words(cut: &[Cut]) -> String {
    let tokens: usize = cut.iter().map(|c| c.tokens).sum();
    let mut what: Vec<String> = cut.iter().take(3).map(|c| text::fit(&c.what, 40)).collect();
    if cut.len() > 3 {
        what.push(format!("{} more", cut.len() - 3));
    }
    format!("cut to fit: {} ({})", what.join(", "), words::some(tokens as u64, "token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_cite_are_marks() {
        assert_eq!(marks("a[1] b[3]", 2), [("a", false), ("[1]", true), (" b[3]", false)]);
        assert_eq!(marks("[2][1]", 2), [("[2]", true), ("[1]", true)]);
        assert_eq!(marks("[] [x] [0] [99999999999999999999999]", 2).len(), 1);
        assert_eq!(marks("[[1]]", 1), [("[", false), ("[1]", true), ("]", false)]);
        assert_eq!(marks("世[1", 1), [("世[1", false)]);
    }
}
