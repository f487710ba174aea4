//! Keys of the topmost overlay.

use super::forget::Stage;
use super::question::About;
use super::{Forget, Overlay, Passphrase};
use crate::app::effect::Effect;
use crate::app::keymap::{Action, Scope};
use crate::app::keys::{chosen, forget, movement, new_conversation, to_chat};
use crate::app::msg::{Proven, Tag, Unlock};
use crate::app::state::State;
use crate::app::view::scopes;
use crossterm::event::{KeyCode, KeyEvent};
use hinet_protocol::{ForgetTarget, Op};

/// Handles a key; the topmost overlay has it, and Esc takes that away.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let back = state.keymap.lookup(&[Scope::Everywhere], key) == Some(Action::Back);
    if back || key.code == KeyCode::Esc {
        return close(state);
    }
    match state.keymap.lookup(&scopes(state), key) {
        Some(action) => act(state, action),
        None => typed(state, key),
    }
}

/// Does what an action says in the topmost overlay.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let size = state.place.size;
    let page = isize::try_from(size.1 / 2).unwrap_or(1).max(1);
    let Some(top) = state.overlays.last_mut() else { return vec![] };
    match (top, action) {
        (_, Action::Back) => close(state),
        (Overlay::Help(help), action) => {
            help.by(movement(action, page).unwrap_or(0));
            vec![]
        }
        (Overlay::Palette(palette), Action::Open) => match palette.current().cloned() {
            Some(entry) => {
                state.overlays.pop();
                chosen(state, entry)
            }
            None => vec![],
        },
        (Overlay::Palette(palette), action) => {
            palette.select(movement(action, page).unwrap_or(0));
            vec![]
        }
        (Overlay::Item(item), Action::Forget) => {
            let (target, name) = (ForgetTarget::Item { item: item.item }, item.source.clone());
            forget(state, target, name)
        }
        (Overlay::Item(item), Action::Top | Action::Bottom) => {
            item.to(action == Action::Bottom);
            vec![]
        }
        (Overlay::Item(item), action) => {
            item.by(movement(action, page).unwrap_or(0), size);
            vec![]
        }
        (Overlay::Sessions(_), Action::New) => new_conversation(state),
        (Overlay::Sessions(list), Action::Open) => match list.current().cloned() {
            Some(line) => {
                state.overlays.pop();
                to_chat(state);
                state.chat.open(line.id, &line.title)
            }
            None => new_conversation(state),
        },
        (Overlay::Sessions(list), action) => {
            list.select(movement(action, page).unwrap_or(0));
            vec![]
        }
        (Overlay::Question(_) | Overlay::Forget(_), Action::Yes) => agreed(state),
        (Overlay::Forget(Forget { stage: Stage::Forgetting, .. }), _) => vec![],
        (Overlay::Question(_) | Overlay::Forget(_), Action::No) => close(state),
        _ => vec![],
    }
}

/// A key that is no command: it types where something can be typed.
fn typed(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let home = state.place.home_dir.clone();
    match state.overlays.last_mut() {
        Some(Overlay::Help(_)) if key.code == KeyCode::Char('?') => close(state),
        Some(Overlay::Palette(palette)) => {
            if palette.query.key(key) {
                palette.search();
            }
            vec![]
        }
        Some(Overlay::Path(prompt)) if key.code == KeyCode::Enter => match prompt.path.chosen(&home) {
            Some(path) => {
                state.overlays.pop();
                state.sources.add(path)
            }
            None => vec![],
        },
        Some(Overlay::Path(prompt)) => prompt.path.key(key, &home),
        Some(Overlay::Passphrase(prompt)) => passphrase_key(prompt, key),
        _ => vec![],
    }
}

/// The dangerous answer.
fn agreed(state: &mut State) -> Vec<Effect> {
    match state.overlays.last_mut() {
        Some(Overlay::Question(question)) => {
            let about = question.about.clone();
            state.overlays.pop();
            match about {
                About::Kill => vec![Effect::call(Tag::Kill, Op::Kill)],
                About::Revoke(grant) => vec![Effect::call(Tag::Revoke, Op::Revoke { grant })],
            }
        }
        Some(Overlay::Forget(asked)) if matches!(asked.stage, Stage::Asking(_)) => {
            asked.stage = Stage::Forgetting;
            let op = Op::Forget { target: asked.target.clone(), dry_run: false };
            vec![Effect::call(Tag::Forget(asked.serial), op)]
        }
        _ => vec![],
    }
}

fn passphrase_key(prompt: &mut Passphrase, key: KeyEvent) -> Vec<Effect> {
    if prompt.busy {
        return vec![];
    }
    if key.code != KeyCode::Enter {
        prompt.field.key(key);
        return vec![];
    }
    if prompt.by_passphrase && prompt.field.is_empty() {
        return vec![];
    }
    prompt.busy = true;
    prompt.failed = None;
    let unlock = if prompt.by_passphrase { Unlock::Passphrase(prompt.field.take_secret()) } else { Unlock::Keychain };
    vec![Effect::Prove { tag: Tag::Lift, proven: Proven { op: Op::Lift, unlock } }]
}

/// Takes the topmost overlay away.
fn close(state: &mut State) -> Vec<Effect> {
    match state.overlays.pop() {
        // What is being forgotten goes on; its end is said as a notice.
        Some(Overlay::Forget(Forget { stage: Stage::Counting, serial, .. })) => {
            vec![Effect::Drop(Tag::ForgetPreview(serial))]
        }
        Some(Overlay::Item(item)) if item.view.is_none() => vec![Effect::Drop(Tag::Show(item.serial))],
        _ => vec![],
    }
}
