//! What can be done with an opened item: pinning, labels, copying the marked words, going on to the next hit.

use super::{Labels, Overlay};
use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::keys::{open_item, open_line};
use crate::app::msg::Tag;
use crate::app::state::{State, Tab};
use hinet_protocol::{Event, ItemId, Op};

/// Does what an action says with the topmost overlay, which is an item.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Overlay::Item(shown)) = state.overlays.last() else { return vec![] };
    let (item, view) = (shown.item, shown.view.as_ref());
    match (action, view) {
        (Action::NextHit | Action::PreviousHit, _) => other(state, if action == Action::NextHit { 1 } else { -1 }),
        (Action::Pin, Some(view)) => {
            let pinned = Some(!view.pinned);
            vec![Effect::call(Tag::Mark(item), Op::Mark { item, pinned, labels: None })]
        }
        (Action::Labels, Some(view)) => {
            let prompt = Labels::new(item, view.title.clone(), &view.labels);
            state.overlays.push(Overlay::Labels(Box::new(prompt)));
            vec![]
        }
        (Action::Copy, Some(_)) => {
            let marked = shown.text.marked().to_owned();
            if marked.is_empty() {
                state.toast = Some("nothing is marked here".into());
                return vec![];
            }
            state.copy(marked, "the marked words")
        }
        _ => vec![],
    }
}

/// The item before or after it in the list it was opened from.
fn other(state: &mut State, delta: isize) -> Vec<Effect> {
    let Some(Overlay::Item(shown)) = state.overlays.pop() else { return vec![] };
    let mut effects = if shown.view.is_none() { vec![Effect::Drop(Tag::Show(shown.serial))] } else { vec![] };
    if state.tab == Tab::Memory && !state.memory.shows_hits() {
        effects.extend(state.memory.timeline.select(delta));
        if let Some(line) = state.memory.timeline.current().cloned() {
            effects.extend(open_line(state, &line));
        }
        return effects;
    }
    let list = if state.tab == Tab::Memory { &mut state.memory.found } else { &mut state.chat.recalled };
    let here = |passage: &crate::app::pane::recalled::Passage| {
        passage.item == shown.item && Some(passage.range()) == shown.span
    };
    if let Some(at) = list.passages.iter().position(here) {
        list.selected = at;
    }
    list.select(delta);
    if let Some(passage) = list.current().cloned() {
        effects.extend(open_item(state, &passage));
    }
    effects
}

/// An item was pinned or labelled, or was not.
pub fn marked(state: &mut State, item: ItemId, event: Event) -> Vec<Effect> {
    match event {
        Event::Item { item: now } => {
            for overlay in &mut state.overlays {
                if let Overlay::Item(shown) = overlay
                    && shown.item == item
                    && let Some(view) = &mut shown.view
                {
                    (view.pinned, view.labels) = (now.pinned, now.labels.clone());
                }
            }
            state.overlays.retain(|overlay| !matches!(overlay, Overlay::Labels(prompt) if prompt.item == item));
            state.memory.marked(item, now.pinned)
        }
        Event::Failed { failure } => {
            let prompt = state.overlays.iter_mut().find_map(|overlay| match overlay {
                Overlay::Labels(prompt) if prompt.item == item => Some(prompt),
                _ => None,
            });
            match prompt {
                Some(prompt) => (prompt.busy, prompt.failed) = (false, Some(failure)),
                None => state.notice(crate::app::words::failure(&failure)),
            }
            vec![]
        }
        _ => vec![],
    }
}
