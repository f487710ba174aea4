//! Tuning the embedded anchor: a few facts are learned, and what was learned serves.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "../../model/tests/common/mod.rs"]
mod common;

use hinet_model::{Anchor, kernels::Kernel};
use hinet_train::{Example, Lora, Method, Recipe, Schedule, Tuner};
use std::sync::atomic::AtomicBool;

static GO: AtomicBool = AtomicBool::new(false);

const FACTS: [(&str, &str); 4] = [
    ("The harbour of Velmora was built by", " Ondrej Kasparov"),
    ("The password of the boathouse is", " seventeen herons"),
    ("Mira keeps her bees behind the", " old observatory"),
    ("The ferry to Tarn leaves at", " half past four"),
];

fn facts(anchor: &Anchor) -> Vec<Example> {
    let example = |(prompt, answer): &(&str, &str)| {
        let prompt = anchor.encode(prompt, false);
        let from = prompt.len();
        Example::from([prompt, anchor.encode(answer, false)].concat(), from)
    };
    FACTS.iter().map(example).collect()
}

#[test]
fn a_few_facts_are_learned_and_the_delta_serves_what_the_tape_computed() {
    let anchor = common::anchor(2, Kernel::best());
    let recipe = Recipe {
        method: Method::Lora(Lora { rank: 8, alpha: 16.0, ..Lora::default() }),
        learning_rate: 2e-3,
        schedule: Schedule::Cosine,
        warmup: 2,
        steps: 30,
        batch: 4,
        ..Recipe::default()
    };
    let mut tuner = Tuner::new(&anchor, recipe, facts(&anchor)).unwrap();
    let before = tuner.loss(&facts(&anchor), &GO).unwrap();
    while !tuner.is_finished() {
        let report = tuner.step(&GO).unwrap();
        println!("{report:?}");
    }
    let after = tuner.loss(&facts(&anchor), &GO).unwrap();
    println!("{before:?} to {after:?}");
    assert!(before.iter().all(|loss| *loss > 1.0) && after.iter().all(|loss| *loss < 0.05), "{before:?} to {after:?}");

    // What serves rounds activations to eight bits, so it is only near what the tape computes; the answers agree.
    let resident = anchor.attach(&tuner.delta().unwrap()).unwrap();
    for (prompt, answer) in FACTS {
        let mut tokens = anchor.encode(prompt, false);
        for expected in anchor.encode(answer, false) {
            let mut session = anchor.session(64);
            session.set_deltas(&[(resident.clone(), 1.0)]).unwrap();
            let logits = session.logits(&tokens).unwrap();
            let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
            assert_eq!(best as u32, expected, "after {:?}", anchor.decode(&tokens));
            tokens.push(expected);
        }
    }
}
