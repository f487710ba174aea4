//! Golden vectors of what consent stores or signs. A file that no longer matches means that ledgers, exports, grants or
//! orders of an earlier version would no longer verify: raise the version instead.
//!
//! `cargo test -p hinet-consent --test golden -- --ignored write` writes the files anew, for a new version.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use hinet_consent::{Entry, EntryKind, Signer, StandingGrant, Usage, commitment, merkle, verify_export, work};
use hinet_protocol::{GrantId, Hash, WorkKind, WorkOrder};
use home::{HOUR, NOW};
use serde_json::{Value, json};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn device() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn backend() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

fn entries() -> Vec<Entry> {
    let mut prev = Hash::default();
    let mut entries = Vec::new();
    for (seq, kind) in (0u64..).zip(EntryKind::ALL) {
        let bodies: Vec<Hash> = (0..seq % 4).map(|i| commitment(&[i as u8; 32], &format!("body {i}"))).collect();
        let entry = Entry {
            v: 1,
            seq,
            prev,
            at: NOW + seq as i64,
            kind: *kind,
            leaves: bodies.len() as u32,
            root: merkle::root(&bodies),
            device: [0; 32],
            home: [9; 32],
            signature: [0; 64],
        }
        .signed(&device());
        prev = entry.hash();
        entries.push(entry);
    }
    entries
}

fn entries_json() -> Value {
    let one = |entry: &Entry| {
        json!({
            "kind": entry.kind.word(), "code": entry.kind.code(), "leaves": entry.leaves, "root": entry.root,
            "bytes": hex(&entry.bytes()), "hash": entry.hash(),
        })
    };
    json!({
        "secret": hex(&[7; 32]),
        "commitment": commitment(&[3; 32], "remembered porto.md"),
        "entries": entries().iter().map(one).collect::<Vec<_>>(),
    })
}

fn orders() -> Vec<WorkOrder> {
    let grant = GrantId(uuid::Uuid::from_bytes([5; 16]));
    let order = |n: u8, kind, deltas, grant| {
        let mut order = work::draft_order(kind, Hash([2; 32]), deltas, b"the payload", grant, (NOW, NOW + HOUR));
        order.nonce = Hash([n; 32]);
        work::sign_order(&device(), order).unwrap()
    };
    vec![
        order(1, WorkKind::Generate, vec![], None),
        order(2, WorkKind::Embed, vec![Hash([4; 32])], Some(grant)),
        order(3, WorkKind::Train, vec![Hash([4; 32]), Hash([5; 32])], None),
        order(4, WorkKind::Merge, vec![], Some(grant)),
    ]
}

fn work_json() -> Value {
    let one = |order: &WorkOrder| {
        let receipt = work::sign_receipt(&backend(), "local", order, b"the result", (12, 34), 56).unwrap();
        work::verify_order(order, &device().public_key(), b"the payload", NOW, &mut Default::default()).unwrap();
        work::verify_receipt(&receipt, order, b"the result", &backend().public_key()).unwrap();
        json!({
            "order": order, "order_bytes": hex(&work::order_bytes(order).unwrap()),
            "order_hash": work::order_hash(order).unwrap(),
            "receipt": receipt, "receipt_bytes": hex(&work::receipt_bytes(&receipt).unwrap()),
        })
    };
    json!({ "device_secret": hex(&[7; 32]), "backend_secret": hex(&[8; 32]), "work": orders().iter().map(one).collect::<Vec<_>>() })
}

fn standing() -> Value {
    let mut standing = StandingGrant::new(home::retrieve_draft("editor", Default::default()), NOW);
    standing.grant.id = GrantId(uuid::Uuid::from_bytes([5; 16]));
    standing.usage = Usage { uses: 3, bytes: 99, minutes: vec![(29_666_666, 2), (29_666_667, 1)] };
    let value = serde_json::to_value(&standing).unwrap();
    assert_eq!(serde_json::from_value::<StandingGrant>(value.clone()).unwrap(), standing);
    value
}

fn check(name: &str, value: &Value) {
    // Compared as values: in which order a map of this test is written is no part of any stored form.
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap();
    assert_eq!(*value, golden, "{name} is no longer made as it was");
}

#[test]
fn stored_and_signed_forms_stay_as_they_are() {
    check("ledger_entries.json", &entries_json());
    check("work.json", &work_json());
    check("standing_grant.json", &standing());
}

#[test]
fn entries_read_back_and_verify() {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file("ledger_entries.json")).unwrap()).unwrap();
    for (entry, stored) in entries().iter().zip(golden["entries"].as_array().unwrap()) {
        assert_eq!(hex(&entry.bytes()), stored["bytes"].as_str().unwrap());
        assert_eq!(Entry::parse(&entry.bytes()).unwrap(), *entry);
        assert!(entry.signature_holds());
    }
    assert_eq!(golden["entries"].as_array().unwrap().len(), EntryKind::ALL.len());
}

/// An export of a real home, made when version 1 was frozen, still verifies with the identity of its words.
#[test]
fn an_old_export_still_verifies() {
    for name in ["export.json", "export_with_bodies.json"] {
        let export = std::fs::read_to_string(file(name)).unwrap();
        let key: Hash = std::fs::read_to_string(file("export_identity.txt")).unwrap().trim().parse().unwrap();
        let report = verify_export(&export, Some(key.0)).unwrap();
        assert!(report.ok, "{name}: {report:?}");
        assert!(report.entries >= 5);
    }
}

#[test]
#[ignore = "writes the golden files anew; only for a new version of a format"]
fn write() {
    let put = |name: &str, text: String| std::fs::write(file(name), text).unwrap();
    let pretty = |value: Value| serde_json::to_string_pretty(&value).unwrap() + "\n";
    put("ledger_entries.json", pretty(entries_json()));
    put("work.json", pretty(work_json()));
    put("standing_grant.json", pretty(standing()));
    let (_place, vault, consent) = home::TestHome::new();
    consent.record_now(EntryKind::Init, home::say("this iCore began"), NOW).unwrap();
    consent.grant(home::retrieve_draft("editor", Default::default()), NOW).unwrap();
    consent.kill(NOW + 1).unwrap();
    consent.lift(NOW + 2).unwrap();
    put("export.json", consent.export(NOW + 3).unwrap() + "\n");
    put("export_with_bodies.json", consent.export_with_bodies(NOW + 4).unwrap() + "\n");
    put("export_identity.txt", hex(&vault.identity()) + "\n");
}
