//! Folders in and out: files of every kind, damaged ones, stops and kills.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod kit;

use hinet_compose::{Checkpoint, ComposeError, Draft, Float, Method, Options, Recipe, Source, compose, open};
use hinet_model::{
    Delta,
    delta::{Factors, Linear, Place},
};
use kit::{Models, make, model, noise, read, write};
use std::{fs, ops::ControlFlow, path::Path};

fn of(models: &Models) -> Recipe {
    let mut recipe = Recipe::new(models.hashes[0], Method::Ties);
    for hash in &models.hashes[1..] {
        recipe = recipe.with(*hash, [("density", 0.5)]);
    }
    recipe
}

fn plain(threads: usize) -> Options<'static> {
    Options { threads, ..Options::default() }
}

#[test]
fn a_result_is_a_folder_like_its_anchor() {
    let models = Models::new(3);
    let mut recipe = of(&models);
    recipe.dtype = Some(Float::Bf16);
    let place = models.place("out");
    let composed = make(&recipe, &models.sources, &place, &plain(2)).unwrap();
    assert_eq!((composed.tensors, composed.kept), (10, 0));
    let mut names: Vec<String> =
        fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json"]);
    assert!(fs::read_to_string(place.join("config.json")).unwrap().contains("bfloat16"));
    assert!(!models.place("out.part").exists());
    assert!(read(&place.join("model.safetensors")).values().all(|(format, _)| format == "BF16"));
    // It can be a member itself.
    Checkpoint::open(&place).unwrap().hash().unwrap();
    assert!(matches!(make(&recipe, &models.sources, &place, &plain(2)), Err(ComposeError::Exists { .. })));
}

#[test]
fn files_of_a_large_result_hold_the_same_tensors() {
    let models = Models::new(3);
    let recipe = of(&models);
    let (one, several) = (models.place("one"), models.place("several"));
    make(&recipe, &models.sources, &one, &plain(1)).unwrap();
    make(&recipe, &models.sources, &several, &Options { shard_bytes: 1500, ..plain(3) }).unwrap();
    assert!(several.join("model.safetensors.index.json").exists() && !several.join("model.safetensors").exists());
    let (one, several) = (Checkpoint::open(&one).unwrap(), Checkpoint::open(&several).unwrap());
    assert_eq!(one.hash().unwrap(), several.hash().unwrap());
}

/// Copies what a killed run leaves: all but what the system takes back.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_run_that_was_stopped_or_killed_goes_on() {
    let models = Models::new(4);
    let recipe = of(&models);
    let options = Options { shard_bytes: 3000, ..plain(2) };
    let whole = models.place("whole");
    make(&recipe, &models.sources, &whole, &options).unwrap();
    let expected = Checkpoint::open(&whole).unwrap().hash().unwrap();
    for stop in 0..9 {
        let place = models.place(&format!("stopped-{stop}"));
        let part = models.place(&format!("stopped-{stop}.part"));
        let killed = models.place(&format!("killed-{stop}.part"));
        let stopped = compose(&recipe, &models.sources, &place, &options, &mut |progress| {
            if progress.tensors < stop {
                return ControlFlow::Continue(());
            }
            // A kill at this moment would leave these files.
            copy(&part, &killed);
            ControlFlow::Break(())
        });
        assert!(matches!(stopped, Err(ComposeError::Cancelled)));
        assert!(!place.exists());
        let composed = make(&recipe, &models.sources, &place, &options).unwrap();
        assert_eq!(composed.kept, stop);
        assert_eq!(Checkpoint::open(&place).unwrap().hash().unwrap(), expected);
        let place = models.place(&format!("killed-{stop}"));
        let composed = make(&recipe, &models.sources, &place, &options).unwrap();
        assert!(composed.kept <= stop);
        assert_eq!(Checkpoint::open(&place).unwrap().hash().unwrap(), expected);
    }
}

#[test]
fn what_another_recipe_or_a_damaged_disk_left_is_not_gone_on_with() {
    let models = Models::new(4);
    let recipe = of(&models);
    let (place, part) = (models.place("out"), models.place("out.part"));
    let stop = |recipe: &Recipe| {
        let made = compose(recipe, &models.sources, &place, &plain(1), &mut |progress| {
            if progress.tensors < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert!(matches!(made, Err(ComposeError::Cancelled)));
    };
    stop(&recipe.leave(models.hashes[2]).unwrap());
    let fresh = models.place("fresh");
    make(&recipe, &models.sources, &fresh, &plain(1)).unwrap();
    let expected = fs::read(fresh.join("model.safetensors")).unwrap();
    let composed = make(&recipe, &models.sources, &place, &plain(1)).unwrap();
    assert_eq!(composed.kept, 0);
    assert_eq!(fs::read(place.join("model.safetensors")).unwrap(), expected);
    fs::remove_dir_all(&place).unwrap();
    stop(&recipe);
    let file = fs::OpenOptions::new().write(true).open(part.join("model.safetensors")).unwrap();
    file.set_len(900).unwrap();
    assert_eq!(make(&recipe, &models.sources, &place, &plain(1)).unwrap().kept, 0);
    assert_eq!(fs::read(place.join("model.safetensors")).unwrap(), expected);
}

#[test]
fn two_runs_do_not_write_to_one_place() {
    let models = Models::new(3);
    let (recipe, place) = (of(&models), models.place("out"));
    compose(&recipe, &models.sources, &place, &plain(1), &mut |_| {
        let second = make(&recipe, &models.sources, &place, &plain(1));
        assert!(matches!(second, Err(ComposeError::Busy { .. })));
        ControlFlow::Continue(())
    })
    .unwrap();
}

/// Composes the anchor with a member that was changed; says what is said.
fn said(change: impl FnOnce(&mut kit::Tensors)) -> String {
    let models = Models::new(1);
    let mut tensors = model(1, 2);
    change(&mut tensors);
    let folder = models.place("changed");
    write(&folder, &tensors);
    let text = "{merge_method: task_arithmetic, base_model: model-0, models: [{model: changed}], dtype: float16}";
    let (recipe, sources) = Draft::parse(text).unwrap().open(models.dir.path()).unwrap();
    let place = models.place("out");
    let error = make(&recipe, &sources, &place, &plain(2)).unwrap_err();
    assert!(!place.exists() && !models.place("out.part").exists(), "nothing half-written");
    error.to_string()
}

#[test]
fn members_that_do_not_fit_are_named() {
    let name = "model.layers.1.mlp.up_proj.weight";
    let lacking = said(|all| drop(all.remove(name)));
    assert!(lacking.contains("lacks") && lacking.contains(name) && lacking.contains("changed"), "{lacking}");
    let more = said(|all| drop(all.insert("model.layers.2.extra".into(), (vec![1], vec![0.0]))));
    assert!(more.contains("model.layers.2.extra") && more.contains("does not have"), "{more}");
    let shape = said(|all| all.get_mut(name).unwrap().0 = vec![8, 12]);
    assert!(shape.contains("[8, 12]") && shape.contains("[12, 8]"), "{shape}");
    let infinite = said(|all| all.get_mut(name).unwrap().1[5] = f32::NAN);
    assert!(infinite.contains("not finite") && infinite.contains(name), "{infinite}");
    let large = said(|all| all.get_mut(name).unwrap().1.fill(1e5));
    assert!(large.contains("do not fit float16") && large.contains(name), "{large}");
}

#[test]
fn files_that_are_cut_short_are_refused_at_any_length() {
    let models = Models::new(1);
    let file = models.place("model-0/model.safetensors");
    let bytes = fs::read(&file).unwrap();
    for length in [0, 7, 8, 40, 700, bytes.len() - 1] {
        fs::write(&file, &bytes[..length]).unwrap();
        let error = Checkpoint::open(&models.place("model-0")).unwrap_err().to_string();
        assert!(error.contains("cut short"), "{length}: {error}");
    }
    let mut lying = bytes;
    lying[7] = 0xff;
    fs::write(&file, &lying).unwrap();
    assert!(Checkpoint::open(&models.place("model-0")).unwrap_err().to_string().contains("impossible length"));
    fs::remove_file(&file).unwrap();
    assert!(matches!(Checkpoint::open(&models.place("model-0")), Err(ComposeError::NoWeights { .. })));
}

#[test]
fn an_index_names_files_of_its_own_folder_only() {
    let models = Models::new(2);
    let folder = models.place("indexed");
    fs::create_dir(&folder).unwrap();
    for name in ["../model-1/model.safetensors", "/etc/passwd", "model.bin"] {
        let index = format!(r#"{{"weight_map": {{"model.norm.weight": "{name}"}}}}"#);
        fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
        assert!(Checkpoint::open(&folder).unwrap_err().to_string().contains("does not lie beside it"));
    }
}

fn delta() -> Delta {
    let mut delta = Delta::default();
    let (a, b) = (noise(1, 16).collect(), noise(2, 24).collect());
    let place = Place { layer: 1, linear: Linear::Up };
    delta.insert(place, Factors { rank: 2, a, b, alpha: 4.0, magnitudes: None }).unwrap();
    delta
}

#[test]
fn an_adapter_is_folded_into_its_base_and_one_that_lies_is_refused() {
    let models = Models::new(1);
    let folder = models.place("lora");
    delta().save(&folder).unwrap();
    let source = open(models.dir.path(), "model-0+lora").unwrap();
    let name = "model.layers.1.mlp.up_proj.weight";
    let (mut plain, mut folded, mut last) = ([0.0; 96], [0.0; 96], [0.0; 8]);
    models.sources[&models.hashes[0]].read(name, 0, &mut plain).unwrap();
    source.read(name, 0, &mut folded).unwrap();
    source.read(name, 11, &mut last).unwrap();
    assert_eq!(folded[88..], last);
    let (a, b): (Vec<f32>, Vec<f32>) = (noise(1, 16).collect(), noise(2, 24).collect());
    for (index, (folded, plain)) in folded.iter().zip(&plain).enumerate() {
        let (row, column) = (index / 8, index % 8);
        let added = 2.0 * (b[2 * row] * a[column] + b[2 * row + 1] * a[8 + column]);
        assert!((folded - plain - added).abs() < 1e-5);
    }
    assert_ne!(source.hash().unwrap(), models.hashes[0]);

    let config = folder.join("adapter_config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"r\": 2", "\"r\": 3")).unwrap();
    let error = open(models.dir.path(), "model-0+lora").err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.to_string().contains("lora") && source.contains("ranks 2 and 2"), "{error}: {source}");
}

#[test]
fn an_adapter_for_other_weights_or_another_shape_is_refused() {
    let models = Models::new(2);
    let mut other = delta();
    let passport = |weights| hinet_model::Passport { arch: "llama".into(), tokenizer: weights, weights, root: None };
    other.origin = Some(passport(models.hashes[1]));
    other.save(&models.place("lora")).unwrap();
    assert!(open(models.dir.path(), "model-1+lora").is_ok());
    assert!(matches!(open(models.dir.path(), "model-0+lora"), Err(ComposeError::OtherAnchor { .. })));
    let mut wide = Delta::default();
    let factors = Factors { rank: 1, a: vec![0.1; 32], b: vec![0.1; 12], alpha: 1.0, magnitudes: None };
    wide.insert(Place { layer: 1, linear: Linear::Up }, factors).unwrap();
    wide.save(&models.place("wide")).unwrap();
    assert!(matches!(open(models.dir.path(), "model-0+wide"), Err(ComposeError::Shape { .. })));
}

#[test]
fn a_member_that_is_not_at_hand_is_named() {
    let models = Models::new(3);
    let mut sources = models.sources.clone();
    sources.remove(&models.hashes[2]);
    let error = make(&of(&models), &sources, &models.place("out"), &plain(1)).unwrap_err();
    assert!(error.to_string().contains(&models.hashes[2].to_string()));
    assert!(!models.place("out").exists() && !models.place("out.part").exists());
}
