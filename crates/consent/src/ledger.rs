//! Writing and reading the ledger in the vault.

use hinet_protocol::{AuditReport, Hash, LedgerLine, Millis};
use hinet_vault::records::{EntryRow, LeafDraft, LeafRow};
use hinet_vault::{Head, Reader, Tx};

use crate::entry::{ENTRY_VERSION, Entry, EntryKind, Note, commitment};
use crate::export::{Document, ExportedEntry, ExportedLeaf};
use crate::verify::{Fault, Leaf, Walk};
use crate::{Consent, ConsentError, Refusal, lines, merkle, proof};

/// Leaves of one entry; an import of more items makes several entries.
pub const NOTES_MAX: usize = 1_000_000;
/// Bytes of one body.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Entries that are read at a time.
const PAGE: usize = 256;

/// Which lines of the ledger are wanted.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// At most so many.
    pub limit: usize,
    /// Only these kinds; empty is all.
    pub kinds: Vec<EntryKind>,
    /// Only lines whose sentence holds this, in whatever letter case.
    pub matching: String,
    /// Only entries before this one.
    pub before: Option<u64>,
}

impl Consent {
    /// Appends one entry inside the caller's transaction, so that an act and its entry are committed together or not
    /// at all. Gives the entry's number.
    ///
    /// # Errors
    /// [`Refusal::Killed`] for acts the kill switch forbids (so an import that was under way is rolled back);
    /// [`ConsentError::TooManyNotes`], [`ConsentError::NoteTooLong`], or what the vault says.
    pub fn record(&self, tx: &Tx<'_>, kind: EntryKind, notes: Vec<Note>, now: Millis) -> Result<u64, ConsentError> {
        if kind.is_stopped_by_kill() && self.is_killed() {
            return Err(Refusal::Killed.into());
        }
        if notes.len() > NOTES_MAX {
            return Err(ConsentError::TooManyNotes { found: notes.len(), max: NOTES_MAX });
        }
        if let Some(found) = notes.iter().map(|note| note.body.len()).find(|len| *len > NOTE_BYTES_MAX) {
            return Err(ConsentError::NoteTooLong { found, max: NOTE_BYTES_MAX });
        }
        let leaves: Vec<LeafDraft> = notes.into_iter().map(sealed).collect();
        let commitments: Vec<Hash> = leaves.iter().map(|leaf| leaf.commitment).collect();
        let (seq, prev) = tx.ledger_last()?.map_or((0, Hash::default()), |(last, hash)| (last + 1, hash));
        let device = self.vault.device();
        let entry = Entry {
            v: ENTRY_VERSION,
            seq,
            prev,
            at: now,
            kind,
            leaves: u32::try_from(leaves.len()).expect("NOTES_MAX is below u32::MAX"),
            root: merkle::root(&commitments),
            device: device.public(),
            home: self.vault.identity(),
            signature: [0; 64],
        }
        .signed(device);
        Ok(tx.ledger_append(&entry.bytes(), entry.hash(), &leaves)?)
    }

    /// [`Self::record`] in a transaction of its own.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn record_now(&self, kind: EntryKind, notes: Vec<Note>, now: Millis) -> Result<u64, ConsentError> {
        self.vault.write(|tx| self.record(tx, kind, notes, now))
    }

    /// Verifies the whole ledger: chain, numbering, signatures, the device's certificate, commitments of what has not
    /// been erased, Merkle roots, and the signed head.
    ///
    /// # Errors
    /// When the vault cannot be read. A broken ledger is a report that is not ok.
    pub fn verify(&self) -> Result<AuditReport, ConsentError> {
        let mut walk = Walk::begin(self.vault.identity(), std::slice::from_ref(self.vault.device().certificate()));
        // Taken before the snapshot, so that the snapshot holds everything this head was signed for.
        let head = self.vault.head();
        let fault = self.vault.read(|reader| {
            let mut fault = (head.entries == 0).then(|| walk.finish(&head).err()).flatten();
            each(reader, u64::MAX, |row, leaves| {
                fault = walk.step(&row.bytes, row.hash, leaves.iter().map(leaf)).err();
                if fault.is_none() && walk.entries() == head.entries {
                    fault = walk.finish(&head).err();
                }
                Ok(fault.is_none())
            })?;
            Ok::<_, ConsentError>(fault)
        })?;
        let fault = fault.or_else(|| self.end_fault(&walk, head));
        Ok(walk.report(fault))
    }

    /// What is wrong with the end of a ledger whose entries all hold. `head` was taken before the walk. An entry that
    /// was committed since is signed for a moment later; that moment is waited for.
    fn end_fault(&self, walk: &Walk, mut head: Head) -> Option<Fault> {
        for _ in 0..200 {
            if head.entries > walk.entries() {
                break;
            }
            head = self.vault.head();
            if head.entries >= walk.entries() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        walk.finish(&head).err()
    }

    /// The newest `limit` entries as readable lines, newest first.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn lines(&self, limit: usize) -> Result<Vec<LedgerLine>, ConsentError> {
        self.lines_of(&Lines { limit, ..Lines::default() })
    }

    /// The newest entries that are wanted as readable lines, newest first; read from the newest end, no further than
    /// needed.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn lines_of(&self, wanted: &Lines) -> Result<Vec<LedgerLine>, ConsentError> {
        let matching = wanted.matching.to_lowercase();
        let is_kind = |kind: &str| wanted.kinds.is_empty() || wanted.kinds.iter().any(|wanted| wanted.word() == kind);
        self.vault.read(|reader| {
            let (mut before, mut out) = (wanted.before.unwrap_or(u64::MAX), Vec::new());
            while out.len() < wanted.limit {
                let rows = reader.ledger_entries_before(before, PAGE)?;
                let Some(last) = rows.last() else { break };
                before = last.seq;
                for row in &rows {
                    if out.len() == wanted.limit {
                        break;
                    }
                    let kind = Entry::parse(&row.bytes).map_or("broken", |entry| entry.kind.word());
                    if !is_kind(kind) {
                        continue;
                    }
                    let line = line(row, &reader.ledger_leaves(row.seq)?);
                    if line.text.to_lowercase().contains(&matching) {
                        out.push(line);
                    }
                }
            }
            Ok(out)
        })
    }

    /// The ledger as one JSON document without bodies, for [`crate::verify_export`]. The export is itself an entry, the
    /// last one in the document.
    ///
    /// # Errors
    /// [`ConsentError::Broken`] where the ledger does not verify as far as it is exported, or what the vault says.
    pub fn export(&self, now: Millis) -> Result<String, ConsentError> {
        self.export_as(false, now)
    }

    /// [`Self::export`] with the bodies that have not been erased, in the clear.
    ///
    /// # Errors
    /// As [`Self::export`].
    pub fn export_with_bodies(&self, now: Millis) -> Result<String, ConsentError> {
        self.export_as(true, now)
    }

    fn export_as(&self, bodies: bool, now: Millis) -> Result<String, ConsentError> {
        let what =
            if bodies { "the ledger was exported, texts included" } else { "the ledger was exported, without texts" };
        self.record_now(EntryKind::Export, vec![Note::say(what)], now)?;
        let device = self.vault.device();
        let mut walk = Walk::begin(self.vault.identity(), std::slice::from_ref(device.certificate()));
        let head = self.vault.head();
        let mut entries = Vec::new();
        self.vault.read(|reader| {
            each(reader, head.entries, |row, leaves| {
                let broken = |why| ConsentError::Broken { seq: row.seq, why };
                let entry = walk.step(&row.bytes, row.hash, leaves.iter().map(leaf)).map_err(broken)?;
                let leaves = leaves.iter().map(|leaf| exported(leaf, bodies)).collect();
                entries.push(ExportedEntry::new(&entry, row.hash, leaves));
                Ok(true)
            })
        })?;
        walk.finish(&head).map_err(|why| ConsentError::Broken { seq: walk.entries(), why })?;
        Ok(Document::sealed(self.vault.identity(), device.certificate().clone(), entries, head, device))
    }

    /// Whether the disclosure or release in entry `seq` was of exactly `bytes`; `None` where that can no longer be
    /// told, because something they were made from was forgotten.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn was_let_out(&self, seq: u64, bytes: &[u8]) -> Result<Option<bool>, ConsentError> {
        self.vault.read(|reader| Ok(proof::shows(&reader.ledger_leaves(seq)?, bytes)))
    }
}

fn sealed(note: Note) -> LeafDraft {
    let salt: [u8; 32] = rand::random();
    LeafDraft { commitment: commitment(&salt, &note.body), item: note.item, salt, body: note.body }
}

/// Goes through the first `limit` entries until `f` says to stop.
fn each(
    reader: &Reader<'_>,
    limit: u64,
    mut f: impl FnMut(&EntryRow, &[LeafRow]) -> Result<bool, ConsentError>,
) -> Result<(), ConsentError> {
    let mut next = 0;
    while next < limit {
        let rows = reader.ledger_entries(next, PAGE)?;
        let Some(last) = rows.last() else { return Ok(()) };
        let after = last.seq + 1;
        for row in rows.iter().take_while(|row| row.seq < limit) {
            if !f(row, &reader.ledger_leaves(row.seq)?)? {
                return Ok(());
            }
        }
        next = after;
    }
    Ok(())
}

fn leaf(row: &LeafRow) -> Leaf<'_> {
    Leaf { index: row.index, commitment: row.commitment, salt: row.salt, body: row.body.as_deref() }
}

fn exported(row: &LeafRow, bodies: bool) -> ExportedLeaf {
    let (salt, body) = if bodies { (row.salt.map(Hash), row.body.clone()) } else { (None, None) };
    ExportedLeaf { commitment: row.commitment, salt, body }
}

fn line(row: &EntryRow, leaves: &[LeafRow]) -> LedgerLine {
    match Entry::parse(&row.bytes) {
        Ok(entry) => LedgerLine {
            seq: row.seq,
            at: entry.at,
            kind: entry.kind.word().to_owned(),
            text: lines::sentence(entry.kind, leaves),
            hash: row.hash,
        },
        Err(fault) => LedgerLine {
            seq: row.seq,
            at: 0,
            kind: "broken".to_owned(),
            text: Fault::Entry(fault).to_string(),
            hash: row.hash,
        },
    }
}
