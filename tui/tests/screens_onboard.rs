//! The first steps, as people see them.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::gate::Gate;
use hinet_tui::app::{Effect, Msg, State, update};
use hinet_tui::onboard::Step;

const WORDS: &str = "abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve \
                     acid acoustic acquire across act action actor actress actual";

fn shot(name: &str, state: &mut State) {
    for (width, height) in [(80, 24), (120, 40)] {
        update(state, Msg::Resize(width, height));
        insta::assert_snapshot!(format!("onboard-{name}@{width}x{height}"), screen(state));
    }
}

fn step(state: &State) -> Step {
    match &state.gate {
        Gate::Onboard(onboard) => onboard.step,
        _ => panic!("onboarding is over"),
    }
}

fn models(present: bool) -> Vec<ModelLine> {
    let line = |name: &str, role: &str, bytes| ModelLine {
        name: name.into(),
        role: role.into(),
        bytes,
        present,
        licence: "Apache-2.0".into(),
        needs: 300_000_000,
        fits: true,
        pinned: true,
    };
    vec![line("smollm2-135m-instruct", "anchor", 98_000_000), line("all-minilm-l6-v2", "embedder", 84_000_000)]
}

fn words(state: &mut State) {
    update(state, Msg::Words { phrase: zeroize::Zeroizing::new(WORDS.into()), ask: [2, 6, 11, 22] });
}

/// Goes to the recovery words.
fn to_words(state: &mut State) {
    press(state, KeyCode::Enter);
    types(state, "Maya");
    press(state, KeyCode::Enter);
    press(state, KeyCode::Enter);
    types(state, "correct horse battery");
    press(state, KeyCode::Enter);
    types(state, "correct horse battery");
    let effects = press(state, KeyCode::Enter);
    assert!(matches!(effects[..], [Effect::NewWords]));
    words(state);
}

#[test]
fn a_new_icore_step_by_step() {
    let mut state = onboarding(80, 24);
    shot("1-welcome", &mut state);
    press(&mut state, KeyCode::Enter);
    types(&mut state, "Maya");
    shot("2-name", &mut state);
    press(&mut state, KeyCode::Enter);
    shot("3-root", &mut state);
    press(&mut state, KeyCode::Enter);
    types(&mut state, "correct horse battery");
    press(&mut state, KeyCode::Enter);
    types(&mut state, "correct horse batterx");
    press(&mut state, KeyCode::Enter);
    shot("4-unlock", &mut state);
    types(&mut state, "correct horse battery");
    press(&mut state, KeyCode::Enter);
    words(&mut state);
    shot("5-words", &mut state);
    press(&mut state, KeyCode::Enter);
    types(&mut state, "Able ");
    press(&mut state, KeyCode::Enter);
    types(&mut state, "abandon");
    press(&mut state, KeyCode::Enter);
    shot("6-type-back", &mut state);
    press(&mut state, KeyCode::Esc);
    assert_eq!(step(&state), Step::Words, "one may look again");
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "the words are the same ones");
    for word in ["able", "absorb", "accident", "actress"] {
        types(&mut state, word);
        press(&mut state, KeyCode::Enter);
    }
    assert_eq!(step(&state), Step::Folders);
    types(&mut state, "no");
    update(&mut state, Msg::Folders { typed: "/home/maya/no".into(), found: vec!["/home/maya/notes".into()] });
    press(&mut state, KeyCode::Tab);
    let effects = press(&mut state, KeyCode::Enter);
    assert!(effects.iter().any(|e| matches!(e, Effect::CountFiles(p) if p == "/home/maya/notes")));
    update(&mut state, Msg::Counted { path: "/home/maya/notes".into(), files: 412, more: false, readable: true });
    types(&mut state, "wo");
    update(
        &mut state,
        Msg::Folders {
            typed: "/home/maya/wo".into(),
            found: vec!["/home/maya/work".into(), "/home/maya/workshop".into()],
        },
    );
    press(&mut state, KeyCode::Down);
    shot("7-folders", &mut state);
    press(&mut state, KeyCode::Esc);
    ctrl(&mut state, 'u');
    press(&mut state, KeyCode::Enter);
    assert_eq!(step(&state), Step::Models);
    update(&mut state, Msg::Models(models(false)));
    shot("8-models", &mut state);
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::PullModels(names)] if names.len() == 2));
    let progress =
        Progress { what: "smollm2-135m-instruct".into(), done: 41_000_000, total: Some(98_000_000), unit: Unit::Bytes };
    update(&mut state, Msg::Pulling { name: "smollm2-135m-instruct".into(), progress });
    shot("8-models-pulling", &mut state);
    update(&mut state, Msg::Pulled { name: "smollm2-135m-instruct".into(), result: Ok(()) });
    let failure = Failure::new(
        ErrorKind::Failed,
        "The package index could not be reached.",
        "Check the network; what is here is kept.",
    );
    update(&mut state, Msg::Pulled { name: "all-minilm-l6-v2".into(), result: Err(failure) });
    shot("8-models-failed", &mut state);
    press(&mut state, KeyCode::Enter);
    update(&mut state, Msg::Pulled { name: "all-minilm-l6-v2".into(), result: Ok(()) });
    press(&mut state, KeyCode::Enter);
    shot("9-summary", &mut state);
    let effects = press(&mut state, KeyCode::Enter);
    let [Effect::Make(draft)] = &effects[..] else { panic!("the home is to be made") };
    assert_eq!((draft.name.as_str(), draft.root.as_str(), draft.words.as_str()), ("Maya", "general", WORDS));
    assert_eq!(draft.folders, ["/home/maya/notes"]);
    assert!(
        !draft.keychain
            && !draft.restored
            && draft.passphrase.as_ref().is_some_and(|p| p.as_str() == "correct horse battery")
    );
    shot("10-making", &mut state);
    let effects = update(&mut state, Msg::Made(Ok(())));
    assert!(matches!(effects[..], [Effect::Unlock(_)]));
    assert!(matches!(state.gate, Gate::Locked(_)));
}

#[test]
fn a_restored_icore() {
    let mut state = onboarding(80, 24);
    types(&mut state, "r");
    update(&mut state, Msg::Paste("1. zoo\n2. zoo 3. zoo".into()));
    press(&mut state, KeyCode::Enter);
    shot("restore-too-few", &mut state);
    update(&mut state, Msg::Paste("abandon ".repeat(21)));
    press(&mut state, KeyCode::Enter);
    assert_eq!(step(&state), Step::Restore, "a wrong checksum is refused");
    ctrl(&mut state, 'u');
    update(&mut state, Msg::Paste("abandon ".repeat(23) + "art"));
    press(&mut state, KeyCode::Enter);
    assert_eq!(step(&state), Step::Name);
    press(&mut state, KeyCode::Esc);
    assert_eq!(step(&state), Step::Restore);
}

#[test]
fn nothing_is_written_before_the_last_step() {
    let mut state = onboarding(80, 24);
    to_words(&mut state);
    for _ in 0..20 {
        let effects = press(&mut state, KeyCode::Esc);
        assert!(!effects.iter().any(|e| matches!(e, Effect::Make(_))));
    }
    assert_eq!(step(&state), Step::Welcome);
}

#[test]
fn a_failed_making_can_be_tried_again() {
    let mut state = onboarding(80, 24);
    to_words(&mut state);
    press(&mut state, KeyCode::Enter);
    for word in ["able", "absorb", "accident", "actress"] {
        types(&mut state, word);
        press(&mut state, KeyCode::Enter);
    }
    press(&mut state, KeyCode::Enter);
    update(&mut state, Msg::Models(models(true)));
    press(&mut state, KeyCode::Enter);
    press(&mut state, KeyCode::Enter);
    let failure =
        Failure::new(ErrorKind::Failed, "The folder of the home cannot be written.", "Choose another with --home.");
    update(&mut state, Msg::Made(Err(failure)));
    assert_eq!(step(&state), Step::Summary);
    assert!(screen(&state).contains("cannot be written"));
    assert!(matches!(press(&mut state, KeyCode::Enter)[..], [Effect::Make(_)]));
}
