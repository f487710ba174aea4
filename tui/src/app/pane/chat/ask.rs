//! Asking: sending, asking anew, asking again, and what becomes of the answer.

use super::{Chat, Editing, Foot, Live, Turn};
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::text;
use hinet_protocol::{
    After, Answer, ChatParams, Draft, ErrorKind, Event, Failure, Feedback, Millis, Op, Role, Said, Turn as Hanging,
    Within,
};

/// How a question is asked.
enum How {
    /// Where the conversation is.
    Next,
    /// There too, but for a draft in the owner's voice.
    Draft,
    /// Instead of the message with this number, which stays as another version.
    Anew(usize),
    /// The message with this number as it stands, for another answer.
    Again(usize),
}

impl Chat {
    /// Sends what is typed, or queues it while an answer is being made.
    pub fn send(&mut self, now: Millis) -> Vec<Effect> {
        if self.composer.is_blank() {
            return vec![];
        }
        // A question that is to be answered from something waits until that has been read.
        if self.composer.chips.iter().any(|chip| chip.within.is_none()) {
            return vec![];
        }
        if let Some(editing) = self.editing.clone() {
            return self.send_edited(&editing, now);
        }
        let mut text = self.composer.take();
        if text.starts_with("!!") {
            text.remove(0);
        }
        if self.live.is_some() || self.loading {
            self.composer.queue(text);
            return vec![];
        }
        self.follow();
        self.ask(text, &How::Next, now)
    }

    /// What is asked by hand is followed; what was queued does not move the reader.
    fn follow(&mut self) {
        self.scroll = None;
        self.reader.away();
    }

    /// Asks what waited until the conversation was free for it.
    pub(super) fn ask_queued(&mut self, now: Millis) -> Vec<Effect> {
        let queued = self.composer.unqueue();
        queued.map(|queued| self.ask(queued, &How::Next, now)).unwrap_or_default()
    }

    fn send_edited(&mut self, editing: &Editing, now: Millis) -> Vec<Effect> {
        if self.live.is_some() {
            return vec![];
        }
        let text = self.composer.take();
        self.stop_editing();
        if editing.role == Role::Assistant {
            return self.feedback(editing.turn, |feedback| feedback.edited = Some(text));
        }
        self.follow();
        self.ask(text, &How::Anew(editing.turn), now)
    }

    /// Asks for another answer to the question at or before `turn`. Returns `None` where there is none.
    pub fn regenerate(&mut self, turn: usize, now: Millis) -> Option<Vec<Effect>> {
        if self.live.is_some() || self.loading {
            return None;
        }
        let question = (0..=turn.min(self.turns.len().checked_sub(1)?)).rev();
        let at = question.into_iter().find(|at| self.turns[*at].role == Role::User)?;
        let text = self.turns[at].text.clone();
        self.follow();
        Some(self.ask(text, &How::Again(at), now))
    }

    /// Asks for a draft in the owner's voice. Returns `None` while an answer is being made.
    pub fn draft_in_voice(&mut self, text: String, now: Millis) -> Option<Vec<Effect>> {
        if self.live.is_some() || self.loading {
            return None;
        }
        self.follow();
        Some(self.ask(text, &How::Draft, now))
    }

    fn ask(&mut self, text: String, how: &How, now: Millis) -> Vec<Effect> {
        self.asked = self.asked.wrapping_add(1);
        self.failed = None;
        if self.title.is_empty() {
            self.title = text::fit(&text, 40);
        }
        let (within, attached) = self.composer.take_within(&text);
        let turn = self.hanging(how, within, attached.clone());
        let op = self.op(text.clone(), how, turn);
        match how {
            How::Next | How::Draft => {}
            How::Anew(at) => self.turns.truncate(*at),
            How::Again(at) => self.turns.truncate(at + 1),
        }
        if !matches!(how, How::Again(_)) {
            self.push(Turn { attached, ..Turn::said(Role::User, text.clone(), now) });
        }
        self.versions += 1;
        let branches = !matches!(how, How::Next | How::Draft);
        self.live = Some(Live { at: now, question: text, version: self.versions, branches, ..Live::default() });
        self.reader.settle(self.turns.len());
        self.refresh_recalled();
        vec![Effect::call(self.tag(), op)]
    }

    fn op(&self, text: String, how: &How, turn: Hanging) -> Op {
        let params = ChatParams::default();
        let stored = |at: &usize| Some((self.session?, self.turns.get(*at)?.id?));
        match how {
            How::Again(at) => match stored(at) {
                Some((session, message)) => Op::Regenerate { session, message, turn, params },
                None => Op::Chat { session: self.session, text, turn, params },
            },
            _ => Op::Chat { session: self.session, text, turn, params },
        }
    }

    /// Where the turn hangs and what it may draw on.
    fn hanging(&self, how: &How, within: Vec<Within>, attached: Vec<String>) -> Hanging {
        let before = match how {
            How::Next | How::Draft => self.turns.len(),
            // The conversation may have become shorter since the edit began.
            How::Anew(at) | How::Again(at) => (*at).min(self.turns.len()),
        };
        let parent = before.checked_sub(1).and_then(|at| self.turns[at].id);
        let after = match (how, parent) {
            (How::Next | How::Draft, _) => After::Head,
            (_, Some(parent)) => After::Message(parent),
            (_, None) if before == 0 => After::Start,
            (_, None) => After::Head,
        };
        let said = |turn: &Turn| Said { role: turn.role, text: turn.text.clone() };
        let incognito = self.incognito.then(|| self.turns[..before].iter().map(said).collect());
        let drafted = |at: &usize| {
            let answer = self.turns.get(at + 1);
            answer.is_some_and(|turn| matches!(&turn.foot, Foot::Made { how, .. } if how == "draft"))
        };
        let voice = match how {
            How::Draft => true,
            How::Again(at) => drafted(at),
            How::Next | How::Anew(_) => false,
        };
        let assembly = self.assembly.clone();
        Hanging { after, within, attached, forgo: self.forgo, voice, assembly, incognito }
    }

    /// Stops the answer being made. Returns `None` where none is.
    pub fn stop(&mut self, now: Millis) -> Option<Vec<Effect>> {
        let tag = self.tag();
        let live = self.live.as_mut()?;
        self.composer.return_queued();
        if live.stopping {
            // The node did not answer the first time: keep what is here and let go.
            self.end_partly(Foot::stopped(), now);
            return Some(vec![Effect::Drop(tag)]);
        }
        live.stopping = true;
        self.versions += 1;
        live.version = self.versions;
        Some(vec![Effect::Stop(tag)])
    }

    /// Ends the answer with the words there are.
    fn end_partly(&mut self, foot: Foot, now: Millis) {
        let Some(live) = self.live.take() else { return };
        self.push(Turn { hits: live.hits, foot, ..Turn::said(Role::Assistant, live.text, now) });
        self.refresh_recalled();
    }

    fn end(&mut self, answer: Answer, now: Millis) -> Vec<Effect> {
        let live = self.live.take().unwrap_or_default();
        if !self.incognito {
            self.session = Some(answer.session);
            if let Some(turn) = self.turns.last_mut().filter(|turn| turn.role == Role::User) {
                turn.id = Some(answer.question);
            }
        }
        self.context = answer.context;
        let mut turn = Turn::answered(answer, live.hits, now);
        turn.id = turn.id.filter(|_| !self.incognito);
        self.push(turn);
        self.refresh_recalled();
        // Which version of how many each message is now, the node knows.
        if live.branches { self.reread() } else { vec![] }
    }

    /// The node went away: the answer being made will not come.
    pub fn lost(&mut self, now: Millis) {
        // What was being read for the next question will not be told any more.
        self.composer.chips.retain(|chip| chip.within.is_some());
        let hint = "Up brings the question back; what was stored is kept.";
        self.fail(Failure::new(ErrorKind::Failed, "The node went away while it answered.", hint), now);
    }

    fn fail(&mut self, failure: Failure, now: Millis) {
        self.composer.return_queued();
        let Some(live) = &self.live else { return };
        if failure.kind == ErrorKind::Cancelled || live.stopping {
            self.end_partly(Foot::stopped(), now);
            return;
        }
        let (question, branches) = (live.question.clone(), live.branches);
        self.end_partly(Foot::Failed(failure), now);
        // What was asked again still stands above; what was asked anew would be lost without this.
        if self.composer.is_blank()
            && !(branches && self.turns.iter().any(|turn| turn.id.is_some() && turn.text == question))
        {
            self.composer.set(&question);
        }
    }

    pub(super) fn answer(&mut self, event: Event, now: Millis) -> Vec<Effect> {
        let Some(live) = &mut self.live else { return vec![] };
        self.versions += 1;
        live.version = self.versions;
        match event {
            Event::Recalled { session, hits } => {
                live.hits = hits;
                live.recalled = true;
                self.refresh_recalled();
                if !self.incognito && self.session.replace(session).is_none() && !self.composer.unsent().is_empty() {
                    // What was typed meanwhile is this conversation's draft and no longer a new one's.
                    self.told = u64::MAX;
                    return vec![Effect::Draft(Draft { session: None, text: String::new() })];
                }
            }
            Event::Progress { progress } => live.progress = Some(progress),
            Event::ChatDelta { text } => live.text.push_str(&text),
            Event::ChatReset => live.text.clear(),
            Event::ChatDone { answer } => {
                let mut effects = self.end(*answer, now);
                effects.extend(self.ask_queued(now));
                return effects;
            }
            Event::Failed { failure } => self.fail(failure, now),
            _ => {}
        }
        vec![]
    }

    /// Says what the owner thinks of the answer at `turn`. Nothing happens to a message that is stored nowhere.
    pub fn feedback(&mut self, turn: usize, change: impl FnOnce(&mut Feedback)) -> Vec<Effect> {
        let Some(message) = self.turns.get(turn).filter(|turn| turn.role == Role::Assistant).and_then(|turn| turn.id)
        else {
            return vec![];
        };
        let before = self.turns[turn].feedback.clone();
        change(&mut self.turns[turn].feedback);
        let feedback = self.turns[turn].feedback.clone();
        if feedback == before {
            return vec![];
        }
        self.touch(turn);
        vec![Effect::call(Tag::Feedback, Op::Feedback { message, feedback })]
    }
}
