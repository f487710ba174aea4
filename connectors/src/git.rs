//! Repositories of git: their commits, newest first, each an item that never changes.
//!
//! Only the store of objects is opened, to be read: no setting of the repository is looked at, so nothing that one could
//! name (a hook, a filter, an alias, a helper) is ever run, and there is no network in it. What is read is what HEAD and
//! the branches on this machine lead to. A repository stands in the memory under its `HEAD`, a file that each has.

mod changes;
mod commit;

use crate::{
    FileRef, Reading, Unreadable,
    parts::{Part, Parts},
    read::open,
    walk::modified,
};
use commit::Commit;
use gix_hash::{Kind, ObjectId};
use gix_object::Find;
use gix_odb::store::init::Options;
use std::{
    collections::{BinaryHeap, HashSet},
    io::Read,
    path::{Path, PathBuf},
};

/// Branches that are followed.
const BRANCHES: usize = 1000;
/// Folders within folders of branches.
const BRANCH_DEPTH: usize = 16;
/// The list of packed references is read up to this; a reference is a line.
const REFERENCES_MAX: u64 = 16 << 20;
/// Bytes of one object; a commit or a folder is far smaller.
const OBJECT_MAX: usize = 16 << 20;

/// Whether a folder is a repository's own, `.git` or one without files beside it.
pub(crate) fn is_repository(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir()
}

/// Whether a file is the one that a repository stands under.
pub(crate) fn is_head(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "HEAD") && file.parent().is_some_and(is_repository)
}

/// A repository as the walk hands it out. Its time is that of what changes with every commit and every branch.
pub(crate) fn listed(repository: &Path) -> Option<FileRef> {
    let path = repository.join("HEAD");
    path.to_str()?;
    let head = path.symlink_metadata().ok().filter(|meta| meta.is_file())?;
    let mut newest = modified(&head);
    let branches = branch_files(&repository.join("refs/heads"));
    for other in [repository.join("logs/HEAD"), repository.join("packed-refs")].iter().chain(&branches) {
        if let Ok(meta) = other.symlink_metadata() {
            newest = newest.max(modified(&meta));
        }
    }
    Some(FileRef { path, modified: newest, size: head.len() })
}

/// All commits of the repository that stands under `head`, newest first, as far as they are counted.
pub(crate) fn read(head: &Path, reading: &Reading, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let folder = head.parent().ok_or(Unreadable::Vanished)?;
    let tips = tips(folder, reading)?;
    let store = Store::open(folder, reading)?;
    // Of a clone without its older commits it is said where they end; elsewhere none may be missing.
    let mut whole = true;
    let cut = folder.join("shallow").is_file();
    let mut waiting = BinaryHeap::new();
    let mut seen: HashSet<ObjectId> = HashSet::new();
    let mut meet = |id: ObjectId, waiting: &mut BinaryHeap<(i64, ObjectId)>| {
        if seen.insert(id) {
            match store.commit(&id) {
                Some(commit) => waiting.push((commit.committed, id)),
                None => whole &= cut,
            }
        }
    };
    for tip in &tips {
        meet(*tip, &mut waiting);
    }
    let mut given = 0;
    while let Some((_, id)) = waiting.pop() {
        if given == parts.limits.max_commits {
            let why = format!("Its {given} newest commits were read; the older ones were not.");
            parts.skip(&head.to_string_lossy(), why);
            break;
        }
        given += 1;
        let Some(commit) = store.commit(&id) else { continue };
        for parent in &commit.parents {
            meet(*parent, &mut waiting);
        }
        // A commit is known by its hash: there is never another of that name.
        let key = parts.key(&id.to_string());
        if !parts.has(&key) {
            reading.check().map_err(|source| Unreadable::Refused { source })?;
            let text = commit.text(&id.to_string(), &changes::of(&store, &commit));
            parts.put(Part {
                key,
                title: commit.title(),
                kind: "commit",
                text,
                modified: commit.written,
                ..Part::default()
            });
        }
        if parts.stopped() {
            break;
        }
    }
    match (whole, given) {
        (true, _) => Ok(()),
        (false, 0) => Err(Unreadable::Git { why: "is damaged" }),
        (false, _) => Err(Unreadable::GitPart),
    }
}

/// The objects of a repository.
struct Store {
    objects: gix_odb::Handle,
}

impl Store {
    fn open(folder: &Path, reading: &Reading) -> Result<Self, Unreadable> {
        let objects = folder.join("objects");
        stays_within(&objects, reading)?;
        // Of several packs each has a list of its own; the one list of all of them could name files that lie elsewhere.
        let options =
            Options { use_multi_pack_index: false, alloc_limit_bytes: Some(OBJECT_MAX), ..Options::default() };
        let mut objects = gix_odb::at_opts(objects, Kind::Sha1, [], options)?;
        objects.refresh_never();
        objects.set_pack_cache(|| Box::new(gix_pack::cache::lru::StaticLinkedList::<64>::new(32 << 20)));
        Ok(Self { objects })
    }

    /// The bytes of an object of this kind, where it is here and whole.
    fn find<'a>(&self, id: &ObjectId, kind: gix_object::Kind, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let found = self.objects.try_find(id, buffer).ok()??;
        (found.kind == kind).then_some(found.data)
    }

    fn commit(&self, id: &ObjectId) -> Option<Commit> {
        let mut buffer = Vec::new();
        Commit::parse(self.find(id, gix_object::Kind::Commit, &mut buffer)?)
    }
}

/// Refuses a store whose objects lie elsewhere, out of what the owner opened: it is read by its folder, not by its files.
fn stays_within(objects: &Path, reading: &Reading) -> Result<(), Unreadable> {
    const LINKS: Unreadable = Unreadable::Git { why: "keeps its objects behind links" };
    if reading.resolve(objects).is_none_or(|real| real != objects) {
        return Err(LINKS);
    }
    if objects.join("info/alternates").symlink_metadata().is_ok() {
        return Err(Unreadable::Git { why: "borrows its objects from another one" });
    }
    for entry in std::fs::read_dir(objects)?.flatten() {
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            return Err(LINKS);
        }
        if kind.is_dir() {
            for inner in std::fs::read_dir(entry.path())?.flatten() {
                if inner.file_type()?.is_symlink() {
                    return Err(LINKS);
                }
            }
        }
    }
    Ok(())
}

/// What HEAD and the branches point to.
fn tips(folder: &Path, reading: &Reading) -> Result<Vec<ObjectId>, Unreadable> {
    if folder.join("reftable").is_dir() {
        return Err(Unreadable::Git { why: "keeps its branches in a form that HiNet does not know" });
    }
    let mut said = vec![line(&folder.join("HEAD"), reading).unwrap_or_default()];
    let branches = branch_files(&folder.join("refs/heads"));
    said.extend(branches.iter().filter_map(|branch| line(branch, reading)));
    if let Ok((file, _)) = open(reading, &folder.join("packed-refs")) {
        let mut packed = Vec::new();
        file.take(REFERENCES_MAX).read_to_end(&mut packed)?;
        let packed = String::from_utf8_lossy(&packed);
        let heads = packed.lines().filter_map(|line| line.split_once(" refs/heads/"));
        // A branch that has a file of its own has moved on since.
        let heads = heads.filter(|(_, name)| !branches.contains(&folder.join("refs/heads").join(name)));
        said.extend(heads.take(BRANCHES).map(|(id, _)| id.to_owned()));
    }
    if said.iter().any(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(Unreadable::Git { why: "names its objects by SHA-256" });
    }
    Ok(said.iter().filter_map(|id| ObjectId::from_hex(id.as_bytes()).ok()).collect())
}

/// The first line of a small file.
fn line(file: &Path, reading: &Reading) -> Option<String> {
    let (file, _) = open(reading, file).ok()?;
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}

/// The files of branches, in order; links are not followed.
fn branch_files(heads: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![(heads.to_path_buf(), 0)]);
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < BRANCH_DEPTH && folders.len() < BRANCHES {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() && found.len() < BRANCHES {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
