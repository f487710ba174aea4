//! A sparse model as a GGUF file of the Llama family, for programs that read those.
//!
//! Everything that is no weight comes from the anchor's own GGUF file: shape, tokenizer and chat template.

use super::layout::FEED;
use crate::{Checkpoint, ComposeError, Float, Source, error::member, source::read_json};
use hinet_model::{
    Config, Family, checkpoint_name,
    delta::{Linear, row_order},
    gguf::{
        Gguf, Kind, Value,
        write::{Head, write_with},
    },
};
use std::{
    borrow::Cow,
    io::{self, Write},
    path::Path,
};

/// A tensor of the file, and where it comes from.
struct Entry {
    name: String,
    shape: Vec<usize>,
    kind: Kind,
    from: From,
}

enum From {
    /// As it is in the anchor's file.
    Anchor,
    /// Tensors of the checkpoint, one after the other.
    Checkpoint(Vec<String>),
}

/// Writes the sparse model in the folder `place`, which [`crate::compose_experts`] made of an anchor in a GGUF file, as such
/// a file: its matrices in `float`, its norms and routers in 32 bits. One tensor is in memory at a time; of experts, those of
/// one layer and one kind.
///
/// # Errors
/// Where the folder holds no sparse model of this anchor, a number does not fit `float`, or the file cannot be written.
pub fn experts_to_gguf(place: &Path, anchor: &Gguf, float: Float, out: &mut dyn Write) -> Result<(), ComposeError> {
    let checkpoint = Checkpoint::open(place)?;
    let unfit = |source| member(checkpoint.label(), source);
    let config = Config::from_gguf(anchor).map_err(unfit)?;
    let path = place.join("config.json");
    let json: serde_json::Value = read_json(&path)?;
    let size = |key: &str| json.get(key).and_then(serde_json::Value::as_i64).filter(|size| *size > 0);
    let Some((experts, used)) = size("num_local_experts").zip(size("num_experts_per_tok")) else {
        let problem = "names no experts; name a folder with a sparse model";
        return Err(ComposeError::File { path, problem });
    };
    if config.family != Family::Llama {
        let problem = "its file is of another family; name the anchor's GGUF file".into();
        return Err(ComposeError::NoMixture { whose: checkpoint.label(), problem });
    }
    let entries = entries(anchor, &config, usize::try_from(experts).unwrap_or(usize::MAX), float).map_err(unfit)?;
    let mut metadata = anchor.metadata().clone();
    metadata.insert("llama.expert_count".into(), Value::Int(experts));
    metadata.insert("llama.expert_used_count".into(), Value::Int(used));
    metadata.insert("general.file_type".into(), Value::Int(file_type(float)));
    // The writer's alignment is the usual one, whatever the file had.
    metadata.remove("general.alignment");
    let heads: Vec<Head<'_>> =
        entries.iter().map(|entry| Head { name: &entry.name, shape: &entry.shape, kind: entry.kind }).collect();
    // What is wrong with the numbers is an error of the model, not of the stream.
    let mut failed = None;
    let mut bytes = |index: usize| {
        let entry: &Entry = &entries[index];
        let names = match &entry.from {
            From::Anchor => return Ok(Cow::Borrowed(anchor.tensor(&entry.name).map_err(io::Error::other)?.bytes)),
            From::Checkpoint(names) => names,
        };
        made(&checkpoint, &config, entry, names).map(Cow::Owned).map_err(|error| {
            failed = Some(error);
            io::Error::other("a tensor could not be made")
        })
    };
    let written = write_with(out, &metadata, &heads, &mut bytes);
    match (written, failed) {
        (_, Some(error)) => Err(error),
        (Err(source), None) => Err(ComposeError::Write { path: "the sparse model".into(), source }),
        (Ok(()), None) => Ok(()),
    }
}

/// GGML's number of a file whose matrices are of this format.
const fn file_type(float: Float) -> i64 {
    match float {
        Float::F32 => 0,
        Float::F16 => 1,
        Float::Bf16 => 32,
    }
}

const fn kind(float: Float) -> Kind {
    match float {
        Float::F32 => Kind::F32,
        Float::F16 => Kind::F16,
        Float::Bf16 => Kind::BF16,
    }
}

/// The tensors of the file in the order of the anchor's, a router before the first matrices of its layer's experts.
fn entries(
    anchor: &Gguf,
    config: &Config,
    experts: usize,
    float: Float,
) -> Result<Vec<Entry>, hinet_model::ModelError> {
    let mut all = Vec::new();
    for name in anchor.tensor_names() {
        let tensor = anchor.tensor(name)?;
        let shape = tensor.shape.to_vec();
        let Some(here) = checkpoint_name(name, config) else {
            all.push(Entry { name: name.to_owned(), shape, kind: tensor.kind, from: From::Anchor });
            continue;
        };
        let feed = FEED.iter().find_map(|(theirs, matrix)| {
            Some((here.strip_suffix(&format!(".{theirs}.weight"))?, name.strip_suffix(".weight")?, matrix))
        });
        let Some((layer, inner, matrix)) = feed else {
            let kind = if shape.len() > 1 { kind(float) } else { Kind::F32 };
            all.push(Entry { name: name.to_owned(), shape, kind, from: From::Checkpoint(vec![here]) });
            continue;
        };
        let moe = format!("{layer}.block_sparse_moe");
        if inner.ends_with("ffn_gate") {
            let (name, shape) = (format!("{inner}_inp.weight"), vec![experts, config.width]);
            let from = From::Checkpoint(vec![format!("{moe}.gate.weight")]);
            all.push(Entry { name, shape, kind: Kind::F32, from });
        }
        let names = (0..experts).map(|expert| format!("{moe}.experts.{expert}.{matrix}.weight")).collect();
        let shape = [vec![experts], shape].concat();
        let name = format!("{inner}_exps.weight");
        all.push(Entry { name, shape, kind: kind(float), from: From::Checkpoint(names) });
    }
    Ok(all)
}

/// The bytes of a tensor, its rows in the order of the file.
fn made(checkpoint: &Checkpoint, config: &Config, entry: &Entry, names: &[String]) -> Result<Vec<u8>, ComposeError> {
    let float = [Float::F32, Float::F16, Float::Bf16].into_iter().find(|float| kind(*float) == entry.kind);
    let float = float.unwrap_or(Float::F32);
    let expected = if names.len() > 1 { &entry.shape[1..] } else { &entry.shape[..] };
    let mut bytes = Vec::new();
    for name in names {
        let missing = || ComposeError::MissingTensor { name: name.clone(), whose: checkpoint.label() };
        let info = checkpoint.tensors().get(name).ok_or_else(missing)?;
        // A single expert is a list of one.
        if info.shape != expected && entry.shape != [&[1], &info.shape[..]].concat() {
            let (expected, found) = (expected.to_vec(), info.shape.clone());
            return Err(ComposeError::Shape { name: name.clone(), whose: checkpoint.label(), expected, found });
        }
        let mut numbers = vec![0.0; info.numbers()];
        checkpoint.read(name, 0, &mut numbers)?;
        let linear = Linear::ALL.into_iter().find(|linear| name.ends_with(&format!("{}.weight", linear.path())));
        if let Some(order) = linear.and_then(|linear| row_order(config, linear)) {
            let columns = info.columns();
            let turned = order.iter().flat_map(|row| &numbers[row * columns..][..columns]).copied().collect();
            numbers = turned;
        }
        let too_large = || ComposeError::Overflow { name: name.clone(), format: float.torch() };
        bytes.extend(float.narrow(&numbers).ok_or_else(too_large)?);
    }
    Ok(bytes)
}
