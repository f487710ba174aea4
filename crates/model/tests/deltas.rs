//! Deltas on the default anchor: against Hugging Face PEFT (`golden/deltas.py`), and against themselves: none and a gate
//! of zero, threads and chunks, kernels, several conversations' worth of gates, switching, and models they are not for.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::anchor;
use hinet_model::{
    Anchor, Config, Delta, FactorKind, Gates, ModelError, Prefixes, Resident, SessionOptions,
    delta::{Factors, Linear, Place},
    gguf::{Gguf, Kind},
    kernels::Kernel,
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| anchor(2, Kernel::best()));

#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: Vec<u32>,
    cases: BTreeMap<String, Vec<Position>>,
}

#[derive(Deserialize)]
struct Position {
    position: usize,
    top: Vec<(u32, f32)>,
    mean: f32,
    deviation: f32,
    /// The logits of `top` without the delta.
    plain: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/deltas.json")).unwrap()
}

/// The same numbers as in `golden/deltas.py`.
fn noise(seed: u64, place: Place, part: u64, count: usize, amplitude: f32) -> Vec<f32> {
    let key = (seed << 32) | ((place.layer as u64) << 16) | ((place.linear as u64) << 8) | part;
    let number = |index: u64| {
        let mut x = index.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(key);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        ((x >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * amplitude
    };
    (0..count as u64).map(number).collect()
}

/// The lengths of the rows of a `Q4_1` matrix of the anchor's file, in the order of a checkpoint.
fn lengths(file: &Gguf, config: &Config, place: Place) -> Vec<f32> {
    let name = match place.linear {
        Linear::Query => "attn_q",
        Linear::Key => "attn_k",
        Linear::Value => "attn_v",
        Linear::Output => "attn_output",
        Linear::Gate => "ffn_gate",
        Linear::Up => "ffn_up",
        Linear::Down => "ffn_down",
    };
    let tensor = file.tensor(&format!("blk.{}.{name}.weight", place.layer)).unwrap();
    assert_eq!(tensor.kind, Kind::Q4_1);
    let half = |bytes: &[u8]| f64::from(half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32());
    let length = |row: &[u8]| {
        let squares = row.chunks_exact(20).flat_map(|block| {
            let (scale, min) = (half(block), half(&block[2..]));
            let quants = block[4..].iter().flat_map(|byte| [byte & 15, byte >> 4]);
            quants.map(move |quant| (f64::from(quant) * scale + min).powi(2)).collect::<Vec<f64>>()
        });
        squares.sum::<f64>().sqrt() as f32
    };
    let ours: Vec<f32> = tensor.bytes.chunks_exact(tensor.shape[1] / 32 * 20).map(length).collect();
    if !matches!(place.linear, Linear::Query | Linear::Key) {
        return ours;
    }
    // A checkpoint has the even numbers of a head first, then the odd ones.
    let (dim, half) = (config.head_dim, config.head_dim / 2);
    (0..ours.len()).map(|row| ours[row / dim * dim + 2 * (row % half) + row % dim / half]).collect()
}

struct Plan {
    seed: u64,
    rank: usize,
    alpha: f32,
    amplitude: f32,
    dora: bool,
}

fn delta(plan: &Plan, change: impl Fn(Place, &mut usize, &mut f32)) -> Delta {
    let (config, file) = (ANCHOR.config(), Gguf::open(&common::anchor_paths().path(".gguf").unwrap()).unwrap());
    let mut delta = Delta::new(None);
    for layer in 0..config.layers {
        for linear in Linear::ALL {
            let (place, (outputs, inputs)) = (Place { layer, linear }, linear.shape(config));
            let (mut rank, mut alpha) = (plan.rank, plan.alpha);
            change(place, &mut rank, &mut alpha);
            let a = noise(plan.seed, place, 0, rank * inputs, 0.04);
            let b = noise(plan.seed, place, 1, outputs * rank, plan.amplitude);
            let magnitudes = plan.dora.then(|| {
                let factors = noise(plan.seed, place, 2, outputs, 0.1);
                lengths(&file, config, place)
                    .iter()
                    .zip(factors)
                    .map(|(length, factor)| length * (1.0 + factor))
                    .collect()
            });
            delta.insert(place, Factors { rank, a, b, alpha, magnitudes }).unwrap();
        }
    }
    delta
}

fn plain(seed: u64, rank: usize, amplitude: f32) -> Delta {
    delta(&Plan { seed, rank, alpha: 2.0 * rank as f32, amplitude, dora: false }, |_, _, _| ())
}

fn dora() -> Delta {
    delta(&Plan { seed: 3, rank: 8, alpha: 16.0, amplitude: 0.04, dora: true }, |_, _, _| ())
}

fn mean(numbers: &[f32]) -> f32 {
    (numbers.iter().copied().map(f64::from).sum::<f64>() / numbers.len() as f64) as f32
}

/// Compares with a case of the reference; `allowed` is the share of a deviation a logit may differ by.
fn compare(case: &str, deltas: &[(Resident, f32)], allowed: f32) {
    let golden = golden();
    assert_eq!(ANCHOR.encode(&golden.text, false), golden.tokens);
    let mut session = ANCHOR.session(128);
    session.set_deltas(deltas).unwrap();
    let mut without = ANCHOR.session(128);
    let (mut errors, mut changes) = (Vec::new(), Vec::new());
    for expected in &golden.cases[case] {
        let at = expected.position;
        let logits = session.logits(&golden.tokens[..=at]).unwrap();
        let average = mean(&logits);
        let spread = mean(&logits.iter().map(|x| (x - average).powi(2)).collect::<Vec<_>>()).sqrt();
        let tolerance = allowed * expected.deviation;
        let worst = expected.top.iter().map(|(id, logit)| (logits[*id as usize] - logit).abs()).fold(0.0, f32::max);
        println!(
            "{case}, position {at}: differs by at most {worst:.3}, {:.3} of a deviation",
            worst / expected.deviation
        );
        assert!((average - expected.mean).abs() < tolerance, "{case} {at}: mean {average}");
        assert!((spread - expected.deviation).abs() < tolerance, "{case} {at}: deviation {spread}");
        assert!(worst < tolerance, "{case}, position {at}: a logit differs by {worst}");
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        let gap = expected.top[0].1 - expected.top[1].1;
        assert!(best == expected.top[0].0 as usize || gap < 2.0 * worst, "{case} {at}: token {best} came first");
        let without = without.logits(&golden.tokens[..=at]).unwrap();
        for ((id, logit), plain) in expected.top.iter().zip(&expected.plain) {
            let change = logits[*id as usize] - without[*id as usize];
            errors.push((change - (logit - plain)).powi(2));
            changes.push((logit - plain).powi(2));
        }
    }
    // What the delta changes, not only what comes of it, is that of the reference.
    let (error, change) = (mean(&errors).sqrt(), mean(&changes).sqrt());
    println!("{case}: the delta moves a logit by {change:.3}, and that is off by {error:.3}");
    assert!(error < 0.25 * change, "{case}: {error} of {change}");
}

#[test]
fn a_lora_computes_what_peft_computes() {
    let delta = plain(1, 16, 0.1);
    compare("lora", &[(ANCHOR.attach(&delta).unwrap(), 1.0)], 0.25);
    compare("lora", &[(ANCHOR.attach_as(&delta, FactorKind::Int8).unwrap(), 1.0)], 0.25);
}

#[test]
fn a_dora_computes_what_peft_computes() {
    let delta = dora();
    compare("dora", &[(ANCHOR.attach(&delta).unwrap(), 1.0)], 0.25);
    compare("dora", &[(ANCHOR.attach_as(&delta, FactorKind::Int8).unwrap(), 1.0)], 0.25);
}

#[test]
fn ranks_and_alphas_of_their_own_are_those_of_peft() {
    let plan = Plan { seed: 4, rank: 16, alpha: 32.0, amplitude: 0.05, dora: false };
    let change = |place: Place, rank: &mut usize, alpha: &mut f32| {
        if place.linear == Linear::Value {
            *rank = 24;
        }
        if place == (Place { layer: 3, linear: Linear::Down }) {
            *rank = 40;
        }
        if place.linear == Linear::Gate {
            *alpha = 8.0;
        }
        if place == (Place { layer: 5, linear: Linear::Query }) {
            *alpha = 64.0;
        }
    };
    let mut delta = delta(&plan, change);
    delta.rank_stabilised = true;
    let (tensors, config) = delta.to_peft().unwrap();
    let again = Delta::from_peft(&tensors, config.as_bytes()).unwrap();
    assert_eq!(again, delta);
    compare("patterns", &[(ANCHOR.attach(&again).unwrap(), 1.0)], 0.25);
}

#[test]
fn two_deltas_with_gates_add_up_as_in_peft() {
    let first = ANCHOR.attach(&plain(1, 16, 0.1)).unwrap();
    let second = ANCHOR.attach(&plain(2, 8, 0.12)).unwrap();
    compare("two", &[(first.clone(), 0.5), (second.clone(), 0.75)], 0.25);
    compare("two", &[(second, 0.75), (first, 0.5)], 0.25);
}

#[test]
fn no_delta_and_a_gate_of_zero_change_no_bit() {
    let tokens = golden().tokens;
    let plain_logits = ANCHOR.session(128).logits(&tokens).unwrap();
    let (lora, dora) = (ANCHOR.attach(&plain(1, 16, 0.1)).unwrap(), ANCHOR.attach(&dora()).unwrap());
    let mut session = ANCHOR.session(128);
    session.set_deltas(&[(lora.clone(), 0.0), (dora.clone(), 0.0)]).unwrap();
    assert_eq!(session.logits(&tokens).unwrap(), plain_logits);
    session.set_deltas(&[(lora.clone(), 1.0)]).unwrap();
    assert_eq!(session.used(), 0, "what was read without the delta is not known with it");
    let with = session.logits(&tokens).unwrap();
    assert_ne!(with, plain_logits);
    session.set_deltas(&[(dora, 0.0), (lora.clone(), 1.0)]).unwrap();
    assert_eq!(session.used(), tokens.len(), "a gate of zero is a delta that is not there");
    assert_eq!(session.logits(&tokens).unwrap(), with);
    session.set_deltas(&[]).unwrap();
    assert_eq!(session.logits(&tokens).unwrap(), plain_logits, "the anchor is as it was");
    session.clear();
    assert!(session.is_blank());
}

#[test]
fn threads_chunks_and_order_change_no_bit() {
    let tokens = golden().tokens;
    let deltas = [plain(1, 16, 0.1), plain(2, 8, 0.12), dora()];
    let gates = [0.5, 0.25, 0.75];
    for kind in [FactorKind::Half, FactorKind::Int8] {
        let mut results = Vec::new();
        for threads in [1, 2, 5] {
            let anchor = anchor(threads, Kernel::best());
            let mut set: Vec<(Resident, f32)> =
                deltas.iter().zip(gates).map(|(delta, gate)| (anchor.attach_as(delta, kind).unwrap(), gate)).collect();
            if threads == 2 {
                set.reverse();
            }
            let mut session = anchor.session(128);
            session.set_deltas(&set).unwrap();
            results.push(session.logits(&tokens).unwrap());
            session.clear();
            for end in [1, 2, 5, 20, 23] {
                session.logits(&tokens[..end]).unwrap();
            }
            results.push(session.logits(&tokens).unwrap());
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{kind:?}");
    }
}

#[test]
fn every_kernel_computes_the_same_function() {
    let tokens = &golden().tokens[..24];
    let delta = dora();
    let mut results = BTreeMap::new();
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.runs_here()) {
        let anchor = anchor(2, kernel);
        let mut session = anchor.session(64);
        session.set_deltas(&[(anchor.attach(&delta).unwrap(), 0.3)]).unwrap();
        results.insert(kernel.name(), session.logits(tokens).unwrap());
    }
    let best: &[f32] = &results[Kernel::best().name()];
    let average = mean(best);
    let spread = mean(&best.iter().map(|x| (x - average).powi(2)).collect::<Vec<_>>()).sqrt();
    for (name, other) in &results {
        let worst = best.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: differs by at most {worst} from the best; a logit spreads by {spread}");
        // Without fused operations sums round differently, and rounding to int8 then differs by a step here and there.
        assert!(worst <= if *name == "plain" { 0.4 * spread } else { 0.0 }, "{name}: {worst}");
    }
}

#[test]
fn gates_by_token_keep_what_is_read_alike() {
    let tokens = golden().tokens;
    let (first, second) = (ANCHOR.attach(&plain(1, 16, 0.1)).unwrap(), ANCHOR.attach(&plain(2, 8, 0.12)).unwrap());
    let mut session = ANCHOR.session(128);
    session.set_deltas(&[(first.clone(), 1.0), (second.clone(), 0.5)]).unwrap();
    let constant = session.logits(&tokens).unwrap();
    session.set_gates(Gates::PerRow(&[1.0, 0.5])).unwrap();
    assert_eq!(session.used(), tokens.len(), "one row says the same of every token");
    let table: Vec<f32> = (0..tokens.len()).flat_map(|at| if at < 20 { [1.0, 0.5] } else { [0.0, 0.9] }).collect();
    session.set_gates(Gates::PerRow(&table)).unwrap();
    assert_eq!(session.used(), 20);
    let mixed = session.logits(&tokens).unwrap();
    assert_ne!(mixed, constant);
    // Read token by token, or at once, or in a new session, it is the same.
    let mut other = ANCHOR.session(128);
    other.set_deltas(&[(first, 1.0), (second, 0.5)]).unwrap();
    other.set_gates(Gates::PerRow(&table)).unwrap();
    for end in 1..tokens.len() {
        other.logits(&tokens[..end]).unwrap();
    }
    assert_eq!(other.logits(&tokens).unwrap(), mixed);
    other.set_gates(Gates::Constant).unwrap();
    assert_eq!((other.used(), other.logits(&tokens).unwrap()), (20, constant));
    for bad in [&[][..], &[1.0], &[1.0, f32::NAN]] {
        assert!(matches!(other.set_gates(Gates::PerRow(bad)), Err(ModelError::BadGates { .. })));
    }
}

#[test]
fn a_delta_of_another_model_is_refused() {
    let refused = |delta: &Delta, sentence: &str| {
        let error = ANCHOR.attach(delta).expect_err(sentence).to_string();
        assert!(error.contains(sentence), "\"{error}\" should say \"{sentence}\"");
    };
    let place = Place { layer: 0, linear: Linear::Key };
    let factors = |rank: usize, inputs: usize, outputs: usize, number: f32| Factors {
        rank,
        a: vec![number; rank * inputs],
        b: vec![number; outputs * rank],
        alpha: 1.0,
        magnitudes: None,
    };
    let with = |place, factors| {
        let mut delta = Delta::new(Some(ANCHOR.passport().clone()));
        delta.insert(place, factors).unwrap();
        delta
    };
    let good = with(place, factors(2, 576, 192, 0.1));
    let resident = ANCHOR.attach(&good).unwrap();
    refused(&with(place, factors(2, 192, 576, 0.1)), "[192, 576]");
    refused(&with(Place { layer: 30, ..place }, factors(2, 576, 192, 0.1)), "a layer this model does not have");
    refused(&with(place, factors(2, 576, 192, 3e38)), "too large");
    let mut nothing = factors(1, 576, 576, 0.0);
    nothing.magnitudes = Some(vec![3e38; 576]);
    // Magnitudes that only lead to numbers out of range are found out when they do.
    let mut session = ANCHOR.session(16);
    let output = Place { layer: 0, linear: Linear::Output };
    session.set_deltas(&[(ANCHOR.attach(&with(output, nothing)).unwrap(), 1e3)]).unwrap();
    assert!(matches!(session.logits(&[1, 2, 3]), Err(ModelError::Diverged)) && session.is_blank());
    for (what, change) in [
        ("architecture", (|delta| delta.origin.as_mut().unwrap().arch = "other".into()) as fn(&mut Delta)),
        ("tokenizer", |delta| delta.origin.as_mut().unwrap().tokenizer.0[0] ^= 1),
        ("weights", |delta| delta.origin.as_mut().unwrap().weights.0[0] ^= 1),
    ] {
        let mut other = good.clone();
        change(&mut other);
        refused(&other, what);
    }
    let twice = session.set_deltas(&[(resident.clone(), 1.0), (resident.clone(), 0.5)]);
    assert!(matches!(twice, Err(ModelError::BadGates { problem: "a delta is given twice" })));
    assert!(matches!(session.set_deltas(&[(resident, f32::INFINITY)]), Err(ModelError::BadGates { .. })));
}

#[test]
fn a_root_is_a_delta_that_is_always_there() {
    let tokens = golden().tokens;
    let (root, other) = (plain(1, 16, 0.1), plain(2, 8, 0.12));
    let rooted = ANCHOR.rooted(root.clone()).unwrap();
    let of_bare = |deltas: &[&Delta]| {
        let all: Vec<_> = deltas.iter().map(|delta| (ANCHOR.attach(delta).unwrap(), 1.0)).collect();
        let mut session = ANCHOR.session(128);
        session.set_deltas(&all).unwrap();
        session.logits(&tokens).unwrap()
    };
    let mut session = rooted.session(128);
    assert_eq!(session.logits(&tokens).unwrap(), of_bare(&[&root]));
    // What is worn on top comes and goes, the root stays.
    session.set_deltas(&[(rooted.attach(&other).unwrap(), 1.0)]).unwrap();
    assert_eq!(session.logits(&tokens).unwrap(), of_bare(&[&root, &other]));
    session.set_deltas(&[]).unwrap();
    assert_eq!(session.logits(&tokens).unwrap(), of_bare(&[&root]));
    assert_ne!(of_bare(&[]), of_bare(&[&root]), "the weights they share are as they were");

    // Pages that were read on it are not those of the bare anchor.
    let prefixes = Prefixes::new(64 << 20);
    let shared = |anchor: &Anchor| {
        let options = SessionOptions { context: 128, prefixes: Some(prefixes.clone()), ..SessionOptions::default() };
        anchor.session_with(options).logits(&tokens).unwrap()
    };
    for _ in 0..2 {
        assert_eq!((shared(&ANCHOR), shared(&rooted)), (of_bare(&[]), of_bare(&[&root])));
    }

    // One that was tuned on a root needs it; one that was not adds up with any.
    let mut on_top = other.clone();
    on_top.origin = Some(rooted.passport().clone());
    assert!(rooted.attach(&on_top).is_ok());
    let (bytes, config) = on_top.to_peft().unwrap();
    assert_eq!(Delta::from_peft(&bytes, config.as_bytes()).unwrap().origin, on_top.origin);
    for anchor in [ANCHOR.clone(), ANCHOR.rooted(other.clone()).unwrap()] {
        let error = anchor.attach(&on_top).unwrap_err().to_string();
        assert!(error.contains("another root"), "{error}");
    }
    let resident = ANCHOR.attach(&other).unwrap();
    assert!(rooted.session(16).set_deltas(&[(resident, 1.0)]).is_err(), "it was packed for the bare anchor");
    for refused in [rooted.rooted(other), ANCHOR.rooted(dora())] {
        assert!(matches!(refused, Err(ModelError::BadRoot { .. })));
    }
}

/// A delta with factors everywhere, of one rank.
fn everywhere(amplitude: f32, magnitudes: bool) -> Delta {
    let (config, file) = (ANCHOR.config(), Gguf::open(&common::anchor_file()).unwrap());
    let mut delta = Delta::new(Some(ANCHOR.passport().clone()));
    for layer in 0..config.layers {
        for linear in Linear::ALL {
            let place = Place { layer, linear };
            let (rows, columns) = linear.shape(config);
            let (a, b) = (noise(9, place, 0, 4 * columns, amplitude), noise(9, place, 1, rows * 4, amplitude));
            let magnitudes =
                magnitudes.then(|| lengths(&file, config, place).iter().map(|length| 1.02 * length).collect());
            delta.insert(place, Factors { rank: 4, a, b, alpha: 8.0, magnitudes }).unwrap();
        }
    }
    delta
}

#[test]
fn a_folded_file_says_what_the_anchor_says_with_the_delta() {
    use hinet_model::fold::{fold, write_lora};
    let file = Gguf::open(&common::anchor_file()).unwrap();
    let tokens = ANCHOR.encode("The lighthouse keeper wrote down what the sea had taken from him.", false);
    for magnitudes in [false, true] {
        let delta = everywhere(0.15, magnitudes);
        let mut session = ANCHOR.session(64);
        let plain = session.logits(&tokens).unwrap();
        session.clear();
        session.set_deltas(&[(ANCHOR.attach(&delta).unwrap(), 1.0)]).unwrap();
        let with = session.logits(&tokens).unwrap();
        let mut bytes = Vec::new();
        let mut change = |place, weights: &mut [f32]| delta.add_to(place, weights, 1.0);
        fold(&file, &delta.places(), Kind::F32, &mut change, &mut bytes).unwrap();
        let folded = Anchor::from_gguf(&Gguf::from_bytes(bytes).unwrap(), hinet_model::LoadOptions::default()).unwrap();
        let alone = folded.session(64).logits(&tokens).unwrap();
        let apart = |one: &[f32], other: &[f32]| {
            let squares: f64 = one.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            (squares / one.len() as f64).sqrt()
        };
        // Inputs are rounded to eight bits beside quantised weights, and not beside floats.
        let (rounding, change) = (apart(&with, &alone), apart(&plain, &alone));
        assert!(rounding < 0.5 && change > 5.0 * rounding, "{rounding} of {change}, magnitudes: {magnitudes}");
        assert_ne!(folded.passport().weights, ANCHOR.passport().weights);
    }
    // What cannot be carried is refused by name.
    let refused = write_lora(&everywhere(0.01, true), &file, &mut Vec::new()).unwrap_err();
    assert!(refused.to_string().contains("DoRA"), "{refused}");
    let mut nothing = |_, _: &mut [f32]| Ok(());
    let refused = fold(&file, &[], Kind::Q4_0, &mut nothing, &mut Vec::new()).unwrap_err();
    assert!(refused.to_string().contains("round the delta away"), "{refused}");
    let mut large = |_, weights: &mut [f32]| {
        weights[0] = 1e6;
        Ok(())
    };
    let place = Place { layer: 0, linear: Linear::Up };
    let refused = fold(&file, &[place], Kind::F16, &mut large, &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, ModelError::NotFinite { .. }), "{refused}");
}

#[test]
fn factors_as_gguf_hold_the_same_product_in_the_files_order() {
    let file = Gguf::open(&common::anchor_file()).unwrap();
    let mut delta = everywhere(0.1, false);
    // Another alpha in one place: the file has one for all.
    let place = Place { layer: 3, linear: Linear::Query };
    let mut factors = delta.get(place).unwrap().clone();
    factors.alpha = 2.0;
    delta.insert(place, factors.clone()).unwrap();
    let mut bytes = Vec::new();
    hinet_model::fold::write_lora(&delta, &file, &mut bytes).unwrap();
    let written = Gguf::from_bytes(bytes).unwrap();
    let alpha = written.find_f64("adapter.lora.alpha").unwrap();
    let read = |name: &str| {
        let tensor = written.tensor(name).unwrap();
        let numbers =
            tensor.bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<_>>();
        (tensor.shape.to_vec(), numbers)
    };
    let ((a_shape, a), (b_shape, b)) = (read("blk.3.attn_q.weight.lora_a"), read("blk.3.attn_q.weight.lora_b"));
    assert_eq!((a_shape, b_shape), (vec![4, 576], vec![576, 4]));
    assert_eq!(a, factors.a);
    let order = hinet_model::delta::row_order(ANCHOR.config(), Linear::Query).unwrap();
    for (row, from) in [(0, order[0]), (1, order[1]), (200, order[200])] {
        for column in 0..4 {
            let theirs = f64::from(b[row * 4 + column]) * alpha / 4.0;
            let ours = f64::from(factors.b[from * 4 + column] * delta.scale(&factors));
            assert!((theirs - ours).abs() < 1e-6 * ours.abs().max(1e-3), "{theirs} and {ours}");
        }
    }
}
