//! What the node's answers and news change: the top line, lists, what was forgotten, the switch.

use super::effect::Effect;
use super::gate::Gate;
use super::mention;
use super::msg::Tag;
use super::overlay::passphrase::Purpose;
use super::overlay::{Forget, Overlay, forget::Stage, item};
use super::pane::chat::attach;
use super::pane::{assembly, consent};
use super::state::{Loaded, State, Tab};
use hinet_protocol::{Event, ForgetTarget, NodeStatus, Op};

/// Sentences of earlier runs that are kept at hand.
pub(super) const SAID_MAX: usize = 500;

/// What the node says by itself.
pub(super) fn news(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        // Nothing is drawn for what is known already.
        Event::Status { status } if state.status.as_ref() == Some(&status) => {
            state.dirty = false;
            vec![]
        }
        Event::Status { status } => status_came(state, status),
        Event::Asking { asking } if matches!(state.gate, Gate::Open) => consent::came(state, asking),
        Event::Reading { source, progress } if matches!(state.gate, Gate::Open) => {
            state.dirty = state.tab == Tab::Sources;
            state.sources.reads(source, progress)
        }
        Event::Sleeping { sleeping } if matches!(state.gate, Gate::Open) => {
            state.dirty = state.tab == Tab::Sleep;
            state.sleep.sleeps(sleeping);
            vec![]
        }
        Event::Nights { .. } if matches!(state.gate, Gate::Open) => state.sleep.ended(),
        Event::Indexed { .. } if matches!(state.gate, Gate::Open) => {
            let mut effects = state.sources.enter();
            if state.tab == Tab::Memory {
                effects.extend(state.memory.enter());
            }
            effects
        }
        _ => {
            state.dirty = false;
            vec![]
        }
    }
}

fn status_came(state: &mut State, status: NodeStatus) -> Vec<Effect> {
    for notice in &status.notices {
        // A notice that was put away stays away.
        let known = state.status.as_ref().is_some_and(|before| before.notices.contains(notice));
        if !known {
            state.notice(notice.clone());
        }
    }
    let before = state.status.replace(status);
    let now = state.status.as_ref();
    let changed = |f: fn(&NodeStatus) -> u64| before.as_ref().map(f) != now.map(f);
    // Lists that are on the screen follow what happened.
    if state.tab == Tab::Consent && (changed(|s| s.ledger) || changed(|s| s.grants)) && before.is_some() {
        let entries = state.status.as_ref().map(|status| status.ledger);
        return state.consent.enter(entries);
    }
    vec![]
}

pub(super) fn reply(state: &mut State, tag: Tag, event: Event) -> Vec<Effect> {
    let now = state.now;
    let last = event.is_final();
    match tag {
        Tag::Status => match event {
            Event::Status { status } => status_came(state, status),
            _ => vec![],
        },
        Tag::Typed => {
            if let Event::Typed { said, drafts } = event {
                state.chat.recollect(said, drafts);
            }
            vec![]
        }
        Tag::Feedback | Tag::Quiet => {
            if let Event::Failed { failure } = event {
                state.notice(super::words::failure(&failure));
            }
            vec![]
        }
        Tag::Fork => forked(state, event),
        Tag::Names(number) => mention::named(state, number, event),
        Tag::Attach(number) => attach::attached(state, number, event),
        Tag::SessionChange => {
            if let Event::Failed { failure } = event {
                state.notice(super::words::failure(&failure));
            }
            let open = state.overlays.iter().any(|overlay| matches!(overlay, Overlay::Sessions(_)));
            if open { vec![Effect::call(Tag::Sessions, Op::Sessions)] } else { vec![] }
        }
        Tag::Find(number) => {
            if let Some(Overlay::Sessions(list)) = state.overlays.last_mut()
                && list.number == number
            {
                match event {
                    Event::Found { found } => list.found = Loaded::Full(found),
                    Event::Failed { failure } => list.found = Loaded::Failed(failure),
                    _ => {}
                }
                list.select(0);
            }
            vec![]
        }
        Tag::Chat(_) | Tag::Open(_) => {
            let mut effects = state.chat.reply(tag, event, now);
            if last && matches!(tag, Tag::Chat(_)) {
                effects.push(Effect::call(Tag::Status, Op::Status));
            }
            effects
        }
        Tag::Mark(item) => super::overlay::marked(state, item, event),
        Tag::MemoryPause => {
            if let Event::Failed { failure } = event {
                state.notice(super::words::failure(&failure));
            }
            vec![Effect::call(Tag::Status, Op::Status)]
        }
        Tag::Skips(id) => {
            if let Some(Overlay::Source(source)) = state.overlays.last_mut().filter(|_| last)
                && source.id() == id
            {
                source.skipped = match event {
                    Event::Skips { skipped } => Loaded::Full(skipped),
                    Event::Failed { failure } => Loaded::Failed(failure),
                    _ => return vec![],
                };
            }
            vec![]
        }
        Tag::Search(_) | Tag::Stats | Tag::Timeline | Tag::TimelineOlder => {
            state.memory.reply(tag, event);
            vec![]
        }
        Tag::Sources | Tag::Reading | Tag::Pause => {
            let mut effects = state.sources.reply(tag, event);
            if last && tag != Tag::Sources {
                effects.push(Effect::call(Tag::Status, Op::Status));
            }
            effects
        }
        Tag::Nights | Tag::Sleep | Tag::Wake | Tag::Rollback | Tag::Veto => {
            let mut effects = state.sleep.reply(tag, event);
            if last && tag != Tag::Nights {
                effects.push(Effect::call(Tag::Status, Op::Status));
            }
            effects
        }
        Tag::Assemblies | Tag::Receipts | Tag::AssemblyTry(_) | Tag::AssemblyLeave | Tag::AssemblyPremerge => {
            let listed = matches!(event, Event::Assemblies { .. });
            let mut effects = state.assembly.reply(tag, event);
            if listed {
                assembly::keys::settle(state);
            }
            if last && tag == Tag::AssemblyLeave {
                effects.push(Effect::call(Tag::Status, Op::Status));
            }
            effects
        }
        Tag::Pending => match event {
            Event::Asking { asking } => consent::came(state, asking),
            Event::Failed { failure } => {
                state.consent.asks.failed(failure);
                vec![]
            }
            _ => vec![],
        },
        Tag::Answer(id) => consent::answered(state, id, event),
        Tag::Grants
        | Tag::Ledger
        | Tag::LedgerOlder
        | Tag::Disclosed
        | Tag::DisclosedOlder
        | Tag::Verify
        | Tag::Revoke => {
            let entries = state.status.as_ref().map(|status| status.ledger);
            let mut effects = state.consent.reply(tag, event, entries);
            if matches!(tag, Tag::Verify | Tag::Revoke) {
                effects.push(Effect::call(Tag::Status, Op::Status));
            }
            effects
        }
        Tag::Sessions => {
            if let Some(Overlay::Sessions(list)) = state.overlays.last_mut() {
                list.list = match event {
                    Event::Sessions { sessions } => Loaded::Full(sessions),
                    Event::Failed { failure } => Loaded::Failed(failure),
                    _ => return vec![],
                };
                list.select(0);
            }
            vec![]
        }
        Tag::Show(serial) => {
            let (columns, _) = item::text_size(state.place.size);
            if let Some(Overlay::Item(shown)) = state.overlays.last_mut()
                && shown.serial == serial
            {
                match event {
                    Event::Item { item } => shown.fill(*item, columns),
                    Event::Failed { failure } => shown.failed = Some(failure),
                    _ => {}
                }
            }
            vec![]
        }
        Tag::ForgetPreview(serial) => preview(state, serial, event),
        Tag::Forget(serial) => forgotten(state, serial, event),
        Tag::Kill | Tag::Lift => switched(state, tag, event),
    }
}

/// A conversation was taken along: it opens.
fn forked(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Sessions { sessions } => match sessions.into_iter().next() {
            Some(line) => {
                state.toast = Some("a new conversation goes on from here; the other one stays as it is".into());
                super::keys::to_chat(state);
                state.chat.open(line.id, &line.title)
            }
            None => vec![],
        },
        Event::Failed { failure } => {
            state.notice(super::words::failure(&failure));
            vec![]
        }
        _ => vec![],
    }
}

fn asked(state: &mut State, serial: u32) -> Option<&mut Forget> {
    state.overlays.iter_mut().rev().find_map(|overlay| match overlay {
        Overlay::Forget(forget) if forget.serial == serial => Some(forget),
        _ => None,
    })
}

fn preview(state: &mut State, serial: u32, event: Event) -> Vec<Effect> {
    if let Some(forget) = asked(state, serial) {
        match event {
            Event::Forgotten { report } => forget.stage = Stage::Asking(report),
            Event::Failed { failure } => forget.stage = Stage::Failed(failure),
            _ => {}
        }
    }
    vec![]
}

/// Something is gone from the memory: what the screen still shows of it goes as well.
fn forgotten(state: &mut State, serial: u32, event: Event) -> Vec<Effect> {
    match event {
        Event::Forgotten { report } => {
            if let Some(forget) = asked(state, serial) {
                forget.stage = Stage::Gone(report);
            } else {
                state.notice("It is forgotten.");
            }
            state.overlays.retain(|overlay| !matches!(overlay, Overlay::Item(_)));
            state.consent.forgotten();
            state.chat.recalled = Default::default();
            for turn in &mut state.chat.turns {
                turn.hits.clear();
            }
            state.chat.composer.forget_history();
            let gone = asked(state, serial).map(|forget| forget.target.clone());
            let mut effects = match gone {
                Some(ForgetTarget::Session { session }) if state.chat.session == Some(session) => state.chat.begin(),
                _ => state.chat.reread(),
            };
            if state.overlays.iter().any(|overlay| matches!(overlay, Overlay::Sessions(_))) {
                effects.push(Effect::call(Tag::Sessions, Op::Sessions));
            }
            effects.push(Effect::call(Tag::Typed, Op::Typed { limit: SAID_MAX }));
            effects.extend(state.memory.again());
            effects.extend(state.sources.enter());
            effects.push(Effect::call(Tag::Status, Op::Status));
            effects
        }
        Event::Failed { failure } => {
            if let Some(forget) = asked(state, serial) {
                forget.stage = Stage::Failed(failure);
            } else {
                state.notice(super::words::failure(&failure));
            }
            vec![]
        }
        _ => vec![],
    }
}

fn switched(state: &mut State, tag: Tag, event: Event) -> Vec<Effect> {
    if !event.is_final() {
        return vec![];
    }
    let failure = match event {
        Event::Failed { failure } => Some(failure),
        _ => None,
    };
    let prompt = state.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Passphrase(prompt) if prompt.purpose == Purpose::Lift => Some(prompt),
        _ => None,
    });
    match (tag, failure, prompt) {
        (Tag::Lift, Some(failure), Some(prompt)) => {
            prompt.busy = false;
            prompt.failed = Some(failure);
        }
        (Tag::Lift, None, _) => {
            state
                .overlays
                .retain(|overlay| !matches!(overlay, Overlay::Passphrase(prompt) if prompt.purpose == Purpose::Lift));
        }
        (_, Some(failure), _) => state.notice(super::words::failure(&failure)),
        _ => {}
    }
    let mut effects = vec![Effect::call(Tag::Status, Op::Status)];
    effects.extend(state.sources.enter());
    effects
}
