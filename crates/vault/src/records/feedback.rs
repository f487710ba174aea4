//! What the owner thought of answers. It lies beside the messages and is in no index, no item and no ledger body, so
//! that nothing that looks there for what may be shown to others can come upon it.

use super::columns::{Id, Word, thumb};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Feedback, Message, MessageId, Millis};
use rusqlite::OptionalExtension;

impl Reader<'_> {
    /// What was thought of the message in a row.
    pub(super) fn feedback_at(&self, message: i64) -> Result<Feedback, VaultError> {
        let sql = "SELECT thumb, accepted, edited FROM feedback WHERE message = ?1";
        let found = self.db.prepare_cached(sql)?.query_row([message], |row| {
            let given: Option<String> = row.get(0)?;
            let thumb = given.map(|_| thumb(row, 0)).transpose()?;
            Ok(Feedback { thumb, accepted: row.get(1)?, edited: row.get(2)? })
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    /// The answers that the owner took, praised or wrote anew, the newest judgement first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn taken(&self) -> Result<Vec<Taken>, VaultError> {
        let sql = "SELECT feedback.message, parents.text FROM feedback
                   JOIN messages ON messages.n = feedback.message
                   JOIN messages AS parents ON parents.n = messages.parent
                   WHERE parents.role = 'user' AND messages.role = 'assistant'
                     AND (feedback.accepted = 1 OR feedback.thumb = 'up' OR feedback.edited IS NOT NULL)
                   ORDER BY feedback.at DESC, feedback.message DESC";
        let mut all = self.db.prepare_cached(sql)?;
        let rows: Vec<(i64, String)> =
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let taken = |(row, question)| Ok(Taken { question, answer: self.message_at(row)? });
        rows.into_iter().map(taken).collect()
    }
}

/// An answer that the owner took, praised or wrote anew.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What was asked.
    pub question: String,
    /// What was answered, with what the owner thought of it.
    pub answer: Message,
}

impl Tx<'_> {
    /// Keeps what the owner thought of a message, instead of what was thought before; nothing at all removes it.
    ///
    /// # Errors
    /// When there is no such message or the database cannot be written.
    pub fn put_feedback(&self, message: MessageId, feedback: &Feedback, now: Millis) -> Result<(), VaultError> {
        let mut one = self.db.prepare_cached("SELECT n FROM messages WHERE id = ?1")?;
        let found: Option<i64> = one.query_row([message.raw()], |row| row.get(0)).optional()?;
        let row = found.ok_or(VaultError::Missing { what: "message" })?;
        self.db.prepare_cached("DELETE FROM feedback WHERE message = ?1")?.execute([row])?;
        if !feedback.is_empty() {
            let sql = "INSERT INTO feedback (message, at, thumb, accepted, edited) VALUES (?1, ?2, ?3, ?4, ?5)";
            let thumb = feedback.thumb.map(Word::word);
            self.db.prepare_cached(sql)?.execute((row, now, thumb, feedback.accepted, &feedback.edited))?;
        }
        Ok(())
    }
}
