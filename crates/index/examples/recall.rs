//! How well evidence is found: recall@k over LoCoMo-like conversations, words alone, meaning alone, and fused.
//!
//! `cargo run -p hinet-index --example recall -- FOLDER MODELS`: FOLDER holds the conversations (`*.json`, for
//! measuring only), MODELS is the model cache. Each session is one item. A question counts the share of its evidence
//! turns that lie in the first k chunks; questions whose answer is not in the dialogue (category 5) are left out.

use hinet_index::{Candidate, Index, Query, Weights, chunk, diverse, fuse};
use hinet_model::{Embedder, locate, registry::Registry};
use hinet_protocol::{Hash, ItemId, SourceId, SourceKind, SourceState, Span, Trust};
use hinet_vault::{
    Home, Vault, Words,
    records::{ItemRow, SourceRow},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    path::Path,
    sync::atomic::AtomicBool,
};

const NOW: i64 = 1_767_225_600_000;
const KS: [usize; 4] = [1, 5, 10, 20];

/// A question with its candidates and where its evidence lies.
struct Case {
    category: u64,
    evidence: Vec<(ItemId, Span)>,
    candidates: Vec<Candidate>,
}

type Places = HashMap<i64, (ItemId, Span)>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(models)) = (args.next(), args.next()) else {
        return Err("usage: recall FOLDER MODELS".into());
    };
    let registry = Registry::builtin();
    let paths = locate(registry.default_embedder(), Path::new(&models)).ok_or("the embedder is not in that cache")?;
    let embedder = Embedder::load(&paths)?;
    let (mut cases, mut places) = (Vec::new(), Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files.iter().filter(|f| f.path().extension().is_some_and(|e| e == "json")) {
        let talk: Value = serde_json::from_slice(&std::fs::read(file.path())?)?;
        let (found, place) = conversation(&talk, &embedder)?;
        println!("{}: {} questions, {} chunks", file.path().display(), found.len(), place.len());
        cases.extend(found.into_iter().map(|case| (case, places.len())));
        places.push(place);
    }
    let show = |name: &str, order: &dyn Fn(&Case) -> Vec<i64>| report(name, &cases, &places, order);
    for (bm25, vector) in
        [(1.0, 0.0), (0.0, 1.0), (0.8, 0.2), (0.7, 0.3), (0.6, 0.4), (0.5, 0.5), (0.4, 0.6), (0.3, 0.7)]
    {
        let weights = Weights { bm25, vector, recency: 0.0 };
        show(&format!("weighted {bm25:.1}/{vector:.1}"), &|case| {
            fuse(&case.candidates, weights, NOW).iter().map(|f| f.candidate.chunk).collect()
        });
    }
    for constant in [10.0, 60.0] {
        show(&format!("reciprocal ranks, {constant}"), &|case| reciprocal(&case.candidates, constant));
    }
    show("default weights, diverse 20", &|case| {
        diverse(fuse(&case.candidates, Weights::default(), NOW), 20).iter().map(|f| f.candidate.chunk).collect()
    });
    Ok(())
}

fn conversation(talk: &Value, embedder: &Embedder) -> Result<(Vec<Case>, Places), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let vault = Vault::create(&Home::at(folder.path().join("home")), "Recall", &Words::generate(), &[], NOW)?;
    let source = SourceId::new();
    let (kind, state) = (SourceKind::Import, SourceState::Active);
    let row = SourceRow { id: source, kind, path: "/talk".into(), state, grant: None, added: NOW, synced: None };
    vault.write(|tx| tx.put_source(&row))?;
    let mut turns: HashMap<String, (ItemId, Span)> = HashMap::new();
    for session in 1.. {
        let Some(list) = talk[format!("session_{session}")].as_array() else {
            // Some files name the dates of sessions that were never held.
            if session > 60 {
                break;
            } else {
                continue;
            };
        };
        let date = talk[format!("session_{session}_date_time")].as_str().unwrap_or_default();
        let item = ItemId::new();
        let mut text = String::new();
        for turn in list {
            let start = text.len();
            let said = |key: &str| turn[key].as_str().unwrap_or_default();
            text.push_str(&format!("{}: {}", said("speaker"), said("text")));
            if !said("blip_caption").is_empty() {
                text.push_str(&format!(" [shares {}]", said("blip_caption")));
            }
            turns.insert(said("dia_id").to_owned(), (item, Span { start, end: text.len() }));
            text.push('\n');
        }
        let drafts = chunk(&text, "text");
        let (key, title) = (format!("/talk/{session}"), format!("Conversation of {date}"));
        let (kind, hash) = ("text".into(), Hash([0; 32]));
        let row =
            ItemRow { id: item, source, key, title, kind, trust: Trust::Own, modified: NOW, ingested: NOW, hash, text };
        vault.write(|tx| tx.put_item(&row, &drafts))?;
    }
    let (index, _) = Index::open(&folder.path().join("index"), &vault.seal_key("index"), &vault, embedder.hash())?;
    index.embed_pending(&vault, embedder, usize::MAX, &AtomicBool::new(false), &mut |_, _| {})?;
    let ids = vault.read(|r| r.all_chunk_ids())?;
    let views = vault.read(|r| r.chunk_views(&ids))?;
    let places = views.into_iter().map(|v| (v.chunk.id, (v.item.id, v.chunk.span))).collect();
    let mut cases = Vec::new();
    for qa in talk["qa"].as_array().into_iter().flatten() {
        let category = qa["category"].as_u64().unwrap_or(5);
        let named = qa["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let evidence: Vec<_> = named.filter_map(|id| turns.get(id.trim()).copied()).collect();
        if category == 5 || evidence.is_empty() {
            continue;
        }
        let text = qa["question"].as_str().unwrap_or_default().to_owned();
        let vector = embedder.embed(&[&text])?.pop();
        let candidates = index.candidates(&Query { text, vector, k: 20, now: NOW, ..Query::default() })?;
        cases.push(Case { category, evidence, candidates });
    }
    Ok((cases, places))
}

/// Reciprocal rank fusion (Cormack et al. 2009).
fn reciprocal(candidates: &[Candidate], constant: f32) -> Vec<i64> {
    let mut score: HashMap<i64, f32> = HashMap::new();
    let mut add = |mut list: Vec<(f32, i64)>| {
        list.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (rank, (_, chunk)) in list.into_iter().enumerate() {
            *score.entry(chunk).or_default() += 1.0 / (constant + rank as f32 + 1.0);
        }
    };
    add(candidates.iter().filter(|c| c.bm25 > 0.0).map(|c| (c.bm25, c.chunk)).collect());
    add(candidates.iter().filter_map(|c| Some((c.cosine?, c.chunk))).collect());
    let mut order: Vec<(f32, i64)> = score.into_iter().map(|(chunk, score)| (score, chunk)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, chunk)| chunk).collect()
}

fn report(name: &str, cases: &[(Case, usize)], places: &[Places], order: &dyn Fn(&Case) -> Vec<i64>) {
    let mut sums: BTreeMap<u64, (usize, [f64; 4])> = BTreeMap::new();
    for (case, talk) in cases {
        let ranked = order(case);
        for (i, k) in KS.into_iter().enumerate() {
            let within = |(item, span): &&(ItemId, Span)| {
                ranked.iter().take(k).any(|chunk| {
                    let (place, held) = &places[*talk][chunk];
                    // A turn cut between two chunks counts where it begins.
                    place == item && held.start <= span.start && span.start < held.end
                })
            };
            let share = case.evidence.iter().filter(within).count() as f64 / case.evidence.len() as f64;
            for group in [0, case.category] {
                let entry = sums.entry(group).or_default();
                entry.1[i] += share;
                entry.0 += usize::from(i == 0);
            }
        }
    }
    let line = |(count, sum): &(usize, [f64; 4])| sum.map(|s| format!("{:.3}", s / *count as f64)).join(" ");
    let groups: Vec<String> = sums.iter().skip(1).map(|(group, s)| format!("[{group}: {}]", line(s))).collect();
    println!("{name:<28} {}  {}", sums.get(&0).map(line).unwrap_or_default(), groups.join(" "));
}
