//! Who is who: kept in memory until something changes, listed, and put right by the owner.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hinet_index::{Filter, Person, Persons, Stored, Told, Unclear};
use hinet_vault::VaultError;
use hinet_vault::records::Tx;

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Event, PersonLine};
use crate::state::Node;

/// Most persons of one list.
const PERSONS_MAX: usize = 1_000;
/// Persons named where it is not clear who is meant.
const NAMED_MAX: usize = 6;
/// What is typed beyond this is no name.
const TYPED_MAX: usize = 400;
/// Up to which item people have been looked for: a number, or [`DONE`].
const FILLED: &str = "people/filled";
const DONE: &str = "done";
/// Items in one transaction.
const BATCH: usize = 64;

/// Who is who, where somebody asked.
#[derive(Default)]
pub(crate) struct Circle {
    known: Mutex<Option<Arc<Persons>>>,
    soiled: AtomicBool,
    /// Counts forgettings: what was being made during one is not kept.
    cleared: AtomicU64,
}

impl Circle {
    /// Something was added or changed.
    pub(crate) fn soil(&self) {
        self.soiled.store(true, Ordering::SeqCst);
    }

    /// Something is gone and must not be named again.
    pub(crate) fn clear(&self) {
        self.cleared.fetch_add(1, Ordering::SeqCst);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Who is who, as it is now.
    pub(crate) fn get(&self, node: &Node) -> Result<Arc<Persons>, NodeError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let cleared = self.cleared.load(Ordering::SeqCst);
        let soiled = self.soiled.swap(false, Ordering::SeqCst);
        if let Some(known) = &*known
            && !soiled
        {
            return Ok(known.clone());
        }
        let made = match node.vault.read(Stored::read) {
            Ok(stored) => Arc::new(stored.persons()),
            Err(error) => {
                self.soil();
                return Err(NodeError::from(error));
            }
        };
        // A forgetting that goes on now waits for this lock and takes it away again; one before it is in it.
        *known = (self.cleared.load(Ordering::SeqCst) == cleared).then(|| made.clone());
        Ok(made)
    }
}

/// Who is who, where a filter asks for people.
pub(crate) fn asked_for(node: &Node, filter: &Filter) -> Result<Option<Arc<Persons>>, NodeError> {
    if !filter.asks_for_people() {
        return Ok(None);
    }
    fill(node)?;
    node.people.get(node).map(Some)
}

/// [`crate::protocol::Op::People`].
pub(crate) fn people(node: &Node, name: &str, limit: usize) -> Result<Event, NodeError> {
    let name: String = name.chars().take(TYPED_MAX).collect();
    fill(node)?;
    let persons = node.people.get(node)?;
    let found = persons.found(&name);
    let total = found.len() as u64;
    Ok(Event::People { people: found.into_iter().take(limit.clamp(1, PERSONS_MAX)).map(line).collect(), total })
}

/// [`crate::protocol::Op::PersonMerge`].
pub(crate) fn merge(node: &Node, one: &str, other: &str) -> Result<Event, NodeError> {
    tell(node, |stored| stored.merged(one, other).map_err(unclear))
}

/// [`crate::protocol::Op::PersonSplit`].
pub(crate) fn split(node: &Node, spelling: &str) -> Result<Event, NodeError> {
    tell(node, |stored| stored.parted(spelling).map_err(unclear))
}

/// [`crate::protocol::Op::PersonUndo`].
pub(crate) fn undo(node: &Node) -> Result<Event, NodeError> {
    tell(node, |stored| {
        stored.undone().ok_or_else(|| {
            NodeError::said(
                ErrorKind::Failed,
                "There is nothing to take back: nobody was merged or split.",
                "`icore memory people` lists who is who.",
            )
        })
    })
}

/// Has the owner say something, and answers with whom it was about.
fn tell(node: &Node, say: impl Fn(&Stored) -> Result<Told, NodeError>) -> Result<Event, NodeError> {
    fill(node)?;
    let about = node.vault.write(|tx| {
        let Told { words, about } = say(&Stored::read(tx)?)?;
        tx.set_person_words(&words)?;
        Ok::<_, NodeError>(about)
    })?;
    node.people.soil();
    node.names.soil();
    Ok(Event::People { people: about.iter().map(line).collect(), total: about.len() as u64 })
}

/// Takes out of the owner's words what no item names any more.
pub(crate) fn prune(tx: &Tx<'_>) -> Result<(), VaultError> {
    if tx.person_words()?.is_empty() {
        return Ok(());
    }
    match Stored::read(tx)?.pruned() {
        Some(words) => tx.set_person_words(&words),
        None => Ok(()),
    }
}

fn line(person: &Person) -> PersonLine {
    PersonLine {
        name: person.name.clone(),
        spellings: person.spellings.clone(),
        addresses: person.addresses.clone(),
        phones: person.phones.clone(),
        items: person.items,
        last: person.last,
    }
}

fn unclear(why: Unclear) -> NodeError {
    let hint = match &why {
        Unclear::Nobody { .. } => "`icore memory people` lists who is who.".to_owned(),
        Unclear::Several { them, .. } => {
            let some = them.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
            let more = if them.len() > NAMED_MAX { "; …" } else { "" };
            format!("Say it by an address: {some}{more}")
        }
        Unclear::Same { .. } => "`icore memory people split` sets a spelling or an address apart.".to_owned(),
        Unclear::Alone { .. } => "Only a part of somebody can be set apart.".to_owned(),
    };
    let text = format!("{why}.");
    let mut letters = text.chars();
    let text = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
    NodeError::said(ErrorKind::Failed, text, hint)
}

/// Looks for the people of older items, once for all. Cut off anywhere, it goes on where it was.
pub(crate) fn fill(node: &Node) -> Result<(), NodeError> {
    let mut mark = node.vault.read(|r| r.meta(FILLED))?.unwrap_or_default();
    while mark != DONE {
        let after = mark.parse().unwrap_or(0);
        mark = node.vault.write(|tx| {
            let items = tx.texts_after(after, BATCH)?;
            for (_, item, text) in &items {
                let people = hinet_index::people(text);
                if !people.is_empty() {
                    tx.set_people(*item, &people)?;
                }
            }
            let mark = items.last().filter(|_| items.len() == BATCH).map_or(DONE.to_owned(), |last| last.0.to_string());
            tx.set_meta(FILLED, &mark)?;
            Ok::<_, VaultError>(mark)
        })?;
        node.people.soil();
    }
    Ok(())
}
