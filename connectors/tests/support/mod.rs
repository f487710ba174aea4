//! What the tests share: leave to read a folder, from a real vault and a real grant.
#![allow(dead_code, unused_imports, reason = "each test target uses its own part")]

#[path = "leave.rs"]
mod granted;

pub use granted::leave;

use hinet_connectors::{Document, Extractor, FileRef, ReadLimits, Reader, Reading, Skipped, Taker, read, walk};
use hinet_consent::Consent;
use std::{
    collections::HashSet,
    fs,
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A folder that was opened to HiNet.
pub struct Opened {
    pub reading: Reading,
    pub consent: Consent,
    pub root: PathBuf,
    pub limits: ReadLimits,
    folder: TempDir,
    _home: TempDir,
}

impl Opened {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().canonicalize().expect("its real place");
        let (reading, consent, home) = leave(&root);
        Self { reading, consent, root, limits: ReadLimits::default(), folder, _home: home }
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Reads one file of the folder as ingest would.
    pub fn read(&self, name: &str) -> Result<Document, Skipped> {
        read(&self.reading, &reference(&self.root.join(name)), &self.limits, &extractor())
    }

    pub fn read_bytes(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<Document, Skipped> {
        self.write(name, bytes);
        self.read(name)
    }

    /// The walk's files by name below the root, and what was skipped.
    pub fn walk(&self) -> (Vec<String>, Vec<Skipped>) {
        self.sort(walk(&self.reading, &self.root, &self.limits))
    }

    pub fn sort(&self, walk: impl Iterator<Item = Result<FileRef, Skipped>>) -> (Vec<String>, Vec<Skipped>) {
        let (mut files, mut skipped) = (Vec::new(), Vec::new());
        for found in walk {
            match found {
                Ok(file) => {
                    let below = file.path.strip_prefix(&self.root).expect("below the root");
                    files.push(below.to_string_lossy().into_owned());
                }
                Err(other) => skipped.push(other),
            }
        }
        (files, skipped)
    }
}

/// What a file gave, item by item.
#[derive(Default)]
pub struct Got {
    pub documents: Vec<Document>,
    pub skipped: Vec<Skipped>,
    /// Keys that are said to be kept already.
    pub known: HashSet<String>,
    /// How many of these were asked for.
    pub same: usize,
}

impl Taker for Got {
    fn has(&mut self, key: &str) -> bool {
        let has = self.known.contains(key);
        self.same += usize::from(has);
        has
    }

    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()> {
        match found {
            Ok(document) => {
                self.known.insert(document.key.clone());
                self.documents.push(document);
            }
            Err(skipped) => self.skipped.push(skipped),
        }
        ControlFlow::Continue(())
    }
}

impl Got {
    /// The documents by the end of their key.
    pub fn text(&self, end: &str) -> &Document {
        let found = self.documents.iter().find(|document| document.key.ends_with(end));
        found.unwrap_or_else(|| panic!("no {end} among {:?}", self.keys()))
    }

    pub fn keys(&self) -> Vec<&str> {
        self.documents.iter().map(|document| document.key.as_str()).collect()
    }
}

/// Everything at or below a folder or in a file, read as ingest would.
pub fn gather(root: &Path) -> Got {
    let root = root.canonicalize().expect("a real place");
    let (reading, _consent, _home) = leave(&root);
    let (limits, extractor) = (ReadLimits::default(), extractor());
    let mut reader = Reader::new(&reading, &limits, &extractor);
    let mut got = Got::default();
    for found in walk(&reading, &root, &limits) {
        match found {
            Ok(file) => {
                reader.read(&file, &mut got);
            }
            Err(skipped) => got.skipped.push(skipped),
        }
    }
    got
}

pub fn reference(path: &Path) -> FileRef {
    let size = fs::symlink_metadata(path).map_or(0, |meta| meta.len());
    FileRef { path: path.to_path_buf(), modified: 0, size }
}

pub fn extractor() -> Extractor {
    Extractor { program: env!("CARGO_BIN_EXE_hinet-extract").into(), args: Vec::new() }
}

/// A folder of the fixtures, where they are at hand.
pub fn fixtures(folder: &str) -> Option<PathBuf> {
    // A second working tree may lie a folder deeper than the first.
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join("shared/data").join(folder));
    let found = above.find_map(|path| path.canonicalize().ok());
    if found.is_none() {
        eprintln!("skipped: the fixtures in shared/data/{folder} are not here");
    }
    found
}

/// The files with this extension at or below a folder, in order.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a listing").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|have| have == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A DOCX, a book or an OpenDocument file of these parts.
pub fn docx(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in parts {
        let mut options = zip::write::SimpleFileOptions::default();
        // The part that says what a container is lies in it as it is.
        if *name == "mimetype" {
            options = options.compression_method(zip::CompressionMethod::Stored);
        }
        zip.start_file(*name, options).expect("a part");
        zip.write_all(content.as_bytes()).expect("its content");
    }
    zip.finish().expect("a container").into_inner()
}

/// A DOCX whose body is `body`.
pub fn docx_body(body: &str) -> Vec<u8> {
    docx(&[("word/document.xml", &format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>"))])
}
