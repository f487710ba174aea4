//! Requests that wait for the owner: when the question comes up, and when it holds back because something is typed.
//!
//! Invariants: the question never comes up while keys are being pressed or something lies over the panes; every request
//! is put before the owner once; what is not answered is refused by the node alone.

use crate::app::effect::Effect;
use crate::app::gate::Gate;
use crate::app::keymap::{Action, Scope};
use crate::app::msg::Tag;
use crate::app::overlay::passphrase::Purpose;
use crate::app::overlay::{Approval, Overlay, Passphrase};
use crate::app::scroll::step;
use crate::app::state::{Loaded, State};
use crate::app::words;
use hinet_protocol::{Asking, Event, Failure, Millis, Op, Verdict};

/// The input is idle when no key was pressed for so long.
const IDLE_MS: Millis = 2_500;
/// A request is dropped from the screen so long after its time, in case the node says nothing.
const LATE_MS: Millis = 3_000;

/// The requests.
#[derive(Default)]
pub struct Asks {
    /// Oldest first.
    pub list: Loaded<Vec<Asking>>,
    /// The selected one, in the consent pane.
    pub selected: usize,
    /// The owner's answer to these is on its way, or failed and they are left to run out.
    decided: Vec<u64>,
    /// The notice that stands for them while something is typed.
    notice: Option<String>,
}

impl Asks {
    fn open(&self, now: Millis) -> impl Iterator<Item = &Asking> {
        let list = self.list.get().map_or(&[][..], Vec::as_slice);
        list.iter().filter(move |asking| !self.decided.contains(&asking.id) && asking.until > now)
    }

    /// They could not be asked for.
    pub fn failed(&mut self, failure: Failure) {
        if self.list.get().is_none() {
            self.list = Loaded::Failed(failure);
        }
    }

    /// The selected one.
    #[must_use]
    pub fn current(&self) -> Option<&Asking> {
        self.list.get()?.get(self.selected)
    }

    pub(super) fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.list.get().map_or(0, Vec::len));
    }

    fn fill(&mut self, asking: Vec<Asking>) {
        let chosen = self.current().map(|asking| asking.id);
        self.decided.retain(|id| asking.iter().any(|asking| asking.id == *id));
        self.selected = asking.iter().position(|asking| Some(asking.id) == chosen).unwrap_or(0);
        self.list = Loaded::Full(asking);
    }
}

/// The requests that wait now, as the node says.
pub fn came(state: &mut State, asking: Vec<Asking>) -> Vec<Effect> {
    let before = state.consent.asks.list.get().cloned().unwrap_or_default();
    for gone in before.iter().filter(|old| !asking.iter().any(|new| new.id == old.id)) {
        // The owner's own answer may be on its way here still.
        let own = state.overlays.iter().any(|overlay| {
            matches!(overlay, Overlay::Passphrase(Passphrase { purpose: Purpose::Answer { id, .. }, busy: true, .. })
                if *id == gone.id)
        });
        if !own && !state.consent.asks.decided.contains(&gone.id) {
            let who = words::asker(&gone.asker);
            let late = state.now + 1_000 >= gone.until;
            let how =
                if late { "got no answer in time, so nothing left" } else { "no longer waits; the ledger says why" };
            state.notice(format!("{who} {how}."));
        }
        close(state, gone.id);
    }
    state.consent.asks.fill(asking);
    show(state)
}

/// Takes away what is over the panes because of a request.
fn close(state: &mut State, id: u64) {
    state.overlays.retain(|overlay| match overlay {
        Overlay::Approval(approval) => approval.asking.id != id,
        Overlay::Passphrase(prompt) => !matches!(prompt.purpose, Purpose::Answer { id: asked, .. } if asked == id),
        _ => true,
    });
}

fn put_away_notice(state: &mut State) {
    if let Some(notice) = state.consent.asks.notice.take() {
        state.notices.retain(|said| *said != notice);
    }
}

fn comes_up(state: &mut State, asking: Asking, led_to: bool) {
    put_away_notice(state);
    let after = state.consent.asks.open(state.now).count().saturating_sub(1);
    state.overlays.push(Overlay::Approval(Box::new(Approval::new(asking, state.now, led_to, after))));
}

/// Puts the next request before the owner, or says that it waits where keys are being pressed.
pub fn show(state: &mut State) -> Vec<Effect> {
    let next = state.consent.asks.open(state.now).next().cloned();
    let up = state.overlays.iter().any(|overlay| matches!(overlay, Overlay::Approval(_)));
    match next {
        Some(asking) if !up => {
            let idle = state.now - state.typed_at >= IDLE_MS || state.now < state.typed_at;
            if state.overlays.is_empty() && idle && matches!(state.gate, Gate::Open) {
                comes_up(state, asking, false);
            } else if state.consent.asks.notice.is_none() {
                let key = state.keymap.key_of(&[Scope::Everywhere], Action::Requests);
                let key = key.map_or_else(String::new, |key| format!("{key} shows what it is. "));
                let who = words::asker(&asking.asker);
                let said = format!("{who} asks for something of yours. {key}Without an answer nothing leaves.");
                state.notice(said.clone());
                state.consent.asks.notice = Some(said);
            }
        }
        None if !up => put_away_notice(state),
        _ => {}
    }
    wait(state)
}

/// Asks for one tick, where something waits and none is on its way.
fn wait(state: &mut State) -> Vec<Effect> {
    let waits = state.consent.asks.list.get().is_some_and(|list| !list.is_empty());
    if !waits || state.ticking {
        return vec![];
    }
    state.ticking = true;
    vec![Effect::Tick]
}

/// A second went by. The screen changes only where the seconds are on it, or something comes or goes.
pub fn tick(state: &mut State) -> Vec<Effect> {
    state.ticking = false;
    let signs = (state.overlays.len(), state.notices.len());
    let list = state.consent.asks.list.get().cloned().unwrap_or_default();
    let kept: Vec<Asking> = list.iter().filter(|asking| asking.until + LATE_MS > state.now).cloned().collect();
    let effects = if kept.len() < list.len() { came(state, kept) } else { show(state) };
    let counts = state.overlays.iter().any(|overlay| matches!(overlay, Overlay::Approval(_)));
    state.dirty = counts || signs != (state.overlays.len(), state.notices.len());
    effects
}

/// The owner wants to see what waits: the selected one in the consent pane, else the oldest.
pub fn show_now(state: &mut State, chosen: Option<u64>) -> Vec<Effect> {
    let asks = &state.consent.asks;
    let asking = asks.open(state.now).find(|asking| chosen.is_none_or(|id| asking.id == id)).cloned();
    match asking {
        Some(asking) => comes_up(state, asking, true),
        None => state.toast = Some("nobody waits for an answer".into()),
    }
    wait(state)
}

/// The next one in the row comes up at once: the owner is answering questions.
fn next(state: &mut State) -> Vec<Effect> {
    let next = state.consent.asks.open(state.now).next().cloned();
    if let Some(asking) = next.filter(|_| state.overlays.is_empty()) {
        comes_up(state, asking, true);
    }
    show(state)
}

/// The owner says no; nothing has to be proven for that.
pub fn refuse(state: &mut State, id: u64) -> Vec<Effect> {
    close(state, id);
    state.consent.asks.decided.push(id);
    let mut effects = vec![Effect::call(Tag::Answer(id), Op::Answer { id, verdict: Verdict::No })];
    effects.extend(next(state));
    effects
}

/// How an answer to a request went.
pub fn answered(state: &mut State, id: u64, event: Event) -> Vec<Effect> {
    if !event.is_final() {
        return vec![];
    }
    let refused = state.consent.asks.decided.contains(&id);
    if let Event::Failed { failure } = event {
        let prompt = state.overlays.iter_mut().find_map(|overlay| match overlay {
            Overlay::Passphrase(prompt) if matches!(prompt.purpose, Purpose::Answer { id: asked, .. } if asked == id) => {
                Some(prompt)
            }
            _ => None,
        });
        match prompt {
            Some(prompt) => {
                prompt.busy = false;
                prompt.failed = Some(failure);
            }
            None => state.notice(words::failure(&failure)),
        }
        return vec![];
    }
    if !refused {
        state.consent.asks.decided.push(id);
        state.toast = Some("answered; it is written into the ledger".into());
    }
    close(state, id);
    let mut effects = vec![Effect::call(Tag::Pending, Op::Pending), Effect::call(Tag::Status, Op::Status)];
    effects.extend(next(state));
    effects
}
