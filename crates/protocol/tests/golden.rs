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
        Op::Regenerate { .. } => 2,
        Op::Cancel { .. } => 3,
        Op::Sessions => 4,
        Op::Messages { .. } => 5,
        Op::Branch { .. } => 6,
        Op::Rewind { .. } => 7,
        Op::Fork { .. } => 8,
        Op::SessionChange { .. } => 9,
        Op::Find { .. } => 10,
        Op::Feedback { .. } => 11,
        Op::Typed { .. } => 12,
        Op::Draft { .. } => 13,
        Op::Attach { .. } => 14,
        Op::Names { .. } => 15,
        Op::LetOut { .. } => 16,
        Op::Ingest { .. } => 17,
        Op::Sources => 18,
        Op::SourceAdd { .. } => 19,
        Op::SourceSync { .. } => 20,
        Op::Skips { .. } => 21,
        Op::MemoryPause { .. } => 22,
        Op::SourcePause { .. } => 23,
        Op::Search { .. } => 24,
        Op::Timeline { .. } => 25,
        Op::Show { .. } => 26,
        Op::Mark { .. } => 27,
        Op::Forget { .. } => 28,
        Op::Stats => 29,
        Op::Grants => 30,
        Op::Grant { .. } => 31,
        Op::Revoke { .. } => 32,
        Op::Pending => 33,
        Op::Disclose { .. } => 34,
        Op::Answer { .. } => 35,
        Op::Ledger { .. } => 36,
        Op::Verify => 37,
        Op::ExportLedger => 38,
        Op::Kill => 39,
        Op::Lift => 40,
        Op::Models => 41,
        Op::Doctor { .. } => 42,
        Op::Shutdown => 43,
        Op::Deltas => 44,
        Op::DeltaImport { .. } => 45,
        Op::DeltaWear { .. } => 46,
        Op::DeltaRemove { .. } => 47,
        Op::DeltaExport { .. } => 48,
        Op::Sleep { .. } => 49,
        Op::Wake => 50,
        Op::Nights { .. } => 51,
        Op::Rollback { .. } => 52,
        Op::Bedtime { .. } => 53,
        Op::Compose { .. } => 54,
        Op::Veto { .. } => 55,
        Op::Assemblies => 56,
        Op::AssemblyJoin { .. } => 57,
        Op::AssemblyLeave { .. } => 58,
        Op::AssemblyTry { .. } => 59,
        Op::Receipts { .. } => 60,
        Op::DeltaSign { .. } => 61,
        Op::ComposeExperts { .. } => 62,
        Op::AccountAdd { .. } => 63,
        Op::SourceVerify { .. } => 64,
        Op::People { .. } => 65,
        Op::PersonMerge { .. } => 66,
        Op::PersonSplit { .. } => 67,
        Op::PersonUndo => 68,
        Op::AssemblyPremerge { .. } => 69,
        Op::AssemblyJoinHome { .. } => 70,
        Op::AssemblyLeaveHome { .. } => 71,
    };
    let mut seen: Vec<usize> = samples::ops().iter().map(place).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..72).collect::<Vec<_>>());

    let place = |event: &Event| match event {
        Event::Progress { .. } => 0,
        Event::Recalled { .. } => 1,
        Event::ChatDelta { .. } => 2,
        Event::ChatReset => 3,
        Event::ChatDone { .. } => 4,
        Event::Status { .. } => 5,
        Event::Sessions { .. } => 6,
        Event::Found { .. } => 7,
        Event::Typed { .. } => 8,
        Event::Attached { .. } => 9,
        Event::Names { .. } => 10,
        Event::Messages { .. } => 11,
        Event::Indexed { .. } => 12,
        Event::Reading { .. } => 13,
        Event::Skips { .. } => 14,
        Event::Sources { .. } => 15,
        Event::Hits { .. } => 16,
        Event::Items { .. } => 17,
        Event::Item { .. } => 18,
        Event::Forgotten { .. } => 19,
        Event::Stats { .. } => 20,
        Event::Grants { .. } => 21,
        Event::Asking { .. } => 22,
        Event::Disclosed { .. } => 23,
        Event::Ledger { .. } => 24,
        Event::Verified { .. } => 25,
        Event::Exported { .. } => 26,
        Event::Models { .. } => 27,
        Event::Doctor { .. } => 28,
        Event::Challenge { .. } => 29,
        Event::Done => 30,
        Event::Failed { .. } => 31,
        Event::Deltas { .. } => 32,
        Event::Sleeping { .. } => 33,
        Event::Nights { .. } => 34,
        Event::Composed { .. } => 35,
        Event::Assemblies { .. } => 36,
        Event::Tried { .. } => 37,
        Event::Receipts { .. } => 38,
        Event::Signed { .. } => 39,
        Event::LoginPage { .. } => 40,
        Event::SourceVerified { .. } => 41,
        Event::People { .. } => 42,
    };
    let mut seen: Vec<usize> = samples::events().iter().map(place).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..43).collect::<Vec<_>>());
}

#[test]
fn only_progress_leaves_a_request_open() {
    let open = |event: &Event| !event.is_final();
    let names: Vec<String> = samples::events().iter().filter(|event| open(event)).map(name_of).collect();
    assert_eq!(
        names,
        ["progress", "recalled", "chat_delta", "chat_reset", "reading", "reading", "login_page", "sleeping"]
    );
}

fn name_of(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned()
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
