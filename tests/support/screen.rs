//! The face as a person sees and drives it: the built `icore` in a pseudo-terminal, waited for by what is on the screen and
//! never by the clock.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hinet_tui::bench::terminal::{Opening, Terminal, styled};
use rustix::process::{Pid, Signal, kill_process};

use super::process::PATIENCE;
use super::{PASSPHRASE, Person, text};

/// Keys as a terminal sends them.
pub mod key {
    pub const ENTER: &str = "\r";
    pub const ESC: &str = "\x1b";
    pub const TAB: &str = "\t";
    pub const UP: &str = "\x1b[A";
    pub const DOWN: &str = "\x1b[B";
    pub const PAGE_UP: &str = "\x1b[5~";
    pub const PAGE_DOWN: &str = "\x1b[6~";
    pub const CTRL_C: &str = "\x03";
    pub const CTRL_K: &str = "\x0b";
    pub const CTRL_N: &str = "\x0e";
    pub const CTRL_O: &str = "\x0f";
    pub const CTRL_Q: &str = "\x11";
    pub const ALT_1: &str = "\x1b1";
    pub const F1: &str = "\x1bOP";
    pub const F2: &str = "\x1bOQ";
    pub const F3: &str = "\x1bOR";
    pub const F4: &str = "\x1bOS";
    pub const F5: &str = "\x1b[15~";
    pub const F7: &str = "\x1b[18~";
    pub const F8: &str = "\x1b[19~";
}

/// What switches the terminal's modes off; each must have been sent by whatever ends the face.
const RESTORED: [&str; 5] = ["\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[?1000l", "\x1b[?1006l"];

/// Longer than a busy machine takes to read one key.
const ESC_PAUSE: Duration = Duration::from_millis(400);

/// What an empty input shows.
pub const EMPTY: &str = "▏  ask, ";

/// The screen, and the keyboard before it.
pub struct Screen {
    terminal: Terminal,
}

/// How a screen is opened.
pub struct Opener {
    opening: Opening,
}

impl Opener {
    /// A person's chat at 100x30; the passphrase is typed by nobody: a file holds it.
    pub fn of(person: &Person) -> Self {
        let program = std::env::var_os("ICORE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_icore").into());
        let opening = Opening {
            program: PathBuf::from(program),
            args: Vec::new(),
            env: vec![
                ("ICORE_HOME".into(), person.home().into_os_string()),
                ("ICORE_PASSPHRASE_FILE".into(), person.path("passphrase").into_os_string()),
                ("TMPDIR".into(), person.dir.path().as_os_str().to_owned()),
                ("TERM".into(), "xterm-256color".into()),
                ("LANG".into(), "C.UTF-8".into()),
            ],
            unset: [
                "LC_ALL",
                "LC_CTYPE",
                "NO_COLOR",
                "COLORTERM",
                "COLORFGBG",
                "ICORE_THEME",
                "ICORE_LOG",
                "DBUS_SESSION_BUS_ADDRESS",
            ]
            .map(str::to_owned)
            .to_vec(),
            size: (100, 30),
            keeps_bytes: true,
        };
        Self { opening }
    }

    /// With arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.opening.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.opening.unset.retain(|unset| unset != name);
        self.opening.env.push((name.to_owned(), value.into()));
        self
    }

    /// Without one.
    pub fn without(mut self, name: &str) -> Self {
        self.opening.env.retain(|(set, _)| set != name);
        self.opening.unset.push(name.to_owned());
        self
    }

    /// In a terminal of this size.
    pub fn size(mut self, cols: u16, rows: u16) -> Self {
        self.opening.size = (cols, rows);
        self
    }

    /// Opens it.
    pub fn open(self) -> Screen {
        Screen { terminal: Terminal::open(&self.opening).unwrap() }
    }
}

impl Screen {
    /// A person's chat, waited for until its panes are there.
    pub fn open(person: &Person) -> Self {
        let screen = Opener::of(person).open();
        screen.wait_for("doors open");
        screen
    }

    /// Presses keys, or types text.
    pub fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.terminal.press(keys.as_ref()).unwrap();
        if keys.as_ref() == key::ESC.as_bytes() {
            // No terminal tells Esc and then a key from Alt with that key, where both come at once.
            std::thread::sleep(ESC_PAUSE);
        }
    }

    /// Types a line into the input, waits until it is there, and sends it.
    pub fn say(&mut self, line: &str) {
        self.press(line);
        let end: String = line.chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect();
        self.wait_for(end.trim());
        self.press(key::ENTER);
    }

    /// Asks, and waits for the end of the answer.
    pub fn ask(&mut self, question: &str) {
        self.say(question);
        // The input is empty in the very frame in which the answer begins to be made.
        self.wait_until("the end of the answer", |screen| {
            screen.contains(EMPTY) && !screen.contains("(Esc stops)") && !screen.contains("next: ")
        });
    }

    /// Waits until the screen shows this.
    pub fn wait_for(&self, what: &str) {
        self.wait_until(&format!("{what:?}"), |screen| screen.contains(what));
    }

    /// Waits until the screen no longer shows this.
    pub fn wait_gone(&self, what: &str) {
        self.wait_until(&format!("the end of {what:?}"), |screen| !screen.contains(what));
    }

    /// Waits until the screen's text is so.
    pub fn wait_until(&self, what: &str, is: impl Fn(&str) -> bool) {
        let seen = self.terminal.wait_until(PATIENCE, |screen| is(&screen.contents()));
        assert!(seen.is_some(), "waited in vain for {what}; the screen is\n{}", self.shown());
    }

    /// Whether the screen shows this now.
    pub fn shows(&self, what: &str) -> bool {
        self.shown().contains(what)
    }

    /// The screen as text.
    pub fn shown(&self) -> String {
        self.terminal.text()
    }

    /// The screen with its styles.
    pub fn styled(&self) -> String {
        self.terminal.look(styled)
    }

    /// Every byte that reached the terminal.
    pub fn raw(&self) -> String {
        text(&self.terminal.kept())
    }

    /// Gives the terminal another size.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.terminal.resize((cols, rows)).unwrap();
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.terminal.pid().unwrap()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Unlocks by typing the passphrase.
    pub fn unlock(&mut self) {
        self.wait_for("Enter unlock");
        self.press(PASSPHRASE);
        self.wait_for("•••");
        self.press(key::ENTER);
    }

    /// Leaves it with Ctrl+Q; it must end well, and the terminal must be as before.
    pub fn leave(mut self) {
        self.press(key::CTRL_Q);
        assert_eq!(self.restored(), 0, "the screen was\n{}", self.shown());
    }

    /// Waits for the end and gives the exit code.
    pub fn ended(&mut self) -> u32 {
        let status = self.terminal.ended(PATIENCE);
        status.unwrap_or_else(|| panic!("icore does not end; the screen is\n{}", self.shown())).exit_code()
    }

    /// Waits for the end, whatever brought it; the terminal must be as before. Gives the exit code.
    pub fn restored(&mut self) -> u32 {
        let code = self.ended();
        let raw = self.raw();
        for off in RESTORED {
            assert!(raw.contains(off), "{off:?} was not sent");
        }
        let (on, off) = (raw.rfind("\x1b[?1049h"), raw.rfind("\x1b[?1049l"));
        assert!(on < off, "the alternate screen was left last");
        code
    }

    /// The terminal's waiting time, for tests that must be sure that nothing more comes.
    pub fn bytes_after(&self, pause: Duration) -> u64 {
        std::thread::sleep(pause);
        self.terminal.bytes()
    }
}
