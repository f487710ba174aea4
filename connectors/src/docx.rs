//! Word files (DOCX): a zip container of XML parts.
//!
//! The container is opened with caps on its parts, on how much each may expand and on what all of them may; XML is read
//! as a stream with a cap on its depth, and a part that declares a document type or an entity is refused whole.
//! Order of the text: the body, foot- and endnotes, comments, then headers and footers (each different one once).

mod body;
mod package;
mod styles;

use crate::{ReadLimits, Unreadable, read::Parsed};
use package::Package;
use std::collections::HashSet;

/// The text of a Word file: headings as `#` lines, list items as `-` lines, table rows as `a | b` lines.
pub(crate) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Parsed, Unreadable> {
    let mut package = Package::open(bytes, limits)?;
    let document = package.document()?;
    let related = package.related(&document)?;
    let styles = match related.iter().find(|part| part.kind == "styles") {
        Some(part) => package.part(&part.name)?.map(|xml| styles::parse(&xml, limits)).transpose()?.unwrap_or_default(),
        None => styles::Styles::default(),
    };
    let main = package.part(&document)?.ok_or(Unreadable::NoDocument)?;
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
    let title = package.core_title(limits)?.or_else(|| first_heading(&text));
    Ok(Parsed { text, title, notes: Vec::new() })
}

/// The first heading, if the document begins with one soon enough for it to be a title.
fn first_heading(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .take(10)
        .find_map(|line| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim().to_owned()))
}
