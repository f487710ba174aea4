//! A small home with a vault, and things to put into it.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use hinet_index::{Index, IndexError, chunk, encode};
use hinet_protocol::{Hash, ItemId, SourceId, SourceKind, SourceState, Trust};
use hinet_vault::{
    Home, SealKey, Vault, Words,
    records::{ItemRow, SourceRow},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::PathBuf;

/// 2026-01-01, so that nothing depends on the clock.
pub const NOW: i64 = 1_767_225_600_000;
pub const DIM: usize = 48;

pub struct Kit {
    pub folder: tempfile::TempDir,
    pub vault: Vault,
    pub source: SourceId,
    pub key: SealKey,
    pub embedder: Hash,
}

impl Kit {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        let vault = Vault::create(&home, "Test", &Words::generate(), &[], NOW).unwrap();
        let source = SourceId::new();
        vault
            .write(|tx| {
                tx.put_source(&SourceRow {
                    id: source,
                    kind: SourceKind::Folder,
                    path: "/notes".into(),
                    state: SourceState::Active,
                    grant: None,
                    added: NOW,
                    synced: None,
                })
            })
            .unwrap();
        let key = vault.seal_key("index");
        Self { folder, vault, source, key, embedder: Hash([7; 32]) }
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    pub fn open(&self) -> (Index, Vec<String>) {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> Result<(Index, Vec<String>), IndexError> {
        Index::open(&self.dir(), &self.key, &self.vault, self.embedder)
    }

    pub fn put(&self, name: &str, text: &str) -> ItemId {
        self.put_as(ItemId::new(), name, text)
    }

    pub fn put_as(&self, id: ItemId, name: &str, text: &str) -> ItemId {
        let item = self.row(id, name, text);
        self.vault.write(|tx| tx.put_item(&item, &chunk(text, &item.kind))).unwrap();
        id
    }

    pub fn row(&self, id: ItemId, name: &str, text: &str) -> ItemRow {
        ItemRow {
            id,
            source: self.source,
            key: format!("/notes/{name}"),
            title: name.to_owned(),
            kind: if name.ends_with(".md") { "markdown" } else { "text" }.into(),
            trust: Trust::Own,
            modified: NOW,
            ingested: NOW,
            hash: Hash([0; 32]),
            text: text.to_owned(),
            filing: None,
        }
    }

    /// Gives every chunk that has none a vector made from its words, so that like words make like vectors.
    pub fn embed_all(&self) {
        let views = self.vault.read(|r| r.chunks_unembedded(self.embedder, usize::MAX >> 1)).unwrap();
        let rows: Vec<(i64, Vec<u8>)> =
            views.iter().map(|v| (v.chunk.id, encode(&meaning(&v.text)).unwrap())).collect();
        self.vault.write(|tx| tx.put_vectors(self.embedder, &rows)).unwrap();
    }

    pub fn forget(&self, item: ItemId) -> u64 {
        self.vault.write(|tx| tx.delete_item(item)).unwrap()
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.dir()).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// A stand-in for an embedding: the sum of a fixed random direction per word.
pub fn meaning(text: &str) -> Vec<f32> {
    let mut sum = vec![0f32; DIM];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 2) {
        let seed = word.to_lowercase().bytes().fold(17u64, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        let mut rng = StdRng::seed_from_u64(seed);
        sum.iter_mut().for_each(|x| *x += rng.random_range(-1.0f32..1.0));
    }
    sum
}

/// `count` words drawn from a small vocabulary.
pub fn prose(rng: &mut StdRng, count: usize) -> String {
    const WORDS: &[&str] = &[
        "river", "garden", "meeting", "budget", "winter", "coffee", "train", "letter", "harbour", "lantern", "engine",
        "recipe", "market", "window", "island", "ticket", "doctor", "bridge", "summer", "violin", "planet", "castle",
    ];
    let mut text = String::new();
    for i in 0..count {
        text.push_str(WORDS[rng.random_range(0..WORDS.len())]);
        text.push_str(if i % 11 == 10 { ". " } else { " " });
    }
    text
}
