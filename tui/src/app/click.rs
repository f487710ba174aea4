//! What a click means. Pure, like everything else here: the same layout that draws says what lies under the pointer.
//!
//! A click selects, a second one on what is selected opens it. Where there is nothing to click on, it only moves the
//! focus, so that a click into a window to raise it does no harm.

use super::bars;
use super::effect::Effect;
use super::gate::Gate;
use super::keymap::Action;
use super::keys;
use super::mention;
use super::overlay::Overlay;
use super::pane::recalled::Passage;
use super::pane::{assembly, chat, consent, face, memory, recalled, sleep, sources};
use super::scroll::{Blocks, Scroll};
use super::slash;
use super::state::{Focus, State, Tab};
use super::view::{Areas, areas, body};
use crate::text;
use ratatui::{layout::Position, style::Style, text::Line};
use unicode_segmentation::UnicodeSegmentation;

/// Handles a click.
pub fn click(state: &mut State, column: u16, row: u16) -> Vec<Effect> {
    if !matches!(state.gate, Gate::Open) {
        return vec![];
    }
    let (areas, at) = (areas(state), Position { x: column, y: row });
    let body = body(state.place.size);
    match state.overlays.last_mut() {
        Some(Overlay::Palette(palette)) => {
            return match palette.at(body, column, row) {
                Some(index) => {
                    palette.selected = index;
                    keys::act(state, Action::Open)
                }
                None => vec![],
            };
        }
        Some(Overlay::Sessions(list)) if list.naming.is_none() => {
            let Some(index) = list.at(body, at) else { return vec![] };
            if std::mem::replace(&mut list.selected, index) == index {
                return keys::act(state, Action::Open);
            }
            return vec![];
        }
        Some(_) => return vec![],
        None => {}
    }
    if let Some(tab) = bars::tab_at(state, areas.bottom, column, row) {
        if tab == Tab::Chat {
            keys::to_chat(state);
            return vec![];
        }
        return keys::enter(state, tab);
    }
    if areas.notice.contains(at) {
        state.notices.pop_front();
        return vec![];
    }
    if state.tab == Tab::Chat
        && let Some(index) = mention::at(state, &areas, column, row)
    {
        return mention::take(state, index, true);
    }
    if state.tab == Tab::Chat
        && let Some(index) = slash::at(state, &areas, column, row)
    {
        return slash::choose(state, index).unwrap_or_default();
    }
    in_pane(state, &areas, at)
}

fn in_pane(state: &mut State, areas: &Areas, at: Position) -> Vec<Effect> {
    match state.tab {
        Tab::Chat if areas.input.is_some_and(|input| input.contains(at)) => chat::keys::leave(state),
        Tab::Chat => {
            let folded = areas.side.is_none() && state.focus == Focus::Second;
            let side = if folded { Some(areas.main) } else { areas.side };
            let Some(side) = side.filter(|side| side.contains(at)) else {
                let cited = cited_at(state, areas, at);
                chat::keys::leave(state);
                return cited.map(|passage| keys::open_item(state, &passage)).unwrap_or_default();
            };
            let index = recalled::passage_at(state, side, at);
            return chosen(state, Focus::Second, index, |state| &mut state.chat.recalled.selected);
        }
        Tab::Memory => {
            let (focus, index) = memory::part_at(state, areas.main, at);
            return chosen(state, focus, index, |state| {
                let memory = &mut state.memory;
                if memory.shows_hits() { &mut memory.found.selected } else { &mut memory.timeline.selected }
            });
        }
        Tab::Sources => {
            let index = sources::rows(state, areas.main).at(at);
            return chosen(state, Focus::First, index, |state| &mut state.sources.selected);
        }
        Tab::Sleep => {
            let index = sleep::rows(state, areas.main).at(at);
            return chosen(state, Focus::First, index, |state| &mut state.sleep.selected);
        }
        Tab::Assembly => {
            let index = assembly::rows(state, areas.main).at(at);
            return chosen(state, Focus::First, index, |state| &mut state.assembly.selected);
        }
        Tab::Consent => {
            let Some((part, index)) = consent::part_at(state, areas.main, at) else { return vec![] };
            let had_keys = std::mem::replace(&mut state.consent.part, part) == part;
            let again = index.is_some_and(|index| state.consent.choose(index));
            return if had_keys && again { keys::act(state, Action::Open) } else { vec![] };
        }
    }
    vec![]
}

/// What the citation mark at a place of the conversation stands on.
fn cited_at(state: &State, areas: &Areas, at: Position) -> Option<Passage> {
    let inside = face::inside(areas.main);
    if !inside.contains(at) {
        return None;
    }
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    let top = state.chat.scroll.unwrap_or(Scroll::End).top(&transcript, usize::from(inside.height));
    let row = usize::from(at.y - inside.y);
    let lines = transcript.window(top, row + 1);
    let number = number_at(lines.get(row)?, usize::from(at.x - inside.x), state.theme.cite)?;
    // The turn whose line it is.
    let (mut block, mut left) = (top.block, top.line + row);
    while block < transcript.count() && left >= transcript.lines(block) {
        left -= transcript.lines(block);
        block += 1;
    }
    let citation = state.chat.turns.get(block)?.citations.get(number.checked_sub(1)?)?;
    Some(Passage::cited(number, citation))
}

/// The number of the citation mark at a column: of the mark itself, or of the name behind it in the legend.
fn number_at(line: &Line, column: usize, cite: Style) -> Option<usize> {
    let mut x = 0;
    for span in &line.spans {
        let end = x + text::width(&span.content);
        if column < end {
            if column < x || span.style.fg != cite.fg || !span.style.add_modifier.contains(cite.add_modifier) {
                return None;
            }
            let mut bytes = 0;
            let mut columns = x;
            for grapheme in span.content.graphemes(true) {
                columns += text::width(grapheme);
                bytes += grapheme.len();
                if columns > column {
                    break;
                }
            }
            let start = span.content[..bytes].rfind('[')?;
            return span.content[start + 1..].split(']').next()?.parse().ok();
        }
        x = end;
    }
    None
}

/// Selects what was clicked on. What was selected before and had the keys is opened.
fn chosen(
    state: &mut State,
    focus: Focus,
    index: Option<usize>,
    selected: fn(&mut State) -> &mut usize,
) -> Vec<Effect> {
    let had_keys = state.focus == focus;
    state.focus = focus;
    let Some(index) = index else { return vec![] };
    if std::mem::replace(selected(state), index) == index && had_keys {
        return keys::act(state, Action::Open);
    }
    vec![]
}
