//! Conversations: open another, start a new one.

use super::over;
use crate::app::scroll::{first_row, step};
use crate::app::state::Loaded;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Millis, SessionId, SessionLine};
use jiff::tz::TimeZone;
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};

/// The list.
#[derive(Default)]
pub struct Sessions {
    /// The conversations, newest first.
    pub list: Loaded<Vec<SessionLine>>,
    /// The selected row; row 0 is a new conversation.
    pub selected: usize,
}

impl Sessions {
    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, 1 + self.list.get().map_or(0, Vec::len));
    }

    /// The selected conversation; none where a new one is selected.
    #[must_use]
    pub fn current(&self) -> Option<&SessionLine> {
        self.list.get()?.get(self.selected.checked_sub(1)?)
    }

    /// Draws it.
    pub fn view(
        &self,
        theme: &Theme,
        frame: &mut Frame,
        area: Rect,
        open: Option<SessionId>,
        (now, zone): (Millis, &TimeZone),
    ) {
        let columns = 70.min(area.width);
        let inside = over(frame, area, columns, area.height.saturating_sub(4).max(5), "conversations", theme);
        let inner = usize::from(inside.width);
        let list = self.list.get().map_or(&[][..], Vec::as_slice);
        let height = usize::from(inside.height).saturating_sub(2);
        let first = first_row(self.selected, height, list.len() + 1);
        let mut lines = Vec::new();
        for row in first..(list.len() + 1).min(first + height) {
            let style = if row == self.selected { theme.selected } else { theme.text };
            let said = match row.checked_sub(1).and_then(|i| list.get(i)) {
                None => text::pad("+ a new conversation", inner),
                Some(line) => {
                    let here = if open == Some(line.id) { "•" } else { " " };
                    let right = format!("{:>4} · {:<11}", line.messages, words::when(line.updated, now, zone));
                    let room = inner.saturating_sub(text::width(&right) + 3);
                    format!("{here} {} {right}", text::pad(&line.title, room))
                }
            };
            lines.push(Line::styled(said, style));
        }
        match &self.list {
            Loaded::Loading | Loaded::Not => lines.push(Line::styled("Asking for the others…", theme.dim)),
            Loaded::Failed(failure) => lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, inner)),
            Loaded::Full(list) if list.is_empty() => {
                lines.push(Line::styled("There are no others yet.", theme.dim));
            }
            Loaded::Full(_) => {}
        }
        frame.render_widget(Paragraph::new(lines), inside);
        if inside.height > 2 {
            let at = Rect { y: inside.bottom() - 1, height: 1, ..inside };
            frame.render_widget(Paragraph::new(Line::styled("Enter open   n new   Esc close", theme.dim)), at);
        }
    }
}
