//! From a recipe and its sources to a folder: tensor by tensor, with progress, and to be gone on with after a kill.

use crate::{
    ComposeError, Grams, Recipe, Source, Sources,
    merge::{self, Sink},
    output::Output,
    plan::{self, Job},
    source::beside,
};
use hinet_protocol::Hash;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the bytes of a result depend on beside the recipe; to be raised when any method computes something else.
pub(crate) const VERSION: u32 = 1;

/// How to compose.
#[derive(Clone)]
pub struct Options<'a> {
    /// Threads; as many as the machine has where it is zero. The result does not depend on it.
    pub threads: usize,
    /// Bytes of tensors in one file of the result, at most.
    pub shard_bytes: u64,
    /// The folder with configuration and tokenizer, where the anchor is no folder itself.
    pub files: Option<PathBuf>,
    /// Input statistics, which RegMean asks for.
    pub grams: Option<&'a dyn Grams>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { threads: 0, shard_bytes: 5_000_000_000, files: None, grams: None }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options({} threads, {} bytes a file)", self.threads, self.shard_bytes)
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The tensor that is being merged.
    pub tensor: &'a str,
    /// Tensors that are whole.
    pub tensors: usize,
    /// All tensors.
    pub of_tensors: usize,
    /// Bytes written.
    pub bytes: u64,
    /// All bytes.
    pub of_bytes: u64,
}

/// What was composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The hash of the recipe.
    pub recipe: Hash,
    /// Tensors in the result.
    pub tensors: usize,
    /// Of those, how many an earlier run had written.
    pub kept: usize,
    /// Bytes of all tensors.
    pub bytes: u64,
}

/// Opens sources by their hashes, several at once.
///
/// # Errors
/// Where one cannot be read.
pub fn gather(all: impl IntoIterator<Item = Arc<dyn Source>>) -> Result<Sources, ComposeError> {
    let all: Vec<_> = all.into_iter().collect();
    all.into_par_iter().map(|source| Ok((source.hash()?, source))).collect()
}

/// Composes a model into the folder `place`, which must not be there.
///
/// `progress` is told after every few megabytes, and says whether to go on. After a stop, a kill or an error of the disk,
/// `<place>.part` holds what was written, and the same call goes on with it; after any other error it is taken away.
/// Nothing is at `place` before all of it is.
///
/// # Errors
/// Where the recipe cannot be done with these sources, a source is damaged, or the result cannot be written.
pub fn compose(
    recipe: &Recipe,
    sources: &Sources,
    place: &Path,
    options: &Options<'_>,
    progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
) -> Result<Composed, ComposeError> {
    let hash = recipe.hash()?;
    let jobs = plan::plan(recipe, sources)?;
    let grams = options.grams.filter(|_| plan::wants_grams(recipe));
    let anchor = sources.get(&recipe.anchor).ok_or(ComposeError::Absent { hash: recipe.anchor })?;
    let files = options.files.as_deref().or_else(|| anchor.folder());
    let config = config(recipe, &jobs, files)?;
    let work = Work { recipe: hash, identity: identity(hash, grams), jobs, grams, config, beside: beside(files)? };
    work.write(place, options, progress)
}

/// A result of which all is decided and nothing is written.
pub(crate) struct Work<'a> {
    /// The hash of its recipe.
    pub recipe: Hash,
    /// What decides its bytes: two runs with the same identity can go on with each other's work.
    pub identity: Hash,
    pub jobs: Vec<Job<'a>>,
    pub grams: Option<&'a dyn Grams>,
    pub config: Option<Value>,
    /// Small files that lie beside the weights, with their names.
    pub beside: Vec<(String, Vec<u8>)>,
}

impl Work<'_> {
    /// Writes it into the folder `place`, or goes on where an earlier run stopped; see [`compose`].
    pub fn write(
        self,
        place: &Path,
        options: &Options<'_>,
        progress: &mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Composed, ComposeError> {
        let Self { recipe, identity, jobs, grams, config, beside } = self;
        let mut output = Output::open(place, identity, &jobs, options.shard_bytes)?;
        let kept = output.done;
        let bytes = jobs.iter().map(|job| (job.info.numbers() * job.info.float.bytes()) as u64).collect::<Vec<_>>();
        let mut run =
            Run { of_bytes: bytes.iter().sum(), bytes: bytes[..kept].iter().sum(), of_tensors: jobs.len(), progress };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;
        let made = pool.install(|| jobs.iter().skip(kept).try_for_each(|job| run.one(job, grams, &mut output)));
        if let Err(error) = made {
            match error {
                // What is whole is worth keeping; that it could not be noted matters less than what went wrong.
                ComposeError::Cancelled | ComposeError::Read { .. } | ComposeError::Write { .. } => drop(output.note()),
                _ => output.abandon(),
            }
            return Err(error);
        }
        if let Some(config) = config {
            output.write_whole("config.json", format!("{config:#}\n").as_bytes())?;
        }
        for (name, bytes) in beside {
            output.write_whole(&name, &bytes)?;
        }
        output.finish()?;
        Ok(Composed { recipe, tensors: jobs.len(), kept, bytes: run.of_bytes })
    }
}

struct Run<'a> {
    bytes: u64,
    of_bytes: u64,
    of_tensors: usize,
    progress: &'a mut (dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send),
}

impl Run<'_> {
    fn one(&mut self, job: &Job<'_>, grams: Option<&dyn Grams>, output: &mut Output) -> Result<(), ComposeError> {
        let float = job.info.float;
        let too_large = || ComposeError::Overflow { name: job.name.clone(), format: float.torch() };
        let narrow = |rows: &[f32]| float.narrow(rows).ok_or_else(too_large);
        let mut put = |bytes: &[u8]| {
            output.put(bytes)?;
            self.bytes += bytes.len() as u64;
            let told = Progress {
                tensor: &job.name,
                tensors: output.done,
                of_tensors: self.of_tensors,
                bytes: self.bytes,
                of_bytes: self.of_bytes,
            };
            if (self.progress)(told).is_break() { Err(ComposeError::Cancelled) } else { Ok(()) }
        };
        merge::merge(&job.name, job.rule, &job.shares, job, grams, &mut Sink { narrow: &narrow, put: &mut put })?;
        output.next()
    }
}

/// See [`Work::identity`].
fn identity(recipe: Hash, grams: Option<&dyn Grams>) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("hinet/compose/identity/v1");
    hasher.update(&VERSION.to_le_bytes()).update(&recipe.0);
    if let Some(grams) = grams {
        hasher.update(&grams.hash().0);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// The anchor's configuration, with what the recipe changes about it.
fn config(recipe: &Recipe, jobs: &[Job<'_>], files: Option<&Path>) -> Result<Option<Value>, ComposeError> {
    let Some(path) = files.map(|folder| folder.join("config.json")).filter(|path| path.exists()) else {
        return Ok(None);
    };
    let mut config: Value = crate::source::read_json(&path)?;
    let Value::Object(all) = &mut config else {
        return Err(ComposeError::File { path, problem: "is no table; fetch it once more" });
    };
    let (layers, float) = plan::shape(jobs);
    if !recipe.slices.is_empty() {
        all.insert("num_hidden_layers".into(), layers.into());
        let kinds = all.get("layer_types").and_then(Value::as_array).cloned();
        if let Some(kinds) = kinds {
            let first = recipe.slices.iter().flat_map(|slice| slice.sources[0].layers.0..slice.sources[0].layers.1);
            all.insert("layer_types".into(), first.filter_map(|layer| kinds.get(layer).cloned()).collect());
        }
    }
    if let Some(float) = float.filter(|_| recipe.dtype.is_some()) {
        let key = if all.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        all.insert(key.into(), json!(float.torch()));
    }
    Ok(Some(config))
}
