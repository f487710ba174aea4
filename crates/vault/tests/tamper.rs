//! Any single flipped bit, a cut log, an old file put back: `open` or `check` says so, by name.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{After, Hash, Role, SessionId};
use hinet_vault::records::LeafDraft;
use hinet_vault::{Evidence, Home, Secret, Vault, VaultError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{Outcome, create, item, message, options, source, whole, words};

const FILES: [&str; 5] = ["vault.db", "vault.db-wal", "keyslots.json", "keyslots.copy.json", "ledger.head"];

/// The words' slot, because it costs no Argon2.
fn open(dir: &Path) -> Result<Vault, VaultError> {
    Vault::open_with(&Home::at(dir), &Secret::Words(words()), options())
}

fn fill(vault: &Vault, from: i64, to: i64) {
    let source = source();
    vault.write(|tx| -> Outcome { tx.put_source(&source) }).unwrap();
    for n in from..to {
        let text = format!("note {n}: ") + &"the heron stands in the shallow water. ".repeat(20);
        vault
            .write(|tx| -> Outcome {
                tx.put_item(&item(source.id, &format!("/n/{n}"), &text), &whole(&text))?;
                let leaf = LeafDraft { commitment: Hash([1; 32]), item: None, salt: [2; 32], body: text.clone() };
                tx.ledger_append(b"entry", Hash([n as u8; 32]), &[leaf])?;
                let session = SessionId::new();
                tx.put_session(session, "t", n)?;
                tx.put_message(session, &message(Role::User, &text, n, None), After::Head)
            })
            .unwrap();
    }
}

fn copy_home(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in FILES {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
    let _ = fs::remove_file(to.join("vault.db-shm"));
}

/// A home after a clean end, and the same home as a crash would leave it, its log full.
fn homes(root: &Path) -> [PathBuf; 2] {
    let (clean, live) = (root.join("clean"), root.join("live"));
    let vault = create(&clean);
    fill(&vault, 0, 20);
    drop(vault);
    let vault = open(&clean).unwrap();
    fill(&vault, 20, 24);
    copy_home(&clean, &live);
    assert!(fs::metadata(live.join("vault.db-wal")).unwrap().len() > 0);
    drop(vault);
    assert!(!clean.join("vault.db-wal").exists(), "a clean end leaves no log");
    [clean, live]
}

/// What open() and check() say about a home; empty where they find nothing.
fn complaints(dir: &Path) -> Vec<String> {
    match open(dir) {
        Err(error) => vec![error.to_string()],
        Ok(vault) => {
            let findings = vault.check().into_iter().filter(|f| !f.ok).map(|f| format!("{}: {}", f.name, f.detail));
            vault.notices().iter().cloned().chain(findings).collect()
        }
    }
}

/// Places to flip: all of a small file, else the ends of every 4 KiB page, log headers and a stride between.
fn places(len: usize) -> Vec<usize> {
    let stride = (len / 80).max(1);
    let mut places: Vec<usize> = (0..len).step_by(stride).chain(0..len.min(40)).collect();
    for page in (0..len).step_by(4096 * (1 + len / 100_000)) {
        places.extend([page, page + 15, page + 16, page + 4015, page + 4016, page + 4095]);
    }
    places.retain(|at| *at < len);
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn every_flipped_bit_is_found() {
    let root = tempfile::tempdir().unwrap();
    let flips = AtomicUsize::new(0);
    let homes = homes(root.path());
    std::thread::scope(|scope| {
        for home in &homes {
            for name in FILES {
                let bench = root.path().join(format!("bench-{name}-{}", home.ends_with("live")));
                let flips = &flips;
                scope.spawn(move || flips.fetch_add(flip_all(home, name, &bench), Ordering::Relaxed));
            }
        }
    });
    eprintln!("{} single-bit flips, all found", flips.into_inner());
}

/// Flips bits of one file of a home, one at a time; gives how many.
fn flip_all(home: &Path, name: &str, bench: &Path) -> usize {
    let Ok(bytes) = fs::read(home.join(name)) else { return 0 };
    copy_home(home, bench);
    assert_eq!(complaints(bench), Vec::<String>::new(), "the untouched home is well");
    let places = places(bytes.len());
    for at in &places {
        copy_home(home, bench);
        let mut changed = bytes.clone();
        changed[*at] ^= 1 << (at % 8);
        fs::write(bench.join(name), &changed).unwrap();
        let said = complaints(bench);
        assert!(!said.is_empty(), "a flip at byte {at} of {name} in {} went unseen", home.display());
    }
    places.len()
}

#[test]
fn a_cut_log_is_found_wherever_it_is_cut() {
    let root = tempfile::tempdir().unwrap();
    let [_, live] = homes(root.path());
    let bench = root.path().join("bench");
    let log = fs::read(live.join("vault.db-wal")).unwrap();
    for keep in (0..log.len()).step_by(log.len() / 40).chain([31, 32, log.len() - 1, log.len() - 4120]) {
        copy_home(&live, &bench);
        fs::write(bench.join("vault.db-wal"), &log[..keep]).unwrap();
        let said = open(&bench).map(|_| ()).unwrap_err();
        let behind = matches!(said, VaultError::Tampered { what: Evidence::DatabaseBehindHead { .. } });
        assert!(behind, "cut to {keep} of {}: {said}", log.len());
        // Saying so changed nothing: it is said again.
        assert!(open(&bench).is_err());
    }
    copy_home(&live, &bench);
    fs::remove_file(bench.join("vault.db-wal")).unwrap();
    assert!(open(&bench).is_err());
}

#[test]
fn old_files_put_back_are_named() {
    let root = tempfile::tempdir().unwrap();
    let (dir, old, bench) = (root.path().join("h"), root.path().join("old"), root.path().join("bench"));
    let vault = create(&dir);
    fill(&vault, 0, 3);
    drop(vault);
    copy_home(&dir, &old);
    let vault = open(&dir).unwrap();
    fill(&vault, 3, 6);
    // Twice: one change ahead is what a crash between keyslots and database leaves, and is taken for that.
    vault.change_passphrase("another").unwrap();
    vault.change_passphrase("a third").unwrap();
    drop(vault);
    let put_back = |names: &[&str]| {
        copy_home(&dir, &bench);
        for name in names {
            fs::copy(old.join(name), bench.join(name)).unwrap();
        }
        match open(&bench) {
            Err(VaultError::Tampered { what }) => what,
            other => panic!("{names:?}: {:?}", other.map(|_| ())),
        }
    };
    assert!(matches!(put_back(&["vault.db"]), Evidence::DatabaseBehindHead { .. }));
    assert!(matches!(put_back(&["ledger.head"]), Evidence::HeadBehindDatabase { .. }));
    assert!(matches!(put_back(&["keyslots.json"]), Evidence::KeyslotsOld { .. }));
    assert!(matches!(put_back(&["keyslots.json", "keyslots.copy.json"]), Evidence::KeyslotsOld { .. }));
    assert!(matches!(put_back(&["keyslots.json", "keyslots.copy.json", "ledger.head"]), Evidence::KeyslotsOld { .. }));
    assert!(matches!(put_back(&["vault.db", "ledger.head"]), Evidence::KeyslotsAhead { .. }));
}

#[test]
fn missing_files_are_named() {
    let root = tempfile::tempdir().unwrap();
    let (dir, bench) = (root.path().join("h"), root.path().join("bench"));
    drop(create(&dir));
    let without = |names: &[&str]| {
        copy_home(&dir, &bench);
        for name in names {
            fs::remove_file(bench.join(name)).unwrap();
        }
        open(&bench).map(|vault| vault.notices().to_vec())
    };
    let tampered = |names: &[&str]| match without(names) {
        Err(VaultError::Tampered { what }) => what,
        other => panic!("{names:?}: {other:?}"),
    };
    assert_eq!(tampered(&["ledger.head"]), Evidence::HeadMissing);
    assert_eq!(tampered(&["vault.db"]), Evidence::DatabaseMissing);
    assert_eq!(tampered(&["keyslots.json", "keyslots.copy.json"]), Evidence::KeyslotsMissing);
    for healed in ["keyslots.json", "keyslots.copy.json"] {
        assert_eq!(without(&[healed]).unwrap().len(), 1);
        assert_eq!(open(&bench).unwrap().notices().len(), 0, "it healed");
    }
    let again = Vault::create_with(&Home::at(&bench), "x", &words(), &[], 1, options());
    assert!(matches!(again, Err(VaultError::AlreadyThere { .. })));
    tampered(&["vault.db"]);
    let again = Vault::create_with(&Home::at(&bench), "x", &words(), &[], 1, options());
    assert!(matches!(again, Err(VaultError::Tampered { what: Evidence::DatabaseMissing })));
    // A database whose keys are gone is not swept away by onboarding.
    tampered(&["keyslots.json", "keyslots.copy.json"]);
    let again = Vault::create_with(&Home::at(&bench), "x", &words(), &[], 1, options());
    assert!(matches!(again, Err(VaultError::Tampered { what: Evidence::KeyslotsMissing })));
    assert!(bench.join("vault.db").exists());
}

#[test]
fn the_owner_can_choose_to_believe_the_database() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("h");
    let vault = create(&dir);
    fill(&vault, 0, 2);
    let seq = vault.head().vault_seq;
    drop(vault);
    fs::remove_file(dir.join("ledger.head")).unwrap();
    assert!(open(&dir).is_err());
    let secret = Secret::Words(words());
    let vault = Vault::open_believing_database(&Home::at(&dir), &secret, options()).unwrap();
    assert_eq!((vault.notices().len(), vault.head().vault_seq), (1, seq));
    drop(vault);
    assert!(open(&dir).unwrap().notices().is_empty());
}
