//! The token a connector needs to read a source.

use std::fmt;
use std::path::{Path, PathBuf};

use hinet_protocol::SourceId;

use crate::{Refusal, live::Lease, scope::lies_in};

/// Leave to read one source, below its folders and nowhere else, until the grant ends or the kill switch is thrown.
///
/// Only `Consent::admit` builds one:
///
/// ```compile_fail,E0451
/// let forged = hinet_consent::Reading { source: unreachable!(), roots: vec![], places: vec![], excluded: vec![], lease: unreachable!() };
/// ```
///
/// Clones share its life: when the grant is revoked, every clone is dead.
#[derive(Clone)]
pub struct Reading {
    source: SourceId,
    roots: Vec<PathBuf>,
    places: Vec<String>,
    excluded: Vec<PathBuf>,
    lease: Lease,
}

impl Reading {
    /// `roots` must be canonical.
    pub(crate) fn new(source: SourceId, roots: Vec<PathBuf>, places: Vec<String>, lease: Lease) -> Self {
        Self { source, roots, places, excluded: Vec::new(), lease }
    }

    /// The same leave without what lies at or below `paths` (such as the iCore's own home). Narrowing only.
    #[must_use]
    pub fn without(mut self, paths: &[PathBuf]) -> Self {
        for path in paths {
            // A path that does not exist yet is kept as written, so that it is excluded when it appears.
            self.excluded.push(path.canonicalize().unwrap_or_else(|_| path.clone()));
        }
        self
    }

    /// The source it is for.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// The canonical folders (or single files) it may read at or below.
    #[must_use]
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// The places on a server (`imap://ana@mail.example.org`) that it may ask for at or below.
    #[must_use]
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Whether this place on a server may be asked for now: it lies at or below one that was granted, whole names only,
    /// and the leave still stands.
    #[must_use]
    pub fn covers_place(&self, place: &str) -> bool {
        self.is_live() && self.places.iter().any(|root| lies_in(place, root))
    }

    /// Whether it may still be used. Cheap: three atomic loads; a long import asks before every file.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.lease.check().is_ok()
    }

    /// Why it may no longer be used, if so.
    ///
    /// # Errors
    /// [`Refusal::Killed`], [`Refusal::Revoked`] or [`Refusal::Expired`].
    pub fn check(&self) -> Result<(), Refusal> {
        self.lease.check()
    }

    /// Whether `path` may be read now: it exists, really lies (links resolved) at or below a root and not in what is
    /// excluded, and the leave still stands.
    #[must_use]
    pub fn covers(&self, path: &Path) -> bool {
        self.resolve(path).is_some()
    }

    /// The real place of `path`, if it may be read. Opening this path rather than the given one leaves no room for a
    /// link that is swapped in between.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> Option<PathBuf> {
        if !self.is_live() {
            return None;
        }
        let real = path.canonicalize().ok()?;
        let inside = self.roots.iter().any(|root| real.starts_with(root));
        let excluded = self.excluded.iter().any(|folder| real.starts_with(folder));
        (inside && !excluded).then_some(real)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("source", &self.source)
            .field("grant", &self.lease.grant)
            .field("live", &self.is_live())
            .finish_non_exhaustive()
    }
}
