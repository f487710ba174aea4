//! Routers of made-up prompts.

use super::*;
use crate::{
    grams::Origin,
    tests::{families, tiny},
};
use hinet_model::{Delta, delta::Factors};

static GO: AtomicBool = AtomicBool::new(false);
const ONE: Whose = Whose::Member(Hash([1; 32]));
const TWO: Whose = Whose::Member(Hash([2; 32]));

/// Texts of few tokens, from `from` on.
fn prompts(from: u32, texts: u32) -> PublicPrompts {
    let text = |text: u32| (0..9).map(|at| from + (text * 7 + at * 5 + text * at * at) % 12).collect();
    PublicPrompts::new(&Origin::MadeUp(1), (0..texts).map(text).collect()).unwrap()
}

fn router(anchor: &Anchor, classifier: Classifier) -> PublicRouter {
    let mut router = PublicRouter::new(classifier);
    for (whose, from) in [(Whose::Anchor, 0), (ONE, 40), (TWO, 80)] {
        router.add(whose, anchor, &prompts(from, 12), &GO).unwrap();
    }
    router
}

#[test]
fn texts_of_different_words_are_told_apart() {
    let golden = families().remove("llama").unwrap();
    let anchor = tiny(&golden, 2);
    let experts = [Whose::Anchor, ONE, TWO];
    for classifier in [Classifier::Ridge, Classifier::Centroids] {
        let router = router(&anchor, classifier);
        for layer in 0..anchor.config().layers {
            let fitted = router.fit(layer, &experts).unwrap();
            assert_eq!(fitted.rows.len(), 3 * anchor.config().width);
            println!("{classifier:?} {layer}: {} right, {}, ridge {}", fitted.right, fitted.loss, fitted.ridge);
            // By chance a third would be right, at a loss of 1.1.
            assert!(
                fitted.right > 0.5 && fitted.loss < 1.0,
                "{classifier:?} {layer}: {} {}",
                fitted.right,
                fitted.loss
            );
            assert_eq!(router.rows(layer, &experts, anchor.config().width).unwrap(), fitted.rows);
        }
    }
}

#[test]
fn rows_depend_on_no_thread_and_on_nobody_who_has_left() {
    let golden = families().remove("llama").unwrap();
    let (one, two) = (tiny(&golden, 1), tiny(&golden, 3));
    let width = one.config().width;
    let (one, two) = (router(&one, Classifier::Ridge), router(&two, Classifier::Ridge));
    let mut fewer = PublicRouter::new(Classifier::Ridge);
    fewer.add(TWO, &tiny(&golden, 2), &prompts(80, 12), &GO).unwrap();
    fewer.add(Whose::Anchor, &tiny(&golden, 2), &prompts(0, 12), &GO).unwrap();
    for experts in [&[Whose::Anchor, ONE, TWO][..], &[ONE, TWO], &[TWO]] {
        assert_eq!(one.rows(1, experts, width).unwrap(), two.rows(1, experts, width).unwrap());
        assert_eq!(one.hash(experts), two.hash(experts));
    }
    let left = [Whose::Anchor, TWO];
    assert_eq!(one.rows(0, &left, width).unwrap(), fewer.rows(0, &left, width).unwrap());
    assert_eq!(one.hash(&left), fewer.hash(&left));
    assert_ne!(one.hash(&left), one.hash(&[ONE, TWO]));
    let centroids = router(&tiny(&golden, 1), Classifier::Centroids);
    assert_ne!(one.hash(&left), centroids.hash(&left));
}

#[test]
fn the_inputs_are_those_of_the_feed_forward_layers() {
    let golden = families().remove("llama").unwrap();
    let anchor = tiny(&golden, 2);
    let texts = prompts(20, 4);
    let mut router = PublicRouter::default();
    router.add(ONE, &anchor, &texts, &GO).unwrap();
    let mut grams = crate::grams::PublicGrams::new();
    grams.add(Whose::Anchor, &anchor, &texts, &GO).unwrap();
    let width = anchor.config().width;
    for layer in 0..anchor.config().layers {
        let name = format!("model.layers.{layer}.mlp.gate_proj.weight");
        let expected = hinet_compose::Grams::gram(&grams, Whose::Anchor, &name, width).unwrap().unwrap().0;
        let Inputs(halves) = &router.all[&ONE][layer];
        let rows: usize = halves.iter().map(|half| half.rows).sum();
        assert_eq!(rows, 4 * 8);
        let whole = halves.each_ref().map(|half| (half.gram.whole().0, half.scale * half.rows as f64 / rows as f64));
        let sum: Vec<f64> =
            (0..width * width).map(|at| whole.iter().map(|(gram, scale)| f64::from(gram[at]) * scale).sum()).collect();
        let mean = (0..width).map(|at| sum[at * width + at]).sum::<f64>() / width as f64;
        for (found, expected) in sum.iter().zip(&expected) {
            assert!((found / mean - f64::from(*expected)).abs() < 1e-4, "{layer}");
        }
    }
}

#[test]
fn little_text_is_enough_and_nonsense_is_refused() {
    let golden = families().remove("llama").unwrap();
    let anchor = tiny(&golden, 2);
    let width = anchor.config().width;
    let mut router = PublicRouter::default();
    let of = |texts: Vec<Vec<u32>>| PublicPrompts::new(&Origin::MadeUp(1), texts).unwrap();
    router.add(ONE, &anchor, &of(vec![vec![1, 2]]), &GO).unwrap();
    router.add(TWO, &anchor, &of(vec![vec![9, 8, 7, 6]]), &GO).unwrap();
    assert!(router.rows(0, &[ONE, TWO], width).unwrap().iter().all(|number| number.is_finite()));
    let says = |found: Result<Vec<f32>, ComposeError>, word: &str| {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    says(router.rows(0, &[Whose::Anchor, ONE], width), "add some for each");
    says(router.rows(99, &[ONE], width), "no such layer");
    says(router.rows(0, &[ONE], width + 1), "another width");
    says(router.rows(0, &[], width), "name its experts");
    let other = tiny(&families().remove("qwen3").unwrap(), 1);
    let error = router.add(Whose::Anchor, &other, &of(vec![vec![1, 2, 3]]), &GO).unwrap_err();
    assert!(error.to_string().contains("another anchor"), "{error}");
    let stopped = router.add(Whose::Anchor, &anchor, &of(vec![vec![1, 2]]), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(TrainError::Cancelled)));
}

#[test]
fn an_anchor_on_a_root_reads_with_it() {
    let golden = families().remove("llama").unwrap();
    let plain = tiny(&golden, 2);
    let width = plain.config().width;
    let rooted = |size: f32| {
        let mut root = Delta::default();
        let factors = Factors { rank: 1, a: vec![size; width], b: vec![1.0; width], alpha: 1.0, magnitudes: None };
        root.insert(Place { layer: 0, linear: Linear::Output }, factors).unwrap();
        plain.rooted(root).unwrap()
    };
    let rows = |anchor: &Anchor| {
        let router = router(anchor, Classifier::Ridge);
        (router.rows(0, &[ONE, TWO], width).unwrap(), router.hash(&[ONE, TWO]))
    };
    let (without, nothing, something) = (rows(&plain), rows(&rooted(0.0)), rows(&rooted(0.05)));
    assert!(without.0.iter().zip(&nothing.0).all(|(one, two)| (one - two).abs() < 1e-3 * one.abs().max(1.0)));
    assert_ne!(without.0, something.0);
    assert!(without.1 != nothing.1 && nothing.1 != something.1);
}
