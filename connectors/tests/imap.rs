//! Mail servers that do not behave: each ends with a sentence, none with a panic or without an end, and what they cut short
//! is never taken for all there is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_types, reason = "the tests play a server")]

mod servers;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use hinet_connectors::{AccountError, Key, ReadLimits, Reading, read_account, try_account};
use servers::{Memory, extractor, leave};

use hinet_protocol::{AccountKind, AccountPlan, Secret, Transport};

/// A server that says `greeting` (or hangs up where there is none), and to each line what `answer` makes of it; `None`
/// hangs up.
fn server(greeting: Option<&'static str>, answer: impl Fn(&str) -> Option<String> + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(greeting) = greeting else { continue };
            let _ = stream.write_all(greeting.as_bytes());
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while let Some(Ok(line)) = lines.next() {
                match answer(&line) {
                    Some(said) => drop(stream.write_all(said.as_bytes())),
                    None => break,
                }
            }
        }
    });
    port
}

fn plan(port: u16) -> AccountPlan {
    AccountPlan {
        kind: AccountKind::Imap,
        user: "maya".into(),
        server: Some(format!("127.0.0.1:{port}")),
        transport: Transport::Plain,
        certificate: None,
        folders: vec![],
        since: None,
        oauth: None,
    }
}

fn key() -> Key {
    Key::Password(Secret::new("pass word \"quoted\\".into()))
}

fn knock(port: u16, goes_on: &mut dyn FnMut() -> bool) -> Result<(), AccountError> {
    try_account(&mut plan(port), &mut key(), goes_on)
}

fn tag(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn servers_that_do_not_behave_end_with_a_sentence() {
    let fine = |line: &str| Some(format!("{} OK done\r\n", tag(line)));
    let cases: [(&str, u16, &str); 6] = [
        ("hangs up", server(None, |_| None), "Unreachable"),
        (
            "says no",
            server(Some("* OK hello\r\n"), |line| Some(format!("{} NO [AUTHENTICATIONFAILED] go away\r\n", tag(line)))),
            "Password",
        ),
        (
            "speaks something else",
            server(Some("HTTP/1.1 400 Bad Request\r\n\r\n\u{0}\u{1}\r\n"), |_| Some("\u{0}\r\n".into())),
            "",
        ),
        (
            "promises four gigabytes",
            server(Some("* OK hello\r\n"), |_| Some("* 1 FETCH (BODY[] {4294967295}\r\nabc".into())),
            "",
        ),
        ("has no folders", server(Some("* OK hello\r\n"), fine), ""),
        (
            "hangs up in the middle of a list",
            server(Some("* OK hello\r\n"), move |line| if line.contains("LIST") { None } else { fine(line) }),
            "Unreachable",
        ),
    ];
    for (what, port, expected) in cases {
        let begun = Instant::now();
        // A server that waits for more is left after a moment, as an owner would.
        let found = knock(port, &mut || begun.elapsed() < Duration::from_secs(3));
        match (expected, found) {
            ("Unreachable", Err(AccountError::Unreachable { .. })) => {}
            ("Password", Err(AccountError::Password { why, .. })) => assert!(why.contains("go away"), "{why}"),
            ("", Err(error)) => assert!(!error.to_string().is_empty()),
            (_, found) => panic!("a server that {what}: {found:?}"),
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_left_when_the_owner_says_so() {
    let port = server(Some(""), |_| Some(String::new()));
    let begun = Instant::now();
    let mut asked = 0;
    let stopped = knock(port, &mut || {
        asked += 1;
        asked < 3
    });
    assert!(matches!(stopped, Err(AccountError::Stopped)), "{stopped:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// A mailbox of two messages that answers as it should, but for commands with this word in them.
fn mailbox(but: &'static str, answer: impl Fn(&str) -> Option<String> + Send + 'static) -> u16 {
    server(Some("* OK hello\r\n"), move |line| {
        if !but.is_empty() && line.contains(but) {
            return answer(line);
        }
        let done = format!("{} OK done\r\n", tag(line));
        let message = |uid: u32| {
            let text = format!("Subject: Letter {uid}\r\n\r\nWords.\r\n");
            let date = "05-Mar-2024 00:00:00 +0000";
            format!(
                "* {uid} FETCH (UID {uid} RFC822.SIZE {0} INTERNALDATE \"{date}\" BODY[]<0> {{{0}}}\r\n{text})\r\n",
                text.len()
            )
        };
        Some(match line {
            line if line.contains("LIST") => format!("* LIST () \"/\" INBOX\r\n{done}"),
            line if line.contains("EXAMINE") => format!("* 2 EXISTS\r\n* OK [UIDVALIDITY 7] fine\r\n{done}"),
            line if line.contains("SEARCH") => format!("* SEARCH 1 2\r\n{done}"),
            line if line.contains("FETCH") => format!("{}{}{done}", message(1), message(2)),
            _ => done,
        })
    })
}

fn read(port: u16, reading: &Reading, memory: &mut Memory) -> Result<(), AccountError> {
    read_account(reading, &plan(port), &mut key(), &ReadLimits::default(), &extractor(), memory)
}

#[test]
fn a_list_that_is_cut_short_or_refused_takes_nothing_out_of_the_memory() {
    let refuses = |line: &str| Some(format!("{} NO not now\r\n", tag(line)));
    let shuts_down = |_: &str| Some("* BYE shutting down\r\n".to_owned());
    let hangs_up = |_: &str| None;
    for (what, answer) in [
        ("LIST", refuses as fn(&str) -> Option<String>),
        ("LIST", shuts_down),
        ("EXAMINE", hangs_up),
        ("SEARCH", refuses),
        ("SEARCH", shuts_down),
        ("SEARCH", hangs_up),
    ] {
        let mut memory = Memory::default();
        let good = mailbox("", |_| None);
        let (reading, _consent, _home) = leave(&format!("imap://maya@127.0.0.1:{good}"));
        read(good, &reading, &mut memory).expect("two messages");
        assert_eq!(memory.names(), ["7.1", "7.2"]);
        // The same account, behind a server that has become unwell.
        let before = memory.names().join(" ");
        let bad = mailbox(what, answer);
        let (reading, _consent, _home) = leave(&format!("imap://maya@127.0.0.1:{bad}"));
        let keys: Vec<String> = memory.items.keys().cloned().collect();
        for key in keys {
            let moved = key.replace(&good.to_string(), &bad.to_string());
            let item = memory.items.remove(&key).unwrap();
            memory.items.insert(moved, item);
        }
        let failed = read(bad, &reading, &mut memory);
        assert!(failed.is_err(), "{what} went well");
        assert_eq!(memory.names().join(" "), before, "{what}: {failed:?}");
    }
}

#[test]
fn a_message_that_is_listed_and_not_given_ends_the_reading_and_is_not_passed_over() {
    let port = mailbox("FETCH", |line| Some(format!("{} NO [SERVERBUG] lost\r\n", tag(line))));
    let (reading, _consent, _home) = leave(&format!("imap://maya@127.0.0.1:{port}"));
    let mut memory = Memory::default();
    assert!(matches!(read(port, &reading, &mut memory), Err(AccountError::Answer { .. })));
    let silent = mailbox("FETCH", |line| Some(format!("{} OK done\r\n", tag(line))));
    let (reading, _consent, _home) = leave(&format!("imap://maya@127.0.0.1:{silent}"));
    let found = read(silent, &reading, &mut memory);
    assert!(matches!(&found, Err(AccountError::Answer { why, .. }) if why.contains("does not give it")), "{found:?}");
    assert!(memory.items.is_empty() && memory.bookmarks.is_empty());
}

#[test]
fn lists_that_are_longer_than_any_are_refused() {
    let many = |line: &str| {
        let folders: String = (0..30_000).map(|number| format!("* LIST () \"/\" f{number}\r\n")).collect();
        Some(format!("{folders}{} OK done\r\n", tag(line)))
    };
    let long = |line: &str| Some(format!("* LIST () \"/\" \"{}\"\r\n{} OK done\r\n", "f".repeat(5000), tag(line)));
    for (answer, expected) in [(many as fn(&str) -> Option<String>, "20000 folders"), (long, "1024 bytes")] {
        let port = mailbox("LIST", answer);
        let (reading, _consent, _home) = leave(&format!("imap://maya@127.0.0.1:{port}"));
        let found = read(port, &reading, &mut Memory::default());
        assert!(matches!(&found, Err(AccountError::Answer { why, .. }) if why.contains(expected)), "{found:?}");
    }
}
