//! Messages: said once, kept with what they stand on, read along the branch their conversation is on.

use super::columns::{Id, Word, id, id_or_none, int, role, size};
use super::tree::Tree;
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{
    After, Citation, Feedback, Hit, ItemId, Message, MessageId, MessageStats, Role, ScoreParts, SessionId, Span,
};
use rusqlite::{MAIN_DB, OptionalExtension, Row};

fn citation(row: &Row<'_>) -> rusqlite::Result<Citation> {
    Ok(Citation {
        item: id(row, 0)?,
        source: row.get(1)?,
        span: Span { start: size(row, 2)?, end: size(row, 3)? },
        text: row.get(4)?,
        member: row.get(5)?,
    })
}

/// What the scan of all messages shows of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLine {
    /// The conversation.
    pub session: SessionId,
    /// The message.
    pub id: MessageId,
    /// Who.
    pub role: Role,
    /// When.
    pub at: hinet_protocol::Millis,
    /// What.
    pub text: String,
}

impl Reader<'_> {
    /// The messages of a conversation on the branch it is on, oldest first; none where there is no such conversation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn messages(&self, session: SessionId) -> Result<Vec<Message>, VaultError> {
        let (n, head) = match self.session_row(session) {
            Err(VaultError::Missing { .. }) => return Ok(Vec::new()),
            found => found?,
        };
        let tree = Tree::read(self, n)?;
        let (path, children) = (tree.path(head), tree.children());
        let mut messages: Vec<Message> = Vec::with_capacity(path.len());
        let mut before = None;
        for row in path {
            let mut message = self.message_at(row)?;
            message.parent = messages.last().map(|message| message.id);
            let siblings = children.get(&before).map_or(&[][..], Vec::as_slice);
            if siblings.len() > 1 {
                message.siblings = siblings.iter().map(|row| self.id_at(*row)).collect::<Result<_, _>>()?;
            }
            before = Some(row);
            messages.push(message);
        }
        if let Some(last) = messages.last_mut() {
            last.onward = children.get(&before).map_or(0, |below| below.len() as u64);
        }
        Ok(messages)
    }

    /// One message, wherever it hangs, with its conversation. Its siblings and what follows it are not looked up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn message(&self, message: MessageId) -> Result<Option<(SessionId, Message)>, VaultError> {
        let sql = "SELECT messages.n, sessions.id, parent FROM messages JOIN sessions ON sessions.n = session
                   WHERE messages.id = ?1";
        let mut one = self.db.prepare_cached(sql)?;
        let found = one
            .query_row([message.raw()], |row| Ok((row.get(0)?, id(row, 1)?, row.get::<_, Option<i64>>(2)?)))
            .optional()?;
        let Some((row, session, parent)) = found else { return Ok(None) };
        let mut message = self.message_at(row)?;
        message.parent = parent.map(|row| self.id_at(row)).transpose()?;
        Ok(Some((session, message)))
    }

    /// The last `limit` messages of the path that ends with `message`, oldest first.
    ///
    /// # Errors
    /// When one of them is not there or the database cannot be read.
    pub fn path(&self, session: SessionId, message: MessageId, limit: usize) -> Result<Vec<Message>, VaultError> {
        let (n, _) = self.session_row(session)?;
        let mut parent = self.db.prepare_cached("SELECT parent FROM messages WHERE n = ?1")?;
        let mut row = Some(self.message_row(n, message)?);
        let mut path: Vec<Message> = Vec::new();
        while let Some(at) = row.filter(|_| path.len() < limit) {
            path.push(self.message_at(at)?);
            row = parent.query_row([at], |row| row.get(0))?;
        }
        path.reverse();
        for at in 1..path.len() {
            path[at].parent = Some(path[at - 1].id);
        }
        if let (Some(first), Some(row)) = (path.first_mut(), row) {
            first.parent = Some(self.id_at(row)?);
        }
        Ok(path)
    }

    /// Hands every message to `f`, the newest first, until it says that it has enough.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn each_message(&self, f: &mut dyn FnMut(MessageLine) -> bool) -> Result<(), VaultError> {
        let sql = "SELECT sessions.id, messages.id, role, at, text FROM messages JOIN sessions ON sessions.n = session
                   ORDER BY at DESC, messages.n DESC";
        let mut all = self.db.prepare_cached(sql)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let line = MessageLine {
                session: id(row, 0)?,
                id: id(row, 1)?,
                role: role(row, 2)?,
                at: row.get(3)?,
                text: row.get(4)?,
            };
            if !f(line) {
                break;
            }
        }
        Ok(())
    }

    /// How many answers cite an item.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn answers_citing(&self, item: ItemId) -> Result<u64, VaultError> {
        let sql = "SELECT count(DISTINCT message) FROM message_citations WHERE item = ?1";
        Ok(self.db.prepare_cached(sql)?.query_row([item.raw()], |row| super::columns::count(row, 0))?)
    }

    fn id_at(&self, row: i64) -> Result<MessageId, VaultError> {
        Ok(self.db.prepare_cached("SELECT id FROM messages WHERE n = ?1")?.query_row([row], |row| id(row, 0))?)
    }

    /// The message in a row, with everything that is kept with it.
    pub(super) fn message_at(&self, n: i64) -> Result<Message, VaultError> {
        let sql = "SELECT id, role, at, stats, text, attached FROM messages WHERE n = ?1";
        let mut one = self.db.prepare_cached(sql)?;
        let (mut message, stats, attached) = one.query_row([n], |row| {
            let message = Message {
                id: id(row, 0)?,
                role: role(row, 1)?,
                at: row.get(2)?,
                text: row.get(4)?,
                citations: Vec::new(),
                stats: None,
                parent: None,
                siblings: Vec::new(),
                onward: 0,
                attached: Vec::new(),
                feedback: Feedback::default(),
            };
            Ok((message, row.get::<_, Option<String>>(3)?, row.get::<_, Option<String>>(5)?))
        })?;
        if let Some(json) = attached {
            message.attached = serde_json::from_str(&json).map_err(|_| VaultError::row("what was attached"))?;
        }
        if let Some(json) = stats {
            let mut stats: MessageStats =
                serde_json::from_str(&json).map_err(|_| VaultError::row("a message's counts"))?;
            stats.recalled = self.recalled(n)?;
            message.stats = Some(stats);
        }
        if message.role == Role::Assistant {
            let mut cited = self.db.prepare_cached(
                "SELECT item, source, span_start, span_end, text, member FROM message_citations WHERE message = ?1
                 ORDER BY ordinal",
            )?;
            message.citations = cited.query_map([n], citation)?.collect::<Result<_, _>>()?;
            message.feedback = self.feedback_at(n)?;
        }
        Ok(message)
    }

    /// What was recalled for a message, as far as it still is what it was: an item that has gone, or whose text has
    /// changed since, is passed over. The words are read from the item's text in place.
    fn recalled(&self, message: i64) -> Result<Vec<Hit>, VaultError> {
        let mut all = self.db.prepare_cached(
            "SELECT items.n, items.id, key, title, span_start, span_end, score, bm25, vector, recency, modified, kind
             FROM message_recalled JOIN items ON items.id = item AND items.hash = message_recalled.hash
             WHERE message = ?1 ORDER BY ordinal",
        )?;
        let mut rows = all.query([message])?;
        let mut hits = Vec::new();
        while let Some(row) = rows.next()? {
            let span = Span { start: size(row, 4)?, end: size(row, 5)? };
            let len = span.end.checked_sub(span.start).ok_or_else(|| VaultError::row("what was recalled"))?;
            let text = self.db.blob_open(MAIN_DB, "items", "text", row.get(0)?, true)?;
            if span.end > text.len() {
                return Err(VaultError::row("what was recalled"));
            }
            let mut bytes = vec![0; len];
            text.read_at_exact(&mut bytes, span.start)?;
            hits.push(Hit {
                item: id(row, 1)?,
                source: row.get(2)?,
                title: row.get(3)?,
                text: String::from_utf8(bytes).map_err(|_| VaultError::row("what was recalled"))?,
                span,
                score: row.get(6)?,
                parts: ScoreParts { bm25: row.get(7)?, vector: row.get(8)?, recency: row.get(9)? },
                modified: row.get(10)?,
                kind: row.get(11)?,
                pinned: false,
            });
        }
        Ok(hits)
    }

    /// The message a message follows.
    ///
    /// # Errors
    /// When it is not there or the database cannot be read.
    pub fn parent(&self, message: MessageId) -> Result<Option<MessageId>, VaultError> {
        let sql = "SELECT above.id FROM messages LEFT JOIN messages AS above ON above.n = messages.parent
                   WHERE messages.id = ?1";
        let found = self.db.prepare_cached(sql)?.query_row([message.raw()], |row| id_or_none(row, 0));
        found.optional()?.ok_or(VaultError::Missing { what: "message" })
    }
}

impl Tx<'_> {
    /// Adds a message to a conversation, with its citations and with where its recalled passages lie, and turns the
    /// conversation to it. Where it hangs is `after`; the message's own `parent`, siblings and feedback say nothing here.
    ///
    /// # Errors
    /// When there is no such conversation or message to follow, or the database cannot be written.
    pub fn put_message(&self, session: SessionId, message: &Message, after: After) -> Result<(), VaultError> {
        let (n, head) = self.session_row(session)?;
        let parent = match after {
            After::Head => head,
            After::Start => None,
            After::Message(above) => Some(self.message_row(n, above)?),
        };
        // The words of what was recalled are in the memory, and nowhere else.
        let bare = message.stats.clone().map(|stats| MessageStats { recalled: Vec::new(), ..stats });
        let stats = bare.map(|stats| serde_json::to_string(&stats).expect("counts serialise"));
        let attached = Some(&message.attached).filter(|names| !names.is_empty());
        let attached = attached.map(|names| serde_json::to_string(names).expect("names serialise"));
        let mut put = self.db.prepare_cached(
            "INSERT INTO messages (id, session, parent, role, at, stats, attached, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        put.execute((message.id.raw(), n, parent, message.role.word(), message.at, stats, attached, &message.text))?;
        let row = self.db.last_insert_rowid();
        let mut turn =
            self.db.prepare_cached("UPDATE sessions SET updated = max(updated, ?2), head = ?3 WHERE n = ?1")?;
        turn.execute((n, message.at, row))?;
        let mut cite = self.db.prepare_cached(
            "INSERT INTO message_citations (message, ordinal, item, source, span_start, span_end, text, member)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for (ordinal, it) in message.citations.iter().enumerate() {
            let span = (int(it.span.start)?, int(it.span.end)?);
            cite.execute((row, int(ordinal)?, it.item.raw(), &it.source, span.0, span.1, &it.text, &it.member))?;
        }
        let hits = message.stats.as_ref().map_or(&[][..], |stats| &stats.recalled);
        self.keep_recalled(row, hits)
    }

    /// An item that has gone by now is not kept.
    fn keep_recalled(&self, message: i64, hits: &[Hit]) -> Result<(), VaultError> {
        let mut keep = self.db.prepare_cached(
            "INSERT INTO message_recalled
             (message, ordinal, item, hash, span_start, span_end, score, bm25, vector, recency)
             SELECT ?1, ?2, id, hash, ?4, ?5, ?6, ?7, ?8, ?9 FROM items WHERE id = ?3",
        )?;
        for (ordinal, hit) in hits.iter().enumerate() {
            let (start, end) = (int(hit.span.start)?, int(hit.span.end)?);
            let parts = hit.parts;
            let (ordinal, item) = (int(ordinal)?, hit.item.raw());
            keep.execute((message, ordinal, item, start, end, hit.score, parts.bm25, parts.vector, parts.recency))?;
        }
        Ok(())
    }
}
