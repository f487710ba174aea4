//! The ledger: chained, signed, committed; erased bodies verify; anything else that changes is named.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use ed25519_dalek::SigningKey;
use hinet_consent::verify::{Fault, Leaf, Walk};
use hinet_consent::{
    Consent, ConsentError, ENTRY_LEN, Entry, EntryFault, EntryKind, Note, Refusal, commitment, merkle,
};
use hinet_protocol::{Hash, ItemId, SourceState, Trust};
use hinet_vault::records::{ItemRow, LeafDraft};
use hinet_vault::{DeviceCert, Vault};
use home::{NOW, TestHome, put_source, say};

/// A source with items, as an import would store them.
fn import(vault: &Vault, consent: &Consent, count: usize) -> (Vec<ItemId>, u64) {
    let source = put_source(vault, std::path::Path::new("/home/maya/notes"), SourceState::Active);
    let ids: Vec<ItemId> = (0..count).map(|_| ItemId::new()).collect();
    let seq = vault
        .write(|tx| {
            let mut notes = Vec::new();
            for (i, id) in ids.iter().enumerate() {
                let key = format!("/home/maya/notes/{i}.md");
                let row = ItemRow {
                    id: *id,
                    source,
                    key: key.clone(),
                    title: format!("note {i}"),
                    kind: "markdown".to_owned(),
                    trust: Trust::Own,
                    modified: NOW,
                    ingested: NOW,
                    hash: Hash::default(),
                    text: "text".to_owned(),
                    filing: None,
                };
                tx.put_item(&row, &[])?;
                notes.push(Note::about(*id, key));
            }
            consent.record(tx, EntryKind::Ingest, notes, NOW)
        })
        .unwrap();
    (ids, seq)
}

#[test]
fn forgotten_bodies_verify_and_the_lines_say_what_is_left() {
    let (home, vault, consent) = TestHome::new();
    consent.record_now(EntryKind::Init, say("this iCore began"), NOW).unwrap();
    let (items, seq) = import(&vault, &consent, 12);
    assert_eq!(seq, 1);
    let line = |consent: &Consent| consent.lines(9).unwrap().into_iter().find(|line| line.kind == "ingest").unwrap();
    assert_eq!(line(&consent).text, "remembered 12 items from /home/maya/notes");
    let forget = |some: &[ItemId]| {
        vault
            .write(|tx| {
                for item in some {
                    tx.delete_item(*item)?;
                }
                consent.record(tx, EntryKind::Forget, vec![Note::say(format!("forgot {} items", some.len()))], NOW)
            })
            .unwrap();
    };
    forget(&items[..2]);
    assert_eq!(line(&consent).text, "remembered 12 items from /home/maya/notes (2 forgotten since)");
    forget(&items[2..]);
    assert_eq!(line(&consent).text, "remembered 12 items (erased)");
    let report = consent.verify().unwrap();
    assert_eq!((report.ok, report.entries, report.broken), (true, 4, None));
    assert_eq!(report.head, consent.lines(1).unwrap()[0].hash);
    assert_eq!(consent.lines(2).unwrap().len(), 2);
    drop((vault, consent));
    assert!(home.reopen().1.verify().unwrap().ok);
}

#[test]
fn an_empty_ledger_verifies() {
    let (_home, _vault, consent) = TestHome::new();
    let report = consent.verify().unwrap();
    assert_eq!((report.ok, report.entries, report.head), (true, 0, Hash::default()));
    assert!(consent.lines(10).unwrap().is_empty());
}

#[test]
fn an_act_and_its_entry_are_one() {
    let (_home, vault, consent) = TestHome::new();
    let failed = vault.write(|tx| {
        consent.record(tx, EntryKind::Unlock, say("never"), NOW)?;
        tx.set_meta("x", "y")?;
        Err::<(), ConsentError>(Refusal::Killed.into())
    });
    assert!(failed.is_err());
    assert!(consent.lines(10).unwrap().is_empty());
    let long = consent.record_now(EntryKind::Unlock, say(&"x".repeat(100_000)), NOW).unwrap_err();
    assert!(matches!(long, ConsentError::NoteTooLong { found: 100_000, .. }));
}

#[test]
fn threads_recording_at_once_keep_the_chain() {
    let (_home, vault, consent) = TestHome::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let consent = &consent;
            scope.spawn(move || {
                for i in 0..15 {
                    consent.record_now(EntryKind::Unlock, say(&format!("{thread}.{i}")), NOW).unwrap();
                }
            });
        }
        // Verifying beside the writers must never cry wolf.
        for _ in 0..20 {
            let report = consent.verify().unwrap();
            assert!(report.ok, "{report:?}");
            let export = consent.export(NOW).unwrap();
            assert!(hinet_consent::verify_export(&export, Some(vault.identity())).unwrap().ok);
        }
    });
    let report = consent.verify().unwrap();
    assert_eq!((report.ok, report.entries), (true, 80));
}

/// Bytes that consent did not make, put into the ledger by something that has the database key.
#[test]
fn what_was_put_in_from_outside_is_named() {
    type Case = (&'static str, fn(&mut Entry), &'static str);
    let cases: Vec<Case> = vec![
        ("another device", |e| *e = e.clone().signed(&SigningKey::from_bytes(&[9; 32])), "did not certify"),
        ("a forged signature", |e| e.at += 1, "signature does not hold"),
        ("a broken chain", |e| e.prev = Hash([1; 32]), "does not follow"),
        ("a wrong number", |e| e.seq += 1, "removed, doubled or swapped"),
        ("another owner", |e| e.home = [1; 32], "another owner's"),
    ];
    for (name, change, why) in cases {
        let (_home, vault, consent) = TestHome::new();
        for i in 0..3 {
            consent.record_now(EntryKind::Unlock, say(&i.to_string()), NOW).unwrap();
        }
        let last = consent.lines(1).unwrap().remove(0);
        let mut entry = Entry {
            v: 1,
            seq: 3,
            prev: last.hash,
            at: NOW,
            kind: EntryKind::Forget,
            leaves: 0,
            root: merkle::root(&[]),
            device: [0; 32],
            home: vault.identity(),
            signature: [0; 64],
        }
        .signed(vault.device());
        change(&mut entry);
        vault.write(|tx| tx.ledger_append(&entry.bytes(), entry.hash(), &[])).unwrap();
        // Whatever comes after it: the first broken entry is named.
        consent.record_now(EntryKind::Unlock, say("after"), NOW).unwrap();
        let report = consent.verify().unwrap();
        let (seq, said) = report.broken.unwrap();
        assert_eq!((report.ok, seq), (false, 3), "{name}");
        assert!(said.contains(why), "{name}: {said}");
        assert!(matches!(consent.export(NOW), Err(ConsentError::Broken { seq: 3, .. })), "{name}");
    }
}

#[test]
fn leaves_that_do_not_fit_are_named() {
    let (_home, vault, consent) = TestHome::new();
    let leaf = |body: &str| {
        let salt = [3; 32];
        LeafDraft { commitment: commitment(&salt, body), item: None, salt, body: body.to_owned() }
    };
    let good = [leaf("a"), leaf("b")];
    let root = merkle::root(&[good[0].commitment, good[1].commitment]);
    let entry = Entry {
        v: 1,
        seq: 0,
        prev: Hash::default(),
        at: NOW,
        kind: EntryKind::Ingest,
        leaves: 2,
        root,
        device: [0; 32],
        home: vault.identity(),
        signature: [0; 64],
    }
    .signed(vault.device());
    let forged = LeafDraft { body: "c".to_owned(), ..good[1].clone() };
    vault.write(|tx| tx.ledger_append(&entry.bytes(), entry.hash(), &[good[0].clone(), forged])).unwrap();
    let said = consent.verify().unwrap().broken.unwrap();
    assert_eq!(said, (0, "the text of its leaf 1 is not the one it committed to".to_owned()));
}

/// Commitment, salt and body.
type StoredLeaf = (Hash, Option<[u8; 32]>, Option<String>);

/// A ledger in memory, to be changed in every way.
#[derive(Clone)]
struct Stored {
    home: [u8; 32],
    cert: DeviceCert,
    rows: Vec<(Vec<u8>, Hash, Vec<StoredLeaf>)>,
}

fn stored() -> Stored {
    use ed25519_dalek::Signer as _;
    let (owner, device) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let (home, public) = (owner.verifying_key().to_bytes(), device.verifying_key().to_bytes());
    let message = [b"hinet/device-cert/v1".as_slice(), &public, &home, &NOW.to_be_bytes()].concat();
    let signature: String = owner.sign(&message).to_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let cert = DeviceCert { v: 1, device: Hash(public), identity: Hash(home), created: NOW, signature };
    let mut prev = Hash::default();
    let mut rows = Vec::new();
    for seq in 0..6u64 {
        let leaves: Vec<_> = (0..seq as u8)
            .map(|i| {
                let body = format!("body {seq}.{i}");
                let erased = i % 2 == 1;
                (commitment(&[i; 32], &body), (!erased).then_some([i; 32]), (!erased).then_some(body))
            })
            .collect();
        let root = merkle::root(&leaves.iter().map(|leaf| leaf.0).collect::<Vec<_>>());
        let entry = Entry {
            v: 1,
            seq,
            prev,
            at: NOW,
            kind: EntryKind::Ingest,
            leaves: leaves.len() as u32,
            root,
            device: public,
            home,
            signature: [0; 64],
        }
        .signed(&device);
        prev = entry.hash();
        rows.push((entry.bytes(), prev, leaves));
    }
    Stored { home, cert, rows }
}

fn first_fault(stored: &Stored) -> Option<(u64, Fault)> {
    let mut walk = Walk::begin(stored.home, std::slice::from_ref(&stored.cert));
    for (bytes, hash, leaves) in &stored.rows {
        let leaves = (0u32..).zip(leaves).map(|(index, (commitment, salt, body))| Leaf {
            index,
            commitment: *commitment,
            salt: *salt,
            body: body.as_deref(),
        });
        if let Err(fault) = walk.step(bytes, *hash, leaves) {
            return Some((walk.entries(), fault));
        }
    }
    None
}

#[test]
fn every_flipped_bit_of_an_entry_is_found_in_that_entry() {
    let sound = stored();
    assert_eq!(first_fault(&sound), None);
    for bit in 0..ENTRY_LEN * 8 {
        let mut changed = sound.clone();
        changed.rows[3].0[bit / 8] ^= 1 << (bit % 8);
        let (seq, _) = first_fault(&changed).unwrap();
        assert_eq!(seq, 3, "bit {bit}");
        // Also when the stored hash is made to fit.
        changed.rows[3].1 = Hash(*blake3::hash(&changed.rows[3].0).as_bytes());
        let (seq, fault) = first_fault(&changed).unwrap();
        assert_eq!(seq, 3, "bit {bit}");
        assert_ne!(fault, Fault::Hash);
    }
}

#[test]
fn every_other_change_is_named() {
    type Case = (&'static str, fn(&mut Stored), u64, Fault);
    let cases: Vec<Case> = vec![
        ("one removed", |s| drop(s.rows.remove(2)), 2, Fault::Sequence { found: 3 }),
        ("two swapped", |s| s.rows.swap(2, 3), 2, Fault::Sequence { found: 3 }),
        ("one doubled", |s| s.rows.insert(2, s.rows[2].clone()), 3, Fault::Sequence { found: 2 }),
        ("cut short", |s| s.rows[4].0.truncate(100), 4, Fault::Entry(EntryFault::Length(100))),
        ("its hash", |s| s.rows[4].1 = Hash::default(), 4, Fault::Hash),
        ("a leaf removed", |s| drop(s.rows[4].2.pop()), 4, Fault::LeafCount { expected: 4, found: 3 }),
        (
            "a leaf added",
            |s| s.rows[1].2.push((Hash::default(), None, None)),
            1,
            Fault::LeafCount { expected: 1, found: 2 },
        ),
        ("leaves swapped", |s| s.rows[4].2.swap(0, 1), 4, Fault::Root),
        ("a commitment", |s| s.rows[4].2[1].0 = Hash::default(), 4, Fault::Root),
        ("a body", |s| s.rows[4].2[2].2 = Some("else".into()), 4, Fault::Body { index: 2 }),
        ("a salt", |s| s.rows[4].2[2].1 = Some([9; 32]), 4, Fault::Body { index: 2 }),
        ("a salt gone", |s| s.rows[4].2[2].1 = None, 4, Fault::HalfErased { index: 2 }),
        ("a body gone", |s| s.rows[4].2[2].2 = None, 4, Fault::HalfErased { index: 2 }),
        ("the owner", |s| s.home = [5; 32], 0, Fault::Owner),
        ("the certificate", |s| s.cert.created += 1, 0, Fault::Device),
    ];
    for (name, change, seq, fault) in cases {
        let mut changed = stored();
        change(&mut changed);
        assert_eq!(first_fault(&changed), Some((seq, fault)), "{name}");
    }
    let mut erased = stored();
    for (_, _, leaves) in &mut erased.rows {
        leaves.iter_mut().for_each(|leaf| (leaf.1, leaf.2) = (None, None));
    }
    assert_eq!(first_fault(&erased), None, "erasing every body breaks nothing");
}
