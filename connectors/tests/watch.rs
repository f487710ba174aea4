//! Watched folders tell of what is made, changed, renamed and removed.

mod support;

use hinet_connectors::{Watch, WatchError};
use hinet_protocol::SourceId;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DEBOUNCE: Duration = Duration::from_millis(50);
/// How long to wait for what must come; only a hung watcher takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Heard {
    inbox: Receiver<(SourceId, Vec<PathBuf>)>,
    all: BTreeSet<(SourceId, PathBuf)>,
}

impl Heard {
    fn wait(&mut self, source: SourceId, path: &Path) {
        let until = Instant::now() + PATIENCE;
        while !self.all.contains(&(source, path.to_path_buf())) {
            let left = until.saturating_duration_since(Instant::now());
            let (source, paths) =
                self.inbox.recv_timeout(left).unwrap_or_else(|_| panic!("{} was never told", path.display()));
            self.all.extend(paths.into_iter().map(|path| (source, path)));
        }
    }

    fn forget(&mut self) {
        self.all.clear();
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().canonicalize().expect("its place");
    (folder, path)
}

type Start =
    fn(&[(SourceId, PathBuf)], Duration, Box<dyn Fn(SourceId, Vec<PathBuf>) + Send>) -> Result<Watch, WatchError>;

fn start(start: Start, roots: &[(SourceId, PathBuf)]) -> (Watch, Heard) {
    let (sender, inbox) = mpsc::channel();
    let watch = start(
        roots,
        DEBOUNCE,
        Box::new(move |source, paths| {
            let _ = sender.send((source, paths));
        }),
    );
    (watch.expect("a watch"), Heard { inbox, all: BTreeSet::new() })
}

fn native(roots: &[(SourceId, PathBuf)]) -> (Watch, Heard) {
    start(Watch::start, roots)
}

#[test]
fn made_changed_renamed_removed() {
    let (_folder, root) = folder();
    let source = SourceId::new();
    let (watch, mut heard) = native(&[(source, root.clone())]);
    assert!(watch.notices().is_empty() && watch.missing().is_empty());
    let (a, b) = (root.join("a.md"), root.join("b.md"));
    fs::write(&a, "one").expect("made");
    heard.wait(source, &a);
    heard.forget();
    fs::write(&a, "two").expect("changed");
    heard.wait(source, &a);
    heard.forget();
    fs::rename(&a, &b).expect("renamed");
    heard.wait(source, &a);
    heard.wait(source, &b);
    heard.forget();
    fs::remove_file(&b).expect("removed");
    heard.wait(source, &b);
    fs::create_dir(root.join("new")).expect("a folder");
    heard.wait(source, &root.join("new"));
    fs::write(root.join("new/c.md"), "in a new folder").expect("made");
    heard.wait(source, &root.join("new/c.md"));
}

#[test]
fn hidden_and_excluded_paths_are_not_told() {
    let (_folder, root) = folder();
    fs::create_dir_all(root.join("home")).expect("a home");
    fs::create_dir_all(root.join(".git")).expect("a repository");
    let source = SourceId::new();
    let (watch, mut heard) = native(&[(source, root.clone())]);
    let _watch = watch.without(&[root.join("home")]);
    for name in ["home/db", ".git/index", ".hidden.md", ".gitignore", "last.md"] {
        fs::write(root.join(name), "x").expect("a file");
    }
    heard.wait(source, &root.join("last.md"));
    heard.wait(source, &root.join(".gitignore"));
    for name in ["home/db", ".git/index", ".hidden.md"] {
        assert!(!heard.all.contains(&(source, root.join(name))), "{name}");
    }
}

#[test]
fn roots_come_and_go() {
    let ((_first, a), (_second, b)) = (folder(), folder());
    let (one, two) = (SourceId::new(), SourceId::new());
    let (mut watch, mut heard) = native(&[(one, a.clone())]);
    watch.add(two, &b).expect("watched");
    fs::write(b.join("x.md"), "x").expect("a file");
    heard.wait(two, &b.join("x.md"));
    watch.remove(one, &a);
    fs::write(a.join("unheard.md"), "x").expect("a file");
    fs::write(b.join("y.md"), "x").expect("a file");
    heard.wait(two, &b.join("y.md"));
    assert!(!heard.all.iter().any(|(source, _)| *source == one));
    let why = watch.add(one, &a.join("nowhere")).expect_err("missing").to_string();
    assert!(why.contains("nowhere is not there"), "{why}");
    fs::write(b.join("z.md"), "x").expect("the other goes on");
    heard.wait(two, &b.join("z.md"));
}

#[test]
fn a_root_that_goes_is_told() {
    let (_folder, parent) = folder();
    let root = parent.join("root");
    fs::create_dir(&root).expect("a root");
    let source = SourceId::new();
    let (mut watch, mut heard) = native(&[(source, root.clone())]);
    fs::remove_dir_all(&root).expect("removed");
    heard.wait(source, &root);
    assert_eq!(watch.missing(), [source]);
    fs::create_dir(&root).expect("back");
    watch.add(source, &root).expect("watched again");
    heard.forget();
    fs::write(root.join("again.md"), "x").expect("a file");
    heard.wait(source, &root.join("again.md"));
}

#[test]
fn polling_tells_the_same() {
    let (_folder, root) = folder();
    let source = SourceId::new();
    let (watch, mut heard) = start(Watch::polling, &[(source, root.clone())]);
    assert!(watch.notices().is_empty(), "chosen, not fallen back to");
    fs::write(root.join("polled.md"), "x").expect("a file");
    heard.wait(source, &root.join("polled.md"));
}

#[test]
fn a_closed_folder_keeps_nothing_else_from_being_watched() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, root) = folder();
    for name in ["a/open", "a/closed/x", "b"] {
        fs::create_dir_all(root.join(name)).expect("a folder");
    }
    let closed = root.join("a/closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("closed");
    let blind = fs::read_dir(&closed).is_err();
    let source = SourceId::new();
    let (watch, mut heard) = native(&[(source, root.clone())]);
    for name in ["top.md", "a/x.md", "a/open/y.md", "b/z.md"] {
        fs::write(root.join(name), "x").expect("a file");
        heard.wait(source, &root.join(name));
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("open again");
    if blind {
        let notices = watch.notices();
        assert!(notices.len() == 1 && notices[0].contains("closed may not be read"), "{notices:?}");
    } else {
        eprintln!("skipped in part: this user may read everything");
    }
}

#[test]
fn of_a_repository_only_commits_are_told() {
    let (_folder, root) = folder();
    for name in [".git/logs", ".git/objects/ab", "sub/.git/logs"] {
        fs::create_dir_all(root.join(name)).expect("folders");
    }
    let source = SourceId::new();
    let (_watch, mut heard) = native(&[(source, root.clone())]);
    for name in [".git/index", ".git/objects/ab/cd", ".git/HEAD.lock", ".git/logs/HEAD", "sub/.git/HEAD", "z.md"] {
        fs::write(root.join(name), "x").expect("a file");
    }
    for name in [".git/logs/HEAD", "sub/.git/HEAD", "z.md"] {
        heard.wait(source, &root.join(name));
    }
    let told: Vec<_> = heard.all.iter().map(|(_, path)| path.strip_prefix(&root).expect("below")).collect();
    assert_eq!(told, [Path::new(".git/logs/HEAD"), Path::new("sub/.git/HEAD"), Path::new("z.md")]);
}
