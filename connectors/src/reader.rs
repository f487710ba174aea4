//! One file to its items: recognised by its name and its beginning, read in place as a stream.

use crate::{
    Extractor, FileRef, ReadLimits, Reading, Taker, Unreadable, archive, calendar, chat, contacts, decode, git,
    kinds::{self, Class, Export, Kind},
    mail,
    parts::Parts,
    read::{open, read},
    walk::modified,
};
use std::{
    fs::File,
    io::{Read, Seek},
    panic,
    path::Path,
};

/// How much of a file tells what it is.
const HEAD: u64 = 64 * 1024;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It was one item.
    One,
    /// It held items, or was one that somebody else wrote, and was read to its end.
    All,
    /// It was not read, or not to its end; nothing is known about what is no longer in it.
    Part,
}

/// Reads files, each to its items.
pub struct Reader<'a> {
    reading: &'a Reading,
    limits: &'a ReadLimits,
    extractor: &'a Extractor,
    names: chat::Names,
}

impl<'a> Reader<'a> {
    /// A reader under this leave.
    #[must_use]
    pub fn new(reading: &'a Reading, limits: &'a ReadLimits, extractor: &'a Extractor) -> Self {
        Self { reading, limits, extractor, names: chat::Names::default() }
    }

    /// Hands everything that `file` holds to `taker`: one document, or the items of a mailbox, a calendar, an address
    /// book, a chat export, an archive of them. Consent is checked as [`read`] checks it.
    pub fn read(&mut self, file: &FileRef, taker: &mut dyn Taker) -> Whole {
        let kind = match self.recognise(&file.path) {
            Ok(Some(kind)) => kind,
            Ok(None) => return self.document(file, taker),
            Err(why) => {
                let _ = taker.take(Err(why.skip(&file.path)));
                return Whole::Part;
            }
        };
        let base = mail::maildir::key_of(&file.path);
        let mut parts = Parts::new(base, file.modified, self.limits, self.extractor, taker);
        let names = &mut self.names;
        let reading = self.reading;
        let done = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            let (input, before) = open(reading, &file.path)?;
            export(kind, &file.path, input, reading, names, &mut parts)?;
            // A mailbox that was being written says nothing about what is no longer in it.
            let (_, after) = open(reading, &file.path)?;
            let still = (before.len(), modified(&before)) == (after.len(), modified(&after));
            if still { Ok(()) } else { Err(Unreadable::Changed) }
        }));
        let done = done.unwrap_or(Err(Unreadable::Parser));
        let (given, stopped) = (parts.given(), parts.stopped());
        match done {
            // What only looked like an export is the text it is.
            Err(Unreadable::NoExport)
                if given == 0 && matches!(kind, Kind::Chat(_) | Kind::Calendar | Kind::Contacts) =>
            {
                self.document(file, taker)
            }
            Err(why) => {
                let _ = taker.take(Err(why.skip(&file.path)));
                Whole::Part
            }
            Ok(()) if stopped => Whole::Part,
            Ok(()) => Whole::All,
        }
    }

    fn document(&self, file: &FileRef, taker: &mut dyn Taker) -> Whole {
        let found = read(self.reading, file, self.limits, self.extractor);
        let whole = if found.is_ok() { Whole::One } else { Whole::Part };
        let _ = taker.take(found);
        whole
    }

    /// Whether a file is more than a document. Names decide where they say all; a text, a table or a file without a
    /// telling name is looked into.
    fn recognise(&self, path: &Path) -> Result<Option<Kind>, Unreadable> {
        let class = kinds::classify(path);
        match class {
            Class::Read(kind) if kind.is_export() => return Ok(Some(kind)),
            Class::Read(Kind::Text | Kind::Data) | Class::Unknown => {}
            Class::Read(Kind::Html) if chat::repeats_an_export(path) => return Err(Unreadable::Repeats),
            _ => return Ok(None),
        }
        let (file, _) = open(self.reading, path)?;
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head)?;
        let kind = by_content(path, class, &head);
        match kind {
            Some(Kind::Chat(Export::Slack)) if chat::describes_an_export(path) => Err(Unreadable::Describes),
            kind => Ok(kind),
        }
    }
}

/// What a file's beginning says it is, where that is an export.
pub(crate) fn by_content(path: &Path, class: Class, head: &[u8]) -> Option<Kind> {
    if let Some(export) = chat::recognise(path, head) {
        return Some(Kind::Chat(export));
    }
    if mail::mbox::begins(head) {
        return Some(Kind::Mbox);
    }
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |word: &str| start.get(..word.len()).is_some_and(|have| have.eq_ignore_ascii_case(word.as_bytes()));
    if begins("BEGIN:VCALENDAR") {
        return Some(Kind::Calendar);
    }
    if begins("BEGIN:VCARD") {
        return Some(Kind::Contacts);
    }
    if class == Class::Unknown {
        if mail::looks_like(start) {
            return Some(Kind::Mail);
        }
        if start.starts_with(b"PK\x03\x04") && kinds::container(start).is_none() {
            return Some(Kind::Zip);
        }
    }
    None
}

/// Reads an export of this kind.
fn export(
    kind: Kind,
    path: &Path,
    mut input: File,
    reading: &Reading,
    names: &mut chat::Names,
    parts: &mut Parts<'_>,
) -> Result<(), Unreadable> {
    match kind {
        Kind::Zip => archive::read(path, input, parts),
        Kind::Git => git::read(path, reading, parts),
        Kind::Chat(Export::Slack) => {
            let text = bounded(&mut input, parts.limits)?;
            let mut beside = |path: &Path| open(reading, path).map(|(file, _)| file);
            chat::slack_day(path, &text, names.of(path, &mut beside), parts)
        }
        kind => {
            input.rewind()?;
            stream(kind, path, input, parts)
        }
    }
}

/// Reads an export that needs nothing beside it, from a file or from a file in an archive.
pub(crate) fn stream(kind: Kind, path: &Path, mut input: impl Read, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    match kind {
        Kind::Mail => mail::single(path, input, parts),
        Kind::Mbox => mail::mbox(path, input, parts),
        Kind::Calendar => calendar::read(&text(&mut input, parts.limits)?, parts),
        Kind::Contacts => contacts::read(&text(&mut input, parts.limits)?, parts),
        Kind::Chat(Export::Lines) => chat::lines(path, &text(&mut input, parts.limits)?, parts),
        Kind::Chat(export) => chat::json(export, path, input, parts),
        _ => Err(Unreadable::NoExport),
    }
}

/// A file's text, of bounded size.
pub(crate) fn text(input: &mut impl Read, limits: &ReadLimits) -> Result<String, Unreadable> {
    let bytes = bounded(input, limits)?;
    if bytes.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    match decode::decode(bytes.clone(), None) {
        Ok(decoded) => Ok(decoded.text),
        // Calendars and cards with a picture in them are text all the same.
        Err(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn bounded(input: &mut impl Read, limits: &ReadLimits) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    input.take(limits.max_file_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(Unreadable::TooLarge { size: bytes.len() as u64, limit: limits.max_file_bytes });
    }
    Ok(bytes)
}
