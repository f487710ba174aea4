//! How the parts of a Word file refer to each other.

use crate::{
    Unreadable,
    package::{Package, resolve},
    xml::attribute,
};
use quick_xml::{Reader, events::Event};

/// A part that the document refers to.
pub(super) struct Related {
    /// The last word of the relationship's type: `styles`, `header`, `comments`, …
    pub(super) kind: String,
    /// The part's name within the container.
    pub(super) name: String,
}

/// The name of the part that holds the document.
pub(super) fn document(package: &mut Package<'_>) -> Result<String, Unreadable> {
    let found = relationships(package, "_rels/.rels", "")?.into_iter().find(|part| part.kind == "officeDocument");
    Ok(found.map_or_else(|| "word/document.xml".to_owned(), |part| part.name))
}

/// The parts that `document` refers to.
pub(super) fn related(package: &mut Package<'_>, document: &str) -> Result<Vec<Related>, Unreadable> {
    let (folder, file) = document.rsplit_once('/').unwrap_or(("", document));
    let separator = if folder.is_empty() { "" } else { "/" };
    relationships(package, &format!("{folder}{separator}_rels/{file}.rels"), folder)
}

fn relationships(package: &mut Package<'_>, name: &str, folder: &str) -> Result<Vec<Related>, Unreadable> {
    let Some(xml) = package.part(name)? else { return Ok(Vec::new()) };
    let mut reader = Reader::from_str(&xml);
    let mut found = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) if tag.local_name().as_ref() == "Relationship" => {
                let external = attribute(&tag, "TargetMode").is_some_and(|mode| mode == "External");
                let (Some(kind), Some(target)) = (attribute(&tag, "Type"), attribute(&tag, "Target")) else {
                    continue;
                };
                if !external {
                    let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                    found.push(Related { kind, name: resolve(folder, &target) });
                }
            }
            Ok(Event::DocType(_)) => return Err(Unreadable::XmlEntities),
            Ok(Event::Eof) => return Ok(found),
            Ok(_) => {}
            Err(source) => return Err(Unreadable::Xml { source }),
        }
    }
}
