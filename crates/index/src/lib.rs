//! Chunking, BM25 and vectors, hybrid search.
//!
//! Everything here is derived: from the vault alone it can be made again, and it says so when it had to be. On disk it
//! is sealed; vectors and the graph over them live in RAM only. It is never the only copy of anything, asks no model
//! but the embedder, and knows neither grants nor askers.

mod asked;
mod choose;
mod chunk;
mod directory;
mod error;
mod fuse;
mod hnsw;
mod kernel;
mod lexical;
mod people;
mod persons;
pub mod read;
mod search;
mod second;
mod stages;
mod thread;
mod timeline;
mod upkeep;
mod vectors;
mod view;
mod when;
mod words;

pub use asked::{Asked, Filter, NotADate};
pub use chunk::{CHAT, chunk};
pub use error::IndexError;
pub use fuse::{Candidate, Fused, Weights, diverse, fuse, recency, together};
pub use hnsw::GRAPH_FROM;
pub use people::{is_meant, people};
pub use persons::{Person, Persons, Stored, Told, Unclear};
pub use search::{PIN_LIFT, Query};
pub use stages::Stages;
pub use thread::around;
pub use vectors::{Near, Probe, Vectors, decode, encode};

use directory::SealedDirectory;
use hinet_protocol::Hash;
use hinet_vault::{Vault, sealed::SealKey};
use lexical::Lexical;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use view::View;

/// The search index of one home. Any number of searches run beside one writer.
pub struct Index {
    dir: PathBuf,
    key: SealKey,
    embedder: Hash,
    /// The one writer; whoever changes files or vectors holds it.
    lexical: Mutex<Lexical>,
    /// The state that searches read. Searches hold it while they read, so replacing it waits for them.
    view: RwLock<View>,
    vectors: Arc<RwLock<Vectors>>,
    accelerator: Arc<hnsw::Accelerator>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("dir", &self.dir).field("embedder", &self.embedder).finish_non_exhaustive()
    }
}

impl Index {
    /// Opens the index at `dir`, catches up with the vault, and reads the vectors of `embedder` into RAM. Every block
    /// on disk is opened once. Where the index is missing, damaged, older than the vault knows it or made by other
    /// rules it is made again from the vault; the sentences that say so are returned.
    ///
    /// # Errors
    /// Where the vault or the folder cannot be used.
    pub fn open(dir: &Path, key: &SealKey, vault: &Vault, embedder: Hash) -> Result<(Self, Vec<String>), IndexError> {
        let mut notices = Vec::new();
        let directory = directory_of(dir, key, vault)?;
        let lexical = match opened(directory.clone(), vault)? {
            Opened::Sound(lexical) => *lexical,
            Opened::Absent => Lexical::create(directory)?,
            Opened::Unusable(why) => {
                tracing::warn!(%why, "the search index is made again");
                notices.push(format!("The search index {why}; it was made again from the vault. Nothing was lost."));
                upkeep::refill(directory, vault, &mut |_, _| {})?
            }
        };
        let (vectors, unreadable) = load_vectors(vault, embedder)?;
        if unreadable > 0 {
            notices.push(format!(
                "{unreadable} stored vectors could not be read; those passages are found by words only."
            ));
        }
        let view = lexical.view()?;
        let index = Self {
            dir: dir.to_owned(),
            key: key.clone(),
            embedder,
            lexical: Mutex::new(lexical),
            view: RwLock::new(view),
            vectors: Arc::new(RwLock::new(vectors)),
            accelerator: Arc::default(),
        };
        index.apply(vault)?;
        let chunks = vault.read(|reader| Ok::<_, IndexError>(reader.counts()?))?.chunks;
        if index.len() != chunks {
            notices.push(format!(
                "The search index held {} passages where the vault has {chunks}; it was made again from the vault. Nothing was lost.",
                index.len()
            ));
            index.rebuild(vault, &mut |_, _| {})?;
        }
        index.accelerate();
        Ok((index, notices))
    }

    /// How many chunks can be found by words.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.view().len()
    }

    /// Whether there is nothing to find.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many chunks can be found by meaning.
    #[must_use]
    pub fn embedded(&self) -> u64 {
        self.vectors().len() as u64
    }

    /// The embedder whose vectors are searched.
    #[must_use]
    pub fn embedder(&self) -> Hash {
        self.embedder
    }

    /// How many segments the lexical index has.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.view().segments()
    }

    fn accelerate(&self) {
        self.accelerator.build_if_worth(&self.vectors, GRAPH_FROM);
    }

    // What a poisoned lock guards is either whole or found damaged by the next use, so the locks are used on.

    fn lexical(&self) -> MutexGuard<'_, Lexical> {
        self.lexical.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn vectors(&self) -> RwLockReadGuard<'_, Vectors> {
        self.vectors.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn vectors_mut(&self) -> RwLockWriteGuard<'_, Vectors> {
        self.vectors.write().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Opened {
    Sound(Box<Lexical>),
    /// There is none, and there need not be one yet.
    Absent,
    /// Why it must be made again, to follow "The search index".
    Unusable(String),
}

fn opened(directory: SealedDirectory, vault: &Vault) -> Result<Opened, IndexError> {
    let applied = upkeep::applied(vault)?;
    let lexical = match Lexical::open(directory) {
        Ok(Some(lexical)) => lexical,
        Ok(None) if applied == 0 => return Ok(Opened::Absent),
        Ok(None) => return Ok(Opened::Unusable("was missing".to_owned())),
        Err(IndexError::Engine { source: tantivy::TantivyError::SchemaError(_) }) => {
            return Ok(Opened::Unusable("was made by another version of icore".to_owned()));
        }
        Err(IndexError::Damaged { source } | IndexError::Engine { source }) => {
            tracing::warn!(%source, "the search index does not open");
            return Ok(Opened::Unusable("was damaged".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let newest = vault.read(|reader| Ok::<_, IndexError>(reader.index_queue_max()?))?.max(applied);
    Ok(match lexical.seq() {
        Ok(Some(seq)) if seq < applied => {
            Opened::Unusable("was older than the vault knows it (an old copy was put back)".to_owned())
        }
        Ok(Some(seq)) if seq > newest => Opened::Unusable("was newer than the vault".to_owned()),
        Ok(Some(_)) => Opened::Sound(Box::new(lexical)),
        // Made but never committed: nothing is in it.
        Ok(None) if applied == 0 && lexical.view()?.len() == 0 => Opened::Sound(Box::new(lexical)),
        Ok(None) => Opened::Unusable("was made by another version of icore, or not finished".to_owned()),
        Err(_) => Opened::Unusable("was damaged".to_owned()),
    })
}

fn directory_of(dir: &Path, key: &SealKey, vault: &Vault) -> Result<SealedDirectory, IndexError> {
    SealedDirectory::open(dir, key, &vault.derive_key("index names"))
        .map_err(|source| IndexError::Folder { path: dir.to_owned(), source })
}

/// The vectors of one embedder, and how many could not be read.
fn load_vectors(vault: &Vault, embedder: Hash) -> Result<(Vectors, u64), IndexError> {
    let (mut vectors, mut unreadable) = (Vectors::default(), 0);
    vault.read(|reader| {
        Ok::<_, IndexError>(reader.vectors(embedder, &mut |chunk, item, stored| {
            if !vectors.insert(chunk, item, stored) {
                unreadable += 1;
            }
        })?)
    })?;
    Ok((vectors, unreadable))
}
