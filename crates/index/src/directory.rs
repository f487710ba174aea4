//! The folder tantivy writes into: every file sealed, every name a keyed hash.
//!
//! - A file is sealed as a whole when its writer ends and is read in authenticated blocks of 64 KiB, the latest of
//!   which stay in a bounded cache of RAM. The seal binds the logical name, so a file swapped with another does not
//!   open. A block that does not authenticate is an error of kind `InvalidData`, never other bytes.
//! - New files reach the disk (`fsync`) before the `meta.json` that names them, except between
//!   [`SealedDirectory::defer`] and [`SealedDirectory::make_durable`]: there a commit can be read at once and becomes
//!   durable a moment later; power lost in between leaves files that do not authenticate, and a rebuild.
//!   `.managed.json` only lists files: it reaches the disk with the commit after it.
//! - Locks are in RAM: the home lock keeps other processes out, and a killed process leaves none behind.

use hinet_vault::sealed::{self, SealKey, SealedReader};
use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tantivy::{
    HasLen,
    directory::{
        AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite, WatchCallback,
        WatchCallbackList, WatchHandle, WritePtr,
        error::{DeleteError, LockError, OpenReadError, OpenWriteError},
    },
};

/// Reads are aligned to sealed blocks, so that none is opened twice for one read.
const BLOCK: usize = sealed::BLOCK;
/// Open blocks kept in RAM.
const CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// So many remembered reads are looked over for ones that nobody holds any more.
const SHARED_SWEEP: usize = 2048;
/// Where tantivy keeps the list of its files.
pub(crate) const MANAGED: &str = ".managed.json";
/// Where tantivy keeps what is committed.
pub(crate) const META: &str = "meta.json";

/// A sealed directory; clones share everything.
#[derive(Clone)]
pub(crate) struct SealedDirectory(Arc<Inner>);

struct Inner {
    root: PathBuf,
    key: SealKey,
    /// Keyed with a key of its own; gives the names on disk.
    names: blake3::Hasher,
    cache: Mutex<Cache>,
    held: Mutex<HashSet<PathBuf>>,
    freed: Condvar,
    unsynced: Mutex<HashSet<PathBuf>>,
    deferred: AtomicBool,
    /// A number per file, so that opening a file again finds its blocks open; gone with the file.
    numbers: Mutex<HashMap<PathBuf, u64>>,
    last_number: AtomicU64,
    watch: WatchCallbackList,
}

impl fmt::Debug for SealedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedDirectory").field("root", &self.0.root).finish_non_exhaustive()
    }
}

/// A poisoned lock guards plain data that every holder leaves whole, so it is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SealedDirectory {
    /// The directory at `root`, which is made where it is missing. `names` keys the names on disk.
    pub(crate) fn open(root: &Path, key: &SealKey, names: &[u8; 32]) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self(Arc::new(Inner {
            root: root.to_owned(),
            key: key.clone(),
            names: blake3::Hasher::new_keyed(names),
            cache: Mutex::default(),
            held: Mutex::default(),
            freed: Condvar::new(),
            unsynced: Mutex::default(),
            deferred: AtomicBool::new(false),
            numbers: Mutex::default(),
            last_number: AtomicU64::new(0),
            watch: WatchCallbackList::default(),
        })))
    }

    /// Where a file lies on disk.
    fn place(&self, name: &Path) -> PathBuf {
        let mut hasher = self.0.names.clone();
        hasher.update(name.as_os_str().as_encoded_bytes());
        self.0.root.join(&hasher.finalize().to_hex()[..40])
    }

    fn reader(&self, name: &Path) -> Result<SealedReader, OpenReadError> {
        let file = File::open(self.place(name)).map_err(|error| not_found_or(error, name))?;
        SealedReader::open(&self.0.key, &logical(name), file)
            .map_err(|error| OpenReadError::wrap_io_error(damage(error), name.to_owned()))
    }

    /// Opens every block of a file.
    pub(crate) fn verify(&self, name: &Path) -> Result<(), OpenReadError> {
        self.reader(name)?.verify_all().map_err(|error| OpenReadError::wrap_io_error(damage(error), name.to_owned()))
    }

    /// Removes every file that is not one of `living`; says how many there were.
    pub(crate) fn sweep(&self, living: &HashSet<PathBuf>) -> io::Result<usize> {
        let keep: HashSet<PathBuf> = living.iter().map(|name| self.place(name)).collect();
        let mut removed = 0;
        for entry in fs::read_dir(&self.0.root)? {
            let path = entry?.path();
            if !keep.contains(&path) {
                if path.is_dir() {
                    fs::remove_dir_all(&path)?
                } else {
                    fs::remove_file(&path)?
                }
                removed += 1;
            }
        }
        if removed > 0 {
            sync_folder(&self.0.root)?;
        }
        Ok(removed)
    }

    /// From here on nothing waits for the disk, until [`SealedDirectory::make_durable`].
    pub(crate) fn defer(&self) {
        self.0.deferred.store(true, Ordering::SeqCst);
    }

    /// Waits until everything written so far is on disk.
    pub(crate) fn make_durable(&self) -> io::Result<()> {
        self.0.deferred.store(false, Ordering::SeqCst);
        let names: Vec<PathBuf> = lock(&self.0.unsynced).drain().collect();
        for name in names {
            match File::open(self.place(&name)) {
                Ok(file) => file.sync_all()?,
                // Written and already merged away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        sync_folder(&self.0.root)
    }

    /// How many bytes all files take on disk.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        fs::read_dir(&self.0.root)?.map(|entry| entry?.metadata().map(|meta| meta.len())).sum()
    }

    fn write_whole(&self, name: &Path, data: &[u8], durable: bool) -> io::Result<()> {
        let sealed = sealed::seal(&self.0.key, &logical(name), data);
        let temp = self.0.root.join(format!("new-{:016x}", rand::random::<u64>()));
        let mut file = File::create(&temp)?;
        file.write_all(&sealed)?;
        if durable {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&temp, self.place(name))?;
        if durable { sync_folder(&self.0.root) } else { Ok(()) }
    }
}

fn logical(name: &Path) -> String {
    format!("index/{}", name.to_string_lossy())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn damage(error: sealed::SealError) -> io::Error {
    match error {
        sealed::SealError::Io { source } => source,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

fn not_found_or(error: io::Error, name: &Path) -> OpenReadError {
    if error.kind() == io::ErrorKind::NotFound {
        OpenReadError::FileDoesNotExist(name.to_owned())
    } else {
        OpenReadError::wrap_io_error(error, name.to_owned())
    }
}

impl Directory for SealedDirectory {
    fn get_file_handle(&self, name: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let reader = self.reader(name)?;
        let len = usize::try_from(reader.len())
            .map_err(|_| OpenReadError::wrap_io_error(io::ErrorKind::FileTooLarge.into(), name.to_owned()))?;
        let number = *lock(&self.0.numbers)
            .entry(name.to_owned())
            .or_insert_with(|| self.0.last_number.fetch_add(1, Ordering::Relaxed));
        Ok(Arc::new(Handle { directory: self.clone(), reader, len, number }))
    }

    fn delete(&self, name: &Path) -> Result<(), DeleteError> {
        if let Some(number) = lock(&self.0.numbers).remove(name) {
            lock(&self.0.cache).forget(number);
        }
        lock(&self.0.unsynced).remove(name);
        fs::remove_file(self.place(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(name.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: name.to_owned() },
        })
    }

    fn exists(&self, name: &Path) -> Result<bool, OpenReadError> {
        self.place(name).try_exists().map_err(|error| OpenReadError::wrap_io_error(error, name.to_owned()))
    }

    fn open_write(&self, name: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = File::create_new(self.place(name)).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(name.to_owned()),
            _ => OpenWriteError::wrap_io_error(error, name.to_owned()),
        })?;
        Ok(BufWriter::new(Box::new(Writer { directory: self.clone(), name: name.to_owned(), file, plain: Vec::new() })))
    }

    fn atomic_read(&self, name: &Path) -> Result<Vec<u8>, OpenReadError> {
        let reader = self.reader(name)?;
        reader.read(0..reader.len()).map_err(|error| OpenReadError::wrap_io_error(damage(error), name.to_owned()))
    }

    fn atomic_write(&self, name: &Path, data: &[u8]) -> io::Result<()> {
        let deferred = self.0.deferred.load(Ordering::SeqCst);
        self.write_whole(name, data, name != Path::new(MANAGED) && !deferred)?;
        if name == Path::new(MANAGED) || (deferred && name == Path::new(META)) {
            lock(&self.0.unsynced).insert(name.to_owned());
        }
        if name == Path::new(META) {
            drop(self.0.watch.broadcast());
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.0.deferred.load(Ordering::SeqCst) { Ok(()) } else { self.make_durable() }
    }

    fn acquire_lock(&self, wanted: &Lock) -> Result<DirectoryLock, LockError> {
        let mut held = lock(&self.0.held);
        while held.contains(&wanted.filepath) {
            if !wanted.is_blocking {
                return Err(LockError::LockBusy);
            }
            held = self.0.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.insert(wanted.filepath.clone());
        Ok(DirectoryLock::from(Box::new(Held { directory: self.clone(), name: wanted.filepath.clone() })))
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(self.0.watch.subscribe(callback))
    }
}

struct Held {
    directory: SealedDirectory,
    name: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.directory.0.held).remove(&self.name);
        self.directory.0.freed.notify_all();
    }
}

/// A file being written: gathered in RAM, sealed and written when it ends. Left unfinished it stays empty, which no
/// reader accepts.
struct Writer {
    directory: SealedDirectory,
    name: PathBuf,
    file: File,
    plain: Vec<u8>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.plain.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Writer {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let plain = std::mem::take(&mut self.plain);
        self.file.write_all(&sealed::seal(&self.directory.0.key, &logical(&self.name), &plain))?;
        lock(&self.directory.0.unsynced).insert(self.name.clone());
        Ok(())
    }
}

struct Handle {
    directory: SealedDirectory,
    reader: SealedReader,
    len: usize,
    number: u64,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("len", &self.len).finish_non_exhaustive()
    }
}

impl HasLen for Handle {
    fn len(&self) -> usize {
        self.len
    }
}

impl Handle {
    fn block(&self, block: usize) -> io::Result<OwnedBytes> {
        if let Some(bytes) = lock(&self.directory.0.cache).get((self.number, block)) {
            return Ok(bytes);
        }
        let bytes = OwnedBytes::new(self.reader.block(block as u64).map_err(damage)?);
        lock(&self.directory.0.cache).put((self.number, block), bytes.clone());
        Ok(bytes)
    }
}

impl FileHandle for Handle {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a read beyond the end of a sealed file"));
        }
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        let (first, last) = (range.start / BLOCK, (range.end - 1) / BLOCK);
        if first == last {
            return Ok(self.block(first)?.slice(range.start - first * BLOCK..range.end - first * BLOCK));
        }
        let key = (self.number, range.start, range.end);
        if let Some(shared) = lock(&self.directory.0.cache).shared.get(&key).and_then(Weak::upgrade) {
            return Ok(OwnedBytes::new(shared));
        }
        let mut bytes = Vec::with_capacity(range.len());
        for block in first..=last {
            let from = range.start.max(block * BLOCK) - block * BLOCK;
            let to = range.end.min((block + 1) * BLOCK) - block * BLOCK;
            bytes.extend_from_slice(&self.block(block)?[from..to]);
        }
        let shared: Arc<[u8]> = bytes.into();
        lock(&self.directory.0.cache).share(key, &shared);
        Ok(OwnedBytes::new(shared))
    }
}

/// The latest blocks that were opened, and longer reads for as long as somebody holds them: tantivy opens all segments
/// anew at each commit, and most of what it reads then is still held by the view before. All of it goes with its file.
#[derive(Default)]
struct Cache {
    shared: HashMap<(u64, usize, usize), Weak<[u8]>>,
    blocks: HashMap<(u64, usize), (OwnedBytes, u64)>,
    bytes: usize,
    clock: u64,
}

impl Cache {
    fn get(&mut self, key: (u64, usize)) -> Option<OwnedBytes> {
        self.clock += 1;
        let (bytes, used) = self.blocks.get_mut(&key)?;
        *used = self.clock;
        Some(bytes.clone())
    }

    fn put(&mut self, key: (u64, usize), bytes: OwnedBytes) {
        self.clock += 1;
        self.bytes += bytes.len();
        if let Some((old, _)) = self.blocks.insert(key, (bytes, self.clock)) {
            self.bytes -= old.len();
        }
        while self.bytes > CACHE_BYTES_MAX {
            // A few hundred entries: looking at all of them costs less than opening one block.
            let Some(oldest) = self.blocks.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key) else {
                return;
            };
            if let Some((gone, _)) = self.blocks.remove(&oldest) {
                self.bytes -= gone.len();
            }
        }
    }

    fn share(&mut self, key: (u64, usize, usize), bytes: &Arc<[u8]>) {
        if self.shared.len() >= SHARED_SWEEP {
            self.shared.retain(|_, held| held.strong_count() > 0);
        }
        self.shared.insert(key, Arc::downgrade(bytes));
    }

    fn forget(&mut self, number: u64) {
        self.shared.retain(|key, _| key.0 != number);
        let bytes = &mut self.bytes;
        self.blocks.retain(|key, (block, _)| {
            let keep = key.0 != number;
            if !keep {
                *bytes -= block.len();
            }
            keep
        });
    }
}
