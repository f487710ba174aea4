//! `keyslots.json`: the master key, wrapped once for every way of unlocking, and under it the bundle of real keys.
//!
//! Three layers keep it honest. A plain BLAKE3 checksum at the end tells damage from a wrong secret. A MAC keyed from
//! the master key covers everything before it. A counter, also recorded in the database and in the signed head, tells
//! an old file from the last one. A second copy beside it heals a damaged first one.
//!
//! The bundle holds each slot's key-encryption key too, so that a rotation can wrap a new master key for slots whose
//! secret is not at hand. Whoever can read the bundle has every other key already.

use crate::hex;
use crate::home::Home;
use crate::keychain::{self, Keychain};
use crate::keys::{DeviceCert, DeviceKey, Key, from_words, random};
use crate::{Evidence, Part, Secret, VaultError, Words, file};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hinet_protocol::{Hash, Millis};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: u32 = 1;
/// A file with a few slots is about 3 KiB.
const FILE_CAP: u64 = 1 << 20;
const CHECKSUM_HEAD: &str = ",\"checksum\":\"";
const CHECKSUM_TAIL: &str = "\"}\n";
const TAIL_LEN: usize = CHECKSUM_HEAD.len() + 64 + CHECKSUM_TAIL.len();
const MAC_LABEL: &str = "hinet/keyslots-mac/v1";
const BUNDLE_LABEL: &str = "hinet/bundle/v1";

/// What Argon2id is made to cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PassphraseCost {
    /// 64 MiB and three passes: RFC 9106's second recommendation, a fraction of a second on a laptop.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3 }
    }
}

impl PassphraseCost {
    /// The cheapest that still is Argon2id. For tests only: it protects nothing.
    #[must_use]
    pub fn for_tests() -> Self {
        Self { memory_kib: 8, passes: 1 }
    }

    /// What a stored slot may ask for; a forged file must not make unlocking eat the machine.
    fn accepted(self) -> bool {
        (8..=4 * 1024 * 1024).contains(&self.memory_kib) && (1..=64).contains(&self.passes)
    }

    fn key(self, passphrase: &str, salt: &[u8]) -> Result<Key, VaultError> {
        let refused = || VaultError::PassphraseCost { memory_kib: self.memory_kib, passes: self.passes };
        if !self.accepted() {
            return Err(refused());
        }
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32)).map_err(|_| refused())?;
        let mut out = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, out.as_mut())
            .map_err(|_| refused())?;
        Ok(Key(out))
    }
}

/// An AEAD box in JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedBox {
    nonce: String,
    data: String,
}

impl SealedBox {
    fn close(key: &[u8; 32], aad: &str, plain: &[u8]) -> Self {
        let nonce: [u8; 24] = random();
        let payload = Payload { msg: plain, aad: aad.as_bytes() };
        let data = XChaCha20Poly1305::new(key.into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a few kilobytes are within XChaCha20-Poly1305's reach");
        Self { nonce: hex::encode(&nonce), data: hex::encode(&data) }
    }

    fn open(&self, key: &[u8; 32], aad: &str) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; 24] = hex::decode(&self.nonce)?;
        let data = hex::decode_all(&self.data)?;
        let payload = Payload { msg: &data, aad: aad.as_bytes() };
        XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(nonce), payload).ok().map(Zeroizing::new)
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Slot {
    Words { key: SealedBox },
    Passphrase { memory_kib: u32, passes: u32, salt: String, key: SealedBox },
    Keychain { key: SealedBox },
}

/// A key and how many came before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versioned {
    pub(crate) version: u32,
    pub(crate) key: Key,
}

impl Versioned {
    pub(crate) fn first() -> Self {
        Self { version: 1, key: Key::random() }
    }

    pub(crate) fn next(&self) -> Self {
        Self { version: self.version + 1, key: Key::random() }
    }
}

/// The real keys.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Bundle {
    v: u32,
    /// The database key; while a rotation is under way, the current and the next.
    pub(crate) database: Vec<Versioned>,
    /// Every sealing key so far, newest last.
    pub(crate) sealing: Vec<Versioned>,
    /// For encrypted copies elsewhere.
    pub(crate) replica: Versioned,
    pub(crate) device: Key,
    pub(crate) certificate: DeviceCert,
    words_kek: Key,
    passphrase_kek: Option<Key>,
    keychain_kek: Option<Key>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    home: String,
    identity: Hash,
    counter: u64,
    slots: Vec<Slot>,
    bundle: SealedBox,
    mac: Hash,
}

/// A keyslots file whose checksum was right; nothing in it is believed before [`SlotFile::unlock`].
#[derive(Clone)]
pub(crate) struct SlotFile {
    body: Body,
}

/// An unlocked keyslots file.
#[derive(Clone)]
pub(crate) struct Keyring {
    file: SlotFile,
    master: Key,
    pub(crate) bundle: Bundle,
}

enum Unusable {
    Missing,
    Damaged,
    Newer(u32),
}

/// What was on disk.
pub(crate) struct Loaded {
    pub(crate) file: SlotFile,
    /// What was wrong with one of the two copies.
    pub(crate) notice: Option<&'static str>,
}

impl SlotFile {
    fn parse(bytes: Option<Vec<u8>>) -> Result<Self, Unusable> {
        let bytes = bytes.ok_or(Unusable::Missing)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Unusable::Damaged)?;
        let (body, tail) =
            text.len().checked_sub(TAIL_LEN).and_then(|at| text.split_at_checked(at)).ok_or(Unusable::Damaged)?;
        let sum = blake3::hash(body.as_bytes()).to_hex();
        if tail != format!("{CHECKSUM_HEAD}{sum}{CHECKSUM_TAIL}") {
            return Err(Unusable::Damaged);
        }
        let json = format!("{body}}}");
        #[derive(Deserialize)]
        struct Dated {
            v: u32,
        }
        let Dated { v } = serde_json::from_str(&json).map_err(|_| Unusable::Damaged)?;
        if v > VERSION {
            return Err(Unusable::Newer(v));
        }
        serde_json::from_str(&json).map(|body| Self { body }).map_err(|_| Unusable::Damaged)
    }

    fn json(&self) -> String {
        serde_json::to_string(&self.body).expect("strings and numbers serialise")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = self.json();
        text.pop();
        let sum = blake3::hash(text.as_bytes()).to_hex();
        format!("{text}{CHECKSUM_HEAD}{sum}{CHECKSUM_TAIL}").into_bytes()
    }

    /// Reads the file or, where it is damaged, its copy.
    pub(crate) fn load(home: &Home) -> Result<Loaded, VaultError> {
        let first = Self::parse(file::read_small(&home.keyslots(), FILE_CAP)?);
        let copy = Self::parse(file::read_small(&home.keyslots_copy(), FILE_CAP)?);
        match (first, copy) {
            (Err(Unusable::Newer(found)), _) | (Err(_), Err(Unusable::Newer(found))) => {
                Err(VaultError::Newer { what: "the keyslots file", found, known: VERSION })
            }
            (Ok(file), Ok(copy)) if copy.body.counter > file.body.counter => {
                // The copy is always written second, so a first file behind it was put back.
                Err(Evidence::KeyslotsOld { file: file.body.counter, recorded: copy.body.counter }.into())
            }
            (Ok(file), Ok(copy)) => {
                let notice =
                    (file.bytes() != copy.bytes()).then_some("the copy of the keyslots file was not up to date");
                Ok(Loaded { file, notice })
            }
            (Ok(file), Err(_)) => {
                Ok(Loaded { file, notice: Some("the copy of the keyslots file was damaged or missing") })
            }
            (Err(_), Ok(file)) => Ok(Loaded { file, notice: Some("the keyslots file was damaged or missing") }),
            (Err(Unusable::Missing), Err(Unusable::Missing)) if home.db().exists() && !home.cradle().exists() => {
                Err(Evidence::KeyslotsMissing.into())
            }
            (Err(Unusable::Missing), Err(Unusable::Missing)) => Err(VaultError::NoHome { path: home.dir().to_owned() }),
            _ => Err(Part::Keyslots.into()),
        }
    }

    /// Which ways of unlocking there are besides the words: passphrase, keychain.
    pub(crate) fn kinds(&self) -> (bool, bool) {
        let has = |f: fn(&Slot) -> bool| self.body.slots.iter().any(f);
        (has(|slot| matches!(slot, Slot::Passphrase { .. })), has(|slot| matches!(slot, Slot::Keychain { .. })))
    }

    pub(crate) fn home(&self) -> &str {
        &self.body.home
    }

    pub(crate) fn identity(&self) -> [u8; 32] {
        self.body.identity.0
    }

    pub(crate) fn counter(&self) -> u64 {
        self.body.counter
    }

    fn wrap_aad(&self, kind: &str) -> String {
        format!("hinet/keyslot/v1/{}/{kind}", self.body.home)
    }

    fn master(&self, secret: &Secret, keychain: &dyn Keychain) -> Result<Key, VaultError> {
        let unwrap = |sealed: &SealedBox, kek: &Key, kind: &str| {
            let bytes = sealed.open(kek.bytes(), &self.wrap_aad(kind))?;
            Some(Key(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
        };
        match secret {
            Secret::Words(words) => {
                let (_, kek) = from_words(&words.entropy());
                let slot = self.body.slots.iter().find_map(|slot| match slot {
                    Slot::Words { key } => Some(key),
                    _ => None,
                });
                let slot = slot.ok_or(VaultError::NoSlot { kind: "recovery words" })?;
                unwrap(slot, &kek, "words").ok_or(VaultError::WrongWords)
            }
            Secret::Passphrase(passphrase) => {
                let slot = self.body.slots.iter().find_map(|slot| match slot {
                    Slot::Passphrase { memory_kib, passes, salt, key } => {
                        Some((PassphraseCost { memory_kib: *memory_kib, passes: *passes }, salt, key))
                    }
                    _ => None,
                });
                let (cost, salt, sealed) = slot.ok_or(VaultError::NoSlot { kind: "a passphrase" })?;
                let salt = hex::decode_all(salt).ok_or(Part::Keyslots)?;
                unwrap(sealed, &cost.key(passphrase, &salt)?, "passphrase").ok_or(VaultError::WrongPassphrase)
            }
            Secret::Keychain => {
                let slot = self.body.slots.iter().find_map(|slot| match slot {
                    Slot::Keychain { key } => Some(key),
                    _ => None,
                });
                let slot = slot.ok_or(VaultError::NoSlot { kind: "the OS keychain" })?;
                let kek = keychain::fetch(keychain, &self.body.home)?;
                unwrap(slot, &kek, "keychain").ok_or(VaultError::WrongKeychain)
            }
        }
    }

    fn mac(&self, master: &Key) -> Hmac<Sha256> {
        let unsigned = Self { body: Body { mac: Hash::default(), ..self.body.clone() } };
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(master.derive(MAC_LABEL).as_ref())
            .expect("HMAC takes a key of any length");
        mac.update(unsigned.json().as_bytes());
        mac
    }

    /// Opens everything with one secret. Changes nothing.
    pub(crate) fn unlock(self, secret: &Secret, keychain: &dyn Keychain) -> Result<Keyring, VaultError> {
        let master = self.master(secret, keychain)?;
        if self.mac(&master).verify_slice(&self.body.mac.0).is_err() {
            return Err(Evidence::KeyslotsForged.into());
        }
        let aad = format!("{BUNDLE_LABEL}/{}", self.body.home);
        let plain = self.body.bundle.open(&master.derive(BUNDLE_LABEL), &aad).ok_or(Part::Bundle)?;
        let bundle: Bundle = serde_json::from_slice(&plain).map_err(|_| Part::Bundle)?;
        if bundle.v > VERSION {
            return Err(VaultError::Newer { what: "the bundle of keys", found: bundle.v, known: VERSION });
        }
        if bundle.database.is_empty() || bundle.sealing.is_empty() {
            return Err(Part::Bundle.into());
        }
        Ok(Keyring { file: self, master, bundle })
    }
}

impl Keyring {
    /// All new keys for a new home, with the words' slot.
    pub(crate) fn create(words: &Words, now: Millis) -> Self {
        let (identity, words_kek) = from_words(&words.entropy());
        let (device, certificate) = DeviceKey::issue(&identity, now);
        let body = Body {
            v: VERSION,
            home: hex::encode(&random::<16>()),
            identity: Hash(identity.verifying_key().to_bytes()),
            counter: 0,
            slots: Vec::new(),
            bundle: SealedBox { nonce: String::new(), data: String::new() },
            mac: Hash::default(),
        };
        let mut ring = Self {
            file: SlotFile { body },
            master: Key::random(),
            bundle: Bundle {
                v: VERSION,
                database: vec![Versioned::first()],
                sealing: vec![Versioned::first()],
                replica: Versioned::first(),
                device,
                certificate,
                words_kek,
                passphrase_kek: None,
                keychain_kek: None,
            },
        };
        ring.put_slot(|key| Slot::Words { key }, "words", &ring.bundle.words_kek.clone());
        ring
    }

    pub(crate) fn file(&self) -> &SlotFile {
        &self.file
    }

    pub(crate) fn master(&self) -> &Key {
        &self.master
    }

    fn put_slot(&mut self, make: impl FnOnce(SealedBox) -> Slot, kind: &str, kek: &Key) {
        let slot = make(SealedBox::close(kek.bytes(), &self.file.wrap_aad(kind), self.master.bytes()));
        let same = |other: &Slot| std::mem::discriminant(other) == std::mem::discriminant(&slot);
        match self.file.body.slots.iter().position(same) {
            Some(at) => self.file.body.slots[at] = slot,
            None => self.file.body.slots.push(slot),
        }
    }

    /// Sets or replaces the passphrase.
    pub(crate) fn set_passphrase(&mut self, passphrase: &str, cost: PassphraseCost) -> Result<(), VaultError> {
        if passphrase.is_empty() {
            return Err(VaultError::EmptyPassphrase);
        }
        let salt: [u8; 16] = random();
        let kek = cost.key(passphrase, &salt)?;
        self.put_passphrase(cost, hex::encode(&salt), &kek);
        self.bundle.passphrase_kek = Some(kek);
        Ok(())
    }

    fn put_passphrase(&mut self, cost: PassphraseCost, salt: String, kek: &Key) {
        let PassphraseCost { memory_kib, passes } = cost;
        self.put_slot(|key| Slot::Passphrase { memory_kib, passes, salt, key }, "passphrase", kek);
    }

    /// Adds a keychain slot; gives the key the keychain must hold before the file is saved.
    pub(crate) fn add_keychain(&mut self) -> Key {
        let kek = Key::random();
        self.put_slot(|key| Slot::Keychain { key }, "keychain", &kek);
        self.bundle.keychain_kek = Some(kek.clone());
        kek
    }

    pub(crate) fn remove_keychain(&mut self) {
        self.file.body.slots.retain(|slot| !matches!(slot, Slot::Keychain { .. }));
        self.bundle.keychain_kek = None;
    }

    /// A new master key, wrapped for every slot there is. What an old copy of the file gives away ends here.
    pub(crate) fn renew_master(&mut self) {
        self.master = Key::random();
        let words = self.bundle.words_kek.clone();
        self.put_slot(|key| Slot::Words { key }, "words", &words);
        if let Some(kek) = self.bundle.keychain_kek.clone() {
            self.put_slot(|key| Slot::Keychain { key }, "keychain", &kek);
        }
        let passphrase = self.file.body.slots.iter().find_map(|slot| match slot {
            Slot::Passphrase { memory_kib, passes, salt, .. } => {
                Some((PassphraseCost { memory_kib: *memory_kib, passes: *passes }, salt.clone()))
            }
            _ => None,
        });
        if let (Some((cost, salt)), Some(kek)) = (passphrase, self.bundle.passphrase_kek.clone()) {
            self.put_passphrase(cost, salt, &kek);
        }
    }

    /// Counts up and seals the bundle, ready to be written.
    fn finish(&mut self) {
        // Room for a large bundle, so that no half-written copy of keys is left behind by a reallocation.
        let mut plain = Zeroizing::new(Vec::with_capacity(64 * 1024));
        serde_json::to_writer(&mut *plain, &self.bundle).expect("strings and numbers serialise");
        let aad = format!("{BUNDLE_LABEL}/{}", self.file.body.home);
        self.file.body.bundle = SealedBox::close(&self.master.derive(BUNDLE_LABEL), &aad, &plain);
        self.file.body.counter += 1;
        let mac = self.file.mac(&self.master).finalize().into_bytes();
        self.file.body.mac = Hash(mac.into());
    }

    /// Writes the file and then its copy, each whole or not at all.
    pub(crate) fn save(&mut self, home: &Home) -> Result<(), VaultError> {
        self.finish();
        self.rewrite(home)
    }

    /// Writes both files again as they are.
    pub(crate) fn rewrite(&self, home: &Home) -> Result<(), VaultError> {
        let bytes = self.file.bytes();
        let copy = file::Prepared::write(&home.keyslots_copy(), &bytes)?;
        file::replace(&home.keyslots(), &bytes)?;
        copy.publish()
    }
}
