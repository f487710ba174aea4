//! Seconds per step of LoRA and of full tuning: `speed lora|full|mlp|all THREADS STEPS [recompute] [compact]`, 4 x 128 tokens,
//! or as `EXAMPLES` and `TOKENS` say; the model is the default anchor or the one `ANCHOR` names, and `ADAPTER` a folder for
//! the factors before the first step.
#![allow(clippy::unwrap_used, reason = "a program for measuring may fail where it stands")]

#[path = "../../model/tests/common/mod.rs"]
mod common;

use hinet_model::{Anchor, LoadOptions, kernels::Kernel};
use hinet_train::{Example, Full, Lora, Method, Recipe, Schedule, Tuner};
use std::{path::Path, sync::atomic::AtomicBool};

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned()
}

/// Processor time of all threads, in seconds.
fn processor() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let threads = words[2].parse().unwrap();
    let options = LoadOptions { threads: Some(threads), kernel: Some(Kernel::best()) };
    let anchor = match std::env::var("ANCHOR") {
        Ok(path) => Anchor::open(Path::new(&path), options).unwrap(),
        Err(_) => common::anchor(threads, Kernel::best()),
    };
    let method = match words[1].as_str() {
        "lora" => Method::Lora(Lora::default()),
        "full" => Method::Full(Full::Linears),
        "mlp" => Method::Full(Full::Mlp),
        _ => Method::Full(Full::Everything),
    };
    let steps: u64 = words[3].parse().unwrap();
    let recompute = words.iter().any(|word| word == "recompute");
    let compact = words.iter().any(|word| word == "compact");
    let number = |name: &str, usual: usize| std::env::var(name).map_or(usual, |number| number.parse().unwrap());
    let recipe = Recipe {
        method,
        learning_rate: 1e-4,
        schedule: Schedule::Constant,
        warmup: 0,
        steps,
        batch: number("EXAMPLES", 4),
        weight_decay: 0.01,
        clip: None,
        recompute,
        compact,
        ..Recipe::default()
    };
    let estimate = recipe.memory(&anchor, 128, 4) >> 20;
    let (examples, long) = (number("EXAMPLES", 4), number("TOKENS", 128));
    let all = examples * long;
    let ids: Vec<u32> = (0..all as u32).map(|i| (i * 7919 + 13) % 49000).collect();
    let example = |at: usize| {
        let mut tokens = ids[at * long..(at + 1) * long].to_vec();
        tokens.push(ids[(at + 1) * long % all]);
        Example::whole(tokens)
    };
    let mut tuner = Tuner::new(&anchor, recipe, (0..examples).map(example).collect()).unwrap();
    println!("{} numbers change, {}, {estimate} MiB more are expected", tuner.numbers(), peak());
    if let Ok(folder) = std::env::var("ADAPTER") {
        tuner.delta().unwrap().save(Path::new(&folder)).unwrap();
    }
    for _ in 0..steps {
        let began = processor();
        let report = tuner.step(&AtomicBool::new(false)).unwrap();
        let (seconds, used) = (report.seconds, processor() - began);
        println!(
            "step {} loss {:.4} norm {:.4} {seconds:.3} s, {used:.3} s of processors, {}",
            report.step,
            report.loss,
            report.grad_norm,
            peak()
        );
    }
}
