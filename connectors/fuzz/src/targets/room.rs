//! Where the targets work: leave to read a folder, filled anew for every input; a mail server; an empty memory.

use super::{accounts::Server, leave::leave, pieces, taken::Taken};
use hinet_connectors::{Extractor, ReadLimits, Reader, Reading, walk};
use hinet_index::Index;
use hinet_protocol::Hash;
use hinet_vault::{Home, Vault, Words};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};
use tempfile::TempDir;

/// Where folders in memory are, on systems that have them.
const IN_MEMORY: &str = "/dev/shm";
/// Inputs up to this are read twice, which must come to the same.
const TWICE: usize = 4096;

/// What targets need, made when it is asked for first.
pub struct Room {
    pub(super) limits: ReadLimits,
    pub(super) extractor: Extractor,
    folder: OnceLock<Folder>,
    server: OnceLock<Server>,
    memory: OnceLock<Memory>,
}

/// A folder that was opened to HiNet.
struct Folder {
    reading: Reading,
    root: PathBuf,
    /// Whoever fills it.
    busy: Mutex<()>,
    _folder: TempDir,
}

/// A vault and an index with nothing in them.
pub(super) struct Memory {
    pub(super) vault: Vault,
    pub(super) index: Index,
    _home: TempDir,
}

impl Room {
    /// A room in which this program reads PDFs.
    pub fn new(extractor: Extractor) -> Self {
        const MIB: u64 = 1 << 20;
        // Small, so that what is without a bound shows.
        let limits = ReadLimits {
            max_file_bytes: 8 * MIB,
            max_pdf_bytes: 8 * MIB,
            max_text_bytes: MIB,
            max_zip_bytes: 8 * MIB,
            max_message_bytes: MIB,
            max_element_bytes: MIB,
            max_archive_bytes: 16 * MIB,
            child_seconds: 5,
            ..ReadLimits::default()
        };
        Self { limits, extractor, folder: OnceLock::new(), server: OnceLock::new(), memory: OnceLock::new() }
    }

    /// Fills the folder, reads it as ingest does, and checks what came out of an input of `bytes` bytes that unpacks to
    /// `reach` at most. A short one is read twice, which must come to the same.
    pub(super) fn read(&self, bytes: usize, reach: usize, fill: impl FnOnce(&Path)) {
        self.fed(bytes, reach, bytes <= TWICE, fill);
    }

    /// The same with one file.
    pub(super) fn read_file(&self, name: &str, content: &[u8], reach: usize) {
        self.read(content.len(), reach, |folder| pieces::write(folder, name, content));
    }

    /// The same, read once: what a child makes of a file depends on how much time there is.
    pub(super) fn read_once(&self, name: &str, content: &[u8], reach: usize) {
        self.fed(content.len(), reach, false, |folder| pieces::write(folder, name, content));
    }

    fn fed(&self, bytes: usize, reach: usize, twice: bool, fill: impl FnOnce(&Path)) {
        let folder = self.folder.get_or_init(Folder::new);
        let _alone = folder.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = folder.root.join("in");
        // An input that ended in a panic leaves its files behind.
        let _ = fs::remove_dir_all(&inside);
        fs::create_dir_all(&inside).expect("a folder");
        fill(&inside);
        let taken = self.gather(folder, &inside);
        taken.check(&inside.to_string_lossy(), &self.limits, bytes, reach);
        if twice {
            assert!(taken == self.gather(folder, &inside), "read twice, it is not the same");
        }
        let _ = fs::remove_dir_all(&inside);
    }

    fn gather(&self, folder: &Folder, inside: &Path) -> Taken {
        let mut taken = Taken::default();
        let mut reader = Reader::new(&folder.reading, &self.limits, &self.extractor);
        for found in walk(&folder.reading, inside, &self.limits) {
            match found {
                Ok(file) => {
                    reader.read(&file, &mut taken);
                }
                Err(skipped) => taken.skipped.push(skipped),
            }
        }
        taken
    }

    /// The mail server.
    pub(super) fn server(&self) -> &Server {
        self.server.get_or_init(Server::start)
    }

    /// The empty memory.
    pub(super) fn memory(&self) -> &Memory {
        self.memory.get_or_init(Memory::new)
    }
}

impl Folder {
    fn new() -> Self {
        let folder = temporary();
        let root = folder.path().canonicalize().expect("its real place");
        // Leave lasts without the home that gave it.
        let (reading, _, _) = leave(&root);
        Self { reading, root, busy: Mutex::new(()), _folder: folder }
    }
}

impl Memory {
    fn new() -> Self {
        let home = temporary();
        let vault = Vault::create(&Home::at(home.path().join("icore")), "Ada", &Words::generate(), &[], 0);
        let vault = vault.expect("a vault");
        let index = Index::open(&home.path().join("index"), &vault.seal_key("index"), &vault, Hash([7; 32]));
        let (index, _) = index.expect("an index");
        Self { vault, index, _home: home }
    }
}

fn temporary() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("hinet-fuzz-");
    builder.tempdir_in(IN_MEMORY).or_else(|_| builder.tempdir()).expect("a folder")
}
