//! Items by when they were last changed.

use crate::{Asked, Index, IndexError, Persons, choose::Choice};
use hinet_protocol::{ItemId, ItemLine, Millis};
use hinet_vault::{Reader, Vault, VaultError, records::Line};
use std::collections::HashSet;

/// Items beyond the limit that a page takes along because they were changed in the same instant as its last one, so that
/// none falls between two pages.
const SAME_INSTANT: usize = 2_000;
/// Pinned items that come first.
const PINNED: usize = 200;

impl Index {
    /// Items that `asked` leaves, newest first: on the first page (`before` is nothing) the pinned ones in front, then
    /// at most `limit` others. All words must occur in an item, its title or its path, and all phrases. Who is who is read
    /// where nobody says it.
    ///
    /// # Errors
    /// Where the vault or the index cannot be read.
    pub fn timeline(
        &self,
        vault: &Vault,
        asked: &Asked,
        persons: Option<&Persons>,
        before: Option<Millis>,
        limit: usize,
    ) -> Result<Vec<ItemLine>, IndexError> {
        let holding = if asked.says_something() { Some(self.holding(vault, asked)?) } else { None };
        let mut filter = asked.filter.clone();
        vault.read(|reader| {
            let pinned: HashSet<i64> = reader.pinned()?.into_iter().collect();
            let is_held = |item: ItemId| holding.as_ref().is_none_or(|items| items.contains(&item));
            let mut lines = Vec::new();
            if before.is_none() && !pinned.is_empty() {
                let only = crate::Filter { pinned: true, ..filter.clone() };
                Choice::read(&only, reader, persons)?.each(reader, &mut |line| {
                    if is_held(line.id) {
                        lines.push((line.row, owned(&line)));
                    }
                    lines.len() < PINNED
                })?;
            }
            if let Some(before) = before {
                filter.before = Some(filter.before.map_or(before, |known| known.min(before)));
            }
            let first = lines.len();
            Choice::read(&filter, reader, persons)?.each(reader, &mut |line| {
                let taken = lines.len() - first;
                let last: Option<Millis> = lines.last().map(|(_, last)| last.modified);
                if taken >= limit && (last != Some(line.modified) || taken >= limit + SAME_INSTANT) {
                    return false;
                }
                if !pinned.contains(&line.row) && is_held(line.id) {
                    lines.push((line.row, owned(&line)));
                }
                true
            })?;
            lines.into_iter().map(|(number, line)| marked(reader, number, line, &pinned)).collect()
        })
    }

    /// The items in which all words and all phrases of a line occur.
    fn holding(&self, vault: &Vault, asked: &Asked) -> Result<HashSet<ItemId>, IndexError> {
        let view = self.view();
        let mut held: Option<HashSet<ItemId>> = None;
        let mut narrow = |items: HashSet<ItemId>| {
            held = Some(match held.take() {
                Some(known) => known.intersection(&items).copied().collect(),
                None => items,
            });
        };
        if asked.words.chars().any(char::is_alphanumeric) {
            for word in crate::words::question(&asked.words).stemmed {
                narrow(view.items_with(&word)?);
            }
        }
        for phrase in &asked.phrases {
            narrow(self.with_phrases(&view, vault, std::slice::from_ref(phrase), None, usize::MAX)?.1);
        }
        Ok(held.unwrap_or_default())
    }
}

fn owned(line: &Line<'_>) -> ItemLine {
    ItemLine {
        item: line.id,
        source: line.key.to_owned(),
        title: line.title.to_owned(),
        kind: line.kind.to_owned(),
        modified: line.modified,
        ingested: line.ingested,
        pinned: false,
        labels: Vec::new(),
    }
}

fn marked(reader: &Reader<'_>, number: i64, line: ItemLine, pinned: &HashSet<i64>) -> Result<ItemLine, IndexError> {
    let labels = reader.labels_of(number).map_err(|error: VaultError| IndexError::from(error))?;
    Ok(ItemLine { pinned: pinned.contains(&number), labels, ..line })
}
