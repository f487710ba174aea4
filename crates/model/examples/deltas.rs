//! What deltas cost: writing with none, with one on every linear layer, with thirty-two loaded of which two are active.
//!
//! `cargo run --release -p hinet-model --example deltas -- MODEL.gguf [THREADS] [PAIRS]`
//!
//! Plain and changed runs take turns, every sample is printed, and the ratios are those of neighbours. Besides the clock
//! it reads the processor time of this process, which other programs on the machine disturb less.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

use hinet_model::{
    Anchor, Delta, FactorKind, LoadOptions, Resident, Session,
    delta::{Factors, Linear, Place},
};
use std::{path::PathBuf, time::Instant};

/// Tokens written in one run.
const TOKENS: usize = 48;

struct Noise(u64);

impl Noise {
    fn floats(&mut self, count: usize, amplitude: f32) -> Vec<f32> {
        let mut float = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * amplitude
        };
        (0..count).map(|_| float()).collect()
    }
}

fn delta(anchor: &Anchor, rank: usize, seed: u64, dora: bool) -> Delta {
    let (config, mut noise) = (anchor.config(), Noise(seed));
    let mut delta = Delta::new(Some(anchor.passport().clone()));
    for layer in 0..config.layers {
        for linear in Linear::ALL {
            let (outputs, inputs) = linear.shape(config);
            let (a, b) = (noise.floats(rank * inputs, 0.02), noise.floats(outputs * rank, 0.02));
            let magnitudes = dora.then(|| vec![1.0; outputs]);
            delta.insert(Place { layer, linear }, Factors { rank, a, b, alpha: 32.0, magnitudes }).unwrap();
        }
    }
    delta
}

/// Seconds of processor time this process has used, all threads together.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let own = |text: &str| text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0) / 1e9;
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let all: f64 =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok()).map(|t| own(&t)).sum();
    all.max(own(&stat))
}

/// Milliseconds per token, by the clock and by the processor.
fn write(session: &mut Session, tokens: &[u32], known: usize) -> (f64, f64) {
    session.logits(&tokens[..known]).unwrap();
    let (clock, work) = (Instant::now(), processor());
    for end in known + 1..=known + TOKENS {
        session.logits(&tokens[..end]).unwrap();
    }
    let count = TOKENS as f64 / 1e3;
    (clock.elapsed().as_secs_f64() / count, (processor() - work) / count)
}

fn median(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[(numbers.len() - 1) * quarter / 4])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = PathBuf::from(arguments.first().expect("give the path of a GGUF file"));
    let threads = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let pairs: usize = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(12);
    let anchor = Anchor::open(&path, LoadOptions { threads: Some(threads), kernel: None }).unwrap();
    println!("{} threads, {}", anchor.threads(), anchor.kernel().name());
    let tokens: Vec<u32> = (0..512u32).map(|i| (i * 7919 + 13) % 49_000).collect();

    let plans: Vec<Delta> = (0..32).map(|seed| delta(&anchor, 16, seed, false)).collect();
    let began = Instant::now();
    let halves: Vec<Resident> = plans.iter().map(|delta| anchor.attach(delta).unwrap()).collect();
    println!("attaching thirty-two of rank 16: {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    let eighths: Vec<Resident> = plans.iter().map(|delta| anchor.attach_as(delta, FactorKind::Int8).unwrap()).collect();
    let began = Instant::now();
    let dora = anchor.attach(&delta(&anchor, 16, 9, true)).unwrap();
    println!("attaching one with magnitudes: {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    println!("bytes: half floats {}, int8 {}", halves[0].bytes(), eighths[0].bytes());

    let mut session = anchor.session(512);
    let began = Instant::now();
    session.set_deltas(&[(halves[0].clone(), 1.0), (halves[1].clone(), 0.5)]).unwrap();
    println!("switching: {:.4} ms", began.elapsed().as_secs_f64() * 1e3);
    session.set_deltas(&[]).unwrap();

    let two = |all: &[Resident]| vec![(all[2].clone(), 0.6), (all[5].clone(), 0.4)];
    let sets: [(&str, Vec<(Resident, f32)>); 6] = [
        ("nothing", vec![]),
        ("one, half floats", vec![(halves[0].clone(), 1.0)]),
        ("one, int8", vec![(eighths[0].clone(), 1.0)]),
        ("two of thirty-two, half floats", two(&halves)),
        ("two of thirty-two, int8", two(&eighths)),
        ("one with magnitudes, half floats", vec![(dora, 1.0)]),
    ];
    let mut changed = anchor.session(512);
    for (name, set) in sets {
        changed.set_deltas(&set).unwrap();
        compare(name, (&mut session, &mut changed), &tokens, pairs);
    }
    session.set_deltas(&[(halves[0].clone(), 1.0)]).unwrap();
    changed.set_deltas(&two(&halves)).unwrap();
    compare("two of thirty-two against one, half floats", (&mut session, &mut changed), &tokens, pairs);
}

fn compare(name: &str, (session, changed): (&mut Session, &mut Session), tokens: &[u32], pairs: usize) {
    let (mut ratios, mut works, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..=pairs {
        // Whoever goes first takes turns, too.
        let (plain, with) = if pair % 2 == 0 {
            let plain = write(session, tokens, 64);
            (plain, write(changed, tokens, 64))
        } else {
            let with = write(changed, tokens, 64);
            (write(session, tokens, 64), with)
        };
        if pair > 0 {
            ratios.push(with.0 / plain.0);
            works.push(with.1 / plain.1);
            lines.push(format!("{:.2}/{:.2} ({:.2}/{:.2})", with.0, plain.0, with.1, plain.1));
        }
    }
    println!("{name}: ms/token with/without, processor time in brackets: {}", lines.join(", "));
    let ([low, middle, high], work) = (median(ratios), median(works));
    println!(
        "  {middle:.3} of the plain time [{low:.3} to {high:.3}], processor {:.3} [{:.3} to {:.3}]",
        work[1], work[0], work[2]
    );
}
