//! What a message changes, and what it asks for. No IO, no clock, no randomness: the same messages always lead to the
//! same state, so a recorded sequence replays exactly.

use super::click;
use super::effect::Effect;
use super::gate::{Gate, Lock};
use super::keys;
use super::mention;
use super::msg::{Msg, Tag};
use super::overlay::Overlay;
use super::overlay::path::Count;
use super::pane::chat::{self, attach};
use super::pane::consent;
use super::replies;
use super::state::{Focus, State, Tab};
use super::view::{areas, body};
use crossterm::event::KeyEventKind;
use hinet_protocol::{Failure, Op};

/// Lines a turn of the wheel scrolls.
const WHEEL_LINES: isize = 3;
/// Said where a text did not fit into the input.
const CUT: &str = "The text was cut: the input holds 32 kB. Put longer texts into a file and attach it.";
/// Bytes of a paste that are looked at; the rest could not be taken anyway.
const PASTE_BYTES_MAX: usize = 64 * 1024;

/// Handles one message.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    let mut effects = handle(state, msg);
    effects.extend(state.chat.draft());
    effects.extend(mention::follow(state));
    effects
}

fn handle(state: &mut State, msg: Msg) -> Vec<Effect> {
    state.dirty = true;
    match msg {
        Msg::Key(key) if key.kind == KeyEventKind::Release => {
            state.dirty = false;
            vec![]
        }
        Msg::Key(key) => {
            state.typed_at = state.now;
            let before = matches!(state.overlays.last(), Some(Overlay::Approval(_)));
            let effects = keys::key(state, key);
            // A question that lay under something else is new to the owner's fingers again.
            if let (false, Some(Overlay::Approval(approval))) = (before, state.overlays.last_mut()) {
                (approval.quiet_since, approval.led_to) = (state.now, true);
            }
            effects
        }
        Msg::Paste(text) => {
            state.typed_at = state.now;
            if let Some(Overlay::Approval(approval)) = state.overlays.last_mut() {
                approval.quiet_since = state.now;
            }
            paste(state, text)
        }
        Msg::Tick => consent::tick(state),
        Msg::Wheel { column, row, up } => wheel(state, column, row, up),
        Msg::Click { column, row } => click::click(state, column, row),
        Msg::Resize(width, height) => {
            state.place.size = (width, height);
            if let Some(Overlay::Item(item)) = state.overlays.last_mut() {
                item.by(0, (width, height));
            }
            vec![]
        }
        Msg::Reply { tag, event } => replies::reply(state, tag, event),
        Msg::News(event) => replies::news(state, event),
        Msg::NodeLost => lost(state),
        Msg::Unlocked { attached } => open(state, attached),
        Msg::NotUnlocked(failure) => not_unlocked(state, failure),
        Msg::Folders { typed, found } => {
            let home = state.place.home_dir.clone();
            if let Gate::Onboard(onboard) = &mut state.gate {
                onboard.path.folders(&typed, found, &home);
            } else if let Some(Overlay::Path(prompt)) = state.overlays.last_mut() {
                prompt.path.folders(&typed, found, &home);
            }
            vec![]
        }
        Msg::Paths { typed, found } => {
            mention::listed(state, &typed, found);
            vec![]
        }
        Msg::Counted { path, files, more, readable } => {
            counted(state, Count { path, files, more, readable });
            vec![]
        }
        Msg::Edited(result) => {
            match result {
                Ok(text) => {
                    if state.chat.composer.replace(text.trim_end_matches(['\n', '\r'])) {
                        state.notice(CUT);
                    }
                }
                Err(failure) => state.notice(super::words::failure(&failure)),
            }
            vec![]
        }
        Msg::Ran { command, result } => attach::ran(state, command, result),
        Msg::Written { path, result } => {
            match result {
                Ok(()) => state.toast = Some(format!("written to {path}")),
                Err(failure) => state.notice(super::words::failure(&failure)),
            }
            vec![]
        }
        Msg::Painted(painted) => {
            state.code_colours.fill(painted);
            vec![]
        }
        Msg::Fault(place) => {
            state.notice(format!(
                "A part in the background stopped because of a fault in {place}; your memory is safe."
            ));
            vec![]
        }
        msg => match &mut state.gate {
            Gate::Onboard(onboard) => {
                let effects = onboard.message(msg);
                if onboard.done {
                    state.unlocks = onboard.unlocks();
                    state.gate = Gate::Locked(Box::new(Lock::trying(false)));
                }
                effects
            }
            _ => vec![],
        },
    }
}

fn not_unlocked(state: &mut State, failure: Failure) -> Vec<Effect> {
    if let Gate::Locked(lock) = &mut state.gate {
        // The silent attempt is not the owner's; its failure only means that the passphrase is asked for.
        lock.failed = if lock.silent && state.unlocks.0 { None } else { Some(failure) };
        lock.busy = false;
        lock.silent = false;
    } else {
        let mut lock = Lock::waiting();
        lock.failed = Some(failure);
        state.gate = Gate::Locked(Box::new(lock));
    }
    vec![]
}

fn counted(state: &mut State, count: Count) {
    let home = state.place.home_dir.clone();
    if let Gate::Onboard(onboard) = &mut state.gate {
        onboard.counted(count, &home);
    } else if let Some(Overlay::Path(prompt)) = state.overlays.last_mut() {
        // Read once, a file will do as well as a folder; that it is no folder is not worth a word.
        if count.readable || !prompt.once {
            prompt.path.counted(count, &home);
        }
    }
}

/// The node is reached: the panes open and ask for what they show.
fn open(state: &mut State, attached: bool) -> Vec<Effect> {
    state.attached = attached;
    let again = matches!(&state.gate, Gate::Locked(lock) if lock.lost);
    state.gate = Gate::Open;
    let mut effects = vec![Effect::call(Tag::Status, Op::Status), Effect::call(Tag::Pending, Op::Pending)];
    effects.extend(state.sources.enter());
    if !again {
        effects.push(Effect::call(Tag::Typed, Op::Typed { limit: replies::SAID_MAX }));
    }
    if again {
        effects.extend(state.chat.reread());
        effects.extend(match state.tab {
            Tab::Memory => state.memory.enter(),
            Tab::Consent => state.consent.enter(None),
            Tab::Sleep => state.sleep.enter(),
            Tab::Assembly => state.assembly.enter(),
            Tab::Chat | Tab::Sources => vec![],
        });
    }
    effects
}

/// The node went away: what was being done ends as failed, and the lock is shut with the panes kept behind it.
fn lost(state: &mut State) -> Vec<Effect> {
    if !matches!(state.gate, Gate::Open) {
        return vec![];
    }
    let mut lock = Lock::waiting();
    lock.lost = true;
    state.gate = Gate::Locked(Box::new(lock));
    state.status = None;
    state.overlays.clear();
    state.sources.lost();
    state.sleep.lost();
    state.assembly.lost();
    state.chat.lost(state.now);
    state.memory.lost();
    state.consent.lost();
    vec![]
}

fn paste(state: &mut State, text: String) -> Vec<Effect> {
    let mut end = text.len().min(PASTE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (head, cut) = (&text[..end], end < text.len());
    let home = state.place.home_dir.clone();
    match &mut state.gate {
        Gate::Locked(lock) => {
            if !lock.busy {
                lock.field.insert(head.trim_end_matches(['\r', '\n']));
            }
            return vec![];
        }
        Gate::Onboard(onboard) => return onboard.paste(head, &home),
        Gate::Open => {}
    }
    // What is pasted is never meant for a question that came up by itself.
    match state.overlays.iter_mut().rev().find(|overlay| !matches!(overlay, Overlay::Approval(_))) {
        Some(Overlay::Path(prompt)) => return prompt.path.paste(head, &home),
        Some(Overlay::Help(help)) => {
            help.query.insert(head);
            help.searched();
            return vec![];
        }
        Some(Overlay::Palette(palette)) => {
            palette.query.insert(head);
            palette.search();
            return vec![];
        }
        Some(Overlay::Labels(prompt)) => {
            if !prompt.busy {
                prompt.field.insert(head);
            }
            return vec![];
        }
        Some(Overlay::Item(item)) => {
            if let Some(find) = item.find.as_mut().filter(|find| find.typing) {
                find.field.insert(head);
            }
            return vec![];
        }
        Some(Overlay::Passphrase(prompt)) => {
            prompt.field.insert(head.trim_end_matches(['\r', '\n']));
            return vec![];
        }
        Some(Overlay::Sessions(list)) => {
            if let Some((_, field)) = &mut list.naming {
                field.insert(head);
                return vec![];
            }
            list.field.insert(head);
            return list.look();
        }
        Some(Overlay::History(history)) => {
            history.field.insert(head);
            history.selected = 0;
            return vec![];
        }
        Some(_) => return vec![],
        None => {}
    }
    match state.tab {
        Tab::Chat if state.chat.is_finding() => {
            let areas = areas(state);
            chat::find::paste(state, &areas, head);
        }
        Tab::Chat => {
            chat::keys::leave(state);
            if state.chat.composer.insert(head) || cut {
                state.notice(CUT);
            }
        }
        Tab::Memory => {
            state.focus = Focus::First;
            state.memory.query.insert(head);
        }
        Tab::Consent if state.consent.filtering => {
            state.consent.filter.insert(head);
        }
        Tab::Sources | Tab::Consent | Tab::Sleep | Tab::Assembly => {}
    }
    vec![]
}

fn wheel(state: &mut State, column: u16, row: u16, up: bool) -> Vec<Effect> {
    let delta = if up { -WHEEL_LINES } else { WHEEL_LINES };
    if !matches!(state.gate, Gate::Open) {
        return vec![];
    }
    let size = state.place.size;
    match state.overlays.last_mut() {
        Some(Overlay::Item(item)) => item.by(delta, size),
        Some(Overlay::Help(help)) => help.by(delta, &state.keymap, &state.theme, body(size)),
        Some(Overlay::Palette(palette)) => palette.select(delta.signum()),
        Some(Overlay::Sessions(list)) => list.select(delta.signum()),
        Some(Overlay::Source(source)) => source.by(delta),
        Some(Overlay::Approval(approval)) => approval.by(delta, size),
        Some(_) => {}
        None => {
            let areas = areas(state);
            let position = ratatui::layout::Position { x: column, y: row };
            let at_side = areas.side.is_some_and(|side| side.contains(position) && column > side.x);
            match state.tab {
                Tab::Chat if at_side || (areas.side.is_none() && state.focus == Focus::Second) => {
                    state.chat.recalled.select(delta.signum());
                }
                Tab::Chat => chat::scroll_by(state, &areas, delta),
                Tab::Memory if !state.memory.shows_hits() => return state.memory.timeline.select(delta.signum()),
                Tab::Memory => state.memory.found.select(delta.signum()),
                Tab::Sources => state.sources.select(delta.signum()),
                Tab::Sleep => state.sleep.scroll(delta),
                Tab::Assembly => state.assembly.scroll(delta),
                Tab::Consent => return state.consent.select(delta.signum()),
            }
        }
    }
    vec![]
}
