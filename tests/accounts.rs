//! Accounts through the built `icore`: mailboxes from a real mail server, and mail, files and calendars from a stand-in for
//! Google behind a real login. Counts, what changes and goes, a kill in the middle, what is refused.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

#[path = "servers/dovecot.rs"]
mod dovecot;
#[path = "servers/google.rs"]
mod google;
mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dovecot::Dovecot;
use google::{Browser, CLIENT, Google};
use serde_json::{Value, json};
use support::{Person, text};

/// One that IMAP's own command for passwords cannot carry.
const PASSWORD: &str = "motdepässe";

fn message(n: usize) -> String {
    format!(
        "Message-ID: <{n}@x.org>\r\nFrom: Ana Costa <ana@x.pt>\r\nTo: Maya\r\nDate: Mon, 4 Mar 2024 10:00:00 +0000\r\n\
         Subject: Letter {n}\r\n\r\nThe ferry number {n} leaves at dawn.\r\n"
    )
}

fn counts(report: &Value) -> (u64, u64, u64, usize) {
    let number = |key: &str| report[key].as_u64().unwrap();
    (number("new"), number("same"), number("updated"), report["skipped"].as_array().unwrap().len())
}

/// Arguments that open Maya's mailbox.
fn add<'a>(server: &'a str, person: &Person, certificate: &'a str, more: &[&'a str]) -> Vec<String> {
    let file = person.path("mail-password");
    if !file.exists() {
        std::fs::write(&file, PASSWORD).unwrap();
    }
    let file = file.to_str().unwrap().to_owned();
    let mut all: Vec<String> = ["sources", "add", "imap", server, "--user", "maya"].map(str::to_owned).to_vec();
    all.extend(["--password-file".into(), file, "--certificate".into(), certificate.into()]);
    all.extend(more.iter().map(|word| (*word).to_owned()));
    all
}

fn refused(person: &Person, arguments: &[String]) -> String {
    let output = person.command().args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?} went well: {}", text(&output.stdout));
    text(&output.stderr)
}

/// All there is in the folders that the server was compared in.
fn verified(person: &Person, place: &str) -> Vec<(String, u64, u64, u64)> {
    let found = person.json(["sources", "verify", place]);
    let number = |folder: &Value, key: &str| folder[key].as_u64().unwrap();
    let folders = found["folders"].as_array().unwrap().iter().map(|folder| {
        let name = folder["name"].as_str().unwrap().to_owned();
        (name, number(folder, "there"), number(folder, "here"), number(folder, "skipped"))
    });
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    folders
}

fn hits(person: &Person, query: &str) -> usize {
    person.json(["memory", "search", query])["hits"].as_array().unwrap().len()
}

#[test]
fn a_mailbox_is_read_and_followed_and_nothing_is_changed_in_it() {
    let Some(server) = Dovecot::start(PASSWORD) else { return };
    let certificate = server.certificate().to_str().unwrap().to_owned();
    server.put("maya", "INBOX", &message(1));
    server.put("maya", "INBOX", &message(2));
    server.put("maya", "Work/2024", &message(3));
    server.put("maya", "Entwürfe & Pläne", &message(4));
    server.put("maya", "Trash", &message(5));
    server.put("maya", "INBOX", "\r\n\r\n");

    let person = Person::settled();
    let address = format!("127.0.0.1:{}", server.tls_port);
    let place = format!("imap://maya@{address}");
    let opened = person.json(add(&address, &person, &certificate, &[]));
    assert_eq!((opened["new"].as_u64(), opened["same"].as_u64()), (Some(4), Some(0)), "{opened}");
    for (query, part) in [
        ("type:mail from:ana ferry number 2", "/INBOX/"),
        ("type:mail ferry number 3", "/Work/2024/"),
        ("type:mail ferry number 4", "/Entwürfe & Pläne/"),
    ] {
        let found = person.json(["memory", "search", query]).to_string();
        assert!(found.contains(part), "{query}: {found}");
    }
    let folders = verified(&person, &place);
    let expected = [("Entwürfe & Pläne", 1, 1, 0), ("INBOX", 3, 2, 1), ("Work/2024", 1, 1, 0)];
    assert_eq!(folders, expected.map(|(name, there, here, skipped)| (name.to_owned(), there, here, skipped)));
    // Nobody has read anything, as far as the server and other programs know.
    assert_eq!(server.doveadm(&["search", "-u", "maya", "SEEN"]), "");

    // The same again, as owner and by the account's own name.
    assert_eq!(counts(&person.json(["sources", "sync", &place])), (0, 4, 0, 0));

    // One comes, one goes, one is only marked to go, a folder goes.
    server.put("maya", "INBOX", &message(6));
    server.doveadm(&["expunge", "-u", "maya", "mailbox", "INBOX", "subject", "Letter 1"]);
    server.doveadm(&["flags", "add", "-u", "maya", "\\Deleted", "mailbox", "INBOX", "subject", "Letter 2"]);
    server.doveadm(&["mailbox", "delete", "-u", "maya", "Entwürfe & Pläne"]);
    assert_eq!(counts(&person.json(["sources", "sync", &place])), (1, 1, 0, 0));
    assert_eq!(verified(&person, &place)[0], ("INBOX".to_owned(), 2, 1, 1));
    let found = person.json(["memory", "search", "type:mail ferry"]).to_string();
    assert!(found.contains("number 6") && found.contains("number 3"), "{found}");
    assert!(!["number 1", "number 2", "number 4"].iter().any(|gone| found.contains(gone)), "{found}");

    // Whoever marked it thinks again, and it is back.
    server.doveadm(&["flags", "remove", "-u", "maya", "\\Deleted", "mailbox", "INBOX", "subject", "Letter 2"]);
    assert_eq!(counts(&person.json(["sources", "sync", &place])), (1, 2, 0, 0));
    server.doveadm(&["expunge", "-u", "maya", "mailbox", "INBOX", "subject", "Letter 2"]);
    person.json(["sources", "sync", &place]);

    // The server numbers the folder anew: the same messages, and none twice.
    server.doveadm(&["mailbox", "update", "-u", "maya", "--uid-validity", "77", "Work/2024"]);
    person.json(["sources", "sync", &place]);
    assert_eq!(hits(&person, "type:mail ferry number 3"), 2);

    // What was forgotten stays out.
    let item = person.json(["memory", "search", "type:mail \"ferry number 6\""])["hits"][0]["item"].clone();
    person.icore(["memory", "forget", "--item", item.as_str().unwrap(), "--yes"]);
    let again = person.json(["sources", "sync", &place]);
    assert_eq!(counts(&again), (0, 1, 0, 1), "{again}");
    assert_eq!(hits(&person, "type:mail \"ferry number 6\""), 0);

    // A pause and the kill switch stop it.
    person.icore(["sources", "pause", &place]);
    assert!(refused(&person, &["sources".into(), "sync".into(), place.clone()]).contains("is paused"));
    person.icore(["sources", "resume", &place]);
    person.icore(["kill"]);
    assert!(refused(&person, &["sources".into(), "sync".into(), place.clone()]).contains("kill switch"));
    person.icore(["kill", "--lift"]);

    // It goes with all that came from it.
    person.icore(["sources", "remove", &place, "--yes"]);
    assert_eq!(person.json(["sources", "list"])["sources"].as_array().unwrap().len(), 0);
    assert_eq!(hits(&person, "ferry"), 0);
    // The password never lay about in the home.
    let mut files = vec![person.home()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()), "{}", path.display());
        }
    }
}

#[test]
fn folders_and_dates_can_be_chosen_and_chosen_anew() {
    let Some(server) = Dovecot::start(PASSWORD) else { return };
    let certificate = server.certificate().to_str().unwrap().to_owned();
    server.put("maya", "INBOX", &message(1));
    server.put("maya", "Work", &message(2));
    server.put("maya", "Work/2024", &message(3));
    server.put("maya", "Workshop", &message(4));
    let person = Person::settled();
    let address = format!("127.0.0.1:{}", server.port);
    let place = format!("imap://maya@{address}");

    // After a greeting in the clear, and a folder by another spelling.
    let starttls = ["--tls", "starttls", "--folder", "work"];
    assert_eq!(counts(&person.json(add(&address, &person, &certificate, &starttls))), (2, 0, 0, 0));
    let granted = person.icore(["consent", "list"]);
    assert!(granted.contains(&format!("{place}/Work")), "{granted}");
    // More of it: what is there already stays as it is.
    let more = ["--tls", "plain", "--folder", "INBOX", "--folder", "Work"];
    assert_eq!(counts(&person.json(add(&address, &person, &certificate, &more))), (1, 2, 0, 0));
    assert_eq!(person.json(["sources", "list"])["sources"].as_array().unwrap().len(), 1);
    // All of it again, and what is not older than an hour: the server goes by when a message came.
    let young = ["--tls", "plain", "--since", "1h"];
    assert_eq!(counts(&person.json(add(&address, &person, &certificate, &young))), (1, 3, 0, 0));

    let unknown = ["--tls", "plain", "--folder", "Holidays"];
    let unknown = refused(&person, &add(&address, &person, &certificate, &unknown));
    assert!(unknown.contains("no folder \"Holidays\" there") && unknown.contains("Work/2024"), "{unknown}");
    let tls = refused(&person, &add(&address, &person, &certificate, &[]));
    assert!(tls.contains("starttls"), "{tls}");
}

#[test]
fn what_must_not_be_trusted_is_refused_before_a_password_is_sent() {
    let Some(server) = Dovecot::start(PASSWORD) else { return };
    let certificate = server.certificate().to_str().unwrap().to_owned();
    server.put("maya", "INBOX", &message(1));
    let person = Person::settled();
    let secure = format!("127.0.0.1:{}", server.tls_port);

    // Another certificate than the server's.
    let other = Dovecot::start(PASSWORD).unwrap();
    let stranger = refused(&person, &add(&secure, &person, other.certificate().to_str().unwrap(), &[]));
    assert!(stranger.contains("could not prove who it is") && stranger.contains("--certificate"), "{stranger}");
    assert!(!server.log().contains("user=<maya>"), "{}", server.log());

    // In the clear to another machine: not even asked.
    let far = refused(&person, &add("192.0.2.1:143", &person, &certificate, &["--tls", "plain"]));
    assert!(far.contains("another machine"), "{far}");
    // A wrong password.
    std::fs::write(person.path("mail-password"), "wrong\n").unwrap();
    let wrong = refused(&person, &add(&secure, &person, &certificate, &[]));
    assert!(wrong.contains("did not let maya in") && wrong.contains("application"), "{wrong}");
    // An address that is none, a file that is no certificate, a password that is empty.
    assert!(refused(&person, &add("mail server", &person, &certificate, &[])).contains("is not an address"));
    let file = person.file("note.txt", "no certificate");
    assert!(refused(&person, &add(&secure, &person, file.to_str().unwrap(), &[])).contains("no certificate in it"));
    std::fs::write(person.path("mail-password"), "\n").unwrap();
    assert!(refused(&person, &add(&secure, &person, &certificate, &[])).contains("it is empty"));
    assert_eq!(person.json(["sources", "list"])["sources"].as_array().unwrap().len(), 0);
}

#[test]
fn a_reading_that_was_killed_goes_on_and_doubles_nothing() {
    const MESSAGES: usize = 700;
    let Some(server) = Dovecot::start(PASSWORD) else { return };
    let certificate = server.certificate().to_str().unwrap().to_owned();
    server.fill("maya", "INBOX", (1..MESSAGES).map(message));
    let person = Person::settled();
    let address = format!("127.0.0.1:{}", server.tls_port);
    let place = format!("imap://maya@{address}");
    let arguments = add(&address, &person, &certificate, &[]);
    for wait in [600, 900, 1200] {
        let mut child = person.command().args(&arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = person.json(&arguments);
    let (new, same, updated, skipped) = counts(&last);
    assert_eq!((new + same, updated, skipped), (MESSAGES as u64, 0, 0), "{last}");
    assert_eq!(verified(&person, &place), [("INBOX".to_owned(), MESSAGES as u64, MESSAGES as u64, 0)]);
    assert_eq!(counts(&person.json(["sources", "sync"])), (0, MESSAGES as u64, 0, 0));
}

/// Opens an account whose owner logs in with a browser.
fn log_in(person: &Person, google: &Google, kind: &str, more: &[&str]) -> Value {
    let mut child = person
        .command()
        .args(["sources", "add", kind, "--client", CLIENT, "--issuer", &google.issuer, "--api", &google.api, "--json"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let url = loop {
        let mut line = String::new();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended without a page to log in at");
        if let Some(at) = line.find("http://") {
            let url = &line[at..];
            break url[..url.find('"').unwrap_or(url.len())].trim().to_owned();
        }
    };
    let page = Browser::default().open(&url);
    assert!(page.status == 200 && page.text.contains("close this"), "{page:?}");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{rest}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn google_accounts_are_opened_in_the_browser_and_followed() {
    let Some(google) = Google::start() else { return };
    let letter = |n: usize| {
        let raw = URL_SAFE_NO_PAD.encode(message(n));
        json!({"do": "add_message", "id": format!("m{n}"), "raw": raw, "labels": ["INBOX"], "at": 1_709_546_400_000_i64})
    };
    (1..=4).for_each(|n| google.tell(&letter(n).to_string()));
    let content = STANDARD.encode("# Boiler\n\nThe boiler was serviced by Rui on 3 May 2025.\n");
    google.tell(&json!({"do": "put_file", "id": "f1", "name": "boiler.md", "mimeType": "text/markdown", "content": content, "owned": true}).to_string());
    google.tell(&json!({"do": "put_calendar", "id": "ana@example.org", "summary": "Ana", "selected": true, "primary": true, "timeZone": "Europe/Lisbon"}).to_string());
    let event = json!({"id": "e1", "status": "confirmed", "summary": "Choir in the old hall", "start": {"dateTime": "2026-03-04T19:00:00Z"}, "end": {"dateTime": "2026-03-04T21:00:00Z"}});
    google.tell(&json!({"do": "put_event", "calendar": "ana@example.org", "event": event}).to_string());

    let person = Person::settled();
    assert_eq!(counts(&log_in(&person, &google, "gmail", &[])), (4, 0, 0, 0));
    assert_eq!(counts(&log_in(&person, &google, "drive", &[])), (1, 0, 0, 0));
    assert_eq!(counts(&log_in(&person, &google, "calendar", &[])), (1, 0, 0, 0));
    for (query, place) in [
        ("ferry number 3", "gmail://ana@example.org/m3"),
        ("who serviced the boiler", "drive://ana@example.org/f1"),
        ("type:event choir", "calendar://ana@example.org/"),
    ] {
        let found = person.json(["memory", "search", query]).to_string();
        assert!(found.contains(place), "{query}: {found}");
    }
    // Logging in once more is no second account.
    assert_eq!(counts(&log_in(&person, &google, "gmail", &[])).0, 0);
    assert_eq!(person.json(["sources", "list"])["sources"].as_array().unwrap().len(), 3);

    google.tell(&letter(5).to_string());
    google.tell(r#"{"do": "delete_message", "id": "m1"}"#);
    let changed = person.json(["sources", "sync"]);
    assert_eq!(changed["new"], 1, "{changed}");
    assert_eq!(hits(&person, "\"ferry number 1\""), 0);
    assert_eq!(verified(&person, "gmail://ana@example.org"), [("All mail".to_owned(), 4, 4, 0)]);

    // A file is written anew while nobody knows any more what has changed.
    let content = STANDARD.encode("# Boiler\n\nThe boiler was serviced by Teresa on 9 June 2026.\n");
    google.tell(&json!({"do": "put_file", "id": "f1", "name": "boiler.md", "mimeType": "text/markdown", "content": content, "owned": true, "modified": 1_900_000_000_000_i64}).to_string());
    google.tell(r#"{"do": "expire_history"}"#);
    assert_eq!(counts(&person.json(["sources", "sync", "drive://ana@example.org"])), (0, 0, 1, 0));
    assert_eq!(hits(&person, "\"serviced by Teresa\""), 1);

    // The owner takes the login back at Google; what was read stays, and a new login goes on.
    google.revoke();
    google.tell(&letter(6).to_string());
    let over = refused(&person, &["sources".into(), "sync".into(), "gmail://ana@example.org".into()]);
    assert!(over.contains("has ended") && over.contains("log in"), "{over}");
    assert_eq!(hits(&person, "\"ferry number 5\""), 1);
    assert_eq!(log_in(&person, &google, "gmail", &[])["new"], 1);
}
