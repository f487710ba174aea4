//! What `--help` says, word for word; and that completions and manual pages are made from the same words.

use crate::run::Place;

const COMMANDS: [&[&str]; 37] = [
    &[],
    &["init"],
    &["ask"],
    &["ingest"],
    &["sources"],
    &["sources", "list"],
    &["sources", "add"],
    &["sources", "sync"],
    &["sources", "remove"],
    &["memory"],
    &["memory", "search"],
    &["memory", "show"],
    &["memory", "forget"],
    &["memory", "stats"],
    &["consent"],
    &["consent", "list"],
    &["consent", "grant"],
    &["consent", "revoke"],
    &["consent", "pending"],
    &["audit"],
    &["audit", "log"],
    &["audit", "verify"],
    &["audit", "export"],
    &["kill"],
    &["keys"],
    &["keys", "passphrase"],
    &["node"],
    &["models"],
    &["models", "pull"],
    &["doctor"],
    &["completions"],
    &["man"],
    &["keys", "keychain"],
    &["config"],
    &["config", "path"],
    &["config", "check"],
    &["config", "show"],
];

#[test]
fn help_reads_as_agreed() {
    let place = Place::new();
    for command in COMMANDS {
        let ran = place.run_locked(&[command, &["--help"]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command:?}");
        let name = if command.is_empty() { "icore".to_owned() } else { format!("icore-{}", command.join("-")) };
        insta::assert_snapshot!(name, ran.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn help_names_no_hidden_command() {
    let place = Place::new();
    for args in [&["--help"][..], &["completions", "bash"], &["man"]] {
        let ran = place.run_locked(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        assert!(!ran.stdout.contains("__extract"), "{args:?}");
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = place.run_locked(&["completions", shell]);
        assert_eq!((ran.code, ran.stdout.contains("icore")), (0, true), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let place = Place::new();
    let ran = place.run_locked(&["man", "--out", &place.text("man")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for page in ["icore.1", "icore-ask.1", "icore-memory-search.1", "icore-audit-verify.1"] {
        let text = std::fs::read_to_string(place.path("man").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let ran = Place::new().run_locked(&["--version"]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, concat!("icore ", env!("CARGO_PKG_VERSION"))));
}
