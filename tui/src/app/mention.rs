//! Names after `@` in the input: files, sources, people, labels of the memory, and paths on the disk. Taking one confines
//! the question to it; a path is attached.

use super::effect::Effect;
use super::keymap::{Action, Scope};
use super::menu;
use super::msg::Tag;
use super::pane::chat::attach;
use super::pane::composer::Chip;
use super::state::{Focus, State, Tab};
use super::view::Areas;
use super::words;
use crossterm::event::KeyEvent;
use hinet_protocol::{Event, Name, Op, Within};
use ratatui::Frame;

/// Names asked for.
const NAMES_MAX: usize = 12;

/// What the list shows.
#[derive(Debug, Clone, Default)]
pub struct Mention {
    /// The word after `@` that the list is for.
    typed: Option<String>,
    /// What it may mean.
    offers: Vec<Offer>,
    selected: usize,
    /// The word the list was shut for.
    shut: Option<String>,
    number: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Offer {
    Name(Name),
    /// A file, or a folder with a slash at its end.
    Path(String),
}

/// Whether a word is a path on the disk rather than a name in the memory.
fn is_path(typed: &str) -> bool {
    typed.starts_with(['/', '~'])
}

/// The list follows what is typed.
pub fn follow(state: &mut State) -> Vec<Effect> {
    let here = state.tab == Tab::Chat && state.focus == Focus::First && state.overlays.is_empty();
    let typed = here.then(|| state.chat.composer.at_word()).flatten();
    if typed == state.mention.typed {
        return vec![];
    }
    let before = std::mem::take(&mut state.mention);
    let mut effects = vec![];
    if before.typed.as_ref().is_some_and(|typed| !is_path(typed)) {
        effects.push(Effect::Drop(Tag::Names(before.number)));
    }
    let shut = before.shut.filter(|shut| typed.as_ref().is_some_and(|typed| typed.starts_with(shut.as_str())));
    if let (Some(typed), None) = (&typed, &shut) {
        let number = before.number.wrapping_add(1);
        state.mention.number = number;
        // What was offered stays until the new offers come, so that nothing flickers while one types.
        state.mention.offers = before.offers;
        effects.push(if is_path(typed) {
            Effect::ListPaths(words::expand(typed, &state.place.home_dir))
        } else {
            Effect::call(Tag::Names(number), Op::Names { typed: typed.clone(), limit: NAMES_MAX })
        });
    }
    state.mention.shut = shut;
    state.mention.typed = typed;
    effects
}

/// Names came.
pub fn named(state: &mut State, number: u32, event: Event) -> Vec<Effect> {
    if number == state.mention.number {
        state.mention.offers = match event {
            Event::Names { names } => names.into_iter().map(Offer::Name).collect(),
            _ => vec![],
        };
        state.mention.selected = 0;
    }
    vec![]
}

/// Paths came.
pub fn listed(state: &mut State, typed: &str, found: Vec<String>) {
    let wanted = state.mention.typed.as_ref().map(|typed| words::expand(typed, &state.place.home_dir));
    if wanted.as_deref() == Some(typed) {
        state.mention.offers = found.into_iter().map(Offer::Path).collect();
        state.mention.selected = 0;
    }
}

/// Whether the list is open.
#[must_use]
pub fn is_open(state: &State) -> bool {
    let mention = &state.mention;
    mention.typed.is_some() && mention.shut.is_none() && !mention.offers.is_empty() && state.overlays.is_empty()
}

/// A key while the list is open. `None` where it is not, or does not know the key.
pub fn key(state: &mut State, key: KeyEvent) -> Option<Vec<Effect>> {
    if !is_open(state) {
        return None;
    }
    let last = state.mention.offers.len() - 1;
    match state.keymap.lookup(&[Scope::Slash], key)? {
        Action::Up => state.mention.selected = state.mention.selected.saturating_sub(1),
        Action::Down => state.mention.selected = (state.mention.selected + 1).min(last),
        Action::Back => state.mention.shut.clone_from(&state.mention.typed),
        Action::Complete => return Some(take(state, state.mention.selected, false)),
        Action::Send => return Some(take(state, state.mention.selected, true)),
        _ => return None,
    }
    Some(vec![])
}

/// Takes a row. A folder is gone into until it is `meant` itself.
pub fn take(state: &mut State, index: usize, meant: bool) -> Vec<Effect> {
    let Some(offer) = state.mention.offers.get(index).cloned() else { return vec![] };
    match offer {
        Offer::Path(path) if path.ends_with('/') && !meant => {
            let shown = words::tilde(&path, &state.place.home_dir);
            state.chat.composer.replace_at_word(&format!("@{shown}"));
            follow(state)
        }
        Offer::Path(path) => {
            state.chat.composer.replace_at_word("");
            let mut effects = follow(state);
            effects.extend(attach::path(state, &path));
            effects
        }
        Offer::Name(name) => {
            let token = format!("@{}", crate::text::clean_line(&name.name));
            state.chat.composer.replace_at_word(&format!("{token} "));
            let number = state.next_serial();
            state.chat.composer.chips.push(Chip {
                name: crate::text::fit(&name.name, 40),
                within: Some(name.within),
                token: Some(token),
                number,
            });
            follow(state)
        }
    }
}

/// The index of the row at a place of the screen.
#[must_use]
pub fn at(state: &State, areas: &Areas, column: u16, row: u16) -> Option<usize> {
    let position = ratatui::layout::Position { x: column, y: row };
    let count = if is_open(state) { state.mention.offers.len() } else { 0 };
    menu::at(state.mention.selected, count, areas, position)
}

fn kind(within: &Within) -> &'static str {
    match within {
        Within::Item(_) => "file",
        Within::Source(_) => "source",
        Within::Folder(_) => "folder",
        Within::Person(_) => "person",
        Within::Label(_) => "label",
    }
}

/// Draws the list.
pub fn view(state: &State, frame: &mut Frame, areas: &Areas) {
    if !is_open(state) {
        return;
    }
    let home = &state.place.home_dir;
    let row = |offer: &Offer| match offer {
        Offer::Name(name) => {
            (format!("@{}", name.name), format!("{} · {}", kind(&name.within), words::tilde(&name.detail, home)))
        }
        Offer::Path(path) => {
            let what =
                if path.ends_with('/') { "folder · Tab goes in, Enter attaches it" } else { "file · attach it" };
            (words::tilde(path, home), what.to_owned())
        }
    };
    let rows: Vec<(String, String)> = state.mention.offers.iter().map(row).collect();
    menu::view(frame, areas, &state.theme, "point at", &rows, state.mention.selected);
}
