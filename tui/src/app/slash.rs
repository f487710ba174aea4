//! Slash commands in the input: what a text that begins with `/` means, and the list that opens above it.
//!
//! Only what is the name of a command is one. `/etc/hosts` is a path and goes to the model like any text, `//` sends a
//! slash, and a word that looks like a command but is none is said, never sent.

use super::command::{COMMANDS, Command, Takes};
use super::effect::Effect;
use super::fuzzy;
use super::keymap::{Action, Scope};
use super::menu;
use super::state::{Focus, State, Tab};
use super::view::Areas;
use crossterm::event::KeyEvent;
use ratatui::Frame;

/// Where the reader is in the list, for one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slash {
    text: String,
    selected: usize,
    shut: bool,
}

impl Slash {
    fn selected(&self, text: &str) -> usize {
        if self.text == text { self.selected } else { 0 }
    }

    /// A list that was shut stays so while the text only grows.
    fn is_shut(&self, text: &str) -> bool {
        self.shut && text.starts_with(&self.text)
    }
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What the input holds when it is chosen.
    pub line: String,
    /// What may come after it.
    pub takes: String,
    /// What it does.
    pub words: &'static str,
}

/// The name and what comes after it, of a text that could be a command.
fn parts(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text.strip_prefix('/')?;
    if text.contains('\n') {
        return None;
    }
    let (name, argument) = match rest.split_once(' ') {
        Some((name, argument)) => (name, Some(argument.trim())),
        None => (rest, None),
    };
    name.chars().all(|c| c.is_ascii_alphabetic() || c == '-').then_some((name, argument))
}

/// What can be said from here on.
#[must_use]
pub fn offers_for(text: &str) -> Vec<Offer> {
    let Some((name, argument)) = parts(text) else { return vec![] };
    let offer = |command: &Command| Offer {
        line: match command.takes {
            Takes::Nothing => format!("/{}", command.name),
            _ => format!("/{} ", command.name),
        },
        takes: command.takes_in_words(),
        words: command.words,
    };
    let Some(argument) = argument else {
        let low = name.to_ascii_lowercase();
        let begins: Vec<Offer> = COMMANDS.iter().filter(|c| c.name.starts_with(&low)).map(offer).collect();
        if !begins.is_empty() {
            return begins;
        }
        let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        return fuzzy::ranked(&low, &names).into_iter().map(|i| offer(&COMMANDS[i])).collect();
    };
    match Command::named(name) {
        Some(command) => match command.takes {
            Takes::One(options) => options
                .iter()
                .filter(|option| option.starts_with(argument))
                .map(|option| Offer { line: format!("/{name} {option}"), takes: String::new(), words: command.words })
                .collect(),
            _ => vec![Offer { line: text.to_owned(), takes: command.takes_in_words(), words: command.words }],
        },
        None => vec![],
    }
}

/// What the list offers now; nothing where it is not open.
#[must_use]
pub fn offers(state: &State) -> Vec<Offer> {
    if state.tab != Tab::Chat || state.focus != Focus::First || !state.overlays.is_empty() {
        return vec![];
    }
    let text = state.chat.composer.text();
    if state.slash.is_shut(&text) { vec![] } else { offers_for(&text) }
}

/// A key while the list is open. `None` where it is not, or does not know the key.
pub fn key(state: &mut State, key: KeyEvent) -> Option<Vec<Effect>> {
    let offers = offers(state);
    if offers.is_empty() {
        return None;
    }
    let action = state.keymap.lookup(&[Scope::Slash], key)?;
    let text = state.chat.composer.text();
    let selected = state.slash.selected(&text).min(offers.len() - 1);
    match action {
        Action::Up => state.slash = Slash { text, selected: selected.saturating_sub(1), shut: false },
        Action::Down => {
            state.slash = Slash { text, selected: (selected + 1).min(offers.len() - 1), shut: false };
        }
        Action::Back => state.slash = Slash { text, selected: 0, shut: true },
        Action::Complete => state.chat.composer.set(&offers[selected].line),
        Action::Send => return choose(state, selected),
        _ => return None,
    }
    Some(vec![])
}

/// Takes the line of the list with this index: it is carried out where nothing is missing, else completed.
pub fn choose(state: &mut State, index: usize) -> Option<Vec<Effect>> {
    let text = state.chat.composer.text();
    let ready = |line: &str| {
        let (name, argument) = parts(line)?;
        let argument = argument.unwrap_or_default();
        Command::named(name).filter(|command| command.accepts(argument)).map(|c| (c, argument.to_owned()))
    };
    // What is typed whole is meant, unless another line was chosen.
    let typed = ready(&text).filter(|_| index == 0);
    let offer = offers(state).into_iter().nth(index);
    if let Some((command, argument)) = typed.or_else(|| ready(&offer.as_ref()?.line)) {
        return Some(run(state, command, &argument));
    }
    match offer {
        Some(offer) if offer.line != text => state.chat.composer.set(&offer.line),
        _ => return send(state),
    }
    Some(vec![])
}

fn run(state: &mut State, command: &Command, argument: &str) -> Vec<Effect> {
    let line = if argument.is_empty() { format!("/{}", command.name) } else { format!("/{} {argument}", command.name) };
    state.chat.composer.set("");
    state.chat.composer.remember(&line);
    state.slash = Slash::default();
    command.run(state, argument)
}

/// What Enter does with a text that begins with a slash. `None` where it is to be sent like any other.
pub fn send(state: &mut State) -> Option<Vec<Effect>> {
    let text = state.chat.composer.text();
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("//") {
        state.chat.composer.set(&format!("/{rest}"));
        return None;
    }
    let (name, argument) = parts(text)?;
    let argument = argument.unwrap_or_default();
    let Some(command) = Command::named(name) else {
        if name.is_empty() {
            return None;
        }
        state.notice(format!("There is no command /{name}. / lists them all; // sends a slash as text."));
        return Some(vec![]);
    };
    if command.accepts(argument) {
        return Some(run(state, command, argument));
    }
    let takes = command.takes_in_words();
    state.notice(match command.takes {
        Takes::Nothing => format!("/{name} takes nothing after it. // sends a slash as text."),
        Takes::One(_) => format!("/{name} takes one of {}.", takes.replace('|', ", ")),
        _ => format!("/{name} needs more: /{name} {takes}."),
    });
    Some(vec![])
}

fn chosen_row(state: &State) -> usize {
    state.slash.selected(&state.chat.composer.text())
}

/// The index of the line of the list at a place of the screen.
#[must_use]
pub fn at(state: &State, areas: &Areas, column: u16, row: u16) -> Option<usize> {
    let position = ratatui::layout::Position { x: column, y: row };
    menu::at(chosen_row(state), offers(state).len(), areas, position)
}

/// Draws the list.
pub fn view(state: &State, frame: &mut Frame, areas: &Areas) {
    let rows: Vec<(String, String)> = offers(state)
        .into_iter()
        .map(|offer| (format!("{} {}", offer.line.trim_end(), offer.takes), offer.words.to_owned()))
        .collect();
    menu::view(frame, areas, &state.theme, "commands", &rows, chosen_row(state));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_command() {
        assert_eq!(parts("/theme light"), Some(("theme", Some("light"))));
        assert_eq!(parts("/new"), Some(("new", None)));
        for text in ["/etc/hosts is a path", "//new", "new", "/new\nmore", "/3 of them", "/héllo"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn offers_what_begins_so_then_what_is_like_it() {
        let lines = |text: &str| offers_for(text).into_iter().map(|offer| offer.line).collect::<Vec<_>>();
        assert_eq!(lines("/").len(), COMMANDS.len());
        assert_eq!(lines("/the"), ["/theme "]);
        assert_eq!(lines("/thm"), ["/theme "]);
        assert_eq!(lines("/theme l"), ["/theme light"]);
        assert_eq!(lines("/qqq"), Vec::<String>::new());
        assert_eq!(lines("/etc/ho"), Vec::<String>::new());
    }
}
