//! Work orders and backend receipts: canonical bytes, signatures, expiry and replay.
//!
//! Canonical bytes are binary and length-prefixed, numbers big-endian, with one spelling per value:
//! - order: `"hinet/work-order\0" ‖ v:u32 ‖ nonce[32] ‖ kind:u8 ‖ anchor[32] ‖ n:u32 ‖ delta[32]·n ‖ payload[32] ‖
//!   (0 | 1 ‖ grant[16]) ‖ issued:i64 ‖ expires:i64 ‖ device[32]`, signed by the device;
//! - receipt: `"hinet/backend-receipt\0" ‖ v:u32 ‖ order[32] ‖ result[32] ‖ len:u32 ‖ backend ‖ in:u64 ‖ out:u64 ‖
//!   duration:u64 ‖ key[32]`, signed by the backend; `order` is BLAKE3 of the order's bytes and its signature.

use std::collections::BTreeMap;

use hinet_protocol::{BackendReceipt, GrantId, Hash, Millis, WorkKind, WorkOrder};
use serde::{Deserialize, Serialize};

use crate::permit::digest;
use crate::{Signer, hex, signature_holds};

/// Version of both schemas that this program writes and reads.
pub const WORK_VERSION: u32 = 1;
/// An order may be started for at most a day, so that the nonces to remember stay few.
pub const ORDER_LIFETIME_MS_MAX: i64 = 24 * 60 * 60 * 1000;
/// Clocks of two machines may differ by this much.
pub const CLOCK_SKEW_MS_MAX: i64 = 5 * 60 * 1000;
/// Deltas one order may name.
pub const DELTAS_MAX: usize = 1024;
/// Orders of one day that are remembered; beyond them new ones are refused rather than old ones forgotten.
pub const SEEN_ORDERS_MAX: usize = 4096;

const ORDER_DOMAIN: &[u8] = b"hinet/work-order\0";
const RECEIPT_DOMAIN: &[u8] = b"hinet/backend-receipt\0";
const BACKEND_BYTES_MAX: usize = 256;

/// What is wrong with an order or a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkFault {
    /// A version this program does not know.
    #[error("the {what} has version {found}, and this program knows version {WORK_VERSION}")]
    Version {
        /// `order` or `receipt`.
        what: &'static str,
        /// Its version.
        found: u32,
    },
    /// A key or signature is not hex of the right length.
    #[error("the {field} of the {what} is not lower-case hex of the right length")]
    NotHex {
        /// `order` or `receipt`.
        what: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A list or text is too long.
    #[error("the {field} of the {what} is too long")]
    TooLong {
        /// `order` or `receipt`.
        what: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// Signed by another key than the one that is trusted.
    #[error("the {what} is signed by another key than the expected one")]
    OtherKey {
        /// `order` or `receipt`.
        what: &'static str,
    },
    /// The signature does not hold.
    #[error("the signature of the {what} does not hold")]
    Signature {
        /// `order` or `receipt`.
        what: &'static str,
    },
    /// The payload is not the one that was ordered, or the result not the one that is receipted.
    #[error("the {what} is for other bytes than these")]
    OtherBytes {
        /// `order` or `receipt`.
        what: &'static str,
    },
    /// The order may no longer be started.
    #[error("the order has expired")]
    Expired,
    /// The order is from the future.
    #[error("the order was issued in the future; one of the two clocks is wrong")]
    FromTheFuture,
    /// The order is valid for too long or for no time.
    #[error("an order may be valid for up to a day, and this one is not")]
    Lifetime,
    /// The order was seen before.
    #[error("the order was started before; it is not started twice")]
    Replayed,
    /// Too many orders are remembered.
    #[error("more orders came in a day than can be remembered; try again when some have expired")]
    TooMany,
    /// The receipt is for another order.
    #[error("the receipt is for another order")]
    OtherOrder,
}

/// An order as yet unsigned, with a random nonce, valid from `issued` until `expires`.
#[must_use]
pub fn draft_order(
    kind: WorkKind,
    anchor: Hash,
    deltas: Vec<Hash>,
    payload: &[u8],
    grant: Option<GrantId>,
    (issued, expires): (Millis, Millis),
) -> WorkOrder {
    WorkOrder {
        v: WORK_VERSION,
        nonce: Hash(rand::random()),
        kind,
        anchor,
        deltas,
        payload: digest(payload),
        grant,
        issued,
        expires,
        device: String::new(),
        signature: String::new(),
    }
}

/// The bytes a device signs.
///
/// # Errors
/// [`WorkFault`] where a field cannot be in an order.
pub fn order_bytes(order: &WorkOrder) -> Result<Vec<u8>, WorkFault> {
    const WHAT: &str = "order";
    if order.v != WORK_VERSION {
        return Err(WorkFault::Version { what: WHAT, found: order.v });
    }
    if order.deltas.len() > DELTAS_MAX {
        return Err(WorkFault::TooLong { what: WHAT, field: "deltas" });
    }
    let device = key(&order.device, WHAT, "device")?;
    let mut bytes = ORDER_DOMAIN.to_vec();
    bytes.extend_from_slice(&order.v.to_be_bytes());
    bytes.extend_from_slice(&order.nonce.0);
    bytes.push(match order.kind {
        WorkKind::Generate => 1,
        WorkKind::Embed => 2,
        WorkKind::Train => 3,
        WorkKind::Merge => 4,
    });
    bytes.extend_from_slice(&order.anchor.0);
    bytes.extend_from_slice(&length(order.deltas.len()));
    order.deltas.iter().for_each(|delta| bytes.extend_from_slice(&delta.0));
    bytes.extend_from_slice(&order.payload.0);
    match order.grant {
        None => bytes.push(0),
        Some(grant) => {
            bytes.push(1);
            bytes.extend_from_slice(grant.0.as_bytes());
        }
    }
    bytes.extend_from_slice(&order.issued.to_be_bytes());
    bytes.extend_from_slice(&order.expires.to_be_bytes());
    bytes.extend_from_slice(&device);
    Ok(bytes)
}

/// Signs an order as `device`.
///
/// # Errors
/// As [`order_bytes`].
pub fn sign_order(device: &impl Signer, mut order: WorkOrder) -> Result<WorkOrder, WorkFault> {
    order.device = hex::encode(&device.public_key());
    order.signature = hex::encode(&device.sign_bytes(&order_bytes(&order)?));
    Ok(order)
}

/// What a receipt names an order by: BLAKE3 of its canonical bytes and its signature.
///
/// # Errors
/// As [`order_bytes`], and where the signature is not one.
pub fn order_hash(order: &WorkOrder) -> Result<Hash, WorkFault> {
    let signature: [u8; 64] = signature(&order.signature, "order")?;
    Ok(Hash(crate::merkle::blake3(&[&order_bytes(order)?, &signature])))
}

/// Whether `device` gave this order for `payload`, and it may be started at `now`, and was not seen before.
/// The order is remembered in `seen` only when it holds.
///
/// # Errors
/// The first [`WorkFault`].
pub fn verify_order(
    order: &WorkOrder,
    device: &[u8; 32],
    payload: &[u8],
    now: Millis,
    seen: &mut SeenOrders,
) -> Result<(), WorkFault> {
    const WHAT: &str = "order";
    let bytes = order_bytes(order)?;
    if key(&order.device, WHAT, "device")? != *device {
        return Err(WorkFault::OtherKey { what: WHAT });
    }
    if !signature_holds(device, &bytes, &signature(&order.signature, WHAT)?) {
        return Err(WorkFault::Signature { what: WHAT });
    }
    if digest(payload) != order.payload {
        return Err(WorkFault::OtherBytes { what: WHAT });
    }
    let lifetime = order.expires.saturating_sub(order.issued);
    if lifetime <= 0 || lifetime > ORDER_LIFETIME_MS_MAX {
        return Err(WorkFault::Lifetime);
    }
    if order.issued > now.saturating_add(CLOCK_SKEW_MS_MAX) {
        return Err(WorkFault::FromTheFuture);
    }
    seen.admit(order.nonce, order.expires, now)
}

/// The bytes a backend signs.
///
/// # Errors
/// [`WorkFault`] where a field cannot be in a receipt.
pub fn receipt_bytes(receipt: &BackendReceipt) -> Result<Vec<u8>, WorkFault> {
    const WHAT: &str = "receipt";
    if receipt.v != WORK_VERSION {
        return Err(WorkFault::Version { what: WHAT, found: receipt.v });
    }
    if receipt.backend.len() > BACKEND_BYTES_MAX {
        return Err(WorkFault::TooLong { what: WHAT, field: "backend" });
    }
    let key = key(&receipt.key, WHAT, "key")?;
    let mut bytes = RECEIPT_DOMAIN.to_vec();
    bytes.extend_from_slice(&receipt.v.to_be_bytes());
    bytes.extend_from_slice(&receipt.order.0);
    bytes.extend_from_slice(&receipt.result.0);
    bytes.extend_from_slice(&length(receipt.backend.len()));
    bytes.extend_from_slice(receipt.backend.as_bytes());
    bytes.extend_from_slice(&receipt.tokens.0.to_be_bytes());
    bytes.extend_from_slice(&receipt.tokens.1.to_be_bytes());
    bytes.extend_from_slice(&receipt.duration_ms.to_be_bytes());
    bytes.extend_from_slice(&key);
    Ok(bytes)
}

/// Signs a receipt for `order` and `result` as `backend`. The receipt's `v`, `order`, `result`, `key` and `signature`
/// are filled in here.
///
/// # Errors
/// As [`receipt_bytes`] and [`order_hash`].
pub fn sign_receipt(
    backend: &impl Signer,
    name: &str,
    order: &WorkOrder,
    result: &[u8],
    tokens: (u64, u64),
    duration_ms: u64,
) -> Result<BackendReceipt, WorkFault> {
    let mut receipt = BackendReceipt {
        v: WORK_VERSION,
        order: order_hash(order)?,
        result: digest(result),
        backend: name.to_owned(),
        tokens,
        duration_ms,
        key: hex::encode(&backend.public_key()),
        signature: String::new(),
    };
    receipt.signature = hex::encode(&backend.sign_bytes(&receipt_bytes(&receipt)?));
    Ok(receipt)
}

/// Whether the backend with `backend` as its key says that `result` answers `order`.
///
/// # Errors
/// The first [`WorkFault`].
pub fn verify_receipt(
    receipt: &BackendReceipt,
    order: &WorkOrder,
    result: &[u8],
    backend: &[u8; 32],
) -> Result<(), WorkFault> {
    const WHAT: &str = "receipt";
    let bytes = receipt_bytes(receipt)?;
    if key(&receipt.key, WHAT, "key")? != *backend {
        return Err(WorkFault::OtherKey { what: WHAT });
    }
    if !signature_holds(backend, &bytes, &signature(&receipt.signature, WHAT)?) {
        return Err(WorkFault::Signature { what: WHAT });
    }
    if receipt.order != order_hash(order)? {
        return Err(WorkFault::OtherOrder);
    }
    if receipt.result != digest(result) {
        return Err(WorkFault::OtherBytes { what: WHAT });
    }
    Ok(())
}

/// The nonces of orders that were started and have not expired yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenOrders {
    /// The latest expiry among the nonces that were let go. What expired by then stays expired when the clock is set
    /// back.
    let_go: Millis,
    /// Nonce and expiry.
    nonces: BTreeMap<String, Millis>,
}

impl SeenOrders {
    /// Remembers an order that expires at `expires`.
    ///
    /// # Errors
    /// [`WorkFault::Expired`], [`WorkFault::Replayed`] or [`WorkFault::TooMany`]; nothing is remembered then.
    pub fn admit(&mut self, nonce: Hash, expires: Millis, now: Millis) -> Result<(), WorkFault> {
        if expires <= now.max(self.let_go) {
            return Err(WorkFault::Expired);
        }
        let nonce = nonce.to_string();
        if self.nonces.contains_key(&nonce) {
            return Err(WorkFault::Replayed);
        }
        let over = self.nonces.extract_if(.., |_, expires| *expires <= now);
        self.let_go = over.map(|(_, expires)| expires).fold(self.let_go, Millis::max);
        if self.nonces.len() >= SEEN_ORDERS_MAX {
            return Err(WorkFault::TooMany);
        }
        self.nonces.insert(nonce, expires);
        Ok(())
    }
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).expect("lengths are capped far below 4 GiB before they are written").to_be_bytes()
}

fn key(text: &str, what: &'static str, field: &'static str) -> Result<[u8; 32], WorkFault> {
    hex::decode(text).ok_or(WorkFault::NotHex { what, field })
}

fn signature(text: &str, what: &'static str) -> Result<[u8; 64], WorkFault> {
    hex::decode(text).ok_or(WorkFault::NotHex { what, field: "signature" })
}
