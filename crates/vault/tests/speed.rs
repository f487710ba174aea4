//! How fast it is. Prints numbers and judges none; run by hand with `--ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{Hash, ItemId, SourceId, Span};
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
