//! Search over 100 000 synthetic chunks: p50 and p99 without the query's embedding, the cost of one new document, and
//! of a purge. Text and vectors are seeded. `INDEX_BENCH_CHUNKS` makes it smaller.

use criterion::{Criterion, criterion_group, criterion_main};
use hinet_index::{GRAPH_FROM, Index, Probe, Query, Vectors, encode};
use hinet_protocol::{Hash, ItemId, SourceId, SourceKind, SourceState, Span, Trust};
use hinet_vault::{
    Home, Vault, Words,
    records::{ChunkDraft, ItemRow, SourceRow},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{hint::black_box, time::Instant};

const DIM: usize = 384;
const WORDS_PER_CHUNK: usize = 110;
const CHUNKS_PER_ITEM: usize = 10;
const VOCABULARY: usize = 60_000;
const NOW: i64 = 1_767_225_600_000;
const EMBEDDER: Hash = Hash([1; 32]);

/// A word by Zipf's law: a few are everywhere, most are rare.
fn word(rng: &mut StdRng) -> String {
    let rank = (VOCABULARY as f64).powf(rng.random_range(0.0f64..1.0)) as usize;
    let mut n = rank.wrapping_mul(2_654_435_761) % 4_000_037;
    let mut out = String::new();
    while n > 0 || out.len() < 4 {
        out.push(b"bdfgklmnprstvz"[n % 14] as char);
        out.push(b"aeiou"[(n / 14) % 5] as char);
        n /= 70;
    }
    out
}

fn words(rng: &mut StdRng, count: usize) -> String {
    (0..count).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

fn vector(rng: &mut StdRng) -> Vec<f32> {
    (0..DIM).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

fn item(source: SourceId, name: &str, text: String) -> ItemRow {
    ItemRow {
        id: ItemId::new(),
        source,
        key: format!("/notes/{name}"),
        title: name.to_owned(),
        kind: "text".into(),
        trust: Trust::Own,
        modified: NOW,
        ingested: NOW,
        hash: Hash([0; 32]),
        text,
        filing: None,
    }
}

fn fill(vault: &Vault, source: SourceId, chunks: usize) {
    let mut rng = StdRng::seed_from_u64(1);
    for group in 0..chunks.div_ceil(CHUNKS_PER_ITEM * 500) {
        vault
            .write(|tx| {
                for n in 0..500 {
                    let (mut text, mut drafts) = (String::new(), Vec::new());
                    for _ in 0..CHUNKS_PER_ITEM {
                        let start = text.len();
                        text.push_str(&words(&mut rng, WORDS_PER_CHUNK));
                        drafts.push(ChunkDraft { span: Span { start, end: text.len() }, heading: String::new() });
                        text.push('\n');
                    }
                    let name = format!("{}-{group}-{n}.txt", words(&mut rng, 2));
                    let ids = tx.put_item(&item(source, &name, text), &drafts)?;
                    let rows: Vec<(i64, Vec<u8>)> =
                        ids.into_iter().map(|id| (id, encode(&vector(&mut rng)).expect("finite"))).collect();
                    tx.put_vectors(EMBEDDER, &rows)?;
                }
                Ok::<_, hinet_vault::VaultError>(())
            })
            .expect("the vault takes synthetic items");
    }
}

fn percentile(sorted: &[f64], p: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * p).round() as usize]
}

fn report(name: &str, mut ms: Vec<f64>) {
    ms.sort_by(f64::total_cmp);
    println!(
        "{name}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms ({} samples)",
        percentile(&ms, 0.5),
        percentile(&ms, 0.99),
        percentile(&ms, 1.0),
        ms.len()
    );
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let out = f();
    (out, start.elapsed().as_secs_f64() * 1000.0)
}

fn queries(rng: &mut StdRng, count: usize) -> Vec<Query> {
    (0..count)
        .map(|i| Query { text: words(rng, 3 + i % 8), vector: Some(vector(rng)), k: 10, now: NOW, ..Query::default() })
        .collect()
}

fn bench(c: &mut Criterion) {
    let chunks = std::env::var("INDEX_BENCH_CHUNKS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a temp folder");
    let home = Home::at(folder.path().join("home"));
    let vault = Vault::create(&home, "Bench", &Words::generate(), &[], NOW).expect("a vault");
    let source = SourceId::new();
    let row = SourceRow {
        id: source,
        kind: SourceKind::Import,
        path: "/notes".into(),
        state: SourceState::Active,
        grant: None,
        added: NOW,
        synced: None,
    };
    vault.write(|tx| tx.put_source(&row)).expect("a source");
    let (_, ms) = timed(|| fill(&vault, source, chunks));
    println!("vault filled with {chunks} chunks in {:.1} s", ms / 1000.0);
    let dir = folder.path().join("index");
    let open = || Index::open(&dir, &vault.seal_key("index"), &vault, EMBEDDER).expect("an index").0;
    let (index, ms) = timed(open);
    println!("index built in {:.1} s, {} segments", ms / 1000.0, index.segments());
    drop(index);
    let (index, ms) = timed(open);
    println!("index opened (every block verified, vectors read) in {ms:.0} ms");

    let mut rng = StdRng::seed_from_u64(2);
    let asked = queries(&mut rng, 400);
    let run = |query: &Query| timed(|| black_box(index.search(&vault, query).expect("a search"))).1;
    asked.iter().take(20).for_each(|query| {
        run(query);
    });
    report("full search", asked.iter().map(run).collect());
    report("candidates only", asked.iter().map(|q| timed(|| index.candidates(q).expect("a search")).1).collect());
    let lexical: Vec<Query> = asked.iter().map(|q| Query { vector: None, ..q.clone() }).collect();
    report("words only", lexical.iter().map(run).collect());
    scan(chunks, &mut rng);

    let (mut fresh, mut seen) = (Vec::new(), Vec::new());
    for n in 0..40 {
        let new = item(source, &format!("fresh-{n}.txt"), words(&mut rng, 80));
        let draft = ChunkDraft { span: Span { start: 0, end: new.text.len() }, heading: String::new() };
        vault.write(|tx| tx.put_item(&new, &[draft])).expect("an item");
        let start = Instant::now();
        std::thread::scope(|scope| {
            let before = index.len();
            let watch = scope.spawn({
                let index = &index;
                move || {
                    while index.len() == before {
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                    start.elapsed().as_secs_f64() * 1000.0
                }
            });
            index.apply(&vault).expect("applied");
            fresh.push(start.elapsed().as_secs_f64() * 1000.0);
            seen.push(watch.join().expect("the watcher ends once the document is seen"));
        });
    }
    report("one new document until it is found", seen);
    report("apply of one new document", fresh);
    let gone = vault.read(|r| r.items_of(source)).expect("items")[3].id;
    vault.write(|tx| tx.delete_item(gone)).expect("deleted");
    println!(
        "purge of one item of {CHUNKS_PER_ITEM} chunks: {:.0} ms",
        timed(|| index.purge(&vault).expect("purged")).1
    );
    report("full search after all that", asked.iter().map(run).collect());

    let mut at = 0;
    c.bench_function("search, 100k chunks, k=10", |b| {
        b.iter(|| {
            at = (at + 1) % asked.len();
            index.search(&vault, &asked[at]).expect("a search")
        });
    });
}

/// The exact scan alone, from which the graph's threshold follows.
fn scan(chunks: usize, rng: &mut StdRng) {
    let mut set = Vectors::default();
    let id = ItemId::new();
    for chunk in 0..chunks as i64 {
        set.insert(chunk, id, &encode(&vector(rng)).expect("finite"));
    }
    for threads in [1, 2] {
        let times = (0..60).map(|_| {
            let probe = Probe::new(&vector(rng)).expect("finite");
            timed(|| black_box(set.nearest(&probe, 100, threads).expect("a scan"))).1
        });
        report(&format!("exact scan of {chunks} x {DIM}, {threads} thread(s)"), times.collect());
    }
    println!("the graph is built from {GRAPH_FROM} vectors on");
}

criterion_group!(name = benches; config = Criterion::default().sample_size(20); targets = bench);
criterion_main!(benches);
