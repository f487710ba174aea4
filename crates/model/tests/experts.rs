//! A mixture read with fixed weights of its experts in place of its routers.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "families/checkpoint.rs"]
#[allow(dead_code, reason = "each test target uses what it needs")]
mod checkpoint;

use hinet_model::{
    Anchor, BatchOptions, Event, Flow, LoadOptions, ModelError, Prefixes, Sampling, SessionOptions, kv::PAGE,
};
use safetensors::Dtype;

fn anchor(family: &str, threads: usize) -> Anchor {
    let folder = tempfile::tempdir().unwrap();
    checkpoint::all()[family].write_folder(folder.path(), Dtype::F32, 1);
    Anchor::open(folder.path(), LoadOptions { threads: Some(threads), ..LoadOptions::default() }).unwrap()
}

fn tokens(count: usize) -> Vec<u32> {
    (0..u32::try_from(count).unwrap()).map(|at| (at * 37 + 5) % 250).collect()
}

/// The logits of a session that knows nothing yet.
fn fresh(anchor: &Anchor, weights: Option<&[f32]>, tokens: &[u32]) -> Vec<f32> {
    let mut session = anchor.session(128);
    session.set_experts(weights).unwrap();
    session.logits(tokens).unwrap()
}

#[test]
fn what_was_read_with_other_weights_is_read_anew() {
    let anchor = anchor("mixtral", 2);
    let all = tokens(40);
    let mut session = anchor.session(128);
    let choices: [Option<&[f32]>; 5] =
        [None, Some(&[0.0, 1.0, 0.0, 0.0]), Some(&[0.25; 4]), Some(&[0.0, 0.5, 0.0, 0.5]), None];
    let mut before: Option<Vec<f32>> = None;
    for weights in choices {
        session.set_experts(weights).unwrap();
        let found = session.logits(&all).unwrap();
        assert_eq!(found, fresh(&anchor, weights, &all), "{weights:?}");
        assert!(before.is_none_or(|before| before != found), "{weights:?} change nothing");
        before = Some(found);
        // The same weights once more, of which zero has two signs, let everything stay known.
        let same: Option<Vec<f32>> = weights.map(|all| all.iter().map(|weight| weight + -0.0).collect());
        session.set_experts(same.as_deref()).unwrap();
        assert_eq!(session.used(), all.len());
    }
}

#[test]
fn threads_and_cuts_change_no_bit_with_fixed_weights() {
    let (one, three) = (anchor("mixtral", 1), anchor("mixtral", 3));
    let (all, weights) = (tokens(50), [0.5, 0.0, 0.125, 0.375]);
    let whole = fresh(&one, Some(&weights), &all);
    let mut session = three.session(128);
    session.set_experts(Some(&weights)).unwrap();
    for cut in [1, 2, 17, 50] {
        session.logits(&all[..cut]).unwrap();
    }
    assert_eq!(session.logits(&all).unwrap(), whole);
}

#[test]
fn weights_are_of_mixtures_alone() {
    // Of these layers one is no mixture.
    let mixed = anchor("qwen3moe-mixed", 1);
    let mut weights = [0.0; 8];
    weights[3] = 1.0;
    assert_ne!(fresh(&mixed, Some(&weights), &tokens(9)), fresh(&mixed, None, &tokens(9)));
    let says = |found: Result<(), ModelError>, word: &str| {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    let mut session = mixed.session(16);
    says(session.set_experts(Some(&[1.0; 7])), "one weight for each expert");
    says(session.set_experts(Some(&[f32::NAN; 8])), "finite");
    says(session.set_experts(Some(&[0.0; 8])), "all are zero");
    says(anchor("llama", 1).session(16).set_experts(Some(&[1.0])), "no experts");
    anchor("llama", 1).session(16).set_experts(None).unwrap();
}

#[test]
fn beginnings_that_others_left_are_not_taken_for_those_with_fixed_weights() {
    let anchor = anchor("mixtral", 2);
    let all = tokens(PAGE + 9);
    let shelf = Prefixes::new(1 << 24);
    let session =
        || anchor.session_with(SessionOptions { context: 128, prefixes: Some(shelf.clone()), ..Default::default() });
    let weights = [0.0, 0.0, 1.0, 0.0];
    let mut gated = session();
    gated.set_experts(Some(&weights)).unwrap();
    gated.logits(&all).unwrap();
    assert_eq!((shelf.usage().pages, gated.prefix(all.len()).tokens().len()), (0, 0));
    let plain = session().logits(&all).unwrap();
    assert_eq!(shelf.usage().pages, 1);
    let mut gated = session();
    gated.set_experts(Some(&weights)).unwrap();
    assert_eq!(gated.logits(&all).unwrap(), fresh(&anchor, Some(&weights), &all));
    gated.set_experts(None).unwrap();
    assert_eq!(gated.logits(&all).unwrap(), plain);
    assert_eq!(plain, fresh(&anchor, None, &all));
}

#[test]
fn a_batch_writes_what_a_session_does() {
    let anchor = anchor("mixtral", 2);
    let weights = [0.0, 0.75, 0.0, 0.25];
    let sampling = Sampling { max_tokens: 6, ..Sampling::default() };
    let shelf = Prefixes::new(1 << 24);
    let mut batch = anchor.batch(BatchOptions { context: 128, prefixes: Some(shelf.clone()), ..Default::default() });
    for weights in [Some(&weights[..]), None] {
        batch.set_experts(weights).unwrap();
        let ids = [12, PAGE + 3].map(|count| (batch.add(&tokens(count), &sampling, None).unwrap(), tokens(count)));
        assert!(batch.set_experts(None).unwrap_err().to_string().contains("being written"));
        let mut found = std::collections::BTreeMap::new();
        while !batch.is_empty() {
            batch.step(&mut |id, event| {
                if let Event::Done(done) = event {
                    found.insert(id, (done.text, done.generated));
                }
                Flow::Continue
            });
        }
        for (id, prompt) in ids {
            let mut session = anchor.session(128);
            session.set_experts(weights).unwrap();
            let alone = session.generate(&prompt, &sampling, &mut |_| Flow::Continue).unwrap();
            assert_eq!(found[&id], (alone.text, alone.generated));
        }
        assert_eq!(shelf.usage().pages, usize::from(weights.is_none()));
    }
    assert!(batch.set_experts(Some(&[1.0])).unwrap_err().to_string().contains("one weight for each"));
}
