//! How a file of Google's is fetched, and how its bytes become a text.

use crate::{
    Unreadable, calendar, contacts,
    kinds::{self, Class, Kind},
    mail,
    parts::{Part, Parts},
    read::{Parsed, parse},
};
use std::path::Path;

/// How a file becomes an item.
pub(super) enum Way {
    /// As Google writes it in one of these forms, the first that it can, and what is to be said of the others.
    Exported(&'static [(&'static str, Kind, &'static str)]),
    /// As it is; what it is is seen when it is there, where it is not known.
    Fetched(Option<Kind>),
}

const TEXT: &[(&str, Kind, &str)] = &[("text/markdown", Kind::Markdown, ""), ("text/plain", Kind::Text, "")];
const SHEET: &[(&str, Kind, &str)] = &[
    ("application/x-vnd.oasis.opendocument.spreadsheet", Kind::Odf, ""),
    ("text/csv", Kind::Data, "It is too large to be exported whole, so only its first table was read."),
];
const SLIDES: &[(&str, Kind, &str)] = &[("text/plain", Kind::Text, "")];

/// How a file is read, or why it is not.
pub(super) fn way(path: &Path, mime: &str) -> Result<Way, Unreadable> {
    let family = match mime.strip_prefix("application/vnd.google-apps.") {
        Some("document") => return Ok(Way::Exported(TEXT)),
        Some("spreadsheet") => return Ok(Way::Exported(SHEET)),
        Some("presentation") => return Ok(Way::Exported(SLIDES)),
        Some("drawing") => "drawings",
        Some("form") => "forms",
        Some("shortcut" | "drive-sdk") => "shortcuts",
        Some(_) => "such documents that lie on Google Drive only",
        None => match (kinds::classify(path), mime.split('/').next()) {
            (Class::Skip(family), _) => family,
            (Class::Read(Kind::Zip | Kind::Git), _) => "archives and disk images",
            (Class::Read(Kind::Mbox), _) => "mailboxes that lie on Google Drive (download it to have it read)",
            (Class::Read(kind), _) => return Ok(Way::Fetched(Some(kind))),
            (Class::Unknown, Some("image")) => "pictures",
            (Class::Unknown, Some("audio")) => "sound",
            (Class::Unknown, Some("video")) => "films",
            (Class::Unknown, _) => return Ok(Way::Fetched(None)),
        },
    };
    Err(Unreadable::Unsupported { family })
}

/// Hands out one file's text.
pub(super) fn item(
    kind: Kind,
    path: &Path,
    title: Option<&str>,
    bytes: Vec<u8>,
    parts: &mut Parts<'_>,
) -> Result<(), Unreadable> {
    if kind == Kind::Mail {
        return mail::single(path, bytes.as_slice(), parts);
    }
    let size = bytes.len() as u64;
    if !kind.has_pictures() && size > parts.limits.max_file_bytes {
        return Err(Unreadable::TooLarge { size, limit: parts.limits.max_file_bytes });
    }
    let mut parsed: Parsed = parse(kind, path, bytes, parts.limits, parts.extractor)?;
    match kind {
        Kind::Calendar => parsed.text = calendar::words(&parsed.text),
        Kind::Contacts => parsed.text = contacts::words(&parsed.text),
        // Pictures come at the end of the text, written out in letters.
        Kind::Markdown if title.is_some() => {
            let is_picture = |line: &str| line.starts_with('[') && line.contains("]: <data:");
            parsed.text = parsed.text.lines().filter(|line| !is_picture(line)).collect::<Vec<_>>().join("\n");
        }
        _ => {}
    }
    if kind == Kind::Pdf && parsed.text.trim().is_empty() {
        return Err(Unreadable::PdfNoText);
    }
    let key = parts.own_key();
    for note in parsed.notes {
        parts.skip(&key, note);
    }
    let bare = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let title = title.map(str::to_owned).or(parsed.title).unwrap_or(bare);
    parts.put(Part { key, title, kind: kind.name(), text: parsed.text, modified: None, ..Part::default() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Way, way};
    use std::path::Path;

    #[test]
    fn names_and_types_decide_what_is_fetched() {
        let apps = |kind: &str| format!("application/vnd.google-apps.{kind}");
        for (name, mime, expected) in [
            ("Essay", apps("document"), "exported"),
            ("Sketch", apps("drawing"), "HiNet does not read drawings."),
            ("Link", apps("shortcut"), "HiNet does not read shortcuts."),
            ("a.md", "text/markdown".to_owned(), "fetched"),
            ("strange", "application/octet-stream".to_owned(), "fetched"),
            ("a.jpg", "text/plain".to_owned(), "HiNet does not read pictures."),
            ("strange", "image/png".to_owned(), "HiNet does not read pictures."),
            ("mail.zip", "application/zip".to_owned(), "HiNet does not read archives and disk images."),
            ("", String::new(), "fetched"),
        ] {
            let found = match way(Path::new(name), &mime) {
                Ok(Way::Exported(_)) => "exported".to_owned(),
                Ok(Way::Fetched(_)) => "fetched".to_owned(),
                Err(why) => why.to_string(),
            };
            assert_eq!(found, expected, "{name} {mime}");
        }
    }
}
