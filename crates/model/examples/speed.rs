//! Measures a GGUF model: loading, reading 512 tokens, writing 128, and a greedy answer to look at.
//!
//! `cargo run --release -p hinet-model --example speed -- MODEL.gguf [THREADS] [KERNEL] [REPEATS]`

use hinet_model::{Anchor, Flow, LoadOptions, Sampling, Turn, kernels::Kernel};
use std::{error::Error, path::Path, time::Instant};

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("which GGUF file?")?;
    let threads = arguments.get(1).and_then(|text| text.parse().ok());
    let kernel = arguments.get(2).and_then(|name| Kernel::ALL.into_iter().find(|kernel| kernel.name() == name));
    let repeats: usize = arguments.get(3).and_then(|text| text.parse().ok()).unwrap_or(5);
    let began = Instant::now();
    let anchor = Anchor::open(Path::new(path), LoadOptions { threads, kernel })?;
    println!(
        "loaded in {:.0} ms: {} threads, {}",
        began.elapsed().as_secs_f64() * 1e3,
        anchor.threads(),
        anchor.kernel().name()
    );

    let mut session = anchor.session(1024);
    let tokens: Vec<u32> = (0..512u32).map(|i| (i * 7919 + 13) % 49_000).collect();
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for _ in 0..=repeats {
        session.clear();
        let began = Instant::now();
        session.logits(&tokens)?;
        reads.push(512.0 / began.elapsed().as_secs_f64());
        session.clear();
        session.logits(&tokens[..1])?;
        let began = Instant::now();
        for end in 2..=129 {
            session.logits(&tokens[..end])?;
        }
        writes.push(began.elapsed().as_secs_f64() * 1e3 / 128.0);
    }
    println!("read 512: {reads:.0?} tok/s, median {:.0}", median(&mut reads[1..]));
    println!("write 128: {writes:.2?} ms/token, median {:.2}", median(&mut writes[1..]));

    let turns = [Turn { role: "user", content: "What is the capital of France? Answer in one sentence." }];
    let prompt = anchor.encode(&anchor.render(&turns, true)?, true);
    let sampling = Sampling { max_tokens: 60, ..Sampling::default() };
    let answer = session.generate(&prompt, &sampling, &mut |_| Flow::Continue)?;
    println!("{answer:?}");
    Ok(())
}
