//! What can go wrong with a home, each as a sentence its owner can act on.

use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// Something stored that is not what was written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Both copies of the keyslots.
    Keyslots,
    /// The database file.
    Database,
    /// A row or value of the database.
    Row(&'static str),
    /// The bundle of keys inside the keyslots.
    Bundle,
    /// A sealed object.
    Object,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keyslots => f.write_str("the keyslots file and its copy are damaged"),
            Self::Database => f.write_str("the database is damaged (a page does not authenticate)"),
            Self::Row(what) => write!(f, "the database holds {what} that cannot be read"),
            Self::Object => f.write_str("a sealed object is damaged or not there"),
            Self::Bundle => f.write_str("the bundle of keys inside the keyslots is damaged"),
        }
    }
}

/// Evidence that a file is not the one this home wrote last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// The database lacks commits that the head was signed for.
    DatabaseBehindHead {
        /// Commits in the database.
        database: u64,
        /// Commits the head knows.
        head: u64,
    },
    /// The head lacks commits that are in the database.
    HeadBehindDatabase {
        /// Commits in the database.
        database: u64,
        /// Commits the head knows.
        head: u64,
    },
    /// There is no head file.
    HeadMissing,
    /// The head file is not one this device signed.
    HeadForged,
    /// The ledger is not the one the head was signed for.
    LedgerMismatch,
    /// The keyslots are older than the ones last written.
    KeyslotsOld {
        /// The counter in the file.
        file: u64,
        /// The counter that was last recorded.
        recorded: u64,
    },
    /// The keyslots are newer than this database and head know.
    KeyslotsAhead {
        /// The counter in the file.
        file: u64,
        /// The counter that was last recorded.
        recorded: u64,
    },
    /// The keyslots were changed without the master key.
    KeyslotsForged,
    /// The keyslots, the head and the database are not of one home.
    OtherHome,
    /// The keyslots are there and the database is not.
    DatabaseMissing,
    /// The database is there and the keyslots are not.
    KeyslotsMissing,
    /// The device certificate is not signed by the identity.
    DeviceForged,
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DatabaseBehindHead { database, head } => write!(
                f,
                "the database is older than its signed head (commit {database}, head {head}): an old copy was put \
                 back or the end of the log was cut or damaged"
            ),
            Self::HeadBehindDatabase { database, head } => write!(
                f,
                "the signed head is older than the database (commit {database}, head {head}): an old head was put back"
            ),
            Self::HeadMissing => f.write_str("the signed head ledger.head is missing"),
            Self::HeadForged => f.write_str("ledger.head was changed: it is not what this device signed"),
            Self::LedgerMismatch => f.write_str(
                "the ledger in the database is not the one the head was signed for: it was cut or rewritten",
            ),
            Self::KeyslotsOld { file, recorded } => write!(
                f,
                "the keyslots file is an old one (change {file}, last recorded {recorded}): an old copy was put back"
            ),
            Self::KeyslotsAhead { file, recorded } => write!(
                f,
                "the keyslots file is newer (change {file}) than the database and its head know (change {recorded}): \
                 an old database was put back"
            ),
            Self::KeyslotsForged => f.write_str("the keyslots file was changed by something that did not hold its key"),
            Self::OtherHome => f.write_str("keyslots, head and database do not belong to the same home"),
            Self::DatabaseMissing => f.write_str("the keyslots are there but the database is gone"),
            Self::KeyslotsMissing => f.write_str("the database is there but both keyslots files are gone"),
            Self::DeviceForged => f.write_str("this device's certificate is not signed by the owner's identity"),
        }
    }
}

/// Why a vault could not do what was asked. Where nothing is said about loss, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Nothing is there yet.
    #[error("there is no iCore home in {}", path.display())]
    NoHome {
        /// Where.
        path: PathBuf,
    },
    /// A home is there already.
    #[error("there is already an iCore home in {}", path.display())]
    AlreadyThere {
        /// Where.
        path: PathBuf,
    },
    /// Another process has the home.
    #[error("the home {} is in use by {}", path.display(), pid.map_or("another process".to_owned(), |pid| format!("process {pid}")))]
    Busy {
        /// Which home.
        path: PathBuf,
        /// The process, if it said.
        pid: Option<u32>,
    },
    /// Too few or too many recovery words.
    #[error("recovery takes 24 words, and {found} were given")]
    WordCount {
        /// How many.
        found: usize,
    },
    /// A word that is not in the list.
    #[error("recovery word {position} is not one of the 2048 words")]
    UnknownWord {
        /// Which, counted from 1.
        position: usize,
    },
    /// Words that do not belong together.
    #[error("all 24 are recovery words, but not together: one of them, or their order, is wrong")]
    WordsMismatch,
    /// The passphrase does not fit.
    #[error("the passphrase is wrong; nothing was changed")]
    WrongPassphrase,
    /// The words do not fit.
    #[error("these recovery words belong to another home; nothing was changed")]
    WrongWords,
    /// The keychain's key does not fit.
    #[error("the key in the OS keychain does not open this home; nothing was changed")]
    WrongKeychain,
    /// There is no keyslot for this way of unlocking.
    #[error("this home has no keyslot for {kind}")]
    NoSlot {
        /// `a passphrase`, `the OS keychain`.
        kind: &'static str,
    },
    /// A passphrase must have at least one character.
    #[error("an empty passphrase protects nothing")]
    EmptyPassphrase,
    /// There is no keychain on this system, or none for this session.
    #[error("there is no OS keychain here, or it is not running ({source})")]
    NoKeychain {
        /// What was met when it was looked for.
        #[source]
        source: &'static keyring::Error,
    },
    /// The keychain asks somebody something, and nobody answers.
    #[error("the OS keychain gave no answer")]
    KeychainSilent,
    /// The keychain did not work.
    #[error("the OS keychain cannot be used: {source}")]
    Keychain {
        /// Why.
        #[source]
        source: Box<keyring::Error>,
    },
    /// Argon2's stored cost is outside what this program accepts.
    #[error("the passphrase keyslot asks for {memory_kib} KiB and {passes} passes, outside what is accepted")]
    PassphraseCost {
        /// Memory.
        memory_kib: u32,
        /// Passes.
        passes: u32,
    },
    /// Stored data does not read back.
    #[error("{part}; nothing was changed")]
    Damaged {
        /// Which.
        part: Part,
    },
    /// Stored data is authentic and yet not the last that was written, or not authentic.
    #[error("{what}; nothing was changed")]
    Tampered {
        /// What shows it.
        what: Evidence,
    },
    /// A newer program made this.
    #[error(
        "{what} has version {found} and this program knows up to {known}; use the newer program, nothing was changed"
    )]
    Newer {
        /// What.
        what: &'static str,
        /// Its version.
        found: u32,
        /// What is known here.
        known: u32,
    },
    /// No space left.
    #[error("there is no space left on the disk; what was being written is undone, what was there is safe")]
    Full,
    /// The place cannot be written.
    #[error("the home cannot be written (it is read-only or belongs to another user); nothing was changed")]
    ReadOnly,
    /// Another connection held the database too long.
    #[error("the database stayed busy; try again")]
    Locked,
    /// The operating system refused a file.
    #[error("{} could not be read or written: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk itself failed.
    #[error("the disk failed under the database: {source}")]
    Disk {
        /// How.
        #[source]
        source: rusqlite::Error,
    },
    /// The commit is durable, but its head could not be put in place; it is signed again before the next write.
    #[error("what was written is safe, but ledger.head could not be replaced: {source}")]
    HeadNotReplaced {
        /// Why.
        #[source]
        source: Box<VaultError>,
    },
    /// A row that should be there is not.
    #[error("there is no such {what}")]
    Missing {
        /// `item`, `source`, `session`.
        what: &'static str,
    },
    /// A chunk's span does not lie in its item's text.
    #[error("chunk {ordinal} does not lie within the text of its item")]
    BadSpan {
        /// Which chunk.
        ordinal: usize,
    },
    /// The database refused a statement.
    #[error("the database refused a statement: {source}")]
    Database {
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

impl VaultError {
    /// An IO error, told apart where a person would do something else about it.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    pub(crate) fn row(what: &'static str) -> Self {
        Self::Damaged { part: Part::Row(what) }
    }
}

impl From<Evidence> for VaultError {
    fn from(what: Evidence) -> Self {
        Self::Tampered { what }
    }
}

impl From<Part> for VaultError {
    fn from(part: Part) -> Self {
        Self::Damaged { part }
    }
}

impl From<rusqlite::Error> for VaultError {
    fn from(source: rusqlite::Error) -> Self {
        match &source {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => return Self::row("a value"),
            _ => {}
        }
        // The log's shared memory is a file of its own, and only a full disk keeps it from growing.
        if source.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full;
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged { part: Part::Database },
            Some(ErrorCode::DiskFull) => Self::Full,
            // The file was there a moment ago: SQLite could not make the log's shared memory beside it.
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::ReadOnly,
            Some(ErrorCode::SystemIoFailure) => Self::Disk { source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            _ => Self::Database { source },
        }
    }
}
