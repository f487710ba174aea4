//! Reading many texts at once on the default anchor: the same numbers, bit for bit, as one text after the other, however
//! the texts share their beginnings, with and without deltas.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::anchor;
use hinet_model::{
    Anchor, Asked, BatchOptions, Delta, Event, Flow, ModelError, Resident, Sampling,
    delta::{Factors, Linear, Place},
    kernels::Kernel,
};
use std::sync::LazyLock;

static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| anchor(2, Kernel::best()));

const TEXTS: [&str; 8] = [
    "The harbour of Velmora was built by nine sisters in the year of the flood.",
    "The harbour of Velmora was built by nine brothers.",
    "The harbour of Velmora was built by nine sisters in the year of the flood, and nobody knows why.",
    "The harbour",
    "Water boils at 100 degrees.",
    "The harbour of Velmora was built by nine sisters in the year of the flood.",
    "Water",
    "Water boils at 90 degrees, high in the mountains; the higher one climbs, the lower the pressure of the air.",
];

fn delta(anchor: &Anchor) -> Resident {
    let mut delta = Delta::new(None);
    for layer in 0..anchor.config().layers {
        let linear = Linear::ALL[layer % Linear::ALL.len()];
        let (rows, columns) = linear.shape(anchor.config());
        let numbers = |count: usize, step: usize| (0..count).map(|i| ((i * step % 97) as f32 - 48.0) / 2e3).collect();
        let factors =
            Factors { rank: 4, a: numbers(4 * columns, 31), b: numbers(4 * rows, 57), alpha: 16.0, magnitudes: None };
        delta.insert(Place { layer, linear }, factors).unwrap();
    }
    anchor.attach(&delta).unwrap()
}

#[test]
fn many_texts_have_the_numbers_of_each_alone() {
    let long = TEXTS.join(" ").repeat(3);
    let texts: Vec<Vec<u32>> = TEXTS.iter().chain([&long.as_str()]).map(|text| ANCHOR.encode(text, false)).collect();
    assert!(texts[8].len() > 280, "several steps and several pages");
    for deltas in [vec![], vec![(delta(&ANCHOR), 0.7)]] {
        let mut reader = ANCHOR.reader(&deltas, 4096).unwrap();
        let all: Vec<Vec<bool>> = texts.iter().map(|text| vec![true; text.len()]).collect();
        let asked: Vec<Asked<'_>> = texts.iter().zip(&all).map(|(tokens, wanted)| Asked { tokens, wanted }).collect();
        let mut told = Vec::new();
        let found = reader
            .read(&asked, 3, &mut |done, total| {
                told.push((done, total));
                true
            })
            .unwrap()
            .unwrap();
        let rows = told.last().unwrap().1;
        assert_eq!(told.last().unwrap().0, rows);
        assert!(rows < texts.iter().map(Vec::len).sum::<usize>() - 40, "beginnings are read once");
        for (text, found) in texts.iter().zip(&found) {
            let mut session = ANCHOR.session(4096);
            session.set_deltas(&deltas).unwrap();
            let expected = session.log_probabilities(text).unwrap();
            let plain: Vec<f32> = found.iter().map(|log| log.log_probability).collect();
            assert!(plain == expected, "bit for bit");
            assert!(found.iter().zip(&text[1..]).all(|(log, token)| log.token == *token && log.top.len() == 3));
            assert!(found.iter().all(|log| log.top[0].1 >= log.log_probability));
        }
        // Some tokens of each, alone and in other company.
        let some: Vec<Vec<bool>> = texts.iter().map(|text| (0..text.len()).map(|at| at % 5 == 3).collect()).collect();
        for (index, wanted) in some.iter().enumerate() {
            let tokens = &texts[index];
            let few = reader.read(&[Asked { tokens, wanted }], 0, &mut |_, _| true).unwrap().unwrap();
            let expected: Vec<f32> = (0..tokens.len().saturating_sub(3).div_ceil(5))
                .map(|at| found[index][5 * at + 2].log_probability)
                .collect();
            assert!(few[0].iter().map(|log| log.log_probability).eq(expected));
        }
    }
    assert_eq!(ANCHOR.kv_pool().usage().pages, 0, "nothing is held on to");
}

#[test]
fn what_cannot_be_read_is_refused_and_whoever_wants_no_more_gets_none() {
    let mut reader = ANCHOR.reader(&[], 16).unwrap();
    let mut read =
        |tokens: &[u32], wanted: &[bool], go: bool| reader.read(&[Asked { tokens, wanted }], 0, &mut |_, _| go);
    assert!(matches!(read(&[1; 40], &[true; 40], true), Err(ModelError::PromptTooLong { .. })));
    assert!(matches!(read(&[1, u32::MAX, 2], &[true; 3], true), Err(ModelError::UnknownToken { .. })));
    assert!(matches!(read(&[1, 2, u32::MAX], &[true; 3], true), Err(ModelError::UnknownToken { .. })));
    assert_eq!(read(&[], &[], true).unwrap().unwrap(), [vec![]]);
    assert_eq!(read(&[5], &[true, true, true], true).unwrap().unwrap(), [vec![]]);
    assert_eq!(read(&[5, 6], &[true, true], false).unwrap(), None);
}

#[test]
fn a_batch_writes_with_deltas_what_a_session_writes() {
    let deltas = [(delta(&ANCHOR), 1.0)];
    let sampling = Sampling { max_tokens: 12, ..Sampling::default() };
    let mut batch = ANCHOR.batch(BatchOptions::default());
    batch.set_deltas(&deltas).unwrap();
    let prompts: Vec<Vec<u32>> = TEXTS.iter().map(|text| ANCHOR.encode(text, false)).collect();
    let ids: Vec<_> = prompts.iter().map(|prompt| batch.add(prompt, &sampling, None).unwrap()).collect();
    assert!(batch.set_deltas(&[]).is_err(), "somebody is here");
    let mut texts = vec![String::new(); prompts.len()];
    while batch.step(&mut |id, event| {
        if let Event::Done(done) = event {
            texts[ids.iter().position(|other| *other == id).unwrap()] = done.text;
        }
        Flow::Continue
    }) > 0
    {}
    let mut plain = 0;
    for (prompt, text) in prompts.iter().zip(&texts) {
        let mut session = ANCHOR.session(256);
        plain += usize::from(session.generate(prompt, &sampling, &mut |_| Flow::Continue).unwrap().text == *text);
        session.set_deltas(&deltas).unwrap();
        assert_eq!(session.generate(prompt, &sampling, &mut |_| Flow::Continue).unwrap().text, *text);
    }
    assert!(plain < prompts.len(), "the delta says something");
}
