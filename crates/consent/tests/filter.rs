//! What the filter finds, measured against sentences that others marked. The figures are printed; the bounds asserted
//! are a little under what was measured, so that a change for the worse is noticed. Skipped where the data is not here.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hinet_consent::spot;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn data(name: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join("shared/data/pii"));
    let path: PathBuf = root.map(|dir| dir.join(name)).find(|path| path.is_file())?;
    Some(std::fs::read_to_string(path).unwrap())
}

/// How often a kind was there, was found, and was said.
#[derive(Default)]
struct Tally {
    there: usize,
    found: usize,
    said: usize,
    right: usize,
}

impl Tally {
    fn recall(&self) -> f64 {
        self.found as f64 / self.there.max(1) as f64
    }

    fn precision(&self) -> f64 {
        self.right as f64 / self.said.max(1) as f64
    }
}

#[test]
fn sentences_with_marked_spans() {
    let Some(json) = data("presidio-research/generated_large.json") else {
        println!("skipped: ../shared/data/pii is not here");
        return;
    };
    let sentences: Vec<Value> = serde_json::from_str(&json).unwrap();
    // (theirs, ours, least recall, least precision)
    let kinds = [
        ("EMAIL_ADDRESS", "email", 0.97, 0.97),
        ("PHONE_NUMBER", "phone", 0.87, 0.95),
        ("CREDIT_CARD", "card", 0.98, 0.98),
        ("IBAN_CODE", "iban", 0.97, 0.97),
        ("IP_ADDRESS", "host", 0.95, 0.95),
        ("DOMAIN_NAME", "host", 0.95, 0.95),
        ("US_SSN", "id", 0.95, 0.95),
    ];
    let mut missed: Vec<String> = Vec::new();
    for (theirs, ours, least_recall, least_precision) in kinds {
        let mut tally = Tally::default();
        for sentence in &sentences {
            let text = sentence["full_text"].as_str().unwrap();
            // Their places count characters, ours bytes.
            let byte =
                |at: &Value| text.char_indices().nth(at.as_u64().unwrap() as usize).map_or(text.len(), |(b, _)| b);
            let spans: Vec<(&str, usize, usize)> = sentence["spans"]
                .as_array()
                .unwrap()
                .iter()
                .map(|span| {
                    (span["entity_type"].as_str().unwrap(), byte(&span["start_position"]), byte(&span["end_position"]))
                })
                .collect();
            let spotted = spot(text);
            for (_, start, end) in spans.iter().filter(|(kind, ..)| *kind == theirs) {
                tally.there += 1;
                // Withheld under another name is withheld.
                let covered: usize = spotted
                    .iter()
                    .map(|found| found.span.end.min(*end).saturating_sub(found.span.start.max(*start)))
                    .sum();
                if covered == end - start {
                    tally.found += 1;
                } else if std::env::var_os("MISSED").is_some() {
                    missed.push(format!("{theirs} missed: {}  |  {text}", &text[*start..*end]));
                }
            }
            for found in spotted.iter().filter(|found| found.kind == ours) {
                tally.said += 1;
                if spans.iter().any(|(_, start, end)| found.span.start < *end && *start < found.span.end) {
                    tally.right += 1;
                } else if std::env::var_os("MISSED").is_some() {
                    missed.push(format!("{ours} wrong: {}  |  {text}", &text[found.span.clone()]));
                }
            }
        }
        println!(
            "{theirs}: {} marked, recall {:.3}; {ours}: {} found, precision {:.3}",
            tally.there,
            tally.recall(),
            tally.said,
            tally.precision()
        );
        assert!(tally.there > 0, "{theirs} is not in the data");
        assert!(tally.recall() >= least_recall && tally.precision() >= least_precision, "{theirs}");
    }
    missed.sort();
    missed.dedup();
    missed.iter().for_each(|line| println!("{line}"));
}

#[test]
fn strings_that_look_like_secrets() {
    let Some(lines) = data("gitleaks/gitleaks_dev.jsonl") else {
        println!("skipped: ../shared/data/pii is not here");
        return;
    };
    let (mut secrets, mut found, mut others, mut wrong) = (0, 0, 0, 0);
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
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
    assert!(found * 100 >= secrets * 70, "{found} of {secrets}");
    assert!(wrong * 100 <= others * 40, "{wrong} of {others}");
}
