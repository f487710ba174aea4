//! How much personal data the filter finds, against texts that others marked and against our own. A table is printed;
//! the bounds asserted are a little under what was measured. How a span counts as found is said in `marked/mod.rs`.
//! `MISSED=<kind>` prints what was missed (`-`) and what was wrong (`+`). Skipped where the data is not here.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod marked;

use hinet_consent::{Spotted, spot};
use marked::{Marked, Tally, is_name_of, posts, templates};
use std::ops::Range;

/// The spans of these kinds.
fn of(text: &Marked, kinds: &[&str]) -> Vec<Range<usize>> {
    text.spans.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).map(|(_, span)| span.clone()).collect()
}

/// Counts one of our kinds in texts. `theirs` is what it is called there, `also` what is right to be said as well.
fn count(texts: &[(&Marked, Vec<Spotted>)], ours: &str, theirs: &[&str], also: &[&str]) -> Tally {
    let (mut tally, shown) = (Tally::default(), std::env::var("MISSED").is_ok_and(|kind| kind == ours));
    for (text, spotted) in texts {
        let any: Vec<_> = spotted.iter().map(|found| found.span.clone()).collect();
        let said: Vec<_> = spotted.iter().filter(|found| found.kind == ours).map(|found| found.span.clone()).collect();
        let there = of(text, theirs);
        let mut right = there.clone();
        right.extend(of(text, also));
        let found = Tally::of(&text.text, &there, &said, &any);
        let precise = Tally::of(&text.text, &right, &said, &any);
        tally.add(&Tally { exact_right: precise.exact_right, right: precise.right, ..found });
        if shown && (found.overlap < found.there || precise.right < precise.said) {
            println!("{} {}", if found.overlap < found.there { "-" } else { "+" }, text.text.replace('\n', " / "));
            said.iter().for_each(|span| println!("      said {:?}", &text.text[span.clone()]));
            there.iter().for_each(|span| println!("      there {:?}", &text.text[span.clone()]));
        }
    }
    tally
}

fn spotted(texts: &[Marked]) -> Vec<(&Marked, Vec<Spotted>)> {
    texts.iter().map(|text| (text, spot(&text.text))).collect()
}

/// Fails where a tally is under its bounds.
fn expect(name: &str, tally: &Tally, recall: f64, precision: f64) {
    println!("{}", tally.line(name));
    assert!(tally.there > 0, "{name} is not in the data");
    assert!(tally.recall() >= recall && tally.precision() >= precision, "{name}");
}

#[test]
fn sentences_from_templates() {
    let Some(texts) = templates() else {
        println!("skipped: ../shared/data/pii is not here");
        return;
    };
    let all = spotted(&texts);
    // Ours, theirs, what is right as well, least recall, least precision.
    type Row = (&'static str, &'static [&'static str], &'static [&'static str], f64, f64);
    let kinds: &[Row] = &[
        ("email", &["EMAIL_ADDRESS"], &[], 0.95, 0.95),
        ("phone", &["PHONE_NUMBER"], &[], 0.95, 0.95),
        ("card", &["CREDIT_CARD"], &[], 0.95, 0.95),
        ("iban", &["IBAN_CODE"], &[], 0.95, 0.95),
        ("host", &["IP_ADDRESS", "DOMAIN_NAME"], &[], 0.95, 0.95),
        ("id", &["US_SSN", "US_DRIVER_LICENSE"], &[], 0.95, 0.95),
        ("birth", &["BIRTH"], &["DATE_TIME"], 0.95, 0.95),
        ("address", &["ADDRESS"], &["LOCATION"], 0.95, 0.8),
        ("name", &["PERSON"], &["TITLE", "PREFIX"], 0.85, 0.8),
    ];
    let mut sum = Tally::default();
    let mut under = Vec::new();
    for (ours, theirs, also, recall, precision) in kinds {
        let tally = count(&all, ours, theirs, also);
        println!("{}", tally.line(&format!("templates: {ours}")));
        assert!(tally.there > 0, "{ours} is not in the data");
        sum.add(&tally);
        if tally.recall() < *recall || tally.precision() < *precision {
            under.push(*ours);
        }
    }
    println!("{}", sum.line("templates: all kinds"));
    assert!(under.is_empty(), "{under:?}");
}

#[test]
fn names_that_training_never_saw() {
    let (Some(templates), Some(posts)) = (templates(), posts()) else {
        println!("skipped: ../shared/data/pii is not here");
        return;
    };
    let held = |texts: &[Marked]| texts.iter().filter(|text| text.is_held()).cloned().collect::<Vec<_>>();
    let (held_templates, held_posts) = (held(&templates), held(&posts));
    let names = |texts: &[Marked]| count(&spotted(texts), "name", &["PERSON"], &["TITLE", "PREFIX"]);
    expect("held-out templates: name", &names(&held_templates), 0.85, 0.8);
    let strangers: Vec<Marked> = held_templates
        .iter()
        .filter(|text| of(text, &["PERSON"]).iter().all(|span| is_name_of(0, &text.text[span.clone()])))
        .cloned()
        .collect();
    expect("held-out templates and names: name", &names(&strangers), 0.9, 0.85);
    expect("posts, trained on and not: name", &names(&posts), 0.9, 0.79);
    // Under the bar of 0.85 and 0.8 by far, which docs/results.md says; these bounds only keep it from getting worse.
    expect("held-out posts: name", &names(&held_posts), 0.74, 0.55);
}

/// The time of one core, which other work on the machine does not lengthen.
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let (Some(templates), Some(posts)) = (templates(), posts()) else {
        println!("skipped: ../shared/data/pii is not here");
        return;
    };
    let all: Vec<&str> = templates.iter().chain(&posts).map(|text| text.text.as_str()).collect();
    let text = all.join("\n\n").repeat(10);
    let _ = spot("The lists are unpacked first.");
    let begun = spent();
    let found = spot(&text).len();
    let seconds = spent() - begun;
    println!("{found} spans in {} bytes, {:.1} MB/s", text.len(), text.len() as f64 / 1e6 / seconds);
}
