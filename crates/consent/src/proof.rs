//! What the ledger keeps of the bytes that went out: enough for the owner to show later what was sent, and nothing
//! once an item they were made from is forgotten.
//!
//! The fingerprint is BLAKE3 of the bytes keyed with a random key. The key is split into as many shares as there are
//! items (their XOR is the key), and each share is a leaf of its item: forgetting one item erases one share, and the
//! fingerprint says nothing about the bytes any more.

use hinet_protocol::Hash;
use hinet_vault::records::LeafRow;

use crate::entry::{EntryKind, Note};
use crate::{Outgoing, hex};

const FINGERPRINT: &str = "fingerprint ";
const SHARE: &str = "share ";

pub(crate) fn notes(kind: EntryKind, out: &Outgoing<'_>) -> Vec<Note> {
    let mut key = [0u8; 32];
    let mut share = || {
        let share: [u8; 32] = rand::random();
        key.iter_mut().zip(share).for_each(|(k, s)| *k ^= s);
        format!("{SHARE}{}", hex::encode(&share))
    };
    let mut shares: Vec<Note> = out.items.iter().map(|item| Note::about(*item, share())).collect();
    if shares.is_empty() {
        shares.push(Note::say(share()));
    }
    let verb = if kind == EntryKind::Release { "released" } else { "disclosed" };
    let sentence = format!(
        "{verb} {} bytes to {} ({}) under grant {}\n{FINGERPRINT}{}",
        out.bytes.len(),
        out.asker,
        out.capability,
        out.grant,
        fingerprint(&key, out.bytes)
    );
    let mut notes = vec![Note::say(sentence)];
    notes.append(&mut shares);
    notes
}

/// Whether an entry's leaves show that exactly `bytes` went out; `None` where that can no longer be told.
pub(crate) fn shows(leaves: &[LeafRow], bytes: &[u8]) -> Option<bool> {
    let (first, shares) = leaves.split_first()?;
    let (_, kept) = first.body.as_deref()?.split_once('\n')?;
    let kept: Hash = kept.strip_prefix(FINGERPRINT)?.parse().ok()?;
    let mut key = [0u8; 32];
    for leaf in shares {
        let share: [u8; 32] = hex::decode(leaf.body.as_deref()?.strip_prefix(SHARE)?)?;
        key.iter_mut().zip(share).for_each(|(k, s)| *k ^= s);
    }
    Some(fingerprint(&key, bytes) == kept)
}

fn fingerprint(key: &[u8; 32], bytes: &[u8]) -> Hash {
    Hash(*blake3::keyed_hash(key, bytes).as_bytes())
}
