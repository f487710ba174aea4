//! Nothing a document, a title, a path or an answer says may reach the terminal as anything but letters.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::{Msg, State, Tag, update};
use hinet_tui::text::is_unsafe;
use hinet_tui::theme::{Look, Theme};
use ratatui::style::Color;

const EVIL: &str =
    "\x1b[31mred\x1b]0;title\x07\u{9b}2J\u{202e}exe.txt\u{202c}\u{2066}x\u{2069}\u{200f}\x7f\0\r\n\t\u{feff}end";

fn harmless(state: &State) {
    for cell in draw(state).content() {
        assert!(!cell.symbol().chars().any(is_unsafe), "{:?}", cell.symbol());
    }
}

fn evil_hits() -> Vec<Hit> {
    let mut hits = hits();
    for hit in &mut hits {
        hit.text = EVIL.into();
        hit.source = format!("/home/maya/{EVIL}");
        hit.title = EVIL.into();
    }
    hits
}

#[test]
fn chat_and_memory() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut state = opened(width, height);
        let failure = Failure::new(ErrorKind::Failed, EVIL, EVIL);
        let bad = NodeStatus { owner: EVIL.into(), mind: EVIL.into(), notices: vec![EVIL.into()], ..status() };
        update(&mut state, Msg::News(Event::Status { status: bad }));
        let tag = streaming(&mut state);
        reply(&mut state, tag, Event::Recalled { session: session(1), hits: evil_hits() });
        reply(&mut state, tag, Event::ChatDelta { text: EVIL.into() });
        harmless(&state);
        let mut said = answer(&format!("{EVIL}[1]"), "quoted");
        said.citations[0].source = EVIL.into();
        said.citations[0].text = EVIL.into();
        said.cut = vec![Cut { what: EVIL.into(), tokens: 1 }];
        reply(&mut state, tag, Event::ChatDone { answer: Box::new(said) });
        harmless(&state);
        let tag = streaming(&mut state);
        reply(&mut state, tag, Event::Failed { failure: failure.clone() });
        harmless(&state);
        press(&mut state, KeyCode::F(3));
        update(&mut state, Msg::Paste(EVIL.into()));
        let tag = calls(&press(&mut state, KeyCode::Enter))[0];
        reply(&mut state, tag, Event::Hits { hits: evil_hits() });
        harmless(&state);
        let tag = calls(&press(&mut state, KeyCode::Enter))[0];
        let view = ItemView {
            item: item(11),
            source_id: uuid(1).parse().unwrap(),
            source: EVIL.into(),
            title: EVIL.into(),
            kind: EVIL.into(),
            trust: Trust::Untrusted,
            modified: NOW,
            ingested: NOW,
            hash: Hash::default(),
            text: EVIL.repeat(50),
            pinned: true,
            labels: vec![EVIL.into()],
            cited: 1,
            filed: vec![EVIL.into()],
            thread: Some(ThreadView {
                messages: 2,
                before: Some(ThreadLine { item: item(12), title: EVIL.into(), modified: NOW }),
                after: None,
            }),
        };
        reply(&mut state, tag, Event::Item { item: Box::new(view) });
        harmless(&state);
        let tag = calls(&types(&mut state, "f"))[0];
        reply(&mut state, tag, Event::Failed { failure });
        harmless(&state);
    }
}

#[test]
fn sources_consent_and_conversations() {
    let mut state = opened(80, 24);
    let mut list = sources();
    list[0].path = format!("/{EVIL}");
    reply(&mut state, Tag::Sources, Event::Sources { sources: list });
    press(&mut state, KeyCode::F(4));
    types(&mut state, "s");
    let progress = Progress { what: EVIL.into(), done: 1, total: None, unit: Unit::Files };
    reply(&mut state, Tag::Reading, Event::Progress { progress });
    harmless(&state);
    let skipped = vec![Skipped { what: EVIL.into(), why: EVIL.into() }];
    reply(&mut state, Tag::Reading, Event::Indexed { report: IngestReport { skipped, ..IngestReport::default() } });
    harmless(&state);
    types(&mut state, "a");
    update(&mut state, Msg::Folders { typed: "/home/maya/".into(), found: vec![format!("/home/maya/{EVIL}")] });
    harmless(&state);
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::F(5));
    let mut all = grants();
    all[0].terms.asker = Asker::App(EVIL.into());
    all[0].terms.purpose = EVIL.into();
    reply(&mut state, Tag::Grants, Event::Grants { grants: all });
    let mut lines = ledger();
    lines[0].text = EVIL.into();
    lines[0].kind = EVIL.into();
    reply(&mut state, Tag::Ledger, Event::Ledger { lines });
    let report = AuditReport { entries: 1, ok: false, head: Hash::default(), broken: Some((0, EVIL.into())) };
    reply(&mut state, Tag::Verify, Event::Verified { report });
    harmless(&state);
    let asking = Asking {
        id: 1,
        asker: Asker::App(EVIL.into()),
        capability: Capability::Retrieve,
        about: EVIL.into(),
        text: EVIL.repeat(40),
        sources: vec![EVIL.into()],
        withheld: u64::MAX,
        learns: EVIL.into(),
        before: u64::MAX,
        known_since: Some(i64::MIN),
        since: i64::MIN,
        until: i64::MAX - 60_000,
    };
    reply(&mut state, Tag::Pending, Event::Asking { asking: vec![asking] });
    for _ in 0..3 {
        press(&mut state, KeyCode::Tab);
        harmless(&state);
    }
    press(&mut state, KeyCode::F(7));
    harmless(&state);
    state.now += 1_000;
    types(&mut state, "g");
    harmless(&state);
    press(&mut state, KeyCode::Esc);
    state.now += 1_000;
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Tab);
    assert!(state.overlays.is_empty());
    types(&mut state, "r");
    harmless(&state);
    press(&mut state, KeyCode::Esc);
    ctrl(&mut state, 'o');
    let line = SessionLine {
        id: session(1),
        title: EVIL.into(),
        updated: i64::MAX,
        messages: u64::MAX,
        pinned: true,
        archived: false,
        created: 0,
    };
    reply(&mut state, Tag::Sessions, Event::Sessions { sessions: vec![line] });
    harmless(&state);
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Enter);
    harmless(&state);
}

#[test]
fn assemblies_and_who_answered() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut state = opened(width, height);
        let mut all = assemblies();
        all[0].name = EVIL.into();
        (all[0].members[0].name, all[0].members[0].published) = (EVIL.into(), EVIL.into());
        state.chat.assembly = Some(EVIL.into());
        types(&mut state, "who");
        press(&mut state, KeyCode::F(10));
        reply(&mut state, Tag::Assemblies, Event::Assemblies { assemblies: all });
        reply(&mut state, Tag::Receipts, receipts());
        harmless(&state);
        let tag = calls(&types(&mut state, "t"))[0];
        let mut evil = composition(Mode::Mix);
        (evil.why, evil.near[0].name) = (EVIL.into(), EVIL.into());
        reply(&mut state, tag, Event::Tried { composition: evil.clone() });
        harmless(&state);
        types(&mut state, "ml");
        harmless(&state);
        press(&mut state, KeyCode::Esc);
        press(&mut state, KeyCode::F(2));
        for mode in [Mode::Own, Mode::Mix] {
            let tag = streaming(&mut state);
            let mut said = composed("words", mode);
            said.composed = Some(Composition { mode, ..evil.clone() });
            reply(&mut state, tag, Event::ChatDone { answer: said });
            harmless(&state);
        }
        assert_eq!(state.chat.assembly.as_deref(), Some(EVIL));
    }
}

#[test]
fn no_color_has_no_colour_on_any_pane() {
    let mut state = opened(120, 40);
    state.place.look = Look::Plain;
    state.theme = Theme::of(Look::Plain);
    answered(&mut state);
    reply(&mut state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
    reply(&mut state, Tag::Receipts, receipts());
    for tab in [2, 3, 4, 5, 7, 8].map(KeyCode::F) {
        press(&mut state, tab);
        for cell in draw(&state).content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{:?}", cell.symbol());
        }
    }
}

#[test]
fn every_size_is_survived_in_every_pane() {
    let mut state = opened(120, 40);
    answered(&mut state);
    reply(&mut state, Tag::Grants, Event::Grants { grants: grants() });
    reply(&mut state, Tag::Ledger, Event::Ledger { lines: ledger() });
    reply(&mut state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
    reply(&mut state, Tag::Receipts, receipts());
    for tab in [2, 3, 4, 5, 7, 1, 8].map(KeyCode::F) {
        press(&mut state, tab);
        for width in (1..130).step_by(7) {
            for height in (1..50).step_by(3) {
                update(&mut state, Msg::Resize(width, height));
                update(&mut state, Msg::Key(KeyEvent::new(KeyCode::PageUp, KeyModifiers::NONE)));
                harmless(&state);
            }
        }
    }
}

#[test]
fn a_frame_of_another_size_than_the_last_message_is_survived() {
    let mut state = opened(120, 40);
    answered(&mut state);
    for (width, height) in [(60, 12), (200, 60), (40, 10)] {
        let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| hinet_tui::app::view(&state, frame)).unwrap();
    }
}
