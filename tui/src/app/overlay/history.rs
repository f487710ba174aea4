//! What the owner said before, looked through by typing: Enter puts it into the input.

use super::over;
use crate::app::field::Field;
use crate::app::scroll::{first_row, step};
use crate::text;
use crate::theme::Theme;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// Looking through it.
pub struct History {
    /// What is looked for.
    pub field: Field,
    /// The selected row; 0 is the newest.
    pub selected: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { field: Field::plain(), selected: 0 }
    }
}

impl History {
    /// What fits, newest first, each once.
    #[must_use]
    pub fn rows<'a>(&self, history: &'a [String]) -> Vec<&'a str> {
        let needle = self.field.text().trim().to_lowercase();
        let wanted: Vec<&str> = needle.split_whitespace().collect();
        let mut rows: Vec<&str> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for said in history.iter().rev() {
            let lower = said.to_lowercase();
            if wanted.iter().all(|word| lower.contains(word)) && seen.insert(said) {
                rows.push(said);
            }
        }
        rows
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize, history: &[String]) {
        self.selected = step(self.selected, delta, self.rows(history).len());
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect, history: &[String]) {
        let rows = self.rows(history);
        let tall = (rows.len().max(1) as u16).saturating_add(4).min(area.height.saturating_sub(2)).max(5);
        let inside = over(frame, area, 86, tall, "what you said before", theme);
        let inner = usize::from(inside.width);
        if inside.height < 3 {
            return;
        }
        let mut line = self.field.line(theme, true, inner.saturating_sub(9));
        line.spans.insert(0, Span::styled("find  ▏ ", theme.accent));
        let mut lines = vec![line];
        let height = usize::from(inside.height) - 2;
        let first = first_row(self.selected, height, rows.len());
        for (at, said) in rows.iter().enumerate().skip(first).take(height) {
            let style = if at == self.selected { theme.selected } else { theme.text };
            lines.push(Line::styled(text::pad(said, inner), style));
        }
        if rows.is_empty() {
            let said = if history.is_empty() { "You have said nothing yet." } else { "You never said that." };
            lines.push(Line::styled(said, theme.dim));
        }
        frame.render_widget(Paragraph::new(lines), inside);
        let at = Rect { y: inside.bottom() - 1, height: 1, ..inside };
        let keys = text::cut_raw("Enter into the input   ↑↓ choose   Esc close", inner);
        frame.render_widget(Paragraph::new(Line::styled(keys, theme.dim)), at);
    }
}
