//! The doctor's look at a home: every page, the log, the keyslots and the head.

use crate::db::lock;
use crate::head::Head;
use crate::slots::SlotFile;
use crate::{Vault, VaultError, wal};
use rusqlite::Connection;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, as a sentence.
    pub detail: String,
}

impl Finding {
    fn from(name: &'static str, outcome: Result<String, String>) -> Self {
        let ok = outcome.is_ok();
        Self { name, ok, detail: outcome.unwrap_or_else(|detail| detail) }
    }
}

/// All rows of a pragma that reports problems as text; none, or the one row "ok", is well.
fn complaints(db: &Connection, pragma: &str) -> Result<Vec<String>, VaultError> {
    let mut statement = db.prepare(pragma)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.retain(|line| line != "ok");
    Ok(found)
}

fn pragma(db: &Connection, name: &'static str, sql: &str, well: &str) -> Finding {
    Finding::from(
        name,
        match complaints(db, sql) {
            Ok(found) if found.is_empty() => Ok(well.to_owned()),
            Ok(found) => Err(format!("{} problem(s), the first: {}.", found.len(), found[0])),
            Err(error) => Err(format!("It could not be looked over: {error}.")),
        },
    )
}

fn log(vault: &Vault) -> Finding {
    Finding::from(
        "log",
        match wal::scan(&vault.home.log()) {
            Ok(wal::LogState::Empty) => Ok("The database's log is empty.".to_owned()),
            Ok(wal::LogState::Whole { frames }) => Ok(format!("All {frames} frames of the log check out.")),
            Ok(wal::LogState::Broken { at }) => Err(format!("The log does not check out from frame {at} on.")),
            Err(error) => Err(format!("The log could not be read: {error}.")),
        },
    )
}

fn keyslots(vault: &Vault) -> Finding {
    let expected = vault.keyring().file().counter();
    Finding::from(
        "keyslots",
        match SlotFile::load(&vault.home) {
            Ok(loaded) if loaded.file.counter() != expected => {
                Err("The keyslots file is not the one this home was opened with.".to_owned())
            }
            Ok(loaded) => match loaded.notice {
                None => Ok("Both copies of the keyslots are whole.".to_owned()),
                Some(what) => Err(format!("One of two: {what}; it is written again at the next opening.")),
            },
            Err(error) => Err(format!("{error}.")),
        },
    )
}

fn head(vault: &Vault) -> Finding {
    let expected = lock(&vault.head).clone();
    Finding::from(
        "head",
        match Head::load(&vault.home, &vault.device) {
            Ok(head) if head == expected => Ok("The signed head is the one written last.".to_owned()),
            Ok(_) => Err("The signed head is not the one written last.".to_owned()),
            Err(error) => Err(format!("{error}.")),
        },
    )
}

/// Looks everything over. The writer is held meanwhile, so that nothing moves.
pub(crate) fn check(vault: &Vault) -> Vec<Finding> {
    let writer = lock(&vault.writer);
    let db = &writer.db;
    vec![
        keyslots(vault),
        head(vault),
        log(vault),
        pragma(db, "pages", "PRAGMA cipher_integrity_check", "Every page of the database authenticates."),
        pragma(db, "structure", "PRAGMA integrity_check", "The database's tables and indexes agree."),
        pragma(
            db,
            "references",
            "SELECT 'a row of ' || \"table\" || ' refers to nothing' FROM pragma_foreign_key_check",
            "Every reference leads somewhere.",
        ),
    ]
}

impl Vault {
    /// Hands every decrypted page of the database to `f`, free pages and the slack within pages included: what an
    /// examiner who has the owner's key could see. Nothing is written anywhere; the whole database is held in memory.
    ///
    /// This is how forgetting is proven. Older versions of pages that still lie in the log are not shown; after
    /// [`Vault::scrub`] the log is empty.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn for_each_page(&self, f: &mut dyn FnMut(&[u8])) -> Result<(), VaultError> {
        let mut writer = lock(&self.writer);
        let pages = writer.db.serialize(rusqlite::MAIN_DB)?;
        // Bytes 16 and 17 of a SQLite database are its page size, 1 standing for 65536.
        let size = pages.get(16..18).map_or(0, |b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        let size = if size < 512 { 65_536 } else { size };
        pages.chunks(size).for_each(f);
        Ok(())
    }
}
