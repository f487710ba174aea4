//! Keys of the memory pane.

use super::operators;
use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::keys::{forget, in_passages, movement, open_line};
use crate::app::msg::Tag;
use crate::app::state::{Focus, Loaded, State};
use crossterm::event::{KeyCode, KeyEvent};
use hinet_protocol::{ForgetTarget, Op};

/// Does what an action says in this pane.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    if action == Action::PauseMemory {
        return pause(state);
    }
    if state.focus == Focus::First {
        return match action {
            Action::Send => {
                let effects = state.memory.search();
                if !effects.is_empty() {
                    state.focus = Focus::Second;
                }
                effects
            }
            Action::Down => {
                state.focus = Focus::Second;
                vec![]
            }
            _ => vec![],
        };
    }
    let at_top =
        if state.memory.shows_hits() { state.memory.found.selected == 0 } else { state.memory.timeline.selected == 0 };
    if action == Action::Up && at_top {
        state.focus = Focus::First;
        return vec![];
    }
    let page = isize::try_from(state.place.size.1).unwrap_or(1);
    match action {
        Action::Pin => pin(state),
        action if state.memory.shows_hits() => in_passages(state, action, page),
        Action::Open => match state.memory.timeline.current().cloned() {
            Some(line) => open_line(state, &line),
            None => vec![],
        },
        Action::Forget => match state.memory.timeline.current() {
            Some(line) => {
                let (target, name) = (ForgetTarget::Item { item: line.item }, line.source.clone());
                forget(state, target, name)
            }
            None => vec![],
        },
        action => state.memory.timeline.select(movement(action, (page / 2).max(1)).unwrap_or(0)),
    }
}

/// Stops remembering altogether, or goes on with it.
pub fn pause(state: &mut State) -> Vec<Effect> {
    let paused = !state.status.as_ref().is_some_and(|status| status.paused);
    vec![Effect::call(Tag::MemoryPause, Op::MemoryPause { paused })]
}

/// Pins the selected item, or takes the pin away.
fn pin(state: &mut State) -> Vec<Effect> {
    let chosen = if state.memory.shows_hits() {
        state.memory.found.current().map(|passage| (passage.item, passage.pinned))
    } else {
        state.memory.timeline.current().map(|line| (line.item, line.pinned))
    };
    let Some((item, pinned)) = chosen else { return vec![] };
    vec![Effect::call(Tag::Mark(item), Op::Mark { item, pinned: Some(!pinned), labels: None })]
}

/// Esc in this pane; returns whether there was something to leave.
pub fn back(state: &mut State) -> Option<Vec<Effect>> {
    let memory = &mut state.memory;
    if memory.hits == Loaded::Not && memory.timeline.query.is_empty() {
        return None;
    }
    // What was found goes, what was typed stays; the timeline is there again.
    let mut effects = vec![];
    if memory.hits == Loaded::Loading {
        effects.push(Effect::Drop(Tag::Search(memory.number)));
    }
    memory.hits = Loaded::Not;
    memory.searched.clear();
    state.focus = Focus::First;
    effects.extend(state.memory.timeline.confine(""));
    Some(effects)
}

/// A key of the search line. At its end, the arrow to the right takes the operator that is offered.
pub fn typed(state: &mut State, key: KeyEvent) {
    let query = &mut state.memory.query;
    if key.code == KeyCode::Right
        && query.is_at_end()
        && let Some(rest) = operators::completion(query.text())
    {
        query.insert(rest);
        return;
    }
    query.key(key);
}
