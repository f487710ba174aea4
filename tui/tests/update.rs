//! Recorded message sequences: what they lead to, and what they ask for.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::gate::Gate;
use hinet_tui::app::overlay::Overlay;
use hinet_tui::app::pane::chat::Foot;
use hinet_tui::app::state::Tab;
use hinet_tui::app::{Effect, Msg, State, Tag, update};

fn how(state: &State) -> String {
    match &state.chat.last_answer().unwrap().foot {
        Foot::Made { how, .. } => how.clone(),
        Foot::Failed(failure) => failure.message.clone(),
        Foot::None => "none".into(),
    }
}

#[test]
fn a_stopped_answer_keeps_its_words() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    let effects = press(&mut state, KeyCode::Esc);
    assert!(matches!(effects[..], [Effect::Stop(t)] if t == tag));
    assert!(screen(&state).contains("stopping"));
    reply(&mut state, tag, Event::ChatDone { answer: Box::new(answer("At 14:39 from ", "stopped")) });
    assert_eq!((state.chat.last_answer().unwrap().text.as_str(), how(&state).as_str()), ("At 14:39 from ", "stopped"));
}

#[test]
fn a_node_that_does_not_stop_is_let_go_of() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    press(&mut state, KeyCode::Esc);
    let effects = press(&mut state, KeyCode::Esc);
    assert!(matches!(effects[..], [Effect::Drop(t)] if t == tag));
    assert_eq!(state.chat.last_answer().unwrap().text, "At 14:39 from ");
    let late = Event::ChatDone { answer: Box::new(answer("late", "generated")) };
    reply(&mut state, tag, late);
    assert_eq!(state.chat.last_answer().unwrap().text, "At 14:39 from ", "a late answer is dropped");
}

#[test]
fn a_cancelled_failure_keeps_the_words_too() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    let failure = Failure::new(ErrorKind::Cancelled, "Stopped.", "");
    reply(&mut state, tag, Event::Failed { failure });
    assert_eq!((state.chat.last_answer().unwrap().text.as_str(), how(&state).as_str()), ("At 14:39 from ", "stopped"));
}

#[test]
fn a_withdrawn_draft_is_replaced() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    reply(&mut state, tag, Event::ChatReset);
    reply(&mut state, tag, Event::ChatDelta { text: "\"Leave home 13:50\"".into() });
    assert_eq!(state.chat.live.as_ref().unwrap().text, "\"Leave home 13:50\"");
}

#[test]
fn typing_ahead_goes_next() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    types(&mut state, "and back?");
    assert!(calls(&press(&mut state, KeyCode::Enter)).is_empty());
    let effects = reply(&mut state, tag, Event::ChatDone { answer: Box::new(answer("14:39", "generated")) });
    let sent = effects.iter().find_map(|e| match e {
        Effect::Call { op: Op::Chat { text, session, .. }, .. } => Some((text.clone(), *session)),
        _ => None,
    });
    assert_eq!(sent, Some(("and back?".into(), Some(session(1)))));
}

#[test]
fn stopping_gives_the_queued_text_back() {
    let mut state = opened(120, 40);
    streaming(&mut state);
    types(&mut state, "and back?");
    press(&mut state, KeyCode::Enter);
    types(&mut state, "more");
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.chat.composer.text(), "and back?\nmore");
}

#[test]
fn a_failed_question_comes_back() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    reply(&mut state, tag, Event::Failed { failure: failure() });
    assert_eq!(state.chat.composer.text(), "When does my train to Porto leave?");
    assert!(screen(&state).contains("icore models pull"));
}

#[test]
fn the_readers_scroll_is_theirs() {
    let mut state = opened(80, 24);
    for _ in 0..8 {
        answered(&mut state);
    }
    let tag = streaming(&mut state);
    press(&mut state, KeyCode::PageUp);
    let pane = |state: &State| screen(state).lines().skip(1).take(16).collect::<Vec<_>>().join("\n");
    let before = pane(&state);
    for i in 0..50 {
        reply(&mut state, tag, Event::ChatDelta { text: format!("word{i} \n") });
    }
    let same = |a: &str, b: &str| a.lines().zip(b.lines()).all(|(a, b)| a == b);
    assert!(same(&before, &pane(&state)), "{before}\n{}", pane(&state));
    for _ in 0..20 {
        press(&mut state, KeyCode::PageDown);
    }
    assert!(screen(&state).contains("word49"), "at the end it follows again");
    reply(&mut state, tag, Event::ChatDelta { text: "followed".into() });
    assert!(screen(&state).contains("followed"));
}

#[test]
fn the_wheel_scrolls_what_is_under_it() {
    let mut state = opened(120, 40);
    for _ in 0..10 {
        answered(&mut state);
    }
    let before = screen(&state);
    update(&mut state, Msg::Wheel { column: 5, row: 5, up: true });
    assert_ne!(before, screen(&state));
}

#[test]
fn a_citation_opens_at_its_words() {
    let mut state = opened(120, 40);
    answered(&mut state);
    assert!(alt(&mut state, KeyCode::Char('9')).is_empty());
    let effects = alt(&mut state, KeyCode::Char('1'));
    assert!(matches!(&effects[..], [Effect::Call { op: Op::Show { item }, .. }] if *item == fixture::item(11)));
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Tab);
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Call { op: Op::Show { .. }, .. }]));
    // The reply to the one that was closed does not fill the one that is open.
    let Some(Overlay::Item(shown)) = state.overlays.last() else { panic!("it is open") };
    let stale = shown.serial - 1;
    reply(&mut state, Tag::Show(stale), Event::Failed { failure: failure() });
    let Some(Overlay::Item(shown)) = state.overlays.last() else { panic!("it is open") };
    assert!(shown.failed.is_none());
}

#[test]
fn the_kill_switch_works_from_everywhere() {
    for key in [KeyCode::F(2), KeyCode::F(3), KeyCode::F(4), KeyCode::F(5), KeyCode::F(1)] {
        let mut state = opened(80, 24);
        press(&mut state, key);
        ctrl(&mut state, 'x');
        assert!(press(&mut state, KeyCode::Enter).is_empty(), "the safe answer is the default");
        press(&mut state, KeyCode::F(8));
        let effects = types(&mut state, "y");
        assert!(matches!(effects[..], [Effect::Call { op: Op::Kill, .. }]));
    }
}

#[test]
fn lifting_needs_the_passphrase() {
    let mut state = opened(80, 24);
    update(&mut state, Msg::News(Event::Status { status: NodeStatus { killed: true, ..status() } }));
    press(&mut state, KeyCode::F(8));
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "an empty passphrase is not sent");
    types(&mut state, "wrong");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(effects[..], [Effect::Prove { tag: Tag::Lift, .. }]));
    assert!(types(&mut state, "x").is_empty(), "while it is checked nothing is typed");
    let failure = Failure::new(ErrorKind::Refused, "That passphrase does not open this home.", "");
    reply(&mut state, Tag::Lift, Event::Failed { failure });
    assert!(screen(&state).contains("does not open"));
    types(&mut state, "right");
    press(&mut state, KeyCode::Enter);
    reply(&mut state, Tag::Lift, Event::Done);
    assert!(state.overlays.is_empty());
}

#[test]
fn forgetting_is_previewed_asked_and_shown() {
    let mut state = opened(120, 40);
    answered(&mut state);
    press(&mut state, KeyCode::BackTab);
    let effects = types(&mut state, "f");
    let [Effect::Call { tag, op: Op::Forget { dry_run: true, .. } }] = effects[..] else { panic!("a preview first") };
    reply(
        &mut state,
        tag,
        Event::Forgotten { report: ForgetReport { items: 1, chunks: 3, answers: 1, messages: 0, done: false } },
    );
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "Enter keeps it");
    let tag = calls(&types(&mut state, "f"))[0];
    assert!(types(&mut state, "y").is_empty(), "nothing is agreed to before it is shown");
    reply(
        &mut state,
        tag,
        Event::Forgotten { report: ForgetReport { items: 1, chunks: 3, answers: 1, messages: 0, done: false } },
    );
    let effects = types(&mut state, "y");
    let [Effect::Call { tag, op: Op::Forget { dry_run: false, .. } }] = effects[..] else { panic!("now it goes") };
    let effects = reply(
        &mut state,
        tag,
        Event::Forgotten { report: ForgetReport { items: 1, chunks: 3, answers: 1, messages: 0, done: true } },
    );
    assert!(calls(&effects).contains(&Tag::Open(session(1))), "the conversation is read again");
    press(&mut state, KeyCode::Esc);
    assert!(!screen(&state).contains("coach 21, seat 54"), "what was recalled is not shown any more");
}

#[test]
fn ctrl_c_twice_leaves_and_once_does_not() {
    let mut state = opened(80, 24);
    assert!(ctrl(&mut state, 'c').is_empty());
    assert!(screen(&state).contains("Ctrl+C again quits"));
    types(&mut state, "x");
    assert!(ctrl(&mut state, 'c').is_empty());
    assert!(matches!(ctrl(&mut state, 'c')[..], [Effect::Quit]));
    assert!(matches!(ctrl(&mut state, 'q')[..], [Effect::Quit]));
}

#[test]
fn a_lost_node_locks_and_keeps_the_draft() {
    let mut state = opened(80, 24);
    answered(&mut state);
    types(&mut state, "my draft");
    update(&mut state, Msg::NodeLost);
    assert!(matches!(state.gate, Gate::Locked(_)));
    types(&mut state, "passphrase");
    assert!(matches!(press(&mut state, KeyCode::Enter)[..], [Effect::Unlock(_)]));
    let effects = update(&mut state, Msg::Unlocked { attached: false });
    assert!(calls(&effects).contains(&Tag::Open(session(1))));
    assert_eq!(state.chat.composer.text(), "my draft");
}

#[test]
fn a_question_cut_off_by_a_lost_node_can_be_asked_again() {
    let mut state = opened(80, 24);
    streaming(&mut state);
    update(&mut state, Msg::NodeLost);
    update(&mut state, Msg::Unlocked { attached: false });
    assert!(state.chat.live.is_none(), "nothing waits for an answer that will not come");
    assert_eq!(state.chat.composer.text(), "When does my train to Porto leave?");
}

#[test]
fn the_silent_keychain_attempt_fails_silently() {
    let mut state = locked(80, 24);
    state.unlocks = (true, true);
    if let Gate::Locked(lock) = &mut state.gate {
        lock.busy = true;
        lock.silent = true;
    }
    update(&mut state, Msg::NotUnlocked(failure()));
    assert!(!screen(&state).contains("icore models pull"));
    assert!(screen(&state).contains("passphrase"));
}

#[test]
fn a_megabyte_is_pasted_in_one_step_and_said_to_be_cut() {
    let mut state = opened(80, 24);
    update(&mut state, Msg::Paste("日本語 text \x1b[2J\n".repeat(60_000)));
    assert!(state.chat.composer.text().len() <= hinet_tui::app::pane::composer::INPUT_BYTES_MAX);
    assert!(screen(&state).contains("The text was cut"));
}

#[test]
fn lists_follow_what_happens_elsewhere() {
    let mut state = opened(80, 24);
    let effects = update(&mut state, Msg::News(Event::Indexed { report: IngestReport::default() }));
    assert_eq!(calls(&effects), [Tag::Sources]);
    press(&mut state, KeyCode::F(5));
    let more = NodeStatus { ledger: 1205, ..status() };
    let asked = calls(&update(&mut state, Msg::News(Event::Status { status: more })));
    assert_eq!(asked, [Tag::Grants, Tag::Pending, Tag::Disclosed, Tag::Ledger]);
    assert_eq!(state.tab, Tab::Consent);
}

#[test]
fn opening_another_conversation_gives_the_answer_up() {
    let mut state = opened(80, 24);
    let tag = streaming(&mut state);
    ctrl(&mut state, 'o');
    let line = SessionLine {
        id: session(7),
        title: "Other".into(),
        updated: NOW,
        messages: 2,
        pinned: false,
        archived: false,
        created: NOW,
    };
    reply(&mut state, Tag::Sessions, Event::Sessions { sessions: vec![line] });
    press(&mut state, KeyCode::Down);
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Drop(t), Effect::Call { tag: Tag::Open(_), .. }] if *t == tag));
    reply(&mut state, Tag::Open(session(7)), Event::Messages { messages: vec![] });
    assert!(state.chat.turns.is_empty());
}

#[test]
fn an_answer_from_no_source_says_so() {
    let mut state = opened(120, 40);
    let tag = streaming(&mut state);
    let mut invented = answer("It leaves at noon.", "generated");
    invented.citations.clear();
    reply(&mut state, tag, Event::ChatDone { answer: Box::new(invented) });
    assert!(screen(&state).contains("own · from no source · 84 tok/s"));
}
