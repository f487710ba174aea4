//! The line above and the line below: whose mind answers and what leaves; what the keys do here, and the panes.

use super::keymap::{Action, Binding, Scope};
use super::overlay::Overlay;
use super::state::{State, Tab};
use super::view::scopes;
use super::words;
use crate::text;
use ratatui::{
    Frame,
    layout::{Position, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

/// Columns the owner's name takes at most.
const OWNER_COLUMNS: usize = 24;
/// Columns an assembly's name takes at most.
const ASSEMBLY_COLUMNS: usize = 24;
/// Columns the keys have in the line below before the panes stand closer: for the first one, and the kill switch.
const HINTS_COLUMNS_MIN: usize = 29;
/// Columns that the left side always has.
const LEFT_COLUMNS_MIN: usize = 14;

type Parts = Vec<(String, Style)>;

fn columns_of(parts: &[(String, Style)]) -> usize {
    parts.iter().map(|(said, _)| text::width(said)).sum()
}

/// The first that fits; where none does, the last.
fn fitting(mut choices: Vec<Parts>, room: usize) -> Parts {
    let at = choices.iter().position(|parts| columns_of(parts) <= room).unwrap_or(choices.len().saturating_sub(1));
    if choices.is_empty() { vec![] } else { choices.swap_remove(at) }
}

/// What the owner must be able to trust at a glance: what waits for their word, what is granted, whether the ledger
/// holds, whether the doors are open. It is said shorter where there is little room, and never cut.
fn right(state: &State, status: &hinet_protocol::NodeStatus) -> Vec<Parts> {
    let theme = &state.theme;
    let asking = (status.asking > 0).then(|| {
        let verb = if status.asking == 1 { "asks" } else { "ask" };
        (format!("{} {verb} · ", text::count(status.asking)), theme.warn)
    });
    let grants = (format!("{} · ", words::some(status.grants, "grant")), theme.bar);
    let (ledger, short, shortest) = if status.ledger_ok {
        let (long, short) = (format!("ledger ✓ {}", text::count(status.ledger)), "ledger ✓".to_owned());
        ((long, theme.bar), (short.clone(), theme.bar), (short, theme.bar))
    } else {
        let broken = ("ledger ✗ BROKEN".to_owned(), theme.bad);
        (broken.clone(), broken, ("ledger ✗".to_owned(), theme.bad))
    };
    let doors = if status.killed { ("doors SHUT ", theme.bad) } else { ("doors open ", theme.bar) };
    let doors = (doors.0.to_owned(), doors.1);
    let dot = (" · ".to_owned(), theme.bar);
    let with = |middle: Vec<(String, Style)>| -> Parts {
        asking.iter().cloned().chain(middle).chain([dot.clone(), doors.clone()]).collect()
    };
    vec![with(vec![grants.clone(), ledger]), with(vec![grants, short.clone()]), with(vec![short]), with(vec![shortest])]
}

/// Whose mind answers, and what it does not keep.
fn left(state: &State, status: &hinet_protocol::NodeStatus, room: usize) -> Parts {
    let theme = &state.theme;
    let owner = text::fit(&text::clean_line(&status.owner), OWNER_COLUMNS);
    let mode = mode(state).map(|mode| (format!(" · {mode}"), theme.warn));
    let model = text::clean_line(&status.mind);
    let attached = if state.attached { " · attached" } else { "" };
    let waiting = match status.embedding_left {
        0 => String::new(),
        n => format!(" · {} to index", text::count(n)),
    };
    let bar = |said: String| (said, theme.bar);
    let (mind, short, style) = match &state.chat.assembly {
        None => ("own mind".to_owned(), "own".to_owned(), theme.bar),
        Some(name) => {
            let short = format!("assembly {}", text::fit(name, ASSEMBLY_COLUMNS));
            (format!("own mind, else {short}"), short, theme.accent)
        }
    };
    let line = |who: String, mind: &str, rest: String| -> Parts {
        let mut parts = vec![(who, theme.strong), (mind.to_owned(), style)];
        parts.extend(mode.clone());
        parts.push(bar(rest));
        parts
    };
    let (wide, narrow) = (format!(" icore · {owner}      "), format!(" icore · {owner}  "));
    let mut choices = vec![
        line(wide.clone(), &mind, format!(" · {model}{attached}{waiting}")),
        line(wide, &mind, format!(" · {model}{attached}")),
        line(narrow.clone(), &mind, format!(" · {model}{attached}")),
        line(narrow.clone(), &short, format!(" · {model}{attached}")),
    ];
    // A name that is cut still says which model it is; less than this says nothing.
    let bare = columns_of(&line(narrow.clone(), &short, String::new()));
    if room >= bare + 12 {
        choices.push(line(narrow.clone(), &short, format!(" · {}", text::fit(&model, room - bare - 3))));
    }
    choices.push(line(narrow, &short, String::new()));
    let bare = columns_of(&line(String::new(), &short, String::new()));
    let owner = text::fit(&owner, room.saturating_sub(bare + 3).max(1));
    choices.push(line(format!(" {owner}  "), &short, String::new()));
    let left = fitting(choices, room);
    if columns_of(&left) <= room {
        return left;
    }
    // Too narrow for all of it: that others are asked goes before what is not kept, and that before the owner's own.
    let said = match mode {
        Some((mode, _)) if state.chat.assembly.is_none() => mode.trim_start_matches(" · ").to_owned(),
        _ => short,
    };
    vec![(format!(" {}", text::fit(&said, room.saturating_sub(1))), style)]
}

/// What is otherwise than usual about what is kept.
fn mode(state: &State) -> Option<&'static str> {
    let paused = state.status.as_ref().is_some_and(|status| status.paused);
    match (state.chat.incognito, paused) {
        (true, _) => Some("incognito"),
        (false, true) => Some("memory paused"),
        (false, false) => None,
    }
}

/// Draws the line above.
pub fn top(state: &State, frame: &mut Frame, area: Rect) {
    let columns = usize::from(area.width);
    let Some(status) = &state.status else {
        let line = Line::styled(" icore · asking the node how things are…", state.theme.bar);
        return frame.render_widget(Paragraph::new(line), area);
    };
    let right = fitting(right(state, status), columns.saturating_sub(LEFT_COLUMNS_MIN));
    let room = columns.saturating_sub(columns_of(&right) + 1);
    let left = left(state, status, room);
    let fill = columns.saturating_sub(columns_of(&left) + columns_of(&right));
    let mut spans: Vec<Span> = left.into_iter().map(|(said, style)| Span::styled(said, style)).collect();
    spans.push(Span::raw(" ".repeat(fill)));
    spans.extend(right.into_iter().map(|(said, style)| Span::styled(said, style)));
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The panes at the right end of the line below, with their places.
fn tabs(state: &State, area: Rect) -> Vec<(Tab, Rect, String)> {
    let said = |tab: Tab, gap: &str| {
        if tab == state.tab { format!("[{}]{gap}", tab.name()) } else { format!(" {} {gap}", tab.name()) }
    };
    let columns = |gap: &str| Tab::ALL.into_iter().map(|tab| text::width(&said(tab, gap))).sum::<usize>();
    let room = usize::from(area.width);
    let gap = if columns(" ") + HINTS_COLUMNS_MIN <= room { " " } else { "" };
    // Where not even the names fit, the one that is open is said.
    let all = if columns(gap) <= room { Tab::ALL.to_vec() } else { vec![state.tab] };
    let mut x = area.right();
    let mut out = Vec::new();
    for tab in all.into_iter().rev() {
        let said = said(tab, gap);
        let width = text::width(&said) as u16;
        x = x.saturating_sub(width).max(area.x);
        out.push((tab, Rect { x, y: area.y, width, height: area.height }, said));
    }
    out.reverse();
    out
}

/// The pane named at a place of the line below.
#[must_use]
pub fn tab_at(state: &State, area: Rect, column: u16, row: u16) -> Option<Tab> {
    let at = Position { x: column, y: row };
    tabs(state, area).into_iter().find(|(_, place, _)| place.contains(at)).map(|(tab, ..)| tab)
}

/// Draws the line below.
pub fn bottom(state: &State, frame: &mut Frame, area: Rect) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    let tabs = tabs(state, area);
    let tabs_columns: usize = tabs.iter().map(|(.., said)| text::width(said)).sum();
    let room = columns.saturating_sub(tabs_columns + 1);
    let hints = hints(state, room);
    let style = if state.interrupted { theme.warn } else { theme.bar };
    let mut spans = vec![Span::styled(text::cut_raw(&hints, room), style)];
    let fill = columns.saturating_sub(text::width(&spans[0].content) + tabs_columns);
    spans.push(Span::raw(" ".repeat(fill)));
    for (tab, _, said) in tabs {
        spans.push(Span::styled(said, if tab == state.tab { theme.accent } else { theme.bar }));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// What the keys do here, as much as fits.
fn hints(state: &State, room: usize) -> String {
    let everywhere = |action| {
        let key = state.keymap.key_of(&[Scope::Everywhere], action);
        key.map(|key| key.to_string()).unwrap_or_default()
    };
    if state.interrupted {
        return format!(" {} again quits", everywhere(Action::Interrupt));
    }
    if let Some(toast) = &state.toast {
        return format!(" {}", text::fit(toast, room.saturating_sub(1)));
    }
    let mut hints = String::new();
    if state.killed() {
        hints = format!(" {} lift the kill switch ", everywhere(Action::Kill));
    }
    if matches!(state.overlays.last(), Some(Overlay::Help(_))) {
        return hints;
    }
    let mut hinted: Vec<&Binding> = scopes(state).iter().flat_map(|scope| state.keymap.of(*scope)).collect();
    // What the pane does comes first, then how to stop everything, then where the rest is written.
    hinted.sort_by_key(|b| match (b.action, b.scope) {
        (Action::Kill, _) => 1,
        (Action::Help, _) => 2,
        (Action::Palette, _) => 3,
        (Action::Newline, _) => 4,
        (_, Scope::Everywhere) => 5,
        _ => 0,
    });
    // These panes have one part only.
    let one = matches!(state.tab, Tab::Sources | Tab::Sleep | Tab::Assembly);
    let useless = |b: &Binding| one && b.action == Action::NextFocus;
    for binding in hinted.into_iter().filter(|b| !b.hint.is_empty() && !useless(b)) {
        let Some(key) = binding.keys.first() else { continue };
        let hint = format!(" {key} {} ", binding.hint);
        let known = state.killed() && binding.action == Action::Kill;
        if known || text::width(&hints) + text::width(&hint) > room {
            continue;
        }
        hints.push_str(&hint);
    }
    hints
}
