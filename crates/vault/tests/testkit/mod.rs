//! What the vault's tests share: a home in a temporary folder, cheap passphrases, and a keychain in memory.
#![allow(dead_code, missing_docs, reason = "each test file uses its own part of the kit")]

use hinet_protocol::{
    Citation, Hash, ItemId, Message, MessageId, Role, SourceId, SourceKind, SourceState, Span, Trust,
};
use hinet_vault::records::{ChunkDraft, ItemRow, SourceRow};
use hinet_vault::{Home, Keychain, Options, PassphraseCost, Secret, Vault, VaultError, Words};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

pub const PASSPHRASE: &str = "correct horse battery staple";

#[derive(Default)]
pub struct MemoryKeychain(Mutex<HashMap<String, Vec<u8>>>);

impl Keychain for MemoryKeychain {
    fn get(&self, home: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Ok(self.0.lock().unwrap().get(home).cloned().map(Zeroizing::new))
    }

    fn set(&self, home: &str, key: &[u8]) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(home.to_owned(), key.to_vec());
        Ok(())
    }

    fn delete(&self, home: &str) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(home);
        Ok(())
    }
}

/// One keychain for the whole test binary; homes differ by their id.
pub fn options() -> Options {
    static KEYCHAIN: std::sync::OnceLock<Arc<MemoryKeychain>> = std::sync::OnceLock::new();
    let keychain = KEYCHAIN.get_or_init(Arc::default).clone();
    Options { cost: PassphraseCost::for_tests(), keychain }
}

pub fn words() -> Words {
    let phrase = "abandon ".repeat(23) + "art";
    Words::parse(&phrase).unwrap()
}

pub fn passphrase(text: &str) -> Secret {
    Secret::Passphrase(Zeroizing::new(text.to_owned()))
}

pub fn create(dir: &Path) -> Vault {
    Vault::create_with(&Home::at(dir), "Ada", &words(), &[passphrase(PASSPHRASE)], 1000, options()).unwrap()
}

pub fn open(dir: &Path) -> Result<Vault, VaultError> {
    Vault::open_with(&Home::at(dir), &passphrase(PASSPHRASE), options())
}

pub fn source() -> SourceRow {
    SourceRow {
        id: SourceId::new(),
        kind: SourceKind::Folder,
        path: "/notes".into(),
        state: SourceState::Active,
        grant: None,
        added: 5,
        synced: None,
    }
}

pub fn item(source: SourceId, key: &str, text: &str) -> ItemRow {
    ItemRow {
        id: ItemId::new(),
        source,
        key: key.into(),
        title: format!("title of {key}"),
        kind: "text".into(),
        trust: Trust::Own,
        modified: 10,
        ingested: 20,
        hash: Hash([7; 32]),
        text: text.into(),
        filing: None,
    }
}

/// One chunk over the whole text.
pub fn whole(text: &str) -> Vec<ChunkDraft> {
    vec![ChunkDraft { span: Span { start: 0, end: text.len() }, heading: "top".into() }]
}

pub fn message(role: Role, text: &str, at: i64, cites: Option<ItemId>) -> Message {
    let citation = |item| {
        let (source, text) = ("/notes/a".into(), "cited".into());
        Citation { item, source, span: Span { start: 0, end: 3 }, text, member: None }
    };
    Message {
        id: MessageId::new(),
        role,
        text: text.into(),
        at,
        citations: cites.map(citation).into_iter().collect(),
        stats: None,
        parent: None,
        siblings: Vec::new(),
        onward: 0,
        attached: Vec::new(),
        feedback: hinet_protocol::Feedback::default(),
    }
}

pub type Outcome<T = ()> = Result<T, VaultError>;
