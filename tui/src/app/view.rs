//! The screen: top line, notice, pane, input, bottom line, overlays. Draws the state and changes nothing.
//!
//! The last act of every frame is `text::scrub`, so that nothing unsafe leaves whatever drew it.

use super::gate::Gate;
use super::keymap::{Action, Binding, Scope};
use super::mention;
use super::overlay::Overlay;
use super::pane::{chat, consent, face, memory, recalled, sources};
use super::slash;
use super::state::{Focus, State, Tab};
use super::words;
use crate::text;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

/// Below this many columns what was recalled is not shown beside the conversation.
pub const SIDE_COLUMNS_MIN: u16 = 100;
/// The smallest screen that is drawn.
pub const SIZE_MIN: (u16, u16) = (40, 10);

/// Where things are on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Areas {
    /// Who, which mind, what is granted.
    pub top: Rect,
    /// A sentence the owner should know.
    pub notice: Rect,
    /// The pane, or its first part.
    pub main: Rect,
    /// What was recalled, where it is beside the conversation.
    pub side: Option<Rect>,
    /// The input.
    pub input: Option<Rect>,
    /// The keys.
    pub bottom: Rect,
}

/// Lays the screen out.
#[must_use]
pub fn areas(state: &State) -> Areas {
    let (width, height) = state.place.size;
    let row = |y: u16, rows: u16| Rect { x: 0, y, width, height: rows };
    let notice_rows = u16::from(!state.notices.is_empty());
    let mut body = row(1 + notice_rows, height.saturating_sub(2 + notice_rows));
    let mut input = None;
    if state.tab == Tab::Chat {
        let rows = chat::input::rows(state).min(body.height);
        input = Some(row(body.bottom() - rows, rows));
        // The conversation and the input share a border.
        body.height = body.height - rows + u16::from(rows > 0);
    }
    let mut main = body;
    let mut side = None;
    if state.tab == Tab::Chat && state.side && width >= SIDE_COLUMNS_MIN {
        let columns = (width * 2 / 5).clamp(38, 64);
        main.width = width - columns + 1;
        side = Some(Rect { x: width - columns, width: columns, ..body });
    }
    Areas { top: row(0, 1), notice: row(1, notice_rows), main, side, input, bottom: row(height.saturating_sub(1), 1) }
}

/// Draws the state.
pub fn view(state: &State, frame: &mut Frame) {
    let (width, height) = (frame.area().width, frame.area().height);
    if width < SIZE_MIN.0 || height < SIZE_MIN.1 {
        let said = format!(
            "icore needs {}x{}; this is {width}x{height}. Nothing is lost: make it larger.",
            SIZE_MIN.0, SIZE_MIN.1
        );
        face::sentences(frame, frame.area(), &said, state.theme.text);
    } else {
        match &state.gate {
            Gate::Open => panes(state, frame),
            Gate::Locked(lock) => lock.view(state, frame, frame.area()),
            Gate::Onboard(onboard) => onboard.view(state, frame, frame.area()),
        }
    }
    text::scrub(frame.buffer_mut());
}

fn panes(state: &State, frame: &mut Frame) {
    // The frame may be older or newer than the last resize message; the layout never leaves it.
    let mut areas = areas(state);
    let screen = frame.area();
    for area in [&mut areas.top, &mut areas.notice, &mut areas.main, &mut areas.bottom] {
        *area = area.intersection(screen);
    }
    top_line(state, frame, areas.top);
    if let (Some(notice), true) = (state.notices.front(), areas.notice.height > 0) {
        let more = if state.notices.len() > 1 { format!(" ({} more)", state.notices.len() - 1) } else { String::new() };
        let close = format!("{more}  Esc");
        let room = usize::from(areas.notice.width).saturating_sub(text::width(&close) + 4);
        let line = Line::from(vec![
            Span::styled(format!(" ! {}", text::pad(notice, room)), state.theme.warn),
            Span::styled(close, state.theme.dim),
        ]);
        frame.render_widget(Paragraph::new(line), areas.notice);
    }
    match state.tab {
        Tab::Chat => {
            if areas.side.is_none() && state.focus == Focus::Second {
                recalled::view(state, frame, areas.main);
            } else {
                chat::view(state, frame, areas.main);
            }
            if let Some(side) = areas.side {
                recalled::view(state, frame, side.intersection(screen));
            }
            if let Some(input) = areas.input {
                chat::input::view(state, frame, input.intersection(screen));
                slash::view(state, frame, &areas);
                mention::view(state, frame, &areas);
            }
        }
        Tab::Memory => memory::view(state, frame, areas.main),
        Tab::Sources => sources::view(state, frame, areas.main),
        Tab::Consent => consent::view(state, frame, areas.main),
    }
    bottom_line(state, frame, areas.bottom);
    let body = Rect { y: 1, height: screen.height.saturating_sub(2), ..screen };
    for overlay in &state.overlays {
        over_panes(state, frame, overlay, body);
    }
}

fn over_panes(state: &State, frame: &mut Frame, overlay: &Overlay, area: Rect) {
    let (theme, place) = (&state.theme, &state.place);
    match overlay {
        Overlay::Help(help) => help.view(&state.keymap, theme, frame, area),
        Overlay::Question(question) => question.view(theme, frame, area),
        Overlay::Item(item) => item.view((theme, &state.code_colours), frame, area, &place.zone, &place.home_dir),
        Overlay::Palette(palette) => palette.view(theme, frame, area),
        Overlay::Sessions(list) => list.view(theme, frame, area, state.chat.session, (state.now, &place.zone)),
        Overlay::History(history) => history.view(theme, frame, area, state.chat.composer.history()),
        Overlay::Path(prompt) => prompt.view(theme, frame, area, &place.home_dir),
        Overlay::Passphrase(prompt) => prompt.view(theme, frame, area),
        Overlay::Forget(forget) => forget.view(theme, frame, area),
    }
}

/// Who, which mind, and on the right what is granted, whether the ledger holds, whether the doors are open. The right
/// side is never cut: it is what the owner must be able to trust at a glance.
fn top_line(state: &State, frame: &mut Frame, area: Rect) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let Some(status) = &state.status else {
        let line = Line::styled(" icore · asking the node how things are…", theme.bar);
        return frame.render_widget(Paragraph::new(line), area);
    };
    let ledger = if status.ledger_ok {
        Span::styled(format!("ledger ✓ {}", text::count(status.ledger)), theme.bar)
    } else {
        Span::styled("ledger ✗ BROKEN", theme.bad)
    };
    let doors =
        if status.killed { Span::styled("doors SHUT ", theme.bad) } else { Span::styled("doors open ", theme.bar) };
    let grants = format!("{} · ", words::some(status.grants, "grant"));
    let right = vec![Span::styled(grants, theme.bar), ledger, Span::styled(" · ", theme.bar), doors];
    let right_columns: usize = right.iter().map(|span| text::width(&span.content)).sum();
    let room = columns.saturating_sub(right_columns + 1);
    let owner = format!(" icore · {}", text::clean_line(&status.owner));
    let mut mind = format!("own mind · {}", text::clean_line(&status.mind));
    if state.attached {
        mind.push_str(" · attached");
    }
    let mut waiting = String::new();
    if status.embedding_left > 0 {
        waiting = format!(" · {} to index", text::count(status.embedding_left));
    }
    let owner = text::fit(&owner, room.saturating_sub(1).min(40)).trim_end().to_owned();
    let owner = if owner.starts_with(' ') { owner } else { format!(" {owner}") };
    let gap = if columns >= 100 { 6 } else { 2 };
    let left_room = room.saturating_sub(text::width(&owner) + gap);
    let short = format!("own · {}", text::clean_line(&status.mind));
    let tail = if state.attached { " · attached" } else { "" };
    let said = [format!("{mind}{waiting}"), mind, format!("{short}{tail}"), short.clone()];
    let mind = text::fit(said.iter().find(|said| text::width(said) <= left_room).unwrap_or(&short), left_room);
    let used = text::width(&owner) + gap + text::width(&mind);
    let fill = columns.saturating_sub(used + right_columns);
    let mut spans = vec![
        Span::styled(owner, theme.strong),
        Span::raw(" ".repeat(gap)),
        Span::styled(mind, theme.bar),
        Span::raw(" ".repeat(fill)),
    ];
    spans.extend(right);
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The scopes whose keys are worth a hint now, in the order they are looked up.
#[must_use]
pub fn scopes(state: &State) -> Vec<Scope> {
    match state.overlays.last() {
        Some(Overlay::Help(_) | Overlay::Item(_)) => return vec![Scope::Item],
        Some(Overlay::Sessions(_)) => return vec![Scope::Sessions],
        Some(Overlay::Question(_) | Overlay::Forget(_)) => return vec![Scope::Confirm],
        Some(Overlay::Palette(_) | Overlay::History(_)) => return vec![Scope::Picker],
        Some(Overlay::Path(_) | Overlay::Passphrase(_)) => return vec![],
        None if mention::is_open(state) || !slash::offers(state).is_empty() => return vec![Scope::Slash],
        None => {}
    }
    pane_scopes(state)
}

/// The scopes of the pane, whatever lies over it.
#[must_use]
pub fn pane_scopes(state: &State) -> Vec<Scope> {
    match (state.tab, state.focus) {
        (Tab::Chat, Focus::First) => vec![Scope::Chat, Scope::Everywhere],
        (Tab::Chat, Focus::Reading) => vec![Scope::Talk, Scope::Reading, Scope::Everywhere],
        (Tab::Chat, Focus::Second) => vec![Scope::Recalled, Scope::Reading, Scope::Everywhere],
        (Tab::Memory, Focus::First) => vec![Scope::Query, Scope::Everywhere],
        (Tab::Memory, _) => vec![Scope::Hits, Scope::Reading, Scope::Everywhere],
        (Tab::Sources, _) => vec![Scope::Sources, Scope::Reading, Scope::Everywhere],
        (Tab::Consent, Focus::First) => vec![Scope::Grants, Scope::Reading, Scope::Everywhere],
        (Tab::Consent, _) => vec![Scope::Ledger, Scope::Reading, Scope::Everywhere],
    }
}

fn bottom_line(state: &State, frame: &mut Frame, area: Rect) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let mut tabs: Vec<Span> = Vec::new();
    for tab in Tab::ALL {
        let here = tab == state.tab;
        let said = if here { format!("[{}] ", tab.name()) } else { format!(" {}  ", tab.name()) };
        tabs.push(Span::styled(said, if here { theme.accent } else { theme.bar }));
    }
    let tabs_columns: usize = tabs.iter().map(|span| text::width(&span.content)).sum();
    let room = columns.saturating_sub(tabs_columns + 1);
    let mut hints = String::new();
    if state.interrupted {
        hints.push_str(" Ctrl+C again quits");
    } else if let Some(toast) = &state.toast {
        hints = format!(" {}", text::fit(toast, room.saturating_sub(1)));
    } else {
        if state.killed() {
            hints.push_str(" F8 lift the kill switch ");
        }
        let reading_help = matches!(state.overlays.last(), Some(Overlay::Help(_)));
        let scopes = if reading_help { vec![] } else { scopes(state) };
        let mut hinted: Vec<&Binding> = scopes.iter().flat_map(|scope| state.keymap.of(*scope)).collect();
        // What the pane does comes first, then how to stop everything, then where the rest is written.
        hinted.sort_by_key(|b| match (b.action, b.scope) {
            (Action::Kill, _) => 1,
            (Action::Help, _) => 2,
            (Action::Newline, _) => 3,
            (_, Scope::Everywhere) => 4,
            _ => 0,
        });
        // The sources pane has one part only.
        let useless = |b: &Binding| state.tab == Tab::Sources && b.action == Action::NextFocus;
        for binding in hinted.into_iter().filter(|b| !b.hint.is_empty() && !useless(b)) {
            let Some(key) = binding.keys.first() else { continue };
            let hint = format!(" {key} {} ", binding.hint);
            if state.killed() && binding.hint == "kill switch" || text::width(&hints) + text::width(&hint) > room {
                continue;
            }
            hints.push_str(&hint);
        }
    }
    let style = if state.interrupted { theme.warn } else { theme.bar };
    let mut spans = vec![Span::styled(text::cut_raw(&hints, room), style)];
    let fill = columns.saturating_sub(text::width(&spans[0].content) + tabs_columns);
    spans.push(Span::raw(" ".repeat(fill)));
    spans.extend(tabs);
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
