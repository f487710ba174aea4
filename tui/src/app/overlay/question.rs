//! A question before something that cannot be taken back, or that stops everything. The safe answer is the default.

use super::over;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{GrantId, Hash};
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// Throwing the kill switch.
    Kill,
    /// Taking a grant back.
    Revoke(GrantId),
    /// A member leaving an assembly.
    Leave {
        /// Which.
        assembly: String,
        /// The member's delta.
        delta: Hash,
    },
    /// Running a command for an attachment.
    Command(String),
    /// Writing the conversation into a file: its path, and what is written.
    Export {
        /// Where.
        path: String,
        /// What.
        text: String,
    },
}

/// The question.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What about.
    pub about: About,
    /// The literal effect.
    pub effect: String,
}

impl Question {
    /// Whether to throw the kill switch.
    #[must_use]
    pub fn kill() -> Self {
        Self {
            about: About::Kill,
            effect: "Every source, door and job stops at once, and the answer being made with them. Nothing is deleted. It is written \
                     into the ledger and stays so until you lift it with your passphrase."
                .to_owned(),
        }
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let (title, yes) = match self.about {
            About::Kill => ("kill switch", "y  stop everything"),
            About::Revoke(_) => ("take the grant back", "y  take it back"),
            About::Leave { .. } => ("a member leaves", "y  have it leave"),
            About::Command(_) => ("run a command", "y  run it"),
            About::Export { .. } => ("write the conversation to a file", "y  write it"),
        };
        let columns = 66.min(area.width);
        let mut lines = text::wrap_plain(&self.effect, theme.text, usize::from(columns).saturating_sub(4));
        lines.push(Line::default());
        lines.push(Line::styled(yes, theme.bad));
        lines.push(Line::styled("n  leave everything as it is (Enter, Esc)", theme.strong));
        let inside = over(frame, area, columns, lines.len() as u16 + 2, title, theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}
