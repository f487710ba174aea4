//! Conversations: their list, their titles and marks, and where in its tree of messages each one is.

use super::columns::{Id, count, id};
use super::tree::Tree;
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{MessageId, Millis, SessionChange, SessionId, SessionLine};
use rusqlite::{OptionalExtension, Row};

const LINE: &str = "id, title, updated, (SELECT count(*) FROM messages WHERE session = sessions.n), pinned, archived,
    created";

fn line(row: &Row<'_>) -> rusqlite::Result<SessionLine> {
    Ok(SessionLine {
        id: id(row, 0)?,
        title: row.get(1)?,
        updated: row.get(2)?,
        messages: count(row, 3)?,
        pinned: row.get(4)?,
        archived: row.get(5)?,
        created: row.get(6)?,
    })
}

impl Reader<'_> {
    /// Conversations: pinned ones first, then the one last added to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionLine>, VaultError> {
        let sql = format!("SELECT {LINE} FROM sessions ORDER BY pinned DESC, updated DESC, n DESC");
        let mut all = self.db.prepare_cached(&sql)?;
        Ok(all.query_map([], line)?.collect::<Result<_, _>>()?)
    }

    /// One conversation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn session(&self, session: SessionId) -> Result<Option<SessionLine>, VaultError> {
        let sql = format!("SELECT {LINE} FROM sessions WHERE id = ?1");
        Ok(self.db.prepare_cached(&sql)?.query_row([session.raw()], line).optional()?)
    }

    /// The message a conversation is at; none before its first.
    ///
    /// # Errors
    /// When there is no such conversation or the database cannot be read.
    pub fn head(&self, session: SessionId) -> Result<Option<MessageId>, VaultError> {
        let sql = "SELECT messages.id FROM sessions LEFT JOIN messages ON messages.n = head WHERE sessions.id = ?1";
        let found = self.db.prepare_cached(sql)?.query_row([session.raw()], |row| super::columns::id_or_none(row, 0));
        found.optional()?.ok_or(VaultError::Missing { what: "conversation" })
    }

    /// Whether a message of a conversation is this other one, or follows it somewhere below.
    ///
    /// # Errors
    /// When one of them is not there or the database cannot be read.
    pub fn is_below(&self, session: SessionId, message: MessageId, above: MessageId) -> Result<bool, VaultError> {
        let (n, _) = self.session_row(session)?;
        let (row, above) = (self.message_row(n, message)?, self.message_row(n, above)?);
        Ok(Tree::read(self, n)?.is_below(row, above))
    }

    /// The row of a conversation, and its head's.
    pub(super) fn session_row(&self, session: SessionId) -> Result<(i64, Option<i64>), VaultError> {
        let mut one = self.db.prepare_cached("SELECT n, head FROM sessions WHERE id = ?1")?;
        let found = one.query_row([session.raw()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.ok_or(VaultError::Missing { what: "conversation" })
    }

    /// The row of a message of the conversation in row `session`.
    pub(super) fn message_row(&self, session: i64, message: MessageId) -> Result<i64, VaultError> {
        let mut one = self.db.prepare_cached("SELECT n FROM messages WHERE id = ?1 AND session = ?2")?;
        let found = one.query_row((message.raw(), session), |row| row.get(0)).optional()?;
        found.ok_or(VaultError::Missing { what: "message" })
    }
}

impl Tx<'_> {
    /// Begins a conversation.
    ///
    /// # Errors
    /// When it has begun already or the database cannot be written.
    pub fn put_session(&self, session: SessionId, title: &str, now: Millis) -> Result<(), VaultError> {
        let sql = "INSERT INTO sessions (id, title, created, updated) VALUES (?1, ?2, ?3, ?3)";
        self.db.prepare_cached(sql)?.execute((session.raw(), title, now))?;
        Ok(())
    }

    /// Gives a conversation another title or other marks. It is not added to by that.
    ///
    /// # Errors
    /// When there is no such conversation or the database cannot be written.
    pub fn change_session(&self, session: SessionId, change: &SessionChange) -> Result<(), VaultError> {
        let mut set = self.db.prepare_cached(
            "UPDATE sessions SET title = coalesce(?2, title), pinned = coalesce(?3, pinned),
             archived = coalesce(?4, archived) WHERE id = ?1",
        )?;
        match set.execute((session.raw(), &change.title, change.pinned, change.archived))? {
            0 => Err(VaultError::Missing { what: "conversation" }),
            _ => Ok(()),
        }
    }

    /// Turns a conversation to a message, or before its first; what follows stays, as a branch.
    ///
    /// # Errors
    /// When one of them is not there or the database cannot be written.
    pub fn set_head(&self, session: SessionId, message: Option<MessageId>) -> Result<(), VaultError> {
        let (n, _) = self.session_row(session)?;
        let row = message.map(|message| self.message_row(n, message)).transpose()?;
        self.head_to(n, row)
    }

    /// Turns a conversation to the branch through a message, where that branch was last added to.
    ///
    /// # Errors
    /// When one of them is not there or the database cannot be written.
    pub fn turn_to(&self, session: SessionId, message: MessageId) -> Result<(), VaultError> {
        let (n, _) = self.session_row(session)?;
        let row = self.message_row(n, message)?;
        self.head_to(n, Some(Tree::read(self, n)?.youngest_below(row)))
    }

    pub(super) fn head_to(&self, session: i64, row: Option<i64>) -> Result<(), VaultError> {
        let mut turn = self.db.prepare_cached("UPDATE sessions SET head = ?2 WHERE n = ?1 AND head IS NOT ?2")?;
        turn.execute((session, row))?;
        Ok(())
    }

    /// Begins the conversation `to` with copies of the messages up to and with `message`, under new ids, with what they
    /// cite and recalled. What the owner thought of them stays with the originals.
    ///
    /// # Errors
    /// When one of them is not there or the database cannot be written.
    pub fn fork(&self, from: SessionId, message: MessageId, to: SessionId, now: Millis) -> Result<(), VaultError> {
        let (old, _) = self.session_row(from)?;
        let path = Tree::read(self, old)?.path(Some(self.message_row(old, message)?));
        let mut begin = self.db.prepare_cached(
            "INSERT INTO sessions (id, title, created, updated) SELECT ?2, title, ?3, ?3 FROM sessions WHERE n = ?1
             RETURNING n",
        )?;
        let new: i64 = begin.query_row((old, to.raw(), now), |row| row.get(0))?;
        let mut copy = self.db.prepare_cached(
            "INSERT INTO messages (id, session, parent, role, at, stats, attached, text)
             SELECT ?2, ?3, ?4, role, at, stats, attached, text FROM messages WHERE n = ?1 RETURNING n",
        )?;
        let mut cited = self.db.prepare_cached(
            "INSERT INTO message_citations (message, ordinal, item, source, span_start, span_end, text, member)
             SELECT ?2, ordinal, item, source, span_start, span_end, text, member FROM message_citations
             WHERE message = ?1",
        )?;
        let mut recalled = self.db.prepare_cached(
            "INSERT INTO message_recalled
             (message, ordinal, item, hash, span_start, span_end, score, bm25, vector, recency)
             SELECT ?2, ordinal, item, hash, span_start, span_end, score, bm25, vector, recency
             FROM message_recalled WHERE message = ?1",
        )?;
        let mut last: Option<i64> = None;
        for row in path {
            let copied = copy.query_row((row, MessageId::new().raw(), new, last), |row| row.get(0))?;
            cited.execute((row, copied))?;
            recalled.execute((row, copied))?;
            last = Some(copied);
        }
        self.head_to(new, last)
    }
}
