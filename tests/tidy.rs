//! Style as a test: which rooms may look at which, how long files are, what names and words do not belong.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Rooms and their layers; an arrow may only point to a lower layer.
const LAYERS: &[(&str, u8)] = &[
    ("hinet-protocol", 0),
    ("hinet-vault", 1),
    ("hinet-model", 1),
    ("hinet-compose", 2),
    ("hinet-consent", 2),
    ("hinet-index", 2),
    ("hinet-connectors", 3),
    ("hinet-train", 3),
    ("hinet-node", 4),
    ("hinet-lab", 5),
    ("hinet-tui", 6),
];

/// Longest file, in lines; 400 is the aim.
const LINES_MAX: usize = 800;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tui lies in the workspace").to_path_buf()
}

#[test]
fn arrows_point_down() {
    let metadata = MetadataCommand::new().manifest_path(workspace().join("Cargo.toml")).no_deps().exec().unwrap();
    let layers: HashMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(layer) = layers.get(name) else {
            wrong.push(format!("{name} is not in the layer table"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            if let Some(below) = layers.get(dependency.name.as_str())
                && below >= layer
            {
                wrong.push(format!("{name} (layer {layer}) looks at {} (layer {below})", dependency.name));
            }
        }
        // The terminal talks to the node alone, and starts experiments.
        if name == "hinet-tui" {
            let rooms = package
                .dependencies
                .iter()
                .filter(|d| d.kind == DependencyKind::Normal && d.name.starts_with("hinet-"));
            wrong.extend(
                rooms
                    .filter(|d| !["hinet-protocol", "hinet-node", "hinet-lab"].contains(&d.name.as_str()))
                    .map(|d| format!("hinet-tui looks at {}", d.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn files_are_short_documented_and_well_named() {
    let mut files = Vec::new();
    for room in ["crates", "connectors", "tui", "tests"] {
        sources(&workspace().join(room), &mut files);
    }
    assert!(files.len() > 50, "the walk found the workspace");
    let mut wrong = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        let shown = path.strip_prefix(workspace()).unwrap_or(path).display();
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{shown} has {lines} lines; split it"));
        }
        if !text.trim_start().starts_with("//!") {
            wrong.push(format!("{shown} does not say what it is for (`//!`)"));
        }
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if ["util", "utils", "helper", "helpers", "common", "misc", "manager"].contains(&stem) {
            wrong.push(format!("{shown} is named after nothing"));
        }
        for marker in [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME")] {
            if text.contains(marker) {
                wrong.push(format!("{shown} holds {marker}"));
            }
        }
        if text.contains("allow(unsafe_code") && !text.contains("// SAFETY:") {
            wrong.push(format!("{shown} has unsafe code without a SAFETY sentence"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
