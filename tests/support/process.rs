//! Processes from outside: whether they end, signals to them, and the terminal face in a pseudo-terminal.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use super::Person;

/// Long enough for a busy machine; reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Sends a signal.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits for the end of a process; fails the test where it does not come.
pub fn ended(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "the process does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until something is so; fails the test where it never is. Gives the time it took.
pub fn eventually(what: &str, mut is: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// `icore` without arguments in a pseudo-terminal; ended with the value.
pub struct Face {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    _master: Box<dyn MasterPty + Send>,
}

impl Face {
    /// Opens the chat on a person's home.
    pub fn open(person: &Person) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_icore"));
        command.env("ICORE_HOME", person.home());
        command.env("ICORE_PASSPHRASE_FILE", person.path("passphrase"));
        command.env("TMPDIR", Path::new(person.dir.path()));
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        // A face that nobody looks at would wait for its screen to be drawn.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(1..) = reader.read(&mut bytes) {}
        });
        let keys = pair.master.take_writer().unwrap();
        Self { child, keys, _master: pair.master }
    }

    /// Leaves it with Ctrl+Q and gives its exit code.
    pub fn leave(mut self) -> u32 {
        self.keys.write_all(b"\x11").unwrap();
        self.keys.flush().unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(begun.elapsed() < PATIENCE, "the terminal does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Face {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
