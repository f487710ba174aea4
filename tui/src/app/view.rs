//! The screen: top line, notice, pane, input, bottom line, overlays. Draws the state and changes nothing.
//!
//! The last act of every frame is `text::scrub`, so that nothing unsafe leaves whatever drew it.

use super::bars;
use super::gate::Gate;
use super::keymap::Scope;
use super::mention;
use super::overlay::Overlay;
use super::pane::{assembly, chat, consent, face, memory, recalled, sleep, sources};
use super::slash;
use super::state::{Focus, State, Tab};
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

/// What overlays may cover: everything but the line above and the line below.
#[must_use]
pub fn body((width, height): (u16, u16)) -> Rect {
    Rect { x: 0, y: 1.min(height), width, height: height.saturating_sub(2) }
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
    if !state.abilities.unicode {
        text::to_ascii(frame.buffer_mut());
    }
}

fn panes(state: &State, frame: &mut Frame) {
    // The frame may be older or newer than the last resize message; the layout never leaves it.
    let mut areas = areas(state);
    let screen = frame.area();
    for area in [&mut areas.top, &mut areas.notice, &mut areas.main, &mut areas.bottom] {
        *area = area.intersection(screen);
    }
    bars::top(state, frame, areas.top);
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
        Tab::Sleep => sleep::view(state, frame, areas.main),
        Tab::Assembly => assembly::view(state, frame, areas.main),
    }
    bars::bottom(state, frame, areas.bottom);
    let body = body((screen.width, screen.height));
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
        Overlay::Labels(prompt) => prompt.view(theme, frame, area),
        Overlay::Source(source) => source.view(state, frame, area),
        Overlay::Approval(approval) => approval.view(theme, frame, area, state.now, &place.zone),
    }
}

/// The scopes whose keys are worth a hint now, in the order they are looked up.
#[must_use]
pub fn scopes(state: &State) -> Vec<Scope> {
    match state.overlays.last() {
        Some(Overlay::Item(item)) if item.find.as_ref().is_some_and(|find| find.typing) => return vec![],
        Some(Overlay::Item(_)) => return vec![Scope::Item],
        Some(Overlay::Source(_)) => return vec![Scope::Source],
        Some(Overlay::Sessions(_)) => return vec![Scope::Sessions],
        Some(Overlay::Question(_) | Overlay::Forget(_)) => return vec![Scope::Confirm],
        Some(Overlay::Help(_) | Overlay::Palette(_) | Overlay::History(_)) => return vec![Scope::Picker],
        Some(Overlay::Approval(_)) => return vec![Scope::Asking],
        Some(Overlay::Path(_) | Overlay::Passphrase(_) | Overlay::Labels(_)) => return vec![],
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
        (Tab::Sleep, _) => vec![Scope::Sleep, Scope::Reading, Scope::Everywhere],
        (Tab::Assembly, _) => vec![Scope::Assembly, Scope::Reading, Scope::Everywhere],
        (Tab::Sources, _) => vec![Scope::Sources, Scope::Reading, Scope::Everywhere],
        (Tab::Consent, _) if state.consent.filtering => vec![Scope::Filter, Scope::Everywhere],
        (Tab::Consent, _) => vec![consent::keys::scope(state), Scope::Reading, Scope::Everywhere],
    }
}
