//! The frame around the panes: the palette, slash commands, the help, the lines above and below.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_tui::app::overlay::Overlay;
use hinet_tui::app::state::{Focus, Tab};
use hinet_tui::app::{Effect, State, Tag};
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
    assert_eq!((state.place.look, &state.chat.composer.queued), (Look::Plain, &None));
}
