//! Google's mail, files and calendars, read from a stand-in behind a real login.

#![allow(clippy::disallowed_types, reason = "one test is a server that talks nonsense")]

mod servers;
mod support;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hinet_connectors::{AccountError, Key, Login, Place, ReadLimits, Tokens, count_account, read_account};
use hinet_protocol::{AccountKind, Secret};
use serde_json::json;
use servers::{ACCOUNT, Account, Memory, extractor, leave, plan};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

const DAY: i64 = 86_400_000;
const THEN: i64 = 1_700_000_000_000;

#[test]
fn mail_is_read_once_and_followed() {
    let Some(mut account) = Account::new(AccountKind::Gmail) else { return };
    account.tell(json!({"do": "put_label", "id": "Label_1", "name": "Büro"}));
    for number in 1..=7 {
        account.letter(&format!("m{number}"), &["INBOX", "UNREAD", "Label_1"], THEN + number * DAY);
    }
    account.letter("junk", &["SPAM"], THEN);
    account.letter("stored", &[], THEN);
    let mut memory = Memory::default();
    account.asked();
    account.update(&mut memory);
    assert_eq!(account.fetched(), ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "stored"]);
    let one = &memory.items["gmail://ana@example.org/m1"];
    assert_eq!((one.title.as_str(), one.kind, one.modified), ("Letter m1", "mail", THEN + DAY));
    assert!(one.text.contains("Labels: Büro, Inbox\n") && one.text.contains("Words of m1."), "{}", one.text);
    assert!(!memory.text("stored").contains("Labels:"));

    account.read(&mut memory).expect("a second reading");
    let asked = account.asked();
    assert!(matches!(asked.as_slice(), [one] if one.contains("/history?")), "{asked:?}");

    account.letter("m8", &["INBOX"], THEN + 8 * DAY);
    account.tell(json!({"do": "delete_message", "id": "m1"}));
    account.tell(json!({"do": "trash", "id": "m2"}));
    account.tell(json!({"do": "label", "id": "m3", "add": ["STARRED"], "remove": ["Label_1"]}));
    account.tell(json!({"do": "label", "id": "m4", "remove": ["UNREAD"]}));
    account.tell(json!({"do": "label", "id": "junk", "add": ["INBOX"], "remove": ["SPAM"]}));
    account.read(&mut memory).expect("changes");
    assert_eq!(account.fetched(), ["junk", "m2", "m3", "m8"]);
    assert!(memory.text("m3").contains("Labels: Inbox, Starred\n"), "{}", memory.text("m3"));
    assert_eq!(memory.names(), ["junk", "m3", "m4", "m5", "m6", "m7", "m8", "stored"]);
    account.update(&mut memory);

    // Nobody knows any more what has changed: all is listed, and only what is new is fetched.
    account.tell(json!({"do": "delete_message", "id": "m5"}));
    account.letter("m9", &["SENT"], THEN + 9 * DAY);
    account.tell(json!({"do": "expire_history"}));
    account.asked();
    account.update(&mut memory);
    assert_eq!(account.fetched(), ["m9"]);
    assert_eq!(memory.names(), ["junk", "m3", "m4", "m6", "m7", "m8", "m9", "stored"]);
    account.read(&mut memory).expect("a last reading");
    assert_eq!(account.asked().len(), 1);
}

#[test]
fn mail_is_chosen_by_labels_and_time() {
    let Some(mut account) = Account::new(AccountKind::Gmail) else { return };
    account.tell(json!({"do": "put_label", "id": "Label_1", "name": "Work"}));
    account.letter("both", &["INBOX", "Label_1"], THEN + DAY);
    account.letter("work", &["Label_1"], THEN + DAY);
    account.letter("sent", &["SENT"], THEN + DAY);
    account.letter("old", &["INBOX"], THEN - DAY);
    account.plan.since = Some(THEN);
    account.plan.folders = vec!["work".into(), "Inbox".into()];
    let mut memory = Memory::default();
    account.update(&mut memory);
    assert_eq!(memory.names(), ["both", "work"]);

    account.tell(json!({"do": "label", "id": "work", "remove": ["Label_1"]}));
    account.tell(json!({"do": "label", "id": "sent", "add": ["INBOX"]}));
    account.tell(json!({"do": "label", "id": "old", "add": ["Label_1"]}));
    account.letter("late", &["SENT"], THEN + DAY);
    account.update(&mut memory);
    assert_eq!(memory.names(), ["both", "sent"]);

    account.plan.folders = vec!["Wrok".into()];
    match account.read(&mut Memory::default()) {
        Err(AccountError::NoFolder { name, there }) => assert!(name == "Wrok" && there.contains(&"Work".to_owned())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mail_that_is_broken_or_slow_to_come_costs_nothing_else() {
    let Some(mut account) = Account::new(AccountKind::Gmail) else { return };
    account.letter("fine", &["INBOX"], THEN);
    account.tell(json!({"do": "add_message", "id": "damaged", "raw": "§§§", "at": THEN}));
    account.tell(json!({"do": "add_message", "id": "empty", "raw": "", "at": THEN}));
    account.tell(
        json!({"do": "add_message", "id": "bare", "raw": URL_SAFE_NO_PAD.encode("no header\nat all"), "at": THEN}),
    );
    account.tell(json!({"do": "fail_next", "status": 429, "times": 2, "retryAfter": 0, "match": "messages/fine"}));
    account.tell(json!({"do": "fail_next", "status": 503, "times": 1, "retryAfter": 0, "match": "messages?"}));
    account.tell(json!({"do": "fail_next", "status": 404, "times": 1, "match": "messages/bare"}));
    let mut memory = Memory::default();
    account.read(&mut memory).expect("what can be read");
    assert_eq!(memory.names(), ["fine"]);
    assert_eq!(memory.skipped.len(), 2, "{:?}", memory.skipped);
    // A message that was away for a moment was touched when it came back.
    account.tell(json!({"do": "label", "id": "bare", "add": ["STARRED"]}));
    account.update(&mut memory);
    assert_eq!(memory.names(), ["bare", "fine"]);
    let bare = memory.text("bare");
    assert!(bare.contains("no header\nat all") && bare.contains("Labels: Inbox, Starred"), "{bare}");
}

#[test]
fn readings_can_be_stopped_anywhere() {
    if let Some(mut account) = Account::new(AccountKind::Gmail) {
        (1..=5).for_each(|number| account.letter(&format!("m{number}"), &["INBOX"], THEN + number));
        account.stop_anywhere();
        let mut memory = Memory::default();
        account.read(&mut memory).expect("a reading");
        (6..=9).for_each(|number| account.letter(&format!("m{number}"), &["INBOX"], THEN + number));
        account.asked();
        let mut steps = 2;
        memory.goes_on = Some(steps);
        while account.read(&mut memory).is_err() {
            steps += 1;
            memory.goes_on = Some(steps);
        }
        assert_eq!(account.fetched(), ["m6", "m7", "m8", "m9"]);
        assert_eq!(memory.items.len(), 9);
    }
    if let Some(mut account) = Account::new(AccountKind::Drive) {
        (1..=5).for_each(|number| account.file(&format!("{number}.txt"), "words", json!({})));
        account.stop_anywhere();
    }
    if let Some(mut account) = Account::new(AccountKind::Calendar) {
        account.tell(json!({"do": "put_calendar", "id": ACCOUNT, "summary": "Ana", "primary": true}));
        let at = json!({"date": "2024-03-04"});
        (1..=5).for_each(|n| {
            account.event(ACCOUNT, json!({"id": format!("e{n}"), "summary": "x", "start": at, "end": at}))
        });
        account.stop_anywhere();
    }
}

#[test]
fn files_are_read_once_and_followed() {
    let Some(mut account) = Account::new(AccountKind::Drive) else { return };
    let apps = |kind: &str| format!("application/vnd.google-apps.{kind}");
    let markdown = STANDARD.encode("# Heading\n\nWords.\n\n[image1]: <data:image/png;base64,AAAA>\n");
    let csv = STANDARD.encode("a,b\n1,2\n");
    let table = "<table:table table:name=\"Second\"><table:table-row><table:table-cell><text:p>cell</text:p></table:table-cell></table:table-row></table:table>";
    let sheet = support::docx(&[
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        (
            "content.xml",
            &format!(
                "<office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\"><office:body><office:spreadsheet>{table}</office:spreadsheet></office:body></office:document-content>"
            ),
        ),
    ]);
    let ods = "application/x-vnd.oasis.opendocument.spreadsheet";
    account.tell(json!({"do": "put_file", "id": "box", "name": "Box", "mimeType": apps("folder")}));
    account.file("notes.md", "# Notes\n\nOne.", json!({}));
    account.file("inner.txt", "Inside the box.", json!({"parents": ["box"]}));
    account.file("theirs.txt", "Of somebody else.", json!({"owned": false}));
    account.file("photo.jpg", "not read", json!({"mimeType": "image/jpeg"}));
    account.file("no extension", "<html><title>T</title>Page", json!({"mimeType": "application/octet-stream"}));
    account.file("days.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Choir\nEND:VEVENT\nEND:VCALENDAR\n", json!({}));
    account.tell(json!({"do": "put_file", "id": "doc", "name": "My essay", "mimeType": apps("document"), "exports": {"text/markdown": markdown}}));
    account.tell(json!({"do": "put_file", "id": "sheet", "name": "Sums", "mimeType": apps("spreadsheet"), "exports": {ods: STANDARD.encode(sheet)}}));
    account.tell(json!({"do": "put_file", "id": "large", "name": "Large", "mimeType": apps("spreadsheet"), "exports": {ods: null, "text/csv": csv}}));
    account.tell(json!({"do": "put_file", "id": "form", "name": "Ask", "mimeType": apps("form")}));
    let mut memory = Memory::default();
    account.update(&mut memory);
    let all = ["days.ics", "doc", "inner.txt", "large", "no extension", "notes.md", "sheet"];
    assert_eq!(memory.names(), all);
    assert_eq!(memory.text("doc"), "# Heading\n\nWords.\n");
    assert_eq!(memory.items["drive://ana@example.org/doc"].title, "My essay");
    assert!(memory.text("sheet").contains("cell") && memory.text("days.ics").contains("Event: Choir"));
    assert!(memory.text("no extension").contains("Page") && !memory.text("no extension").contains('<'));
    for (what, why) in [("photo.jpg", "pictures"), ("form", "forms"), ("large", "only its first table")] {
        assert!(memory.skipped.iter().any(|one| one.what.ends_with(what) && one.why.contains(why)), "{what}");
    }
    account.asked();
    account.read(&mut memory).expect("a second reading");
    let asked = account.asked();
    assert!(matches!(asked.as_slice(), [one] if one.contains("/changes?")), "{asked:?}");

    account.file("notes.md", "# Notes\n\nTwo.", json!({"modified": THEN + DAY}));
    account.tell(json!({"do": "put_file", "id": "doc", "name": "Our essay"}));
    account.file("theirs.txt", "Of somebody else still.", json!({"owned": false}));
    account.tell(json!({"do": "trash_file", "id": "days.ics"}));
    account.read(&mut memory).expect("changes");
    assert_eq!(account.fetched(), ["doc", "notes.md"]);
    assert!(memory.text("notes.md").contains("Two."));
    assert_eq!(memory.items["drive://ana@example.org/doc"].title, "Our essay");
    // With a folder goes what is in it, and comes back with it.
    account.tell(json!({"do": "trash_file", "id": "box"}));
    account.update(&mut memory);
    assert_eq!(memory.names(), ["doc", "large", "no extension", "notes.md", "sheet"]);
    account.tell(json!({"do": "restore_file", "id": "box"}));
    account.tell(json!({"do": "remove_file", "id": "large"}));
    account.asked();
    account.update(&mut memory);
    assert_eq!(account.fetched(), ["inner.txt"]);
    assert_eq!(memory.names(), ["doc", "inner.txt", "no extension", "notes.md", "sheet"]);

    account.file("notes.md", "# Notes\n\nThree.", json!({"modified": THEN + 2 * DAY}));
    account.file("new.txt", "New.", json!({"modified": THEN}));
    account.tell(json!({"do": "remove_file", "id": "sheet"}));
    account.tell(json!({"do": "expire_history"}));
    account.asked();
    account.update(&mut memory);
    assert_eq!(account.fetched(), ["new.txt", "notes.md"]);
    assert!(memory.text("notes.md").contains("Three."));
    assert_eq!(memory.names(), ["doc", "inner.txt", "new.txt", "no extension", "notes.md"]);
}

#[test]
fn files_are_chosen_by_folder_and_time() {
    let Some(mut account) = Account::new(AccountKind::Drive) else { return };
    let folder = |id: &str, parent: &str| json!({"do": "put_file", "id": id, "name": id, "mimeType": "application/vnd.google-apps.folder", "parents": [parent]});
    account.tell(folder("Letters", "root"));
    account.tell(folder("2024", "Letters"));
    account.tell(folder("Else", "root"));
    account.file("a.txt", "a", json!({"parents": ["2024"], "modified": THEN}));
    account.file("b.txt", "b", json!({"parents": ["Else"]}));
    account.file("old.txt", "old", json!({"parents": ["Letters"], "modified": THEN - 1}));
    account.plan.folders = vec!["letters".into()];
    account.plan.since = Some(THEN);
    let mut memory = Memory::default();
    account.update(&mut memory);
    assert_eq!(memory.names(), ["a.txt"]);
    account.tell(folder("2024", "Else"));
    account.file("b.txt", "b", json!({"parents": ["Letters"]}));
    account.update(&mut memory);
    assert_eq!(memory.names(), ["b.txt"]);
    account.plan.folders = vec!["Lettres".into()];
    assert!(matches!(account.read(&mut Memory::default()), Err(AccountError::NoFolder { .. })));
}

#[test]
fn calendars_are_read_once_and_followed() {
    let Some(mut account) = Account::new(AccountKind::Calendar) else { return };
    account.tell(
        json!({"do": "put_calendar", "id": ACCOUNT, "summary": "Ana", "primary": true, "timeZone": "Europe/Berlin"}),
    );
    account.tell(json!({"do": "put_calendar", "id": "club#1@group", "summary": "Club", "selected": true}));
    account.tell(json!({"do": "put_calendar", "id": "hidden", "summary": "Hidden"}));
    account.event(
        "hidden",
        json!({"id": "h", "summary": "Hidden", "start": {"date": "2024-01-01"}, "end": {"date": "2024-01-02"}}),
    );
    account.event("club#1@group", json!({"id": "c1", "start": {"date": "2024-01-01"}, "end": {"date": "2024-01-03"}}));
    let occurrence = |id: &str, at: &str| json!({"id": id, "recurringEventId": "choir", "summary": "Choir", "originalStartTime": {"dateTime": at, "timeZone": "Europe/Berlin"}, "start": {"dateTime": "2024-03-12T20:00:00+01:00"}, "end": {"dateTime": "2024-03-12T21:00:00+01:00"}});
    let choir = json!({
        "id": "choir", "summary": "Choir, tenors", "location": "Old hall; cellar", "description": "Bring <b>notes</b>.<br>All of them",
        "start": {"dateTime": "2024-03-04T18:00:00Z", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2024-03-04T19:30:00Z", "timeZone": "Europe/Berlin"},
        "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"],
        "organizer": {"email": "bo@x.org", "displayName": "Lee, Bo"}, "attendees": [{"email": ACCOUNT}],
    });
    account.event(ACCOUNT, choir);
    account.event(ACCOUNT, occurrence("choir_11", "2024-03-11T19:00:00+01:00"));
    account.event(ACCOUNT, occurrence("choir_18", "2024-03-18T19:00:00+01:00"));
    account.tell(json!({"do": "cancel_event", "calendar": ACCOUNT, "id": "choir_18"}));
    account.event(ACCOUNT, json!({"id": "odd", "summary": 7, "start": {"dateTime": "soon"}, "attendees": "nobody"}));
    account.event(ACCOUNT, json!({"summary": "without an id"}));
    let mut memory = Memory::default();
    account.read(&mut memory).expect("a reading");
    assert_eq!(memory.names(), ["choir", "choir_11", "odd", "c1"]);
    assert_eq!(memory.skipped.len(), 1, "{:?}", memory.skipped);
    let item = &memory.items["calendar://ana@example.org/ana@example.org/choir"];
    assert_eq!((item.title.as_str(), item.kind, item.modified), ("Choir, tenors", "event", 1_709_575_200_000));
    assert_eq!(
        item.text,
        "Event: Choir, tenors\nWhen: 2024-03-04 19:00 to 20:30 (Europe/Berlin)\nRepeats: every week on Monday\n\
         Except: 2024-03-18 19:00 (Europe/Berlin)\nWhere: Old hall; cellar\nFrom: \"Lee, Bo\" <bo@x.org>\n\
         To: ana@example.org\nStatus: confirmed\nCalendar: Ana\n\nBring notes.\nAll of them\n"
    );
    account.asked();
    account.read(&mut memory).expect("a second reading");
    let asked = account.asked();
    assert!(asked.iter().all(|url| url.contains("calendarList") || url.contains("syncToken")), "{asked:?}");
    let counts = count_account(&account.reading, &account.plan, &mut account.key, &mut || true).expect("counts");
    let counts: Vec<(&str, u64)> = counts.iter().map(|one| (one.name.as_str(), one.there)).collect();
    assert_eq!(counts, [("Ana", 4), ("Club", 1)]);

    account.event(
        ACCOUNT,
        json!({"id": "odd", "summary": "Even", "start": {"date": "2024-05-01"}, "end": {"date": "2024-05-02"}}),
    );
    account.tell(json!({"do": "cancel_event", "calendar": "club#1@group", "id": "c1"}));
    account.event(
        "club#1@group",
        json!({"id": "c2", "summary": "Two", "start": {"date": "2024-01-01"}, "end": {"date": "2024-01-03"}}),
    );
    account.asked();
    account.read(&mut memory).expect("changes");
    assert!(account.asked().iter().all(|url| !url.contains("/events") || url.contains("syncToken")));
    assert_eq!(memory.names(), ["choir", "choir_11", "odd", "c2"]);
    assert!(memory.text("odd").starts_with("Event: Even\nWhen: 2024-05-01\n"), "{}", memory.text("odd"));
    // An occurrence that is called off is said in its series.
    account.tell(json!({"do": "cancel_event", "calendar": ACCOUNT, "id": "choir_11"}));
    account.read(&mut memory).expect("an occurrence less");
    assert_eq!(memory.names(), ["choir", "odd", "c2"]);
    assert!(memory.text("choir").contains("2024-03-11 19:00"), "{}", memory.text("choir"));

    // Tokens that ran out, a calendar of another name, one that is hidden now, and one that is gone.
    account.tell(json!({"do": "cancel_event", "calendar": ACCOUNT, "id": "odd"}));
    account.tell(json!({"do": "expire_history"}));
    account.tell(json!({"do": "put_calendar", "id": "club#1@group", "summary": "Our club"}));
    account.read(&mut memory).expect("a listing again");
    assert_eq!(memory.names(), ["choir", "c2"]);
    assert!(memory.text("c2").contains("Calendar: Our club"));
    account.tell(json!({"do": "remove_calendar", "id": "club#1@group"}));
    account.update_names(&mut memory, &["choir"]);

    account.plan.folders = vec!["hidden".into()];
    account.update_names(&mut Memory::default(), &["h"]);
    account.plan.folders = vec!["Nowhere".into()];
    assert!(
        matches!(account.read(&mut Memory::default()), Err(AccountError::NoFolder { there, .. }) if there == ["Ana", "Hidden"])
    );
    account.plan.folders.clear();
    account.plan.since = Some(THEN + 1000 * DAY);
    account.update_names(&mut Memory::default(), &["choir"]);
}

/// A server that answers everything with the same words.
fn parrot(words: String) -> String {
    let door = TcpListener::bind("127.0.0.1:0").expect("a door");
    let address = format!("http://{}/api", door.local_addr().expect("an address"));
    thread::spawn(move || {
        for mut visitor in door.incoming().flatten() {
            let lines = BufReader::new(visitor.try_clone().expect("a copy")).lines();
            let _ = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", words.len());
            let _ = visitor.write_all(format!("{head}{words}").as_bytes());
        }
    });
    address
}

#[test]
fn nonsense_ends_a_reading_or_costs_an_item() {
    let odd = json!([7, null, "x", [], {"id": []}, {"id": "a/b", "file": 7, "start": 7, "raw": 7, "name": "", "labelIds": "x"}]);
    let lists = json!({
        "messages": odd, "labels": odd, "history": odd, "files": odd, "changes": odd, "items": odd,
        "historyId": 5, "startPageToken": "5", "newStartPageToken": "5", "nextSyncToken": "5",
    });
    let listed = lists.to_string();
    let shown = listed.replace("\"id\":\"a/b\"", "\"id\":\"a/b\",\"primary\":true");
    let deep = format!("{}1{}", "{\"items\":[".repeat(500), "]}".repeat(500));
    let nonsense = [
        "",
        "[]",
        "{}",
        "null",
        "{\"messages\":7,\"files\":7,\"items\":7,\"historyId\":1}",
        "<html>",
        &listed,
        &shown,
        &deep,
    ];
    let endless = "{\"nextPageToken\":\"x\",\"historyId\":1,\"startPageToken\":1}";
    for words in nonsense.into_iter().chain([endless]) {
        let api = parrot(words.to_owned());
        for kind in [AccountKind::Gmail, AccountKind::Drive, AccountKind::Calendar] {
            let mut plan = plan(kind, &api, &api);
            plan.user = ACCOUNT.to_owned();
            let (reading, _consent, _home) = leave(Place::of(&plan).as_str());
            let tokens = Tokens { access: Secret::new("t".into()), refresh: None, expires: None };
            let mut key = Key::Tokens(Box::new(Login::resume(&plan, None, tokens).expect("a login")));
            let mut memory = Memory::default();
            for _ in 0..2 {
                let limits = ReadLimits::default();
                if let Err(error) = read_account(&reading, &plan, &mut key, &limits, &extractor(), &mut memory) {
                    assert!(matches!(error, AccountError::Answer { .. }), "{kind:?} {words}: {error}");
                }
            }
            let _ = count_account(&reading, &plan, &mut key, &mut || true);
            assert!(memory.items.len() < 2, "{kind:?} {words}: {:?}", memory.names());
        }
    }
}
