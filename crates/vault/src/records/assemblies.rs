//! Assemblies: who takes part in each, and the signed receipts of what they answered.

use super::columns::{count, hash};
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::{Hash, Millis};
use rusqlite::Row;

/// A member's seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRow {
    /// What the owner calls the assembly.
    pub assembly: String,
    /// The member's delta.
    pub delta: Hash,
    /// The weights of the anchor it was tested on.
    pub anchor: Hash,
    /// Since when.
    pub at: Millis,
    /// What it knows and who vouches for that; the vault gives it no meaning.
    pub signature: String,
    /// What its test found; the vault gives it no meaning.
    pub admitted: String,
}

/// A signed receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Its number, counted from one.
    pub n: u64,
    /// The hash of the assembly.
    pub assembly: Hash,
    /// What is signed.
    pub body: String,
    /// The signature.
    pub signature: [u8; 64],
}

fn seat(row: &Row<'_>) -> rusqlite::Result<SeatRow> {
    Ok(SeatRow {
        assembly: row.get(0)?,
        delta: hash(row, 1)?,
        anchor: hash(row, 2)?,
        at: row.get(3)?,
        signature: row.get(4)?,
        admitted: row.get(5)?,
    })
}

impl Reader<'_> {
    /// All seats, by the assembly's name and the delta.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn seats(&self) -> Result<Vec<SeatRow>, VaultError> {
        let sql = "SELECT assembly, delta, anchor, at, signature, admitted FROM seats ORDER BY assembly, delta";
        Ok(self.db.prepare_cached(sql)?.query_map([], seat)?.collect::<Result<_, _>>()?)
    }

    /// Receipts, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn receipts(&self) -> Result<Vec<ReceiptRow>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT n, assembly, body, signature FROM receipts ORDER BY n DESC")?;
        let row = |row: &Row<'_>| {
            Ok(ReceiptRow { n: count(row, 0)?, assembly: hash(row, 1)?, body: row.get(2)?, signature: row.get(3)? })
        };
        Ok(all.query_map([], row)?.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Gives a member a seat, in place of the one it had there.
    ///
    /// # Errors
    /// When there is no such delta or the database cannot be written.
    pub fn put_seat(&self, seat: &SeatRow) -> Result<(), VaultError> {
        let sql = "INSERT INTO seats (assembly, delta, anchor, at, signature, admitted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (assembly, delta) DO UPDATE SET anchor = ?3, at = ?4, signature = ?5, admitted = ?6";
        let row = (&seat.assembly, &seat.delta.0, &seat.anchor.0, seat.at, &seat.signature, &seat.admitted);
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Takes a member's seat away.
    ///
    /// # Errors
    /// When it has none there or the database cannot be written.
    pub fn delete_seat(&self, assembly: &str, delta: Hash) -> Result<(), VaultError> {
        let sql = "DELETE FROM seats WHERE assembly = ?1 AND delta = ?2";
        match self.db.prepare_cached(sql)?.execute((assembly, &delta.0))? {
            1 => Ok(()),
            _ => Err(VaultError::Missing { what: "member" }),
        }
    }

    /// Keeps a receipt; gives its number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_receipt(&self, assembly: Hash, body: &str, signature: &[u8; 64]) -> Result<u64, VaultError> {
        let sql = "INSERT INTO receipts (assembly, body, signature) VALUES (?1, ?2, ?3)";
        self.db.prepare_cached(sql)?.execute((&assembly.0, body, signature))?;
        u64::try_from(self.db.last_insert_rowid()).map_err(|_| VaultError::row("a number out of reach"))
    }
}
