//! What is typed and not sent yet: at most one text for each conversation, and one for the conversation to come.

use super::columns::id_or_none;
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Draft, Millis};

impl Reader<'_> {
    /// All drafts, the one typed at last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn drafts(&self) -> Result<Vec<Draft>, VaultError> {
        let sql = "SELECT sessions.id, text FROM drafts LEFT JOIN sessions ON sessions.n = session
                   ORDER BY at DESC, drafts.n DESC";
        let mut all = self.db.prepare_cached(sql)?;
        let rows = all.query_map([], |row| Ok(Draft { session: id_or_none(row, 0)?, text: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Keeps a draft instead of the one before; an empty one is removed.
    ///
    /// # Errors
    /// When there is no such conversation or the database cannot be written.
    pub fn put_draft(&self, draft: &Draft, now: Millis) -> Result<(), VaultError> {
        let session = draft.session.map(|session| self.session_row(session)).transpose()?.map(|(n, _)| n);
        self.db.prepare_cached("DELETE FROM drafts WHERE session IS ?1")?.execute([session])?;
        if !draft.text.is_empty() {
            let sql = "INSERT INTO drafts (session, at, text) VALUES (?1, ?2, ?3)";
            self.db.prepare_cached(sql)?.execute((session, now, &draft.text))?;
        }
        Ok(())
    }
}
