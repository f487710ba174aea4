//! The questions, asked in a real terminal: a pseudo-terminal with `icore` on its other end.

use crate::run::{ICORE, PASSPHRASE, Place};
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was ever written, so that words on another screen can be told from words left behind.
    written: Vec<u8>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    fn start(place: &Place, args: &[&str], unlocked: bool) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(ICORE);
        command.args(args);
        command.env_clear();
        for (name, value) in [("HOME", "user"), ("ICORE_HOME", "home"), ("ICORE_MODELS", "models")] {
            command.env(name, place.path(value));
        }
        command.env("TERM", "xterm-256color");
        if unlocked {
            command.env("ICORE_PASSPHRASE_FILE", place.path("pass"));
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(nonzero(30), nonzero(100), 0);
        Self { child, keys, bytes, screen, written: Vec::new(), _master: pair.master }
    }

    fn hear(&mut self, wait: Duration) -> bool {
        match self.bytes.recv_timeout(wait) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.written.extend(bytes);
                true
            }
            Err(_) => false,
        }
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the last line with anything on it is as wanted, and gives it.
    fn line_that(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let contents = self.contents();
            let last = contents.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim_end();
            if wanted(last) {
                return last.to_owned();
            }
            assert!(Instant::now() < until, "{what:?} never came:\n{contents}");
            self.hear(Duration::from_millis(200));
        }
    }

    fn expect(&mut self, question: &str) -> String {
        self.line_that(question, |line| line.ends_with(question))
    }

    fn answer(&mut self, question: &str, keys: &str) {
        self.expect(question);
        self.send(keys);
    }

    fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn end(mut self) -> (u32, String, Vec<u8>) {
        let status = self.child.wait().unwrap();
        while self.hear(Duration::from_millis(300)) {}
        (status.exit_code(), self.contents(), self.written)
    }
}

fn nonzero(n: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(n).unwrap()
}

#[test]
fn init_asks_for_what_is_missing() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, &["init", "--no-models"], false);
    terminal.answer("Your name:", "Maya\r");
    terminal.answer("[general]", "\r");
    terminal.answer("[passphrase]", "\r");
    terminal.answer("or more):", "short\r");
    terminal.answer("or more):", &format!("{PASSPHRASE}\r"));
    terminal.answer("The same again:", &format!("{PASSPHRASE}\r"));
    terminal.answer("Folder:", "/no/such/folder\r");
    terminal.answer("Folder:", "\r");
    terminal.expect("written down.");
    let words = words_on(&terminal.contents());
    assert_eq!(words.len(), 24, "{}", terminal.contents());
    terminal.answer("written down.", "\r");
    let mut asked = String::new();
    for _ in 0..3 {
        asked = terminal.line_that("a word", |line| line.starts_with("Word ") && line.ends_with(':') && line != asked);
        let n: usize = asked.trim_start_matches("Word ").trim_end_matches(':').parse().unwrap();
        terminal.send(&format!("{}\r", words[n - 1]));
    }
    let (code, screen, written) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Your iCore is at"), "{screen}");
    assert!(!String::from_utf8_lossy(&written).contains(PASSPHRASE), "a passphrase is never shown");
    assert!(!screen.contains("Write them on paper"), "the words' screen is gone");
    assert_eq!(place.run(&["memory", "stats"]).code, 0, "the passphrase opens it");
}

/// The 24 words in their order, from the three columns they are shown in.
fn words_on(screen: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for line in screen.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        if parts.len() == 6 && parts.iter().step_by(2).all(|part| part.parse::<usize>().is_ok()) {
            found.extend(parts.chunks(2).map(|pair| (pair[0].parse().unwrap(), pair[1].to_owned())));
        }
    }
    found.sort();
    found.into_iter().map(|(_, word)| word).collect()
}

#[test]
fn leaving_a_question_makes_nothing() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, &["init", "--name", "Maya", "--root", "general", "--no-models"], false);
    terminal.answer("[passphrase]", "\r");
    terminal.answer("or more):", "\x03");
    let (code, screen, _) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(!place.path("home").exists());
}

#[test]
fn the_passphrase_is_asked_for_and_a_no_forgets_nothing() {
    let place = Place::with_home();
    let mut terminal = Terminal::start(&place, &["memory", "forget", "--from", "7d"], false);
    terminal.answer("Passphrase:", &format!("{PASSPHRASE}\r"));
    terminal.answer("[y/N]", "\r");
    let (code, screen, written) = terminal.end();
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("Nothing was forgotten."), "{screen}");
    assert!(!String::from_utf8_lossy(&written).contains(PASSPHRASE));
}

#[test]
fn a_document_cannot_steer_the_terminal() {
    let place = Place::with_home();
    let note =
        place.write("notes/evil.md", "# Evil\n\nzebra \u{1b}]0;stolen title\u{7} \u{1b}[2J \u{9b}31m \u{202e}txt\n");
    let _ = place.run(&["ingest", note.to_str().unwrap()]);
    let item = place.json(&["memory", "search", "zebra"])["hits"][0]["item"].as_str().unwrap().to_owned();
    for args in [&["memory", "show", &item][..], &["memory", "search", "zebra"]] {
        let (code, screen, written) = Terminal::start(&place, args, true).end();
        assert_eq!(code, 0, "{screen}");
        let text = String::from_utf8_lossy(&written);
        for forbidden in ["\x1b]0;", "\x1b[2J", "\u{9b}", "\u{202e}", "\x07"] {
            assert!(!text.contains(forbidden), "{args:?} let {forbidden:?} through: {text:?}");
        }
    }
}
