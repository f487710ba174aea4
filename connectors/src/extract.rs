//! PDF text through a child process.
//!
//! PDF parsers panic, recurse and allocate as a file tells them to, so they run in a process of their own: no
//! environment, no files, capped memory, processor time, output and wall clock. The document goes in through a pipe and
//! the text comes out through a pipe; there are no temporary files and nothing is logged. Whatever happens to the child
//! becomes a sentence.
//!
//! On the pipe in: one JSON line ([`Order`]), then the file's bytes. On the pipe out: lines that begin with
//! [`MARK`] and hold one JSON [`Line`] each; everything else is the parser talking to itself and is dropped.

mod child;
mod lines;
mod repair;

pub use child::extract_child;

use crate::{ReadLimits, Unreadable, read::Parsed};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// The program that parses PDFs: one that calls [`extract_child`] when it is started with `args`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extractor {
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments, such as `__extract`.
    pub args: Vec<String>,
}

/// What a line that is ours begins with (ASCII "record separator"); no parser's chatter does.
const MARK: char = '\u{1e}';

/// The first line that the child reads.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    v: u32,
    kind: String,
    memory: u64,
    seconds: u64,
    /// Most bytes of input.
    input: u64,
    /// Most bytes of text.
    text: u64,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    /// The document could be opened.
    Open { title: Option<String>, pages: u32 },
    /// One page; `None` where it could not be read.
    Page { text: Option<String> },
    /// The document could not be opened.
    Failed { why: Failure },
    /// The text reached its cap.
    Full,
    /// There is no more.
    Done,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Failure {
    Encrypted,
    Cipher,
    Damaged,
    Memory,
    Limits,
    Order,
}

/// How the child ended and what it had said by then.
struct Told {
    output: Vec<u8>,
    end: End,
}

enum End {
    Exited,
    TimedOut,
    Crashed,
}

/// The text of a PDF, pages separated by a blank line.
pub(crate) fn pdf(bytes: &[u8], limits: &ReadLimits, extractor: &Extractor) -> Result<Parsed, Unreadable> {
    let told = run(bytes, limits, extractor)?;
    let mut opened = None;
    let mut pages: Vec<Option<String>> = Vec::new();
    let mut complete = false;
    let mut full = false;
    for line in told.output.split(|b| *b == b'\n') {
        let Some(line) = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(MARK)) else { continue };
        match serde_json::from_str(line) {
            Ok(Line::Open { title, pages }) => opened = Some((title, pages)),
            Ok(Line::Page { text }) => pages.push(text),
            Ok(Line::Failed { why }) => return Err(refused(why)),
            Ok(Line::Full) => full = true,
            Ok(Line::Done) => complete = true,
            Err(_) => {}
        }
    }
    if full {
        return Err(Unreadable::TooMuchText { limit: limits.max_text_bytes });
    }
    let failure = match told.end {
        End::TimedOut => Some(Unreadable::PdfTimeout { seconds: limits.child_seconds }),
        End::Crashed => Some(Unreadable::PdfCrash),
        End::Exited if complete => None,
        End::Exited if opened.is_some() => Some(Unreadable::PdfCrash),
        End::Exited => Some(Unreadable::Extractor { source: None }),
    };
    let texts = pages.iter().flatten().filter(|text| !text.trim().is_empty()).count();
    if texts == 0 {
        let unread = pages.iter().any(Option::is_none);
        return Err(failure.unwrap_or(if unread { Unreadable::PdfDamaged } else { Unreadable::PdfNoText }));
    }
    let (title, count) = opened.unwrap_or((None, 0));
    let read = pages.iter().flatten().count();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let notes = (read < count).then(|| format!("{} of its {count} pages could not be read.", count - read));
    let text = pages.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    Ok(Parsed { text, title, notes: notes.into_iter().collect() })
}

fn refused(why: Failure) -> Unreadable {
    match why {
        Failure::Encrypted => Unreadable::PdfEncrypted,
        Failure::Cipher => Unreadable::PdfCipher,
        Failure::Damaged => Unreadable::PdfDamaged,
        Failure::Memory => Unreadable::PdfCrash,
        Failure::Limits | Failure::Order => Unreadable::Extractor { source: None },
    }
}

/// Starts the child, feeds it, collects what it says, and makes sure that it is gone before returning.
fn run(bytes: &[u8], limits: &ReadLimits, extractor: &Extractor) -> Result<Told, Unreadable> {
    let order = Order {
        v: 1,
        kind: "pdf".to_owned(),
        memory: limits.child_memory_bytes,
        seconds: limits.child_seconds,
        input: limits.max_pdf_bytes,
        text: limits.max_text_bytes,
    };
    let mut header = serde_json::to_vec(&order).map_err(|error| Unreadable::Io { source: error.into() })?;
    header.push(b'\n');
    let mut child = Reaped(spawn(extractor).map_err(|source| Unreadable::Extractor { source: Some(source) })?, false);
    let (Some(mut stdin), Some(stdout)) = (child.0.stdin.take(), child.0.stdout.take()) else {
        return Err(Unreadable::Extractor { source: None });
    };
    // JSON may double the text with escapes; beyond that the child is babbling.
    let cap = limits.max_text_bytes.saturating_mul(2).saturating_add(1 << 20);
    let deadline = Instant::now() + Duration::from_secs(limits.child_seconds);
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that gives up early closes its end; what it says counts, not that the pipe broke.
            let _ = stdin.write_all(&header).and_then(|()| stdin.write_all(bytes));
        });
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            let mut output = Vec::new();
            let result = stdout.take(cap).read_to_end(&mut output).map(|_| output);
            // The receiver is gone only after the child was killed, when nobody asks any more.
            let _ = sender.send(result);
        });
        let heard = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let in_time = heard.is_ok() && child.wait_until(deadline);
        // Closes the pipes, which ends both threads.
        let status = child.kill();
        let output = match heard {
            Ok(output) => output,
            Err(_) => receiver.recv().unwrap_or(Ok(Vec::new())),
        };
        let end = match status {
            _ if !in_time => End::TimedOut,
            // The processor limit. (A SIGKILL that is not ours is the system, short of memory.)
            Some(status) if status.signal() == Some(Signal::XCPU.as_raw()) => End::TimedOut,
            Some(status) if status.code().is_some() => End::Exited,
            _ => End::Crashed,
        };
        let output = output?;
        if output.len() as u64 == cap {
            return Err(Unreadable::TooMuchText { limit: limits.max_text_bytes });
        }
        Ok(Told { output, end })
    })
}

#[allow(clippy::disallowed_types, reason = "this is the door through which the PDF reader is started")]
fn spawn(extractor: &Extractor) -> io::Result<Child> {
    std::process::Command::new(&extractor.program)
        .args(&extractor.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A group of its own, so that whatever it starts can be ended with it.
        .process_group(0)
        .spawn()
}

/// A child that does not outlive its handle, and whether it was ended and reaped already.
struct Reaped(Child, bool);

impl Reaped {
    /// Whether the child ended by itself before `deadline`. It is left to be reaped, so that its id stays its own.
    fn wait_until(&self, deadline: Instant) -> bool {
        let Some(id) = self.id() else { return false };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let mut pause = Duration::from_micros(200);
        loop {
            match rustix::process::waitid(WaitId::Pid(id), look) {
                Ok(Some(_)) => return true,
                Ok(None) if Instant::now() < deadline => thread::sleep(pause),
                Ok(None) | Err(_) => return false,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Ends the child and all that it started, and takes its status.
    fn kill(&mut self) -> Option<ExitStatus> {
        if !self.1 {
            self.1 = true;
            // Fails only where there is nothing left to end.
            let _ = self.id().map(|group| kill_process_group(group, Signal::KILL));
        }
        self.0.wait().ok()
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        self.kill();
    }
}
