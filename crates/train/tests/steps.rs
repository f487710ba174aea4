//! What a run of steps promises: the same bytes on any number of threads and across a checkpoint, the same function as what
//! serves, and nothing kept of a step that failed.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "../../model/tests/families/checkpoint.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod checkpoint;

use checkpoint::Golden;
use hinet_model::{Anchor, LoadOptions, delta::Linear, kernels::Kernel};
use hinet_train::{Example, Full, Lora, Method, Recipe, TrainError, Tuner};
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

static GO: AtomicBool = AtomicBool::new(false);
/// Keys and values are kept as half floats where it serves.
const ROUNDED: f32 = 6e-3;

fn tiny(golden: &Golden, threads: usize) -> Anchor {
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), safetensors::Dtype::F32, 1);
    Anchor::open(folder.path(), LoadOptions { threads: Some(threads), kernel: Some(Kernel::best()) }).unwrap()
}

/// All families, and whether they have mixtures.
fn families(mixtures: bool) -> BTreeMap<String, Golden> {
    let mut all = checkpoint::all();
    all.retain(|_, golden| tiny(golden, 1).config().plan.iter().any(|plan| plan.mixture) == mixtures);
    assert!(!all.is_empty());
    all
}

fn examples(golden: &Golden) -> Vec<Example> {
    let tokens = &golden.tokens;
    (0..5)
        .map(|at| Example::from(tokens[at..tokens.len() - 2 * at].to_vec(), 3 + at))
        .chain([Example::whole(tokens.clone())])
        .collect()
}

fn lora(magnitudes: bool) -> Method {
    Method::Lora(Lora { rank: 4, alpha: 8.0, magnitudes, ..Lora::default() })
}

fn recipe(method: Method) -> Recipe {
    Recipe { method, batch: 2, accumulate: 2, steps: 6, warmup: 1, learning_rate: 1e-2, seed: 7, ..Recipe::default() }
}

fn steps(tuner: &mut Tuner, count: usize) {
    for _ in 0..count {
        tuner.step(&GO).unwrap();
    }
}

fn saved(tuner: &Tuner) -> Vec<u8> {
    let mut bytes = Vec::new();
    tuner.save(&mut bytes).unwrap();
    bytes
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_tape_computes_what_serves_before_tuning_and_the_delta_what_it_computes_after() {
    for (family, golden) in families(false) {
        let anchor = tiny(&golden, 2);
        let tokens = &golden.tokens;
        for magnitudes in [false, true] {
            let mut tuner = Tuner::new(&anchor, recipe(lora(magnitudes)), examples(&golden)).unwrap();
            let compare = |tuner: &mut Tuner, deltas: bool| {
                let resident = anchor.attach(&tuner.delta().unwrap()).unwrap();
                let all = tuner.logits(&tokens[..tokens.len() - 1], &GO).unwrap();
                for at in [0, 9, tokens.len() - 2] {
                    let mut session = anchor.session(64);
                    if deltas {
                        session.set_deltas(&[(resident.clone(), 1.0)]).unwrap();
                    }
                    let served = session.logits(&tokens[..=at]).unwrap();
                    let off = difference(&all[at], &served);
                    assert!(off < ROUNDED, "{family}, lengths {magnitudes}, deltas {deltas}, at {at}: {off}");
                }
                all
            };
            let before = compare(&mut tuner, false);
            steps(&mut tuner, 3);
            let after = compare(&mut tuner, true);
            assert!(difference(&after[9], &before[9]) > 10.0 * ROUNDED, "{family}: something was learned");
        }
    }
}

#[test]
fn a_tuner_may_move_to_a_thread_of_its_own() {
    fn moves<T: Send>() {}
    moves::<Tuner>();
}

#[test]
fn a_gguf_file_and_a_checkpoint_learn_the_same() {
    let golden = families(false).remove("llama").unwrap();
    let options = LoadOptions { threads: Some(2), kernel: Some(Kernel::best()) };
    let file = hinet_model::gguf::Gguf::from_bytes(golden.gguf().unwrap()).unwrap();
    let (gguf, folder) = (Anchor::from_gguf(&file, options).unwrap(), tiny(&golden, 2));
    for method in [lora(false), lora(true)] {
        let tune = |anchor: &Anchor| {
            let mut tuner = Tuner::new(anchor, recipe(method.clone()), examples(&golden)).unwrap();
            steps(&mut tuner, 4);
            tuner.delta().unwrap()
        };
        for ((place, a), (_, b)) in tune(&gguf).iter().zip(tune(&folder).iter()) {
            let off = difference(&a.a, &b.a).max(difference(&a.b, &b.b));
            assert!(off < 2e-3, "{place:?}: {off}");
        }
    }
    let tune = |anchor: &Anchor| {
        let mut tuner = Tuner::new(anchor, recipe(Method::Full(Full::Everything)), examples(&golden)).unwrap();
        steps(&mut tuner, 2);
        tuner.differences().unwrap()
    };
    for (a, b) in tune(&gguf).iter().zip(&tune(&folder)) {
        assert_eq!((&a.name, &a.shape), (&b.name, &b.shape));
        let off: f32 =
            a.numbers.iter().zip(&b.numbers).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.numbers.len() as f32;
        assert!(off < 1e-3, "{}: {off}", a.name);
        assert_eq!(golden.tensors[&a.name], a.shape);
    }
}

#[test]
fn threads_and_checkpoints_change_no_byte() {
    for family in ["llama", "gemma2"] {
        let golden = families(false).remove(family).unwrap();
        for method in [lora(false), lora(true), Method::Full(Full::Mlp), Method::Full(Full::Everything)] {
            let tuner =
                |threads| Tuner::new(&tiny(&golden, threads), recipe(method.clone()), examples(&golden)).unwrap();
            let mut one = tuner(1);
            steps(&mut one, 2);
            let middle = saved(&one);
            steps(&mut one, 3);
            let end = saved(&one);
            for threads in [2, 3] {
                let mut several = tuner(threads);
                steps(&mut several, 5);
                assert!(saved(&several) == end, "{family}, {method:?}: {threads} threads");
            }
            let mut resumed = Tuner::resume(&tiny(&golden, 2), examples(&golden), &middle[..]).unwrap();
            assert_eq!(resumed.steps_done(), 2);
            assert!(saved(&resumed) == middle);
            steps(&mut resumed, 3);
            assert!(saved(&resumed) == end, "{family}, {method:?}: resumed");
        }
    }
}

#[test]
fn layers_that_are_computed_again_give_the_same_bytes() {
    let golden = families(false).remove("qwen3").unwrap();
    let anchor = tiny(&golden, 2);
    let run = |recompute| {
        let recipe = Recipe { recompute, ..recipe(lora(true)) };
        let mut tuner = Tuner::new(&anchor, recipe, examples(&golden)).unwrap();
        steps(&mut tuner, 4);
        tuner.delta().unwrap()
    };
    assert!(run(false) == run(true));
}

#[test]
fn what_is_kept_in_sixteen_bits_learns_about_the_same() {
    for (family, golden) in families(false) {
        let anchor = tiny(&golden, 2);
        let run = |compact, threads| {
            let recipe = Recipe { compact, ..recipe(Method::Full(Full::Everything)) };
            let anchor = if threads == 2 { anchor.clone() } else { tiny(&golden, threads) };
            let mut tuner = Tuner::new(&anchor, recipe, examples(&golden)).unwrap();
            let reports: Vec<_> = (0..4).map(|_| tuner.step(&GO).unwrap()).collect();
            (reports, tuner)
        };
        let ((exact, _), (compact, tuner)) = (run(false, 2), run(true, 2));
        for (a, b) in exact.iter().zip(&compact) {
            assert!((a.loss - b.loss).abs() < 5e-3 * a.loss, "{family}: {a:?} and {b:?}");
            assert!((a.grad_norm - b.grad_norm).abs() < 2e-2 * a.grad_norm, "{family}: {a:?} and {b:?}");
        }
        assert!(saved(&tuner) == saved(&run(true, 1).1), "{family}: threads");
    }
}

#[test]
fn every_factor_gets_a_gradient() {
    for (family, golden) in families(false) {
        let anchor = tiny(&golden, 2);
        let mut tuner = Tuner::new(&anchor, recipe(lora(true)), examples(&golden)).unwrap();
        let first = tuner.delta().unwrap();
        steps(&mut tuner, 1);
        let second = tuner.delta().unwrap();
        steps(&mut tuner, 1);
        let third = tuner.delta().unwrap();
        assert_eq!(first.iter().count(), 7 * anchor.config().layers, "{family}");
        for (((place, first), (_, second)), (_, third)) in first.iter().zip(second.iter()).zip(third.iter()) {
            // `B` begins at zero, so `A` changes from the second step on.
            assert!(
                first.b.iter().all(|b| *b == 0.0) && second.b.iter().all(|b| *b != 0.0),
                "{family}: B of {place:?}"
            );
            assert!(second.a.iter().zip(&third.a).all(|(a, b)| a != b), "{family}: A of {place:?}");
            assert!(first.magnitudes != second.magnitudes, "{family}: lengths of {place:?}");
        }
    }
}

#[test]
fn a_few_texts_are_learned_by_every_method() {
    let golden = families(false).remove("llama").unwrap();
    let anchor = tiny(&golden, 2);
    let methods = [
        (lora(false), 2e-2),
        (lora(true), 2e-2),
        (Method::Full(Full::Mlp), 5e-3),
        (Method::Full(Full::Linears), 5e-3),
        (Method::Full(Full::Everything), 5e-3),
    ];
    for (method, learning_rate) in methods {
        let examples: Vec<Example> =
            (0..3).map(|at| Example::from(golden.tokens[8 * at..8 * at + 8].to_vec(), 5)).collect();
        let recipe =
            Recipe { method: method.clone(), learning_rate, batch: 3, accumulate: 1, steps: 120, ..recipe(method) };
        let shown = recipe.method.clone();
        let mut tuner = Tuner::new(&anchor, recipe, examples.clone()).unwrap();
        steps(&mut tuner, 120);
        let loss = tuner.loss(&examples, &GO).unwrap();
        assert!(loss.iter().all(|loss| *loss < 0.05), "{shown:?}: {loss:?}");
    }
}

#[test]
fn a_step_that_diverges_or_is_stopped_leaves_nothing() {
    let golden = families(false).remove("llama").unwrap();
    let mut tuner = Tuner::new(&tiny(&golden, 2), recipe(lora(false)), examples(&golden)).unwrap();
    steps(&mut tuner, 1);
    let before = saved(&tuner);
    assert!(matches!(tuner.step(&AtomicBool::new(true)), Err(TrainError::Cancelled)));
    assert!(saved(&tuner) == before);
    let mut twin = Tuner::resume(&tiny(&golden, 1), examples(&golden), &before[..]).unwrap();
    steps(&mut tuner, 1);
    steps(&mut twin, 1);
    assert!(saved(&tuner) == saved(&twin), "the step after is the same");

    // Weights so large that the loss overflows.
    let wild =
        Recipe { learning_rate: 1.0, warmup: 0, steps: 200, clip: None, ..recipe(Method::Full(Full::Everything)) };
    let mut tuner = Tuner::new(&tiny(&golden, 2), wild, examples(&golden)).unwrap();
    let mut blown = tuner.save(std::io::sink()).map(|()| saved(&tuner)).unwrap();
    let Err(error) = (0..200).try_for_each(|_| {
        blown = saved(&tuner);
        tuner.step(&GO).map(drop)
    }) else {
        return;
    };
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    assert!(saved(&tuner) == blown, "the old numbers are there");
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let golden = families(false).remove("llama").unwrap();
    let other = families(false).remove("qwen3").unwrap();
    let anchor = tiny(&golden, 1);
    let mut tuner = Tuner::new(&anchor, recipe(lora(false)), examples(&golden)).unwrap();
    steps(&mut tuner, 1);
    let bytes = saved(&tuner);
    let refused = |anchor: &Anchor, examples: Vec<Example>, bytes: &[u8]| {
        Tuner::resume(anchor, examples, bytes).expect_err("it is refused").to_string()
    };
    for at in [0, 9, 13, 40, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        refused(&anchor, examples(&golden), &damaged);
        refused(&anchor, examples(&golden), &bytes[..at]);
    }
    assert!(refused(&tiny(&other, 1), examples(&golden), &bytes).contains("another"));
    assert!(refused(&anchor, examples(&golden)[1..].to_vec(), &bytes).contains("examples"));
}

#[test]
fn what_cannot_be_tuned_is_refused_with_a_sentence() {
    for (family, golden) in families(true) {
        let refused = Tuner::new(&tiny(&golden, 1), Recipe::default(), examples(&golden)).expect_err("a mixture");
        assert!(refused.to_string().contains("mixture"), "{family}: {refused}");
    }
    let golden = families(false).remove("llama").unwrap();
    let anchor = tiny(&golden, 1);
    let refused = |recipe: Recipe, examples: Vec<Example>| {
        Tuner::new(&anchor, recipe, examples).expect_err("it is refused").to_string()
    };
    assert!(refused(Recipe::default(), Vec::new()).contains("no examples"));
    let one = |tokens: Vec<u32>, learn: Vec<bool>| vec![Example { tokens, learn }];
    assert!(refused(Recipe::default(), one(vec![1, 2], vec![true])).contains("marks"));
    assert!(refused(Recipe::default(), one(vec![1, 2], vec![true, false])).contains("nothing to be learned"));
    assert!(refused(Recipe::default(), one(vec![1, u32::MAX], vec![true, true])).contains("vocabulary"));
    for wrong in [
        Recipe { learning_rate: f32::NAN, ..Recipe::default() },
        Recipe { batch: 0, ..Recipe::default() },
        Recipe { beta2: 1.0, ..Recipe::default() },
        Recipe { clip: Some(-1.0), ..Recipe::default() },
        Recipe { method: Method::Lora(Lora { rank: 0, ..Lora::default() }), ..Recipe::default() },
        Recipe { method: Method::Lora(Lora { linears: Vec::new(), ..Lora::default() }), ..Recipe::default() },
    ] {
        assert!(refused(wrong, examples(&golden)).contains("recipe"));
    }
}

#[test]
fn what_is_learned_on_a_root_is_only_what_is_new() {
    for (family, golden) in families(false) {
        let bare = tiny(&golden, 2);
        let tokens = &golden.tokens;
        let mut tuner = Tuner::new(&bare, recipe(lora(false)), examples(&golden)).unwrap();
        steps(&mut tuner, 3);
        let root = tuner.delta().unwrap();
        let anchor = bare.rooted(root.clone()).unwrap();
        // Another rank and scale, and only some of the layers that the root has.
        let linears = vec![Linear::Query, Linear::Down];
        let some = Method::Lora(Lora { rank: 3, alpha: 5.0, linears: linears.clone(), ..Lora::default() });
        let mut tuner = Tuner::new(&anchor, recipe(some.clone()), examples(&golden)).unwrap();
        let compare = |tuner: &mut Tuner, deltas: bool| {
            let all = tuner.logits(&tokens[..tokens.len() - 1], &GO).unwrap();
            let mut session = anchor.session(64);
            if deltas {
                session.set_deltas(&[(anchor.attach(&tuner.delta().unwrap()).unwrap(), 1.0)]).unwrap();
            }
            let off = difference(&all[9], &session.logits(&tokens[..=9]).unwrap());
            assert!(off < ROUNDED, "{family}, deltas {deltas}: {off}");
            all
        };
        let before = compare(&mut tuner, false);
        steps(&mut tuner, 2);
        let state = saved(&tuner);
        steps(&mut tuner, 2);
        let after = compare(&mut tuner, true);
        assert!(difference(&after[9], &before[9]) > 10.0 * ROUNDED, "{family}: something was learned");
        let delta = tuner.delta().unwrap();
        assert!(delta.iter().all(|(place, factors)| linears.contains(&place.linear) && factors.rank == 3));
        assert_eq!(delta.origin.as_ref().unwrap().root, Some(root.hash()));
        assert!(matches!(bare.attach(&delta), Err(hinet_model::ModelError::ForeignDelta { what: "root" })));

        let mut resumed = Tuner::resume(&anchor, examples(&golden), state.as_slice()).unwrap();
        steps(&mut resumed, 2);
        assert_eq!(saved(&resumed), saved(&tuner), "{family}");
        assert!(matches!(
            Tuner::resume(&bare, examples(&golden), state.as_slice()),
            Err(TrainError::Checkpoint { .. })
        ));
        let refused = [
            recipe(Method::Full(Full::Linears)),
            recipe(lora(true)),
            Recipe { weight_decay: 0.1, ..recipe(some.clone()) },
        ];
        for recipe in refused {
            assert!(matches!(Tuner::new(&anchor, recipe, examples(&golden)), Err(TrainError::Recipe { .. })));
        }
    }
}
