//! Keys: first the gate, then what is meant everywhere, then the topmost overlay, then the pane.

use super::command::Command;
use super::effect::Effect;
use super::gate::Gate;
use super::keymap::{Action, Scope};
use super::mention;
use super::msg::Tag;
use super::overlay::forget::Stage;
use super::overlay::palette::{Choice, Entry, Palette};
use super::overlay::passphrase::Purpose;
use super::overlay::question::About;
use super::overlay::{Forget, Help, Item, Overlay, Passphrase, PathPrompt, Question, Sessions, Source};
use super::pane::recalled::Passage;
use super::pane::{assembly, chat, consent, memory};
use super::slash;
use super::state::{Focus, State, Tab};
use super::view::{areas, pane_scopes, scopes};
use super::words;
use crossterm::event::{KeyCode, KeyEvent};
use hinet_protocol::{ForgetTarget, ItemId, ItemLine, Op};

/// More than any list or text has lines.
const FAR: isize = 1_000_000;

/// Handles a key.
pub fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let everywhere = state.keymap.lookup(&[Scope::Everywhere], key);
    let interrupted = std::mem::take(&mut state.interrupted);
    state.toast = None;
    match everywhere {
        Some(Action::Quit) => return vec![Effect::Quit],
        Some(Action::Interrupt) if interrupted => return vec![Effect::Quit],
        Some(Action::Interrupt) => {
            state.interrupted = true;
            return match &mut state.gate {
                Gate::Open => state.chat.stop(state.now).unwrap_or_default(),
                Gate::Onboard(onboard) => {
                    onboard.interrupted();
                    vec![]
                }
                Gate::Locked(_) => vec![],
            };
        }
        Some(Action::Redraw) => return vec![Effect::Redraw],
        _ => {}
    }
    match &mut state.gate {
        Gate::Locked(lock) => return lock.key(key, state.unlocks),
        Gate::Onboard(onboard) => {
            let home = state.place.home_dir.clone();
            return onboard.key(key, &home);
        }
        Gate::Open => {}
    }
    // These hold over whatever is open.
    if let Some(action @ (Action::Kill | Action::Help | Action::Mouse)) = everywhere {
        return act(state, action);
    }
    if everywhere == Some(Action::Palette) && palette_fits(state) {
        return act(state, Action::Palette);
    }
    if let Some(effects) = below_a_question(state, key) {
        return effects;
    }
    if !state.overlays.is_empty() {
        return super::overlay::keys::key(state, key);
    }
    if state.tab == Tab::Chat && state.chat.is_finding() {
        let areas = areas(state);
        if chat::find::key(state, &areas, key) == Some(false) {
            chat::keys::leave(state);
        }
        return vec![];
    }
    if let Some(effects) = mention::key(state, key) {
        return effects;
    }
    if let Some(effects) = slash::key(state, key) {
        return effects;
    }
    match state.keymap.lookup(&pane_scopes(state), key) {
        Some(action) => in_pane(state, action),
        None => typed(state, key),
    }
}

/// A key while a question that came up by itself is not awake yet: it belongs to what lies below, and the quiet the
/// question waits for begins anew.
fn below_a_question(state: &mut State, pressed: KeyEvent) -> Option<Vec<Effect>> {
    let now = state.now;
    let Some(Overlay::Approval(approval)) = state.overlays.last_mut() else { return None };
    if approval.is_awake(now) {
        return None;
    }
    approval.quiet_since = now;
    if approval.led_to {
        return Some(vec![]);
    }
    let at = state.overlays.len() - 1;
    let question = state.overlays.pop()?;
    let effects = key(state, pressed);
    // What the key opened lies over the question, not under it.
    state.overlays.insert(at.min(state.overlays.len()), question);
    Some(effects)
}

/// Does what an action says, where the keys go now. Keys, the palette, slash commands and clicks all end here.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Interrupt => return state.chat.stop(state.now).unwrap_or_default(),
        Action::Kill => return kill_switch(state),
        Action::Help => {
            if matches!(state.overlays.last(), Some(Overlay::Help(_))) {
                state.overlays.pop();
            } else {
                let here = scopes_of(state);
                state.overlays.push(Overlay::Help(Help::new(here)));
            }
        }
        Action::Mouse => {
            if !state.abilities.mouse {
                state.notice("This terminal reports no mouse; its own selection is as it always is.");
                return vec![];
            }
            state.mouse = !state.mouse;
            let said = if state.mouse { "the mouse is icore's" } else { "the mouse is the terminal's: it selects" };
            state.toast = Some(said.to_owned());
            return vec![Effect::Mouse(state.mouse)];
        }
        Action::Palette => {
            let scopes = scopes_of(state);
            let commands = state.overlays.is_empty();
            let palette = Palette::new(&state.keymap, &scopes, commands, state.recent.iter());
            state.overlays.push(Overlay::Palette(Box::new(palette)));
        }
        action if state.overlays.is_empty() => return in_pane(state, action),
        action => return super::overlay::keys::act(state, action),
    }
    vec![]
}

/// The scopes whose actions can be done now: of the topmost overlay, or of the pane.
fn scopes_of(state: &State) -> Vec<Scope> {
    if state.overlays.is_empty() { pane_scopes(state) } else { scopes(state) }
}

/// A question wants its answer first, and a field its own keys.
fn palette_fits(state: &State) -> bool {
    let scopes = scopes_of(state);
    !scopes.is_empty() && !scopes.iter().any(|scope| matches!(scope, Scope::Confirm | Scope::Picker | Scope::Asking))
}

/// Things chosen in the palette that are remembered.
const RECENT_MAX: usize = 12;

/// Does what was chosen in the palette, which is closed by now.
pub(super) fn chosen(state: &mut State, entry: Entry) -> Vec<Effect> {
    state.recent.retain(|name| *name != entry.name);
    state.recent.push_front(entry.name);
    state.recent.truncate(RECENT_MAX);
    match entry.choice {
        Choice::Act(action) => act(state, action),
        Choice::Run(line) => {
            let (name, argument) = line.trim_start_matches('/').split_once(' ').unwrap_or((&line[1..], ""));
            Command::named(name).map(|command| command.run(state, argument)).unwrap_or_default()
        }
        Choice::Begin(line) => {
            // What was being typed is kept: it is what the command is about, or comes back with Up.
            let typed = state.chat.composer.take();
            to_chat(state);
            state.chat.composer.set(&if typed.starts_with('/') { line } else { format!("{line}{typed}") });
            vec![]
        }
    }
}

fn kill_switch(state: &mut State) -> Vec<Effect> {
    let asked = |overlay: &Overlay| match overlay {
        Overlay::Passphrase(prompt) => prompt.purpose == Purpose::Lift,
        Overlay::Question(question) => question.about == About::Kill,
        _ => false,
    };
    if state.overlays.last().is_some_and(asked) {
        return vec![];
    }
    state.overlays.retain(|overlay| !asked(overlay));
    state.overlays.push(if state.killed() {
        Overlay::Passphrase(Passphrase::new(Purpose::Lift, state.unlocks.0))
    } else {
        Overlay::Question(Question::kill())
    });
    vec![]
}

/// How far an action moves in a list or a text.
pub(super) fn movement(action: Action, page: isize) -> Option<isize> {
    Some(match action {
        Action::Up | Action::LineUp => -1,
        Action::Down | Action::LineDown => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::Top => -FAR,
        Action::Bottom => FAR,
        _ => return None,
    })
}

pub(super) fn to_chat(state: &mut State) {
    state.tab = Tab::Chat;
    chat::keys::leave(state);
}

pub(super) fn new_conversation(state: &mut State) -> Vec<Effect> {
    state.overlays.retain(|overlay| !matches!(overlay, Overlay::Sessions(_)));
    to_chat(state);
    state.chat.begin()
}

/// Asks what would go.
pub(super) fn forget(state: &mut State, target: ForgetTarget, name: String) -> Vec<Effect> {
    let serial = state.next_serial();
    let name = words::tilde(&name, &state.place.home_dir);
    state.overlays.push(Overlay::Forget(Forget { target: target.clone(), name, serial, stage: Stage::Counting }));
    vec![Effect::call(Tag::ForgetPreview(serial), Op::Forget { target, dry_run: true })]
}

pub(super) fn open_item(state: &mut State, passage: &Passage) -> Vec<Effect> {
    let serial = state.next_serial();
    let item: ItemId = passage.item;
    state.overlays.push(Overlay::Item(Box::new(Item::opening(
        item,
        serial,
        passage.source.clone(),
        Some(passage.range()),
        Some(passage.text.clone()),
    ))));
    vec![Effect::call(Tag::Show(serial), Op::Show { item })]
}

/// Opens an item at its beginning.
pub(super) fn open_line(state: &mut State, line: &ItemLine) -> Vec<Effect> {
    let serial = state.next_serial();
    let item = line.item;
    state.overlays.push(Overlay::Item(Box::new(Item::opening(item, serial, line.source.clone(), None, None))));
    vec![Effect::call(Tag::Show(serial), Op::Show { item })]
}

fn in_pane(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Help => return act(state, action),
        Action::Chat => to_chat(state),
        Action::Memory => return enter(state, Tab::Memory),
        Action::Sources => return enter(state, Tab::Sources),
        Action::Consent => return enter(state, Tab::Consent),
        Action::Sleep => return enter(state, Tab::Sleep),
        Action::Assembly => return enter(state, Tab::Assembly),
        Action::Sessions => {
            let number = state.next_serial();
            state.overlays.push(Overlay::Sessions(Sessions::counting_from(number)));
            return vec![Effect::call(Tag::Sessions, Op::Sessions)];
        }
        Action::New => return new_conversation(state),
        Action::Incognito => {
            to_chat(state);
            return state.chat.begin_incognito();
        }
        Action::Side => {
            state.side = !state.side;
            if state.tab == Tab::Chat && !state.side && state.focus == Focus::Second {
                chat::keys::leave(state);
            }
        }
        Action::PauseMemory => return memory::keys::pause(state),
        Action::Requests => return consent::show_now(state, None),
        Action::NextFocus => next_part(state, true),
        Action::PreviousFocus => next_part(state, false),
        Action::Back => return back(state),
        Action::Cite(number) => return cite(state, usize::from(number)),
        action => {
            return match state.tab {
                Tab::Chat => in_chat(state, action),
                Tab::Memory => memory::keys::act(state, action),
                Tab::Sources => in_sources(state, action),
                Tab::Consent => consent::keys::act(state, action),
                Tab::Sleep => in_sleep(state, action),
                Tab::Assembly => assembly::keys::act(state, action),
            };
        }
    }
    vec![]
}

/// Tab in the chat: the input, the conversation, what was recalled, and the input again.
fn next_part(state: &mut State, forward: bool) {
    if state.tab == Tab::Consent {
        state.consent.part = state.consent.part.next(forward);
        state.consent.filtering = false;
        return;
    }
    if state.tab != Tab::Chat {
        let two = !matches!(state.tab, Tab::Sources | Tab::Sleep | Tab::Assembly);
        state.focus = if two && state.focus == Focus::First { Focus::Second } else { Focus::First };
        return;
    }
    let next = match (state.focus, forward) {
        (Focus::First, true) | (Focus::Second, false) => Focus::Reading,
        (Focus::Reading, true) | (Focus::First, false) => Focus::Second,
        _ => Focus::First,
    };
    // What was recalled keeps showing the answer that was being read.
    match next {
        Focus::Reading if chat::keys::enter(state) => {}
        Focus::Reading if forward => state.focus = Focus::Second,
        Focus::Second => state.focus = Focus::Second,
        _ => chat::keys::leave(state),
    }
}

pub(super) fn enter(state: &mut State, tab: Tab) -> Vec<Effect> {
    if state.tab != tab {
        chat::keys::leave(state);
        state.tab = tab;
        state.focus = Focus::First;
    }
    match tab {
        Tab::Chat => vec![],
        Tab::Memory => state.memory.enter(),
        Tab::Sources => state.sources.enter(),
        Tab::Sleep => state.sleep.enter(),
        Tab::Assembly => state.assembly.enter(),
        Tab::Consent => {
            let entries = state.status.as_ref().map(|status| status.ledger);
            state.consent.enter(entries)
        }
    }
}

/// Esc: stop what is being made, put the notice away, go back; in this order.
fn back(state: &mut State) -> Vec<Effect> {
    if state.tab == Tab::Chat
        && let Some(effects) = state.chat.stop(state.now)
    {
        return effects;
    }
    if state.tab == Tab::Sources
        && let Some(effects) = state.sources.stop()
    {
        return effects;
    }
    if state.chat.running.take().is_some() {
        return vec![Effect::StopCommand];
    }
    if state.tab == Tab::Chat && state.focus != Focus::First {
        chat::keys::back(state);
        return vec![];
    }
    if state.tab == Tab::Chat && state.chat.stop_editing() {
        state.toast = Some("left as it was".into());
        return vec![];
    }
    if state.tab == Tab::Memory
        && let Some(effects) = memory::keys::back(state)
    {
        return effects;
    }
    if state.tab == Tab::Consent && consent::keys::back(state) {
        return vec![];
    }
    if state.notices.pop_front().is_none() {
        to_chat(state);
    }
    vec![]
}

fn cite(state: &mut State, number: usize) -> Vec<Effect> {
    let passages = if state.tab == Tab::Memory { &state.memory.found.passages } else { &state.chat.recalled.passages };
    match passages.iter().find(|passage| passage.mark == Some(number)).cloned() {
        Some(passage) => open_item(state, &passage),
        None => vec![],
    }
}

/// A key that is no command: it types where something can be typed.
fn typed(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    match (state.tab, state.focus) {
        (Tab::Chat, Focus::First) => {
            if key.code == KeyCode::Backspace
                && state.chat.composer.is_blank()
                && state.chat.composer.chips.pop().is_some()
            {
                return vec![];
            }
            let full = state.chat.composer.key(key);
            if full {
                state.notice("The input is full. Put longer texts into a file in an open folder and ask about it.");
            }
        }
        (Tab::Memory, Focus::First) => {
            memory::keys::typed(state, key);
        }
        (Tab::Consent, _) => consent::keys::typed(state, key),
        _ => {}
    }
    vec![]
}

fn in_chat(state: &mut State, action: Action) -> Vec<Effect> {
    match state.focus {
        Focus::First => chat::keys::in_input(state, action),
        Focus::Reading => chat::keys::in_conversation(state, action),
        Focus::Second => {
            let page = isize::try_from(areas(state).main.height.saturating_sub(4)).unwrap_or(1).max(1);
            in_passages(state, action, page)
        }
    }
}

/// Keys in a list of passages, beside the chat or in the memory pane.
pub(super) fn in_passages(state: &mut State, action: Action, page: isize) -> Vec<Effect> {
    let list = if state.tab == Tab::Memory { &mut state.memory.found } else { &mut state.chat.recalled };
    match (action, list.current().cloned()) {
        (Action::Open, Some(passage)) => open_item(state, &passage),
        (Action::Forget, Some(passage)) => forget(state, ForgetTarget::Item { item: passage.item }, passage.source),
        (action, _) => {
            list.select(movement(action, (page / 4).max(1)).unwrap_or(0));
            vec![]
        }
    }
}

fn in_sleep(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Begin => state.sleep.begin(),
        Action::Wake => state.sleep.wake(),
        Action::RollBack => match state.sleep.current() {
            Some(night) if night.outcome != hinet_protocol::Outcome::Kept => {
                state.toast = Some("that night changed nothing, so there is nothing to go back to".into());
                vec![]
            }
            _ => state.sleep.roll_back(),
        },
        Action::NextChange => {
            if !state.sleep.next_change() {
                state.toast = Some("that night changed no answer".into());
            }
            vec![]
        }
        Action::Veto => {
            let effects = state.sleep.veto();
            if effects.is_empty() {
                state.toast = Some("d goes to a changed answer; v there keeps it from being learned".into());
            }
            effects
        }
        Action::PageUp | Action::PageDown => {
            state.sleep.scroll(if action == Action::PageUp { -10 } else { 10 });
            vec![]
        }
        action => {
            state.sleep.select(movement(action, 10).unwrap_or(0));
            vec![]
        }
    }
}

fn in_sources(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Open => {
            let Some(line) = state.sources.current().cloned() else { return vec![] };
            let source = line.id;
            state.overlays.push(Overlay::Source(Box::new(Source::opening(line))));
            state.consent.grants.ask();
            vec![Effect::call(Tag::Skips(source), Op::Skips { source }), Effect::call(Tag::Grants, Op::Grants)]
        }
        Action::Add | Action::ReadOnce => {
            let prompt = PathPrompt { once: action == Action::ReadOnce, ..PathPrompt::default() };
            let effects = prompt.path.look_up(&state.place.home_dir);
            state.overlays.push(Overlay::Path(prompt));
            effects
        }
        Action::Sync => state.sources.sync(),
        Action::Pause => state.sources.pause(),
        Action::Forget => match state.sources.current().map(|line| (line.id, line.path.clone())) {
            Some((source, path)) => forget(state, ForgetTarget::Source { source }, path),
            None => vec![],
        },
        action => {
            state.sources.select(movement(action, 10).unwrap_or(0));
            vec![]
        }
    }
}
