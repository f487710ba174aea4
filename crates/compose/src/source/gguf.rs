//! A GGUF file seen as a Hugging Face checkpoint: its names, its order of rows, its way to count gains.
//!
//! Quantised tensors are widened some rows at a time. Mixtures of experts are refused: their matrices lie in stacks.

use super::{Info, Source};
use crate::{ComposeError, Float, error::member};
use hinet_model::{
    Config, Family, ModelError, checkpoint_gains_from, checkpoint_name,
    delta::{Linear, row_order},
    floats,
    gguf::{Gguf, Tensor},
    tokenizer_files,
};
use hinet_protocol::Hash;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// An opened GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: Gguf,
    tensors: BTreeMap<String, Info>,
    parts: BTreeMap<String, Part>,
}

#[derive(Debug)]
struct Part {
    /// Its name in the file.
    name: String,
    /// The row in the file of each row of the checkpoint, where they differ.
    rows: Option<Vec<usize>>,
    /// What is taken off its numbers.
    gains_from: f32,
}

impl GgufFile {
    /// Opens a file of a family this program runs.
    ///
    /// # Errors
    /// Where the file is malformed or of another family, or holds mixtures.
    pub fn open(path: &Path) -> Result<Self, ComposeError> {
        let member = |source| member(path.display().to_string(), source);
        let file = Gguf::open(path).map_err(member)?;
        let config = Config::from_gguf(&file).map_err(member)?;
        let (mut tensors, mut parts) = (BTreeMap::new(), BTreeMap::new());
        for name in file.tensor_names() {
            let tensor = file.tensor(name).map_err(member)?;
            let Some(here) = checkpoint_name(name, &config) else {
                // Divisors of rotary frequencies belong to the configuration of a checkpoint.
                if name == "rope_freqs.weight" {
                    continue;
                }
                let problem = "has no place in a checkpoint that this program can merge; use the model's safetensors";
                return Err(ComposeError::Tensor {
                    name: name.into(),
                    whose: path.display().to_string(),
                    problem: problem.into(),
                });
            };
            let rows = Linear::ALL
                .into_iter()
                .find(|linear| here.ends_with(&format!("{}.weight", linear.path())))
                .and_then(|linear| row_order(&config, linear))
                .map(|order| turned(&order));
            let norm = name.ends_with("norm.weight");
            let gains_from = if norm { checkpoint_gains_from(&config) } else { 0.0 };
            let float = match tensor.kind {
                hinet_model::gguf::Kind::F16 => Float::F16,
                hinet_model::gguf::Kind::BF16 => Float::Bf16,
                _ => Float::F32,
            };
            tensors.insert(here.clone(), Info { shape: tensor.shape.to_vec(), float });
            parts.insert(here, Part { name: name.to_owned(), rows, gains_from });
        }
        Ok(Self { path: path.to_owned(), file, tensors, parts })
    }

    fn rows(&self, tensor: Tensor<'_>, first: usize, columns: usize, out: &mut [f32]) -> Result<(), ModelError> {
        let (numbers, bytes) = tensor.kind.block();
        let row = columns / numbers * bytes;
        let count = out.len() / columns;
        let shape = [count, columns];
        let bytes = &tensor.bytes[first * row..][..count * row];
        out.copy_from_slice(&floats(&Tensor { shape: &shape, bytes, ..tensor })?);
        Ok(())
    }
}

/// A number as somebody would have written it: with no more digits than tell it from its neighbours.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The other way round: where each number of a permutation stands.
fn turned(order: &[usize]) -> Vec<usize> {
    let mut out = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, to)| out[*to] = at);
    out
}

impl Source for GgufFile {
    fn label(&self) -> String {
        self.path.display().to_string()
    }

    fn tensors(&self) -> &BTreeMap<String, Info> {
        &self.tensors
    }

    fn read(&self, name: &str, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        let missing = || ComposeError::MissingTensor { name: name.into(), whose: self.label() };
        let (part, info) = self.parts.get(name).zip(self.tensors.get(name)).ok_or_else(missing)?;
        let member = |source| member(self.label(), source);
        let tensor = self.file.tensor(&part.name).map_err(member)?;
        let columns = info.columns();
        match &part.rows {
            None => self.rows(tensor, first, columns, out).map_err(member)?,
            Some(rows) => {
                for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                    self.rows(tensor, rows[first + row], columns, out).map_err(member)?;
                }
            }
        }
        if part.gains_from != 0.0 {
            out.iter_mut().for_each(|gain| *gain -= part.gains_from);
        }
        Ok(())
    }

    fn hash(&self) -> Result<Hash, ComposeError> {
        self.file.weights_hash().map_err(|source| member(self.label(), source))
    }

    fn folder(&self) -> Option<&Path> {
        None
    }

    fn tied(&self) -> bool {
        !self.tensors.contains_key("lm_head.weight")
    }

    /// Of the Llama family only: what other families' configurations say beside, nobody asks here.
    fn config(&self) -> Result<Option<Value>, ComposeError> {
        let config = Config::from_gguf(&self.file).map_err(|source| member(self.label(), source))?;
        let rope = &config.ropes[0];
        if config.family != Family::Llama || !rope.factors.is_empty() || config.rope_dims != config.head_dim {
            return Ok(None);
        }
        let scaling = json!({ "rope_type": "linear", "factor": shortest(rope.scale) });
        let scaled = (rope.scale - 1.0).abs() > 0.0;
        let token = |key: &str| self.file.find_u64(&format!("tokenizer.ggml.{key}_token_id"));
        Ok(Some(json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": config.width,
            "intermediate_size": config.hidden,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads,
            "head_dim": config.head_dim,
            "hidden_act": "silu",
            "vocab_size": config.vocabulary,
            "max_position_embeddings": config.context,
            "rms_norm_eps": shortest(config.norm_eps),
            "rope_theta": shortest(rope.base),
            "rope_scaling": if scaled { scaling } else { Value::Null },
            "sliding_window": config.plan[0].window,
            "tie_word_embeddings": self.tied(),
            "bos_token_id": token("bos"),
            "eos_token_id": token("eos"),
            "pad_token_id": token("padding"),
        })))
    }

    fn beside(&self) -> Result<Vec<(String, Vec<u8>)>, ComposeError> {
        tokenizer_files(&self.file).map_err(|source| member(self.label(), source))
    }
}
