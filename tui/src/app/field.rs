//! A one-line text field, plain or secret.
//!
//! A secret field never grows its buffer (so no copy of the secret is left behind by a reallocation), wipes it when
//! dropped, and draws dots. Both take a paste, made harmless and cut at the field's limit.

use crate::text;
use crate::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use zeroize::Zeroizing;

/// Bytes a field holds at most; its buffer is made this large at once.
const FIELD_BYTES_MAX: usize = 2048;

/// The field.
pub struct Field {
    text: Zeroizing<String>,
    /// A byte offset on a grapheme border.
    cursor: usize,
    secret: bool,
}

impl Field {
    /// An empty field.
    #[must_use]
    pub fn plain() -> Self {
        Self { text: Zeroizing::new(String::with_capacity(FIELD_BYTES_MAX)), cursor: 0, secret: false }
    }

    /// An empty field that shows dots.
    #[must_use]
    pub fn secret() -> Self {
        Self { secret: true, ..Self::plain() }
    }

    /// A field that holds `text`.
    #[must_use]
    pub fn with(text: &str) -> Self {
        let mut field = Self::plain();
        field.insert(text);
        field
    }

    /// What it holds.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it holds, as a secret of its own.
    #[must_use]
    pub fn take_secret(&mut self) -> Zeroizing<String> {
        self.cursor = 0;
        std::mem::replace(&mut self.text, Zeroizing::new(String::with_capacity(FIELD_BYTES_MAX)))
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the cursor is behind everything typed.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.cursor == self.text.len()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        drop(self.take_secret());
    }

    /// Replaces what it holds.
    pub fn set(&mut self, text: &str) {
        self.clear();
        self.insert(text);
    }

    /// Types or pastes text at the cursor. Returns false where something did not fit.
    pub fn insert(&mut self, text: &str) -> bool {
        for c in text.chars().take(FIELD_BYTES_MAX) {
            let c = if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
            if text::is_unsafe(c) {
                continue;
            }
            if self.text.len() + c.len_utf8() > FIELD_BYTES_MAX {
                return false;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        text.len() <= FIELD_BYTES_MAX
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |g| self.cursor + g.len())
    }

    fn word_before(&self) -> usize {
        let head = self.text[..self.cursor].trim_end_matches([' ', '/']);
        head.rfind([' ', '/']).map_or(0, |at| at + 1)
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    /// An editing key. Returns whether the field knew it.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('u') if ctrl => self.remove(0, self.cursor),
            KeyCode::Char('k') if ctrl => self.text.truncate(self.cursor),
            KeyCode::Char('w') if ctrl => self.remove(self.word_before(), self.cursor),
            KeyCode::Backspace if alt => self.remove(self.word_before(), self.cursor),
            KeyCode::Char('h') if ctrl => self.remove(self.before(), self.cursor),
            KeyCode::Char(c) if !ctrl && !alt => {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Backspace => self.remove(self.before(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.after()),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    /// The field as a line of at most `columns`, with its cursor where it has the focus.
    #[must_use]
    pub fn line(&self, theme: &Theme, focus: bool, columns: usize) -> Line<'static> {
        let dots = |part: &str| "•".repeat(part.graphemes(true).count());
        let (head, tail) = self.text.split_at(self.cursor);
        let (head, tail) = if self.secret { (dots(head), dots(tail)) } else { (head.to_owned(), tail.to_owned()) };
        let mut rest = tail.graphemes(true);
        let at = rest.next().map_or_else(|| " ".to_owned(), str::to_owned);
        let head = text::fit_end_raw(&head, columns.saturating_sub(2));
        let room = columns.saturating_sub(text::width(&head) + text::width(&at));
        let tail = text::cut_raw(rest.as_str(), room);
        let cursor = if focus { theme.text.add_modifier(ratatui::style::Modifier::REVERSED) } else { theme.text };
        Line::from(vec![Span::styled(head, theme.text), Span::styled(at, cursor), Span::styled(tail, theme.text)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut Field, codes: &[KeyCode]) {
        for code in codes {
            field.key(KeyEvent::new(*code, KeyModifiers::NONE));
        }
    }

    #[test]
    fn edits_by_grapheme() {
        let mut field = Field::with("a👩‍💻e\u{301}");
        press(&mut field, &[KeyCode::Backspace]);
        assert_eq!(field.text(), "a👩‍💻");
        press(&mut field, &[KeyCode::Left, KeyCode::Char('x'), KeyCode::Delete]);
        assert_eq!(field.text(), "ax");
        press(&mut field, &[KeyCode::Home, KeyCode::Backspace, KeyCode::Left, KeyCode::End, KeyCode::Delete]);
        assert_eq!(field.text(), "ax");
    }

    #[test]
    fn a_paste_is_harmless_and_bounded() {
        let mut field = Field::secret();
        assert!(field.insert("\x1b[31mab\nc\u{202e}"));
        assert_eq!(field.text(), "[31mab c");
        assert!(!field.insert(&"é".repeat(1_000_000)));
        assert!(field.text().len() <= FIELD_BYTES_MAX);
        assert_eq!(field.text.capacity(), FIELD_BYTES_MAX, "the buffer never moved");
    }

    #[test]
    fn a_secret_is_not_drawn() {
        let mut field = Field::secret();
        field.insert("hunter2");
        assert_eq!(field.line(&Theme::default(), true, 40).to_string(), "••••••• ");
        assert!(text::width(&field.line(&Theme::default(), true, 5).to_string()) <= 5);
    }
}
