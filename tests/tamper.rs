//! Tampering: any flipped bit, a cut tail, an old file put back is named at the next start or by the doctor, and
//! derived data is made again and says so.

mod support;

use std::path::{Path, PathBuf};

use support::{Person, files_below, text};

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}

fn restore(person: &Person, saved: &Path) {
    std::fs::remove_dir_all(person.home()).unwrap();
    copy(saved, &person.home());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(person.home(), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}

/// Whether the doctor, or the start it needs, finds something wrong.
fn noticed(person: &Person) -> (bool, String) {
    let output = person.command().args(["doctor", "--json"]).output().unwrap();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    (
        !output.status.success() || said.contains("rebuilt") || said.contains("healed") || said.contains("made again"),
        said,
    )
}

fn sample() -> Person {
    let person = Person::settled();
    for n in 0..8 {
        person.file(&format!("n{n}.md"), format!("# Note {n}\n\nThe tide table for pier {n} hangs in the kitchen.\n"));
    }
    person.json(["ingest", person.files().to_str().unwrap()]);
    person
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let person = sample();
    let saved = person.path("saved");
    copy(&person.home(), &saved);
    let (wrong, said) = noticed(&person);
    assert!(!wrong, "an untouched home is sound: {said}");
    let files: Vec<PathBuf> = files_below(&saved)
        .into_iter()
        .filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy();
            // Locks, sockets and shared memory hold nothing that outlives a process.
            !name.ends_with("-shm")
                && !name.contains("lock")
                && !name.ends_with(".sock")
                && std::fs::metadata(file).unwrap().len() > 0
        })
        .collect();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for at in [0, bytes.len() / 3, bytes.len() - 1] {
            restore(&person, &saved);
            let target = person.home().join(file.strip_prefix(&saved).unwrap());
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&target, flipped).unwrap();
            let (wrong, said) = noticed(&person);
            assert!(wrong, "bit {at} of {} was flipped and nobody noticed: {said}", target.display());
        }
    }
}

#[test]
fn old_files_put_back_and_cut_tails_are_noticed() {
    let person = sample();
    let old = person.path("old");
    copy(&person.home(), &old);
    person.file("later.md", "# Later\n\nThe ferry timetable changed in May.\n");
    person.json(["ingest", person.files().to_str().unwrap()]);
    let new = person.path("new");
    copy(&person.home(), &new);

    for name in ["vault.db", "ledger.head"] {
        restore(&person, &new);
        std::fs::copy(old.join(name), person.home().join(name)).unwrap();
        let (wrong, said) = noticed(&person);
        assert!(wrong, "an old {name} was put back and nobody noticed: {said}");
    }
    // A database cut short.
    restore(&person, &new);
    let path = person.home().join("vault.db");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 4096]).unwrap();
    let (wrong, said) = noticed(&person);
    assert!(wrong, "the database was cut and nobody noticed: {said}");
    // The whole index gone: derived, so it is made again and the memory answers.
    restore(&person, &new);
    std::fs::remove_dir_all(person.home().join("index")).unwrap();
    let hits = person.json(["memory", "search", "ferry timetable", "-k", "3"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("ferry"), "{hits}");
}
