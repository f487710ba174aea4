//! Key derivation, the owner's identity and this device's signing key.
//!
//! Every label is fixed by a golden test: changing one would orphan every home. The identity's secret exists only
//! while words are at hand; what is stored is the device's own key and the certificate the identity gave it.

use crate::hex;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hinet_protocol::{Hash, Millis};
use hkdf::Hkdf;
use rand::TryRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

const WORDS_SALT: &[u8] = b"hinet/words/v1";
const IDENTITY: &str = "hinet/identity/v1";
const WORDS_KEK: &str = "hinet/kek/words/v1";
const DEVICE_CERT: &[u8] = b"hinet/device-cert/v1";

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).expect("the operating system has a source of randomness");
    bytes
}

/// HKDF-SHA256 of a key for one purpose.
pub(crate) fn derive(key: &[u8], salt: Option<&[u8]>, label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(salt, key).expand(label.as_bytes(), out.as_mut()).expect("32 bytes are within HKDF's reach");
    out
}

/// The identity and the key-encryption key that the words' entropy gives.
pub(crate) fn from_words(entropy: &[u8; 32]) -> (SigningKey, Key) {
    let identity = SigningKey::from_bytes(&derive(entropy, Some(WORDS_SALT), IDENTITY));
    (identity, Key(derive(entropy, Some(WORDS_SALT), WORDS_KEK)))
}

/// A 32-byte secret, wiped when dropped, written as hex inside sealed bundles and shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) Zeroizing<[u8; 32]>);

impl Key {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(random()))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        derive(self.bytes(), None, label)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&hex::Digits(self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(d)?);
        let key = hex::decode(&text).map(|key| Self(Zeroizing::new(key)));
        key.ok_or_else(|| serde::de::Error::custom("not a key"))
    }
}

/// A device's public key, vouched for by the owner's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceCert {
    /// Schema version, 1.
    pub v: u32,
    /// The device's Ed25519 public key.
    pub device: Hash,
    /// The owner's Ed25519 public key.
    pub identity: Hash,
    /// When it was given.
    pub created: Millis,
    /// The identity's signature over all of the above, hex.
    pub signature: String,
}

impl DeviceCert {
    fn message(device: &Hash, identity: &Hash, created: Millis) -> Vec<u8> {
        [DEVICE_CERT, &device.0, &identity.0, &created.to_be_bytes()].concat()
    }

    fn issue(identity: &SigningKey, device: [u8; 32], created: Millis) -> Self {
        let (device, owner) = (Hash(device), Hash(identity.verifying_key().to_bytes()));
        let signature = hex::encode(&identity.sign(&Self::message(&device, &owner, created)).to_bytes());
        Self { v: 1, device, identity: owner, created, signature }
    }

    /// Whether `identity` signed exactly this.
    #[must_use]
    pub fn verify(&self, identity: &[u8; 32]) -> bool {
        let Some(signature) = hex::decode(&self.signature) else {
            return false;
        };
        let message = Self::message(&self.device, &self.identity, self.created);
        self.v == 1 && self.identity.0 == *identity && verify_signature(identity, &message, &signature)
    }
}

/// This device's own signing key, certified by the identity.
pub struct DeviceKey {
    signing: SigningKey,
    certificate: DeviceCert,
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceKey").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl DeviceKey {
    /// A new key of this device; gives its seed for the bundle.
    pub(crate) fn issue(identity: &SigningKey, now: Millis) -> (Key, DeviceCert) {
        let seed = Key::random();
        let public = SigningKey::from_bytes(seed.bytes()).verifying_key().to_bytes();
        (seed, DeviceCert::issue(identity, public, now))
    }

    /// The key of a seed, if the certificate is for it.
    pub(crate) fn from_seed(seed: &Key, certificate: DeviceCert, identity: &[u8; 32]) -> Option<Self> {
        let signing = SigningKey::from_bytes(seed.bytes());
        let fits = certificate.device.0 == signing.verifying_key().to_bytes() && certificate.verify(identity);
        fits.then_some(Self { signing, certificate })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.certificate.device.0
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// The identity's certificate for this key.
    #[must_use]
    pub fn certificate(&self) -> &DeviceCert {
        &self.certificate
    }
}

/// Whether `signature` is the Ed25519 signature of `message` by `public`; weak keys and malleable forms are refused.
#[must_use]
pub fn verify_signature(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden, computed apart from this code (HMAC by hand, OpenSSL for the curve): what every existing home was made
    /// with.
    #[test]
    fn words_give_the_same_identity_and_key_for_ever() {
        let (identity, kek) = from_words(&[7; 32]);
        assert_eq!(
            hex::encode(&identity.verifying_key().to_bytes()),
            "05c222a9ec4a7e72a566671f9f9d950dfed3153d35444966dccd84ff353d3dc9"
        );
        assert_eq!(hex::encode(kek.bytes()), "378509fa9890b1d6165578698c604952d90d056fe88d6cc600d24a886ed33d5a");
        let key = Key(Zeroizing::new([9; 32]));
        assert_eq!(
            hex::encode(key.derive("hinet/attach/v1").as_ref()),
            "b2f57631e6ba914138d5b063026a7d5080ca8130c623df2c0a489212645bf085"
        );
        assert_eq!(
            hex::encode(key.derive("hinet/derived/v1/index").as_ref()),
            "045a88de5e4f46939f42b88333ca2241d90c9cddd486dcd055ccf706a0f55367"
        );
        assert_eq!(
            hex::encode(key.derive("hinet/derived/v1/lasting/index").as_ref()),
            "3ff4fb0fa502ad518b158f952432f53064402d8c8767db8f64acba485cac7b05"
        );
    }

    #[test]
    fn a_certificate_holds_for_one_device_one_identity_and_one_time() {
        let identity = SigningKey::from_bytes(&[1; 32]);
        let (seed, cert) = DeviceKey::issue(&identity, 5);
        let owner = identity.verifying_key().to_bytes();
        assert!(cert.verify(&owner));
        assert!(DeviceKey::from_seed(&seed, cert.clone(), &owner).is_some());
        assert!(DeviceKey::from_seed(&Key::random(), cert.clone(), &owner).is_none());
        assert!(!DeviceCert { created: 6, ..cert.clone() }.verify(&owner));
        assert!(!DeviceCert { device: Hash([3; 32]), ..cert.clone() }.verify(&owner));
        assert!(!cert.verify(&[0; 32]));
    }
}
