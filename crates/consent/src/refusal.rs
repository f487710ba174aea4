//! Why consent said no. Each reason is a sentence for the owner or the asker; none of them quotes personal text.

use std::path::PathBuf;

use hinet_protocol::{Asker, Capability, GrantId, SourceId};

/// A reason to refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The kill switch is on, or was thrown since the token was handed out.
    #[error("the kill switch was thrown; nothing is read or sent until it is lifted and asked for anew")]
    Killed,
    /// No grant covers it.
    #[error("no grant lets {asker} {capability} this")]
    NoGrant {
        /// Who asked.
        asker: Asker,
        /// For what.
        capability: Capability,
    },
    /// The source has no grant.
    #[error("no grant lets the iCore read source {source_id} at {}", root.display())]
    SourceNotGranted {
        /// Which source.
        source_id: SourceId,
        /// What was to be read.
        root: PathBuf,
    },
    /// The source is paused.
    #[error("source {source_id} is paused; resume it first")]
    SourcePaused {
        /// Which source.
        source_id: SourceId,
    },
    /// The folder or file cannot be resolved, so it cannot be told what reading it would mean.
    #[error("{} cannot be opened ({reason})", path.display())]
    Unreachable {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        reason: std::io::ErrorKind,
    },
    /// The grant was taken back.
    #[error("grant {grant} was revoked")]
    Revoked {
        /// Which grant.
        grant: GrantId,
    },
    /// The grant ran out.
    #[error("grant {grant} has expired")]
    Expired {
        /// Which grant.
        grant: GrantId,
    },
    /// The grant was used as often as it may be.
    #[error("grant {grant} has been used {limit} times, which is all it allows")]
    UsedUp {
        /// Which grant.
        grant: GrantId,
        /// How often it may be used.
        limit: u64,
    },
    /// The grant was used as often as it may be in an hour.
    #[error("grant {grant} allows {limit} uses an hour and has had them; try again later")]
    TooOften {
        /// Which grant.
        grant: GrantId,
        /// How often in an hour it may be used.
        limit: u32,
    },
    /// The grant would release more bytes than it allows.
    #[error("grant {grant} allows {limit} bytes in all, and this would be more")]
    TooMuch {
        /// Which grant.
        grant: GrantId,
        /// How many bytes it may release.
        limit: u64,
    },
    /// The grant does not cover what is to go out.
    #[error("grant {grant} does not cover this")]
    OutOfScope {
        /// Which grant.
        grant: GrantId,
    },
    /// The asker's name is empty, too long or unprintable.
    #[error("the asker has no proper name")]
    BadAsker,
    /// The bytes to be sent are not the bytes that were permitted.
    #[error("the bytes to be sent are not the bytes that were permitted; nothing was sent")]
    WrongBytes,
    /// The grants could not be read, so nothing can be allowed.
    #[error("the grants could not be read, so nothing is allowed")]
    GrantsUnreadable,
}
