//! The keys as they are without a config, in words. One line for each thing a scope can do; a line without keys says
//! what the owner may bind there.

use super::{Action, Chord, Scope};
use crossterm::event::{KeyCode, KeyModifiers};

/// One line of the table.
pub struct Default {
    /// Where.
    pub scope: Scope,
    /// Any of these keys.
    pub keys: &'static [Chord],
    /// What it does.
    pub action: Action,
    /// What it does, in words; empty where a neighbour says it for both.
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
) -> Default {
    Default { scope, keys, action, words, hint }
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

const EVERYWHERE: &[Default] = {
    use Action as A;
    use Scope::Everywhere as E;
    &[
        bind(E, &[f(1)], A::Help, "help", "this help"),
        bind(E, &[f(2)], A::Chat, "", "chat"),
        bind(E, &[f(3)], A::Memory, "", "memory: search what is remembered"),
        bind(E, &[f(4)], A::Sources, "", "sources: the folders it reads"),
        bind(E, &[f(5)], A::Consent, "", "consent: grants and the ledger"),
        bind(E, &[f(6)], A::Sleep, "", "sleep: the nights, what was learned"),
        // Some terminals keep F10 for their own menu.
        bind(E, &[f(10), alt('q')], A::Assembly, "", "assembly: who answers what your memory cannot"),
        bind(E, &[ctrl('k')], A::Palette, "do", "everything that can be done here, found by its letters"),
        bind(E, &[ctrl('o')], A::Sessions, "", "conversations: open another, start a new one"),
        bind(E, &[ctrl('n')], A::New, "", "a new conversation"),
        bind(E, &[], A::PauseMemory, "", "pause remembering altogether, or go on with it"),
        bind(E, &[], A::Incognito, "", "a conversation of which nothing is kept"),
        bind(E, &[f(8), ctrl('x')], A::Kill, "kill switch", "kill switch: stop every source, door and job; or lift it"),
        bind(E, &[f(7)], A::Requests, "", "who waits for your answer, with the exact bytes"),
        bind(E, &[key(KeyCode::Tab)], A::NextFocus, "pane", "the next part of the pane"),
        bind(E, &[key(KeyCode::BackTab)], A::PreviousFocus, "", "the part before"),
        bind(E, &[key(KeyCode::Esc)], A::Back, "", "stop the answer, close what is open, go back to the chat"),
        bind(E, &[ctrl('b')], A::Side, "", "show or hide what was recalled"),
        bind(E, &[f(9)], A::Mouse, "", "mouse on or off (off: the terminal selects; Shift+drag selects either way)"),
        bind(E, &[ctrl('l')], A::Redraw, "", "draw the screen anew"),
        bind(E, &[ctrl('q')], A::Quit, "quit", "quit"),
        bind(E, &[ctrl('c')], A::Interrupt, "", "stop the answer; twice: quit"),
    ]
};

const CITATIONS: &[Default] = {
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

const READING: &[Default] = {
    use Action as A;
    use Scope::Reading as R;
    &[
        bind(R, &[plain('?')], A::Help, "", "this help"),
        bind(R, &[plain('1')], A::Chat, "", "chat"),
        bind(R, &[plain('2')], A::Memory, "", "memory"),
        bind(R, &[plain('3')], A::Sources, "", "sources"),
        bind(R, &[plain('5')], A::Sleep, "", "sleep"),
        bind(R, &[plain('4')], A::Consent, "", "consent"),
        bind(R, &[plain('6')], A::Assembly, "", "assembly"),
        bind(R, &[plain('P')], A::PauseMemory, "", "pause remembering altogether, or go on with it"),
    ]
};

const CHAT: &[Default] = {
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
        bind(C, &[ctrl('r')], A::History, "", "look through what you said before"),
        bind(C, &[ctrl('f')], A::FindHere, "", "find words in this conversation"),
        bind(C, &[ctrl('g')], A::Editor, "", "write in your own editor ($VISUAL, $EDITOR)"),
        bind(C, &[alt('r')], A::Regenerate, "", "answer again; the answer there was stays beside it"),
        bind(C, &[alt('e')], A::EditLast, "", "edit your last question; the one there was stays beside it"),
        bind(C, &[alt('y')], A::CopyAnswer, "", "copy the last answer"),
        bind(C, &[], A::Forgo, "", "leave the memory alone in this conversation, or not"),
    ]
};

const TALK: &[Default] = {
    use Action as A;
    use Scope::Talk as T;
    &[
        bind(T, &[plain('y')], A::Copy, "copy", "copy the message as it was written, or the selected lines"),
        bind(T, &[plain('c')], A::CopyCode, "code", "copy the code here"),
        bind(T, &[plain('v'), plain('V')], A::Select, "select", "select lines from here on"),
        bind(T, &[plain('e')], A::Edit, "edit", "edit the question, or say how the answer should have been"),
        bind(T, &[plain('r')], A::Regenerate, "again", "answer again; the answer there was stays beside it"),
        bind(T, &[plain('h'), key(KeyCode::Left)], A::OlderVersion, "", "the version before"),
        bind(T, &[plain('l'), key(KeyCode::Right)], A::NewerVersion, "", "the version after"),
        bind(T, &[plain('b')], A::Fork, "branch off", "take the conversation up to here into a new one"),
        bind(T, &[plain('u')], A::Rewind, "go back", "go back to here; what followed stays as a branch"),
        bind(T, &[plain('o')], A::Onward, "", "go on to the branch that follows"),
        bind(T, &[plain('+'), plain('=')], A::ThumbUp, "", "thumb up; again takes it back"),
        bind(T, &[plain('-')], A::ThumbDown, "", "thumb down; again takes it back"),
        bind(T, &[plain('a')], A::Accept, "", "mark the answer as taken; again takes it back"),
        bind(T, &[plain('/'), ctrl('f')], A::FindHere, "find", "find words in this conversation"),
        bind(T, &[plain('n')], A::NextMatch, "", "the next place found"),
        bind(T, &[plain('N')], A::PreviousMatch, "", "the place found before"),
        bind(T, &[plain('}'), plain('J')], A::NextMessage, "", "the next message"),
        bind(T, &[plain('{'), plain('K')], A::PreviousMessage, "", "the message before"),
        bind(T, ENTER, A::Open, "", "open what this line cites"),
        bind(T, &[plain('i')], A::ToInput, "", "back to the input"),
    ]
};

const RECALLED: &[Default] = &[
    bind(Scope::Recalled, ENTER, Action::Open, "open", "open the item at the cited words"),
    bind(Scope::Recalled, &[plain('f')], Action::Forget, "forget", "forget the item, with a preview first"),
];
const QUERY: &[Default] = &[
    bind(Scope::Query, ENTER, Action::Send, "search", "search"),
    bind(Scope::Query, &[key(KeyCode::Down)], Action::Down, "", "to what was found"),
];
const HITS: &[Default] = &[
    bind(Scope::Hits, ENTER, Action::Open, "open", "open the item at the words found"),
    bind(Scope::Hits, &[plain('p')], Action::Pin, "pin", "pin the item, or not"),
    bind(Scope::Hits, &[plain('f')], Action::Forget, "forget", "forget the item, with a preview first"),
];
const SOURCES: &[Default] = &[
    bind(Scope::Sources, ENTER, Action::Open, "look", "its grant, what it may do, what was left out and why"),
    bind(Scope::Sources, &[plain('a')], Action::Add, "add folder", "open a folder: a grant, read and watched"),
    bind(Scope::Sources, &[plain('i')], Action::ReadOnce, "read once", "read a file or a folder once"),
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
const SLEEP: &[Default] = &[
    bind(
        Scope::Sleep,
        &[plain('s')],
        Action::Begin,
        "sleep now",
        "begin a night, or go on with the one that was interrupted",
    ),
    bind(
        Scope::Sleep,
        &[plain('w')],
        Action::Wake,
        "wake",
        "interrupt the night that goes on; what it has done is kept",
    ),
    bind(Scope::Sleep, &[plain('d')], Action::NextChange, "changes", "go to the next answer that changed overnight"),
    bind(
        Scope::Sleep,
        &[plain('v')],
        Action::Veto,
        "veto",
        "keep what is behind the changed answer from being learned; again takes it back",
    ),
    bind(Scope::Sleep, &[plain('r')], Action::RollBack, "roll back", "be again as after this night"),
];
const ASSEMBLY: &[Default] = &[
    bind(
        Scope::Assembly,
        &[plain('t')],
        Action::TryQuestion,
        "try",
        "who would answer what stands in the chat's input, or your last question; nothing is answered",
    ),
    bind(
        Scope::Assembly,
        &[plain('u')],
        Action::UseAssembly,
        "use",
        "have it asked in the chat where your memory has no answer; again: not any more",
    ),
    bind(Scope::Assembly, &[plain('m')], Action::NextMember, "members", "go to the next member"),
    bind(
        Scope::Assembly,
        &[plain('l')],
        Action::MemberLeaves,
        "leave",
        "have the member leave, after a question: the assembly is then one that never had it",
    ),
    bind(
        Scope::Assembly,
        &[plain('o')],
        Action::Premerge,
        "",
        "make one delta of those who would be mixed for the question that was tried, or were mixed most often",
    ),
];
const GRANTS: &[Default] = &[
    bind(Scope::Grants, &[plain('r')], Action::Revoke, "revoke", "take the grant back"),
    bind(Scope::Grants, &[plain('v')], Action::Verify, "verify", "verify the whole ledger"),
];
const WAITING: &[Default] = &[
    bind(Scope::Waiting, ENTER, Action::Open, "decide", "decide: once, for an hour, standing, or no"),
    bind(Scope::Waiting, &[plain('v')], Action::Verify, "", "verify the whole ledger"),
];
const LEDGER: &[Default] = &[
    bind(Scope::Ledger, &[plain('/')], Action::Filter, "filter", "show some of it: words, kind:grant kind:forget"),
    bind(Scope::Ledger, &[plain('v')], Action::Verify, "verify", "verify the whole ledger"),
];
const FILTER: &[Default] = &[bind(Scope::Filter, ENTER, Action::Send, "filter", "show what fits")];
const ASKING: &[Default] = &[
    bind(Scope::Asking, &[plain('y')], Action::AllowOnce, "once", "these bytes, this once; asks for your proof"),
    bind(Scope::Asking, &[plain('h')], Action::AllowHour, "an hour", "for an hour; asks for your proof"),
    bind(Scope::Asking, &[plain('g')], Action::AllowStanding, "grant", "a standing grant; asks for your proof"),
    bind(Scope::Asking, &[plain('n'), key(KeyCode::Enter)], Action::No, "no", "nothing leaves"),
    bind(Scope::Asking, &[key(KeyCode::Up)], Action::Up, "", "the line above"),
    bind(Scope::Asking, &[key(KeyCode::Down)], Action::Down, "", "the line below"),
    bind(Scope::Asking, PAGE_UP, Action::PageUp, "", "a page up"),
    bind(Scope::Asking, PAGE_DOWN, Action::PageDown, "", "a page down"),
];
const ITEM: &[Default] = &[
    bind(Scope::Item, &[plain('/')], Action::FindHere, "find", "find words in it"),
    bind(Scope::Item, &[plain('n')], Action::NextMatch, "", "the next place found"),
    bind(Scope::Item, &[plain('N')], Action::PreviousMatch, "", "the place found before"),
    bind(Scope::Item, &[plain('p')], Action::Pin, "pin", "pin it, or not"),
    bind(Scope::Item, &[plain('l')], Action::Labels, "labels", "give it labels"),
    bind(Scope::Item, &[plain('f')], Action::Forget, "forget", "forget the item, with a preview first"),
    bind(Scope::Item, &[plain('y')], Action::Copy, "copy", "copy the marked words"),
    bind(Scope::Item, &[plain(']')], Action::NextHit, "", "the next one of the list it was opened from"),
    bind(Scope::Item, &[plain('[')], Action::PreviousHit, "", "the one before in that list"),
];
const SESSIONS: &[Default] = &[
    bind(Scope::Sessions, ENTER, Action::Open, "open", "open it; typing looks through titles and everything said"),
    bind(Scope::Sessions, &[ctrl('n')], Action::New, "new", "a new conversation"),
    bind(Scope::Sessions, &[ctrl('t')], Action::Rename, "title", "give it another title"),
    bind(Scope::Sessions, &[ctrl('p')], Action::Pin, "pin", "pin it to the top, or not"),
    bind(Scope::Sessions, &[ctrl('s')], Action::Archive, "put away", "put it away, or take it out again"),
    bind(Scope::Sessions, &[key(KeyCode::Tab)], Action::ShowArchived, "", "show those that were put away, or not"),
    bind(Scope::Sessions, &[ctrl('d')], Action::Forget, "forget", "forget the conversation, with a preview first"),
    bind(Scope::Sessions, &[key(KeyCode::Up)], Action::Up, "", "the line above"),
    bind(Scope::Sessions, &[key(KeyCode::Down)], Action::Down, "", "the line below"),
    bind(Scope::Sessions, PAGE_UP, Action::PageUp, "", "a page up"),
    bind(Scope::Sessions, PAGE_DOWN, Action::PageDown, "", "a page down"),
];
const SLASH: &[Default] = &[
    bind(Scope::Slash, &[key(KeyCode::Up)], Action::Up, "", "the command above"),
    bind(Scope::Slash, &[key(KeyCode::Down)], Action::Down, "", "the command below"),
    bind(Scope::Slash, &[key(KeyCode::Tab)], Action::Complete, "complete", "complete the command"),
    bind(Scope::Slash, ENTER, Action::Send, "do it", "do it, or complete it where something is missing"),
    bind(Scope::Slash, &[key(KeyCode::Esc)], Action::Back, "close", "close the list; what is typed stays"),
];
const PICKER: &[Default] = &[
    bind(Scope::Picker, &[key(KeyCode::Up), ctrl('p')], Action::Up, "", "the line above"),
    bind(Scope::Picker, &[key(KeyCode::Down), ctrl('n')], Action::Down, "", "the line below"),
    bind(Scope::Picker, PAGE_UP, Action::PageUp, "", "a page up"),
    bind(Scope::Picker, PAGE_DOWN, Action::PageDown, "", "a page down"),
    bind(Scope::Picker, ENTER, Action::Open, "take it", "take the line"),
];
const CONFIRM: &[Default] = &[
    bind(Scope::Confirm, &[plain('y'), plain('Y')], Action::Yes, "yes", "do it"),
    bind(Scope::Confirm, &[plain('n'), plain('N'), key(KeyCode::Enter)], Action::No, "no", "leave everything as it is"),
];

/// The lists that share the movement keys.
const LISTS: &[[Default; 6]] = &[
    list!(Scope::Recalled),
    list!(Scope::Hits),
    list!(Scope::Sources),
    list!(Scope::Sleep),
    list!(Scope::Assembly),
    list!(Scope::Grants),
    list!(Scope::Waiting),
    list!(Scope::Ledger),
    list!(Scope::Source),
    list!(Scope::Item),
    list!(Scope::Talk),
];

/// The whole table, in the order the help shows it.
pub fn defaults() -> impl Iterator<Item = &'static Default> {
    [
        EVERYWHERE, CITATIONS, READING, CHAT, TALK, RECALLED, QUERY, HITS, SOURCES, GRANTS, WAITING, LEDGER, SLEEP,
        ASSEMBLY, FILTER, ASKING, ITEM, SESSIONS, SLASH, PICKER, CONFIRM,
    ]
    .into_iter()
    .flatten()
    .chain(LISTS.iter().flatten())
}
