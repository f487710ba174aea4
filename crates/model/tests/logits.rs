//! The decoder against transformers in float32 (`golden/reference.py`), and against itself: other kernels, other
//! numbers of threads, other ways of cutting a prompt.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::anchor;
use hinet_model::{Anchor, kernels::Kernel};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: Vec<u32>,
    mean_log_probability: f64,
    positions: Vec<Position>,
}

#[derive(Deserialize)]
struct Position {
    position: usize,
    top: Vec<(u32, f32)>,
    mean: f32,
    deviation: f32,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/smollm2-135m.json")).unwrap()
}

fn mean(numbers: &[f32]) -> f64 {
    numbers.iter().copied().map(f64::from).sum::<f64>() / numbers.len() as f64
}

#[test]
fn tokens_and_logits_are_those_of_the_reference() {
    let golden = golden();
    let anchor = Anchor::load(&common::anchor_paths()).unwrap();
    assert_eq!(anchor.encode(&golden.text, false), golden.tokens);
    assert_eq!(anchor.decode(&golden.tokens), golden.text);
    let mut session = anchor.session(256);
    for expected in &golden.positions {
        let logits = session.logits(&golden.tokens[..=expected.position]).unwrap();
        let at = expected.position;
        let average = mean(&logits) as f32;
        let spread = logits.iter().map(|x| (x - average).powi(2)).sum::<f32>() / logits.len() as f32;
        // A logit spreads by about 3; rounding activations to int8 moves one by some hundredths of that.
        let tolerance = 0.25 * expected.deviation;
        assert!((average - expected.mean).abs() < tolerance, "position {at}: mean {average}");
        assert!((spread.sqrt() - expected.deviation).abs() < tolerance, "position {at}: deviation {}", spread.sqrt());
        let worst = expected.top.iter().map(|(id, logit)| (logits[*id as usize] - logit).abs()).fold(0.0, f32::max);
        println!("position {at}: the eight largest logits differ by at most {worst:.3}");
        assert!(worst < tolerance, "position {at}: a logit differs by {worst}");
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        let gap = expected.top[0].1 - expected.top[1].1;
        assert!(best == expected.top[0].0 as usize || gap < 2.0 * worst, "position {at}: token {best} came first");
    }
    let ours = mean(&session.log_probabilities(&golden.tokens).unwrap());
    println!("mean log-probability {ours:.4}, reference {:.4}", golden.mean_log_probability);
    assert!((ours - golden.mean_log_probability).abs() < 0.03, "mean log-probability {ours}");
}

#[test]
fn threads_and_chunks_change_no_bit() {
    let tokens = golden().tokens;
    let kernel = Kernel::best();
    let whole = anchor(1, kernel).session(256).logits(&tokens).unwrap();
    let two = anchor(2, kernel);
    assert_eq!(two.session(256).logits(&tokens).unwrap(), whole, "two threads");
    assert_eq!(anchor(5, kernel).session(300).logits(&tokens).unwrap(), whole, "five threads");
    for cuts in [&[1, 2, 3][..], &[64], &[17, 33, 90, 121]] {
        let mut session = two.session(256);
        for &cut in cuts {
            session.logits(&tokens[..cut]).unwrap();
        }
        assert_eq!(session.logits(&tokens).unwrap(), whole, "cut at {cuts:?}");
    }
    let mut session = two.session(256);
    for end in 1..tokens.len() {
        session.logits(&tokens[..end]).unwrap();
    }
    assert_eq!(session.logits(&tokens).unwrap(), whole, "token by token");
}

#[test]
fn every_kernel_computes_the_same_function() {
    let tokens = &golden().tokens[..48];
    let best = anchor(2, Kernel::best()).session(64).logits(tokens).unwrap();
    for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.runs_here() && *kernel != Kernel::best()) {
        let other = anchor(2, kernel).session(64).logits(tokens).unwrap();
        let worst = best.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{}: differs from {} by at most {worst}", kernel.name(), Kernel::best().name());
        // The vector paths fuse alike and agree to the bit; the plain path may round each product, which here and there
        // moves a number to the next step of its eight bits: as much as the reference may differ.
        assert!(worst <= if kernel == Kernel::Plain { 0.75 } else { 0.0 }, "{}: {worst}", kernel.name());
    }
}

#[test]
fn a_prompt_with_a_known_beginning_gives_the_same_logits() {
    let tokens = golden().tokens;
    let anchor = Anchor::load(&common::anchor_paths()).unwrap();
    let mut other = tokens[..70].to_vec();
    other.extend([11, 12, 13]);
    let mut warm = anchor.session(256);
    warm.logits(&tokens).unwrap();
    let mut cold = anchor.session(256);
    assert_eq!(warm.logits(&other).unwrap(), cold.logits(&other).unwrap());
    assert_eq!(warm.logits(&other).unwrap(), cold.logits(&other).unwrap(), "the same prompt again");
    assert_eq!(warm.logits(&tokens[..30]).unwrap(), anchor.session(64).logits(&tokens[..30]).unwrap(), "a beginning");
}
