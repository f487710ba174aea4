//! Terminals of every sort: tiny ones, storms of sizes, a megabyte pasted, bytes that are no text, control sequences in
//! documents and answers, no colours, no mouse; and the terminal given back, whatever ends the face.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use rustix::process::Signal;
use std::time::Duration;
use support::Person;
use support::process::eventually;
use support::screen::{Opener, Screen, key};

/// A document and a title that would take a terminal over.
const EVIL: &str = "\x1b]0;owned\x07\x1b[31mThe vault code is 4471\x1b[2J\u{9b}31m and the colour is mauve\x1b]52;c;ZXZpbA==\x07\u{202e}";

fn open_with_evil() -> (Person, Screen) {
    let person = Person::settled();
    person.file("vault.md", format!("# Vault {EVIL}\n\n{EVIL}\n"));
    person.icore(["sources".as_ref(), "add".as_ref(), person.files().as_os_str()]);
    let screen = Screen::open(&person);
    (person, screen)
}

/// Nothing that begins a sequence of its own making is in what reached the terminal: no title, no clipboard, no bell,
/// no C1 control, no reordering, and not the colour of the document.
fn harmless(raw: &str) {
    for bad in ["\x1b]0;", "\x1b]52;", "\x07", "\u{9b}", "\u{202e}", "\x1b[31mThe", "\x1bc"] {
        assert!(!raw.contains(bad), "{bad:?} reached the terminal");
    }
}

#[test]
fn control_sequences_of_documents_and_answers_stay_inside() {
    let (_person, mut screen) = open_with_evil();
    screen.ask("What is the vault code?");
    screen.wait_for("4471");
    screen.press(key::ALT_1);
    screen.wait_for("item · ");
    screen.press(key::ESC);
    screen.wait_gone("item · ");
    screen.press(key::F3);
    screen.say("vault code mauve");
    screen.wait_for("vault.md");
    screen.press(key::F4);
    screen.wait_for("watched");
    screen.press(key::CTRL_O);
    screen.wait_for("conversations");
    screen.press(key::ESC);
    harmless(&screen.raw());
    screen.leave();
}

#[test]
fn sizes_pastes_and_bytes_that_are_no_text() {
    let person = Person::settled();
    let mut screen = Screen::open(&person);
    // A storm of sizes, the smallest among them.
    for i in 0..120u16 {
        screen.resize(1 + i * 37 % 210, 1 + i * 13 % 70);
    }
    screen.resize(20, 5);
    screen.wait_for("icore needs");
    screen.press("typed blind");
    screen.resize(100, 30);
    screen.wait_for("typed blind");
    // Bytes that are no UTF-8, half a character, half a sequence, and a lone escape.
    screen.press([0xff, 0xfe, 0xc3, 0x28, 0xe4, 0xb8, 0x1b, b'[', 0x80, 0xf0, 0x9f]);
    screen.press(key::ESC);
    screen.press(" and goes on");
    screen.wait_for("goes on");
    screen.press(key::CTRL_N);
    // A megabyte, pasted: what the input holds is kept, and the rest is said to be cut.
    let megabyte = "maya \u{1b}[31m wrote this\n".repeat(50_000);
    screen.press(format!("\x1b[200~{megabyte}\x1b[201~"));
    screen.wait_for("The text was cut");
    harmless(&screen.raw());
    screen.leave();
}

#[test]
fn terminals_without_colours_or_mouse() {
    let person = Person::settled();
    let colours = ["\x1b[31", "\x1b[32", "\x1b[33", "\x1b[34", "\x1b[35", "\x1b[36", "\x1b[38;", "\x1b[48;"];
    let mut screen = Opener::of(&person).env("NO_COLOR", "1").open();
    screen.wait_for("doors open");
    screen.press(key::F5);
    screen.wait_for("[consent]");
    let raw = screen.raw();
    colours.iter().for_each(|colour| assert!(!raw.contains(colour), "{colour:?} under NO_COLOR"));
    screen.leave();

    // A terminal that cannot place text is told so in words; one that is merely old gets the plain screen.
    let mut screen = Opener::of(&person).env("TERM", "dumb").open();
    assert_eq!(screen.ended(), 1);
    let raw = screen.raw();
    assert!(raw.contains("cannot place text") && !raw.contains('\x1b'), "{raw:?}");
    let mut screen = Opener::of(&person).env("TERM", "vt220").open();
    screen.wait_for("doors open");
    screen.press("still here");
    screen.wait_for("still here");
    screen.press(key::CTRL_Q);
    assert_eq!(screen.ended(), 0);
    let raw = screen.raw();
    for modern in ["\x1b[?1049h", "\x1b[?2004h", "\x1b[?1000h", "\x1b[?1006h", "\x1b]"] {
        assert!(!raw.contains(modern), "{modern:?} on an old terminal");
    }
    assert!(raw.contains("\x1b[?25h"), "the cursor is shown again");

    // Wheel reports off: nothing of the mouse is asked for any more, and the keys go on.
    let mut screen = Screen::open(&person);
    screen.press("\x1b[20~");
    eventually("wheel reports off", || screen.raw().contains("\x1b[?1000l"));
    screen.press("no mouse");
    screen.wait_for("no mouse");
    screen.leave();
}

#[test]
fn the_terminal_is_given_back_whatever_ends_it() {
    let person = Person::settled();
    Screen::open(&person).leave();

    let mut screen = Screen::open(&person);
    screen.press(key::CTRL_C);
    screen.wait_for("Ctrl+C again quits");
    screen.press(key::CTRL_C);
    assert_eq!(screen.restored(), 0);

    for signal in [Signal::TERM, Signal::HUP] {
        let mut screen = Screen::open(&person);
        screen.signal(signal);
        assert_eq!(screen.restored(), 0, "{signal:?}");
    }

    // A fault with the screen taken: the place is said, never what was said there.
    let mut screen = Opener::of(&person).args(["__panic", "--drawn", "a secret of the owner's"]).open();
    assert_eq!(screen.restored(), 1);
    let raw = screen.raw();
    assert!(raw.contains("your memory is safe") && !raw.contains("secret"), "{raw}");
}

#[test]
fn an_idle_screen_draws_nothing() {
    let person = Person::settled();
    let screen = Screen::open(&person);
    // Whatever follows opening has come when nothing came for a while.
    let mut before = screen.bytes_after(Duration::from_millis(1500));
    for _ in 0..20 {
        let now = screen.bytes_after(Duration::from_millis(1500));
        if now == before {
            break;
        }
        before = now;
    }
    assert_eq!(screen.bytes_after(Duration::from_secs(4)), before, "nothing is drawn while nothing happens");
    screen.leave();
}
