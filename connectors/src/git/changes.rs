//! Which files a commit changed: its folders against those of its first parent, as far as that is cheap.

use super::{Store, commit::Commit};
use gix_hash::ObjectId;
use gix_object::Kind;
use std::collections::BTreeMap;

/// Names that are listed for one commit.
const FILES: usize = 60;
/// Folders that are read for one commit.
const FOLDERS: usize = 400;
/// Folders within folders.
const DEPTH: usize = 64;
/// Bytes of the folders that are read for one commit. Packed, a folder of endless names is small.
const BYTES: usize = 16 << 20;
/// Bytes of a name that are shown, and of a name with its folders before nothing below it is looked at.
const NAME: usize = 255;
const PATH: usize = 4096;
/// Entries of one folder that are looked at.
const ENTRIES: usize = 100_000;

/// The names of changed files.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) files: Vec<String>,
    pub(super) more: bool,
}

/// A name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    folder: bool,
    id: ObjectId,
}

/// What a commit changed. A merge changed nothing that its parents did not, and neither has one whose parent is not here.
pub(super) fn of(store: &Store, commit: &Commit) -> Changes {
    let mut search = Search { store, changes: Changes::default(), folders: 0, bytes: 0 };
    let before = match commit.parents.as_slice() {
        [] => None,
        [parent] => match store.commit(parent) {
            Some(parent) => parent.tree,
            None => return search.changes,
        },
        _ => return search.changes,
    };
    search.folder("", before, commit.tree, 0);
    search.changes
}

struct Search<'a> {
    store: &'a Store,
    changes: Changes,
    folders: usize,
    bytes: usize,
}

impl Search<'_> {
    fn folder(&mut self, path: &str, before: Option<ObjectId>, after: Option<ObjectId>, depth: usize) {
        if before == after {
            return;
        }
        if depth > DEPTH || self.folders >= FOLDERS || self.bytes >= BYTES || path.len() > PATH {
            self.changes.more = true;
            return;
        }
        let (before, after) = (self.entries(before), self.entries(after));
        let gone =
            before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(name, was)| (name, Some(*was), None));
        let here = after.iter().map(|(name, is)| (name, before.get(name).copied(), Some(*is)));
        for (name, was, is) in here.chain(gone) {
            if was == is {
                continue;
            }
            if self.changes.files.len() >= FILES {
                self.changes.more = true;
                return;
            }
            let path = format!("{path}{}", String::from_utf8_lossy(&name[..name.len().min(NAME)]));
            let folder = |entry: Option<Entry>| entry.filter(|entry| entry.folder).map(|entry| entry.id);
            let file = |entry: Option<Entry>| entry.filter(|entry| !entry.folder);
            match (file(was), file(is)) {
                (None, Some(_)) => self.changes.files.push(format!("{path} (added)")),
                (Some(_), None) => self.changes.files.push(format!("{path} (removed)")),
                (Some(was), Some(is)) if was != is => self.changes.files.push(path.clone()),
                _ => {}
            }
            if folder(was) != folder(is) {
                self.folder(&format!("{path}/"), folder(was), folder(is), depth + 1);
            }
        }
    }

    /// The entries of a folder; of one that is not here or damaged those that can be read.
    fn entries(&mut self, id: Option<ObjectId>) -> BTreeMap<Vec<u8>, Entry> {
        let mut found = BTreeMap::new();
        let Some(id) = id else { return found };
        self.folders += 1;
        let mut buffer = Vec::new();
        let Some(mut rest) = self.store.find(&id, Kind::Tree, &mut buffer) else { return found };
        self.bytes += rest.len();
        while let Some((name, entry, after)) = next(rest).filter(|_| found.len() < ENTRIES) {
            found.insert(name.to_vec(), entry);
            rest = after;
        }
        found
    }
}

/// `mode name\0id`, and what follows.
fn next(data: &[u8]) -> Option<(&[u8], Entry, &[u8])> {
    let space = data.iter().position(|b| *b == b' ')?;
    let (mode, rest) = (&data[..space], &data[space + 1..]);
    let end = rest.iter().position(|b| *b == 0)?;
    let (id, after) = rest[end + 1..].split_at_checked(20)?;
    let id = ObjectId::try_from(id).ok()?;
    Some((&rest[..end], Entry { folder: mode == b"40000" || mode == b"040000", id }, after))
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn entries_of_a_folder() {
        let one = |mode: &str, name: &str| [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &[7; 20]].concat();
        let both = [one("100644", "a b"), one("40000", "src")].concat();
        let (name, entry, rest) = next(&both).expect("an entry");
        assert_eq!((name, entry.folder), (b"a b".as_slice(), false));
        let (name, entry, rest) = next(rest).expect("another");
        assert_eq!((name, entry.folder, rest.len()), (b"src".as_slice(), true, 0));
        for length in 0..one("40000", "x").len() {
            assert!(next(&one("40000", "x")[..length]).is_none(), "{length}");
        }
    }
}
