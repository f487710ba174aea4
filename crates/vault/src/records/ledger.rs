//! Grants and ledger entries, as the bytes consent made of them.
//!
//! Entries and commitments are append-only (the schema refuses anything else); bodies and salts can be erased.

use super::columns::{Id, count, hash, id_or_none, int};
use super::{Reader, Tx};
use crate::vault::ledger_last;
use crate::{Part, VaultError};
use hinet_protocol::{GrantId, Hash, ItemId};

/// A ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its number, from 0.
    pub seq: u64,
    /// Its hash, as consent computed it.
    pub hash: Hash,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// What an entry commits to. After a forget only place and commitment are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRow {
    /// Its place in the entry.
    pub index: u32,
    /// The salted commitment.
    pub commitment: Hash,
    /// The item it is about.
    pub item: Option<ItemId>,
    /// The salt.
    pub salt: Option<[u8; 32]>,
    /// What was committed to.
    pub body: Option<String>,
}

/// A leaf that is to be stored with its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafDraft {
    /// The salted commitment.
    pub commitment: Hash,
    /// The item it is about, whose forgetting erases salt and body.
    pub item: Option<ItemId>,
    /// The salt.
    pub salt: [u8; 32],
    /// What is committed to.
    pub body: String,
}

impl Reader<'_> {
    /// Grants as JSON, in the order they were given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn grants(&self) -> Result<Vec<String>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT json FROM grants ORDER BY n")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// One grant as JSON.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn grant(&self, grant: GrantId) -> Result<Option<String>, VaultError> {
        let mut one = self.db.prepare_cached("SELECT json FROM grants WHERE id = ?1")?;
        let mut rows = one.query([grant.raw()])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// How many entries the ledger has.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_len(&self) -> Result<u64, VaultError> {
        Ok(self.ledger_last()?.map_or(0, |(seq, _)| seq + 1))
    }

    /// Number and hash of the last entry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_last(&self) -> Result<Option<(u64, Hash)>, VaultError> {
        ledger_last(self.db)
    }

    /// At most `limit` entries from number `from` on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_entries(&self, from: u64, limit: usize) -> Result<Vec<EntryRow>, VaultError> {
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        let sql = "SELECT seq, hash, bytes FROM ledger WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
        let mut some = self.db.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = some.query_map((from, limit), |row| {
            Ok(EntryRow { seq: count(row, 0)?, hash: hash(row, 1)?, bytes: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// At most `limit` entries before number `before`, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_entries_before(&self, before: u64, limit: usize) -> Result<Vec<EntryRow>, VaultError> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let sql = "SELECT seq, hash, bytes FROM ledger WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let mut some = self.db.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = some.query_map((before, limit), |row| {
            Ok(EntryRow { seq: count(row, 0)?, hash: hash(row, 1)?, bytes: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What an entry commits to, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_leaves(&self, seq: u64) -> Result<Vec<LeafRow>, VaultError> {
        let Ok(seq) = i64::try_from(seq) else { return Ok(Vec::new()) };
        let sql = "SELECT leaf, commitment, item, salt, body FROM ledger_leaves WHERE seq = ?1 ORDER BY leaf";
        let mut all = self.db.prepare_cached(sql)?;
        let rows = all.query_map([seq], |row| {
            Ok(LeafRow {
                index: row.get(0)?,
                commitment: hash(row, 1)?,
                item: id_or_none(row, 2)?,
                salt: row.get(3)?,
                body: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Stores a grant, or replaces what was said about it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_grant(&self, grant: GrantId, json: &str) -> Result<(), VaultError> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO grants (id, json) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
        )?;
        put.execute((grant.raw(), json))?;
        Ok(())
    }

    /// Appends an entry; gives its number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn ledger_append(&self, bytes: &[u8], hash: Hash, leaves: &[LeafDraft]) -> Result<u64, VaultError> {
        let seq = self.ledger_len()?;
        let at = i64::try_from(seq).map_err(|_| Part::Row("a ledger number"))?;
        let mut add = self.db.prepare_cached("INSERT INTO ledger (seq, hash, bytes) VALUES (?1, ?2, ?3)")?;
        add.execute((at, hash.0, bytes))?;
        let mut leaf = self.db.prepare_cached(
            "INSERT INTO ledger_leaves (seq, leaf, commitment, item, salt, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (index, it) in leaves.iter().enumerate() {
            let item = it.item.as_ref().map(Id::raw);
            leaf.execute((at, int(index)?, it.commitment.0, item, it.salt, &it.body))?;
        }
        Ok(seq)
    }

    /// Erases what leaves about an item say; their commitments stay. Gives how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn erase_leaves_of(&self, item: ItemId) -> Result<u64, VaultError> {
        let mut erase =
            self.db.prepare_cached("UPDATE ledger_leaves SET item = NULL, salt = NULL, body = NULL WHERE item = ?1")?;
        Ok(erase.execute([item.raw()])? as u64)
    }

    /// Erases what one leaf says; its commitment stays.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn erase_leaf(&self, seq: u64, index: u32) -> Result<(), VaultError> {
        let Ok(seq) = i64::try_from(seq) else { return Ok(()) };
        let mut erase = self.db.prepare_cached(
            "UPDATE ledger_leaves SET item = NULL, salt = NULL, body = NULL WHERE seq = ?1 AND leaf = ?2",
        )?;
        erase.execute((seq, index))?;
        Ok(())
    }
}
