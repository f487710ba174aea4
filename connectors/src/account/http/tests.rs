//! Servers that answer in every way a server can.

#![allow(clippy::disallowed_types, reason = "the tests are the servers that are asked, and start one that speaks TLS")]

use super::*;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

/// A server that gives these answers, one after the other, and in the end what it was asked.
fn server(answers: &[&str]) -> (String, JoinHandle<Vec<String>>) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    let asked = thread::spawn(move || {
        let heard = |answer: &String| {
            let (mut visitor, _) = door.accept().unwrap();
            let lines = BufReader::new(visitor.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            visitor.write_all(answer.as_bytes()).unwrap();
            head.join("\n")
        };
        answers.iter().map(heard).collect()
    });
    (url, asked)
}

fn answer(status: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn http() -> Http {
    Http { first_wait: Duration::from_millis(2), ..Http::new(None).unwrap() }
}

fn get(url: &str) -> Result<Vec<u8>, AccountError> {
    http().get(url, "token", 1000, &mut || true)
}

#[test]
fn what_is_there_is_given_to_who_shows_the_token() {
    let (url, asked) = server(&[&answer("200 OK", "", "letters")]);
    assert_eq!(get(&format!("{url}/a?b=c")).unwrap(), b"letters");
    let asked = asked.join().unwrap();
    let head = asked[0].to_lowercase();
    assert!(head.starts_with("get /a?b=c http/1.1\n"), "{head}");
    assert!(head.contains("authorization: bearer token"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let limited = r#"{"error":{"code":403,"message":"Slow down","errors":[{"reason":"userRateLimitExceeded"}]}}"#;
    let (url, asked) = server(&[
        &answer("429 Too Many Requests", "Retry-After: 0\r\n", ""),
        &answer("403 Forbidden", "", limited),
        &answer("503 Service Unavailable", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""),
        &answer("200 OK", "", "at last"),
    ]);
    assert_eq!(get(&url).unwrap(), b"at last");
    assert_eq!(asked.join().unwrap().len(), 4);
}

#[test]
fn it_is_waited_for_as_long_as_the_server_says() {
    let (url, _asked) =
        server(&[&answer("429 Too Many Requests", "Retry-After: 1\r\n", ""), &answer("200 OK", "", "")]);
    let begun = Instant::now();
    get(&url).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn nobody_is_asked_without_end() {
    let busy = answer("429 Too Many Requests", "", "");
    let (url, asked) = server(&[busy.as_str(); 6]);
    assert!(matches!(get(&url), Err(AccountError::Busy { .. })));
    assert_eq!(asked.join().unwrap().len(), 6);
    let broken = answer("500 Internal Server Error", "", r#"{"error":{"message":"Backend\nError"}}"#);
    let (url, _asked) = server(&[broken.as_str(); 6]);
    assert!(
        matches!(get(&url), Err(AccountError::Busy { .. })),
        "a server's own trouble says nothing about what is asked for"
    );
    let wrong = answer("400 Bad Request", "", r#"{"error":{"message":"Backend\nError"}}"#);
    let (url, _asked) = server(&[wrong.as_str()]);
    let error = get(&url).unwrap_err();
    assert!(matches!(&error, AccountError::Answer { why, .. } if why == "Backend Error"), "{error}");
}

#[test]
fn a_wait_can_be_stopped() {
    let (url, _asked) = server(&[&answer("429 Too Many Requests", "Retry-After: 60\r\n", "")]);
    let begun = Instant::now();
    let mut goes_on = || begun.elapsed() < Duration::from_millis(300);
    let stopped = http().get(&url, "token", 1000, &mut goes_on);
    assert!(matches!(stopped, Err(AccountError::Stopped)));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_silent_server_can_be_left() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    let begun = Instant::now();
    let mut goes_on = || begun.elapsed() < Duration::from_millis(100);
    let stopped = http().get(&url, "token", 1000, &mut goes_on);
    assert!(matches!(stopped, Err(AccountError::Stopped)));
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(matches!(http().get(&url, "token", 1000, &mut || false), Err(AccountError::Stopped)));
}

#[test]
fn refusals_are_told_apart() {
    let forbidden = r#"{"error":{"message":"Not yours","errors":[{"reason":"insufficientPermissions"}]}}"#;
    for (status, body, sentence) in [
        ("401 Unauthorized", "", "the login for this account has ended (it was taken back, or it ran out)"),
        ("403 Forbidden", forbidden, "SERVER does not let this be read: Not yours"),
        ("404 Not Found", "", "SERVER does not have what was asked for (any more)"),
        ("410 Gone", "", "SERVER does not have what was asked for (any more)"),
        (
            "400 Bad Request",
            "<html>",
            "SERVER answered something that cannot be understood: it answered with status 400",
        ),
    ] {
        let (url, _asked) = server(&[&answer(status, "", body)]);
        let said = get(&url).unwrap_err().to_string();
        assert_eq!(said.replace(url.trim_start_matches("http://"), "SERVER"), sentence);
    }
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let (url, _asked) = server(&[&answer("200 OK", "", &"x".repeat(1001))]);
    assert!(matches!(get(&url), Err(AccountError::TooLarge { limit: 1000, .. })));
    let (url, _asked) = server(&[&answer("200 OK", "", &"x".repeat(1000))]);
    assert_eq!(get(&url).unwrap().len(), 1000);
    // Why something was refused may be long, and is only cut.
    let (url, _asked) = server(&[&answer("404 Not Found", "", &"x".repeat(100_000))]);
    assert!(matches!(get(&url), Err(AccountError::Absent { .. })));
}

#[test]
fn the_token_is_shown_to_no_other_server() {
    let (url, asked) = server(&[&answer("302 Found", "Location: /there\r\n", ""), &answer("200 OK", "", "moved")]);
    assert_eq!(get(&url).unwrap(), b"moved");
    assert!(asked.join().unwrap()[1].starts_with("GET /there "));

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let location = format!("Location: http://{}/\r\n", other.local_addr().unwrap());
    let (url, _asked) = server(&[&answer("307 Temporary Redirect", &location, "")]);
    assert!(matches!(get(&url), Err(AccountError::Answer { .. })));
    assert!(other.accept().is_err());

    let (url, _asked) = server(&[answer("302 Found", "Location: /\r\n", "").as_str(); 6]);
    assert!(matches!(get(&url), Err(AccountError::Answer { .. })));
}

#[test]
fn other_machines_are_asked_by_tls_alone() {
    for url in ["https://mail.example.org/a", "http://127.0.0.1:8080/", "http://127.1.2.3/", "http://[::1]/"] {
        assert!(checked(url).is_ok(), "{url}");
    }
    assert!(checked("http://localhost:1/").is_ok());
    for url in ["http://mail.example.org/", "http://192.168.0.1/", "http://localhost.example.org/", "http://[::2]/"] {
        assert!(matches!(get(url), Err(AccountError::NotLocal { .. })), "{url}");
    }
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "https://ana:secret@mail.example.org/", "mail", ""] {
        assert!(matches!(get(url), Err(AccountError::Address { .. })), "{url}");
    }
    let error = get("ftp://127.0.0.1/?token=secret").unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn who_is_not_there_cannot_be_reached() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    drop(door);
    assert!(matches!(get(&url), Err(AccountError::Unreachable { .. })));
}

#[test]
fn a_token_that_cannot_be_sent_is_none() {
    let asked = http().get("http://127.0.0.1:1/", "a\r\nb", 1000, &mut || true);
    assert!(matches!(asked, Err(AccountError::LoggedOut)));
}

#[test]
fn a_certificate_must_be_one() {
    assert!(matches!(Http::new(Some("none")), Err(AccountError::Address { .. })));
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert!(matches!(Http::new(Some(broken)), Err(AccountError::Address { .. })));
}

#[test]
fn waits_are_scattered_and_never_longer() {
    for _ in 0..100 {
        let wait = scattered(Duration::from_secs(2));
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(2), "{wait:?}");
    }
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_certificate_that_nobody_trusts_is_not_trusted_unless_the_owner_does() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=icore.test", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &at("key.pem"), "-out", &at("cert.pem")])
        .stderr(Stdio::null())
        .status();
    if made.is_err() {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing");
        eprintln!("skipped: openssl is not installed");
        return;
    }
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", &at("cert.pem"), "-key", &at("key.pem")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let _server = Ended(server);
    let port = said.find_map(|line| {
        let (_, port) = line.strip_prefix("ACCEPT ")?.rsplit_once(':')?;
        Some(port.to_owned())
    });
    let url = format!("https://127.0.0.1:{}/", port.unwrap());

    let strange = Http::new(None).unwrap().get(&url, "token", 1 << 20, &mut || true);
    assert!(matches!(&strange, Err(AccountError::Certificate { .. })), "{strange:?}");
    let pem = std::fs::read_to_string(at("cert.pem")).unwrap();
    let known = Http::new(Some(&pem)).unwrap().get(&url, "token", 1 << 20, &mut || true);
    assert!(known.unwrap().starts_with(b"<HTML>"));
}
