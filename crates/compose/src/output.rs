//! The folder that is written: tensors in order into files whose headers are known beforehand.
//!
//! Everything is written beside its place, under the name `<folder>.part`, and gets its name when it is whole. How far it is
//! stands in `progress.json`, which is renewed after the bytes it speaks of are on the disk; so after a kill, what it
//! says is there is there, and a run with the same identity goes on behind it.

use crate::{ComposeError, plan::Job, source::Info};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Bytes after which what is written is brought to the disk and noted.
const NOTED_AFTER: u64 = 256 << 20;
/// Where it stands how far it is.
const PROGRESS: &str = "progress.json";
/// Held while it is written.
const LOCK: &str = "lock";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    identity: Hash,
    tensors: usize,
}

/// A file of tensors.
#[derive(Debug)]
struct Shard {
    name: String,
    header: Vec<u8>,
    /// The tensors in it, as a range of all.
    first: usize,
    end: usize,
}

/// A folder that is being written.
#[derive(Debug)]
pub(crate) struct Output {
    place: PathBuf,
    part: PathBuf,
    lock: File,
    identity: Hash,
    shards: Vec<Shard>,
    sizes: Vec<u64>,
    names: Vec<String>,
    /// The shard being written, and the tensors that are whole.
    file: Option<File>,
    pub done: usize,
    unnoted: u64,
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> ComposeError + use<> {
    let path = path.to_owned();
    move |source| ComposeError::Write { path, source }
}

/// Bytes of a tensor.
fn bytes_of(info: &Info) -> u64 {
    (info.numbers() * info.float.bytes()) as u64
}

impl Output {
    /// Begins a folder, or goes on with one of the same identity.
    pub fn open(place: &Path, identity: Hash, jobs: &[Job<'_>], shard_bytes: u64) -> Result<Self, ComposeError> {
        if fs::symlink_metadata(place).is_ok() {
            return Err(ComposeError::Exists { path: place.to_owned() });
        }
        let Some(name) = place.file_name() else {
            return Err(write_error(place)(std::io::ErrorKind::InvalidFilename.into()));
        };
        let mut name = name.to_owned();
        name.push(".part");
        let part = place.with_file_name(name);
        let held = part.join(LOCK);
        // Only what an earlier run began is gone on with, or taken away.
        let strange = fs::symlink_metadata(&part).is_ok()
            && !held.exists()
            && fs::read_dir(&part).map_or(true, |mut files| files.next().is_some());
        if strange {
            return Err(ComposeError::Exists { path: part });
        }
        fs::create_dir_all(&part).map_err(write_error(&part))?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&held).map_err(write_error(&held))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ComposeError::Busy { path: place.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(write_error(&held)(error)),
        }
        let mut output = Self {
            place: place.to_owned(),
            part,
            lock,
            identity,
            shards: shards(jobs, identity, shard_bytes)?,
            sizes: jobs.iter().map(|job| bytes_of(&job.info)).collect(),
            names: jobs.iter().map(|job| job.name.clone()).collect(),
            file: None,
            done: 0,
            unnoted: 0,
        };
        output.done = output.found();
        output.seek()?;
        Ok(output)
    }

    /// Tensors that are whole on the disk already.
    fn found(&self) -> usize {
        let read = || {
            let progress: Progress = serde_json::from_slice(&fs::read(self.part.join(PROGRESS)).ok()?).ok()?;
            if progress.identity != self.identity || progress.tensors > self.sizes.len() {
                return None;
            }
            for shard in self.shards.iter().filter(|shard| shard.first < progress.tensors) {
                let mut header = vec![0; shard.header.len()];
                let mut file = File::open(self.part.join(&shard.name)).ok()?;
                file.read_exact(&mut header).ok()?;
                let end = shard.end.min(progress.tensors);
                let size = self.sizes[shard.first..end].iter().sum::<u64>() + header.len() as u64;
                if header != shard.header || file.metadata().ok()?.len() < size {
                    return None;
                }
            }
            Some(progress.tensors)
        };
        read().unwrap_or(0)
    }

    /// Opens the file that the next tensor goes to, where it goes on.
    fn seek(&mut self) -> Result<(), ComposeError> {
        self.file = None;
        let Some(shard) = self.shards.iter().find(|shard| (shard.first..shard.end).contains(&self.done)) else {
            return Ok(());
        };
        let path = self.part.join(&shard.name);
        let behind = self.sizes[shard.first..self.done].iter().sum::<u64>();
        let open = || {
            let mut file = OpenOptions::new().create(true).truncate(behind == 0).write(true).open(&path)?;
            if behind == 0 {
                file.write_all(&shard.header)?;
            } else {
                let end = shard.header.len() as u64 + behind;
                file.set_len(end)?;
                file.seek(SeekFrom::Start(end))?;
            }
            Ok(file)
        };
        self.file = Some(open().map_err(write_error(&path))?);
        Ok(())
    }

    /// Writes bytes of the next tensor.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), ComposeError> {
        let part = &self.part;
        let file = self.file.as_mut().expect("a tensor that is not whole has a file");
        file.write_all(bytes).map_err(write_error(part))?;
        self.unnoted += bytes.len() as u64;
        Ok(())
    }

    /// The tensor is whole.
    pub fn next(&mut self) -> Result<(), ComposeError> {
        self.done += 1;
        let ends = self.shards.iter().any(|shard| shard.end == self.done);
        if ends || self.unnoted >= NOTED_AFTER {
            self.note()?;
        }
        if ends { self.seek() } else { Ok(()) }
    }

    /// Brings what is written to the disk and notes how far it is.
    pub fn note(&mut self) -> Result<(), ComposeError> {
        if let Some(file) = &self.file {
            file.sync_data().map_err(write_error(&self.part))?;
        }
        let progress = Progress { identity: self.identity, tensors: self.done };
        let json = serde_json::to_vec(&progress).expect("a hash and a number can be written down");
        self.write_whole(PROGRESS, &json)?;
        self.unnoted = 0;
        Ok(())
    }

    /// Writes a small file beside the tensors.
    pub fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), ComposeError> {
        let (path, new) = (self.part.join(name), self.part.join(format!("{name}.new")));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            fs::rename(&new, &path)
        };
        write().map_err(write_error(&path))
    }

    /// Takes away what was written: of something that cannot become whole, nothing is kept.
    pub fn abandon(mut self) {
        self.file = None;
        // What cannot be taken away is begun anew by the next run.
        let _ = fs::remove_dir_all(&self.part);
        drop(self.lock);
    }

    /// Gives the folder its name.
    pub fn finish(mut self) -> Result<(), ComposeError> {
        self.file = None;
        if self.shards.len() > 1 {
            let mut map = Map::new();
            for shard in &self.shards {
                for name in &self.names[shard.first..shard.end] {
                    map.insert(name.clone(), shard.name.clone().into());
                }
            }
            let total = self.sizes.iter().sum::<u64>();
            let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
            self.write_whole("model.safetensors.index.json", format!("{index:#}\n").as_bytes())?;
        }
        let end = || {
            for name in [PROGRESS, LOCK] {
                match fs::remove_file(self.part.join(name)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            File::open(&self.part)?.sync_all()?;
            fs::rename(&self.part, &self.place)?;
            let above = self.place.parent().filter(|above| !above.as_os_str().is_empty());
            File::open(above.unwrap_or(Path::new(".")))?.sync_all()
        };
        let ended = end().map_err(write_error(&self.place));
        drop(self.lock);
        ended
    }
}

/// Divides tensors among files of at most `most` bytes, but at least one tensor.
fn shards(jobs: &[Job<'_>], identity: Hash, most: u64) -> Result<Vec<Shard>, ComposeError> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut size = 0;
    for (index, job) in jobs.iter().enumerate() {
        let bytes = bytes_of(&job.info);
        match ranges.last_mut() {
            Some((_, end)) if size + bytes <= most => {
                *end = index + 1;
                size += bytes;
            }
            _ => {
                ranges.push((index, index + 1));
                size = bytes;
            }
        }
    }
    let count = ranges.len();
    let shard = |(index, (first, end)): (usize, (usize, usize))| {
        let name = if count == 1 {
            "model.safetensors".to_owned()
        } else {
            format!("model-{:05}-of-{count:05}.safetensors", index + 1)
        };
        Ok(Shard { name, header: header(&jobs[first..end], identity), first, end })
    };
    ranges.into_iter().enumerate().map(shard).collect()
}

/// The length and text of a `safetensors` header, filled up to a multiple of eight bytes.
fn header(jobs: &[Job<'_>], identity: Hash) -> Vec<u8> {
    let mut all = Map::new();
    all.insert("__metadata__".into(), json!({ "format": "pt", "hinet.composed": identity.to_string() }));
    let mut at = 0;
    for job in jobs {
        let end = at + bytes_of(&job.info);
        let described = json!({ "dtype": job.info.float.name(), "shape": job.info.shape, "data_offsets": [at, end] });
        all.insert(job.name.clone(), described);
        at = end;
    }
    let mut text = Value::Object(all).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes
}
