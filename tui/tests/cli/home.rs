//! Commands in a home: what they print, what they leave, how they fail. No model is here, so words alone are searched.

use crate::run::{PASSPHRASE, Place, Ran, fields, private};
use serde_json::Value;

const NOTE: &str = "# Porto\n\nThe train to Porto leaves at 14:39 from Oriente, coach 21.\n";

/// A place with a home and one note in it.
fn with_note() -> Place {
    let place = Place::with_home();
    let note = place.write("notes/porto.md", NOTE);
    // Without the embedder the import ends in words that say so; the note is kept all the same.
    let _ = place.run(&["ingest", note.to_str().unwrap()]);
    place
}

fn first_item(place: &Place) -> String {
    place.json(&["memory", "search", "Porto train"])["hits"][0]["item"].as_str().expect("a hit").to_owned()
}

#[test]
fn init_makes_a_home_once() {
    let place = Place::with_home();
    let words = std::fs::read_to_string(place.path("words")).unwrap();
    assert_eq!(words.lines().filter(|line| !line.starts_with('#')).count(), 24);
    let mode = std::os::unix::fs::PermissionsExt::mode(&place.path("words").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let (pass, more) = (place.text("pass"), place.text("words2"));
    let again = ["init", "--name", "Ana", "--passphrase-file", &pass, "--recovery-out", &more, "--no-models"];
    let ran = place.run(&again);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("already an iCore at"), "{}", ran.stderr);
    assert!(!place.path("words2").exists());
    assert_eq!(place.json(&["memory", "stats"])["items"], 0);
}

#[test]
fn init_names_all_that_is_missing_at_once() {
    let place = Place::new();
    let ran = place.run_locked(&["init", "--json"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let message = ran.failure()["message"].as_str().unwrap().to_owned();
    for part in ["--name", "--passphrase-file", "--keychain", "--recovery-out"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn init_that_fails_leaves_nothing() {
    let place = Place::new();
    let (pass, words) = (place.text("pass"), place.text("words"));
    place.write("empty", "\n");
    place.write("taken", "something else");
    place.write("not-words", "twenty four words these are not");
    let (empty, taken, bad, missing) =
        (place.text("empty"), place.text("taken"), place.text("not-words"), place.text("no"));
    let base = ["init", "--name", "Maya", "--no-models"];
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--passphrase-file", &empty, "--recovery-out", &words], 2, "it is empty"),
        (&["--passphrase-file", &missing, "--recovery-out", &words], 2, "could not be read"),
        (&["--passphrase-file", &pass, "--recovery-out", &taken], 1, "exists already"),
        (&["--passphrase-file", &pass, "--recovery-out", &words, "--folder", &missing], 2, "is not a folder"),
        (&["--passphrase-file", &pass, "--restore", "--words-file", &bad], 2, "word"),
        (&["--passphrase-file", &pass, "--restore", "--words-file", &missing], 2, "could not be read"),
    ];
    for (args, code, says) in cases {
        let ran = place.run(&[&base[..], args].concat());
        assert!(ran.stderr.contains(says), "{args:?} should say {says:?}: {ran:?}");
        // Which of 1 and 2 wrong words are is the vault's to say.
        assert!(ran.code == *code || *says == "word" && ran.code == 1, "{args:?}: {ran:?}");
        assert!(!place.path("home").exists() && !place.path("words").exists(), "{args:?} left something");
    }
    assert_eq!(std::fs::read_to_string(place.path("taken")).unwrap(), "something else");
}

#[test]
fn init_in_a_folder_that_cannot_be_written_says_so() {
    let place = Place::new();
    // A file stands where the home's parent folder should be: root could write anywhere else.
    let file = place.write("file", "");
    let (home, pass, words) = (format!("{}/home", file.display()), place.text("pass"), place.text("words"));
    let args =
        ["--home", &home, "init", "--name", "M", "--passphrase-file", &pass, "--recovery-out", &words, "--no-models"];
    let ran = place.run(&args);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("error: ") && !ran.stderr.contains("panick"), "{}", ran.stderr);
    assert!(!place.path("words").exists(), "the words of a home that was not made are not kept");
}

#[test]
fn the_words_restore_the_identity() {
    let first = Place::with_home();
    let export = first.text("ledger.json");
    assert_eq!(first.run(&["audit", "export", "--out", &export]).code, 0);

    let second = Place::new();
    let (words, pass) = (first.text("words"), second.text("pass"));
    let made = second.json(&[
        "init",
        "--restore",
        "--words-file",
        &words,
        "--name",
        "Maya",
        "--passphrase-file",
        &pass,
        "--no-models",
    ]);
    let names = ["device", "home", "identity", "models", "recovery_out", "restored"];
    assert_eq!(fields(&made), names);
    let identity = made["identity"].as_str().unwrap();
    let ran = second.run(&["audit", "verify", "--export", &export, "--key", identity]);
    assert_eq!(ran.code, 0, "the first home's ledger is the same owner's: {ran:?}");

    let third = Place::new();
    let typed = std::fs::read_to_string(&words).unwrap();
    let args = ["init", "--restore", "--name", "Maya", "--passphrase-file", &pass, "--no-models", "--json"];
    let ran = Ran::of(third.command().args(args).write_stdin(typed));
    let made: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(made["identity"], identity);
}

#[test]
fn a_wrong_passphrase_changes_nothing() {
    let place = Place::with_home();
    place.write("wrong", "not the passphrase\n");
    private(&place.path("wrong"));
    let before = place.json(&["audit", "verify"]);
    let ran =
        Ran::of(place.command().env("ICORE_PASSPHRASE_FILE", place.path("wrong")).args(["memory", "stats", "--json"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.failure()["message"].as_str().unwrap().contains("passphrase"), "{ran:?}");
    let after = place.json(&["audit", "verify"]);
    assert_eq!(
        after["entries"].as_u64(),
        before["entries"].as_u64().map(|n| n + 1),
        "only the second unlock is recorded"
    );
}

#[test]
fn a_locked_home_without_a_terminal_says_what_unlocks_it() {
    let place = Place::with_home();
    let ran = place.run_locked(&["memory", "stats"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("ICORE_PASSPHRASE_FILE"), "{}", ran.stderr);
}

#[test]
fn a_passphrase_file_that_others_can_read_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_home();
    std::fs::set_permissions(place.path("pass"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = place.run(&["memory", "stats"]);
    assert!(ran.code == 0 && ran.stderr.contains("chmod 600"), "{ran:?}");
    assert_eq!(place.run(&["memory", "stats", "--json"]).stderr, "", "stderr is for failures with --json");
}

#[test]
fn json_shapes_are_the_promised_ones() {
    let place = with_note();
    let hits = place.json(&["memory", "search", "Porto train", "-k", "3"]);
    assert_eq!(fields(&hits), ["hits"]);
    assert_eq!(fields(&hits["hits"][0]), ["item", "parts", "score", "source", "text", "title"]);
    assert_eq!(fields(&hits["hits"][0]["parts"]), ["bm25", "recency", "vector"]);

    let verdict = place.json(&["audit", "verify"]);
    assert_eq!(fields(&verdict), ["entries", "head", "ok"]);
    assert_eq!(verdict["ok"], true);
    assert_eq!(verdict["head"].as_str().unwrap().len(), 64);

    let item = place.json(&["memory", "show", &first_item(&place)]);
    assert_eq!(item["text"], NOTE);
    assert_eq!(fields(&place.json(&["sources", "list"])), ["sources"]);
    assert_eq!(fields(&place.json(&["consent", "list"])), ["grants"]);
    assert_eq!(fields(&place.json(&["consent", "pending"])), ["asking"]);
    assert_eq!(fields(&place.json(&["audit", "log", "-n", "2"])), ["entries"]);
    assert_eq!(place.json(&["audit", "log", "-n", "2"])["entries"].as_array().unwrap().len(), 2);
    let doctor = place.json(&["doctor"]);
    assert_eq!((fields(&doctor), &doctor["ok"]), (vec!["checks".to_owned(), "ok".to_owned()], &Value::Bool(true)));
}

#[test]
fn ingest_counts_what_it_saw() {
    let place = Place::with_home();
    place.write("notes/binary.md", "\0\0\0");
    let empty = place.path("notes/none");
    std::fs::create_dir_all(&empty).unwrap();
    let report = place.json(&["ingest", empty.to_str().unwrap()]);
    assert_eq!(fields(&report), ["new", "same", "seen", "skipped", "updated"]);
    let ran = place.run(&["ingest", &place.text("nowhere")]);
    assert!(ran.code == 1 && ran.stderr.contains("cannot be opened"), "{ran:?}");
}

#[test]
fn forgetting_needs_a_yes() {
    let place = with_note();
    let item = first_item(&place);
    let ran = place.run(&["memory", "forget", "--item", &item]);
    assert!(ran.code == 2 && ran.stderr.contains("--yes"), "{ran:?}");
    let preview = place.json(&["memory", "forget", "--item", &item, "--dry-run"]);
    assert_eq!((&preview["items"], &preview["done"]), (&Value::from(1), &Value::Bool(false)));
    assert_eq!(place.json(&["memory", "stats"])["items"], 1);

    let done = place.json(&["memory", "forget", "--item", &item, "--yes"]);
    assert_eq!((&done["items"], &done["done"]), (&Value::from(1), &Value::Bool(true)));
    assert_eq!(place.json(&["memory", "search", "Porto train"])["hits"].as_array().unwrap().len(), 0);
    let ran = place.run(&["memory", "show", &item]);
    assert!(ran.code == 1 && ran.stderr.contains("no item"), "{ran:?}");
}

#[test]
fn sources_are_named_by_id_or_path() {
    let place = with_note();
    let source = place.json(&["sources", "list"])["sources"][0].clone();
    let path = source["path"].as_str().unwrap();
    assert_eq!(place.json(&["sources", "pause", path])["paused"], true);
    assert_eq!(place.json(&["sources", "list"])["sources"][0]["state"], "paused");
    assert_eq!(place.json(&["sources", "resume", source["id"].as_str().unwrap()])["paused"], false);
    let ran = place.run(&["sources", "remove", path]);
    assert!(ran.code == 2 && ran.stderr.contains("--yes"), "{ran:?}");
    assert_eq!(place.run(&["sources", "remove", path, "--yes"]).code, 0);
    assert_eq!(place.json(&["sources", "list"])["sources"].as_array().unwrap().len(), 0);
    let ran = place.run(&["sources", "pause", path]);
    assert!(ran.code == 1 && ran.stderr.contains("There is no source"), "{ran:?}");
}

#[test]
fn the_kill_switch_refuses_with_exit_code_3_until_it_is_lifted() {
    let place = Place::with_home();
    assert_eq!(place.json(&["kill"])["killed"], true);
    let ran = place.run(&["ingest", "--json", &place.text("user")]);
    assert_eq!((ran.code, &ran.failure()["kind"]), (3, &Value::from("refused")), "{ran:?}");
    assert_eq!(place.run(&["memory", "stats"]).code, 0, "looking goes on");
    assert_eq!(place.json(&["kill", "--lift"])["killed"], false);
    assert_eq!(place.run(&["ingest", &place.text("user")]).code, 0);
    let kinds: Vec<String> = place.json(&["audit", "log", "-n", "50"])["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap().to_owned())
        .collect();
    assert!(kinds.contains(&"kill".to_owned()) && kinds.contains(&"lift".to_owned()), "{kinds:?}");
}

#[test]
fn grants_are_given_listed_and_taken_back() {
    let place = Place::with_home();
    let ran = place.run(&[
        "consent",
        "grant",
        "--asker",
        "app:cursor",
        "--capability",
        "converse",
        "--scope",
        "label:work,topic:deploys",
        "--purpose",
        "coding help",
        "--expires",
        "30d",
        "--withhold",
        "none",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("app:cursor") && ran.stderr.contains("label:work, topic:deploys"), "{}", ran.stderr);
    let grants = place.json(&["consent", "list"])["grants"].clone();
    let given = grants.as_array().unwrap().iter().find(|grant| grant["terms"]["purpose"] == "coding help").unwrap();
    assert_eq!(given["terms"]["asker"], serde_json::json!({ "kind": "app", "id": "cursor" }));
    let id = given["id"].as_str().unwrap();
    assert_eq!(place.json(&["consent", "revoke", id])["revoked"], id);
    assert!(!place.run(&["consent", "list"]).stdout.contains(id));
    assert!(place.run(&["consent", "list", "--all"]).stdout.contains(id));
    assert_eq!(place.run(&["consent", "revoke", "0199f3a2-0000-7000-8000-000000000001"]).code, 1);
}

#[test]
fn an_export_verifies_without_a_home_and_tells_on_itself_when_changed() {
    let place = Place::with_home();
    let out = place.text("ledger.json");
    let key = place.json(&["audit", "export", "--out", &out])["key"].as_str().unwrap().to_owned();
    assert_eq!(Place::new().run_locked(&["audit", "verify", "--export", &out, "--key", &key]).code, 0);
    let ran = place.run(&["audit", "export", "--out", &out]);
    assert!(ran.code == 1 && ran.stderr.contains("exists already"), "{ran:?}");

    let elsewhere = Place::new();
    let ran = elsewhere.run_locked(&["audit", "verify", "--export", &out, "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = elsewhere.run_locked(&["audit", "verify", "--export", &out, "--key", &"00".repeat(32)]);
    assert_eq!(ran.code, 1, "another owner's key does not fit: {ran:?}");

    let text = std::fs::read_to_string(&out).unwrap();
    let digit = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
    let changed = if &text[digit..=digit] == "7" { "8" } else { "7" };
    let spoiled = elsewhere.write("spoiled.json", &format!("{}{changed}{}", &text[..digit], &text[digit + 1..]));
    let ran = elsewhere.run_locked(&["audit", "verify", "--export", spoiled.to_str().unwrap(), "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let none = elsewhere.write("none.json", "{}");
    let ran = elsewhere.run_locked(&["audit", "verify", "--export", none.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.stderr.contains("error: "), "{ran:?}");
}

#[test]
fn the_passphrase_changes_and_the_words_help_when_it_is_lost() {
    let place = Place::with_home();
    place.write("new", "another plain phrase\n");
    private(&place.path("new"));
    let new = place.text("new");
    assert_eq!(place.run(&["keys", "passphrase", "--new-passphrase-file", &new]).code, 0);
    assert_eq!(place.run(&["memory", "stats"]).code, 1, "the old one no longer opens it");

    let (words, old) = (place.text("words"), place.text("pass"));
    let ran = place.run_locked(&["keys", "passphrase", "--words-file", &words, "--new-passphrase-file", &old]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(place.run(&["memory", "stats"]).code, 0);
    assert_eq!(place.run(&["keys", "rotate"]).code, 0);
    assert_eq!(place.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn doctor_works_without_a_home_and_without_an_unlock() {
    let place = Place::new();
    let ran = place.run_locked(&["doctor"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("there is no iCore at"), "{}", ran.stdout);
    assert_eq!(place.run_locked(&["doctor", "--rebuild-index"]).code, 1);

    let place = Place::with_home();
    let ran = place.run_locked(&["doctor"]);
    assert!(ran.code == 0 && ran.stdout.contains("not looked into"), "{ran:?}");
    let ran = place.run(&["doctor"]);
    assert!(ran.code == 0 && ran.stdout.contains("ledger"), "{ran:?}");
}

#[test]
fn doctor_names_damage_and_exits_1() {
    let place = with_note();
    let db = std::fs::read_dir(place.path("home")).unwrap().flatten().map(|entry| entry.path());
    let db = db.filter(|path| path.is_file()).max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&db).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&db, bytes).unwrap();
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("damaged"), "{}", ran.stdout);
}

#[test]
fn no_command_prints_a_secret() {
    let place = Place::with_home();
    let words = std::fs::read_to_string(place.path("words")).unwrap();
    let word = words.lines().last().unwrap().split_whitespace().last().unwrap().to_owned();
    for args in [&["doctor"][..], &["audit", "log"], &["sources", "list"], &["consent", "list", "--all"]] {
        let ran = Ran::of(
            place.command().env("ICORE_PASSPHRASE_FILE", place.path("pass")).env("ICORE_LOG", "trace").args(args),
        );
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!printed.contains(PASSPHRASE) && !printed.contains(&format!(" {word} ")), "{args:?}");
    }
}
