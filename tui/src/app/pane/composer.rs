//! The multi-line input: what is typed, what was said before, what waits to be sent.
//!
//! No text is ever lost: history keeps the draft, a failed question comes back, a queued one returns when stopped.

use crate::text;
use crate::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hinet_protocol::Within;
use ratatui::style::Modifier;
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

/// Bytes the input holds at most. Longer texts belong into a file in an open folder.
pub const INPUT_BYTES_MAX: usize = 32 * 1024;
/// Lines of the past kept at most.
const HISTORY_MAX: usize = 500;

/// The input.
pub struct Composer {
    area: TextArea<'static>,
    /// Counts up with every change of the text.
    revision: u64,
    history: Vec<String>,
    /// The line of history being shown.
    at: Option<usize>,
    /// What was being typed before history was entered.
    draft: String,
    /// What is sent when the conversation is free for it.
    queued: Option<String>,
    /// What the next turn is confined to.
    pub chips: Vec<Chip>,
}

/// A part of the memory that the next turn is confined to.
#[derive(Debug, Clone, PartialEq)]
pub struct Chip {
    /// What people read.
    pub name: String,
    /// What it means; none while it is being read into the memory.
    pub within: Option<Within>,
    /// The word in the text that stands for it; it goes when the word goes. None for what was attached by itself.
    pub token: Option<String>,
    /// The number it is read under.
    pub number: u32,
}

impl Default for Composer {
    fn default() -> Self {
        Self {
            area: fresh(&[String::new()]),
            revision: 0,
            history: Vec::new(),
            at: None,
            draft: String::new(),
            queued: None,
            chips: vec![],
        }
    }
}

fn fresh(lines: &[String]) -> TextArea<'static> {
    let mut area = TextArea::new(lines.to_vec());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_max_histories(100);
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}

impl Composer {
    /// What is typed.
    #[must_use]
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether nothing but blanks is typed.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.area.lines().iter().all(|line| line.trim().is_empty())
    }

    /// Replaces what is typed.
    pub fn set(&mut self, text: &str) {
        let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        self.area = fresh(&lines);
        self.revision += 1;
    }

    /// Gives a text back that was not sent after all; what is typed stays behind it.
    pub fn give_back(&mut self, text: &str) {
        let typed = self.text();
        if typed.trim().is_empty() {
            self.set(text);
        } else {
            self.set(&format!("{text}\n{typed}"));
        }
    }

    /// What is sent when the conversation is free for it.
    #[must_use]
    pub fn queued(&self) -> Option<&str> {
        self.queued.as_deref()
    }

    /// Has a text wait until the conversation is free for it, behind what waits already.
    pub fn queue(&mut self, text: String) {
        self.revision += 1;
        self.queued = Some(match self.queued.take() {
            Some(before) => format!("{before}\n{text}"),
            None => text,
        });
    }

    /// Takes what waits, to be sent.
    pub fn unqueue(&mut self) -> Option<String> {
        let queued = self.queued.take()?;
        self.revision += 1;
        Some(queued)
    }

    /// Gives back what waits: it will not be sent by itself.
    pub fn return_queued(&mut self) {
        if let Some(queued) = self.queued.take() {
            self.give_back(&queued);
        }
    }

    /// Everything that was typed and not sent: what waits, and then what is being typed.
    #[must_use]
    pub fn unsent(&self) -> String {
        match &self.queued {
            Some(queued) if self.is_blank() => queued.clone(),
            Some(queued) => format!("{queued}\n{}", self.text()),
            None => self.text(),
        }
    }

    /// Takes what is typed, to be sent, and remembers it.
    pub fn take(&mut self) -> String {
        let text = self.text().trim().to_owned();
        self.remember(&text);
        self.set("");
        text
    }

    /// What a text that is sent is confined to, and the names of what was attached; they are used up.
    pub fn take_within(&mut self, text: &str) -> (Vec<Within>, Vec<String>) {
        let chips = std::mem::take(&mut self.chips);
        let meant = |chip: &Chip| chip.token.as_ref().is_none_or(|token| text.contains(token.as_str()));
        let meant: Vec<Chip> = chips.into_iter().filter(meant).collect();
        // What stands in the text needs no second naming.
        let attached = meant.iter().filter(|chip| chip.token.is_none()).map(|chip| chip.name.clone()).collect();
        (meant.into_iter().filter_map(|chip| chip.within).collect(), attached)
    }

    /// What was said in earlier runs, newest first; it stands before what was said in this one.
    pub fn recollect(&mut self, said: Vec<String>) {
        let mut all: Vec<String> = said.into_iter().rev().filter(|said| !self.history.contains(said)).collect();
        all.append(&mut self.history);
        let from = all.len().saturating_sub(HISTORY_MAX);
        self.history = all.split_off(from);
        self.at = None;
    }

    /// What was said, oldest first.
    #[must_use]
    pub fn history(&self) -> &[String] {
        &self.history
    }

    /// Puts a line into history.
    pub fn remember(&mut self, text: &str) {
        self.at = None;
        if !text.is_empty() && self.history.last().is_none_or(|last| last != text) {
            self.history.push(text.to_owned());
            if self.history.len() > HISTORY_MAX {
                self.history.remove(0);
            }
        }
    }

    /// Removes from history what quotes something forgotten: everything said so far.
    pub fn forget_history(&mut self) {
        self.history.clear();
        self.at = None;
    }

    /// Replaces what is typed with a text from outside, made harmless. Returns whether it had to be cut.
    pub fn replace(&mut self, text: &str) -> bool {
        self.set("");
        self.insert(text)
    }

    /// Counts up with every change of the text.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Pastes or types text. Returns whether it had to be cut.
    pub fn insert(&mut self, pasted: &str) -> bool {
        self.at = None;
        self.revision += 1;
        let room = INPUT_BYTES_MAX.saturating_sub(self.area.lines().iter().map(|l| l.len() + 1).sum());
        // Cleaning costs time in proportion to the text, so the cut comes first; cleaning may lengthen it a little.
        let head = cut(pasted, room);
        let safe = text::clean(head);
        self.area.insert_str(cut(&safe, room));
        head.len() < pasted.len() || safe.len() > room
    }

    /// A line break at the cursor.
    pub fn newline(&mut self) {
        if self.text().len() < INPUT_BYTES_MAX {
            self.area.insert_newline();
            self.revision += 1;
        }
    }

    /// The line of history before, where the cursor is on the first line. Returns whether it moved there.
    pub fn older(&mut self) -> bool {
        if self.area.cursor().0 > 0 || self.history.is_empty() {
            return false;
        }
        let at = match self.at {
            None => {
                self.draft = self.text();
                self.history.len() - 1
            }
            Some(0) => return true,
            Some(at) => at - 1,
        };
        self.at = Some(at);
        self.set(&self.history[at].clone());
        true
    }

    /// The line of history after, or the draft, where the cursor is on the last line.
    pub fn newer(&mut self) -> bool {
        let Some(at) = self.at else { return false };
        if self.area.cursor().0 + 1 < self.area.lines().len() {
            return false;
        }
        if at + 1 < self.history.len() {
            self.at = Some(at + 1);
            self.set(&self.history[at + 1].clone());
        } else {
            self.at = None;
            let draft = std::mem::take(&mut self.draft);
            self.set(&draft);
        }
        true
    }

    /// An editing key. Returns whether a letter found no room.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        // Moving the cursor counts as a change, too; nothing depends on its not being one.
        self.revision += 1;
        match key.code {
            KeyCode::Char('u') if ctrl => {
                self.area.delete_line_by_head();
            }
            KeyCode::Char('z') if ctrl => {
                self.area.undo();
            }
            KeyCode::Char('y') if ctrl => {
                self.area.redo();
            }
            KeyCode::Up if key.modifiers.is_empty() => self.area.move_cursor(CursorMove::Up),
            KeyCode::Down if key.modifiers.is_empty() => self.area.move_cursor(CursorMove::Down),
            KeyCode::Char(c) if !ctrl && !key.modifiers.contains(KeyModifiers::ALT) => {
                return self.insert(c.encode_utf8(&mut [0; 4]));
            }
            // These would scroll or paste what the input does not own.
            KeyCode::PageUp | KeyCode::PageDown => {}
            KeyCode::Char('v' | 'm') if ctrl => {}
            _ => {
                self.area.input(key);
            }
        }
        false
    }

    /// Where the word begins that the cursor is at the end of, in characters, where it begins with `@`.
    fn at_sign(&self) -> Option<(usize, usize)> {
        let ratatui_textarea::DataCursor(row, column) = self.area.cursor();
        let head: Vec<char> = self.area.lines().get(row)?.chars().take(column).collect();
        let start = head.iter().rposition(|c| c.is_whitespace()).map_or(0, |at| at + 1);
        (head.get(start) == Some(&'@')).then_some((row, start))
    }

    /// The word after `@` that the cursor is at the end of.
    #[must_use]
    pub fn at_word(&self) -> Option<String> {
        let (row, start) = self.at_sign()?;
        let column = self.area.cursor().1;
        Some(self.area.lines().get(row)?.chars().take(column).skip(start + 1).collect())
    }

    /// Puts something else where the word with the `@` stands.
    pub fn replace_at_word(&mut self, text: &str) {
        let (Some((_, start)), column) = (self.at_sign(), self.area.cursor().1) else { return };
        for _ in start..column {
            self.area.delete_char();
        }
        self.insert(text);
    }

    /// How many rows it wants, between 1 and `most`.
    #[must_use]
    pub fn rows(&self, columns: usize, most: u16) -> u16 {
        let columns = columns.max(1);
        let mut rows = 0;
        for line in self.area.lines() {
            rows += 1 + text::width(line) / columns;
            if rows >= usize::from(most) {
                return most;
            }
        }
        rows.max(1) as u16
    }

    /// The widget, in the theme's colours. `focus` draws the cursor.
    #[must_use]
    pub fn widget(&self, theme: &Theme, focus: bool, placeholder: &str) -> TextArea<'static> {
        let mut area = self.area.clone();
        area.set_style(theme.text);
        area.set_cursor_line_style(theme.text);
        area.set_cursor_style(if focus { theme.text.add_modifier(Modifier::REVERSED) } else { theme.text });
        area.set_placeholder_text(placeholder);
        area.set_placeholder_style(theme.dim);
        area
    }
}

/// The longest head of `text` of at most `bytes` that ends at a character.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_keeps_the_draft() {
        let mut c = Composer::default();
        for said in ["one", "two", "two"] {
            c.set(said);
            c.take();
        }
        c.set("draft");
        assert!(c.older() && c.text() == "two");
        assert!(c.older() && c.text() == "one");
        assert!(c.older() && c.text() == "one");
        assert!(c.newer() && c.text() == "two");
        assert!(c.newer() && c.text() == "draft");
        assert!(!c.newer());
    }

    #[test]
    fn a_megabyte_is_cut_and_said() {
        let mut c = Composer::default();
        assert!(c.insert(&"日本\n".repeat(200_000)));
        assert!(c.text().len() <= INPUT_BYTES_MAX);
        assert!(!Composer::default().insert("short\x1b[2J"));
    }
}
