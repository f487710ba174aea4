//! What goes wrong in the wild: each is a clear sentence with a hint, and nothing is lost.

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use support::{Person, text};

fn skipped<'a>(report: &'a Value, name: &str) -> Option<&'a str> {
    let skipped = report["skipped"].as_array()?;
    skipped.iter().find(|s| s["what"].as_str().unwrap().contains(name)).map(|s| s["why"].as_str().unwrap())
}

fn bomb() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..300 {
        zip.write_all(&zeros).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_wild_folder_is_read_as_far_as_it_can_be() {
    let person = Person::settled();
    person.file("good.md", "# Good\n\nThe ferry to Almada leaves from Cais do Sodre.\n");
    person.file("latin.txt", b"Caf\xe9 com a\xe7\xfacar em S\xe3o Jo\xe3o, na esquina da rua do norte.\n");
    person.file("broken.txt", b"valid words, then \xff\xfe\x80 bytes, then more valid words here\n");
    person.file("bomb.docx", bomb());
    person.file("notzip.docx", "this is no zip");
    person.file("broken.pdf", "%PDF-1.4\nnothing more");
    fs::File::create(person.files().join("huge.txt")).unwrap().set_len(2 << 30).unwrap();
    std::os::unix::fs::symlink(person.files(), person.files().join("loop")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", person.files().join("outside.txt")).unwrap();
    let pdfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/exports/pdf/pypdf");
    if pdfs.is_dir() {
        for entry in fs::read_dir(pdfs).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|e| e == "pdf"))
        {
            fs::copy(entry.path(), person.files().join(entry.file_name())).unwrap();
        }
    } else {
        eprintln!("skipped the real PDFs: ../shared is not there");
    }
    let report = person.json(["ingest", person.files().to_str().unwrap()]);
    for name in ["bomb.docx", "notzip.docx", "broken.pdf", "huge.txt"] {
        let why = skipped(&report, name).unwrap_or_else(|| panic!("{name} is not among the skipped: {report}"));
        assert!(why.len() > 10 && why.contains(' '), "{name}: {why}");
    }
    assert!(report["new"].as_u64().unwrap() >= 3, "{report}");
    let again = person.json(["ingest", person.files().to_str().unwrap()]);
    assert_eq!(again["new"], 0, "the same content twice changes nothing: {again}");
    assert_eq!(again["updated"], 0, "{again}");
    let hits = person.json(["memory", "search", "ferry Almada", "-k", "1"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("Cais do Sodre"), "{hits}");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn wrong_passphrase_second_process_and_missing_home_are_plain_errors() {
    let person = Person::settled();
    fs::write(person.path("wrong"), "nope").unwrap();
    let refused =
        person.command().env("ICORE_PASSPHRASE_FILE", person.path("wrong")).args(["memory", "stats"]).output().unwrap();
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("passphrase") && said.contains("hint:"), "{said}");
    person.json(["memory", "stats"]);

    // A second process attaches instead of breaking in.
    let _node = person.node();
    person.json(["memory", "stats"]);
    let second = person.command().arg("node").output().unwrap();
    assert!(!second.status.success() && text(&second.stderr).contains("hint:"), "{}", text(&second.stderr));

    let nobody = Person::new();
    let none = nobody.command().args(["memory", "stats"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("icore init"), "{}", text(&none.stderr));
}

#[test]
fn a_wrong_byte_in_a_model_is_found() {
    let person = Person::settled();
    let models = person.path("models");
    let cache = person.json(["models", "list"]);
    assert_eq!(cache["models"][0]["present"], true, "{cache}");
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from).unwrap();
    let real = std::env::var_os("ICORE_MODELS").map_or_else(
        || std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), Into::into).join("hinet/models"),
        Into::into,
    );
    for file in support::files_below(&real) {
        let target = models.join(file.strip_prefix(&real).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
        if target.extension().is_some_and(|e| e == "gguf") {
            let mut bytes = fs::read(&target).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&target, bytes).unwrap();
        }
    }
    let asked = person.command().env("ICORE_MODELS", &models).args(["ask", "hello"]).output().unwrap();
    assert_eq!(asked.status.code(), Some(1), "{}", text(&asked.stdout));
    assert!(text(&asked.stderr).contains("hint:"), "{}", text(&asked.stderr));
    let doctor = person.command().env("ICORE_MODELS", &models).args(["doctor"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(1), "{}", text(&doctor.stdout));
}

#[test]
fn a_home_that_cannot_be_written_is_said() {
    let person = Person::new();
    let blocked = person.path("blocked");
    fs::write(&blocked, "a file where a folder should be").unwrap();
    let output = person
        .command()
        .env("ICORE_HOME", blocked.join("home"))
        .args(["init", "--name", "Maya", "--root", "general", "--passphrase-file"])
        .arg(person.path("passphrase"))
        .arg("--recovery-out")
        .arg(person.path("words"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("hint:"), "{}", text(&output.stderr));
    // Root writes through a read-only mode, so the mode is only tried where it means something.
    let locked = person.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(locked.join("probe"), "x").is_err() {
        let output = person
            .command()
            .env("ICORE_HOME", locked.join("home"))
            .args(["init", "--name", "Maya", "--root", "general", "--passphrase-file"])
            .arg(person.path("passphrase"))
            .arg("--recovery-out")
            .arg(person.path("words2"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
    } else {
        eprintln!("skipped the read-only mode: this user writes through it");
    }
}
