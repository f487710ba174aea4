//! Mail servers that do not behave: each ends with a sentence, none with a panic or without an end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_types, reason = "the tests play a server")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use hinet_connectors::{AccountError, Key, try_account};
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

fn knock(port: u16, goes_on: &mut dyn FnMut() -> bool) -> Result<(), AccountError> {
    let mut plan = AccountPlan {
        kind: AccountKind::Imap,
        user: "maya".into(),
        server: Some(format!("127.0.0.1:{port}")),
        transport: Transport::Plain,
        certificate: None,
        folders: vec![],
        since: None,
        oauth: None,
    };
    try_account(&mut plan, &mut Key::Password(Secret::new("pass word \"quoted\\".into())), goes_on)
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
        ("has no folders", server(Some("* OK hello\r\n"), fine), "fine"),
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
            ("fine", Ok(())) => {}
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
