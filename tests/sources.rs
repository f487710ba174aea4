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
