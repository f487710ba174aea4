//! Where an experiment keeps what it has done: each result under a name that says what it was made from, so that the same
//! command goes on after an interruption, and nothing is made twice.

use crate::LabError;
use hinet_model::{
    Anchor, Config, Delta,
    delta::{Linear, Place},
    fold::{Change, fold},
    gguf::{Gguf, Kind},
};
use hinet_train::{Difference, Lesson, Recipe, TrainError, Tuner, hash_lessons, judge::Watch};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Instant,
};

/// Seconds between two checkpoints.
const CHECKPOINT_S: u64 = 45;

/// What an experiment says while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// A part begins.
    Begins(&'a str),
    /// How far it is.
    Goes {
        /// Which part.
        what: &'a str,
        /// What is done.
        done: usize,
        /// Of how much.
        all: usize,
    },
    /// A part was done before.
    Kept(&'a str),
    /// A part ended.
    Ended {
        /// Which part.
        what: &'a str,
        /// After how many seconds.
        seconds: f64,
    },
}

/// What tuning came to.
#[derive(Debug, Clone)]
pub(crate) struct Tuned<T> {
    pub made: T,
    /// The loss of every step, in nats.
    pub losses: Vec<f32>,
}

/// The folder of an experiment.
pub(crate) struct Desk<'a> {
    dir: PathBuf,
    pub stop: &'a AtomicBool,
    say: &'a mut dyn FnMut(Told<'_>),
}

impl<'a> Desk<'a> {
    /// Opens the folder, and makes it where it is not there.
    pub fn open(dir: &Path, stop: &'a AtomicBool, say: &'a mut dyn FnMut(Told<'_>)) -> Result<Self, LabError> {
        fs::create_dir_all(dir).map_err(|source| LabError::Disk { path: dir.into(), source })?;
        Ok(Self { dir: dir.into(), stop, say })
    }

    /// Where something with this name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The name of something that is made from these.
    fn key(name: &str, from: &[&str]) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/lab/key/v1");
        for part in [&[name], from].concat() {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        format!("{}-{}", name.replace([' ', '/', '\''], "_"), &hasher.finalize().to_hex()[..16])
    }

    /// What was measured before from the same things, or `job` measures now.
    pub fn measured<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        from: &[&str],
        job: impl FnOnce(&mut Watch<'_>) -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let path = self.path(&(Self::key(name, from) + ".json"));
        if path.exists() {
            (self.say)(Told::Kept(name));
            return read_json(&path);
        }
        (self.say)(Told::Begins(name));
        let began = Instant::now();
        let say = &mut *self.say;
        let mut told = |done, all| say(Told::Goes { what: name, done, all });
        write_json(&path, &job(&mut Watch::new(self.stop, &mut told))?)?;
        (self.say)(Told::Ended { what: name, seconds: began.elapsed().as_secs_f64() });
        // As it is after it was written and read: some numbers lose their last bit, and what follows from them is to be the
        // same the next time.
        read_json(&path)
    }

    /// Low-rank factors tuned on lessons, from where it was left.
    pub fn lora(
        &mut self,
        name: &str,
        anchor: &Anchor,
        recipe: Recipe,
        lessons: Vec<Lesson>,
    ) -> Result<Tuned<Delta>, LabError> {
        let key = tuned_key(name, anchor, &recipe, &lessons);
        let folder = self.path(&key);
        if let Some(losses) = self.kept(name, &folder.join("losses.json"))? {
            return Ok(Tuned { made: Delta::open(&folder)?, losses });
        }
        let (tuner, losses) = self.tune(name, &key, anchor, recipe, lessons)?;
        tuner.delta()?.save(&folder)?;
        write_json(&folder.join("losses.json"), &losses)?;
        self.tidy(&key);
        // As it is after it was written and read, which is how it will be served.
        Ok(Tuned { made: Delta::open(&folder)?, losses })
    }

    /// Whole matrices tuned on lessons, folded into a model file of their own at half precision.
    pub fn whole(
        &mut self,
        name: &str,
        (anchor, file): (&Anchor, &Path),
        recipe: Recipe,
        lessons: Vec<Lesson>,
    ) -> Result<Tuned<PathBuf>, LabError> {
        let key = tuned_key(name, anchor, &recipe, &lessons);
        let (model, kept) = (self.path(&(key.clone() + ".gguf")), self.path(&(key.clone() + ".losses.json")));
        if let Some(losses) = self.kept(name, &kept)? {
            return Ok(Tuned { made: model, losses });
        }
        let (tuner, losses) = self.tune(name, &key, anchor, recipe, lessons)?;
        write_whole(&model, file, tuner.differences()?)?;
        write_json(&kept, &losses)?;
        self.tidy(&key);
        Ok(Tuned { made: model, losses })
    }

    /// Low-rank factors folded into a model file of their own at half precision.
    pub fn folded(&mut self, name: &str, file: &Path, delta: &Delta) -> Result<PathBuf, LabError> {
        let model = self.path(&(Self::key(name, &[&delta.hash().to_string()]) + ".gguf"));
        if !model.exists() {
            let mut change = |place: Place, weights: &mut [f32]| delta.add_to(place, weights, 1.0);
            write_folded(&model, &Gguf::open(file)?, &delta.places(), &mut change)?;
        }
        Ok(model)
    }

    /// Where a run of tuning stands, as its numbers and its losses.
    fn states(&self, key: &str) -> [PathBuf; 2] {
        [self.path(&format!("{key}.steps")), self.path(&format!("{key}.past.json"))]
    }

    /// Takes that away once what it came to is kept.
    fn tidy(&self, key: &str) {
        for path in self.states(key) {
            let _ = fs::remove_file(path);
        }
    }

    fn kept(&mut self, name: &str, losses: &Path) -> Result<Option<Vec<f32>>, LabError> {
        if !losses.exists() {
            return Ok(None);
        }
        (self.say)(Told::Kept(name));
        read_json(losses).map(Some)
    }

    fn tune(
        &mut self,
        name: &str,
        key: &str,
        anchor: &Anchor,
        recipe: Recipe,
        lessons: Vec<Lesson>,
    ) -> Result<(Tuner, Vec<f32>), LabError> {
        let [state, past] = self.states(key);
        let resumed = match fs::read(&state) {
            Ok(bytes) => Tuner::resume(anchor, lessons.clone(), bytes.as_slice()).ok(),
            Err(_) => None,
        };
        (self.say)(Told::Begins(name));
        let began = Instant::now();
        let (mut tuner, mut losses): (Tuner, Vec<f32>) = match resumed {
            Some(tuner) => (tuner, read_json(&past)?),
            None => (Tuner::new(anchor, recipe, lessons)?, Vec::new()),
        };
        #[allow(clippy::cast_possible_truncation, reason = "steps are few")]
        let (all, done) = (tuner.recipe().steps as usize, tuner.steps_done() as usize);
        losses.truncate(done);
        let mut saved = Instant::now();
        while !tuner.is_finished() {
            let step = tuner.step(self.stop);
            if matches!(step, Err(TrainError::Cancelled)) || saved.elapsed().as_secs() >= CHECKPOINT_S {
                write_json(
                    &past,
                    &losses.iter().copied().chain(step.as_ref().ok().map(|step| step.loss)).collect::<Vec<_>>(),
                )?;
                let mut bytes = Vec::new();
                tuner.save(&mut bytes)?;
                whole_file(&state, |out| out.write_all(&bytes))?;
                saved = Instant::now();
            }
            losses.push(step?.loss);
            (self.say)(Told::Goes { what: name, done: losses.len(), all });
        }
        (self.say)(Told::Ended { what: name, seconds: began.elapsed().as_secs_f64() });
        Ok((tuner, losses))
    }
}

fn tuned_key(name: &str, anchor: &Anchor, recipe: &Recipe, lessons: &[Lesson]) -> String {
    let recipe = serde_json::to_string(recipe).unwrap_or_default();
    let (weights, lessons) = (anchor.passport().weights.to_string(), hash_lessons(lessons).to_string());
    Desk::key(name, &[&recipe, &weights, anchor.kernel().name(), &lessons])
}

/// All linear layers of a model.
pub(crate) fn places(config: &Config) -> Vec<Place> {
    let of_layer = |layer| Linear::ALL.map(|linear| Place { layer, linear });
    (0..config.layers).flat_map(of_layer).collect()
}

/// Writes the anchor's file with differences of whole matrices.
fn write_whole(to: &Path, file: &Path, differences: Vec<Difference>) -> Result<(), LabError> {
    let file = Gguf::open(file)?;
    let mut by_name: BTreeMap<String, Vec<f32>> =
        differences.into_iter().map(|difference| (difference.name, difference.numbers)).collect();
    let mut places = places(&Config::from_gguf(&file)?);
    places.retain(|place| by_name.contains_key(&format!("{}.weight", place.path())));
    write_folded(to, &file, &places, &mut |place: Place, weights: &mut [f32]| {
        let added = by_name.remove(&format!("{}.weight", place.path())).unwrap_or_default();
        weights.iter_mut().zip(added).for_each(|(weight, added)| *weight += added);
        Ok(())
    })
}

/// Writes the anchor's file with changed linear layers at half precision; it is there whole or not at all.
pub(crate) fn write_folded(to: &Path, file: &Gguf, places: &[Place], change: &mut Change<'_>) -> Result<(), LabError> {
    let mut failed = None;
    let written = whole_file(to, |out| {
        fold(file, places, Kind::F16, change, out).map_err(|error| {
            failed = Some(error);
            std::io::Error::other("a tensor could not be made")
        })
    });
    failed.map_or(written, |error| Err(error.into()))
}

/// Writes a file that is either there whole or not there.
fn whole_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<fs::File>) -> std::io::Result<()>,
) -> Result<(), LabError> {
    let part = path.with_extension("part");
    let written = fs::File::create(&part).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        fs::rename(&part, path)
    });
    written.map_err(|source| LabError::Disk { path: path.into(), source })
}

/// Writes a report as JSON, its tables and its chart, by this name in the folder.
pub(crate) fn publish(
    dir: &Path,
    name: &str,
    report: &impl Serialize,
    [markdown, svg]: [String; 2],
) -> Result<(), LabError> {
    write_json(&dir.join(format!("{name}.json")), report)?;
    for (ending, text) in [("md", markdown), ("svg", svg)] {
        let path = dir.join(format!("{name}.{ending}"));
        fs::write(&path, text).map_err(|source| LabError::Disk { path, source })?;
    }
    Ok(())
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let json = serde_json::to_vec_pretty(value).map_err(|_| LabError::Kept { path: path.into() })?;
    whole_file(path, |out| out.write_all(&json))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let bytes = fs::read(path).map_err(|source| LabError::Disk { path: path.into(), source })?;
    serde_json::from_slice(&bytes).map_err(|_| LabError::Kept { path: path.into() })
}
