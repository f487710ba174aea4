//! The folders it reads: what they hold, what they are doing, what was skipped and why.

use super::face;
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::{Rows, step};
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::text;
use hinet_protocol::{Event, Failure, IngestReport, Op, Progress, SourceLine, SourceState};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::Paragraph,
};

/// A folder being read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// How far.
    pub progress: Option<Progress>,
}

/// The pane.
#[derive(Default)]
pub struct Sources {
    /// The sources.
    pub list: Loaded<Vec<SourceLine>>,
    /// The selected one.
    pub selected: usize,
    /// What is being read because the owner asked.
    pub reading: Option<Reading>,
    /// What the last reading came to.
    pub report: Option<IngestReport>,
    /// Why the last reading or pausing failed.
    pub failed: Option<Failure>,
}

impl Sources {
    /// Asks for the list.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.list.ask();
        vec![Effect::call(Tag::Sources, Op::Sources)]
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.list.get().map_or(0, Vec::len));
    }

    /// The selected source.
    #[must_use]
    pub fn current(&self) -> Option<&SourceLine> {
        self.list.get()?.get(self.selected)
    }

    /// Opens a folder.
    pub fn add(&mut self, path: String) -> Vec<Effect> {
        self.read(Op::SourceAdd { path })
    }

    /// Reads the selected source again.
    pub fn sync(&mut self) -> Vec<Effect> {
        let Some(source) = self.current().map(|s| s.id) else { return vec![] };
        self.read(Op::SourceSync { source: Some(source) })
    }

    fn read(&mut self, op: Op) -> Vec<Effect> {
        if self.reading.is_some() {
            return vec![];
        }
        self.reading = Some(Reading::default());
        self.failed = None;
        self.report = None;
        vec![Effect::call(Tag::Reading, op)]
    }

    /// Stops what is being read; what was read is kept.
    pub fn stop(&mut self) -> Option<Vec<Effect>> {
        self.reading.as_ref()?;
        Some(vec![Effect::Stop(Tag::Reading)])
    }

    /// Pauses or resumes the selected source.
    pub fn pause(&mut self) -> Vec<Effect> {
        let Some(line) = self.current() else { return vec![] };
        let paused = line.state != SourceState::Paused;
        vec![Effect::call(Tag::Pause, Op::SourcePause { source: line.id, paused })]
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) -> Vec<Effect> {
        match (tag, event) {
            (Tag::Sources, Event::Sources { sources }) => {
                self.selected = self.selected.min(sources.len().saturating_sub(1));
                self.list = Loaded::Full(sources);
            }
            (Tag::Sources, Event::Failed { failure }) => self.list = Loaded::Failed(failure),
            (Tag::Reading, Event::Progress { progress }) => {
                if let Some(reading) = &mut self.reading {
                    reading.progress = Some(progress);
                }
            }
            (Tag::Reading, event) if event.is_final() => {
                self.reading = None;
                match event {
                    Event::Indexed { report } => self.report = Some(report),
                    Event::Failed { failure } => self.failed = Some(failure),
                    _ => {}
                }
                return self.enter();
            }
            (Tag::Pause, event) => {
                if let Event::Failed { failure } = event {
                    self.failed = Some(failure);
                }
                return self.enter();
            }
            _ => {}
        }
        vec![]
    }
}

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let (sources, theme) = (&state.sources, &state.theme);
    let below = below_lines(state, usize::from(area.width).saturating_sub(4));
    let rows = layout(&below, area);
    let many = sources.list.get().map_or(String::new(), |l| format!(" · {}", words::some(l.len() as u64, "folder")));
    let inside = face::boxed(frame, rows[0], &format!("sources{many}"), true, theme);
    match &sources.list {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Asking which folders are open…", theme.dim),
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "What was read is kept. F4 asks again.", theme);
        }
        Loaded::Full(list) if list.is_empty() => face::sentences(
            frame,
            inside,
            "No folder is open, so nothing is read. a opens one: it is read once, then watched, and the grant can be taken back at \
             any time.",
            theme.dim,
        ),
        Loaded::Full(list) => table(state, frame, inside, list),
    }
    if !below.is_empty() {
        let title = if sources.reading.is_some() { "reading" } else { "last reading" };
        let inside = face::boxed(frame, rows[1], title, false, theme);
        frame.render_widget(Paragraph::new(below), inside);
    }
}

fn layout(below: &[Line], area: Rect) -> [Rect; 2] {
    let most = area.height / 2;
    let wanted = if below.is_empty() { 0 } else { (below.len() as u16 + 2).min(most) };
    Layout::vertical([Constraint::Min(3), Constraint::Length(wanted)]).spacing(-1).areas(area)
}

/// The rows of the folders, in the pane's area.
#[must_use]
pub fn rows(state: &State, area: Rect) -> Rows {
    let below = below_lines(state, usize::from(area.width).saturating_sub(4));
    table_rows(state, face::inside(layout(&below, area)[0]))
}

/// The first line is the heading.
fn table_rows(state: &State, inside: Rect) -> Rows {
    let area = Rect { y: inside.y + 1.min(inside.height), height: inside.height.saturating_sub(1), ..inside };
    Rows::new(area, 1, state.sources.selected, state.sources.list.get().map_or(0, Vec::len))
}

fn table(state: &State, frame: &mut Frame, area: Rect, list: &[SourceLine]) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let right = 37;
    let path_columns = columns.saturating_sub(right);
    let mut lines = vec![Line::styled(
        format!("{} {:>9}  {:<14} {:<9}", text::pad("folder", path_columns), "items", "state", "read"),
        theme.dim,
    )];
    let shown = table_rows(state, area).shown();
    for (i, source) in list.iter().enumerate().skip(shown.start).take(shown.len()) {
        let path = text::fit_end(&words::tilde(&source.path, &state.place.home_dir), path_columns);
        let read = source.synced.map_or_else(|| "not yet".into(), |at| words::when(at, state.now, &state.place.zone));
        let doing = if state.killed() { "stopped" } else { words::source_state(source.state) };
        let row = format!(
            "{} {:>9}  {} {}",
            text::pad(&path, path_columns),
            text::count(source.items),
            text::pad(doing, 14),
            text::pad(&read, 9)
        );
        let style = match (i == state.sources.selected, source.state) {
            (true, _) => theme.selected,
            (false, SourceState::Active) => theme.text,
            (false, _) => theme.warn,
        };
        lines.push(Line::styled(row, style));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn below_lines(state: &State, columns: usize) -> Vec<Line<'static>> {
    let (sources, theme) = (&state.sources, &state.theme);
    if let Some(reading) = &sources.reading {
        let mut lines = vec![match &reading.progress {
            Some(progress) => face::progress(progress, columns, theme),
            None => Line::styled("looking at the folder…", theme.accent),
        }];
        lines.extend(text::wrap_plain(
            "You can go on meanwhile. Esc stops; what was read is kept.",
            theme.dim,
            columns,
        ));
        return lines;
    }
    let mut lines = Vec::new();
    if let Some(failure) = &sources.failed {
        lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, columns));
    }
    if let Some(report) = &sources.report {
        let said = format!(
            "{} seen · {} new · {} changed · {} as before · {} skipped",
            text::count(report.seen),
            text::count(report.new),
            text::count(report.updated),
            text::count(report.same),
            text::count(report.skipped.len() as u64)
        );
        lines.extend(text::wrap_plain(&said, theme.good, columns));
        for skipped in report.skipped.iter().take(100) {
            let what = text::fit_end(&words::tilde(&skipped.what, &state.place.home_dir), columns / 2);
            let room = columns.saturating_sub(text::width(&what) + 2);
            lines.push(Line::from(vec![
                ratatui::text::Span::styled(format!("{what}  "), theme.text),
                ratatui::text::Span::styled(text::fit(&skipped.why, room), theme.dim),
            ]));
        }
        if report.skipped.len() > 100 {
            lines.push(Line::styled(format!("and {} more", report.skipped.len() - 100), theme.dim));
        }
    }
    lines
}
