//! After deleting and scrubbing, nobody finds the words again: not in the files, and not with the owner's own key.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{After, Draft, Feedback, Hash, ItemId, Role, SessionId, SourceId, Span};
use hinet_vault::records::{ChunkDraft, LeafDraft};
use hinet_vault::{Home, Vault};
use std::fs;
use std::path::Path;
use testkit::{Outcome, create, item, message, source};

const PLANTED: [&str; 4] =
    ["the ferryman counts 7341 lanterns", "quince marmalade protocol", "zwölf Boxkämpfer jagen", "vector-bytes-here"];

fn encodings(text: &str) -> [Vec<u8>; 3] {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
    [text.as_bytes().to_vec(), utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]
}

fn finds(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    PLANTED.into_iter().filter(|text| encodings(text).iter().any(|needle| holds(needle))).collect()
}

fn in_pages(vault: &Vault) -> Vec<&'static str> {
    let mut all = Vec::new();
    vault.for_each_page(&mut |page| all.extend_from_slice(page)).unwrap();
    assert!(all.starts_with(b"SQLite format 3\0"), "these are decrypted pages");
    finds(&all)
}

fn in_files(dir: &Path) -> Vec<&'static str> {
    fs::read_dir(dir).unwrap().flat_map(|entry| finds(&fs::read(entry.unwrap().path()).unwrap())).collect()
}

fn noise(vault: &Vault, source: SourceId, rounds: std::ops::Range<usize>) {
    for n in rounds {
        let text = format!("filler {n} ").repeat(40 + n * 13 % 90);
        let span = Span { start: 0, end: text.len() };
        let chunk = ChunkDraft { span, heading: format!("filler heading {n}") };
        vault
            .write(|tx| -> Outcome { tx.put_item(&item(source, &format!("/f/{n}"), &text), &[chunk]).map(drop) })
            .unwrap();
    }
}

fn plant(vault: &Vault, source: SourceId) -> (ItemId, SessionId) {
    // One short text that lies within a page, one long that overflows into pages of its own.
    let text = PLANTED[..3].join(". ").repeat(200);
    let mut row = item(source, &format!("/secret/{}", PLANTED[0]), &text);
    row.title = PLANTED[1].into();
    let heading = format!("{} > {}", PLANTED[2], PLANTED[0]);
    let chunks: Vec<_> =
        [0, 1, 2].map(|_| ChunkDraft { span: Span { start: 0, end: 40 }, heading: heading.clone() }).into();
    let session = SessionId::new();
    let leaf = LeafDraft { commitment: Hash([1; 32]), item: Some(row.id), salt: [2; 32], body: PLANTED[0].into() };
    vault
        .write(|tx| -> Outcome {
            let ids = tx.put_item(&row, &chunks)?;
            let vectors: Vec<_> = ids.iter().map(|id| (*id, PLANTED[3].as_bytes().repeat(25))).collect();
            tx.put_vectors(Hash([4; 32]), &vectors)?;
            tx.ledger_append(b"ingest", Hash([9; 32]), &[leaf])?;
            tx.put_session(session, &PLANTED[1][..10], 50)?;
            let question = message(Role::User, &format!("about {}?", PLANTED[1]), 50, None);
            tx.put_message(session, &question, After::Head)?;
            let mut answer = message(Role::Assistant, PLANTED[0], 51, Some(row.id));
            answer.citations[0].text = PLANTED[2].into();
            tx.put_message(session, &answer, After::Head)?;
            // Typed, and never sent; and an answer that cites nothing, as the owner would have had it.
            let text = format!("so {} then", PLANTED[0].to_uppercase());
            tx.put_draft(&Draft { session: None, text }, 52)?;
            let other = SessionId::new();
            tx.put_session(other, "other", 50)?;
            tx.put_draft(&Draft { session: Some(other), text: PLANTED[2].into() }, 52)?;
            let plain = message(Role::Assistant, "hello", 50, None);
            tx.put_message(other, &plain, After::Head)?;
            let edited = Some(format!("rather: {}", PLANTED[1]));
            tx.put_feedback(plain.id, &Feedback { edited, ..Feedback::default() }, 52)
        })
        .unwrap();
    (row.id, session)
}

#[test]
fn what_was_forgotten_is_in_no_page_and_no_log() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    vault.write(|tx| -> Outcome { tx.put_source(&source) }).unwrap();
    noise(&vault, source.id, 0..40);
    let (item, session) = plant(&vault, source.id);
    noise(&vault, source.id, 40..80);
    assert_eq!(in_pages(&vault), PLANTED, "the search finds what is there");
    assert_eq!(in_files(dir.path()), Vec::<&str>::new(), "no plaintext on disk even before");

    vault
        .write(|tx| -> Outcome {
            assert_eq!(tx.delete_item(item)?, 3);
            assert_eq!(tx.delete_answers_citing(item)?, 1);
            let needles = [PLANTED[0].into(), PLANTED[1].to_uppercase(), PLANTED[2].into()];
            assert_eq!(tx.delete_messages_containing(&needles)?, 1);
            Ok(())
        })
        .unwrap();
    vault.scrub().unwrap();
    assert_eq!(in_pages(&vault), Vec::<&str>::new());
    assert_eq!(in_files(dir.path()), Vec::<&str>::new());
    assert_eq!(fs::metadata(Home::at(dir.path()).log()).unwrap().len(), 0, "the log is empty");
    vault
        .read(|r| -> Outcome {
            assert!(r.messages(session)?.is_empty());
            assert!(r.drafts()?.is_empty());
            assert_eq!(r.sessions()?.iter().map(|line| line.title.as_str()).collect::<Vec<_>>(), ["other"]);
            assert_eq!(r.ledger_leaves(0)?[0].body, None);
            assert_eq!(r.counts()?.items, 80);
            // The index is told by chunk and item id alone.
            assert_eq!(r.index_queue(0, 1000)?.iter().filter(|q| !q.add).count(), 3);
            Ok(())
        })
        .unwrap();
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
    drop(vault);
    let vault = testkit::open(dir.path()).unwrap();
    assert_eq!(in_pages(&vault), Vec::<&str>::new());
}

#[test]
fn an_older_version_of_an_item_is_scrubbed_too() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    vault.write(|tx| -> Outcome { tx.put_source(&source) }).unwrap();
    let (id, _) = plant(&vault, source.id);
    vault
        .write(|tx| -> Outcome {
            let mut row = tx.item(id)?.unwrap();
            (row.text, row.title, row.key) = ("harmless".into(), "t".into(), "/k".into());
            tx.put_item(&row, &testkit::whole("harmless"))?;
            tx.erase_leaves_of(id)?;
            assert_eq!(tx.delete_messages_between(0, 1000)?, 3);
            Ok(())
        })
        .unwrap();
    vault.scrub().unwrap();
    assert_eq!(in_pages(&vault), Vec::<&str>::new());
}

#[test]
fn answers_that_may_repeat_a_forgotten_one_go_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    let (gone, kept) = (item(source.id, "/gone", "gone"), item(source.id, "/kept", "kept"));
    let (one, other) = (SessionId::new(), SessionId::new());
    // (conversation, who, text, what is cited, whether it stays)
    let said = [
        (one, Role::Assistant, "before", None, true),
        (one, Role::User, "a question", None, true),
        (one, Role::Assistant, "read from it", Some(gone.id), false),
        (one, Role::User, "again?", None, true),
        (one, Role::Assistant, "said again from what was said", None, false),
        (one, Role::Assistant, "read from something else", Some(kept.id), true),
        (other, Role::Assistant, "elsewhere", None, true),
    ];
    vault
        .write(|tx| -> Outcome {
            tx.put_source(&source)?;
            tx.put_item(&gone, &testkit::whole("gone"))?;
            tx.put_item(&kept, &testkit::whole("kept"))?;
            tx.put_session(one, "one", 1)?;
            tx.put_session(other, "other", 1)?;
            for (at, (session, role, text, cites, _)) in said.iter().enumerate() {
                tx.put_message(*session, &message(*role, text, at as i64, *cites), After::Head)?;
            }
            assert_eq!(tx.delete_answers_citing(gone.id)?, 2);
            let mut left = tx.messages(one)?;
            left.extend(tx.messages(other)?);
            let left: Vec<&str> = left.iter().map(|message| message.text.as_str()).collect();
            let stays: Vec<&str> = said.iter().filter(|line| line.4).map(|line| line.2).collect();
            assert_eq!(left, stays);
            Ok(())
        })
        .unwrap();
}
