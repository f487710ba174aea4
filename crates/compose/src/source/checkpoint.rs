//! A folder as Hugging Face's `transformers` writes it, in one `safetensors` file or in several.
//!
//! Nothing in it is trusted: an index may name files of the same folder only; headers, offsets and sizes are checked
//! against the file before anything is read.

use super::{Info, Source, not_finite, read_error};
use crate::{ComposeError, Float};
use hinet_protocol::Hash;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// Bytes accepted in one JSON file.
const JSON_BYTES_MAX: u64 = 128 << 20;
/// Bytes accepted in the header of a `safetensors` file, as in the library of that name.
const HEADER_BYTES_MAX: u64 = 100_000_000;
/// Bytes read at once for hashing.
const HASHED_AT_ONCE: usize = 4 << 20;

/// An opened folder.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    shards: Vec<(PathBuf, File)>,
    places: BTreeMap<String, (usize, u64)>,
    tensors: BTreeMap<String, Info>,
    tied: bool,
    hash: OnceLock<Hash>,
}

#[derive(Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens a folder and reads all headers.
    ///
    /// # Errors
    /// Where a file is missing, cut short or malformed.
    pub fn open(path: &Path) -> Result<Self, ComposeError> {
        let (single, index) = (path.join("model.safetensors"), path.join("model.safetensors.index.json"));
        let config: Value = match path.join("config.json") {
            config if config.exists() => read_json(&config)?,
            _ => Value::Null,
        };
        let mut folder = Self {
            path: path.to_owned(),
            shards: Vec::new(),
            places: BTreeMap::new(),
            tensors: BTreeMap::new(),
            tied: config.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
            hash: OnceLock::new(),
        };
        if single.exists() {
            folder.add(&single)?;
        } else if index.exists() {
            let Index { weight_map } = read_json(&index)?;
            let mut files: Vec<&String> = weight_map.values().collect();
            files.sort_unstable();
            files.dedup();
            for name in files {
                let plain = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
                if !plain || name.contains(['/', '\\', '\0']) || !name.ends_with(".safetensors") {
                    let problem = "names a file that does not lie beside it; take it from whoever made the model";
                    return Err(ComposeError::File { path: index, problem });
                }
                folder.add(&path.join(name))?;
            }
            if let Some(name) = weight_map.keys().find(|name| !folder.tensors.contains_key(*name)) {
                let problem = "is not in the file that the index says it is in; fetch the files once more".into();
                return Err(ComposeError::Tensor { name: name.clone(), whose: folder.label(), problem });
            }
        } else {
            return Err(ComposeError::NoWeights { path: path.to_owned() });
        }
        Ok(folder)
    }

    fn add(&mut self, path: &Path) -> Result<(), ComposeError> {
        let file = File::open(path).map_err(read_error(path))?;
        let shard = self.shards.len();
        for (name, float, shape, start) in header(&file, path)? {
            if self.tensors.insert(name.clone(), Info { shape, float }).is_some() {
                let problem = "lies in two files; fetch the files once more".into();
                return Err(ComposeError::Tensor { name, whose: self.label(), problem });
            }
            self.places.insert(name, (shard, start));
        }
        self.shards.push((path.to_owned(), file));
        Ok(())
    }

    fn place(&self, name: &str) -> Result<(&Path, &File, u64, &Info), ComposeError> {
        let found = self.places.get(name).zip(self.tensors.get(name));
        let Some((&(shard, start), info)) = found else {
            return Err(ComposeError::MissingTensor { name: name.into(), whose: self.label() });
        };
        let (path, file) = &self.shards[shard];
        Ok((path, file, start, info))
    }
}

impl Source for Checkpoint {
    fn label(&self) -> String {
        self.path.display().to_string()
    }

    fn tensors(&self) -> &BTreeMap<String, Info> {
        &self.tensors
    }

    fn read(&self, name: &str, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        let (path, file, start, info) = self.place(name)?;
        let width = info.float.bytes();
        let at = start + (first * info.columns() * width) as u64;
        let mut bytes = vec![0; out.len() * width];
        file.read_exact_at(&mut bytes, at).map_err(read_error(path))?;
        info.float.widen(&bytes, out);
        not_finite(name, || self.label(), out)
    }

    /// The same hash as that of the weights in an [`hinet_model::Passport`].
    fn hash(&self) -> Result<Hash, ComposeError> {
        if let Some(known) = self.hash.get() {
            return Ok(*known);
        }
        let mut hasher = blake3::Hasher::new_derive_key("hinet/weights/v1");
        let mut room = vec![0; HASHED_AT_ONCE];
        for name in self.tensors.keys() {
            let (path, file, start, info) = self.place(name)?;
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
            hasher.update(&(info.shape.len() as u64).to_le_bytes());
            for &dimension in &info.shape {
                hasher.update(&(dimension as u64).to_le_bytes());
            }
            hasher.update(format!("{}\0", info.float.name()).as_bytes());
            let length = info.numbers() * info.float.bytes();
            hasher.update(&(length as u64).to_le_bytes());
            let mut done = 0;
            while done < length {
                let part = &mut room[..HASHED_AT_ONCE.min(length - done)];
                file.read_exact_at(part, start + done as u64).map_err(read_error(path))?;
                hasher.update(part);
                done += part.len();
            }
        }
        Ok(*self.hash.get_or_init(|| Hash(*hasher.finalize().as_bytes())))
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn tied(&self) -> bool {
        self.tied
    }
}

type Header = Vec<(String, Float, Vec<usize>, u64)>;

/// Reads and checks the header of a `safetensors` file: name, format, dimensions and first byte of each tensor.
fn header(file: &File, path: &Path) -> Result<Header, ComposeError> {
    let bad = |problem| ComposeError::File { path: path.to_owned(), problem };
    let size = file.metadata().map_err(read_error(path))?.len();
    let short =
        || bad("ends in the middle of its header; it is no safetensors file, or was cut short: fetch it once more");
    let mut length = [0; 8];
    file.read_exact_at(&mut length, 0).map_err(|_| short())?;
    let length = u64::from_le_bytes(length);
    if length > HEADER_BYTES_MAX {
        return Err(bad("has a header of an impossible length; it is no safetensors file"));
    }
    let rest = size.checked_sub(8 + length).ok_or_else(short)?;
    #[allow(clippy::cast_possible_truncation, reason = "at most a hundred megabytes")]
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 8).map_err(|_| short())?;
    let json = |source| ComposeError::Json { path: path.to_owned(), source };
    let described: BTreeMap<String, Value> = serde_json::from_slice(&bytes).map_err(json)?;
    let mut all = Vec::new();
    for (name, value) in described.into_iter().filter(|(name, _)| name != "__metadata__") {
        let Described { dtype, shape, data_offsets: (start, end) } = serde_json::from_value(value).map_err(json)?;
        let wrong = |problem: String| {
            let (name, whose) = (name.clone(), path.display().to_string());
            ComposeError::Tensor { name, whose, problem }
        };
        if start > end || end > rest {
            return Err(wrong("reaches beyond the end of the file, which was cut short; fetch it once more".into()));
        }
        let float = Float::named(&dtype)
            .ok_or_else(|| wrong(format!("is stored as {dtype}, which is not supported (F32, F16 and BF16 are)")))?;
        let bytes = shape.iter().try_fold(float.bytes() as u64, |all, size| all.checked_mul(*size as u64));
        if bytes != Some(end - start) {
            return Err(wrong("has dimensions that do not agree with its length; fetch the file once more".into()));
        }
        all.push((name, float, shape, 8 + length + start));
    }
    Ok(all)
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ComposeError> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(JSON_BYTES_MAX).read_to_end(&mut bytes)).map_err(read_error(path))?;
    serde_json::from_slice(&bytes).map_err(|source| ComposeError::Json { path: path.to_owned(), source })
}
