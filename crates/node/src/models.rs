//! The models on this machine: public files in a shared cache, named by a registry with their hashes.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use hinet_model::registry::{ModelEntry, Registry, Role};
use hinet_model::{Embedder, ModelPaths};

use crate::failure;
use crate::protocol::{ErrorKind, Failure, ModelLine, Progress, Unit};
use crate::settings::Settings;

/// All models of the registry, and whether they are here.
#[must_use]
pub fn list(settings: &Settings) -> Vec<ModelLine> {
    Registry::builtin().entries().iter().map(|entry| line(entry, settings)).collect()
}

fn line(entry: &ModelEntry, settings: &Settings) -> ModelLine {
    ModelLine {
        name: entry.name.clone(),
        role: match entry.role {
            Role::Anchor => "anchor".into(),
            Role::Embedder => "embedder".into(),
        },
        bytes: entry.bytes(),
        present: hinet_model::locate(entry, &settings.models).is_some(),
        licence: entry.licence.clone(),
    }
}

/// Names of the default models that are not here yet.
#[must_use]
pub fn missing(settings: &Settings) -> Vec<String> {
    let registry = Registry::builtin();
    [registry.default_anchor(), registry.default_embedder()]
        .into_iter()
        .filter(|entry| hinet_model::locate(entry, &settings.models).is_none())
        .map(|entry| entry.name.clone())
        .collect()
}

/// Brings one model here, checked by its hash; a half file is never used.
///
/// # Errors
/// Where it is not in the registry, cannot be fetched, or is not what the registry says.
pub fn pull(
    settings: &Settings,
    name: &str,
    report: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let registry = Registry::builtin();
    let entry = named(&registry, name)?;
    let what = format!("fetching {name}");
    let mut on = |p: hinet_model::PullProgress| {
        report(Progress { what: what.clone(), done: p.done, total: Some(p.total), unit: Unit::Bytes });
    };
    hinet_model::pull(entry, &settings.models, &mut on, cancel).map_err(failure::of)?;
    Ok(())
}

/// Hashes the files of one model again.
///
/// # Errors
/// Where it is missing or a byte is wrong.
pub fn check(settings: &Settings, name: &str) -> Result<(), Failure> {
    let registry = Registry::builtin();
    hinet_model::verify(named(&registry, name)?, &settings.models).map_err(failure::of)?;
    Ok(())
}

/// The file of the model that writes when nothing else is asked for.
///
/// # Errors
/// Where it is not here.
pub fn default_anchor_file(settings: &Settings) -> Result<PathBuf, Failure> {
    let registry = Registry::builtin();
    let paths = located(registry.default_anchor(), settings)?;
    paths.path(".gguf").map_err(failure::of)
}

/// The model that embeds when nothing else is asked for, and its folder.
///
/// # Errors
/// Where it is not here, or a byte is wrong.
pub fn default_embedder(settings: &Settings) -> Result<(PathBuf, Embedder), Failure> {
    let registry = Registry::builtin();
    let paths = located(registry.default_embedder(), settings)?;
    let embedder = Embedder::load(&paths).map_err(failure::of)?;
    Ok((paths.dir().to_owned(), embedder))
}

fn located(entry: &ModelEntry, settings: &Settings) -> Result<ModelPaths, Failure> {
    hinet_model::locate(entry, &settings.models).ok_or_else(|| {
        Failure::new(
            ErrorKind::Usage,
            format!("The model {} is not here.", entry.name),
            "`icore models pull` fetches it.",
        )
    })
}

fn named<'a>(registry: &'a Registry, name: &str) -> Result<&'a ModelEntry, Failure> {
    registry.get(name).ok_or_else(|| {
        Failure::new(
            ErrorKind::Usage,
            format!("There is no model called {name} in the registry."),
            "`icore models list` shows their names.",
        )
    })
}
