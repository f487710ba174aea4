//! The main screens with their styles, at three sizes; the chat in each of the four looks, so that colours are part of what
//! is reviewed.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::styles::styled;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::{State, Tag};
use hinet_tui::theme::{Look, Theme};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const MARKDOWN: &str = "## In short\n\nAt **14:39** from Oriente, coach `21`.[1]\n\n- leave home 13:50\n- the passport is in \
    the blue bag\n\n| what | when |\n| --- | --- |\n| train | 14:39 |\n| home | 13:50 |\n\n```rust\n// Minutes to go.\nfn \
    left(now: u32) -> u32 {\n    14 * 60 + 39 - now\n}\n```\n\nMore on [the page](https://example.org/porto).";

fn in_look(state: &mut State, look: Look) {
    state.place.look = look;
    state.theme = Theme::of(look);
}

fn each(name: &str, look: Look, prepare: impl Fn(&mut State)) {
    for (width, height) in SIZES {
        let mut state = opened(width, height);
        in_look(&mut state, look);
        prepare(&mut state);
        insta::assert_snapshot!(format!("{name}@{width}x{height}"), styled(&draw(&state), &state.theme));
    }
}

fn conversation(state: &mut State) {
    let tag = streaming(state);
    reply(state, tag, Event::ChatDone { answer: Box::new(answer(MARKDOWN, "generated")) });
    types(state, "Who waters the plants?");
    let tag = calls(&press(state, KeyCode::Enter))[0];
    let failed = Failure::new(ErrorKind::Failed, "The model stopped by a fault.", "Ask again; it is loaded afresh.");
    reply(state, tag, Event::Failed { failure: failed });
}

#[test]
fn chat_in_four_looks() {
    for (name, look) in [("dark", Look::Dark), ("light", Look::Light), ("16", Look::Sixteen), ("plain", Look::Plain)] {
        each(&format!("chat-{name}"), look, conversation);
    }
}

#[test]
fn an_opened_item() {
    each("item", Look::Dark, |state| {
        answered(state);
        let tag = calls(&alt(state, KeyCode::Char('1')))[0];
        let labels = vec!["travel".into()];
        let view = ItemView { ingested: NOW, pinned: true, labels, cited: 1, ..porto_item() };
        reply(state, tag, Event::Item { item: Box::new(view) });
    });
}

#[test]
fn memory_found() {
    each("memory", Look::Dark, |state| {
        press(state, KeyCode::F(3));
        types(state, "train to porto");
        let tag = calls(&press(state, KeyCode::Enter))[0];
        reply(state, tag, Event::Hits { hits: hits() });
    });
}

#[test]
fn sources_and_consent() {
    each("sources", Look::Dark, |state| {
        press(state, KeyCode::F(4));
    });
    each("consent", Look::Dark, |state| {
        press(state, KeyCode::F(5));
        reply(state, Tag::Grants, Event::Grants { grants: grants() });
        reply(state, Tag::Ledger, Event::Ledger { lines: ledger() });
    });
}

#[test]
fn the_kill_switch_and_a_notice() {
    each("killed", Look::Dark, |state| {
        let killed = NodeStatus { killed: true, ledger_ok: false, ..status() };
        reply(state, Tag::Status, Event::Status { status: killed });
        state.notice("The ledger is broken at entry 12.");
        press(state, KeyCode::F(8));
    });
}
