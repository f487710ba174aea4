//! What every pane draws the same way: its box, and the faces it has when it is not full.

use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Failure, Progress, Unit};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    symbols::merge::MergeStrategy,
    text::Line,
    widgets::{Block, Paragraph},
};

/// Rows of a list that stands above its selected line, its box and heading included.
const LIST_ROWS: u16 = 8;

/// A pane's box. Neighbours overlap by one cell and share the border. Returns the inside, one column narrower on
/// both sides.
pub fn boxed(frame: &mut Frame, area: Rect, title: &str, focus: bool, theme: &Theme) -> Rect {
    let fitted = text::fit(title, usize::from(area.width).saturating_sub(4));
    let style = if focus { theme.accent } else { theme.dim };
    let border = if focus { theme.focus } else { theme.border };
    let mut block = Block::bordered().border_style(border).merge_borders(MergeStrategy::Exact);
    if !fitted.is_empty() {
        block = block.title(Line::styled(format!(" {fitted} "), style));
    }
    let inside = block.inner(area);
    frame.render_widget(block, area);
    Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(2), ..inside }
}

/// The inside of [`boxed`], without drawing.
#[must_use]
pub fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 2.min(area.width),
        y: area.y + 1.min(area.height),
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

/// A short list and what is selected of it below; all of the area is the list's where there is nothing to say below.
#[must_use]
pub fn list_above(area: Rect, alone: bool) -> [Rect; 2] {
    let list = if alone { area.height } else { LIST_ROWS.min(area.height / 2).max(3) };
    Layout::vertical([Constraint::Length(list), Constraint::Min(0)]).spacing(-1).areas(area)
}

/// Some sentences in a pane that has nothing else to show.
pub fn sentences(frame: &mut Frame, area: Rect, text: &str, style: ratatui::style::Style) {
    let lines = text::wrap_plain(text, style, usize::from(area.width));
    frame.render_widget(Paragraph::new(lines), area);
}

/// What happened, what is safe, what to press.
pub fn failed(frame: &mut Frame, area: Rect, failure: &Failure, press: &str, theme: &Theme) {
    let mut lines = text::wrap_plain(&words::failure(failure), theme.bad, usize::from(area.width));
    lines.extend(text::wrap_plain(press, theme.dim, usize::from(area.width)));
    frame.render_widget(Paragraph::new(lines), area);
}

/// How far, on one line: `reading notes/ ▓▓▓░░ 12 of 40 files`.
#[must_use]
pub fn progress(progress: &Progress, columns: usize, theme: &Theme) -> Line<'static> {
    let amount = |n: u64| match progress.unit {
        Unit::Bytes => text::bytes(n),
        _ => text::count(n),
    };
    let noun = match progress.unit {
        Unit::Files => " files",
        Unit::Chunks => " chunks",
        Unit::Tokens => " tokens",
        Unit::Parts => "",
        Unit::Bytes => "",
    };
    let (bar, far) = match progress.total {
        Some(total) if total > 0 => (
            format!(" {}", text::bar(progress.done as f32 / total as f32, 12)),
            format!(" {} of {}{noun}", amount(progress.done), amount(total)),
        ),
        _ => (String::new(), format!(" {}{noun}", amount(progress.done))),
    };
    let room = columns.saturating_sub(text::width(&bar) + text::width(&far));
    Line::styled(format!("{}{bar}{far}", text::fit(&progress.what, room)), theme.accent)
}
