//! Conversations, and making them forget.

use super::columns::{Id, Word, count, id, int, role, size};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Citation, ItemId, Message, Millis, SessionId, SessionLine, Span};
use rusqlite::Row;

fn citation(row: &Row<'_>) -> rusqlite::Result<Citation> {
    Ok(Citation {
        item: id(row, 0)?,
        source: row.get(1)?,
        span: Span { start: size(row, 2)?, end: size(row, 3)? },
        text: row.get(4)?,
    })
}

impl Reader<'_> {
    /// Conversations, the one last added to first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionLine>, VaultError> {
        let sql = "SELECT id, title, updated, (SELECT count(*) FROM messages WHERE session = sessions.n)
                   FROM sessions ORDER BY updated DESC, n DESC";
        let mut all = self.db.prepare_cached(sql)?;
        let rows = all.query_map([], |row| {
            Ok(SessionLine {
                id: id(row, 0)?,
                title: row.get(1)?,
                updated: row.get(2)?,
                messages: count(row, 3)?,
                pinned: false,
                archived: false,
                created: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The messages of a conversation, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn messages(&self, session: SessionId) -> Result<Vec<Message>, VaultError> {
        let mut all = self.db.prepare_cached(
            "SELECT n, id, role, at, stats, text FROM messages
             WHERE session = (SELECT n FROM sessions WHERE id = ?1) ORDER BY n",
        )?;
        let mut cited = self.db.prepare_cached(
            "SELECT item, source, span_start, span_end, text FROM message_citations WHERE message = ?1 ORDER BY ordinal",
        )?;
        let mut rows = all.query([session.raw()])?;
        let mut messages = Vec::new();
        while let Some(row) = rows.next()? {
            let n: i64 = row.get(0)?;
            let stats: Option<String> = row.get(4)?;
            let stats =
                stats.map(|json| serde_json::from_str(&json).map_err(|_| VaultError::row("a message's counts")));
            messages.push(Message {
                id: id(row, 1)?,
                role: role(row, 2)?,
                at: row.get(3)?,
                stats: stats.transpose()?,
                text: row.get(5)?,
                citations: cited.query_map([n], citation)?.collect::<Result<_, _>>()?,
                parent: None,
                siblings: Vec::new(),
                onward: 0,
                attached: Vec::new(),
                feedback: hinet_protocol::Feedback::default(),
            });
        }
        Ok(messages)
    }
}

impl Tx<'_> {
    /// Begins a conversation, or gives it another title.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_session(&self, session: SessionId, title: &str, now: Millis) -> Result<(), VaultError> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO sessions (id, title, created, updated) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (id) DO UPDATE SET title = excluded.title, updated = excluded.updated",
        )?;
        put.execute((session.raw(), title, now))?;
        Ok(())
    }

    /// Adds a message with its citations to a conversation.
    ///
    /// # Errors
    /// When there is no such conversation or the database cannot be written.
    pub fn put_message(&self, session: SessionId, message: &Message) -> Result<(), VaultError> {
        let mut touch =
            self.db.prepare_cached("UPDATE sessions SET updated = max(updated, ?2) WHERE id = ?1 RETURNING n")?;
        let mut rows = touch.query((session.raw(), message.at))?;
        let n: i64 = rows.next()?.ok_or(VaultError::Missing { what: "conversation" })?.get(0)?;
        drop(rows);
        let stats = message.stats.as_ref().map(|stats| serde_json::to_string(stats).expect("counts serialise"));
        let mut put = self.db.prepare_cached(
            "INSERT INTO messages (id, session, role, at, stats, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        put.execute((message.id.raw(), n, message.role.word(), message.at, stats, &message.text))?;
        let n = self.db.last_insert_rowid();
        let mut cite = self.db.prepare_cached(
            "INSERT INTO message_citations (message, ordinal, item, source, span_start, span_end, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for (ordinal, it) in message.citations.iter().enumerate() {
            let span = (int(it.span.start)?, int(it.span.end)?);
            cite.execute((n, int(ordinal)?, it.item.raw(), &it.source, span.0, span.1, &it.text))?;
        }
        Ok(())
    }

    /// Removes a conversation with its messages.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_session(&self, session: SessionId) -> Result<(), VaultError> {
        self.db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([session.raw()])?;
        Ok(())
    }

    /// Removes the answers that cite an item, and the answers after them in their conversations that cite nothing:
    /// those were made with the earlier ones before the model's eyes. Gives how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_answers_citing(&self, item: ItemId) -> Result<u64, VaultError> {
        let sql = "WITH citing AS (SELECT DISTINCT message AS n FROM message_citations WHERE item = ?1)
                   SELECT n FROM citing UNION
                   SELECT later.n FROM citing JOIN messages ON messages.n = citing.n
                   JOIN messages AS later ON later.session = messages.session AND later.n > messages.n
                   WHERE later.role = 'assistant'
                   AND NOT EXISTS (SELECT 1 FROM message_citations WHERE message = later.n)";
        let mut citing = self.db.prepare_cached(sql)?;
        let found: Vec<i64> = citing.query_map([item.raw()], |row| row.get(0))?.collect::<Result<_, _>>()?;
        self.forget_messages(&found)
    }

    /// Removes messages said in `[from, to)`; gives how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_messages_between(&self, from: Millis, to: Millis) -> Result<u64, VaultError> {
        let mut some = self.db.prepare_cached("SELECT n FROM messages WHERE at >= ?1 AND at < ?2")?;
        let found: Vec<i64> = some.query_map((from, to), |row| row.get(0))?.collect::<Result<_, _>>()?;
        self.forget_messages(&found)
    }

    /// Removes messages in which one of `needles` occurs, in whatever letter case, in the text or in what it cites;
    /// gives how many. Titles in which one occurs are emptied.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete_messages_containing(&self, needles: &[String]) -> Result<u64, VaultError> {
        let needles: Vec<String> = needles.iter().filter(|n| !n.is_empty()).map(|n| n.to_lowercase()).collect();
        let hit = |text: &str| {
            let text = text.to_lowercase();
            needles.iter().any(|needle| text.contains(needle))
        };
        if needles.is_empty() {
            return Ok(0);
        }
        let mut found = Vec::new();
        for sql in ["SELECT n, text FROM messages", "SELECT message, text FROM message_citations"] {
            let mut all = self.db.prepare_cached(sql)?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                if hit(row.get_ref(1)?.as_str().map_err(|_| VaultError::row("a message"))?) {
                    found.push(row.get(0)?);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let mut titled = self.db.prepare_cached("SELECT n, title FROM sessions")?;
        let titles: Vec<(i64, String)> =
            titled.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        for (session, _) in titles.iter().filter(|(_, title)| hit(title)) {
            self.untitle(*session)?;
        }
        self.forget_messages(&found)
    }

    fn untitle(&self, session: i64) -> Result<(), VaultError> {
        self.db.prepare_cached("UPDATE sessions SET title = '' WHERE n = ?1")?.execute([session])?;
        Ok(())
    }

    /// Removes messages by row, the titles that were taken from them, and conversations that are empty then.
    fn forget_messages(&self, rows: &[i64]) -> Result<u64, VaultError> {
        let mut about = self.db.prepare_cached(
            "SELECT sessions.n, sessions.title, messages.text FROM messages JOIN sessions ON sessions.n = session
             WHERE messages.n = ?1",
        )?;
        let mut gone = self.db.prepare_cached("DELETE FROM messages WHERE n = ?1")?;
        let mut empty = self.db.prepare_cached(
            "DELETE FROM sessions WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM messages WHERE session = ?1)",
        )?;
        for row in rows {
            let (session, title, text): (i64, String, String) =
                about.query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let start = title.trim_end_matches(['…', '.', ' ']);
            if !start.is_empty() && text.contains(start) {
                self.untitle(session)?;
            }
            gone.execute([row])?;
            empty.execute([session])?;
        }
        Ok(rows.len() as u64)
    }
}

impl Reader<'_> {
    /// How many answers cite an item.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn answers_citing(&self, item: ItemId) -> Result<u64, VaultError> {
        let sql = "SELECT count(DISTINCT message) FROM message_citations WHERE item = ?1";
        Ok(self.db.prepare_cached(sql)?.query_row([item.raw()], |row| count(row, 0))?)
    }
}
