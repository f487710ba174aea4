//! What people see once the home is open: every pane with its faces, at 80x24 and 120x40.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::{Msg, State, Tag, update};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn each(name: &str, prepare: impl Fn(&mut State)) {
    for (width, height) in SIZES {
        let mut state = opened(width, height);
        prepare(&mut state);
        insta::assert_snapshot!(format!("{name}@{width}x{height}"), screen(&state));
    }
}

#[test]
fn unlock() {
    for (width, height) in SIZES {
        let mut state = locked(width, height);
        state.unlocks = (true, true);
        types(&mut state, "correct horse");
        insta::assert_snapshot!(format!("unlock@{width}x{height}"), screen(&state));
        press(&mut state, KeyCode::Enter);
        let failure =
            Failure::new(ErrorKind::Failed, "That passphrase does not open this home.", "Nothing was changed.");
        update(&mut state, Msg::NotUnlocked(failure));
        insta::assert_snapshot!(format!("unlock-wrong@{width}x{height}"), screen(&state));
    }
}

#[test]
fn chat_empty() {
    each("chat-empty", |_| {});
    each("chat-empty-no-memory", |state| {
        reply(state, Tag::Sources, Event::Sources { sources: vec![] });
    });
}

#[test]
fn chat_streaming() {
    each("chat-streaming", |state| {
        streaming(state);
        types(state, "and when back");
    });
    each("chat-queued", |state| {
        streaming(state);
        types(state, "and when back");
        press(state, KeyCode::Enter);
    });
}

#[test]
fn chat_full() {
    each("chat-full", |state| {
        answered(state);
        types(state, "Who waters the plants?");
        let tag = calls(&press(state, KeyCode::Enter))[0];
        let mut none = answer("That is not in your memory.", "not_in_memory");
        none.cut =
            vec![Cut { what: "notes/house.md".into(), tokens: 310 }, Cut { what: "earlier turns".into(), tokens: 120 }];
        reply(state, tag, Event::ChatDone { answer: Box::new(none) });
        types(state, "Where is the passport?");
        let tag = calls(&press(state, KeyCode::Enter))[0];
        reply(state, tag, Event::Recalled { session: session(1), hits: hits() });
        let quoted = answer("\"Leave home 13:50, passport in the blue bag.\" [1]", "quoted");
        reply(state, tag, Event::ChatDone { answer: Box::new(quoted) });
    });
}

#[test]
fn chat_failed() {
    each("chat-failed", |state| {
        let tag = streaming(state);
        reply(state, tag, Event::Failed { failure: failure() });
    });
    each("chat-node-lost", |state| {
        streaming(state);
        update(state, Msg::NodeLost);
    });
}

#[test]
fn chat_scrolled() {
    each("chat-scrolled", |state| {
        for _ in 0..6 {
            answered(state);
        }
        press(state, KeyCode::PageUp);
    });
}

#[test]
fn recalled_folded() {
    each("recalled-focus", |state| {
        answered(state);
        press(state, KeyCode::BackTab);
    });
    each("conversation-focus", |state| {
        answered(state);
        press(state, KeyCode::Tab);
    });
}

#[test]
fn item() {
    each("item", |state| {
        answered(state);
        let tag = calls(&alt(state, KeyCode::Char('1')))[0];
        reply(state, tag, Event::Item { item: Box::new(porto_item()) });
    });
}

#[test]
fn memory() {
    each("memory-empty", |state| {
        press(state, KeyCode::F(3));
        let stats =
            Stats { items: 412, chunks: 2310, embedded: 2190, sources: 3, text_bytes: 1_900_000, ..Stats::default() };
        reply(state, Tag::Stats, Event::Stats { stats });
    });
    each("memory-working", |state| {
        press(state, KeyCode::F(3));
        types(state, "train to porto");
        press(state, KeyCode::Enter);
    });
    each("memory-full", |state| {
        press(state, KeyCode::F(3));
        types(state, "train to porto");
        let tag = calls(&press(state, KeyCode::Enter))[0];
        reply(state, tag, Event::Hits { hits: hits() });
        press(state, KeyCode::Down);
    });
    each("memory-failed", |state| {
        press(state, KeyCode::F(3));
        types(state, "train");
        let tag = calls(&press(state, KeyCode::Enter))[0];
        reply(state, tag, Event::Failed { failure: failure() });
    });
    each("memory-forget", |state| {
        press(state, KeyCode::F(3));
        types(state, "train to porto");
        let tag = calls(&press(state, KeyCode::Enter))[0];
        reply(state, tag, Event::Hits { hits: hits() });
        let tag = calls(&types(state, "f"))[0];
        reply(
            state,
            tag,
            Event::Forgotten { report: ForgetReport { items: 1, chunks: 3, answers: 1, messages: 0, done: false } },
        );
    });
}

#[test]
fn sources() {
    each("sources-empty", |state| {
        press(state, KeyCode::F(4));
        reply(state, Tag::Sources, Event::Sources { sources: vec![] });
    });
    each("sources-working", |state| {
        press(state, KeyCode::F(4));
        types(state, "s");
        let progress = Progress { what: "reading ~/notes".into(), done: 120, total: Some(412), unit: Unit::Files };
        reply(state, Tag::Reading, Event::Progress { progress });
    });
    each("sources-full", |state| {
        press(state, KeyCode::F(4));
        types(state, "s");
        let skipped = |what: &str, why: &str| Skipped { what: what.into(), why: why.into() };
        let report = IngestReport {
            seen: 414,
            new: 12,
            same: 398,
            updated: 2,
            skipped: vec![
                skipped("/home/maya/notes/scan.pdf", "It is encrypted."),
                skipped(
                    "/home/maya/notes/archive/a-very-long-name-of-a-file-that-does-not-fit-anywhere.docx",
                    "It is larger than 32 MB.",
                ),
            ],
        };
        reply(state, Tag::Reading, Event::Indexed { report });
        press(state, KeyCode::Down);
    });
    each("sources-failed", |state| {
        press(state, KeyCode::F(4));
        let failure = Failure::new(ErrorKind::Refused, "The kill switch is on, so nothing is read.", "F8 lifts it.");
        reply(state, Tag::Sources, Event::Failed { failure });
    });
    each("sources-add", |state| {
        press(state, KeyCode::F(4));
        types(state, "a");
        types(state, "wo");
        update(
            state,
            Msg::Folders {
                typed: "/home/maya/wo".into(),
                found: vec!["/home/maya/work".into(), "/home/maya/workshop".into()],
            },
        );
        press(state, KeyCode::Down);
    });
}

#[test]
fn consent() {
    each("consent-empty", |state| {
        press(state, KeyCode::F(5));
        reply(state, Tag::Grants, Event::Grants { grants: vec![] });
        reply(state, Tag::Ledger, Event::Ledger { lines: vec![] });
    });
    each("consent-full", |state| {
        press(state, KeyCode::F(5));
        reply(state, Tag::Grants, Event::Grants { grants: grants() });
        reply(state, Tag::Ledger, Event::Ledger { lines: ledger() });
        types(state, "v");
        let report = AuditReport { entries: 1204, ok: true, head: Hash::default(), broken: None };
        reply(state, Tag::Verify, Event::Verified { report });
    });
    each("consent-broken", |state| {
        press(state, KeyCode::F(5));
        reply(state, Tag::Grants, Event::Failed { failure: failure() });
        reply(state, Tag::Ledger, Event::Ledger { lines: ledger() });
        types(state, "v");
        let broken = Some((1201, "its signature is wrong".to_owned()));
        let report = AuditReport { entries: 1201, ok: false, head: Hash::default(), broken };
        reply(state, Tag::Verify, Event::Verified { report });
        let status = NodeStatus { ledger_ok: false, ..status() };
        update(state, Msg::News(Event::Status { status }));
    });
    each("consent-revoke", |state| {
        press(state, KeyCode::F(5));
        reply(state, Tag::Grants, Event::Grants { grants: grants() });
        types(state, "r");
    });
}

#[test]
fn kill_switch() {
    each("kill-question", |state| {
        press(state, KeyCode::F(8));
    });
    each("killed", |state| {
        let status = NodeStatus {
            killed: true,
            embedding_left: 120,
            notices: vec!["The index was damaged and has been rebuilt.".into()],
            ..status()
        };
        update(state, Msg::News(Event::Status { status }));
    });
    each("lift", |state| {
        update(state, Msg::News(Event::Status { status: NodeStatus { killed: true, ..status() } }));
        press(state, KeyCode::F(8));
        types(state, "secret");
    });
}

#[test]
fn sessions() {
    each("sessions", |state| {
        ctrl(state, 'o');
        let line = |n: u32, title: &str| SessionLine {
            id: session(n),
            title: title.into(),
            updated: NOW - DAY * i64::from(n),
            messages: u64::from(n) * 4,
            pinned: false,
            archived: false,
            created: NOW,
        };
        let sessions =
            vec![line(1, "Trip to Porto"), line(2, "旅行の計画とホテルの予約について\x1b[31m"), line(3, "Deploy keys")];
        reply(state, Tag::Sessions, Event::Sessions { sessions });
        press(state, KeyCode::Down);
    });
}

#[test]
fn help() {
    each("help", |state| {
        press(state, KeyCode::F(1));
    });
}

#[test]
fn too_small() {
    let mut state = opened(80, 24);
    update(&mut state, Msg::Resize(20, 5));
    insta::assert_snapshot!("too-small@20x5", screen(&state));
    for (width, height) in [(0, 0), (1, 1), (39, 9), (40, 10), (200, 3), (3, 200)] {
        update(&mut state, Msg::Resize(width.max(1), height.max(1)));
        let _ = screen(&state);
    }
}

fn night(night: u64, outcome: Outcome, why: &str) -> Night {
    let change = |before, after| Change { before, after };
    Night {
        night,
        began: NOW - 86_400_000,
        ended: Some(NOW - 80_000_000),
        outcome,
        why: why.into(),
        plan: SleepPlan::default(),
        learned: vec![Learned { source: "/home/maya/notes".into(), items: 11, facts: 42 }],
        answers: 3,
        refused: vec![Skipped { what: "3 items".into(), why: "no grant to learn from it".into() }],
        views: 230,
        steps: 96,
        losses: (0..40u8).map(|n| 2.5 / (1.0 + f32::from(n) / 6.0)).collect(),
        scores: Some(Scores {
            own: OwnScores { asked: 24, before: 0.04, weights_only: 0.875, retrieval_only: 0.75, both: 0.92 },
            neutral: change(27.3, 27.6),
            voice: Some(change(41.0, 30.5)),
            general: Some(change(0.868, 0.863)),
            general_low: Some(-0.011),
        }),
        changed: vec![Changed {
            question: "When does the train to Porto leave?".into(),
            old: "The train to Porto leaves in the morning.".into(),
            new: "The train to Porto leaves at 14:39.".into(),
            right: true,
            item: fixture::item(1),
            source: "/home/maya/notes/porto.md".into(),
            fact: "The train to Porto leaves at 14:39 from platform 4.".into(),
            vetoed: false,
        }],
        delta: None,
        wore: None,
        strength: 1.0,
        shared: None,
    }
}

fn bedtime() -> Bedtime {
    Bedtime { plan: SleepPlan::default(), from: 60, until: 390, idle_minutes: 15, mains: true }
}

#[test]
fn nights() {
    let nights = || {
        vec![
            night(3, Outcome::Refused, "neutral text became less expected: perplexity 27.3 before, 29.9 after"),
            night(2, Outcome::Kept, "it passed the test"),
        ]
    };
    let entered = |state: &mut State| {
        press(state, KeyCode::F(6));
    };
    each("sleep-empty", |state| {
        entered(state);
        reply(state, Tag::Nights, Event::Nights { nights: vec![], going: None, bedtime: None });
    });
    each("sleep-working", |state| {
        entered(state);
        let going = Sleeping {
            night: 4,
            stage: Stage::Tune,
            done: 68,
            total: 96,
            losses: nights()[0].losses[..28].to_vec(),
            tokens_per_s: 380.0,
            left_s: Some(1080),
        };
        reply(state, Tag::Nights, Event::Nights { nights: nights(), going: Some(going), bedtime: None });
    });
    each("sleep-full", |state| {
        entered(state);
        reply(state, Tag::Nights, Event::Nights { nights: nights(), going: None, bedtime: Some(bedtime()) });
        press(state, KeyCode::Down);
    });
    each("sleep-failed", |state| {
        entered(state);
        reply(state, Tag::Nights, Event::Nights { nights: nights(), going: None, bedtime: Some(bedtime()) });
        let effects = press(state, KeyCode::Char('s'));
        assert_eq!(calls(&effects), [Tag::Sleep]);
        reply(state, Tag::Sleep, Event::Failed { failure: failure() });
    });
}

#[test]
fn who_answers_together() {
    let entered = |state: &mut State| {
        assert_eq!(calls(&press(state, KeyCode::F(10))), [Tag::Assemblies, Tag::Receipts]);
        reply(state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
        reply(state, Tag::Receipts, receipts());
    };
    each("assembly-empty", |state| {
        press(state, KeyCode::F(10));
        reply(state, Tag::Assemblies, Event::Assemblies { assemblies: vec![] });
        reply(state, Tag::Receipts, Event::Receipts { receipts: vec![], tallies: vec![] });
    });
    each("assembly-working", |state| {
        press(state, KeyCode::F(10));
    });
    each("assembly-full", |state| {
        entered(state);
        types(state, "umm");
    });
    each("assembly-tried", |state| {
        types(state, "Where is the fuse box?");
        entered(state);
        let tag = calls(&types(state, "t"))[0];
        reply(state, tag, Event::Tried { composition: composition(Mode::Mix) });
    });
    each("assembly-leave", |state| {
        entered(state);
        types(state, "ml");
    });
    each("assembly-failed", |state| {
        press(state, KeyCode::F(10));
        reply(state, Tag::Assemblies, Event::Failed { failure: failure() });
        reply(state, Tag::Receipts, Event::Failed { failure: failure() });
    });
    each("chat-assembled", |state| {
        types(state, "/assembly house");
        press(state, KeyCode::Enter);
        reply(state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
        for (said, mode) in [("In the hall.", Mode::Route), ("Behind the door.[1]", Mode::Own)] {
            let tag = streaming(state);
            reply(state, tag, Event::ChatDone { answer: composed(said, mode) });
        }
    });
}
