//! A list that opens above the input while something is typed there: commands after `/`, names after `@`.

use super::scroll::first_row;
use super::view::Areas;
use crate::text;
use crate::theme::Theme;
use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

/// Rows of the list at most.
const ROWS_MAX: usize = 9;
/// Columns of the list at most.
const COLUMNS_MAX: u16 = 76;
/// Columns of a row's head.
const HEAD_COLUMNS: usize = 30;

/// Where a list of `count` rows lies: above the input. Nothing where there is no room, or nothing to list.
#[must_use]
pub fn area(count: usize, areas: &Areas) -> Option<Rect> {
    let input = areas.input?;
    let above = input.y.saturating_sub(areas.top.bottom());
    let height = (count.min(ROWS_MAX) as u16 + 2).min(above);
    let width = input.width.min(COLUMNS_MAX);
    (count > 0 && height > 2).then(|| Rect { y: input.y - height, height, width, ..input })
}

/// The first row shown, and where the rows lie.
fn window(selected: usize, count: usize, area: Rect) -> (usize, Rect) {
    let inside = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    };
    (first_row(selected.min(count.saturating_sub(1)), usize::from(inside.height), count), inside)
}

/// The index of the row at a place of the screen.
#[must_use]
pub fn at(selected: usize, count: usize, areas: &Areas, position: Position) -> Option<usize> {
    let (first, inside) = window(selected, count, area(count, areas)?);
    let index = first + usize::from(position.y.saturating_sub(inside.y));
    (inside.contains(position) && index < count).then_some(index)
}

/// Draws the rows: a head, and what it means.
pub fn view(frame: &mut Frame, areas: &Areas, theme: &Theme, title: &str, rows: &[(String, String)], selected: usize) {
    let Some(area) = area(rows.len(), areas).map(|area| area.intersection(frame.area())) else { return };
    if area.height < 3 || area.width < 10 {
        return;
    }
    let selected = selected.min(rows.len() - 1);
    let (first, inside) = window(selected, rows.len(), area);
    let columns = usize::from(inside.width);
    let lines = rows.iter().enumerate().skip(first).take(usize::from(inside.height)).map(|(i, (head, words))| {
        // The mark says it without colours.
        let mark = if i == selected { "▸" } else { " " };
        let head = format!("{mark}{} ", text::pad(head, (HEAD_COLUMNS - 2).min(columns.saturating_sub(2))));
        let words = text::pad(words, columns.saturating_sub(HEAD_COLUMNS));
        if i == selected {
            return Line::styled(format!("{head}{words}"), theme.selected);
        }
        Line::from(vec![Span::styled(head, theme.text), Span::styled(words, theme.dim)])
    });
    let lines: Vec<Line> = lines.collect();
    frame.render_widget(Clear, area);
    let title = Line::styled(format!(" {title} "), theme.accent);
    frame.render_widget(Block::bordered().border_style(theme.focus).title(title), area);
    frame.render_widget(Paragraph::new(lines), inside);
}
