//! Random keys against a scripted node: nothing panics, no text is lost, and there is always a way back to the chat.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::state::Tab;
use hinet_tui::app::{Effect, Msg, State, Tag, update};

/// Steps of each run; with the seeds below some thousands in all.
const STEPS: usize = 1500;

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
        Op::Chat { .. } => {
            let mut events = vec![Event::Recalled { session: session(1), hits: hits() }];
            events.extend((0..chance.below(5)).map(|i| Event::ChatDelta { text: format!("words {i}\n") }));
            if chance.one_in(3) {
                events.push(Event::ChatReset);
            }
            let how = ["generated", "quoted", "not_in_memory", "stopped"][chance.below(4)];
            events.push(Event::ChatDone { answer: Box::new(answer("An answer.[1]", how)) });
            return events;
        }
        Op::Sessions => Event::Sessions {
            sessions: (0..chance.below(5) as u32)
                .map(|n| SessionLine {
                    id: session(n),
                    title: format!("chat {n}"),
                    updated: NOW,
                    messages: 2,
                    pinned: n == 1,
                    archived: n == 3,
                    created: NOW,
                })
                .collect(),
        },
        Op::Messages { .. } => Event::Messages { messages: vec![] },
        Op::Sources => Event::Sources { sources: sources().into_iter().take(chance.below(4)).collect() },
        Op::SourceAdd { .. } | Op::SourceSync { .. } => Event::Indexed { report: IngestReport::default() },
        Op::Search { .. } => Event::Hits { hits: hits().into_iter().take(chance.below(3)).collect() },
        Op::Forget { dry_run, .. } => {
            Event::Forgotten { report: ForgetReport { items: 1, done: !dry_run, ..ForgetReport::default() } }
        }
        Op::Stats => Event::Stats { stats: Stats::default() },
        Op::Grants => Event::Grants { grants: grants().into_iter().take(chance.below(4)).collect() },
        Op::Ledger { .. } => Event::Ledger { lines: ledger().into_iter().take(chance.below(6)).collect() },
        Op::Verify => {
            Event::Verified { report: AuditReport { entries: 3, ok: true, head: Hash::default(), broken: None } }
        }
        _ => Event::Done,
    }]
}

struct World {
    state: State,
    chance: Chance,
    /// Replies on their way.
    pending: Vec<(Tag, Event)>,
}

impl World {
    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call { tag, op } => {
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
                Effect::Quit | Effect::Redraw | Effect::Mouse(_) | Effect::Stop(_) => {}
                _ => {}
            }
        }
    }

    fn hear(&mut self, msg: Msg) {
        let effects = update(&mut self.state, msg);
        self.take(effects);
    }

    fn step(&mut self) {
        match self.chance.below(20) {
            0 => {
                let (w, h) = (1 + self.chance.below(160) as u16, 1 + self.chance.below(50) as u16);
                self.hear(Msg::Resize(w, h));
            }
            1 => self.hear(Msg::Paste("pasted\ttext\nwith lines \x1b[1m".into())),
            2 if self.chance.one_in(2) => {
                let up = self.chance.one_in(2);
                self.hear(Msg::Wheel { column: 3, row: 3, up });
            }
            2 => {
                let (column, row) = (self.chance.below(160) as u16, self.chance.below(50) as u16);
                self.hear(Msg::Click { column, row });
            }
            3 if self.chance.one_in(20) => self.hear(Msg::NodeLost),
            3..=8 if !self.pending.is_empty() => {
                // Replies of different requests overtake each other, those of one do not.
                let tag = self.pending[self.chance.below(self.pending.len())].0;
                let at = self.pending.iter().position(|(t, _)| *t == tag).unwrap();
                let (tag, event) = self.pending.remove(at);
                self.hear(Msg::Reply { tag, event });
            }
            _ => {
                let key = key(&mut self.chance);
                self.hear(Msg::Key(key));
            }
        }
    }
}

#[test]
fn nothing_panics_and_there_is_always_a_way_back() {
    for seed in 0..5 {
        let mut world = World { state: opened(100, 30), chance: Chance(seed), pending: vec![] };
        for step in 0..STEPS {
            world.step();
            if step % 5 == 0 {
                let _ = screen(&world.state);
            }
        }
        // The way back, from wherever it is: unlock, let what is pending come, Esc.
        while let Some((tag, event)) = (!world.pending.is_empty()).then(|| world.pending.remove(0)) {
            world.hear(Msg::Reply { tag, event });
        }
        world.hear(Msg::Unlocked { attached: false });
        world.hear(Msg::Resize(80, 24));
        for _ in 0..60 {
            world.hear(Msg::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
        }
        let state = &mut world.state;
        assert!(state.overlays.is_empty() && state.tab == Tab::Chat && state.notices.is_empty(), "seed {seed}");
        state.chat.composer.set("");
        types(state, "still here");
        assert_eq!(state.chat.composer.text(), "still here", "seed {seed}");
    }
}

#[test]
fn onboarding_survives_random_keys() {
    for seed in 100..104 {
        let mut world = World { state: onboarding(80, 24), chance: Chance(seed), pending: vec![] };
        for step in 0..STEPS {
            world.step();
            if world.chance.one_in(10) {
                let phrase = zeroize::Zeroizing::new("zoo ".repeat(24));
                world.hear(Msg::Words { phrase, ask: [0, 1, 2, 23] });
                world.hear(Msg::Models(vec![]));
            }
            if step % 5 == 0 {
                let _ = screen(&world.state);
            }
        }
    }
}
