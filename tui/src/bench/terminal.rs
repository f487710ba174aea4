//! A program in a pseudo-terminal, as a person with a keyboard sees it: keys go in, a screen of cells comes out, and
//! every byte that reached the terminal is known with the moment it came.
//!
//! This is a door of its own: it starts `icore` and nothing else. It reads no screen of anybody's but that of the
//! program it started. The measurements and the journeys of the tests look through the same eyes.

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is started, and in what terminal.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables that are set; all others are as they are here, but for `unset`.
    pub env: Vec<(String, OsString)>,
    /// Environment variables it does not see.
    pub unset: Vec<String>,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Whether every byte that came is kept, for looking at later.
    pub keeps_bytes: bool,
}

/// What has come so far.
struct Heard {
    parser: vt100::Parser,
    kept: Option<Vec<u8>>,
    bytes: u64,
    at: Instant,
    over: bool,
}

type Shared = Arc<(Mutex<Heard>, Condvar)>;

/// The running program and its screen; the program is ended with the value.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    heard: Shared,
    started: Instant,
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap_or(NonZero::<u16>::MIN)
}

fn lock(shared: &Shared) -> MutexGuard<'_, Heard> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn other(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

impl Terminal {
    /// Starts the program.
    ///
    /// # Errors
    /// Where there are no pseudo-terminals, or the program cannot be started.
    pub fn open(opening: &Opening) -> io::Result<Self> {
        let pair = native_pty_system().openpty(pty_size(opening.size)).map_err(other)?;
        let mut command = CommandBuilder::new(&opening.program);
        command.args(&opening.args);
        opening.unset.iter().for_each(|name| command.env_remove(name));
        opening.env.iter().for_each(|(name, value)| command.env(name, value));
        let (mut reader, keys) =
            (pair.master.try_clone_reader().map_err(other)?, pair.master.take_writer().map_err(other)?);
        let parser = vt100::Parser::new(cells(opening.size.1), cells(opening.size.0), 0);
        let kept = opening.keeps_bytes.then(Vec::new);
        let started = Instant::now();
        let heard: Shared =
            Arc::new((Mutex::new(Heard { parser, kept, bytes: 0, at: started, over: false }), Condvar::new()));
        let child = pair.slave.spawn_command(command).map_err(other)?;
        drop(pair.slave);
        let shared = heard.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 16 * 1024];
            // A read fails where the last holder of the other end is gone.
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                let at = Instant::now();
                let mut heard = lock(&shared);
                heard.at = at;
                heard.bytes += n as u64;
                heard.parser.process(&bytes[..n]);
                if let Some(kept) = &mut heard.kept {
                    kept.extend_from_slice(&bytes[..n]);
                }
                shared.1.notify_all();
            }
            lock(&shared).over = true;
            shared.1.notify_all();
        });
        Ok(Self { master: pair.master, child, keys, heard, started })
    }

    /// Types bytes.
    ///
    /// # Errors
    /// Where the program is gone.
    pub fn press(&mut self, keys: impl AsRef<[u8]>) -> io::Result<()> {
        self.keys.write_all(keys.as_ref())?;
        self.keys.flush()
    }

    /// Gives the terminal another size.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn resize(&self, size: (u16, u16)) -> io::Result<()> {
        lock(&self.heard).parser.screen_mut().set_size(cells(size.1), cells(size.0));
        self.master.resize(pty_size(size)).map_err(other)
    }

    /// Looks at the screen as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(lock(&self.heard).parser.screen())
    }

    /// The screen as lines of text.
    #[must_use]
    pub fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// Waits until the screen is so; gives the moment at which the bytes that made it so were read. `None` where that
    /// does not come within `patience`.
    pub fn wait_until(&self, patience: Duration, is: impl Fn(&vt100::Screen) -> bool) -> Option<Instant> {
        let until = Instant::now() + patience;
        let mut heard = lock(&self.heard);
        loop {
            if is(heard.parser.screen()) {
                return Some(heard.at);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || heard.over {
                return None;
            }
            heard = self.heard.1.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until nothing came for `pause`; gives the moment at which the last bytes were read. A frame comes in several
    /// pieces.
    pub fn settled(&self, pause: Duration) -> Instant {
        let mut heard = lock(&self.heard);
        loop {
            let quiet = heard.at.elapsed();
            if quiet >= pause || heard.over {
                return heard.at;
            }
            heard = self.heard.1.wait_timeout(heard, pause - quiet).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// When the program was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// How many bytes came.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        lock(&self.heard).bytes
    }

    /// Every byte that came, where they are kept.
    #[must_use]
    pub fn kept(&self) -> Vec<u8> {
        lock(&self.heard).kept.clone().unwrap_or_default()
    }

    /// The program's process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Waits for the program's end, and for its last bytes. `None` where it does not end within `patience`.
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                let mut heard = lock(&self.heard);
                while !heard.over && Instant::now() < until {
                    let short = Duration::from_millis(200);
                    let (next, waited) =
                        self.heard.1.wait_timeout(heard, short).unwrap_or_else(PoisonError::into_inner);
                    heard = next;
                    // A grandchild may hold the terminal open; what the program said itself has come by then.
                    if waited.timed_out() {
                        break;
                    }
                }
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of a screen, each followed by the runs of its cells that are not plain: `3-9 bold green`, columns counted from
/// 0, so that colours are part of what is reviewed.
#[must_use]
pub fn styled(screen: &vt100::Screen) -> String {
    let (rows, cols) = screen.size();
    let mut out = String::new();
    for (y, text) in (0..rows.get()).zip(screen.rows(0, cols.get())) {
        let _ = writeln!(out, "{}", text.trim_end());
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in 0..cols.get() {
            let Some(cell) = screen.cell(y, x) else { continue };
            let style = cell_style(cell);
            match runs.last_mut() {
                Some((_, end, same)) if *same == style && *end + 1 == x => *end = x,
                _ => runs.push((x, x, style)),
            }
        }
        let said: Vec<String> = runs
            .into_iter()
            .filter(|(_, _, style)| !style.is_empty())
            .map(|(start, end, style)| format!("{start}-{end} {style}"))
            .collect();
        if !said.is_empty() {
            let _ = writeln!(out, "    {{{}}}", said.join("; "));
        }
    }
    out
}

fn cell_style(cell: &vt100::Cell) -> String {
    let colour = |name: &str, colour: vt100::Color| match colour {
        vt100::Color::Default => None,
        vt100::Color::Idx(n) => Some(format!("{name}{n}")),
        vt100::Color::Rgb(r, g, b) => Some(format!("{name}#{r:02x}{g:02x}{b:02x}")),
    };
    let flags = [
        (cell.bold(), "bold"),
        (cell.dim(), "dim"),
        (cell.italic(), "italic"),
        (cell.underline(), "underline"),
        (cell.inverse(), "inverse"),
    ];
    let mut words: Vec<String> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()).collect();
    words.extend(colour("fg", cell.fgcolor()));
    words.extend(colour("bg", cell.bgcolor()));
    words.join(" ")
}
