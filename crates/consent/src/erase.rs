//! Forgetting in the records of consent: what notes and past grants say is blanked, the chain of commitments stays.

use std::sync::atomic::Ordering;

use hinet_protocol::{GrantId, Millis};
use hinet_vault::Tx;

use crate::consent::{Consent, find, put};
use crate::{ConsentError, EntryKind, Note};

/// Stands where a forgotten path stood in a past grant.
const FORGOTTEN: &str = "(forgotten)";
/// Entries read at a time.
const BATCH: usize = 512;

impl Consent {
    /// Erases every note whose words hold one of `needles`, inside the caller's transaction. Gives how many.
    ///
    /// # Errors
    /// When the vault cannot be read or written.
    pub fn erase_mentions(&self, tx: &Tx<'_>, needles: &[String]) -> Result<u64, ConsentError> {
        let needles: Vec<&String> = needles.iter().filter(|needle| !needle.is_empty()).collect();
        let (mut from, mut erased) = (0, 0);
        if needles.is_empty() {
            return Ok(0);
        }
        loop {
            let entries = tx.ledger_entries(from, BATCH)?;
            let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(erased) };
            for entry in &entries {
                for leaf in tx.ledger_leaves(entry.seq)? {
                    if leaf.body.is_some_and(|body| needles.iter().any(|needle| body.contains(needle.as_str()))) {
                        tx.erase_leaf(entry.seq, leaf.index)?;
                        erased += 1;
                    }
                }
            }
            from = last + 1;
        }
    }

    /// Revokes a grant and blanks the folders, labels, people and topics it named, inside the caller's transaction.
    ///
    /// What was handed out under it is dead from here on, and stays dead even should the transaction fail: then the
    /// grant still stands, but nothing is handed out under it before the next start.
    ///
    /// # Errors
    /// [`ConsentError::UnknownGrant`], or when the vault cannot be read or written.
    pub fn erase_grant(&self, tx: &Tx<'_>, id: GrantId, now: Millis) -> Result<(), ConsentError> {
        let mut standing = find(tx, id)?;
        let scope = &mut standing.grant.terms.scope;
        for list in [&mut scope.folders, &mut scope.labels, &mut scope.people, &mut scope.topics] {
            list.iter_mut().for_each(|name| FORGOTTEN.clone_into(name));
        }
        if standing.grant.revoked.is_none() {
            standing.grant.revoked = Some(now);
            self.record(
                tx,
                EntryKind::Revoke,
                vec![Note::say("revoked the grant of a forgotten source".to_owned())],
                now,
            )?;
        }
        self.flag(id).store(true, Ordering::SeqCst);
        put(tx, &standing)
    }
}
