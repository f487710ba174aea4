//! The folders it reads: what they hold, what they are doing, how far reading is, what was left out.
//!
//! Nothing jumps: the selection stays on its source, and the part below has the same height whether something is read or
//! not.

use super::face;
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::overlay::source::left_out;
use crate::app::scroll::{Rows, step};
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::text;
use hinet_protocol::{Event, Failure, IngestReport, Op, Progress, SourceId, SourceLine, SourceState};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::Paragraph,
};

/// Columns of everything but the path.
const RIGHT: usize = 52;
/// Things left out that the last reading lists here; all of them stand with the source.
const LEFT_OUT_MAX: usize = 100;

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
    /// What is being read by itself.
    pub by_itself: Vec<(SourceId, Progress)>,
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

    /// Reads a file or a folder once.
    pub fn ingest(&mut self, path: String) -> Vec<Effect> {
        self.read(Op::Ingest { paths: vec![path] })
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

    /// How far a source is that is read by itself. Returns what to ask for once it is over.
    pub fn reads(&mut self, source: SourceId, progress: Option<Progress>) -> Vec<Effect> {
        let known = self.by_itself.iter().position(|(id, _)| *id == source);
        match (progress, known) {
            (Some(progress), Some(at)) => self.by_itself[at].1 = progress,
            (Some(progress), None) => self.by_itself.push((source, progress)),
            (None, at) => {
                if let Some(at) = at {
                    self.by_itself.remove(at);
                }
                return self.enter();
            }
        }
        vec![]
    }

    /// The node went away, and with it everything that was being read.
    pub fn lost(&mut self) {
        self.reading = None;
        self.by_itself.clear();
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) -> Vec<Effect> {
        match (tag, event) {
            (Tag::Sources, Event::Sources { sources }) => {
                let chosen = self.current().map(|line| line.id);
                let at = chosen.and_then(|id| sources.iter().position(|line| line.id == id));
                self.selected = at.unwrap_or(self.selected).min(sources.len().saturating_sub(1));
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
    let rows = layout(state, area);
    let many = sources.list.get().map_or(String::new(), |l| format!(" · {}", words::some(l.len() as u64, "source")));
    let paused = state.status.as_ref().is_some_and(|status| status.paused);
    let paused = if paused { " · remembering is paused · P goes on" } else { "" };
    let inside = face::boxed(frame, rows[0], &format!("sources{many}{paused}"), true, theme);
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
    if rows[1].height > 0 {
        let reads = sources.reading.is_some() || !sources.by_itself.is_empty();
        let title = if reads { "reading" } else { "last reading" };
        let inside = face::boxed(frame, rows[1], title, false, theme);
        let below = below(state, usize::from(inside.width));
        frame.render_widget(Paragraph::new(below), inside);
    }
}

/// The list and what is being read. The lower part has the same height whatever happens, so that the list never moves.
fn layout(state: &State, area: Rect) -> [Rect; 2] {
    let sources = &state.sources;
    let empty = sources.list.get().is_some_and(Vec::is_empty) && sources.reading.is_none() && sources.failed.is_none();
    let wanted = if empty { 0 } else { (area.height / 3).clamp(4, 14) };
    Layout::vertical([Constraint::Min(3), Constraint::Length(wanted)]).spacing(-1).areas(area)
}

/// The rows of the sources, in the pane's area.
#[must_use]
pub fn rows(state: &State, area: Rect) -> Rows {
    table_rows(state, face::inside(layout(state, area)[0]))
}

fn table_rows(state: &State, inside: Rect) -> Rows {
    Rows::below_heading(inside, state.sources.selected, state.sources.list.get().map_or(0, Vec::len))
}

fn table(state: &State, frame: &mut Frame, area: Rect, list: &[SourceLine]) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let path_columns = columns.saturating_sub(RIGHT);
    let mut lines = vec![Line::styled(
        format!(
            "{} {:>8} {:>8} {:>8}  {:<14} {:<9}",
            text::pad("folder", path_columns),
            "items",
            "left out",
            "waiting",
            "state",
            "read"
        ),
        theme.dim,
    )];
    let shown = table_rows(state, area).shown();
    for (i, source) in list.iter().enumerate().skip(shown.start).take(shown.len()) {
        let path = text::fit_end(&words::tilde(&source.path, &state.place.home_dir), path_columns);
        let read = source.synced.map_or_else(|| "not yet".into(), |at| words::when(at, state.now, &state.place.zone));
        let some = |n: u64| if n == 0 { "·".to_owned() } else { text::count(n) };
        let row = format!(
            "{} {:>8} {:>8} {:>8}  {} {}",
            text::pad(&path, path_columns),
            text::count(source.items),
            some(source.skipped),
            some(source.waiting),
            text::pad(doing(state, source), 14),
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

fn doing(state: &State, source: &SourceLine) -> &'static str {
    if state.killed() {
        "stopped"
    } else if state.sources.by_itself.iter().any(|(id, _)| *id == source.id) {
        "being read"
    } else {
        words::source_state(source.kind, source.state)
    }
}

fn below(state: &State, columns: usize) -> Vec<Line<'static>> {
    let (sources, theme) = (&state.sources, &state.theme);
    let mut lines = Vec::new();
    if let Some(reading) = &sources.reading {
        lines.push(match &reading.progress {
            Some(progress) => face::progress(progress, columns, theme),
            None => Line::styled("looking at what is there…", theme.accent),
        });
        let said = "You can go on meanwhile. Esc stops; what was read is kept.";
        lines.extend(text::wrap_plain(said, theme.dim, columns));
    }
    for (_, progress) in &sources.by_itself {
        lines.push(face::progress(progress, columns, theme));
    }
    if !sources.by_itself.is_empty() {
        let said = "Read by itself, because its folder changed. p pauses the folder, P all remembering.";
        lines.extend(text::wrap_plain(said, theme.dim, columns));
    }
    if !lines.is_empty() {
        return lines;
    }
    if let Some(failure) = &sources.failed {
        lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, columns));
    }
    if let Some(report) = &sources.report {
        let said = format!(
            "{} seen · {} new · {} changed · {} as before · {} left out",
            text::count(report.seen),
            text::count(report.new),
            text::count(report.updated),
            text::count(report.same),
            text::count(report.skipped.len() as u64)
        );
        lines.extend(text::wrap_plain(&said, theme.good, columns));
        for skipped in report.skipped.iter().take(LEFT_OUT_MAX) {
            lines.push(left_out(skipped, &state.place.home_dir, columns, state));
        }
        if report.skipped.len() > LEFT_OUT_MAX {
            lines.push(Line::styled(format!("and {} more", report.skipped.len() - LEFT_OUT_MAX), theme.dim));
        }
    }
    if lines.is_empty() {
        let said = "Nothing is being read. s reads the folder again; Enter shows its grant and what was left out.";
        lines.extend(text::wrap_plain(said, theme.dim, columns));
    }
    lines
}
