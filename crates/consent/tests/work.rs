//! Work orders and receipts: signed, bound to their bytes, not to be replayed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use ed25519_dalek::SigningKey;
use hinet_consent::work::*;
use hinet_consent::{ConsentError, Refusal, Signer};
use hinet_protocol::{BackendReceipt, GrantId, Hash, WorkKind, WorkOrder};
use home::{HOUR, NOW, TestHome};

const PAYLOAD: &[u8] = b"the payload";
const RESULT: &[u8] = b"the result";

/// What is changed, and how.
type Change<T> = (&'static str, fn(&mut T));

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn order() -> WorkOrder {
    let deltas = vec![Hash([4; 32]), Hash([5; 32])];
    let draft = draft_order(WorkKind::Train, Hash([2; 32]), deltas, PAYLOAD, Some(GrantId::new()), (NOW, NOW + HOUR));
    sign_order(&key(1), draft).unwrap()
}

fn verify(order: &WorkOrder, payload: &[u8], now: i64) -> Result<(), WorkFault> {
    verify_order(order, &key(1).public_key(), payload, now, &mut SeenOrders::default())
}

#[test]
fn every_changed_field_of_an_order_is_refused() {
    verify(&order(), PAYLOAD, NOW).unwrap();
    let changes: Vec<Change<WorkOrder>> = vec![
        ("v", |o| o.v = 2),
        ("nonce", |o| o.nonce = Hash([0; 32])),
        ("kind", |o| o.kind = WorkKind::Merge),
        ("anchor", |o| o.anchor = Hash([0; 32])),
        ("deltas, fewer", |o| o.deltas.truncate(1)),
        ("deltas, swapped", |o| o.deltas.swap(0, 1)),
        ("deltas, too many", |o| o.deltas = vec![Hash::default(); DELTAS_MAX + 1]),
        ("payload", |o| o.payload = Hash([0; 32])),
        ("grant", |o| o.grant = Some(GrantId::new())),
        ("no grant", |o| o.grant = None),
        ("issued", |o| o.issued -= 1),
        ("expires", |o| o.expires += 1),
        ("device", |o| o.device = "00".repeat(32)),
        ("device in capitals", |o| o.device = o.device.to_uppercase()),
        ("device cut", |o| o.device.truncate(1)),
        ("signature", |o| o.signature = "00".repeat(64)),
        ("signature in capitals", |o| o.signature = o.signature.to_uppercase()),
        ("signature cut", |o| o.signature.truncate(1)),
    ];
    for (name, change) in changes {
        let mut changed = order();
        change(&mut changed);
        assert!(verify(&changed, PAYLOAD, NOW).is_err(), "{name}");
    }
    assert_eq!(verify(&order(), b"other", NOW), Err(WorkFault::OtherBytes { what: "order" }));
    let stranger = sign_order(&key(2), order()).unwrap();
    assert_eq!(verify(&stranger, PAYLOAD, NOW), Err(WorkFault::OtherKey { what: "order" }));
}

#[test]
fn an_order_has_its_time() {
    let at = |issued, expires| {
        sign_order(&key(1), draft_order(WorkKind::Embed, Hash([2; 32]), vec![], PAYLOAD, None, (issued, expires)))
            .unwrap()
    };
    let good = at(NOW, NOW + HOUR);
    assert_eq!(verify(&good, PAYLOAD, NOW + HOUR - 1), Ok(()));
    assert_eq!(verify(&good, PAYLOAD, NOW + HOUR), Err(WorkFault::Expired));
    assert_eq!(verify(&good, PAYLOAD, NOW - CLOCK_SKEW_MS_MAX), Ok(()));
    assert_eq!(verify(&good, PAYLOAD, NOW - CLOCK_SKEW_MS_MAX - 1), Err(WorkFault::FromTheFuture));
    assert_eq!(verify(&at(NOW, NOW), PAYLOAD, NOW), Err(WorkFault::Lifetime));
    assert_eq!(verify(&at(NOW, NOW + ORDER_LIFETIME_MS_MAX + 1), PAYLOAD, NOW), Err(WorkFault::Lifetime));
    assert_eq!(verify(&at(i64::MIN, i64::MAX), PAYLOAD, NOW), Err(WorkFault::Lifetime));
}

#[test]
fn an_order_is_started_once() {
    let (mut seen, device) = (SeenOrders::default(), key(1).public_key());
    let order = order();
    verify_order(&order, &device, b"other", NOW, &mut seen).unwrap_err();
    verify_order(&order, &device, PAYLOAD, NOW, &mut seen).unwrap();
    let again = verify_order(&order, &device, PAYLOAD, NOW, &mut seen);
    assert_eq!(again, Err(WorkFault::Replayed), "but a bad try before does not use it up");
    let mut stored: SeenOrders = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
    assert_eq!(verify_order(&order, &device, PAYLOAD, NOW, &mut stored), Err(WorkFault::Replayed));

    // Once it is let go because it expired, setting the clock back does not bring it back.
    stored.admit(Hash([9; 32]), NOW + 3 * HOUR, NOW + 2 * HOUR).unwrap();
    assert_eq!(verify_order(&order, &device, PAYLOAD, NOW, &mut stored), Err(WorkFault::Expired));

    let mut full = SeenOrders::default();
    for n in 0..SEEN_ORDERS_MAX as u32 {
        full.admit(Hash(*blake3::hash(&n.to_be_bytes()).as_bytes()), NOW + HOUR, NOW).unwrap();
    }
    assert_eq!(full.admit(Hash([1; 32]), NOW + HOUR, NOW), Err(WorkFault::TooMany));
    full.admit(Hash([1; 32]), NOW + 2 * HOUR, NOW + HOUR).unwrap();
}

#[test]
fn consent_remembers_orders_across_a_restart_and_takes_none_when_killed() {
    let (home, vault, consent) = TestHome::new();
    let (first, second, device) = (order(), order(), key(1).public_key());
    consent.accept_order(&first, &device, PAYLOAD, NOW).unwrap();
    drop((vault, consent));
    let (_vault, consent) = home.reopen();
    let replayed = consent.accept_order(&first, &device, PAYLOAD, NOW).unwrap_err();
    assert!(matches!(replayed, ConsentError::Work(WorkFault::Replayed)));
    consent.kill(NOW).unwrap();
    let killed = consent.accept_order(&second, &device, PAYLOAD, NOW).unwrap_err();
    assert!(matches!(killed, ConsentError::Refused(Refusal::Killed)));
    consent.lift(NOW).unwrap();
    consent.accept_order(&second, &device, PAYLOAD, NOW).unwrap();
}

#[test]
fn every_changed_field_of_a_receipt_is_refused() {
    let order = order();
    let backend = key(3);
    let good = sign_receipt(&backend, "local", &order, RESULT, (12, 34), 56).unwrap();
    let verify = |receipt: &BackendReceipt| verify_receipt(receipt, &order, RESULT, &backend.public_key());
    verify(&good).unwrap();
    let changes: Vec<Change<BackendReceipt>> = vec![
        ("v", |r| r.v = 0),
        ("order", |r| r.order = Hash([0; 32])),
        ("result", |r| r.result = Hash([0; 32])),
        ("backend", |r| r.backend.push('x')),
        ("backend without end", |r| r.backend = "x".repeat(1000)),
        ("tokens in", |r| r.tokens.0 += 1),
        ("tokens out", |r| r.tokens.1 += 1),
        ("tokens swapped", |r| r.tokens = (r.tokens.1, r.tokens.0)),
        ("duration", |r| r.duration_ms += 1),
        ("key", |r| r.key = "00".repeat(32)),
        ("signature", |r| r.signature = r.signature.to_uppercase()),
    ];
    for (name, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert!(verify(&changed).is_err(), "{name}");
    }
    let other = self::order();
    let said = verify_receipt(&good, &other, RESULT, &backend.public_key());
    assert_eq!(said, Err(WorkFault::OtherOrder));
    let said = verify_receipt(&good, &order, b"else", &backend.public_key());
    assert_eq!(said, Err(WorkFault::OtherBytes { what: "receipt" }));
    let said = verify_receipt(&good, &order, RESULT, &key(1).public_key());
    assert_eq!(said, Err(WorkFault::OtherKey { what: "receipt" }));
}
