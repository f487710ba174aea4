//! Recipes of mergekit: what is read, and what is refused by its name.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod kit;

use hinet_compose::{ComposeError, Draft, Float, Method, Setting};
use kit::{Models, make, read};

fn said(text: &str) -> String {
    Draft::parse(text).unwrap_err().to_string()
}

#[test]
fn keys_that_are_not_supported_are_named_with_their_place() {
    let models = "models: [{model: a}, {model: b}]\n";
    for (text, key) in [
        ("merge_method: linear\nmodules: {}\n", "modules"),
        ("merge_method: linear\nchat_template: auto\n", "chat_template"),
        ("merge_method: linear\ntokenizer_source: union\n", "tokenizer_source"),
        ("merge_method: linear\nparameters: {wieght: 1}\n", "parameters.wieght"),
        ("merge_method: ties\nbase_model: a\nparameters: {epsilon: 1}\n", "parameters.epsilon"),
    ] {
        assert!(said(&format!("{text}{models}")).contains(&format!("\"{key}")), "{text}");
    }
    let inner = "merge_method: linear\nmodels: [{model: a}, {model: b, parameters: {weight: 1, gamma: 2}}]\n";
    assert!(said(inner).contains("\"models[1].parameters.gamma\""));
    let slices = "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [0, 2]}], residual_weight: 1}]\n";
    assert!(said(slices).contains("\"slices[0].residual_weight\""));
}

#[test]
fn a_model_leaves_a_recipe() {
    let text = |models: &str| format!("merge_method: ties\nbase_model: anchor\nmodels: [{models}]\n");
    let draft = Draft::parse(&text("{model: a, parameters: {weight: 2}}, {model: b}, {model: anchor}")).unwrap();
    assert_eq!(draft.without("a").unwrap(), Draft::parse(&text("{model: b}, {model: anchor}")).unwrap());
    let said = |model: &str| draft.without(model).unwrap_err().to_string();
    assert!(said("c").contains("(a, b could)"), "{}", said("c"));
    let slices = "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [0, 2]}]}, {sources: [{model: b, layer_range: [0, 2]}]}]\n";
    assert!(Draft::parse(slices).unwrap().without("a").unwrap_err().to_string().contains("nobody"));
}

#[test]
fn recipes_that_contradict_themselves_are_refused() {
    for (text, part) in [
        ("[1, 2]", "no table"),
        ("models: [{model: a}]", "no merge_method"),
        ("merge_method: magic\nmodels: [{model: a}]", "task_arithmetic"),
        ("merge_method: linear", "either models or slices"),
        ("merge_method: ties\nmodels: [{model: a}]", "needs a base_model"),
        ("merge_method: linear\ndtype: int8\nmodels: [{model: a}]", "bfloat16"),
        ("merge_method: linear\nmodels: [{model: 3}]", "should be a text"),
        ("merge_method: linear\nmodels: [{parameters: {weight: 1}}]", "names no model"),
        ("merge_method: linear\nmodels: [{model: a, parameters: {weight: []}}]", "empty or not finite"),
        ("merge_method: linear\nmodels: [{model: a, parameters: {weight: .nan}}]", "YAML"),
        ("merge_method: linear\nslices: [{sources: [{model: a, layer_range: [3, 1]}]}]", "two numbers of layers"),
        ("merge_method: linear\nseed: -1\nmodels: [{model: a}]", "whole number"),
        ("merge_method: [linear", "YAML"),
        ("a: &a [1]\nb: *a\nmerge_method: linear\nmodels: [{model: x}]", "\"a\""),
    ] {
        assert!(said(text).contains(part), "{text}: {}", said(text));
    }
}

#[test]
fn numbers_are_read_in_every_spelling() {
    let text = "merge_method: dare_ties\nbase_model: a\nout_dtype: bfloat16\nseed: 3\nparameters:\n  lambda: 1e-1\n  \
                rescale: density\n  normalize: true\nmodels:\n  - model: b\n    parameters:\n      weight:\n        \
                - filter: mlp\n          value: [0, 1]\n        - value: \"0.5\"\n";
    let draft = Draft::parse(text).unwrap();
    assert_eq!(draft.references(), ["a", "b"]);
    let models = Models::new(2);
    let text = text.replace("model: b", "model: model-1").replace("base_model: a", "base_model: model-0");
    let (recipe, _) = Draft::parse(&text).unwrap().open(models.dir.path()).unwrap();
    assert_eq!((recipe.method, recipe.seed, recipe.dtype), (Method::DareTies, 3, Some(Float::Bf16)));
    assert_eq!(recipe.parameters["lambda"], Setting::Number(0.1));
    assert_eq!(recipe.parameters["rescale"], Setting::Text("density".into()));
    assert_eq!(recipe.parameters["normalize"], Setting::Number(1.0));
    let Setting::Filtered(all) = &recipe.members[0].parameters["weight"] else { panic!("filters") };
    assert_eq!(all[0].value, Setting::Gradient(vec![0.0, 1.0]));
    assert_eq!(all[1].value, Setting::Number(0.5));
}

#[test]
fn a_slice_needs_its_base_and_its_layers() {
    let models = Models::new(3);
    let run = |text: &str| {
        let (recipe, sources) = Draft::parse(text).unwrap().open(models.dir.path()).unwrap();
        make(&recipe, &sources, &models.place("out"), &hinet_compose::Options::default())
    };
    let base = "merge_method: task_arithmetic\nbase_model: model-0\nslices: [{sources: [{model: model-1, layer_range: [0, 2]}]}]";
    assert!(run(base).unwrap_err().to_string().contains("lacks the base model"));
    let long = "merge_method: linear\nslices: [{sources: [{model: model-1, layer_range: [0, 3]}]}]";
    assert!(run(long).unwrap_err().to_string().contains("no layer 2"));
    let uneven = "merge_method: linear\nslices: [{sources: [{model: model-1, layer_range: [0, 2]}, {model: model-2, layer_range: [0, 1]}]}]";
    let error = Draft::parse(uneven).unwrap().open(models.dir.path()).unwrap_err();
    assert!(error.to_string().contains("different numbers of layers"));
    let good = "merge_method: task_arithmetic\nbase_model: model-0\nslices: [{sources: [{model: model-1, layer_range: [0, 2]}, \
                {model: model-0, layer_range: [0, 2]}]}, {sources: [{model: model-2, layer_range: [1, 2]}, {model: model-0, layer_range: [0, 1]}]}]";
    run(good).unwrap();
    assert_eq!(read(&models.place("out/model.safetensors")).len(), 2 + 3 * 4);
    let config = std::fs::read_to_string(models.place("out/config.json")).unwrap();
    assert!(config.contains("\"num_hidden_layers\": 3"), "{config}");
}

#[test]
fn the_same_weights_twice_are_refused() {
    let models = Models::new(1);
    kit::write(&models.place("copy"), &kit::model(0, 2));
    let text = "merge_method: linear\nmodels: [{model: model-0}, {model: copy}]";
    let error = Draft::parse(text).unwrap().open(models.dir.path()).unwrap_err();
    assert!(matches!(error, ComposeError::Recipe { .. }) && error.to_string().contains("twice"));
}
