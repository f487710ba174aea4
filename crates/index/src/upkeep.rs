//! Keeping the index at the vault's side: catching up, embedding, purging, rebuilding, checking.
//!
//! Every step may be cut off anywhere. The vault's queue is only shortened after the commit that holds its entries is
//! on disk, and applying an entry twice changes nothing.

use crate::{Index, IndexError, lexical::Lexical, vectors, view::View};
use hinet_model::Embedder;
use hinet_protocol::Check;
use hinet_vault::Vault;
use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

/// Queue entries or chunks read from the vault at once.
const BATCH: usize = 512;
/// Queue entries after which a long catch-up commits, so that it need not begin again.
const COMMIT_EVERY: usize = 16 * 1024;
/// Chunks embedded and stored at once; small enough to stop within a second or so.
const EMBED_BATCH: usize = 32;

impl Index {
    /// Brings the index up to the vault's queue; what was put into the vault before is found by words afterwards.
    /// Returns how many queue entries were taken in.
    ///
    /// # Errors
    /// Where the vault or the index cannot be used. Nothing is lost: the queue stays as it was.
    pub fn apply(&self, vault: &Vault) -> Result<usize, IndexError> {
        self.apply_locked(vault, &mut self.lexical())
    }

    pub(crate) fn apply_locked(&self, vault: &Vault, lexical: &mut Lexical) -> Result<usize, IndexError> {
        let applied = self.apply_rows(vault, lexical);
        if applied.is_err() {
            lexical.give_up();
        }
        applied
    }

    fn apply_rows(&self, vault: &Vault, lexical: &mut Lexical) -> Result<usize, IndexError> {
        let (mut total, mut pending) = (0, 0);
        let mut after = applied(vault)?;
        loop {
            let rows = vault.read(|reader| Ok::<_, IndexError>(reader.index_queue(after, BATCH)?))?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let gone: HashSet<i64> = rows.iter().filter(|row| !row.add).map(|row| row.chunk).collect();
            let added: Vec<i64> =
                rows.iter().filter(|row| row.add && !gone.contains(&row.chunk)).map(|row| row.chunk).collect();
            for chunk in &gone {
                lexical.remove(*chunk)?;
            }
            self.drop_vectors(&gone);
            // What is no longer in the vault has its removal further on in the queue.
            for view in vault.read(|reader| Ok::<_, IndexError>(reader.chunk_views(&added)?))? {
                lexical.add(&view)?;
            }
            total += rows.len();
            pending += rows.len();
            if pending >= COMMIT_EVERY {
                self.commit(vault, lexical, after)?;
                pending = 0;
            }
        }
        if pending > 0 {
            self.commit(vault, lexical, after)?;
        }
        Ok(total)
    }

    fn commit(&self, vault: &Vault, lexical: &mut Lexical, seq: i64) -> Result<(), IndexError> {
        // Seen first, then made durable, then told to the vault: a new document is found while the disk still works.
        lexical.commit(seq)?;
        self.show(lexical.view()?);
        lexical.make_durable()?;
        vault.write(|tx| Ok::<_, IndexError>(tx.index_applied(seq)?))
    }

    fn show(&self, view: View) {
        *self.view_mut() = view;
    }

    fn drop_vectors(&self, chunks: &HashSet<i64>) {
        let mut vectors = self.vectors_mut();
        for chunk in chunks {
            vectors.remove(*chunk);
        }
    }

    /// Embeds chunks that have no vector of this embedder yet, at most `limit`; returns how many. `progress` is told
    /// how many are done and how many there were to do. Search goes on meanwhile.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] where `cancel` was raised; what was embedded so far is stored.
    pub fn embed_pending(
        &self,
        vault: &Vault,
        embedder: &Embedder,
        limit: usize,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<usize, IndexError> {
        let hash = embedder.hash();
        let stats = vault.read(|reader| Ok::<_, IndexError>(reader.counts()?))?;
        let todo = stats.chunks.saturating_sub(self.vectors().len() as u64).min(limit as u64);
        let mut done = 0;
        while done < limit {
            if cancel.load(Ordering::Relaxed) {
                return Err(IndexError::Cancelled);
            }
            let want = EMBED_BATCH.min(limit - done);
            let views = vault.read(|reader| Ok::<_, IndexError>(reader.chunks_unembedded(hash, want)?))?;
            if views.is_empty() {
                break;
            }
            let texts: Vec<String> = views.iter().map(embedded_text).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let made = embedder.embed(&texts)?;
            let rows: Vec<(i64, Vec<u8>)> = views
                .iter()
                .zip(&made)
                .map(|(view, vector)| Ok((view.chunk.id, vectors::encode(vector)?)))
                .collect::<Result<_, IndexError>>()?;
            done += self.store_vectors(vault, hash, rows)?;
            progress(done as u64, todo.max(done as u64));
        }
        self.accelerate();
        Ok(done)
    }

    /// Stores vectors in the vault and in RAM, leaving out chunks that were forgotten meanwhile. The writer's lock is
    /// held over both, so that a forgotten chunk's vector cannot come back behind a purge.
    pub(crate) fn store_vectors(
        &self,
        vault: &Vault,
        embedder: hinet_protocol::Hash,
        rows: Vec<(i64, Vec<u8>)>,
    ) -> Result<usize, IndexError> {
        let _writing = self.lexical();
        let count = rows.len();
        let kept = vault.write(|tx| {
            let ids: Vec<i64> = rows.iter().map(|(chunk, _)| *chunk).collect();
            let items: std::collections::HashMap<i64, _> =
                tx.chunk_views(&ids)?.into_iter().map(|view| (view.chunk.id, view.item.id)).collect();
            let kept: Vec<(i64, Vec<u8>)> = rows.into_iter().filter(|(chunk, _)| items.contains_key(chunk)).collect();
            tx.put_vectors(embedder, &kept)?;
            Ok::<_, IndexError>(
                kept.into_iter().map(|(chunk, stored)| (chunk, items[&chunk], stored)).collect::<Vec<_>>(),
            )
        })?;
        if embedder == self.embedder {
            let mut set = self.vectors_mut();
            for (chunk, item, stored) in &kept {
                if set.insert(*chunk, *item, stored)
                    && let Some(values) = set.values(*chunk)
                {
                    self.accelerator.insert(*chunk, values);
                }
            }
        }
        Ok(count)
    }

    /// After a forget: takes in the removals, rewrites every segment that still holds a removed chunk, removes the old
    /// files and drops the vectors from RAM. When it returns, nothing of what was forgotten is left in the index.
    ///
    /// # Errors
    /// Where that could not be finished; call it again, or [`Index::rebuild`].
    pub fn purge(&self, vault: &Vault) -> Result<(), IndexError> {
        let mut lexical = self.lexical();
        self.accelerator.forget();
        self.apply_locked(vault, &mut lexical)?;
        let kept: HashSet<i64> =
            vault.read(|reader| Ok::<_, IndexError>(reader.all_chunk_ids()?))?.into_iter().collect();
        let stray: HashSet<i64> =
            self.vectors().chunks().iter().copied().filter(|chunk| !kept.contains(chunk)).collect();
        self.drop_vectors(&stray);
        lexical.settle()?;
        // Replacing the view waits for searches that still read the old one; only then can its files go.
        self.show(lexical.view()?);
        lexical.clear()?;
        drop(lexical);
        self.accelerate();
        Ok(())
    }

    /// Makes the lexical index again from the vault alone, and reads the vectors anew.
    ///
    /// # Errors
    /// Where the vault or the folder cannot be used. The next start begins again.
    pub fn rebuild(&self, vault: &Vault, progress: &mut dyn FnMut(u64, u64)) -> Result<(), IndexError> {
        let mut lexical = self.lexical();
        let directory = crate::directory_of(&self.dir, &self.key, vault)?;
        *lexical = refill(directory, vault, progress)?;
        self.show(lexical.view()?);
        self.accelerator.forget();
        let (loaded, _) = crate::load_vectors(vault, self.embedder)?;
        *self.vectors_mut() = loaded;
        drop(lexical);
        self.accelerate();
        Ok(())
    }

    /// Looks the index over: every block of every file, and whether it holds exactly the vault's chunks.
    ///
    /// # Errors
    /// Where the vault cannot be read; what is wrong with the index is in the findings.
    pub fn check(&self, vault: &Vault) -> Result<Vec<Check>, IndexError> {
        let lexical = self.lexical();
        let finding = |name: &str, ok: bool, detail: String| Check {
            name: name.to_owned(),
            state: if ok { "ok" } else { "damaged" }.to_owned(),
            detail,
        };
        let bad = lexical.verify().unwrap_or_else(|error| vec![error.to_string()]);
        let bytes = lexical.bytes()?;
        let files = if bad.is_empty() {
            format!("every block of the search index opens ({bytes} bytes on disk).")
        } else {
            format!("{} part(s) of the search index do not open: {}", bad.len(), bad.join("; "))
        };
        let (truth, waiting) = vault.read(|reader| {
            let waiting: HashSet<i64> = reader
                .index_queue(reader.index_applied_up_to()?, usize::MAX >> 1)?
                .into_iter()
                .map(|row| row.chunk)
                .collect();
            Ok::<_, IndexError>((reader.all_chunk_ids()?.into_iter().collect::<HashSet<i64>>(), waiting))
        })?;
        let held = self.view().chunks();
        let differ = truth.symmetric_difference(&held).filter(|chunk| !waiting.contains(chunk)).count();
        let agree = format!("the index holds {} of the vault's {} chunks; {differ} disagree.", held.len(), truth.len());
        let vectors = self.vectors();
        let stray = vectors.chunks().iter().filter(|chunk| !truth.contains(chunk) && !waiting.contains(chunk)).count();
        let meaning = format!("{} chunks have a vector in memory; {stray} of them belong to nothing.", vectors.len());
        Ok(vec![
            finding("index files", bad.is_empty(), files),
            finding("index content", differ == 0, agree),
            finding("index vectors", stray == 0, meaning),
        ])
    }
}

/// What of a chunk is embedded: its title and heading in front, because a passage alone often does not say what it
/// is about.
fn embedded_text(view: &hinet_vault::records::ChunkView) -> String {
    let mut text = String::with_capacity(view.text.len() + 64);
    for part in [&view.item.title, &view.chunk.heading] {
        if !part.is_empty() && !text.contains(part.as_str()) {
            text.push_str(part);
            text.push('\n');
        }
    }
    text.push_str(&view.text);
    text
}

/// The queue entry the vault believes the index to be at.
pub(crate) fn applied(vault: &Vault) -> Result<i64, IndexError> {
    vault.read(|reader| Ok(reader.index_applied_up_to()?))
}

/// A new lexical index with all chunks of the vault.
pub(crate) fn refill(
    directory: crate::directory::SealedDirectory,
    vault: &Vault,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Lexical, IndexError> {
    let mut lexical = Lexical::create(directory)?;
    let (ids, seq) = vault.read(|reader| {
        let seq = reader.index_queue_max()?.max(reader.index_applied_up_to()?);
        Ok::<_, IndexError>((reader.all_chunk_ids()?, seq))
    })?;
    let total = ids.len() as u64;
    for (batch, ids) in ids.chunks(BATCH).enumerate() {
        for view in vault.read(|reader| Ok::<_, IndexError>(reader.chunk_views(ids)?))? {
            lexical.add(&view)?;
        }
        progress(((batch * BATCH) as u64 + ids.len() as u64).min(total), total);
    }
    lexical.commit(seq)?;
    lexical.make_durable()?;
    vault.write(|tx| Ok::<_, IndexError>(tx.index_applied(seq)?))?;
    Ok(lexical)
}
