//! A source looked at closely: its grant in plain words, what it may do, and what was left out and why.

use super::over;
use crate::app::scroll::step;
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::text;
use hinet_protocol::{Skipped, SourceId, SourceKind, SourceLine};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// The overlay.
pub struct Source {
    /// The source as it was when it was opened.
    pub line: SourceLine,
    /// What was left out.
    pub skipped: Loaded<Vec<Skipped>>,
    /// The first of those shown.
    pub top: usize,
}

impl Source {
    /// Opened, with what was left out on its way.
    #[must_use]
    pub fn opening(line: SourceLine) -> Self {
        Self { line, skipped: Loaded::Loading, top: 0 }
    }

    /// Which one.
    #[must_use]
    pub fn id(&self) -> SourceId {
        self.line.id
    }

    /// Scrolls what was left out.
    pub fn by(&mut self, delta: isize) {
        self.top = step(self.top, delta, self.skipped.get().map_or(0, Vec::len));
    }

    /// Draws it. What changes meanwhile is read from the list behind it.
    pub fn view(&self, state: &State, frame: &mut Frame, area: Rect) {
        let (theme, place) = (&state.theme, &state.place);
        let columns = area.width.saturating_sub(4).min(100);
        let inner = usize::from(columns).saturating_sub(4);
        let sources = state.sources.list.get().map_or(&[][..], Vec::as_slice);
        let line = sources.iter().find(|source| source.id == self.line.id).unwrap_or(&self.line);
        let mut lines =
            vec![Line::styled(text::fit_end(&words::tilde(&line.path, &place.home_dir), inner), theme.strong)];
        let read = line.synced.map_or_else(
            || "not read to the end yet".to_owned(),
            |at| format!("last read {}", words::date_and_time(at, &place.zone)),
        );
        let said = format!(
            "{} · {} · {} left out · {} waiting for their meaning · {read}",
            words::source_state(line.kind, line.state),
            words::some(line.items, "item"),
            text::count(line.skipped),
            words::some(line.waiting, "passage"),
        );
        lines.extend(text::wrap_plain(&said, theme.dim, inner));
        lines.push(Line::default());
        let grant = state.consent.grants.get().and_then(|all| all.iter().find(|grant| Some(grant.id) == line.grant));
        match (grant, &state.consent.grants) {
            (Some(grant), _) => {
                lines.extend(text::wrap_plain(&words::grant(grant, sources, &place.home_dir), theme.text, inner));
                let fate = words::fate(grant, state.now, &place.zone);
                lines.push(Line::styled(text::fit(&fate, inner), theme.dim));
            }
            (None, Loaded::Not | Loaded::Loading) => lines.push(Line::styled("Asking for its grant…", theme.dim)),
            (None, _) => lines.push(Line::styled("No grant stands for it, so it is not read.", theme.warn)),
        }
        let may = match line.kind {
            SourceKind::Folder => {
                "It is read and watched, and your own answers may draw on it. Nothing of it leaves this machine under this grant."
            }
            SourceKind::Import => {
                "It was read once and is not watched; your own answers may draw on it. Nothing of it leaves this machine."
            }
            SourceKind::Account => {
                "Its server is asked for what is new from time to time, and nothing is changed there; your own answers may draw on what was read. None of it goes further under this grant."
            }
        };
        lines.extend(text::wrap_plain(may, theme.dim, inner));
        lines.push(Line::default());
        let rows = area.height.saturating_sub(2);
        let room = usize::from(rows).saturating_sub(lines.len() + 4).max(1);
        lines.extend(self.left_out(state, inner, room));
        lines.push(Line::styled(text::cut_raw("↑↓ PgUp PgDn scroll   Esc close", inner), theme.dim));
        let inside = over(frame, area, columns, (lines.len() as u16 + 2).max(rows.min(20)), "source", theme);
        frame.render_widget(Paragraph::new(lines), inside);
    }

    fn left_out(&self, state: &State, inner: usize, room: usize) -> Vec<Line<'static>> {
        let theme = &state.theme;
        let list = match &self.skipped {
            Loaded::Not | Loaded::Loading => return vec![Line::styled("Asking what was left out…", theme.dim)],
            Loaded::Failed(failure) => return text::wrap_plain(&words::failure(failure), theme.bad, inner),
            Loaded::Full(list) if list.is_empty() => {
                return vec![Line::styled("Nothing was left out when it was last read.", theme.good)];
            }
            Loaded::Full(list) => list,
        };
        let head = format!("Left out when it was last read: {}", words::some(list.len() as u64, "file"));
        let mut lines = vec![Line::styled(text::fit(&head, inner), theme.strong)];
        for skipped in list.iter().skip(self.top).take(room) {
            lines.push(left_out(skipped, &state.place.home_dir, inner, state));
        }
        lines
    }
}

/// One thing that was left out, on one line.
#[must_use]
pub fn left_out(skipped: &Skipped, home: &str, columns: usize, state: &State) -> Line<'static> {
    let what = text::fit_end(&words::tilde(&skipped.what, home), columns / 2);
    let room = columns.saturating_sub(text::width(&what) + 2);
    Line::from(vec![
        Span::styled(format!("{what}  "), state.theme.text),
        Span::styled(text::fit(&skipped.why, room), state.theme.dim),
    ])
}
