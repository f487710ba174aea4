//! OpenDocument files (ODT, ODS, ODP, and the same as one XML file): zip containers of XML parts.
//!
//! Read under the same caps as Word files. Order of the text: the body, foot- and endnotes and comments, then headers
//! and footers (each different one once). Headings come out as `#` lines, list items as `-` lines, rows as `a | b`.

mod body;

use crate::{
    ReadLimits, Unreadable, decode,
    package::Package,
    read::Parsed,
    text::first_heading,
    xml::{attribute, element_text},
};
use body::Place;
use quick_xml::{Reader, events::Event};

const WHAT: &str = "an OpenDocument file";

/// The text of an OpenDocument file.
pub(crate) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Parsed, Unreadable> {
    if !bytes.starts_with(b"PK") {
        return flat(bytes, limits);
    }
    let mut package = Package::open(bytes, WHAT, limits)?;
    if let Some(manifest) = package.part("META-INF/manifest.xml")?
        && encrypted(&manifest)
    {
        return Err(Unreadable::Encrypted);
    }
    let content = package.part("content.xml")?.ok_or_else(|| package.nothing())?;
    let mut text = body::parse(&content, Place::Body, limits)?;
    drop(content);
    if let Some(styles) = package.part("styles.xml")? {
        add(&mut text, &body::parse(&styles, Place::Margins, limits)?);
    }
    let title = match package.part("meta.xml")? {
        Some(meta) => element_text(&meta, "title", limits)?,
        None => None,
    };
    Ok(Parsed { title: title.or_else(|| first_heading(&text)), text, notes: Vec::new() })
}

/// A document that is one file of XML.
fn flat(bytes: &[u8], limits: &ReadLimits) -> Result<Parsed, Unreadable> {
    let xml = decode::xml(bytes.to_vec());
    let head = &xml[..xml.floor_char_boundary(4096)];
    if !head.contains("office:document") {
        return Err(Unreadable::NoDocument { what: WHAT });
    }
    let mut text = body::parse(&xml, Place::Body, limits)?;
    add(&mut text, &body::parse(&xml, Place::Margins, limits)?);
    let title = element_text(&xml, "meta", limits)?.and(element_text(&xml, "title", limits)?);
    Ok(Parsed { title: title.or_else(|| first_heading(&text)), text, notes: Vec::new() })
}

fn add(text: &mut String, more: &str) {
    if !more.trim().is_empty() {
        text.push_str("\n\n");
        text.push_str(more);
    }
}

/// Whether the list of parts says that the document, or all of it in one part, is encrypted.
fn encrypted(manifest: &str) -> bool {
    let mut reader = Reader::from_str(manifest);
    let mut document = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => match tag.local_name().as_ref() {
                "file-entry" => {
                    let part = attribute(&tag, "full-path").unwrap_or_default();
                    document = matches!(part.as_str(), "content.xml" | "encrypted-package");
                }
                "encryption-data" if document => return true,
                _ => {}
            },
            Ok(Event::Eof) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::encrypted;

    #[test]
    fn locks() {
        let entry = |part: &str, inner: &str| {
            format!("<m:manifest><m:file-entry m:full-path='{part}'>{inner}</m:file-entry><m:file-entry/></m:manifest>")
        };
        for (part, inner, expected) in [
            ("content.xml", "<m:encryption-data m:checksum='x'/>", true),
            ("encrypted-package", "<loext:encryption-data><x/></loext:encryption-data>", true),
            ("content.xml", "", false),
            ("Pictures/a.png", "<m:encryption-data/>", false),
        ] {
            assert_eq!(encrypted(&entry(part, inner)), expected, "{part} {inner}");
        }
        assert!(!encrypted("<broken"));
    }
}
