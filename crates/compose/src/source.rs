//! Where weights come from: tensors by Hugging Face's names, some rows at a time.
//!
//! A source is never loaded whole. Whoever merges asks for rows, and a source reads those from its file; so what lies in
//! memory is a few blocks, and a file that is cut short meanwhile is an error and not a crash.

use crate::{ComposeError, Float};
use hinet_protocol::Hash;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

mod checkpoint;
mod gguf;
mod lora;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::read_json;
pub use gguf::GgufFile;
pub use lora::Adapted;

/// What a tensor looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its dimensions, slowest first: `[rows, columns]` for a matrix.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub float: Float,
}

impl Info {
    /// Numbers in a row: the last dimension, or all of them where there is but one.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows: the product of all dimensions but the last.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, rest)| rest.iter().product())
    }

    /// How many numbers there are.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A model's weights.
///
/// An implementation hands out the same numbers for the same rows each time, from any thread, and only finite ones.
pub trait Source: Send + Sync {
    /// What errors call it: its path.
    fn label(&self) -> String;

    /// All its tensors.
    fn tensors(&self) -> &BTreeMap<String, Info>;

    /// Reads `out.len() / columns` rows from `first` on into `out`.
    ///
    /// # Errors
    /// Where the tensor is not there, ends too early, or holds a number that is not finite.
    fn read(&self, name: &str, first: usize, out: &mut [f32]) -> Result<(), ComposeError>;

    /// BLAKE3 over what decides all its numbers.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn hash(&self) -> Result<Hash, ComposeError>;

    /// The folder with its configuration and tokenizer, where it has one.
    fn folder(&self) -> Option<&Path>;

    /// Whether its head is its embedding.
    fn tied(&self) -> bool;

    /// What a `config.json` says about it, where that is known.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn config(&self) -> Result<Option<Value>, ComposeError> {
        match self.folder().map(|folder| folder.join("config.json")) {
            Some(path) if path.exists() => read_json(&path).map(Some),
            _ => Ok(None),
        }
    }

    /// The small files that lie beside it and belong to a result too, above all its tokenizer, with their names.
    ///
    /// # Errors
    /// Where they cannot be read, or cannot be made of what the source has in their place.
    fn beside(&self) -> Result<Vec<(String, Vec<u8>)>, ComposeError> {
        beside(self.folder())
    }
}

impl std::fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.label())
    }
}

/// The files beside the weights that a result has from its anchor.
const FILES: [&str; 11] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "LICENSE",
];

/// Those of them that a folder has.
pub(crate) fn beside(folder: Option<&Path>) -> Result<Vec<(String, Vec<u8>)>, ComposeError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let there = FILES.into_iter().map(|name| (name, folder.join(name))).filter(|(_, from)| from.exists());
    let read = |(name, from): (&str, PathBuf)| match std::fs::read(&from) {
        Ok(bytes) => Ok((name.to_owned(), bytes)),
        Err(source) => Err(ComposeError::Read { path: from, source }),
    };
    there.map(read).collect()
}

/// Opens what a recipe calls a model: a folder, a GGUF file, or `base+adapter`.
///
/// # Errors
/// Where nothing usable lies there; the error says what was expected.
pub fn open(root: &Path, reference: &str) -> Result<Arc<dyn Source>, ComposeError> {
    let base = open_plain(&root.join(reference.split('+').next().unwrap_or_default()))?;
    adapted(root, base, reference)
}

/// Puts the adapter of a reference on its base, where it names one.
pub(crate) fn adapted(root: &Path, base: Arc<dyn Source>, reference: &str) -> Result<Arc<dyn Source>, ComposeError> {
    match reference.split_once('+') {
        Some((_, adapter)) => Ok(Arc::new(Adapted::open(base, &root.join(adapter))?)),
        None => Ok(base),
    }
}

fn open_plain(path: &Path) -> Result<Arc<dyn Source>, ComposeError> {
    if path.extension().is_some_and(|end| end == "gguf") {
        return Ok(Arc::new(GgufFile::open(path)?));
    }
    Ok(Arc::new(Checkpoint::open(path)?))
}

/// Sources by their hashes.
pub type Sources = BTreeMap<Hash, Arc<dyn Source>>;

pub(crate) fn not_finite(name: &str, whose: impl Fn() -> String, numbers: &[f32]) -> Result<(), ComposeError> {
    // Looked at to the end, because a loop without a way out is the quicker one.
    let suspicious = numbers.iter().fold(false, |found, number| found | !number.is_finite());
    if suspicious { Err(ComposeError::NotFinite { name: name.into(), whose: whose() }) } else { Ok(()) }
}

pub(crate) fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> ComposeError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| ComposeError::Read { path, source }
}

/// The layer that a tensor's name says, and where its digits are.
pub(crate) fn layer_of(name: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let mut at = 0;
    let mut before = "";
    for part in name.split('.') {
        if ["layers", "h", "blocks"].contains(&before) && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            return Some((part.parse().ok()?, at..at + part.len()));
        }
        at += part.len() + 1;
        before = part;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_found_in_names() {
        assert_eq!(layer_of("model.layers.12.mlp.up_proj.weight"), Some((12, 13..15)));
        assert_eq!(layer_of("model.layers.3.mlp.experts.5.w1.weight"), Some((3, 13..14)));
        assert_eq!(layer_of("model.embed_tokens.weight"), None);
    }

    #[test]
    fn what_is_not_finite_is_found() {
        assert!(not_finite("w", String::new, &[1.0, -3e38, 0.0]).is_ok());
        assert!(not_finite("w", String::new, &[1.0, f32::NAN]).is_err());
        assert!(not_finite("w", String::new, &[f32::INFINITY, 1.0]).is_err());
    }
}
