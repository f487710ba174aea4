//! People through the built `icore`: one person across a mailbox, a calendar and a card, merged, split, taken back and
//! forgotten.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use serde_json::Value;
use support::opened::{holds, open, pages};
use support::{Person, text};

const BOX: &str = "\
From a@x.org Mon Mar  4 10:00:00 2024
Message-ID: <1@x.org>
From: Ana Costa <Ana@x.pt>
To: Maya
Date: Mon, 4 Mar 2024 10:00:00 +0000
Subject: Ferry

The ferry leaves at dawn.

From a@x.org Mon Mar  4 11:00:00 2024
Message-ID: <2@x.org>
From: \"Costa, A.\" <ac@work.pt>
To: Maya
Date: Mon, 4 Mar 2024 11:00:00 +0000
Subject: Invoice

The invoice is in the blue folder.

From a@x.org Mon Mar  4 12:00:00 2024
Message-ID: <3@x.org>
From: Ana Costa <ana@quillfeather.org>
To: Maya
Date: Mon, 4 Mar 2024 12:00:00 +0000
Subject: Choir

The other choir sings on Friday.

";

const CALENDAR: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Dinner by the harbour\nDTSTART:20240306T190000Z\n\
    ORGANIZER;CN=Ana C:mailto:ana@x.pt\nEND:VEVENT\nEND:VCALENDAR\n";

const CARD: &str = "BEGIN:VCARD\nFN:Ana Costa\nEMAIL:ana@x.pt\nNOTE:met at the fair\nEMAIL:ac@work.pt\n\
    TEL:+351 912 345 678\nEND:VCARD\n";

/// A home with the three.
fn furnished() -> Person {
    let person = Person::settled();
    person.file("mail/box.mbox", BOX);
    person.file("team.ics", CALENDAR);
    person.file("people.vcf", CARD);
    let read = person.json(["ingest", person.files().to_str().unwrap()]);
    assert_eq!(read["new"].as_u64(), Some(5), "{read}");
    person
}

/// Titles of what somebody wrote.
fn wrote(person: &Person, who: &str) -> Vec<String> {
    let found = person.json(["memory", "search", &format!("from:{who}"), "-k", "20"]);
    let hits = found["hits"].as_array().unwrap().iter();
    let mut titles: Vec<String> = hits.map(|hit| hit["title"].as_str().unwrap().to_owned()).collect();
    titles.sort_unstable();
    titles
}

fn people(person: &Person, name: &str) -> Vec<Value> {
    person.json(["memory", "people", name])["people"].as_array().unwrap().clone()
}

#[test]
fn one_person_across_sources() {
    let person = furnished();
    let anas = people(&person, "ana");
    assert_eq!(anas.len(), 2, "{anas:?}");
    let ana = &anas[0];
    assert_eq!(ana["name"], "Ana Costa");
    assert_eq!(ana["items"], 4, "two mails, an event and the card: {ana}");
    assert_eq!(ana["addresses"], serde_json::json!(["ac@work.pt", "ana@x.pt"]));
    assert_eq!(ana["phones"], serde_json::json!(["+351912345678"]));
    assert_eq!(anas[1]["addresses"], serde_json::json!(["ana@quillfeather.org"]));

    let all = ["Dinner by the harbour", "Ferry", "Invoice"];
    for who in ["ana@x.pt", "ac@work.pt", "\"Costa, A.\""] {
        assert_eq!(wrote(&person, who), all, "{who}");
    }
    assert_eq!(wrote(&person, "work.pt"), ["Invoice"], "a domain is where it stands");
    assert_eq!(wrote(&person, "ana@quillfeather.org"), ["Choir"]);

    let said = person.icore(["memory", "people", "ana"]);
    assert!(said.contains("Ana Costa") && said.contains("4 items") && said.contains("ac@work.pt"), "{said}");
}

#[test]
fn the_owner_has_the_last_word() {
    let person = furnished();
    let merged = person.json(["memory", "people", "merge", "ana@x.pt", "ana@quillfeather.org"]);
    assert_eq!(merged["people"][0]["items"], 5, "{merged}");
    assert_eq!(wrote(&person, "ana@quillfeather.org").len(), 4);
    let split = person.json(["memory", "people", "split", "ac@work.pt"]);
    assert_eq!(split["people"].as_array().unwrap().len(), 2, "{split}");
    assert_eq!(wrote(&person, "ac@work.pt"), ["Invoice"]);
    assert_eq!(wrote(&person, "ana@x.pt").len(), 3, "what is left stays one");
    person.icore(["memory", "people", "undo"]);
    assert_eq!(wrote(&person, "ac@work.pt").len(), 4);
    person.icore(["memory", "people", "undo"]);
    assert_eq!(people(&person, "ana").len(), 2);
    let refused = person.run(["memory", "people", "undo"], [""; 0]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("nothing to take back"));
    let unclear = person.run(["memory", "people", "merge", "ana", "ac@work.pt"], [""; 0]);
    assert!(text(&unclear.stderr).contains("ana@quillfeather.org"), "{}", text(&unclear.stderr));
}

#[test]
fn forgetting_leaves_no_name_in_the_owners_words() {
    let person = furnished();
    person.icore(["memory", "people", "merge", "ana@quillfeather.org", "ana@x.pt"]);
    let found = person.json(["memory", "search", "other choir sings", "-k", "20"]);
    let hits = found["hits"].as_array().unwrap();
    let choir = hits.iter().find(|hit| hit["title"] == "Choir").unwrap();
    person.icore(["memory", "forget", "--item", choir["item"].as_str().unwrap(), "--yes"]);
    assert_eq!(people(&person, "quillfeather"), Vec::<Value>::new());
    assert_eq!(people(&person, "ana").len(), 1);
    assert!(!holds(&pages(&open(&person)), b"quillfeather"));
    assert!(holds(&pages(&open(&person)), b"ac@work.pt"), "the pages were read");
}
