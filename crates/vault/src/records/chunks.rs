//! Chunks and the queue of what the search index has yet to take up.

use super::columns::{Id, count, hash, id, size};
use super::items::{HEAD, item_head};
use super::{ChunkRow, ChunkView, QueueRow, Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, ItemId, Span, Stats};
use rusqlite::{MAIN_DB, Row};

const CHUNK: &str = "chunks.id, items.id, chunks.ordinal, chunks.span_start, chunks.span_end, chunks.heading";
/// Name of the value that tells how far the index has come.
const APPLIED: &str = "index_applied";

fn chunk_row(row: &Row<'_>) -> rusqlite::Result<ChunkRow> {
    Ok(ChunkRow {
        id: row.get(0)?,
        item: id(row, 1)?,
        ordinal: row.get(2)?,
        span: Span { start: size(row, 3)?, end: size(row, 4)? },
        heading: row.get(5)?,
    })
}

impl Reader<'_> {
    /// The chunks of an item, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chunks_of(&self, item: ItemId) -> Result<Vec<ChunkRow>, VaultError> {
        let sql = format!(
            "SELECT {CHUNK} FROM items JOIN chunks ON chunks.item = items.n WHERE items.id = ?1 ORDER BY chunks.ordinal"
        );
        let mut all = self.db.prepare_cached(&sql)?;
        Ok(all.query_map([item.raw()], chunk_row)?.collect::<Result<_, _>>()?)
    }

    /// A chunk with its text and item.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chunk(&self, chunk: i64) -> Result<Option<ChunkView>, VaultError> {
        Ok(self.chunk_views(&[chunk])?.pop())
    }

    /// Chunks with their texts and items, in the order asked for; chunks that are gone are passed over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chunk_views(&self, chunks: &[i64]) -> Result<Vec<ChunkView>, VaultError> {
        let sql = format!(
            "SELECT {CHUNK}, items.n, {HEAD} FROM chunks JOIN items ON items.n = chunks.item WHERE chunks.id = ?1"
        );
        let mut one = self.db.prepare_cached(&sql)?;
        let mut views = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let mut rows = one.query([chunk])?;
            if let Some(row) = rows.next()? {
                views.push(self.view(row)?);
            }
        }
        Ok(views)
    }

    /// A row of [`CHUNK`], the item's row number and [`HEAD`], with the chunk's bytes read from the item's text in
    /// place: the text of a large item is not loaded for one chunk of it.
    fn view(&self, row: &Row<'_>) -> Result<ChunkView, VaultError> {
        let chunk = chunk_row(row)?;
        let len = chunk.span.end.checked_sub(chunk.span.start).ok_or_else(|| VaultError::row("a chunk"))?;
        let text = self.db.blob_open(MAIN_DB, "items", "text", row.get(6)?, true)?;
        if chunk.span.end > text.len() {
            return Err(VaultError::row("a chunk"));
        }
        let mut bytes = vec![0; len];
        text.read_at_exact(&mut bytes, chunk.span.start)?;
        let text = String::from_utf8(bytes).map_err(|_| VaultError::row("a chunk"))?;
        Ok(ChunkView { chunk, item: item_head(row, 7)?, text })
    }

    /// At most `limit` chunks that have no vector of this embedder yet, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chunks_unembedded(&self, embedder: Hash, limit: usize) -> Result<Vec<ChunkView>, VaultError> {
        let sql = format!(
            "SELECT {CHUNK}, items.n, {HEAD} FROM chunks JOIN items ON items.n = chunks.item
             WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.chunk = chunks.id AND vectors.embedder =
                 (SELECT n FROM embedders WHERE hash = ?1))
             ORDER BY chunks.id LIMIT ?2"
        );
        let mut some = self.db.prepare_cached(&sql)?;
        let mut rows = some.query((embedder.0, i64::try_from(limit).unwrap_or(i64::MAX)))?;
        let mut views = Vec::new();
        while let Some(row) = rows.next()? {
            views.push(self.view(row)?);
        }
        Ok(views)
    }

    /// The ids of all chunks, ascending.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all_chunk_ids(&self) -> Result<Vec<i64>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT id FROM chunks ORDER BY id")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// What the index has yet to do after row `after`, in order, at most `limit` rows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn index_queue(&self, after: i64, limit: usize) -> Result<Vec<QueueRow>, VaultError> {
        let sql = "SELECT seq, chunk, item, adds FROM index_queue WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut some = self.db.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = some.query_map((after, limit), |row| {
            Ok(QueueRow { seq: row.get(0)?, chunk: row.get(1)?, item: id(row, 2)?, add: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The number of the newest thing ever queued, done or not; 0 before the first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn index_queue_max(&self) -> Result<i64, VaultError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'index_queue'";
        Ok(self.db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// How far the index has come: the number [`Tx::index_applied`] was last told.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn index_applied_up_to(&self) -> Result<i64, VaultError> {
        let applied = self.meta(APPLIED)?;
        applied.map_or(Ok(0), |text| text.parse().map_err(|_| VaultError::row("how far the index has come")))
    }

    /// Counts of everything; `embedded` counts chunks with a vector of the embedder with the most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self) -> Result<Stats, VaultError> {
        let sql = "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM chunks),
            (SELECT coalesce(max(c), 0) FROM (SELECT count(*) AS c FROM vectors GROUP BY embedder)),
            (SELECT count(*) FROM sources), (SELECT count(*) FROM sessions), (SELECT count(*) FROM messages),
            (SELECT count(*) FROM ledger), (SELECT coalesce(sum(bytes), 0) FROM items)";
        Ok(self.db.prepare_cached(sql)?.query_row([], |row| {
            Ok(Stats {
                items: count(row, 0)?,
                chunks: count(row, 1)?,
                embedded: count(row, 2)?,
                sources: count(row, 3)?,
                sessions: count(row, 4)?,
                messages: count(row, 5)?,
                ledger: count(row, 6)?,
                text_bytes: count(row, 7)?,
            })
        })?)
    }

    /// The hashes of all embedders that vectors were ever made with.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn embedders(&self) -> Result<Vec<Hash>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT hash FROM embedders ORDER BY n")?;
        Ok(all.query_map([], |row| hash(row, 0))?.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// The index holds everything queued up to `seq`, durably: those rows go.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn index_applied(&self, seq: i64) -> Result<(), VaultError> {
        self.db.prepare_cached("DELETE FROM index_queue WHERE seq <= ?1")?.execute([seq])?;
        self.set_meta(APPLIED, &seq.to_string())
    }
}
