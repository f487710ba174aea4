//! The ordinary life with an iCore, command by command as a person types them: make one, read, ask, watch, forget, stop
//! everything, change the keys, restore, check the ledger elsewhere, and end the node.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]
#![allow(clippy::disallowed_types, reason = "the test starts programs as a person would")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::Value;
use support::process::{self, eventually};
use support::{Person, text};

/// A person whose home was made with a folder that has three notes.
fn with_notes() -> Person {
    let person = Person::new();
    person.file("ferry.md", "# Ferry\n\nThe ferry to Almada leaves from Cais do Sodre every twenty minutes.\n");
    person.file("boiler.txt", "The boiler in the cellar was serviced by Tomas Reis in March. He charged 85 euros.\n");
    person.file("garden/roses.md", "# Roses\n\nThe climbing roses are pruned in the last week of February.\n");
    let made = person.run(
        ["init", "--name", "Maya", "--root", "general", "--passphrase-file"],
        [
            person.path("passphrase").as_os_str(),
            "--recovery-out".as_ref(),
            person.path("words").as_os_str(),
            "--folder".as_ref(),
            person.files().as_os_str(),
        ],
    );
    assert!(made.status.success(), "init failed: {}", text(&made.stderr));
    person
}

/// Runs a command that must not work: its exit code, and what it said.
fn fails<A: AsRef<std::ffi::OsStr>>(person: &Person, arguments: &[A], code: i32) -> String {
    let output = person.command().args(arguments).output().unwrap();
    let said = text(&output.stderr);
    let named: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy().into_owned()).collect();
    assert_eq!(output.status.code(), Some(code), "{named:?} said {said} {}", text(&output.stdout));
    assert!(said.contains("hint:"), "{named:?} gives no hint: {said}");
    said
}

fn hits(person: &Person, query: &str) -> Vec<Value> {
    person.json(["memory", "search", query, "-k", "5"])["hits"].as_array().unwrap().clone()
}

/// Whether the words themselves are found: what is near in meaning only does not count.
fn finds(person: &Person, words: &str) -> bool {
    hits(person, words).iter().any(|hit| hit["text"].as_str().unwrap().contains(words))
}

fn sources(person: &Person) -> Vec<Value> {
    person.json(["sources", "list"])["sources"].as_array().unwrap().clone()
}

fn holds(person: &Person) {
    let verdict = person.json(["audit", "verify"]);
    assert_eq!(verdict["ok"], true, "{verdict}");
}

#[test]
fn a_folder_is_read_asked_about_paused_and_removed() {
    let person = with_notes();
    assert_eq!(sources(&person).len(), 1, "init opened the folder");
    let report = person.json(["sources", "sync"]);
    assert_eq!((report["seen"].clone(), report["new"].clone()), (3.into(), 3.into()), "{report}");
    let report = person.json(["ingest", person.files().to_str().unwrap()]);
    assert_eq!((report["new"].clone(), report["same"].clone()), (0.into(), 3.into()), "{report}");

    let found = hits(&person, "boiler serviced");
    assert!(found[0]["source"].as_str().unwrap().ends_with("boiler.txt"), "{found:?}");
    for part in ["bm25", "vector", "recency"] {
        assert!(found[0]["parts"][part].is_number(), "{part} is missing: {}", found[0]);
    }
    let item = found[0]["item"].as_str().unwrap();
    let shown = person.json(["memory", "show", item]);
    assert!(shown["text"].as_str().unwrap().contains("Tomas Reis"), "{shown}");

    // A question, and one more in the same conversation.
    let answer = person.json(["ask", "Who serviced the boiler?"]);
    assert!(answer["answer"].as_str().unwrap().contains("Tomas Reis"), "{answer}");
    assert_eq!(answer["citations"][0]["item"], item, "{answer}");
    let (start, end) =
        (answer["citations"][0]["span"][0].as_u64().unwrap(), answer["citations"][0]["span"][1].as_u64().unwrap());
    let cited = &shown["text"].as_str().unwrap()[start as usize..end as usize];
    assert_eq!(answer["citations"][0]["text"], cited, "the span points at the cited text");
    for key in ["cut", "tokens", "tokens_per_s", "deltas"] {
        assert!(!answer[key].is_null(), "{key} is missing: {answer}");
    }
    let session = answer["session"].as_str().unwrap().to_owned();
    let again = person.json(["ask", "--session", &session, "How much did the boiler service cost?"]);
    assert_eq!(again["session"], session.as_str(), "{again}");
    assert!(again["answer"].as_str().unwrap().contains("85"), "{again}");
    let stats = person.json(["memory", "stats"]);
    assert_eq!((stats["sessions"].clone(), stats["messages"].clone()), (1.into(), 4.into()), "{stats}");
    let none = person.json(["ask", "What is the capital of Mongolia?"]);
    assert!(none["answer"].as_str().unwrap().to_lowercase().contains("not in your memory"), "{none}");

    // A paused source is left alone, and goes on where it was.
    let files = person.files();
    let folder = files.to_str().unwrap();
    person.json(["sources", "pause", folder]);
    person.file("later.md", "The lantern festival begins on the ninth of May.\n");
    fails(&person, &["sources", "sync", folder], 3);
    assert!(!finds(&person, "lantern festival"), "a paused source is not read");
    person.json(["sources", "resume", folder]);
    person.json(["sources", "sync", folder]);
    assert!(finds(&person, "lantern festival"));

    // A second one, and away with the first; the files stay.
    let other = person.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("sea.md"), "The tide table hangs beside the kitchen door.\n").unwrap();
    person.json(["sources", "add", other.to_str().unwrap()]);
    assert!(finds(&person, "tide table"));
    let dry = person.json(["sources", "remove", folder, "--dry-run"]);
    assert_eq!((dry["items"].clone(), dry["done"].clone()), (4.into(), false.into()), "{dry}");
    assert!(finds(&person, "lantern festival"), "a dry run takes nothing");
    let gone = person.json(["sources", "remove", folder, "--yes"]);
    assert_eq!((gone["items"].clone(), gone["done"].clone()), (4.into(), true.into()), "{gone}");
    assert!(!finds(&person, "lantern festival") && !finds(&person, "Tomas Reis"));
    assert!(finds(&person, "tide table") && files.join("boiler.txt").exists());
    assert_eq!(sources(&person).len(), 1);
    holds(&person);
}

#[test]
fn a_watched_folder_is_followed() {
    let person = with_notes();
    let _node = person.node();
    eventually("the folder to be read when the node starts", || finds(&person, "Tomas Reis"));

    // The first search loads the embedder; from here on it is as in a day's work.
    let took = |what: &str, is: &mut dyn FnMut() -> bool| {
        let took = eventually(what, is);
        eprintln!("{what}: {} ms", took.as_millis());
        took
    };
    for n in 0..3 {
        let word = format!("heron{n} on the weir");
        person.file(&format!("new{n}.md"), format!("There was a {word} this morning.\n"));
        took("a new file is found after", &mut || finds(&person, &word));
    }
    person.file("new0.md", "There was an otter in the millrace instead.\n");
    took("a changed file is found after", &mut || finds(&person, "otter in the millrace"));
    assert!(!finds(&person, "heron0 on the weir"), "what it said before is gone");
    fs::remove_file(person.files().join("new1.md")).unwrap();
    took("a deleted file is gone after", &mut || !finds(&person, "heron1 on the weir"));
    fs::rename(person.files().join("new2.md"), person.files().join("garden/moved.md")).unwrap();
    took("a renamed file has its new name after", &mut || {
        hits(&person, "heron2 on the weir")
            .iter()
            .any(|hit| hit["source"].as_str().unwrap().ends_with("garden/moved.md"))
    });
    let names: Vec<_> = hits(&person, "heron2 weir").iter().map(|h| h["source"].as_str().unwrap().to_owned()).collect();
    assert!(!names.iter().any(|name| name.ends_with("new2.md")), "the old name is gone: {names:?}");
    // A folder with everything in it moves in, and out again.
    let outside = person.path("outside");
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::write(outside.join("deep/fox.md"), "The vixen crossed the orchard at dusk.\n").unwrap();
    fs::rename(&outside, person.files().join("inside")).unwrap();
    took("a folder that moved in is found after", &mut || finds(&person, "vixen crossed the orchard"));
    fs::rename(person.files().join("inside"), &outside).unwrap();
    took("a folder that moved out is gone after", &mut || !finds(&person, "vixen crossed the orchard"));
    holds(&person);
}

#[test]
fn items_sources_and_times_are_forgotten() {
    let person = with_notes();
    person.json(["sources", "sync"]);
    let item = hits(&person, "climbing roses")[0]["item"].as_str().unwrap().to_owned();
    let answer = person.json(["ask", "When are the climbing roses pruned?"]);
    assert_eq!(answer["citations"][0]["item"], item.as_str(), "{answer}");

    let dry = person.json(["memory", "forget", "--item", &item, "--dry-run"]);
    assert_eq!((dry["items"].clone(), dry["done"].clone()), (1.into(), false.into()), "{dry}");
    assert_eq!(dry["answers"], 1, "the stored answer would go too: {dry}");
    assert!(finds(&person, "climbing roses"));
    let done = person.json(["memory", "forget", "--item", &item, "--yes"]);
    assert_eq!((done["items"].clone(), done["done"].clone()), (1.into(), true.into()), "{done}");
    assert!(!finds(&person, "climbing roses"));
    fails(&person, &["memory", "show", &item], 1);
    // Reading the folder again does not bring it back; handing it over by name does.
    let report = person.json(["sources", "sync"]);
    assert_eq!(report["new"], 0, "{report}");
    assert!(report["skipped"][0]["why"].as_str().unwrap().contains("forgotten"), "{report}");
    person.json(["ingest", person.files().join("garden/roses.md").to_str().unwrap()]);
    assert!(finds(&person, "climbing roses"));

    // By time: what was changed long ago goes, the rest stays.
    let old = person.file("old.md", "The lighthouse keeper retired to Sagres.\n");
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    fs::File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
    person.json(["sources", "sync"]);
    assert!(finds(&person, "lighthouse keeper"));
    let span = ["memory", "forget", "--from", "2020-09-01", "--to", "2020-10-01"];
    let dry = person.json(span.into_iter().chain(["--dry-run"]));
    assert_eq!(dry["items"], 1, "{dry}");
    let done = person.json(span.into_iter().chain(["--yes"]));
    assert_eq!(done["items"], 1, "{done}");
    assert!(!finds(&person, "lighthouse keeper") && finds(&person, "climbing roses"));
    fails(&person, &["memory", "forget", "--from", "2021-01-01", "--to", "2020-01-01", "--yes"], 2);
    // Nobody is there to be asked, and nobody said yes.
    let item = hits(&person, "climbing roses")[0]["item"].as_str().unwrap().to_owned();
    fails(&person, &["memory", "forget", "--item", &item], 2);
    assert!(finds(&person, "climbing roses"));

    // By source.
    let source = sources(&person)[0]["id"].as_str().unwrap().to_owned();
    let done = person.json(["memory", "forget", "--source", &source, "--yes"]);
    assert_eq!(done["items"], 3, "{done}");
    let stats = person.json(["memory", "stats"]);
    assert_eq!((stats["items"].clone(), stats["chunks"].clone()), (0.into(), 0.into()), "{stats}");
    holds(&person);
}

#[test]
fn the_kill_switch_stops_everything_until_it_is_lifted() {
    let person = with_notes();
    person.json(["sources", "sync"]);
    let mut node = person.node();
    person.json(["kill"]);
    person.file("unseen.md", "The swallows are back under the eaves.\n");
    let files = person.files();
    let folder = files.to_str().unwrap();
    let refused = |person: &Person| {
        for command in [
            &["ask", "Who serviced the boiler?"][..],
            &["ingest", folder],
            &["sources", "sync"],
            &["sources", "add", folder],
            &["memory", "search", "boiler"],
        ] {
            let said = fails(person, command, 3);
            assert!(said.contains("kill switch") && said.contains("icore kill --lift"), "{said}");
        }
    };
    refused(&person);
    // Looking on goes.
    person.json(["memory", "stats"]);
    person.json(["consent", "list"]);
    process::signal(&node.child, Signal::TERM);
    assert!(process::ended(&mut node.child).success());

    // Without the node, and with a new one: it stays.
    refused(&person);
    let _node = person.node();
    refused(&person);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(person.json(["memory", "stats"])["items"], 3, "the watched folder was not read");
    person.json(["kill", "--lift"]);
    eventually("the folder to be read once the switch is lifted", || finds(&person, "swallows are back"));
    let answer = person.json(["ask", "Who serviced the boiler?"]);
    assert!(answer["answer"].as_str().unwrap().contains("Tomas Reis"), "{answer}");
    let log = person.json(["audit", "log", "-n", "100"]);
    for kind in ["kill", "lift"] {
        let count = log["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).count();
        assert_eq!(count, 1, "{kind} is in the ledger");
    }
    holds(&person);
}

#[test]
fn passphrase_and_keys_are_changed_and_the_words_restore() {
    let person = with_notes();
    person.json(["sources", "sync"]);
    let item = hits(&person, "climbing roses")[0]["item"].as_str().unwrap().to_owned();
    person.json(["memory", "forget", "--item", &item, "--yes"]);

    fs::write(person.path("new"), "a heron on the weir at noon\n").unwrap();
    person.json(["keys", "passphrase", "--new-passphrase-file", person.path("new").to_str().unwrap()]);
    let said = fails(&person, &["memory", "stats"], 1);
    assert!(said.contains("passphrase"), "{said}");
    fs::rename(person.path("new"), person.path("passphrase")).unwrap();
    assert!(finds(&person, "Tomas Reis"));
    // Lost, and found again with the words.
    fs::write(person.path("passphrase"), "a third one").unwrap();
    let (words, new) = (person.path("words"), person.path("passphrase"));
    person.json([
        "keys",
        "passphrase",
        "--words-file",
        words.to_str().unwrap(),
        "--new-passphrase-file",
        new.to_str().unwrap(),
    ]);
    assert!(finds(&person, "Tomas Reis"));

    let before: Vec<_> = ["vault.db"].iter().map(|name| fs::read(person.home().join(name)).unwrap()).collect();
    person.json(["keys", "rotate"]);
    assert_ne!(fs::read(person.home().join("vault.db")).unwrap()[..4096], before[0][..4096], "encrypted again");
    assert!(finds(&person, "Tomas Reis"));
    let report = person.json(["sources", "sync"]);
    assert_eq!(report["new"], 0, "what was forgotten stays forgotten: {report}");
    person.json(["keys", "rotate"]);
    assert!(finds(&person, "Tomas Reis"));
    let report = person.json(["sources", "sync"]);
    assert_eq!(report["new"], 0, "what was forgotten stays forgotten: {report}");
    let doctor = person.json(["doctor"]);
    assert!(doctor["checks"].as_array().unwrap().iter().all(|check| check["state"] != "damaged"), "{doctor}");
    holds(&person);

    // While a node has the home open, the keys are left alone.
    let node = person.node();
    let said = fails(&person, &["keys", "rotate"], 1);
    assert!(said.contains("node") || said.contains("open"), "{said}");
    drop(node);

    // The words make the same identity somewhere else; other words another.
    let out = person.path("ledger.json");
    let key = person.json(["audit", "export", "--out", out.to_str().unwrap()])["key"].as_str().unwrap().to_owned();
    let elsewhere = Person::new();
    let restored = elsewhere.json([
        "init",
        "--restore",
        "--words-file",
        words.to_str().unwrap(),
        "--name",
        "Maya",
        "--root",
        "general",
        "--passphrase-file",
        elsewhere.path("passphrase").to_str().unwrap(),
    ]);
    assert_eq!(restored["identity"], key.as_str(), "the same words, the same identity");
    assert_eq!(restored["restored"], true, "{restored}");
    holds(&elsewhere);
    assert!(!fs::read_to_string(&words).unwrap().trim().is_empty(), "the words' file is left alone");
}

#[test]
fn an_exported_ledger_verifies_anywhere_and_a_changed_byte_is_named() {
    let person = with_notes();
    person.json(["sources", "sync"]);
    let file = person.path("ledger.json");
    let made = person.json(["audit", "export", "--out", file.to_str().unwrap()]);
    let key = made["key"].as_str().unwrap();
    fails(&person, &["audit", "export", "--out", file.to_str().unwrap()], 1);

    // Somewhere without a home and without a passphrase.
    let elsewhere = Person::new();
    let verify = |file: &Path, key: &str| {
        let mut command = elsewhere.command();
        command.env_remove("ICORE_PASSPHRASE_FILE").args(["audit", "verify", "--json", "--export"]);
        let output = command.arg(file).args(["--key", key]).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, error) = verify(&file, key);
    assert_eq!(code, Some(0), "{said} {error}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(
        report["head"],
        person.json(["audit", "log", "-n", "50"])["entries"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| { e["seq"].as_u64().unwrap() + 1 == report["entries"].as_u64().unwrap() })
            .unwrap()["hash"]
    );
    let (code, ..) = verify(&file, &"0".repeat(64));
    assert_eq!(code, Some(1), "signed by somebody else");

    // One digit of the third entry's bytes.
    let export = fs::read_to_string(&file).unwrap();
    let mut document: Value = serde_json::from_str(&export).unwrap();
    let entry = &mut document["entries"][2];
    let (field, was) = entry
        .as_object()
        .unwrap()
        .iter()
        .find_map(|(k, v)| v.as_str().filter(|v| v.len() >= 64).map(|v| (k.clone(), v.to_owned())))
        .expect("an entry has hashes and a signature in hex");
    let digit = if was.ends_with('0') { '1' } else { '0' };
    entry[&field] = format!("{}{digit}", &was[..was.len() - 1]).into();
    let changed = person.path("changed.json");
    fs::write(&changed, document.to_string()).unwrap();
    let (code, said, error) = verify(&changed, key);
    assert_eq!(code, Some(1), "{said} {error}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((report["ok"].clone(), report["broken"][0].clone()), (false.into(), 2.into()), "{report}");
    let (code, _, error) = verify(&person.path("passphrase"), key);
    assert_eq!(code, Some(1), "{error}");
}

#[test]
fn the_doctor_finds_a_sound_home_sound_and_makes_the_index_again() {
    let person = with_notes();
    person.json(["sources", "sync"]);
    let doctor = person.json(["doctor"]);
    assert!(doctor["checks"].as_array().unwrap().iter().all(|check| check["state"] != "damaged"), "{doctor}");
    let ids = |person: &Person| hits(person, "boiler").iter().map(|h| h["item"].clone()).collect::<Vec<_>>();
    let before = ids(&person);
    person.json(["doctor", "--rebuild-index"]);
    assert_eq!(ids(&person), before);
    fs::remove_dir_all(person.home().join("index")).unwrap();
    assert_eq!(ids(&person), before, "an index that is gone is made again");
    person.json(["doctor"]);
    // The same through a running node.
    let _node = person.node();
    person.json(["doctor", "--rebuild-index"]);
    assert_eq!(ids(&person), before);
}

#[test]
fn completions_and_manual_are_printed_without_a_home() {
    let nobody = Person::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(nobody.icore(["completions", shell]).contains("icore"), "{shell}");
    }
    assert!(nobody.icore(["man"]).contains(".TH"));
    let checked = Command::new("bash").arg("-n").arg("-c").arg(nobody.icore(["completions", "bash"])).status();
    assert!(checked.is_ok_and(|status| status.success()), "bash reads the script");
}

#[test]
fn the_node_stops_cleanly_and_takes_its_socket_with_it() {
    let person = with_notes();
    for end in [Signal::TERM, Signal::INT] {
        let mut node = person.node();
        process::signal(&node.child, end);
        let status = process::ended(&mut node.child);
        assert!(status.success(), "{end:?}: {status}");
        assert!(!node.socket.exists(), "{end:?}: the socket goes");
    }
    // Told to by another icore; told to while it reads.
    let mut node = person.node();
    assert_eq!(person.json(["node", "--stop"])["stopped"], true);
    assert!(process::ended(&mut node.child).success());
    assert!(!node.socket.exists());
    assert_eq!(person.json(["node", "--stop"])["stopped"], false);
    for n in 0..400 {
        person.file(&format!("many/{n}.md"), format!("Note number {n} speaks of the weather on day {n}.\n"));
    }
    let mut node = person.node();
    std::thread::sleep(Duration::from_millis(300));
    process::signal(&node.child, Signal::TERM);
    assert!(process::ended(&mut node.child).success());
    assert!(!node.socket.exists());
    // Killed, it leaves its socket behind, and the next one takes the name.
    let mut node = person.node();
    node.child.kill().unwrap();
    node.child.wait().unwrap();
    assert!(node.socket.exists());
    person.json(["memory", "stats"]);
    let _node = person.node();
    person.json(["memory", "stats"]);
    holds(&person);
}

/// The mind answers from a device of candle's as it does from our own kernels; a device that is not there is refused.
#[test]
fn the_mind_answers_from_the_device_that_is_named() {
    let person = with_notes();
    person.icore(["sources", "sync"]);
    let on = |device: &str| {
        person
            .command()
            .args(["ask", "Who serviced the boiler?", "--json"])
            .env("ICORE_DEVICE", device)
            .output()
            .unwrap()
    };
    let answered = on("candle");
    assert!(answered.status.success(), "{}", text(&answered.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&answered.stdout).unwrap();
    assert!(answer["answer"].as_str().unwrap().contains("Tomas Reis"), "{answer}");
    let refused = on("abacus");
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("no device called abacus"), "{}", text(&refused.stderr));
    if !cfg!(feature = "metal") {
        let refused = on("metal");
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("built without metal"), "{}", text(&refused.stderr));
    }
}
