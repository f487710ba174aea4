//! What a file is, judged by its name: how it is read, or why it is not worth opening.

use crate::{git, mail::maildir};
use std::path::Path;

/// How a file is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Markdown,
    /// Prose: titled by its stem.
    Text,
    /// Tables, settings, logs: text, titled by its whole name.
    Data,
    Code,
    Html,
    Pdf,
    Docx,
    /// An OpenDocument text, sheet or presentation.
    Odf,
    /// An EPUB book.
    Epub,
    /// One mail message.
    Mail,
    /// Many mail messages, one after the other.
    Mbox,
    /// An iCalendar file.
    Calendar,
    /// A vCard file.
    Contacts,
    /// What a chat program exported.
    Chat(Export),
    /// The commits of a git repository.
    Git,
    /// An archive in which any of these may lie.
    Zip,
}

/// Which program a chat was exported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// Lines of text with a time in front: WhatsApp, and Signal's exports that look alike.
    Lines,
    Telegram,
    Slack,
    Discord,
    /// Instagram and Messenger.
    Meta,
    ChatGpt,
    Claude,
}

impl Kind {
    /// The name that chunking and people see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Text | Self::Data => "text",
            Self::Code => "code",
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Odf => "odt",
            Self::Epub => "epub",
            Self::Mail | Self::Mbox => "mail",
            Self::Calendar => "event",
            Self::Contacts => "contact",
            Self::Chat(_) => "chat",
            Self::Git => "commit",
            Self::Zip => "zip",
        }
    }

    /// Whether most of such a file may be pictures, so that it may be larger than a text.
    pub(crate) fn has_pictures(self) -> bool {
        matches!(self, Self::Pdf | Self::Odf | Self::Epub)
    }

    /// Whether such a file is mostly written by others, although it is no export.
    pub(crate) fn is_published(self) -> bool {
        matches!(self, Self::Html | Self::Pdf | Self::Epub)
    }

    /// Whether such a file holds items of other people's making, which it hands out one by one.
    pub(crate) fn is_export(self) -> bool {
        matches!(
            self,
            Self::Mail | Self::Mbox | Self::Calendar | Self::Contacts | Self::Chat(_) | Self::Git | Self::Zip
        )
    }
}

/// The verdict on a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Read it so.
    Read(Kind),
    /// Look inside before deciding.
    Unknown,
    /// Do not open it; the family is a plural for the summary.
    Skip(&'static str),
}

const MARKDOWN: &[&str] = &["md", "markdown", "mdown", "mkd", "mdx", "qmd", "rmd"];
const TEXT: &[&str] = &["txt", "text", "rst", "org", "adoc", "asciidoc", "tex", "textile", "srt", "vtt", "nfo"];
const DATA: &[&str] = &[
    "csv",
    "tsv",
    "json",
    "jsonl",
    "ndjson",
    "json5",
    "toml",
    "yaml",
    "yml",
    "ini",
    "cfg",
    "conf",
    "log",
    "properties",
    "xml",
    "rss",
    "atom",
    "opml",
    "plist",
    "bib",
    "geojson",
    "diff",
    "patch",
];
const CODE: &[&str] = &[
    "rs", "py", "pyi", "js", "mjs", "cjs", "jsx", "ts", "tsx", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "m",
    "mm", "java", "kt", "kts", "scala", "groovy", "gradle", "go", "rb", "php", "pl", "pm", "lua", "r", "jl", "swift",
    "cs", "fs", "fsx", "vb", "hs", "ml", "mli", "ex", "exs", "erl", "hrl", "clj", "cljs", "edn", "lisp", "el", "scm",
    "rkt", "dart", "zig", "nim", "d", "v", "sv", "vhd", "vhdl", "asm", "s", "sh", "bash", "zsh", "fish", "ps1", "bat",
    "cmd", "sql", "css", "scss", "sass", "less", "vue", "svelte", "astro", "proto", "thrift", "graphql", "gql", "cu",
    "cuh", "metal", "wgsl", "glsl", "vert", "frag", "hlsl", "cmake", "mk", "mak", "nix", "tf", "hcl", "bzl", "awk",
    "sed", "tcl", "pas", "ada", "adb", "ads", "f", "f90", "f95", "cob", "sol", "wat", "ipynb", "j2", "jinja",
];
const CODE_NAMES: &[&str] =
    &["makefile", "dockerfile", "containerfile", "cmakelists.txt", "rakefile", "gemfile", "justfile", "vagrantfile"];
const TEXT_NAMES: &[&str] = &["readme", "license", "licence", "copying", "changelog", "authors", "notice", "todo"];

/// Text that no person wrote or reads.
const GENERATED: &[&str] =
    &[".min.js", ".min.css", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum"];

const SKIPPED: &[(&str, &[&str])] = &[
    (
        "pictures",
        &[
            "png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "ico", "icns", "heic", "heif", "avif", "raw",
            "cr2", "nef", "arw", "dng", "psd", "xcf", "svg", "ai", "eps", "ps", "sketch", "fig", "blend",
        ],
    ),
    ("sound", &["mp3", "wav", "flac", "ogg", "oga", "opus", "m4a", "aac", "aiff", "wma", "mid", "midi"]),
    ("films", &["mp4", "m4v", "mov", "avi", "mkv", "webm", "wmv", "flv", "mpg", "mpeg", "3gp"]),
    (
        "archives and disk images",
        &[
            "tar", "gz", "tgz", "bz2", "xz", "zst", "lz4", "7z", "rar", "jar", "war", "apk", "deb", "rpm", "dmg",
            "iso", "img", "pkg", "whl", "crate", "cab", "msi", "qcow2", "vmdk", "vdi",
        ],
    ),
    (
        "programs and build products",
        &[
            "exe", "dll", "so", "dylib", "a", "lib", "o", "obj", "class", "pyc", "pyo", "wasm", "rlib", "rmeta", "pdb",
            "bin", "elf", "app", "com", "sys", "node", "map",
        ],
    ),
    ("fonts", &["ttf", "otf", "woff", "woff2", "eot", "ttc"]),
    (
        "databases and model weights",
        &[
            "db",
            "sqlite",
            "sqlite3",
            "mdb",
            "accdb",
            "parquet",
            "arrow",
            "feather",
            "npy",
            "npz",
            "pkl",
            "pickle",
            "h5",
            "hdf5",
            "onnx",
            "gguf",
            "safetensors",
            "pt",
            "pth",
            "ckpt",
            "rds",
            "rdata",
            "mat",
        ],
    ),
    (
        "keys and certificates",
        &["pem", "key", "p12", "pfx", "jks", "keystore", "kdbx", "gpg", "pgp", "asc", "der", "crt"],
    ),
    (
        "other office formats (save them as DOCX, ODT or PDF)",
        &[
            "doc", "dot", "rtf", "pages", "xls", "xlsx", "xlsm", "numbers", "ppt", "pptx", "one", "vsd", "vsdx", "pub",
            "docm", "dotx", "dotm", "odg", "odf", "odb",
        ],
    ),
    ("books other than EPUB", &["mobi", "azw", "azw3", "kfx", "lit", "fb2", "djvu", "cbz", "cbr", "ibooks"]),
    (
        "documents that lie on Google Drive only",
        &["gdoc", "gsheet", "gslides", "gdraw", "gform", "gmap", "gsite", "gjam"],
    ),
    ("mailboxes of Outlook", &["msg", "pst", "ost"]),
    ("indexes of mail programs", &["msf"]),
    ("temporary and lock files", &["tmp", "temp", "swp", "swo", "bak", "part", "crdownload", "lock", "download"]),
];

/// Judges a file by its name alone.
pub(crate) fn classify(path: &Path) -> Class {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    if CODE_NAMES.contains(&name.as_str()) {
        return Class::Read(Kind::Code);
    }
    if TEXT_NAMES.contains(&name.as_str()) {
        return Class::Read(Kind::Text);
    }
    if git::is_head(path) {
        return Class::Read(Kind::Git);
    }
    match maildir::place(path) {
        Some(maildir::Place::Message) => return Class::Read(Kind::Mail),
        Some(maildir::Place::Unfinished) => return Class::Skip("temporary and lock files"),
        None => {}
    }
    if name.starts_with("dovecot.index") || name.starts_with("dovecot-uid") || name == "maildirfolder" {
        return Class::Skip("indexes of mail programs");
    }
    // `~$report.docx` is what Word leaves beside an open document; `report.txt~` is an editor's copy.
    if name.starts_with("~$") || name.ends_with('~') {
        return Class::Skip("temporary and lock files");
    }
    if GENERATED.iter().any(|end| name.ends_with(end)) {
        return Class::Skip("programs and build products");
    }
    let Some(extension) = Path::new(&name).extension().and_then(|extension| extension.to_str()) else {
        return Class::Unknown;
    };
    match extension {
        "html" | "htm" | "xhtml" => return Class::Read(Kind::Html),
        "pdf" => return Class::Read(Kind::Pdf),
        "docx" => return Class::Read(Kind::Docx),
        "odt" | "ott" | "fodt" | "ods" | "ots" | "fods" | "odp" | "otp" | "fodp" => return Class::Read(Kind::Odf),
        "epub" => return Class::Read(Kind::Epub),
        "eml" | "emlx" => return Class::Read(Kind::Mail),
        "mbox" | "mbx" => return Class::Read(Kind::Mbox),
        "ics" | "ical" | "ifb" | "icalendar" => return Class::Read(Kind::Calendar),
        "vcf" | "vcard" => return Class::Read(Kind::Contacts),
        "zip" => return Class::Read(Kind::Zip),
        _ => {}
    }
    for (list, kind) in [(MARKDOWN, Kind::Markdown), (TEXT, Kind::Text), (DATA, Kind::Data), (CODE, Kind::Code)] {
        if list.contains(&extension) {
            return Class::Read(kind);
        }
    }
    match SKIPPED.iter().find(|(_, list)| list.contains(&extension)) {
        Some((family, _)) => Class::Skip(family),
        None => Class::Unknown,
    }
}

/// Whether a file's name says that it holds items of its own: mail, a calendar, an address book, an archive.
#[must_use]
pub fn holds_items(path: &Path) -> bool {
    matches!(classify(path), Class::Read(kind) if kind.is_export())
}

/// Judges a file of unknown name by its first bytes.
pub(crate) fn sniff(head: &[u8]) -> Class {
    let start = &head[..head.len().min(1024)];
    let trimmed = start.trim_ascii_start();
    let begins = |prefix: &[u8]| trimmed.get(..prefix.len()).is_some_and(|have| have.eq_ignore_ascii_case(prefix));
    if start.windows(5).any(|window| window == b"%PDF-") {
        Class::Read(Kind::Pdf)
    } else if begins(b"<!doctype html") || begins(b"<html") {
        Class::Read(Kind::Html)
    } else if start.starts_with(b"#!") {
        Class::Read(Kind::Code)
    } else if let Some(kind) = container(start) {
        Class::Read(kind)
    } else if start.starts_with(b"PK\x03\x04") {
        Class::Read(Kind::Zip)
    } else {
        Class::Read(Kind::Text)
    }
}

/// What a container's first part, which holds nothing but its type, says it is.
pub(crate) fn container(head: &[u8]) -> Option<Kind> {
    let first = head.strip_prefix(b"PK\x03\x04")?.get(26..)?;
    let kind = first.strip_prefix(b"mimetype")?;
    // What the packer adds to a part's name stands between the two.
    let at = kind.iter().take(64).position(|b| *b == b'a')?;
    let kind = &kind[at..];
    if kind.starts_with(b"application/epub+zip") {
        Some(Kind::Epub)
    } else if ["text", "spreadsheet", "presentation"].iter().any(|form| {
        kind.strip_prefix(b"application/vnd.oasis.opendocument.").is_some_and(|rest| rest.starts_with(form.as_bytes()))
    }) {
        Some(Kind::Odf)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{CODE, Class, DATA, Kind, MARKDOWN, SKIPPED, TEXT, classify, sniff};
    use std::{collections::HashSet, path::Path};

    #[test]
    fn names_decide() {
        for (name, expected) in [
            ("a.MD", Class::Read(Kind::Markdown)),
            ("b.docx", Class::Read(Kind::Docx)),
            ("b.ODT", Class::Read(Kind::Odf)),
            ("b.epub", Class::Read(Kind::Epub)),
            ("b.mobi", Class::Skip("books other than EPUB")),
            ("~$b.docx", Class::Skip("temporary and lock files")),
            ("a.EML", Class::Read(Kind::Mail)),
            ("outlook.pst", Class::Skip("mailboxes of Outlook")),
            ("Makefile", Class::Read(Kind::Code)),
            ("README", Class::Read(Kind::Text)),
            ("jquery.min.js", Class::Skip("programs and build products")),
            ("photo.JPG", Class::Skip("pictures")),
            ("server.pem", Class::Skip("keys and certificates")),
            ("strange.q7x", Class::Unknown),
            ("no_extension", Class::Unknown),
        ] {
            assert_eq!(classify(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn contents_decide_where_names_do_not() {
        assert_eq!(sniff(b"\n%PDF-1.4"), Class::Read(Kind::Pdf));
        assert_eq!(sniff(b"  <!DOCTYPE html>"), Class::Read(Kind::Html));
        assert_eq!(sniff(b"#!/bin/sh\n"), Class::Read(Kind::Code));
        assert_eq!(sniff(b"words"), Class::Read(Kind::Text));
        let zip = |first: &str| [b"PK\x03\x04".as_slice(), &[0; 26], first.as_bytes()].concat();
        assert_eq!(sniff(&zip("mimetypeapplication/epub+zipPK")), Class::Read(Kind::Epub));
        assert_eq!(sniff(&zip("mimetypeapplication/vnd.oasis.opendocument.textPK")), Class::Read(Kind::Odf));
        assert_eq!(sniff(&zip("mimetypeapplication/vnd.oasis.opendocument.graphics")), Class::Read(Kind::Zip));
        assert_eq!(sniff(b"PK\x03\x04mimetype"), Class::Read(Kind::Zip));
    }

    #[test]
    fn no_extension_is_listed_twice() {
        let mut seen = HashSet::new();
        let lists = [MARKDOWN, TEXT, DATA, CODE].into_iter().chain(SKIPPED.iter().map(|(_, list)| *list));
        for extension in lists.flatten() {
            assert!(seen.insert(extension), "{extension} is listed twice");
        }
    }
}
