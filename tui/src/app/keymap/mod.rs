//! Every key, once: what it does where, in words. Dispatch, the bottom line, the help and the palette read the same
//! map: the table in `defaults`, changed by the owner's config in `config`.
//!
//! Invariant: in scopes that are looked up together no key means two things, and what stops, helps and leaves always
//! has a key.

mod actions;
mod chord;
mod config;
mod defaults;

use crossterm::event::KeyEvent;

pub use actions::Action;
pub use chord::Chord;
pub use defaults::{Default as DefaultBinding, defaults};

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In every pane and overlay.
    Everywhere,
    /// Wherever no text is being typed.
    Reading,
    /// The conversation and its input.
    Chat,
    /// The conversation itself.
    Talk,
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
    /// Requests that wait for the owner.
    Waiting,
    /// Ledger lines.
    Ledger,
    /// Nights.
    Sleep,
    /// Assemblies.
    Assembly,
    /// The ledger's filter.
    Filter,
    /// The question whether something may leave.
    Asking,
    /// A source looked at closely.
    Source,
    /// An opened item.
    Item,
    /// The list of conversations.
    Sessions,
    /// The list of commands above the input.
    Slash,
    /// A list that is searched by typing.
    Picker,
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
            Self::Talk => "the conversation (Tab from the input)",
            Self::Recalled => "recalled for this answer",
            Self::Query => "memory: the search",
            Self::Hits => "memory: what was found",
            Self::Sources => "sources",
            Self::Grants => "consent: grants",
            Self::Waiting => "consent: requests",
            Self::Ledger => "consent: what left, and the ledger",
            Self::Sleep => "sleep",
            Self::Assembly => "assembly",
            Self::Filter => "consent: the filter",
            Self::Asking => "somebody asks for something of yours",
            Self::Source => "a source looked at closely",
            Self::Item => "an opened item",
            Self::Sessions => "conversations",
            Self::Slash => "a command after a slash",
            Self::Picker => "a list that is searched by typing",
            Self::Confirm => "a question before something goes",
        }
    }
}

/// Scopes that are looked up together, as `view::scopes` puts them together.
pub const TOGETHER: &[&[Scope]] = &[
    &[Scope::Chat, Scope::Everywhere],
    &[Scope::Talk, Scope::Reading, Scope::Everywhere],
    &[Scope::Recalled, Scope::Reading, Scope::Everywhere],
    &[Scope::Query, Scope::Everywhere],
    &[Scope::Hits, Scope::Reading, Scope::Everywhere],
    &[Scope::Sources, Scope::Reading, Scope::Everywhere],
    &[Scope::Grants, Scope::Reading, Scope::Everywhere],
    &[Scope::Waiting, Scope::Reading, Scope::Everywhere],
    &[Scope::Ledger, Scope::Reading, Scope::Everywhere],
    &[Scope::Sleep, Scope::Reading, Scope::Everywhere],
    &[Scope::Assembly, Scope::Reading, Scope::Everywhere],
    &[Scope::Filter, Scope::Everywhere],
    &[Scope::Asking],
    &[Scope::Source],
    &[Scope::Item],
    &[Scope::Sessions],
    &[Scope::Slash],
    &[Scope::Picker],
    &[Scope::Confirm],
];

impl Scope {
    /// All of them, in the order the help shows them.
    pub const ALL: &[Self] = &[
        Self::Everywhere,
        Self::Reading,
        Self::Chat,
        Self::Talk,
        Self::Recalled,
        Self::Query,
        Self::Hits,
        Self::Sources,
        Self::Grants,
        Self::Waiting,
        Self::Ledger,
        Self::Sleep,
        Self::Assembly,
        Self::Filter,
        Self::Asking,
        Self::Source,
        Self::Item,
        Self::Sessions,
        Self::Slash,
        Self::Picker,
        Self::Confirm,
    ];

    /// Its name in the config.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Reading => "reading",
            Self::Chat => "chat",
            Self::Talk => "conversation",
            Self::Recalled => "recalled",
            Self::Query => "query",
            Self::Hits => "hits",
            Self::Sources => "sources",
            Self::Grants => "grants",
            Self::Waiting => "waiting",
            Self::Ledger => "ledger",
            Self::Sleep => "sleep",
            Self::Assembly => "assembly",
            Self::Filter => "filter",
            Self::Asking => "asking",
            Self::Source => "source",
            Self::Item => "item",
            Self::Sessions => "conversations",
            Self::Slash => "slash",
            Self::Picker => "picker",
            Self::Confirm => "confirm",
        }
    }

    /// The scope with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == name)
    }

    /// Whether text is typed where it holds, so that a plain letter there can be no command.
    #[must_use]
    pub fn types(self) -> bool {
        matches!(
            self,
            Self::Everywhere | Self::Chat | Self::Query | Self::Filter | Self::Slash | Self::Picker | Self::Sessions
        )
    }

    /// Whether one key may not mean something in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self == other || TOGETHER.iter().any(|scopes| scopes.contains(&self) && scopes.contains(&other))
    }
}

/// One line of the keymap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where.
    pub scope: Scope,
    /// Any of these keys; none where it has no key.
    pub keys: Vec<Chord>,
    /// What it does.
    pub action: Action,
    /// What it does, in words; empty where a neighbour says it for both.
    pub words: &'static str,
    /// What the bottom line calls it, where it is shown there.
    pub hint: &'static str,
    /// Whether the keys are the owner's own.
    pub own: bool,
}

impl Binding {
    /// Its keys, as the help writes them.
    #[must_use]
    pub fn keys_in_words(&self) -> String {
        self.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

/// The keys in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = defaults().map(|line| Binding {
            scope: line.scope,
            keys: line.keys.to_vec(),
            action: line.action,
            words: line.words,
            hint: line.hint,
            own: false,
        });
        Self { bindings: bindings.collect() }
    }
}

impl Keymap {
    /// The keys with the owner's wishes, which are a table of scopes (`[keys.chat]`) in the config. What cannot be is
    /// said in sentences, and the default stays in force for it.
    #[must_use]
    pub fn with(wishes: &toml::Table) -> (Self, Vec<String>) {
        config::apply(wishes)
    }

    /// Every line, in the order the help shows it.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// The lines of one scope.
    pub fn of(&self, scope: Scope) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.scope == scope)
    }

    /// What a key does, looked up in `scopes` in their order.
    #[must_use]
    pub fn lookup(&self, scopes: &[Scope], pressed: KeyEvent) -> Option<Action> {
        let chord = Chord::of(pressed);
        scopes.iter().find_map(|scope| self.of(*scope).find(|b| b.keys.contains(&chord)).map(|binding| binding.action))
    }

    /// The first key of an action in any of `scopes`, for sentences that name it.
    #[must_use]
    pub fn key_of(&self, scopes: &[Scope], action: Action) -> Option<Chord> {
        scopes.iter().find_map(|scope| self.of(*scope).find(|b| b.action == action)?.keys.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let keymap = Keymap::default();
        for scopes in TOGETHER {
            let mut seen: Vec<(Chord, Action)> = Vec::new();
            for binding in keymap.bindings().filter(|b| scopes.contains(&b.scope)) {
                for chord in &binding.keys {
                    if let Some((_, other)) = seen.iter().find(|(c, _)| c == chord) {
                        panic!("{chord} in {scopes:?} is {other:?} and {:?}", binding.action);
                    }
                    seen.push((*chord, binding.action));
                }
            }
        }
    }

    #[test]
    fn a_scope_says_each_action_once_and_every_scope_is_somewhere() {
        let keymap = Keymap::default();
        for scope in Scope::ALL {
            let mut seen = Vec::new();
            for binding in keymap.of(*scope) {
                assert!(!seen.contains(&binding.action), "{scope:?} has {:?} twice", binding.action);
                seen.push(binding.action);
            }
            assert!(!seen.is_empty(), "{scope:?} has no keys");
            assert!(TOGETHER.iter().any(|scopes| scopes.contains(scope)), "{scope:?} is never looked up");
            assert_eq!(Scope::named(scope.name()), Some(*scope));
        }
        assert!(keymap.bindings().all(|b| Scope::ALL.contains(&b.scope)));
    }

    #[test]
    fn names_are_snake_case_and_lead_to_one_action() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.name()), Some(*action));
            assert!(action.name().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            assert!(!action.words().is_empty());
        }
    }

    #[test]
    fn defaults_can_be_sent_and_do_not_eat_text() {
        for binding in Keymap::default().bindings() {
            for chord in &binding.keys {
                assert!(!(binding.scope.types() && chord.types()), "{chord} would be typed in {:?}", binding.scope);
            }
            assert!(!binding.words.is_empty() || matches!(binding.action, Action::Cite(_)));
        }
    }

    #[test]
    fn looks_up_shifted_signs_and_capitals() {
        let keymap = Keymap::default();
        let press = |code, modifiers| keymap.lookup(&[Scope::Reading, Scope::Hits], KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::Help));
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Bottom));
        assert_eq!(press(KeyCode::Char('f'), KeyModifiers::CONTROL), None);
    }
}
