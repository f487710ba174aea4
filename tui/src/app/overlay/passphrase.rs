//! The owner's proof before something is opened again: the passphrase, or the keychain where there is no passphrase.

use super::over;
use crate::app::field::Field;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Failure, Verdict};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// What the proof is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// Lifting the kill switch.
    Lift,
    /// Letting something leave.
    Answer {
        /// Which request.
        id: u64,
        /// How it is answered.
        verdict: Verdict,
        /// The literal effect.
        effect: String,
    },
}

/// The prompt.
pub struct Passphrase {
    /// What for.
    pub purpose: Purpose,
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
    pub fn new(purpose: Purpose, by_passphrase: bool) -> Self {
        Self { purpose, field: Field::secret(), busy: false, failed: None, by_passphrase }
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let columns = 66.min(area.width);
        let inner = usize::from(columns).saturating_sub(4);
        let (title, effect, keys) = match &self.purpose {
            Purpose::Lift => (
                "lift the kill switch",
                "Everything is stopped. Lifting the kill switch lets sources be read and doors be used again, under the grants that \
                 stand.",
                "Enter lift   Esc leave it stopped",
            ),
            Purpose::Answer { effect, .. } => {
                ("prove that it is you", effect.as_str(), "Enter let it leave   Esc back to the question")
            }
        };
        let mut lines = text::wrap_plain(effect, theme.text, inner);
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
        lines.push(Line::styled(text::cut_raw(keys, inner), theme.dim));
        let inside = over(frame, area, columns, lines.len() as u16 + 2, title, theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}
