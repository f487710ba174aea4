//! The conversation beyond asking: versions, branches, finding, copying, drafts, attachments, thumbs. Recorded sequences
//! against a scripted node.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::overlay::Overlay;
use hinet_tui::app::state::Focus;
use hinet_tui::app::{Effect, Msg, State, Tag, update};

fn message(n: u32) -> MessageId {
    uuid(n).parse().unwrap()
}

fn stored(n: u32, role: Role, text: &str) -> Message {
    Message {
        id: message(n),
        role,
        text: text.into(),
        at: NOW,
        citations: vec![],
        stats: None,
        parent: None,
        siblings: vec![],
        onward: 0,
        attached: vec![],
        feedback: Feedback::default(),
    }
}

/// Two questions with their answers; the second answer has another version before it.
fn two_turns() -> Vec<Message> {
    let mut second = stored(104, Role::Assistant, "At **19:22**.\n\n```sh\ngrep -n train\n```\n");
    second.siblings = vec![message(103), message(104)];
    vec![
        stored(100, Role::User, "When does my train leave?"),
        stored(101, Role::Assistant, "At 14:39 from Oriente."),
        stored(102, Role::User, "And back?"),
        second,
    ]
}

fn reading() -> State {
    let mut state = opened(100, 30);
    update(&mut state, Msg::Key(crossterm::event::KeyEvent::new(KeyCode::Null, crossterm::event::KeyModifiers::NONE)));
    state.chat.open(session(1), "Trip to Porto");
    reply(&mut state, Tag::Open(session(1)), Event::Messages { messages: two_turns() });
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.focus, Focus::Reading);
    state
}

fn op(effects: &[Effect]) -> &Op {
    effects.iter().find_map(|effect| if let Effect::Call { op, .. } = effect { Some(op) } else { None }).unwrap()
}

#[test]
fn another_answer_is_asked_for_beside_the_one_there_is() {
    let mut state = reading();
    let effects = types(&mut state, "r");
    assert!(
        matches!(op(&effects), Op::Regenerate { session: s, message: m, .. } if *s == session(1) && *m == message(102))
    );
    assert_eq!(state.chat.turns.len(), 3, "the answer there was is not shown while the new one is made");
    assert!(types(&mut state, "x").is_empty() || state.chat.composer.text() == "x", "the input has the keys");
    let tag = calls(&effects)[0];
    let effects = reply(&mut state, tag, Event::ChatDone { answer: Box::new(answer("At 20:00.", "generated")) });
    assert!(calls(&effects).contains(&Tag::Open(session(1))), "which version it is, the node says");
}

#[test]
fn a_failed_regeneration_gives_no_question_back_that_still_stands() {
    let mut state = reading();
    let tag = calls(&types(&mut state, "r"))[0];
    reply(&mut state, tag, Event::Failed { failure: failure() });
    assert!(state.chat.composer.is_blank());
    assert!(screen(&state).contains("And back?"));
}

#[test]
fn an_edited_question_hangs_where_the_old_one_hangs() {
    let mut state = reading();
    press(&mut state, KeyCode::Char('{'));
    assert_eq!(state.chat.reader.turn(), Some(2));
    types(&mut state, "e");
    assert_eq!((state.focus, state.chat.composer.text().as_str()), (Focus::First, "And back?"));
    assert!(screen(&state).contains("editing your question"));
    types(&mut state, " On Sunday");
    let effects = press(&mut state, KeyCode::Enter);
    let Op::Chat { session: Some(s), text, turn, .. } = op(&effects) else { panic!("it is asked") };
    assert_eq!((*s, text.as_str(), turn.after), (session(1), "And back? On Sunday", After::Message(message(101))));
    assert_eq!(state.chat.turns.len(), 3);
}

#[test]
fn editing_the_first_question_begins_anew_and_esc_leaves_it() {
    let mut state = reading();
    press(&mut state, KeyCode::Esc);
    types(&mut state, "my draft");
    press(&mut state, KeyCode::Tab);
    press(&mut state, KeyCode::Char('g'));
    types(&mut state, "e");
    assert_eq!(state.chat.composer.text(), "When does my train leave?");
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.chat.composer.text(), "my draft", "what was typed before comes back");
    press(&mut state, KeyCode::Tab);
    press(&mut state, KeyCode::Char('g'));
    types(&mut state, "e");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(op(&effects), Op::Chat { turn: Turn { after: After::Start, .. }, .. }));
}

#[test]
fn versions_are_turned_between() {
    let mut state = reading();
    press(&mut state, KeyCode::Char('G'));
    let effects = press(&mut state, KeyCode::Left);
    assert!(matches!(op(&effects), Op::Branch { message: m, .. } if *m == message(103)));
    assert!(calls(&press(&mut state, KeyCode::Right)).is_empty());
    assert!(state.toast.as_ref().unwrap().contains("no other version"));
}

#[test]
fn going_back_keeps_what_followed_and_gives_the_question_back() {
    let mut state = reading();
    press(&mut state, KeyCode::Char('{'));
    let effects = types(&mut state, "u");
    assert!(matches!(op(&effects), Op::Rewind { message: Some(m), .. } if *m == message(101)));
    let mut left: Vec<Message> = two_turns().into_iter().take(2).collect();
    left[1].onward = 1;
    reply(&mut state, Tag::Open(session(1)), Event::Messages { messages: left });
    assert_eq!((state.chat.turns.len(), state.chat.composer.text().as_str()), (2, "And back?"));
    press(&mut state, KeyCode::Tab);
    let effects = types(&mut state, "o");
    assert!(matches!(op(&effects), Op::Branch { message: m, .. } if *m == message(101)));
}

#[test]
fn branching_off_opens_the_new_conversation() {
    let mut state = reading();
    let effects = types(&mut state, "b");
    assert!(matches!(op(&effects), Op::Fork { .. }));
    let line = SessionLine {
        id: session(9),
        title: "Trip to Porto".into(),
        updated: NOW,
        messages: 4,
        pinned: false,
        archived: false,
        created: NOW,
    };
    let effects = reply(&mut state, Tag::Fork, Event::Sessions { sessions: vec![line] });
    assert!(calls(&effects).contains(&Tag::Open(session(9))));
    assert_eq!(state.chat.session, Some(session(9)));
}

#[test]
fn a_message_is_copied_as_it_was_written_and_its_code_alone() {
    let mut state = reading();
    let effects = types(&mut state, "y");
    assert!(matches!(&effects[0], Effect::Copy(text) if text.contains("**19:22**")));
    assert!(
        matches!(op(&effects), Op::Feedback { feedback: Feedback { accepted: true, .. }, .. }),
        "taken is accepted"
    );
    let effects = types(&mut state, "c");
    assert!(matches!(&effects[0], Effect::Copy(text) if text == "grep -n train\n"));
    press(&mut state, KeyCode::Char('g'));
    let effects = types(&mut state, "c");
    assert!(effects.is_empty() && state.toast.as_ref().unwrap().contains("no code"));
    press(&mut state, KeyCode::Char('v'));
    press(&mut state, KeyCode::Down);
    let effects = types(&mut state, "y");
    assert!(matches!(&effects[0], Effect::Copy(text) if text.contains("When does my train leave?")));
}

#[test]
fn thumbs_and_better_answers_are_told_and_shown() {
    let mut state = reading();
    let effects = types(&mut state, "+");
    assert!(
        matches!(op(&effects), Op::Feedback { message: m, feedback } if *m == message(104) && feedback.thumb == Some(Thumb::Up))
    );
    let effects = types(&mut state, "+");
    assert!(matches!(op(&effects), Op::Feedback { feedback: Feedback { thumb: None, .. }, .. }));
    types(&mut state, "e");
    types(&mut state, " Sharp.");
    let effects = press(&mut state, KeyCode::Enter);
    let Op::Feedback { feedback, .. } = op(&effects) else { panic!("an answer is told, not asked") };
    assert!(feedback.edited.as_ref().unwrap().ends_with("Sharp."));
}

#[test]
fn finding_goes_through_the_places_and_marks_them() {
    let mut state = opened(100, 30);
    state.chat.open(session(1), "Trip");
    let many = (0..200).map(|n| {
        let text = if n % 50 == 7 { "the train to Évora" } else { "something else" };
        stored(200 + n, if n % 2 == 0 { Role::User } else { Role::Assistant }, text)
    });
    reply(&mut state, Tag::Open(session(1)), Event::Messages { messages: many.collect() });
    ctrl(&mut state, 'f');
    types(&mut state, "ÉVORA");
    assert_eq!(state.chat.reader.turn(), Some(157), "the newest first");
    assert!(screen(&state).contains("4 of 4 messages"));
    press(&mut state, KeyCode::Enter);
    press(&mut state, KeyCode::Char('N'));
    assert_eq!(state.chat.reader.turn(), Some(107));
    press(&mut state, KeyCode::Char('n'));
    press(&mut state, KeyCode::Char('n'));
    assert_eq!(state.chat.reader.turn(), Some(7), "from the last on to the first");
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.focus, Focus::First);
    types(&mut state, "typed");
    assert_eq!(state.chat.composer.text(), "typed");
}

#[test]
fn what_was_said_is_looked_through() {
    let mut state = opened(100, 30);
    let said = vec!["newest question".into(), "where is the blue bag".into(), "oldest".into()];
    reply(&mut state, Tag::Typed, Event::Typed { said, drafts: vec![] });
    types(&mut state, "half a thought");
    ctrl(&mut state, 'r');
    types(&mut state, "bag blue");
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.chat.composer.text(), "where is the blue bag");
    press(&mut state, KeyCode::Up);
    assert_eq!(state.chat.composer.text(), "half a thought", "what was typed is a line of history now");
}

#[test]
fn drafts_stay_with_their_conversation() {
    let mut state = opened(100, 30);
    let drafts = vec![
        Draft { session: Some(session(7)), text: "for seven".into() },
        Draft { session: None, text: "new".into() },
    ];
    reply(&mut state, Tag::Typed, Event::Typed { said: vec![], drafts });
    assert_eq!(state.chat.composer.text(), "new");
    let kept = types(&mut state, "er");
    assert!(kept.iter().any(|e| matches!(e, Effect::Draft(d) if d.text == "newer" && d.session.is_none())));
    state.chat.open(session(7), "Seven");
    assert_eq!(state.chat.composer.text(), "for seven");
    ctrl(&mut state, 'n');
    assert_eq!(state.chat.composer.text(), "newer");
}

#[test]
fn nothing_of_an_incognito_conversation_is_kept() {
    let mut state = opened(100, 30);
    state.chat.begin_incognito();
    let effects = types(&mut state, "a secret");
    assert!(effects.is_empty(), "no draft is told");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(
        matches!(op(&effects), Op::Chat { session: None, turn: Turn { incognito: Some(said), .. }, .. } if said.is_empty())
    );
    let tag = calls(&effects)[0];
    reply(&mut state, tag, Event::ChatDone { answer: Box::new(answer("I see.", "generated")) });
    assert_eq!(state.chat.session, None);
    types(&mut state, "and more");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(
        matches!(op(&effects), Op::Chat { session: None, turn: Turn { incognito: Some(said), .. }, .. } if said.len() == 2)
    );
    assert!(screen(&state).contains("incognito"));
}

#[test]
fn an_attachment_confines_the_next_question() {
    let mut state = opened(100, 30);
    let effects = hinet_tui::app::pane::chat::attach::path(&mut state, "~/notes/porto.md");
    let Effect::Call { tag, op: Op::Attach { what: Attachment::File { path } } } = &effects[0] else {
        panic!("read it")
    };
    assert_eq!(path, "/home/maya/notes/porto.md");
    let tag = *tag;
    types(&mut state, "When?");
    assert!(calls(&press(&mut state, KeyCode::Enter)).is_empty(), "it waits until it has been read");
    let attached = Attached { name: "porto.md".into(), within: Within::Item(item(11)), items: 1 };
    reply(&mut state, tag, Event::Attached { attached });
    let effects = press(&mut state, KeyCode::Enter);
    let Op::Chat { turn, .. } = op(&effects) else { panic!("now it is asked") };
    assert_eq!(
        (turn.within.as_slice(), turn.attached.as_slice()),
        (&[Within::Item(item(11))][..], &["porto.md".to_owned()][..])
    );
    assert!(state.chat.composer.chips.is_empty());
}

#[test]
fn a_command_runs_only_after_a_yes() {
    let mut state = opened(100, 30);
    hinet_tui::app::pane::chat::attach::command(&mut state, "git log -3");
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "the safe answer is the default");
    hinet_tui::app::pane::chat::attach::command(&mut state, "git log -3");
    let effects = types(&mut state, "y");
    assert!(effects.iter().any(|e| matches!(e, Effect::Command(c) if c == "git log -3")));
    let ran = Msg::Ran { command: "git log -3".into(), result: Ok("commit 1\n".into()) };
    let effects = update(&mut state, ran);
    assert!(matches!(op(&effects), Op::Attach { what: Attachment::Text { .. } }));
}

#[test]
fn all_conversations_are_searched_and_the_place_is_shown() {
    let mut state = opened(100, 30);
    ctrl(&mut state, 'o');
    reply(&mut state, Tag::Sessions, Event::Sessions { sessions: vec![] });
    let effects = types(&mut state, "oriente");
    let last = *calls(&effects).last().unwrap();
    let found = Found {
        session: session(3),
        title: "Trip".into(),
        message: message(101),
        role: Role::Assistant,
        at: NOW,
        excerpt: "…from Oriente…".into(),
    };
    let Tag::Find(number) = last else { panic!("a search") };
    reply(&mut state, Tag::Find(number - 1), Event::Found { found: vec![] });
    reply(&mut state, last, Event::Found { found: vec![found] });
    assert!(screen(&state).contains("…from Oriente…"));
    let effects = press(&mut state, KeyCode::Enter);
    let there = |op: &Op| matches!(op, Op::Branch { session: s, message: m } if *s == session(3) && *m == message(101));
    assert!(there(op(&effects)), "on whichever branch it is");
    reply(&mut state, Tag::Open(session(3)), Event::Messages { messages: two_turns() });
    assert!(state.chat.scroll.is_some() && state.overlays.is_empty());
}

#[test]
fn a_conversation_is_titled_pinned_put_away_and_forgotten_from_the_list() {
    let mut state = opened(100, 30);
    ctrl(&mut state, 'o');
    let line = SessionLine {
        id: session(3),
        title: "Old".into(),
        updated: NOW,
        messages: 2,
        pinned: false,
        archived: false,
        created: NOW,
    };
    reply(&mut state, Tag::Sessions, Event::Sessions { sessions: vec![line] });
    press(&mut state, KeyCode::Down);
    ctrl(&mut state, 't');
    types(&mut state, "er");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(op(&effects), Op::SessionChange { change, .. } if change.title.as_deref() == Some("Older")));
    assert!(matches!(op(&ctrl(&mut state, 'p')), Op::SessionChange { change, .. } if change.pinned == Some(true)));
    assert!(matches!(op(&ctrl(&mut state, 's')), Op::SessionChange { change, .. } if change.archived == Some(true)));
    assert!(matches!(op(&ctrl(&mut state, 'd')), Op::Forget { target: ForgetTarget::Session { .. }, dry_run: true }));
    assert!(matches!(state.overlays.last(), Some(Overlay::Forget(_))));
}

#[test]
fn a_name_after_an_at_sign_confines_the_question() {
    let mut state = opened(100, 30);
    types(&mut state, "When? ");
    let effects = types(&mut state, "@por");
    assert_eq!(calls(&effects).len(), 4, "each letter asks, for everything at first");
    let tag = *calls(&effects).last().unwrap();
    let name = |n: u32, name: &str| Name {
        within: Within::Item(item(n)),
        name: name.into(),
        detail: format!("/home/maya/notes/{name}"),
    };
    reply(&mut state, tag, Event::Names { names: vec![name(11, "porto.md"), name(12, "port wine.md")] });
    assert!(screen(&state).contains("@port wine.md"));
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.chat.composer.text(), "When? @port wine.md ");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(op(&effects), Op::Chat { turn, .. } if turn.within == [Within::Item(item(12))]));
}

#[test]
fn a_name_that_is_deleted_again_confines_nothing() {
    let mut state = opened(100, 30);
    let tag = *calls(&types(&mut state, "@por")).last().unwrap();
    let name = Name { within: Within::Item(item(11)), name: "porto.md".into(), detail: "x".into() };
    reply(&mut state, tag, Event::Names { names: vec![name] });
    press(&mut state, KeyCode::Tab);
    for _ in 0..11 {
        press(&mut state, KeyCode::Backspace);
    }
    types(&mut state, "hello");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(op(&effects), Op::Chat { text, turn, .. } if text == "hello" && turn.within.is_empty()));
}

#[test]
fn a_path_after_an_at_sign_is_gone_into_and_attached() {
    let mut state = opened(100, 30);
    let effects = types(&mut state, "@~/no");
    let listed =
        effects.iter().rev().find_map(|e| if let Effect::ListPaths(path) = e { Some(path.clone()) } else { None });
    assert_eq!(listed.as_deref(), Some("/home/maya/no"));
    update(&mut state, Msg::Paths { typed: "/home/maya/no".into(), found: vec!["/home/maya/notes/".into()] });
    let effects = press(&mut state, KeyCode::Tab);
    assert_eq!(state.chat.composer.text(), "@~/notes/");
    assert!(matches!(&effects[..], [Effect::ListPaths(path), ..] if path == "/home/maya/notes/"));
    update(
        &mut state,
        Msg::Paths { typed: "/home/maya/notes/".into(), found: vec!["/home/maya/notes/porto.md".into()] },
    );
    let effects = press(&mut state, KeyCode::Enter);
    assert!(
        matches!(op(&effects), Op::Attach { what: Attachment::File { path } } if path == "/home/maya/notes/porto.md")
    );
    assert_eq!(state.chat.composer.text(), "");
}

#[test]
fn a_line_with_an_exclamation_mark_is_a_command_and_two_are_text() {
    let mut state = opened(100, 30);
    types(&mut state, "!git log -3");
    assert!(calls(&press(&mut state, KeyCode::Enter)).is_empty());
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.chat.composer.text(), "!git log -3", "what was not agreed to stays");
    press(&mut state, KeyCode::Enter);
    let effects = types(&mut state, "y");
    assert!(effects.iter().any(|e| matches!(e, Effect::Command(c) if c == "git log -3")));
    assert_eq!(state.chat.composer.text(), "");
    press(&mut state, KeyCode::Esc);
    types(&mut state, "!!important");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(op(&effects), Op::Chat { text, .. } if text == "!important"));
}

#[test]
fn what_is_sent_while_a_conversation_opens_is_asked_when_it_is_there() {
    let mut state = opened(100, 30);
    state.chat.open(session(1), "Trip to Porto");
    types(&mut state, "And the seat?");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(calls(&effects).is_empty() && state.chat.composer.is_blank());
    // Until it is asked it is a draft, so that leaving now does not lose it.
    let kept = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Draft(draft) if draft.session == Some(session(1)) => Some(draft.text.clone()),
            _ => None,
        })
    };
    assert_eq!(kept(&effects).as_deref(), Some("And the seat?"));
    let effects = reply(&mut state, Tag::Open(session(1)), Event::Messages { messages: two_turns() });
    assert!(matches!(op(&effects), Op::Chat { text, .. } if text == "And the seat?"));
    assert_eq!(kept(&effects).as_deref(), Some(""));
}

#[test]
fn what_is_sent_while_a_conversation_opens_comes_back_where_it_does_not() {
    let mut state = opened(100, 30);
    state.chat.open(session(1), "Trip to Porto");
    types(&mut state, "And the seat?");
    press(&mut state, KeyCode::Enter);
    let failure = Failure::new(ErrorKind::Failed, "There is no such conversation.", "It was forgotten.");
    reply(&mut state, Tag::Open(session(1)), Event::Failed { failure });
    assert_eq!(state.chat.composer.text(), "And the seat?");
}

#[test]
fn what_is_typed_before_a_new_conversation_has_a_name_moves_into_it() {
    let mut state = opened(100, 30);
    types(&mut state, "When does my train to Porto leave?");
    let tag = calls(&press(&mut state, KeyCode::Enter))[0];
    types(&mut state, "And");
    let effects = reply(&mut state, tag, Event::Recalled { session: session(7), hits: hits() });
    let drafts: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Draft(draft) => Some((draft.session, draft.text.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(drafts, [(None, ""), (Some(session(7)), "And")]);
}

#[test]
fn an_assembly_is_asked_from_here_on_until_it_is_not() {
    let asked = |effects: &[Effect]| match op(effects) {
        Op::Chat { turn, .. } | Op::Regenerate { turn, .. } => turn.assembly.clone(),
        other => panic!("a question is asked and not {other:?}"),
    };
    let house = Some("house".to_owned());
    let mut state = opened(200, 60);
    types(&mut state, "/assembly house");
    assert_eq!(calls(&press(&mut state, KeyCode::Enter)), [Tag::Assemblies], "whether there is one, the node says");
    reply(&mut state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
    let seen = screen(&state);
    assert!(seen.contains("own mind, else assembly house") && seen.contains("/assembly off"), "{seen}");
    types(&mut state, "Where is the fuse box?");
    let effects = press(&mut state, KeyCode::Enter);
    assert_eq!(asked(&effects), house);
    let tag = calls(&effects)[0];
    reply(&mut state, tag, Event::ChatDone { answer: composed("In the hall.", Mode::Mix) });
    assert!(screen(&state).contains("assembled: mix · kitchen 0.6, garden 0.4 · 84 tok/s"));
    let effects = alt(&mut state, KeyCode::Char('r'));
    assert_eq!(asked(&effects), house, "another answer asks it too");
    let tag = calls(&effects)[0];
    reply(&mut state, tag, Event::ChatDone { answer: composed("In the hall.[1]", Mode::Own) });
    assert!(screen(&state).contains("own · 1 source · 84 tok/s · own: nobody is near: kitchen"), "{}", screen(&state));
    ctrl(&mut state, 'n');
    types(&mut state, "And the tap?");
    assert_eq!(asked(&press(&mut state, KeyCode::Enter)), house, "another conversation of this window asks it too");
    types(&mut state, "/assembly off");
    assert!(calls(&press(&mut state, KeyCode::Enter)).is_empty());
    assert_eq!(state.chat.assembly, None);
    types(&mut state, "/assembly moon");
    press(&mut state, KeyCode::Enter);
    reply(&mut state, Tag::Assemblies, Event::Assemblies { assemblies: assemblies() });
    assert!(state.chat.assembly.is_none() && state.notices[0].contains("no assembly moon"), "{:?}", state.notices);
}

#[test]
fn how_a_stored_answer_was_assembled_is_still_said() {
    let mut said = stored(101, Role::Assistant, "In the hall.");
    let composed = Some(composition(Mode::Route));
    said.stats =
        Some(MessageStats { how: "assembled".into(), tokens_per_s: 31.2, composed, ..MessageStats::default() });
    let mut state = opened(100, 30);
    state.chat.open(session(1), "The house");
    let messages = vec![stored(100, Role::User, "Where is the fuse box?"), said];
    reply(&mut state, Tag::Open(session(1)), Event::Messages { messages });
    assert!(screen(&state).contains("assembled: route · kitchen · 31 tok/s"));
}
