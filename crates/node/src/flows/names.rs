//! Names typed after `@`: items, sources, folders, people and labels, matched fuzzily over a table that is kept in
//! memory until something in it changes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hinet_index::Person;
use nucleo_matcher::{Config, Matcher, Utf32Str, Utf32String, chars};

use crate::failure::NodeError;
use crate::protocol::{Event, Name, Within};
use crate::state::Node;

/// Most names in one answer.
const NAMES_MAX: usize = 100;
/// What is typed beyond this is no name.
const TYPED_MAX: usize = 200;
/// While an import runs the table is made again no sooner than this.
const STALE_FOR: Duration = Duration::from_secs(2);
/// From so many entries on, two threads look through them.
const HALVED_FROM: usize = 20_000;
/// So many of the quick look's best are looked at with care.
const PROMISING: usize = 512;
/// What a match in the name itself is worth more than one somewhere in its path.
const NAMED: u32 = 24;

/// The table, where it was made.
#[derive(Default)]
pub(crate) struct Shelf {
    table: Mutex<Option<Arc<Table>>>,
    soiled: AtomicBool,
    /// Counts forgettings: a table that was being made during one is not kept.
    cleared: AtomicU64,
}

impl Shelf {
    /// Something was added or changed.
    pub(crate) fn soil(&self) {
        self.soiled.store(true, Ordering::SeqCst);
    }

    /// Something is gone and must not be named again.
    pub(crate) fn clear(&self) {
        self.cleared.fetch_add(1, Ordering::SeqCst);
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn get(&self, node: &Node) -> Result<Arc<Table>, NodeError> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*table
            && (!self.soiled.load(Ordering::SeqCst) || known.made.elapsed() < STALE_FOR)
        {
            return Ok(known.clone());
        }
        let cleared = self.cleared.load(Ordering::SeqCst);
        self.soiled.store(false, Ordering::SeqCst);
        let made = Arc::new(Table::read(node)?);
        // A forgetting that goes on now waits for this lock and takes the table away again; one before it is in it.
        *table = (self.cleared.load(Ordering::SeqCst) == cleared).then(|| made.clone());
        Ok(made)
    }
}

/// All names, the newest items last among their kind.
struct Table {
    entries: Vec<Entry>,
    made: Instant,
}

struct Entry {
    within: Within,
    name: String,
    /// A path, or what there is to say of it.
    detail: String,
    /// What it is called besides.
    also: String,
    /// The letters and digits in it, one bit each.
    signs: u64,
}

impl Entry {
    fn new(within: Within, name: String, detail: String) -> Self {
        let signs = signs(&name) | if is_file(&within) { signs(&detail) } else { 0 };
        Self { within, name, detail, also: String::new(), signs }
    }

    /// A person, once, by the spelling that most items have; the others find them too.
    fn person(person: &Person) -> Self {
        let also: Vec<&str> = person.spellings.iter().skip(1).chain(&person.addresses).map(String::as_str).collect();
        let mut entry =
            Self::new(Within::Person(person.main.clone()), person.main.clone(), counted("person", person.items));
        entry.also = also.join(" ");
        entry.signs |= signs(&entry.also);
        entry
    }
}

/// One of the matcher's two ways of looking.
type Look = fn(&mut Matcher, Utf32Str<'_>, Utf32Str<'_>) -> Option<u16>;

impl Entry {
    /// How well all words are found in the name, or else in the path or the other names.
    fn score(&self, words: &[Utf32String], look: Look, matcher: &mut Matcher, letters: &mut Vec<char>) -> Option<u32> {
        let mut sum = |text: &str| {
            let text = Utf32Str::new(text, letters);
            words.iter().map(|word| look(matcher, text, word.slice(..)).map(u32::from)).sum::<Option<u32>>()
        };
        match sum(&self.name) {
            Some(score) => Some(score + NAMED),
            None if is_file(&self.within) => sum(&self.detail),
            None if !self.also.is_empty() => sum(&self.also),
            None => None,
        }
    }
}

fn is_file(within: &Within) -> bool {
    matches!(within, Within::Item(_) | Within::Folder(_) | Within::Source(_))
}

/// One bit for each ASCII letter or digit that occurs.
fn signs(text: &str) -> u64 {
    text.bytes().fold(0, |signs, byte| match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => signs | 1 << (letter - b'a'),
        digit @ b'0'..=b'9' => signs | 1 << (26 + digit - b'0'),
        _ => signs,
    })
}

fn counted(what: &str, items: u64) -> String {
    if items == 1 { format!("{what}, 1 item") } else { format!("{what}, {items} items") }
}

/// The last part of a path.
fn last(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Table {
    fn read(node: &Node) -> Result<Self, NodeError> {
        let persons = node.people.get(node)?;
        node.vault.read(|reader| {
            let mut entries = Vec::new();
            for (label, items) in reader.labels()? {
                entries.push(Entry::new(Within::Label(label.clone()), label, counted("label", items)));
            }
            entries.extend(persons.all().iter().map(Entry::person));
            let sources = reader.sources()?;
            for source in &sources {
                entries.push(Entry::new(Within::Source(source.id), last(&source.path), source.path.clone()));
            }
            let mut folders: BTreeSet<String> = BTreeSet::new();
            let mut items = Vec::new();
            reader.lines(i64::MIN, i64::MAX, &mut |line| {
                if let Some(folder) = Path::new(line.key).parent().and_then(Path::to_str)
                    && folder.starts_with('/')
                    && !folders.contains(folder)
                {
                    folders.insert(folder.to_owned());
                }
                items.push(Entry::new(Within::Item(line.id), line.title.to_owned(), line.key.to_owned()));
                true
            })?;
            let is_source = |folder: &String| sources.iter().any(|source| source.path == *folder);
            for folder in folders.into_iter().filter(|folder| !is_source(folder)) {
                entries.push(Entry::new(Within::Folder(folder.clone()), last(&folder), folder));
            }
            entries.append(&mut items);
            Ok(Self { entries, made: Instant::now() })
        })
    }

    /// The best places for what is typed, best first; equals in the order of the table. All entries are looked at
    /// quickly, and the most promising once more with care.
    fn best(&self, typed: &str, limit: usize) -> Vec<usize> {
        let words: Vec<Utf32String> = typed.split_whitespace().map(plain).collect();
        if words.is_empty() {
            return (0..self.entries.len().min(limit)).collect();
        }
        let wanted = signs(typed);
        let quick = |from: usize, to: usize| {
            let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
            let mut letters = Vec::new();
            let mut found: Vec<(u32, usize)> = Vec::new();
            for (at, entry) in self.entries.iter().enumerate().take(to).skip(from) {
                if wanted & !entry.signs == 0
                    && let Some(score) = entry.score(&words, Matcher::fuzzy_match_greedy, &mut matcher, &mut letters)
                {
                    found.push((score, at));
                }
            }
            found
        };
        let len = self.entries.len();
        let mut found = if len < HALVED_FROM {
            quick(0, len)
        } else {
            std::thread::scope(|scope| {
                let second = scope.spawn(|| quick(len / 2, len));
                let mut found = quick(0, len / 2);
                found.append(&mut second.join().unwrap_or_default());
                found
            })
        };
        let order = |a: &(u32, usize), b: &(u32, usize)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
        if found.len() > PROMISING {
            found.select_nth_unstable_by(PROMISING, order);
            found.truncate(PROMISING);
        }
        let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
        let mut letters = Vec::new();
        for (score, at) in &mut found {
            let careful = self.entries[*at].score(&words, Matcher::fuzzy_match, &mut matcher, &mut letters);
            *score = careful.unwrap_or(*score);
        }
        found.sort_unstable_by(order);
        found.truncate(limit);
        found.into_iter().map(|(_, at)| at).collect()
    }
}

/// A word as the matcher wants it: in lower case, without accents.
fn plain(word: &str) -> Utf32String {
    let plain: String = word.chars().map(|c| chars::to_lower_case(chars::normalize(c))).collect();
    Utf32String::from(plain)
}

/// [`crate::protocol::Op::Names`].
pub(crate) fn names(node: &Node, typed: &str, limit: usize) -> Result<Event, NodeError> {
    let typed: String = typed.chars().take(TYPED_MAX).collect();
    let table = node.names.get(node)?;
    let best = table.best(&typed, limit.clamp(1, NAMES_MAX));
    let names = best.into_iter().map(|at| {
        let Entry { within, name, detail, .. } = &table.entries[at];
        Name { within: within.clone(), name: name.clone(), detail: detail.clone() }
    });
    Ok(Event::Names { names: names.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ItemId;

    fn table(count: usize) -> Table {
        let item = |n: usize| {
            let path = format!("/home/maya/notes/{}/meeting-{n}-of-{}.md", n % 97, n * 7919 % 10_007);
            Entry::new(Within::Item(ItemId::new()), format!("Meeting {n}"), path)
        };
        let mut entries = vec![
            Entry::new(Within::Label("taxes".into()), "taxes".into(), "label, 3 items".into()),
            Entry::new(Within::Person("Ana Müller".into()), "Ana Müller".into(), "person, 1 item".into()),
            Entry::new(Within::Folder("/x/boat trip".into()), "boat trip".into(), "/x/boat trip".into()),
        ];
        entries.extend((0..count).map(item));
        Table { entries, made: Instant::now() }
    }

    fn found(table: &Table, typed: &str) -> Vec<String> {
        table.best(typed, 3).into_iter().map(|at| table.entries[at].name.clone()).collect()
    }

    #[test]
    fn names_are_found_by_parts_of_them() {
        let table = table(50);
        assert_eq!(found(&table, "tax"), ["taxes"]);
        assert_eq!(found(&table, "anam"), ["Ana Müller"]);
        assert_eq!(found(&table, "BOAT")[0], "boat trip");
        assert_eq!(found(&table, "meeting 42")[0], "Meeting 42");
        assert_eq!(found(&table, "notes/7/")[0], "Meeting 7", "the path counts for items");
        assert_eq!(found(&table, "person"), Vec::<String>::new(), "what is said of a person is not its name");
        assert_eq!(found(&table, "zzzq"), Vec::<String>::new());
        assert_eq!(found(&table, " ").len(), 3);
    }

    /// `cargo test --release -p hinet-node names_of_a_hundred_thousand -- --ignored --nocapture` prints the cost of a
    /// key press.
    #[test]
    #[ignore = "measures, and decides nothing"]
    fn names_of_a_hundred_thousand() {
        let table = table(100_000);
        for typed in ["", "m", "me", "meet", "meeting 99", "notes", "ana", "zq", "me 9 7"] {
            let start = Instant::now();
            let found = table.best(typed, 20).len();
            println!("{typed:?}: {found} names in {:.2} ms", start.elapsed().as_secs_f64() * 1000.0);
        }
    }
}
