//! Keys of the topmost overlay.

use super::approval;
use super::forget::Stage;
use super::passphrase::Purpose;
use super::question::About;
use super::{Forget, Overlay, Passphrase};
use crate::app::effect::Effect;
use crate::app::keymap::{Action, Scope};
use crate::app::keys::{chosen, forget, movement, new_conversation, to_chat};
use crate::app::msg::{Proven, Tag, Unlock};
use crate::app::pane::chat::attach;
use crate::app::pane::consent;
use crate::app::state::{Loaded, State};
use crate::app::view::{body, scopes};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hinet_protocol::{ForgetTarget, Op, SessionChange, Verdict};

/// Handles a key; the topmost overlay has it, and Esc takes that away.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let back = state.keymap.lookup(&[Scope::Everywhere], key) == Some(Action::Back);
    if back || key.code == KeyCode::Esc {
        if let Some(Overlay::Sessions(list)) = state.overlays.last_mut()
            && list.naming.take().is_some()
        {
            return vec![];
        }
        if let Some(Overlay::Item(item)) = state.overlays.last_mut()
            && item.end_find()
        {
            return vec![];
        }
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
            help.by(movement(action, page).unwrap_or(0), &state.keymap, &state.theme, body(size));
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
        (Overlay::Item(_), Action::Pin | Action::Labels | Action::Copy | Action::NextHit | Action::PreviousHit) => {
            super::item_keys::act(state, action)
        }
        (Overlay::Item(item), Action::FindHere) => {
            item.begin_find();
            vec![]
        }
        (Overlay::Item(item), Action::NextMatch | Action::PreviousMatch) => {
            item.next_place(action == Action::NextMatch);
            vec![]
        }
        (Overlay::Source(source), action) => {
            source.by(movement(action, page).unwrap_or(0));
            vec![]
        }
        (Overlay::Item(item), Action::Top | Action::Bottom) => {
            item.to(action == Action::Bottom);
            vec![]
        }
        (Overlay::Item(item), action) => {
            item.by(movement(action, page).unwrap_or(0), size);
            vec![]
        }
        (Overlay::Sessions(_), action) => sessions_act(state, action, page),
        (Overlay::History(_), action) => history_act(state, action, page),
        (Overlay::Approval(approval), Action::AllowOnce | Action::AllowHour | Action::AllowStanding)
            if !approval.fits(size) =>
        {
            state.toast = Some("Make the terminal higher first: a yes needs all of it in view. n refuses.".into());
            vec![]
        }
        (Overlay::Approval(approval), Action::AllowOnce | Action::AllowHour | Action::AllowStanding) => {
            let verdict = match action {
                Action::AllowOnce => Verdict::Once,
                Action::AllowHour => Verdict::Hour,
                _ => Verdict::Standing,
            };
            let effect = approval::effect(&approval.asking, verdict);
            let purpose = Purpose::Answer { id: approval.asking.id, verdict, effect };
            let by_passphrase = state.unlocks.0;
            state.overlays.push(Overlay::Passphrase(Passphrase::new(purpose, by_passphrase)));
            vec![]
        }
        (Overlay::Approval(_), Action::No) => close(state),
        (Overlay::Approval(approval), action) => {
            approval.by(movement(action, page).unwrap_or(0), size);
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
        Some(Overlay::Help(help)) if key.code == KeyCode::Char('?') && help.query.is_empty() => close(state),
        Some(Overlay::Help(help)) => {
            if help.query.key(key) {
                help.searched();
            }
            vec![]
        }
        Some(Overlay::Sessions(list)) => match &mut list.naming {
            Some((_, field)) => {
                field.key(key);
                vec![]
            }
            None if list.field.key(key) => list.look(),
            None => vec![],
        },
        Some(Overlay::History(list)) => {
            // The same key again goes on to what was said earlier, as in a shell.
            if key.code == KeyCode::Char('r') && key.modifiers.contains(KeyModifiers::CONTROL) {
                list.select(1, state.chat.composer.history());
            } else if list.field.key(key) {
                list.selected = 0;
            }
            vec![]
        }
        Some(Overlay::Palette(palette)) => {
            if palette.query.key(key) {
                palette.search();
            }
            vec![]
        }
        Some(Overlay::Path(prompt)) if key.code == KeyCode::Enter => match prompt.path.chosen(&home) {
            Some(path) => {
                let once = prompt.once;
                state.overlays.pop();
                if once { state.sources.ingest(path) } else { state.sources.add(path) }
            }
            None => vec![],
        },
        Some(Overlay::Path(prompt)) => prompt.path.key(key, &home),
        Some(Overlay::Passphrase(prompt)) => passphrase_key(prompt, key),
        Some(Overlay::Item(item)) => {
            let (columns, _) = super::item::text_size(state.place.size);
            item.text.set_columns(columns);
            match &mut item.find {
                Some(find) if find.typing && key.code == KeyCode::Enter => item.look(),
                Some(find) if find.typing => {
                    find.field.key(key);
                }
                _ => {}
            }
            vec![]
        }
        Some(Overlay::Labels(prompt)) if prompt.busy => vec![],
        Some(Overlay::Labels(prompt)) if key.code == KeyCode::Enter => {
            (prompt.busy, prompt.failed) = (true, None);
            let item = prompt.item;
            let op = Op::Mark { item, pinned: None, labels: Some(prompt.labels()) };
            vec![Effect::call(Tag::Mark(item), op)]
        }
        Some(Overlay::Labels(prompt)) => {
            prompt.field.key(key);
            vec![]
        }
        _ => vec![],
    }
}

/// Commands of the conversations; what is no command is typed and looked for.
fn sessions_act(state: &mut State, action: Action, page: isize) -> Vec<Effect> {
    let Some(Overlay::Sessions(list)) = state.overlays.last_mut() else { return vec![] };
    if list.naming.is_some() {
        return if action == Action::Open { name(state) } else { vec![] };
    }
    match action {
        Action::New => new_conversation(state),
        Action::Open => match list.chosen() {
            Some((session, title, message)) => {
                state.overlays.pop();
                to_chat(state);
                match message {
                    Some(message) => state.chat.open_at(session, &title, message),
                    None => state.chat.open(session, &title),
                }
            }
            None => new_conversation(state),
        },
        Action::Rename => {
            list.name();
            vec![]
        }
        Action::Pin => list.change(|line| SessionChange { pinned: Some(!line.pinned), ..SessionChange::default() }),
        Action::Archive => {
            list.change(|line| SessionChange { archived: Some(!line.archived), ..SessionChange::default() })
        }
        Action::ShowArchived => {
            list.archived = !list.archived;
            list.select(0);
            vec![]
        }
        Action::Forget => match list.current().map(|line| (line.id, line.title.clone())) {
            Some((session, title)) => forget(state, ForgetTarget::Session { session }, title),
            None => vec![],
        },
        action => {
            list.select(movement(action, page).unwrap_or(0));
            vec![]
        }
    }
}

/// Keeps the title that was typed.
fn name(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Sessions(list)) = state.overlays.last_mut() else { return vec![] };
    let Some((session, field)) = list.naming.take() else { return vec![] };
    let title = field.text().trim().to_owned();
    if title.is_empty() {
        return vec![];
    }
    if state.chat.session == Some(session) {
        state.chat.title.clone_from(&title);
    }
    let change = SessionChange { title: Some(title), ..SessionChange::default() };
    vec![Effect::call(Tag::SessionChange, Op::SessionChange { session, change })]
}

fn history_act(state: &mut State, action: Action, page: isize) -> Vec<Effect> {
    let Some(Overlay::History(list)) = state.overlays.last_mut() else { return vec![] };
    let history = state.chat.composer.history();
    match action {
        Action::Open => {
            let chosen = list.rows(history).get(list.selected).map(|said| (*said).to_owned());
            state.overlays.pop();
            if let Some(said) = chosen {
                // What is typed is not lost: it becomes a line of history itself.
                let typed = state.chat.composer.text();
                state.chat.composer.remember(typed.trim());
                state.chat.composer.set(&said);
            }
        }
        action => list.select(movement(action, page).unwrap_or(0), history),
    }
    vec![]
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
                About::Leave { assembly, delta } => {
                    vec![Effect::call(Tag::AssemblyLeave, Op::AssemblyLeave { assembly, delta })]
                }
                About::Command(command) => {
                    state.chat.running = Some(command.clone());
                    if attach::typed_command(&state.chat.composer.text()).as_ref() == Some(&command) {
                        state.chat.composer.take();
                    }
                    let told = Op::LetOut { way: "command".into(), bytes: command.len() as u64 };
                    vec![Effect::call(Tag::Quiet, told), Effect::Command(command)]
                }
                About::Export { path, text } => {
                    let told = Op::LetOut { way: "file".into(), bytes: text.len() as u64 };
                    vec![Effect::call(Tag::Quiet, told), Effect::Write { path, text }]
                }
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
    let (tag, op) = match prompt.purpose {
        Purpose::Lift => (Tag::Lift, Op::Lift),
        Purpose::Answer { id, verdict, .. } => (Tag::Answer(id), Op::Answer { id, verdict }),
    };
    vec![Effect::Prove { tag, proven: Proven { op, unlock } }]
}

/// Takes the topmost overlay away.
fn close(state: &mut State) -> Vec<Effect> {
    match state.overlays.pop() {
        // What is being forgotten goes on; its end is said as a notice.
        Some(Overlay::Forget(Forget { stage: Stage::Counting, serial, .. })) => {
            vec![Effect::Drop(Tag::ForgetPreview(serial))]
        }
        Some(Overlay::Sessions(list)) if matches!(list.found, Loaded::Loading) => {
            vec![Effect::Drop(Tag::Find(list.number))]
        }
        // Going away from the question is a no: the safe answer is the default.
        Some(Overlay::Approval(approval)) => consent::refuse(state, approval.asking.id),
        Some(Overlay::Source(source)) if matches!(source.skipped, Loaded::Loading) => {
            vec![Effect::Drop(Tag::Skips(source.id()))]
        }
        Some(Overlay::Item(item)) if item.view.is_none() => vec![Effect::Drop(Tag::Show(item.serial))],
        _ => vec![],
    }
}
