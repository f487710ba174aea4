//! Tests that need the inside: a full disk, an older and a newer schema, a rotation that stopped half-way.

use crate::db::lock;
use crate::keychain::OsKeychain;
use crate::slots::SlotFile;
use crate::{Home, Options, PassphraseCost, Secret, Vault, VaultError, Words, create, schema, wal};
use std::fs;
use std::sync::Arc;

type Outcome<T = ()> = Result<T, VaultError>;

fn options() -> Options {
    Options { cost: PassphraseCost::for_tests(), keychain: Arc::new(OsKeychain) }
}

fn words() -> Words {
    Words::from_entropy(&[3; 32])
}

fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    (dir, home)
}

fn make(home: &Home) -> Vault {
    Vault::create_with(home, "Ada", &words(), &[], 1, options()).unwrap()
}

fn open(home: &Home) -> Result<Vault, VaultError> {
    Vault::open_with(home, &Secret::Words(words()), options())
}

#[test]
fn an_older_schema_is_brought_up_to_date_in_one_step() {
    let (_dir, home) = home();
    create::build_version(&home, "Ada", &words(), 1).unwrap();
    let vault = open(&home).unwrap();
    assert_eq!(schema::version(&lock(&vault.writer).db).unwrap(), schema::VERSION);
    assert_eq!(vault.head().vault_seq, 2, "the migration is a commit of its own");
    let guarded = vault.write(|tx| -> Outcome {
        tx.ledger_append(b"x", hinet_protocol::Hash([1; 32]), &[])?;
        tx.connection().execute("DELETE FROM ledger", [])?;
        Ok(())
    });
    assert!(guarded.is_err(), "what the second step adds is there");
    drop(vault);
    assert!(open(&home).unwrap().notices().is_empty());
}

#[test]
fn what_was_said_before_conversations_branched_becomes_one_chain() {
    let (_dir, home) = home();
    create::build_version(&home, "Ada", &words(), 2).unwrap();
    {
        let ring = SlotFile::load(&home).unwrap().file.unlock(&Secret::Words(words()), &OsKeychain).unwrap();
        let db = crate::db::connect(&home.db(), &ring.bundle.database[0].key).unwrap().unwrap();
        db.execute_batch(
            "INSERT INTO sessions (n, id, title, created, updated) VALUES
                (1, x'01010101010101010101010101010101', 'first', 1, 9),
                (2, x'02020202020202020202020202020202', 'second', 2, 8),
                (3, x'03030303030303030303030303030303', 'none', 3, 3);
             INSERT INTO messages (n, id, session, role, at, stats, text) VALUES
                (1, x'11111111111111111111111111111111', 1, 'user', 1, NULL, 'one'),
                (2, x'12121212121212121212121212121212', 2, 'user', 2, NULL, 'elsewhere'),
                (5, x'15151515151515151515151515151515', 1, 'assistant', 3,
                 '{\"how\":\"generated\",\"tokens\":{\"prompt\":1,\"cached\":0,\"generated\":2},\"tokens_per_s\":3.5}', 'two'),
                (6, x'16161616161616161616161616161616', 1, 'user', 4, NULL, 'three');",
        )
        .unwrap();
    }
    let vault = open(&home).unwrap();
    let session = |n: u8| hinet_protocol::SessionId(uuid::Uuid::from_bytes([n; 16]));
    vault
        .read(|r| -> Outcome {
            let said = r.messages(session(1))?;
            assert_eq!(said.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
            assert_eq!((said[0].parent, said[1].parent, said[2].parent), (None, Some(said[0].id), Some(said[1].id)));
            assert_eq!(said[1].stats.as_ref().map(|stats| stats.how.as_str()), Some("generated"));
            assert_eq!((r.messages(session(2))?.len(), r.messages(session(3))?.len()), (1, 0));
            let lines = r.sessions()?;
            assert_eq!(
                lines.iter().map(|l| (l.messages, l.created, l.pinned)).collect::<Vec<_>>(),
                [(3, 1, false), (1, 2, false), (0, 3, false)]
            );
            Ok(())
        })
        .unwrap();
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
}

#[test]
fn of_what_was_read_before_threads_nobody_knows_where_it_stands() {
    let (_dir, home) = home();
    create::build_version(&home, "Ada", &words(), 8).unwrap();
    {
        let ring = SlotFile::load(&home).unwrap().file.unlock(&Secret::Words(words()), &OsKeychain).unwrap();
        let db = crate::db::connect(&home.db(), &ring.bundle.database[0].key).unwrap().unwrap();
        db.execute_batch(
            "INSERT INTO sources (n, id, kind, path, state, added) VALUES
                (1, x'01010101010101010101010101010101', 'folder', '/m', 'active', 1);
             INSERT INTO items (n, id, source, key, title, kind, trust, modified, ingested, hash, bytes, text) VALUES
                (1, x'11111111111111111111111111111111', x'01010101010101010101010101010101', '/m/1', 'one', 'mail',
                 'untrusted', 1, 2, x'0707070707070707070707070707070707070707070707070707070707070707', 3, 'one');",
        )
        .unwrap();
    }
    let vault = open(&home).unwrap();
    let item = hinet_protocol::ItemId(uuid::Uuid::from_bytes([0x11; 16]));
    let row = vault.read(|r| -> Outcome<_> { r.item(item) }).unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.filing), ("one", None));
    assert!(!vault.read(|r| -> Outcome<_> { r.is_filed(item) }).unwrap());
}

#[test]
fn what_nights_learned_before_deltas_had_kinds_is_for_the_owner_alone() {
    use hinet_protocol::DeltaKind;
    let (_dir, home) = home();
    create::build_version(&home, "Ada", &words(), 11).unwrap();
    {
        let ring = SlotFile::load(&home).unwrap().file.unlock(&Secret::Words(words()), &OsKeychain).unwrap();
        let db = crate::db::connect(&home.db(), &ring.bundle.database[0].key).unwrap().unwrap();
        db.execute_batch(
            "INSERT INTO deltas (hash, object, at, name, said, bytes) VALUES
                (zeroblob(32), zeroblob(32), 1, 'night 1', '', 1),
                (x'0707070707070707070707070707070707070707070707070707070707070707', zeroblob(32), 1, 'kitchen', '', 1);
             INSERT INTO nights (began, open, report, delta) VALUES (1, 0, '{}', zeroblob(32));",
        )
        .unwrap();
    }
    let vault = open(&home).unwrap();
    let deltas = vault.read(|r| -> Outcome<_> { r.deltas() }).unwrap();
    let kinds: Vec<(&str, DeltaKind)> = deltas.iter().map(|row| (row.name.as_str(), row.kind)).collect();
    assert_eq!(kinds, [("kitchen", DeltaKind::Imported), ("night 1", DeltaKind::Private)]);
    let night = vault.read(|r| -> Outcome<_> { r.night(1) }).unwrap().unwrap();
    assert_eq!((night.tested, night.shared), (None, None));
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let (_dir, home) = home();
    let vault = make(&home);
    lock(&vault.writer).db.pragma_update(None, "user_version", 99).unwrap();
    drop(vault);
    let before = fs::read(home.db()).unwrap();
    let error = open(&home).unwrap_err();
    assert!(matches!(error, VaultError::Newer { found: 99, known: schema::VERSION, .. }), "{error}");
    assert_eq!(fs::read(home.db()).unwrap(), before);
}

#[test]
fn a_newer_keyslots_file_is_refused_untouched() {
    let (_dir, home) = home();
    drop(make(&home));
    let text = fs::read_to_string(home.keyslots()).unwrap();
    let body = text.split_once(",\"checksum\"").unwrap().0.replacen("{\"v\":1", "{\"v\":2,\"new\":0", 1);
    let newer = format!("{body},\"checksum\":\"{}\"}}\n", blake3::hash(body.as_bytes()).to_hex());
    fs::write(home.keyslots(), &newer).unwrap();
    assert!(matches!(open(&home), Err(VaultError::Newer { found: 2, known: 1, .. })));
    assert_eq!(fs::read_to_string(home.keyslots()).unwrap(), newer);
}

#[test]
fn the_log_never_holds_a_stale_frame() {
    let (_dir, home) = home();
    let vault = make(&home);
    let mut longest = 0;
    for n in 0..40 {
        // About 700 pages, so that the log starts over every other time, and then a little one.
        let text = n.to_string().repeat(if n % 3 == 2 { 10 } else { 1_500_000 });
        vault.write(|tx| -> Outcome { tx.set_meta("text", &text) }).unwrap();
        match wal::scan(&home.log()).unwrap() {
            wal::LogState::Whole { frames } => longest = longest.max(frames),
            other => panic!("after write {n}: {other:?}"),
        }
    }
    assert!((700..6000).contains(&longest), "the log is folded in as it grows: {longest}");
    vault.scrub().unwrap();
    assert_eq!(wal::scan(&home.log()).unwrap(), wal::LogState::Empty);
}

/// As another user than root, whom permissions do not stop.
#[test]
fn a_home_that_cannot_be_written_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, home) = home();
    drop(make(&home));
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(home.dir(), 0o500);
    mode(&home.db(), 0o400);
    let root = fs::write(home.dir().join("probe"), "").is_ok();
    let outcome = open(&home);
    mode(home.dir(), 0o700);
    mode(&home.db(), 0o600);
    if root {
        eprintln!("skipped: permissions do not bind this user");
        return;
    }
    assert!(matches!(outcome, Err(VaultError::ReadOnly)), "{outcome:?}");
    open(&home).unwrap();
}

#[test]
fn a_full_disk_undoes_the_write_and_loses_nothing() {
    let (_dir, home) = home();
    let vault = make(&home);
    vault.write(|tx| -> Outcome { tx.set_meta("a", "1") }).unwrap();
    let limit = |pages: i64| {
        lock(&vault.writer).db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(1); // SQLite rounds up to the present size.
    let big = "x".repeat(1 << 20);
    let refused = vault.write(|tx| -> Outcome {
        tx.set_meta("a", "2")?;
        tx.set_meta("big", &big)
    });
    assert!(matches!(refused, Err(VaultError::Full)), "{refused:?}");
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("a") }).unwrap().as_deref(), Some("1"));
    limit(1_000_000);
    vault.write(|tx| -> Outcome { tx.set_meta("big", &big) }).unwrap();
    drop(vault);
    assert!(open(&home).unwrap().check().iter().all(|f| f.ok));
}

#[test]
fn a_head_that_cannot_be_written_stops_the_write_before_it_happens() {
    let (_dir, home) = home();
    let vault = make(&home);
    // A folder where the next head is to be prepared stands for a disk that refuses the file.
    let blocked = home.dir().join("ledger.head.tmp");
    fs::create_dir(&blocked).unwrap();
    assert!(vault.write(|tx| -> Outcome { tx.set_meta("a", "1") }).is_err());
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("a") }).unwrap(), None);
    fs::remove_dir(&blocked).unwrap();
    vault.write(|tx| -> Outcome { tx.set_meta("a", "1") }).unwrap();
    drop(vault);
    open(&home).unwrap();
}

#[test]
fn a_head_that_cannot_be_put_in_place_is_signed_again_before_the_next_write() {
    let (_dir, home) = home();
    let vault = make(&home);
    let head = fs::read(home.head()).unwrap();
    fs::remove_file(home.head()).unwrap();
    fs::create_dir_all(home.head().join("in the way")).unwrap();
    let refused = vault.write(|tx| -> Outcome { tx.set_meta("a", "1") });
    assert!(matches!(refused, Err(VaultError::HeadNotReplaced { .. })), "{refused:?}");
    assert!(vault.write(|tx| -> Outcome { tx.set_meta("b", "1") }).is_err());
    fs::remove_dir_all(home.head()).unwrap();
    fs::write(home.head(), head).unwrap();
    vault.write(|tx| -> Outcome { tx.set_meta("b", "2") }).unwrap();
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("a") }).unwrap().as_deref(), Some("1"));
    drop(vault);
    open(&home).unwrap();
}

#[test]
fn a_rotation_cut_short_is_finished_at_the_next_opening() {
    for rekeyed in [false, true] {
        let (_dir, home) = home();
        let vault = make(&home);
        vault.write(|tx| -> Outcome { tx.set_meta("a", "1") }).unwrap();
        let next = vault.prepare_rotation().unwrap();
        if rekeyed {
            crate::db::rekey(&lock(&vault.writer).db, &next.key).unwrap();
        }
        // As a kill leaves it: no clean end.
        std::mem::forget(vault);
        let vault = open(&home).unwrap();
        assert_eq!(vault.keyring().bundle.database.len(), 1);
        assert_eq!(vault.keyring().bundle.database[0].version, if rekeyed { 2 } else { 1 });
        assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("a") }).unwrap().as_deref(), Some("1"));
        assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
        // A rotation that fails in this process is not in the way of the next.
        vault.prepare_rotation().unwrap();
        vault.rotate_keys().unwrap();
        assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
    }
}

/// Golden: a keyslots file of version 1 as it was first written, and what its words open.
#[test]
fn a_keyslots_file_of_version_one_still_opens() {
    let (_dir, home) = home();
    fs::write(home.keyslots(), include_bytes!("../tests/golden/keyslots-1.json")).unwrap();
    let ring = SlotFile::load(&home).unwrap().file.unlock(&Secret::Words(words()), &OsKeychain).unwrap();
    let attach = crate::hex::encode(ring.master().derive("hinet/attach/v1").as_ref());
    assert_eq!(attach, include_str!("../tests/golden/keyslots-1.attach").trim());
    assert_eq!(ring.bundle.certificate.device.0, {
        let seed = ed25519_dalek::SigningKey::from_bytes(ring.bundle.device.bytes());
        seed.verifying_key().to_bytes()
    });
    let passphrase = Secret::Passphrase(zeroize::Zeroizing::new("golden".to_owned()));
    let file = SlotFile::load(&home).unwrap().file;
    assert_eq!(file.unlock(&passphrase, &OsKeychain).unwrap().master(), ring.master());
}

/// Writes the golden file above; run by hand when a new version is added, never to change an old one.
#[test]
#[ignore = "writes a golden file"]
fn write_golden_keyslots() {
    let (_dir, home) = home();
    let secret = Secret::Passphrase(zeroize::Zeroizing::new("golden".to_owned()));
    let vault = Vault::create_with(&home, "Ada", &words(), &[secret], 1, options()).unwrap();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    fs::copy(home.keyslots(), golden.join("keyslots-1.json")).unwrap();
    fs::write(golden.join("keyslots-1.attach"), crate::hex::encode(vault.attach_key().as_ref()) + "\n").unwrap();
}
