//! Measures how writing slows down as the context grows, for half floats and for int8 keys and values.
//!
//! `cargo run --release -p hinet-model --example contexts -- MODEL.gguf [THREADS] [KERNEL] [REPEATS]`
//!
//! With one thread it measures processor time where the system tells it, so that other programs matter less.

use hinet_model::{Anchor, LoadOptions, SessionOptions, kernels::Kernel, kv::KvKind};
use std::{error::Error, path::Path, time::Instant};

/// Tokens written at each length.
const WRITTEN: usize = 16;

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Milliseconds since `began`, or of this thread's processor time since `cpu`.
fn passed(began: Instant, cpu: Option<f64>) -> f64 {
    match (cpu, processor_ms()) {
        (Some(before), Some(now)) => now - before,
        _ => began.elapsed().as_secs_f64() * 1e3,
    }
}

fn processor_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("which GGUF file?")?;
    let threads = arguments.get(1).and_then(|text| text.parse().ok());
    let kernel = arguments.get(2).and_then(|name| Kernel::ALL.into_iter().find(|kernel| kernel.name() == name));
    let repeats: usize = arguments.get(3).and_then(|text| text.parse().ok()).unwrap_or(9);
    let anchor = Anchor::open(Path::new(path), LoadOptions { threads, kernel })?;
    let alone = anchor.threads() == 1;
    println!(
        "{} threads, {}, {}",
        anchor.threads(),
        anchor.kernel().name(),
        if alone { "CPU time" } else { "wall time" }
    );

    let tokens: Vec<u32> = (0..2048u32).map(|i| (i * 7919 + 13) % 49_000).collect();
    for kind in [KvKind::F16, KvKind::Int8] {
        let mut sessions = Vec::new();
        for length in [64, 1900] {
            let mut session = anchor.session_with(SessionOptions { context: 2048, kv: kind, prefixes: None });
            let cpu = processor_ms().filter(|_| alone);
            let began = Instant::now();
            session.logits(&tokens[..length])?;
            println!("{}: read {length} in {:.0} ms", kind.name(), passed(began, cpu));
            sessions.push((length, session, Vec::new()));
        }
        let mut ratios = Vec::new();
        for _ in 0..repeats {
            for (length, session, samples) in &mut sessions {
                session.logits(&tokens[..*length])?;
                let cpu = processor_ms().filter(|_| alone);
                let began = Instant::now();
                for end in *length + 1..=*length + WRITTEN {
                    session.logits(&tokens[..end])?;
                }
                samples.push(passed(began, cpu) / WRITTEN as f64);
            }
            let last = |at: usize| sessions[at].2.last().copied().unwrap_or(f64::NAN);
            ratios.push(last(0) / last(1));
        }
        for (length, _, samples) in &mut sessions {
            println!("{}: at {length}: {samples:.2?} ms/token, median {:.2}", kind.name(), median(samples));
        }
        println!("{}: speed at 1900 over speed at 64: {ratios:.2?}, median {:.3}", kind.name(), median(&mut ratios));
    }
    Ok(())
}
