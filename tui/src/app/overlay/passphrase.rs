//! The owner's proof before something is opened again: the passphrase, or the keychain where there is no passphrase.

use super::over;
use crate::app::field::Field;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::Failure;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// The prompt. It lifts the kill switch, the only thing the terminal asks a proof for so far.
pub struct Passphrase {
    /// What is typed.
    pub field: Field,
    /// Whether the proof is on its way.
    pub busy: bool,
    /// Why the last one failed.
    pub failed: Option<Failure>,
    /// Whether the home has a passphrase; otherwise the keychain is asked.
    pub by_passphrase: bool,
}

impl Passphrase {
    /// An empty prompt.
    #[must_use]
    pub fn new(by_passphrase: bool) -> Self {
        Self { field: Field::secret(), busy: false, failed: None, by_passphrase }
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let columns = 66.min(area.width);
        let inner = usize::from(columns).saturating_sub(4);
        let mut lines = text::wrap_plain(
            "Everything is stopped. Lifting the kill switch lets sources be read and doors be used again, under the grants that stand.",
            theme.text,
            inner,
        );
        lines.push(Line::default());
        if self.busy {
            lines.push(Line::styled("Checking…", theme.accent));
        } else if self.by_passphrase {
            let mut field = self.field.line(theme, true, inner.saturating_sub(13));
            field.spans.insert(0, Span::styled("passphrase ▏ ", theme.dim));
            lines.push(field);
        } else {
            lines.push(Line::styled("Enter asks the keychain", theme.strong));
        }
        if let Some(failure) = &self.failed {
            lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, inner));
        }
        lines.push(Line::default());
        lines.push(Line::styled("Enter lift   Esc leave it stopped", theme.dim));
        let inside = over(frame, area, columns, lines.len() as u16 + 2, "lift the kill switch", theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}
