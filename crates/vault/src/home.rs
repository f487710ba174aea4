//! Where a home keeps its files, and the lock that gives it to one process at a time.
//!
//! Paths only: nothing here reads a key or opens the database.

use crate::VaultError;
use crate::file;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The folder one owner's memory lives in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// The home in `dir`, whether or not there is one yet.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The SQLCipher database.
    #[must_use]
    pub fn db(&self) -> PathBuf {
        self.dir.join("vault.db")
    }

    /// SQLite's write-ahead log beside the database.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join("vault.db-wal")
    }

    /// The wrapped keys.
    #[must_use]
    pub fn keyslots(&self) -> PathBuf {
        self.dir.join("keyslots.json")
    }

    /// The second copy of the wrapped keys, which heals a damaged first one.
    #[must_use]
    pub fn keyslots_copy(&self) -> PathBuf {
        self.dir.join("keyslots.copy.json")
    }

    /// The signed head of ledger and database.
    #[must_use]
    pub fn head(&self) -> PathBuf {
        self.dir.join("ledger.head")
    }

    /// The sealed search index.
    #[must_use]
    pub fn index_dir(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// The sealed objects.
    #[must_use]
    pub fn objects_dir(&self) -> PathBuf {
        self.dir.join("objects")
    }

    /// The lock file.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.dir.join("home.lock")
    }

    /// The node's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("node.sock")
    }

    /// The folder a home is built in before it appears; while it exists and the keyslots do not, nothing has begun.
    pub(crate) fn cradle(&self) -> PathBuf {
        self.dir.join(".creating")
    }

    /// Whether a home is here, or what is left of one: opening it says what is missing. What a creation that was
    /// killed left behind is none.
    #[must_use]
    pub fn exists(&self) -> bool {
        let left = || self.keyslots_copy().exists() || self.db().exists();
        self.keyslots().exists() || (!self.cradle().exists() && left())
    }
}

/// The home, taken for this process. Dropping it gives it back; the operating system does so when the process dies.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the home, making its folder where there is none.
    ///
    /// # Errors
    /// [`VaultError::Busy`] names the process that holds it.
    pub fn take(home: &Home) -> Result<Self, VaultError> {
        file::private_dir(home.dir())?;
        let path = home.lock();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&path).map_err(|source| VaultError::io(&path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder's id is a courtesy; without it the home is no less busy.
                let _ = lock.take(32).read_to_string(&mut text);
                return Err(VaultError::Busy { path: home.dir().to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(VaultError::io(&path, source)),
        }
        let written = lock
            .set_len(0)
            .and_then(|()| lock.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(lock, "{}", std::process::id()));
        written.map_err(|source| VaultError::io(&path, source))?;
        Ok(Self { _file: lock })
    }
}
