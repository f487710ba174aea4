//! What can go wrong in consent, other than a plain no ([`Refusal`]).

use hinet_protocol::GrantId;
use hinet_vault::VaultError;

use crate::{Refusal, grant::DraftFault, work::WorkFault};

/// Why something was not done. Nothing was changed then, except that a kill switch stays thrown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// Consent said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The vault could not do it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The draft of a grant is not one.
    #[error("this cannot be granted: {0}")]
    BadDraft(#[from] DraftFault),
    /// A work order or receipt does not hold.
    #[error(transparent)]
    Work(#[from] WorkFault),
    /// No such grant.
    #[error("there is no grant {grant}")]
    UnknownGrant {
        /// Which.
        grant: GrantId,
    },
    /// A stored grant cannot be read.
    #[error("a stored grant cannot be read, so nothing is allowed: {source}")]
    StoredGrant {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Stored data of consent's own cannot be read.
    #[error("the record {key} cannot be read: {source}")]
    StoredRecord {
        /// Which.
        key: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A ledger entry would have too many leaves.
    #[error("a ledger entry holds at most {max} leaves, and this one would have {found}")]
    TooManyNotes {
        /// How many there were.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// A note is too long for the ledger.
    #[error("a note in the ledger holds at most {max} bytes, and this one has {found}")]
    NoteTooLong {
        /// How long it is.
        found: usize,
        /// How long it may be.
        max: usize,
    },
    /// A stored grant was made by a newer program.
    #[error("grant {grant} has version {found}, made by a newer program, so nothing is allowed; use that program")]
    NewerGrant {
        /// Which.
        grant: GrantId,
        /// Its version.
        found: u32,
    },
    /// The ledger is broken, so it is not exported.
    #[error("ledger entry {seq} is broken: {why}")]
    Broken {
        /// Which entry.
        seq: u64,
        /// What is wrong with it.
        why: crate::verify::Fault,
    },
    /// The text is not an export.
    #[error("this is not a ledger export: {source}")]
    NotAnExport {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The export is too large to be looked at.
    #[error("a ledger export has at most {max} bytes, and this has {found}")]
    ExportTooLong {
        /// How long it is.
        found: usize,
        /// How long it may be.
        max: usize,
    },
}

impl ConsentError {
    /// Whether this is a refusal (exit code 3) rather than a failure.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
