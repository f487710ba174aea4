//! Which spellings are one person.
//!
//! What is compared are *elements*: a mail address with the spellings it stands in, a name without an address, a
//! telephone number of a card with the card's name. A card joins its elements, the owner's word joins any, and at last a
//! full name without an address joins the one who bears it. Nothing depends on the order in which anything came.

use super::card::Card;
use super::spelling::{folded, is_full, parts};
use hinet_vault::records::PersonWord;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An address under more full names than this is a list's or a machine's: its spellings are not one person.
const NAMES_OF_ONE: usize = 8;

/// A stored spelling, with the items that name it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// In lower case.
    pub(super) folded: String,
    /// As it stands.
    pub(super) shown: String,
    /// The numbers of the items.
    pub(super) items: Vec<i64>,
}

/// The elements, and which of them belong together.
#[derive(Debug)]
pub(super) struct Groups {
    /// What each element is called.
    pub(super) keys: Vec<String>,
    /// For each element one that stands for all that are joined with it.
    pub(super) roots: Vec<usize>,
    /// For each spelling its element.
    pub(super) rows: Vec<usize>,
    /// For each card its elements.
    pub(super) cards: Vec<Vec<usize>>,
}

/// Elements that are joined one pair after the other.
#[derive(Default)]
struct Elements {
    keys: Vec<String>,
    places: HashMap<String, usize>,
    above: Vec<usize>,
}

impl Elements {
    fn of(&mut self, key: &str) -> usize {
        if let Some(at) = self.places.get(key) {
            return *at;
        }
        let at = self.keys.len();
        self.keys.push(key.to_owned());
        self.places.insert(key.to_owned(), at);
        self.above.push(at);
        at
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.above[at] != at {
            let further = self.above[self.above[at]];
            self.above[at] = further;
            at = further;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.above[one.max(other)] = one.min(other);
    }

    fn join_all(&mut self, all: &[usize]) {
        for pair in all.windows(2) {
            self.join(pair[0], pair[1]);
        }
    }

    fn roots(&mut self) -> Vec<usize> {
        let count = self.keys.len();
        (0..count).map(|at| self.root(at)).collect()
    }
}

/// Who bears a full name.
#[derive(Default)]
struct Bearers {
    /// Elements with an address.
    addressed: Vec<usize>,
    /// Cards without one, by an element of each.
    carded: Vec<usize>,
    /// The name by itself.
    bare: Option<usize>,
}

/// What stands apart, each with when that was said last.
pub(super) fn apart(words: &[PersonWord]) -> HashMap<&str, i64> {
    let mut apart = HashMap::new();
    for word in words.iter().filter(|word| word.other.is_none()) {
        let step = apart.entry(word.one.as_str()).or_insert(word.step);
        *step = word.step.max(*step);
    }
    apart
}

/// The two that a word joins, unless one of them was set apart since.
pub(super) fn tie<'w>(word: &'w PersonWord, apart: &HashMap<&str, i64>) -> Option<(&'w str, &'w str)> {
    let (one, other) = (word.one.as_str(), word.other.as_deref()?);
    let stands = |key: &str| apart.get(key).is_none_or(|since| word.step > *since);
    (stands(one) && stands(other)).then_some((one, other))
}

/// What a card's telephone number is called.
pub(super) fn number(name: &str, phone: &str) -> String {
    format!("{} <{phone}>", folded(name))
}

/// Addresses that many write from.
fn shared(rows: &[Row]) -> HashSet<String> {
    let mut names: HashMap<String, HashSet<&str>> = HashMap::new();
    for row in rows {
        if let (Some(name), Some(address)) = parts(&row.folded)
            && is_full(name)
        {
            names.entry(address).or_default().insert(name);
        }
    }
    names.retain(|_, names| names.len() > NAMES_OF_ONE);
    names.into_keys().collect()
}

/// Groups spellings and cards, with the owner's words over them.
pub(super) fn group(rows: &[Row], cards: &[Card], words: &[PersonWord]) -> Groups {
    let (apart, shared) = (apart(words), shared(rows));
    let mut elements = Elements::default();
    let mut names: BTreeMap<String, Bearers> = BTreeMap::new();
    let mut placed = Vec::with_capacity(rows.len());
    for row in rows {
        let (name, address) = parts(&row.folded);
        let many = address.as_ref().is_some_and(|address| shared.contains(address));
        let alone = name.is_some() && (many || apart.contains_key(row.folded.as_str()));
        let at = elements.of(address.as_deref().filter(|_| !alone).unwrap_or(&row.folded));
        if let Some(name) = name.filter(|name| is_full(name)) {
            match address {
                Some(_) if many => {}
                Some(_) => names.entry(name.to_owned()).or_default().addressed.push(at),
                None => names.entry(name.to_owned()).or_default().bare = Some(at),
            }
        }
        placed.push(at);
    }
    let carded = cards.iter().map(|card| of_card(card, &apart, &mut elements, &mut names)).collect();

    let spelled: HashMap<&str, usize> =
        rows.iter().map(|row| row.folded.as_str()).zip(placed.iter().copied()).collect();
    let place = |key: &str| elements.places.get(key).or_else(|| spelled.get(key)).copied();
    let told = words.iter().filter_map(|word| tie(word, &apart));
    let told: Vec<(usize, usize)> = told.filter_map(|(one, other)| Some((place(one)?, place(other)?))).collect();
    told.into_iter().for_each(|(one, other)| elements.join(one, other));

    // Everybody is known but by a bare name. Who bears one is looked up as it is now, so that no name comes before another.
    let roots = elements.roots();
    let mut sizes = vec![0usize; roots.len()];
    roots.iter().for_each(|root| sizes[*root] += 1);
    for (name, bearers) in &names {
        let bare = bearers.bare.filter(|_| !apart.contains_key(name.as_str()));
        let mut addressed: Vec<usize> = bearers.addressed.iter().map(|at| roots[*at]).collect();
        // A name that the owner gave to somebody is borne by them.
        addressed.extend(bare.map(|at| roots[at]).filter(|root| sizes[*root] > 1));
        addressed.sort_unstable();
        addressed.dedup();
        let mut carded: Vec<usize> = bearers.carded.iter().map(|at| roots[*at]).collect();
        carded.retain(|root| !addressed.contains(root));
        carded.sort_unstable();
        carded.dedup();
        // An address that was set apart left its bare names behind; a spelling takes them along.
        let left = |key: &String| apart.contains_key(key.as_str()) && !key.ends_with('>');
        let free = !bearers.addressed.iter().any(|at| left(&elements.keys[*at]));
        if free && addressed.len() <= 1 && carded.len() <= 1 {
            let all: Vec<usize> = addressed.into_iter().chain(carded).chain(bare).collect();
            elements.join_all(&all);
        }
    }
    Groups { roots: elements.roots(), keys: elements.keys, rows: placed, cards: carded }
}

/// The elements of a card, joined but for those that stand apart.
fn of_card(
    card: &Card,
    apart: &HashMap<&str, i64>,
    elements: &mut Elements,
    names: &mut BTreeMap<String, Bearers>,
) -> Vec<usize> {
    let name = folded(&card.name);
    let mut all: Vec<usize> = card.addresses.iter().map(|address| elements.of(address)).collect();
    all.extend(card.phones.iter().map(|phone| elements.of(&number(&name, phone))));
    if all.is_empty() {
        // Nothing but a name is a name.
        if !name.is_empty() {
            all.push(elements.of(&name));
            if is_full(&name) {
                names.entry(name).or_default().bare = all.first().copied();
            }
        }
        return all;
    }
    let joined: Vec<usize> =
        all.iter().copied().filter(|at| !apart.contains_key(elements.keys[*at].as_str())).collect();
    elements.join_all(&joined);
    if let Some(first) = joined.first().copied().filter(|_| is_full(&name)) {
        let addressed = card.addresses.iter().any(|address| !apart.contains_key(address.as_str()));
        let bearers = names.entry(name).or_default();
        if addressed { bearers.addressed.push(first) } else { bearers.carded.push(first) }
    }
    all
}
