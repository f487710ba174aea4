//! Draws the consent pane: its four parts side by side where there is room, one at a time where there is not.

use super::{Consent, Lines, Part};
use crate::app::pane::face;
use crate::app::scroll::Rows;
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::text;
use hinet_protocol::{Grant, LedgerLine};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Position, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

/// From here on all four parts are on the screen.
const WIDE: (u16, u16) = (150, 30);
/// Rows that say the selected ledger entry in full.
const DETAIL_ROWS: u16 = 4;

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    for (part, area) in layout(state, area) {
        draw(state, frame, area, part);
    }
    if is_wide(area) {
        return;
    }
    let mut line = vec![Span::raw(" ")];
    for (part, said, style) in names(state) {
        let style = if part == state.consent.part { state.theme.accent } else { style };
        line.push(Span::styled(said, style));
    }
    frame.render_widget(Paragraph::new(Line::from(line)), Rect { height: 1.min(area.height), ..area });
}

fn is_wide(area: Rect) -> bool {
    area.width >= WIDE.0 && area.height >= WIDE.1
}

/// The parts that are on the screen, and where.
fn layout(state: &State, area: Rect) -> Vec<(Part, Rect)> {
    if !is_wide(area) {
        // The names of all parts stand above the one that is shown.
        let [_, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        return vec![(state.consent.part, below)];
    }
    let [upper, lower] = Layout::vertical([Constraint::Fill(2), Constraint::Fill(3)]).spacing(-1).areas(area);
    let beside =
        |row| -> [Rect; 2] { Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(-1).areas(row) };
    Part::ALL.into_iter().zip(beside(upper).into_iter().chain(beside(lower))).collect()
}

/// The names of the parts as they stand above the one that is shown.
fn names(state: &State) -> Vec<(Part, String, Style)> {
    let name = |part| {
        let (said, style) = summary(state, part);
        let said = if part == state.consent.part { format!("[{said}] ") } else { format!(" {said}  ") };
        (part, said, style)
    };
    Part::ALL.into_iter().map(name).collect()
}

/// The part at a place of the screen, and the index of the row there.
#[must_use]
pub fn part_at(state: &State, area: Rect, place: Position) -> Option<(Part, Option<usize>)> {
    if !is_wide(area) && place.y == area.y {
        let mut x = area.x + 1;
        return names(state).into_iter().find_map(|(part, said, _)| {
            x += text::width(&said) as u16;
            (place.x < x).then_some((part, None))
        });
    }
    let (part, area) = layout(state, area).into_iter().find(|(_, area)| area.contains(place))?;
    let (consent, inside) = (&state.consent, face::inside(area));
    let index = match part {
        Part::Grants => rows_of_grants(state, below_failure(state, inside)).at(place),
        Part::Waiting => rows_of_asks(state, inside).at(place),
        Part::Disclosed => rows_of_entries(&consent.disclosed, inside).at(place),
        Part::Ledger => rows_of_entries(&consent.ledger, below_filter(state, inside)).at(place),
    };
    Some((part, index))
}

fn rows_of_grants(state: &State, inside: Rect) -> Rows {
    Rows::new(inside, 2, state.consent.selected, state.consent.grants.get().map_or(0, Vec::len))
}

/// The requests stand in the upper third; below it are the bytes of the selected one.
fn rows_of_asks(state: &State, inside: Rect) -> Rows {
    let area = Rect { height: (inside.height / 3).max(1).min(inside.height), ..inside };
    Rows::new(area, 1, state.consent.asks.selected, state.consent.asks.list.get().map_or(0, Vec::len))
}

/// The selected entry in full stands below the list, in rows that are always there.
fn rows_of_entries(lines: &Lines, inside: Rect) -> Rows {
    let detail = if inside.height >= 3 * DETAIL_ROWS { DETAIL_ROWS } else { 0 };
    let area = Rect { height: inside.height - detail, ..inside };
    Rows::new(area, 1, lines.selected, lines.list.get().map_or(0, Vec::len))
}

/// Why something failed stands above the grants.
fn below_failure(state: &State, inside: Rect) -> Rect {
    let lines = state.consent.failed.as_ref().map_or(0, |failure| {
        text::wrap_plain(&words::failure(failure), state.theme.bad, usize::from(inside.width)).len()
    });
    let height = (lines as u16).min(inside.height);
    Rect { y: inside.y + height, height: inside.height - height, ..inside }
}

/// The filter stands above the ledger, where there is one.
fn below_filter(state: &State, inside: Rect) -> Rect {
    let rows = u16::from(inside.height > 2 && (state.consent.filtering || !state.consent.filter.is_empty()));
    Rect { y: inside.y + rows, height: inside.height - rows, ..inside }
}

/// A part in a few words.
fn summary(state: &State, part: Part) -> (String, Style) {
    let (consent, theme) = (&state.consent, &state.theme);
    match part {
        Part::Grants => (format!("grants {}", standing(consent)), theme.dim),
        Part::Waiting => match consent.asks.list.get().map_or(0, Vec::len) {
            0 => ("nobody waits".to_owned(), theme.dim),
            n => (format!("{n} waiting"), theme.warn),
        },
        Part::Disclosed => ("what left".to_owned(), theme.dim),
        Part::Ledger => match &consent.verified {
            Loaded::Full(report) if report.broken.is_some() => ("ledger ✗ broken".to_owned(), theme.bad),
            Loaded::Full(_) if !consent.verifying => ("ledger ✓".to_owned(), theme.dim),
            _ => ("ledger".to_owned(), theme.dim),
        },
    }
}

fn standing(consent: &Consent) -> usize {
    consent.grants.get().map_or(0, |grants| grants.iter().filter(|grant| grant.revoked.is_none()).count())
}

fn draw(state: &State, frame: &mut Frame, area: Rect, part: Part) {
    match part {
        Part::Grants => grants(state, frame, area),
        Part::Waiting => waiting(state, frame, area),
        Part::Disclosed => disclosed(state, frame, area),
        Part::Ledger => ledger(state, frame, area),
    }
}

fn grants(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let title = match &consent.grants {
        Loaded::Full(_) => format!("consent · {} standing", words::some(standing(consent) as u64, "grant")),
        _ => "consent".to_owned(),
    };
    let focus = consent.part == Part::Grants;
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
        let style = match (focus && i == state.consent.selected, grant.revoked) {
            (true, _) => theme.selected,
            (false, None) => theme.text,
            (false, Some(_)) => theme.dim,
        };
        lines.push(Line::styled(text::pad(&sentence, columns), style));
        let fate = words::fate(grant, state.now, &place.zone);
        lines.push(Line::styled(text::fit(&format!("  {}", text::fit(&fate, columns)), columns), theme.dim));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn waiting(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let focus = consent.part == Part::Waiting;
    let many = consent.asks.list.get().map_or(0, Vec::len);
    let title = if many == 0 { "requests".to_owned() } else { format!("requests · {many} waiting for you") };
    let inside = face::boxed(frame, area, &title, focus, theme);
    let list = match &consent.asks.list {
        Loaded::Not | Loaded::Loading => {
            return face::sentences(frame, inside, "Asking who waits…", theme.dim);
        }
        Loaded::Failed(failure) => {
            return face::failed(frame, inside, failure, "Nothing left. F5 asks again.", theme);
        }
        Loaded::Full(list) if list.is_empty() => {
            return face::sentences(
                frame,
                inside,
                "Nobody waits for an answer. What no grant covers is asked here, with the exact bytes, before anything leaves.",
                theme.dim,
            );
        }
        Loaded::Full(list) => list,
    };
    let columns = usize::from(inside.width);
    let shown = rows_of_asks(state, inside).shown();
    let mut lines = Vec::new();
    for (i, asking) in list.iter().enumerate().skip(shown.start).take(shown.len()) {
        let until = words::time_of_day(asking.until, &state.place.zone);
        let row = format!("{} · {} about \"{}\" · refused at {until}", asking.asker, asking.capability, asking.about);
        let style = if focus && i == consent.asks.selected { theme.selected } else { theme.text };
        lines.push(Line::styled(text::pad(&row, columns), style));
    }
    if let Some(asking) = consent.asks.current() {
        lines.push(Line::styled(text::fit("It would receive exactly (Enter decides):", columns), theme.dim));
        let room = usize::from(inside.height).saturating_sub(lines.len() + 1);
        let mut bytes = text::wrap_plain(&asking.text, theme.mark, columns.saturating_sub(2));
        if bytes.len() > room {
            bytes.truncate(room.saturating_sub(1));
            bytes.push(Line::styled("… Enter shows the rest", theme.warn));
        }
        for mut line in bytes {
            line.spans.insert(0, "  ".into());
            lines.push(line);
        }
        let withheld =
            format!("{} withheld · after this it knows: {}", words::some(asking.withheld, "span"), asking.learns);
        lines.push(Line::styled(text::fit(&withheld, columns), theme.dim));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

fn disclosed(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let focus = consent.part == Part::Disclosed;
    let inside = face::boxed(frame, area, "what left, was released or refused", focus, theme);
    match &consent.disclosed.list {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Reading the ledger…", theme.dim),
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "The ledger was not changed. F5 asks again.", theme);
        }
        Loaded::Full(list) if list.is_empty() => {
            let said = "Nothing ever left, nothing was released, and nobody was refused. What does will stand here.";
            face::sentences(frame, inside, said, theme.dim);
        }
        Loaded::Full(list) => entries(state, frame, inside, &consent.disclosed, list, focus),
    }
}

fn ledger(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let (title, style) = match (&consent.verified, consent.verifying) {
        (Loaded::Full(report), verifying) => match &report.broken {
            Some((seq, why)) => (format!("ledger ✗ broken at entry {seq}: {why}"), theme.bad),
            None if verifying => (format!("ledger · verifying… ({} held)", text::count(report.entries)), theme.accent),
            None => (format!("ledger ✓ all {} verified", words::entries(report.entries)), theme.good),
        },
        (_, true) => ("ledger · verifying…".to_owned(), theme.accent),
        (Loaded::Failed(failure), false) => (format!("ledger · not verified: {}", failure.message), theme.bad),
        _ => ("ledger".to_owned(), theme.dim),
    };
    let focus = consent.part == Part::Ledger;
    let mut inside = face::boxed(frame, area, "", focus, theme);
    let shown = text::fit(&title, usize::from(area.width).saturating_sub(6));
    if area.width > 6 && area.height > 0 {
        let width = (text::width(&shown) as u16 + 2).min(area.width - 2);
        let at = Rect { x: area.x + 1, y: area.y, width, height: 1 };
        frame.render_widget(Paragraph::new(Line::styled(format!(" {shown} "), style)), at);
    }
    let below = below_filter(state, inside);
    if below != inside {
        filter_line(state, frame, Rect { height: 1, ..inside });
        inside = below;
    }
    match &consent.ledger.list {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Reading the ledger…", theme.dim),
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "The ledger was not changed. F5 asks again.", theme);
        }
        Loaded::Full(list) if list.is_empty() && consent.filter.is_empty() => {
            let said = "The ledger is empty. Everything that is done with your memory will stand here.";
            face::sentences(frame, inside, said, theme.dim);
        }
        Loaded::Full(list) if list.is_empty() => {
            face::sentences(
                frame,
                inside,
                "No entry fits the filter. / changes it; an empty one shows all.",
                theme.dim,
            );
        }
        Loaded::Full(list) => entries(state, frame, inside, &consent.ledger, list, focus),
    }
}

fn filter_line(state: &State, frame: &mut Frame, area: Rect) {
    let (consent, theme) = (&state.consent, &state.theme);
    let columns = usize::from(area.width);
    let focus = consent.filtering && state.overlays.is_empty();
    let mut line = consent.filter.line(theme, focus, columns.saturating_sub(8));
    line.spans.insert(0, Span::styled("filter ▏ ", if consent.filtering { theme.accent } else { theme.dim }));
    if consent.filter.is_empty() {
        let hint = "words, kind:grant kind:forget …";
        line.spans.push(Span::styled(text::cut_raw(hint, columns.saturating_sub(12)), theme.dim));
    }
    frame.render_widget(Paragraph::new(line), area);
}

fn entries(state: &State, frame: &mut Frame, area: Rect, lines: &Lines, list: &[LedgerLine], focus: bool) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let shown = rows_of_entries(lines, area);
    let (detail, height) = (area.height - shown.area.height, usize::from(shown.area.height));
    let shown = shown.shown();
    let broken = state.consent.verified.get().and_then(|report| report.broken.as_ref()).map(|(seq, _)| *seq);
    let mut rows: Vec<Line> = Vec::with_capacity(height);
    for (i, line) in list.iter().enumerate().skip(shown.start).take(shown.len()) {
        let head = format!(
            "{:>6}  {}  {} ",
            line.seq,
            text::pad(&words::when(line.at, state.now, &state.place.zone), 11),
            text::pad(&line.kind, 8)
        );
        let room = columns.saturating_sub(text::width(&head));
        if focus && i == lines.selected {
            rows.push(Line::styled(format!("{head}{}", text::pad(&line.text, room)), theme.selected));
            continue;
        }
        let style = if broken == Some(line.seq) { theme.bad } else { theme.text };
        rows.push(Line::from(vec![Span::styled(head, theme.dim), Span::styled(text::fit(&line.text, room), style)]));
    }
    if lines.older && rows.len() < height {
        rows.push(Line::styled(text::fit("        reading older entries…", columns), theme.dim));
    }
    frame.render_widget(Paragraph::new(rows), Rect { height: area.height - detail, ..area });
    if let (Some(line), true) = (list.get(lines.selected).filter(|_| focus), detail > 0) {
        let at = words::date_and_time(line.at, &state.place.zone);
        let hash: String = line.hash.to_string().chars().take(16).collect();
        let said = format!("entry {} · {at} · hash {hash}…", line.seq);
        let mut below = vec![Line::styled(text::fit(&said, columns), theme.dim)];
        below.extend(text::wrap_plain(&line.text, theme.text, columns));
        below.truncate(usize::from(detail) - 1);
        let at = Rect { y: area.bottom() - detail + 1, height: detail - 1, ..area };
        frame.render_widget(Paragraph::new(below), at);
    }
}
