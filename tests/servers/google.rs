//! A stand-in for Google in tests: a real OpenID provider and the interfaces behind it, on a free port of this machine,
//! for as long as the value lives; and somebody's browser, to log in there.
#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_types, reason = "the tests start a server and are somebody's browser")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Who logs in.
pub const ACCOUNT: &str = "ana@example.org";

/// The client that is known there; it has no secret.
pub const CLIENT: &str = "icore-test";

/// The server.
pub struct Google {
    child: Child,
    input: Option<ChildStdin>,
    /// Who issues tokens.
    pub issuer: String,
    /// Where the interfaces are.
    pub api: String,
}

impl Google {
    /// Starts one whose tokens hold for an hour and that grants every login; none where it is not installed, which is
    /// said, and wrong where a build machine runs the tests.
    pub fn start() -> Option<Self> {
        Self::start_with(&[("AUTO", "1")])
    }

    /// The same, with these words in its environment.
    pub fn start_with(words: &[(&str, &str)]) -> Option<Self> {
        let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("tests/servers"));
        let here = above.find(|folder| folder.join("google/server.mjs").is_file()).expect("the servers are there");
        let installed = std::env::var_os("HINET_TEST_SERVERS").map_or_else(|| here.clone(), PathBuf::from);
        let missing = |what: &str| {
            assert!(std::env::var_os("CI").is_none(), "{what} is missing: tests/servers/install was not run");
            eprintln!("skipped: {what} is not installed (tests/servers/install does it)");
        };
        if !installed.join("google/node_modules/oidc-provider").is_dir() {
            missing("The OpenID provider");
            return None;
        }
        let started = Command::new("node")
            .arg(here.join("google/server.mjs"))
            .env("HINET_TEST_SERVERS", &installed)
            .envs(words.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if std::env::var_os("HINET_TEST_LOUD").is_some() { Stdio::inherit() } else { Stdio::null() })
            .spawn();
        let Ok(mut child) = started else {
            missing("Node.js");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let word = |name: &str| {
            let rest = line.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name} in {line:?}")).1;
            rest.split('"').next().unwrap().to_owned()
        };
        let (issuer, api) = (word("issuer"), word("api"));
        Some(Self { input: child.stdin.take(), child, issuer, api })
    }

    /// Has something happen behind the interfaces; `api.mjs` says what can.
    pub fn tell(&self, what: &str) {
        let page = Browser::default().go("POST", format!("{}/control/tell", self.issuer), what.to_owned());
        assert_eq!(page.status, 200, "{what}: {}", page.text);
    }

    /// Takes back all tokens, as an owner can.
    pub fn revoke(&self) {
        let page = Browser::default().send(&format!("{}/control/revoke", self.issuer), &[]);
        assert_eq!(page.status, 204);
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        // It ends with its input.
        self.input.take();
        let _ = self.child.wait();
    }
}

/// A browser that remembers cookies and goes where it is sent.
#[derive(Default)]
pub struct Browser {
    cookies: HashMap<String, String>,
}

/// What it shows in the end.
#[derive(Debug)]
pub struct Page {
    /// Where it lies.
    pub url: String,
    /// How it was answered.
    pub status: u16,
    /// What is on it.
    pub text: String,
}

impl Page {
    /// What a field that is filled in already holds.
    pub fn field(&self, name: &str) -> Option<String> {
        let rest = self.text.split_once(&format!("name=\"{name}\" value=\""))?.1;
        Some(rest.split('"').next()?.to_owned())
    }

    /// Where the page's form goes.
    pub fn form(&self) -> String {
        let rest = self.text.split_once("action=\"").unwrap_or_else(|| panic!("no form in {self:?}")).1;
        absolute(&self.url, rest.split('"').next().unwrap())
    }
}

impl Browser {
    /// Opens a page.
    pub fn open(&mut self, url: &str) -> Page {
        self.go("GET", url.to_owned(), String::new())
    }

    /// Sends a form.
    pub fn send(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        let encoded: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        self.go("POST", url.to_owned(), encoded.join("&"))
    }

    /// Types a code on a device's page and says yes.
    pub fn type_code(&mut self, url: &str, code: &str) -> Page {
        let page = self.open(url);
        let xsrf = page.field("xsrf").unwrap();
        let page = self.send(&page.form(), &[("xsrf", &xsrf), ("user_code", code)]);
        let (xsrf, code) = (page.field("xsrf").unwrap(), page.field("user_code").unwrap());
        self.send(&page.form(), &[("xsrf", &xsrf), ("user_code", &code), ("confirm", "yes")])
    }

    fn go(&mut self, method: &str, url: String, body: String) -> Page {
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..20 {
            let (status, headers, text) = self.ask(method, &url, &body);
            let Some(to) = headers.get("location").filter(|_| (300..400).contains(&status)) else {
                return Page { url, status, text };
            };
            url = absolute(&url, to);
            (method, body) = ("GET", String::new());
        }
        panic!("sent around without end");
    }

    fn ask(&mut self, method: &str, url: &str, body: &str) -> (u16, HashMap<String, String>, String) {
        let (host, path) = split(url);
        let mut stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{url}: {error}"));
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        // The older version, so that the answer comes in one piece and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            cookies.join("; "),
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{url} answered {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::new();
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                if value.is_empty() {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        (status, headers, text.to_owned())
    }
}

/// Host and port, and what comes after them.
fn split(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url} is not on this machine"));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    (&rest[..end], if end == rest.len() { "/" } else { &rest[end..] })
}

fn absolute(from: &str, to: &str) -> String {
    if to.starts_with('/') { format!("http://{}{to}", split(from).0) } else { to.to_owned() }
}

fn percent(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
