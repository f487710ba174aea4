//! What was left out of a source when it was last read, and why.

use super::columns::{Id, count};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, Skipped, SourceId};
use std::collections::HashMap;

/// Rows kept for one source; the count says all.
const KEPT: usize = 1000;

impl Reader<'_> {
    /// What was left out of a source, by name; the count is [`Reader::skipped`]'s.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn skips(&self, source: SourceId) -> Result<Vec<Skipped>, VaultError> {
        let sql = "SELECT what, why FROM skips WHERE source = (SELECT n FROM sources WHERE id = ?1) ORDER BY what";
        let mut all = self.db.prepare_cached(sql)?;
        let rows = all.query_map([source.raw()], |row| Ok(Skipped { what: row.get(0)?, why: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How much was left out of a source.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn skipped(&self, source: SourceId) -> Result<u64, VaultError> {
        let mut one = self.db.prepare_cached("SELECT skipped FROM sources WHERE id = ?1")?;
        let mut rows = one.query([source.raw()])?;
        Ok(rows.next()?.map(|row| count(row, 0)).transpose()?.unwrap_or(0))
    }

    /// For each source, how many of its chunks have no vector of this embedder yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn waiting(&self, embedder: Hash) -> Result<HashMap<SourceId, u64>, VaultError> {
        let sql = "SELECT items.source, count(*) FROM chunks JOIN items ON items.n = chunks.item
                   WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.chunk = chunks.id AND vectors.embedder =
                       (SELECT n FROM embedders WHERE hash = ?1))
                   GROUP BY items.source";
        let mut all = self.db.prepare_cached(sql)?;
        let rows = all.query_map([embedder.0], |row| Ok((super::columns::id(row, 0)?, count(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// What a whole reading left out, in place of what was left out before.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn set_skips(&self, source: SourceId, skips: &[Skipped]) -> Result<(), VaultError> {
        let number = self.source_number(source)?;
        self.db.prepare_cached("DELETE FROM skips WHERE source = ?1")?.execute([number])?;
        self.db.prepare_cached("UPDATE sources SET skipped = 0 WHERE n = ?1")?.execute([number])?;
        self.add_skips(source, skips)
    }

    /// What a reading of some files left out, beside what is known already.
    ///
    /// # Errors
    /// When there is no such source or the database cannot be written.
    pub fn add_skips(&self, source: SourceId, skips: &[Skipped]) -> Result<(), VaultError> {
        let number = self.source_number(source)?;
        let mut there: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM skips WHERE source = ?1")?
            .query_row([number], |r| r.get(0))?;
        let mut add = self.db.prepare_cached("INSERT OR IGNORE INTO skips (source, what, why) VALUES (?1, ?2, ?3)")?;
        let mut more = self.db.prepare_cached("UPDATE sources SET skipped = skipped + 1 WHERE n = ?1")?;
        for skip in skips {
            let is_new = there >= KEPT as i64 || add.execute((number, &skip.what, &skip.why))? > 0;
            if is_new {
                more.execute([number])?;
                there += 1;
            }
        }
        Ok(())
    }

    /// A file is no longer left out, or must no longer be named.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn drop_skip(&self, what: &str) -> Result<(), VaultError> {
        let mut gone = self.db.prepare_cached(
            "DELETE FROM skips WHERE what = ?1 OR (what > ?1 || '/' AND what < ?1 || '0') RETURNING source",
        )?;
        let sources: Vec<i64> = gone.query_map([what], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut less = self.db.prepare_cached("UPDATE sources SET skipped = max(skipped - 1, 0) WHERE n = ?1")?;
        for source in sources {
            less.execute([source])?;
        }
        Ok(())
    }

    pub(super) fn source_number(&self, source: SourceId) -> Result<i64, VaultError> {
        let mut one = self.db.prepare_cached("SELECT n FROM sources WHERE id = ?1")?;
        let mut rows = one.query([source.raw()])?;
        Ok(rows.next()?.ok_or(VaultError::Missing { what: "source" })?.get(0)?)
    }
}
