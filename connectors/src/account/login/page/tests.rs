//! Visitors at the door of a login.

use super::*;

fn expected() -> Expected {
    Expected {
        base: Url::parse("http://127.0.0.1:4711/").unwrap(),
        state: Secret::new("st".to_owned()),
        issuer: "https://issuer.example".to_owned(),
    }
}

fn judged(line: &str) -> (&'static str, Option<Brought>) {
    let (status, _, brought) = expected().judge(format!("{line}\r\nHost: 127.0.0.1:4711\r\n\r\n").as_bytes());
    (&status[..3], brought)
}

#[test]
fn the_code_is_taken_from_who_brings_the_state() {
    for line in [
        "GET /?code=a%2Fb&state=st HTTP/1.1",
        "GET /?state=st&iss=https%3A%2F%2Fissuer.example&code=a/b HTTP/1.1",
        "GET /?state=st&iss=https://issuer.example/&code=a/b&scope=x HTTP/1.1",
    ] {
        let (status, brought) = judged(line);
        assert_eq!(status, "200");
        assert_eq!(brought.unwrap().unwrap().expose(), "a/b");
    }
}

#[test]
fn others_are_turned_away() {
    for (line, expected) in [
        ("GET /favicon.ico HTTP/1.1", "404"),
        ("GET / HTTP/1.1", "404"),
        ("GET //other.example/?code=a&state=st HTTP/1.1", "404"),
        ("GET http://other.example/?code=a&state=st HTTP/1.1", "404"),
        ("POST /?code=a&state=st HTTP/1.1", "404"),
        ("GET /x?code=a&state=st HTTP/1.1", "404"),
        ("\u{0}\u{1}", "404"),
        ("GET /?code=a HTTP/1.1", "400"),
        ("GET /?code=a&state=other HTTP/1.1", "400"),
        ("GET /?code=a&state=other&state=st HTTP/1.1", "400"),
        ("GET /?error=access_denied&state=other HTTP/1.1", "400"),
        ("GET /?state=st HTTP/1.1", "400"),
        ("GET /?code=a&state=st&iss=https://other.example HTTP/1.1", "400"),
    ] {
        let (status, brought) = judged(line);
        assert_eq!((status, brought.is_none()), (expected, true), "{line}");
    }
}

#[test]
fn a_no_is_a_no() {
    let (status, brought) = judged("GET /?error=access_denied&error_description=not%0Atoday&state=st HTTP/1.1");
    assert_eq!(status, "200");
    assert!(matches!(brought, Some(Err(AccountError::Denied { why })) if why == "not today"));
}
