//! Reading the conversation with the keys: a line the reader is at, and what can be copied from there.
//!
//! The place is a turn and a line inside it, like the scroll, so that nothing that is added moves it.

use super::Chat;
use crate::app::pane::face;
use crate::app::scroll::{Blocks, Place, Scroll};
use crate::app::state::State;
use crate::app::view::Areas;
use hinet_protocol::Role;

/// Where the reader is. Away, unless the conversation has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reader {
    /// The line.
    pub at: Option<Place>,
    /// Where a selection of lines began.
    pub anchor: Option<Place>,
}

impl Reader {
    /// The turn the reader is at.
    #[must_use]
    pub fn turn(&self) -> Option<usize> {
        self.at.map(|place| place.block)
    }

    /// Leaves the conversation.
    pub fn away(&mut self) {
        *self = Self::default();
    }

    /// Keeps the place inside a conversation of `turns`.
    pub fn settle(&mut self, turns: usize) {
        for place in [&mut self.at, &mut self.anchor].into_iter().flatten() {
            if place.block >= turns {
                *place = Place { block: turns.saturating_sub(1), line: 0 };
            }
        }
        if turns == 0 {
            self.away();
        }
    }

    /// The selected lines, first and last, or the one the reader is at.
    #[must_use]
    pub fn lines(&self) -> Option<(Place, Place)> {
        let at = self.at?;
        let anchor = self.anchor.unwrap_or(at);
        Some((at.min(anchor), at.max(anchor)))
    }
}

impl Chat {
    /// The beginning of the message before or after the one at `turn`.
    fn neighbour(&self, turn: usize, by: isize) -> usize {
        turn.saturating_add_signed(by).min(self.turns.len().saturating_sub(1))
    }

    /// The last message of the owner's.
    #[must_use]
    pub fn last_question(&self) -> Option<usize> {
        self.turns.iter().rposition(|turn| turn.role == Role::User)
    }
}

/// Gives the conversation the keys: at its last message, or where the reader scrolled to.
pub fn enter(state: &mut State, areas: &Areas) {
    if state.chat.turns.is_empty() {
        return;
    }
    let inside = face::inside(areas.main);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    let top = state.chat.scroll().top(&transcript, usize::from(inside.height));
    let last = Place { block: state.chat.turns.len() - 1, line: 0 };
    // Where the last message does not begin on the screen, the first line on it is nearer to what is being read.
    let at = if state.chat.scroll() == Scroll::End { last.max(top) } else { top };
    let at = if at.block >= state.chat.turns.len() { last } else { at };
    state.chat.reader.at = Some(at);
    state.chat.refresh_recalled();
}

/// Moves the reader by lines, and the screen with them.
pub fn step(state: &mut State, areas: &Areas, delta: isize) {
    let Some(at) = state.chat.reader.at else { return };
    let inside = face::inside(areas.main);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    let moved = crate::app::scroll::moved(at, delta, &transcript);
    go(state, areas, moved);
}

/// Moves the reader to the beginning of a message further on or back.
pub fn hop(state: &mut State, areas: &Areas, by: isize) {
    let Some(at) = state.chat.reader.at else { return };
    // Back from the middle of a message goes to its own beginning first.
    let block = if by < 0 && at.line > 0 { at.block } else { state.chat.neighbour(at.block, by) };
    go(state, areas, Place { block, line: 0 });
}

/// Moves the reader to a place and keeps it on the screen.
pub fn go(state: &mut State, areas: &Areas, place: Place) {
    let inside = face::inside(areas.main);
    let height = usize::from(inside.height);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    let place = if place.block >= transcript.count() {
        Place { block: transcript.count().saturating_sub(1), line: 0 }
    } else {
        place
    };
    let top = state.chat.scroll().top(&transcript, height);
    let scroll = if place < top {
        Some(Scroll::At(place))
    } else {
        let below = crate::app::scroll::moved(top, height.saturating_sub(1) as isize, &transcript);
        if place > below {
            let up = crate::app::scroll::moved(place, 1 - height.max(1) as isize, &transcript);
            Some(Scroll::At(up))
        } else {
            // A reader who follows the end goes on following it.
            None
        }
    };
    let pinned = state.chat.scroll() == Scroll::End && state.chat.live.is_some();
    let settled = scroll.map(|scroll| scroll.by(0, &transcript, height));
    if let Some(scroll) = settled {
        state.chat.scroll = Some(scroll);
    } else if pinned {
        // What is added while the reader reads must not move what is read.
        state.chat.scroll = Some(Scroll::At(top));
    }
    let turns = state.chat.turns.len();
    let turn = state.chat.reader.turn();
    state.chat.reader.at = Some(place);
    if place.block >= turns {
        state.chat.reader.settle(turns);
    }
    if state.chat.reader.turn() != turn {
        state.chat.refresh_recalled();
    }
}
