//! The index through its life: catching up, searching, forgetting, damage, restarts.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod testkit;

use hinet_index::{Index, Query};
use hinet_protocol::{Hash, ItemId};
use hinet_vault::sealed::unseal;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{fs, path::PathBuf};
use testkit::{Kit, NOW, meaning, prose};

fn ask(index: &Index, kit: &Kit, text: &str, k: usize) -> Vec<hinet_protocol::Hit> {
    index.search(&kit.vault, &Query { text: text.into(), vector: None, k, now: NOW, ..Query::default() }).unwrap()
}

fn ask_both(index: &Index, kit: &Kit, text: &str, k: usize) -> Vec<hinet_protocol::Hit> {
    index
        .search(&kit.vault, &Query { text: text.into(), vector: Some(meaning(text)), k, now: NOW, ..Query::default() })
        .unwrap()
}

#[test]
fn what_is_put_in_is_found_by_words_names_numbers_and_paths() {
    let kit = Kit::new();
    let trip = kit.put("trip-to-Lisbon.md", "# Lisbon\n\nWe stayed at Casa Müller; the code of the door was 4711-B.");
    let code = kit.put("notes.txt", "call parse_header(fooBar) before ann.lee@example.org answers");
    let (index, notices) = kit.open();
    assert!(notices.is_empty(), "{notices:?}");
    for (question, item) in [
        ("where did we stay?", trip),
        ("muller", trip),
        ("4711", trip),
        ("4711-B", trip),
        ("lisbon trip", trip),
        ("parse_header", code),
        ("foo", code),
        ("ann.lee@example.org", code),
        ("header AND (\"", code),
    ] {
        let hits = ask(&index, &kit, question, 3);
        assert_eq!(hits.first().map(|h| h.item), Some(item), "{question}");
        assert!(hits[0].parts.bm25 > 0.99 && hits[0].parts.vector == 0.0);
    }
    assert!(ask(&index, &kit, "zebra", 3).is_empty());
    assert!(ask(&index, &kit, "", 3).is_empty() && ask(&index, &kit, "lisbon", 0).is_empty());
    let hit = &ask(&index, &kit, "door", 1)[0];
    assert_eq!((hit.source.as_str(), hit.title.as_str()), ("/notes/trip-to-Lisbon.md", "trip-to-Lisbon.md"));
    assert!(index.coverage("code of the door", &hit.text).unwrap() > 0.99);
    assert!(index.coverage("price of the zeppelin", &hit.text).unwrap() < 0.01);
}

#[test]
fn meaning_finds_what_words_do_not_and_another_embedder_is_rebuilt_beside_it() {
    let kit = Kit::new();
    let boat = kit.put("boat.txt", "sailing harbour lantern");
    kit.put("food.txt", "recipe coffee market");
    kit.embed_all();
    let (index, _) = kit.open();
    assert_eq!(index.embedded(), 2);
    let near =
        Query { text: "???".into(), vector: Some(meaning("harbour lantern")), k: 2, now: NOW, ..Query::default() };
    let hits = index.search(&kit.vault, &near).unwrap();
    assert_eq!(hits[0].item, boat);
    assert!(hits[0].parts.vector > 0.5 && hits[0].parts.bm25 == 0.0);

    let (other, notices) =
        Index::open(&kit.dir().with_file_name("other"), &kit.key, &kit.vault, Hash([9; 32])).unwrap();
    assert!(notices.len() == 1 && notices[0].contains("missing"), "{notices:?}");
    assert_eq!(other.embedded(), 0);
    let query = Query { text: "sailing".into(), vector: Some(meaning("sailing")), k: 1, now: NOW, ..Query::default() };
    assert_eq!(other.search(&kit.vault, &query).unwrap()[0].item, boat, "words go on answering");
}

#[test]
fn changes_and_removals_are_taken_in_and_a_replay_changes_nothing() {
    let kit = Kit::new();
    let (index, _) = kit.open();
    let item = kit.put("a.txt", "the old wording about giraffes");
    assert_eq!(index.apply(&kit.vault).unwrap(), 1);
    assert_eq!(index.apply(&kit.vault).unwrap(), 0);
    kit.put_as(item, "a.txt", "the new wording about penguins");
    index.apply(&kit.vault).unwrap();
    assert!(ask(&index, &kit, "giraffes", 3).is_empty());
    assert_eq!(ask(&index, &kit, "penguins", 3).len(), 1);
    assert_eq!(index.len(), 1);
    kit.forget(item);
    assert!(ask(&index, &kit, "penguins", 3).is_empty(), "the vault decides even before the index caught up");
    index.apply(&kit.vault).unwrap();
    assert_eq!(index.len(), 0);
}

#[test]
fn an_index_cut_off_before_it_told_the_vault_goes_on() {
    let kit = Kit::new();
    let (index, _) = kit.open();
    kit.put("a.txt", "first note about otters");
    index.apply(&kit.vault).unwrap();
    drop(index);
    // What a crash between the index's commit and the vault's leaves: the index of now, the queue of before.
    let later = copy_of(&kit);
    kit.put("b.txt", "second note about badgers");
    let (index, _) = kit.open();
    drop(index);
    let newest = copy_of(&kit);
    restore(&kit, &later);
    let (index, notices) = kit.open();
    assert!(notices.len() == 1 && notices[0].contains("older"), "an old index put back is named: {notices:?}");
    assert_eq!(ask(&index, &kit, "badgers", 1).len(), 1);
    drop(index);
    restore(&kit, &newest);
    kit.put("c.txt", "third note about herons");
    let (index, notices) = kit.open();
    assert!(notices.is_empty(), "{notices:?}");
    assert_eq!((index.len(), ask(&index, &kit, "herons", 1).len()), (3, 1));
}

fn copy_of(kit: &Kit) -> Vec<(PathBuf, Vec<u8>)> {
    kit.files().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn restore(kit: &Kit, files: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(kit.dir()).unwrap();
    fs::create_dir_all(kit.dir()).unwrap();
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

#[test]
fn any_flipped_bit_cut_swap_or_loss_is_noticed_and_healed() {
    let kit = Kit::new();
    let mut rng = StdRng::seed_from_u64(5);
    for i in 0..40 {
        kit.put(&format!("{i}.txt"), &prose(&mut rng, 60));
    }
    let gone = kit.put("gone.txt", "needle");
    kit.put("kept.txt", "the needle lies in the haystack");
    let (index, _) = kit.open();
    kit.forget(gone);
    index.apply(&kit.vault).unwrap();
    drop(index);
    let sound = copy_of(&kit);
    assert!(sound.len() >= 6, "segment files, meta, list of files");
    let check = |what: &str, expect_notice: bool| {
        let (index, notices) = kit.open();
        assert_eq!(!notices.is_empty(), expect_notice, "{what}: {notices:?}");
        assert_eq!(ask(&index, &kit, "needle", 5).len(), 1, "{what}");
        assert!(index.check(&kit.vault).unwrap().iter().all(|c| c.state == "ok"), "{what}");
        drop(index);
        restore(&kit, &sound);
    };
    check("nothing", false);
    for (path, bytes) in &sound {
        for _ in 0..4 {
            let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            fs::write(path, bad).unwrap();
            check(&format!("bit {bit} of byte {at} of {}", bytes.len()), true);
        }
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        check("cut in half", true);
        fs::write(path, b"").unwrap();
        check("emptied", true);
    }
    for (i, (a, _)) in sound.iter().enumerate() {
        let (b, _) = &sound[(i + 1) % sound.len()];
        let (one, two) = (fs::read(a).unwrap(), fs::read(b).unwrap());
        fs::write(a, two).unwrap();
        fs::write(b, one).unwrap();
        check("two files swapped", true);
    }
    fs::remove_dir_all(kit.dir()).unwrap();
    check("all gone", true);
    fs::write(kit.dir().join("new-0123"), b"left by a crash").unwrap();
    check("a stray file", false);
}

#[test]
fn damage_under_a_running_index_is_found_by_the_doctor_and_by_a_rebuild_healed() {
    let kit = Kit::new();
    let mut rng = StdRng::seed_from_u64(6);
    for i in 0..20 {
        kit.put(&format!("{i}.txt"), &prose(&mut rng, 100));
    }
    let (index, _) = kit.open();
    for path in kit.files() {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let found = index.check(&kit.vault).unwrap();
    assert!(found.iter().any(|c| c.name == "index files" && c.state == "damaged"), "{found:?}");
    index.rebuild(&kit.vault, &mut |_, _| {}).unwrap();
    assert!(index.check(&kit.vault).unwrap().iter().all(|c| c.state == "ok"));
    assert!(!ask(&index, &kit, "river", 3).is_empty());
}

#[test]
fn after_a_purge_no_file_of_the_index_holds_the_forgotten_words() {
    let kit = Kit::new();
    let mut rng = StdRng::seed_from_u64(8);
    let (index, _) = kit.open();
    let mut secret = Vec::new();
    for i in 0..30 {
        kit.put(&format!("{i}.txt"), &prose(&mut rng, 80));
        if i % 10 == 3 {
            let text = format!("{} xylophonist Zanzibarquux 8675309777 {}", prose(&mut rng, 20), prose(&mut rng, 20));
            secret.push(kit.put(&format!("Quetzalcoatlus-plans-{i}.md"), &text));
            index.apply(&kit.vault).unwrap();
        }
    }
    index.apply(&kit.vault).unwrap();
    kit.embed_all();
    drop(index);
    let (index, _) = kit.open();
    let planted = ["xylophonist", "zanzibarquux", "8675309777", "quetzalcoatlus"];
    let held = || -> usize {
        let (terms, plain) = traces(&kit);
        let in_terms = terms.iter().filter(|term| planted.iter().any(|word| term.contains(&word[..8]))).count();
        let raw = |word: &str| {
            plain.iter().any(|file| file.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes())))
        };
        let backwards = |word: &str| word.chars().rev().collect::<String>();
        in_terms + planted.iter().filter(|word| raw(word) || raw(&backwards(word))).count()
    };
    assert!(held() >= planted.len(), "the search for traces can find them");
    let embedded = index.embedded();
    for item in secret {
        kit.forget(item);
    }
    index.purge(&kit.vault).unwrap();
    assert_eq!(held(), 0, "no term dictionary, store or list holds them");
    assert_eq!(index.embedded(), embedded - 3);
    assert_eq!(index.len(), 30);
    assert!(ask_both(&index, &kit, "xylophonist zanzibarquux", 5).iter().all(|h| h.parts.bm25 == 0.0));
    assert!(index.check(&kit.vault).unwrap().iter().all(|c| c.state == "ok"));
    drop(index);
    assert!(kit.open().1.is_empty());
}

/// All terms of all fields of all segments, and every file of the index opened with the owner's key.
fn traces(kit: &Kit) -> (Vec<String>, Vec<Vec<u8>>) {
    use tantivy::directory::{Directory, RamDirectory, TerminatingWrite};
    let names_key = kit.vault.derive_key("index names");
    let place = |name: &str| kit.dir().join(&blake3::keyed_hash(&names_key, name.as_bytes()).to_hex()[..40]);
    let open = |name: &str| unseal(&kit.key, &format!("index/{name}"), &fs::read(place(name)).unwrap()).unwrap();
    let listed: Vec<String> = serde_json::from_slice(&open(".managed.json")).unwrap();
    let mut names: Vec<String> = listed.into_iter().filter(|name| place(name).exists()).collect();
    names.push(".managed.json".into());
    names.sort();
    names.dedup();
    assert_eq!(names.len(), kit.files().len(), "every file on disk is opened");
    let plain: Vec<Vec<u8>> = names.iter().map(|name| open(name)).collect();
    let ram = RamDirectory::create();
    for (name, bytes) in names.iter().zip(&plain) {
        if name.ends_with(".json") {
            ram.atomic_write(name.as_ref(), bytes).unwrap();
        } else {
            let mut writer = ram.open_write(name.as_ref()).unwrap();
            std::io::Write::write_all(&mut writer, bytes).unwrap();
            writer.terminate().unwrap();
        }
    }
    let index = tantivy::Index::open(ram).unwrap();
    let mut terms = Vec::new();
    for segment in index.reader().unwrap().searcher().segment_readers() {
        for (field, _) in index.schema().fields().filter(|(_, entry)| entry.is_indexed()) {
            let inverted = segment.inverted_index(field).unwrap();
            let mut stream = inverted.terms().stream().unwrap();
            while stream.advance() {
                terms.push(String::from_utf8_lossy(stream.key()).into_owned());
            }
        }
    }
    (terms, plain)
}

#[test]
fn no_name_and_no_word_is_readable_on_disk() {
    let kit = Kit::new();
    kit.put("Quetzalcoatlus.md", &"zanzibarquux and meta.json ".repeat(50));
    let (_index, _) = kit.open();
    for path in kit.files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|w| w == b"zanziba" || w == b"segment" || w == b"quetzal"));
    }
}

#[test]
fn searches_go_on_beside_writing_and_purging() {
    let kit = Kit::new();
    let mut rng = StdRng::seed_from_u64(9);
    kit.put("first.txt", "river river");
    let (index, _) = kit.open();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(!ask(&index, &kit, "river", 5).is_empty());
                }
            });
        }
        let mut items: Vec<ItemId> = Vec::new();
        for round in 0..12 {
            items.push(kit.put(&format!("{round}.txt"), &prose(&mut rng, 40)));
            index.apply(&kit.vault).unwrap();
            if round % 4 == 3 {
                kit.forget(items.remove(0));
                index.purge(&kit.vault).unwrap();
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(index.len(), 10);
}

#[test]
fn among_some_thousand_chunks_each_item_is_found_by_what_only_it_says() {
    let kit = Kit::new();
    let mut rng = StdRng::seed_from_u64(10);
    let items: Vec<ItemId> = (0..300)
        .map(|i| {
            kit.put(&format!("{i}.txt"), &format!("{} marker{i}word. {}", prose(&mut rng, 700), prose(&mut rng, 700)))
        })
        .collect();
    kit.embed_all();
    let (index, _) = kit.open();
    assert!(index.len() >= 2500 && index.embedded() == index.len(), "{} chunks", index.len());
    for (i, item) in items.iter().enumerate().step_by(7) {
        let hits = ask_both(&index, &kit, &format!("what about marker{i}word and the river?"), 10);
        assert_eq!((hits.len(), hits[0].item), (10, *item), "item {i}");
        assert!(hits[0].text.contains(&format!("marker{i}word")));
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
        let most = hits.iter().filter(|h| h.item == *item).count();
        assert!(most <= 5, "one document does not fill the list: {most}");
    }
}
