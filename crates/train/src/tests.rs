//! Gradients of whole models against differences, on tiny checkpoints of every family.

use crate::{Example, Full, Lora, Method, Recipe, Tuner, examples::Stream, model::Part};
use hinet_model::{Anchor, LoadOptions, kernels::Kernel};
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

#[path = "../../model/tests/families/checkpoint.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod checkpoint;

static GO: AtomicBool = AtomicBool::new(false);

/// A tiny checkpoint of random weights.
pub(crate) fn tiny(golden: &checkpoint::Golden, threads: usize) -> Anchor {
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), safetensors::Dtype::F32, 1);
    Anchor::open(folder.path(), LoadOptions { threads: Some(threads), kernel: Some(Kernel::best()) }).unwrap()
}

/// All families without mixtures.
pub(crate) fn families() -> BTreeMap<String, checkpoint::Golden> {
    let mut all = checkpoint::all();
    all.retain(|_, golden| !tiny(golden, 1).config().plan.iter().any(|plan| plan.mixture));
    assert!(all.len() >= 5, "several families have no mixtures");
    all
}

/// Three examples of different lengths, of which some tokens count.
pub(crate) fn examples(golden: &checkpoint::Golden) -> Vec<Example> {
    let tokens = &golden.tokens;
    let mut odd = Example::whole(tokens[3..25].to_vec());
    odd.learn.iter_mut().step_by(3).for_each(|learn| *learn = false);
    vec![Example::whole(tokens[..21].to_vec()), odd, Example::from(tokens[5..].to_vec(), 7)]
}

pub(crate) fn recipe(method: Method) -> Recipe {
    Recipe { method, batch: 3, steps: 10, warmup: 0, learning_rate: 1e-3, ..Recipe::default() }
}

fn lora(magnitudes: bool) -> Method {
    Method::Lora(Lora { rank: 4, alpha: 8.0, magnitudes, ..Lora::default() })
}

fn loss(tuner: &mut Tuner) -> f64 {
    let all = tuner.log_probs(&tuner.examples.clone(), &GO).unwrap();
    let (sum, count) = all.iter().flatten().fold((0.0, 0), |(sum, count), p| (sum - f64::from(*p), count + 1));
    sum / f64::from(count)
}

/// Compares the gradient of every piece with what the loss does along a direction.
fn check(name: &str, tuner: &mut Tuner) {
    tuner.gather(&[0, 1, 2], &GO).unwrap();
    let grads = tuner.grads.clone();
    let start = tuner.values.clone();
    let lengths = matches!(&tuner.recipe.method, Method::Lora(lora) if lora.magnitudes);
    for (index, piece) in tuner.model.pieces.clone().into_iter().enumerate() {
        // PEFT counts the lengths that are found as constants, which differences do not.
        if lengths && piece.part != Part::Lengths {
            continue;
        }
        let range = piece.at..piece.at + piece.count;
        let own = &grads[range.clone()];
        let norm = own.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        assert!(norm > 0.0, "{name}: {piece:?} gets no gradient");
        // Half along the gradient, half anywhere, so that the difference is well above the noise.
        let mut stream = Stream::new(index as u64, "direction");
        let noise: Vec<f64> = own.iter().map(|_| f64::from(stream.unit())).collect();
        let size = noise.iter().map(|n| n * n).sum::<f64>().sqrt();
        // Ranks that are filled up stay what they are.
        let direction: Vec<f64> = own
            .iter()
            .zip(&noise)
            .map(|(g, n)| if *g == 0.0 { 0.0 } else { f64::from(*g) / norm + 0.5 * n / size })
            .collect();
        let expected: f64 = own.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
        let step = 2e-2;
        let mut at = |far: f64| {
            for ((value, start), d) in tuner.values[range.clone()].iter_mut().zip(&start[range.clone()]).zip(&direction)
            {
                *value = (f64::from(*start) + far * d) as f32;
            }
            let loss = loss(tuner);
            tuner.values[range.clone()].copy_from_slice(&start[range.clone()]);
            loss
        };
        let (one, two) = ((at(step) - at(-step)) / (2.0 * step), (at(2.0 * step) - at(-2.0 * step)) / (4.0 * step));
        let found = (4.0 * one - two) / 3.0;
        let off = (found - expected).abs() / (expected.abs() + 1e-4);
        assert!(off < 0.01, "{name}: {piece:?}: {found} by differences, {expected} by the way back");
    }
}

#[test]
fn every_number_of_every_family_has_the_gradient_that_differences_show() {
    for (family, golden) in families() {
        let anchor = tiny(&golden, 2);
        let mut tuner = Tuner::new(&anchor, recipe(Method::Full(Full::Everything)), examples(&golden)).unwrap();
        check(&family, &mut tuner);
    }
}

#[test]
fn every_factor_has_the_gradient_that_differences_show() {
    for (family, golden) in families() {
        let anchor = tiny(&golden, 2);
        for magnitudes in [false, true] {
            let mut tuner = Tuner::new(&anchor, recipe(lora(magnitudes)), examples(&golden)).unwrap();
            // After a step `B` is no longer zero, so that `A` counts too.
            tuner.step(&GO).unwrap();
            check(&format!("{family}, lengths {magnitudes}"), &mut tuner);
        }
    }
}

#[test]
fn numbers_that_are_none_stop_a_step() {
    let golden = families().remove("llama").unwrap();
    let mut tuner = Tuner::new(&tiny(&golden, 2), recipe(lora(false)), examples(&golden)).unwrap();
    tuner.step(&GO).unwrap();
    tuner.values[5] = f32::NAN;
    let mut before = Vec::new();
    tuner.save(&mut before).unwrap();
    let error = tuner.step(&GO).expect_err("it is refused").to_string();
    assert!(error.contains("of step 2") && error.contains("learning rate"), "{error}");
    let mut after = Vec::new();
    tuner.save(&mut after).unwrap();
    assert!(after == before, "the old state is intact");
}

#[test]
fn the_memory_is_about_what_is_said() {
    let golden = families().remove("llama").unwrap();
    let anchor = tiny(&golden, 1);
    for method in [lora(true), Method::Full(Full::Mlp), Method::Full(Full::Linears), Method::Full(Full::Everything)] {
        let recipe = recipe(method);
        let tuner = Tuner::new(&anchor, recipe.clone(), examples(&golden)).unwrap();
        let (said, found) = (recipe.numbers(anchor.config()) as f64, tuner.numbers() as f64);
        assert!((said / found - 1.0).abs() < 0.35, "{said} numbers instead of {found}");
        let (short, long) = (recipe.memory(anchor.config(), 8, 2), recipe.memory(anchor.config(), 64, 2));
        assert!(short >= 14 * recipe.numbers(anchor.config()) && long > short);
    }
}
