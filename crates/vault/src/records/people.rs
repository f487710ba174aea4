//! Who is named in the headers of items, and what the owner said about who is who. Which spellings are one person is decided
//! above, from these rows.

use super::columns::count;
use super::{Reader, Tx};
use crate::VaultError;
use hinet_protocol::ItemId;

/// A person as one item names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// The name as it stands there.
    pub person: String,
    /// Whether they wrote it, rather than received it.
    pub wrote: bool,
}

/// A word of the owner's about who is who.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonWord {
    /// What was said in one go has one number; a higher one was said later.
    pub step: i64,
    /// A spelling or an address, in lower case.
    pub one: String,
    /// Who it is one person with; without it, `one` stands apart.
    pub other: Option<String>,
}

impl Reader<'_> {
    /// All people, each once whatever the letter case, with how many items name them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn people(&self) -> Result<Vec<(String, u64)>, VaultError> {
        let sql = "SELECT min(person), count(*) FROM people GROUP BY folded ORDER BY folded";
        let mut all = self.db.prepare_cached(sql)?;
        Ok(all.query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?.collect::<Result<_, _>>()?)
    }

    /// The people one item names, by its number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn people_of(&self, number: i64) -> Result<Vec<PersonRow>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT person, wrote FROM people WHERE item = ?1 ORDER BY folded")?;
        let rows = all.query_map([number], |row| Ok(PersonRow { person: row.get(0)?, wrote: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Hands each spelling to `f` with each item that names it: in lower case, as it stands there, the item's number. The
    /// spellings come in their order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn each_named(&self, f: &mut dyn FnMut(&str, &str, i64)) -> Result<(), VaultError> {
        let sql =
            "SELECT folded, person, item FROM people INDEXED BY people_folded ORDER BY folded, person, wrote, item";
        let mut all = self.db.prepare_cached(sql)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let folded = row.get_ref(0)?.as_str().map_err(|_| VaultError::row("a person"))?;
            let person = row.get_ref(1)?.as_str().map_err(|_| VaultError::row("a person"))?;
            f(folded, person, row.get(2)?);
        }
        Ok(())
    }

    /// The numbers of the items that name a person by one of these spellings, which are in lower case; with `wrote` only
    /// what they wrote.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn items_spelled(&self, wrote: bool, spellings: &[&str]) -> Result<Vec<i64>, VaultError> {
        let mut some = self.db.prepare_cached("SELECT item FROM people WHERE folded = ?1 AND wrote >= ?2")?;
        let mut found: Vec<i64> = Vec::new();
        for spelling in spellings {
            let mut rows = some.query((*spelling, wrote))?;
            while let Some(row) = rows.next()? {
                found.push(row.get(0)?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// What the owner said about who is who, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn person_words(&self) -> Result<Vec<PersonWord>, VaultError> {
        let mut all = self.db.prepare_cached("SELECT step, one, other FROM person_words ORDER BY step, one, other")?;
        let rows =
            all.query_map([], |row| Ok(PersonWord { step: row.get(0)?, one: row.get(1)?, other: row.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// At most `limit` items after number `after`, each with its text, in the order of their numbers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn texts_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, ItemId, String)>, VaultError> {
        let mut some = self.db.prepare_cached("SELECT n, id, text FROM items WHERE n > ?1 ORDER BY n LIMIT ?2")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = some
            .query_map((after, limit), |row| Ok((row.get(0)?, super::columns::id(row, 1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Tx<'_> {
    /// Says who an item names, in place of what was said before.
    ///
    /// # Errors
    /// When there is no such item or the database cannot be written.
    pub fn set_people(&self, item: ItemId, people: &[PersonRow]) -> Result<(), VaultError> {
        let number = self.known_item(item)?;
        self.db.prepare_cached("DELETE FROM people WHERE item = ?1")?.execute([number])?;
        // Who wrote it and is named again has written it.
        let mut add = self.db.prepare_cached(
            "INSERT INTO people (item, folded, person, wrote) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (item, folded) DO UPDATE SET wrote = max(wrote, excluded.wrote)",
        )?;
        for it in people {
            add.execute((number, it.person.to_lowercase(), &it.person, it.wrote))?;
        }
        Ok(())
    }

    /// Keeps these words about who is who in place of those before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_person_words(&self, words: &[PersonWord]) -> Result<(), VaultError> {
        self.db.prepare_cached("DELETE FROM person_words")?.execute([])?;
        let mut add = self.db.prepare_cached("INSERT INTO person_words (step, one, other) VALUES (?1, ?2, ?3)")?;
        for word in words {
            add.execute((word.step, &word.one, &word.other))?;
        }
        Ok(())
    }
}
