//! Several models become one: a recipe, its result, a member less, and recipes that cannot be done.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::path::Path;

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
