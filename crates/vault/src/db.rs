//! Connections to the encrypted database: one writer, a few readers, and a gate that empties the room for a rekey.
//!
//! SQLCipher encrypts and authenticates each page; nothing here ever writes a page or a temporary file in the clear
//! (`temp_store = MEMORY`).

use crate::hex;
use crate::keys::Key;
use crate::{Part, VaultError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::cell::Cell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Idle reader connections kept; each has its own page cache.
const READERS_KEPT: usize = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A lock whose data stays valid when a holder panics: SQLite rolls an unfinished transaction back by itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets SQLCipher up, once in a process and to its end.
///
/// SQLite calls itself ready before SQLCipher's own set-up has run, so of two threads that open a first database at
/// the same moment the second could find no cipher and fail on its key. Whoever comes second waits here instead.
fn set_up() {
    static DONE: Once = Once::new();
    // What fails here fails again, with its reason, at the opening that follows.
    DONE.call_once(|| drop(Connection::open_in_memory()));
}

/// A pragma statement that holds a raw key.
fn key_pragma(name: &str, key: &Key) -> Zeroizing<String> {
    let digits = Zeroizing::new(hex::encode(key.bytes()));
    Zeroizing::new(format!("PRAGMA {name} = \"x'{}'\"", digits.as_str()))
}

/// Opens the database with one key. `None` where the key is not this database's.
///
/// The connection leaves the log alone when it closes, so that a database that turns out not to be believed stays
/// as it was found.
pub(crate) fn connect(path: &Path, key: &Key) -> Result<Option<Connection>, VaultError> {
    set_up();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // SQLCipher would write its errors to standard error, across whatever the terminal shows; they come back as results.
    db.execute_batch("PRAGMA cipher_log_level = NONE")?;
    db.execute_batch(&key_pragma("key", key))?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(128);
    match db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)) {
        Ok(_) => {}
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // cipher_memory_security stays off. It wipes and locks all of SQLite's memory, and bulk writes took 2.1 to 2.7 times
    // as long with it (100,000 vectors: 2.8 s against 7.6 s). It could not keep its promise here: a row's text lives on
    // in Rust strings and model caches, and locking stops at the few megabytes an ordinary user may lock. Key material
    // is wiped by SQLCipher either way.
    // journal_size_limit: a log that starts over is cut to what it holds, so that no stale frame can hide in it.
    // trusted_schema: what a schema names is not trusted to run functions.
    db.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = 0; PRAGMA cache_size = -16000; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(Some(db))
}

/// Opens the database with the first key that fits; gives its place in `keys`.
pub(crate) fn connect_any<'a>(
    path: &Path,
    keys: impl IntoIterator<Item = &'a Key>,
) -> Result<(Connection, usize), VaultError> {
    for (place, key) in keys.into_iter().enumerate() {
        if let Some(db) = connect(path, key)? {
            return Ok((db, place));
        }
    }
    Err(Part::Database.into())
}

/// Makes a connection the writer.
pub(crate) fn make_writer(db: &Connection) -> Result<(), VaultError> {
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(VaultError::ReadOnly);
    }
    Ok(())
}

/// Encrypts every page with another key, in one transaction.
pub(crate) fn rekey(db: &Connection, key: &Key) -> Result<(), VaultError> {
    Ok(db.execute_batch(&key_pragma("rekey", key))?)
}

struct Room {
    key: Key,
    generation: u64,
    idle: Vec<Connection>,
    reading: usize,
    closed: bool,
}

/// Reader connections.
pub(crate) struct Readers {
    path: PathBuf,
    room: Mutex<Room>,
    changed: Condvar,
}

thread_local! {
    /// How many reads and writes this thread is inside of. A read within one may not wait at a gate that only opens
    /// when the outer one has ended.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// This thread is inside a read or write while this lives.
pub(crate) struct Inside(());

impl Inside {
    pub(crate) fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self(())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

impl Readers {
    pub(crate) fn new(path: PathBuf, key: Key) -> Self {
        let room = Room { key, generation: 0, idle: Vec::new(), reading: 0, closed: false };
        Self { path, room: Mutex::new(room), changed: Condvar::new() }
    }

    /// A connection of one's own for a while.
    pub(crate) fn lease(&self) -> Result<Lease<'_>, VaultError> {
        let mut room = lock(&self.room);
        while room.closed && DEPTH.get() == 0 {
            room = self.changed.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
        let (idle, key, generation) = (room.idle.pop(), room.key.clone(), room.generation);
        room.reading += 1;
        drop(room);
        let mut lease = Lease { readers: self, db: idle, generation, _inside: Inside::enter() };
        if lease.db.is_none() {
            let db = connect(&self.path, &key)?.ok_or(Part::Database)?;
            db.execute_batch("PRAGMA query_only = ON")?;
            lease.db = Some(db);
        }
        Ok(lease)
    }

    /// Waits until nobody reads and lets nobody in until the guard is dropped, except a thread that is writing. To be
    /// called before the writer is locked: then that write, with its reads, is over once the lock is had.
    pub(crate) fn close(&self) -> Closed<'_> {
        let mut room = lock(&self.room);
        while room.closed || room.reading > 0 {
            room = self.changed.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
        room.closed = true;
        room.idle.clear();
        Closed { readers: self }
    }
}

/// A reader connection on loan.
pub(crate) struct Lease<'a> {
    readers: &'a Readers,
    db: Option<Connection>,
    generation: u64,
    _inside: Inside,
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db.as_ref().expect("a lease is handed out with its connection")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut room = lock(&self.readers.room);
        room.reading -= 1;
        if let Some(db) = self.db.take()
            && room.generation == self.generation
            && room.idle.len() < READERS_KEPT
        {
            room.idle.push(db);
        }
        drop(room);
        self.readers.changed.notify_all();
    }
}

/// Nobody reads while this lives.
pub(crate) struct Closed<'a> {
    readers: &'a Readers,
}

impl Closed<'_> {
    /// Lets later readers in with another key.
    pub(crate) fn change_key(&self, key: Key) {
        let mut room = lock(&self.readers.room);
        room.key = key;
        room.generation += 1;
        // A write that was still under way when the room was closed may have left a connection behind.
        room.idle.clear();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        lock(&self.readers.room).closed = false;
        self.readers.changed.notify_all();
    }
}
