//! Golden vectors: one committed file per stored or wire format. A file that no longer matches means that homes,
//! exports or attached programs of an earlier version would no longer be understood: raise the version instead.
//!
//! `cargo test -p hinet-protocol --test golden -- --ignored write` writes the files anew, for a new version.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod samples;

use std::fmt::Debug;
use std::path::PathBuf;

use hinet_protocol::{Event, Hash, Op};
use serde::{Serialize, de::DeserializeOwned};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"))
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// The value serialises to the committed text, and the committed text reads back as the value.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let golden = std::fs::read_to_string(file(name)).unwrap();
    assert_eq!(text(value), golden, "{name} is no longer written as it was");
    assert_eq!(serde_json::from_str::<T>(&golden).unwrap(), *value, "{name} is no longer read as it was");
}

#[test]
fn stored_and_wire_formats_stay_as_they_are() {
    check("grant_draft", &samples::grant_drafts());
    check("grant", &samples::grants());
    check("work_order", &samples::work_orders());
    check("backend_receipt", &samples::receipt());
    check("op", &samples::ops());
    check("event", &samples::events());
    check("request", &samples::requests());
    check("reply", &samples::reply());
}

#[test]
#[ignore = "writes the golden files anew; only for a new version of a format"]
fn write() {
    let put = |name: &str, text: String| std::fs::write(file(name), text).unwrap();
    put("grant_draft", text(&samples::grant_drafts()));
    put("grant", text(&samples::grants()));
    put("work_order", text(&samples::work_orders()));
    put("backend_receipt", text(&samples::receipt()));
    put("op", text(&samples::ops()));
    put("event", text(&samples::events()));
    put("request", text(&samples::requests()));
    put("reply", text(&samples::reply()));
}

/// A new variant does not compile here until it is counted, and does not pass until it has a sample.
#[test]
fn every_op_and_event_has_a_sample() {
    let place = |op: &Op| match op {
        Op::Status => 0,
        Op::Chat { .. } => 1,
        Op::Cancel { .. } => 2,
        Op::Sessions => 3,
        Op::Messages { .. } => 4,
        Op::Ingest { .. } => 5,
        Op::Sources => 6,
        Op::SourceAdd { .. } => 7,
        Op::SourceSync { .. } => 8,
        Op::SourcePause { .. } => 9,
        Op::Search { .. } => 10,
        Op::Show { .. } => 11,
        Op::Forget { .. } => 12,
        Op::Stats => 13,
        Op::Grants => 14,
        Op::Grant { .. } => 15,
        Op::Revoke { .. } => 16,
        Op::Pending => 17,
        Op::Ledger { .. } => 18,
        Op::Verify => 19,
        Op::ExportLedger => 20,
        Op::Kill => 21,
        Op::Lift => 22,
        Op::Models => 23,
        Op::Doctor { .. } => 24,
        Op::Shutdown => 25,
    };
    let mut seen: Vec<usize> = samples::ops().iter().map(place).collect();
    seen.dedup();
    assert_eq!(seen, (0..26).collect::<Vec<_>>());

    let place = |event: &Event| match event {
        Event::Progress { .. } => 0,
        Event::Recalled { .. } => 1,
        Event::ChatDelta { .. } => 2,
        Event::ChatReset => 3,
        Event::ChatDone { .. } => 4,
        Event::Status { .. } => 5,
        Event::Sessions { .. } => 6,
        Event::Messages { .. } => 7,
        Event::Indexed { .. } => 8,
        Event::Sources { .. } => 9,
        Event::Hits { .. } => 10,
        Event::Item { .. } => 11,
        Event::Forgotten { .. } => 12,
        Event::Stats { .. } => 13,
        Event::Grants { .. } => 14,
        Event::Ledger { .. } => 15,
        Event::Verified { .. } => 16,
        Event::Exported { .. } => 17,
        Event::Models { .. } => 18,
        Event::Doctor { .. } => 19,
        Event::Challenge { .. } => 20,
        Event::Done => 21,
        Event::Failed { .. } => 22,
    };
    let mut seen: Vec<usize> = samples::events().iter().map(place).collect();
    seen.dedup();
    assert_eq!(seen, (0..23).collect::<Vec<_>>());
}

#[test]
fn only_progress_leaves_a_request_open() {
    let open: Vec<bool> = samples::events().iter().map(|event| !event.is_final()).collect();
    assert_eq!(open.iter().filter(|open| **open).count(), 4);
    assert!(open[..4].iter().all(|open| *open));
}

#[test]
fn a_hash_has_one_spelling() {
    let hash = samples::hash(0xab);
    let good = hash.to_string();
    assert_eq!(good.parse::<Hash>().unwrap(), hash);
    let plus = format!("+{}", &good[1..]);
    let not_ascii = format!("é{}", &good[2..]);
    for bad in [good.to_uppercase(), plus, good[1..].to_owned(), format!("{good}0"), not_ascii, String::new()] {
        assert!(bad.parse::<Hash>().is_err(), "{bad}");
    }
}

/// What the golden files hold is refused once it says more than the schema knows.
#[test]
fn unknown_fields_of_a_grant_or_an_order_are_refused() {
    for name in ["grant", "grant_draft", "work_order"] {
        let golden = std::fs::read_to_string(file(name)).unwrap();
        let widened = golden.replacen("{\n", "{\n\"everything_else\": true,\n", 1);
        let refused = match name {
            "grant" => serde_json::from_str::<Vec<hinet_protocol::Grant>>(&widened).is_err(),
            "grant_draft" => serde_json::from_str::<Vec<hinet_protocol::GrantDraft>>(&widened).is_err(),
            _ => serde_json::from_str::<Vec<hinet_protocol::WorkOrder>>(&widened).is_err(),
        };
        assert!(refused, "{name}");
    }
}
