//! Every key, once: what it does where, in words. Dispatch, the bottom line and the help overlay read the same table.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In every pane and overlay.
    Everywhere,
    /// Wherever no text is being typed.
    Reading,
    /// The conversation and its input.
    Chat,
    /// What was recalled, beside the conversation.
    Recalled,
    /// The memory pane's query.
    Query,
    /// The memory pane's hits.
    Hits,
    /// Sources.
    Sources,
    /// Grants.
    Grants,
    /// Ledger lines.
    Ledger,
    /// An opened item.
    Item,
    /// The list of conversations.
    Sessions,
    /// A question with a dangerous yes.
    Confirm,
}

impl Scope {
    /// Its heading in the help.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Reading => "where nothing is typed",
            Self::Chat => "chat",
            Self::Recalled => "recalled for this answer",
            Self::Query => "memory: the search",
            Self::Hits => "memory: what was found",
            Self::Sources => "sources",
            Self::Grants => "consent: grants",
            Self::Ledger => "consent: ledger",
            Self::Item => "an opened item",
            Self::Sessions => "conversations",
            Self::Confirm => "a question before something goes",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each action is described in words by its binding below")]
pub enum Action {
    Help,
    Chat,
    Memory,
    Sources,
    Consent,
    Sessions,
    New,
    Side,
    Kill,
    Mouse,
    Redraw,
    Quit,
    Interrupt,
    Back,
    NextFocus,
    PreviousFocus,
    Cite(u8),
    Send,
    Newline,
    HistoryOlder,
    HistoryNewer,
    PageUp,
    PageDown,
    LineUp,
    LineDown,
    Top,
    Bottom,
    Up,
    Down,
    Open,
    Forget,
    Add,
    Sync,
    Pause,
    Revoke,
    Verify,
    Yes,
    No,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chord(pub KeyModifiers, pub KeyCode);

/// One line of the keymap.
pub struct Binding {
    /// Where.
    pub scope: Scope,
    /// Any of these keys.
    pub keys: &'static [Chord],
    /// What it does.
    pub action: Action,
    /// What it does, in words.
    pub words: &'static str,
    /// What the bottom line calls it, where it is shown there.
    pub hint: &'static str,
}

const fn plain(c: char) -> Chord {
    Chord(KeyModifiers::NONE, KeyCode::Char(c))
}
const fn ctrl(c: char) -> Chord {
    Chord(KeyModifiers::CONTROL, KeyCode::Char(c))
}
const fn alt(c: char) -> Chord {
    Chord(KeyModifiers::ALT, KeyCode::Char(c))
}
const fn key(code: KeyCode) -> Chord {
    Chord(KeyModifiers::NONE, code)
}
const fn with(modifiers: KeyModifiers, code: KeyCode) -> Chord {
    Chord(modifiers, code)
}
const fn f(n: u8) -> Chord {
    Chord(KeyModifiers::NONE, KeyCode::F(n))
}
const fn bind(
    scope: Scope,
    keys: &'static [Chord],
    action: Action,
    hint: &'static str,
    words: &'static str,
) -> Binding {
    Binding { scope, keys, action, words, hint }
}

const UP: &[Chord] = &[key(KeyCode::Up), plain('k')];
const DOWN: &[Chord] = &[key(KeyCode::Down), plain('j')];
const PAGE_UP: &[Chord] = &[key(KeyCode::PageUp)];
const PAGE_DOWN: &[Chord] = &[key(KeyCode::PageDown)];
const TOP: &[Chord] = &[key(KeyCode::Home), plain('g')];
const BOTTOM: &[Chord] = &[key(KeyCode::End), plain('G')];
const ENTER: &[Chord] = &[key(KeyCode::Enter)];

macro_rules! list {
    ($scope:expr) => {
        [
            bind($scope, UP, Action::Up, "", "the line above"),
            bind($scope, DOWN, Action::Down, "", "the line below"),
            bind($scope, PAGE_UP, Action::PageUp, "", "a page up"),
            bind($scope, PAGE_DOWN, Action::PageDown, "", "a page down"),
            bind($scope, TOP, Action::Top, "", "the first"),
            bind($scope, BOTTOM, Action::Bottom, "", "the last"),
        ]
    };
}

const EVERYWHERE: &[Binding] = {
    use Action as A;
    use Scope::Everywhere as E;
    &[
        bind(E, &[f(1)], A::Help, "help", "this help"),
        bind(E, &[f(2)], A::Chat, "", "chat"),
        bind(E, &[f(3)], A::Memory, "", "memory: search what is remembered"),
        bind(E, &[f(4)], A::Sources, "", "sources: the folders it reads"),
        bind(E, &[f(5)], A::Consent, "", "consent: grants and the ledger"),
        bind(E, &[ctrl('o')], A::Sessions, "", "conversations: open another, start a new one"),
        bind(E, &[ctrl('n')], A::New, "", "a new conversation"),
        bind(E, &[f(8), ctrl('x')], A::Kill, "kill switch", "kill switch: stop every source, door and job; or lift it"),
        bind(E, &[key(KeyCode::Tab)], A::NextFocus, "pane", "the next part of the pane"),
        bind(E, &[key(KeyCode::BackTab)], A::PreviousFocus, "", "the part before"),
        bind(E, &[key(KeyCode::Esc)], A::Back, "", "stop the answer, close what is open, go back to the chat"),
        bind(E, &[ctrl('b')], A::Side, "", "show or hide what was recalled"),
        bind(E, &[f(9)], A::Mouse, "", "wheel on or off (off: the terminal selects; Shift+drag selects either way)"),
        bind(E, &[ctrl('l')], A::Redraw, "", "draw the screen anew"),
        bind(E, &[ctrl('q')], A::Quit, "quit", "quit"),
        bind(E, &[ctrl('c')], A::Interrupt, "", "stop the answer; twice: quit"),
    ]
};

const CITATIONS: &[Binding] = {
    use Action::Cite;
    use Scope::Everywhere as E;
    &[
        bind(E, &[alt('1')], Cite(1), "", "Alt+1 … Alt+9: open what [1] … [9] stands on"),
        bind(E, &[alt('2')], Cite(2), "", ""),
        bind(E, &[alt('3')], Cite(3), "", ""),
        bind(E, &[alt('4')], Cite(4), "", ""),
        bind(E, &[alt('5')], Cite(5), "", ""),
        bind(E, &[alt('6')], Cite(6), "", ""),
        bind(E, &[alt('7')], Cite(7), "", ""),
        bind(E, &[alt('8')], Cite(8), "", ""),
        bind(E, &[alt('9')], Cite(9), "", ""),
    ]
};

const READING: &[Binding] = {
    use Action as A;
    use Scope::Reading as R;
    &[
        bind(R, &[plain('?')], A::Help, "", "this help"),
        bind(R, &[plain('1')], A::Chat, "", "chat"),
        bind(R, &[plain('2')], A::Memory, "", "memory"),
        bind(R, &[plain('3')], A::Sources, "", "sources"),
        bind(R, &[plain('4')], A::Consent, "", "consent"),
    ]
};

const CHAT: &[Binding] = {
    use Action as A;
    use KeyModifiers as M;
    use Scope::Chat as C;
    &[
        bind(C, ENTER, A::Send, "send", "send; while it answers: send next"),
        bind(
            C,
            &[with(M::ALT, KeyCode::Enter), ctrl('j'), with(M::SHIFT, KeyCode::Enter)],
            A::Newline,
            "new line",
            "a new line",
        ),
        bind(C, &[key(KeyCode::Up)], A::HistoryOlder, "", "on the first line: what you said before"),
        bind(
            C,
            &[key(KeyCode::Down)],
            A::HistoryNewer,
            "",
            "on the last line: what you said after that, or your draft",
        ),
        bind(C, PAGE_UP, A::PageUp, "", "a page up; nothing moves while you read"),
        bind(C, PAGE_DOWN, A::PageDown, "", "a page down; at the end it follows again"),
        bind(C, &[with(M::CONTROL, KeyCode::Up)], A::LineUp, "", "a line up"),
        bind(C, &[with(M::CONTROL, KeyCode::Down)], A::LineDown, "", "a line down"),
        bind(C, &[with(M::CONTROL, KeyCode::Home)], A::Top, "", "the beginning"),
        bind(C, &[with(M::CONTROL, KeyCode::End)], A::Bottom, "", "the end"),
    ]
};

const RECALLED: &[Binding] = &[
    bind(Scope::Recalled, ENTER, Action::Open, "open", "open the item at the cited words"),
    bind(Scope::Recalled, &[plain('f')], Action::Forget, "forget", "forget the item, with a preview first"),
];
const QUERY: &[Binding] = &[
    bind(Scope::Query, ENTER, Action::Send, "search", "search"),
    bind(Scope::Query, &[key(KeyCode::Down)], Action::Down, "", "to what was found"),
];
const HITS: &[Binding] = &[
    bind(Scope::Hits, ENTER, Action::Open, "open", "open the item at the words found"),
    bind(Scope::Hits, &[plain('f')], Action::Forget, "forget", "forget the item, with a preview first"),
];
const SOURCES: &[Binding] = &[
    bind(Scope::Sources, &[plain('a')], Action::Add, "add folder", "open a folder: a grant, read and watched"),
    bind(Scope::Sources, &[plain('s')], Action::Sync, "read again", "read the folder again now"),
    bind(Scope::Sources, &[plain('p')], Action::Pause, "pause", "pause or resume the folder"),
    bind(
        Scope::Sources,
        &[plain('f')],
        Action::Forget,
        "forget",
        "forget the folder and all its items, with a preview first",
    ),
];
const GRANTS: &[Binding] = &[
    bind(Scope::Grants, &[plain('r')], Action::Revoke, "revoke", "take the grant back"),
    bind(Scope::Grants, &[plain('v')], Action::Verify, "verify", "verify the whole ledger"),
];
const LEDGER: &[Binding] = &[bind(Scope::Ledger, &[plain('v')], Action::Verify, "verify", "verify the whole ledger")];
const ITEM: &[Binding] =
    &[bind(Scope::Item, &[plain('f')], Action::Forget, "forget", "forget the item, with a preview first")];
const SESSIONS: &[Binding] = &[
    bind(Scope::Sessions, ENTER, Action::Open, "open", "open it"),
    bind(Scope::Sessions, &[plain('n')], Action::New, "new", "a new conversation"),
];
const CONFIRM: &[Binding] = &[
    bind(Scope::Confirm, &[plain('y'), plain('Y')], Action::Yes, "yes", "do it"),
    bind(Scope::Confirm, &[plain('n'), plain('N'), key(KeyCode::Enter)], Action::No, "no", "leave everything as it is"),
];

/// The lists that share the movement keys.
const LISTS: &[[Binding; 6]] = &[
    list!(Scope::Recalled),
    list!(Scope::Hits),
    list!(Scope::Sources),
    list!(Scope::Grants),
    list!(Scope::Ledger),
    list!(Scope::Item),
    list!(Scope::Sessions),
];

/// The whole keymap, in the order the help shows it.
pub fn bindings() -> impl Iterator<Item = &'static Binding> {
    [EVERYWHERE, CITATIONS, READING, CHAT, RECALLED, QUERY, HITS, SOURCES, GRANTS, LEDGER, ITEM, SESSIONS, CONFIRM]
        .into_iter()
        .flatten()
        .chain(LISTS.iter().flatten())
}

/// What a key does, looked up in `scopes` in their order.
#[must_use]
pub fn lookup(scopes: &[Scope], pressed: KeyEvent) -> Option<Action> {
    let mut modifiers = pressed.modifiers;
    let code = match pressed.code {
        // A capital letter or a sign already says Shift.
        KeyCode::Char(c) => {
            modifiers.remove(KeyModifiers::SHIFT);
            if modifiers.contains(KeyModifiers::CONTROL) { KeyCode::Char(c.to_ascii_lowercase()) } else { pressed.code }
        }
        KeyCode::BackTab => {
            modifiers.remove(KeyModifiers::SHIFT);
            KeyCode::BackTab
        }
        code => code,
    };
    let chord = Chord(modifiers, code);
    scopes.iter().find_map(|scope| {
        bindings().find(|b| b.scope == *scope && b.keys.contains(&chord)).map(|binding| binding.action)
    })
}

impl std::fmt::Display for Chord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl+"), (KeyModifiers::ALT, "Alt+"), (KeyModifiers::SHIFT, "Shift+")]
        {
            if self.0.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.1 {
            KeyCode::Char(c) if self.0.is_empty() => write!(f, "{c}"),
            KeyCode::Char(c) => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::BackTab => f.write_str("Shift+Tab"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// The keys of a binding, as the help writes them.
#[must_use]
pub fn keys_in_words(binding: &Binding) -> String {
    binding.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        // Scopes that are looked up together.
        let together: [&[Scope]; 9] = [
            &[Scope::Everywhere, Scope::Chat],
            &[Scope::Everywhere, Scope::Reading, Scope::Recalled],
            &[Scope::Everywhere, Scope::Query],
            &[Scope::Everywhere, Scope::Reading, Scope::Hits],
            &[Scope::Everywhere, Scope::Reading, Scope::Sources],
            &[Scope::Everywhere, Scope::Reading, Scope::Grants],
            &[Scope::Everywhere, Scope::Reading, Scope::Ledger],
            &[Scope::Item],
            &[Scope::Sessions],
        ];
        for scopes in together {
            let mut seen: Vec<(Chord, Action)> = Vec::new();
            for binding in bindings().filter(|b| scopes.contains(&b.scope)) {
                for chord in binding.keys {
                    if let Some((_, other)) = seen.iter().find(|(c, _)| c == chord) {
                        panic!("{chord} in {scopes:?} is {other:?} and {:?}", binding.action);
                    }
                    seen.push((*chord, binding.action));
                }
            }
        }
    }

    #[test]
    fn looks_up_shifted_signs_and_capitals() {
        let press = |code, modifiers| lookup(&[Scope::Reading, Scope::Hits], KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::Help));
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Bottom));
        assert_eq!(press(KeyCode::Char('f'), KeyModifiers::CONTROL), None);
    }

    #[test]
    fn every_key_is_said_in_words() {
        for binding in bindings() {
            assert!(!binding.words.is_empty() || matches!(binding.action, Action::Cite(_)));
        }
        assert_eq!(Chord(KeyModifiers::CONTROL, KeyCode::Char('x')).to_string(), "Ctrl+X");
    }
}
