//! Word files (DOCX): a zip container of XML parts.
//!
//! The container is opened with caps on its parts, on how much each may expand and on what all of them may; XML is read
//! as a stream with a cap on its depth, and a part that declares a document type or an entity is refused whole.
//! Order of the text: the body, foot- and endnotes, comments, then headers and footers (each different one once).

mod body;
mod package;
mod styles;

use crate::{ReadLimits, Unreadable, package::Package, read::Parsed, text::first_heading, xml};
use std::collections::HashSet;

/// The text of a Word file: headings as `#` lines, list items as `-` lines, table rows as `a | b` lines.
pub(crate) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Parsed, Unreadable> {
    // The old Word format, and also what Word makes of a DOCX that is saved with a password.
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(Unreadable::WordEncrypted);
    }
    let mut package = Package::open(bytes, "a Word file", limits)?;
    let document = package::document(&mut package)?;
    let related = package::related(&mut package, &document)?;
    let styles = match related.iter().find(|part| part.kind == "styles") {
        Some(part) => package.part(&part.name)?.map(|xml| styles::parse(&xml, limits)).transpose()?.unwrap_or_default(),
        None => styles::Styles::default(),
    };
    let main = package.part(&document)?.ok_or_else(|| package.nothing())?;
    let mut text = body::parse(&main, &styles, limits)?;
    drop(main);
    let mut said = HashSet::new();
    for kind in ["footnotes", "endnotes", "comments", "header", "footer"] {
        for part in related.iter().filter(|part| part.kind == kind) {
            let Some(xml) = package.part(&part.name)? else { continue };
            let more = body::parse(&xml, &styles, limits)?;
            let more = more.trim();
            if !more.is_empty() && said.insert(more.to_owned()) {
                text.push_str("\n\n");
                text.push_str(more);
                text.push('\n');
            }
        }
    }
    let title = match package.part("docProps/core.xml")? {
        Some(core) => xml::element_text(&core, "title", limits)?,
        None => None,
    };
    let title = title.or_else(|| first_heading(&text));
    Ok(Parsed { text, title, notes: Vec::new() })
}
