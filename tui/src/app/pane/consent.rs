//! Grants in plain words, and the ledger of everything that was done with the memory.

use super::face;
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::{Rows, step};
use crate::app::state::{Focus, Loaded, State};
use crate::app::words;
use crate::text;
use hinet_protocol::{AuditReport, Event, Failure, Grant, LedgerLine, Op};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

/// Ledger lines asked for.
const LEDGER_LINES_MAX: usize = 500;

/// The pane.
#[derive(Default)]
pub struct Consent {
    /// The grants, newest first.
    pub grants: Loaded<Vec<Grant>>,
    /// The selected one.
    pub selected: usize,
    /// The ledger's last lines, newest first.
    pub ledger: Loaded<Vec<LedgerLine>>,
    /// The selected line.
    pub line: usize,
    /// Whether the ledger is being verified, and what came of it.
    pub verified: Loaded<AuditReport>,
    /// Why a revocation failed.
    pub failed: Option<Failure>,
}

impl Consent {
    /// Asks for both lists.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.grants.ask();
        self.ledger.ask();
        vec![
            Effect::call(Tag::Grants, Op::Grants),
            Effect::call(
                Tag::Ledger,
                Op::Ledger { limit: LEDGER_LINES_MAX, kinds: vec![], matching: String::new(), before: None },
            ),
        ]
    }

    /// Moves the selection of the part that has the keys.
    pub fn select(&mut self, focus: Focus, delta: isize) {
        match focus {
            Focus::First => self.selected = step(self.selected, delta, self.grants.get().map_or(0, Vec::len)),
            _ => self.line = step(self.line, delta, self.ledger.get().map_or(0, Vec::len)),
        }
    }

    /// The selected grant, where it stands.
    #[must_use]
    pub fn standing(&self) -> Option<&Grant> {
        self.grants.get()?.get(self.selected).filter(|grant| grant.revoked.is_none())
    }

    /// Verifies the whole ledger.
    pub fn verify(&mut self) -> Vec<Effect> {
        if self.verified == Loaded::Loading {
            return vec![];
        }
        self.verified = Loaded::Loading;
        vec![Effect::call(Tag::Verify, Op::Verify)]
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) -> Vec<Effect> {
        match (tag, event) {
            (Tag::Grants, Event::Grants { grants }) => {
                self.selected = self.selected.min(grants.len().saturating_sub(1));
                self.grants = Loaded::Full(grants);
            }
            (Tag::Grants, Event::Failed { failure }) => self.grants = Loaded::Failed(failure),
            (Tag::Ledger, Event::Ledger { lines }) => {
                self.line = self.line.min(lines.len().saturating_sub(1));
                self.ledger = Loaded::Full(lines);
            }
            (Tag::Ledger, Event::Failed { failure }) => self.ledger = Loaded::Failed(failure),
            (Tag::Verify, Event::Verified { report }) => self.verified = Loaded::Full(report),
            (Tag::Verify, Event::Failed { failure }) => self.verified = Loaded::Failed(failure),
            (Tag::Revoke, event) => {
                self.failed = match event {
                    Event::Failed { failure } => Some(failure),
                    _ => None,
                };
                return self.enter();
            }
            _ => {}
        }
        vec![]
    }
}

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let rows = layout(area);
    grants(state, frame, rows[0]);
    ledger(state, frame, rows[1]);
}

fn layout(area: Rect) -> [Rect; 2] {
    Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).spacing(-1).areas(area)
}

/// The rows of the grants, in the pane's area.
#[must_use]
pub fn grant_rows(state: &State, area: Rect) -> Rows {
    rows_of_grants(state, below_failure(state, face::inside(layout(area)[0])))
}

/// The rows of the ledger, in the pane's area.
#[must_use]
pub fn ledger_rows(state: &State, area: Rect) -> Rows {
    rows_of_ledger(state, face::inside(layout(area)[1]))
}

fn rows_of_grants(state: &State, inside: Rect) -> Rows {
    Rows::new(inside, 2, state.consent.selected, state.consent.grants.get().map_or(0, Vec::len))
}

fn rows_of_ledger(state: &State, inside: Rect) -> Rows {
    Rows::new(inside, 1, state.consent.line, state.consent.ledger.get().map_or(0, Vec::len))
}

/// Why something failed stands above the grants.
fn below_failure(state: &State, inside: Rect) -> Rect {
    let lines = state.consent.failed.as_ref().map_or(0, |failure| {
        text::wrap_plain(&words::failure(failure), state.theme.bad, usize::from(inside.width)).len()
    });
    let height = (lines as u16).min(inside.height);
    Rect { y: inside.y + height, height: inside.height - height, ..inside }
}

fn grants(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let standing = consent.grants.get().map_or(0, |g| g.iter().filter(|g| g.revoked.is_none()).count());
    let title = match &consent.grants {
        Loaded::Full(_) => format!("consent · {} standing", words::some(standing as u64, "grant")),
        _ => "consent".to_owned(),
    };
    let focus = state.focus == Focus::First;
    let mut inside = face::boxed(frame, area, &title, focus, theme);
    if let Some(failure) = &consent.failed {
        let lines = text::wrap_plain(&words::failure(failure), theme.bad, usize::from(inside.width));
        frame.render_widget(Paragraph::new(lines), inside);
        inside = below_failure(state, inside);
    }
    match &consent.grants {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Asking what was granted…", theme.dim),
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "No grant was changed. F5 asks again.", theme);
        }
        Loaded::Full(list) if list.is_empty() => face::sentences(
            frame,
            inside,
            "Nothing is granted: nobody reads anything and nothing leaves. Opening a folder (F4, a) gives your own iCore a grant for it.",
            theme.dim,
        ),
        Loaded::Full(list) => grant_lines(state, frame, inside, list, focus),
    }
}

fn grant_lines(state: &State, frame: &mut Frame, area: Rect, list: &[Grant], focus: bool) {
    let (theme, place) = (&state.theme, &state.place);
    let columns = usize::from(area.width);
    let sources = state.sources.list.get().map_or(&[][..], Vec::as_slice);
    let shown = rows_of_grants(state, area).shown();
    let mut lines = Vec::new();
    for (i, grant) in list.iter().enumerate().skip(shown.start).take(shown.len()) {
        let sentence = words::grant(grant, sources, &place.home_dir);
        let given = words::when(grant.granted, state.now, &place.zone);
        let mut fate = match (grant.revoked, grant.terms.limits.expires) {
            (Some(at), _) => format!("given {given}, taken back {}", words::when(at, state.now, &place.zone)),
            (None, Some(at)) if at <= state.now => {
                format!("given {given}, ran out {}", words::when(at, state.now, &place.zone))
            }
            (None, Some(at)) => format!("given {given}, until {}", words::date_and_time(at, &place.zone)),
            (None, None) => format!("given {given}, stands until you take it back"),
        };
        if !grant.terms.purpose.is_empty() {
            fate.push_str(" · ");
            fate.push_str(&grant.terms.purpose);
        }
        let style = match (focus && i == state.consent.selected, grant.revoked) {
            (true, _) => theme.selected,
            (false, None) => theme.text,
            (false, Some(_)) => theme.dim,
        };
        lines.push(Line::styled(text::pad(&sentence, columns), style));
        lines.push(Line::styled(text::fit(&format!("  {}", text::fit(&fate, columns)), columns), theme.dim));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn ledger(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let (title, style) = match &consent.verified {
        Loaded::Loading => ("ledger · verifying…".to_owned(), theme.accent),
        Loaded::Full(report) => match &report.broken {
            Some((seq, why)) => (format!("ledger ✗ broken at entry {seq}: {why}"), theme.bad),
            None => (
                format!("ledger ✓ all {} verified", words::some(report.entries, "entry").replace("entrys", "entries")),
                theme.good,
            ),
        },
        Loaded::Failed(failure) => (format!("ledger · {}", failure.message), theme.bad),
        Loaded::Not => ("ledger".to_owned(), theme.dim),
    };
    let focus = state.focus == Focus::Second;
    let inside = face::boxed(frame, area, "", focus, theme);
    let shown = text::fit(&title, usize::from(area.width).saturating_sub(6));
    if area.width > 6 && area.height > 0 {
        let at =
            Rect { x: area.x + 1, y: area.y, width: (text::width(&shown) as u16 + 2).min(area.width - 2), height: 1 };
        frame.render_widget(Paragraph::new(Line::styled(format!(" {shown} "), style)), at);
    }
    match &consent.ledger {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Reading the ledger…", theme.dim),
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "The ledger was not changed. F5 asks again.", theme)
        }
        Loaded::Full(lines) if lines.is_empty() => {
            face::sentences(
                frame,
                inside,
                "The ledger is empty. Everything that is done with your memory will stand here.",
                theme.dim,
            );
        }
        Loaded::Full(lines) => ledger_lines(state, frame, inside, lines, focus),
    }
}

fn ledger_lines(state: &State, frame: &mut Frame, area: Rect, list: &[LedgerLine], focus: bool) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let shown = rows_of_ledger(state, area).shown();
    let broken = state.consent.verified.get().and_then(|report| report.broken.as_ref()).map(|(seq, _)| *seq);
    let rows = list.iter().enumerate().skip(shown.start).take(shown.len()).map(|(i, line)| {
        let head = format!(
            "{:>6}  {}  {} ",
            line.seq,
            text::pad(&words::when(line.at, state.now, &state.place.zone), 11),
            text::pad(&line.kind, 8)
        );
        let room = columns.saturating_sub(text::width(&head));
        if focus && i == state.consent.line {
            return Line::styled(format!("{head}{}", text::pad(&line.text, room)), theme.selected);
        }
        let style = if broken == Some(line.seq) { theme.bad } else { theme.text };
        Line::from(vec![Span::styled(head, theme.dim), Span::styled(text::fit(&line.text, room), style)])
    });
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), area);
}
