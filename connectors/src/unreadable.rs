//! Why a file was not read, as sentences.

use crate::text::one_line;
use hinet_protocol::Skipped;
use std::{io, path::Path};

/// Characters of what a parser says.
const SAID_MAX: usize = 200;

/// The reason a file or folder was passed over. `Display` is the sentence that a person reads beside its path.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Consent does not cover it.
    #[error("It lies outside the folders that you opened to HiNet, so it was not read.")]
    NotCovered,
    /// Consent was withdrawn, or the kill switch thrown.
    #[error("It was not read: {source}.")]
    Refused {
        /// What consent says.
        source: hinet_consent::Refusal,
    },
    /// It was there when it was listed.
    #[error("It is not there any more.")]
    Vanished,
    /// The system refuses.
    #[error("You have no permission to read it; change its permissions to have it read.")]
    Denied,
    /// Another failure of the disk or the system.
    #[error("It could not be read: {}.", brief(source))]
    Io {
        /// What the system says.
        source: io::Error,
    },
    /// A listing failed in a way that is not an IO error.
    #[error("The folder could not be listed: {source}.")]
    Listing {
        /// What the walker says.
        source: ignore::Error,
    },
    /// A pipe, socket or device.
    #[error("It is {what}, not a file; it was not opened.")]
    Special {
        /// With its article.
        what: &'static str,
    },
    /// A link out of the folder.
    #[error("It is a link to a place outside the folder; add that place itself to have it read.")]
    LinkOut,
    /// A link to one of its own parents.
    #[error("It is a link to a folder that it lies in (a loop), so it was not followed.")]
    LinkLoop,
    /// A link to nothing.
    #[error("It is a link to something that does not exist.")]
    LinkBroken,
    /// Too deep below the root.
    #[error("It lies more than {limit} folders deep, so what is in it was not read.")]
    TooDeep {
        /// The cap.
        limit: usize,
    },
    /// A folder of a vault of notes that holds no notes.
    #[error("It holds {what}, so what is in it was not read.")]
    NoNotes {
        /// The plural, such as "templates for notes".
        what: &'static str,
    },
    /// The name is not Unicode, so it could be neither stored nor shown.
    #[error("Its name is not valid text; rename it to have it read.")]
    Name,
    /// Over the cap.
    #[error("It is {} large; files of this kind are read up to {}.", bytes(*size), bytes(*limit))]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The cap in bytes.
        limit: u64,
    },
    /// The text is over the cap though the file is not.
    #[error("It holds more than {} of text.", bytes(*limit))]
    TooMuchText {
        /// The cap in bytes.
        limit: u64,
    },
    /// Not a text.
    #[error("It is not text (it holds binary data).")]
    Binary,
    /// A kind that is known and not read.
    #[error("HiNet does not read {family}.")]
    Unsupported {
        /// The plural, such as "pictures".
        family: &'static str,
    },
    /// Nothing in it.
    #[error("It is empty.")]
    Empty,
    /// Nothing in it, where a sync program may have more of it.
    #[error("It is empty here; if there is something in it in the cloud, it is not downloaded yet.")]
    EmptyHere,
    /// A sync program keeps only its name and size here.
    #[error("It lies in the cloud and is not downloaded to this machine; download it to have it read.")]
    NotDownloaded,
    /// Writing went on during both attempts.
    #[error("It was being changed while it was read; it will be read when it is next saved.")]
    Changing,
    /// Writing went on while its items were read.
    #[error("It was being changed while it was read; the rest will be read when it is next saved.")]
    Changed,
    /// The zip container is broken.
    #[error("It cannot be read as {what}: {}.", brief(source))]
    Container {
        /// With its article.
        what: &'static str,
        /// What the unpacker says.
        source: zip::result::ZipError,
    },
    /// The zip container lacks its document.
    #[error("It is not {what}: the part that holds the document is missing.")]
    NoDocument {
        /// With its article.
        what: &'static str,
    },
    /// The container is the old one, which Word also wraps around a DOCX with a password.
    #[error("It is encrypted with a password, or in Word's old format; save it as a plain DOCX to have it read.")]
    WordEncrypted,
    /// A part expands too much.
    #[error("It unpacks to far more than its size (a \"zip bomb\"), so it was not read.")]
    ZipBomb,
    /// Too many parts.
    #[error("It holds {count} parts, more than {what} needs (at most {limit} are accepted).")]
    ZipEntries {
        /// How many.
        count: usize,
        /// With its article.
        what: &'static str,
        /// The cap.
        limit: usize,
    },
    /// Broken XML.
    #[error("Its text part is damaged: {}.", brief(source))]
    Xml {
        /// What the parser says.
        source: quick_xml::Error,
    },
    /// Deep XML.
    #[error("Its text is nested more than {limit} levels deep, which no word processor writes.")]
    XmlDepth {
        /// The cap.
        limit: usize,
    },
    /// A document type or an entity of its own, which office files may not have.
    #[error("It declares XML entities, which office programs never write, so it was not read.")]
    XmlEntities,
    /// A book that only the shop's own program can open.
    #[error("It is protected against being read by other programs (DRM), so it was not read.")]
    Drm,
    /// Password.
    #[error("It could not be read: the PDF is encrypted with a password.")]
    PdfEncrypted,
    /// A cipher or handler that is not known.
    #[error("It could not be read: the PDF is encrypted in a way HiNet does not know.")]
    PdfCipher,
    /// Not a PDF at all, or broken beyond reading.
    #[error("It could not be read: the PDF is damaged.")]
    PdfDamaged,
    /// Pictures of pages.
    #[error("The PDF holds no text; its pages may be scanned pictures.")]
    PdfNoText,
    /// Killed by the clock or by its processor limit.
    #[error("It could not be read: the PDF took longer than {seconds} seconds.")]
    PdfTimeout {
        /// The cap.
        seconds: u64,
    },
    /// The child died: out of memory, stack, or a crash.
    #[error("It could not be read: the PDF made its reader run out of memory or crash; nothing else was harmed.")]
    PdfCrash,
    /// The child could not be started or does not speak its part.
    #[error("The program that reads PDFs could not be started{}.", detail(source.as_ref()))]
    Extractor {
        /// What the system says.
        source: Option<io::Error>,
    },
    /// A calendar of zones, free and busy hours, or nothing.
    #[error("It is a calendar without events, tasks or journal entries.")]
    NoEvents,
    /// It looked like an export of a kind and is none.
    #[error("It holds nothing of the kind that its name promises.")]
    NoExport,
    /// A page that shows what another file of the same export holds.
    #[error("It shows again what the file with the conversations beside it holds.")]
    Repeats,
    /// A list of people or channels that other files of the same export refer to.
    #[error("It only describes the chat export it lies in; its names are used where the messages are read.")]
    Describes,
    /// One conversation of a chat export is too large.
    #[error("One conversation in it is larger than {}; what stands before it was read.", bytes(*limit))]
    TooLargePart {
        /// The cap in bytes.
        limit: u64,
    },
    /// JSON that breaks off or is none.
    #[error("It is damaged, so only what stands before the damage was read: {}.", brief(source))]
    Json {
        /// What the parser says.
        source: serde_json::Error,
    },
    /// The archive cannot be opened.
    #[error("It is not a readable archive: {}.", brief(source))]
    Archive {
        /// What the unpacker says.
        source: zip::result::ZipError,
    },
    /// An archive of other things.
    #[error("It is an archive without mail, chats, calendars or contacts, and HiNet reads no others.")]
    NothingArchived,
    /// Too many files in an archive.
    #[error("It holds {count} files; archives of up to {limit} are read.")]
    ArchiveEntries {
        /// How many.
        count: usize,
        /// The cap.
        limit: usize,
    },
    /// A name that leads out of the archive.
    #[error("its name leads out of the archive.")]
    Escapes,
    /// A git repository whose commits cannot be read, or not without leaving the folder.
    #[error("It is a git repository that {why}, so its commits were not read.")]
    Git {
        /// What it does, as a clause.
        why: &'static str,
    },
    /// A git repository of which something is missing.
    #[error("It is a git repository of which some commits are missing or damaged; the others were read.")]
    GitPart,
    /// A password.
    #[error("It is encrypted with a password.")]
    Encrypted,
    /// A parser of ours stopped at something unforeseen.
    #[error("It could not be read: its contents are not what its name says.")]
    Parser,
}

impl Unreadable {
    /// The entry in the list of skipped files.
    pub fn skip(&self, path: &Path) -> Skipped {
        Skipped { what: path.to_string_lossy().into_owned(), why: self.to_string() }
    }
}

impl From<io::Error> for Unreadable {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Vanished,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Io { source },
        }
    }
}

fn detail(source: Option<&io::Error>) -> String {
    source.map_or_else(String::new, |error| format!(" ({error})"))
}

/// What a parser says, on one line and not at length: it may repeat names that a file made endless, or that a terminal
/// would act on.
fn brief(said: &impl std::fmt::Display) -> String {
    let mut line: String = one_line(&said.to_string()).chars().filter(|c| !c.is_control()).take(SAID_MAX + 1).collect();
    if line.chars().count() > SAID_MAX {
        line.pop();
        line.push('…');
    }
    line
}

/// A size as people write it.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if n < 1024 {
        return format!("{n} bytes");
    }
    let mut tenths = n.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match tenths % 10 {
        0 => format!("{} {}", tenths / 10, UNITS[unit]),
        tenth => format!("{}.{tenth} {}", tenths / 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::{SAID_MAX, brief, bytes};

    #[test]
    fn what_parsers_say_is_one_short_line() {
        assert_eq!(brief(&"expected\n  `</a>`"), "expected `</a>`");
        assert_eq!(brief(&"\u{1b}[2Jx"), "[2Jx");
        let long = brief(&"é".repeat(5000));
        assert!(long.chars().count() == SAID_MAX + 1 && long.ends_with('…'), "{long}");
        assert_eq!(brief(&"é".repeat(SAID_MAX)), "é".repeat(SAID_MAX));
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        for (n, expected) in [
            (3, "3 bytes"),
            (1024, "1 KB"),
            (1536, "1.5 KB"),
            (64 << 20, "64 MB"),
            (2 << 30, "2 GB"),
            (5 << 40, "5 TB"),
        ] {
            assert_eq!(bytes(n), expected);
        }
    }
}
