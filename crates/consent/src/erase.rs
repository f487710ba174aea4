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

/// Whether `name` stands in `body` as a whole name. In doubt (a space may be part of a longer one) it does.
fn mentions(body: &str, name: &str) -> bool {
    body.match_indices(name).any(|(at, _)| {
        let rest = &body[at + name.len()..];
        // A full stop ends a sentence or begins a file's ending.
        let rest = rest.strip_prefix('.').filter(|rest| rest.is_empty() || rest.starts_with(' ')).unwrap_or(rest);
        name.ends_with('/') || !rest.starts_with(|c: char| c.is_alphanumeric() || "-_.~+#@".contains(c))
    })
}

impl Consent {
    /// Erases every note that names one of `needles`, or something below it, inside the caller's transaction. Gives
    /// how many. What merely begins alike (`notes-2` beside `notes`) keeps its note.
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
                    if leaf.body.is_some_and(|body| needles.iter().any(|needle| mentions(&body, needle))) {
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

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_name_is_found_whole_and_not_within_a_longer_one() {
        let cases = [
            ("remembered /a/notes/x.md (ab12)", "/a/notes/x.md", true),
            ("remembered /a/notes/x.md (ab12)", "/a/notes", true),
            ("paused /a/notes", "/a/notes", true),
            ("/a/notes was paused, then /a/notes.", "/a/notes", true),
            ("\"/a/notes\"", "/a/notes", true),
            ("paused /a/notes and more", "/a/notes", true),
            ("paused /a/notes-2", "/a/notes", false),
            ("paused /a/notes2/deep", "/a/notes", false),
            ("remembered /a/notes.md (ab12)", "/a/notes", false),
            ("paused /a/notes-2, resumed /a/notes", "/a/notes", true),
        ];
        for (body, name, found) in cases {
            assert_eq!(mentions(body, name), found, "{name} in {body}");
        }
    }
}
