//! What effects do outside the node: looking at folders, making words, pulling models, writing the home.

use super::msg::Msg;
use super::run::Back;
use crate::markdown::colours::Wanted;
use crate::markdown::highlight;
use crate::onboard::Draft;
use hinet_node::{Settings, models, setup};
use hinet_protocol::{Failure, Progress};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Folders a completion offers at most.
const FOLDERS_MAX: usize = 200;
/// Files that are counted before "more than" is said.
const FILES_MAX: u64 = 100_000;
/// The shortest time between two reports of one pull.
const REPORT: Duration = Duration::from_millis(100);

fn hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// The folders that a typed path may go on to, by name.
pub(super) fn folders(typed: String) -> Option<Msg> {
    let found = under(&typed, true)?;
    Some(Msg::Folders { typed, found })
}

/// The files and folders that a typed path may go on to, by name; folders end in a slash.
pub(super) fn paths(typed: String) -> Option<Msg> {
    let found = under(&typed, false)?;
    Some(Msg::Paths { typed, found })
}

fn under(typed: &str, folders_only: bool) -> Option<Vec<String>> {
    let at = typed.rfind('/')?;
    let (dir, head) = (&typed[..=at], &typed[at + 1..]);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let wanted = name.starts_with(head) && (head.starts_with('.') || !hidden(name.as_ref()));
        if !wanted {
            continue;
        }
        let folder = entry.path().is_dir();
        if folder || !folders_only {
            let slash = if folder && !folders_only { "/" } else { "" };
            found.push(format!("{dir}{name}{slash}"));
            if found.len() == FOLDERS_MAX {
                break;
            }
        }
    }
    found.sort_unstable();
    Some(found)
}

/// Counts the files under a folder, links not followed, hidden ones left out, as long as it is `wanted`.
pub(super) fn count(path: String, wanted: &dyn Fn() -> bool) -> Option<Msg> {
    let readable = std::fs::read_dir(&path).is_ok();
    let mut files = 0;
    let mut open = vec![PathBuf::from(&path)];
    let mut more = false;
    while let Some(dir) = open.pop() {
        if !wanted() {
            return None;
        }
        files += count_in(&dir, &mut open);
        if files >= FILES_MAX {
            more = true;
            break;
        }
    }
    Some(Msg::Counted { path, files, more, readable })
}

fn count_in(dir: &Path, open: &mut Vec<PathBuf>) -> u64 {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if hidden(&entry.file_name()) {
            continue;
        }
        if kind.is_dir() {
            open.push(entry.path());
        } else if kind.is_file() {
            files += 1;
        }
    }
    files
}

/// New recovery words, and four of them by chance.
pub(super) fn new_words() -> Option<Msg> {
    let mut order: Vec<usize> = (0..24).collect();
    // Which words are asked for is no secret; the standard library's per-process random keys are chance enough.
    let chance = RandomState::new();
    order.sort_by_key(|n| chance.hash_one(n));
    let mut ask = [order[0], order[1], order[2], order[3]];
    ask.sort_unstable();
    Some(Msg::Words { phrase: setup::new_words(), ask })
}

/// The models that are needed: the missing defaults, and what is here.
pub(super) fn models(settings: &Settings) -> Option<Msg> {
    let missing = models::missing(settings);
    let lines = models::list(settings).into_iter().filter_map(|mut line| {
        let wanted = missing.contains(&line.name);
        line.present &= !wanted;
        (wanted || line.present).then_some(line)
    });
    Some(Msg::Models(lines.collect()))
}

/// Pulls models one after the other.
pub(super) fn pull(settings: &Settings, names: &[String], cancel: &AtomicBool, back: &UnboundedSender<Back>) {
    for name in names {
        let mut said = Instant::now().checked_sub(REPORT);
        let mut report = |progress: Progress| {
            let over = progress.total == Some(progress.done);
            if over || said.is_none_or(|at| at.elapsed() >= REPORT) {
                said = Some(Instant::now());
                let _ = back.send(Back::Msg(Msg::Pulling { name: name.clone(), progress }));
            }
        };
        let result = models::pull(settings, name, &mut report, cancel);
        let failed = result.is_err();
        let _ = back.send(Back::Msg(Msg::Pulled { name: name.clone(), result }));
        if failed || cancel.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Finds the colours of code.
pub(super) fn paint(wanted: &[Wanted]) -> Option<Msg> {
    let painted = wanted.iter().map(|wanted| {
        // A grammar that panics costs its colours and nothing else.
        let runs = std::panic::catch_unwind(|| highlight::paint(wanted)).unwrap_or_default();
        (wanted.key, runs)
    });
    Some(Msg::Painted(painted.collect()))
}

/// Writes the home.
pub(super) fn make(settings: &Settings, draft: Draft) -> Result<(), Failure> {
    let options = setup::InitOptions {
        name: draft.name,
        root: draft.root,
        words: draft.words,
        passphrase: draft.passphrase,
        keychain: draft.keychain,
        folders: draft.folders.into_iter().map(PathBuf::from).collect(),
        restored: draft.restored,
    };
    setup::init(settings, options).map(|_| ())
}

/// Writes a file that must not exist yet, readable by the owner alone.
pub(super) fn write(path: &str, text: &str) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AlreadyExists {
            "Give a name that is not taken; nothing is ever overwritten."
        } else {
            "Give the path of a file in a folder you may write to."
        };
        Failure::new(hinet_protocol::ErrorKind::Failed, format!("{path} could not be written: {error}."), hint)
    })
}

/// Waits for a signal that asks the program to end.
pub(super) async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    std::future::pending::<()>().await;
}
