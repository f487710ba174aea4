//! The palette: everything that can be done here, found by some letters of it, with its key.

use super::over;
use crate::app::command::{COMMANDS, Run, Takes};
use crate::app::field::Field;
use crate::app::fuzzy;
use crate::app::keymap::{Action, Keymap, Scope};
use crate::app::scroll::{first_row, step};
use crate::text;
use crate::theme::Theme;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// An action, where the palette was opened.
    Act(Action),
    /// A slash command that is whole.
    Run(String),
    /// The beginning of a slash command, to be finished in the input.
    Begin(String),
}

/// One line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A short name.
    pub name: String,
    /// What it does.
    pub words: String,
    /// Its key, where it has one.
    pub key: String,
    /// What is done.
    pub choice: Choice,
}

/// The palette.
pub struct Palette {
    /// What is typed.
    pub query: Field,
    /// Everything that can be done where it was opened, recent things first.
    entries: Vec<Entry>,
    /// The indexes of those that fit, best first.
    found: Vec<usize>,
    /// The selected one of them.
    pub selected: usize,
}

/// What can be done in `scopes`, in the order of the keymap, then what slash commands add.
fn entries(keymap: &Keymap, scopes: &[Scope], commands: bool) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for binding in scopes.iter().flat_map(|scope| keymap.of(*scope)).filter(|b| b.action.is_command()) {
        let same = entries.iter_mut().find(|entry| entry.choice == Choice::Act(binding.action));
        let key = binding.keys.first().map(ToString::to_string).unwrap_or_default();
        match same {
            Some(entry) if entry.key.is_empty() => entry.key = key,
            Some(_) => {}
            None => entries.push(Entry {
                name: binding.action.name().replace('_', " "),
                words: binding.words.to_owned(),
                key,
                choice: Choice::Act(binding.action),
            }),
        }
    }
    for command in COMMANDS.iter().filter(|_| commands) {
        let entry = |name: String, choice| Entry { name, words: command.words.to_owned(), key: String::new(), choice };
        match (command.run, command.takes) {
            (Run::Act(_), _) => {}
            (_, Takes::One(options)) => entries.extend(options.iter().map(|option| {
                let line = format!("/{} {option}", command.name);
                entry(line.clone(), Choice::Run(line))
            })),
            (_, Takes::Nothing | Takes::Maybe(_)) => {
                let line = format!("/{}", command.name);
                entries.push(entry(line.clone(), Choice::Run(line)));
            }
            (_, Takes::Must(what)) => {
                entries.push(entry(format!("/{} {what}", command.name), Choice::Begin(format!("/{} ", command.name))));
            }
        }
    }
    entries
}

impl Palette {
    /// A palette for `scopes`; `recent` are the names of what was chosen before, the last one first.
    pub fn new<'a>(
        keymap: &Keymap,
        scopes: &[Scope],
        commands: bool,
        recent: impl Iterator<Item = &'a String> + Clone,
    ) -> Self {
        let mut entries = entries(keymap, scopes, commands);
        let age = |entry: &Entry| recent.clone().position(|name| *name == entry.name).unwrap_or(usize::MAX);
        entries.sort_by_key(age);
        let found = (0..entries.len()).collect();
        Self { query: Field::plain(), entries, found, selected: 0 }
    }

    /// Looks again for what is typed.
    pub fn search(&mut self) {
        let texts: Vec<String> = self.entries.iter().map(|e| format!("{} {}", e.name, e.words)).collect();
        self.found = fuzzy::ranked(self.query.text(), &texts);
        // Who types the beginning of a name means that name, not another that has the word somewhere in it.
        let begun = self.query.text().trim().to_lowercase();
        self.found.sort_by_key(|at| !self.entries.get(*at).is_some_and(|entry| entry.name.starts_with(&begun)));
        self.selected = 0;
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.found.len());
    }

    /// The selected entry.
    #[must_use]
    pub fn current(&self) -> Option<&Entry> {
        self.entries.get(*self.found.get(self.selected)?)
    }

    /// The box and the first row shown.
    fn layout(&self, area: Rect) -> (u16, u16) {
        let rows = (self.entries.len() as u16 + 4).min(area.height.saturating_sub(2)).max(5);
        (84.min(area.width), rows)
    }

    /// The entry drawn at a place of the screen.
    #[must_use]
    pub fn at(&self, area: Rect, column: u16, row: u16) -> Option<usize> {
        let (columns, rows) = self.layout(area);
        let list = list(super::inside(area, columns, rows));
        let first = first_row(self.selected, usize::from(list.height), self.found.len());
        let index = first + usize::from(row.saturating_sub(list.y));
        let hit = list.contains(ratatui::layout::Position { x: column, y: row });
        (hit && index < self.found.len()).then_some(index)
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let (columns, rows) = self.layout(area);
        let inside = over(frame, area, columns, rows, "what to do · Enter does it · Esc closes", theme);
        let mut line = self.query.line(theme, true, usize::from(inside.width).saturating_sub(2));
        line.spans.insert(0, Span::styled("▏ ", theme.accent));
        frame.render_widget(Paragraph::new(line), Rect { height: 1.min(inside.height), ..inside });
        let list = list(inside);
        let (columns, height) = (usize::from(list.width), usize::from(list.height));
        let first = first_row(self.selected, height, self.found.len());
        let rows = self.found.iter().enumerate().skip(first).take(height).filter_map(|(i, at)| {
            let entry = self.entries.get(*at)?;
            let here = i == self.selected;
            let key_columns = text::width(&entry.key) + 1;
            let name = format!(
                "{} {}",
                if here { "▸" } else { " " },
                text::pad(&entry.name, 20.min(columns.saturating_sub(2)))
            );
            let words = text::pad(&entry.words, columns.saturating_sub(22 + key_columns));
            Some(if here {
                Line::styled(format!("{name}{words} {}", entry.key), theme.selected)
            } else {
                let (words, key) =
                    (Span::styled(words, theme.dim), Span::styled(format!(" {}", entry.key), theme.text));
                Line::from(vec![Span::styled(name, theme.text), words, key])
            })
        });
        let mut rows: Vec<Line> = rows.collect();
        if rows.is_empty() {
            rows.push(Line::styled("Nothing here is called that. Fewer letters may find it.", theme.dim));
        }
        frame.render_widget(Paragraph::new(rows), list);
    }
}

/// The list below the query.
fn list(inside: Rect) -> Rect {
    Rect { y: inside.y + 2.min(inside.height), height: inside.height.saturating_sub(2), ..inside }
}
