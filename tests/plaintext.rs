//! No plaintext of the owner's reaches the disk; and after forget, not even the owner's own key finds it again.
//!
//! The second half decrypts everything there is: each page of the database, each file of the index (its term
//! dictionaries walked word by word), and it holds the write-ahead log to be empty when the command returns.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hinet_vault::Home;
use serde_json::Value;
use support::opened::{holds, index_files, index_terms, open, pages};
use support::{Person, files_below, text};

/// Planted in a document, and asked about in other words.
const PLANTED: &str = "The heron quietly swallowed eleven marzipan violins behind Clara's observatory";
/// Words of it that nothing else in these tests says, as the index stems them and as they are written.
const WORDS: [&str; 6] = ["marzipan", "violin", "violins", "swallow", "swallowed", "observatori"];
/// Asks for it without those words.
const ABOUT: &str = "What did the heron eat behind Clara's place, quietly?";
/// Planted in a question.
const ASKED: &str = "Which instruments vanished near the zirconium pelican lighthouse on Thursday?";
/// Said when there is nothing to answer from.
const NOT_IN_MEMORY: &str = "not in your memory";

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

/// Every way a piece of a sentence could be written: pieces, because a page or a block may end anywhere.
fn spellings(sentence: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    for piece in sentence.as_bytes().chunks(20).filter(|piece| piece.len() == 20) {
        let piece = std::str::from_utf8(piece).unwrap();
        all.push(("UTF-8", piece.as_bytes().to_vec()));
        all.push(("UTF-16", piece.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        all.push(("UTF-16 big-endian", piece.encode_utf16().flat_map(u16::to_be_bytes).collect()));
        // Base64 of a text inside a longer one depends on where it begins: take the middle of each alignment.
        for shift in 0..3 {
            let encoded = base64(format!("{}{piece}", " ".repeat(shift)).as_bytes());
            all.push(("base64", encoded.as_bytes()[4..encoded.len() - 4].to_vec()));
        }
    }
    all
}

/// Names every file in which a piece of a sentence shows, and how.
fn leaks(dir: &Path, sentences: &[&str], except: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files_below(dir).iter().filter(|file| !file.starts_with(except)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for (how, needle) in sentences.iter().flat_map(|sentence| spellings(sentence)) {
            if holds(&bytes, &needle) {
                found.insert(format!("{} ({how})", file.display()));
            }
        }
    }
    found
}

#[test]
fn the_search_finds_what_is_there() {
    let wide = |bytes: fn(u16) -> [u8; 2]| PLANTED.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let forms = [
        PLANTED.as_bytes().to_vec(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        base64(PLANTED.as_bytes()).into_bytes(),
        base64(format!("x{PLANTED}").as_bytes()).into_bytes(),
        base64(format!("xy{PLANTED}").as_bytes()).into_bytes(),
    ];
    for form in forms {
        let file = [b"before ".to_vec(), form, b" after".to_vec()].concat();
        assert!(spellings(PLANTED).iter().any(|(_, needle)| holds(&file, needle)));
    }
    assert!(!spellings(PLANTED).iter().any(|(_, needle)| holds(ASKED.repeat(9).as_bytes(), needle)));
}

/// Runs a command with its own records turned up, and keeps what it logged.
fn logged(person: &Person, log: &mut Vec<u8>, arguments: &[&str]) -> std::process::Output {
    let output = person.command().env("ICORE_LOG", "trace").args(arguments).output().unwrap();
    log.extend_from_slice(&output.stderr);
    output
}

#[test]
fn planted_sentences_show_nowhere() {
    let person = Person::settled();
    let mut log = Vec::new();
    person.file("heron.md", format!("# Heron\n\n{PLANTED}. It was a quiet evening.\n"));
    let files = person.files().to_str().unwrap().to_owned();
    for arguments in [&["ingest", &files][..], &["ask", ABOUT], &["ask", ASKED], &["memory", "search", PLANTED]] {
        let output = logged(&person, &mut log, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
    let fault = logged(&person, &mut log, &["__panic", PLANTED]);
    assert!(!fault.status.success() && text(&fault.stderr).contains("fault"), "a fault was forced: {fault:?}");
    // The same through a node that is then killed with everything open.
    let mut node = person.node_logging();
    for arguments in [&["ingest", &files][..], &["ask", ABOUT], &["ask", ASKED]] {
        let output = logged(&person, &mut log, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
    node.child.kill().unwrap();
    log.extend(node.rest_of_log());
    assert!(!log.is_empty(), "there was a log to search");
    // The log lies beside the home, so one search finds both. Arguments of a running process are nobody's file.
    std::fs::write(person.path("log"), &log).unwrap();
    let found = leaks(person.dir.path(), &[PLANTED, ASKED], &person.files());
    assert!(found.is_empty(), "plaintext in {found:?}");
}

/// What is known of an item before it is forgotten, and must not be found afterwards.
struct Known {
    id: String,
    chunks: Vec<i64>,
    vectors: Vec<Vec<u8>>,
    key: String,
    hash: String,
}

/// Looks an item up, and shows that the search that must not find it later finds it now.
fn known(person: &Person, file: &Path) -> Known {
    let known = look_up(person, file);
    let vault = open(person);
    let pages = pages(&vault);
    for needle in [PLANTED.as_bytes().to_vec(), known.key.clone().into_bytes(), unhex(&known.hash)] {
        assert!(holds(&pages, &needle), "{} shows before it is forgotten", text(&needle));
    }
    assert!(known.vectors.iter().all(|vector| holds(&pages, &vector[8..])), "so do its vectors");
    let (words, chunks, _) = index_terms(&index_files(&vault, &Home::at(person.home()).index_dir()));
    assert!(WORDS.iter().all(|word| words.contains(*word)), "so do its words in the index");
    assert!(known.chunks.iter().all(|chunk| chunks.contains(chunk)));
    known
}

fn look_up(person: &Person, file: &Path) -> Known {
    let vault = open(person);
    let key = std::fs::canonicalize(file).unwrap().to_str().unwrap().to_owned();
    vault
        .read(|r| {
            let sources = r.sources()?;
            let head = sources.iter().find_map(|s| r.item_by_key(s.id, &key).transpose()).unwrap()?;
            let chunks: Vec<i64> = r.chunks_of(head.id)?.iter().map(|chunk| chunk.id).collect();
            let embedder = r.embedders()?[0];
            let vectors = chunks.iter().filter_map(|chunk| r.vector(embedder, *chunk).transpose());
            let vectors: Vec<Vec<u8>> = vectors.collect::<Result<_, _>>()?;
            assert_eq!(vectors.len(), chunks.len(), "it was embedded");
            Ok::<_, hinet_vault::VaultError>(Known {
                id: head.id.to_string(),
                chunks,
                vectors,
                key: key.clone(),
                hash: head.hash.to_string(),
            })
        })
        .unwrap()
}

/// The sentence as the anchor reads it; four ids of it in a row are found nowhere by chance.
fn token_needles(sentence: &str) -> Vec<Vec<u8>> {
    let registry = hinet_model::registry::Registry::builtin();
    let paths =
        hinet_model::locate(registry.default_anchor(), &support::models()).expect("init brought the models here");
    let ids = hinet_model::Anchor::load(&paths).unwrap().encode(sentence, false);
    assert!(ids.len() > 8);
    let narrow = ids.windows(4).map(|ids| ids.iter().flat_map(|id| id.to_le_bytes()).collect());
    let wide = ids.windows(4).map(|ids| ids.iter().flat_map(|id| u64::from(*id).to_le_bytes()).collect());
    narrow.chain(wide).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Decrypts everything and searches it for what was forgotten. `kept` shows that the search works.
fn assert_gone(person: &Person, known: &[Known], names: &[&str], kept: &str) {
    let vault = open(person);
    let pages = pages(&vault);
    assert!(holds(&pages, kept.as_bytes()), "the pages were decrypted: {kept} shows");
    let index = index_files(&vault, &Home::at(person.home()).index_dir());
    let (words, chunks, deleted) = index_terms(&index);
    assert_eq!(deleted, 0, "every segment with deleted passages was rewritten");
    assert!(words.contains("ladder") && !chunks.is_empty(), "the dictionaries were read");
    for word in WORDS {
        assert!(!words.contains(word), "{word} is in a dictionary of the index");
    }
    let mut needles = spellings(PLANTED);
    needles.extend(token_needles(PLANTED).into_iter().map(|ids| ("token ids", ids)));
    needles.extend(["marzipan", "violin", "swallowed"].map(|word| ("a word", word.as_bytes().to_vec())));
    needles.extend(names.iter().map(|name| ("a name", name.as_bytes().to_vec())));
    for known in known {
        needles.push(("its hash", unhex(&known.hash)));
        needles.push(("its hash in words", known.hash.clone().into_bytes()));
        needles.push(("its path", known.key.clone().into_bytes()));
        needles.extend(known.vectors.iter().map(|vector| ("its vector", vector[8..].to_vec())));
        for chunk in &known.chunks {
            assert!(!chunks.contains(chunk), "chunk {chunk} is in the index");
        }
    }
    for (how, needle) in &needles {
        assert!(!holds(&pages, needle), "the database holds it as {how}: {}", text(needle));
        for (name, plain) in &index {
            assert!(!holds(plain, needle), "{} holds it as {how}: {}", name.display(), text(needle));
        }
    }
    let (titles, bodies) = vault
        .read(|r| {
            let titles: Vec<String> = r.sessions()?.into_iter().map(|session| session.title).collect();
            let mut bodies = Vec::new();
            for entry in r.ledger_entries(0, usize::MAX)? {
                bodies.extend(r.ledger_leaves(entry.seq)?.into_iter().filter_map(|leaf| leaf.body));
            }
            Ok::<_, hinet_vault::VaultError>((titles, bodies))
        })
        .unwrap();
    assert!(!bodies.is_empty(), "the ledger's words were read");
    for said in titles.iter().chain(&bodies) {
        assert!(!WORDS.iter().any(|word| said.contains(word)), "{said}");
        assert!(!known.iter().any(|item| said.contains(&item.key) || said.contains(&item.id)), "{said}");
    }
}

fn texts(hits: &Value) -> Vec<String> {
    hits["hits"].as_array().unwrap().iter().map(|hit| hit["text"].as_str().unwrap().to_owned()).collect()
}

/// A memory with the planted file in a folder among others, asked about in two turns.
fn filled(name: &str) -> (Person, PathBuf) {
    let person = Person::settled();
    let path = person.file(name, format!("# Heron\n\n{PLANTED}. It was a quiet evening.\n"));
    for n in 0..30 {
        person.file(
            &format!("other-{n}.md"),
            format!("# Other {n}\n\nA plain note about ladders and paint number {n}.\n"),
        );
    }
    person.json(["ingest", person.files().to_str().unwrap()]);
    // An older version of it, which the newer one replaced.
    std::fs::write(&path, format!("# Heron\n\n{PLANTED}, twice. It was a quiet evening.\n")).unwrap();
    person.json(["ingest", person.files().to_str().unwrap()]);
    let answer = person.json(["ask", ABOUT]);
    assert!(!answer["citations"].as_array().unwrap().is_empty(), "it was recalled: {answer}");
    // The owner says it too: those words are a stored quotation.
    person.json(["ask", &format!("{PLANTED}, twice?")]);
    (person, path)
}

fn wal_len(person: &Person) -> u64 {
    std::fs::metadata(Home::at(person.home()).log()).map_or(0, |meta| meta.len())
}

/// It is not there, it is not found, and asking says so.
fn assert_unknown(person: &Person, id: &str) {
    assert!(!person.command().args(["memory", "show", id]).output().unwrap().status.success());
    let hits = person.json(["memory", "search", "marzipan violins observatory", "-k", "20"]);
    assert!(!texts(&hits).iter().any(|text| text.contains("marzipan")), "{hits}");
    let answer = person.json(["ask", ABOUT]);
    assert!(answer["answer"].as_str().unwrap().contains(NOT_IN_MEMORY), "{answer}");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn a_forgotten_item_is_gone_even_for_the_owners_key() {
    let (person, path) = filled("zirconium-heron.md");
    let item = known(&person, &path);
    // Through a node, so that nothing is tidied by a clean end: it is killed as soon as it has answered.
    let mut node = person.node();
    person.json(["ask", ABOUT]);
    let report = person.json(["memory", "forget", "--item", &item.id, "--yes"]);
    assert_eq!(report["items"], 1, "{report}");
    assert!(report["answers"].as_u64().unwrap() >= 3, "what quoted it went too: {report}");
    assert_eq!(wal_len(&person), 0, "the log was emptied before the command returned");
    node.child.kill().unwrap();
    drop(node);
    assert_gone(&person, std::slice::from_ref(&item), &["zirconium"], "ladders and paint number 7");
    assert_unknown(&person, &item.id);

    // The file is still there, and no sync and no import of the folder brings it back.
    assert!(path.exists());
    let folder = person.files().to_str().unwrap().to_owned();
    person.json(["sources", "sync"]);
    let report = person.json(["ingest", &folder]);
    assert_eq!(report["new"], 0, "{report}");
    assert!(report["skipped"].to_string().contains("forgotten"), "{report}");
    person.json(["sources", "add", &folder]);
    let node = person.node();
    std::fs::write(&path, format!("# Heron\n\n{PLANTED}, thrice.\n")).unwrap();
    person.file("saved-later.md", "# Later\n\nThe carpenter counted rivets.\n");
    let seen = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        texts(&person.json(["memory", "search", "carpenter rivets", "-k", "1"])).concat().contains("rivets")
    });
    assert!(seen, "the watcher saw what was saved after it");
    drop(node);
    assert_gone(&person, std::slice::from_ref(&item), &[], "ladders and paint number 7");
    assert_unknown(&person, &item.id);
    // Handed over by name, it is remembered again.
    assert_eq!(person.json(["ingest", path.to_str().unwrap()])["new"], 1);
}

#[test]
fn a_forgotten_source_takes_its_path_along() {
    let (person, path) = filled("zirconium-heron.md");
    let item = known(&person, &path);
    let kept = tempfile::tempdir().unwrap();
    std::fs::write(kept.path().join("kept.md"), "# Kept\n\nThe ladder in the cellar belongs to Ines.\n").unwrap();
    person.json(["ingest", kept.path().to_str().unwrap()]);
    let folder = std::fs::canonicalize(person.files()).unwrap();
    let sources = person.json(["sources", "list"]);
    let all = sources["sources"].as_array().unwrap();
    let source = all.iter().find(|source| source["path"] == folder.to_str().unwrap()).unwrap();
    let report = person.json(["memory", "forget", "--source", source["id"].as_str().unwrap(), "--yes"]);
    assert_eq!(report["items"], 31, "{report}");
    assert_eq!(wal_len(&person), 0);
    // Neither the folder nor the name of any file in it.
    let names = [folder.to_str().unwrap(), "zirconium", "other-7.md", "paint number"];
    assert_gone(&person, std::slice::from_ref(&item), &names, "The ladder in the cellar");
    assert_unknown(&person, &item.id);
    assert!(!person.json(["sources", "list"]).to_string().contains("zirconium"));
    assert!(!person.icore(["audit", "log", "-n", "200"]).contains(folder.to_str().unwrap()));
}

#[test]
fn a_file_handed_over_by_itself_leaves_no_name_behind() {
    let person = Person::settled();
    let path = person.file("zirconium-heron.md", format!("# Heron\n\n{PLANTED}.\n"));
    let other = person.file("plain.md", "# Plain\n\nThe ladder in the cellar belongs to Ines.\n");
    person.json(["ingest", path.to_str().unwrap(), other.to_str().unwrap()]);
    let item = known(&person, &path);
    person.json(["memory", "forget", "--item", &item.id, "--yes"]);
    assert_gone(&person, std::slice::from_ref(&item), &["zirconium"], "The ladder in the cellar");
    assert_unknown(&person, &item.id);
}

#[test]
fn a_forgotten_time_takes_items_and_words_of_that_time() {
    let person = Person::settled();
    let old = person.file("old.md", "# Old\n\nThe ladder in the cellar belongs to Ines.\n");
    let path = person.file("zirconium-heron.md", format!("# Heron\n\n{PLANTED}.\n"));
    // Long before the span.
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
    person.json(["ingest", person.files().to_str().unwrap()]);
    person.json(["ask", ABOUT]);
    person.json(["ask", ASKED]);
    let item = known(&person, &path);
    let preview = person.json(["memory", "forget", "--from", "7d", "--dry-run"]);
    assert_eq!((&preview["items"], &preview["done"]), (&1.into(), &false.into()), "{preview}");
    assert_eq!(person.json(["memory", "stats"])["items"], 2, "a preview forgets nothing");
    let report = person.json(["memory", "forget", "--from", "7d", "--yes"]);
    assert_eq!(report["items"], 1, "{report}");
    assert_eq!(wal_len(&person), 0);
    // The questions of that time went as well, with the names they gave their conversations.
    let names = ["zirconium", "pelican", "instruments vanished", "behind Clara"];
    assert_gone(&person, std::slice::from_ref(&item), &names, "The ladder in the cellar");
    assert_unknown(&person, &item.id);
    let kept = person.json(["memory", "search", "ladder cellar", "-k", "1"]);
    assert!(texts(&kept).concat().contains("Ines"), "{kept}");
}
