//! [`Consent`]: the vault's grants, the kill switch, and everything that is handed out under them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hinet_protocol::{Asker, Capability, Grant, GrantDraft, GrantId, ItemId, Millis, SourceId, SourceState, WorkOrder};
use hinet_vault::{Reader, Tx, Vault, VaultError};

use crate::decide::{Ask, Decision, decide_among, speaks_of};
use crate::entry::{EntryKind, Note};
use crate::grant::{GRANT_VERSION, StandingGrant, settle};
use crate::live::{Lease, Switch};
use crate::permit::{Permit, Released};
use crate::scope::is_on_a_server;
use crate::work::{SeenOrders, verify_order};
use crate::{ConsentError, Reading, Refusal, Subject, proof};

const KILLED: &str = "consent/killed";
const SEEN_ORDERS: &str = "consent/seen-orders";

/// The gate in front of one vault. Share it as `Arc<Consent>`; there must be one per open vault.
///
/// Methods that take no `Tx` write in a transaction of their own and must not be called inside `Vault::write`.
pub struct Consent {
    pub(crate) vault: Arc<Vault>,
    switch: Arc<Switch>,
    /// Held while the kill switch is turned, so that a kill during a lift is not lost.
    turning: Mutex<()>,
    /// One flag per grant that something was handed out under. A flag that is set stays.
    revoked: Mutex<HashMap<GrantId, Arc<AtomicBool>>>,
}

/// Something that wants to go out, as [`Consent::permit`] and [`Consent::release`] look at it.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The grant it is to go under.
    pub grant: GrantId,
    /// Who it is for.
    pub asker: &'a Asker,
    /// As what.
    pub capability: Capability,
    /// What it was made from; the grant must cover each. Nothing known is covered by `everything` alone.
    pub subjects: &'a [Subject],
    /// The items it was made from; forgetting any of them makes the ledger's fingerprint of the bytes unreadable.
    pub items: &'a [ItemId],
    /// The bytes, after filtering.
    pub bytes: &'a [u8],
}

impl Consent {
    /// Takes up the consent state of a vault: a kill switch that was thrown is still thrown.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Arc<Vault>) -> Result<Self, ConsentError> {
        let killed = vault.read(is_marked_killed)?;
        Ok(Self {
            vault,
            switch: Arc::new(Switch::new(killed)),
            turning: Mutex::new(()),
            revoked: Mutex::new(HashMap::new()),
        })
    }

    // Grants.

    /// Gives a grant: stored and in the ledger, or neither.
    ///
    /// # Errors
    /// [`ConsentError::BadDraft`], or when the vault cannot write.
    pub fn grant(&self, draft: GrantDraft, now: Millis) -> Result<Grant, ConsentError> {
        self.vault.write(|tx| self.grant_in(tx, draft, now))
    }

    /// [`Self::grant`] inside the caller's transaction.
    ///
    /// # Errors
    /// As [`Self::grant`].
    pub fn grant_in(&self, tx: &Tx<'_>, draft: GrantDraft, now: Millis) -> Result<Grant, ConsentError> {
        let standing = StandingGrant::new(settle(draft, now)?, now);
        put(tx, &standing)?;
        self.record(tx, EntryKind::Grant, vec![Note::say(terms_note("granted", &standing.grant))], now)?;
        Ok(standing.grant)
    }

    /// Takes a grant back. Everything handed out under it is dead when this returns. Revoking twice changes nothing.
    ///
    /// # Errors
    /// [`ConsentError::UnknownGrant`], or when the vault cannot write.
    pub fn revoke(&self, id: GrantId, now: Millis) -> Result<Grant, ConsentError> {
        let done = self.vault.write(|tx| {
            let mut standing = find(tx, id)?;
            if standing.grant.revoked.is_none() {
                standing.grant.revoked = Some(now);
                put(tx, &standing)?;
                self.record(tx, EntryKind::Revoke, vec![Note::say(terms_note("revoked", &standing.grant))], now)?;
            }
            Ok(standing.grant)
        });
        if is_committed(&done) {
            self.flag(id).store(true, Ordering::SeqCst);
        }
        done
    }

    /// All grants, standing and past, newest first.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn grants(&self) -> Result<Vec<Grant>, ConsentError> {
        let mut grants: Vec<Grant> = self.vault.read(standing)?.into_iter().map(|s| s.grant).collect();
        grants.sort_by_key(|grant| std::cmp::Reverse((grant.granted, grant.id)));
        Ok(grants)
    }

    /// How often anything went out to an asker, under whatever grant.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn uses_by(&self, asker: &Asker) -> Result<u64, ConsentError> {
        let grants = self.vault.read(standing)?;
        let theirs =
            grants.iter().filter(|g| g.grant.terms.asker == *asker && g.grant.terms.capability != Capability::Ingest);
        Ok(theirs.map(|g| g.usage.uses).sum())
    }

    /// Decides, from grants alone. Where the grants cannot be read, nothing is allowed.
    #[must_use]
    pub fn decide(&self, ask: &Ask, now: Millis) -> Decision {
        match self.vault.read(standing) {
            Ok(grants) => decide_among(&grants, self.is_killed(), ask, now),
            Err(_) => Decision::Refused { why: Refusal::GrantsUnreadable },
        }
    }

    // Handing out.

    /// Leave to read `source` at and below `root`. See [`Self::admit_all`].
    ///
    /// # Errors
    /// As [`Self::admit_all`].
    pub fn admit(&self, source: SourceId, root: &Path, now: Millis) -> Result<Reading, ConsentError> {
        self.admit_all(source, &[root.to_owned()], now)
    }

    /// Leave to read `source` at and below `roots`, if one grant for the owner's own iCore to ingest names the source
    /// and covers every root. A grant that bounds labels, people, topics or times covers no folder.
    ///
    /// # Errors
    /// [`ConsentError::Refused`] with the reason.
    pub fn admit_all(&self, source: SourceId, roots: &[PathBuf], now: Millis) -> Result<Reading, ConsentError> {
        let roots = roots.iter().map(|root| real(root)).collect::<Result<Vec<PathBuf>, Refusal>>()?;
        let asks: Vec<Ask> = roots.iter().map(|root| ingest_ask(source, root.to_str())).collect();
        let lease = self.let_in(source, &asks, now)?;
        Ok(Reading::new(source, roots, Vec::new(), lease))
    }

    /// Leave to ask a server for what lies at and below `places` (`imap://ana@mail.example.org/INBOX`), as
    /// [`Self::admit_all`] gives it for folders. It opens no file.
    ///
    /// # Errors
    /// As [`Self::admit_all`].
    pub fn admit_places(&self, source: SourceId, places: &[String], now: Millis) -> Result<Reading, ConsentError> {
        let asks: Vec<Ask> = places.iter().map(|place| ingest_ask(source, Some(place))).collect();
        if let Some(place) = places.iter().find(|place| !is_on_a_server(place)) {
            return Err(Refusal::SourceNotGranted { source_id: source, root: place.into() }.into());
        }
        let lease = self.let_in(source, &asks, now)?;
        Ok(Reading::new(source, Vec::new(), places.to_vec(), lease))
    }

    fn let_in(&self, source: SourceId, asks: &[Ask], now: Millis) -> Result<Lease, ConsentError> {
        let epoch = self.switch.epoch();
        if self.is_killed() {
            return Err(Refusal::Killed.into());
        }
        let missing = || {
            let root = asks.first().and_then(|ask| ask.subject.folder.clone()).unwrap_or_default();
            Refusal::SourceNotGranted { source_id: source, root: root.into() }
        };
        let chosen: StandingGrant = self.vault.read::<_, ConsentError>(|reader| {
            if reader.source(source)?.is_some_and(|row| row.state == SourceState::Paused) {
                return Err(Refusal::SourcePaused { source_id: source }.into());
            }
            Ok(choose(standing(reader)?, asks, now).unwrap_or_else(|| Err(missing()))?)
        })?;
        let (id, expires) = (chosen.grant.id, chosen.grant.terms.limits.expires);
        let lease = Lease::new(id, self.switch.clone(), epoch, self.flag(id)).until(expires, now);
        // Looked at again now that the flag is at hand: a revocation before this is read here, one after it sets the flag.
        if chosen.is_counted() {
            self.vault.write(|tx| use_in(tx, id, 0, now))?;
        } else {
            self.vault.read(|reader| Ok::<_, ConsentError>(find(reader, id)?.may_be_used(0, now)?))?;
        }
        lease.check()?;
        Ok(lease)
    }

    /// Leave to send `out.bytes` once. The ledger entry is on disk before the permit exists.
    ///
    /// # Errors
    /// [`ConsentError::Refused`] where the grant does not stand for this asker, capability, all subjects and so many
    /// bytes; nothing is counted then.
    pub fn permit(&self, out: &Outgoing<'_>, now: Millis) -> Result<Permit, ConsentError> {
        let (entry, lease) = self.let_out(EntryKind::Disclose, out, now)?;
        Ok(Permit::new(out.asker.clone(), out.bytes, entry, lease))
    }

    /// Releases `value`, whose canonical bytes are `out.bytes`, for use inside. The ledger entry is on disk before.
    ///
    /// # Errors
    /// As [`Self::permit`].
    pub fn release<T>(&self, out: &Outgoing<'_>, value: T, now: Millis) -> Result<Released<T>, ConsentError> {
        let (entry, lease) = self.let_out(EntryKind::Release, out, now)?;
        Ok(Released::new(value, entry, lease))
    }

    fn let_out(&self, kind: EntryKind, out: &Outgoing<'_>, now: Millis) -> Result<(u64, Lease), ConsentError> {
        let epoch = self.switch.epoch();
        let len = u64::try_from(out.bytes.len()).unwrap_or(u64::MAX);
        let unknown = [Subject::default()];
        let subjects = if out.subjects.is_empty() { &unknown } else { out.subjects };
        let (entry, expires, flag) = self.vault.write(|tx| {
            let grant = find(tx, out.grant)?;
            let covered = subjects.iter().all(|subject| {
                let (asker, subject) = (out.asker.clone(), subject.clone());
                speaks_of(&grant, &Ask { asker, capability: out.capability, subject })
            });
            if !covered {
                return Err(Refusal::OutOfScope { grant: out.grant }.into());
            }
            let used = use_in(tx, out.grant, len, now)?;
            let entry = self.record(tx, kind, proof::notes(kind, out), now)?;
            Ok::<_, ConsentError>((entry, used.grant.terms.limits.expires, self.flag(out.grant)))
        })?;
        let lease = Lease::new(out.grant, self.switch.clone(), epoch, flag).until(expires, now);
        lease.check()?;
        Ok((entry, lease))
    }

    /// Takes an order for work in: it is `device`'s, for `payload`, still valid at `now`, and never seen before, also
    /// not before a restart.
    ///
    /// # Errors
    /// [`ConsentError::Work`] with the fault, or [`ConsentError::Refused`] under the kill switch.
    pub fn accept_order(
        &self,
        order: &WorkOrder,
        device: &[u8; 32],
        payload: &[u8],
        now: Millis,
    ) -> Result<(), ConsentError> {
        self.vault.write(|tx| {
            if self.is_killed() {
                return Err(Refusal::Killed.into());
            }
            let stored = tx.meta(SEEN_ORDERS)?;
            let unreadable = |source| ConsentError::StoredRecord { key: SEEN_ORDERS, source };
            let mut seen: SeenOrders = match stored {
                Some(json) => serde_json::from_str(&json).map_err(unreadable)?,
                None => SeenOrders::default(),
            };
            verify_order(order, device, payload, now, &mut seen)?;
            tx.set_meta(SEEN_ORDERS, &serde_json::to_string(&seen).map_err(unreadable)?)?;
            Ok(())
        })
    }

    // The kill switch.

    /// Throws the kill switch. Everything live refuses from the first instant on; then it is stored and put in the
    /// ledger. Should storing fail, it stays thrown until this program ends. Throwing it twice changes nothing.
    ///
    /// # Errors
    /// When the vault cannot write.
    pub fn kill(&self, now: Millis) -> Result<(), ConsentError> {
        self.switch.throw();
        let _turning = self.turn();
        self.switch.throw();
        self.vault.write(|tx| self.mark(tx, true, now))
    }

    /// Lifts the kill switch. What was handed out before the kill stays dead. The caller has the owner's proof.
    ///
    /// # Errors
    /// When the vault cannot write; the switch stays thrown then.
    pub fn lift(&self, now: Millis) -> Result<(), ConsentError> {
        let _turning = self.turn();
        let done = self.vault.write(|tx| self.mark(tx, false, now));
        if is_committed(&done) {
            self.switch.lift();
        }
        done
    }

    /// Whether the kill switch is thrown. One atomic load.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.switch.is_killed()
    }

    fn mark(&self, tx: &Tx<'_>, killed: bool, now: Millis) -> Result<(), ConsentError> {
        if is_marked_killed(tx)? == killed {
            return Ok(());
        }
        tx.set_meta(KILLED, if killed { "1" } else { "0" })?;
        self.record(tx, if killed { EntryKind::Kill } else { EntryKind::Lift }, Vec::new(), now)?;
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn flag(&self, grant: GrantId) -> Arc<AtomicBool> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).entry(grant).or_default().clone()
    }
}

impl std::fmt::Debug for Consent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consent").field("killed", &self.is_killed()).finish_non_exhaustive()
    }
}

/// Whether a write is on disk, although its signed head may have to follow.
fn is_committed<T>(done: &Result<T, ConsentError>) -> bool {
    matches!(done, Ok(_) | Err(ConsentError::Vault(VaultError::HeadNotReplaced { .. })))
}

fn is_marked_killed(reader: &Reader<'_>) -> Result<bool, ConsentError> {
    // Anything but a plain "0" counts as thrown.
    Ok(reader.meta(KILLED)?.is_some_and(|mark| mark != "0"))
}

fn standing(reader: &Reader<'_>) -> Result<Vec<StandingGrant>, ConsentError> {
    reader.grants()?.iter().map(|json| understood(json)).collect()
}

pub(crate) fn find(reader: &Reader<'_>, id: GrantId) -> Result<StandingGrant, ConsentError> {
    understood(&reader.grant(id)?.ok_or(ConsentError::UnknownGrant { grant: id })?)
}

/// A stored grant. One that is not fully understood is an error, not a guess.
fn understood(json: &str) -> Result<StandingGrant, ConsentError> {
    let standing: StandingGrant = serde_json::from_str(json).map_err(|source| ConsentError::StoredGrant { source })?;
    match standing.grant.v {
        GRANT_VERSION => Ok(standing),
        found => Err(ConsentError::NewerGrant { grant: standing.grant.id, found }),
    }
}

pub(crate) fn put(tx: &Tx<'_>, standing: &StandingGrant) -> Result<(), ConsentError> {
    let json = serde_json::to_string(standing).map_err(|source| ConsentError::StoredGrant { source })?;
    Ok(tx.put_grant(standing.grant.id, &json)?)
}

fn use_in(tx: &Tx<'_>, id: GrantId, bytes: u64, now: Millis) -> Result<StandingGrant, ConsentError> {
    let mut standing = find(tx, id)?;
    standing.use_once(bytes, now)?;
    put(tx, &standing)?;
    Ok(standing)
}

/// The grant that covers every ask and may be used; the reason of the newest that covers them all but may not; or none.
fn choose(grants: Vec<StandingGrant>, asks: &[Ask], now: Millis) -> Option<Result<StandingGrant, Refusal>> {
    let mut covering: Vec<StandingGrant> =
        grants.into_iter().filter(|g| !asks.is_empty() && asks.iter().all(|ask| speaks_of(g, ask))).collect();
    covering.sort_by_key(|g| std::cmp::Reverse((g.grant.granted, g.grant.id)));
    match covering.iter().position(|g| g.may_be_used(0, now).is_ok()) {
        Some(place) => Some(Ok(covering.swap_remove(place))),
        None => covering.first().map(|g| g.may_be_used(0, now).map(|()| g.clone())),
    }
}

fn ingest_ask(source: SourceId, place: Option<&str>) -> Ask {
    let folder = place.map(str::to_owned);
    let subject = Subject { source: Some(source), folder, ..Subject::default() };
    Ask { asker: Asker::Own, capability: Capability::Ingest, subject }
}

fn real(path: &Path) -> Result<PathBuf, Refusal> {
    path.canonicalize().map_err(|error| Refusal::Unreachable { path: path.to_owned(), reason: error.kind() })
}

/// A sentence on the first line, the exact terms on the second.
fn terms_note(verb: &str, grant: &Grant) -> String {
    let terms = &grant.terms;
    let what = match terms.scope.folders.as_slice() {
        _ if terms.scope.everything => "everything".to_owned(),
        [] => "a part of the memory".to_owned(),
        [folder] => folder.clone(),
        [folder, more @ ..] => format!("{folder} and {} more", more.len()),
    };
    let json = serde_json::to_string(grant).expect("a grant is strings and numbers");
    format!("{verb}: {} may {} {what} (grant {})\n{json}", terms.asker, terms.capability, grant.id)
}
