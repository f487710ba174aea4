//! Several models become one: a recipe, its result, a member less, and recipes that cannot be done.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::path::Path;

use hinet_model::delta::{Factors, Linear, Place};
use hinet_model::registry::Registry;
use hinet_model::{Anchor, Delta, LoadOptions};
use support::{Person, text};

/// Writes a model of one matrix that holds these numbers.
fn model(folder: &Path, numbers: &[f32]) {
    std::fs::create_dir_all(folder).unwrap();
    let end = 4 * numbers.len();
    let header = serde_json::json!({
        "model.layers.0.mlp.up_proj.weight": { "dtype": "F32", "shape": [1, numbers.len()], "data_offsets": [0, end] },
    });
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    numbers.iter().for_each(|number| file.extend_from_slice(&number.to_le_bytes()));
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"model_type": "llama"}"#).unwrap();
}

fn numbers(folder: &Path) -> Vec<f32> {
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    bytes[8 + header..].as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[test]
fn a_recipe_becomes_a_model() {
    let person = Person::settled();
    for (name, all) in [("anchor", [1.0, 1.0]), ("kitchen", [2.0, 1.0]), ("garden", [1.0, 3.0])] {
        model(&person.path(name), &all);
    }
    let recipe = person.path("two.yml");
    let models = "models: [{model: kitchen, parameters: {weight: 0.5}}, {model: garden}]\n";
    std::fs::write(&recipe, format!("merge_method: task_arithmetic\nbase_model: anchor\n{models}")).unwrap();
    let merge = |out: &str| {
        [
            "compose".to_owned(),
            "merge".into(),
            recipe.display().to_string(),
            "--out".into(),
            person.path(out).display().to_string(),
        ]
    };
    let made = person.json(merge("both").iter().map(String::as_str));
    assert_eq!((made["tensors"].as_u64(), made["kept"].as_u64(), made["bytes"].as_u64()), (Some(1), Some(0), Some(8)));
    assert_eq!(made["members"].as_array().unwrap().len(), 2);
    assert_eq!(numbers(&person.path("both")), [1.5, 3.0]);
    assert!(person.path("both/config.json").exists() && !person.path("both.part").exists());

    // Who leaves is as if it had never been there.
    let alone = person.path("alone.yml");
    std::fs::write(&alone, "merge_method: task_arithmetic\nbase_model: anchor\nmodels: [{model: garden}]\n").unwrap();
    let name = |out: &str| person.path(out).display().to_string();
    let left = person.json(["compose", "opt-out", &recipe.display().to_string(), "kitchen", "--out", &name("left")]);
    let never = person.json(["compose", "merge", &alone.display().to_string(), "--out", &name("never")]);
    assert_eq!((&left["recipe"], &left["members"]), (&never["recipe"], &never["members"]));
    let bytes = |out: &str| std::fs::read(person.path(out).join("model.safetensors")).unwrap();
    assert_eq!(bytes("left"), bytes("never"));

    let refused = |words: Option<&str>, out: &str, code: i32, said: &str| {
        if let Some(words) = words {
            std::fs::write(&recipe, words).unwrap();
        }
        let output = person.command().args(merge(out)).output().unwrap();
        let heard = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{heard}");
        assert!(heard.contains(said) && heard.contains("hint:"), "{heard}");
    };
    refused(None, "both", 2, "is there already");
    refused(
        Some("merge_method: linear\nmodules: {}\nmodels: [{model: garden}]"),
        "other",
        2,
        "\"modules\" is not supported",
    );
    refused(Some("merge_method: linear\nmodels: [{model: nobody}]"), "other", 1, "holds no checkpoint");
    refused(Some("merge_method: [linear"), "other", 2, "line");
    assert!(!person.path("other").exists());
}

/// A delta of rank 1 for one feed-forward layer, as PEFT writes it.
fn adapter(folder: &Path, layer: usize, size: f32) {
    let numbers = |count: usize| (0..count).map(|at| if at % 3 == 0 { -size } else { size }).collect::<Vec<f32>>();
    let mut delta = Delta::new(None);
    let factors = Factors { rank: 1, a: numbers(1536), b: numbers(576), alpha: 1.0, magnitudes: None };
    delta.insert(Place { layer, linear: Linear::Down }, factors).unwrap();
    delta.save(folder).unwrap();
}

#[test]
fn experts_lie_side_by_side_in_a_larger_model() {
    let person = Person::settled();
    let entry = Registry::builtin().default_anchor().clone();
    let file = hinet_model::locate(&entry, &support::models()).unwrap().path(".gguf").unwrap();
    adapter(&person.path("kitchen"), 3, 0.02);
    adapter(&person.path("garden"), 9, 0.03);
    let recipe = person.path("house.yml");
    let expert = |name: &str, prompts: &str| {
        let model = format!("{}+{}", file.display(), person.path(name).display());
        format!("  - {{source_model: \"{model}\", positive_prompts: [{prompts}]}}\n")
    };
    let experts = expert("kitchen", "Where is the fuse box?, How hot does the oven get?, Who cleans the stove?")
        + &expert("garden", "When are the roses cut?, How long is the hose?, Who waters the beans?");
    let head = format!("base_model: \"{}\"\npublished: the handbook\ndtype: float16\nexperts:\n", file.display());
    std::fs::write(&recipe, head.clone() + &experts).unwrap();
    let out = person.path("larger");
    let moe = ["compose", "moe", recipe.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let made = person.json(moe);
    assert_eq!((made["members"].as_array().unwrap().len(), made["kept"].as_u64()), (2, Some(0)));

    // It is larger than the anchor, and opens; told to use the anchor's expert alone it is the anchor.
    let (anchor, larger) =
        (Anchor::open(&file, LoadOptions::default()).unwrap(), Anchor::open(&out, LoadOptions::default()).unwrap());
    assert!(made["bytes"].as_u64().unwrap() > 2 * 290_000_000, "{made}");
    let tokens = anchor.encode("The capital of Austria is", false);
    assert_eq!(larger.encode("The capital of Austria is", false), tokens);
    let best = |logits: &[f32]| (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    let plain = anchor.session(64).logits(&tokens).unwrap();
    let mut session = larger.session(64);
    session.set_experts(Some(&[1.0, 0.0, 0.0])).unwrap();
    let alone = session.logits(&tokens).unwrap();
    assert_eq!(best(&alone), best(&plain));
    let far = alone.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1.5, "the anchor computes in bytes, its copy in halves: {far}");

    // Nothing is written over, and recipes that would be another model than they say are refused.
    let refused = |words: &str, said: &str| {
        std::fs::write(&recipe, words).unwrap();
        let output = person.command().args(moe).output().unwrap();
        let heard = text(&output.stderr);
        assert!(!output.status.success() && heard.contains(said) && heard.contains("hint:"), "{heard}");
    };
    refused(&(head.clone() + &experts), "is there already");
    std::fs::remove_dir_all(&out).unwrap();
    refused(&(head.replace("published: the handbook\n", "") + &experts), "where its prompts can be read");
    refused(&(head.clone() + &experts + "shared_experts: []\n"), "shared_experts");
    refused(&(head + &experts.replace("kitchen", "cellar")), "cellar");
    assert!(!out.exists() && !person.path("larger.part").exists());
}
