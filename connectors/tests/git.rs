//! Repositories of git: what their commits become, and the ones that are odd, broken or lead elsewhere.

mod support;

use gix_hash::{Kind as Hash, ObjectId};
use gix_object::{Kind, Write};
use hinet_connectors::{FileRef, ReadLimits, Reader, Whole, walk, walk_changed};
use hinet_protocol::Trust;
use std::{
    fs,
    path::{Path, PathBuf},
};
use support::{Got, Opened, extractor, gather, leave, reference};

/// A repository that is made by writing its files, without git.
struct Repository {
    folder: PathBuf,
    objects: gix_odb::Handle,
}

impl Repository {
    fn new(folder: PathBuf) -> Self {
        for name in ["objects/pack", "refs/heads", "logs", "hooks"] {
            fs::create_dir_all(folder.join(name)).expect("folders");
        }
        fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").expect("a HEAD");
        let objects = gix_odb::at(folder.join("objects"), Hash::Sha1).expect("a store");
        Self { folder, objects }
    }

    fn object(&self, kind: Kind, bytes: &[u8]) -> ObjectId {
        self.objects.write_buf(kind, bytes).expect("an object")
    }

    /// A folder of these names; a name that ends in a slash is a folder of what the id says.
    fn tree(&self, entries: &[(&str, ObjectId)]) -> ObjectId {
        let mut bytes = Vec::new();
        for (name, id) in entries {
            let (mode, name) = name.strip_suffix('/').map_or(("100644", *name), |name| ("40000", name));
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(id.as_slice());
        }
        self.object(Kind::Tree, &bytes)
    }

    fn file(&self, text: &str) -> ObjectId {
        self.object(Kind::Blob, text.as_bytes())
    }

    fn commit(&self, tree: ObjectId, parents: &[ObjectId], at: i64, message: &str) -> ObjectId {
        let parents: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
        let text = format!(
            "tree {tree}\n{parents}author Ana Costa <ana@x.pt> {at} +0100\ncommitter Ana Costa <ana@x.pt> {at} +0100\n\n{message}"
        );
        self.object(Kind::Commit, text.as_bytes())
    }

    fn point(&self, name: &str, id: impl ToString) {
        fs::write(self.folder.join(name), format!("{}\n", id.to_string())).expect("a reference");
    }
}

/// Two lines of commits, merged, and a branch that only the packed list has.
fn made_up(folder: PathBuf) -> (Repository, [ObjectId; 5]) {
    let repository = Repository::new(folder);
    let inner = repository.tree(&[("deep.rs", repository.file("one"))]);
    let changed = repository.tree(&[("deep.rs", repository.file("two")), ("new.rs", repository.file("new"))]);
    let first = repository.tree(&[("a.md", repository.file("a")), ("src/", inner)]);
    let second = repository.tree(&[("a.md", repository.file("a")), ("src/", changed)]);
    let third = repository.tree(&[("src/", changed)]);
    let day = 86_400;
    let root = repository.commit(first, &[], 1_700_000_000, "Begin\n");
    let left = repository.commit(second, &[root], 1_700_000_000 + day, "Write more of it\n\nBecause it was short.\n");
    let right = repository.commit(third, &[root], 1_700_000_000 + 2 * day, "Take a.md away\n");
    let merge = repository.commit(third, &[left, right], 1_700_000_000 + 3 * day, "Merge both\n");
    let side = repository.commit(second, &[root], 1_700_000_000 + 4 * day, "On the side\n");
    repository.point("refs/heads/main", merge);
    fs::write(
        repository.folder.join("packed-refs"),
        format!(
            "# pack-refs with: peeled\n{root} refs/heads/main\n{side} refs/heads/feature/side\n{side} refs/remotes/x\n"
        ),
    )
    .expect("packed references");
    (repository, [root, left, right, merge, side])
}

#[test]
fn commits_are_items_beside_the_files() {
    let opened = Opened::new();
    opened.write("work/a.rs", "fn a() {}\n");
    let (repository, [root, left, right, merge, side]) = made_up(opened.root.join("work/.git"));
    // Whatever a repository would have run, nothing runs.
    let trap = opened.root.join("trap");
    let run = format!("touch {}", trap.display());
    fs::write(repository.folder.join("config"), format!("[core]\n\tfsmonitor = {run}\n\tpager = {run}\n"))
        .expect("a config");
    for hook in ["post-checkout", "reference-transaction", "pre-commit"] {
        fs::write(repository.folder.join("hooks").join(hook), format!("#!/bin/sh\n{run}\n")).expect("a hook");
    }
    let (files, skipped) = opened.walk();
    assert_eq!((files.as_slice(), skipped.len()), (&["work/a.rs".to_owned(), "work/.git/HEAD".to_owned()][..], 0));
    let got = gather(&opened.root);
    assert!(got.skipped.is_empty(), "{:?}", got.skipped);
    let base = repository.folder.join("HEAD").to_string_lossy().into_owned();
    let expected = [side, merge, right, left, root].map(|id| format!("{base}/{id}"));
    assert_eq!(got.keys()[1..], expected.each_ref().map(String::as_str));
    let document = got.text(&left.to_string());
    assert_eq!(
        document.text,
        format!(
            "Author: Ana Costa <ana@x.pt>\nDate: 2023-11-15 23:13 +0100\nCommit: {left}\n\nWrite more of it\n\n\
             Because it was short.\n\nFiles:\n- src/deep.rs\n- src/new.rs (added)\n"
        )
    );
    assert_eq!((document.title.as_str(), document.kind), ("Write more of it", "commit"));
    assert_eq!((document.modified, document.trust), (1_700_086_400_000, Trust::Untrusted));
    assert!(got.text(&root.to_string()).text.ends_with("Files:\n- a.md (added)\n- src/deep.rs (added)\n"));
    assert!(got.text(&right.to_string()).text.contains("- a.md (removed)\n"));
    assert!(!got.text(&merge.to_string()).text.contains("Files:"));
    assert!(!trap.exists());
    // What is known is not read again, and a new commit is one item more.
    let (reading, _consent, _home) = leave(&opened.root);
    let (limits, extractor) = (ReadLimits::default(), extractor());
    let mut again = Got { known: expected.iter().cloned().collect(), ..Got::default() };
    let newest = repository.commit(repository.tree(&[]), &[merge], 1_800_000_000, "Empty it");
    repository.point("refs/heads/main", newest);
    let whole =
        Reader::new(&reading, &limits, &extractor).read(&reference(&repository.folder.join("HEAD")), &mut again);
    assert_eq!((whole, again.same, again.documents.len()), (Whole::All, 5, 1));
    assert_eq!(again.documents[0].title, "Empty it");
}

#[test]
fn changes_of_a_repository_are_changes_of_its_head() {
    let opened = Opened::new();
    let (repository, _) = made_up(opened.root.join("work/.git"));
    made_up(opened.root.join("bare.git"));
    opened.write("work/a.rs", "x");
    let look = |path: &Path| opened.sort(walk_changed(&opened.reading, &opened.root, path, &opened.limits)).0;
    assert_eq!(look(&repository.folder.join("logs/HEAD")), ["work/.git/HEAD"]);
    assert_eq!(look(&opened.root.join("work/a.rs")), ["work/a.rs"]);
    assert_eq!(look(&opened.root.join("bare.git/refs/heads/main")), ["bare.git/HEAD"]);
    let (bare, _) = opened.sort(walk(&opened.reading, &opened.root.join("bare.git"), &opened.limits));
    assert_eq!(bare, ["bare.git/HEAD"]);
    let time = |folder: &str| {
        let root = opened.root.join(folder);
        let found = walk(&opened.reading, &root, &opened.limits).flatten().find(|file| file.path.ends_with("HEAD"));
        found.expect("a repository").modified
    };
    let before = time("work");
    std::thread::sleep(std::time::Duration::from_millis(20));
    repository.point("refs/heads/new", "x");
    assert!(time("work") > before, "a repository is as old as what changed last in it");
}

#[test]
fn commits_are_counted() {
    let mut opened = Opened::new();
    opened.limits.max_commits = 2;
    let (repository, _) = made_up(opened.root.join(".git"));
    let mut got = Got::default();
    let head = reference(&repository.folder.join("HEAD"));
    Reader::new(&opened.reading, &opened.limits, &extractor()).read(&head, &mut got);
    assert_eq!(got.documents.len(), 2);
    assert_eq!(got.skipped[0].why, "Its 2 newest commits were read; the older ones were not.");
}

#[test]
fn repositories_that_lead_elsewhere_are_said() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (other, [.., side]) = made_up(elsewhere.path().join("other"));
    let linked = |folder: &Path, name: &str| {
        let _ = fs::remove_dir_all(folder.join(name));
        std::os::unix::fs::symlink(other.folder.join(name), folder.join(name)).expect("a link");
    };
    let prefix = format!("objects/{}", &side.to_string()[..2]);
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Change<'_>, &str); 7] = [
        ("a", &|folder| linked(folder, "objects"), "keeps its objects behind links"),
        ("b", &|folder| linked(folder, &prefix), "keeps its objects behind links"),
        ("c", &|folder| linked(folder, "objects/pack"), "keeps its objects behind links"),
        (
            "d",
            &|folder| {
                fs::create_dir_all(folder.join("objects/info")).expect("a folder");
                let place = other.folder.join("objects");
                fs::write(folder.join("objects/info/alternates"), place.to_string_lossy().as_bytes()).expect("a file");
            },
            "borrows its objects from another one",
        ),
        (
            "e",
            &|folder| fs::create_dir(folder.join("reftable")).expect("a folder"),
            "keeps its branches in a form that HiNet does not know",
        ),
        (
            "f",
            &|folder| fs::write(folder.join("HEAD"), "a".repeat(64)).expect("a file"),
            "names its objects by SHA-256",
        ),
        ("g", &|folder| fs::write(folder.join("HEAD"), "a".repeat(40)).expect("a file"), "is damaged"),
    ];
    for (name, change, why) in cases {
        let opened = Opened::new();
        let repository = Repository::new(opened.root.join(name).join(".git"));
        change(&repository.folder);
        let got = gather(&opened.root);
        let said: Vec<&str> = got.skipped.iter().map(|skipped| skipped.why.as_str()).collect();
        assert_eq!(said, [format!("It is a git repository that {why}, so its commits were not read.")], "{name}");
        assert!(got.documents.is_empty());
    }
    // One without a commit has nothing to say, and a working tree of one elsewhere is not followed there.
    let opened = Opened::new();
    Repository::new(opened.root.join("new/.git"));
    opened.write("tree/.git", format!("gitdir: {}\n", other.folder.display()));
    let got = gather(&opened.root);
    assert!(got.documents.is_empty() && got.skipped.is_empty(), "{:?}", got.skipped);
}

#[test]
fn damage_costs_what_is_damaged() {
    let opened = Opened::new();
    let (repository, [root, left, right, merge, side]) = made_up(opened.root.join(".git"));
    let place = |id: &ObjectId| {
        let id = id.to_string();
        repository.folder.join("objects").join(&id[..2]).join(&id[2..])
    };
    for (id, length) in [(left, 0), (right, 9)] {
        let path = place(&id);
        let bytes = fs::read(&path).expect("an object");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, &bytes[..length]).expect("cut");
    }
    for name in ["pack-1.idx", "pack-1.pack", "multi-pack-index"] {
        fs::write(repository.folder.join("objects/pack").join(name), b"\xfftOc\0\0\0\x02 and nothing").expect("noise");
    }
    let got = gather(&opened.root);
    let base = repository.folder.join("HEAD").to_string_lossy().into_owned();
    // Noise among the packs may cost all of it, which is said as well.
    let expected = [side, merge, root].map(|id| format!("{base}/{id}"));
    assert!(got.keys() == expected || got.documents.is_empty(), "{:?}", got.keys());
    let part = "It is a git repository of which some commits are missing or damaged; the others were read.";
    assert!(got.documents.is_empty() || got.skipped[0].why == part, "{:?}", got.skipped);
    assert_eq!(got.skipped.len(), 1);
    // Nothing may vanish from the memory because it could not be read; a clone that says where it ends is whole.
    fs::remove_dir_all(repository.folder.join("objects/pack")).expect("removed");
    let read = || {
        let head = reference(&repository.folder.join("HEAD"));
        let mut got = Got::default();
        (Reader::new(&opened.reading, &opened.limits, &extractor()).read(&head, &mut got), got)
    };
    let (whole, got) = read();
    assert_eq!((whole, got.documents.len(), got.skipped[0].why.as_str()), (Whole::Part, 3, part));
    fs::write(repository.folder.join("shallow"), format!("{merge}\n")).expect("a list");
    let (whole, got) = read();
    assert_eq!((whole, got.documents.len(), got.skipped.len()), (Whole::All, 3, 0));
    // Every object cut short, in turn: reading ends.
    for id in [root, side, merge] {
        let bytes = fs::read(place(&id)).expect("an object");
        for length in 0..bytes.len() {
            fs::remove_file(place(&id)).expect("removed");
            fs::write(place(&id), &bytes[..length]).expect("cut");
            read();
        }
    }
}

#[test]
fn the_repository_of_this_project() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.git");
    let Some(folder) = folder.canonicalize().ok().filter(|folder| folder.is_dir()) else {
        eprintln!("skipped: this is no clone of the project");
        return;
    };
    let (reading, _consent, _home) = leave(&folder);
    let (limits, extractor) = (ReadLimits::default(), extractor());
    let mut got = Got::default();
    let head = FileRef { path: folder.join("HEAD"), modified: 0, size: 0 };
    let begun = std::time::Instant::now();
    Reader::new(&reading, &limits, &extractor).read(&head, &mut got);
    eprintln!("{} commits in {:?}; {:?}", got.documents.len(), begun.elapsed(), got.skipped);
    assert!(!got.documents.is_empty() || !got.skipped.is_empty());
    for document in &got.documents {
        assert!(document.text.starts_with("Author: ") && document.modified > 0, "{}", document.text);
    }
}

#[test]
fn endless_names_do_not_fill_the_memory() {
    let opened = Opened::new();
    let repository = Repository::new(opened.root.join("names/.git"));
    let long = format!("{}/", "n".repeat(100_000));
    let mut tree = repository.tree(&[("a.md", repository.file("a"))]);
    // Each folder has the same long name in it, forty deep.
    for _ in 0..40 {
        tree = repository.tree(&[("b.md", repository.file("b")), (long.as_str(), tree)]);
    }
    let commit = repository.commit(tree, &[], 1_700_000_000, "Deep\n");
    repository.point("refs/heads/main", commit);
    let got = gather(&opened.root);
    let text = &got.text(&commit.to_string()).text;
    assert!(text.contains("- b.md (added)\n") && text.contains("- and more\n"), "{}", text.len());
    assert!(text.len() < 60 * 5000, "{}", text.len());
}
