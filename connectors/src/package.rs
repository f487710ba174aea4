//! Containers of documents (Word, OpenDocument, EPUB): zip archives whose parts are asked for by name, with caps on how
//! many they are, on how much each may expand and on what all of them may. Nothing is unpacked to the disk.

use crate::{ReadLimits, Unreadable, decode};
use std::io::{Cursor, Read};
use zip::{ZipArchive, result::ZipError};

pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    limits: &'a ReadLimits,
    /// What it is, with its article, for the sentences.
    what: &'static str,
    /// What the parts read so far unpacked to.
    unpacked: u64,
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], what: &'static str, limits: &'a ReadLimits) -> Result<Self, Unreadable> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|source| Unreadable::Container { what, source })?;
        if archive.len() > limits.max_zip_entries {
            return Err(Unreadable::ZipEntries { count: archive.len(), what, limit: limits.max_zip_entries });
        }
        Ok(Self { archive, limits, what, unpacked: 0 })
    }

    /// A part's bytes; `None` where there is no such part.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        let what = self.what;
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(why)) if why.to_lowercase().contains("password") => {
                return Err(Unreadable::Encrypted);
            }
            Err(source) => return Err(Unreadable::Container { what, source }),
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
            .map_err(|source| Unreadable::Container { what, source: source.into() })?;
        if bytes.len() as u64 > cap {
            return Err(Unreadable::ZipBomb);
        }
        self.unpacked += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// The text of a part that is XML; `None` where there is no such part.
    pub(crate) fn part(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        Ok(self.bytes(name)?.map(decode::xml))
    }

    /// The names of all parts, as they are written down.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()))
    }

    /// The sentence for a container without what makes it one.
    pub(crate) fn nothing(&self) -> Unreadable {
        Unreadable::NoDocument { what: self.what }
    }
}

/// What one part calls another, as a part name: relative to the folder, or absolute within the container.
pub(crate) fn resolve(folder: &str, target: &str) -> String {
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
            ("OEBPS", "../../../etc/passwd", "etc/passwd"),
        ] {
            assert_eq!(resolve(folder, target), expected);
        }
    }
}
