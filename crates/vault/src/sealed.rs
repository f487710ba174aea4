//! Sealed files: XChaCha20-Poly1305 in blocks of 64 KiB, readable at any place, with every change noticed.
//!
//! ```text
//! header   "HNSEAL" ‖ format u16 ‖ key version u32 ‖ plain length u64 ‖ salt [32]      (little endian, 52 bytes)
//! block i  64 KiB of text (the last one less, at least one block) ‖ tag [16]
//! file key = HKDF-SHA256(salt, key of that version, "hinet/sealed/v1")
//! nonce    = i u64 ‖ last u8 ‖ zeros;   aad = header ‖ name
//! ```
//! The salt is random per file, so no nonce is used twice. Header and name are authenticated with every block, so a
//! file cut, grown, renamed, put together from two, or reordered does not open.

use crate::keys::{derive, random};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use zeroize::Zeroizing;

const MAGIC: &[u8; 6] = b"HNSEAL";
const FORMAT: u16 = 1;
const LABEL: &str = "hinet/sealed/v1";
const HEADER: usize = 52;
const TAG: usize = 16;

/// Bytes of text in a block.
pub const BLOCK: usize = 64 * 1024;

/// Why a sealed file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It does not begin as a sealed file does.
    #[error("this is not a sealed file, or its beginning is damaged")]
    NotSealed,
    /// A newer program sealed it.
    #[error("the file is sealed in format {found} and this program knows up to {FORMAT}")]
    NewerVersion {
        /// Its format.
        found: u16,
    },
    /// It is not as long as it says.
    #[error("the sealed file should have {expected} bytes and has {found}: it was cut or something was added")]
    Truncated {
        /// How long it should be.
        expected: u64,
        /// How long it is.
        found: u64,
    },
    /// A block is not what was sealed in its place.
    #[error("block {block} of the sealed file was changed, moved, or belongs to another file")]
    Tampered {
        /// Which, from 0.
        block: u64,
    },
    /// No key of the version that sealed it.
    #[error("the file is sealed with key {version}, which this home does not have")]
    UnknownKey {
        /// Which.
        version: u32,
    },
    /// A range that is not in the file.
    #[error("bytes {start}..{end} are not in a file of {len}")]
    OutOfRange {
        /// Its start.
        start: u64,
        /// Its end.
        end: u64,
        /// How much there is.
        len: u64,
    },
    /// The operating system refused.
    #[error("the sealed file could not be read: {source}")]
    Io {
        /// Why.
        #[from]
        source: std::io::Error,
    },
}

/// The keys files are sealed with: the newest seals, each file is opened with its own.
#[derive(Clone)]
pub struct SealKey {
    versions: Vec<(u32, Zeroizing<[u8; 32]>)>,
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl From<Zeroizing<[u8; 32]>> for SealKey {
    fn from(key: Zeroizing<[u8; 32]>) -> Self {
        Self { versions: vec![(1, key)] }
    }
}

impl SealKey {
    /// A single key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Zeroizing::new(key).into()
    }

    pub(crate) fn versions(versions: impl IntoIterator<Item = (u32, Zeroizing<[u8; 32]>)>) -> Self {
        Self { versions: versions.into_iter().collect() }
    }

    /// The version that seals.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.versions.last().map_or(0, |(version, _)| *version)
    }

    fn cipher(&self, version: u32, salt: &[u8]) -> Option<XChaCha20Poly1305> {
        let (_, key) = self.versions.iter().find(|(v, _)| *v == version)?;
        let file_key = derive(key.as_ref(), Some(salt), LABEL);
        Some(XChaCha20Poly1305::new(<&chacha20poly1305::Key>::from(&*file_key)))
    }
}

struct Header {
    bytes: [u8; HEADER],
    version: u32,
    len: u64,
}

impl Header {
    fn new(version: u32, len: u64) -> Self {
        let mut bytes = [0; HEADER];
        bytes[..6].copy_from_slice(MAGIC);
        bytes[6..8].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        bytes[12..20].copy_from_slice(&len.to_le_bytes());
        bytes[20..].copy_from_slice(&random::<32>());
        Self { bytes, version, len }
    }

    fn parse(bytes: [u8; HEADER]) -> Result<Self, SealError> {
        if &bytes[..6] != MAGIC {
            return Err(SealError::NotSealed);
        }
        let format = u16::from_le_bytes([bytes[6], bytes[7]]);
        match format {
            FORMAT => {}
            0 => return Err(SealError::NotSealed),
            found => return Err(SealError::NewerVersion { found }),
        }
        let version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let mut len = [0; 8];
        len.copy_from_slice(&bytes[12..20]);
        Ok(Self { bytes, version, len: u64::from_le_bytes(len) })
    }

    fn salt(&self) -> &[u8] {
        &self.bytes[20..]
    }

    fn blocks(&self) -> u64 {
        self.len.div_ceil(BLOCK as u64).max(1)
    }

    fn sealed_len(&self) -> Option<u64> {
        self.blocks().checked_mul(TAG as u64)?.checked_add(self.len)?.checked_add(HEADER as u64)
    }

    fn aad(&self, name: &str) -> Vec<u8> {
        [&self.bytes, name.as_bytes()].concat()
    }

    fn nonce(&self, block: u64) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&block.to_le_bytes());
        nonce[8] = u8::from(block + 1 == self.blocks());
        nonce.into()
    }

    /// How much text a block holds.
    fn block_len(&self, block: u64) -> usize {
        let left = self.len - (block * BLOCK as u64).min(self.len);
        usize::try_from(left).unwrap_or(BLOCK).min(BLOCK)
    }
}

/// Seals `plain` under `name`, which must be given again to open it.
#[must_use]
pub fn seal(key: &SealKey, name: &str, plain: &[u8]) -> Vec<u8> {
    let header = Header::new(key.newest(), plain.len() as u64);
    let cipher = key.cipher(header.version, header.salt()).expect("a key has its newest version");
    let aad = header.aad(name);
    let mut out = Vec::with_capacity(HEADER + plain.len() + (plain.len() / BLOCK + 1) * TAG);
    out.extend_from_slice(&header.bytes);
    for block in 0..header.blocks() {
        let start = (block as usize * BLOCK).min(plain.len());
        let msg = &plain[start..start + header.block_len(block)];
        let sealed = cipher
            .encrypt(&header.nonce(block), Payload { msg, aad: &aad })
            .expect("64 KiB are within XChaCha20-Poly1305's reach");
        out.extend_from_slice(&sealed);
    }
    out
}

/// Opens a whole sealed file from memory.
///
/// # Errors
/// Whatever [`SealedReader`] finds.
pub fn unseal(key: &SealKey, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (Some(start), total) = (sealed.first_chunk::<HEADER>(), sealed.len() as u64) else {
        return Err(SealError::NotSealed);
    };
    let opener = Opener::new(key, name, *start, total)?;
    let mut plain = Vec::with_capacity(sealed.len());
    for block in 0..opener.header.blocks() {
        let at = opener.place(block);
        let end = at + opener.header.block_len(block) + TAG;
        plain.extend_from_slice(&opener.open(block, &sealed[at..end])?);
    }
    Ok(plain)
}

struct Opener {
    header: Header,
    cipher: XChaCha20Poly1305,
    aad: Vec<u8>,
}

impl Opener {
    fn new(key: &SealKey, name: &str, start: [u8; HEADER], found: u64) -> Result<Self, SealError> {
        let header = Header::parse(start)?;
        let expected = header.sealed_len().unwrap_or(u64::MAX);
        if expected != found {
            return Err(SealError::Truncated { expected, found });
        }
        let cipher =
            key.cipher(header.version, header.salt()).ok_or(SealError::UnknownKey { version: header.version })?;
        let aad = header.aad(name);
        Ok(Self { header, cipher, aad })
    }

    /// Where a block begins; the file's real length bounds it.
    fn place(&self, block: u64) -> usize {
        HEADER + block as usize * (BLOCK + TAG)
    }

    fn open(&self, block: u64, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.cipher
            .decrypt(&self.header.nonce(block), Payload { msg: sealed, aad: &self.aad })
            .map_err(|_| SealError::Tampered { block })
    }
}

/// A sealed file, read in parts. Reads need no `&mut` and may run beside each other.
pub struct SealedReader {
    file: File,
    opener: Opener,
}

impl std::fmt::Debug for SealedReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedReader").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl SealedReader {
    /// Looks at header and length; blocks are verified as they are read.
    ///
    /// # Errors
    /// Not sealed, cut, sealed with a key that is not at hand, or unreadable.
    pub fn open(key: &SealKey, name: &str, file: File) -> Result<Self, SealError> {
        let total = file.metadata()?.len();
        if total < HEADER as u64 {
            return Err(SealError::NotSealed);
        }
        let mut start = [0; HEADER];
        file.read_exact_at(&mut start, 0)?;
        Ok(Self { opener: Opener::new(key, name, start, total)?, file })
    }

    /// Bytes of text.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.opener.header.len
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The version of the key that sealed it.
    #[must_use]
    pub fn key_version(&self) -> u32 {
        self.opener.header.version
    }

    /// Reads one block.
    ///
    /// # Errors
    /// A block that is not what was sealed there.
    pub fn block(&self, block: u64) -> Result<Vec<u8>, SealError> {
        let mut sealed = vec![0; self.opener.header.block_len(block) + TAG];
        self.file.read_exact_at(&mut sealed, self.opener.place(block) as u64)?;
        self.opener.open(block, &sealed)
    }

    /// Reads a range of the text.
    ///
    /// # Errors
    /// A range that is not in the file, or a block that is not what was sealed there.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SealError> {
        let Range { start, end } = range;
        if start > end || end > self.len() {
            return Err(SealError::OutOfRange { start, end, len: self.len() });
        }
        let mut out = Vec::with_capacity((end - start) as usize);
        let mut at = start;
        while at < end {
            let block = at / BLOCK as u64;
            let text = self.block(block)?;
            let first = block * BLOCK as u64;
            let (from, to) = ((at - first) as usize, (end - first).min(text.len() as u64) as usize);
            out.extend_from_slice(&text[from..to]);
            at = first + to as u64;
        }
        Ok(out)
    }

    /// Verifies every block.
    ///
    /// # Errors
    /// The first block that is not what was sealed there.
    pub fn verify_all(&self) -> Result<(), SealError> {
        (0..self.opener.header.blocks()).try_for_each(|block| self.block(block).map(drop))
    }
}
