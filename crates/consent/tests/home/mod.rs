//! A fresh home with its vault and consent, for the tests.

#![allow(dead_code, reason = "each test target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinet_consent::{Consent, ConsentError, Note, Outgoing, Subject};
use hinet_protocol::{
    Asker, Capability, Filter, Grant, GrantDraft, GrantId, Limits, Millis, Scope, SourceId, SourceKind, SourceState,
};
use hinet_vault::records::SourceRow;
use hinet_vault::{Home, Secret, Vault, Words};

pub const NOW: Millis = 1_780_000_000_000;
pub const HOUR: Millis = 3_600_000;

pub struct TestHome {
    pub dir: tempfile::TempDir,
    pub home: Home,
    words: Words,
}

impl TestHome {
    /// Makes a home that opens with its words, which costs no key stretching.
    pub fn new() -> (Self, Arc<Vault>, Arc<Consent>) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let words = Words::generate();
        let vault = Arc::new(Vault::create(&home, "Maya", &words, &[], NOW).unwrap());
        let consent = Arc::new(Consent::open(vault.clone()).unwrap());
        (Self { dir, home, words }, vault, consent)
    }

    /// Opens the home again; the earlier vault must have been dropped.
    pub fn reopen(&self) -> (Arc<Vault>, Arc<Consent>) {
        let vault = Arc::new(Vault::open(&self.home, &Secret::Words(self.words.clone())).unwrap());
        let consent = Arc::new(Consent::open(vault.clone()).unwrap());
        (vault, consent)
    }

    /// A folder with one file in it, outside the home.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.md"), "hello").unwrap();
        folder
    }
}

pub fn put_source(vault: &Vault, path: &Path, state: SourceState) -> SourceId {
    let id = SourceId::new();
    let path = path.to_str().unwrap().to_owned();
    let row = SourceRow { id, kind: SourceKind::Folder, path, state, grant: None, added: NOW, synced: None };
    vault.write(|tx| Ok::<_, ConsentError>(tx.put_source(&row)?)).unwrap();
    id
}

/// All that is recognised is withheld.
pub fn all() -> Filter {
    Filter { withhold: vec!["*".into()], placeholders: true }
}

/// The owner opens a folder.
pub fn ingest_draft(source: SourceId, folder: &Path) -> GrantDraft {
    GrantDraft {
        asker: Asker::Own,
        capability: Capability::Ingest,
        scope: Scope { sources: vec![source], folders: vec![folder.to_str().unwrap().to_owned()], ..Scope::default() },
        filter: all(),
        limits: Limits::default(),
        purpose: "notes".to_owned(),
    }
}

/// The owner lets a program have excerpts.
pub fn retrieve_draft(app: &str, limits: Limits) -> GrantDraft {
    GrantDraft {
        asker: Asker::App(app.to_owned()),
        capability: Capability::Retrieve,
        scope: Scope { topics: vec!["porto".to_owned()], ..Scope::default() },
        filter: all(),
        limits,
        purpose: "trip".to_owned(),
    }
}

pub fn about_porto() -> Vec<Subject> {
    vec![Subject { topics: vec!["Porto".to_owned()], ..Subject::default() }]
}

pub fn opened(vault: &Vault, consent: &Consent, folder: &Path) -> (SourceId, Grant) {
    let source = put_source(vault, folder, SourceState::Active);
    (source, consent.grant(ingest_draft(source, folder), NOW).unwrap())
}

pub fn outgoing<'a>(grant: GrantId, asker: &'a Asker, subjects: &'a [Subject], bytes: &'a [u8]) -> Outgoing<'a> {
    Outgoing { grant, asker, capability: Capability::Retrieve, subjects, items: &[], bytes }
}

pub fn say(text: &str) -> Vec<Note> {
    vec![Note::say(text)]
}
