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

/// What would go or went, each on a line of its own.
fn amounts(report: &ForgetReport) -> Vec<String> {
    let form = |n: u64, one, several| if n == 1 { one } else { several };
    let vectors = form(report.chunks, "its vector", "their vectors");
    let cite = form(report.answers, "cites", "cite");
    let them = form(report.items, "it", "them");
    let all = [
        (report.items, words::some(report.items, "item")),
        (report.chunks, format!("{}, with {vectors} and index entries", words::some(report.chunks, "passage"))),
        (report.answers, format!("{} that {cite} {them}", words::some(report.answers, "stored answer"))),
        (report.messages, format!("{} with drafts and feedback", words::some(report.messages, "message"))),
    ];
    let amounts: Vec<String> = all.into_iter().filter(|(n, _)| *n > 0).map(|(_, said)| said).collect();
    if amounts.is_empty() { vec!["nothing that is stored".to_owned()] } else { amounts }
}

impl Forget {
    /// What is not touched by it.
    fn stays(&self) -> &'static [&'static str] {
        match self.target {
            ForgetTarget::Source { .. } => &["the files themselves, where they are; the folder is no longer read"],
            ForgetTarget::Session { .. } => &["what it was answered from"],
            ForgetTarget::Item { .. } => {
                &["the file itself, where it is; while its folder is open it comes back when it changes"]
            }
            ForgetTarget::Time { .. } => {
                &["the files themselves, where they are; while their folders are open they come back when they change"]
            }
        }
    }

    /// Draws it.
    pub fn view(&self, theme: &Theme, frame: &mut Frame, area: Rect) {
        let columns = 70.min(area.width);
        let inner = usize::from(columns).saturating_sub(4);
        let mut lines = vec![Line::styled(text::fit_end(&self.name, inner), theme.strong), Line::default()];
        let say = |sentence: String, style| text::wrap_plain(&sentence, style, inner);
        match &self.stage {
            Stage::Counting => lines.extend(say("Counting what would go…".into(), theme.accent)),
            Stage::Asking(report) => {
                lines.push(Line::styled("This would go, and cannot be brought back:", theme.text));
                for amount in amounts(report) {
                    lines.push(Line::styled(text::fit(&format!("  − {amount}"), inner), theme.bad));
                }
                lines.push(Line::styled("This stays:", theme.text));
                for kept in self.stays() {
                    lines.extend(say(format!("  + {kept}"), theme.good));
                }
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
                lines.extend(say(format!("Gone: {}.", amounts(report).join("; ")), theme.good));
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
