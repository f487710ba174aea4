//! The same recipes by mergekit: `make_goldens.py` wrote its results, and ours are the same within rounding.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod kit;

use hinet_compose::{Draft, Options};
use kit::{make, read};
use std::{fs, path::Path};

/// Results in floats may differ by the order of sums.
const NEAR: f32 = 3e-6;
/// Results in bfloat16 may be rounded to neighbours, because mergekit rounds what it reads as well.
const NEAR_HALF: f32 = 1.0 / 64.0;

#[test]
fn results_are_those_of_mergekit() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let out = tempfile::tempdir().unwrap();
    let mut names: Vec<String> = fs::read_dir(&goldens)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".yml")?.to_owned()))
        .collect();
    names.sort();
    assert_eq!(names.len(), 17);
    let mut wrong = Vec::new();
    for name in names {
        let draft = Draft::parse(&fs::read_to_string(goldens.join(format!("{name}.yml"))).unwrap()).unwrap();
        let (recipe, sources) = draft.open(&goldens).unwrap();
        let place = out.path().join(&name);
        make(&recipe, &sources, &place, &Options { threads: 2, ..Options::default() }).unwrap();
        let (ours, theirs) =
            (read(&place.join("model.safetensors")), read(&goldens.join(format!("{name}.safetensors"))));
        let same = ours.keys().eq(theirs.keys());
        if !same {
            wrong.push(format!("{name}: other tensors"));
            continue;
        }
        for ((tensor, (format, ours)), (their_format, theirs)) in ours.iter().zip(theirs.values()) {
            let near = if format == "F32" { NEAR } else { NEAR_HALF };
            let gap = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
            if ours.len() != theirs.len() || format != their_format || gap > near {
                wrong.push(format!("{name}: {tensor} {format}/{their_format} differs by {gap}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
