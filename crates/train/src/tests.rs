//! Gradients of whole models against differences, on tiny checkpoints of every family.

use crate::{Example, Full, Lesson, Lora, Method, Recipe, Soft, TrainError, Tuner, examples::Stream, model::Part};
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
    let all = tuner.divergences(&tuner.lessons.clone(), &GO).unwrap();
    let (sum, count) = all.iter().flatten().fold((0.0, 0), |(sum, count), loss| (sum + f64::from(*loss), count + 1));
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
        let (short, long) = (recipe.memory(&anchor, 8, 2), recipe.memory(&anchor, 64, 2));
        assert!(short >= 14 * recipe.numbers(anchor.config()) && long > short);
    }
}

#[test]
fn what_lies_under_the_new_numbers_takes_memory_too() {
    let golden = families().remove("llama").unwrap();
    let bare = tiny(&golden, 1);
    let recipe = recipe(lora(false));
    let alone = Tuner::new(&bare, recipe.clone(), examples(&golden)).unwrap();
    let anchor = bare.rooted(alone.delta().unwrap()).unwrap();
    let on_root = Tuner::new(&anchor, recipe.clone(), examples(&golden)).unwrap();
    let more = (on_root.numbers() - alone.numbers()) as u64;
    let (without, with) = (recipe.memory(&bare, 8, 2), recipe.memory(&anchor, 8, 2));
    assert!(more > 0 && with >= without + 14 * more, "{with} and not {without} for {more} numbers more");
    assert!(with < without + 28 * more, "the root's factors are counted once");
}

/// Lessons of a teacher who knows some tokens: of one more than of the other, and of the last nothing about the rest.
fn lessons(golden: &checkpoint::Golden, vocabulary: usize) -> Vec<Lesson> {
    let teach = |mut lesson: Lesson| {
        let mut stream = Stream::new(lesson.example.tokens.len() as u64, "teacher");
        let count = lesson.example.targets().count();
        for at in 0..count {
            let mut tokens: Vec<u32> = (0..6).map(|_| (stream.next() % vocabulary as u64) as u32).collect();
            tokens.sort_unstable();
            tokens.dedup();
            let mut probabilities: Vec<f32> = tokens.iter().map(|_| stream.unit() + 1.1).collect();
            let sum: f32 = probabilities.iter().sum();
            let known = if at % 3 == 0 { 1.0 } else { 0.8 };
            probabilities.iter_mut().for_each(|p| *p *= known / sum);
            lesson.teacher.push(Soft { tokens, probabilities });
        }
        lesson
    };
    let mut lessons: Vec<Lesson> = examples(golden).into_iter().map(Lesson::from).collect();
    // Those without a teacher learn their tokens.
    let taught: Vec<Lesson> = lessons.drain(..2).map(teach).collect();
    taught.into_iter().chain(lessons).collect()
}

#[test]
fn what_a_teacher_says_has_the_gradient_that_differences_show() {
    for (family, golden) in families() {
        let anchor = tiny(&golden, 2);
        let lessons = lessons(&golden, anchor.config().vocabulary);
        for method in [Method::Full(Full::Everything), lora(false)] {
            let mut tuner = Tuner::new(&anchor, recipe(method), lessons.clone()).unwrap();
            tuner.step(&GO).unwrap();
            check(&format!("{family}, taught"), &mut tuner);
        }
    }
}

#[test]
fn a_student_becomes_like_its_teacher_and_its_checkpoints_know_the_lessons() {
    let golden = families().remove("llama").unwrap();
    let anchor = tiny(&golden, 2);
    let all = lessons(&golden, anchor.config().vocabulary)[..2].to_vec();
    let recipe = Recipe { steps: 200, learning_rate: 5e-3, batch: 2, ..recipe(Method::Full(Full::Everything)) };
    let mut tuner = Tuner::new(&anchor, recipe, all.clone()).unwrap();
    let before = loss(&mut tuner);
    let mut middle = Vec::new();
    for step in 0..200 {
        tuner.step(&GO).unwrap();
        if step == 2 {
            tuner.save(&mut middle).unwrap();
        }
    }
    let after = loss(&mut tuner);
    assert!(before > 1.0 && after < 0.05 && after > -1e-5, "{before} to {after}");

    assert_eq!(Tuner::resume(&anchor, all.clone(), &middle[..]).unwrap().steps_done(), 3);
    let mut others = all.clone();
    others[1].teacher[0].probabilities[0] *= 0.99;
    let plain: Vec<Lesson> = all.iter().map(|lesson| lesson.example.clone().into()).collect();
    for other in [others, plain] {
        let refused = Tuner::resume(&anchor, other, &middle[..]).expect_err("it is refused").to_string();
        assert!(refused.contains("examples"), "{refused}");
    }
}

#[test]
fn teachers_that_make_no_sense_are_refused() {
    let golden = families().remove("llama").unwrap();
    let anchor = tiny(&golden, 1);
    let vocabulary = anchor.config().vocabulary;
    let refused = |change: &dyn Fn(&mut Vec<Soft>)| {
        let mut all = lessons(&golden, vocabulary);
        change(&mut all[0].teacher);
        let error = Tuner::new(&anchor, recipe(lora(false)), all).expect_err("it is refused");
        assert!(matches!(error, TrainError::Example { index: 0, .. }), "{error}");
    };
    refused(&|teacher| drop(teacher.pop()));
    refused(&|teacher| teacher[0].tokens[0] = u32::MAX);
    refused(&|teacher| teacher[1].tokens[0] = teacher[1].tokens[1]);
    refused(&|teacher| teacher[1].probabilities[0] = f32::NAN);
    refused(&|teacher| teacher[1].probabilities[0] = 1.0);
    refused(&|teacher| teacher[1] = Soft::default());
}
