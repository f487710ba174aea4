//! One file to one [`Document`]: checked, read whole, decoded, parsed by its kind, brought into one form.

use crate::{
    Document, Extractor, FileRef, ReadLimits, Reading, Unreadable, cloud, decode, docx, epub, extract, html,
    kinds::{self, Class, Kind},
    notes, odf, plain,
    text::{normalised, title},
    walk::{modified, special},
};
use hinet_protocol::{Millis, Skipped, Trust};
use rustix::fs::{Mode, OFlags};
use std::{
    borrow::Cow,
    fs::{File, Metadata},
    io::Read,
    panic,
    path::{Path, PathBuf},
};

/// What a parser makes of a file's bytes.
#[derive(Default)]
pub(crate) struct Parsed {
    pub(crate) text: String,
    pub(crate) title: Option<String>,
    pub(crate) notes: Vec<String>,
}

/// Reads `file`. Consent is checked again here, on the path with every link resolved; a file that has become a link, a
/// pipe or a giant since it was listed is refused; one that changes while it is read is read a second time.
pub fn read(
    reading: &Reading,
    file: &FileRef,
    limits: &ReadLimits,
    extractor: &Extractor,
) -> Result<Document, Skipped> {
    document(reading, &file.path, limits, extractor).map_err(|why| why.skip(&file.path))
}

fn document(
    reading: &Reading,
    path: &Path,
    limits: &ReadLimits,
    extractor: &Extractor,
) -> Result<Document, Unreadable> {
    let real = covered(reading, path)?;
    let path = real.as_path();
    let key = path.to_str().ok_or(Unreadable::Name)?.to_owned();
    let class = kinds::classify(path);
    if let Class::Skip(family) = class {
        return Err(Unreadable::Unsupported { family });
    }
    let limit = match class {
        Class::Unknown => limits.max_pdf_bytes,
        Class::Read(kind) if kind.has_pictures() => limits.max_pdf_bytes,
        _ => limits.max_file_bytes,
    };
    let (bytes, modified) = match contents(path, limit) {
        Err(Unreadable::Changing) => contents(path, limit)?,
        other => other?,
    };
    if bytes.is_empty() {
        return Err(cloud::empty(path));
    }
    let kind = match class {
        Class::Read(kind) => kind,
        _ => match kinds::sniff(&bytes) {
            Class::Read(kind) => kind,
            Class::Skip(family) => return Err(Unreadable::Unsupported { family }),
            Class::Unknown => Kind::Text,
        },
    };
    if kind == Kind::Zip {
        return Err(Unreadable::Unsupported { family: "archives and disk images" });
    }
    if !kind.has_pictures() && bytes.len() as u64 > limits.max_file_bytes {
        return Err(Unreadable::TooLarge { size: bytes.len() as u64, limit: limits.max_file_bytes });
    }
    // The parsers are ours and should not panic; if one does all the same, it costs this file and no other.
    let parsed =
        panic::catch_unwind(|| parse(kind, path, bytes, limits, extractor)).unwrap_or(Err(Unreadable::Parser))?;
    let text = normalised(&parsed.text);
    if text.trim().is_empty() {
        return Err(if kind == Kind::Pdf { Unreadable::PdfNoText } else { Unreadable::Empty });
    }
    if text.len() as u64 > limits.max_text_bytes {
        return Err(Unreadable::TooMuchText { limit: limits.max_text_bytes });
    }
    let title = parsed.title.as_deref().and_then(title).unwrap_or_else(|| file_title(path, kind));
    let trust = if kind.is_published() || kind.is_export() { Trust::Untrusted } else { Trust::Own };
    let name = if kind.is_export() { Kind::Data.name() } else { kind.name() };
    let (thread, labels) = (None, Vec::new());
    Ok(Document { key, title, kind: name, text, modified, trust, thread, labels, notes: parsed.notes })
}

/// A file's real place, where consent covers it.
fn covered(reading: &Reading, path: &Path) -> Result<PathBuf, Unreadable> {
    reading.check().map_err(|source| Unreadable::Refused { source })?;
    let Some(real) = reading.resolve(path) else {
        // A file that is gone cannot be resolved either; say which of the two it is.
        path.symlink_metadata()?;
        return Err(Unreadable::NotCovered);
    };
    if real != path {
        // The walk hands out real paths, so this one has become a link since.
        return Err(Unreadable::LinkOut);
    }
    if real.to_str().is_none() {
        return Err(Unreadable::Name);
    }
    Ok(real)
}

/// A file that consent covers, opened to be read as a stream.
pub(crate) fn open(reading: &Reading, path: &Path) -> Result<(File, Metadata), Unreadable> {
    let (file, meta) = opened(&covered(reading, path)?)?;
    cloud::downloaded(&file, &meta)?;
    Ok((file, meta))
}

/// A file opened so that nothing else is: what was a file when it was listed may be a link or a pipe by now.
fn opened(path: &Path) -> Result<(File, Metadata), Unreadable> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        rustix::io::Errno::LOOP => Unreadable::LinkOut,
        rustix::io::Errno::NXIO => Unreadable::Special { what: "a pipe or socket" },
        errno => std::io::Error::from(errno).into(),
    })?;
    let file = File::from(descriptor);
    let meta = file.metadata()?;
    if let Some(what) = special(meta.file_type()) {
        return Err(Unreadable::Special { what });
    }
    if meta.is_dir() {
        return Err(Unreadable::Special { what: "a folder" });
    }
    Ok((file, meta))
}

/// What a file of this kind says.
pub(crate) fn parse(
    kind: Kind,
    path: &Path,
    bytes: Vec<u8>,
    limits: &ReadLimits,
    extractor: &Extractor,
) -> Result<Parsed, Unreadable> {
    match kind {
        Kind::Pdf => extract::pdf(&bytes, limits, extractor),
        Kind::Docx => docx::parse(&bytes, limits),
        Kind::Odf => odf::parse(&bytes, limits),
        Kind::Epub => epub::parse(&bytes, limits),
        Kind::Html => {
            let declared = decode::html_charset(&bytes);
            let decoded = decode::decode(bytes, declared)?;
            let (text, title) = html::parse(&decoded.text);
            Ok(Parsed { text, title, notes: decoded.note.into_iter().collect() })
        }
        // Everything else is read as the text it is: exports come here only where they turned out to be none.
        _ => {
            let decoded = decode::decode(bytes, None)?;
            let mut text = normalised(&decoded.text);
            if kind == Kind::Markdown
                && let Cow::Owned(readable) = notes::readable(&text)
            {
                text = readable;
            }
            let title = match kind {
                Kind::Markdown if notes::in_vault(path) => plain::declared_title(&text),
                Kind::Markdown => plain::markdown_title(&text),
                Kind::Text => plain::text_title(&text),
                _ => path.file_name().and_then(|name| name.to_str()).map(str::to_owned),
            };
            Ok(Parsed { text, title, notes: decoded.note.into_iter().collect() })
        }
    }
}

/// All bytes of a file that held still while it was read, and when it was changed.
fn contents(path: &Path, limit: u64) -> Result<(Vec<u8>, Millis), Unreadable> {
    let (mut file, before) = opened(path)?;
    if before.len() > limit {
        return Err(Unreadable::TooLarge { size: before.len(), limit });
    }
    cloud::downloaded(&file, &before)?;
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    // One byte more than there should be, so that growth is seen.
    file.by_ref().take(before.len() + 1).read_to_end(&mut bytes)?;
    let after = file.metadata()?;
    if bytes.len() as u64 != before.len() || after.len() != before.len() || modified(&after) != modified(&before) {
        return Err(Unreadable::Changing);
    }
    Ok((bytes, modified(&before)))
}

/// The title where the document has none: the file's name, for code and data with its extension.
fn file_title(path: &Path, kind: Kind) -> String {
    let name = match kind {
        Kind::Code | Kind::Data => path.file_name(),
        _ => path.file_stem(),
    };
    name.and_then(|name| title(&name.to_string_lossy())).unwrap_or_else(|| "untitled".to_owned())
}
