//! Vectors: derived from chunks, kept here because they cost much to make. What the bytes mean is the index's affair.

use super::columns::{count, id};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, ItemId};

impl Reader<'_> {
    /// Hands every vector of an embedder to `f`, in the order they were made, without holding more than one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn vectors(&self, embedder: Hash, f: &mut dyn FnMut(i64, ItemId, &[u8])) -> Result<(), VaultError> {
        let Some(embedder) = self.embedder(embedder)? else { return Ok(()) };
        // "+": one pass over the table in its own order, not a hop per row through the index on (chunk, embedder).
        let sql = "SELECT chunk, item, vector FROM vectors WHERE +embedder = ?1 ORDER BY n";
        let mut all = self.db.prepare_cached(sql)?;
        let mut rows = all.query([embedder])?;
        while let Some(row) = rows.next()? {
            let vector = row.get_ref(2)?.as_blob().map_err(|_| VaultError::row("a vector"))?;
            f(row.get(0)?, id(row, 1)?, vector);
        }
        Ok(())
    }

    /// The vector of one chunk.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn vector(&self, embedder: Hash, chunk: i64) -> Result<Option<Vec<u8>>, VaultError> {
        let Some(embedder) = self.embedder(embedder)? else { return Ok(None) };
        let mut one = self.db.prepare_cached("SELECT vector FROM vectors WHERE chunk = ?1 AND embedder = ?2")?;
        let mut rows = one.query([chunk, embedder])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// How many chunks have a vector of this embedder.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn embedded(&self, embedder: Hash) -> Result<u64, VaultError> {
        let Some(embedder) = self.embedder(embedder)? else { return Ok(0) };
        let mut all = self.db.prepare_cached("SELECT count(*) FROM vectors WHERE embedder = ?1")?;
        Ok(all.query_row([embedder], |row| count(row, 0))?)
    }

    fn embedder(&self, embedder: Hash) -> Result<Option<i64>, VaultError> {
        let mut one = self.db.prepare_cached("SELECT n FROM embedders WHERE hash = ?1")?;
        let mut rows = one.query([embedder.0])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }
}

impl Tx<'_> {
    /// Stores vectors. A chunk that is gone by now is passed over; a vector that is there is replaced.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_vectors(&self, embedder: Hash, vectors: &[(i64, Vec<u8>)]) -> Result<(), VaultError> {
        if vectors.is_empty() {
            return Ok(());
        }
        self.db.prepare_cached("INSERT OR IGNORE INTO embedders (hash) VALUES (?1)")?.execute([embedder.0])?;
        let embedder = self.embedder(embedder)?.ok_or(VaultError::Missing { what: "embedder" })?;
        let mut put = self.db.prepare_cached(
            "INSERT INTO vectors (chunk, embedder, item, vector)
             SELECT chunks.id, ?2, items.id, ?3 FROM chunks JOIN items ON items.n = chunks.item WHERE chunks.id = ?1
             ON CONFLICT (chunk, embedder) DO UPDATE SET vector = excluded.vector",
        )?;
        for (chunk, vector) in vectors {
            put.execute((chunk, embedder, vector))?;
        }
        Ok(())
    }

    /// Removes every vector of every embedder but this one; gives how many went.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn keep_only_embedder(&self, embedder: Hash) -> Result<u64, VaultError> {
        let keep = self.embedder(embedder)?;
        let gone = self.db.execute("DELETE FROM vectors WHERE embedder IS NOT ?1", [keep])?;
        self.db.execute("DELETE FROM embedders WHERE n IS NOT ?1", [keep])?;
        Ok(gone as u64)
    }
}
