//! Mail, calendars, contacts and chats through the built `icore`: counts, search, a second import, a kill in the middle.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use support::Person;

fn message(n: usize) -> String {
    format!(
        "From a@x.org Mon Mar  4 10:00:00 2024\nMessage-ID: <{n}@x.org>\nX-Gmail-Labels: Inbox,Trips\nFrom: Ana Costa \
         <ana@x.pt>\nTo: Maya\nDate: Mon, 4 Mar 2024 10:00:00 +0000\nSubject: Letter {n}\n\nThe ferry number {n} \
         leaves at dawn.\n\n"
    )
}

fn mbox(count: usize) -> String {
    let mut all = String::new();
    for n in 0..count {
        let _ = write!(all, "{}", message(n));
    }
    all
}

fn counts(report: &Value) -> (u64, u64, u64, usize) {
    let number = |key: &str| report[key].as_u64().unwrap();
    (number("new"), number("same"), number("updated"), report["skipped"].as_array().unwrap().len())
}

#[test]
fn dumps_are_recognised_counted_and_found() {
    let person = Person::settled();
    person.file("mail/box.mbox", mbox(3));
    person.file("team.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Choir in the old hall\nDTSTART:20240304T190000Z\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n");
    person.file("people.vcf", "BEGIN:VCARD\nFN:Bo Lee\nTEL:+351 1\nEND:VCARD\nBEGIN:VCARD\nFN:Cy Ito\nEND:VCARD\n");
    person.file(
        "WhatsApp Chat with Bo.txt",
        "13/02/24, 10:00 - Bo: the lighthouse is shut\n14/02/24, 10:00 - Maya: then the museum\n",
    );
    let folder = person.files();
    let folder = folder.to_str().unwrap();
    assert_eq!(counts(&person.json(["ingest", folder])), (8, 0, 0, 0));
    assert_eq!(counts(&person.json(["ingest", folder])), (0, 8, 0, 0));
    for (query, part) in [
        ("type:mail from:ana ferry number 2", "box.mbox/2@x.org"),
        ("type:event choir", "team.ics/1"),
        ("type:contact Cy", "people.vcf/Cy Ito"),
        ("type:chat lighthouse", "Bo 2024-02-13"),
    ] {
        let found = person.json(["memory", "search", query]).to_string();
        assert!(found.contains(part), "{query}: {found}");
    }
    person.file("mail/box.mbox", mbox(4));
    assert_eq!(counts(&person.json(["ingest", folder])), (1, 8, 0, 0));
}

#[test]
fn an_import_that_was_killed_goes_on_and_doubles_nothing() {
    const MESSAGES: usize = 600;
    let person = Person::settled();
    let path = person.file("box.mbox", mbox(MESSAGES));
    let path = path.to_str().unwrap();
    for wait in [150, 300, 500] {
        let mut child = person.command().args(["ingest", path]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (new, same, updated, skipped) = counts(&person.json(["ingest", path]));
    assert_eq!((new + same, updated, skipped), (MESSAGES as u64, 0, 0));
    assert_eq!(counts(&person.json(["ingest", path])), (0, MESSAGES as u64, 0, 0));
    assert_eq!(person.json(["memory", "stats"])["items"].as_u64(), Some(MESSAGES as u64));
}

/// A question, its answer and thanks for it.
fn thread() -> String {
    let letter = |n: usize, from: &str, header: &str, words: &str| {
        format!(
            "From a@x.org Mon Mar  4 10:00:00 2024\nMessage-ID: <{n}@x.org>\nX-Gmail-Labels: Inbox,Trips\n{header}\nFrom: \
             {from}\nDate: Mon, 4 Mar 2024 10:0{n}:00 +0000\n\n{words}\n\n"
        )
    };
    let subject = "Subject: Ferry to Culatra";
    let answer = "Subject: Re: Ferry to Culatra\nIn-Reply-To: <1@x.org>";
    let thanks = "Subject: Re: Ferry to Culatra\nReferences: <1@x.org>\n <2@x.org>";
    [
        letter(1, "Maya <maya@x.pt>", subject, "Which pier does the ferry to Culatra leave from?"),
        letter(2, "Ana Costa <ana@x.pt>", answer, "From Ramalha, behind the fish market."),
        letter(3, "Maya <maya@x.pt>", thanks, "Splendid, until Friday."),
    ]
    .concat()
}

#[test]
fn a_thread_is_read_together_shown_and_its_labels_searched() {
    let person = Person::settled();
    person.file("box.mbox", thread());
    person.file("boiler.md", "# Boiler\n\nThe boiler was serviced by Joaquim Teles on 3 November.\n");
    let folder = person.files();
    assert_eq!(counts(&person.json(["ingest", folder.to_str().unwrap()])), (4, 0, 0, 0));
    // The newest first.
    let lines = person.json(["memory", "timeline", "label:TRIPS"]);
    let items: Vec<&str> = lines["items"].as_array().unwrap().iter().map(|it| it["item"].as_str().unwrap()).collect();
    assert_eq!(items.len(), 3, "{lines}");
    let found = person.json(["memory", "search", "label:trips label:box pier"]).to_string();
    assert!(found.contains("box.mbox/1@x.org") && !found.contains("boiler"), "{found}");
    let shown = person.json(["memory", "show", items[1]]);
    assert_eq!(shown["filed"], serde_json::json!(["box", "Inbox", "Trips"]));
    assert_eq!(shown["labels"], serde_json::json!([]), "the owner gave it none");
    let thread = &shown["thread"];
    assert_eq!((thread["messages"].as_u64(), thread["before"]["item"].as_str()), (Some(3), Some(items[2])));
    assert_eq!(thread["after"]["item"].as_str(), Some(items[0]));
    let said = person.icore(["memory", "show", items[1]]);
    let expected = "in a thread of 3 messages, after “Ferry to Culatra”, before “Re: Ferry to Culatra”";
    assert!(said.contains(expected) && said.contains("filed under box, Inbox, Trips"), "{said}");
    // What is found is the question; what answers it is read with it.
    let answer = person.json(["ask", "Which pier does the ferry to Culatra leave from?"]);
    let cited = answer["citations"].to_string();
    assert!(cited.contains("/1@x.org ") && cited.contains("/2@x.org "), "{answer}");
}
