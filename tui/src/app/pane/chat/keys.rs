//! Keys of the chat: in the input, and in the conversation itself.

use super::{attach, find, reader, scroll_by, scroll_home};
use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::keys::{movement, open_item};
use crate::app::msg::Tag;
use crate::app::overlay::{History, Overlay};
use crate::app::scroll::Place;
use crate::app::slash;
use crate::app::state::{Focus, State};
use crate::app::view::{Areas, areas};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hinet_protocol::{Op, Role, Thumb};

/// Further than any conversation has lines.
const FAR: isize = 1_000_000;

fn page(areas: &Areas) -> isize {
    isize::try_from(areas.main.height.saturating_sub(4)).unwrap_or(1).max(1)
}

/// What means the same in the input and in the conversation. Returns `None` for what does not.
fn in_both(state: &mut State, areas: &Areas, action: Action) -> Option<Vec<Effect>> {
    Some(match action {
        Action::FindHere => {
            find::begin(state, areas);
            if state.chat.find.is_some() {
                state.focus = Focus::Reading;
            }
            vec![]
        }
        Action::Top => {
            scroll_home(state, areas);
            vec![]
        }
        Action::Bottom => {
            state.chat.scroll = None;
            vec![]
        }
        Action::Regenerate => regenerate(state),
        Action::EditLast => {
            let last = state.chat.last_question();
            if last.is_none_or(|turn| !edit(state, turn)) {
                state.toast = Some("There is nothing to edit yet.".into());
            }
            vec![]
        }
        Action::CopyAnswer => {
            let last = state.chat.turns.iter().rposition(|turn| turn.role == Role::Assistant);
            last.map_or_else(Vec::new, |turn| copy_message(state, turn))
        }
        _ => return None,
    })
}

/// Keys of the input.
pub fn in_input(state: &mut State, action: Action) -> Vec<Effect> {
    let areas = areas(state);
    if let Some(effects) = in_both(state, &areas, action) {
        return effects;
    }
    match action {
        Action::Send => {
            let waits = state.chat.composer.chips.iter().find(|chip| chip.within.is_none());
            if let Some(chip) = waits.filter(|_| !state.chat.composer.is_blank()) {
                state.toast = Some(format!("{} is still being read; Enter again in a moment", chip.name));
                return vec![];
            }
            if let Some(command) = attach::typed_command(&state.chat.composer.text()) {
                return attach::command(state, &command);
            }
            return slash::send(state).unwrap_or_else(|| state.chat.send(state.now));
        }
        Action::Newline => state.chat.composer.newline(),
        Action::History => state.overlays.push(Overlay::History(History::default())),
        Action::Editor => {
            let text = state.chat.composer.text();
            let bytes = text.len() as u64;
            let told = Op::LetOut { way: "editor".into(), bytes };
            return vec![Effect::call(Tag::Quiet, told), Effect::Edit(text)];
        }
        Action::Forgo => {
            state.chat.forgo = !state.chat.forgo;
            let said = if state.chat.forgo { "the memory is left alone here" } else { "the memory is read again here" };
            state.toast = Some(said.into());
        }
        Action::HistoryOlder => {
            if !state.chat.composer.older() {
                state.chat.composer.key(KeyEvent::new(KeyCode::Up, KeyModifiers::NONE));
            }
        }
        Action::HistoryNewer => {
            if !state.chat.composer.newer() {
                state.chat.composer.key(KeyEvent::new(KeyCode::Down, KeyModifiers::NONE));
            }
        }
        action => {
            if let Some(delta) = movement(action, page(&areas)) {
                scroll_by(state, &areas, delta);
            }
        }
    }
    vec![]
}

/// Keys of the conversation.
pub fn in_conversation(state: &mut State, action: Action) -> Vec<Effect> {
    let areas = areas(state);
    if state.chat.reader.at.is_none() {
        reader::enter(state, &areas);
    }
    let Some(at) = state.chat.reader.at else {
        leave(state);
        return vec![];
    };
    let turn = at.block;
    match action {
        Action::Top => reader::go(state, &areas, Place::default()),
        Action::Bottom => {
            let last = Place { block: state.chat.turns.len().saturating_sub(1), line: 0 };
            reader::go(state, &areas, last);
            reader::step(state, &areas, FAR);
        }
        Action::NextMessage => reader::hop(state, &areas, 1),
        Action::PreviousMessage => reader::hop(state, &areas, -1),
        Action::NextMatch => find::next(state, &areas, true),
        Action::PreviousMatch => find::next(state, &areas, false),
        Action::Select => {
            let reader = &mut state.chat.reader;
            reader.anchor = if reader.anchor.is_some() { None } else { reader.at };
        }
        Action::Copy => return copy(state, turn),
        Action::CopyCode => return copy_code(state, at),
        Action::Edit => {
            if !edit(state, turn) {
                state.toast = Some("This cannot be edited now.".into());
            }
        }
        Action::Regenerate => return regenerate(state),
        Action::Fork => return said(state, |state| state.chat.fork(turn), "This message is not stored yet."),
        Action::Rewind => {
            let effects = said(state, |state| state.chat.rewind(turn), "There is nothing to go back to here.");
            if !effects.is_empty() {
                state.focus = Focus::First;
                state.chat.reader.away();
                state.toast = Some("went back; what followed is kept as a branch".into());
            }
            return effects;
        }
        Action::Onward => return said(state, |state| state.chat.onward(), "Nothing else goes on from here."),
        Action::OlderVersion => return version(state, turn, -1),
        Action::NewerVersion => return version(state, turn, 1),
        Action::ThumbUp => return thumb(state, turn, Thumb::Up),
        Action::ThumbDown => return thumb(state, turn, Thumb::Down),
        Action::Accept => {
            let effects = state.chat.feedback(turn, |feedback| feedback.accepted = !feedback.accepted);
            return effects;
        }
        Action::Open => return open_cited(state, at),
        Action::ToInput => leave(state),
        action => {
            if let Some(effects) = in_both(state, &areas, action) {
                return effects;
            }
            if let Some(delta) = movement(action, page(&areas)) {
                reader::step(state, &areas, delta);
            }
        }
    }
    vec![]
}

/// Gives the keys back to the input.
pub fn leave(state: &mut State) {
    state.chat.reader.away();
    state.chat.find = None;
    state.focus = Focus::First;
    state.chat.refresh_recalled();
}

/// Esc outside the input: a selection goes first, then what was looked for, then the keys go back to the input.
pub fn back(state: &mut State) {
    if state.chat.reader.anchor.take().is_none() && state.chat.find.take().is_none() {
        leave(state);
    }
}

/// Gives the keys to the conversation; returns whether it has something to read.
pub fn enter(state: &mut State) -> bool {
    let areas = areas(state);
    reader::enter(state, &areas);
    let entered = state.chat.reader.at.is_some();
    if entered {
        state.focus = Focus::Reading;
    }
    entered
}

fn said(state: &mut State, act: impl FnOnce(&mut State) -> Option<Vec<Effect>>, otherwise: &str) -> Vec<Effect> {
    act(state).unwrap_or_else(|| {
        state.toast = Some(if state.chat.live.is_some() {
            "Not while it answers; Esc stops it.".into()
        } else {
            otherwise.into()
        });
        vec![]
    })
}

fn regenerate(state: &mut State) -> Vec<Effect> {
    let turn = state.chat.reader.turn().unwrap_or(usize::MAX);
    let now = state.now;
    let effects = said(state, |state| state.chat.regenerate(turn, now), "There is no question to answer again.");
    if !effects.is_empty() {
        leave(state);
    }
    effects
}

fn edit(state: &mut State, turn: usize) -> bool {
    let edited = state.chat.edit(turn);
    if edited {
        leave(state);
    }
    edited
}

fn version(state: &mut State, turn: usize, by: isize) -> Vec<Effect> {
    said(state, |state| state.chat.version(turn, by), "There is no other version of this.")
}

fn thumb(state: &mut State, turn: usize, thumb: Thumb) -> Vec<Effect> {
    if state.chat.turns.get(turn).is_none_or(|turn| turn.role != Role::Assistant) {
        state.toast = Some("Thumbs are for answers.".into());
        return vec![];
    }
    state.chat.feedback(turn, |feedback| {
        // The same thumb again takes it back.
        feedback.thumb = if feedback.thumb == Some(thumb) { None } else { Some(thumb) };
    })
}

fn copy(state: &mut State, turn: usize) -> Vec<Effect> {
    let reader = state.chat.reader;
    let (Some(_), Some((from, to))) = (reader.anchor, reader.lines()) else { return copy_message(state, turn) };
    let areas = areas(state);
    let columns = usize::from(crate::app::pane::face::inside(areas.main).width);
    let text = state.chat.transcript(state, columns).written_between(from, to);
    state.chat.reader.anchor = None;
    state.copy(text, "the lines")
}

/// Copies a message as it was written. An answer that is taken along is an answer that was accepted.
fn copy_message(state: &mut State, turn: usize) -> Vec<Effect> {
    let Some(message) = state.chat.turns.get(turn) else { return vec![] };
    let (text, what) = (message.text.clone(), if message.role == Role::User { "the question" } else { "the answer" });
    let mut effects = state.copy(text, what);
    if !effects.is_empty() {
        effects.extend(state.chat.feedback(turn, |feedback| feedback.accepted = true));
    }
    effects
}

fn copy_code(state: &mut State, at: Place) -> Vec<Effect> {
    let areas = areas(state);
    let columns = usize::from(crate::app::pane::face::inside(areas.main).width);
    let Some(code) = state.chat.transcript(state, columns).code_at(at) else {
        state.toast = Some("There is no code in this message.".into());
        return vec![];
    };
    let mut effects = state.copy(code, "the code");
    if !effects.is_empty() {
        effects.extend(state.chat.feedback(at.block, |feedback| feedback.accepted = true));
    }
    effects
}

/// Opens what the line the reader is at cites, or what the message cites first.
fn open_cited(state: &mut State, at: Place) -> Vec<Effect> {
    let areas = areas(state);
    let columns = usize::from(crate::app::pane::face::inside(areas.main).width);
    let line = state.chat.transcript(state, columns).words_at(at);
    let number = (1..=9).find(|n| line.contains(&format!("[{n}]"))).unwrap_or(1);
    match state.chat.recalled.passages.iter().find(|passage| passage.mark == Some(number)).cloned() {
        Some(passage) => open_item(state, &passage),
        None => {
            state.toast = Some("This message stands on nothing of yours.".into());
            vec![]
        }
    }
}
