//! Makes a sparse model of an anchor in a GGUF file and two members that differ from it by small random deltas, and says how
//! large it is and what it computes: `cargo run --release -p hinet-train --example sparse -- ANCHOR.gguf OUT`.
//!
//! `OUT` gets the model in `moe`, and in `logits.json` some tokens and the logits after the last of them: by the routers, and
//! with each expert alone.
#![allow(clippy::cast_precision_loss, reason = "sizes are printed")]

use hinet_compose::{
    Adapted, Experts, Float, GgufFile, Options, Progress, Shared, Source, Whose, compose_experts, experts_to_gguf,
    gather,
};
use hinet_model::{
    Anchor, Config, Delta, LoadOptions,
    delta::{Factors, Linear, Place},
    gguf::Gguf,
};
use hinet_train::{
    grams::{Origin, PublicPrompts},
    router::{Classifier, PublicRouter},
};
use std::{error::Error, fs, ops::ControlFlow, path::Path, sync::Arc, sync::atomic::AtomicBool, time::Instant};

const ASKED: &str = "The capital of Austria is Vienna, and seven times eight is";

/// Numbers that look random, within `size` of zero.
fn noise(seed: u64, count: usize, size: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / 8_388_608.0 - 1.0) * size
    };
    (0..count).map(|_| next()).collect()
}

fn delta(config: &Config, seed: u64) -> Result<Delta, Box<dyn Error>> {
    let mut delta = Delta::default();
    for layer in 0..config.layers {
        for (at, linear) in Linear::ALL.into_iter().enumerate() {
            let (outputs, inputs) = linear.shape(config);
            let seed = seed * 100_003 + (layer * 8 + at) as u64;
            let (a, b) = (noise(seed, 4 * inputs, 0.05), noise(seed + 7, 4 * outputs, 0.05));
            delta.insert(Place { layer, linear }, Factors { rank: 4, a, b, alpha: 8.0, magnitudes: None })?;
        }
    }
    Ok(delta)
}

fn prompts(anchor: &Anchor, line: impl Fn(u64) -> String) -> Result<PublicPrompts, Box<dyn Error>> {
    Ok(PublicPrompts::new(&Origin::MadeUp(1), (0..24).map(|at| anchor.encode(&line(at), false)).collect())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, out] = arguments.as_slice() else { return Err("name a GGUF file and a folder to write".into()) };
    let (file, out) = (Path::new(file), Path::new(out));
    let (anchor, base) = (Anchor::open(file, LoadOptions::default())?, Arc::new(GgufFile::open(file)?));
    let mut all: Vec<Arc<dyn Source>> = vec![base.clone()];
    for seed in 1..3 {
        all.push(Arc::new(Adapted::new(base.clone(), delta(anchor.config(), seed)?, format!("delta-{seed}").into())?));
    }
    let hashes = all.iter().map(|source| source.hash()).collect::<Result<Vec<_>, _>>()?;
    let recipe = Experts { attention: Shared::Average, ..Experts::new(hashes[0], hashes[1..].iter().copied()) };
    let (go, start) = (AtomicBool::new(false), Instant::now());
    let mut router = PublicRouter::new(Classifier::Ridge);
    let things = ["river", "garden", "letter", "window", "engine", "forest", "bakery", "lantern"];
    let thing = |at: u64| things[at as usize % things.len()];
    let sums = prompts(&anchor, |at| format!("Question: what is {at} plus {}? Answer: it is {}.", at * 3, at * 4))?;
    let tales =
        prompts(&anchor, |at| format!("Once upon a time a {} met a {} by the sea.", thing(at), thing(at / 8 + 3)))?;
    let plain = prompts(&anchor, |at| format!("The {} is described in section {at} of the report.", thing(at)))?;
    router.add(Whose::Anchor, &anchor, &plain, &go)?;
    router.add(Whose::Member(hashes[1]), &anchor, &sums, &go)?;
    router.add(Whose::Member(hashes[2]), &anchor, &tales, &go)?;
    println!("prompts read in {:.1} s", start.elapsed().as_secs_f64());
    for layer in [0, anchor.config().layers / 2, anchor.config().layers - 1] {
        let fitted = router.fit(layer, &recipe.experts())?;
        println!("layer {layer}: {:.3} right, loss {:.3}, ridge {}", fitted.right, fitted.loss, fitted.ridge);
    }
    let (place, start) = (out.join("moe"), Instant::now());
    fs::create_dir_all(out)?;
    let sources = gather(all)?;
    let on = &mut |_: Progress<'_>| ControlFlow::Continue(());
    let made = compose_experts(&recipe, &sources, &router, &place, &Options::default(), on)?;
    println!("{} tensors, {} bytes in {:.1} s", made.tensors, made.bytes, start.elapsed().as_secs_f64());
    let numbers = |source: &dyn Source| source.tensors().values().map(hinet_compose::Info::numbers).sum::<usize>();
    let sparse = hinet_compose::Checkpoint::open(&place)?;
    let gguf = out.join("moe.gguf");
    let mut writer = std::io::BufWriter::new(fs::File::create(&gguf)?);
    experts_to_gguf(&place, &Gguf::open(file)?, Float::F32, &mut writer)?;
    drop(writer);
    println!("the anchor has {} numbers, the sparse model {}", numbers(base.as_ref()), numbers(&sparse));
    let sparse = Anchor::open(&place, LoadOptions::default())?;
    let tokens = sparse.encode(ASKED, false);
    if tokens != anchor.encode(ASKED, false) {
        return Err("the tokenizer that was written gives other tokens".into());
    }
    let mut session = sparse.session(256);
    let mut found = vec![session.logits(&tokens)?];
    for expert in 0..3 {
        let weights: Vec<f32> = (0..3).map(|other| f32::from(u8::from(other == expert))).collect();
        session.set_experts(Some(&weights))?;
        found.push(session.logits(&tokens)?);
    }
    let file = Anchor::open(&gguf, LoadOptions::default())?;
    let gap = file.session(256).logits(&tokens)?.iter().zip(&found[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("logits of the GGUF file differ by at most {gap}");
    let json = serde_json::json!({ "text": ASKED, "tokens": tokens, "logits": found });
    Ok(fs::write(out.join("logits.json"), json.to_string())?)
}
