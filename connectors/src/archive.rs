//! Zip archives of exports, read where they lie: nothing is unpacked to the disk, names only name, and what a file may
//! unpack to is bounded by its packed size and by a cap for all of them.

use crate::{
    ReadLimits, Unreadable, chat,
    kinds::{self, Class, Export, Kind},
    parts::Parts,
    reader::{by_content, stream},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufReader, Cursor, Read},
    panic,
    path::Path,
};
use zip::{ZipArchive, result::ZipError};

/// How much of a file tells what it is.
const HEAD: u64 = 64 * 1024;
/// What a file may unpack to however small it is packed.
const SMALL: u64 = 1 << 20;
/// How many times its size an archive may unpack to, and what any archive may.
const RATIO: u64 = 100;
const LITTLE: u64 = 1 << 30;
/// Bytes of a name, with its folders. It stands in the key of everything in the file.
const PATH_MAX: usize = 1024;
/// Characters of a bad name that are shown.
const NAME_MAX: usize = 80;

/// Hands out the items of every export in an archive.
pub(crate) fn read(path: &Path, file: File, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let limits = parts.limits;
    let cap = file.metadata()?.len().saturating_mul(RATIO).max(LITTLE).min(limits.max_archive_bytes);
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|source| Unreadable::Archive { source })?;
    if archive.len() > limits.max_archive_entries {
        return Err(Unreadable::ArchiveEntries { count: archive.len(), limit: limits.max_archive_entries });
    }
    let people = slack_people(&mut archive, limits);
    let base = parts.own_key();
    let unpacked = Unpacked { bytes: Cell::new(0), cap };
    let (mut any, mut others) = (false, 0u64);
    for index in 0..archive.len() {
        if parts.stopped() {
            return Ok(());
        }
        let (name, safe) = match archive.by_index_raw(index) {
            Ok(entry) if entry.is_dir() => continue,
            Ok(entry) => {
                let safe = entry.enclosed_name().is_some();
                match entry.name() {
                    Ok(name) => (name.into_owned(), safe),
                    Err(_) => (String::new(), false),
                }
            }
            Err(source) => {
                parts.skip(&base, Unreadable::Archive { source }.to_string());
                continue;
            }
        };
        let long = name.len() > PATH_MAX;
        if !safe || long || leads_elsewhere(&name) || name.chars().any(char::is_control) {
            any = true;
            let why = if long { "its name is too long.".to_owned() } else { Unreadable::Escapes.to_string() };
            let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
            parts.skip(&base, format!("\"{shown}\" in it was not read: {why}"));
            continue;
        }
        let inner = path.join(&name);
        if !maybe(&inner) {
            others += 1;
            continue;
        }
        let key = format!("{base}/{name}");
        let before = parts.given();
        let done = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            entry(&mut archive, index, &inner, key.clone(), &people, &unpacked, parts)
        }));
        match done.unwrap_or(Err(Unreadable::Parser)) {
            Ok(true) => any = true,
            Ok(false) | Err(Unreadable::NoExport) if parts.given() == before => others += 1,
            Ok(false) | Err(Unreadable::NoExport) => any = true,
            Err(why) => {
                any = true;
                parts.skip(&key, why.to_string());
            }
        }
    }
    if !any {
        return Err(Unreadable::NothingArchived);
    }
    if others > 0 {
        let files = if others == 1 { "1 file in it was".to_owned() } else { format!("{others} files in it were") };
        parts
            .skip(&base, format!("{files} passed over: of archives, HiNet reads mail, chats, calendars and contacts."));
    }
    Ok(())
}

/// Whether a name says a place of its own by the rules of any system, or takes a step up on its way. Names become parts of
/// keys, and a key is a path below the archive.
fn leads_elsewhere(name: &str) -> bool {
    let drive = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && name.get(1..).is_some_and(|rest| rest.starts_with(":/") || rest.starts_with(":\\"));
    let steps_up = || name.split(['/', '\\']).any(|step| step == "..");
    name.starts_with(['/', '\\']) || drive || steps_up()
}

/// Whether a name leaves it possible that a file is an export.
fn maybe(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("._"));
    match kinds::classify(path) {
        Class::Read(Kind::Zip) => false,
        Class::Read(kind) => !hidden && (kind.is_export() || matches!(kind, Kind::Text | Kind::Data)),
        Class::Unknown => !hidden,
        Class::Skip(_) => false,
    }
}

/// Reads one file of an archive; gives whether it is an export.
fn entry(
    archive: &mut ZipArchive<BufReader<File>>,
    index: usize,
    path: &Path,
    key: String,
    people: &HashMap<String, String>,
    unpacked: &Unpacked,
    parts: &mut Parts<'_>,
) -> Result<bool, Unreadable> {
    let limits = parts.limits;
    let file = archive.by_index(index).map_err(refused)?;
    let mut file = Bounded::new(file, limits, unpacked);
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    let class = kinds::classify(path);
    let kind = match class {
        Class::Read(kind) if kind.is_export() => Some(kind),
        _ => by_content(path, class, &head),
    };
    let Some(kind) = kind.filter(|kind| *kind != Kind::Zip) else { return Ok(false) };
    let input = Cursor::new(head).chain(file);
    parts.within(key, |parts| match kind {
        Kind::Chat(Export::Slack) => {
            let mut json = Vec::new();
            input.take(limits.max_file_bytes).read_to_end(&mut json)?;
            chat::slack_day(path, &json, people, parts)
        }
        kind => stream(kind, path, input, parts),
    })?;
    Ok(true)
}

fn refused(source: ZipError) -> Unreadable {
    match &source {
        ZipError::UnsupportedArchive(why) if why.to_lowercase().contains("password") => Unreadable::Encrypted,
        _ => Unreadable::Archive { source },
    }
}

/// The people of a Slack export, where the archive is one.
fn slack_people(archive: &mut ZipArchive<BufReader<File>>, limits: &ReadLimits) -> HashMap<String, String> {
    let mut lists: BTreeMap<usize, usize> = BTreeMap::new();
    for index in 0..archive.len() {
        if let Some(name) = archive.name_for_index(index)
            && let Ok(name) = name
            && (name == "users.json" || name.ends_with("/users.json"))
        {
            lists.insert(name.len(), index);
        }
    }
    let Some((_, index)) = lists.pop_first() else { return HashMap::new() };
    let mut json = Vec::new();
    let Ok(file) = archive.by_index(index) else { return HashMap::new() };
    let unpacked = Unpacked { bytes: Cell::new(0), cap: limits.max_file_bytes };
    let read = Bounded::new(file, limits, &unpacked).take(limits.max_file_bytes).read_to_end(&mut json);
    if read.is_ok() { chat::people(&json) } else { HashMap::new() }
}

/// What the files of an archive have unpacked to, and may. Files that share their packed bytes count each.
struct Unpacked {
    bytes: Cell<u64>,
    cap: u64,
}

/// Stops where a file unpacks to more than it may.
struct Bounded<'a, R> {
    input: R,
    cap: u64,
    read: u64,
    all: &'a Unpacked,
}

impl<'a, R: Read> Bounded<'a, zip::read::ZipFile<'a, R>> {
    fn new(file: zip::read::ZipFile<'a, R>, limits: &ReadLimits, all: &'a Unpacked) -> Self {
        let cap = file.compressed_size().saturating_mul(limits.max_zip_ratio).max(SMALL);
        Self { input: file, cap, read: 0, all }
    }
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read += read as u64;
        self.all.bytes.set(self.all.bytes.get() + read as u64);
        if self.read > self.cap || self.all.bytes.get() > self.all.cap {
            return Err(io::Error::other(Unreadable::ZipBomb));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::leads_elsewhere;

    #[test]
    fn names_that_lead_elsewhere() {
        for name in ["/a.ics", "\\a.ics", "C:\\a.ics", "c:/a.ics", "../a.ics", "a/../b.ics", "a\\..\\b.ics", "a/.."] {
            assert!(leads_elsewhere(name), "{name}");
        }
        for name in ["a.ics", "a/b.ics", "./a.ics", "a..b/c...ics", "1:1 talk.txt", "A: notes.txt", "é:/x.txt"] {
            assert!(!leads_elsewhere(name), "{name}");
        }
    }
}
