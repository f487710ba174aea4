//! An item's labels, typed with commas between them.

use super::over;
use crate::app::field::Field;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Failure, ItemId};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// The prompt.
pub struct Labels {
    /// Whose.
    pub item: ItemId,
    /// Its name.
    pub name: String,
    /// What is typed.
    pub field: Field,
    /// Whether they are on their way.
    pub busy: bool,
    /// Why the last ones were not taken.
    pub failed: Option<Failure>,
}

impl Labels {
    /// A prompt that holds the labels there are.
    #[must_use]
    pub fn new(item: ItemId, name: String, labels: &[String]) -> Self {
        Self { item, name, field: Field::with(&labels.join(", ")), busy: false, failed: None }
    }

    /// The labels as they are typed now: trimmed, sorted, each once.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let parts = self.field.text().split(',').map(str::trim).filter(|label| !label.is_empty());
        let mut labels: Vec<String> = parts.map(str::to_owned).collect();
        labels.sort();
        labels.dedup();
        labels
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let columns = 66.min(area.width);
        let inner = usize::from(columns).saturating_sub(4);
        let mut field = self.field.line(theme, !self.busy, inner.saturating_sub(9));
        field.spans.insert(0, Span::styled("labels ▏ ", theme.dim));
        let mut lines = vec![Line::styled(text::fit_end(&self.name, inner), theme.strong), Line::default(), field];
        if self.busy {
            lines.push(Line::styled("Writing…", theme.accent));
        }
        if let Some(failure) = &self.failed {
            lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, inner));
        }
        lines.push(Line::default());
        let said = "Commas between them; label: in the search finds them again.";
        lines.extend(text::wrap_plain(said, theme.dim, inner));
        lines.push(Line::styled(text::cut_raw("Enter keep them   Esc leave them as they are", inner), theme.dim));
        let inside = over(frame, area, columns, lines.len() as u16 + 2, "labels", theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}
