//! Experiments through the program: every part of E2 in small, stopped and gone on with, from one seed.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]
#![allow(clippy::disallowed_types, reason = "a test starts the program as a person does")]

mod support;

use support::Person;

#[test]
fn a_made_up_owner_sleeps_and_what_is_done_is_not_done_again() {
    let person = Person::new();
    let dir = person.files().join("e2");
    let run = ["lab", "e2", "--seed", "5", "--small", "--without-whole", "--dir", dir.to_str().unwrap()];
    let found = person.json(run);
    let share = |value: &serde_json::Value| {
        let share = value.as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share), "{value}");
        share
    };
    let facts = &found["facts"];
    assert_eq!(facts["asked"], 12);
    for name in ["anchor", "retrieval_only", "weights_only", "both"] {
        share(&facts[name]);
    }
    // The memory of a real home finds what its files say.
    assert!(share(&facts["retrieval_only"]) > 0.5 && facts["anchor"].as_f64().unwrap() < 0.5, "{facts}");
    assert!(share(&facts["both"]) > 0.5, "{facts}");
    // Something was learned, and the anchor's own numbers are those of the anchor.
    let losses = found["losses"].as_array().unwrap();
    assert!(losses.first().unwrap().as_f64() > losses.last().unwrap().as_f64(), "{losses:?}");
    assert!(found["voice"]["after"].as_f64() < found["voice"]["before"].as_f64(), "{}", found["voice"]);
    // What swallowed the private texts knows them better than others like them; what was distilled does not.
    let gap = |name: &str| found["leakage"][name]["gap"].as_f64().unwrap();
    assert!(gap("leaky_control") > 0.1 + gap("public").abs(), "{}", found["leakage"]);
    assert_eq!(found["leakage"]["leaky_control"]["pass"], false, "{}", found["leakage"]);
    assert_eq!(found["noise"].as_array().unwrap().len(), 2);

    // The same command has nothing left to do, and says the same.
    let output = person.command().args(run).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", support::text(&output.stderr));
    let kept = || {
        let all = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
        let parts = all.filter(|entry| entry.file_name().to_string_lossy().contains('-'));
        parts.map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let before = kept();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), found);
    assert_eq!(person.json(run), found);
    assert_eq!(kept(), before, "a part was made again");
    for (name, part) in [("e2.md", "own facts"), ("e2.svg", "<svg"), ("e2.json", "\"facts\"")] {
        assert!(std::fs::read_to_string(dir.join(name)).unwrap().contains(part), "{name}");
    }
    // A part that is damaged is named, and made again once it is gone.
    let kept = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.into_iter().find(|path| path.to_string_lossy().contains("retrieval_only")).unwrap();
    std::fs::write(&kept, "[").unwrap();
    let output = person.command().args(run).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("delete it"), "{said}");
}
