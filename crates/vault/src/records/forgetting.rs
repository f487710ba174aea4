//! Making conversations forget. Whatever goes, what is left stays a tree: children hang on the parent of the one that
//! went, a head moves up, and a conversation with no message left goes as a whole.

use super::columns::{Id, count};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{ItemId, Millis, SessionId};

impl Reader<'_> {
    /// How many messages were said in `[from, to)`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn messages_between(&self, from: Millis, to: Millis) -> Result<u64, VaultError> {
        let sql = "SELECT count(*) FROM messages WHERE at >= ?1 AND at < ?2";
        Ok(self.db.prepare_cached(sql)?.query_row((from, to), |row| count(row, 0))?)
    }
}

impl Tx<'_> {
    /// Removes a conversation with all its branches, its draft and what was thought of its answers; gives how many
    /// messages it had.
    ///
    /// # Errors
    /// When there is no such conversation or the database cannot be written.
    pub fn delete_session(&self, session: SessionId) -> Result<u64, VaultError> {
        let (n, _) = self.session_row(session)?;
        let sql = "SELECT count(*) FROM messages WHERE session = ?1";
        let messages = self.db.prepare_cached(sql)?.query_row([n], |row| count(row, 0))?;
        self.db.prepare_cached("DELETE FROM sessions WHERE n = ?1")?.execute([n])?;
        Ok(messages)
    }

    /// Removes the answers that cite an item, and the answers below them that cite nothing: those were made with the
    /// earlier ones before the model's eyes. Gives how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_answers_citing(&self, item: ItemId) -> Result<u64, VaultError> {
        let sql = "WITH RECURSIVE
                   citing (n) AS (SELECT DISTINCT message FROM message_citations WHERE item = ?1),
                   below (n) AS (
                       SELECT n FROM citing UNION
                       SELECT messages.n FROM below JOIN messages ON messages.parent = below.n)
                   SELECT n FROM citing UNION
                   SELECT messages.n FROM below JOIN messages ON messages.n = below.n
                   WHERE role = 'assistant' AND NOT EXISTS (SELECT 1 FROM message_citations WHERE message = messages.n)";
        let mut citing = self.db.prepare_cached(sql)?;
        let found: Vec<i64> = citing.query_map([item.raw()], |row| row.get(0))?.collect::<Result<_, _>>()?;
        self.forget_messages(&found)
    }

    /// Removes messages said in `[from, to)`, and drafts typed and answers edited in that time; gives how many messages.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_messages_between(&self, from: Millis, to: Millis) -> Result<u64, VaultError> {
        let mut some = self.db.prepare_cached("SELECT n FROM messages WHERE at >= ?1 AND at < ?2")?;
        let found: Vec<i64> = some.query_map((from, to), |row| row.get(0))?.collect::<Result<_, _>>()?;
        self.db.prepare_cached("DELETE FROM drafts WHERE at >= ?1 AND at < ?2")?.execute((from, to))?;
        let mut judged = self.db.prepare_cached("SELECT message FROM feedback WHERE at >= ?1 AND at < ?2")?;
        for message in judged.query_map((from, to), |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()? {
            self.unlearn(message)?;
        }
        self.db.prepare_cached("DELETE FROM feedback WHERE at >= ?1 AND at < ?2")?.execute((from, to))?;
        self.forget_messages(&found)
    }

    /// Removes messages in which one of `needles` occurs, in whatever letter case, in the text or in what it cites;
    /// gives how many. Titles in which one occurs are emptied, drafts removed, edited answers un-edited.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_messages_containing(&self, needles: &[String]) -> Result<u64, VaultError> {
        let needles: Vec<String> = needles.iter().filter(|n| !n.is_empty()).map(|n| n.to_lowercase()).collect();
        if needles.is_empty() {
            return Ok(0);
        }
        let mut found = self.holding("SELECT n, text FROM messages", &needles)?;
        found.extend(self.holding("SELECT message, text FROM message_citations", &needles)?);
        found.sort_unstable();
        found.dedup();
        for session in self.holding("SELECT n, title FROM sessions", &needles)? {
            self.untitle(session)?;
        }
        for draft in self.holding("SELECT n, text FROM drafts", &needles)? {
            self.db.prepare_cached("DELETE FROM drafts WHERE n = ?1")?.execute([draft])?;
        }
        for message in self.holding("SELECT message, edited FROM feedback WHERE edited IS NOT NULL", &needles)? {
            self.unedit(message)?;
        }
        self.forget_messages(&found)
    }

    /// Takes names off the lists of what was attached, where they are one of `names`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn erase_attached(&self, names: &[String]) -> Result<(), VaultError> {
        let mut all = self.db.prepare_cached("SELECT n, attached FROM messages WHERE attached IS NOT NULL")?;
        let lists: Vec<(i64, String)> =
            all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut put = self.db.prepare_cached("UPDATE messages SET attached = ?2 WHERE n = ?1")?;
        for (row, json) in lists {
            let mut list: Vec<String> =
                serde_json::from_str(&json).map_err(|_| VaultError::row("what was attached"))?;
            let before = list.len();
            list.retain(|name| !names.contains(name));
            if list.len() < before {
                let left = (!list.is_empty()).then(|| serde_json::to_string(&list).expect("names serialise"));
                put.execute((row, left))?;
            }
        }
        Ok(())
    }

    /// The rows of a query for a row number and a text, in whose text one of the needles occurs.
    fn holding(&self, sql: &str, needles: &[String]) -> Result<Vec<i64>, VaultError> {
        let mut all = self.db.prepare_cached(sql)?;
        let mut rows = all.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let text = row.get_ref(1)?.as_str().map_err(|_| VaultError::row("a message"))?.to_lowercase();
            if needles.iter().any(|needle| text.contains(needle)) {
                found.push(row.get(0)?);
            }
        }
        Ok(found)
    }

    fn untitle(&self, session: i64) -> Result<(), VaultError> {
        self.db.prepare_cached("UPDATE sessions SET title = '' WHERE n = ?1")?.execute([session])?;
        Ok(())
    }

    /// What nights learned from a judgement that goes counts as learned from an answer that is not there any more.
    fn unlearn(&self, message: i64) -> Result<(), VaultError> {
        let sql = "UPDATE OR REPLACE night_messages SET message = zeroblob(16)
                   WHERE message = (SELECT id FROM messages WHERE n = ?1)";
        self.db.prepare_cached(sql)?.execute([message])?;
        Ok(())
    }

    fn unedit(&self, message: i64) -> Result<(), VaultError> {
        self.unlearn(message)?;
        self.db.prepare_cached("UPDATE feedback SET edited = NULL WHERE message = ?1")?.execute([message])?;
        let sql = "DELETE FROM feedback WHERE message = ?1 AND thumb IS NULL AND accepted = 0 AND edited IS NULL";
        self.db.prepare_cached(sql)?.execute([message])?;
        Ok(())
    }

    /// Removes messages by row, the titles that were taken from them, and conversations that are empty then.
    fn forget_messages(&self, rows: &[i64]) -> Result<u64, VaultError> {
        let mut about = self.db.prepare_cached(
            "SELECT sessions.n, sessions.title, messages.text, messages.parent, sessions.head
             FROM messages JOIN sessions ON sessions.n = session WHERE messages.n = ?1",
        )?;
        let mut lift = self.db.prepare_cached("UPDATE messages SET parent = ?2 WHERE parent = ?1")?;
        let mut gone = self.db.prepare_cached("DELETE FROM messages WHERE n = ?1")?;
        let mut empty = self.db.prepare_cached(
            "DELETE FROM sessions WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM messages WHERE session = ?1)",
        )?;
        // A head with nothing above it goes on to the newest message that is left.
        let mut newest = self.db.prepare_cached(
            "UPDATE sessions SET head = (SELECT max(n) FROM messages WHERE session = ?1) WHERE n = ?1 AND head IS NULL",
        )?;
        let mut beheaded = Vec::new();
        for row in rows {
            let (session, title, text, parent, head): (i64, String, String, Option<i64>, Option<i64>) =
                about.query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
            let start = title.trim_end_matches(['…', '.', ' ']);
            if !start.is_empty() && text.contains(start) {
                self.untitle(session)?;
            }
            if head == Some(*row) {
                self.head_to(session, parent)?;
                if parent.is_none() {
                    beheaded.push(session);
                }
            }
            lift.execute((row, parent))?;
            gone.execute([row])?;
            empty.execute([session])?;
        }
        for session in beheaded {
            newest.execute([session])?;
        }
        Ok(rows.len() as u64)
    }
}
