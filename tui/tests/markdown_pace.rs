//! How long laying out takes. Prints figures and judges nothing: `cargo test --release --test markdown_pace -- --ignored
//! --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

use hinet_tui::markdown::{Document, Wish};
use std::time::{Duration, Instant};

const WISH: Wish = Wish { columns: 100, breaks: true, mark: (0, 0) };

const RUNS: usize = 3;

/// An answer of very many tokens, four bytes each: paragraphs, lists, tables and code as models write them.
fn answer(tokens: usize) -> String {
    let part = "## Section\n\nSome words that *explain* the **matter** at length, with `code` and a mark.[1] Then more of \
                them, so that the paragraph takes a few lines.\n\n- first of the points\n- second, with a \
                [link](https://example.org)\n  - nested\n\n| a | b | c |\n|---|--:|---|\n| one | 2 | three |\n| four | 5 | six \
                |\n\n```rust\nfn f(x: u32) -> u32 {\n    x + 1 // comment\n}\n```\n\n";
    part.repeat(tokens * 4 / part.len() + 1)
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// The shortest of some runs of the same work: what others do on the machine at that moment does not count.
fn shortest(mut work: impl FnMut() -> Duration) -> Duration {
    (0..RUNS).map(|_| work()).min().unwrap()
}

fn stream(name: &str, text: &str) {
    let mut frames: Vec<Duration> = Vec::new();
    let mut lines = 0;
    for _ in 0..RUNS {
        let mut document = Document::default();
        let (mut end, mut frame) = (0, 0);
        while end < text.len() {
            end = (end + 16).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            let took = timed(|| document.set(&text[..end], WISH, false));
            match frames.get_mut(frame) {
                Some(best) => *best = took.min(*best),
                None => frames.push(took),
            }
            frame += 1;
        }
        lines = document.rows().len();
    }
    let whole = shortest(|| timed(|| Document::default().set(text, WISH, true)));
    frames.sort_unstable();
    let at = |share: usize| frames[(frames.len() - 1) * share / 1000];
    println!(
        "{name}: {} kB, {} frames, median {:?}, 99.9 % {:?}, worst {:?}; whole at once {whole:?}; {lines} lines",
        text.len() / 1000,
        frames.len(),
        at(500),
        at(999),
        at(1000),
    );
}

#[test]
#[ignore = "prints figures"]
fn streaming() {
    stream("mixed, 100,000 tokens", &answer(100_000));
    stream("one list", &"- an item of a list that goes on and on\n".repeat(10_000));
    stream("one block of code", &("```rust\n".to_owned() + &"    let x = some_function(1, 2, 3);\n".repeat(10_000)));
    stream("one paragraph", &"words that never end and have no line break ".repeat(9_000));
    stream("one table", &("| a | b |\n|---|---|\n".to_owned() + &"| some cell | another cell |\n".repeat(10_000)));
    stream("one line of Chinese", &"世界你好吗".repeat(20_000));
}

#[test]
#[ignore = "prints figures"]
fn hostile() {
    let texts = [
        ("10,000 nested quotations", "> ".repeat(10_000)),
        ("5,000 nested lists", "- ".repeat(5_000)),
        ("a line of 1 MB", "x".repeat(1_000_000)),
        ("a line of 1 MB in code", "```\n".to_owned() + &"x".repeat(1_000_000)),
        (
            "a table of 1,000 columns",
            format!("|{}\n|{}\n|{}\n", " a |".repeat(1000), "---|".repeat(1000), " b |".repeat(1000)),
        ),
        ("open brackets", "[".repeat(20_000)),
        ("emphasis", "**a_".repeat(5_000)),
        ("ticks", "`a``".repeat(5_000)),
        ("less-than signs", "<".repeat(20_000)),
        ("definitions", "[a]: b\n".repeat(5_000)),
        ("marks that join", "\u{301}".repeat(50_000)),
        ("line breaks", "\n".repeat(100_000)),
    ];
    for (name, text) in texts {
        let mut document = Document::default();
        let took = shortest(|| timed(|| document.set(&text, WISH, true)));
        println!("{name}: {took:?}, {} lines", document.rows().len());
    }
}
