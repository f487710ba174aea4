//! A folder as Hugging Face's `transformers` writes it: `config.json`, one or several `safetensors` files, a tokenizer
//! and a chat template.
//!
//! Nothing in the folder is trusted. An index may name files of the same folder only; headers, offsets and sizes are
//! checked against the file before any byte is handed out.
#![allow(unsafe_code, reason = "mapping the files")]

mod names;

use crate::{
    ModelError,
    config::{Config, HfConfig, tokens},
    gguf::{Kind, Tensor},
    source::Source,
};
use hinet_protocol::Hash;
use memmap2::Mmap;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Bytes accepted in one JSON file; the largest tokenizers have some tens of megabytes.
const JSON_BYTES_MAX: u64 = 128 << 20;
/// Bytes accepted in the header of a `safetensors` file, as in the library of that name.
const HEADER_BYTES_MAX: u64 = 100_000_000;

/// An opened folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) config: HfConfig,
    shards: Vec<Mmap>,
    tensors: BTreeMap<String, Entry>,
    /// What the names of tensors begin with.
    prefix: &'static str,
}

#[derive(Debug)]
struct Entry {
    shard: usize,
    shape: Vec<usize>,
    /// `Err` holds the name of a format that is not known.
    kind: Result<Kind, String>,
    start: usize,
    end: usize,
}

/// One tensor in the header of a `safetensors` file.
#[derive(Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// What a folder says about its chats.
#[derive(Debug, Default)]
pub(crate) struct ChatFiles {
    pub template: Option<String>,
    pub bos: Option<String>,
    pub eos: Option<String>,
    /// Tokens that end an answer, by `generation_config.json`.
    pub ends: Vec<u32>,
}

impl Folder {
    /// Opens a folder and reads all headers.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let json: Value = read_json(&path.join("config.json"))?;
        let mut folder = Self {
            path: path.to_owned(),
            config: HfConfig::read(&json)?,
            shards: Vec::new(),
            tensors: BTreeMap::new(),
            prefix: "model.",
        };
        let (single, index) = (path.join("model.safetensors"), path.join("model.safetensors.index.json"));
        if single.exists() {
            let all = folder.map(&single)?;
            folder.tensors.extend(all);
        } else if index.exists() {
            folder.open_shards(&index)?;
        } else {
            return Err(ModelError::NoWeights { path: path.to_owned() });
        }
        let begins = |prefix: &&&str| folder.tensors.contains_key(&format!("{prefix}embed_tokens.weight"));
        folder.prefix = names::PREFIXES.iter().find(begins).copied().unwrap_or(names::PREFIXES[0]);
        Ok(folder)
    }

    fn open_shards(&mut self, index: &Path) -> Result<(), ModelError> {
        let Index { weight_map } = read_json(index)?;
        let mut files: BTreeMap<&str, BTreeMap<String, Entry>> = BTreeMap::new();
        for name in weight_map.values() {
            if files.contains_key(name.as_str()) {
                continue;
            }
            let plain = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
            if !plain || name.contains(['/', '\\', '\0']) || !name.ends_with(".safetensors") {
                let problem = "names a file that does not lie beside it";
                return Err(ModelError::BadFile { path: index.to_owned(), problem });
            }
            let tensors = self.map(&self.path.join(name))?;
            files.insert(name, tensors);
        }
        for (tensor, file) in &weight_map {
            let Some(entry) = files.get_mut(file.as_str()).and_then(|file| file.remove(tensor)) else {
                let problem = "is not in the file that the index says it is in";
                return Err(ModelError::BadTensor { name: tensor.clone(), problem });
            };
            self.tensors.insert(tensor.clone(), entry);
        }
        Ok(())
    }

    /// Maps one file and reads its header.
    fn map(&mut self, path: &Path) -> Result<BTreeMap<String, Entry>, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        // SAFETY: as for GGUF files: the map is read-only and private to this value, and model files are not cut short
        // while they are used.
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        let entries = header(&map, path, self.shards.len())?;
        self.shards.push(map);
        Ok(entries)
    }

    fn tensor(&self, name: &str) -> Result<Option<Tensor<'_>>, ModelError> {
        let Some((name, entry)) = self.tensors.get_key_value(name) else { return Ok(None) };
        let unknown = |dtype: &String| ModelError::TensorType { name: name.clone(), dtype: dtype.clone() };
        let kind = *entry.kind.as_ref().map_err(unknown)?;
        Ok(Some(Tensor { name, shape: &entry.shape, kind, bytes: &self.shards[entry.shard][entry.start..entry.end] }))
    }

    /// As for GGUF files, over the names that the tensors have here.
    pub(crate) fn weights_hash(&self) -> Result<Hash, ModelError> {
        let all = self.tensors.keys().filter_map(|name| self.tensor(name).transpose());
        crate::gguf::hash_weights(all)
    }

    /// The bytes of `tokenizer.json`.
    pub(crate) fn tokenizer(&self) -> Result<Vec<u8>, ModelError> {
        read(&self.path.join("tokenizer.json"))
    }

    /// Reads what is there of the chat template and the tokens around texts.
    pub(crate) fn chat(&self) -> Result<ChatFiles, ModelError> {
        let optional = |name: &str| {
            let path = self.path.join(name);
            if path.exists() { read_json::<Value>(&path) } else { Ok(Value::Null) }
        };
        let (settings, generation) = (optional("tokenizer_config.json")?, optional("generation_config.json")?);
        let token = |key: &str| {
            let value = settings.get(key)?;
            Some(value.as_str().or_else(|| value.get("content")?.as_str())?.to_owned())
        };
        let jinja = self.path.join("chat_template.jinja");
        let template = if jinja.exists() {
            let problem = "is not UTF-8";
            let bytes = read(&jinja)?;
            Some(String::from_utf8(bytes).map_err(|_| ModelError::BadFile { path: jinja, problem })?)
        } else {
            settings.get("chat_template").and_then(template).map(str::to_owned)
        };
        Ok(ChatFiles {
            template,
            bos: token("bos_token"),
            eos: token("eos_token"),
            ends: generation.get("eos_token_id").map(tokens).unwrap_or_default(),
        })
    }
}

/// The name in a Hugging Face checkpoint of the tensor that GGUF calls `name`, if it has one there.
#[must_use]
pub fn checkpoint_name(name: &str, config: &Config) -> Option<String> {
    names::translated(name, names::PREFIXES[0], config)
}

/// What a Hugging Face checkpoint counts the gains of norms from; GGUF counts from zero.
#[must_use]
pub fn checkpoint_gains_from(config: &Config) -> f32 {
    names::gains_from(config.family)
}

/// The template itself, or of several the one named `default`.
fn template(value: &Value) -> Option<&str> {
    let named = |entry: &&Value| entry.get("name").and_then(Value::as_str) == Some("default");
    value.as_str().or_else(|| value.as_array()?.iter().find(named)?.get("template")?.as_str())
}

impl Source for Folder {
    fn find_weight(&self, name: &str) -> Result<Option<Tensor<'_>>, ModelError> {
        if name == "output.weight" {
            return if self.config.tied { Ok(None) } else { self.weight(name).map(Some) };
        }
        names::translated(name, self.prefix, &self.config.config).map_or(Ok(None), |name| self.tensor(&name))
    }

    fn weight(&self, name: &str) -> Result<Tensor<'_>, ModelError> {
        let name = names::translated(name, self.prefix, &self.config.config).unwrap_or_else(|| name.to_owned());
        self.tensor(&name)?.ok_or(ModelError::MissingTensor { name })
    }

    fn total_bytes(&self) -> u64 {
        self.tensors.values().map(|entry| (entry.end - entry.start) as u64).sum()
    }

    fn gains_from(&self) -> f32 {
        names::gains_from(self.config.config.family)
    }
}

/// Reads and checks the header of a `safetensors` file.
fn header(bytes: &[u8], path: &Path, shard: usize) -> Result<BTreeMap<String, Entry>, ModelError> {
    let bad = |problem| ModelError::BadFile { path: path.to_owned(), problem };
    let short = || bad("ends in the middle of its header; it is no safetensors file, or was cut short");
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let length = u64::from_le_bytes(*length);
    if length > HEADER_BYTES_MAX {
        return Err(bad("has a header of an impossible length; it is no safetensors file"));
    }
    let length = usize::try_from(length).ok().filter(|length| *length <= rest.len()).ok_or_else(short)?;
    let json = |source| ModelError::BadJson { path: path.to_owned(), source };
    let described: BTreeMap<String, Value> = serde_json::from_slice(&rest[..length]).map_err(json)?;
    let mut entries = BTreeMap::new();
    for (name, value) in described.into_iter().filter(|(name, _)| name != "__metadata__") {
        let Described { dtype, shape, data_offsets: (start, end) } = serde_json::from_value(value).map_err(json)?;
        let wrong = |problem| ModelError::BadTensor { name: name.clone(), problem };
        if start > end || end > rest.len() - length {
            return Err(wrong("reaches beyond the end of the file"));
        }
        let kind = match dtype.as_str() {
            "F32" => Ok(Kind::F32),
            "F16" => Ok(Kind::F16),
            "BF16" => Ok(Kind::BF16),
            _ => Err(dtype),
        };
        if let Ok(kind) = kind {
            let numbers = shape.iter().try_fold(kind.block().1, |product, size| product.checked_mul(*size));
            if numbers != Some(end - start) {
                return Err(wrong("has dimensions that do not agree with its length"));
            }
        }
        let first = 8 + length;
        entries.insert(name, Entry { shard, shape, kind, start: first + start, end: first + end });
    }
    Ok(entries)
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    let wrong = |source| ModelError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(JSON_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(wrong)?;
    if bytes.len() as u64 > JSON_BYTES_MAX {
        return Err(wrong(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    serde_json::from_slice(&read(path)?).map_err(|source| ModelError::BadJson { path: path.to_owned(), source })
}
