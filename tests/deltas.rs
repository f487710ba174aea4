//! A delta's life: taken in from a folder as PEFT writes it, sealed, answered with, taken off, let out, removed.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::path::Path;

use support::{Person, text};

/// Writes an adapter of rank 1 for one matrix, whose factors hold these numbers.
fn adapter(folder: &Path, width: usize, a: f32, b: f32) {
    std::fs::create_dir_all(folder).unwrap();
    let config = serde_json::json!({ "peft_type": "LORA", "r": 1, "lora_alpha": 1.0, "target_modules": ["o_proj"] });
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
    let bytes = width * 4;
    let name = |part: &str| format!("base_model.model.model.layers.3.self_attn.o_proj.lora_{part}.weight");
    let header = serde_json::json!({
        name("A"): { "dtype": "F32", "shape": [1, width], "data_offsets": [0, bytes] },
        name("B"): { "dtype": "F32", "shape": [width, 1], "data_offsets": [bytes, 2 * bytes] },
    });
    let mut header = header.to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    for (count, number) in [(width, a), (width, b)] {
        // Not all alike, or a norm would take them out again.
        (0..count).for_each(|i| file.extend_from_slice(&(if i % 3 == 0 { -number } else { number }).to_le_bytes()));
    }
    std::fs::write(folder.join("adapter_model.safetensors"), file).unwrap();
}

fn refused(person: &Person, arguments: &[&str], code: i32, said: &str) {
    let output = person.command().args(arguments).output().unwrap();
    let heard = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {heard}");
    assert!(heard.contains(said) && heard.contains("hint:"), "{arguments:?}: {heard}");
}

#[test]
fn a_delta_is_taken_in_answered_with_and_let_out() {
    let person = Person::settled();
    let folder = person.path("kitchen");
    adapter(&folder, 576, 0.5, 4.0);
    let answer = |person: &Person| person.json(["ask", "Hello there!"]);
    let bare = answer(&person);
    assert_eq!(bare["deltas"], serde_json::json!([]));

    let taken = person.json(["delta", "import", folder.to_str().unwrap()]);
    assert_eq!((taken["name"].as_str(), taken["said"].as_str()), (Some("kitchen"), Some("LoRA, rank 1, 1 matrix")));
    let hash = taken["hash"].as_str().unwrap().to_owned();
    assert_eq!(answer(&person)["answer"], bare["answer"], "taken in is not yet used");

    // By the beginning of its hash; it answers, in this process and in the next.
    person.icore(["delta", "use", &hash[..8]]);
    let with = answer(&person);
    assert_eq!(with["deltas"], serde_json::json!([hash]));
    assert_ne!(with["answer"], bare["answer"], "it changes what is said");
    assert_eq!(person.json(["delta", "list"])["deltas"][0]["worn"], true);
    refused(&person, &["delta", "remove", "kitchen"], 2, "The anchor answers with the delta kitchen");

    person.icore(["delta", "use", "none"]);
    let after = answer(&person);
    assert_eq!((&after["answer"], &after["deltas"]), (&bare["answer"], &bare["deltas"]), "the anchor is itself again");

    // Let out it is the same file in all that matters, and the ledger says so.
    let out = person.path("out");
    person.icore(["delta", "export", "kitchen", "--out", out.to_str().unwrap()]);
    assert_eq!(person.json(["delta", "import", out.to_str().unwrap(), "--name", "again"])["hash"], hash.as_str());
    refused(&person, &["delta", "export", "again", "--out", out.to_str().unwrap()], 2, "There is something at");
    let log = person.json(["audit", "log", "-n", "50"]).to_string();
    for said in
        ["the delta kitchen was taken in", "answers with the delta kitchen", "was written out of the sealed home"]
    {
        assert!(log.contains(said), "{said}: {log}");
    }

    // Folded into a file of its own it is a model that opens; as factors it has the names that other programs read.
    let (model, factors) = (person.path("model.gguf"), person.path("factors.gguf"));
    person.icore(["delta", "fold", "again", "--out", model.to_str().unwrap()]);
    person.icore(["delta", "export", "again", "--out", factors.to_str().unwrap(), "--form", "gguf"]);
    let folded = hinet_model::Anchor::open(&model, hinet_model::LoadOptions::default()).unwrap();
    assert_eq!(folded.config().layers, 30);
    let factors = hinet_model::gguf::Gguf::open(&factors).unwrap();
    assert_eq!(factors.find_text("adapter.type"), Some("lora"));
    assert!(factors.tensor_names().all(|name| name.ends_with(".lora_a") || name.ends_with(".lora_b")));
    refused(&person, &["delta", "fold", "again", "--out", model.to_str().unwrap()], 2, "There is something at");
    assert!(!person.path("model.gguf.part").exists());

    person.icore(["delta", "remove", "again"]);
    assert_eq!(person.json(["delta", "list"])["deltas"], serde_json::json!([]));
    assert_eq!(std::fs::read_dir(person.home().join("objects")).unwrap().count(), 0, "its numbers are gone too");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn what_cannot_be_worn_is_said_and_the_anchor_answers() {
    let person = Person::settled();
    refused(&person, &["delta", "import", person.path("nowhere").to_str().unwrap()], 1, "nowhere");
    refused(&person, &["delta", "use", "hal"], 1, "There is no delta hal");
    // Made for a wider model: it can be kept, but this anchor cannot wear it.
    let wide = person.path("wide");
    adapter(&wide, 1024, 0.1, 0.1);
    person.icore(["delta", "import", wide.to_str().unwrap()]);
    let output = person.command().args(["delta", "use", "wide"]).output().unwrap();
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert_eq!(person.json(["delta", "list"])["deltas"][0]["worn"], false);
    // One that was worn and is damaged on the disk since: the bare anchor answers, and the owner is told.
    let folder = person.path("kitchen");
    adapter(&folder, 576, 0.5, 4.0);
    person.icore(["delta", "import", folder.to_str().unwrap()]);
    person.icore(["delta", "use", "kitchen"]);
    person.icore(["delta", "remove", "wide"]);
    let object = std::fs::read_dir(person.home().join("objects")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&object, b"not what it was").unwrap();
    let answer = person.json(["ask", "Hello there!"]);
    assert_eq!(answer["deltas"], serde_json::json!([]));
    assert!(!answer["answer"].as_str().unwrap().is_empty());
    person.icore(["delta", "use", "none"]);
}
