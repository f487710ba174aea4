//! Everything the terminal UI knows. Each pane keeps its own part; this holds what they share.

use super::gate::Gate;
use super::keymap::Keymap;
use super::mention::Mention;
use super::overlay::Overlay;
use super::pane::{assembly::Assembly, chat::Chat, consent::Consent, memory::Memory, sleep::Sleep, sources::Sources};
use super::slash::Slash;
use crate::abilities::Abilities;
use crate::config::Config;
use crate::text;
use crate::theme::{Look, Theme};
use hinet_protocol::{Millis, NodeStatus};
use jiff::tz::TimeZone;
use std::collections::VecDeque;

/// Notices kept at most; older ones are in the ledger or in `icore doctor` anyway.
const NOTICES_MAX: usize = 20;
/// Bytes that are handed to a terminal's clipboard at most; many take no more than 100,000 characters of base64.
const COPY_BYTES_MAX: usize = 74_000;

/// A pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// The conversation.
    #[default]
    Chat,
    /// Searching what is remembered.
    Memory,
    /// The folders it reads.
    Sources,
    /// Grants and the ledger.
    Consent,
    /// Nights.
    Sleep,
    /// Assemblies.
    Assembly,
}

impl Tab {
    /// All of them, in the order of their digits.
    pub const ALL: [Self; 6] = [Self::Chat, Self::Memory, Self::Sources, Self::Consent, Self::Sleep, Self::Assembly];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Memory => "memory",
            Self::Sources => "sources",
            Self::Consent => "consent",
            Self::Sleep => "sleep",
            Self::Assembly => "assembly",
        }
    }
}

/// Which part of a pane the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// The input, the query, the list.
    #[default]
    First,
    /// What was recalled, the hits, the ledger.
    Second,
    /// The conversation itself.
    Reading,
}

/// A list that is asked for when it is first looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Loaded<T> {
    /// Nobody asked yet.
    #[default]
    Not,
    /// Asked.
    Loading,
    /// Here.
    Full(T),
    /// Not to be had.
    Failed(hinet_protocol::Failure),
}

impl<T> Loaded<T> {
    /// The list, where it is here.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Full(list) => Some(list),
            _ => None,
        }
    }

    /// Marks it as asked for; a list that is already here stays visible until the new one comes.
    pub fn ask(&mut self) {
        if !matches!(self, Self::Full(_)) {
            *self = Self::Loading;
        }
    }
}

/// What the loop tells the UI about where it runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// Columns and rows.
    pub size: (u16, u16),
    /// The time zone times are shown in.
    pub zone: TimeZone,
    /// The colours.
    pub look: Look,
    /// The owner's home folder, for `~`; empty where there is none.
    pub home_dir: String,
    /// Whether an OS keychain can be expected here.
    pub keychain: bool,
}

/// The state.
pub struct State {
    /// Where it runs.
    pub place: Place,
    /// The time of the message being handled; set by the loop.
    pub now: Millis,
    /// The styles.
    pub theme: Theme,
    /// What the terminal knows.
    pub abilities: Abilities,
    /// The owner's own colours.
    pub colours: Vec<(&'static str, ratatui::style::Color)>,
    /// The colours of code.
    pub code_colours: crate::markdown::Colours,
    /// The keys in force.
    pub keymap: Keymap,
    /// What stands before the panes: onboarding, unlocking, nothing.
    pub gate: Gate,
    /// The top line.
    pub status: Option<NodeStatus>,
    /// Whether the node runs in another process.
    pub attached: bool,
    /// Whether the home can be unlocked by a passphrase, by the keychain.
    pub unlocks: (bool, bool),
    /// Sentences the owner should know, oldest first; one is shown at a time.
    pub notices: VecDeque<String>,
    /// What the last key did, where the screen does not show it; gone with the next key.
    pub toast: Option<String>,
    /// The pane on the screen.
    pub tab: Tab,
    /// The part of it that has the keys.
    pub focus: Focus,
    /// Whether what was recalled is shown beside the conversation.
    pub side: bool,
    /// Whether wheel reports are on.
    pub mouse: bool,
    /// Whether Ctrl+C was just pressed.
    pub interrupted: bool,
    /// The conversation.
    pub chat: Chat,
    /// The memory pane.
    pub memory: Memory,
    /// The sources pane.
    pub sources: Sources,
    /// Nights.
    pub sleep: Sleep,
    /// Assemblies.
    pub assembly: Assembly,
    /// The consent pane.
    pub consent: Consent,
    /// The list of commands above the input.
    pub slash: Slash,
    /// The list of names above the input.
    pub mention: Mention,
    /// The names of what was chosen in the palette, the last one first.
    pub recent: VecDeque<String>,
    /// What lies over the panes; the last one has the keys.
    pub overlays: Vec<Overlay>,
    /// Counts up with every opened item and preview, so that a late reply to a closed one is known as such.
    pub serial: u32,
    /// When a key was last pressed or something pasted.
    pub typed_at: Millis,
    /// Whether a tick is on its way.
    pub ticking: bool,
    /// Whether the screen is out of date.
    pub dirty: bool,
}

impl State {
    /// A state in front of `gate`.
    #[must_use]
    pub fn new(place: Place, gate: Gate) -> Self {
        Self {
            theme: Theme::of(place.look),
            abilities: Abilities::default(),
            colours: Vec::new(),
            code_colours: crate::markdown::Colours::default(),
            keymap: Keymap::default(),
            place,
            now: 0,
            gate,
            status: None,
            attached: false,
            unlocks: (true, false),
            notices: VecDeque::new(),
            toast: None,
            tab: Tab::default(),
            focus: Focus::default(),
            side: true,
            mouse: true,
            interrupted: false,
            chat: Chat::default(),
            memory: Memory::default(),
            sources: Sources::default(),
            sleep: Sleep::default(),
            assembly: Assembly::default(),
            consent: Consent::default(),
            slash: Slash::default(),
            mention: Mention::default(),
            recent: VecDeque::new(),
            overlays: Vec::new(),
            serial: 0,
            typed_at: 0,
            ticking: false,
            dirty: true,
        }
    }

    /// Tells the owner something, once.
    pub fn notice(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.notices.contains(&sentence) {
            if self.notices.len() == NOTICES_MAX {
                self.notices.pop_front();
            }
            self.notices.push_back(sentence);
        }
    }

    /// Copies a text to the terminal's clipboard and says so. `what` is what it is, as in "the answer".
    pub fn copy(&mut self, text: String, what: &str) -> Vec<super::Effect> {
        if !self.abilities.clipboard {
            self.toast = Some("this terminal has no clipboard that can be written to".to_owned());
            return vec![];
        }
        if text.len() > COPY_BYTES_MAX {
            self.toast = Some(format!(
                "{} is too long for the clipboard of a terminal: {} of at most {}",
                what,
                text::bytes(text.len() as u64),
                text::bytes(COPY_BYTES_MAX as u64)
            ));
            return vec![];
        }
        self.toast = Some(format!("copied {what}, {}", super::words::some(text.lines().count() as u64, "line")));
        vec![super::Effect::Copy(text)]
    }

    /// Changes the colours.
    pub fn set_look(&mut self, look: Look) {
        self.place.look = look;
        self.theme = Theme::with(look, &self.colours);
    }

    /// Takes the owner's config, and says once where something in it cannot be.
    pub fn configure(&mut self, config: Config) {
        self.keymap = config.keymap;
        self.colours = config.colours;
        self.set_look(self.place.look);
        if let Some(first) = config.complaints.first() {
            // The command comes first: on a narrow screen the rest of the sentence is cut.
            let many = match config.complaints.len() {
                1 => "1 thing in your config does".to_owned(),
                n => format!("{n} things in your config do"),
            };
            self.notice(format!("{many} not hold (`icore config check`): {first}"));
        }
    }

    /// Whether every source, door and job is stopped.
    #[must_use]
    pub fn killed(&self) -> bool {
        self.status.as_ref().is_some_and(|s| s.killed)
    }

    /// The next serial number.
    pub fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
