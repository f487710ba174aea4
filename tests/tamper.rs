//! Tampering: any flipped bit, a cut tail, an old file put back is named at the next start or by the doctor, and
//! derived data is made again and says so.
//!
//! `ICORE_TAMPER_POSITIONS=200 cargo test --release --test tamper` flips so many bits in every file; the default is a
//! few, the first and the last byte among them.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use support::{Dice, Person, files_below, setting, text};

/// Files whose content nothing depends on: the lock, the socket, and SQLite's shared memory, which the next opening
/// makes anew.
fn is_fleeting(name: &str) -> bool {
    name.ends_with("-shm") || name == "home.lock" || name.ends_with(".sock")
}

/// A home as it lay on the disk at one moment.
struct Saved(BTreeMap<PathBuf, Vec<u8>>);

impl Saved {
    fn of(person: &Person) -> Self {
        let home = person.home();
        let files = files_below(&home).into_iter().filter(|file| !is_fleeting(&name_of(file)));
        Self(files.map(|file| (file.strip_prefix(&home).unwrap().to_owned(), std::fs::read(&file).unwrap())).collect())
    }

    /// Puts the whole home back as it was.
    fn restore(&self, person: &Person) {
        std::fs::remove_dir_all(person.home()).unwrap();
        std::fs::create_dir(person.home()).unwrap();
        for (name, bytes) in &self.0 {
            let file = person.home().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
        }
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

/// What one of these words in a finding names.
fn names_for(file: &Path) -> &'static [&'static str] {
    match name_of(file).as_str() {
        "vault.db" => &["database", "pages"],
        "vault.db-wal" => &["database", "log"],
        "ledger.head" => &["head"],
        "keyslots.json" | "keyslots.copy.json" => &["keyslots"],
        _ if file.starts_with("index") => &["search index"],
        _ => panic!("{} is a file of the home that this test does not know", file.display()),
    }
}

/// What the doctor, or the start it needs, said.
struct Said {
    /// The sentences that name something wrong or mended.
    findings: String,
    /// Whether something stored is damaged: the exit code, too.
    damaged: bool,
}

fn doctor(person: &Person) -> Said {
    let output = person.command().args(["doctor", "--json"]).output().unwrap();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!all.contains("panicked") && !all.contains("a fault"), "{all}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{all}"));
    let checks = report["checks"].as_array().unwrap();
    let of = |state: &str, name: &str| {
        checks.iter().any(|check| check["state"] == state && (name.is_empty() || check["name"] == name))
    };
    let (damaged, mended) = (of("damaged", ""), of("warn", "notice"));
    assert_eq!(output.status.code(), Some(i32::from(damaged)), "exit 1 exactly where something is damaged: {all}");
    let told = checks.iter().filter(|check| check["state"] == "damaged" || check["name"] == "notice");
    let findings = told.map(|check| format!("{} {}\n", check["name"], check["detail"])).collect();
    assert!(damaged || mended || !all.contains("damaged"), "{all}");
    Said { findings, damaged }
}

/// Something was found, it is named, and truth is never passed over for something mended.
fn assert_named(person: &Person, file: &Path, what: &str) {
    let said = doctor(person);
    let lower = said.findings.to_lowercase();
    let named = names_for(file).iter().any(|name| lower.contains(name));
    assert!(named, "{what} of {} was not named: {}", file.display(), said.findings);
    if file.starts_with("index") || name_of(file).starts_with("keyslots") {
        assert!(!said.damaged, "{what} of {}: it can be mended: {}", file.display(), said.findings);
        assert!(lower.contains("made again") || lower.contains("written again"), "{}", said.findings);
        // Mended for good.
        let again = doctor(person);
        assert!(again.findings.is_empty(), "{what} of {}, the second time: {}", file.display(), again.findings);
    } else {
        assert!(said.damaged, "{what} of {} counts as damage: {}", file.display(), said.findings);
    }
}

fn settled() -> Person {
    let person = Person::settled();
    for n in 0..8 {
        person.file(&format!("n{n}.md"), format!("# Note {n}\n\nThe tide table for pier {n} hangs in the kitchen.\n"));
    }
    person.json(["ingest", person.files().to_str().unwrap()]);
    person
}

fn assert_sound(person: &Person, when: &str) {
    let said = doctor(person);
    assert!(said.findings.is_empty() && !said.damaged, "{when}: {}", said.findings);
}

fn found(person: &Person, words: &str) -> String {
    person.json(["memory", "search", words, "-k", "5"])["hits"].to_string()
}

#[test]
fn a_flipped_bit_is_named_wherever_it_is() {
    let person = settled();
    person.json(["ask", "Where does the tide table hang?"]);
    assert_sound(&person, "an untouched home");
    let saved = Saved::of(&person);
    let positions = setting("ICORE_TAMPER_POSITIONS", 0);
    let mut dice = Dice::new(setting("ICORE_TAMPER_SEED", 20_261_122));
    let mut flips = 0;
    for (file, bytes) in saved.0.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        // The database has pages of many kinds; in the others, the two ends and a place between.
        let between = if positions > 0 { positions } else { if name_of(file) == "vault.db" { 6 } else { 1 } };
        let mut places = vec![0, bytes.len() - 1];
        places.extend((0..between).map(|_| dice.roll(bytes.len() as u64) as usize));
        for at in places {
            let bit = dice.roll(8);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            saved.restore(&person);
            std::fs::write(person.home().join(file), flipped).unwrap();
            assert_named(&person, file, &format!("bit {bit} of byte {at} of {}", bytes.len()));
            flips += 1;
        }
    }
    println!("{flips} bits flipped in {} files: each named", saved.0.len());
    saved.restore(&person);
    assert_sound(&person, "the home as it was");
}

#[test]
fn old_files_put_back_are_named() {
    let person = settled();
    let old = Saved::of(&person);
    person.file("later.md", "# Later\n\nThe ferry timetable changed in May.\n");
    person.json(["ingest", person.files().to_str().unwrap()]);
    std::fs::write(person.path("second"), "another lantern over the estuary").unwrap();
    person.icore(["keys", "passphrase", "--new-passphrase-file", person.path("second").to_str().unwrap()]);
    std::fs::copy(person.path("second"), person.path("passphrase")).unwrap();
    assert_sound(&person, "after the change of passphrase");
    let new = Saved::of(&person);

    let mut tried = 0;
    for (file, bytes) in old.0.iter().filter(|(file, bytes)| new.0.get(*file).is_some_and(|now| now != *bytes)) {
        new.restore(&person);
        std::fs::write(person.home().join(file), bytes).unwrap();
        if name_of(file) == "keyslots.json" {
            // The old file is whole and still opens with the old passphrase; it is its age that gives it away.
            std::fs::write(person.path("passphrase"), support::PASSPHRASE).unwrap();
            let said = doctor(&person);
            assert!(said.damaged && said.findings.contains("older"), "{}", said.findings);
            // With its copy, too.
            std::fs::write(person.home().join("keyslots.copy.json"), &old.0[Path::new("keyslots.copy.json")]).unwrap();
            let said = doctor(&person);
            assert!(said.damaged && said.findings.contains("older"), "{}", said.findings);
            std::fs::copy(person.path("second"), person.path("passphrase")).unwrap();
        } else {
            assert_named(&person, file, "the old version");
        }
        tried += 1;
    }
    assert!(tried >= 5, "database, head, both keyslots and the index's commit were put back: {tried}");

    // The whole index of before: derived, so it is made again, and the memory still answers.
    new.restore(&person);
    std::fs::remove_dir_all(person.home().join("index")).unwrap();
    std::fs::create_dir(person.home().join("index")).unwrap();
    for (file, bytes) in old.0.iter().filter(|(file, _)| file.starts_with("index")) {
        std::fs::write(person.home().join(file), bytes).unwrap();
    }
    let said = doctor(&person);
    assert!(said.findings.contains("search index was older") && !said.damaged, "{}", said.findings);
    assert!(found(&person, "ferry timetable").contains("ferry"));
    // Database and head of before together: the newer keyslots know better.
    new.restore(&person);
    for name in ["vault.db", "ledger.head"] {
        std::fs::write(person.home().join(name), &old.0[Path::new(name)]).unwrap();
    }
    let said = doctor(&person);
    assert!(!said.findings.is_empty(), "database and head of before passed for the present ones");
    new.restore(&person);
    assert_sound(&person, "the home as it was");
}

#[test]
fn missing_cut_and_swapped_files_are_named() {
    let person = settled();
    let saved = Saved::of(&person);
    for (file, bytes) in saved.0.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        saved.restore(&person);
        std::fs::remove_file(person.home().join(file)).unwrap();
        assert_named(&person, file, "the absence");
        for left in [bytes.len() / 2, bytes.len() - 1] {
            saved.restore(&person);
            std::fs::write(person.home().join(file), &bytes[..left]).unwrap();
            assert_named(&person, file, &format!("a cut to {left} of {} bytes", bytes.len()));
        }
    }
    // A page cut off the end of the database, or put on twice.
    let (db, bytes) = saved.0.get_key_value(Path::new("vault.db")).unwrap();
    for pages in [bytes[..bytes.len() - 4096].to_vec(), [bytes, &bytes[bytes.len() - 4096..]].concat()] {
        saved.restore(&person);
        std::fs::write(person.home().join(db), pages).unwrap();
        assert_named(&person, db, "another number of pages");
    }
    // Two pages exchanged: each authenticates its own place.
    let mut swapped = bytes.clone();
    let (front, back) = swapped.split_at_mut(2 * 4096);
    front[4096..].swap_with_slice(&mut back[..4096]);
    saved.restore(&person);
    std::fs::write(person.home().join(db), swapped).unwrap();
    assert_named(&person, db, "two pages exchanged");
    // Two files of the index exchanged: each is sealed under its own name.
    let index: Vec<&PathBuf> = saved.0.keys().filter(|file| file.starts_with("index")).collect();
    saved.restore(&person);
    std::fs::write(person.home().join(index[0]), &saved.0[index[1]]).unwrap();
    std::fs::write(person.home().join(index[1]), &saved.0[index[0]]).unwrap();
    assert_named(&person, index[0], "an exchange");
    // All keyslots gone: the database alone opens to nobody, and it is not taken for an empty home.
    saved.restore(&person);
    for name in ["keyslots.json", "keyslots.copy.json"] {
        std::fs::remove_file(person.home().join(name)).unwrap();
    }
    let output = person.command().args(["memory", "stats"]).output().unwrap();
    assert!(!output.status.success());
    let said = doctor(&person);
    assert!(said.damaged && said.findings.contains("keyslots"), "{}", said.findings);
    let init = person.run(
        ["init", "--name", "Eve", "--passphrase-file"],
        [person.path("passphrase").as_os_str(), "--recovery-out".as_ref(), person.path("eve").as_os_str()],
    );
    assert!(!init.status.success() && person.home().join("vault.db").exists(), "nothing is made over what is there");
    // And with everything in its place again, everything is there.
    saved.restore(&person);
    assert_sound(&person, "the home as it was");
    assert!(found(&person, "tide table pier 7").contains("pier 7"));
}

#[test]
fn a_tampered_log_is_named() {
    let person = settled();
    // A node that is killed leaves its last commits in the log.
    let mut node = person.node();
    person.file("later.md", "# Later\n\nThe ferry timetable changed in May.\n");
    person.json(["ingest", person.files().to_str().unwrap()]);
    node.child.kill().unwrap();
    drop(node);
    let saved = Saved::of(&person);
    let (log, bytes) = saved.0.get_key_value(Path::new("vault.db-wal")).expect("a killed node leaves a log");
    // A header of 32 bytes, then frames of 24 and a page.
    let frame = 24 + 4096;
    let frames = (bytes.len() - 32) / frame;
    assert!(frames >= 4, "{frames} frames");
    let last = 32 + (frames - 1) * frame;
    let mut dice = Dice::new(setting("ICORE_TAMPER_SEED", 20_261_122));
    let between = setting("ICORE_TAMPER_POSITIONS", 3);
    let mut places = vec![0, 17, 32, 32 + 24, last, last + 8, last + 16, last + 24, bytes.len() - 1];
    places.extend((0..between).map(|_| dice.roll(bytes.len() as u64) as usize));
    for at in places {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << dice.roll(8);
        saved.restore(&person);
        std::fs::write(person.home().join(log), flipped).unwrap();
        assert_named(&person, log, &format!("a flipped bit in byte {at} of {}", bytes.len()));
    }
    for left in [0, 32, last, last + 24, bytes.len() - 1] {
        saved.restore(&person);
        std::fs::write(person.home().join(log), &bytes[..left]).unwrap();
        assert_named(&person, log, &format!("a cut to {left} of {} bytes", bytes.len()));
    }
    saved.restore(&person);
    std::fs::remove_file(person.home().join(log)).unwrap();
    assert_named(&person, log, "the absence");
    // Left alone, it holds everything that was acknowledged.
    saved.restore(&person);
    assert!(found(&person, "ferry timetable").contains("ferry"));
    assert_sound(&person, "the home as it was");
}

#[test]
fn a_cut_or_changed_ledger_is_named() {
    let person = settled();
    let out = person.path("ledger.json");
    person.icore(["audit", "export", "--out", out.to_str().unwrap()]);
    let whole = std::fs::read_to_string(&out).unwrap();
    let verify = |export: &str| {
        std::fs::write(&out, export).unwrap();
        let output = person.command().args(["audit", "verify", "--json", "--export"]).arg(&out).output().unwrap();
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let (code, said) = verify(&whole);
    assert_eq!(code, Some(0), "{said}");
    // One entry less, anywhere: the others would still be signed.
    let starts: Vec<usize> = whole.match_indices("{\"v\":1,\"seq\":").map(|(at, _)| at).collect();
    assert!(starts.len() >= 4, "{} entries", starts.len());
    for pair in starts.windows(2) {
        let (code, said) = verify(&format!("{}{}", &whole[..pair[0]], &whole[pair[1]..]));
        assert!(code == Some(1) && said.contains("broken"), "an entry was cut out: {said}");
    }
    let mut dice = Dice::new(setting("ICORE_TAMPER_SEED", 20_261_122));
    for _ in 0..setting("ICORE_TAMPER_POSITIONS", 12) {
        let mut flipped = whole.clone().into_bytes();
        let at = dice.roll(flipped.len() as u64) as usize;
        // The lowest bit, so that it stays text.
        flipped[at] ^= 1;
        let (code, said) = verify(&String::from_utf8(flipped).unwrap());
        assert_eq!(code, Some(1), "byte {at} was changed: {said}");
    }
}
