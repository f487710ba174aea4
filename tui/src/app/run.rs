//! The loop: keys and the node's events in, `update`, effects out, a frame when something changed.
//!
//! Keys are drawn at once; what streams is drawn thirty times a second at most. Nothing ticks: with nothing to say, the
//! loop sleeps. Everything that may wait (the node, the disk, the keychain) runs beside the loop and reports back (`carry`).

mod carry;

use carry::Request;

use super::chores;
use super::effect::Effect;
use super::gate::{Gate, Lock};
use super::msg::{Msg, Tag, Unlock};
use super::state::{Place, State};
use super::{update, view};
use crate::abilities::Abilities;
use crate::config::{self, Config};
use crate::onboard::Onboard;
use crate::outside;
use crate::term::{Screen, install_panic_hook, watch_line};
use crate::theme::Look;
use crossterm::event::{Event as Input, EventStream, MouseButton, MouseEventKind};
use futures_util::StreamExt;
use hinet_node::setup::{self, HomeState};
use hinet_node::{Client, Settings};
use hinet_protocol::{Draft, ErrorKind, Failure, Op, SessionId};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The shortest time between two frames of something that streams: 30 frames a second.
const FRAME: Duration = Duration::from_millis(33);
/// How long nothing is typed before what is typed is kept.
const DRAFT_PAUSE: Duration = Duration::from_millis(700);
/// Inputs that are handled before a frame is drawn, so that a flood of them costs one frame, not thousands.
const INPUTS_PER_FRAME: usize = 256;
/// How long leaving waits for the node to have stored what was just sent.
const STORING: Duration = Duration::from_secs(5);

/// What comes back from beside the loop.
pub(super) enum Back {
    /// A message.
    Msg(Msg),
    /// The node was reached.
    Client(Client),
}

struct Runner {
    settings: Settings,
    client: Option<Client>,
    news: Option<JoinHandle<()>>,
    requests: HashMap<Tag, Request>,
    back: UnboundedSender<Back>,
    /// Stops the pulling of models.
    pull_cancel: Arc<AtomicBool>,
    /// Counts up with every path typed, so that counting a folder nobody waits for stops.
    counting: Arc<AtomicU64>,
    screen: Screen,
    /// What is typed and not kept yet, and since when nothing was added to it.
    draft: Option<(Draft, Instant)>,
    /// What the owner's editor is to be opened on, before anything else happens.
    edit: Option<String>,
    /// Stops the command that is running.
    command_cancel: Arc<AtomicBool>,
    /// The conversation that is opened when the home is.
    first: Option<(SessionId, String)>,
    over: bool,
}

/// What the face is told beside its home: for a home that is not the owner's own, such as the demo's.
#[derive(Debug, Clone, Default)]
pub struct Guise {
    /// The folder that paths begin with `~` for, where it is not the user's home folder.
    pub home_dir: Option<String>,
    /// A sentence that is shown from the start.
    pub notice: Option<String>,
    /// The conversation that is opened first, and its title.
    pub session: Option<(SessionId, String)>,
}

/// Opens the terminal face: onboarding where there is no home yet, the unlock screen where `unlock` is not given and
/// the keychain does not open it silently, then the chat. Returns when the owner leaves; the terminal is as before.
///
/// The future must be polled on one thread (`block_on`): that thread draws.
///
/// # Errors
/// When the home's keyslots cannot be read, or the terminal cannot be used.
pub async fn run(settings: &Settings, unlock: Option<Unlock>) -> Result<(), Failure> {
    run_as(settings, unlock, Guise::default()).await
}

/// Like [`run`], in a guise.
///
/// # Errors
/// As [`run`].
pub async fn run_as(settings: &Settings, unlock: Option<Unlock>, guise: Guise) -> Result<(), Failure> {
    let home = setup::state(settings)?;
    let config = config::read(config::path().as_deref());
    let (faults, faulted) = unbounded_channel();
    install_panic_hook(Some(faults));
    let (back, coming) = unbounded_channel();
    let abilities = Abilities::here().ok_or_else(no_screen)?;
    let screen = Screen::enter(abilities).map_err(no_terminal)?;
    let mut place = place(screen.size().map_err(no_terminal)?, &config);
    if let Some(home_dir) = guise.home_dir {
        place.home_dir = home_dir;
    }
    let mut runner = Runner {
        settings: settings.clone(),
        client: None,
        news: None,
        requests: HashMap::new(),
        back,
        pull_cancel: Arc::default(),
        counting: Arc::default(),
        screen,
        draft: None,
        edit: None,
        command_cancel: Arc::default(),
        first: guise.session,
        over: false,
    };
    let (mut state, effects) = begin(place, home, unlock);
    (state.abilities, state.mouse) = (abilities, abilities.mouse);
    state.configure(config);
    state.notices.extend(guise.notice);
    runner.carry_out(effects, &mut state).map_err(no_terminal)?;
    let result = runner.turn(&mut state, coming, faulted).await;
    let Runner { client, screen, mut requests, pull_cancel, command_cancel, draft, .. } = runner;
    drop(screen);
    pull_cancel.store(true, Ordering::Relaxed);
    command_cancel.store(true, Ordering::Relaxed);
    if let (Some(client), Some((draft, _))) = (&client, draft) {
        // The node may be the one that is gone; then there is nobody to keep it.
        let _ = client.one(Op::Draft { draft }).await;
    }
    // What was just sent is stored before the node's first word about it.
    let heard = requests.iter_mut().filter(|(tag, _)| matches!(tag, Tag::Chat(_))).map(|(_, asked)| &mut asked.heard);
    let _ = tokio::time::timeout(STORING, futures_util::future::join_all(heard)).await;
    requests.values().for_each(|request| request.task.abort());
    if let Some(client) = client {
        client.close().await;
    }
    result.map_err(no_terminal)
}

fn no_screen() -> Failure {
    Failure::new(
        ErrorKind::Failed,
        "This terminal cannot place text on the screen, by its name in TERM; the chat needs that.",
        "Use `icore ask QUESTION`, or set TERM to what the terminal is.",
    )
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::new(
        ErrorKind::Failed,
        format!("The terminal cannot be used: {error}."),
        "Use `icore ask QUESTION` where there is no terminal.",
    )
}

/// What the environment says about the terminal and the owner.
fn place(size: (u16, u16), config: &Config) -> Place {
    let env = |name: &str| std::env::var(name).unwrap_or_default();
    let wish = env("ICORE_THEME");
    let no_color = !env("NO_COLOR").is_empty();
    let wish = Some(wish.as_str()).filter(|wish| !wish.is_empty());
    Place {
        size,
        zone: jiff::tz::TimeZone::system(),
        look: Look::pick(wish, config.look, no_color, &env("TERM"), &env("COLORTERM"), &env("COLORFGBG")),
        home_dir: etcetera::home_dir().ok().and_then(|dir| dir.into_os_string().into_string().ok()).unwrap_or_default(),
        // On Linux the keychain is a service on the session bus; without a bus there is none.
        keychain: cfg!(target_os = "macos") || !env("DBUS_SESSION_BUS_ADDRESS").is_empty(),
    }
}

/// The first state and what it asks for.
fn begin(place: Place, home: HomeState, unlock: Option<Unlock>) -> (State, Vec<Effect>) {
    let HomeState::Ready { passphrase, keychain } = home else {
        let onboard = Onboard::new(place.keychain, "");
        return (State::new(place, Gate::Onboard(Box::new(onboard))), vec![]);
    };
    let (lock, effects) = match unlock {
        Some(unlock) => (Lock::trying(false), vec![Effect::Unlock(unlock)]),
        None if keychain => (Lock::trying(true), vec![Effect::Unlock(Unlock::Keychain)]),
        None => (Lock::waiting(), vec![]),
    };
    let mut state = State::new(place, Gate::Locked(Box::new(lock)));
    state.unlocks = (passphrase, keychain);
    (state, effects)
}

impl Runner {
    async fn turn(
        &mut self,
        state: &mut State,
        mut coming: UnboundedReceiver<Back>,
        mut faulted: UnboundedReceiver<String>,
    ) -> io::Result<()> {
        let mut inputs = EventStream::new();
        let line_cut = Arc::new(tokio::sync::Notify::new());
        let teller = line_cut.clone();
        watch_line(move || teller.notify_one());
        let mut ending = Box::pin(async move {
            tokio::select! {
                () = chores::told_to_end() => {}
                () = line_cut.notified() => {}
            }
        });
        let mut drawn = Instant::now() - FRAME;
        self.draw(state)?;
        while !self.over {
            if let Some(text) = self.edit.take() {
                // Two readers of one keyboard would each get half of what is typed.
                drop(inputs);
                let result = self.screen.lend(|| outside::edit(&text))?;
                inputs = EventStream::new();
                self.handle(state, Msg::Edited(result))?;
                state.dirty = true;
            }
            let due = drawn + FRAME;
            let keep = self.draft.as_ref().map_or(due, |(_, since)| *since + DRAFT_PAUSE);
            tokio::select! {
                biased;
                () = &mut ending => return Ok(()),
                input = inputs.next() => {
                    let Some(first) = input else { return Ok(()) };
                    self.input(state, first?)?;
                    for _ in 0..INPUTS_PER_FRAME {
                        // Polled with this task's waker: the stream keeps the first one it was given.
                        match futures_util::poll!(inputs.next()) {
                            Poll::Ready(Some(input)) if !self.over => self.input(state, input?)?,
                            _ => break,
                        }
                    }
                    // What was typed is seen at once.
                    if state.dirty && !self.over {
                        self.draw(state)?;
                        drawn = Instant::now();
                    }
                }
                () = tokio::time::sleep_until(due), if state.dirty => {
                    self.draw(state)?;
                    drawn = Instant::now();
                }
                () = tokio::time::sleep_until(keep), if self.draft.is_some() => self.keep_draft(),
                Some(back) = coming.recv() => self.take(state, back)?,
                Some(place) = faulted.recv() => self.handle(state, Msg::Fault(place))?,
            }
        }
        Ok(())
    }

    fn draw(&mut self, state: &mut State) -> io::Result<()> {
        // The news of another size is lost now and then where keys come in the same moment.
        let (width, height) = self.screen.size()?;
        if (width, height) != state.place.size {
            self.handle(state, Msg::Resize(width, height))?;
        }
        state.dirty = false;
        self.screen.draw(|frame| view(state, frame))?;
        // What was drawn without its colours is painted beside the loop.
        let wanted = state.code_colours.take_wanted();
        if !wanted.is_empty() {
            self.beside(move || chores::paint(&wanted));
        }
        Ok(())
    }

    fn input(&mut self, state: &mut State, input: Input) -> io::Result<()> {
        let msg = match input {
            Input::Key(key) => Msg::Key(key),
            Input::Paste(text) => Msg::Paste(text),
            Input::Resize(width, height) => Msg::Resize(width, height),
            Input::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => Msg::Wheel { column: mouse.column, row: mouse.row, up: true },
                MouseEventKind::Down(MouseButton::Left) => Msg::Click { column: mouse.column, row: mouse.row },
                MouseEventKind::ScrollDown => Msg::Wheel { column: mouse.column, row: mouse.row, up: false },
                _ => return Ok(()),
            },
            Input::FocusGained | Input::FocusLost => return Ok(()),
        };
        self.handle(state, msg)
    }

    fn take(&mut self, state: &mut State, back: Back) -> io::Result<()> {
        match back {
            Back::Client(client) => {
                let attached = client.is_attached();
                self.listen(&client);
                self.client = Some(client);
                self.handle(state, Msg::Unlocked { attached })?;
                match self.first.take() {
                    Some((session, title)) => {
                        let effects = state.chat.open(session, &title);
                        self.carry_out(effects, state)
                    }
                    None => Ok(()),
                }
            }
            Back::Msg(msg) => {
                match &msg {
                    Msg::Reply { tag, event } if event.is_final() => {
                        self.requests.remove(tag);
                    }
                    Msg::NodeLost => {
                        self.client = None;
                        self.requests.clear();
                    }
                    _ => {}
                }
                self.handle(state, msg)
            }
        }
    }

    fn handle(&mut self, state: &mut State, msg: Msg) -> io::Result<()> {
        state.now = jiff::Timestamp::now().as_millisecond();
        let was = state.dirty;
        let effects = update(state, msg);
        state.dirty |= was;
        self.carry_out(effects, state)
    }
}
