//! The models the tests run on: the program's own cache, filled by the program's own pull if something is missing.
#![allow(dead_code, reason = "each test target uses what it needs")]

use hinet_model::{
    Anchor, LoadOptions, ModelPaths,
    kernels::Kernel,
    locate, pull,
    registry::{ModelEntry, Registry},
};
use std::{path::PathBuf, sync::atomic::AtomicBool};

/// Where the program keeps models: `ICORE_MODELS`, or `hinet/models` in the user's cache.
pub fn cache() -> PathBuf {
    if let Some(dir) = std::env::var_os("ICORE_MODELS") {
        return dir.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home folder")).join(".cache"));
    cache.join("hinet").join("models")
}

fn paths(entry: &ModelEntry) -> ModelPaths {
    let cache = cache();
    locate(entry, &cache)
        .unwrap_or_else(|| pull(entry, &cache, &mut |_| {}, &AtomicBool::new(false)).expect("the models can be pulled"))
}

/// The default anchor.
pub fn anchor_paths() -> ModelPaths {
    paths(Registry::builtin().default_anchor())
}

/// The same, loaded to run like this.
pub fn anchor(threads: usize, kernel: Kernel) -> Anchor {
    let options = LoadOptions { threads: Some(threads), kernel: Some(kernel) };
    Anchor::load_with(&anchor_paths(), options).expect("the anchor loads")
}

/// The default embedder.
pub fn embedder_paths() -> ModelPaths {
    paths(Registry::builtin().default_embedder())
}

/// Its file.
pub fn anchor_file() -> PathBuf {
    anchor_paths().path(".gguf").expect("the anchor is one file")
}
