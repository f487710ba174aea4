//! Random keys against a scripted node: nothing panics, no text is lost, and there is always a way back to the chat.
//!
//! Signs that occur nowhere else are typed into the input among the random keys. From then on each must be somewhere: in
//! the input, in its history, waiting to be sent, in a draft that is kept, or in what was sent.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::gate::Gate;
use hinet_tui::app::pane::composer::INPUT_BYTES_MAX;
use hinet_tui::app::state::{Focus, Tab};
use hinet_tui::app::{Effect, Msg, State, Tag, update};
use std::collections::VecDeque;

/// Worlds, and steps in each: a hundred thousand in all, those of onboarding among them.
const SEEDS: u64 = 9;
const STEPS: usize = 10_000;
/// Steps between two frames that are drawn.
const DRAWN: usize = 40;
/// Steps between two looks at whether there is a way back.
const LOOK: usize = 1_000;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Keys that take letters away because that is what they are for; a sign they took is not lost by a fault.
fn erases(key: &KeyEvent) -> bool {
    match key.code {
        KeyCode::Backspace | KeyCode::Delete => true,
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => "dhkuvwxyz".contains(c),
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::ALT) => "dh".contains(c),
        _ => false,
    }
}

fn key(chance: &mut Chance) -> KeyEvent {
    let codes = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::F(1),
        KeyCode::F(2),
        KeyCode::F(3),
        KeyCode::F(4),
        KeyCode::F(5),
        KeyCode::F(6),
        KeyCode::F(7),
        KeyCode::F(8),
        KeyCode::F(9),
        KeyCode::F(10),
        KeyCode::Insert,
        KeyCode::Null,
    ];
    let letters = [
        'a', 'f', 's', 'p', 'r', 'v', 'y', 'n', '1', '9', '?', 'j', 'k', 'g', 'G', ' ', '世', '\u{301}', '~', '/', '👩',
    ];
    let modifiers = match chance.below(8) {
        0 => KeyModifiers::CONTROL,
        1 => KeyModifiers::ALT,
        2 => KeyModifiers::SHIFT,
        _ => KeyModifiers::NONE,
    };
    let code = match chance.below(5) {
        0..=1 => codes[chance.below(codes.len())],
        2 => KeyCode::Char(char::from(b'a' + chance.below(26) as u8)),
        _ => KeyCode::Char(letters[chance.below(letters.len())]),
    };
    KeyEvent::new(code, modifiers)
}

/// What the node would say, more or less, and now and then that it could not.
fn script(chance: &mut Chance, op: &Op) -> Vec<Event> {
    if chance.one_in(12) {
        return vec![Event::Failed { failure: failure() }];
    }
    vec![match op {
        Op::Status => {
            Event::Status { status: NodeStatus { killed: chance.one_in(4), ledger_ok: !chance.one_in(9), ..status() } }
        }
        Op::Chat { .. } | Op::Regenerate { .. } => return answers(chance),
        Op::Sessions => Event::Sessions { sessions: (0..chance.below(5) as u32).map(line).collect() },
        Op::SessionChange { .. } | Op::Fork { .. } => Event::Sessions { sessions: vec![line(2)] },
        Op::Messages { .. } | Op::Branch { .. } | Op::Rewind { .. } => Event::Messages { messages: messages(chance) },
        Op::Find { .. } => Event::Found { found: (0..chance.below(4) as u32).map(found).collect() },
        Op::Typed { .. } => {
            let draft = Draft { session: chance.one_in(2).then(|| session(1)), text: "kept from before".into() };
            Event::Typed { said: vec!["said before".into()], drafts: vec![draft] }
        }
        Op::Attach { .. } => {
            let attached = Attached { name: "notes.md".into(), within: Within::Item(item(11)), items: 1 };
            Event::Attached { attached }
        }
        Op::Names { .. } => {
            let name = |n: usize| Name {
                within: Within::Folder(format!("/home/maya/{n}")),
                name: format!("notes {n}"),
                detail: "folder".into(),
            };
            Event::Names { names: (0..chance.below(4)).map(name).collect() }
        }
        Op::Sources => Event::Sources { sources: sources().into_iter().take(chance.below(4)).collect() },
        Op::SourceVerify { source } => {
            Event::SourceVerified { verification: Verification { source: *source, folders: vec![] } }
        }
        Op::SourceAdd { .. } | Op::AccountAdd { .. } | Op::SourceSync { .. } | Op::Ingest { .. } => {
            Event::Indexed { report: IngestReport::default() }
        }
        Op::Skips { .. } => {
            Event::Skips { skipped: vec![Skipped { what: "scan.pdf".into(), why: "It is encrypted.".into() }] }
        }
        Op::Search { .. } => Event::Hits { hits: hits().into_iter().take(chance.below(3)).collect() },
        Op::Timeline { .. } => Event::Items { items: (0..chance.below(6) as u32).map(dated).collect() },
        Op::Show { .. } | Op::Mark { .. } => Event::Item { item: Box::new(shown()) },
        Op::People { .. } | Op::PersonMerge { .. } | Op::PersonSplit { .. } | Op::PersonUndo => {
            Event::People { people: vec![], total: 0 }
        }
        Op::Forget { dry_run, .. } => {
            Event::Forgotten { report: ForgetReport { items: 1, done: !dry_run, ..ForgetReport::default() } }
        }
        Op::Stats => Event::Stats { stats: Stats::default() },
        Op::Grants => Event::Grants { grants: grants().into_iter().take(chance.below(4)).collect() },
        Op::Pending => Event::Asking { asking: (0..chance.below(3) as u64).map(asking).collect() },
        Op::Disclose { .. } => Event::Disclosed { text: "⟦HOST-1⟧".into(), entry: 7 },
        Op::Ledger { .. } => Event::Ledger { lines: ledger().into_iter().take(chance.below(6)).collect() },
        Op::Verify => {
            Event::Verified { report: AuditReport { entries: 3, ok: true, head: Hash::default(), broken: None } }
        }
        Op::Models => Event::Models { models: vec![] },
        Op::Deltas
        | Op::DeltaImport { .. }
        | Op::DeltaWear { .. }
        | Op::DeltaRemove { .. }
        | Op::DeltaExport { .. } => Event::Deltas { deltas: vec![] },
        Op::Sleep { .. } | Op::Nights { .. } | Op::Rollback { .. } | Op::Veto { .. } | Op::Bedtime { .. } => {
            Event::Nights { nights: vec![], going: None, bedtime: None }
        }
        Op::Assemblies
        | Op::AssemblyJoin { .. }
        | Op::AssemblyLeave { .. }
        | Op::AssemblyPremerge { .. }
        | Op::AssemblyJoinHome { .. }
        | Op::AssemblyLeaveHome { .. } => {
            Event::Assemblies { assemblies: assemblies().into_iter().take(chance.below(3)).collect() }
        }
        Op::AssemblyTry { .. } => Event::Tried { composition: composition(mode(chance)) },
        Op::Receipts { .. } => receipts(),
        Op::DeltaSign { .. } => Event::Signed { signature: "{}".into() },
        Op::Compose { .. } | Op::ComposeExperts { .. } => Event::Composed {
            out: "/o".into(),
            recipe: Hash::default(),
            members: vec![],
            tensors: 0,
            kept: 0,
            bytes: 0,
        },
        Op::Doctor { .. } => Event::Doctor { report: DoctorReport::default() },
        Op::ExportLedger => Event::Exported { json: "{}".into() },
        Op::Feedback { .. }
        | Op::Draft { .. }
        | Op::LetOut { .. }
        | Op::MemoryPause { .. }
        | Op::SourcePause { .. }
        | Op::Grant { .. }
        | Op::Revoke { .. }
        | Op::Answer { .. }
        | Op::Wake
        | Op::Kill
        | Op::Lift
        | Op::Cancel { .. }
        | Op::Shutdown => Event::Done,
    }]
}

fn mode(chance: &mut Chance) -> Mode {
    [Mode::Own, Mode::Route, Mode::Mix, Mode::Merge, Mode::Union][chance.below(5)]
}

fn answers(chance: &mut Chance) -> Vec<Event> {
    let mut events = vec![Event::Recalled { session: session(1), hits: hits() }];
    events.extend((0..chance.below(5)).map(|i| Event::ChatDelta { text: format!("words {i}\n") }));
    if chance.one_in(3) {
        events.push(Event::ChatReset);
    }
    let how = ["generated", "quoted", "not_in_memory", "stopped", "assembled"][chance.below(5)];
    let mut answer = answer("An answer.[1]\n\n```rust\nfn main() {}\n```", how);
    answer.composed = chance.one_in(2).then(|| composition(mode(chance)));
    events.push(Event::ChatDone { answer: Box::new(answer) });
    events
}

fn line(n: u32) -> SessionLine {
    SessionLine {
        id: session(n),
        title: format!("chat {n}"),
        updated: NOW,
        messages: 2,
        pinned: n == 1,
        archived: n == 3,
        created: NOW,
    }
}

fn messages(chance: &mut Chance) -> Vec<Message> {
    let id = |n: usize| -> MessageId { uuid(500 + n as u32).parse().unwrap() };
    (0..2 * chance.below(4))
        .map(|n| Message {
            id: id(n),
            role: if n % 2 == 0 { Role::User } else { Role::Assistant },
            text: format!("message {n} of before"),
            at: NOW,
            citations: vec![],
            stats: None,
            parent: n.checked_sub(1).map(id),
            siblings: if n == 2 { vec![id(2), id(40)] } else { vec![] },
            onward: u64::from(n == 5),
            attached: vec![],
            feedback: Feedback::default(),
        })
        .collect()
}

fn found(n: u32) -> Found {
    Found {
        session: session(n),
        title: format!("chat {n}"),
        message: uuid(600 + n).parse().unwrap(),
        role: Role::User,
        at: NOW,
        excerpt: "words around it".into(),
    }
}

fn dated(n: u32) -> ItemLine {
    ItemLine {
        item: item(20 + n),
        source: format!("/home/maya/notes/{n}.md"),
        title: format!("{n}.md"),
        kind: "markdown".into(),
        modified: NOW - DAY * i64::from(n),
        ingested: NOW,
        pinned: n == 0,
        labels: vec![],
    }
}

fn shown() -> ItemView {
    let labels = vec!["travel".into()];
    ItemView { trust: Trust::Untrusted, modified: NOW, ingested: NOW, labels, cited: 1, ..porto_item() }
}

fn asking(id: u64) -> Asking {
    Asking {
        id,
        asker: Asker::App("cursor".into()),
        capability: Capability::Converse,
        about: "deploy keys".into(),
        text: "The staging host is ⟦HOST-1⟧; keys rotate on Mondays.".into(),
        sources: vec!["notes/ops.md".into()],
        withheld: 2,
        learns: "1 host, 1 routine, 0 people".into(),
        before: 14,
        known_since: Some(NOW - 9 * DAY),
        since: NOW,
        until: NOW + 60_000,
    }
}

struct World {
    state: State,
    chance: Chance,
    /// Replies on their way.
    pending: Vec<(Tag, Event)>,
    /// Every sign typed into the input so far.
    signs: Vec<char>,
    /// Everything that was sent or kept as a draft, one after the other.
    handed: String,
    /// The last keys pressed, for whoever looks for a fault.
    keys: VecDeque<KeyEvent>,
}

impl World {
    fn new(state: State, seed: u64) -> Self {
        Self {
            state,
            chance: Chance(seed),
            pending: vec![],
            signs: vec![],
            handed: String::new(),
            keys: VecDeque::new(),
        }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call { tag, op } => {
                    match &op {
                        Op::Chat { text, .. } => self.handed.push_str(text),
                        Op::Draft { draft } => self.handed.push_str(&draft.text),
                        Op::Feedback { feedback, .. } => self.handed.extend(feedback.edited.clone()),
                        _ => {}
                    }
                    let events = script(&mut self.chance, &op);
                    self.pending.extend(events.into_iter().map(|event| (tag, event)));
                }
                Effect::Prove { tag, .. } => self.pending.push((tag, Event::Done)),
                Effect::Drop(tag) => self.pending.retain(|(t, _)| *t != tag),
                Effect::Unlock(_) => self.hear(Msg::Unlocked { attached: false }),
                Effect::ListFolders(typed) => {
                    let found = vec![format!("{typed}a"), format!("{typed}ab")];
                    self.hear(Msg::Folders { typed, found });
                }
                Effect::CountFiles(path) => self.hear(Msg::Counted { path, files: 3, more: false, readable: true }),
                Effect::Draft(draft) => self.handed.push_str(&draft.text),
                Effect::Edit(text) => {
                    let result = if self.chance.one_in(3) { Err(failure()) } else { Ok(format!("{text} edited")) };
                    self.hear(Msg::Edited(result));
                }
                Effect::Command(command) => self.hear(Msg::Ran { command, result: Ok("it printed this".into()) }),
                Effect::Write { path, .. } => self.hear(Msg::Written { path, result: Ok(()) }),
                _ => {}
            }
        }
    }

    fn hear(&mut self, msg: Msg) {
        let effects = update(&mut self.state, msg);
        self.take(effects);
    }

    fn step(&mut self) {
        match self.chance.below(40) {
            0 | 1 => {
                let (w, h) = (1 + self.chance.below(160) as u16, 1 + self.chance.below(50) as u16);
                self.hear(Msg::Resize(w, h));
            }
            2 => self.hear(Msg::Paste("pasted\ttext\nwith lines \x1b[1m".into())),
            18 | 19 => {
                let (column, row) = (self.chance.below(160) as u16, self.chance.below(50) as u16);
                self.hear(Msg::Click { column, row });
            }
            3 | 4 => {
                let up = self.chance.one_in(2);
                self.hear(Msg::Wheel { column: 3, row: 3, up });
            }
            5 if self.chance.one_in(10) => self.hear(Msg::NodeLost),
            6 if self.chance.one_in(4) => {
                let asking = (0..self.chance.below(3) as u64).map(asking).collect();
                self.hear(Msg::News(Event::Asking { asking }));
            }
            7 => self.type_sign(),
            20 => self.state.now += 900,
            21 if self.state.ticking => self.hear(Msg::Tick),
            8..=17 if !self.pending.is_empty() => {
                // Replies of different requests overtake each other, those of one do not.
                let tag = self.pending[self.chance.below(self.pending.len())].0;
                let at = self.pending.iter().position(|(t, _)| *t == tag).unwrap();
                let (tag, event) = self.pending.remove(at);
                self.hear(Msg::Reply { tag, event });
            }
            _ => {
                let key = key(&mut self.chance);
                if !erases(&key) || self.signs.is_empty() {
                    self.keys.truncate(DRAWN - 1);
                    self.keys.push_front(key);
                    self.hear(Msg::Key(key));
                }
            }
        }
    }

    /// Types a sign that occurs nowhere else; only what went into the input counts.
    fn type_sign(&mut self) {
        let sign = char::from_u32(0x3400 + self.signs.len() as u32).unwrap();
        self.hear(Msg::Key(KeyEvent::new(KeyCode::Char(sign), KeyModifiers::NONE)));
        // What is typed in an incognito conversation or into an edit goes with it when it is left, as it should.
        let kept = !self.state.chat.incognito && self.state.chat.editing.is_none();
        if self.state.chat.composer.text().contains(sign) && kept {
            self.signs.push(sign);
        }
    }

    /// Whether every sign is somewhere.
    fn nothing_is_lost(&self, when: &str) {
        let chat = &self.state.chat;
        let typed = chat.composer.text();
        let history = chat.composer.history();
        let queued = chat.composer.queued().unwrap_or_default();
        let aside = chat.editing.as_ref().map(|editing| editing.draft.as_str()).unwrap_or_default();
        for sign in &self.signs {
            let there = typed.contains(*sign)
                || queued.contains(*sign)
                || aside.contains(*sign)
                || history.iter().any(|said| said.contains(*sign))
                || self.handed.contains(*sign);
            assert!(there, "{when}: {sign} is lost; the input holds {typed:?}; the last keys were {:?}", self.keys);
        }
    }

    /// From wherever it is, back to the chat: unlock, let what is pending come, Esc.
    fn comes_back(&mut self, when: &str) {
        while !self.pending.is_empty() {
            let (tag, event) = self.pending.remove(0);
            self.hear(Msg::Reply { tag, event });
        }
        if !matches!(self.state.gate, Gate::Open) {
            self.hear(Msg::Unlocked { attached: false });
        }
        self.hear(Msg::Resize(80, 24));
        for _ in 0..60 {
            // A question takes no key that comes too early.
            self.state.now += 1_000;
            self.hear(Msg::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
            while !self.pending.is_empty() {
                let (tag, event) = self.pending.remove(0);
                self.hear(Msg::Reply { tag, event });
            }
        }
        self.state.now = NOW;
        let state = &self.state;
        assert!(state.overlays.is_empty() && state.tab == Tab::Chat && state.notices.is_empty(), "{when}");
        assert_eq!(state.focus, Focus::First, "{when}");
        let before = self.state.chat.composer.text();
        self.hear(Msg::Key(KeyEvent::new(KeyCode::Char('§'), KeyModifiers::NONE)));
        let after = self.state.chat.composer.text();
        let full = before.len() + 4 > INPUT_BYTES_MAX;
        assert!(full || after.matches('§').count() == before.matches('§').count() + 1, "{when}: {before:?} {after:?}");
    }
}

#[test]
fn nothing_panics_nothing_is_lost_and_there_is_always_a_way_back() {
    for seed in 0..SEEDS {
        let mut world = World::new(opened(100, 30), seed);
        for step in 1..=STEPS {
            world.step();
            if step % DRAWN == 0 {
                let _ = screen(&world.state);
                world.nothing_is_lost(&format!("seed {seed}, step {step}"));
            }
            if step % LOOK == 0 {
                let when = format!("seed {seed}, step {step}");
                world.nothing_is_lost(&when);
                world.comes_back(&when);
                // A full input would take nothing any more.
                world.nothing_is_lost(&when);
                world.signs.clear();
                world.handed.clear();
                world.state.chat.composer.set("");
            }
        }
    }
}

#[test]
fn onboarding_survives_random_keys() {
    for seed in 100..104 {
        let mut world = World::new(onboarding(80, 24), seed);
        for step in 0..STEPS / 4 {
            world.step();
            if world.chance.one_in(10) {
                let phrase = zeroize::Zeroizing::new("zoo ".repeat(24));
                world.hear(Msg::Words { phrase, ask: [0, 1, 2, 23] });
                world.hear(Msg::Models(vec![]));
            }
            if step % DRAWN == 0 {
                let _ = screen(&world.state);
            }
        }
    }
}
