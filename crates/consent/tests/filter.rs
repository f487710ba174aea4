//! Strings that look like secrets, against those that only seem to be. Skipped where the data is not here; the other
//! kinds are measured in `personal.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod marked;

use hinet_consent::spot;
use marked::data;
use serde_json::Value;

/// A line of the data that is no more than the name of a file: in the rules' own tests what it stands for lies beside it.
fn is_file_name(text: &str) -> bool {
    let endings = [".yaml", ".yml", ".config"];
    !text.contains(char::is_whitespace) && endings.iter().any(|ending| text.to_lowercase().ends_with(ending))
}

#[test]
fn strings_that_look_like_secrets() {
    let Some(lines) = data("gitleaks/gitleaks_dev.jsonl") else {
        println!("skipped: ../shared/data/pii is not here");
        return;
    };
    let (mut secrets, mut found, mut others, mut wrong, mut named) = (0, 0, 0, 0, 0);
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        if is_file_name(text) {
            named += 1;
            continue;
        }
        let spotted = spot(text).iter().any(|found| found.kind == "secret");
        if case["label"] == "secret" {
            secrets += 1;
            found += usize::from(spotted);
        } else {
            others += 1;
            wrong += usize::from(spotted);
        }
        if std::env::var_os("MISSED").is_some() && spotted != (case["label"] == "secret") {
            println!("{} {}: {text}", case["label"], case["rule"]);
        }
    }
    println!("secrets: {found} of {secrets} found; of {others} that only seem to be, {wrong} withheld as well");
    let share = |of: usize| found as f64 / of as f64;
    let (recall, precision) = (share(secrets), share(found + wrong));
    println!("recall {recall:.3}, precision {precision:.3}; {named} names of files left out");
    assert!(recall >= 0.95 && precision >= 0.8);
}
