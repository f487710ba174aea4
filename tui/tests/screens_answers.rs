//! What an answer in Markdown looks like, with its styles, and that a conversation stays where the reader left it.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

mod fixture;

use crossterm::event::KeyCode;
use fixture::*;
use hinet_protocol::*;
use hinet_tui::app::pane::transcript::Part;
use hinet_tui::app::scroll::{Blocks, Place};
use hinet_tui::app::{Msg, State, Tag, update};
use hinet_tui::markdown::{code_blocks, highlight};
use hinet_tui::theme::{Look, Theme};

const ANSWER: &str = "## Getting to Porto\n\nThe train leaves at **14:39** from *Oriente*, coach 21.[1] Not [7], and \
not ~~13:39~~.\n\n1. Pack the night before:\n   - passport, in the blue bag\n   - the charger, which is longer than one line \
would hold at eighty columns\n2. Leave home at 13:50.\n\n| Leg | From | Minutes |\n|:----|:-----|--------:|\n| metro | \
Alameda | 18 |\n| train | Oriente | 174 |\n\n```rust\n// Minutes until the train leaves.\nfn left(now: u32) -> u32 {\n    \
879 - now // \"14:39\" is the 879th minute of the day, counted from midnight on\n}\n```\n\nSee \
[the timetable](https://www.cp.pt/passageiros/en/how-to-travel/timetables) or <https://cp.pt>.\n";

fn asked(state: &mut State, text: &str) {
    let tag = streaming(state);
    reply(state, tag, Event::ChatDone { answer: Box::new(answer(text, "generated")) });
}

/// The panes alone: the bars and the input are others' screens.
fn panes(state: &State) -> String {
    let screen = screen(state);
    let lines: Vec<&str> = screen.lines().collect();
    lines[1..lines.len() - 3].join("\n")
}

/// What the loop does after a frame.
fn paint(state: &mut State) {
    draw(state);
    let wanted = state.code_colours.take_wanted();
    let painted = wanted.iter().map(|wanted| (wanted.key, highlight::paint(wanted))).collect();
    update(state, Msg::Painted(painted));
}

/// The styles of a screen: a letter for every cell that is not plain, and what the letters mean.
fn styles(state: &State) -> String {
    let buffer = draw(state);
    let mut known = Vec::new();
    let mut out = String::new();
    for y in 1..buffer.area.height - 3 {
        let mut line = String::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let style = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier);
            if style == "Reset on Reset NONE" || cell.symbol() == " " {
                line.push(' ');
                continue;
            }
            let at = known.iter().position(|s| *s == style).unwrap_or_else(|| {
                known.push(style);
                known.len() - 1
            });
            line.push(char::from(b'a' + u8::try_from(at).unwrap()));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for (at, style) in known.iter().enumerate() {
        out.push_str(&format!("{}: {style}\n", char::from(b'a' + u8::try_from(at).unwrap())));
    }
    out
}

#[test]
fn an_answer_in_markdown() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut state = opened(width, height);
        asked(&mut state, ANSWER);
        paint(&mut state);
        insta::assert_snapshot!(format!("answer@{width}x{height}"), panes(&state));
        if height == 24 {
            press(&mut state, KeyCode::PageUp);
            insta::assert_snapshot!(format!("answer-above@{width}x{height}"), panes(&state));
        }
    }
}

#[test]
fn its_styles() {
    for (name, look) in [("dark", Look::Dark), ("sixteen", Look::Sixteen), ("plain", Look::Plain)] {
        let mut state = opened(80, 40);
        state.place.look = look;
        state.theme = Theme::of(look);
        asked(&mut state, ANSWER);
        paint(&mut state);
        insta::assert_snapshot!(format!("answer-styles-{name}"), styles(&state));
    }
}

#[test]
fn code_is_plain_until_its_colours_come() {
    let mut state = opened(80, 40);
    asked(&mut state, ANSWER);
    let before = (screen(&state), styles(&state));
    paint(&mut state);
    assert_eq!(before.0, screen(&state), "colours move nothing");
    assert_ne!(before.1, styles(&state));
    draw(&state);
    assert!(state.code_colours.take_wanted().is_empty(), "what is known is not asked for again");
}

#[test]
fn an_unfinished_answer() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut state = opened(width, height);
        let tag = streaming(&mut state);
        let cut = ANSWER.find("879").unwrap();
        reply(&mut state, tag, Event::ChatReset);
        reply(&mut state, tag, Event::ChatDelta { text: ANSWER[..cut].into() });
        insta::assert_snapshot!(format!("answer-streaming@{width}x{height}"), panes(&state));
    }
}

fn message(n: u32, role: Role, text: &str) -> Message {
    Message {
        id: uuid(1000 + n).parse().unwrap(),
        role,
        text: text.into(),
        at: NOW - 60_000,
        citations: vec![],
        stats: None,
        parent: None,
        siblings: vec![],
        onward: 0,
        attached: vec![],
        feedback: Feedback::default(),
    }
}

fn opened_with(state: &mut State, messages: Vec<Message>) {
    state.chat.open(session(1), "Trip to Porto");
    reply(state, Tag::Open(session(1)), Event::Messages { messages });
}

#[test]
fn versions_attachments_and_opinions() {
    let mut asked = message(1, Role::User, "When does it leave?\n\n  and from *where*?");
    asked.siblings = vec![asked.id, uuid(77).parse().unwrap()];
    asked.attached = vec!["/home/maya/notes/porto.md".into(), "tickets/".into()];
    let mut said = message(2, Role::Assistant, "At **14:39**.");
    said.siblings = vec![uuid(78).parse().unwrap(), said.id, uuid(79).parse().unwrap()];
    said.feedback = Feedback { thumb: Some(Thumb::Up), edited: Some("At 14:39.".into()), accepted: true };
    said.onward = 2;
    let mut state = opened(80, 24);
    opened_with(&mut state, vec![asked, said]);
    insta::assert_snapshot!("answer-versions@80x24", panes(&state));
}

#[test]
fn every_line_knows_what_it_shows() {
    let mut state = opened(80, 24);
    opened_with(&mut state, vec![message(1, Role::User, "a question"), message(2, Role::Assistant, ANSWER)]);
    let transcript = state.chat.transcript(&state, 60);
    assert_eq!(transcript.place_of(Place { block: 0, line: 0 }), Some(Part::Head));
    let question = Part::Words { source: 0..10, code: None };
    assert_eq!(transcript.place_of(Place { block: 0, line: 1 }), Some(question));
    let parts: Vec<Part> =
        (0..transcript.lines(1)).map(|line| transcript.place_of(Place { block: 1, line }).unwrap()).collect();
    assert_eq!(parts.last(), Some(&Part::Foot));
    let in_code = parts.iter().filter(|part| matches!(part, Part::Words { code: Some(0), .. })).count();
    assert!(in_code >= 6, "two rules and four lines at least: {in_code}");
    let blocks = code_blocks(ANSWER);
    assert_eq!(blocks.len(), 1);
    assert!(ANSWER[blocks[0].1.clone()].starts_with("// Minutes") && ANSWER[blocks[0].1.clone()].ends_with("}\n"));
    assert_eq!(&ANSWER[transcript.source_of(1, 0..transcript.lines(1))], ANSWER.trim_end());
    let place = transcript.line_of(1, ANSWER.find("Alameda").unwrap());
    let shown = transcript.window(place, 1)[0].to_string();
    assert!(shown.contains("Alameda"), "{shown}");
    assert_eq!(transcript.place_of(Place { block: 2, line: 0 }), None);
    assert_eq!(transcript.place_of(Place { block: 1, line: 9999 }), None);
}

#[test]
fn what_is_read_stays_while_the_answer_grows() {
    let mut state = opened(80, 24);
    for _ in 0..4 {
        asked(&mut state, ANSWER);
    }
    let tag = streaming(&mut state);
    press(&mut state, KeyCode::PageUp);
    press(&mut state, KeyCode::PageUp);
    let body = |state: &State| screen(state).lines().skip(2).take(16).collect::<Vec<_>>().join("\n");
    let before = body(&state);
    for (at, _) in ANSWER.char_indices().skip(1).step_by(7) {
        reply(&mut state, tag, Event::ChatReset);
        reply(&mut state, tag, Event::ChatDelta { text: ANSWER[..at].into() });
        assert_eq!(body(&state), before, "after {at} bytes");
    }
    reply(&mut state, tag, Event::ChatDone { answer: Box::new(answer(ANSWER, "generated")) });
    assert_eq!(body(&state), before);
    paint(&mut state);
    assert_eq!(body(&state), before);
}

#[test]
fn hostile_answers_are_harmless_on_the_screen() {
    let evil = [
        "```\x1b]0;x\x07\n\x1b[2J\u{202e}x\n```\n\n[\u{202e}a\x1b[31m](http://\x1b]8;;e\x07)\n\n| \x1b[1m | \u{202e} |\n|-|-|\n| \u{2066} | b |",
        &"> ".repeat(10_000),
        &"y".repeat(1_000_000),
        &format!("|{}\n|{}\n|{}\n", " a |".repeat(1000), "---|".repeat(1000), " b |".repeat(1000)),
    ]
    .map(str::to_owned);
    for text in evil {
        for (width, height) in [(80, 24), (40, 10), (200, 60)] {
            let mut state = opened(width, height);
            let tag = streaming(&mut state);
            reply(&mut state, tag, Event::ChatReset);
            reply(&mut state, tag, Event::ChatDelta { text: text.clone() });
            paint(&mut state);
            for key in [KeyCode::PageUp, KeyCode::PageDown] {
                press(&mut state, key);
                for cell in draw(&state).content() {
                    assert!(!cell.symbol().chars().any(hinet_tui::text::is_unsafe), "{:?}", cell.symbol());
                }
            }
        }
    }
}
