//! Judging the default anchor: the numbers are those of the serving path, and the shared items tell a model that is well
//! from one that is not.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "../../model/tests/common/mod.rs"]
mod common;

use hinet_model::{Anchor, Sampling, kernels::Kernel};
use hinet_train::{
    Example, TrainError,
    judge::{By, Interval, Judge, Question, Watch, general, paired_bootstrap, points},
};
use std::{
    sync::{LazyLock, atomic::AtomicBool},
    time::Instant,
};

static GO: AtomicBool = AtomicBool::new(false);
static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| common::anchor(2, Kernel::best()));

fn question(prompt: &str, options: &[&str], right: usize) -> Question {
    let options = options.iter().map(|option| ANCHOR.encode(option, false)).collect();
    Question { prompt: ANCHOR.encode(prompt, false), options, right }
}

#[test]
fn losses_and_perplexity_are_those_of_what_serves() {
    let mut judge = Judge::new(&ANCHOR, &[]).unwrap();
    let mut quiet = |_, _| ();
    let mut watch = Watch::new(&GO, &mut quiet);
    let text = ANCHOR.encode("The capital of France is Paris, and that of Italy is Rome.", false);
    let expected = ANCHOR.session(64).log_probabilities(&text).unwrap();
    let losses = judge.losses(&[Example::whole(text.clone()), Example::from(text.clone(), 5)], &mut watch).unwrap();
    assert!(losses[0].iter().map(|loss| -loss).eq(expected.iter().copied()));
    assert_eq!(losses[1], losses[0][4..]);
    let mut alone = Judge::new(&common::anchor(1, Kernel::best()), &[]).unwrap();
    let again = alone.losses(&[Example::from(text.clone(), 5), Example::whole(text.clone())], &mut watch).unwrap();
    assert!(again[1] == losses[0] && again[0] == losses[1], "threads and order change no bit");
    let mean: f64 = expected.iter().map(|p| -f64::from(*p)).sum::<f64>() / expected.len() as f64;
    let whole = judge.perplexity(&text, 512, &mut watch).unwrap();
    assert!((whole - mean.exp()).abs() < 1e-9);
    let parts = judge.perplexity(&text, 8, &mut watch).unwrap();
    assert!(parts > whole, "with less before it, a text is less likely: {parts} and {whole}");
    assert!(judge.perplexity(&text[..1], 8, &mut watch).is_err());
    let stop = AtomicBool::new(true);
    let stopped = judge.losses(&[Example::whole(text)], &mut Watch::new(&stop, &mut |_, _| ()));
    assert!(matches!(stopped, Err(TrainError::Unjudged)));
}

#[test]
fn options_are_chosen_and_answers_written() {
    let mut judge = Judge::new(&ANCHOR, &[]).unwrap();
    let mut quiet = |_, _| ();
    let mut watch = Watch::new(&GO, &mut quiet);
    let questions = [
        question("The capital of France is", &[" Paris", " Oslo", " Rome"], 0),
        question("Water freezes into", &[" gold", " ice", " a very long table made of wood"], 1),
    ];
    for by in [By::Sum, By::Mean] {
        let choices = judge.choose(&questions, by, &mut watch).unwrap();
        assert_eq!(points(&choices), [1.0, 1.0], "{choices:?}");
        // What it would write by itself, and what it only prefers to worse.
        assert!(choices[0].recalled, "{choices:?}");
    }
    let unlikely = question("The capital of France is", &[" Oslo", " a very long table made of wood"], 0);
    let chosen = &judge.choose(&[unlikely], By::Sum, &mut watch).unwrap()[0];
    assert!(chosen.right && !chosen.recalled, "{chosen:?}");
    let wrong = [question("The capital of France is", &[" Paris", " Oslo"], 1)];
    assert!(!judge.choose(&wrong, By::Sum, &mut watch).unwrap()[0].right);
    assert!(judge.choose(&[question("Nothing", &["a", "b"], 2)], By::Sum, &mut watch).is_err());
    let sampling = Sampling { max_tokens: 4, ..Sampling::default() };
    let prompts = vec![ANCHOR.encode("The capital of France is", false); 40];
    let written = judge.write(&prompts, &sampling, &mut watch).unwrap();
    assert!(written.iter().all(|text| text.contains("Paris")), "{written:?}");
}

#[test]
fn a_bootstrap_says_how_sure_a_difference_is() {
    let before: Vec<f64> = (0..1500).map(|at| f64::from(at % 2)).collect();
    let after: Vec<f64> = (0..1500).map(|at| f64::from((at % 2) * i32::from(at % 20 != 1))).collect();
    let found = paired_bootstrap(&before, &after, 7).unwrap();
    assert_eq!(found, paired_bootstrap(&before, &after, 7).unwrap());
    let uneven: Vec<f64> = (0..1500).map(|at| f64::from(at).sin()).collect();
    assert_ne!(paired_bootstrap(&before, &uneven, 7).unwrap(), paired_bootstrap(&before, &uneven, 8).unwrap());
    // 75 of 1,500 got worse: 5 points, with a standard error of √(0.05 · 0.95 / 1500).
    let error = (0.05 * 0.95 / 1500f64).sqrt();
    let Interval { mean, low, high, items } = found;
    assert!((mean + 0.05).abs() < 1e-12 && items == 1500);
    assert!((low - (mean - 1.96 * error)).abs() < 0.001 && (high - (mean + 1.96 * error)).abs() < 0.001, "{found:?}");
    assert!(paired_bootstrap(&before, &after[1..], 7).is_err() && paired_bootstrap(&[], &[], 7).is_err());
    assert!(paired_bootstrap(&[1.0], &[f64::NAN], 7).is_err());
}

/// Judges some of the shared items.
fn general(questions: &[Question]) -> f64 {
    let mut judge = Judge::new(&ANCHOR, &[]).unwrap();
    let began = Instant::now();
    let choices = judge.choose(questions, By::Sum, &mut Watch::new(&GO, &mut |_, _| ())).unwrap();
    let right = points(&choices).iter().sum::<f64>() / choices.len() as f64;
    println!("{} items: {right:.4} right in {:.1} s", choices.len(), began.elapsed().as_secs_f64());
    right
}

#[test]
fn the_shared_items_are_whole_and_the_anchor_knows_many() {
    let items = general::items().unwrap();
    let questions = general::questions(&ANCHOR).unwrap();
    assert!(items.len() >= 1500 && questions.len() == items.len());
    assert!(items.iter().all(|item| !item.others.contains(&item.word)));
    let some: Vec<Question> = questions.iter().step_by(20).cloned().collect();
    let right = general(&some);
    assert!((0.4..0.95).contains(&right), "{right}: above chance, and not all of them");
}

#[test]
#[ignore = "a measurement of a minute or two"]
fn all_shared_items_and_the_neutral_text_are_measured() {
    let questions = general::questions(&ANCHOR).unwrap();
    general(&questions);
    let mut judge = Judge::new(&ANCHOR, &[]).unwrap();
    let text = ANCHOR.encode(&general::neutral(), false);
    let began = Instant::now();
    let perplexity = judge.perplexity(&text, general::WINDOW, &mut Watch::new(&GO, &mut |_, _| ())).unwrap();
    println!("{} tokens: perplexity {perplexity:.2} in {:.1} s", text.len(), began.elapsed().as_secs_f64());
}
