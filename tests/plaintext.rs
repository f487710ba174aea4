//! No plaintext of the owner's reaches the disk; and after forget, not even the owner's own key finds it again.

mod support;

use std::path::Path;

use hinet_vault::{Home, SealKey, Secret, Vault, sealed};
use support::{PASSPHRASE, Person, files_below, text};
use zeroize::Zeroizing;

/// Planted in a document, and asked about.
const PLANTED: &str = "The heron quietly swallowed eleven marzipan violins behind Clara's observatory";
/// Planted in a question.
const ASKED: &str = "Which instruments vanished near the zirconium pelican lighthouse?";

fn spellings(sentence: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16: Vec<u8> = sentence.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut found = vec![("UTF-8", sentence.as_bytes().to_vec()), ("UTF-16", utf16)];
    // Base64 of a text inside a longer one depends on where it begins: take the middle of each alignment.
    for shift in 0..3 {
        let padded = format!("{}{sentence}", " ".repeat(shift));
        let encoded = base64(padded.as_bytes());
        found.push(("base64", encoded.as_bytes()[8..encoded.len() - 8].to_vec()));
    }
    found
}

fn base64(bytes: &[u8]) -> String {
    const TABLE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let n = three.iter().enumerate().fold(0u32, |n, (i, b)| n | u32::from(*b) << (16 - 8 * i));
        for i in 0..=three.len() {
            out.push(TABLE[(n >> (18 - 6 * i) & 63) as usize] as char);
        }
        (three.len()..3).for_each(|_| out.push('='));
    }
    out
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Names every file in which a sentence shows.
fn leaks(dir: &Path, sentences: &[&str], except: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in files_below(dir).iter().filter(|file| !file.starts_with(except)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for sentence in sentences {
            for (how, needle) in spellings(sentence) {
                if holds(&bytes, &needle) {
                    found.push(format!("{} ({how})", file.display()));
                }
            }
        }
    }
    found
}

#[test]
fn planted_sentences_show_nowhere() {
    let person = Person::settled();
    person.file("heron.md", format!("# Heron\n\n{PLANTED}. It was a quiet evening.\n"));
    person.json(["ingest", person.files().to_str().unwrap()]);
    person.json(["ask", "What did the heron swallow behind the observatory?"]);
    person.json(["ask", ASKED]);
    let fault = person.command().args(["__fault", PLANTED]).output().unwrap();
    assert!(!fault.status.success(), "the fault was forced");
    assert!(!text(&fault.stderr).contains("heron"), "a crash says nothing of what it held: {}", text(&fault.stderr));
    {
        let mut node = person.node();
        node.child.kill().unwrap();
    }
    let found = leaks(person.dir.path(), &[PLANTED, ASKED], &person.files());
    assert!(found.is_empty(), "plaintext in {found:?}");
}

#[test]
fn what_was_forgotten_is_gone_even_for_the_owners_key() {
    let person = Person::settled();
    let path = person.file("heron.md", format!("# Heron\n\n{PLANTED}. It was a quiet evening.\n"));
    for n in 0..30 {
        person.file(
            &format!("other-{n}.md"),
            format!("# Other {n}\n\nA plain note about ladders and paint number {n}.\n"),
        );
    }
    person.json(["ingest", person.files().to_str().unwrap()]);
    person.json(["ask", "What did the heron swallow behind the observatory?"]);
    let hits = person.json(["memory", "search", "marzipan violins observatory", "-k", "1"]);
    let item = hits["hits"][0]["item"].as_str().unwrap().to_owned();
    std::fs::remove_file(path).unwrap();
    let report = person.json(["memory", "forget", "--item", &item, "--yes"]);
    assert_eq!(report["items"], 1, "{report}");
    assert!(report["answers"].as_u64().unwrap() >= 1, "the answer that quoted it went too: {report}");

    let home = Home::at(person.home());
    let vault = Vault::open(&home, &Secret::Passphrase(Zeroizing::new(PASSPHRASE.into()))).unwrap();
    // Every page of the database, free ones included, decrypted.
    let pages = vault.decrypted_pages().unwrap();
    assert!(holds(&pages, b"ladders and paint number 7"), "the pages were decrypted: other notes show");
    let tokens: Vec<u8> = token_ids(PLANTED).iter().flat_map(|id| id.to_le_bytes()).collect();
    for (how, needle) in spellings(PLANTED) {
        assert!(!holds(&pages, &needle), "the sentence is in the database as {how}");
    }
    for word in ["marzipan", "swallowed"] {
        assert!(!holds(&pages, word.as_bytes()), "{word} is in the database");
    }
    assert!(!holds(&pages, &tokens[..32]), "its tokens are in the database");

    // Every sealed file of the index, decrypted: text, and the words of the term dictionary.
    let key = SealKey::from(vault.derive_key("index"));
    let mut seen = 0;
    for file in files_below(&home.index_dir()) {
        let Ok(plain) = sealed::open_any(&key, &std::fs::read(&file).unwrap()) else { continue };
        seen += 1;
        for word in ["marzipan", "swallow", "violin"] {
            assert!(!holds(&plain, word.as_bytes()), "{word} is in {}", file.display());
        }
    }
    assert!(seen > 3, "the index was decrypted");
    let wal = std::fs::metadata(home.db().with_extension("db-wal")).map_or(0, |m| m.len());
    assert_eq!(wal, 0, "the write-ahead log is empty");
    let empty = person.json(["memory", "search", "marzipan violins", "-k", "5"]);
    let still = empty["hits"].as_array().unwrap().iter().any(|hit| hit["text"].as_str().unwrap().contains("marzipan"));
    assert!(!still, "{empty}");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

fn token_ids(sentence: &str) -> Vec<u32> {
    let cache = std::env::var_os("ICORE_MODELS").map_or_else(
        || {
            let base = std::env::var_os("XDG_CACHE_HOME").map_or_else(
                || std::path::PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
                std::path::PathBuf::from,
            );
            base.join("hinet/models")
        },
        std::path::PathBuf::from,
    );
    let registry = hinet_model::registry::Registry::builtin();
    let paths = hinet_model::locate(registry.default_anchor(), &cache).expect("init brought the models here");
    hinet_model::Anchor::load(&paths).unwrap().encode(sentence, false)
}
