//! The keys, in words, made from the keymap.

use super::over;
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
#[derive(Debug, Clone, Copy, Default)]
pub struct Help {
    /// The first line shown.
    pub top: usize,
}

/// Columns of the keys.
const KEYS_COLUMNS: usize = 24;

fn lines(keymap: &Keymap, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let mut scopes: Vec<Scope> = Vec::new();
    for binding in keymap.bindings() {
        if !scopes.contains(&binding.scope) {
            scopes.push(binding.scope);
        }
    }
    let mut out = Vec::new();
    for scope in scopes {
        if !out.is_empty() {
            out.push(Line::default());
        }
        out.push(Line::styled(scope.title(), theme.accent));
        for binding in keymap.of(scope).filter(|b| !b.words.is_empty() && !b.keys.is_empty()) {
            let keys = format!("  {}", text::pad(&binding.keys_in_words(), KEYS_COLUMNS - 2));
            let words = text::wrap_plain(binding.words, theme.text, columns.saturating_sub(KEYS_COLUMNS));
            for (i, line) in words.into_iter().enumerate() {
                let left = if i == 0 { keys.clone() } else { " ".repeat(KEYS_COLUMNS) };
                let mut spans = vec![Span::styled(left, theme.dim)];
                spans.extend(line.spans);
                out.push(Line::from(spans));
            }
        }
    }
    out
}

impl Help {
    /// Scrolls.
    pub fn by(&mut self, delta: isize) {
        // The longest help is a few hundred lines; the view stops at its end.
        self.top = self.top.saturating_add_signed(delta).min(400);
    }

    /// Draws it.
    pub fn view(&self, keymap: &Keymap, theme: &Theme, frame: &mut Frame, area: Rect) {
        let inside = over(
            frame,
            area,
            76,
            area.height.saturating_sub(2),
            "help · the keys · Esc closes, arrows and PgUp/PgDn scroll",
            theme,
        );
        let lines = lines(keymap, theme, usize::from(inside.width));
        let top = self.top.min(lines.len().saturating_sub(usize::from(inside.height)));
        let shown: Vec<Line> = lines.into_iter().skip(top).take(usize::from(inside.height)).collect();
        frame.render_widget(Paragraph::new(shown), inside);
    }
}
