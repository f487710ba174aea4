//! The owner's wishes for keys: read leniently, applied all at once, and where they cannot be, said in a sentence.
//!
//! All wishes are applied before they are held against each other, so that two keys can be swapped. A wish that would
//! make a key mean two things is taken back and its default stays; that may free or take another key, so it is looked
//! at again until nothing meets.

use super::{Action, Chord, Keymap, Scope, defaults};

/// The keys with `wishes`, and what is wrong with them.
pub(super) fn apply(wishes: &toml::Table) -> (Keymap, Vec<String>) {
    let (mut keymap, mut said) = (Keymap::default(), Vec::new());
    for (scope_name, table) in wishes {
        let Some(scope) = Scope::named(scope_name) else {
            let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
            said.push(format!("[keys.{scope_name}]: there is no such place; there are {}.", known.join(", ")));
            continue;
        };
        let Some(table) = table.as_table() else {
            said.push(format!("[keys.{scope_name}] is no table of keys."));
            continue;
        };
        for (name, value) in table {
            if let Err(sentence) = wish(&mut keymap, scope, name, value) {
                said.push(format!("[keys.{scope_name}] {name}: {sentence}."));
            }
        }
    }
    settle(&mut keymap, &mut said);
    (keymap, said)
}

fn wish(keymap: &mut Keymap, scope: Scope, name: &str, value: &toml::Value) -> Result<(), String> {
    let action = Action::named(name).ok_or("there is no such action; `icore config show` lists them")?;
    let at = keymap.bindings.iter().position(|b| b.scope == scope && b.action == action);
    let at = at.ok_or_else(|| format!("it does nothing there; it works in {}", places(action)))?;
    let written: Vec<&str> = match value {
        toml::Value::String(one) if one.trim().is_empty() => vec![],
        toml::Value::String(one) => vec![one],
        toml::Value::Array(several) => several.iter().map(toml::Value::as_str).collect::<Option<_>>().ok_or(FORM)?,
        _ => return Err(FORM.to_owned()),
    };
    let mut keys = Vec::new();
    for written in written {
        let chord = Chord::parse(written)?;
        if scope.types() && chord.types() {
            return Err(format!("{chord} would be typed; a key there needs Ctrl or Alt, or is none that types"));
        }
        if !keys.contains(&chord) {
            keys.push(chord);
        }
    }
    if keys.is_empty() && action.is_vital() && scope == Scope::Everywhere {
        return Err("this one always keeps a key".to_owned());
    }
    let binding = &mut keymap.bindings[at];
    binding.own = binding.keys != keys;
    binding.keys = keys;
    Ok(())
}

const FORM: &str = "a key is written \"ctrl+k\", several [\"ctrl+k\", \"f11\"], none \"\"";

fn places(action: Action) -> String {
    let scopes: Vec<&str> = defaults().filter(|line| line.action == action).map(|line| line.scope.name()).collect();
    if scopes.is_empty() { "no place".to_owned() } else { scopes.join(", ") }
}

/// Takes wishes back until no key means two things. Every round takes back at least one, so it ends.
fn settle(keymap: &mut Keymap, said: &mut Vec<String>) {
    while let Some((at, chord, other)) = clash(keymap) {
        let (mine, theirs) = (&keymap.bindings[at], &keymap.bindings[other]);
        let line = defaults().find(|line| line.scope == mine.scope && line.action == mine.action);
        let keys: Vec<Chord> = line.map(|line| line.keys.to_vec()).unwrap_or_default();
        let stays = match keys.first() {
            Some(key) => format!("{key} stays"),
            None => "it has no key".to_owned(),
        };
        said.push(format!(
            "[keys.{}] {}: {chord} already means \"{}\" ({}); {stays}.",
            mine.scope.name(),
            mine.action.name(),
            theirs.action.words(),
            theirs.scope.title(),
        ));
        let binding = &mut keymap.bindings[at];
        (binding.keys, binding.own) = (keys, false);
    }
}

/// The first of the owner's bindings that shares a key with another one it meets. Where both are the owner's, the
/// later one gives way.
fn clash(keymap: &Keymap) -> Option<(usize, Chord, usize)> {
    let all = &keymap.bindings;
    let owned = all.iter().enumerate().rev().filter(|(_, binding)| binding.own);
    for (at, mine) in owned {
        for (other, theirs) in all.iter().enumerate() {
            if other != at && mine.scope.meets(theirs.scope) {
                // Two places may share a key for the same thing, as F1 and ? do.
                if mine.action == theirs.action && mine.scope != theirs.scope {
                    continue;
                }
                if let Some(chord) = mine.keys.iter().find(|chord| theirs.keys.contains(chord)) {
                    return Some((at, *chord, other));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    fn with(text: &str) -> (Keymap, Vec<String>) {
        Keymap::with(&toml::from_str(text).unwrap())
    }

    fn keys(keymap: &Keymap, scope: Scope, action: Action) -> String {
        keymap.of(scope).find(|b| b.action == action).unwrap().keys_in_words()
    }

    #[test]
    fn a_wish_replaces_the_keys() {
        let (keymap, said) = with("[chat]\nnewline = ['alt+w', 'f11']\n[everywhere]\nside = ''\n");
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(keys(&keymap, Scope::Chat, Action::Newline), "Alt+W F11");
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Side), "");
        let pressed = KeyEvent::new(KeyCode::Char('w'), KeyModifiers::ALT);
        assert_eq!(keymap.lookup(&[Scope::Chat, Scope::Everywhere], pressed), Some(Action::Newline));
        assert!(keymap.bindings().filter(|b| b.own).count() == 2);
    }

    #[test]
    fn keys_can_be_swapped() {
        let (keymap, said) = with("[everywhere]\nchat = 'f3'\nmemory = 'f2'\n");
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Chat), "F3");
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Memory), "F2");
    }

    #[test]
    fn what_cannot_be_is_said_and_the_default_stays() {
        let table = [
            ("[chat]\nsend = 'ctrl+n'", Scope::Chat, Action::Send, "Enter", "already means"),
            ("[chat]\nsend = 'x'", Scope::Chat, Action::Send, "Enter", "would be typed"),
            ("[everywhere]\nquit = ''", Scope::Everywhere, Action::Quit, "Ctrl+Q", "always keeps a key"),
            ("[everywhere]\nquit = []", Scope::Everywhere, Action::Quit, "Ctrl+Q", "always keeps a key"),
            ("[everywhere]\nkill_switch = 'f1'", Scope::Everywhere, Action::Kill, "F8 Ctrl+X", "already means"),
            ("[everywhere]\nquit = 'ctrl+m'", Scope::Everywhere, Action::Quit, "Ctrl+Q", "Enter"),
            ("[hits]\nforget = 7", Scope::Hits, Action::Forget, "f", "a key is written"),
            ("[hits]\nfly = 'x'", Scope::Hits, Action::Forget, "f", "no such action"),
            ("[hits]\nsync = 'x'", Scope::Hits, Action::Forget, "f", "it works in sources"),
            ("[moon]\nfly = 'x'", Scope::Hits, Action::Forget, "f", "no such place"),
            ("hits = 1", Scope::Hits, Action::Forget, "f", "no table"),
        ];
        for (text, scope, action, stays, sentence) in table {
            let (keymap, said) = with(text);
            assert!(said.len() == 1 && said[0].contains(sentence), "{text}: {said:?}");
            assert_eq!(keys(&keymap, scope, action), stays, "{text}");
        }
    }

    #[test]
    fn a_key_taken_by_two_wishes_goes_to_the_first() {
        let (keymap, said) = with("[everywhere]\nchat = 'f11'\nmemory = 'f11'\n");
        assert_eq!(said.len(), 1);
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Chat), "F11");
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Memory), "F3");
    }

    #[test]
    fn a_default_that_comes_back_takes_its_key_again() {
        // chat wants F1, which is taken; its F2 comes back, and so memory cannot have it either.
        let (keymap, said) = with("[everywhere]\nchat = 'f1'\nmemory = 'f2'\n");
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Chat), "F2");
        assert_eq!(keys(&keymap, Scope::Everywhere, Action::Memory), "F3");
    }
}
