//! The frame around the panes: the palette, slash commands, the help, the lines above and below.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_tui::app::overlay::Overlay;
use hinet_tui::app::pane::consent::Part;
use hinet_tui::app::state::{Focus, Tab};
use hinet_tui::app::{Effect, Msg, State, Tag, update};
use hinet_tui::theme::Look;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn each(name: &str, prepare: impl Fn(&mut State)) {
    for (width, height) in SIZES {
        let mut state = opened(width, height);
        prepare(&mut state);
        insta::assert_snapshot!(format!("{name}@{width}x{height}"), screen(&state));
    }
}

#[test]
fn palette_and_slash_look_as_agreed() {
    each("palette", |state| {
        ctrl(state, 'k');
    });
    each("palette-found", |state| {
        press(state, KeyCode::F(4));
        ctrl(state, 'k');
        types(state, "fold");
    });
    each("palette-nothing", |state| {
        ctrl(state, 'k');
        types(state, "qqq");
    });
    each("slash", |state| {
        types(state, "/");
        press(state, KeyCode::Down);
    });
    each("slash-options", |state| {
        types(state, "/theme ");
    });
    each("slash-unknown", |state| {
        types(state, "/fly");
        press(state, KeyCode::Enter);
    });
}

#[test]
fn the_palette_does_what_is_chosen_where_it_was_opened() {
    let mut state = opened(80, 24);
    press(&mut state, KeyCode::F(4));
    ctrl(&mut state, 'k');
    types(&mut state, "sync");
    let effects = press(&mut state, KeyCode::Enter);
    assert_eq!(calls(&effects), [Tag::Reading]);
    assert!(state.overlays.is_empty() && state.tab == Tab::Sources);

    ctrl(&mut state, 'k');
    let Some(Overlay::Palette(palette)) = state.overlays.last() else { panic!("the palette is open") };
    assert_eq!(palette.current().unwrap().name, "sync", "what was chosen last comes first");
}

#[test]
fn the_beginning_of_a_name_in_the_palette_means_that_name() {
    let mut state = opened(80, 24);
    for name in ["memory", "Mem", "pause m", "leave m", "s", "kill"] {
        ctrl(&mut state, 'k');
        types(&mut state, name);
        let Some(Overlay::Palette(palette)) = state.overlays.last() else { panic!("the palette is open") };
        let found = &palette.current().unwrap().name;
        assert!(found.starts_with(&name.to_lowercase()), "{name:?} found {found}");
        press(&mut state, KeyCode::Esc);
    }
}

#[test]
fn the_palette_over_an_item_knows_the_items_actions() {
    let mut state = opened(80, 24);
    answered(&mut state);
    alt(&mut state, KeyCode::Char('1'));
    ctrl(&mut state, 'k');
    types(&mut state, "forget");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(calls(&effects)[..], [Tag::ForgetPreview(_)]));
}

#[test]
fn a_question_is_not_covered() {
    let mut state = opened(80, 24);
    press(&mut state, KeyCode::F(8));
    ctrl(&mut state, 'k');
    assert!(matches!(state.overlays[..], [Overlay::Question(_)]));
}

#[test]
fn a_command_is_done_and_never_sent() {
    let mut state = opened(80, 24);
    types(&mut state, "/theme light");
    assert!(calls(&press(&mut state, KeyCode::Enter)).is_empty());
    assert_eq!((state.place.look, state.chat.composer.text().as_str()), (Look::Light, ""));

    types(&mut state, "/search porto");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(calls(&effects).contains(&Tag::Search(1)));
    assert_eq!((state.tab, state.focus), (Tab::Memory, Focus::Second));

    press(&mut state, KeyCode::F(2));
    types(&mut state, "/quit");
    assert!(matches!(press(&mut state, KeyCode::Enter)[..], [Effect::Quit, ..]));
}

#[test]
fn a_command_can_be_chosen_and_completed() {
    let mut state = opened(80, 24);
    types(&mut state, "/th");
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.chat.composer.text(), "/theme ");
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Enter);
    assert_eq!(state.place.look, Look::Light);

    types(&mut state, "/");
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.focus, Focus::Second, "a list that was shut leaves Tab to the pane");
    assert_eq!(state.chat.composer.text(), "/");
}

#[test]
fn what_is_no_command_is_said_or_sent() {
    let mut state = opened(80, 24);
    types(&mut state, "/fly away");
    assert!(press(&mut state, KeyCode::Enter).is_empty());
    assert!(state.notices[0].contains("no command /fly") && state.chat.composer.text() == "/fly away");
    state.notices.clear();

    for (typed, sent) in [("/etc/hosts is a path", "/etc/hosts is a path"), ("//help", "/help"), ("//", "/")] {
        let mut state = opened(80, 24);
        types(&mut state, typed);
        let effects = press(&mut state, KeyCode::Enter);
        let Some(Effect::Call { op: hinet_protocol::Op::Chat { text, .. }, .. }) = effects.first() else {
            panic!("{typed} is sent")
        };
        assert_eq!(text, sent);
    }
    for (typed, said) in
        [("/theme", "one of"), ("/theme pink", "one of"), ("/new one", "nothing"), ("/search", "WORDS")]
    {
        let mut state = opened(80, 24);
        state.chat.composer.set(typed);
        press(&mut state, KeyCode::Esc);
        assert!(press(&mut state, KeyCode::Enter).is_empty(), "{typed}");
        // The list completes first where it can; what cannot be is said.
        let shown = state.notices.iter().any(|notice| notice.contains(said));
        assert!(shown || state.chat.composer.text().starts_with(typed), "{typed}: {:?}", state.notices);
    }
}

#[test]
fn commands_work_while_it_answers() {
    let mut state = opened(80, 24);
    streaming(&mut state);
    types(&mut state, "/theme plain");
    press(&mut state, KeyCode::Enter);
    assert_eq!((state.place.look, state.chat.composer.queued()), (Look::Plain, None));
}

/// Where some text stands on the screen.
fn find(state: &State, text: &str) -> (u16, u16) {
    let screen = screen(state);
    let at = screen.lines().enumerate().find_map(|(y, line)| {
        let x = hinet_tui::text::width(&line[..line.find(text)?]);
        Some((x as u16, y as u16))
    });
    at.unwrap_or_else(|| panic!("{text} is not on the screen:\n{screen}"))
}

fn click(state: &mut State, text: &str) -> Vec<Effect> {
    let (column, row) = find(state, text);
    update(state, Msg::Click { column: column + 1, row })
}

#[test]
fn help_looks_as_agreed() {
    each("help-found", |state| {
        press(state, KeyCode::F(4));
        press(state, KeyCode::F(1));
        types(state, "folder");
    });
    each("help-own-keys", |state| {
        state.configure(hinet_tui::config::parse("[keys.chat]\nnewline = 'f6'\n[keys.everywhere]\nside = ''\n"));
        press(state, KeyCode::F(1));
    });
}

#[test]
fn what_waits_and_what_is_not_kept_is_seen() {
    each("waiting-and-paused", |state| {
        let mut status = status();
        (status.asking, status.paused, status.embedding_left) = (2, true, 120);
        reply(state, Tag::Status, hinet_protocol::Event::Status { status });
    });
    each("incognito", |state| {
        types(state, "/incognito");
        press(state, KeyCode::Enter);
    });
}

#[test]
fn the_help_is_searched_scrolled_and_closed() {
    let mut state = opened(80, 24);
    press(&mut state, KeyCode::F(5));
    types(&mut state, "?");
    let first = screen(&state).lines().nth(5).unwrap().to_owned();
    assert!(first.contains("consent: grants"), "the open pane comes first: {first}");
    for _ in 0..500 {
        press(&mut state, KeyCode::PageDown);
    }
    assert!(screen(&state).contains("/quit"));
    press(&mut state, KeyCode::Up);
    press(&mut state, KeyCode::PageUp);
    assert!(!screen(&state).contains("/quit"), "the way back begins at the end that is seen");
    types(&mut state, "revoke qqq");
    assert!(screen(&state).contains("No key does that"));
    press(&mut state, KeyCode::F(1));
    assert!(state.overlays.is_empty());
}

#[test]
fn the_config_is_in_force_and_its_faults_are_said() {
    let mut state = opened(80, 24);
    state.configure(hinet_tui::config::parse("[keys.everywhere]\nquit = 'f12'\nkill_switch = ''\n"));
    assert!(state.notices[0].contains("always keeps a key"), "{:?}", state.notices);
    assert!(!ctrl(&mut state, 'q').iter().any(|effect| matches!(effect, Effect::Quit)));
    assert!(matches!(press(&mut state, KeyCode::F(12))[..], [Effect::Quit]));
    press(&mut state, KeyCode::F(8));
    assert!(matches!(state.overlays[..], [Overlay::Question(_)]), "the kill switch keeps its key");
}

#[test]
fn the_right_side_of_the_top_line_is_never_cut() {
    let mut status = status();
    (status.asking, status.paused, status.grants) = (12, true, 1_234);
    status.owner = "Maximiliane von und zu Sayn-Wittgenstein".into();
    for killed in [false, true] {
        for ledger_ok in [false, true] {
            for width in (40..=200).step_by(4) {
                let mut state = opened(width, 24);
                (status.killed, status.ledger_ok) = (killed, ledger_ok);
                let status = Box::new(status.clone());
                reply(&mut state, Tag::Status, hinet_protocol::Event::Status { status: *status });
                let top = screen(&state).lines().next().unwrap().to_owned();
                let doors = if killed { "doors SHUT" } else { "doors open" };
                let ledger = match (ledger_ok, width) {
                    (true, _) => "ledger ✓",
                    (false, ..60) => "ledger ✗",
                    (false, _) => "ledger ✗ BROKEN",
                };
                assert!(top.ends_with(doors) && top.contains(ledger), "{width}: {top}");
                assert!(top.contains("12 ask") && top.starts_with(" "), "{width}: {top}");
                assert!(
                    width < 80 || top.contains("own · memory paused") || top.contains("own mind · memory paused"),
                    "{width}: {top}"
                );
            }
        }
    }
}

#[test]
fn clicks_on_the_frame() {
    let mut state = opened(80, 24);
    assert!(!click(&mut state, " memory  ").is_empty());
    assert_eq!(state.tab, Tab::Memory);
    click(&mut state, " chat ");
    assert_eq!(state.tab, Tab::Chat);
    state.notice("Something to know.");
    click(&mut state, "Something");
    assert!(state.notices.is_empty());
    types(&mut state, "/th");
    click(&mut state, "/theme d");
    assert_eq!(state.chat.composer.text(), "/theme ");
    click(&mut state, "/theme plain");
    assert_eq!(state.place.look, Look::Plain);
    ctrl(&mut state, 'k');
    types(&mut state, "show or hide");
    click(&mut state, "Ctrl+B");
    assert!(state.overlays.is_empty() && !state.side);
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut state = opened(120, 40);
    answered(&mut state);
    click(&mut state, "notes/packing");
    assert_eq!((state.focus, state.chat.recalled.selected), (Focus::Second, 1));
    assert!(state.overlays.is_empty());
    assert!(matches!(calls(&click(&mut state, "notes/packing"))[..], [Tag::Show(_)]));
    press(&mut state, KeyCode::Esc);
    let (column, row) = state.chat.composer.is_blank().then_some((5, 38)).unwrap();
    update(&mut state, Msg::Click { column, row });
    assert_eq!(state.focus, Focus::First);

    press(&mut state, KeyCode::F(4));
    click(&mut state, "/mnt/stick");
    assert_eq!(state.sources.selected, 2);

    press(&mut state, KeyCode::F(5));
    reply(&mut state, Tag::Grants, hinet_protocol::Event::Grants { grants: grants() });
    reply(&mut state, Tag::Ledger, hinet_protocol::Event::Ledger { lines: ledger() });
    click(&mut state, "cursor");
    assert_eq!((state.focus, state.consent.selected), (Focus::First, 1));
    click(&mut state, "what left");
    assert_eq!(state.consent.part, Part::Disclosed);
    press(&mut state, KeyCode::Tab);
    click(&mut state, "(erased)");
    assert_eq!((state.consent.part, state.consent.ledger.selected), (Part::Ledger, 3));

    press(&mut state, KeyCode::F(3));
    types(&mut state, "train");
    let tag = calls(&press(&mut state, KeyCode::Enter))[0];
    reply(&mut state, tag, hinet_protocol::Event::Hits { hits: hits() });
    click(&mut state, "packing");
    assert_eq!(state.memory.found.selected, 1);
    click(&mut state, "▏ train");
    assert_eq!(state.focus, Focus::First);
}

#[test]
fn a_conversation_is_clicked_on() {
    let mut state = opened(80, 24);
    ctrl(&mut state, 'o');
    let line = |n: u32| hinet_protocol::SessionLine {
        id: session(n),
        title: format!("talk {n}"),
        updated: NOW,
        messages: 2,
        pinned: false,
        archived: false,
        created: NOW,
    };
    let sessions = (1..60).map(line).collect();
    reply(&mut state, Tag::Sessions, hinet_protocol::Event::Sessions { sessions });
    assert!(click(&mut state, "talk 3").is_empty());
    assert!(matches!(calls(&click(&mut state, "talk 3"))[..], [.., Tag::Open(_)]));
    assert!(state.overlays.is_empty());
}

#[test]
fn a_click_on_a_citation_opens_it() {
    for width in [80, 120] {
        let mut state = opened(width, 40);
        answered(&mut state);
        let (column, row) = find(&state, "21.[1]");
        let mut on = |column| calls(&update(&mut state, Msg::Click { column, row }));
        assert_eq!(on(column), []);
        assert!(matches!(on(column + 4)[..], [Tag::Show(_)]));
    }
}

#[test]
fn clicks_anywhere_do_no_harm() {
    for (width, height) in [(40, 10), (80, 24), (120, 40)] {
        for key in [2, 3, 4, 5, 10] {
            let mut state = opened(width, height);
            answered(&mut state);
            for column in (0..width + 2).step_by(7) {
                for row in 0..height + 2 {
                    press(&mut state, KeyCode::F(key));
                    for _ in 0..2 {
                        let effects = update(&mut state, Msg::Click { column, row });
                        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Quit)));
                    }
                    press(&mut state, KeyCode::Esc);
                }
            }
            assert!(state.overlays.is_empty());
        }
    }
}
