//! Keys of the consent pane.

use super::{Part, read_filter, show_now};
use crate::app::effect::Effect;
use crate::app::keymap::{Action, Scope};
use crate::app::keys::movement;
use crate::app::overlay::question::About;
use crate::app::overlay::{Overlay, Question};
use crate::app::state::State;
use crate::app::words;
use crossterm::event::KeyEvent;

/// The scope of the part that has the keys.
#[must_use]
pub fn scope(state: &State) -> Scope {
    match state.consent.part {
        _ if state.consent.filtering => Scope::Filter,
        Part::Grants => Scope::Grants,
        Part::Waiting => Scope::Waiting,
        Part::Disclosed | Part::Ledger => Scope::Ledger,
    }
}

/// Does what an action says in this pane.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let entries = state.status.as_ref().map(|status| status.ledger);
    match action {
        Action::Verify => state.consent.verify(entries),
        Action::Revoke => {
            revoke(state);
            vec![]
        }
        Action::Filter => {
            (state.consent.part, state.consent.filtering) = (Part::Ledger, true);
            vec![]
        }
        Action::Send if state.consent.filtering => {
            state.consent.filtering = false;
            let (kinds, matching) = read_filter(state.consent.filter.text());
            state.consent.ledger.filter(kinds, matching)
        }
        Action::Open if state.consent.part == Part::Waiting => {
            let chosen = state.consent.asks.current().map(|asking| asking.id);
            if chosen.is_some() { show_now(state, chosen) } else { vec![] }
        }
        action => state.consent.select(movement(action, 10).unwrap_or(0)),
    }
}

/// Esc in this pane; returns whether there was something to leave.
pub fn back(state: &mut State) -> bool {
    std::mem::take(&mut state.consent.filtering)
}

/// A key that is no command.
pub fn typed(state: &mut State, key: KeyEvent) {
    if state.consent.filtering {
        state.consent.filter.key(key);
    }
}

fn revoke(state: &mut State) {
    let Some(grant) = state.consent.standing() else { return };
    let sources = state.sources.list.get().map_or(&[][..], Vec::as_slice);
    let sentence = words::grant(grant, sources, &state.place.home_dir);
    let effect = format!(
        "{sentence}\n\nTaken back, this ends at once and is written into the ledger. What is already remembered stays until you \
         forget it."
    );
    state.overlays.push(Overlay::Question(Question { about: About::Revoke(grant.id), effect }));
}
