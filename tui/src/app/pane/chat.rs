//! The conversation: turns, the answer being made, and the input below.
//!
//! At most one answer is made at a time; what is sent meanwhile waits in the input and goes next. A stopped answer
//! keeps its words, a failed one gives the question back.

use super::composer::Composer;
use super::face;
use super::recalled::Recalled;
use super::transcript::{Kept, Transcript};
pub use super::turn::{Foot, Live, Turn};
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::Scroll;
use crate::app::state::{Focus, State, Tab};
use crate::app::view::Areas;
use crate::text;
use hinet_protocol::{Answer, ChatParams, ErrorKind, Event, Failure, Message, MessageId, Millis, Op, Role, SessionId};
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};
use std::cell::RefCell;
use std::collections::HashMap;

/// Lines below the screen that are counted: counting them lays them out.
const BELOW_MAX: usize = 99;

/// The pane.
#[derive(Default)]
pub struct Chat {
    /// The conversation that is open; none before its first answer.
    pub session: Option<SessionId>,
    /// Its title.
    pub title: String,
    /// Its messages.
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
    /// What was recalled, beside the conversation.
    pub recalled: Recalled,
    /// The number of the last answer asked for.
    pub asked: u32,
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

    fn say(&mut self, role: Role, text: String, at: Millis) {
        self.push(Turn::said(role, text, at));
    }

    /// The last answer, with what it stands on.
    #[must_use]
    pub fn last_answer(&self) -> Option<&Turn> {
        self.turns.iter().rev().find(|turn| turn.role == Role::Assistant)
    }

    /// What is shown beside the conversation: of the answer being made, else of the last one.
    pub fn refresh_recalled(&mut self) {
        let mut recalled = std::mem::take(&mut self.recalled);
        match (&self.live, self.last_answer()) {
            (Some(live), _) => recalled.fill(&[], &live.hits),
            (None, Some(turn)) => recalled.fill(&turn.citations, &turn.hits),
            (None, None) => recalled.fill(&[], &[]),
        }
        self.recalled = recalled;
    }

    /// A new conversation. Returns what has to be given up for it.
    pub fn begin(&mut self) -> Vec<Effect> {
        let effects = if self.live.is_some() { vec![Effect::Drop(self.tag())] } else { vec![] };
        let composer = std::mem::take(&mut self.composer);
        *self = Self { composer, asked: self.asked, versions: self.versions, ..Self::default() };
        if let Some(queued) = self.composer.queued.take() {
            self.composer.give_back(&queued);
        }
        effects
    }

    /// Opens a stored conversation.
    pub fn open(&mut self, session: SessionId, title: &str) -> Vec<Effect> {
        let mut effects = self.begin();
        self.session = Some(session);
        title.clone_into(&mut self.title);
        self.loading = true;
        effects.push(Effect::call(Tag::Open(session), Op::Messages { session }));
        effects
    }

    /// Reads the open conversation again, because something it quotes was forgotten.
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
        self.refresh_recalled();
    }

    /// Sends what is typed, or queues it while an answer is being made.
    pub fn send(&mut self, now: Millis) -> Vec<Effect> {
        if self.composer.is_blank() {
            return vec![];
        }
        let text = self.composer.take();
        if self.live.is_some() || self.loading {
            let queued = match self.composer.queued.take() {
                Some(before) => format!("{before}\n{text}"),
                None => text,
            };
            self.composer.queued = Some(queued);
            return vec![];
        }
        self.ask(text, now)
    }

    fn ask(&mut self, text: String, now: Millis) -> Vec<Effect> {
        self.asked = self.asked.wrapping_add(1);
        self.failed = None;
        if self.title.is_empty() {
            self.title = text::fit(&text, 40);
        }
        self.say(Role::User, text.clone(), now);
        self.versions += 1;
        self.live = Some(Live { at: now, question: text.clone(), version: self.versions, ..Live::default() });
        self.scroll = None;
        self.refresh_recalled();
        vec![Effect::call(
            self.tag(),
            Op::Chat {
                session: self.session,
                text,
                turn: hinet_protocol::Turn::default(),
                params: ChatParams::default(),
            },
        )]
    }

    /// Stops the answer being made. Returns `None` where none is.
    pub fn stop(&mut self, now: Millis) -> Option<Vec<Effect>> {
        let tag = self.tag();
        let live = self.live.as_mut()?;
        if let Some(queued) = self.composer.queued.take() {
            self.composer.give_back(&queued);
        }
        if live.stopping {
            // The node did not answer the first time: keep what is here and let go.
            self.end_partly(Foot::Made { how: "stopped".into(), tokens_per_s: 0.0, cut: vec![] }, now);
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

    fn end(&mut self, answer: Answer, now: Millis) {
        let live = self.live.take().unwrap_or_default();
        self.session = Some(answer.session);
        self.context = answer.context;
        if let Some(turn) = self.turns.last_mut().filter(|turn| turn.role == Role::User) {
            turn.id = Some(answer.question);
        }
        self.push(Turn::answered(answer, live.hits, now));
        self.refresh_recalled();
    }

    /// The node went away: the answer being made will not come.
    pub fn lost(&mut self, now: Millis) {
        let hint = "Up brings the question back; what was stored is kept.";
        self.fail(Failure::new(ErrorKind::Failed, "The node went away while it answered.", hint), now);
    }

    fn fail(&mut self, failure: Failure, now: Millis) {
        if let Some(queued) = self.composer.queued.take() {
            self.composer.give_back(&queued);
        }
        let Some(live) = &self.live else { return };
        if failure.kind == ErrorKind::Cancelled || live.stopping {
            self.end_partly(Foot::Made { how: "stopped".into(), tokens_per_s: 0.0, cut: vec![] }, now);
            return;
        }
        let question = live.question.clone();
        self.end_partly(Foot::Failed(failure), now);
        if self.composer.is_blank() {
            self.composer.set(&question);
        }
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event, now: Millis) -> Vec<Effect> {
        match tag {
            Tag::Chat(number) if number == self.asked && self.live.is_some() => self.answer(event, now),
            Tag::Open(session) if self.session == Some(session) => {
                match event {
                    Event::Messages { messages } => self.fill(messages),
                    Event::Failed { failure } => {
                        self.loading = false;
                        self.failed = Some(failure);
                    }
                    _ => {}
                }
                vec![]
            }
            _ => vec![],
        }
    }

    fn answer(&mut self, event: Event, now: Millis) -> Vec<Effect> {
        let Some(live) = &mut self.live else { return vec![] };
        self.versions += 1;
        live.version = self.versions;
        match event {
            Event::Recalled { session, hits } => {
                self.session = Some(session);
                live.hits = hits;
                live.recalled = true;
                self.refresh_recalled();
            }
            Event::Progress { progress } => live.progress = Some(progress),
            Event::ChatDelta { text } => live.text.push_str(&text),
            Event::ChatReset => live.text.clear(),
            Event::ChatDone { answer } => {
                self.end(*answer, now);
                if let Some(queued) = self.composer.queued.take() {
                    return self.ask(queued, now);
                }
            }
            Event::Failed { failure } => self.fail(failure, now),
            _ => {}
        }
        vec![]
    }
}

/// Scrolls the conversation by `delta` lines.
pub fn scroll_by(state: &mut State, areas: &Areas, delta: isize) {
    let inside = face::inside(areas.main);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    state.chat.scroll = Some(state.chat.scroll().by(delta, &transcript, usize::from(inside.height)));
}

/// Scrolls the conversation to its beginning.
pub fn scroll_home(state: &mut State, areas: &Areas) {
    let inside = face::inside(areas.main);
    let transcript = state.chat.transcript(state, usize::from(inside.width));
    state.chat.scroll = Some(Scroll::home(&transcript, usize::from(inside.height)));
}

/// Draws the conversation.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let chat = &state.chat;
    let theme = &state.theme;
    let title =
        if chat.title.is_empty() { "chat · new conversation".into() } else { format!("chat · {}", chat.title) };
    let focus = state.tab == Tab::Chat && state.focus == Focus::First;
    let inside = face::boxed(frame, area, &title, focus, theme);
    if let Some(failure) = &chat.failed {
        return face::failed(frame, inside, failure, "The conversation is still stored. Ctrl+O opens it again.", theme);
    }
    if chat.loading && chat.turns.is_empty() {
        return face::sentences(frame, inside, "Opening the conversation…", theme.dim);
    }
    if chat.turns.is_empty() && chat.live.is_none() {
        return face::sentences(frame, inside, empty(state), theme.dim);
    }
    let transcript = chat.transcript(state, usize::from(inside.width));
    let height = usize::from(inside.height);
    let top = chat.scroll().top(&transcript, height);
    frame.render_widget(Paragraph::new(transcript.window(top, height)), inside);
    let below = chat.scroll().below(&transcript, height, BELOW_MAX);
    if below > 0 && area.width > 30 && area.height > 2 {
        let more = if below == BELOW_MAX { "+" } else { "" };
        let line = format!(" {below}{more} more below · Ctrl+End ");
        let at = Rect {
            x: area.x + 2,
            y: area.bottom() - 1,
            width: (text::width(&line) as u16).min(area.width - 4),
            height: 1,
        };
        frame.render_widget(Paragraph::new(Line::styled(line, theme.accent)), at);
    }
}

fn empty(state: &State) -> &'static str {
    let sources = state.sources.list.get().map_or(&[][..], Vec::as_slice);
    let remembers_nothing = state.sources.list.get().is_some() && sources.iter().all(|s| s.items == 0);
    if remembers_nothing && (state.sources.reading.is_some() || sources.iter().any(|s| s.synced.is_none())) {
        "Your folders are being read for the first time. You can ask meanwhile; answers draw on what has been read.\n\nF4 shows how \
         far it is."
    } else if remembers_nothing {
        "Nothing is remembered yet, so nothing can be answered from memory.\n\nF4 and then a opens a folder."
    } else {
        "Ask something that your files know.\n\nAnswers come from this machine alone and name what they stand on; [1] opens with \
         Alt+1. Nothing leaves."
    }
}
