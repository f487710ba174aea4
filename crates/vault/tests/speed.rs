//! How fast it is. Prints numbers and judges none; run by hand with `--ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{After, Hash, ItemId, Role, SessionId, SourceId, Span};
use hinet_vault::Vault;
use hinet_vault::records::ChunkDraft;
use std::time::Instant;
use testkit::{Outcome, create, item, source};

const ITEMS: usize = 10_000;
const CHUNKS: usize = 10;

fn clock<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = f();
    eprintln!("{what}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    out
}

fn ingest(vault: &Vault, source: SourceId) -> Vec<(ItemId, i64)> {
    let text = "The heron stands in the shallow water and waits. ".repeat(8 * CHUNKS);
    let step = text.len() / CHUNKS;
    let span = |n: usize| Span { start: n * step, end: (n + 1) * step };
    let chunks: Vec<_> = (0..CHUNKS).map(|n| ChunkDraft { span: span(n), heading: "Birds > Heron".into() }).collect();
    let mut all = Vec::new();
    for batch in 0..ITEMS / 100 {
        vault
            .write(|tx| -> Outcome {
                for n in 0..100 {
                    let row = item(source, &format!("/b/{batch}/{n}"), &text);
                    all.extend(tx.put_item(&row, &chunks)?.into_iter().map(|id| (row.id, id)));
                }
                Ok(())
            })
            .unwrap();
    }
    all
}

#[test]
#[ignore = "prints times"]
fn speed() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let (source, embedder) = (source(), Hash([1; 32]));
    vault.write(|tx| -> Outcome { tx.put_source(&source) }).unwrap();
    clock("100 single-row commits, each with its signed head", || {
        for n in 0..100 {
            vault.write(|tx| -> Outcome { tx.set_meta("n", &n.to_string()) }).unwrap();
        }
    });
    let chunks = clock("10,000 items of 4 KB with 10 chunks each, 100 a commit", || ingest(&vault, source.id));
    clock("100,000 vectors of 400 bytes, 1,000 a commit", || {
        for batch in chunks.chunks(1000) {
            let vectors: Vec<_> = batch.iter().map(|(_, id)| (*id, vec![*id as u8; 400])).collect();
            vault.write(|tx| -> Outcome { tx.put_vectors(embedder, &vectors) }).unwrap();
        }
    });
    for round in ["first", "second"] {
        clock(&format!("scan of 100,000 vectors, {round}"), || {
            let mut sum = 0u64;
            let mut each = |_, _, v: &[u8]| sum += v.len() as u64;
            vault.read(|r| -> Outcome { r.vectors(embedder, &mut each) }).unwrap();
            assert_eq!(sum, 40_000_000);
        });
    }
    clock("1,000 reads of 20 chunks with text", || {
        for n in 0..1000 {
            let ids: Vec<_> = (0..20).map(|k| chunks[(n * 7919 + k * 104_729) % chunks.len()].1).collect();
            assert_eq!(vault.read(|r| -> Outcome<_> { r.chunk_views(&ids) }).unwrap().len(), 20);
        }
    });
    clock("200 chunks without a vector, all have one", || {
        assert!(vault.read(|r| -> Outcome<_> { r.chunks_unembedded(embedder, 200) }).unwrap().is_empty());
    });
    clock("counts", || vault.read(|r| -> Outcome<_> { r.counts() }).unwrap());
    clock("forget one item", || vault.write(|tx| -> Outcome<_> { tx.delete_item(chunks[0].0) }).unwrap());
    clock("scrub", || vault.scrub().unwrap());
    clock("check", || assert!(vault.check().iter().all(|f| f.ok)));
    clock("rotate_keys", || vault.rotate_keys().unwrap());
    drop(vault);
    let vault = clock("open", || testkit::open(dir.path()).unwrap());
    clock("first read", || vault.read(|r| -> Outcome<_> { r.sources() }).unwrap());
    eprintln!("database: {} MB", std::fs::metadata(vault.home().db()).unwrap().len() >> 20);
}

const SAID: usize = 10_000;
const CONVERSATIONS: usize = 5_000;
const RECALLED: usize = 6;

/// An answer that recalled six passages of four hundred bytes.
fn answer(item: &hinet_vault::records::ItemRow, n: usize) -> hinet_protocol::Message {
    let hit = |at: usize| hinet_protocol::Hit {
        item: item.id,
        source: item.key.clone(),
        title: item.title.clone(),
        text: item.text[at * 400..][..400].into(),
        span: Span { start: at * 400, end: (at + 1) * 400 },
        score: 0.5,
        parts: Default::default(),
        modified: item.modified,
        kind: item.kind.clone(),
        pinned: false,
    };
    let stats = hinet_protocol::MessageStats { recalled: (0..RECALLED).map(hit).collect(), ..Default::default() };
    let text = format!("The heron waits, for the {n}th time. ").repeat(6);
    hinet_protocol::Message { stats: Some(stats), ..testkit::message(Role::Assistant, &text, n as i64, Some(item.id)) }
}

#[test]
#[ignore = "prints times"]
fn speed_of_conversations() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let (source, session) = (source(), SessionId::new());
    let row = item(source.id, "/b/heron", &"The heron stands in the shallow water and waits. ".repeat(80));
    let said = |n: usize| match n % 2 {
        0 => testkit::message(Role::User, &format!("And the {n}th time?"), n as i64, None),
        _ => answer(&row, n),
    };
    clock("10,000 messages stored in one conversation, 100 a commit", || {
        vault
            .write(|tx| -> Outcome {
                tx.put_source(&source)?;
                tx.put_item(&row, &testkit::whole(&row.text))?;
                tx.put_session(session, "long", 1)
            })
            .unwrap();
        for batch in 0..SAID / 100 {
            let put = |tx: &hinet_vault::records::Tx<'_>| -> Outcome {
                (0..100).try_for_each(|n| tx.put_message(session, &said(batch * 100 + n), After::Head))
            };
            vault.write(put).unwrap();
        }
    });
    let read = || vault.read(|r| -> Outcome<_> { r.messages(session) }).unwrap();
    let all = clock("its messages, first read", read);
    clock("its messages, read again", read);
    assert_eq!(all.len(), SAID);
    assert_eq!(all[SAID - 1].stats.as_ref().unwrap().recalled.len(), RECALLED);
    let last = all[SAID - 1].id;
    clock("the twelve messages a turn looks at", || {
        vault.read(|r| -> Outcome<_> { r.path(session, last, 12) }).unwrap()
    });
    clock("one more message", || {
        vault.write(|tx| -> Outcome { tx.put_message(session, &said(SAID), After::Head) }).unwrap();
    });
    clock("turned to its first message's branch", || {
        vault.write(|tx| -> Outcome { tx.turn_to(session, all[0].id) }).unwrap();
    });
    clock("all messages walked for a word that is in none", || {
        let mut found = 0;
        let mut look = |line: hinet_vault::records::MessageLine| {
            found += usize::from(line.text.contains("cormorant"));
            true
        };
        vault.read(|r| -> Outcome { r.each_message(&mut look) }).unwrap();
        found
    });
    clock("5,000 conversations of 20 messages stored, 100 a commit", || {
        for batch in 0..CONVERSATIONS / 100 {
            let put = |tx: &hinet_vault::records::Tx<'_>| -> Outcome {
                for n in 0..100 {
                    let session = SessionId::new();
                    tx.put_session(session, "short", (batch * 100 + n) as i64)?;
                    for n in 0..20 {
                        let one = testkit::message(Role::User, "And the heron?", n, None);
                        tx.put_message(session, &one, After::Head)?;
                    }
                }
                Ok(())
            };
            vault.write(put).unwrap();
        }
    });
    let lines = || vault.read(|r| -> Outcome<_> { r.sessions() }).unwrap();
    assert_eq!(clock("their list, first read", lines).len(), CONVERSATIONS + 1);
    clock("their list, read again", lines);
    clock("the messages of the longest of them forgotten", || {
        vault.write(|tx| -> Outcome { tx.delete_session(session).map(drop) }).unwrap();
    });
}
