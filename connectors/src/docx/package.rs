//! The zip container: its caps, its relationships and its parts.

use super::styles::attribute;
use crate::{ReadLimits, Unreadable};
use quick_xml::{Reader, events::Event};
use std::io::{Cursor, Read};
use zip::{ZipArchive, result::ZipError};

pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    limits: &'a ReadLimits,
    /// What the parts read so far unpacked to.
    unpacked: u64,
}

/// A part that the document refers to.
pub(super) struct Related {
    /// The last word of the relationship's type: `styles`, `header`, `comments`, …
    pub(super) kind: String,
    /// The part's name within the container.
    pub(super) name: String,
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &'a ReadLimits) -> Result<Self, Unreadable> {
        // The old Word format, and also what Word makes of a DOCX that is saved with a password.
        if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
            return Err(Unreadable::WordEncrypted);
        }
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|source| Unreadable::Container { source })?;
        if archive.len() > limits.max_zip_entries {
            return Err(Unreadable::ZipEntries { count: archive.len(), limit: limits.max_zip_entries });
        }
        Ok(Self { archive, limits, unpacked: 0 })
    }

    /// A part's text; `None` where there is no such part.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(source) => return Err(Unreadable::Container { source }),
        };
        // The size in the directory is the writer's claim; what comes out is counted all the same.
        let packed = entry.compressed_size();
        let left = self.limits.max_zip_bytes.saturating_sub(self.unpacked);
        // Small parts may expand as they like: a page of blanks is no bomb.
        let cap = packed.saturating_mul(self.limits.max_zip_ratio).max(1 << 20).min(left);
        if entry.size() > cap {
            return Err(Unreadable::ZipBomb);
        }
        let mut bytes = Vec::new();
        entry
            .take(cap + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| Unreadable::Container { source: source.into() })?;
        if bytes.len() as u64 > cap {
            return Err(Unreadable::ZipBomb);
        }
        self.unpacked += bytes.len() as u64;
        Ok(Some(crate::decode::xml(bytes)))
    }

    /// The name of the part that holds the document.
    pub(super) fn document(&mut self) -> Result<String, Unreadable> {
        let found = self.relationships("_rels/.rels", "")?.into_iter().find(|part| part.kind == "officeDocument");
        Ok(found.map_or_else(|| "word/document.xml".to_owned(), |part| part.name))
    }

    /// The parts that `document` refers to.
    pub(super) fn related(&mut self, document: &str) -> Result<Vec<Related>, Unreadable> {
        let (folder, file) = document.rsplit_once('/').unwrap_or(("", document));
        let separator = if folder.is_empty() { "" } else { "/" };
        self.relationships(&format!("{folder}{separator}_rels/{file}.rels"), folder)
    }

    fn relationships(&mut self, name: &str, folder: &str) -> Result<Vec<Related>, Unreadable> {
        let Some(xml) = self.part(name)? else { return Ok(Vec::new()) };
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

    /// The title in the document's core properties.
    pub(super) fn core_title(&mut self, limits: &ReadLimits) -> Result<Option<String>, Unreadable> {
        let Some(xml) = self.part("docProps/core.xml")? else { return Ok(None) };
        super::styles::element_text(&xml, "title", limits)
    }
}

/// A relationship's target as a part name: relative to the folder, or absolute within the container.
fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn targets() {
        for (folder, target, expected) in [
            ("", "word/document.xml", "word/document.xml"),
            ("word", "header1.xml", "word/header1.xml"),
            ("word", "../docProps/core.xml", "docProps/core.xml"),
            ("word", "/word/styles.xml", "word/styles.xml"),
        ] {
            assert_eq!(resolve(folder, target), expected);
        }
    }
}
