//! Who is who: the spellings and addresses that are one person.
//!
//! What is stored are spellings with their items, contacts' cards as items, and the owner's words; persons are made of them
//! whenever somebody asks. One address is one person, a card joins what stands on it, and a full name without an address
//! is the one person's who bears it. A first name alone joins nobody, and so does one name with two addresses: those are
//! two people until a card or the owner says otherwise.

mod card;
mod group;
mod spelling;
mod words;

pub use words::{Told, Unclear};

use crate::people::is_meant;
use card::Card;
use group::{Row, group};
use hinet_protocol::{ItemId, Millis};
use hinet_vault::{Reader, VaultError, records::PersonWord};
use spelling::{address, called, folded, named, parts, phone};
use std::collections::{BTreeSet, HashMap};

/// What is stored about people.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    rows: Vec<Row>,
    cards: Vec<Card>,
    words: Vec<PersonWord>,
    /// When items were changed last, by their numbers.
    times: HashMap<i64, Millis>,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name: a card's, or the full one that most items have.
    pub name: String,
    /// What stands for the person: the spelling that most items have, or the card's name with an address.
    pub main: String,
    /// The spellings as they stand, the one of the most items first.
    pub spellings: Vec<String>,
    /// Mail addresses.
    pub addresses: Vec<String>,
    /// Telephone numbers.
    pub phones: Vec<String>,
    /// How many items name the person or are a card of theirs.
    pub items: u64,
    /// When the last item was changed that names them; a card's where nothing else does.
    pub last: Millis,
    /// The stored spellings, in lower case.
    rows: Vec<String>,
    /// What stands on cards only, in lower case.
    carded: Vec<String>,
    /// The numbers of the cards.
    cards: Vec<i64>,
    /// What is joined here.
    keys: Vec<String>,
}

/// Everybody.
#[derive(Debug, Clone, Default)]
pub struct Persons {
    all: Vec<Person>,
    places: HashMap<String, usize>,
}

/// What a name leads to.
#[derive(Debug, Default)]
pub(crate) struct Meant<'a> {
    /// Stored spellings.
    pub(crate) spellings: Vec<&'a str>,
    /// Cards, by the numbers of their items.
    pub(crate) cards: Vec<i64>,
}

impl Stored {
    /// Reads what is stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn read(reader: &Reader<'_>) -> Result<Self, VaultError> {
        let mut stored = Self { words: reader.person_words()?, ..Self::default() };
        reader.each_named(&mut |folded, shown, item| {
            if let Some(row) = stored.rows.last_mut().filter(|row| row.folded == folded) {
                row.items.push(item);
            } else {
                stored.rows.push(Row { folded: folded.to_owned(), shown: shown.to_owned(), items: vec![item] });
            }
        })?;
        let (mut numbers, mut contacts): (Vec<i64>, Vec<ItemId>) = (Vec::new(), Vec::new());
        reader.lines(i64::MIN, i64::MAX, &mut |line| {
            stored.times.insert(line.row, line.modified);
            if line.kind == "contact" {
                numbers.push(line.row);
                contacts.push(line.id);
            }
            true
        })?;
        let texts = reader.item_texts(&contacts)?;
        stored.cards = numbers.into_iter().zip(&texts).filter_map(|(item, text)| Card::read(item, text)).collect();
        Ok(stored)
    }

    /// Everybody, by the owner's words as they are.
    #[must_use]
    pub fn persons(&self) -> Persons {
        self.persons_with(&self.words)
    }

    fn persons_with(&self, words: &[PersonWord]) -> Persons {
        let groups = group(&self.rows, &self.cards, words);
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        for (key, root) in groups.keys.into_iter().zip(&groups.roots) {
            let place = *places.entry(*root).or_insert(drafts.len());
            if place == drafts.len() {
                drafts.push(Draft::default());
            }
            drafts[place].keys.push(key);
        }
        for (row, element) in self.rows.iter().zip(&groups.rows) {
            drafts[places[&groups.roots[*element]]].rows.push(row);
        }
        for (card, elements) in self.cards.iter().zip(&groups.cards) {
            let those: BTreeSet<usize> = elements.iter().map(|at| places[&groups.roots[*at]]).collect();
            those.into_iter().for_each(|place| drafts[place].cards.push(card));
        }
        let mut all: Vec<Person> = drafts.into_iter().map(|draft| draft.person(&self.times)).collect();
        all.sort_by(|a, b| b.items.cmp(&a.items).then_with(|| a.main.cmp(&b.main)).then_with(|| a.keys.cmp(&b.keys)));
        Persons::of(all)
    }
}

/// A person that is being put together.
#[derive(Default)]
struct Draft<'a> {
    keys: Vec<String>,
    rows: Vec<&'a Row>,
    cards: Vec<&'a Card>,
}

impl Draft<'_> {
    fn person(mut self, times: &HashMap<i64, Millis>) -> Person {
        self.keys.sort_unstable();
        self.rows.sort_by(|a, b| b.items.len().cmp(&a.items.len()).then_with(|| a.folded.cmp(&b.folded)));
        self.cards.sort_by(|a, b| (&a.name, &a.addresses, &a.phones).cmp(&(&b.name, &b.addresses, &b.phones)));
        let here = |key: &str| self.keys.binary_search_by(|known| known.as_str().cmp(key)).is_ok();
        let (mut addresses, mut phones) = (BTreeSet::new(), BTreeSet::new());
        let mut carded = BTreeSet::new();
        addresses.extend(self.rows.iter().filter_map(|row| parts(&row.folded).1));
        for card in &self.cards {
            let name = folded(&card.name);
            for address in card.addresses.iter().filter(|address| here(address)) {
                addresses.insert(address.clone());
                carded.insert(format!("{name} <{address}>"));
            }
            for phone in &card.phones {
                let number = group::number(&card.name, phone);
                if here(&number) {
                    phones.insert(phone.clone());
                    carded.insert(number);
                }
            }
            if here(&name) {
                carded.insert(name);
            }
        }
        let name = self.name(&addresses, &phones);
        let reached = addresses.first().or(phones.first()).filter(|reached| **reached != name);
        let main = match (self.rows.first(), reached) {
            (Some(row), _) => row.shown.clone(),
            (None, Some(reached)) => format!("{name} <{reached}>"),
            (None, None) => name.clone(),
        };
        let mut items: Vec<i64> = self.rows.iter().flat_map(|row| row.items.iter().copied()).collect();
        let named = items.iter().filter_map(|item| times.get(item)).max();
        let on_cards = self.cards.iter().filter_map(|card| times.get(&card.item)).max();
        let last = named.or(on_cards).copied().unwrap_or_default();
        items.extend(self.cards.iter().map(|card| card.item));
        items.sort_unstable();
        items.dedup();
        Person {
            name,
            main,
            spellings: self.rows.iter().map(|row| row.shown.clone()).collect(),
            addresses: addresses.into_iter().collect(),
            phones: phones.into_iter().collect(),
            items: items.len() as u64,
            last,
            rows: self.rows.iter().map(|row| row.folded.clone()).collect(),
            carded: carded.into_iter().collect(),
            cards: self.cards.iter().map(|card| card.item).collect(),
            keys: self.keys,
        }
    }

    fn name(&self, addresses: &BTreeSet<String>, phones: &BTreeSet<String>) -> String {
        let on_card = self.cards.iter().map(|card| card.name.as_str()).find(|name| !name.is_empty());
        let mut names = self.rows.iter().filter_map(|row| named(&row.shown));
        let full = names.clone().find(|name| spelling::is_full(name));
        let name = on_card.or(full).or_else(|| names.next());
        let name = name.or_else(|| addresses.first().or(phones.first()).map(String::as_str));
        name.or(self.rows.first().map(|row| row.shown.as_str())).unwrap_or_default().to_owned()
    }
}

impl Person {
    /// Whether one of the names is this full one, in lower case.
    fn bears(&self, name: &str) -> bool {
        let all = self.rows.iter().chain(&self.carded);
        spelling::is_full(name) && all.map(|text| named(text)).any(|known| known == Some(name))
    }
}

impl Persons {
    fn of(all: Vec<Person>) -> Self {
        let mut places = HashMap::new();
        for (at, person) in all.iter().enumerate() {
            for spelling in person.rows.iter().chain(&person.keys) {
                places.insert(spelling.clone(), at);
            }
        }
        // Somebody who stands on a card only is called by more than a spelling.
        for (at, person) in all.iter().enumerate() {
            places.entry(folded(&person.main)).or_insert(at);
        }
        Self { all, places }
    }

    /// Everybody, those of the most items first.
    #[must_use]
    pub fn all(&self) -> &[Person] {
        &self.all
    }

    /// Who has a spelling or an address, exactly.
    #[must_use]
    pub fn exact(&self, asked: &str) -> Option<&Person> {
        let place = self.places.get(&folded(asked)).or_else(|| self.places.get(&address(asked)?));
        place.map(|at| &self.all[*at])
    }

    /// Everybody one of whose spellings has the words asked for; nothing asked for is everybody.
    #[must_use]
    pub fn found(&self, asked: &str) -> Vec<&Person> {
        let number = phone(asked);
        let is_found = |person: &&Person| {
            asked.trim().is_empty()
                || person.rows.iter().chain(&person.carded).any(|text| is_meant(asked, text))
                || number.as_ref().is_some_and(|number| person.phones.contains(number))
        };
        self.all.iter().filter(is_found).collect()
    }

    /// The one person who is meant.
    ///
    /// # Errors
    /// Where nobody is, or several may be.
    pub fn one(&self, asked: &str) -> Result<&Person, Unclear> {
        let name = folded(asked);
        if name.is_empty() {
            return Err(Unclear::Nobody { asked: name });
        }
        if let Some(person) = self.exact(asked) {
            return Ok(person);
        }
        let mut likely: Vec<&Person> = self.all.iter().filter(|person| person.bears(&name)).collect();
        if likely.is_empty() {
            likely = self.found(asked);
        }
        let asked = asked.to_owned();
        match likely.as_slice() {
            [] => Err(Unclear::Nobody { asked }),
            [one] => Ok(*one),
            several => {
                Err(Unclear::Several { asked, them: several.iter().map(|person| person.main.clone()).collect() })
            }
        }
    }

    /// What is meant by whoever is called so: all spellings of the persons whose names or addresses have these words. A
    /// domain leads to the spellings it stands in and no further.
    pub(crate) fn called(&self, asked: &str) -> Meant<'_> {
        let whole = asked.contains('@');
        let mut meant = Meant::default();
        for person in &self.all {
            let texts = person.rows.iter().chain(&person.carded).map(String::as_str);
            let hits: Vec<&str> = texts.filter(|text| is_meant(asked, text)).collect();
            if hits.is_empty() {
                continue;
            }
            if whole || hits.iter().any(|text| is_meant(asked, called(text))) {
                meant.add(person);
            } else {
                meant.spellings.extend(person.rows.iter().map(String::as_str).filter(|row| hits.contains(row)));
            }
        }
        meant
    }

    /// [`Persons::called`], but where a spelling is exactly somebody's it is they alone.
    pub(crate) fn exactly(&self, asked: &str) -> Meant<'_> {
        match self.exact(asked) {
            Some(person) => {
                let mut meant = Meant::default();
                meant.add(person);
                meant
            }
            None => self.called(asked),
        }
    }
}

impl<'a> Meant<'a> {
    fn add(&mut self, person: &'a Person) {
        self.spellings.extend(person.rows.iter().map(String::as_str));
        self.cards.extend(&person.cards);
    }
}

#[cfg(test)]
mod tests;
