//! Which items and which passages a filter leaves. They are collected first, so that ranking never loses what a narrow
//! filter leaves among very many.

use crate::{Filter, Persons, Stored};
use hinet_protocol::Within;
use hinet_vault::{Reader, VaultError, records::Line};
use std::collections::HashSet;
use std::path::Path;

/// So few items are looked at one by one rather than in one pass over all.
const FEW: usize = 2_000;

/// A set of chunks: one bit for each number ever given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunks {
    bits: Vec<u64>,
    len: usize,
}

impl Chunks {
    pub(crate) fn insert(&mut self, chunk: i64) {
        let Ok(at) = usize::try_from(chunk) else { return };
        if self.bits.len() <= at / 64 {
            self.bits.resize(at / 64 + 1, 0);
        }
        let bit = 1 << (at % 64);
        self.len += usize::from(self.bits[at / 64] & bit == 0);
        self.bits[at / 64] |= bit;
    }

    pub(crate) fn contains(&self, chunk: i64) -> bool {
        usize::try_from(chunk).is_ok_and(|at| self.bits.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl FromIterator<i64> for Chunks {
    fn from_iter<T: IntoIterator<Item = i64>>(chunks: T) -> Self {
        let mut set = Self::default();
        chunks.into_iter().for_each(|chunk| set.insert(chunk));
        set
    }
}

/// A filter with its people and labels looked up.
pub(crate) struct Choice<'a> {
    filter: &'a Filter,
    /// The numbers that can be meant at all, where the filter says so by label, person or pin.
    only: Option<HashSet<i64>>,
    /// For each part the filter is within: the numbers, where they had to be looked up.
    within: Vec<Option<HashSet<i64>>>,
}

impl<'a> Choice<'a> {
    /// Looks up what a filter names; who is who is read where nobody says it.
    pub(crate) fn read(filter: &'a Filter, reader: &Reader<'_>, persons: Option<&Persons>) -> Result<Self, VaultError> {
        let made;
        let persons = match persons {
            None if filter.asks_for_people() => {
                made = Stored::read(reader)?.persons();
                Some(&made)
            }
            known => known,
        };
        let mut only: Option<HashSet<i64>> = None;
        let mut narrow = |numbers: Vec<i64>| {
            let numbers: HashSet<i64> = numbers.into_iter().collect();
            only = Some(match only.take() {
                Some(known) => known.intersection(&numbers).copied().collect(),
                None => numbers,
            });
        };
        for asked in &filter.from {
            let meant = persons.map(|persons| persons.called(asked)).unwrap_or_default();
            narrow(reader.items_spelled(true, &meant.spellings)?);
        }
        for label in &filter.labels {
            narrow(reader.labelled(label)?);
        }
        if filter.pinned {
            narrow(reader.pinned()?);
        }
        let mut within = Vec::new();
        for part in &filter.within {
            let numbers = match part {
                Within::Item(item) => Some(reader.item_number(*item)?.into_iter().collect()),
                Within::Person(asked) => {
                    let meant = persons.map(|persons| persons.exactly(asked)).unwrap_or_default();
                    let mut numbers = reader.items_spelled(false, &meant.spellings)?;
                    numbers.extend(meant.cards);
                    Some(numbers)
                }
                Within::Label(label) => Some(reader.labelled(label)?),
                Within::Source(_) | Within::Folder(_) => None,
            };
            within.push(numbers.map(|numbers: Vec<i64>| numbers.into_iter().collect::<HashSet<i64>>()));
        }
        // Where every part is known by numbers, nothing else can be meant.
        if !within.is_empty() && within.iter().all(Option::is_some) {
            narrow(within.iter().flatten().flatten().copied().collect());
        }
        Ok(Self { filter, only, within })
    }

    fn holds(&self, line: &Line<'_>) -> bool {
        let filter = self.filter;
        let among = |numbers: &Option<HashSet<i64>>| numbers.as_ref().is_none_or(|n| n.contains(&line.row));
        let placed = || {
            let key = line.key.to_lowercase();
            filter.places.iter().all(|part| key.contains(part))
        };
        among(&self.only)
            && filter.after.is_none_or(|at| line.modified >= at)
            && filter.before.is_none_or(|at| line.modified < at)
            && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind == line.kind))
            && (filter.places.is_empty() || placed())
            && (filter.within.is_empty() || self.is_within(line))
    }

    fn is_within(&self, line: &Line<'_>) -> bool {
        self.filter.within.iter().zip(&self.within).any(|(part, numbers)| match (part, numbers) {
            (_, Some(numbers)) => numbers.contains(&line.row),
            (Within::Source(source), None) => line.source == *source,
            (Within::Folder(folder), None) => Path::new(line.key).starts_with(folder),
            _ => false,
        })
    }

    /// Hands the items that are left to `f`, newest first, until it says no.
    pub(crate) fn each(&self, reader: &Reader<'_>, f: &mut dyn FnMut(Line<'_>) -> bool) -> Result<(), VaultError> {
        let (from, to) = (self.filter.after.unwrap_or(i64::MIN), self.filter.before.unwrap_or(i64::MAX));
        let Some(few) = self.only.as_ref().filter(|only| only.len() <= FEW) else {
            return reader.lines(from, to, &mut |line| !self.holds(&line) || f(line));
        };
        // Looked up one by one they come in no order, so their times are read first.
        let mut order: Vec<(i64, hinet_protocol::ItemId, i64)> = Vec::new();
        let numbers: Vec<i64> = few.iter().copied().collect();
        reader.lines_of(&numbers, &mut |line| {
            if self.holds(&line) {
                order.push((line.modified, line.id, line.row));
            }
        })?;
        order.sort_unstable_by(|a, b| b.cmp(a));
        let mut on = true;
        for (.., number) in order {
            reader.lines_of(&[number], &mut |line| on = f(line))?;
            if !on {
                break;
            }
        }
        Ok(())
    }

    /// The chunks of all items that are left.
    pub(crate) fn chunks(&self, reader: &Reader<'_>) -> Result<Chunks, VaultError> {
        let mut numbers = Vec::new();
        self.each(reader, &mut |line| {
            numbers.push(line.row);
            true
        })?;
        let mut chunks = Chunks::default();
        reader.chunk_ids_of(&numbers, &mut |chunk| chunks.insert(chunk))?;
        Ok(chunks)
    }
}
