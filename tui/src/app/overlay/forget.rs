//! Forgetting: what would go, then the question, then what went.

use super::over;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Failure, ForgetReport, ForgetTarget};
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// What would go is being counted.
    Counting,
    /// The owner is asked.
    Asking(ForgetReport),
    /// It is being forgotten.
    Forgetting,
    /// It is gone.
    Gone(ForgetReport),
    /// It is not, or not known to be.
    Failed(Failure),
}

/// The overlay.
#[derive(Debug, Clone, PartialEq)]
pub struct Forget {
    /// What.
    pub target: ForgetTarget,
    /// Its name, for the question.
    pub name: String,
    /// The number of this question.
    pub serial: u32,
    /// How far.
    pub stage: Stage,
}

fn amounts(report: &ForgetReport) -> String {
    format!(
        "{}, {} with their vectors and index entries, and {} quoting them",
        words::some(report.items, "item"),
        words::some(report.chunks, "passage"),
        words::some(report.answers, "stored answer")
    )
}

impl Forget {
    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let columns = 70.min(area.width);
        let inner = usize::from(columns).saturating_sub(4);
        let mut lines = vec![Line::styled(text::fit_end(&self.name, inner), theme.strong), Line::default()];
        let say = |sentence: String, style| text::wrap_plain(&sentence, style, inner);
        match &self.stage {
            Stage::Counting => lines.extend(say("Counting what would go…".into(), theme.accent)),
            Stage::Asking(report) => {
                lines.extend(say(format!("This would go: {}.", amounts(report)), theme.text));
                let after = match self.target {
                    ForgetTarget::Source { .. } => {
                        "The folder is no longer read. The files themselves stay where they are."
                    }
                    _ => "The file itself stays where it is; while its folder is open it comes back when it changes.",
                };
                lines.extend(say(format!("It cannot be undone. {after}"), theme.text));
                lines.push(Line::default());
                lines.push(Line::styled("y  forget it", theme.bad));
                lines.push(Line::styled("n  leave everything as it is (Enter, Esc)", theme.strong));
            }
            Stage::Forgetting => lines.extend(say(
                "Forgetting… The index parts that held it are being rewritten; it is only said to be gone when it is."
                    .into(),
                theme.accent,
            )),
            Stage::Gone(report) => {
                lines.extend(say(format!("Gone: {}.", amounts(report)), theme.good));
                lines.push(Line::default());
                lines.push(Line::styled("Esc closes", theme.dim));
            }
            Stage::Failed(failure) => {
                lines.extend(say(words::failure(failure), theme.bad));
                lines.push(Line::default());
                lines.push(Line::styled("Esc closes", theme.dim));
            }
        }
        let inside = over(frame, area, columns, lines.len() as u16 + 2, "forget", theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }
}
