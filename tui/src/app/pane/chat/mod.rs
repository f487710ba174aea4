//! The conversation: turns, the answer being made, and the input below.
//!
//! At most one answer is made at a time; what is sent meanwhile waits in the input and goes next. A stopped answer
//! keeps its words, a failed one gives the question back. Nothing the owner or the iCore said is lost by editing,
//! regenerating or going back: the node keeps every branch, and this shows the one the conversation is on.

mod ask;
pub mod attach;
mod branch;
pub mod commands;
pub mod find;
pub mod input;
pub mod keys;
mod reader;
mod view;

use super::composer::Composer;
use super::recalled::Recalled;
use super::transcript::{Kept, Transcript};
pub use super::turn::{Foot, Live, Turn};
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::Scroll;
use crate::app::state::State;
use hinet_protocol::{Draft, Event, Failure, Message, MessageId, Op, Role, SessionId};
use std::cell::RefCell;
use std::collections::HashMap;

pub use find::Find;
pub use reader::Reader;
pub use view::{scroll_by, scroll_home, view};

/// What the input is for, where it is not a new message.
#[derive(Debug, Clone, PartialEq)]
pub struct Editing {
    /// The message whose words are in the input.
    pub id: Option<MessageId>,
    /// Its place in the conversation.
    pub turn: usize,
    /// Whose it is: a question is asked anew, an answer is told how it should have been.
    pub role: Role,
    /// What was typed before.
    pub draft: String,
}

/// The pane.
#[derive(Default)]
pub struct Chat {
    /// The conversation that is open; none before its first answer, and none for an incognito one.
    pub session: Option<SessionId>,
    /// Its title.
    pub title: String,
    /// Its messages, on the branch it is on.
    pub turns: Vec<Turn>,
    /// The answer being made.
    pub live: Option<Live>,
    /// Where the reader is.
    pub scroll: Option<Scroll>,
    /// Context window use.
    pub context: f32,
    /// Whether the messages are on their way.
    pub loading: bool,
    /// Why they did not come.
    pub failed: Option<Failure>,
    /// The input.
    pub composer: Composer,
    /// What the input is for, where it is not a new message.
    pub editing: Option<Editing>,
    /// What was recalled, beside the conversation.
    pub recalled: Recalled,
    /// The line the reader is at, where the conversation has the keys.
    pub reader: Reader,
    /// Finding something in this conversation.
    pub find: Option<Find>,
    /// Nothing of this conversation is kept anywhere.
    pub incognito: bool,
    /// The memory is left alone in this conversation.
    pub forgo: bool,
    /// The assembly that is asked where the memory has no answer, in this and every other conversation of this window.
    pub assembly: Option<String>,
    /// The number of the last answer asked for.
    pub asked: u32,
    /// The message to stand at once the messages of the conversation are here.
    pub seek: Option<MessageId>,
    /// The command that is running for an attachment.
    pub running: Option<String>,
    /// The state of the input that the node was last told of.
    told: u64,
    /// What is typed in the other conversations.
    drafts: HashMap<Option<SessionId>, String>,
    versions: u64,
    kept: RefCell<Kept>,
}

impl Chat {
    /// The tag of the answer being made.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag::Chat(self.asked)
    }

    fn scroll(&self) -> Scroll {
        self.scroll.unwrap_or(Scroll::End)
    }

    /// The conversation laid out for `columns`.
    #[must_use]
    pub fn transcript<'a>(&'a self, state: &'a State, columns: usize) -> Transcript<'a> {
        Transcript {
            turns: &self.turns,
            live: self.live.as_ref(),
            kept: &self.kept,
            columns,
            theme: &state.theme,
            colours: &state.code_colours,
            now: state.now,
            zone: &state.place.zone,
        }
    }

    /// Adds a turn at the end.
    pub fn push(&mut self, mut turn: Turn) {
        self.versions += 1;
        turn.version = self.versions;
        self.turns.push(turn);
    }

    /// Says that a turn is not what it was, so that it is laid out anew.
    fn touch(&mut self, turn: usize) {
        self.versions += 1;
        if let Some(turn) = self.turns.get_mut(turn) {
            turn.version = self.versions;
        }
    }

    /// The last answer, with what it stands on.
    #[must_use]
    pub fn last_answer(&self) -> Option<&Turn> {
        self.turns.iter().rev().find(|turn| turn.role == Role::Assistant)
    }

    /// The answer whose passages are shown beside the conversation: the one the reader is at, else the last.
    #[must_use]
    pub fn shown_answer(&self) -> Option<&Turn> {
        let Some(at) = self.reader.turn() else { return self.last_answer() };
        // A question shows what its answer stands on.
        self.turns.iter().skip(at).find(|turn| turn.role == Role::Assistant)
    }

    /// What is shown beside the conversation: of the answer the reader is at, of the one being made, else of the last.
    pub fn refresh_recalled(&mut self) {
        let mut recalled = std::mem::take(&mut self.recalled);
        match (&self.live, self.shown_answer()) {
            (None, Some(turn)) => recalled.fill(&turn.citations, &turn.hits),
            (Some(_), Some(turn)) if self.reader.turn().is_some() => recalled.fill(&turn.citations, &turn.hits),
            (Some(live), _) => recalled.fill(&[], &live.hits),
            (None, None) => recalled.fill(&[], &[]),
        }
        self.recalled = recalled;
    }

    /// A new conversation. Returns what has to be given up for it. What is typed stays with the conversation it was
    /// typed in.
    pub fn begin(&mut self) -> Vec<Effect> {
        self.leave(None)
    }

    /// A new conversation of which nothing is kept.
    pub fn begin_incognito(&mut self) -> Vec<Effect> {
        let effects = self.begin();
        self.incognito = true;
        effects
    }

    fn leave(&mut self, next: Option<SessionId>) -> Vec<Effect> {
        let mut effects = if self.live.is_some() { vec![Effect::Drop(self.tag())] } else { vec![] };
        self.stop_editing();
        self.composer.return_queued();
        let mut drafts = std::mem::take(&mut self.drafts);
        // What is typed in an incognito conversation goes with it.
        if !self.incognito {
            let typed = self.composer.text();
            if typed.trim().is_empty() {
                drafts.remove(&self.session);
            } else {
                drafts.insert(self.session, typed.clone());
                effects.push(Effect::Draft(Draft { session: self.session, text: typed }));
            }
        }
        let mut composer = std::mem::take(&mut self.composer);
        composer.set(&drafts.remove(&next).unwrap_or_default());
        let told = composer.revision();
        let (running, assembly) = (self.running.take(), self.assembly.take());
        let (asked, versions) = (self.asked, self.versions);
        *self = Self { composer, drafts, told, running, assembly, asked, versions, ..Self::default() };
        effects
    }

    /// Opens a stored conversation.
    pub fn open(&mut self, session: SessionId, title: &str) -> Vec<Effect> {
        self.open_by(session, title, Op::Messages { session })
    }

    /// Opens a stored conversation at a message, on whichever branch that is.
    pub fn open_at(&mut self, session: SessionId, title: &str, message: MessageId) -> Vec<Effect> {
        let effects = self.open_by(session, title, Op::Branch { session, message });
        self.seek = Some(message);
        effects
    }

    fn open_by(&mut self, session: SessionId, title: &str, op: Op) -> Vec<Effect> {
        let mut effects = self.leave(Some(session));
        self.session = Some(session);
        title.clone_into(&mut self.title);
        self.loading = true;
        effects.push(Effect::call(Tag::Open(session), op));
        effects
    }

    /// Reads the open conversation again, because something of it changed in the node.
    pub fn reread(&mut self) -> Vec<Effect> {
        let Some(session) = self.session.filter(|_| self.live.is_none()) else { return vec![] };
        vec![Effect::call(Tag::Open(session), Op::Messages { session })]
    }

    fn fill(&mut self, messages: Vec<Message>) {
        self.loading = false;
        self.failed = None;
        // What only this run knows of an answer, such as why it failed, stays.
        let mut before: HashMap<MessageId, Turn> =
            std::mem::take(&mut self.turns).into_iter().filter_map(|turn| Some((turn.id?, turn))).collect();
        for message in messages {
            if message.role == Role::User {
                self.composer.remember(&message.text);
            }
            let mut turn = Turn::stored(message);
            let known = turn.id.and_then(|id| before.remove(&id)).filter(|known| known.text == turn.text);
            if let (Foot::None, Some(known)) = (&turn.foot, known) {
                turn.foot = known.foot;
            }
            self.push(turn);
        }
        if let Some(at) = self.seek.take().and_then(|id| self.turns.iter().position(|turn| turn.id == Some(id))) {
            self.scroll = Some(Scroll::At(crate::app::scroll::Place { block: at, line: 0 }));
        }
        self.reader.settle(self.turns.len());
        self.find_again();
        self.refresh_recalled();
    }

    /// What was said and typed before, in earlier runs.
    pub fn recollect(&mut self, said: Vec<String>, drafts: Vec<Draft>) {
        self.composer.recollect(said);
        for draft in drafts {
            if draft.session == self.session && self.composer.is_blank() {
                self.composer.set(&draft.text);
            } else {
                self.drafts.entry(draft.session).or_insert(draft.text);
            }
        }
    }

    /// What is typed, where it is not what the node was last told. Nothing of an incognito conversation is told.
    pub fn draft(&mut self) -> Vec<Effect> {
        if self.told == self.composer.revision() || self.incognito || self.editing.is_some() {
            return vec![];
        }
        self.told = self.composer.revision();
        vec![Effect::Draft(Draft { session: self.session, text: self.composer.unsent() })]
    }

    /// The draft of a conversation that is not open.
    #[must_use]
    pub fn has_draft(&self, session: SessionId) -> bool {
        self.drafts.contains_key(&Some(session))
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event, now: hinet_protocol::Millis) -> Vec<Effect> {
        match tag {
            Tag::Chat(number) if number == self.asked && self.live.is_some() => self.answer(event, now),
            Tag::Open(session) if self.session == Some(session) && self.live.is_none() => {
                match event {
                    Event::Messages { messages } => {
                        self.fill(messages);
                        return self.ask_queued(now);
                    }
                    Event::Failed { failure } => {
                        self.loading = false;
                        self.composer.return_queued();
                        self.failed = Some(failure);
                    }
                    _ => {}
                }
                vec![]
            }
            _ => vec![],
        }
    }
}
