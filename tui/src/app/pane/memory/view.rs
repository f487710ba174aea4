//! Draws the memory pane: the search line and how it is read, then what was found or the timeline.

use super::operators::{OPERATORS, completion, expected, read};
use super::timeline;
use crate::app::pane::face;
use crate::app::pane::recalled::Look;
use crate::app::state::{Focus, Loaded, State};
use crate::app::words;
use crate::text;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Position, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let (memory, theme) = (&state.memory, &state.theme);
    let rows = layout(area);
    let typing = state.focus == Focus::First && state.overlays.is_empty();
    let paused = state.status.as_ref().is_some_and(|status| status.paused);
    let title = if paused { "memory · remembering is paused · P goes on" } else { "memory · search" };
    let query = face::boxed(frame, rows[0], title, state.focus == Focus::First, theme);
    let columns = usize::from(query.width);
    let mut line = memory.query.line(theme, typing, columns.saturating_sub(2));
    line.spans.insert(0, Span::styled("▏ ", theme.accent));
    let mut lines = vec![line];
    lines.push(below(state, columns));
    frame.render_widget(Paragraph::new(lines), query);
    let inside = face::boxed(frame, rows[1], &heading(state), state.focus == Focus::Second, theme);
    let focus = state.focus == Focus::Second;
    match &memory.hits {
        Loaded::Not => before(state, frame, inside, focus),
        Loaded::Loading => {
            face::sentences(frame, inside, "Searching by words and by meaning… (Esc goes back)", theme.dim);
        }
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "Nothing was changed. Enter in the search tries again.", theme);
        }
        Loaded::Full(()) if memory.found.passages.is_empty() => {
            face::sentences(
                frame,
                inside,
                "Nothing that is remembered fits. Fewer or other words may; Esc shows everything again.",
                theme.dim,
            );
        }
        Loaded::Full(()) => memory.found.view(frame, inside, focus, EXCERPT_ROWS, None, &Look::of(state)),
    }
}

/// Rows of an excerpt in the list.
const EXCERPT_ROWS: usize = 2;

/// The search line, and what was found.
fn layout(area: Rect) -> [Rect; 2] {
    Layout::vertical([Constraint::Length(4), Constraint::Min(0)]).spacing(-1).areas(area)
}

/// The part of the pane at a place of the screen, and the index of the row drawn there.
#[must_use]
pub fn part_at(state: &State, area: Rect, place: Position) -> (Focus, Option<usize>) {
    let [query, found] = layout(area);
    let inside = face::inside(found);
    if query.contains(place) && !inside.contains(place) {
        return (Focus::First, None);
    }
    let index = match &state.memory.hits {
        Loaded::Not => timeline::at(state, inside, place),
        Loaded::Full(()) => state.memory.found.at(inside, EXCERPT_ROWS, None, &Look::of(state), place),
        _ => None,
    };
    (Focus::Second, index)
}

/// The line under what is typed: what it may go on to, how it is read, or the operators there are.
fn below(state: &State, columns: usize) -> Line<'static> {
    let theme = &state.theme;
    let typed = state.memory.query.text();
    let read = read(typed);
    if let Some(wrong) = &read.wrong {
        return Line::styled(text::fit(wrong, columns), theme.warn);
    }
    if let Some(rest) = completion(typed).filter(|_| state.memory.query.is_at_end()) {
        return Line::styled(text::fit(&format!("→ takes {rest}"), columns), theme.accent);
    }
    if let Some((operator, takes)) = expected(typed).filter(|(operator, _)| typed.to_lowercase().ends_with(operator)) {
        return Line::styled(text::fit(&format!("{operator} takes {takes}"), columns), theme.accent);
    }
    let said = read.said();
    if !said.is_empty() {
        return Line::styled(text::fit(&format!("read as: {said}"), columns), theme.dim);
    }
    let all: Vec<&str> = OPERATORS.iter().map(|(operator, _)| *operator).collect();
    Line::styled(text::fit(&format!("{} \"phrase\"", all.join(" ")), columns), theme.dim)
}

/// The title of the lower part: what it shows, and the counts.
fn heading(state: &State) -> String {
    let memory = &state.memory;
    match &memory.hits {
        Loaded::Full(()) => {
            let many = words::some(memory.found.passages.len() as u64, "passage");
            return format!("{many} for {}", memory.searched);
        }
        Loaded::Loading => return format!("searching for {}", memory.searched),
        Loaded::Failed(_) => return format!("not found out: {}", memory.searched),
        Loaded::Not => {}
    }
    if !memory.timeline.query.is_empty() {
        return format!("remembered, {}", read(&memory.timeline.query).said());
    }
    let Some(stats) = memory.stats.get() else { return "what is remembered".to_owned() };
    let waiting = stats.chunks.saturating_sub(stats.embedded);
    let waiting = if waiting > 0 { format!(", {} by words only yet", text::count(waiting)) } else { String::new() };
    format!(
        "{} in {}{waiting} · {} · {}",
        words::some(stats.items, "item"),
        words::some(stats.chunks, "passage"),
        words::some(stats.sources, "source"),
        text::bytes(stats.text_bytes)
    )
}

fn before(state: &State, frame: &mut Frame, area: Rect, focus: bool) {
    let theme = &state.theme;
    match &state.memory.timeline.list {
        Loaded::Not | Loaded::Loading => {
            face::sentences(frame, area, "Asking what is remembered… You can type a search meanwhile.", theme.dim);
        }
        Loaded::Failed(failure) => {
            face::failed(
                frame,
                area,
                failure,
                "What is remembered is kept. F3 asks again; a search may still work.",
                theme,
            );
        }
        Loaded::Full(_) => timeline::view(state, frame, area, focus),
    }
}
