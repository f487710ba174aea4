//! An account at a stand-in for Google, behind a real login, and a memory that takes what is read.
#![allow(dead_code, unused_imports, reason = "each test target uses its own part")]
#![allow(clippy::disallowed_types, reason = "the tests tell the stand-in what happens")]

#[path = "../../../tests/servers/google.rs"]
mod google;
#[allow(clippy::duplicate_mod, reason = "a test may play a server and open a folder besides")]
#[path = "../support/leave.rs"]
mod granted;

pub use google::ACCOUNT;
pub use granted::leave_at as leave;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use google::{Browser, CLIENT, Google};
use hinet_connectors::{
    AccountError, Document, Extractor, Key, Login, Place, ReadLimits, Reading, Skipped, Steward, Taker, count_account,
    read_account, try_account,
};
use hinet_consent::Consent;
use hinet_protocol::{AccountKind, AccountPlan, LoginPage, OAuthPlan, Transport};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{Read, Write},
    net::TcpStream,
    ops::ControlFlow,
    thread,
};
use tempfile::TempDir;

/// An account at the stand-in, and leave to read it.
pub struct Account {
    pub google: Google,
    bearer: String,
    pub key: Key,
    pub plan: AccountPlan,
    pub reading: Reading,
    _consent: Consent,
    _home: TempDir,
}

impl Account {
    /// An account whose owner has just logged in; none where the stand-in is not installed.
    pub fn new(kind: AccountKind) -> Option<Self> {
        let google = Google::start()?;
        let mut plan = plan(kind, &google.issuer, &google.api);
        let mut visit = |page: LoginPage| drop(thread::spawn(move || Browser::default().open(&page.url)));
        let mut login = Login::begin(&plan, None, &mut visit, &mut || true).expect("a login");
        let bearer = login.bearer().expect("a token").expose().to_owned();
        let mut key = Key::Tokens(Box::new(login));
        try_account(&mut plan, &mut key, &mut || true).expect("an owner");
        assert_eq!(plan.user, ACCOUNT);
        let (reading, consent, home) = leave(Place::of(&plan).as_str());
        Some(Self { google, bearer, key, plan, reading, _consent: consent, _home: home })
    }

    /// Tells the stand-in what happens.
    pub fn tell(&self, act: Value) -> Value {
        let host = self.google.api.trim_start_matches("http://").trim_end_matches("/api");
        let mut stream = TcpStream::connect(host).expect("the stand-in");
        let (body, bearer) = (act.to_string(), &self.bearer);
        let head =
            format!("POST /api/control HTTP/1.0\r\nAuthorization: Bearer {bearer}\r\nContent-Length: {}", body.len());
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{act}: {answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    /// What was asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        serde_json::from_value(self.tell(json!({"do": "log"}))["requests"].take()).expect("a log")
    }

    /// The names of what was fetched since the last time, in order.
    pub fn fetched(&self) -> Vec<String> {
        let fetches = self
            .asked()
            .into_iter()
            .filter(|url| ["format=raw", "alt=media", "/export"].iter().any(|word| url.contains(word)));
        let mut names: Vec<String> = fetches
            .map(|url| {
                let path = url.split(['?']).next().unwrap_or_default().trim_end_matches("/export").to_owned();
                path.rsplit('/').next().unwrap_or_default().to_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// Reads it.
    pub fn read(&mut self, memory: &mut Memory) -> Result<(), AccountError> {
        let limits = ReadLimits::default();
        read_account(&self.reading, &self.plan, &mut self.key, &limits, &extractor(), memory)
    }

    /// Reads, and compares what is here to what the server says that there is.
    pub fn update(&mut self, memory: &mut Memory) {
        self.read(memory).expect("a reading");
        let kept: Vec<&str> = memory.items.keys().map(String::as_str).collect();
        let left_out: BTreeSet<&str> = memory.skipped.iter().map(|one| one.what.as_str()).collect();
        for folder in count_account(&self.reading, &self.plan, &mut self.key, &mut || true).expect("counts") {
            let below = |key: &str| key.starts_with(&format!("{}/", folder.key));
            let here = kept.iter().filter(|key| below(key)).count();
            let skipped = left_out.iter().filter(|key| below(key) && !memory.items.contains_key(**key)).count();
            assert_eq!(folder.there, (here + skipped) as u64, "{} {kept:?} {:?}", folder.name, memory.skipped);
        }
    }

    /// Stops after each step of a reading once, and goes on: nothing is lost, and nothing fetched twice.
    pub fn stop_anywhere(&mut self) {
        let mut whole = Memory::default();
        self.update(&mut whole);
        let fetched = self.fetched();
        for steps in 0.. {
            let mut memory = Memory { goes_on: Some(steps), ..Memory::default() };
            let stopped = match self.read(&mut memory) {
                Ok(()) => false,
                Err(AccountError::Stopped) => true,
                Err(error) => panic!("{error}"),
            };
            memory.goes_on = None;
            self.read(&mut memory).expect("the rest");
            assert_eq!(memory.items, whole.items, "stopped after {steps}");
            assert_eq!(memory.bookmarks, whole.bookmarks, "stopped after {steps}");
            assert_eq!(self.fetched(), fetched, "stopped after {steps}");
            if !stopped {
                assert!(steps > 3);
                return;
            }
        }
    }

    pub fn letter(&self, id: &str, labels: &[&str], at: i64) {
        let raw =
            format!("From: Bo <bo@x.org>\r\nTo: ana@example.org\r\nSubject: Letter {id}\r\n\r\nWords of {id}.\r\n");
        let raw = URL_SAFE_NO_PAD.encode(raw);
        self.tell(json!({"do": "add_message", "id": id, "raw": raw, "labels": labels, "at": at}));
    }

    pub fn file(&self, name: &str, text: &str, more: Value) {
        let mut act = json!({"do": "put_file", "id": name, "name": name, "mimeType": "text/plain", "content": STANDARD.encode(text)});
        for (name, value) in more.as_object().expect("an object") {
            act[name] = value.clone();
        }
        self.tell(act);
    }

    pub fn event(&self, calendar: &str, event: Value) {
        self.tell(json!({"do": "put_event", "calendar": calendar, "event": event}));
    }

    pub fn update_names(&mut self, memory: &mut Memory, names: &[&str]) {
        self.read(memory).expect("a reading");
        assert_eq!(memory.names(), names);
    }
}

/// What was taken, and how far an account was read.
#[derive(Default)]
pub struct Memory {
    pub items: BTreeMap<String, Document>,
    pub skipped: Vec<Skipped>,
    pub bookmarks: BTreeMap<String, String>,
    /// How often it is still said that one goes on; for ever where it is not set.
    pub goes_on: Option<usize>,
    container: String,
    seen: HashSet<String>,
}

impl Memory {
    /// The last parts of the keys of what there is.
    pub fn names(&self) -> Vec<&str> {
        self.items.keys().filter_map(|key| key.rsplit('/').next()).collect()
    }

    /// The text of the item whose key ends so.
    pub fn text(&self, name: &str) -> &str {
        let found = self.items.iter().find(|(key, _)| key.rsplit('/').next() == Some(name));
        &found.unwrap_or_else(|| panic!("no {name} among {:?}", self.names())).1.text
    }
}

impl Taker for Memory {
    fn has(&mut self, key: &str) -> bool {
        let has = self.items.contains_key(key);
        if has {
            self.seen.insert(key.to_owned());
        }
        has
    }

    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()> {
        match found {
            Ok(document) => {
                self.seen.insert(document.key.clone());
                self.items.insert(document.key.clone(), document);
            }
            Err(skipped) => self.skipped.push(skipped),
        }
        if self.goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Steward for Memory {
    fn open(&mut self, key: &str) {
        self.container = key.to_owned();
        self.seen.clear();
    }

    fn close(&mut self) {
        let below = format!("{}/", std::mem::take(&mut self.container));
        self.items.retain(|key, _| !key.starts_with(&below) || self.seen.contains(key));
        self.seen.clear();
    }

    fn gone(&mut self, key: &str) {
        self.items.remove(key);
        self.skipped.retain(|one| one.what != key);
    }

    fn bookmark(&mut self, name: &str) -> Option<String> {
        self.bookmarks.get(name).cloned()
    }

    fn keep_bookmark(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.bookmarks.insert(name.to_owned(), value.to_owned()),
            None => self.bookmarks.remove(name),
        };
    }

    fn goes_on(&mut self) -> bool {
        match &mut self.goes_on {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// An account whose owner is not known yet.
pub fn plan(kind: AccountKind, issuer: &str, api: &str) -> AccountPlan {
    let issuer = Some(issuer.to_owned());
    AccountPlan {
        kind,
        user: String::new(),
        server: Some(api.to_owned()),
        transport: Transport::Tls,
        certificate: None,
        folders: Vec::new(),
        since: None,
        oauth: Some(OAuthPlan { issuer, client: CLIENT.to_owned(), scopes: vec![], device: false }),
    }
}

pub fn extractor() -> Extractor {
    Extractor { program: env!("CARGO_BIN_EXE_hinet-extract").into(), args: Vec::new() }
}
