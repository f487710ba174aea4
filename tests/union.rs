//! Retrieval-union: two owners on one machine. One asks an assembly that the other's home is a member of; what is handed out
//! is what was granted there, it is cited as the other's, and without the other the assembly still answers.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::ffi::OsStr;

use serde_json::json;
use support::{Person, text};

fn settled(name: &str) -> Person {
    let person = Person::new();
    let made = person.run(
        ["init", "--name", name, "--root", "none", "--passphrase-file"],
        [person.path("passphrase").as_os_str(), OsStr::new("--recovery-out"), person.path("words").as_os_str()],
    );
    assert!(made.status.success(), "init failed: {}", text(&made.stderr));
    person
}

#[test]
fn another_home_answers_by_what_its_owner_grants() {
    let (maya, ana) = (settled("Maya"), settled("Ana"));
    let note = ana.file("boat.md", "The sailing boat Corvina lies at pier nine of the harbour in Kiel.\n");
    ana.icore(["ingest", note.to_str().unwrap()]);
    let mine = maya.node();
    let dir = ana.home().display().to_string();
    let add = ["assembly", "add", "quay", "--member-home", &dir, "--called", "ana"];

    // A home that is locked cannot be asked who it is.
    let output = maya.command().args(add).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("The home ana is locked or not running"), "{}", text(&output.stderr));
    let theirs = ana.node();
    let quay = maya.json(add);
    assert_eq!((&quay["homes"][0]["name"], &quay["members"]), (&json!("ana"), &json!([])), "{quay}");

    // Nothing is granted yet: that is said, and whose grant it would be.
    let ask = |more: &[&str]| {
        let words = ["ask", "--assembly", "quay", "At which pier does the sailing boat Corvina lie?"];
        maya.json(words.iter().chain(more).collect::<Vec<_>>())
    };
    let before = ask(&[]);
    assert_eq!((&before["how"], &before["composed"]["mode"]), (&json!("not_in_memory"), &json!("own")), "{before}");
    let why = before["composed"]["why"].as_str().unwrap();
    let (_, peer) = why.split_once("ana refuses (Its owner has granted nothing to ").unwrap();
    let peer = peer.trim_end_matches(')');
    ana.icore([
        "consent",
        "grant",
        "--asker",
        peer,
        "--capability",
        "retrieve",
        "--scope",
        "all",
        "--purpose",
        "boats",
    ]);

    let answer = ask(&[]);
    assert_eq!(answer["composed"]["mode"], "retrieval-union", "{answer}");
    assert!(answer["answer"].as_str().unwrap().contains("nine"), "{answer}");
    let cited = answer["citations"].as_array().unwrap();
    assert!(!cited.is_empty() && cited.iter().all(|citation| citation["member"] == "ana"), "{answer}");
    assert_eq!(answer["composed"]["near"][0]["delta"], quay["homes"][0]["identity"]);
    let receipts = maya.json(["assembly", "receipts"])["receipts"].clone();
    assert_eq!((&receipts[0]["body"]["mode"], &receipts[0]["holds"]), (&json!("retrieval-union"), &json!(true)));
    assert!(ana.json(["audit", "log", "-n", "20"]).to_string().contains("disclosed"));
    let log = maya.json(["audit", "log", "-n", "20"]).to_string();
    assert!(log.contains("was put to other homes: ana") && !log.contains("Corvina"), "{log}");
    // It is none of this memory's, and an incognito question is not told to others.
    assert_eq!(maya.json(["memory", "search", "Corvina"])["hits"], json!([]));
    let quiet = ask(&["--incognito"]);
    assert_eq!(quiet["composed"]["mode"], "own", "{quiet}");

    // Without the other home the assembly answers as well, and says so.
    drop(theirs);
    let alone = ask(&[]);
    assert_eq!(alone["composed"]["mode"], "own");
    assert!(alone["composed"]["why"].as_str().unwrap().contains("ana is locked or not running"), "{alone}");
    maya.icore(["assembly", "leave", "quay", "ana"]);
    assert_eq!(maya.json(["assembly", "list"])["assemblies"], json!([]));
    assert_eq!(maya.json(["audit", "verify"])["ok"], true);
    drop(mine);
}
