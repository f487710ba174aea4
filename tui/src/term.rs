//! The terminal, taken and given back.
//!
//! Invariant: whatever ends the program (quit, error, signal, panic), raw mode, the alternate screen, mouse reports
//! and bracketed paste are switched off again. A panic's own message may quote a document, so it is never printed:
//! only the place in the source is.

use crate::abilities::Abilities;
use crossterm::{
    Command, cursor,
    event::{DisableBracketedPaste, EnableBracketedPaste},
    execute, queue,
    style::{Attribute, SetAttribute},
    terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{
    Frame, Terminal,
    backend::{Backend, CrosstermBackend},
};
use rustix::event::{PollFd, PollFlags, poll};
use std::{
    fmt,
    io::{self, BufWriter, Stdout, Write, stdout},
    panic::{self, PanicHookInfo},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};
use tokio::sync::mpsc::UnboundedSender;

/// A frame is gathered before it is written: standard output alone would pass it on in pieces of a kilobyte.
const FRAME_BYTES: usize = 64 * 1024;

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The thread that draws; a panic elsewhere must not pull the screen from under it.
static DRAWS: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What the terminal knows, for the hook that gives it back too.
static ABILITIES: OnceLock<Abilities> = OnceLock::new();
/// Where faults of other threads are told, as `FILE:LINE`.
static FAULTS: OnceLock<UnboundedSender<String>> = OnceLock::new();

/// Button and wheel reports, without the motion reports that crossterm's own command also asks for.
struct Mouse(bool);

impl Command for Mouse {
    fn write_ansi(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(if self.0 { "\x1b[?1000h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1000l" })
    }
}

/// The taken terminal; dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

/// What the terminal knows; nothing else is ever sent to it. Modern until it is taken.
fn abilities() -> Abilities {
    ABILITIES.get().copied().unwrap_or_default()
}

fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    say_taken(mouse).inspect_err(|_| restore())
}

fn say_taken(mouse: bool) -> io::Result<()> {
    let (able, mut out) = (abilities(), stdout());
    if able.alternate {
        queue!(out, EnterAlternateScreen)?;
    } else {
        queue!(out, Clear(ClearType::All))?;
    }
    if able.paste {
        queue!(out, EnableBracketedPaste)?;
    }
    if able.mouse {
        queue!(out, Mouse(mouse))?;
    }
    execute!(out, cursor::Hide)
}

fn say_given() -> io::Result<()> {
    let (able, mut out) = (abilities(), stdout());
    if able.mouse {
        queue!(out, Mouse(false))?;
    }
    if able.paste {
        queue!(out, DisableBracketedPaste)?;
    }
    if able.alternate {
        queue!(out, LeaveAlternateScreen)?;
    } else {
        // Without a second screen nothing of the conversation may stay on the only one.
        queue!(out, SetAttribute(Attribute::Reset), Clear(ClearType::All), cursor::MoveTo(0, 0))?;
    }
    execute!(out, cursor::Show)
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, wheel.
    ///
    /// # Errors
    /// When standard output is no terminal, or it refuses.
    pub fn enter(abilities: Abilities) -> io::Result<Self> {
        let _ = ABILITIES.set(abilities);
        *DRAWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(thread::current().id());
        take(abilities.mouse)?;
        match Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, stdout()))) {
            Ok(terminal) => Ok(Self { terminal, mouse: abilities.mouse }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one frame.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(draw).map(|_| ())
    }

    /// Forgets what is on the screen, so that the next frame is drawn whole.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        // The library's own way first asks the terminal where the cursor is, waits for a word that may never come, and
        // fails without it.
        self.terminal.backend_mut().clear_region(ratatui::backend::ClearType::All)?;
        self.terminal.swap_buffers();
        Ok(())
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// When the terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Hands a text to the clipboard by OSC 52. A terminal that does not know it, or does not allow it, ignores it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        use base64::Engine;
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let mut out = stdout();
        write!(out, "\x1b]52;c;{encoded}\x07")?;
        out.flush()
    }

    /// Lends the terminal to another program while `work` runs, and takes it back.
    ///
    /// # Errors
    /// When the terminal cannot be given or taken back.
    pub fn lend<T>(&mut self, work: impl FnOnce() -> T) -> io::Result<T> {
        restore();
        let out = work();
        take(self.mouse)?;
        self.clear()?;
        Ok(out)
    }

    /// Wheel reports on or off; off leaves the mouse wholly to the terminal's own selection.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on && abilities().mouse;
        if abilities().mouse { execute!(stdout(), Mouse(on)) } else { Ok(()) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// How long the loop has to leave by itself once the terminal is gone.
const LEAVE: Duration = Duration::from_secs(3);

/// Tells when the terminal is gone: its window closed, its line cut. The reader of keys does not notice that, it reads
/// the end of the line over and over, so this looks at the line itself, and ends the program where the loop, kept busy
/// by that reader, cannot.
pub fn watch_line(gone: impl FnOnce() + Send + 'static) {
    let watch = move || {
        let line = io::stdin();
        let mut look = [PollFd::new(&line, PollFlags::empty())];
        loop {
            match poll(&mut look, None) {
                // Nothing but a cut line wakes this.
                Ok(_) if look[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) => break,
                Ok(_) => thread::sleep(LEAVE),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        gone();
        thread::sleep(LEAVE);
        restore();
        std::process::exit(1);
    };
    // Without the thread the program is as it would be without the watch.
    let _ = thread::Builder::new().name("line".into()).spawn(watch);
}

/// Gives the terminal back, once; does nothing when it is not taken.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = say_given();
        let _ = disable_raw_mode();
        let _ = stdout().flush();
    }
}

/// What is said about a panic: where, and never what.
#[must_use]
pub fn fault_message(place: &str) -> String {
    format!("icore stopped because of a fault in {place}; your memory is safe")
}

/// Replaces the panic hook: the terminal is given back and [`fault_message`] printed. A panic of another thread while
/// the terminal is taken is passed to `faults` instead, because the screen still stands.
pub fn install_panic_hook(faults: Option<UnboundedSender<String>>) {
    if let Some(faults) = faults {
        let _ = FAULTS.set(faults);
    }
    panic::set_hook(Box::new(on_panic));
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), |l| format!("{}:{}", l.file(), l.line()));
    let draws = DRAWS.try_lock().ok().and_then(|id| *id);
    let elsewhere = TAKEN.load(Ordering::SeqCst) && draws.is_some_and(|id| id != thread::current().id());
    if elsewhere && FAULTS.get().is_some_and(|faults| faults.send(place.clone()).is_ok()) {
        return;
    }
    restore();
    let _ = writeln!(io::stderr(), "{}", fault_message(&place));
}
