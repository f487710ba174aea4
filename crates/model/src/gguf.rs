//! The GGUF container: metadata and where each tensor lies, read from a memory map.
//!
//! The file is not trusted. Every count is capped before anything is reserved for it, every offset is checked with
//! overflow in mind, and a tensor's bytes are handed out only when they lie wholly inside the file. What the numbers in
//! them mean is the business of [`crate::weights`].
#![allow(unsafe_code, reason = "mapping the file")]

use crate::ModelError;
use cursor::{Cursor, NAME_MAX, capped};
use hinet_protocol::Hash;
use std::{collections::BTreeMap, fs::File, path::Path};

mod cursor;
#[cfg(test)]
mod tests;
pub mod write;

/// Metadata entries accepted in one file; real ones have some dozens.
const ENTRIES_MAX: u64 = 4096;
/// Tensors accepted in one file; the largest mixtures have some thousands.
const TENSORS_MAX: u64 = 65_536;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer of any width.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A string.
    Text(String),
    /// An array of values of one kind.
    List(Vec<Value>),
}

/// How the numbers of a tensor are stored: GGML's type numbers, of which [`crate::weights`] says which can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are GGML's")]
pub enum Kind {
    F32,
    F16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    BF16,
}

impl Kind {
    /// The kind with this GGML number.
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2K,
            11 => Self::Q3K,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// The GGML number of this kind.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2K => 10,
            Self::Q3K => 11,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::BF16 => 30,
        }
    }

    /// Numbers in one block, and the bytes a block takes.
    #[must_use]
    pub const fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2K => (256, 84),
            Self::Q3K => (256, 110),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }
}

/// One tensor of the file.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its dimensions, slowest first: `[rows, columns]` for a matrix.
    pub shape: &'a [usize],
    /// How its numbers are stored.
    pub kind: Kind,
    /// Its bytes.
    pub bytes: &'a [u8],
}

#[derive(Debug)]
struct Entry {
    shape: Vec<usize>,
    /// `Err` holds the number of a type that is not known.
    kind: Result<Kind, u32>,
    start: usize,
    end: usize,
}

/// An opened GGUF file.
#[derive(Debug)]
pub struct Gguf {
    bytes: Bytes,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Entry>,
}

#[derive(Debug)]
enum Bytes {
    Map(memmap2::Mmap),
    Held(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Map(map) => map,
            Self::Held(bytes) => bytes,
        }
    }
}

impl Gguf {
    /// Maps and parses a file.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        // SAFETY: the map is read-only and private to this value. A file that another program cuts short while it is
        // mapped would raise SIGBUS; model files are written once, under another name, and then renamed into place.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(read)?;
        Self::from_map(map)
    }

    /// Parses a file that is already mapped.
    pub fn from_map(map: memmap2::Mmap) -> Result<Self, ModelError> {
        Self::parse(Bytes::Map(map))
    }

    /// Parses a file that is already in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ModelError> {
        Self::parse(Bytes::Held(bytes))
    }

    fn parse(bytes: Bytes) -> Result<Self, ModelError> {
        let mut cursor = Cursor { bytes: &bytes, at: 0, elements: 0 };
        if cursor.take(4, "its header").map_err(|_| ModelError::NotGguf)? != b"GGUF" {
            return Err(ModelError::NotGguf);
        }
        let version = cursor.u32("its header")?;
        if !(2..=3).contains(&version) {
            return Err(ModelError::GgufVersion { version });
        }
        let tensor_count = capped("tensors", cursor.u64("its header")?, TENSORS_MAX)?;
        let entry_count = capped("metadata entries", cursor.u64("its header")?, ENTRIES_MAX)?;
        let mut metadata = BTreeMap::new();
        for _ in 0..entry_count {
            let key = cursor.text("a metadata key", NAME_MAX)?;
            let kind = cursor.u32("a metadata entry")?;
            let value = cursor.value(kind, false)?;
            if metadata.insert(key, value).is_some() {
                return Err(ModelError::Malformed { problem: "a metadata key appears twice" });
            }
        }
        let tensors = cursor.tensors(tensor_count, alignment(&metadata)?)?;
        Ok(Self { metadata, tensors, bytes })
    }

    /// The value of a key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The string at a key, if there is one.
    #[must_use]
    pub fn find_text(&self, key: &str) -> Option<&str> {
        match self.find(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer at a key, if there is one that is not negative.
    #[must_use]
    pub fn find_u64(&self, key: &str) -> Option<u64> {
        match self.find(key)? {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The boolean at a key, if there is one.
    #[must_use]
    pub fn find_bool(&self, key: &str) -> Option<bool> {
        match self.find(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The number at a key, if there is one.
    #[must_use]
    pub fn find_f64(&self, key: &str) -> Option<f64> {
        match self.find(key)? {
            Value::Float(number) => Some(*number),
            #[allow(clippy::cast_precision_loss, reason = "metadata numbers are small")]
            Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The integers of the array at a key, if it is one of integers.
    #[must_use]
    pub fn find_ints(&self, key: &str) -> Option<Vec<i64>> {
        let Value::List(list) = self.find(key)? else { return None };
        list.iter().map(|value| if let Value::Int(number) = value { Some(*number) } else { None }).collect()
    }

    /// The numbers of the array at a key, if it is one of numbers.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the file holds 32-bit floats")]
    pub fn find_floats(&self, key: &str) -> Option<Vec<f32>> {
        let Value::List(list) = self.find(key)? else { return None };
        let number = |value: &Value| match value {
            Value::Float(number) => Some(*number as f32),
            Value::Int(number) => Some(*number as f32),
            _ => None,
        };
        list.iter().map(number).collect()
    }

    /// The string at a key that must be there.
    pub fn text(&self, key: &str) -> Result<&str, ModelError> {
        self.find_text(key).ok_or_else(|| self.wrong(key, "is not a string"))
    }

    /// The strings of the array at a key that must be there.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let wrong = || self.wrong(key, "is not an array of strings");
        let Some(Value::List(list)) = self.find(key) else { return Err(wrong()) };
        list.iter().map(|value| if let Value::Text(text) = value { Ok(text.as_str()) } else { Err(wrong()) }).collect()
    }

    fn wrong(&self, key: &str, problem: &'static str) -> ModelError {
        let key = key.to_owned();
        if self.metadata.contains_key(&key) {
            ModelError::BadKey { key, problem }
        } else {
            ModelError::MissingKey { key }
        }
    }

    /// Names of all tensors, in order.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// All metadata.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.metadata
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.values().map(|entry| (entry.end - entry.start) as u64).sum()
    }

    /// A tensor, if the file has it.
    pub fn find_tensor(&self, name: &str) -> Result<Option<Tensor<'_>>, ModelError> {
        let Some((name, entry)) = self.tensors.get_key_value(name) else { return Ok(None) };
        let kind = entry.kind.map_err(|kind| ModelError::TensorKind { name: name.clone(), kind })?;
        Ok(Some(Tensor { name, shape: &entry.shape, kind, bytes: &self.bytes[entry.start..entry.end] }))
    }

    /// A tensor that must be there.
    pub fn tensor(&self, name: &str) -> Result<Tensor<'_>, ModelError> {
        self.find_tensor(name)?.ok_or_else(|| ModelError::MissingTensor { name: name.to_owned() })
    }

    /// BLAKE3 over every tensor's name, dimensions, kind and bytes, in the order of their names: the same weights have
    /// the same hash, whatever the metadata around them says.
    pub fn weights_hash(&self) -> Result<Hash, ModelError> {
        hash_weights(self.tensor_names().map(|name| self.tensor(name)))
    }
}

/// [`Gguf::weights_hash`] over any tensors.
pub(crate) fn hash_weights<'a>(
    tensors: impl Iterator<Item = Result<Tensor<'a>, ModelError>>,
) -> Result<Hash, ModelError> {
    let mut hasher = blake3::Hasher::new_derive_key("hinet/weights/v1");
    for tensor in tensors {
        let Tensor { name, shape, kind, bytes } = tensor?;
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(&(shape.len() as u64).to_le_bytes());
        for &dimension in shape {
            hasher.update(&(dimension as u64).to_le_bytes());
        }
        hasher.update(format!("{kind:?}\0").as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    Ok(Hash(*hasher.finalize().as_bytes()))
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<usize, ModelError> {
    match metadata.get("general.alignment") {
        None => Ok(32),
        Some(Value::Int(n)) if (1..=1 << 20).contains(n) && n & (n - 1) == 0 => Ok(usize::try_from(*n).unwrap_or(32)),
        Some(_) => {
            Err(ModelError::BadKey { key: "general.alignment".into(), problem: "is not a power of two up to 1 MiB" })
        }
    }
}
