//! Who is named in the headers of items. Who that is was decided where the text was read.

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

    /// The numbers of the items that name a person for whom `meant` says yes to the name in lower case; with `wrote`
    /// only what they wrote.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn items_naming(&self, wrote: bool, meant: &dyn Fn(&str) -> bool) -> Result<Vec<i64>, VaultError> {
        let mut names = self.db.prepare_cached("SELECT DISTINCT folded FROM people INDEXED BY people_folded")?;
        let mut some = self.db.prepare_cached("SELECT item FROM people WHERE folded = ?1 AND wrote >= ?2")?;
        let mut found = Vec::new();
        let mut rows = names.query([])?;
        while let Some(row) = rows.next()? {
            let folded = row.get_ref(0)?.as_str().map_err(|_| VaultError::row("a person"))?;
            if meant(folded) {
                let mut items = some.query((folded, wrote))?;
                while let Some(item) = items.next()? {
                    found.push(item.get(0)?);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
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
}
