//! A home opened with the owner's own key, down to every page and every word of every dictionary.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use hinet_vault::{Home, Secret, Vault, sealed};
use tantivy::directory::{Directory, RamDirectory};
use zeroize::Zeroizing;

use super::{PASSPHRASE, Person, files_below};

/// Whether the needle is anywhere in it.
pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    assert!(needle.len() >= 4, "a needle so short is found anywhere");
    let (first, rest) = needle.split_first().unwrap();
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if haystack[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Opens the person's vault beside `icore`, which must not be running.
pub fn open(person: &Person) -> Vault {
    Vault::open(&Home::at(person.home()), &Secret::Passphrase(Zeroizing::new(PASSPHRASE.into()))).unwrap()
}

/// Every page of the database, decrypted; the pages of the write-ahead log are among them.
pub fn pages(vault: &Vault) -> Vec<u8> {
    let mut all = Vec::new();
    vault.for_each_page(&mut |page| all.extend_from_slice(page)).unwrap();
    all
}

/// Every file of the index, decrypted, by the name tantivy knows it under. Nothing lies there that is not among them.
pub fn index_files(vault: &Vault, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (key, names) = (vault.seal_key("index"), vault.derive_key("index names"));
    let place = |name: &str| dir.join(&blake3::keyed_hash(&names, name.as_bytes()).to_hex()[..40]);
    let unsealed = |name: &str| {
        let bytes = std::fs::read(place(name)).ok()?;
        Some(sealed::unseal(&key, &format!("index/{name}"), &bytes).unwrap())
    };
    let listed: Vec<String> = serde_json::from_slice(&unsealed(".managed.json").unwrap()).unwrap();
    let all = listed.iter().map(String::as_str).chain(["meta.json", ".managed.json"]).collect::<BTreeSet<_>>();
    let found: Vec<_> = all.into_iter().filter_map(|name| Some((PathBuf::from(name), unsealed(name)?))).collect();
    let here: HashSet<PathBuf> = files_below(dir).into_iter().collect();
    let opened: HashSet<PathBuf> = found.iter().map(|(name, _)| place(name.to_str().unwrap())).collect();
    assert_eq!(here, opened, "every file of the index was opened");
    found
}

/// Every word of every dictionary of the index, and every chunk it holds, deleted or not, and how many were deleted.
pub fn index_terms(files: &[(PathBuf, Vec<u8>)]) -> (HashSet<String>, HashSet<i64>, u32) {
    let memory = RamDirectory::create();
    for (name, bytes) in files {
        memory.atomic_write(name, bytes).unwrap();
    }
    let index = tantivy::Index::open(memory).unwrap();
    let searcher = index.reader().unwrap().searcher();
    let (mut words, mut chunks, mut deleted) = (HashSet::new(), HashSet::new(), 0);
    for segment in searcher.segment_readers() {
        deleted += segment.num_deleted_docs();
        for (field, entry) in index.schema().fields() {
            if !matches!(entry.field_type(), tantivy::schema::FieldType::Str(_)) {
                continue;
            }
            let inverted = segment.inverted_index(field).unwrap();
            let mut terms = inverted.terms().stream().unwrap();
            while terms.advance() {
                words.insert(String::from_utf8(terms.key().to_vec()).unwrap());
            }
        }
        let column = segment.fast_fields().i64("chunk").unwrap();
        chunks.extend((0..segment.max_doc()).flat_map(|doc| column.values_for_doc(doc)));
    }
    (words, chunks, deleted)
}
