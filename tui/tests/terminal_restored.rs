//! The built `icore` in a pseudo-terminal on a machine without a home: the first frame, a storm of sizes, a large paste,
//! and the terminal given back when it is left, asked to end, or its keys are hung up on.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

struct Face {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    said: Arc<Mutex<Vec<u8>>>,
    _home: tempfile::TempDir,
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Face {
    fn open() -> Self {
        Self::open_as("xterm-256color", "C.UTF-8")
    }

    fn open_as(term: &str, locale: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pair = native_pty_system().openpty(size(80, 24)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_icore"));
        command.env("HOME", home.path());
        command.env("ICORE_HOME", home.path().join("icore"));
        command.env("ICORE_MODELS", home.path().join("models"));
        command.env("TERM", term);
        command.env("LC_ALL", locale);
        for unset in [
            "ICORE_PASSPHRASE_FILE",
            "DBUS_SESSION_BUS_ADDRESS",
            "NO_COLOR",
            "ICORE_LOG",
            "ICORE_THEME",
            "ICORE_CONFIG",
            "COLORTERM",
        ] {
            command.env_remove(unset);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let said = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, heard) = (pair.master.try_clone_reader().unwrap(), said.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                heard.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, child, keys, said, _home: home }
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    fn screen(&self) -> String {
        let (cols, rows) = self.master.get_size().map_or((80, 24), |s| (s.cols, s.rows));
        let cells = |n| NonZero::new(n).unwrap();
        let mut parser = vt100::Parser::new(cells(rows), cells(cols), 0);
        parser.process(&self.said.lock().unwrap());
        parser.screen().contents()
    }

    fn wait(&self, what: &str) {
        let begun = Instant::now();
        while !self.screen().contains(what) {
            assert!(begun.elapsed() < PATIENCE, "waited for {what:?}; the screen is\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; the terminal must be as before.
    fn ended(mut self) -> u32 {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        // What it said last may still be on its way through the pseudo-terminal.
        while !self.raw().contains("\x1b[?1049l") && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let raw = self.raw();
        for off in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[?1000l", "\x1b[?1006l"] {
            assert!(raw.contains(off), "{off:?} was not sent");
        }
        status.exit_code()
    }
}

#[test]
fn leaving_gives_the_terminal_back() {
    let mut face = Face::open();
    face.wait("make a new iCore");
    face.press("\x11");
    assert_eq!(face.ended(), 0);
}

/// What a terminal of its kind does not know and must not be sent.
fn left_out(face: &Face, codes: &[&str]) {
    let raw = face.raw();
    for code in codes {
        assert!(!raw.contains(code), "{code:?} was sent");
    }
}

fn leaves(mut face: Face) -> Face {
    face.press("\x11");
    let begun = Instant::now();
    while face.child.try_wait().unwrap().is_none() || !face.raw().contains("\x1b[?25h") {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    face
}

const MODERN: [&str; 4] = ["\x1b[?1049", "\x1b[?2004", "\x1b[?1000", "\x1b[?1006"];

#[test]
fn an_old_terminal_gets_what_it_knows() {
    let face = Face::open_as("vt100", "C");
    face.wait("make a new iCore");
    let face = leaves(face);
    left_out(&face, &MODERN);
    left_out(&face, &["\x1b[38;5", "\x1b[48;5"]);
    let raw = face.raw();
    assert!(raw.is_ascii(), "letters beyond ASCII: {raw:?}");
    // There is no second screen, so the only one is left empty.
    assert_eq!(face.screen().trim(), "");
}

#[test]
fn the_linux_console_gets_what_it_knows() {
    let face = Face::open_as("linux", "C.UTF-8");
    face.wait("make a new iCore");
    assert!(face.screen().contains('─'));
    let face = leaves(face);
    left_out(&face, &MODERN);
    left_out(&face, &["\x1b]"]);
    // It knows this form for its own sixteen.
    let raw = face.raw();
    let colours = raw.split("\x1b[38;5;").skip(1).map(|rest| rest.split(['m', ';']).next().unwrap().parse().unwrap());
    assert!(colours.into_iter().all(|n: u8| n < 16));
}

#[test]
fn a_terminal_without_a_screen_is_told_so() {
    let mut face = Face::open_as("dumb", "C");
    face.wait("cannot place text");
    let status = face.child.wait().unwrap();
    assert_eq!(status.exit_code(), 1);
    assert!(!face.raw().contains('\x1b'), "{:?}", face.raw());
}

#[test]
fn drawing_anew_asks_the_terminal_nothing() {
    let mut face = Face::open();
    face.wait("make a new iCore");
    let before = face.raw().len();
    face.press("\x0c");
    let begun = Instant::now();
    while !face.raw()[before..].contains("make a new iCore") {
        assert!(begun.elapsed() < PATIENCE, "it is not drawn anew");
        std::thread::sleep(Duration::from_millis(20));
    }
    left_out(&face, &["\x1b[6n"]);
    face.press("\x11");
    assert_eq!(face.ended(), 0);
}

#[test]
fn ctrl_c_twice_leaves() {
    let mut face = Face::open();
    face.wait("make a new iCore");
    face.press("\x03");
    face.wait("Ctrl+C again leaves");
    face.press("\x03");
    assert_eq!(face.ended(), 0);
}

#[test]
fn storms_of_sizes_and_a_large_paste_are_survived() {
    let mut face = Face::open();
    face.wait("make a new iCore");
    for i in 0..60u16 {
        face.master.resize(size(20 + i * 3 % 140, 5 + i * 7 % 50)).unwrap();
    }
    face.master.resize(size(20, 5)).unwrap();
    face.wait("icore needs");
    face.master.resize(size(80, 24)).unwrap();
    face.wait("make a new iCore");
    face.press("\r");
    face.wait("What shall it call you");
    let megabyte = "maya \u{1b}[31m\n".repeat(100_000);
    face.press(&format!("\x1b[200~{megabyte}\x1b[201~"));
    face.wait("maya");
    face.press("\x11");
    assert_eq!(face.ended(), 0);
}

#[cfg(unix)]
#[test]
fn a_request_to_end_gives_the_terminal_back() {
    let face = Face::open();
    face.wait("make a new iCore");
    let pid = face.child.process_id().unwrap();
    let killed = ask_to_end(pid);
    assert!(killed, "the signal was sent");
    assert_eq!(face.ended(), 0);
}

/// SIGTERM through the shell's own kill: this crate has no other use for a signal call.
#[cfg(unix)]
fn ask_to_end(pid: u32) -> bool {
    let pair = native_pty_system().openpty(size(80, 24)).unwrap();
    let mut command = CommandBuilder::new("kill");
    command.args(["-TERM", &pid.to_string()]);
    pair.slave.spawn_command(command).and_then(|mut child| Ok(child.wait()?)).is_ok_and(|status| status.success())
}

/// A terminal that goes away sends a signal, as a rule; a program that does not get it must not read the end of the
/// line over and over for ever.
#[test]
fn a_cut_line_ends_it_where_no_signal_comes() {
    let home = tempfile::tempdir().unwrap();
    let pair = native_pty_system().openpty(size(80, 24)).unwrap();
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\"", env!("CARGO_BIN_EXE_icore")]);
    command.env("HOME", home.path());
    command.env("ICORE_HOME", home.path().join("icore"));
    command.env("ICORE_MODELS", home.path().join("models"));
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("make a new iCore") {
        let mut bytes = [0; 4096];
        let n = reader.read(&mut bytes).unwrap();
        said.extend_from_slice(&bytes[..n]);
    }
    drop(reader);
    drop(pair.master);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "it outlives its terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
}
