//! Commands given wrongly: exit code 2, one sentence, nothing made.

use crate::run::{Place, Ran};

#[test]
fn misreadings_are_exit_code_2() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["frobnicate"], "unrecognized subcommand"),
        (&["ask", "--temperature", "hot", "why"], "a temperature is a number from 0 to 5"),
        (&["ask", "--max-tokens", "0", "why"], "0 is not in 1..=65536"),
        (&["ask", "--session", "yesterday", "why"], "is not a session id"),
        (&["ingest"], "required"),
        (&["memory"], "Usage: icore memory"),
        (&["memory", "show", "12"], "is not an item id"),
        (&["memory", "search"], "required"),
        (&["memory", "search", "-k", "0", "word"], "0 is not in 1..=200"),
        (&["memory", "forget"], "required"),
        (&["memory", "forget", "--from", "soon"], "is not a time"),
        (
            &["memory", "forget", "--item", "0199f3a2-0000-7000-8000-000000000001", "--from", "7d"],
            "cannot be used with",
        ),
        (&["memory", "forget", "--from", "7d", "--yes", "--dry-run"], "cannot be used with"),
        (&["consent", "revoke", "abc"], "is not a grant id"),
        (&["consent", "grant", "--asker", "me"], "an asker is own, app:NAME"),
        (&["consent", "grant", "--asker", "peer:12"], "64 lower-case hex digits"),
        (&["consent", "grant", "--capability", "everything"], "a capability is ingest"),
        (&["consent", "grant", "--scope", "colour:red"], "bounds nothing"),
        (&["consent", "grant", "--expires", "2001-01-01"], "is already past"),
        (&["audit", "verify", "--key", "00"], "required"),
        (&["audit", "export"], "required"),
        (&["keys", "keychain", "maybe"], "invalid value"),
        (&["init", "--root", "royal"], "invalid value"),
        (&["init", "--restore", "--recovery-out", "w"], "cannot be used with"),
        (&["init", "--words-file", "w"], "required"),
        (&["completions", "tcsh"], "invalid value"),
    ];
    for (args, says) in cases {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(says), "{args:?} should say {says:?}: {}", ran.stderr);
    }
    assert!(!place.path("home").exists());
}

#[test]
fn misreadings_are_json_when_asked() {
    let ran = Place::new().run(&["--json", "memory", "show", "12"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.failure()["kind"], "usage");
}

#[test]
fn the_chat_needs_a_terminal() {
    let place = Place::new();
    let ran = place.run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("needs a terminal") && ran.stderr.contains("icore ask"), "{}", ran.stderr);
    assert!(!place.path("home").exists());
    assert_eq!(place.run(&["--json"]).failure()["kind"], "usage");
}

#[test]
fn a_question_is_needed() {
    let place = Place::new();
    for stdin in ["", " \n"] {
        let ran = Ran::of(place.command().args(["ask", "-"]).write_stdin(stdin));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("There is no question"), "{}", ran.stderr);
    }
    let ran = Ran::of(place.command().args(["ask"]).write_stdin(b"\xff\xfe".to_vec()));
    assert!(ran.code == 2 && ran.stderr.contains("UTF-8"), "{ran:?}");
    let ran = Ran::of(place.command().args(["ask", "--json"]).write_stdin("x".repeat((1 << 20) + 1)));
    assert!(ran.code == 2 && ran.failure()["message"].as_str().unwrap().contains("megabyte"), "{ran:?}");
}

#[test]
fn without_a_home_every_command_says_so() {
    let place = Place::new();
    let id = "0199f3a2-0000-7000-8000-000000000001";
    let out = place.text("ledger.json");
    let commands: &[&[&str]] = &[
        &["ask", "why"],
        &["ingest", "."],
        &["sources", "list"],
        &["memory", "stats"],
        &["memory", "show", id],
        &["memory", "forget", "--item", id, "--yes"],
        &["consent", "list"],
        &["consent", "revoke", id],
        &["audit", "log"],
        &["audit", "verify"],
        &["audit", "export", "--out", &out],
        &["kill"],
        &["keys", "rotate"],
        &["node"],
        &["node", "--stop"],
    ];
    for args in commands {
        let ran = place.run(args);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("There is no iCore at"), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{args:?}: {}", ran.stderr);
    }
    assert!(!place.path("home").exists() && !place.path("ledger.json").exists());
}

#[test]
fn a_panic_prints_its_place_and_not_its_payload() {
    let ran = Place::new().run(&["__panic", "the owner's own words"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("src/cli/mod.rs:"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("own words"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    // `head -c 1` reads one byte of a long answer and closes the pipe.
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std_command(&place);
    let output = command.args(["completions", "zsh"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[allow(clippy::disallowed_types, reason = "a test runs the program under test")]
fn std_command(place: &Place) -> std::process::Command {
    let mut command = std::process::Command::new(crate::run::ICORE);
    command.env_clear().env("HOME", place.path("user"));
    command
}

#[test]
fn folders_come_from_arguments_before_variables() {
    let place = Place::new();
    let other = place.text("other");
    let ran = place.run(&["--home", &other, "sources", "list"]);
    assert!(ran.stderr.contains(&other), "{}", ran.stderr);
    let ran = Ran::of(place.command().env("ICORE_HOME", "").args(["sources", "list"]));
    assert!(ran.stderr.contains("user") && ran.stderr.contains("hinet"), "the user's own folder: {}", ran.stderr);
}
