//! The keys, in words, made from the keymap in force: the pane that is open first, searched by typing.

use super::over;
use crate::app::command::COMMANDS;
use crate::app::field::Field;
use crate::app::keymap::{Keymap, Scope};
use crate::text;
use crate::theme::Theme;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// The help.
pub struct Help {
    /// What is typed.
    pub query: Field,
    /// The first line shown.
    top: usize,
    /// The places the keys went to when it was opened.
    here: Vec<Scope>,
}

/// Columns of the keys.
const KEYS_COLUMNS: usize = 24;
/// Columns of the box.
const COLUMNS: u16 = 84;

/// One line before it is laid out: its keys, its words, whether the keys are the owner's.
struct Entry {
    keys: String,
    words: String,
    own: bool,
}

impl Help {
    /// The help for these places.
    #[must_use]
    pub fn new(here: Vec<Scope>) -> Self {
        Self { query: Field::plain(), top: 0, here }
    }

    /// Back to the first line: other lines are shown now.
    pub fn searched(&mut self) {
        self.top = 0;
    }

    fn groups(&self, keymap: &Keymap) -> Vec<(&'static str, Vec<Entry>)> {
        let mut scopes = self.here.clone();
        scopes.extend(Scope::ALL.iter().filter(|scope| !self.here.contains(scope)));
        let mut groups: Vec<(&'static str, Vec<Entry>)> = scopes
            .into_iter()
            .map(|scope| {
                let lines = keymap.of(scope).filter(|b| !b.words.is_empty() || b.own);
                let entries = lines.map(|b| Entry {
                    keys: if b.keys.is_empty() { "no key".to_owned() } else { b.keys_in_words() },
                    words: if b.words.is_empty() { b.action.words() } else { b.words }.to_owned(),
                    own: b.own,
                });
                (scope.title(), entries.collect())
            })
            .collect();
        let commands = COMMANDS.iter().map(|command| Entry {
            keys: format!("/{} {}", command.name, command.takes_in_words()).trim_end().to_owned(),
            words: command.words.to_owned(),
            own: false,
        });
        groups.push(("commands, typed in the chat", commands.collect()));
        let query = self.query.text().to_lowercase();
        for (title, entries) in &mut groups {
            entries.retain(|entry| {
                let text = format!("{title} {} {}", entry.keys, entry.words).to_lowercase();
                query.split_whitespace().all(|word| text.contains(word))
            });
        }
        groups.retain(|(_, entries)| !entries.is_empty());
        groups
    }

    fn lines(&self, keymap: &Keymap, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
        let mut out = Vec::new();
        for (title, entries) in self.groups(keymap) {
            if !out.is_empty() {
                out.push(Line::default());
            }
            out.push(Line::styled(title, theme.accent));
            for Entry { keys, words, own } in entries {
                let keys = text::pad(&keys, KEYS_COLUMNS - 3);
                let words = if own { format!("{words} (your own key)") } else { words };
                let room = columns.saturating_sub(KEYS_COLUMNS);
                for (i, line) in text::wrap_plain(&words, theme.text, room).into_iter().enumerate() {
                    let left = if i == 0 { format!("  {keys} ") } else { " ".repeat(KEYS_COLUMNS) };
                    let mut spans = vec![Span::styled(left, if own { theme.strong } else { theme.dim })];
                    spans.extend(line.spans);
                    out.push(Line::from(spans));
                }
            }
        }
        if out.is_empty() {
            out.push(Line::styled("No key does that. Fewer letters may find it.", theme.dim));
        }
        out
    }

    fn rows(area: Rect) -> u16 {
        area.height.saturating_sub(2)
    }

    /// Scrolls, as far as there are lines.
    pub fn by(&mut self, delta: isize, keymap: &Keymap, theme: &Theme, area: Rect) {
        let inside = below_query(super::inside(area, COLUMNS, Self::rows(area)));
        let lines = self.lines(keymap, theme, usize::from(inside.width)).len();
        self.top = self.top.saturating_add_signed(delta).min(lines.saturating_sub(usize::from(inside.height)));
    }

    /// Draws it.
    pub fn view(&self, keymap: &Keymap, theme: &Theme, frame: &mut Frame, area: Rect) {
        let title = "the keys · type to search, Esc closes";
        let inside = over(frame, area, COLUMNS, Self::rows(area), title, theme);
        let mut line = self.query.line(theme, true, usize::from(inside.width).saturating_sub(2));
        line.spans.insert(0, Span::styled("▏ ", theme.accent));
        frame.render_widget(Paragraph::new(line), Rect { height: 1.min(inside.height), ..inside });
        let inside = below_query(inside);
        let lines = self.lines(keymap, theme, usize::from(inside.width));
        let top = self.top.min(lines.len().saturating_sub(usize::from(inside.height)));
        let shown: Vec<Line> = lines.into_iter().skip(top).take(usize::from(inside.height)).collect();
        frame.render_widget(Paragraph::new(shown), inside);
    }
}

fn below_query(inside: Rect) -> Rect {
    Rect { y: inside.y + 2.min(inside.height), height: inside.height.saturating_sub(2), ..inside }
}
