//! The models on this machine: public files in a shared cache, named by a registry with their hashes.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use hinet_model::registry::{ModelEntry, ModelFile, Registry, Role, Sha256Digest, Source};
use hinet_model::{Anchor, AnySession, DeviceKind, DeviceModel, Embedder, ModelError, ModelPaths, PullOptions};

use crate::failure::{self, NodeError};
use crate::mind::CONTEXT_MAX;
use crate::protocol::{ErrorKind, Failure, ModelLine, Progress, Unit};
use crate::settings::Settings;

/// What the processor is called where devices have names.
const PROCESSOR: &str = "cpu";

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
        needs: entry.needs(CONTEXT_MAX),
        fits: fits(entry),
        pinned: entry.is_pinned(),
    }
}

/// Whether this machine has the memory for a model; where the system does not say, it may.
fn fits(entry: &ModelEntry) -> bool {
    hinet_model::machine_memory().is_none_or(|all| entry.needs(CONTEXT_MAX) <= all)
}

/// The model that answers: the one the settings name, or the default.
///
/// # Errors
/// Where the registry has no such anchor.
pub(crate) fn anchor(settings: &Settings) -> Result<ModelEntry, Failure> {
    let registry = Registry::builtin();
    let Some(name) = &settings.anchor else { return Ok(registry.default_anchor().clone()) };
    refuse_no_anchor(name)?;
    Ok(named(&registry, name)?.clone())
}

/// Refuses a name that is not that of a model that can answer.
///
/// # Errors
/// Where the registry has no such anchor.
pub fn refuse_no_anchor(name: &str) -> Result<(), Failure> {
    match named(&Registry::builtin(), name)?.role {
        Role::Anchor => Ok(()),
        Role::Embedder => Err(Failure::new(
            ErrorKind::Usage,
            format!("{name} is no model that answers: it only turns texts into vectors."),
            "`icore models list` shows the anchors.",
        )),
    }
}

/// A conversation of up to `context` tokens with the anchor that answers, on the device that the settings name or on the
/// processor.
///
/// # Errors
/// As for [`device_named`], and where the machine has no such device, or no room on it.
pub(crate) fn session(anchor: &Anchor, settings: &Settings, context: usize) -> Result<AnySession, NodeError> {
    let Some(kind) = settings.device.as_deref().map_or(Ok(None), device_named)? else {
        return Ok(anchor.session(context).into());
    };
    let paths = located(&self::anchor(settings)?, settings)?;
    Ok(DeviceModel::load(anchor, &paths, kind)?.session(context)?.into())
}

/// What a name says to compute on: `metal` and `cuda` are graphics processors, `candle` computes on the processor what
/// those would, and `cpu`, which is `None`, is the processor by our own kernels.
///
/// # Errors
/// Where there is no such device, or icore was built without it. Whether the machine has it is seen when a model is
/// loaded.
pub fn device_named(name: &str) -> Result<Option<DeviceKind>, Failure> {
    if name == PROCESSOR {
        return Ok(None);
    }
    let refused = |message: String, hint: &str| Err(Failure::new(ErrorKind::Usage, message, hint));
    match DeviceKind::named(name) {
        None => refused(format!("There is no device called {name}."), "There are cpu, metal, cuda and candle."),
        Some(kind) if !kind.is_built() => refused(
            format!("This icore was built without {name}."),
            "Build it with `cargo build --release --features metal` (or cuda), or compute on cpu.",
        ),
        Some(kind) => Ok(Some(kind)),
    }
}

/// The models this home needs: the one that answers, and the embedder.
pub(crate) fn needed(settings: &Settings) -> Result<[ModelEntry; 2], Failure> {
    Ok([anchor(settings)?, Registry::builtin().default_embedder().clone()])
}

/// Names of the models this home needs and that are not here yet.
#[must_use]
pub fn missing(settings: &Settings) -> Vec<String> {
    let absent = |entry: &ModelEntry| hinet_model::locate(entry, &settings.models).is_none();
    let needed = needed(settings).into_iter().flatten();
    needed.filter(absent).map(|entry| entry.name).collect()
}

/// Refuses a model that this machine could not hold in its memory.
///
/// # Errors
/// Where it is too large, or not in the registry.
pub fn refuse_too_large(name: &str) -> Result<(), Failure> {
    let registry = Registry::builtin();
    let entry = named(&registry, name)?;
    if fits(entry) {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10);
    let all = hinet_model::machine_memory().unwrap_or_default();
    Err(Failure::new(
        ErrorKind::Failed,
        format!(
            "{name} takes about {} of memory while it answers; this machine has {}.",
            gigabytes(entry.needs(CONTEXT_MAX)),
            gigabytes(all)
        ),
        "`icore models list` shows what fits; --anyway fetches it for another machine.",
    ))
}

/// The SHA-256 of every file of a model that is here, by its name.
///
/// # Errors
/// Where it is not here or cannot be read.
pub fn hashes(settings: &Settings, name: &str) -> Result<Vec<(String, String)>, Failure> {
    let registry = Registry::builtin();
    let paths = located(named(&registry, name)?, settings)?;
    let hash = |file: &ModelFile| {
        let map = paths.open(&file.name).map_err(failure::of)?;
        Ok((file.name.clone(), Sha256Digest::of(&map).to_string()))
    };
    paths.entry().files.iter().map(hash).collect()
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
    let options = PullOptions { local: settings.hubs.clone(), ..PullOptions::default() };
    match hinet_model::pull_with(&options, entry, &settings.models, &mut on, cancel) {
        Ok(_) => Ok(()),
        Err(ModelError::NoSource { .. }) => Err(not_by_itself(entry)),
        Err(error) => Err(failure::of(error)),
    }
}

/// A model that only comes from Hugging Face, which icore does not talk to.
fn not_by_itself(entry: &ModelEntry) -> Failure {
    let hub = entry.sources.iter().find_map(|source| match source {
        Source::HuggingFace { repo, paths } => Some((repo, paths.values().cloned().collect::<Vec<_>>().join(", "))),
        _ => None,
    });
    let hint = hub.map_or_else(
        || "`icore models list` shows the others.".to_owned(),
        |(repo, files)| {
            format!("Fetch {files} of {repo} with Hugging Face's own tools; then this copies it from their cache.")
        },
    );
    Failure::new(ErrorKind::Failed, format!("icore cannot fetch {} by itself.", entry.name), hint)
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

/// The file of the model that answers.
///
/// # Errors
/// Where it is not here.
pub fn anchor_file(settings: &Settings) -> Result<PathBuf, Failure> {
    let paths = located(&anchor(settings)?, settings)?;
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
