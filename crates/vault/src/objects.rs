//! Sealed objects: large things that belong to the owner, such as deltas, each a file of its own under a name that says
//! nothing. An object is known by the hash of what is in it; what points to it is a row of the database.
//!
//! A file appears whole (temporary file, fsync, rename, fsync of the folder) *before* the row that names it is written,
//! and goes after that row has gone; so a kill leaves at most a file that no row names, which [`Vault::keep_objects`]
//! removes.

use crate::file::{Prepared, private_dir};
use crate::hex;
use crate::{Part, Vault, VaultError, sealed};
use hinet_protocol::Hash;
use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What the names and keys of objects are derived for.
const LABEL: &str = "objects";

impl Vault {
    /// The file name of an object: a keyed hash, so that nobody who has a delta can look whether it is here.
    fn object_name(&self, hash: Hash) -> String {
        hex::encode(blake3::keyed_hash(&self.derive_key(LABEL), &hash.0).as_bytes())
    }

    fn object_path(&self, hash: Hash) -> PathBuf {
        self.home().objects_dir().join(self.object_name(hash))
    }

    /// Seals an object and keeps it under its hash. What is here already is written again, which changes nothing.
    ///
    /// # Errors
    /// When it cannot be written, such as on a full disk; nothing is left then.
    pub fn put_object(&self, plain: &[u8]) -> Result<Hash, VaultError> {
        let hash = Hash(*blake3::hash(plain).as_bytes());
        private_dir(&self.home().objects_dir())?;
        let sealed = sealed::seal(&self.seal_key(LABEL), &self.object_name(hash), plain);
        Prepared::write(&self.object_path(hash), &sealed)?.publish()?;
        Ok(hash)
    }

    /// Opens an object.
    ///
    /// # Errors
    /// When it is not here, or not what was sealed.
    pub fn object(&self, hash: Hash) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let path = self.object_path(hash);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Part::Object.into()),
            Err(source) => return Err(VaultError::io(&path, source)),
        };
        let plain = sealed::unseal(&self.seal_key(LABEL), &self.object_name(hash), &sealed);
        let plain = Zeroizing::new(plain.map_err(|_| Part::Object)?);
        if *blake3::hash(&plain).as_bytes() == hash.0 { Ok(plain) } else { Err(Part::Object.into()) }
    }

    /// Removes every object but these, and whatever a kill left half written. To be called while none is being added.
    ///
    /// # Errors
    /// When the folder cannot be read or a file cannot be removed.
    pub fn keep_objects(&self, kept: &[Hash]) -> Result<(), VaultError> {
        let dir = self.home().objects_dir();
        let kept: HashSet<String> = kept.iter().map(|hash| self.object_name(*hash)).collect();
        let files = match fs::read_dir(&dir) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(VaultError::io(&dir, source)),
        };
        for file in files {
            let path = file.map_err(|source| VaultError::io(&dir, source))?.path();
            if !path.file_name().is_some_and(|name| kept.contains(&*name.to_string_lossy())) {
                fs::remove_file(&path).map_err(|source| VaultError::io(&path, source))?;
            }
        }
        Ok(())
    }
}
