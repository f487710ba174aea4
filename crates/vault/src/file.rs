//! Small private files, written so that a reader sees the old or the new one, never a half.
//!
//! Folders are 0700 and files 0600. A write is: temporary file, fsync, rename, fsync of the folder.

use crate::VaultError;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes `dir` and its missing parents, readable by the owner alone. A folder that is there already stays as it is.
pub(crate) fn private_dir(dir: &Path) -> Result<(), VaultError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|source| VaultError::io(dir, source))
}

/// Makes an empty private file, so that what SQLite puts beside it inherits its permissions.
pub(crate) fn private_file(path: &Path) -> Result<(), VaultError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|source| VaultError::io(path, source))
}

/// The whole of a file that should be small; `None` where there is none.
pub(crate) fn read_small(path: &Path, cap: u64) -> Result<Option<Vec<u8>>, VaultError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(VaultError::io(path, source)),
    };
    let mut bytes = Vec::new();
    file.take(cap).read_to_end(&mut bytes).map_err(|source| VaultError::io(path, source))?;
    Ok(Some(bytes))
}

/// A file that is written and synced under a temporary name and only waits for its rename.
pub(crate) struct Prepared {
    from: PathBuf,
    to: PathBuf,
    published: bool,
}

impl Prepared {
    /// Writes `bytes` beside `path`. Everything that can run out of space happens here.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self, VaultError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let prepared = Self { from: path.with_file_name(name), to: path.to_owned(), published: false };
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&prepared.from)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(|source| VaultError::io(path, source))?;
        Ok(prepared)
    }

    /// Puts the file in its place, durably.
    pub(crate) fn publish(mut self) -> Result<(), VaultError> {
        fs::rename(&self.from, &self.to).map_err(|source| VaultError::io(&self.to, source))?;
        self.published = true;
        sync_parent(&self.to)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.published {
            // Best effort: the next write of the same file truncates a leftover.
            let _ = fs::remove_file(&self.from);
        }
    }
}

/// Replaces a file at once.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    Prepared::write(path, bytes)?.publish()
}

/// Renames within one folder, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), VaultError> {
    fs::rename(from, to).map_err(|source| VaultError::io(to, source))?;
    sync_parent(to)
}

/// Makes the folder's entries durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), VaultError> {
    let Some(dir) = path.parent() else { return Ok(()) };
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| VaultError::io(path, source))
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(VaultError::io(path, source)),
        _ => Ok(()),
    }
}
