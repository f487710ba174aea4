//! The owner's words about who is who, and how they are said: two are one person, a spelling stands apart, the last word is
//! taken back. Each gives all words as they are then; the vault keeps them.

use super::group::{Row, apart, number, tie};
use super::spelling::{address, folded, parts, phone};
use super::{Person, Persons, Stored};
use hinet_vault::records::PersonWord;
use std::collections::{BTreeMap, HashSet};

/// Why it is not clear who is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Nobody is called so.
    #[error("nobody in the memory is called \"{asked}\"")]
    Nobody {
        /// What was asked for.
        asked: String,
    },
    /// Several are.
    #[error("\"{asked}\" may be any of {}", .them.len())]
    Several {
        /// What was asked for.
        asked: String,
        /// A spelling of each.
        them: Vec<String>,
    },
    /// Both are one person already.
    #[error("both are one person already: {name}")]
    Same {
        /// Who.
        name: String,
    },
    /// There is nothing else of this person.
    #[error("\"{asked}\" is all there is of this person")]
    Alone {
        /// What was to stand apart.
        asked: String,
    },
}

/// The owner's words after something was said, and whom it was about, as they are then.
#[derive(Debug, Clone)]
pub struct Told {
    /// All words.
    pub words: Vec<PersonWord>,
    /// Whom it was about.
    pub about: Vec<Person>,
}

impl Stored {
    /// Two are one person.
    ///
    /// # Errors
    /// Where it is not clear who is meant, or they are one person already.
    pub fn merged(&self, one: &str, other: &str) -> Result<Told, Unclear> {
        let persons = self.persons();
        let (one, other) = (persons.one(one)?, persons.one(other)?);
        if one.keys == other.keys {
            return Err(Unclear::Same { name: one.name.clone() });
        }
        let mut words = self.words.clone();
        words.extend(ties(&one.keys, &other.keys, self.next()));
        Ok(self.told(words, one.keys.iter().take(1).cloned().collect()))
    }

    /// A spelling stands apart, or an address with the spellings it stands in. What it leaves behind stays one person.
    ///
    /// # Errors
    /// Where there is no such spelling, or nothing is left without it.
    pub fn parted(&self, asked: &str) -> Result<Told, Unclear> {
        let persons = self.persons();
        let key = self.key(&persons, asked).ok_or_else(|| Unclear::Nobody { asked: asked.to_owned() })?;
        let Some(person) = persons.exact(&key) else { return Err(Unclear::Nobody { asked: asked.to_owned() }) };
        if person.keys == [key.as_str()] {
            return Err(Unclear::Alone { asked: asked.to_owned() });
        }
        let step = self.next();
        let mut words = self.words.clone();
        words.push(PersonWord { step, one: key.clone(), other: None });
        let after = self.persons_with(&words);
        let gone = after.places.get(&key).copied();
        let mut left: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for rest in person.keys.iter().filter(|rest| **rest != key) {
            if let Some(place) = after.places.get(rest).copied().filter(|place| Some(*place) != gone) {
                left.entry(place).or_default().push(rest.clone());
            }
        }
        let mut left = left.into_values();
        let mut about = vec![key];
        if let Some(first) = left.next() {
            left.for_each(|other| words.extend(ties(&first, &other, step)));
            about.extend(first.into_iter().take(1));
        }
        Ok(self.told(words, about))
    }

    /// The last word is taken back; none where nothing was said.
    #[must_use]
    pub fn undone(&self) -> Option<Told> {
        let last = self.words.iter().map(|word| word.step).max()?;
        let (gone, words): (Vec<PersonWord>, Vec<PersonWord>) =
            self.words.iter().cloned().partition(|word| word.step == last);
        let about = gone.into_iter().flat_map(|word| std::iter::once(word.one).chain(word.other)).collect();
        Some(self.told(words, about))
    }

    /// The words without those spellings that no item has any more; none where all are in use. Who was one person by way
    /// of such a spelling still is.
    #[must_use]
    pub fn pruned(&self) -> Option<Vec<PersonWord>> {
        let known = self.known();
        let gone = |word: &PersonWord| {
            std::iter::once(&word.one).chain(&word.other).find(|key| !known.contains(key.as_str())).cloned()
        };
        self.words.iter().find_map(gone)?;
        let apart = apart(&self.words);
        let mut words = self.words.clone();
        while let Some(key) = words.iter().find_map(gone) {
            let (touching, rest): (Vec<PersonWord>, Vec<PersonWord>) = words
                .into_iter()
                .partition(|word| word.one == key || word.other.as_ref().is_some_and(|other| *other == key));
            let beside: Vec<(String, i64)> = touching
                .iter()
                .filter_map(|word| {
                    let (one, other) = tie(word, &apart)?;
                    let beside = if one == key { other } else { one };
                    Some((beside.to_owned(), word.step))
                })
                .collect();
            words = rest;
            for pair in beside.windows(2) {
                let ((one, before), (other, after)) = (&pair[0], &pair[1]);
                if one != other {
                    words.push(PersonWord { step: *before.max(after), one: one.clone(), other: Some(other.clone()) });
                }
            }
        }
        words.sort_unstable();
        words.dedup();
        Some(words)
    }

    /// What items have: spellings, addresses, what stands on cards.
    fn known(&self) -> HashSet<String> {
        let mut known: HashSet<String> = HashSet::new();
        for row in &self.rows {
            known.extend(parts(&row.folded).1);
            known.insert(row.folded.clone());
        }
        for card in &self.cards {
            known.extend(card.addresses.iter().cloned());
            known.extend(card.phones.iter().map(|phone| number(&card.name, phone)));
            known.insert(folded(&card.name));
        }
        known
    }

    fn next(&self) -> i64 {
        self.words.iter().map(|word| word.step).max().unwrap_or_default() + 1
    }

    fn told(&self, words: Vec<PersonWord>, about: Vec<String>) -> Told {
        let persons = self.persons_with(&words);
        let mut places: Vec<usize> = Vec::new();
        for place in about.iter().filter_map(|key| persons.places.get(key)) {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        Told { about: places.into_iter().map(|at| persons.all[at].clone()).collect(), words }
    }

    /// What is to stand apart by this name. A spelling that is all there is of its address is the address.
    fn key(&self, persons: &Persons, asked: &str) -> Option<String> {
        let spelling = folded(asked);
        let joined = |key: &str| persons.exact(key).is_some_and(|person| person.keys.iter().any(|known| known == key));
        if joined(&spelling) {
            return Some(spelling);
        }
        if self.rows.iter().any(|row| row.folded == spelling) {
            // It stands with its address.
            let (name, address) = parts(&spelling);
            let address = address?;
            let beside = |row: &Row| {
                row.folded != spelling
                    && parts(&row.folded).1.as_ref() == Some(&address)
                    && (row.folded == address || !joined(&row.folded))
            };
            let more = self.rows.iter().any(beside) || self.cards.iter().any(|card| card.addresses.contains(&address));
            return Some(if name.is_some() && more { spelling } else { address });
        }
        if let Some(address) = address(asked) {
            return joined(&address).then_some(address);
        }
        let end = format!(" <{}>", phone(asked)?);
        let mut numbers = persons.all.iter().flat_map(|person| &person.keys).filter(|key| key.ends_with(&end));
        match (numbers.next(), numbers.next()) {
            (Some(key), None) => Some(key.clone()),
            _ => None,
        }
    }
}

/// Words that join two persons by all that is joined in each, so that they stay joined whatever of it goes.
fn ties(one: &[String], other: &[String], step: i64) -> Vec<PersonWord> {
    let (Some(first), Some(second)) = (one.first(), other.first()) else { return Vec::new() };
    let tie = |one: &String, other: &String| PersonWord { step, one: one.clone(), other: Some(other.clone()) };
    one.iter().map(|key| tie(key, second)).chain(other.iter().skip(1).map(|key| tie(first, key))).collect()
}
