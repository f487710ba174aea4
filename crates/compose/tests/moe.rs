//! What we write as sparse models is what transformers reads (`make_moe_goldens.py`), and our decoder computes the same.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

#[path = "kit/experts.rs"]
mod experts;
mod kit;

use experts::{cases, gap, make, open, plain};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// Logits spread by about 1. The order of sums moves keys and values by less than is seen in a logit, but now and then to the
/// other side of a half float.
const TOLERANCE: f32 = 1e-3;
/// Rounding keys and values to half floats moves them up to this far, in transformers too.
const ROUNDED: f32 = 6e-3;

#[derive(Deserialize)]
struct Goldens {
    tokens: Vec<u32>,
    models: BTreeMap<String, Golden>,
}

#[derive(Deserialize)]
struct Golden {
    logits: BTreeMap<usize, Vec<f32>>,
    /// The same with keys and values rounded to half floats.
    rounded: BTreeMap<usize, Vec<f32>>,
}

#[test]
fn transformers_computes_the_same_with_what_we_write() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/experts.json");
    let goldens: Goldens = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let cases = cases();
    assert_eq!(cases.len(), goldens.models.len());
    for (name, models, recipe) in cases {
        let place = models.place(name);
        make(&recipe, &models.sources, &place, &plain(2)).unwrap();
        let (anchor, golden) = (open(&place), &goldens.models[name]);
        let (mut worst, mut unrounded) = (0.0f32, 0.0f32);
        for (at, expected) in &golden.rounded {
            let found = anchor.session(64).logits(&goldens.tokens[..=*at]).unwrap();
            worst = worst.max(gap(&found, expected));
            unrounded = unrounded.max(gap(&found, &golden.logits[at]));
        }
        println!("{name}: {worst:.1e}, with unrounded keys {unrounded:.1e}");
        assert!(worst < TOLERANCE && unrounded < ROUNDED, "{name}: {worst} and {unrounded}");
    }
}
