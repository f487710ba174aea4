//! A grant as it is stored: the owner's terms and the count of what was used of them.

use std::path::{Component, Path};

use hinet_protocol::{Asker, Capability, Grant, GrantDraft, GrantId, Millis};
use serde::{Deserialize, Serialize};

use crate::{Refusal, scope};

/// Version of [`Grant`] that this program writes.
pub const GRANT_VERSION: u32 = 1;

const MINUTE: i64 = 60_000;
/// Entries of any list in a draft; a scope longer than this is not one a person reads.
const LIST_LEN_MAX: usize = 4096;
/// Bytes of any text in a draft.
const TEXT_BYTES_MAX: usize = 4096;
/// Bytes of an asker's name; public keys in hex need 64.
const ASKER_BYTES_MAX: usize = 256;

/// What was used of a grant so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Uses in all.
    pub uses: u64,
    /// Bytes released in all.
    pub bytes: u64,
    /// Uses by the minute since the epoch, oldest first, for the last hour.
    pub minutes: Vec<(i64, u32)>,
}

impl Usage {
    /// Uses in the hour before `now`. A minute counts whole, and one from the future (the clock was set back) counts
    /// too, so that the answer is never too low.
    fn in_last_hour(&self, now: Millis) -> u64 {
        let oldest = now.div_euclid(MINUTE) - 60;
        self.minutes.iter().filter(|(minute, _)| *minute >= oldest).map(|(_, uses)| u64::from(*uses)).sum()
    }

    fn count(&mut self, bytes: u64, now: Millis) {
        let minute = now.div_euclid(MINUTE);
        self.uses = self.uses.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        self.minutes.retain(|(m, _)| *m >= minute - 60);
        match self.minutes.iter_mut().find(|(m, _)| *m == minute) {
            Some((_, uses)) => *uses = uses.saturating_add(1),
            None => self.minutes.push((minute, 1)),
        }
    }
}

/// A grant with its counters; the vault keeps it as JSON it does not look into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingGrant {
    /// What the owner agreed to.
    pub grant: Grant,
    /// What was used of it.
    #[serde(default)]
    pub usage: Usage,
}

impl StandingGrant {
    /// A new grant, unused.
    #[must_use]
    pub fn new(terms: GrantDraft, now: Millis) -> Self {
        let grant = Grant { v: GRANT_VERSION, id: GrantId::new(), terms, granted: now, revoked: None };
        Self { grant, usage: Usage::default() }
    }

    /// Whether it may be used once more, for `bytes` bytes.
    ///
    /// # Errors
    /// The [`Refusal`] that says which bound is reached.
    pub fn may_be_used(&self, bytes: u64, now: Millis) -> Result<(), Refusal> {
        let (grant, limits) = (self.grant.id, &self.grant.terms.limits);
        if self.grant.revoked.is_some() {
            return Err(Refusal::Revoked { grant });
        }
        if limits.expires.is_some_and(|at| now >= at) {
            return Err(Refusal::Expired { grant });
        }
        if let Some(limit) = limits.uses.filter(|limit| self.usage.uses >= *limit) {
            return Err(Refusal::UsedUp { grant, limit });
        }
        if let Some(limit) = limits.uses_per_hour.filter(|limit| self.usage.in_last_hour(now) >= u64::from(*limit)) {
            return Err(Refusal::TooOften { grant, limit });
        }
        let spent = self.usage.bytes.saturating_add(bytes);
        match limits.bytes {
            // With nothing to weigh yet, a grant whose bytes are all spent is used up too.
            Some(limit) if spent > limit || (bytes == 0 && spent >= limit) => Err(Refusal::TooMuch { grant, limit }),
            _ => Ok(()),
        }
    }

    /// Counts one use of `bytes` bytes, if it is allowed.
    ///
    /// # Errors
    /// As [`Self::may_be_used`]; nothing is counted then.
    pub fn use_once(&mut self, bytes: u64, now: Millis) -> Result<(), Refusal> {
        self.may_be_used(bytes, now)?;
        self.usage.count(bytes, now);
        Ok(())
    }

    /// Whether every use must be counted and stored.
    pub(crate) fn is_counted(&self) -> bool {
        let limits = &self.grant.terms.limits;
        limits.uses.is_some() || limits.uses_per_hour.is_some()
    }
}

/// What is wrong with a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DraftFault {
    /// Nobody, or nobody with a proper name, is to be allowed something.
    #[error("the asker has no proper name (1 to {ASKER_BYTES_MAX} printable bytes)")]
    Asker,
    /// The scope covers nothing.
    #[error("the scope names nothing; name sources, folders, labels, people, topics or a time, or say everything")]
    EmptyScope,
    /// An ingest grant must name its sources.
    #[error("a grant to read must name the source it opens")]
    NoSource,
    /// A folder is not an absolute path without `..`.
    #[error(
        "the folders of a scope must be absolute paths without \"..\", or places on a server such as imap://ana@mail.example.org"
    )]
    Folder,
    /// The time span is empty.
    #[error("the time span of the scope is empty")]
    EmptyTime,
    /// The grant would be over before it begins.
    #[error("the grant would expire before it begins")]
    Expired,
    /// Too long or too many.
    #[error("the grant is too long for a person to read")]
    TooLong,
}

/// Whether a name can be told from another by a person: not empty, bounded, no control characters.
pub(crate) fn is_proper_asker(asker: &Asker) -> bool {
    match asker {
        Asker::Own => true,
        Asker::App(id) | Asker::Peer(id) | Asker::Backend(id) | Asker::Replica(id) => {
            !id.trim().is_empty() && id.len() <= ASKER_BYTES_MAX && !id.chars().any(char::is_control)
        }
    }
}

/// Checks a draft, and makes the folders real so that a link swapped in later does not widen the grant.
pub(crate) fn settle(mut draft: GrantDraft, now: Millis) -> Result<GrantDraft, DraftFault> {
    if !is_proper_asker(&draft.asker) {
        return Err(DraftFault::Asker);
    }
    if scope::is_unbounded(&draft.scope) {
        return Err(DraftFault::EmptyScope);
    }
    if draft.capability == Capability::Ingest && draft.scope.sources.is_empty() {
        return Err(DraftFault::NoSource);
    }
    let s = &draft.scope;
    let texts = [&s.folders, &s.labels, &s.people, &s.topics, &draft.filter.withhold];
    if s.sources.len() > LIST_LEN_MAX
        || draft.purpose.len() > TEXT_BYTES_MAX
        || texts.iter().any(|list| list.len() > LIST_LEN_MAX || list.iter().any(|text| text.len() > TEXT_BYTES_MAX))
    {
        return Err(DraftFault::TooLong);
    }
    if let (Some(after), Some(before)) = (s.after, s.before)
        && after >= before
    {
        return Err(DraftFault::EmptyTime);
    }
    if draft.limits.expires.is_some_and(|at| at <= now) {
        return Err(DraftFault::Expired);
    }
    for folder in &mut draft.scope.folders {
        let path = Path::new(folder.as_str());
        let is_place = path.is_absolute() || scope::is_on_a_server(folder);
        if !is_place || path.components().any(|part| part == Component::ParentDir) {
            return Err(DraftFault::Folder);
        }
        if let Some(real) = path.canonicalize().ok().and_then(|real| real.to_str().map(str::to_owned)) {
            *folder = real;
        }
    }
    Ok(draft)
}
