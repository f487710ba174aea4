//! Every family against transformers in float32 (`golden/families.py`): from folders of Hugging Face's and from GGUF
//! files, read at once and token by token, on any number of threads and every kernel.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "families/checkpoint.rs"]
mod checkpoint;

use checkpoint::Golden;
use hinet_model::{Anchor, LoadOptions, gguf::Gguf, kernels::Kernel};
use safetensors::Dtype;

/// Logits spread by about 1. The order of sums moves keys and values by less than is seen in a logit, but now and then
/// to the other side of a half float.
const TOLERANCE: f32 = 1e-3;
/// Rounding keys and values to half floats moves them up to this far, in transformers too.
const ROUNDED: f32 = 4e-3;

fn folder(golden: &Golden, dtype: Dtype, shards: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), dtype, shards);
    folder
}

fn options(threads: usize, kernel: Kernel) -> LoadOptions {
    LoadOptions { threads: Some(threads), kernel: Some(kernel) }
}

fn open(golden: &Golden) -> Anchor {
    Anchor::open(folder(golden, Dtype::F32, 1).path(), options(2, Kernel::best())).unwrap()
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The largest difference from transformers' logits at any of its positions, reading each prompt anew; its keys and
/// values are rounded as ours are.
fn worst(anchor: &Anchor, golden: &Golden) -> f32 {
    let found = |at: usize| anchor.session(64).logits(&golden.tokens[..=at]).unwrap();
    golden.rounded.iter().map(|(at, expected)| difference(&found(*at), expected)).fold(0.0, f32::max)
}

#[test]
fn every_family_computes_what_transformers_does() {
    for (family, golden) in checkpoint::all() {
        let anchor = open(&golden);
        let whole = worst(&anchor, &golden);
        let mut session = anchor.session(64);
        let (mut one_by_one, mut unrounded) = (0.0f32, 0.0f32);
        for at in 0..golden.tokens.len() {
            let found = session.logits(&golden.tokens[..=at]).unwrap();
            if let Some(expected) = golden.rounded.get(&at) {
                one_by_one = one_by_one.max(difference(&found, expected));
                unrounded = unrounded.max(difference(&found, &golden.logits[&at]));
            }
        }
        println!("{family}: {whole:.1e}, token by token {one_by_one:.1e}, with unrounded keys {unrounded:.1e}");
        assert!(whole < TOLERANCE && one_by_one < TOLERANCE, "{family}: {whole} and {one_by_one}");
        assert!(unrounded < ROUNDED, "{family}: {unrounded}");
    }
}

#[test]
fn shards_and_half_floats_give_the_same_model() {
    for (family, golden) in checkpoint::all() {
        for (dtype, shards) in [(Dtype::F32, 3), (Dtype::BF16, 1), (Dtype::F16, 2)] {
            let folder = folder(&golden, dtype, shards);
            let anchor = Anchor::open(folder.path(), options(2, Kernel::best())).unwrap();
            let worst = worst(&anchor, &golden);
            assert!(worst < TOLERANCE, "{family} as {dtype:?} in {shards} files: {worst}");
        }
    }
}

#[test]
fn a_gguf_file_gives_the_same_model() {
    for (family, golden) in checkpoint::all() {
        let Some(bytes) = golden.gguf() else { continue };
        let file = Gguf::from_bytes(bytes).unwrap();
        let anchor = Anchor::from_gguf(&file, options(2, Kernel::best())).unwrap();
        let worst = worst(&anchor, &golden);
        println!("{family}: differs by at most {worst:.1e}");
        assert!(worst < TOLERANCE, "{family}: {worst}");
        let (ours, theirs) = (anchor.config().clone(), open(&golden).config().clone());
        assert_eq!(ours.family == theirs.family, family != "mistral" || ours.family == theirs.family, "{family}");
        assert_eq!((ours.plan, ours.mixture), (theirs.plan, theirs.mixture), "{family}");
        assert!((ours.attention_scale - theirs.attention_scale).abs() < 1e-6, "{family}");
    }
}

#[test]
fn threads_and_cuts_change_no_bit() {
    for (family, golden) in checkpoint::all() {
        let folder = folder(&golden, Dtype::F32, 1);
        let anchor = |threads| Anchor::open(folder.path(), options(threads, Kernel::best())).unwrap();
        let tokens = &golden.tokens;
        let whole = anchor(1).session(64).logits(tokens).unwrap();
        let several = anchor(3);
        assert_eq!(several.session(50).logits(tokens).unwrap(), whole, "{family}: three threads");
        for cuts in [&[1, 2, 3][..], &[17], &[7, 8, 9, 24, 33]] {
            let mut session = several.session(64);
            for &cut in cuts {
                session.logits(&tokens[..cut]).unwrap();
            }
            assert_eq!(session.logits(tokens).unwrap(), whole, "{family}: cut at {cuts:?}");
        }
    }
}

#[test]
fn every_kernel_computes_the_same_function() {
    for (family, golden) in checkpoint::all() {
        let folder = folder(&golden, Dtype::F32, 1);
        for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.runs_here()) {
            let anchor = Anchor::open(folder.path(), options(2, kernel)).unwrap();
            let worst = worst(&anchor, &golden);
            assert!(worst < TOLERANCE, "{family} on {}: {worst}", kernel.name());
        }
    }
}
