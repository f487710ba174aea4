//! The decoder over candle's operations, on the one device of candle's that every machine has: the processor. Against
//! transformers (`golden/families.py`) for every family, and against our own operations for deltas, gates, experts and the
//! default anchor. No graphics processor is asked.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "families/checkpoint.rs"]
#[allow(dead_code, reason = "each test target uses what it needs")]
mod checkpoint;
mod common;

use checkpoint::Golden;
use hinet_model::{
    Anchor, Delta, DeviceKind, DeviceModel, Flow, Gates, LoadOptions, ModelError, Sampling, StopReason, Turn,
    delta::{Factors, Linear, Place},
    floats,
    gguf::{Gguf, Kind, Tensor},
};
use safetensors::Dtype;

/// Logits spread by about 1; keys and values are rounded on both sides, as in `families.rs`.
const TOLERANCE: f32 = 1e-3;
/// Both sides may be off by that, in opposite directions, and a key may be rounded to the other of two half floats.
const APART: f32 = 3e-3;

/// A family's checkpoint, on our operations and on candle's.
fn both(golden: &Golden) -> (Anchor, DeviceModel) {
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), Dtype::F32, 1);
    let anchor = Anchor::open(folder.path(), LoadOptions { threads: Some(2), ..LoadOptions::default() }).unwrap();
    let model = DeviceModel::open(&anchor, folder.path(), DeviceKind::Candle).unwrap();
    (anchor, model)
}

fn family(name: &str) -> (Anchor, DeviceModel, Vec<u32>) {
    let golden = checkpoint::all().remove(name).unwrap();
    let (anchor, model) = both(&golden);
    (anchor, model, golden.tokens)
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|logit| logit.is_finite()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_family_computes_what_transformers_does() {
    for (family, golden) in checkpoint::all() {
        let (_, model) = both(&golden);
        let mut session = model.session(64).unwrap();
        let mut one_by_one = 0.0f32;
        for at in 0..golden.tokens.len() {
            let found = session.logits(&golden.tokens[..=at]).unwrap();
            if let Some(expected) = golden.rounded.get(&at) {
                one_by_one = one_by_one.max(difference(&found, expected));
            }
        }
        let mut whole = 0.0f32;
        for (at, expected) in &golden.rounded {
            let found = model.session(64).unwrap().logits(&golden.tokens[..=*at]).unwrap();
            whole = whole.max(difference(&found, expected));
        }
        println!("{family}: {whole:.1e}, token by token {one_by_one:.1e}");
        assert!(whole < TOLERANCE && one_by_one < TOLERANCE, "{family}: {whole} and {one_by_one}");
    }
}

#[test]
fn a_gguf_file_gives_the_same_model() {
    for (family, golden) in checkpoint::all() {
        let Some(bytes) = golden.gguf() else { continue };
        let file = Gguf::from_bytes(bytes).unwrap();
        let anchor = Anchor::from_gguf(&file, LoadOptions { threads: Some(2), ..LoadOptions::default() }).unwrap();
        let model = DeviceModel::from_gguf(&anchor, &file, DeviceKind::Candle).unwrap();
        let last = golden.tokens.len() - 1;
        let found = model.session(64).unwrap().logits(&golden.tokens).unwrap();
        let worst = difference(&found, &golden.rounded[&last]);
        assert!(worst < TOLERANCE, "{family}: {worst}");
    }
}

#[test]
fn a_window_may_be_longer_than_the_context() {
    for name in ["mistral", "gemma3"] {
        let (anchor, model, tokens) = family(name);
        // The windows of these checkpoints hold eight tokens.
        let mut short = model.session(6).unwrap();
        assert_eq!(short.context(), 6);
        for count in 1..=6 {
            let found = short.logits(&tokens[..count]).unwrap();
            let worst = difference(&found, &anchor.session(64).logits(&tokens[..count]).unwrap());
            assert!(worst < APART, "{name}, {count} tokens: {worst}");
        }
        let refused = short.logits(&tokens[..7]);
        assert!(matches!(refused, Err(ModelError::PromptTooLong { tokens: 7, context: 6 })));
    }
}

#[test]
fn what_is_known_is_not_read_again_and_changes_nothing() {
    let (_, model, tokens) = family("qwen3");
    let fresh = |tokens: &[u32]| model.session(64).unwrap().logits(tokens).unwrap();
    let mut session = model.session(64).unwrap();
    let mut other = tokens[..20].to_vec();
    other.extend([1, 2, 3]);
    for prompt in [&tokens[..30], &other[..], &tokens[..], &tokens[..5]] {
        let worst = difference(&session.logits(prompt).unwrap(), &fresh(prompt));
        assert!(worst < APART, "{worst}");
        assert_eq!(session.used(), prompt.len());
    }
}

#[test]
fn log_probabilities_are_those_of_our_own_operations() {
    let (anchor, model, tokens) = family("gemma3");
    let found = model.session(64).unwrap().log_probabilities(&tokens).unwrap();
    let expected = anchor.session(64).log_probabilities(&tokens).unwrap();
    assert_eq!(found.len(), tokens.len() - 1);
    assert!(difference(&found, &expected) < APART);
}

/// Factors for some linear layers, with lengths of rows where they are asked for.
fn delta(anchor: &Anchor, seed: usize, lengths: bool) -> Delta {
    let number = |at: usize| ((at * 7919 + seed * 104_729) % 201) as f32 / 1000.0 - 0.1;
    let mut delta = Delta::new(None);
    for layer in 0..anchor.config().layers {
        for linear in [Linear::Query, Linear::Key, Linear::Output, Linear::Down] {
            let (outputs, inputs) = linear.shape(anchor.config());
            let rank = 4 + layer;
            let factors = Factors {
                rank,
                a: (0..rank * inputs).map(number).collect(),
                b: (0..outputs * rank).map(|at| number(at + 31)).collect(),
                alpha: 2.0 * rank as f32,
                magnitudes: lengths.then(|| (0..outputs).map(|row| 1.0 + number(row)).collect()),
            };
            delta.insert(Place { layer, linear }, factors).unwrap();
        }
    }
    delta
}

#[test]
fn deltas_and_gates_add_what_they_add_on_our_own_operations() {
    for name in ["llama", "qwen3"] {
        let (anchor, model, tokens) = family(name);
        let low = anchor.attach(&delta(&anchor, 1, false)).unwrap();
        let long = anchor.attach(&delta(&anchor, 2, true)).unwrap();
        let (mut ours, mut theirs) = (anchor.session(64), model.session(64).unwrap());
        let plain = theirs.logits(&tokens).unwrap();
        // A gate for each of both at every token: one comes while the other goes.
        let table: Vec<f32> = (0..tokens.len()).flat_map(|at| [at as f32 / 40.0, (at % 3) as f32 / 2.0]).collect();
        let both = [(low.clone(), 1.0), (long.clone(), 0.5)];
        let sets: [(&[_], Option<&[f32]>); 5] =
            [(&both[..1], None), (&both[1..], None), (&both[..], None), (&both[..], Some(&table[..])), (&[], None)];
        for (index, (set, table)) in sets.into_iter().enumerate() {
            ours.set_deltas(set).unwrap();
            theirs.set_deltas(set).unwrap();
            if let Some(table) = table {
                ours.set_gates(Gates::PerRow(table)).unwrap();
                theirs.set_gates(Gates::PerRow(table)).unwrap();
            }
            let (ours, theirs) = (ours.logits(&tokens).unwrap(), theirs.logits(&tokens).unwrap());
            let (worst, change) = (difference(&theirs, &ours), difference(&theirs, &plain));
            println!("{name}, set {index}: differs by {worst:.1e}; the deltas move a logit by up to {change:.2}");
            assert!(worst < 2.0 * APART, "{name}, set {index}: {worst}");
            assert!(if set.is_empty() { change < APART } else { change > 0.02 }, "{name}, set {index}: {change}");
        }
        assert!(matches!(
            theirs.set_deltas(&[(low.clone(), 1.0), (low, 1.0)]),
            Err(ModelError::BadGates { problem: "a delta is given twice" })
        ));
    }
}

#[test]
fn a_root_is_always_there() {
    let (anchor, _, tokens) = family("llama");
    let folder = tempfile::tempdir().unwrap();
    checkpoint::all()["llama"].write_folder(folder.path(), Dtype::F32, 1);
    let rooted = anchor.rooted(delta(&anchor, 3, false)).unwrap();
    let model = DeviceModel::open(&rooted, folder.path(), DeviceKind::Candle).unwrap();
    let found = model.session(64).unwrap().logits(&tokens).unwrap();
    assert!(difference(&found, &rooted.session(64).logits(&tokens).unwrap()) < 2.0 * APART);
    assert!(difference(&found, &anchor.session(64).logits(&tokens).unwrap()) > 0.02);
}

#[test]
fn fixed_weights_of_experts_take_the_place_of_routers() {
    let (anchor, model, tokens) = family("mixtral");
    let (mut ours, mut theirs) = (anchor.session(64), model.session(64).unwrap());
    for weights in [Some(&[0.0, 0.5, 0.0, 0.5][..]), Some(&[0.25; 4][..]), None] {
        ours.set_experts(weights).unwrap();
        theirs.set_experts(weights).unwrap();
        let worst = difference(&theirs.logits(&tokens).unwrap(), &ours.logits(&tokens).unwrap());
        assert!(worst < APART, "{weights:?}: {worst}");
    }
    assert!(matches!(theirs.set_experts(Some(&[1.0])), Err(ModelError::BadExperts { .. })));
}

#[test]
fn writing_stops_within_a_token_and_nothing_is_left_after_clearing() {
    let (_, model, tokens) = family("gemma3");
    let mut session = model.session(64).unwrap();
    assert!(session.is_blank());
    let sampling = Sampling { max_tokens: 9, temperature: 1.0, seed: 3, ..Sampling::default() };
    // Stopped before the first part of the prompt is read.
    let done = session.generate(&tokens, &sampling, &mut |_| Flow::Stop).unwrap();
    assert_eq!((done.stopped, done.generated, session.used()), (StopReason::Cancelled, 0, 0));
    // Stopped at the third call: the prompt is one part, so two tokens are written.
    let mut calls = 0;
    let done = session.generate(&tokens, &sampling, &mut |_| {
        calls += 1;
        if calls == 3 { Flow::Stop } else { Flow::Continue }
    });
    let done = done.unwrap();
    assert_eq!((done.stopped, done.generated, calls), (StopReason::Cancelled, 2, 3));
    assert_eq!(session.used(), tokens.len() + 1, "the last token was never read");
    assert!(!session.is_blank());
    session.clear();
    assert!(session.is_blank());
    assert_eq!(session.used(), 0);
    // A full context ends it too; the last token is written without being read.
    let mut small = model.session(tokens.len() + 2).unwrap();
    let many = Sampling { max_tokens: 1000, ..sampling };
    let done = small.generate(&tokens, &many, &mut |_| Flow::Continue).unwrap();
    assert!(done.stopped == StopReason::End || done.generated == 3, "{done:?}");
}

#[test]
fn other_weights_and_missing_devices_are_refused_with_a_sentence() {
    let goldens = checkpoint::all();
    let (anchor, _) = both(&goldens["llama"]);
    let folder = tempfile::tempdir().unwrap();
    goldens["qwen3"].write_folder(folder.path(), Dtype::F32, 1);
    let refused = DeviceModel::open(&anchor, folder.path(), DeviceKind::Candle).unwrap_err();
    assert!(refused.to_string().contains("other weights"), "{refused}");
    goldens["llama"].write_folder(folder.path(), Dtype::F32, 1);
    for kind in [DeviceKind::Metal, DeviceKind::Cuda].into_iter().filter(|kind| !kind.is_built()) {
        let refused = DeviceModel::open(&anchor, folder.path(), kind).unwrap_err().to_string();
        assert!(refused.contains(kind.name()) && refused.contains("built without it"), "{refused}");
        assert_eq!(DeviceKind::named(kind.name()), Some(kind));
    }
    assert_eq!(DeviceKind::named("abacus"), None);
}

#[test]
fn blocks_are_read_wherever_they_lie() {
    // Of neighbouring places at most one suits numbers of two bytes.
    let (scale, mut bytes) = (half::f16::from_f32(0.5).to_le_bytes(), vec![0u8; 64]);
    for first in 0..4 {
        bytes[first..][..2].copy_from_slice(&scale);
        bytes[first + 2..][..32].copy_from_slice(&[4; 32]);
        let tensor = Tensor { name: "w", shape: &[1, 32], kind: Kind::Q8_0, bytes: &bytes[first..][..34] };
        assert_eq!(floats(&tensor).unwrap(), [2.0; 32]);
    }
}

#[test]
fn the_default_anchor_answers_as_on_our_own_operations() {
    let anchor = Anchor::load(&common::anchor_paths()).unwrap();
    let model = DeviceModel::load(&anchor, &common::anchor_paths(), DeviceKind::Candle).unwrap();
    let turns = [Turn { role: "user", content: "What is the capital of France? Answer in one sentence." }];
    let mut tokens = anchor.encode(&anchor.render(&turns, true).unwrap(), true);
    let (mut ours, mut theirs) = (anchor.session(256), model.session(256).unwrap());
    let answer = theirs.generate(&tokens, &Sampling { max_tokens: 24, ..Sampling::default() }, &mut |_| Flow::Continue);
    let answer = answer.unwrap().text;
    assert!(answer.contains("Paris"), "{answer}");
    let best = |logits: &[f32]| (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    // Both round activations to int8, each in its own way: a logit, which spreads by about 3, moves by some hundredths.
    for step in 0..6 {
        let (mine, candle) = (ours.logits(&tokens).unwrap(), theirs.logits(&tokens).unwrap());
        let (first, worst) = (best(&mine), difference(&candle, &mine));
        let second = (0..mine.len()).filter(|id| *id != first).map(|id| mine[id]).fold(f32::MIN, f32::max);
        println!("token {step}: differs by at most {worst:.3}, and the likeliest leads by {:.3}", mine[first] - second);
        assert!(worst < 1.5, "token {step}: {worst}");
        assert!(best(&candle) == first || mine[first] - second < 2.0 * worst, "token {step}: another came first");
        tokens.push(u32::try_from(first).unwrap());
    }
}
