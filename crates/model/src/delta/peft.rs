//! Deltas in the files of Hugging Face PEFT: `adapter_model.safetensors` and `adapter_config.json`.
//!
//! The files are not trusted. The container is checked by `safetensors` (offsets that follow one another and end with
//! the file); here every tensor must be one we know, of a shape that fits its rank, and finite.

use super::{Delta, Factors, Linear, Place, config::PeftConfig};
use crate::{ModelError, Passport};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

/// The tensors.
pub(super) const TENSORS: &str = "adapter_model.safetensors";
/// The configuration.
pub(super) const CONFIG: &str = "adapter_config.json";
/// Bytes accepted in a file of tensors.
const BYTES_MAX: u64 = 4 << 30;
/// Bytes of the length that a file of tensors begins with, and what its header is aligned to.
const LENGTH: usize = 8;
/// Layers accepted; a limit on what a name may say before there is an anchor to ask.
const LAYERS_MAX: usize = 512;

fn bad(problem: impl Into<String>) -> ModelError {
    ModelError::BadDelta { problem: problem.into() }
}

/// What a tensor of an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    A,
    B,
    Magnitudes,
}

/// The place and part a tensor's name says.
fn parse(name: &str) -> Option<(Place, Part)> {
    let rest = name.strip_prefix("base_model.model.").unwrap_or(name);
    let (layer, rest) = rest.strip_prefix("model.layers.")?.split_once('.')?;
    if layer.is_empty()
        || !layer.bytes().all(|byte| byte.is_ascii_digit())
        || (layer.len() > 1 && layer.starts_with('0'))
    {
        return None;
    }
    let layer = layer.parse().ok().filter(|layer| *layer < LAYERS_MAX)?;
    let (linear, rest) = Linear::ALL.iter().find_map(|linear| Some((*linear, rest.strip_prefix(linear.path())?)))?;
    // Saved files leave out the adapter's name; the state of a running model has it as "default".
    let part = match rest {
        ".lora_A.weight" | ".lora_A.default.weight" => Part::A,
        ".lora_B.weight" | ".lora_B.default.weight" => Part::B,
        ".lora_magnitude_vector" | ".lora_magnitude_vector.weight" | ".lora_magnitude_vector.default.weight" => {
            Part::Magnitudes
        }
        _ => return None,
    };
    Some((Place { layer, linear }, part))
}

fn floats(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, ModelError> {
    let all: Vec<f32> = match view.dtype() {
        Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => view.data().as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => {
            view.data().as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
        }
        _ => {
            let problem = "is stored in a number format that is not supported (F32, F16 and BF16 are)";
            return Err(ModelError::BadTensor { name: name.into(), problem });
        }
    };
    if all.iter().all(|number| number.is_finite()) { Ok(all) } else { Err(ModelError::NotFinite { name: name.into() }) }
}

#[derive(Default)]
struct Parts {
    a: Option<(usize, Vec<f32>)>,
    b: Option<(usize, Vec<f32>)>,
    magnitudes: Option<Vec<f32>>,
}

impl Delta {
    /// Reads the folder of an adapter.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let file = |name: &str, most: u64| {
            let path = folder.join(name);
            let read = |source| ModelError::Read { path: path.clone(), source };
            let size = fs::metadata(&path).map_err(read)?.len();
            if size > most {
                return Err(bad(format!("{name} has {size} bytes, more than the {most} this program accepts")));
            }
            fs::read(&path).map_err(read)
        };
        Self::from_peft(&file(TENSORS, BYTES_MAX)?, &file(CONFIG, 1 << 20)?)
    }

    /// Reads an adapter that is in memory: its tensors and its configuration.
    pub fn from_peft(tensors: &[u8], config: &[u8]) -> Result<Self, ModelError> {
        let config = PeftConfig::parse(config)?;
        let broken = |error| bad(format!("its tensors cannot be read: {error}"));
        let file = SafeTensors::deserialize(tensors).map_err(broken)?;
        let (_, header) = SafeTensors::read_metadata(tensors).map_err(broken)?;
        let mut all: BTreeMap<Place, Parts> = BTreeMap::new();
        for (name, view) in file.iter() {
            let unknown = || {
                let problem = "belongs to no linear layer a delta can change, or is of a kind that is not supported";
                ModelError::BadTensor { name: name.into(), problem }
            };
            let (place, part) = parse(name).ok_or_else(unknown)?;
            let parts = all.entry(place).or_default();
            let flat = |problem| ModelError::BadTensor { name: name.into(), problem };
            let twice = match (part, view.shape()) {
                (Part::A, [rank, _]) => parts.a.replace((*rank, floats(name, &view)?)).is_some(),
                (Part::B, [_, rank]) => parts.b.replace((*rank, floats(name, &view)?)).is_some(),
                (Part::Magnitudes, [_] | [_, 1] | [1, _]) => parts.magnitudes.replace(floats(name, &view)?).is_some(),
                (Part::Magnitudes, _) => return Err(flat("is not a row of numbers")),
                _ => return Err(flat("is not a matrix")),
            };
            if twice {
                return Err(flat("appears under two names"));
            }
        }
        if all.is_empty() {
            return Err(bad("it holds no factors"));
        }
        let origin = header.metadata().as_ref().map(origin).transpose()?.flatten();
        let mut delta = Self { rank_stabilised: config.rank_stabilised, ..Self::new(origin) };
        for (place, parts) in all {
            let path = place.path();
            let lacks = |what| bad(format!("{path} lacks its {what}"));
            let (rank, a) = parts.a.ok_or_else(|| lacks("lora_A"))?;
            let (other, b) = parts.b.ok_or_else(|| lacks("lora_B"))?;
            #[allow(clippy::cast_precision_loss, reason = "compared with a small number")]
            if rank != other || (rank as f64 - config.rank(&path)?).abs() > 0.0 {
                let said = config.rank(&path)?;
                return Err(bad(format!(
                    "{path} has factors of ranks {rank} and {other}, but its configuration says {said}"
                )));
            }
            if config.dora != parts.magnitudes.is_some() {
                return Err(bad(format!("its configuration and {path} disagree about magnitudes (DoRA)")));
            }
            let alpha = config.alpha(&path)?;
            delta.insert(place, Factors { rank, a, b, alpha, magnitudes: parts.magnitudes })?;
        }
        Ok(delta)
    }

    /// Writes the folder of an adapter, which PEFT reads. Files that are there are replaced.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let (tensors, config) = self.to_peft()?;
        let write = |name: &str, bytes: &[u8]| {
            let (path, part) = (folder.join(name), folder.join(format!("{name}.part")));
            let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
            written.map_err(|source| ModelError::Write { path, source })
        };
        fs::create_dir_all(folder).map_err(|source| ModelError::Write { path: folder.into(), source })?;
        write(TENSORS, &tensors)?;
        write(CONFIG, config.as_bytes())
    }

    /// The two files of an adapter: its tensors, and its configuration. Numbers that are all half floats are written as
    /// such, others as floats.
    pub fn to_peft(&self) -> Result<(Vec<u8>, String), ModelError> {
        let Some((_, first)) = self.iter().next() else { return Err(bad("it holds no factors")) };
        let dora = first.magnitudes.is_some();
        let dtype = if self.is_half() { Dtype::F16 } else { Dtype::F32 };
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let (mut ranks, mut alphas) = (serde_json::Map::new(), serde_json::Map::new());
        let mut modules: Vec<&str> = Vec::new();
        for (place, factors) in self.iter() {
            if dora != factors.magnitudes.is_some() {
                return Err(bad("PEFT has no form for a delta of which only some layers have magnitudes"));
            }
            let path = place.path();
            let mut put = |what: &str, shape: Vec<usize>, numbers: &[f32]| {
                let bytes = match dtype {
                    Dtype::F16 => numbers.iter().flat_map(|number| f16::from_f32(*number).to_le_bytes()).collect(),
                    _ => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
                };
                tensors.push((format!("base_model.model.{path}.{what}"), shape, bytes));
            };
            put("lora_A.weight", vec![factors.rank, factors.inputs()], &factors.a);
            put("lora_B.weight", vec![factors.outputs(), factors.rank], &factors.b);
            if let Some(magnitudes) = &factors.magnitudes {
                put("lora_magnitude_vector", vec![magnitudes.len()], magnitudes);
            }
            if factors.rank != first.rank {
                ranks.insert(path.clone(), factors.rank.into());
            }
            if factors.alpha.to_bits() != first.alpha.to_bits() {
                alphas.insert(path, factors.alpha.into());
            }
            let module = place.linear.path();
            modules.push(module.rsplit_once('.').map_or(module, |(_, name)| name));
        }
        modules.sort_unstable();
        modules.dedup();
        let mut metadata = BTreeMap::from([("format", "pt".to_owned())]);
        if let Some(passport) = &self.origin {
            metadata.insert(ARCH, passport.arch.clone());
            metadata.insert(TOKENIZER, passport.tokenizer.to_string());
            metadata.insert(WEIGHTS, passport.weights.to_string());
            metadata.extend(passport.root.map(|root| (ROOT, root.to_string())));
        }
        let broken = |error| bad(format!("its tensors cannot be written: {error}"));
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes).map_err(broken)?))
        });
        let mut bytes = serialize(views.collect::<Result<Vec<_>, ModelError>>()?, None).map_err(broken)?;
        say(&mut bytes, &metadata);
        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": null,
            "inference_mode": true,
            "r": first.rank,
            "lora_alpha": first.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "use_rslora": self.rank_stabilised,
            "use_dora": dora,
            "target_modules": modules,
            "rank_pattern": ranks,
            "alpha_pattern": alphas,
        });
        Ok((bytes, format!("{config:#}\n")))
    }
}

/// Puts metadata into the header of a file of tensors that has none, in the order of their keys: `safetensors` writes them in
/// no order, and the same delta is to give the same bytes each time.
fn say(file: &mut Vec<u8>, metadata: &BTreeMap<&str, String>) {
    let json = serde_json::to_string(metadata).expect("texts serialise");
    let mut said = format!("\"__metadata__\":{json},");
    // Headers are filled up with spaces, so that the tensors behind them are aligned.
    said.extend(std::iter::repeat_n(' ', said.len().next_multiple_of(LENGTH) - said.len()));
    let mut length = [0; LENGTH];
    length.copy_from_slice(&file[..LENGTH]);
    let length = u64::from_le_bytes(length) + said.len() as u64;
    file[..LENGTH].copy_from_slice(&length.to_le_bytes());
    // Behind the brace that opens the header.
    file.splice(LENGTH + 1..LENGTH + 1, said.into_bytes());
}

const ARCH: &str = "hinet.arch";
const TOKENIZER: &str = "hinet.tokenizer";
const WEIGHTS: &str = "hinet.weights";
const ROOT: &str = "hinet.root";

/// The passport in the metadata of the tensors, where there is one.
fn origin(metadata: &HashMap<String, String>) -> Result<Option<Passport>, ModelError> {
    match (metadata.get(ARCH), metadata.get(TOKENIZER), metadata.get(WEIGHTS)) {
        (None, None, None) => Ok(None),
        (Some(arch), Some(tokenizer), Some(weights)) => {
            let hash = |text: &str| text.parse().map_err(|_| bad("its passport holds a hash that is none"));
            let root = metadata.get(ROOT).map(|root| hash(root)).transpose()?;
            Ok(Some(Passport { arch: arch.clone(), tokenizer: hash(tokenizer)?, weights: hash(weights)?, root }))
        }
        _ => Err(bad("its passport is incomplete")),
    }
}
