//! Watched folders: which paths changed, a moment after they stopped changing.
//!
//! It reports and decides nothing: what a path has become is found out with [`crate::walk_changes`]. Where the system cannot
//! watch (its limit of watches is used up), folders are polled instead, and [`Watch::notices`] says so.

use crate::{mail::maildir::is_maildir, walk::is_hidden};
use hinet_protocol::SourceId;
use notify_debouncer_full::{
    DebounceEventResult, DebouncedEvent, Debouncer, NoCache, RecommendedCache, new_debouncer_opt,
    notify::{self, Config, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, event::Flag},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How often folders are looked through where they cannot be watched.
const POLL: Duration = Duration::from_secs(10);

/// The usual pause after the last change before it is reported; editors write a file several times when they save it.
pub const DEBOUNCE: Duration = Duration::from_millis(200);

/// Why a folder is not watched, or not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// There is no such folder now.
    #[error("{} is not there, so it cannot be watched; it will be once it is back and synced.", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// No permission.
    #[error("{} may not be read, so it cannot be watched; change its permissions.", path.display())]
    Denied {
        /// The folder.
        path: PathBuf,
    },
    /// The limit on watches or on watchers is used up.
    #[error(
        "The system's limit of watched folders is used up, so folders are looked through every {seconds} seconds \
         instead (polling); raising fs.inotify.max_user_watches brings instant updates back."
    )]
    Limit {
        /// The time between two looks.
        seconds: u64,
    },
    /// Anything else.
    #[error("{} cannot be watched: {source}.", path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// What the watcher says.
        source: notify::Error,
    },
}

type Callback = dyn Fn(SourceId, Vec<PathBuf>) + Send;

/// What the callback thread needs to know; it changes only when roots come and go.
#[derive(Default)]
struct Roots {
    by_source: BTreeMap<SourceId, PathBuf>,
    excluded: Vec<PathBuf>,
}

enum Backend {
    Native(Debouncer<RecommendedWatcher, RecommendedCache>),
    Polling(Debouncer<PollWatcher, NoCache>),
}

/// Folders being watched; dropped, it stops.
pub struct Watch {
    backend: Backend,
    debounce: Duration,
    roots: Arc<Mutex<Roots>>,
    on_change: Arc<Mutex<Box<Callback>>>,
    limited: bool,
    /// What is watched for each root: the root, or, where a folder below may not be read, the folders around that one.
    watched: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// Folders below the roots that may not be read.
    closed: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches `roots`. `on_change` is called, on a thread of the watcher, with a source and what changed in it: files
    /// and folders that were made, written, renamed (both names) or removed. The root itself among them means that the
    /// whole folder is to be looked at again: events were lost, or it was removed, unmounted or put back. Nothing
    /// hidden is reported.
    ///
    /// # Errors
    /// [`WatchError::Missing`] and the like for the first folder that cannot be watched. Used-up system limits are no
    /// error here: the watch polls instead and says so in [`Watch::notices`].
    pub fn start(
        roots: &[(SourceId, PathBuf)],
        debounce: Duration,
        on_change: impl Fn(SourceId, Vec<PathBuf>) + Send + 'static,
    ) -> Result<Self, WatchError> {
        Self::with(roots, debounce, Box::new(on_change), false)
    }

    /// The same by polling from the start, for file systems that report nothing (network drives).
    ///
    /// # Errors
    /// As [`Watch::start`].
    pub fn polling(
        roots: &[(SourceId, PathBuf)],
        debounce: Duration,
        on_change: impl Fn(SourceId, Vec<PathBuf>) + Send + 'static,
    ) -> Result<Self, WatchError> {
        Self::with(roots, debounce, Box::new(on_change), true)
    }

    fn with(
        roots: &[(SourceId, PathBuf)],
        debounce: Duration,
        on_change: Box<Callback>,
        poll: bool,
    ) -> Result<Self, WatchError> {
        let state = Arc::new(Mutex::new(Roots::default()));
        let on_change = Arc::new(Mutex::new(on_change));
        let native = if poll { None } else { native(debounce, &state, &on_change)? };
        let limited = !poll && native.is_none();
        let backend = match native {
            Some(native) => Backend::Native(native),
            None => Backend::Polling(poller(debounce, POLL, &state, &on_change)?),
        };
        let (watched, closed) = (BTreeMap::new(), BTreeSet::new());
        let mut watch = Self { backend, debounce, roots: state, on_change, limited, watched, closed };
        for (source, root) in roots {
            watch.add(*source, root)?;
        }
        Ok(watch)
    }

    /// Reports nothing at or below `paths` from now on, such as the program's own home, whose files change with every
    /// report that is acted upon.
    #[must_use]
    pub fn without(self, paths: &[PathBuf]) -> Self {
        let paths = paths.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        self.roots().excluded.extend(paths);
        self
    }

    /// Watches one more folder, or the same source at another place.
    ///
    /// # Errors
    /// Why it cannot be watched; the others go on.
    pub fn add(&mut self, source: SourceId, root: &Path) -> Result<(), WatchError> {
        let path = root.canonicalize().map_err(|error| io_reason(root, error))?;
        self.forget(source);
        // Known before it is watched, so that no event finds its source unknown.
        self.roots().by_source.insert(source, path.clone());
        let error = match self.watch_below(&path) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if is_limit(&error) && matches!(self.backend, Backend::Native(_)) {
            return self.fall_back();
        }
        self.roots().by_source.remove(&source);
        Err(reason(&path, error))
    }

    /// Stops watching a source at `root`; nothing happens where it is not watched there.
    pub fn remove(&mut self, source: SourceId, root: &Path) {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        if self.roots().by_source.get(&source) == Some(&root) {
            self.forget(source);
        }
    }

    fn forget(&mut self, source: SourceId) {
        let Some(path) = self.roots().by_source.remove(&source) else { return };
        if self.roots().by_source.values().any(|other| *other == path) {
            return;
        }
        self.closed.retain(|closed| !closed.starts_with(&path));
        for folder in self.watched.remove(&path).unwrap_or_default() {
            self.unwatch(&folder);
        }
    }

    /// What the owner should know about how folders are watched, one sentence each.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let limited = self.limited.then(|| WatchError::Limit { seconds: POLL.as_secs() }.to_string());
        let closed = self.closed.iter().map(|path| WatchError::Denied { path: path.clone() }.to_string());
        limited.into_iter().chain(closed).collect()
    }

    /// Sources whose folder is not there now: removed, renamed, unmounted. Not every system reports an unmount, so this
    /// is worth asking now and then; once the folder is back it needs [`Watch::add`] again.
    #[must_use]
    pub fn missing(&self) -> Vec<SourceId> {
        self.roots().by_source.iter().filter(|(_, path)| !path.exists()).map(|(source, _)| *source).collect()
    }

    fn roots(&self) -> std::sync::MutexGuard<'_, Roots> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a root with all that lies below it. The system's watcher gives up at the first folder that it may not
    /// read; then the folders on the way to that one are watched each by itself, and the rest as before.
    fn watch_below(&mut self, root: &Path) -> notify::Result<()> {
        /// A folder that vanishes while its parent is looked through is an error too; the next try no longer sees it.
        const TRIES: usize = 4;
        let mut queue = vec![root.to_path_buf()];
        while let Some(folder) = queue.pop() {
            let mut tried = self.watch(&folder, RecursiveMode::Recursive);
            for _ in 1..TRIES {
                if tried.as_ref().is_err_and(is_missing) && folder.is_dir() {
                    self.unwatch(&folder);
                    tried = self.watch(&folder, RecursiveMode::Recursive);
                }
            }
            let Err(error) = tried else {
                self.watched.entry(root.to_path_buf()).or_default().push(folder);
                continue;
            };
            self.unwatch(&folder);
            let here = error.paths.first().is_none_or(|path| *path == folder);
            match reason(&folder, error) {
                WatchError::Denied { .. } | WatchError::Missing { .. } if !here => {
                    self.watch(&folder, RecursiveMode::NonRecursive)?;
                    queue.extend(folders_in(&folder));
                    self.watched.entry(root.to_path_buf()).or_default().push(folder);
                }
                WatchError::Denied { path } if folder != root => {
                    self.closed.insert(path);
                }
                WatchError::Missing { .. } if folder != root => {}
                WatchError::System { source, .. } => return Err(source),
                WatchError::Missing { .. } => return Err(notify::Error::path_not_found()),
                WatchError::Denied { .. } => return Err(notify::Error::io(io::ErrorKind::PermissionDenied.into())),
                WatchError::Limit { .. } => return Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)),
            }
        }
        Ok(())
    }

    fn watch(&mut self, path: &Path, mode: RecursiveMode) -> notify::Result<()> {
        match &mut self.backend {
            Backend::Native(watcher) => watcher.watch(path, mode),
            Backend::Polling(watcher) => watcher.watch(path, mode),
        }
    }

    fn unwatch(&mut self, path: &Path) {
        // Fails where the folder has gone and took its watch along, or was never watched.
        let _ = match &mut self.backend {
            Backend::Native(watcher) => watcher.unwatch(path),
            Backend::Polling(watcher) => watcher.unwatch(path),
        };
    }

    /// Gives up on the system's watches and polls every root.
    fn fall_back(&mut self) -> Result<(), WatchError> {
        self.backend = Backend::Polling(poller(self.debounce, POLL, &self.roots, &self.on_change)?);
        self.limited = true;
        self.watched.clear();
        let paths: BTreeSet<PathBuf> = self.roots().by_source.values().cloned().collect();
        for path in paths {
            self.watch_below(&path).map_err(|error| reason(&path, error))?;
        }
        Ok(())
    }
}

/// The folders directly in a folder; links are not followed.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = listing.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    entries.map(|entry| entry.path()).collect()
}

fn handler(
    roots: &Arc<Mutex<Roots>>,
    on_change: &Arc<Mutex<Box<Callback>>>,
) -> impl Fn(DebounceEventResult) + Send + 'static {
    let (roots, on_change) = (Arc::clone(roots), Arc::clone(on_change));
    move |result| {
        let changes = {
            let roots = roots.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(events) => roots.attribute(&events),
                // Whatever went wrong, events may be missing.
                Err(_) => roots.everything(),
            }
        };
        let on_change = on_change.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, paths) in changes {
            on_change(source, paths.into_iter().collect());
        }
    }
}

impl Roots {
    fn attribute(&self, events: &[DebouncedEvent]) -> BTreeMap<SourceId, BTreeSet<PathBuf>> {
        let mut changes: BTreeMap<SourceId, BTreeSet<PathBuf>> = BTreeMap::new();
        for event in events {
            if event.flag() == Some(Flag::Rescan) {
                return self.everything();
            }
            // Reading a file is an event too; reporting it would make every ingest ask for another.
            if matches!(event.kind, EventKind::Access(_)) {
                continue;
            }
            for path in &event.paths {
                for (source, root) in &self.by_source {
                    if path.starts_with(root) && self.counts(path, root) {
                        changes.entry(*source).or_default().insert(path.clone());
                    }
                }
            }
        }
        changes
    }

    fn everything(&self) -> BTreeMap<SourceId, BTreeSet<PathBuf>> {
        self.by_source.iter().map(|(source, root)| (*source, BTreeSet::from([root.clone()]))).collect()
    }

    fn counts(&self, path: &Path, root: &Path) -> bool {
        if self.excluded.iter().any(|excluded| path.starts_with(excluded)) {
            return false;
        }
        let below = path.strip_prefix(root).unwrap_or(path);
        let ignore_file = below.file_name().is_some_and(|name| name == ".gitignore" || name == ".ignore");
        // What changes in a repository with every commit; the rest of it changes all the time.
        let repository = || below.ancestors().find(|part| part.ends_with(".git"))?.parent();
        let commit = below.ends_with(".git/HEAD") || below.ends_with(".git/logs/HEAD");
        let visible = match commit.then(repository).flatten() {
            Some(around) => around,
            None if ignore_file => below.parent().unwrap_or(below),
            None => below,
        };
        // The folders of a Maildir begin with a dot and are read all the same.
        !visible.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
            || visible.ancestors().filter(|part| is_hidden(part)).all(|part| is_maildir(&root.join(part)))
    }
}

/// The system's watcher; `None` where the system has none left to give.
fn native(
    debounce: Duration,
    roots: &Arc<Mutex<Roots>>,
    on_change: &Arc<Mutex<Box<Callback>>>,
) -> Result<Option<Debouncer<RecommendedWatcher, RecommendedCache>>, WatchError> {
    let config = Config::default().with_follow_symlinks(false);
    match new_debouncer_opt(debounce, None, handler(roots, on_change), RecommendedCache::default(), config) {
        Ok(watcher) => Ok(Some(watcher)),
        Err(error) if is_limit(&error) => Ok(None),
        Err(error) => Err(reason(Path::new("/"), error)),
    }
}

fn poller(
    debounce: Duration,
    interval: Duration,
    roots: &Arc<Mutex<Roots>>,
    on_change: &Arc<Mutex<Box<Callback>>>,
) -> Result<Debouncer<PollWatcher, NoCache>, WatchError> {
    let config = Config::default().with_follow_symlinks(false).with_poll_interval(interval);
    new_debouncer_opt(debounce, None, handler(roots, on_change), NoCache::new(), config)
        .map_err(|error| reason(Path::new("/"), error))
}

/// ENOSPC (watches), EMFILE (watchers of this user) and ENFILE (open files of the system).
fn is_limit(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => true,
        notify::ErrorKind::Io(error) => matches!(error.raw_os_error(), Some(28 | 24 | 23)),
        _ => false,
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

fn io_reason(path: &Path, error: io::Error) -> WatchError {
    reason(path, notify::Error::io(error))
}

fn reason(path: &Path, source: notify::Error) -> WatchError {
    let path = path.to_path_buf();
    match &source.kind {
        notify::ErrorKind::MaxFilesWatch => WatchError::Limit { seconds: POLL.as_secs() },
        _ if is_missing(&source) => WatchError::Missing { path },
        notify::ErrorKind::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => WatchError::Denied { path },
        _ => WatchError::System { path, source },
    }
}
