//! Mail: messages, mbox files and Maildirs, against fixtures that others wrote.

mod support;

use base64::{Engine, engine::general_purpose::STANDARD};
use hinet_connectors::{ReadLimits, Reader};
use hinet_protocol::Trust;
use serde_json::Value;
use std::{fs, path::Path};
use support::{Got, Opened, docx_body, extractor, files, fixtures, gather, reference};

/// The root message's header field in an expected parse.
fn header<'a>(expected: &'a Value, name: &str) -> Option<&'a Value> {
    let root = expected["parts"].as_array()?.iter().find(|part| part["parent"].is_null())?;
    let fields = root["headers"].as_array()?;
    let found =
        fields.iter().rev().find(|field| field["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
    Some(&found["value"]).filter(|value| !value.is_null())
}

/// Names and addresses of an expected field, in their order.
fn mailboxes(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if fields.contains_key("mailbox") => {
            for key in ["name", "address"] {
                found.extend(fields["mailbox"][key].as_str().map(str::to_owned));
            }
        }
        Value::Object(fields) => fields.values().for_each(|value| mailboxes(value, found)),
        Value::Array(values) => values.iter().for_each(|value| mailboxes(value, found)),
        _ => {}
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text holds what is expected; where the expected parse lost a letter, ours may have it.
fn holds(text: &str, want: &str) -> bool {
    want.split('\u{fffd}').all(|piece| text.contains(piece))
}

#[test]
fn every_message_of_the_fixtures_is_kept_with_its_fields() {
    let Some(folder) = fixtures("mail/stalwart-mail-parser") else { return };
    let messages = files(&folder, "eml");
    let (mut fields, mut wrong) = (0, Vec::new());
    let got = gather(&folder);
    for path in &messages {
        let document = got.text(path.to_str().expect("a name"));
        assert_eq!((document.kind, document.trust), ("mail", Trust::Untrusted), "{}", path.display());
        let Ok(json) = fs::read(path.with_extension("json")) else { continue };
        let expected: Value = serde_json::from_slice(&json).expect("an expected parse");
        let text = squeezed(&document.text);
        let mut check = |name: &str, want: &str| {
            fields += 1;
            if !holds(&text, &squeezed(want)) {
                wrong.push(format!("{} {name}: {want:?} not in {:?}", path.display(), &text[..text.len().min(300)]));
            }
        };
        if let Some(subject) = header(&expected, "Subject").and_then(|value| value["text"].as_str()) {
            check("Subject", subject);
        }
        for name in ["From", "To", "Cc"] {
            let mut people = Vec::new();
            if let Some(value) = header(&expected, name) {
                mailboxes(value, &mut people);
            }
            for person in people {
                check(name, &person);
            }
        }
        if let Some(date) = header(&expected, "Date").map(|value| &value["date_time"]) {
            let number = |key: &str| date[key].as_i64().unwrap_or(0);
            let day = format!("Date: {:04}-{:02}-{:02}", number("year"), number("month"), number("day"));
            check("Date", &format!("{day} {:02}:{:02}", number("hour"), number("minute")));
        }
    }
    eprintln!("{} messages, {fields} fields, {} wrong", messages.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn text_bodies_are_those_expected() {
    let Some(folder) = fixtures("mail/stalwart-mail-parser/eml") else { return };
    let (mut bodies, mut wrong) = (0, Vec::new());
    let got = gather(&folder);
    for path in files(&folder, "eml") {
        let Ok(json) = fs::read(path.with_extension("json")) else { continue };
        let expected: Value = serde_json::from_slice(&json).expect("an expected parse");
        let text = squeezed(&got.text(path.to_str().expect("a name")).text);
        let parts = expected["parts"].as_array().expect("parts");
        for id in expected["messages"][0]["text_body"].as_array().into_iter().flatten() {
            let part = parts.iter().find(|part| part["id"] == *id).expect("a part");
            let Some(body) = part["text"].as_str().filter(|_| part["kind"] == "text") else { continue };
            bodies += 1;
            let body = squeezed(&body.chars().filter(|c| !c.is_control() || c.is_whitespace()).collect::<String>());
            if !holds(&text, &body) {
                wrong.push(format!("{}: {body:.200}\n   not in {text:.300}", path.display()));
            }
        }
    }
    eprintln!("{bodies} bodies, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_tests_of_python_are_read_without_loss() {
    let Some(folder) = fixtures("mail/cpython-test_email") else { return };
    let opened = Opened::new();
    let mut count = 0;
    for path in files(&folder, "txt") {
        let name = format!("{}.eml", path.file_stem().expect("a name").to_string_lossy());
        opened.write(&name, fs::read(&path).expect("a fixture"));
        count += 1;
    }
    let got = gather(&opened.root);
    assert_eq!(got.documents.len(), count, "{:?}", got.skipped);
    let first = got.text("msg_01.eml");
    assert!(first.text.contains("From: John X. Doe <bbb@ddd.com>\nTo: bbb@zzz.org\n"), "{}", first.text);
    assert!(first.title.starts_with("This is a test message"), "{}", first.title);
}

#[test]
fn an_mbox_gives_each_message_once_however_often_it_is_read() {
    let Some(folder) = fixtures("mail/stalwart-mail-parser/mbox") else { return };
    let got = gather(&folder.join("sample.mbox"));
    let texts: Vec<&str> = got.documents.iter().map(|document| document.text.as_str()).collect();
    let third = "Message 3\nFrom hello\n>From world\n>>From test\n";
    assert_eq!(texts, ["Message 1\n", "Message 2\n", third, "Message 4\n> From\n>F\n"]);
    assert_eq!(got.documents[0].modified, 820_631_134_000);

    let message = |n: u32| {
        format!(
            "From a@x.org Sat Jan  3 01:05:34 1996\nMessage-ID: <{n}@x>\nX-Gmail-Labels: Inbox,Trips\nFrom: Ana <a@x.org>\nDate: Mon, 4 Mar 2024 10:0{n}:00 +0100\nSubject: S{n}\n\nHello {n}\n\n"
        )
    };
    let opened = Opened::new();
    let path = opened.write("Takeout/Mail/All mail.mbox", format!("{}{}", message(1), message(2)));
    let one = gather(&path);
    assert_eq!(one.documents.len(), 2);
    assert_eq!(one.documents[0].title, "S1");
    assert!(one.documents[0].text.starts_with(
        "From: Ana <a@x.org>\nDate: 2024-03-04 10:01 +0100\nSubject: S1\nLabels: Inbox, Trips\n\nHello 1\n"
    ));
    // Grown in the middle, and with labels and marks that changed.
    let grown = format!("{}{}{}", message(1), message(3), message(2)).replace("Trips", "Done\nStatus: RO");
    opened.write("Takeout/Mail/All mail.mbox", grown.replace('\n', "\r\n"));
    let mut keys = one.keys();
    let two = gather(&path);
    keys.push(two.keys()[1]);
    keys.sort_unstable();
    let mut again = two.keys();
    again.sort_unstable();
    assert_eq!(again, keys);
}

#[test]
fn a_maildir_is_read_with_its_hidden_folders() {
    let Some(folder) = fixtures("mail/stalwart-mail-parser/maildir") else { return };
    let got = gather(&folder);
    assert_eq!(got.documents.len(), 6, "{:?} {:?}", got.keys(), got.skipped);
    assert!(got.documents.iter().all(|document| document.kind == "mail"));
    let mut names: Vec<&str> = got.keys().into_iter().filter_map(|key| Path::new(key).file_name()?.to_str()).collect();
    names.sort_unstable();
    assert_eq!(names[0], "1035478339.27041_118.foo.org,S=1000,W=1030");
}

#[test]
fn damage_as_found_in_the_wild() {
    let opened = Opened::new();
    for (name, bytes, part) in [
        ("latin.eml", b"From: J\xf6rg <j@x.org>\nSubject: Gr\xfc\xdfe aus K\xf6ln\n\nSch\xf6ne Gr\xfc\xdfe aus K\xf6ln und M\xfcnchen\n".to_vec(), "Jörg <j@x.org>\nSubject: Grüße aus Köln\n\nSchöne Grüße aus Köln"),
        ("unknown.eml", b"Subject: x\nContent-Type: text/plain; charset=x-nobody\nContent-Transfer-Encoding: quoted-printable\n\nSch=F6ne Gr=FC=DFe aus K=F6ln und M=FCnchen\n".to_vec(), "Schöne Grüße"),
        ("html.eml", b"Subject: x\nContent-Type: text/html; charset=utf-8\n\n<h1>Head</h1><p>one<br>two<script>no</script>".to_vec(), "# Head\n\none\ntwo\n"),
        ("cut.eml", b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nbody that never ends".to_vec(), "body that never ends"),
        ("bare.eml", b"no header at all, only words".to_vec(), "no header at all, only words"),
        ("apple.emlx", b"28\nSubject: s\n\nbody of mail\n\n<plist></plist>".to_vec(), "Subject: s\n\nbody of mail\n"),
        ("cal.eml", b"Subject: Invitation\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nCome!\n--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Choir\nDTSTART:20240304T190000Z\nEND:VEVENT\nEND:VCALENDAR\n--b--\n".to_vec(), "Event: Choir\nWhen: 2024-03-04 19:00 UTC"),
        ("pdf.eml", b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee file\n--b\nContent-Type: application/pdf; name=r.pdf\n\nno pdf\n--b--\n".to_vec(), "Attachment: r.pdf (application/pdf, not read: It could not be read: the PDF is damaged.)"),
        ("nested.eml", b"Subject: out\nContent-Type: message/rfc822\n\nSubject: in\nFrom: a@x\n\ninner words\n".to_vec(), "From: a@x\nSubject: in\n\ninner words"),
    ] {
        let path = opened.write(name, &bytes);
        let got = gather(&path);
        assert_eq!(got.documents.len(), 1, "{name}: {:?}", got.skipped);
        let text = &got.documents[0].text;
        assert!(text.contains(part), "{name}: {text}");
    }
    let got = gather(&opened.root.join("pdf.eml"));
    assert!(got.skipped[0].what.ends_with("pdf.eml/r.pdf"), "{:?}", got.skipped);
}

#[test]
fn boxes_without_a_telling_name_are_recognised() {
    let opened = Opened::new();
    let message = "Received: x\nFrom: a@x.org\nTo: b@x.org\nSubject: S\nDate: Mon, 4 Mar 2024 10:00:00 +0000\n\nHi\n";
    let path = opened.write(
        "Inbox",
        format!("From - Mon Mar 04 10:00:00 2024\n{message}\nFrom - Mon Mar 04 10:00:01 2024\n{message}more\n"),
    );
    assert_eq!(gather(&path).documents.len(), 2);
    let path = opened.write("archive.txt", format!("From a at x.org  Mon Mar  4 10:00:00 2024\n{message}"));
    assert_eq!(gather(&path).documents[0].kind, "mail");
    let path = opened.write("message", message);
    assert_eq!(gather(&path).documents[0].title, "S");
    let path = opened.write("letter.txt", "From my window I see the sea.\n");
    assert_eq!(gather(&path).documents[0].kind, "text");
}

#[test]
fn messages_of_a_thread_name_it_alike_and_labels_are_kept_apart() {
    let message = |header: &str| {
        format!("From a@x.org Sat Jan  3 01:05:34 1996\nFrom: Ana <a@x.org>\nSubject: S\n{header}\n\nHello\n\n")
    };
    let opened = Opened::new();
    let all = [
        "Message-ID: <One@X.org>",
        "Message-ID: <2@x.org>\nIn-Reply-To: <One@x.org>",
        // Folded over lines, with several ids.
        "Message-ID: <3@x.org>\nReferences: <One@x.org>\n\t<2@x.org>\n <broken\nIn-Reply-To: <2@x.org>",
        "Message-ID: <4@x.org>\nX-Gmail-Labels: =?UTF-8?Q?Entw=C3=BCrfe,Inbox,inbox,?=\n \"Tax, 2025\"",
        "X-Nothing: here",
    ]
    .map(message);
    let path = opened.write("Trips.mbox", all.concat());
    let got = gather(&path);
    let threads: Vec<Option<&str>> = got.documents.iter().map(|document| document.thread.as_deref()).collect();
    assert_eq!(threads.len(), 5, "{:?}", got.skipped);
    let first = threads[0].expect("a message with an id is in a thread");
    assert!(first.len() == 32 && first.bytes().all(|b| b.is_ascii_hexdigit()), "{first}");
    assert_eq!(threads[1..3], [Some(first); 2]);
    assert!(threads[3].is_some_and(|other| other != first));
    assert_eq!(threads[4], None);
    assert_eq!(got.documents[0].labels, ["Trips"]);
    assert_eq!(got.documents[3].labels, ["Entwürfe", "Inbox", "Tax, 2025", "Trips"]);
    let note = opened.read_bytes("note.md", "Message-ID: <One@x.org>\n").expect("a note");
    assert_eq!((note.thread, note.labels), (None, Vec::new()));
}

#[test]
fn what_is_attached_gives_no_more_than_a_text_may_be() {
    let opened = Opened::new();
    let limits = ReadLimits { max_text_bytes: 20_000, ..ReadLimits::default() };
    let attached = |words: usize| {
        let file = docx_body(&format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", "word ".repeat(words)));
        let head = "--b\r\nContent-Type: application/octet-stream; name=a.docx\r\nContent-Transfer-Encoding: base64";
        format!("{head}\r\n\r\n{}\r\n", STANDARD.encode(file))
    };
    let (one, many) = (attached(9000), attached(3000).repeat(9));
    let head = "Subject: Packed\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbody\r\n";
    let path = opened.write("a.eml", format!("{head}{one}{many}--b--\r\n"));
    let mut got = Got::default();
    Reader::new(&opened.reading, &limits, &extractor()).read(&reference(&path), &mut got);
    let text = &got.documents[0].text;
    assert!(text.len() <= 20_001 && text.contains("body") && text.contains("not read: It holds more than"), "{text}");
    let why: Vec<&str> = got.skipped.iter().map(|skipped| skipped.why.as_str()).collect();
    assert!(
        why.iter().any(|why| why.contains("of text")) && why.iter().any(|why| why.contains("very long")),
        "{why:?}"
    );
}
