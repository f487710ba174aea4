//! How many passages an anchor reads: `cargo run --release -p hinet-model --example reading -- MODEL.gguf`.
//!
//! How many tokens it should guess ahead while it answers from a passage is measured too, in turns on the same prompts.
//!
//! Twenty questions, each asked with its passage among 0 to 4 passages of the other questions, in a fixed order, greedy.
//! What the registry says under `passages` comes from this.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

use std::path::PathBuf;

use hinet_model::{Anchor, Flow, LoadOptions, Sampling, Turn};

#[allow(dead_code)]
#[path = "../../../tests/support/corpus.rs"]
mod corpus;

/// The corpus writes PDF and Word files where it is a folder; here only its words are used.
mod office {
    pub fn pdf(_: &str, _: &str) -> Vec<u8> {
        Vec::new()
    }
    pub fn docx(_: &str, _: &str) -> Vec<u8> {
        Vec::new()
    }
}

/// Tokens guessed ahead at most in one step.
const GUESSES: [usize; 4] = [0, 2, 4, 8];

fn main() {
    let path = PathBuf::from(std::env::args().nth(1).expect("give the path of a GGUF file"));
    let anchor = Anchor::open(&path, LoadOptions::default()).unwrap();
    let mut session = anchor.session(2048);
    let system =
        "You are icore, a careful assistant on Maya's own machine. You answer briefly and only say what you know.";
    let sampling = Sampling { max_tokens: 60, stop: vec!["\n".into()], ..Sampling::default() };
    for width in [1, 2, 3, 5] {
        let mut right = 0;
        let mut paces = GUESSES.map(|most| (most, 0.0, 0, [0, 0]));
        for (n, fact) in corpus::FACTS.iter().enumerate() {
            let mut passages = String::new();
            for k in 0..width {
                // The right passage takes every place in turn.
                let other = if k == n % width { fact } else { &corpus::FACTS[(n + 7 * (k + 1)) % corpus::FACTS.len()] };
                passages.push_str(&format!("{}:\n{}\n\n", other.title, other.text));
            }
            let user = format!(
                "{passages}Answer in one short sentence, using only the text above.\nQuestion: {}",
                fact.question
            );
            let turns = [Turn { role: "system", content: system }, Turn { role: "user", content: &user }];
            let prompt = anchor.encode(&anchor.render(&turns, true).unwrap(), true);
            let said = session.generate(&prompt, &sampling, &mut |_| Flow::Continue).unwrap();
            right += usize::from(corpus::holds(&said.text, fact.expected));
            for (most, ms, tokens, guesses) in &mut paces {
                let sampling = Sampling { drafts: *most, ..sampling.clone() };
                let again = session.generate(&prompt, &sampling, &mut |_| Flow::Continue).unwrap();
                assert_eq!(again.text, said.text, "guesses change no answer");
                *ms += again.decode_ms;
                *tokens += again.generated;
                *guesses = [guesses[0] + again.drafted, guesses[1] + again.accepted];
            }
        }
        println!("{width} passages: {right} of {} answers hold the expected words", corpus::FACTS.len());
        for (most, ms, tokens, [made, right]) in paces {
            let each = ms / tokens as f64;
            println!("  up to {most} guesses: {each:.2} ms a token of {tokens}, {right} of {made} guesses came true");
        }
    }
}
