//! Unlocking, wrong secrets, passphrase changes, the keychain, rotation, and what files look like from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_vault::sealed::{seal, unseal};
use hinet_vault::{Evidence, Home, HomeLock, Part, Secret, Vault, VaultError, Words, attach_key_with, slot_kinds};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use testkit::{Outcome, PASSPHRASE, create, open, options, passphrase, words};

fn open_by(dir: &Path, secret: &Secret) -> Result<Vault, VaultError> {
    Vault::open_with(&Home::at(dir), secret, options())
}

fn bytes_of(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries
        .filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn words_say_which_of_them_is_wrong() {
    let all = Words::generate();
    let phrase = all.phrase();
    assert_eq!(phrase.split(' ').count(), 24);
    let again = Words::parse(&format!("  {}\n", phrase.to_uppercase().replace(' ', "  "))).unwrap();
    assert_eq!(*again.phrase(), *phrase);
    assert_eq!(again.word(23), phrase.split(' ').next_back().unwrap());
    assert_eq!(again.word(24), "");
    assert_eq!(format!("{all:?}"), "Words(…)");
    let mut typed: Vec<_> = phrase.split(' ').collect();
    typed[4] = "hinet";
    assert!(matches!(Words::parse(&typed.join(" ")), Err(VaultError::UnknownWord { position: 5 })));
    assert!(matches!(Words::parse("abandon"), Err(VaultError::WordCount { found: 1 })));
    assert!(matches!(Words::parse(&"abandon ".repeat(24)), Err(VaultError::WordsMismatch)));
    // The checksum word BIP39 gives for 32 zero bytes.
    assert_eq!(words().word(23), "art");
}

#[test]
fn a_wrong_secret_is_a_plain_error_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let before = bytes_of(dir.path());
    for (secret, sentence) in [
        (passphrase("wrong"), "the passphrase is wrong; nothing was changed"),
        (passphrase(""), "the passphrase is wrong; nothing was changed"),
        (Secret::Words(Words::generate()), "these recovery words belong to another home; nothing was changed"),
        (Secret::Keychain, "this home has no keyslot for the OS keychain"),
    ] {
        assert_eq!(open_by(dir.path(), &secret).unwrap_err().to_string(), sentence);
    }
    assert_eq!(bytes_of(dir.path()), before);
    let nowhere = tempfile::tempdir().unwrap();
    assert!(matches!(open(nowhere.path()), Err(VaultError::NoHome { .. })));
    assert!(!Home::at(nowhere.path()).exists());
}

#[test]
fn the_attach_key_is_the_same_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let home = Home::at(dir.path());
    for secret in [passphrase(PASSPHRASE), Secret::Words(words())] {
        assert_eq!(attach_key_with(&home, &secret, &options()).unwrap(), vault.attach_key());
    }
    assert!(attach_key_with(&home, &passphrase("no"), &options()).is_err());
    assert_ne!(vault.derive_key("index"), vault.derive_key("other"));
    let message = b"challenge";
    let signature = vault.device().sign(message);
    assert!(hinet_vault::verify_signature(&vault.device().public(), message, &signature));
    assert!(!hinet_vault::verify_signature(&vault.identity(), message, &signature));
    assert!(vault.device().certificate().verify(&vault.identity()));
}

#[test]
fn the_passphrase_changes() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    assert!(matches!(vault.change_passphrase(""), Err(VaultError::EmptyPassphrase)));
    vault.change_passphrase("fresh").unwrap();
    vault.write(|tx| -> Outcome { tx.set_meta("a", "b") }).unwrap();
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
    drop(vault);
    assert!(matches!(open(dir.path()), Err(VaultError::WrongPassphrase)));
    let vault = open_by(dir.path(), &passphrase("fresh")).unwrap();
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("a") }).unwrap().as_deref(), Some("b"));
    drop(vault);
    open_by(dir.path(), &Secret::Words(words())).unwrap();
}

#[test]
fn the_keychain_comes_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    let vault = Vault::create_with(&home, "Ada", &words(), &[Secret::Keychain], 1, options()).unwrap();
    assert!(slot_kinds(&home).unwrap().keychain && !slot_kinds(&home).unwrap().passphrase);
    drop(vault);
    let vault = open_by(dir.path(), &Secret::Keychain).unwrap();
    vault.rotate_keys().unwrap();
    drop(vault);
    let vault = open_by(dir.path(), &Secret::Keychain).unwrap();
    vault.set_keychain(false).unwrap();
    assert!(!slot_kinds(&home).unwrap().keychain);
    drop(vault);
    assert!(matches!(open_by(dir.path(), &Secret::Keychain), Err(VaultError::NoSlot { .. })));
    let vault = open_by(dir.path(), &Secret::Words(words())).unwrap();
    vault.set_keychain(true).unwrap();
    drop(vault);
    open_by(dir.path(), &Secret::Keychain).unwrap();
}

#[test]
fn rotation_changes_the_keys_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    vault.write(|tx| -> Outcome { tx.set_meta("kept", "yes") }).unwrap();
    vault.read(|r| -> Outcome<_> { r.meta("kept") }).unwrap();
    let (attach, derived, old) = (vault.attach_key(), vault.derive_key("names"), vault.seal_key("index"));
    let sealed = seal(&old, "segment", b"older than the rotation");
    let old_slots = fs::read(Home::at(dir.path()).keyslots()).unwrap();
    let old_db = fs::read(Home::at(dir.path()).db()).unwrap();
    vault.rotate_keys().unwrap();
    assert_ne!(vault.attach_key(), attach);
    assert_eq!(vault.derive_key("names"), derived, "what names were hashed with lasts");
    let new = vault.seal_key("index");
    assert_eq!(unseal(&new, "segment", &sealed).unwrap(), b"older than the rotation");
    let resealed = seal(&new, "segment", b"x");
    assert!(unseal(&old, "segment", &resealed).is_err());
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("kept") }).unwrap().as_deref(), Some("yes"));
    vault.write(|tx| -> Outcome { tx.set_meta("after", "too") }).unwrap();
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
    drop(vault);
    assert_ne!(fs::read(Home::at(dir.path()).db()).unwrap()[4096..8192], old_db[4096..8192]);
    let vault = open(dir.path()).unwrap();
    assert!(vault.notices().is_empty(), "{:?}", vault.notices());
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("after") }).unwrap().as_deref(), Some("too"));
    drop(vault);
    // The keyslots of before the rotation, with a secret that still is right, open nothing of now.
    fs::write(Home::at(dir.path()).keyslots(), &old_slots).unwrap();
    fs::write(Home::at(dir.path()).keyslots_copy(), &old_slots).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, VaultError::Tampered { what: Evidence::KeyslotsOld { .. } }), "{error}");
}

#[test]
fn rotation_waits_for_readers_and_they_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    vault.write(|tx| -> Outcome { tx.set_meta("n", "0") }).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let nested = vault.read(|r| -> Outcome<_> {
                        assert!(r.meta("n")?.is_some());
                        vault.read(|inner| -> Outcome<_> { inner.meta("n") })
                    });
                    assert!(nested.unwrap().is_some());
                }
            });
            scope.spawn(|| {
                for n in 0..15 {
                    let n = n.to_string();
                    vault
                        .read(|r| -> Outcome {
                            r.meta("n")?;
                            vault.write(|tx| -> Outcome { tx.set_meta("n", &n) })
                        })
                        .unwrap();
                    vault
                        .write(|tx| -> Outcome {
                            tx.set_meta("m", &n)?;
                            vault.read(|r| -> Outcome { r.meta("n").map(drop) })
                        })
                        .unwrap();
                }
            });
        }
        for _ in 0..3 {
            vault.rotate_keys().unwrap();
            vault.scrub().unwrap();
        }
    });
}

#[test]
fn damage_is_not_called_a_wrong_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let home = Home::at(dir.path());
    for path in [home.keyslots(), home.keyslots_copy()] {
        let mut bytes = fs::read(&path).unwrap();
        let at = String::from_utf8_lossy(&bytes).find("\"data\":\"").unwrap() + 12;
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    assert!(matches!(open(dir.path()), Err(VaultError::Damaged { part: Part::Keyslots })));
    assert!(matches!(slot_kinds(&home), Err(VaultError::Damaged { part: Part::Keyslots })));
    for path in [home.keyslots(), home.keyslots_copy()] {
        fs::write(path, "{}").unwrap();
    }
    assert!(matches!(open(dir.path()), Err(VaultError::Damaged { part: Part::Keyslots })));
}

#[test]
fn a_second_process_is_told_who_has_the_home() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("deeper/home"));
    let lock = HomeLock::take(&home).unwrap();
    // A lock of its own file handle stands for another process: locks belong to handles.
    match HomeLock::take(&home) {
        Err(VaultError::Busy { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    assert!(!home.exists());
    drop(lock);
    HomeLock::take(&home).unwrap();
}

#[test]
fn files_are_the_owners_alone_and_show_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home"));
    let vault =
        Vault::create_with(&home, "Ada Lovelace", &words(), &[passphrase(PASSPHRASE)], 1000, options()).unwrap();
    let sentence = "the treasure lies under the oak";
    vault.write(|tx| -> Outcome { tx.set_meta("secret", sentence) }).unwrap();
    assert_eq!(fs::metadata(home.dir()).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(home.dir()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        let bytes = fs::read(&path).unwrap();
        for needle in [sentence, "Ada Lovelace", PASSPHRASE, "SQLite format", "abandon"] {
            assert!(!bytes.windows(needle.len()).any(|w| w == needle.as_bytes()), "{needle} in {}", path.display());
        }
    }
    let debug = format!("{vault:?} {:?} {:?}", passphrase(PASSPHRASE), vault.seal_key("x"));
    assert!(!debug.contains(PASSPHRASE), "{debug}");
}

#[test]
fn the_default_cost_unlocks_too() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    drop(Vault::create(&home, "Ada", &words(), &[passphrase(PASSPHRASE)], 1).unwrap());
    assert!(fs::read_to_string(home.keyslots()).unwrap().contains("\"memory_kib\":65536,\"passes\":3"));
    Vault::open(&home, &passphrase(PASSPHRASE)).unwrap();
}
