//! Branches: editing a message, turning between versions, going back, taking a conversation along into a new one.

use super::{Chat, Editing};
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use hinet_protocol::{Op, Role};

impl Chat {
    /// Puts the words of a message into the input, to be asked anew or, for an answer, to be told how they should have
    /// been. What was typed comes back afterwards. Returns whether there is such a message.
    pub fn edit(&mut self, turn: usize) -> bool {
        if self.live.is_some() {
            return false;
        }
        let Some(message) = self.turns.get(turn) else { return false };
        // An answer that is stored nowhere can be told nothing.
        if message.role == Role::Assistant && message.id.is_none() {
            return false;
        }
        let (id, role) = (message.id, message.role);
        let text = message.feedback.edited.clone().unwrap_or_else(|| message.text.clone());
        self.stop_editing();
        let draft = self.composer.text();
        self.editing = Some(Editing { id, turn, role, draft });
        self.composer.set(&text);
        true
    }

    /// Leaves the message as it was and gives back what was typed before. Returns whether one was being edited.
    pub fn stop_editing(&mut self) -> bool {
        let Some(editing) = self.editing.take() else { return false };
        self.composer.set(&editing.draft);
        true
    }

    /// Turns to the version of a message `by` places further on. Returns `None` where there is none.
    pub fn version(&mut self, turn: usize, by: isize) -> Option<Vec<Effect>> {
        let (session, turn) = (self.session?, self.turns.get(turn)?);
        let (at, _) = turn.version_of()?;
        let message = *turn.siblings.get((at - 1).checked_add_signed(by)?)?;
        self.turn_to(session, Op::Branch { session, message })
    }

    /// Goes on to what follows the last message shown.
    pub fn onward(&mut self) -> Option<Vec<Effect>> {
        let (session, last) = (self.session?, self.turns.last()?);
        let message = last.id.filter(|_| last.onward > 0)?;
        self.turn_to(session, Op::Branch { session, message })
    }

    fn turn_to(&mut self, session: hinet_protocol::SessionId, op: Op) -> Option<Vec<Effect>> {
        if self.live.is_some() {
            return None;
        }
        self.stop_editing();
        Some(vec![Effect::call(Tag::Open(session), op)])
    }

    /// Goes back to a message: to behind an answer, or to before a question, whose words come back into the input.
    /// What followed stays as a branch.
    pub fn rewind(&mut self, turn: usize) -> Option<Vec<Effect>> {
        let session = self.session?;
        let message = self.turns.get(turn)?;
        let kept = match message.role {
            Role::Assistant => Some(message.id?),
            Role::User => match turn.checked_sub(1) {
                Some(before) => Some(self.turns[before].id?),
                None => None,
            },
        };
        let question = (message.role == Role::User).then(|| message.text.clone());
        let effects = self.turn_to(session, Op::Rewind { session, message: kept })?;
        if let Some(question) = question.filter(|_| self.composer.is_blank()) {
            self.composer.set(&question);
        }
        self.scroll = None;
        Some(effects)
    }

    /// Takes the conversation up to a message along into a new one.
    pub fn fork(&mut self, turn: usize) -> Option<Vec<Effect>> {
        let (session, message) = (self.session?, self.turns.get(turn)?.id?);
        Some(vec![Effect::call(Tag::Fork, Op::Fork { session, message })])
    }
}
