//! Many sequences at once, pages they share, beginnings that are known, and what happens when there is no more room.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use hinet_model::{
    Anchor, Batch, BatchOptions, Event, Flow, Generated, KvKind, LoadOptions, ModelError, Prefix, Prefixes, Sampling,
    SequenceId, SessionOptions, StopReason, kv::PAGE,
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// An anchor of this test's own, so that its pool is too.
fn anchor(threads: usize) -> Anchor {
    Anchor::load_with(&common::anchor_paths(), LoadOptions { threads: Some(threads), kernel: None }).unwrap()
}

static ONE: LazyLock<Anchor> = LazyLock::new(|| anchor(1));
static TWO: LazyLock<Anchor> = LazyLock::new(|| anchor(2));

const PROMPTS: [&str; 5] = [
    "The capital of France is",
    "Once upon a time there was a",
    "def fibonacci(n):\n",
    "Water boils at one hundred degrees, and ice melts at",
    "A list of colours: red, green,",
];

fn text(length: usize, seed: u32) -> Vec<u32> {
    (0..u32::try_from(length).unwrap()).map(|i| (i * 7919 + seed * 104_729 + 13) % 49_000).collect()
}

fn sampling(seed: u64, max_tokens: usize) -> Sampling {
    Sampling { temperature: 0.8, top_p: 0.95, repeat_penalty: 1.1, seed, max_tokens, ..Sampling::default() }
}

/// Timings differ from run to run; everything else of an answer must not.
fn same(answer: &Generated) -> (String, usize, StopReason) {
    (answer.text.clone(), answer.generated, answer.stopped)
}

/// Everybody's streamed text and end, until nobody is left.
fn run(batch: &mut Batch) -> BTreeMap<SequenceId, (String, Result<Generated, ModelError>)> {
    let mut texts: BTreeMap<SequenceId, String> = BTreeMap::new();
    let mut out = BTreeMap::new();
    let mut steps = 0;
    while !batch.is_empty() {
        batch.step(&mut |id, event| {
            let text = texts.entry(id).or_default();
            match event {
                Event::Text(more) => text.push_str(more),
                Event::Done(answer) => assert!(out.insert(id, (text.clone(), Ok(answer))).is_none()),
                Event::Failed { error, .. } => assert!(out.insert(id, (text.clone(), Err(error))).is_none()),
            }
            Flow::Continue
        });
        steps += 1;
        assert!(steps < 10_000, "the batch comes to an end");
    }
    out
}

#[test]
fn five_prompts_together_are_each_as_alone() {
    for kv in [KvKind::F16, KvKind::Int8] {
        let mut expected = Vec::new();
        for (n, prompt) in PROMPTS.iter().enumerate() {
            let mut session = ONE.session_with(SessionOptions { context: 512, kv, prefixes: None });
            // A long beginning for some, so that prompts of several parts lie beside short ones.
            let tokens = [text(n * 90, 3), ONE.encode(prompt, false)].concat();
            let sampling = sampling(n as u64, 24);
            let answer = session.generate(&tokens, &sampling, &mut |_| Flow::Continue).unwrap();
            expected.push((tokens, sampling, same(&answer)));
        }
        for anchor in [&*ONE, &*TWO] {
            for rows in [128, 16] {
                let mut batch = anchor.batch(BatchOptions { context: 512, kv, prefixes: None, rows });
                let ids: Vec<SequenceId> =
                    expected.iter().map(|(tokens, sampling, _)| batch.add(tokens, sampling, None).unwrap()).collect();
                let found = run(&mut batch);
                for (id, (_, _, expected)) in ids.iter().zip(&expected) {
                    let (streamed, answer) = &found[id];
                    let answer = answer.as_ref().unwrap();
                    assert_eq!(&same(answer), expected, "{} threads, {rows} rows", anchor.threads());
                    assert_eq!(streamed, &answer.text);
                }
            }
        }
    }
}

#[test]
fn a_known_beginning_is_shared_and_changes_nothing() {
    for kv in [KvKind::F16, KvKind::Int8] {
        let anchor = anchor(2);
        let prefixes = Prefixes::new(1 << 30);
        let options = SessionOptions { context: 1024, kv, prefixes: Some(prefixes.clone()) };
        let beginning = text(300, 1);
        let ask = |end: u32| [beginning.clone(), text(40, end)].concat();
        let alone = SessionOptions { prefixes: None, ..options.clone() };
        let mut first = anchor.session_with(options.clone());
        assert_eq!(first.logits(&ask(5)).unwrap(), anchor.session_with(alone.clone()).logits(&ask(5)).unwrap());
        assert_eq!(prefixes.usage().pages, 340 / PAGE);

        // A second session takes the four full pages they have in common, and writes its own from there on.
        let before = anchor.kv_pool().usage().pages;
        let mut second = anchor.session_with(options.clone());
        let up_to = Sampling { max_tokens: 8, ..Sampling::default() };
        let warm = second.generate(&ask(6), &up_to, &mut |_| Flow::Continue).unwrap();
        let cold = anchor.session_with(alone.clone()).generate(&ask(6), &up_to, &mut |_| Flow::Continue).unwrap();
        assert_eq!((warm.cached, cold.cached), (300 / PAGE * PAGE, 0));
        assert_eq!(same(&warm), same(&cold));
        assert_eq!(anchor.kv_pool().usage().pages, before + 2, "only what differs has pages of its own");

        // The first is undisturbed, also where both write to what was the same page.
        let expected = anchor.session_with(alone.clone()).logits(&ask(5)[..257]).unwrap();
        let mut third = anchor.session_with(options.clone());
        assert_eq!(third.logits(&ask(5)[..257]).unwrap(), expected);
        let expected_whole = anchor.session_with(alone).logits(&ask(5)[..256]).unwrap();
        assert_eq!(third.logits(&ask(5)[..256]).unwrap(), expected_whole, "all of it is known but its last token");
        assert_eq!(first.logits(&ask(5)[..257]).unwrap(), expected, "a copy was written to, not the page of all");

        // A batch finds the same pages.
        let mut batch = anchor.batch(BatchOptions { context: 1024, kv, prefixes: Some(prefixes.clone()), rows: 64 });
        let id = batch.add(&ask(6), &up_to, None).unwrap();
        let answer = run(&mut batch).remove(&id).unwrap().1.unwrap();
        assert_eq!((same(&answer), answer.cached), (same(&cold), 340 / PAGE * PAGE));

        // Nothing is left when everybody has gone, and the pages that come back are blank.
        assert!(!first.is_blank());
        first.clear();
        drop((second, third, batch));
        assert!(anchor.kv_pool().usage().pages > 0, "the shelf still holds its pages");
        prefixes.clear();
        let usage = anchor.kv_pool().usage();
        assert_eq!((usage.pages, usage.bytes), (0, 0));
        assert!(usage.spare_pages > 0 && first.is_blank(), "what is kept for the next is zeros");
    }
}

#[test]
fn keys_differ_where_anything_that_matters_does() {
    let prefixes = Prefixes::new(1 << 30);
    let with = |kv| SessionOptions { context: 512, kv, prefixes: Some(prefixes.clone()) };
    let tokens = text(200, 2);
    let up_to = Sampling { max_tokens: 1, ..Sampling::default() };
    let cached = |kv, tokens: &[u32]| {
        ONE.session_with(with(kv)).generate(tokens, &up_to, &mut |_| Flow::Continue).unwrap().cached
    };
    assert_eq!(cached(KvKind::F16, &tokens), 0);
    assert_eq!(cached(KvKind::Int8, &tokens), 0, "another kind of numbers");
    assert_eq!(cached(KvKind::F16, &tokens), 192);
    assert_eq!(cached(KvKind::F16, &tokens[1..]), 0, "other positions");
    let mut other = tokens.clone();
    other[70] += 1;
    assert_eq!(cached(KvKind::F16, &other), 64, "only the page before the difference");
    // A small shelf keeps the beginnings of chains, and what was of use last.
    let small = Prefixes::new(3 * ONE.kv_pool().page_bytes(KvKind::F16));
    let options = SessionOptions { context: 512, kv: KvKind::F16, prefixes: Some(small.clone()) };
    ONE.session_with(options.clone()).logits(&tokens).unwrap();
    ONE.session_with(options.clone()).logits(&text(70, 9)).unwrap();
    assert_eq!(small.usage().pages, 3);
    let answer = ONE.session_with(options).generate(&tokens, &up_to, &mut |_| Flow::Continue).unwrap();
    assert_eq!(answer.cached, 128);
}

#[test]
fn a_prefix_survives_as_bytes_and_nothing_else_is_taken_for_one() {
    for kv in [KvKind::F16, KvKind::Int8] {
        let tokens = text(150, 4);
        let options = SessionOptions { context: 512, kv, prefixes: None };
        let mut session = ONE.session_with(options.clone());
        let expected = session.logits(&tokens).unwrap();
        let prefix = session.prefix(140);
        assert_eq!(prefix.tokens(), &tokens[..128]);
        let bytes = prefix.to_bytes();
        // Another anchor stands for the program started again.
        let again = anchor(2);
        let prefixes = Prefixes::new(1 << 30);
        prefixes.insert(&Prefix::from_bytes(&again, &bytes).unwrap());
        let mut warm = again.session_with(SessionOptions { prefixes: Some(prefixes), ..options });
        assert_eq!(warm.logits(&tokens).unwrap(), expected);
        let up_to = Sampling { max_tokens: 1, ..Sampling::default() };
        assert_eq!(warm.generate(&tokens, &up_to, &mut |_| Flow::Continue).unwrap().cached, 149);

        let refused = |bytes: &[u8], why: &str| {
            let error = Prefix::from_bytes(&again, bytes).err().map(|error| error.to_string());
            assert!(error.as_deref().is_some_and(|error| error.contains(why)), "{error:?} should say: {why}");
        };
        for length in [0, 7, 44, 45, 76, 77, 1000, bytes.len() - 1] {
            assert!(Prefix::from_bytes(&again, &bytes[..length]).is_err(), "{length} bytes");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= byte;
            bytes
        };
        refused(&bytes[..40], "cut short");
        refused(&with(3, 1), "another format");
        refused(&with(20, 1), "another model");
        refused(&with(40, 1), "another model");
        refused(&with(40, 8), "another format");
        refused(&with(41, 1), "another size");
        refused(&with(44, 0x80), "another size");
        refused(&with(100_000, 1), "damaged");
        refused(&[&bytes[..], &[0]].concat(), "another size");
        // Even with the right hash, no infinity gets in.
        let mut wrong = bytes[..bytes.len() - 32].to_vec();
        let last = wrong.len() - 4;
        wrong[last..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        let hash = blake3::hash(&wrong);
        wrong.extend_from_slice(hash.as_bytes());
        refused(&wrong, "not finite");
    }
}

#[test]
fn a_full_pool_is_said_and_loses_nothing() {
    let anchor = anchor(2);
    let pool = anchor.kv_pool();
    pool.set_limit(3 * pool.page_bytes(KvKind::F16));
    let mut session = anchor.session(1024);
    let tokens = text(400, 1);
    let read = session.logits(&tokens[..100]).unwrap();
    let error = session.logits(&tokens).unwrap_err();
    assert!(matches!(error, ModelError::CacheFull { .. }), "{error}");
    assert!(error.to_string().contains("memory for conversations is full"));
    assert!(session.used() >= 100, "what was read is still known");
    assert_eq!(session.logits(&tokens[..100]).unwrap(), read);
    session.clear();

    // In a batch one waits for the room that another will leave; whoever can never have room is told.
    let mut batch = anchor.batch(BatchOptions { context: 1024, ..BatchOptions::default() });
    let long = batch.add(&tokens, &sampling(1, 10), None).unwrap();
    let short: Vec<SequenceId> =
        (0..4).map(|n| batch.add(&text(100, n), &sampling(u64::from(n), 10), None).unwrap()).collect();
    let found = run(&mut batch);
    assert!(matches!(found[&long].1, Err(ModelError::CacheFull { .. })), "{:?}", found[&long]);
    for (n, id) in short.iter().enumerate() {
        let answer = found[id].1.as_ref().unwrap();
        let n = u32::try_from(n).unwrap();
        let mut alone = ONE.session(1024);
        let expected = alone.generate(&text(100, n), &sampling(u64::from(n), 10), &mut |_| Flow::Continue).unwrap();
        assert_eq!(same(answer), same(&expected));
    }
    assert_eq!(pool.usage().pages, 0);

    // Known pages that nobody uses make room before anybody is refused.
    let prefixes = Prefixes::new(1 << 30);
    let options = SessionOptions { context: 1024, prefixes: Some(prefixes.clone()), ..SessionOptions::default() };
    anchor.session_with(options.clone()).logits(&text(192, 1)).unwrap();
    assert_eq!(prefixes.usage().pages, 3);
    assert!(anchor.session_with(options).logits(&text(192, 2)).is_ok());
}

#[test]
fn deadlines_and_stops_take_effect_at_the_next_step() {
    let mut batch = TWO.batch(BatchOptions { context: 512, ..BatchOptions::default() });
    let late = batch.add(&text(20, 1), &sampling(1, 50), Some(Instant::now() - Duration::from_millis(1))).unwrap();
    let stopped = batch.add(&text(20, 2), &sampling(2, 50), None).unwrap();
    let cancelled = batch.add(&text(300, 3), &sampling(3, 50), None).unwrap();
    let mut ends = BTreeMap::new();
    let mut texts = 0;
    while !batch.is_empty() {
        batch.step(&mut |id, event| {
            match event {
                Event::Done(answer) => assert!(ends.insert(id, answer).is_none()),
                Event::Text(_) if id == stopped => texts += 1,
                _ => {}
            }
            if id == stopped && texts == 4 { Flow::Stop } else { Flow::Continue }
        });
        assert_eq!(batch.cancel(cancelled), !ends.contains_key(&cancelled));
    }
    assert_eq!((ends[&late].stopped, ends[&late].generated), (StopReason::Deadline, 0));
    assert_eq!(ends[&stopped].stopped, StopReason::Cancelled);
    // One call before its prompt was read, and one for each token.
    assert_eq!(ends[&stopped].generated, 3);
    assert_eq!((ends[&cancelled].stopped, ends[&cancelled].generated), (StopReason::Cancelled, 0));
    assert!(matches!(batch.add(&[], &sampling(1, 1), None), Err(ModelError::EmptyPrompt)));
    assert!(matches!(batch.add(&[1; 513], &sampling(1, 1), None), Err(ModelError::PromptTooLong { .. })));
    let id = batch.add(&[5], &Sampling { max_tokens: 0, ..Sampling::default() }, None).unwrap();
    assert_eq!(run(&mut batch)[&id].1.as_ref().unwrap().stopped, StopReason::MaxTokens);
}

/// What the model says of the golden text with int8 keys and values.
#[test]
fn int8_keys_and_values_cost_little() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/smollm2-135m.json")).unwrap();
    let tokens = ONE.encode(golden["text"].as_str().unwrap(), false);
    let mean = |kv| {
        let mut session = ONE.session_with(SessionOptions { context: 512, kv, prefixes: None });
        let all = session.log_probabilities(&tokens).unwrap();
        all.iter().map(|x| f64::from(*x)).sum::<f64>() / all.len() as f64
    };
    let (half, int8) = (mean(KvKind::F16), mean(KvKind::Int8));
    let worse = (half - int8).exp() - 1.0;
    println!("perplexity {:.4} with f16, {:.4} with int8: {:+.3} %", (-half).exp(), (-int8).exp(), worse * 100.0);
    assert!(worse.abs() < 0.02, "int8 changes the perplexity by {worse}");
}

#[derive(Debug, Clone)]
enum Move {
    Join { prompt: usize, length: usize, seed: u64, tokens: usize },
    Cancel(usize),
    Step(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let join = (0..4usize, 1..150usize, 0..9u64, 0..12usize).prop_map(|(prompt, length, seed, tokens)| Move::Join {
        prompt,
        length,
        seed,
        tokens,
    });
    let one = prop_oneof![3 => join, 1 => (0..8usize).prop_map(Move::Cancel), 3 => (1..5usize).prop_map(Move::Step)];
    proptest::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_comes_and_goes_each_is_as_alone(moves in moves(), rows in 1..40usize) {
        let prefixes = Prefixes::new(20 << 20);
        let mut batch = TWO.batch(BatchOptions { context: 170, prefixes: Some(prefixes), rows, ..BatchOptions::default() });
        let mut orders = BTreeMap::new();
        let mut ends = BTreeMap::new();
        let mut on = |id, event: Event<'_>| {
            match event {
                Event::Done(answer) => assert!(ends.insert(id, answer).is_none(), "nobody ends twice"),
                Event::Failed { error, .. } => panic!("{error}"),
                Event::Text(_) => {}
            }
            Flow::Continue
        };
        for step in moves {
            match step {
                Move::Join { prompt, length, seed, tokens } => {
                    // Prompts of one kind begin alike.
                    let order = (text(length, prompt as u32), sampling(seed, tokens));
                    let id = batch.add(&order.0, &order.1, None).unwrap();
                    orders.insert(id, order);
                }
                Move::Cancel(n) => {
                    orders.keys().nth(n).map(|id| batch.cancel(*id));
                }
                Move::Step(count) => (0..count).for_each(|_| {
                    batch.step(&mut on);
                }),
            }
        }
        while batch.step(&mut on) > 0 {}
        prop_assert_eq!(ends.len(), orders.len());
        for (id, (prompt, sampling)) in orders {
            let expected = ONE.session(170).generate(&prompt, &sampling, &mut |_| Flow::Continue).unwrap();
            if ends[&id].stopped == StopReason::Cancelled {
                prop_assert!(expected.text.starts_with(&ends[&id].text));
            } else {
                prop_assert_eq!(same(&ends[&id]), same(&expected));
            }
        }
    }
}
