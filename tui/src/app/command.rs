//! What can be said after a slash and chosen in the palette. One line for each command; both read the same table.

use super::effect::Effect;
use super::keymap::Action;
use super::keys;
use super::pane::chat::commands as about;
use super::state::{Focus, State, Tab};
use crate::theme::Look;
use hinet_protocol::Thumb;

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
    act("incognito", Action::Incognito, "start a conversation of which nothing is kept"),
    with("title", Takes::Must("TITLE"), "give this conversation another title", about::title),
    with("pin", Takes::Maybe("off"), "pin this conversation to the top of the list", about::pin),
    with("archive", Takes::Nothing, "put this conversation away", about::archive),
    with("forget", Takes::Nothing, "forget this conversation, with a preview first", about::forget_it),
    with("find", Takes::Must("WORDS"), "find words in this conversation", about::find_here),
    with("find-all", Takes::Must("WORDS"), "find words in all conversations", about::find_all),
    act("again", Action::Regenerate, "answer again; the answer there was stays beside it"),
    act("edit", Action::EditLast, "edit your last question; the one there was stays beside it"),
    with(
        "rewind",
        Takes::Nothing,
        "go back to before your last question; what followed stays as a branch",
        about::rewind,
    ),
    with("onward", Takes::Nothing, "go on to the branch that follows", about::onward),
    with("fork", Takes::Nothing, "take this conversation along into a new one", about::fork),
    act("copy", Action::CopyAnswer, "copy the last answer"),
    with("code", Takes::Nothing, "copy the code of the last answer", about::code),
    with("export", Takes::Must("FILE"), "write this conversation to a file", about::export),
    with(
        "attach",
        Takes::Must("PATH"),
        "answer the next question from a file, or from a folder (…/)",
        about::attach_path,
    ),
    with("run", Takes::Must("COMMAND"), "run a command and answer from what it prints", about::run),
    with("voice", Takes::Must("WHAT"), "draft it in your own voice, a reply for instance", about::voice),
    with(
        "assembly",
        Takes::Maybe("NAME|off"),
        "ask this assembly where your memory has no answer, from here on, or none",
        about::assembly,
    ),
    act("history", Action::History, "look through what you said before"),
    act("editor", Action::Editor, "write in your own editor ($VISUAL, $EDITOR)"),
    with("good", Takes::Nothing, "the last answer was good", |state, _| about::thumb(state, Thumb::Up)),
    with("bad", Takes::Nothing, "the last answer was not good", |state, _| about::thumb(state, Thumb::Down)),
    with("memory", Takes::One(&["off", "on"]), "leave the memory alone in this conversation, or not", about::memory),
    with("search", Takes::Must("WORDS"), "search what is remembered", search),
    act("sources", Action::Sources, "the folders it reads"),
    act("sleep", Action::Sleep, "the nights: what was learned, and back to any of them"),
    act("assemblies", Action::Assembly, "the assemblies: who takes part, who answered, who would"),
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
