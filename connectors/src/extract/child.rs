//! The child's side: limits first, then the document, page by page, so that one bad page costs one page.

use super::{Failure, Line, MARK, Order, lines::Lines, repair::repaired};
use pdf_extract::{
    Dictionary, Document, Error, Object, decode_text_string, encryption::DecryptionError, output_doc_page,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    io::{self, BufRead, Read, Write},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    thread,
};

/// Parsers recurse as deep as the document says; this much stack takes honest documents far, and what overflows it
/// ends this process only.
const STACK: usize = 64 << 20;

/// The body of the extracting child (`icore __extract`): takes its limits, reads a PDF from standard input and prints
/// its text. It says why it could not in what it prints; the exit code only tells that it got that far.
pub fn extract_child() -> ExitCode {
    panic::set_hook(Box::new(|_| {}));
    if confine().is_err() {
        return say(&Line::Failed { why: Failure::Limits });
    }
    let worker = thread::Builder::new().stack_size(STACK).spawn(|| {
        let said = panic::catch_unwind(work).unwrap_or(Err(Failure::Damaged));
        match said {
            Ok(()) => say(&Line::Done),
            Err(why) => say(&Line::Failed { why }),
        }
    });
    match worker {
        Ok(worker) => worker.join().unwrap_or(ExitCode::FAILURE),
        Err(_) => say(&Line::Failed { why: Failure::Limits }),
    }
}

/// What can be forbidden before the order is known: core dumps (they would hold the document), files of any size, and
/// opening anything at all beyond the three pipes.
fn confine() -> io::Result<()> {
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Nofile, 3, 3)
}

fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?)
}

fn work() -> Result<(), Failure> {
    let mut stdin = io::stdin().lock();
    let mut header = Vec::new();
    stdin.by_ref().take(4096).read_until(b'\n', &mut header).map_err(|_| Failure::Order)?;
    let order: Order = serde_json::from_slice(&header).map_err(|_| Failure::Order)?;
    if order.v != 1 || order.kind != "pdf" {
        return Err(Failure::Order);
    }
    // The first limit ends the process with a signal that tells why, the second with one that cannot be caught.
    let seconds = order.seconds.max(1);
    limit(Resource::Cpu, seconds, seconds.saturating_add(1)).map_err(|_| Failure::Limits)?;
    // macOS does not keep this limit and may refuse to set it; the wall clock and the processor limit hold there.
    if limit(Resource::As, order.memory, order.memory).is_err() && cfg!(target_os = "linux") {
        return Err(Failure::Limits);
    }
    let mut bytes = Vec::new();
    stdin.take(order.input).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::OutOfMemory => Failure::Memory,
        _ => Failure::Order,
    })?;
    let document = open(&bytes)?;
    drop(bytes);
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    say(&Line::Open { title: title(&document), pages: u32::try_from(pages.len()).unwrap_or(u32::MAX) });
    let mut total = 0u64;
    for number in pages {
        let text = page(&document, number);
        total += text.as_ref().map_or(0, |text| text.len() as u64);
        if total > order.text {
            say(&Line::Full);
            break;
        }
        say(&Line::Page { text });
    }
    Ok(())
}

/// Opens a document; one that is encrypted with an empty password opens as it does in every reader.
fn open(bytes: &[u8]) -> Result<Document, Failure> {
    // What precedes the header (mail headers, a stray newline) would shift every offset in the file.
    let start = bytes.windows(5).take(1024).position(|window| window == b"%PDF-").unwrap_or(0);
    let bytes = &bytes[start..];
    let loaded = panic::catch_unwind(|| Document::load_mem(bytes));
    let mut document = match loaded {
        Ok(Ok(document)) if !document.get_pages().is_empty() => document,
        Ok(Err(error)) if !matches!(failure(&error), Failure::Damaged) => return Err(failure(&error)),
        // The table of contents of the file is broken more often than the file.
        _ => {
            let bytes = repaired(bytes).ok_or(Failure::Damaged)?;
            Document::load_mem(&bytes).map_err(|error| failure(&error))?
        }
    };
    if document.is_encrypted() {
        document.decrypt("").map_err(|error| failure(&error))?;
    }
    Ok(document)
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::InvalidPassword | Error::Decryption(DecryptionError::IncorrectPassword) => Failure::Encrypted,
        Error::Decryption(_) | Error::UnsupportedSecurityHandler(_) => Failure::Cipher,
        _ => Failure::Damaged,
    }
}

/// A page's text; `None` where the parser gave up on it.
fn page(document: &Document, number: u32) -> Option<String> {
    let mut lines = Lines::default();
    let read = panic::catch_unwind(AssertUnwindSafe(|| output_doc_page(document, &mut lines, number).is_ok()));
    let text = lines.text;
    // Half a page is better than none.
    (matches!(read, Ok(true)) || !text.trim().is_empty()).then_some(text)
}

/// The title in the document's information dictionary, unless it is the file name of whatever made the PDF.
fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let info: &Dictionary = match info {
        Object::Reference(id) => document.get_dictionary(*id).ok()?,
        other => other.as_dict().ok()?,
    };
    let title = match info.get(b"Title").ok()? {
        Object::Reference(id) => document.get_object(*id).ok()?,
        other => other,
    };
    let title = decode_text_string(title).ok()?;
    let title = title.trim().trim_matches('\0');
    let lower = title.to_lowercase();
    let made_up = title.chars().count() < 3
        || lower.starts_with("untitled")
        || lower.starts_with("microsoft word -")
        || [".doc", ".docx", ".dvi", ".tex", ".indd", ".ps", ".pdf", ".qxd", ".pptx", ".xlsx"]
            .iter()
            .any(|end| lower.ends_with(end))
        || !title.chars().any(char::is_alphabetic);
    (!made_up).then(|| title.to_owned())
}

fn say(line: &Line) -> ExitCode {
    let mut out = io::stdout().lock();
    // A parent that has gone away needs no answer, and this process ends soon after.
    match serde_json::to_string(line) {
        Ok(json) if writeln!(out, "\n{MARK}{json}").and_then(|()| out.flush()).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
