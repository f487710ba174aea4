//! What can be said after a slash and chosen in the palette. One line for each command; both read the same table.

use super::effect::Effect;
use super::keymap::Action;
use super::keys;
use super::state::{Focus, State, Tab};
use crate::theme::Look;

/// What comes after a command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// This, or nothing.
    Maybe(&'static str),
    /// This.
    Must(&'static str),
    /// One of these.
    One(&'static [&'static str]),
}

/// How a command is carried out.
#[derive(Clone, Copy)]
pub enum Run {
    /// As the action, where the keys go now.
    Act(Action),
    /// With what came after the name.
    With(fn(&mut State, &str) -> Vec<Effect>),
}

/// One command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name, without the slash.
    pub name: &'static str,
    /// What comes after it.
    pub takes: Takes,
    /// What it does, in words.
    pub words: &'static str,
    /// How.
    pub run: Run,
}

const fn act(name: &'static str, action: Action, words: &'static str) -> Command {
    Command { name, takes: Takes::Nothing, words, run: Run::Act(action) }
}

const fn with(
    name: &'static str,
    takes: Takes,
    words: &'static str,
    run: fn(&mut State, &str) -> Vec<Effect>,
) -> Command {
    Command { name, takes, words, run: Run::With(run) }
}

/// Every command, in the order the list shows them.
pub const COMMANDS: &[Command] = &[
    act("new", Action::New, "start a new conversation"),
    act("conversations", Action::Sessions, "open another conversation"),
    with("search", Takes::Must("WORDS"), "search what is remembered", search),
    act("sources", Action::Sources, "the folders it reads"),
    act("consent", Action::Consent, "grants and the ledger"),
    act("kill", Action::Kill, "kill switch: stop every source, door and job; or lift it"),
    act("side", Action::Side, "show or hide what was recalled"),
    with("theme", Takes::One(&["dark", "light", "16", "plain"]), "other colours, until icore is left", theme),
    act("mouse", Action::Mouse, "mouse on or off"),
    act("help", Action::Help, "the keys"),
    act("quit", Action::Quit, "leave; the node goes on where it runs by itself"),
];

impl Command {
    /// The command with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// What may come after its name, as the list shows it.
    #[must_use]
    pub fn takes_in_words(&self) -> String {
        match self.takes {
            Takes::Nothing => String::new(),
            Takes::Maybe(what) => format!("[{what}]"),
            Takes::Must(what) => what.to_owned(),
            Takes::One(options) => options.join("|"),
        }
    }

    /// Whether it can be carried out with this.
    #[must_use]
    pub fn accepts(&self, argument: &str) -> bool {
        match self.takes {
            Takes::Nothing => argument.is_empty(),
            Takes::Maybe(_) => true,
            Takes::Must(_) => !argument.is_empty(),
            Takes::One(options) => options.contains(&argument),
        }
    }

    /// Carries it out.
    pub fn run(&self, state: &mut State, argument: &str) -> Vec<Effect> {
        match self.run {
            Run::Act(action) => keys::act(state, action),
            Run::With(run) => run(state, argument),
        }
    }
}

fn search(state: &mut State, words: &str) -> Vec<Effect> {
    state.tab = Tab::Memory;
    state.focus = Focus::Second;
    state.memory.query.set(words);
    let mut effects = state.memory.enter();
    effects.extend(state.memory.search());
    effects
}

fn theme(state: &mut State, name: &str) -> Vec<Effect> {
    if let Some(look) = Look::named(name) {
        state.set_look(look);
    }
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::{Keymap, Scope};

    #[test]
    fn names_are_words_and_lead_to_one_command() {
        for command in COMMANDS {
            assert!(command.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", command.name);
            assert_eq!(COMMANDS.iter().filter(|other| other.name == command.name).count(), 1, "{}", command.name);
            assert!(!command.words.is_empty());
        }
    }

    #[test]
    fn an_action_behind_a_slash_works_in_the_chat() {
        let keymap = Keymap::default();
        for command in COMMANDS {
            if let Run::Act(action) = command.run {
                let mut lines = keymap.of(Scope::Everywhere).chain(keymap.of(Scope::Chat));
                assert!(lines.any(|line| line.action == action), "{}", command.name);
            }
        }
    }
}
