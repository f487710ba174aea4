//! What goes wrong in the wild: each is a clear sentence with a hint and the right exit code, and nothing is lost.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test starts programs, and stops where it cannot go on"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::process::{ended, eventually, is_root};
use support::{Person, text};

/// Runs a command that must not work: it ends with `code` and says a sentence with a hint, which is given back.
fn fails(mut command: Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    let told = format!("{command:?} said: {said}{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(said.contains("hint:"), "no hint: {told}");
    assert!(!said.contains("panicked") && !said.contains("Os {") && !said.contains("Error("), "not clear: {told}");
    said
}

fn icore(person: &Person, arguments: &[&str]) -> Command {
    let mut command = person.command();
    command.args(arguments);
    command
}

fn skipped<'a>(report: &'a Value, name: &str) -> Option<&'a str> {
    let skipped = report["skipped"].as_array()?;
    skipped.iter().find(|s| s["what"].as_str().unwrap().ends_with(name)).map(|s| s["why"].as_str().unwrap())
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

fn ferry(person: &Person) {
    person.file("good.md", "# Good\n\nThe ferry to Almada leaves from Cais do Sodre.\n");
}

/// What was acknowledged is there, and the ledger holds.
fn is_whole(person: &Person) {
    let hits = person.json(["memory", "search", "ferry Almada", "-k", "1"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("Cais do Sodre"), "{hits}");
    let verdict = person.json(["audit", "verify"]);
    assert_eq!(verdict["ok"], true, "{verdict}");
}

#[test]
fn a_wild_folder_is_read_as_far_as_it_can_be() {
    let person = Person::settled();
    ferry(&person);
    person.file("latin.txt", b"Caf\xe9 com a\xe7\xfacar em S\xe3o Jo\xe3o, na esquina da rua do norte.\n");
    person.file("broken.txt", b"valid words, then \xff\xfe\x80 bytes, then more valid words here\n");
    person.file("bomb.docx", bomb());
    person.file("notzip.docx", "this is no zip");
    person.file("broken.pdf", "%PDF-1.4\nnothing more");
    person.file("zeros.txt", vec![0u8; 5000]);
    person.file("empty.md", "");
    fs::File::create(person.files().join("huge.txt")).unwrap().set_len(2 << 30).unwrap();
    std::os::unix::fs::symlink(person.files(), person.files().join("loop")).unwrap();
    fs::write(person.path("secret.txt"), "The combination of the safe is nineteen sixty two.\n").unwrap();
    std::os::unix::fs::symlink(person.path("secret.txt"), person.files().join("outside.txt")).unwrap();
    let mut deep = person.files();
    (0..80).for_each(|n| deep.push(format!("d{n}")));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom.md"), "too deep to be read\n").unwrap();

    let folder = person.files();
    let folder = folder.to_str().unwrap();
    let report = person.json(["ingest", folder]);
    for name in ["bomb.docx", "notzip.docx", "broken.pdf", "huge.txt", "outside.txt"] {
        let why = skipped(&report, name).unwrap_or_else(|| panic!("{name} is not among the skipped: {report}"));
        assert!(why.len() > 10 && why.contains(' '), "{name}: {why}");
    }
    assert_eq!(report["new"], 3, "good.md, latin.txt and broken.txt: {report}");
    let again = person.json(["ingest", folder]);
    assert_eq!((again["new"].clone(), again["updated"].clone()), (0.into(), 0.into()), "{again}");
    assert_eq!(again["same"], 3, "the same content twice changes nothing: {again}");
    // Touched, but not changed.
    let later = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let good = fs::File::options().write(true).open(person.files().join("good.md")).unwrap();
    good.set_modified(later).unwrap();
    let stats = person.json(["memory", "stats"]);
    let again = person.json(["ingest", folder]);
    assert_eq!((again["updated"].clone(), again["same"].clone()), (0.into(), 3.into()), "{again}");
    let after = person.json(["memory", "stats"]);
    for count in ["items", "chunks", "embedded", "text_bytes"] {
        assert_eq!(stats[count], after[count], "{count}");
    }
    let secret = person.json(["memory", "search", "combination safe nineteen", "-k", "5"]);
    assert!(!secret.to_string().contains("sixty two"), "what lies outside the folder was not read: {secret}");
    let latin = person.json(["memory", "search", "esquina da rua", "-k", "1"]);
    assert!(latin["hits"][0]["text"].as_str().unwrap().contains("São João"), "{latin}");
    is_whole(&person);
}

/// PDFs of the pypdf project: scanned, encrypted, broken, with forms. Where they are not beside the project, none.
#[test]
fn real_broken_and_encrypted_pdfs_stop_nothing() {
    let pdfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/exports/pdf/pypdf");
    if !pdfs.is_dir() {
        eprintln!("skipped: the PDFs of ../shared are not there");
        return;
    }
    let person = Person::settled();
    ferry(&person);
    let mut files: Vec<PathBuf> = support::files_below(&pdfs);
    files.retain(|path| path.extension().is_some_and(|e| e == "pdf") && path.metadata().unwrap().len() < 300_000);
    let encrypted = |path: &PathBuf| path.to_string_lossy().contains("crypt") || path.ends_with("password.pdf");
    // All that are encrypted, and every fourth of the others.
    let chosen: Vec<_> = files.iter().enumerate().filter(|(n, path)| encrypted(path) || n % 4 == 0).collect();
    for (n, path) in &chosen {
        fs::copy(path, person.files().join(format!("{n}-{}", path.file_name().unwrap().to_string_lossy()))).unwrap();
    }
    let begun = std::time::Instant::now();
    let report = person.json(["ingest", person.files().to_str().unwrap()]);
    let out = report["skipped"].as_array().unwrap();
    eprintln!("{} PDFs: {} read, {} skipped, {:?}", chosen.len(), report["new"], out.len(), begun.elapsed());
    let (new, seen) = (report["new"].as_u64().unwrap(), report["seen"].as_u64().unwrap());
    assert_eq!(seen, chosen.len() as u64 + 1, "each was looked at: {report}");
    assert_eq!(new + out.len() as u64, seen, "each is read or listed with its reason: {report}");
    assert!(new > chosen.len() as u64 / 2, "most of them are read: {report}");
    for skipped in out {
        assert!(skipped["why"].as_str().unwrap().len() > 10, "{skipped}");
        eprintln!("  {}: {}", skipped["what"].as_str().unwrap().rsplit('/').next().unwrap(), skipped["why"]);
    }
    is_whole(&person);
}

#[test]
fn wrong_secrets_a_second_process_and_a_missing_home_are_plain_errors() {
    let person = Person::settled();
    ferry(&person);
    person.json(["ingest", person.files().to_str().unwrap()]);
    let with = |file: &str, content: &str| {
        fs::write(person.path(file), content).unwrap();
        let mut command = icore(&person, &["memory", "stats"]);
        command.env("ICORE_PASSPHRASE_FILE", person.path(file));
        command
    };
    assert!(fails(with("wrong", "nope"), 1).contains("passphrase"));
    assert!(fails(with("empty", ""), 2).contains("empty"));
    assert!(fails(with("long", &"x".repeat(5000)), 2).contains("longer"));
    let mut locked = icore(&person, &["memory", "stats"]);
    locked.env_remove("ICORE_PASSPHRASE_FILE");
    assert!(fails(locked, 2).contains("locked"));
    let mut gone = icore(&person, &["memory", "stats"]);
    gone.env("ICORE_PASSPHRASE_FILE", person.path("no such file"));
    fails(gone, 2);
    is_whole(&person);

    // A second process attaches instead of breaking in; a second node is told; keys wait.
    let node = person.node();
    is_whole(&person);
    assert!(fails(icore(&person, &["node"]), 1).contains("icore"));
    assert!(fails(with("wrong", "nope"), 1).contains("passphrase"), "an attach needs the passphrase as well");
    drop(node);

    let nobody = Person::new();
    assert!(fails(icore(&nobody, &["memory", "stats"]), 1).contains("icore init"));
    assert!(!nobody.home().exists(), "looking makes nothing");
    let words = nobody.path("words");
    fs::write(&words, "abandon ".repeat(24)).unwrap();
    let arguments = ["init", "--restore", "--name", "Maya", "--root", "general", "--words-file"];
    let mut restore = icore(&nobody, &arguments);
    restore.arg(&words);
    fails(restore, 2);
    fs::write(&words, "abandon zebra lighthouse").unwrap();
    let mut restore = icore(&nobody, &arguments);
    restore.arg(&words);
    assert!(fails(restore, 2).contains("24"));
    assert!(!nobody.home().exists());
    // A home that is there is not made again.
    let mut again = icore(&person, &["init", "--name", "Eve", "--root", "general", "--recovery-out"]);
    again.arg(person.path("words2"));
    assert!(fails(again, 1).contains("already"));
    is_whole(&person);
}

#[test]
fn questions_and_ids_that_make_no_sense() {
    let person = Person::settled();
    let unknown = "0199f3a2-0000-7000-8000-000000000000";
    for (arguments, code) in [
        (&["ask", ""][..], 2),
        (&["ask", "   \n\t"], 2),
        (&["memory", "show", unknown], 1),
        (&["memory", "show", "xyz"], 2),
        (&["memory", "forget", "--item", unknown, "--yes"], 1),
        (&["memory", "forget", "--source", unknown, "--yes"], 1),
        (&["memory", "forget", "--yes"], 2),
        (&["sources", "pause", unknown], 1),
        (&["sources", "add", "/no/such/folder"], 1),
        (&["sources", "add", "/etc/hostname"], 2),
        (&["consent", "revoke", unknown], 1),
        (&["ask", "--session", unknown, "hello"], 1),
        (&["models", "pull", "no-such-model"], 2),
        (&["audit", "verify", "--export", "/no/such/file"], 1),
        (&["ingest", "/no/such/file"], 1),
        (&["nonsense"], 2),
    ] {
        let mut command = icore(&person, arguments);
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        // What clap says has its own form.
        assert!(said.contains("hint:") || (code == 2 && said.contains("--help")), "{arguments:?}: {said}");
        let json = command.arg("--json").output().unwrap();
        assert_eq!(json.status.code(), Some(code));
        let failure: Value = serde_json::from_slice(&json.stderr)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", text(&json.stderr)));
        assert!(failure.to_string().contains("hint"), "{failure}");
    }
    // 100 KB of a question, through a pipe.
    let mut ask = icore(&person, &["ask", "-"]);
    let mut child = ask.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let long = "Where does the ferry leave from? ".repeat(3_200);
    // It may have read enough before the end.
    let _ = child.stdin.take().unwrap().write_all(long.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("hint:"), "{}", text(&output.stderr));
    // A few KB are a question like any other, and what was cut is said.
    let answer = person.json(["ask", &long[..9_000]]);
    assert!(answer["answer"].is_string(), "{answer}");
    let stats = person.json(["memory", "stats"]);
    assert_eq!(stats["messages"], 2, "the refused ones left nothing: {stats}");
}

#[test]
fn a_wrong_byte_in_a_model_is_found() {
    let person = Person::settled();
    ferry(&person);
    person.json(["ingest", person.files().to_str().unwrap()]);
    for spoilt in ["gguf", "safetensors"] {
        let copy = person.path(&format!("models-{spoilt}"));
        let mut hit = 0;
        for file in support::files_below(&support::models()) {
            let target = copy.join(file.strip_prefix(support::models()).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            if target.extension().is_some_and(|e| e == spoilt) {
                let mut bytes = fs::read(&file).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&target, bytes).unwrap();
                hit += 1;
            } else {
                std::os::unix::fs::symlink(&file, &target).unwrap();
            }
        }
        assert!(hit > 0, "there is a {spoilt} among the models");
        let with = |arguments: &[&str]| {
            let mut command = icore(&person, arguments);
            command.env("ICORE_MODELS", &copy);
            command
        };
        if spoilt == "gguf" {
            let said = fails(with(&["ask", "Where does the ferry to Almada leave from?"]), 1);
            assert!(said.contains("icore models pull"), "{said}");
        }
        let checked = with(&["models", "check"]).output().unwrap();
        assert_eq!(checked.status.code(), Some(1), "{}", text(&checked.stdout));
        let doctor = with(&["doctor", "--json"]).output().unwrap();
        assert_eq!(doctor.status.code(), Some(1), "{}", text(&doctor.stdout));
        assert!(text(&doctor.stdout).contains("damaged"), "{}", text(&doctor.stdout));
        fs::remove_dir_all(&copy).unwrap();
    }
    // No models at all: words are still found, and a question says what is missing.
    let mut ask = icore(&person, &["ask", "Where does the ferry to Almada leave from?"]);
    ask.env("ICORE_MODELS", person.path("none"));
    assert!(fails(ask, 1).contains("icore models pull"));
    let mut search = icore(&person, &["memory", "search", "ferry", "--json"]);
    let found = search.env("ICORE_MODELS", person.path("none")).output().unwrap();
    assert!(text(&found.stdout).contains("Cais do Sodre"), "{} {}", text(&found.stdout), text(&found.stderr));
    is_whole(&person);
}

/// A file system of its own at a folder, as root only; gone with the value.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, arguments: &[&str]) -> Option<Self> {
        if !is_root() {
            eprintln!("skipped: only root can mount");
            return None;
        }
        let mounted = Command::new("mount").args(arguments).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            other => {
                eprintln!("skipped: nothing can be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Where it cannot be unmounted now, it goes when nothing uses it any more.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn fill(dir: &Path, leave: usize) -> PathBuf {
    let ballast = dir.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    let block = [0x55u8; 4096];
    let mut written = 0u64;
    while file.write_all(&block).is_ok() {
        written += block.len() as u64;
    }
    file.set_len(written.saturating_sub(leave as u64)).unwrap();
    ballast
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let person = Person::new();
    let disk = person.path("disk");
    fs::create_dir(&disk).unwrap();
    let Some(_mount) = Mount::new(&disk, &["-t", "tmpfs", "-o", "size=12m", "tmpfs"]) else { return };
    let on_disk = |arguments: &[&str]| {
        let mut command = icore(&person, arguments);
        command.env("ICORE_HOME", disk.join("home"));
        command
    };
    let json = |arguments: &[&str]| -> Value {
        let output = on_disk(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // No room for a home at all: nothing is left behind.
    let ballast = fill(&disk, 0);
    let words = person.path("words");
    let init = ["init", "--name", "Maya", "--root", "general", "--recovery-out", words.to_str().unwrap()];
    let said = fails(on_disk(&init), 1);
    assert!(said.contains("room") || said.contains("full"), "{said}");
    assert!(!disk.join("home").exists() && !words.exists());
    fs::remove_file(&ballast).unwrap();
    json(&init);

    ferry(&person);
    json(&["ingest", person.files().to_str().unwrap()]);
    let more = person.path("more");
    fs::create_dir(&more).unwrap();
    for n in 0..60 {
        let lines: String =
            (0..60).map(|l| format!("Line {l} of log {n}: the gauge at the weir read {}.\n", n * l)).collect();
        fs::write(more.join(format!("log{n}.txt")), lines).unwrap();
    }
    // The disk fills up at different places of the way: while it is opened, written, indexed.
    for leave in [0, 64 << 10, 192 << 10, 384 << 10] {
        let ballast = fill(&disk, leave);
        let output = on_disk(&["ingest", more.to_str().unwrap()]).output().unwrap();
        let said = text(&output.stderr);
        eprintln!("{leave} bytes left: {:?} {}", output.status.code(), said.trim());
        if leave == 0 {
            assert_eq!(output.status.code(), Some(1), "{said}");
        }
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("hint:") && said.contains("Make room"), "{said}");
        }
        fs::remove_file(&ballast).unwrap();
        let hits = json(&["memory", "search", "ferry Almada", "-k", "1"]);
        assert!(hits["hits"][0]["text"].as_str().unwrap().contains("Cais do Sodre"), "{hits}");
        assert_eq!(json(&["audit", "verify"])["ok"], true);
    }
    // Forgetting: not begun, or begun and finished at the next start; never half-way for good.
    json(&["ingest", more.to_str().unwrap()]);
    for (n, leave) in [(7, 0), (8, 128 << 10), (9, 320 << 10)] {
        let words = format!("of log {n}: the gauge");
        let found = json(&["memory", "search", &words, "-k", "40"]);
        let named = |hit: &&Value| hit["source"].as_str().unwrap().ends_with(&format!("/log{n}.txt"));
        let hit = found["hits"].as_array().unwrap().iter().find(named).expect("the log was read").clone();
        let forget = ["memory", "forget", "--yes", "--item", hit["item"].as_str().unwrap()];
        let ballast = fill(&disk, leave);
        let output = on_disk(&forget).output().unwrap();
        eprintln!("forget with {leave} bytes left: {:?} {}", output.status.code(), text(&output.stderr).trim());
        assert!(output.status.success() || text(&output.stderr).contains("Make room"), "{}", text(&output.stderr));
        fs::remove_file(&ballast).unwrap();
        let again = on_disk(&forget).output().unwrap();
        let said = text(&again.stderr);
        assert!(again.status.success() || said.contains("There is no item"), "{said}");
        let found = json(&["memory", "search", &words, "-k", "40"]);
        assert!(!found["hits"].as_array().unwrap().iter().any(|hit| named(&hit)), "log {n} is gone");
    }
    // A node that was running when it filled up goes on once there is room.
    let mut node = on_disk(&["node"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let socket = disk.join("home/node.sock");
    eventually("the node's socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let ballast = fill(&disk, 0);
    fs::write(more.join("log60.txt"), "The gauge at the weir was painted red.\n".repeat(300)).unwrap();
    let said = fails(on_disk(&["ingest", more.to_str().unwrap()]), 1);
    assert!(said.contains("space"), "{said}");
    // What it holds can be asked for although nothing can be written.
    let hits = json(&["memory", "search", "ferry Almada", "-k", "1"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("Cais do Sodre"), "{hits}");
    fs::remove_file(&ballast).unwrap();
    json(&["ingest", more.join("log60.txt").to_str().unwrap()]);
    let hits = json(&["memory", "search", "gauge painted red", "-k", "1"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("painted red"), "{hits}");
    json(&["node", "--stop"]);
    ended(&mut node);
    // With room it goes on where it was.
    let report = json(&["ingest", more.to_str().unwrap()]);
    assert_eq!(report["new"].as_u64().unwrap() + report["same"].as_u64().unwrap(), 58, "{report}");
    assert_eq!(report["skipped"].as_array().unwrap().len(), 3, "the three that were forgotten: {report}");
    let doctor = json(&["doctor"]);
    assert!(doctor["checks"].as_array().unwrap().iter().all(|check| check["state"] != "damaged"), "{doctor}");
    let hits = json(&["memory", "search", "log 59 gauge weir", "-k", "3"]);
    assert!(!hits["hits"].as_array().unwrap().is_empty());
}

#[test]
fn a_home_that_cannot_be_written_is_said() {
    let person = Person::settled();
    ferry(&person);
    person.json(["ingest", person.files().to_str().unwrap()]);
    let blocked = person.path("blocked");
    fs::write(&blocked, "a file where a folder should be").unwrap();
    let words = person.path("words2");
    let init = ["init", "--name", "Maya", "--root", "general", "--recovery-out", words.to_str().unwrap()];
    let mut command = icore(&person, &init);
    command.env("ICORE_HOME", blocked.join("home"));
    fails(command, 1);
    assert!(!words.exists(), "the words of a home that was not made are not left behind");

    let home = person.home();
    let Some(_bind) = Mount::new(&home, &["--bind", home.to_str().unwrap()]) else { return };
    let Some(only) = Mount::new(&home, &["-o", "remount,ro,bind"]) else { return };
    let before = support::files_below(&home).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    let folder = person.files();
    for arguments in [&["memory", "stats"][..], &["ingest", folder.to_str().unwrap()], &["node"], &["kill"]] {
        let said = fails(icore(&person, arguments), 1);
        assert!(said.contains("read-only") || said.contains("written") || said.contains("writable"), "{said}");
    }
    let after = support::files_below(&home).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    assert!(before == after, "nothing was changed");
    drop(only);
    is_whole(&person);
}

#[test]
fn a_newer_home_is_refused_untouched() {
    let person = Person::settled();
    let keyslots: Vec<PathBuf> = support::files_below(&person.home())
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("keyslots")))
        .collect();
    assert!(!keyslots.is_empty());
    let old: Vec<_> = keyslots.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for path in &keyslots {
        let text = fs::read_to_string(path).unwrap();
        let body = text.split_once(",\"checksum\"").unwrap().0.replacen("{\"v\":1", "{\"v\":2,\"new\":0", 1);
        let sum = blake3::hash(body.as_bytes()).to_hex();
        fs::write(path, format!("{body},\"checksum\":\"{sum}\"}}\n")).unwrap();
    }
    let content = || support::files_below(&person.home()).iter().map(|p| fs::read(p).unwrap()).collect::<Vec<_>>();
    let before = content();
    let said = fails(icore(&person, &["memory", "stats"]), 1);
    assert!(said.contains("newer"), "{said}");
    assert!(before == content(), "nothing was changed");
    for (path, text) in keyslots.iter().zip(old) {
        fs::write(path, text).unwrap();
    }
    person.json(["memory", "stats"]);
}

#[test]
fn a_folder_that_vanishes_takes_nothing_with_it() {
    let person = Person::settled();
    ferry(&person);
    let folder = person.files();
    let folder = folder.to_str().unwrap();
    person.json(["sources", "add", folder]);
    // A drive that is not plugged in.
    fs::rename(folder, person.path("elsewhere")).unwrap();
    let listed = person.json(["sources", "list"]);
    assert_eq!(listed["sources"][0]["state"], "missing", "{listed}");
    let other = person.path("other");
    fs::create_dir(&other).unwrap();
    person.json(["sources", "add", other.to_str().unwrap()]);
    fs::write(other.join("tide.md"), "The tide table hangs beside the kitchen door.\n").unwrap();
    let said = fails(icore(&person, &["sources", "sync", folder]), 1);
    assert!(said.contains("not there now") && said.contains("kept"), "{said}");
    let report = person.json(["sources", "sync"]);
    assert_eq!(report["new"], 1, "the other folder is read all the same: {report}");
    assert!(skipped(&report, "/files").unwrap().contains("not there now"), "{report}");
    is_whole(&person);
    // The whole folder goes while the node watches it, and comes back.
    fs::rename(person.path("elsewhere"), folder).unwrap();
    let _node = person.node();
    is_whole(&person);
    fs::rename(folder, person.path("elsewhere")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    is_whole(&person);
    fs::rename(person.path("elsewhere"), folder).unwrap();
    let report = person.json(["sources", "sync", folder]);
    assert_eq!((report["new"].clone(), report["same"].clone()), (0.into(), 1.into()), "{report}");
    is_whole(&person);
}
