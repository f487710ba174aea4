//! The ledger as one JSON document that verifies on another machine, with the owner's public key and no vault.
//!
//! The document has one spelling: what it parses to must serialise back to the same bytes, and the device's signature
//! covers all of it. So no byte of it can be changed unnoticed, and an export with the bodies cannot be passed off as
//! one without.

use hinet_protocol::{AuditReport, Hash, Millis};
use hinet_vault::{DeviceCert, Head};
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, EntryKind, hash_of};
use crate::verify::{Fault, Leaf, Walk};
use crate::{ConsentError, Signer, hex, signature_holds};

/// Version of the document.
pub const EXPORT_VERSION: u32 = 1;
/// The largest document that is looked at: a ledger of a million entries has some 600 MB.
pub const EXPORT_BYTES_MAX: usize = 1 << 30;

const FORMAT: &str = "hinet-ledger";
const DOMAIN: &[u8] = b"hinet/ledger-export/v1\0";

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) format: String,
    pub(crate) v: u32,
    /// The owner's public identity, hex.
    pub(crate) identity: Hash,
    pub(crate) certificates: Vec<DeviceCert>,
    pub(crate) entries: Vec<ExportedEntry>,
    pub(crate) head: Head,
    /// The device's signature over BLAKE3 of this document with an empty signature, hex.
    pub(crate) signature: String,
}

/// An entry in the document; its fields are those of [`Entry`], spelt out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportedEntry {
    v: u32,
    seq: u64,
    prev: Hash,
    at: Millis,
    kind: String,
    root: Hash,
    device: Hash,
    home: Hash,
    signature: String,
    hash: Hash,
    leaves: Vec<ExportedLeaf>,
}

/// A leaf in the document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportedLeaf {
    pub(crate) commitment: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
}

impl ExportedEntry {
    pub(crate) fn new(entry: &Entry, hash: Hash, leaves: Vec<ExportedLeaf>) -> Self {
        Self {
            v: entry.v,
            seq: entry.seq,
            prev: entry.prev,
            at: entry.at,
            kind: entry.kind.word().to_owned(),
            root: entry.root,
            device: Hash(entry.device),
            home: Hash(entry.home),
            signature: hex::encode(&entry.signature),
            hash,
            leaves,
        }
    }

    /// The entry's canonical bytes, if the fields are those of one.
    fn bytes(&self) -> Option<Vec<u8>> {
        let entry = Entry {
            v: self.v,
            seq: self.seq,
            prev: self.prev,
            at: self.at,
            kind: EntryKind::from_word(&self.kind)?,
            leaves: u32::try_from(self.leaves.len()).ok()?,
            root: self.root,
            device: self.device.0,
            home: self.home.0,
            signature: hex::decode(&self.signature)?,
        };
        Some(entry.bytes())
    }
}

impl Document {
    pub(crate) fn sealed(
        identity: [u8; 32],
        certificate: DeviceCert,
        entries: Vec<ExportedEntry>,
        head: Head,
        device: &impl Signer,
    ) -> String {
        let mut document = Self {
            format: FORMAT.to_owned(),
            v: EXPORT_VERSION,
            identity: Hash(identity),
            certificates: vec![certificate],
            entries,
            head,
            signature: String::new(),
        };
        document.signature = hex::encode(&device.sign_bytes(&message(&document.text())));
        document.text()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and lists always serialise")
    }

    /// The devices that the identity vouches for.
    fn devices(&self) -> impl Iterator<Item = [u8; 32]> {
        self.certificates.iter().filter(|cert| cert.verify(&self.identity.0)).map(|cert| cert.device.0)
    }

    /// Whether one of the devices signed `text`, which is this document as it was written.
    fn signature_holds(&self, text: &str) -> bool {
        let ending = format!("\"{}\"}}", self.signature);
        let Some((signature, start)) = hex::decode(&self.signature).zip(text.strip_suffix(&ending)) else {
            return false;
        };
        let message = message(&format!("{start}\"\"}}"));
        self.devices().any(|device| signature_holds(&device, &message, &signature))
    }
}

fn message(unsigned: &str) -> Vec<u8> {
    [DOMAIN, &hash_of(unsigned.as_bytes()).0].concat()
}

/// Verifies an exported ledger. `expected` is the owner's public identity, or the public key of the device, as known
/// from elsewhere; without it the export is only shown to agree with itself.
///
/// # Errors
/// [`ConsentError::NotAnExport`] or [`ConsentError::ExportTooLong`] where there is nothing to verify. A ledger that
/// does not verify is a report that is not ok.
pub fn verify_export(json: &str, expected: Option<[u8; 32]>) -> Result<AuditReport, ConsentError> {
    if json.len() > EXPORT_BYTES_MAX {
        return Err(ConsentError::ExportTooLong { found: json.len(), max: EXPORT_BYTES_MAX });
    }
    // A file ends with a line break, and nothing else may surround the document.
    let json = json.strip_suffix('\n').unwrap_or(json);
    let document: Document = serde_json::from_str(json).map_err(|source| ConsentError::NotAnExport { source })?;
    let mut walk = Walk::begin(document.identity.0, &document.certificates);
    let fault = check(&document, json, expected, &mut walk).err();
    Ok(walk.report(fault))
}

fn check(document: &Document, json: &str, expected: Option<[u8; 32]>, walk: &mut Walk) -> Result<(), Fault> {
    if let Some(key) = expected
        && key != document.identity.0
        && !document.devices().any(|device| device == key)
    {
        return Err(Fault::OtherKey);
    }
    for exported in &document.entries {
        let bytes = exported.bytes().ok_or(Fault::Hash)?;
        let leaves = (0u32..).zip(&exported.leaves).map(|(index, leaf)| Leaf {
            index,
            commitment: leaf.commitment,
            salt: leaf.salt.map(|salt| salt.0),
            body: leaf.body.as_deref(),
        });
        walk.step(&bytes, exported.hash, leaves)?;
    }
    walk.finish(&document.head)?;
    if document.format != FORMAT || document.v != EXPORT_VERSION || document.text() != json {
        return Err(Fault::Spelling);
    }
    if !document.signature_holds(json) {
        return Err(Fault::ExportSignature);
    }
    Ok(())
}
