//! Which files of a folder are worth reading, in a fixed order.
//!
//! Ignore files (`.gitignore`, `.ignore`) are honoured and hidden entries passed over, but for the folders of a Maildir and
//! for repositories, each of which is handed out as one file and not entered. Links are never followed: what a
//! link inside the folder points to is read where it lies, if it lies inside at all. No file is opened here.

use crate::{
    FileRef, ReadLimits, Reading, Unreadable, cloud, git, kinds, kinds::Class, mail::maildir::is_maildir, notes::Vaults,
};
use hinet_protocol::{Millis, Skipped};
use ignore::{DirEntry, WalkBuilder};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{FileType, Metadata},
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::UNIX_EPOCH,
};

/// The files below a root, in the order of their names; made by [`walk`].
pub struct Walk<'a> {
    reading: &'a Reading,
    root: PathBuf,
    max_depth: usize,
    inner: Option<ignore::Walk>,
    /// A single file, or the reason why there is nothing to walk.
    only: Option<Result<FileRef, Skipped>>,
    /// What was found without being entered, until it is told of: repositories, folders that are passed over, files that
    /// are not here.
    aside: Arc<Mutex<Vec<Result<FileRef, Skipped>>>>,
    /// Files passed over because of their kind, counted.
    families: BTreeMap<&'static str, u64>,
}

/// The files at or below `root` that may be read, and what was passed over and why. Files of kinds that are never read
/// (pictures, archives, …) are counted and come last, one entry for each kind. What `reading` excludes is not even
/// listed: that is how the program's own home stays out of its memory.
pub fn walk<'a>(reading: &'a Reading, root: &Path, limits: &ReadLimits) -> Walk<'a> {
    Walk::start(reading, root, limits, None)
}

/// What has become of one changed file or folder at or below `root`, by the same rules as [`walk`]. It yields nothing
/// where the path is gone or is now ignored. A changed ignore file stands for the whole folder that it rules.
pub fn walk_changed<'a>(reading: &'a Reading, root: &Path, changed: &Path, limits: &ReadLimits) -> Walk<'a> {
    walk_changes(reading, root, &[changed.to_path_buf()], limits)
}

/// [`walk_changed`] for many paths in one walk, each file once; much cheaper than one walk for each.
pub fn walk_changes<'a>(reading: &'a Reading, root: &Path, changed: &[PathBuf], limits: &ReadLimits) -> Walk<'a> {
    let real_root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let touched = changed.iter().map(|path| {
        let ignore_file = path.file_name().is_some_and(|name| name == ".gitignore" || name == ".ignore");
        let path = if ignore_file { path.parent().unwrap_or(path) } else { path };
        path.strip_prefix(root).map_or_else(|_| path.to_path_buf(), |below| real_root.join(below))
    });
    Walk::start(reading, root, limits, Some(touched.filter(|path| path.starts_with(&real_root)).collect()))
}

impl<'a> Walk<'a> {
    fn start(reading: &'a Reading, root: &Path, limits: &ReadLimits, touched: Option<BTreeSet<PathBuf>>) -> Self {
        let mut walk = Self {
            reading,
            root: root.to_path_buf(),
            max_depth: limits.max_depth,
            inner: None,
            only: None,
            aside: Arc::default(),
            families: BTreeMap::new(),
        };
        let meta = match root.canonicalize().and_then(|path| path.metadata().map(|meta| (path, meta))) {
            Ok((path, meta)) => {
                walk.root = path;
                meta
            }
            Err(error) => {
                walk.only = Some(Err(Unreadable::from(error).skip(root)));
                return walk;
            }
        };
        if let Err(source) = reading.check() {
            walk.only = Some(Err(Unreadable::Refused { source }.skip(&walk.root)));
        } else if !reading.covers(&walk.root) {
            walk.only = Some(Err(Unreadable::NotCovered.skip(&walk.root)));
        } else if meta.is_dir() && git::is_repository(&walk.root) {
            walk.only = git::listed(&walk.root).map(Ok);
        } else if meta.is_dir() {
            let aside = Arc::clone(&walk.aside);
            walk.inner = Some(build(reading, &walk.root, limits.max_depth, touched, aside).build());
        } else {
            let elsewhere = touched.is_some_and(|touched| !touched.contains(&walk.root));
            walk.only = (!elsewhere).then(|| file(&walk.root, &meta));
        }
        walk
    }

    /// The verdict on one entry; `None` where there is nothing to say.
    fn judge(&mut self, entry: &DirEntry) -> Option<Result<FileRef, Skipped>> {
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            return self.link(path).map(|why| Err(why.skip(path)));
        }
        if kind.is_dir() {
            return (entry.depth() >= self.max_depth)
                .then(|| Err(Unreadable::TooDeep { limit: self.max_depth }.skip(path)));
        }
        if let Some(what) = special(kind) {
            return Some(Err(Unreadable::Special { what }.skip(path)));
        }
        if let Class::Skip(family) = kinds::classify(path) {
            *self.families.entry(family).or_default() += 1;
            return None;
        }
        match entry.metadata() {
            Ok(meta) => match cloud::stands_openly_for(path, meta.len()) {
                Some(absent) => Some(Err(Unreadable::NotDownloaded.skip(&absent))),
                None => Some(file(path, &meta)),
            },
            Err(error) => Some(Err(reason(error).skip(path))),
        }
    }

    /// Why a link is worth a word; one to a place inside the folder is not.
    fn link(&self, path: &Path) -> Option<Unreadable> {
        match path.canonicalize() {
            Ok(target) if path.starts_with(&target) => Some(Unreadable::LinkLoop),
            Ok(target) if target.starts_with(&self.root) && self.reading.covers(&target) => None,
            Ok(_) => Some(Unreadable::LinkOut),
            // ELOOP has no stable `ErrorKind`; what is left besides a missing target is a loop of links.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Unreadable::LinkBroken),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Some(Unreadable::Denied),
            Err(_) => Some(Unreadable::LinkLoop),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<FileRef, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(only) = self.only.take() {
            return Some(only);
        }
        if self.inner.is_some()
            && let Err(source) = self.reading.check()
        {
            self.inner = None;
            self.families.clear();
            return Some(Err(Unreadable::Refused { source }.skip(&self.root)));
        }
        loop {
            if let Some(found) = self.aside.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                return Some(found);
            }
            let Some(entry) = self.inner.as_mut().and_then(Iterator::next) else { break };
            match entry {
                Ok(entry) => {
                    if let Some(verdict) = self.judge(&entry) {
                        return Some(verdict);
                    }
                }
                Err(error) => {
                    let path = error_path(&error).unwrap_or(&self.root).to_path_buf();
                    return Some(Err(reason(error).skip(&path)));
                }
            }
        }
        self.inner = None;
        if let Some(found) = self.aside.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Some(found);
        }
        let (family, count) = self.families.pop_first()?;
        let files = if count == 1 { "1 file was".to_owned() } else { format!("{count} files were") };
        let why = format!("{files} passed over: HiNet does not read {family}.");
        Some(Err(Skipped { what: self.root.to_string_lossy().into_owned(), why }))
    }
}

fn build(
    reading: &Reading,
    root: &Path,
    max_depth: usize,
    touched: Option<BTreeSet<PathBuf>>,
    aside: Arc<Mutex<Vec<Result<FileRef, Skipped>>>>,
) -> WalkBuilder {
    let reading = reading.clone();
    let vaults = Vaults::new(&reading);
    // The ignore files of a repository that the root lies in count too; otherwise nothing above the root is opened.
    let in_repository = root.ancestors().skip(1).any(|parent| parent.join(".git").exists());
    let mut builder = WalkBuilder::new(root);
    builder
        .follow_links(false)
        // Hidden entries are passed over below, where the folders of a Maildir are told from others.
        .hidden(false)
        .parents(in_repository)
        .git_global(false)
        .require_git(false)
        .max_depth(Some(max_depth))
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| {
            let path = entry.path();
            // Files are asked about again when they are read; a whole excluded folder is not worth entering.
            let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let asked = |path: &Path| touched.as_ref().is_none_or(|touched| on_the_way(path, touched));
            let tell = |found: Result<FileRef, Skipped>| {
                aside.lock().unwrap_or_else(PoisonError::into_inner).push(found);
                false
            };
            if folder && entry.depth() > 0 && asked(path) && git::is_repository(path) {
                return may_enter(&reading, path) && git::listed(path).is_some_and(|found| tell(Ok(found)));
            }
            if entry.depth() > 0 && is_hidden(path) && !(folder && is_maildir(path)) {
                return match cloud::stands_for(path).filter(|file| !folder && asked(file)) {
                    Some(file) => tell(Err(Unreadable::NotDownloaded.skip(&file))),
                    None => false,
                };
            }
            if !asked(path) || folder && !may_enter(&reading, path) {
                return false;
            }
            let inner = folder && entry.depth() > 0;
            match inner.then(|| vaults.passes_over(path)).flatten() {
                Some(why) => tell(Err(why.skip(path))),
                None => true,
            }
        });
    builder
}

/// Whether a name begins with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether consent leaves this folder in. One that cannot be resolved is entered, so that the walk says what is wrong.
fn may_enter(reading: &Reading, folder: &Path) -> bool {
    reading.covers(folder) || folder.canonicalize().is_err() || !reading.is_live()
}

/// Whether `path` is one of `touched`, lies below one, or leads to one.
fn on_the_way(path: &Path, touched: &BTreeSet<PathBuf>) -> bool {
    path.ancestors().any(|parent| touched.contains(parent))
        || touched
            .range::<Path, _>((Bound::Included(path), Bound::Unbounded))
            .next()
            .is_some_and(|next| next.starts_with(path))
}

/// A file as it stands in the listing.
fn file(path: &Path, meta: &Metadata) -> Result<FileRef, Skipped> {
    if let Some(what) = special(meta.file_type()) {
        return Err(Unreadable::Special { what }.skip(path));
    }
    if path.to_str().is_none() {
        return Err(Unreadable::Name.skip(path));
    }
    Ok(FileRef { path: path.to_path_buf(), modified: modified(meta), size: meta.len() })
}

/// When a file was changed; 1970 where the system does not say.
pub(crate) fn modified(meta: &Metadata) -> Millis {
    let Ok(time) = meta.modified() else { return 0 };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Millis::try_from(after.as_millis()).unwrap_or(Millis::MAX),
        Err(before) => Millis::try_from(before.duration().as_millis()).map_or(0, |ms| -ms),
    }
}

/// What an entry is when it is neither file nor folder.
pub(crate) fn special(kind: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        Some("a named pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

fn error_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => error_path(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(error_path),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

fn reason(error: ignore::Error) -> Unreadable {
    if let ignore::Error::WithPath { err, .. } | ignore::Error::WithDepth { err, .. } = error {
        return reason(*err);
    }
    match error {
        ignore::Error::Io(source) => source.into(),
        ignore::Error::Loop { .. } => Unreadable::LinkLoop,
        source => Unreadable::Listing { source },
    }
}
