//! Nights: what was learned in each, from which items, and where one that goes on has got to.

use super::columns::{Id, count};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, ItemId, MessageId, Millis};
use rusqlite::{OptionalExtension, Row};
use std::collections::BTreeSet;

/// A night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NightRow {
    /// Which, counted from one.
    pub n: u64,
    /// When it began.
    pub began: Millis,
    /// Whether it goes on, or can.
    pub open: bool,
    /// What is known about it, as JSON; the vault gives it no meaning.
    pub report: String,
    /// The sealed object with the texts it learns from, while it is open.
    pub work: Option<Hash>,
    /// The sealed object with what it has learned so far, while it is open.
    pub checkpoint: Option<Hash>,
    /// The sealed object with the delta that passed the test, while something for others is made of it.
    pub tested: Option<Hash>,
    /// The delta it made.
    pub delta: Option<Hash>,
    /// The delta it made for others.
    pub shared: Option<Hash>,
}

const COLUMNS: &str = "SELECT n, began, open, report, work, checkpoint, delta, tested, shared FROM nights";

fn row(row: &Row<'_>) -> rusqlite::Result<NightRow> {
    let hash = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<[u8; 32]>>(at)?.map(Hash));
    Ok(NightRow {
        n: count(row, 0)?,
        began: row.get(1)?,
        open: row.get(2)?,
        report: row.get(3)?,
        work: hash(4)?,
        checkpoint: hash(5)?,
        delta: hash(6)?,
        tested: hash(7)?,
        shared: hash(8)?,
    })
}

fn number(n: u64) -> Result<i64, VaultError> {
    i64::try_from(n).map_err(|_| VaultError::Missing { what: "night" })
}

impl Reader<'_> {
    /// Nights, newest first, at most so many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn nights(&self, limit: usize) -> Result<Vec<NightRow>, VaultError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut all = self.db.prepare_cached(&format!("{COLUMNS} ORDER BY n DESC LIMIT ?1"))?;
        Ok(all.query_map([limit], row)?.collect::<Result<_, _>>()?)
    }

    /// A night.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn night(&self, n: u64) -> Result<Option<NightRow>, VaultError> {
        Ok(self.db.prepare_cached(&format!("{COLUMNS} WHERE n = ?1"))?.query_row([number(n)?], row).optional()?)
    }

    /// The night that goes on, or can.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open_night(&self) -> Result<Option<NightRow>, VaultError> {
        Ok(self.db.prepare_cached(&format!("{COLUMNS} WHERE open = 1"))?.query_row([], row).optional()?)
    }

    /// The nights that learned from one of these items.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn nights_of(&self, items: &[ItemId]) -> Result<Vec<NightRow>, VaultError> {
        let mut some = self.db.prepare_cached("SELECT night FROM night_items WHERE item = ?1")?;
        let mut nights = BTreeSet::new();
        for item in items {
            for n in some.query_map([item.raw()], |row| count(row, 0))? {
                nights.insert(n?);
            }
        }
        nights.into_iter().filter_map(|n| self.night(n).transpose()).collect()
    }

    /// The nights that learned from an answer which is not there any more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn nights_of_lost_answers(&self) -> Result<Vec<NightRow>, VaultError> {
        let sql = format!(
            "{COLUMNS} WHERE n IN (SELECT night FROM night_messages
             WHERE NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = night_messages.message))"
        );
        Ok(self.db.prepare_cached(&sql)?.query_map([], row)?.collect::<Result<_, _>>()?)
    }

    /// Sentences that must not be learned by heart, by the hash they were kept under.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn vetoes(&self) -> Result<BTreeSet<[u8; 32]>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT sentence FROM vetoes")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Begins a night; gives its number.
    ///
    /// # Errors
    /// When one is open already, or the database cannot be written.
    pub fn begin_night(&self, began: Millis, report: &str) -> Result<u64, VaultError> {
        let sql = "INSERT INTO nights (began, open, report) VALUES (?1, 1, ?2) RETURNING n";
        Ok(self.db.prepare_cached(sql)?.query_row((began, report), |row| count(row, 0))?)
    }

    /// Writes down where a night has got to. What it learned from is added to, never taken away.
    ///
    /// # Errors
    /// When there is no such night or the database cannot be written.
    pub fn put_night(&self, night: &NightRow, items: &[ItemId]) -> Result<(), VaultError> {
        let hash = |hash: Option<Hash>| hash.map(|hash| hash.0);
        let sql = "UPDATE nights SET open = ?2, report = ?3, work = ?4, checkpoint = ?5, delta = ?6, tested = ?7,
                   shared = ?8 WHERE n = ?1";
        let n = number(night.n)?;
        let (work, checkpoint, delta) = (hash(night.work), hash(night.checkpoint), hash(night.delta));
        let (tested, shared) = (hash(night.tested), hash(night.shared));
        let row = (n, night.open, &night.report, work, checkpoint, delta, tested, shared);
        if self.db.prepare_cached(sql)?.execute(row)? != 1 {
            return Err(VaultError::Missing { what: "night" });
        }
        let mut add = self.db.prepare_cached("INSERT OR IGNORE INTO night_items (night, item) VALUES (?1, ?2)")?;
        for item in items {
            add.execute((n, item.raw()))?;
        }
        Ok(())
    }

    /// Writes down which answers a night learns from.
    ///
    /// # Errors
    /// When there is no such night or the database cannot be written.
    pub fn put_night_messages(&self, night: u64, messages: &[MessageId]) -> Result<(), VaultError> {
        let n = number(night)?;
        let mut add =
            self.db.prepare_cached("INSERT OR IGNORE INTO night_messages (night, message) VALUES (?1, ?2)")?;
        for message in messages {
            add.execute((n, message.raw()))?;
        }
        Ok(())
    }

    /// Lets go of which answers a night learned from, once nothing is left of what it learned.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn drop_night_messages(&self, night: u64) -> Result<(), VaultError> {
        self.db.prepare_cached("DELETE FROM night_messages WHERE night = ?1")?.execute([number(night)?])?;
        Ok(())
    }

    /// Keeps a sentence from being learned by heart from here on, or lets it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_veto(&self, sentence: [u8; 32], vetoed: bool, now: Millis) -> Result<(), VaultError> {
        if vetoed {
            let sql = "INSERT OR IGNORE INTO vetoes (sentence, at) VALUES (?1, ?2)";
            self.db.prepare_cached(sql)?.execute((sentence, now))?;
        } else {
            self.db.prepare_cached("DELETE FROM vetoes WHERE sentence = ?1")?.execute([sentence])?;
        }
        Ok(())
    }
}
