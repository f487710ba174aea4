//! From the tensors of a GGUF file to the matrices the kernels multiply with.
//!
//! `Q4_0`, `Q4_1` and `Q8_0` keep their numbers exactly and only change places. Every other kind is widened to floats,
//! which is slower and larger but loses nothing. Shapes are checked against the configuration, and every scale and
//! every float must be finite: a damaged file ends here, with the name of the tensor.

use crate::{
    Config, ModelError,
    gguf::{Gguf, Kind, Tensor},
    graph::{Decoder, Layer},
    kernels::{BLOCK, Matrix, Q4Block, Q8Block, STRIP, Strips},
};
use candle_core::{
    Device,
    quantized::{GgmlDType, QStorage, QTensor},
};
use half::{bf16, f16};
use std::borrow::Cow;

/// The weights as this crate runs them.
pub(crate) type FastDecoder = Decoder<Matrix, Vec<f32>>;

/// Reads all weights of a decoder.
pub(crate) fn decoder(file: &Gguf, config: Config) -> Result<FastDecoder, ModelError> {
    let (width, hidden) = (config.width, config.hidden);
    let (queries, keys) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    let layer = |index: usize| {
        let matrix =
            |name: &str, rows, columns| inner_matrix(file, &format!("blk.{index}.{name}.weight"), rows, columns);
        let gains = |name: &str| vector(file, &format!("blk.{index}.{name}.weight"), width);
        for name in ["attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias"] {
            let name = format!("blk.{index}.{name}");
            if file.find_tensor(&name)?.is_some() {
                return Err(ModelError::BadTensor { name, problem: "is a bias, which this family does not have" });
            }
        }
        Ok(Layer {
            attention_norm: gains("attn_norm")?,
            query: matrix("attn_q", queries, width)?,
            key: matrix("attn_k", keys, width)?,
            value: matrix("attn_v", keys, width)?,
            output: matrix("attn_output", width, queries)?,
            hidden_norm: gains("ffn_norm")?,
            gate: matrix("ffn_gate", hidden, width)?,
            up: matrix("ffn_up", hidden, width)?,
            down: matrix("ffn_down", width, hidden)?,
        })
    };
    let layers = (0..config.layers).map(layer).collect::<Result<_, _>>()?;
    let head = match file.find_tensor("output.weight")? {
        Some(_) => Some(matrix(file, "output.weight", config.vocabulary, width)?),
        None => None,
    };
    Ok(Decoder {
        embedding: matrix(file, "token_embd.weight", config.vocabulary, width)?,
        norm: vector(file, "output_norm.weight", width)?,
        layers,
        head,
        config,
    })
}

/// Factors by which rotary frequencies are divided, where the file has them (Llama 3.1 and later).
pub(crate) fn rope_factors(file: &Gguf, config: &Config) -> Result<Option<Vec<f32>>, ModelError> {
    let name = "rope_freqs.weight";
    if file.find_tensor(name)?.is_none() {
        return Ok(None);
    }
    let factors = vector(file, name, config.rope_dims / 2)?;
    if factors.iter().any(|factor| *factor <= 0.0) {
        return Err(ModelError::BadTensor { name: name.into(), problem: "holds factors that are not positive" });
    }
    Ok(Some(factors))
}

fn expect_shape(tensor: &Tensor<'_>, expected: &[usize]) -> Result<(), ModelError> {
    if tensor.shape == expected {
        return Ok(());
    }
    Err(ModelError::Shape { name: tensor.name.into(), expected: expected.into(), found: tensor.shape.into() })
}

fn vector(file: &Gguf, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
    let tensor = file.tensor(name)?;
    expect_shape(&tensor, &[length])?;
    floats(&tensor)
}

/// A matrix whose outputs are the inputs of another operation, which works in strips of sixteen.
fn inner_matrix(file: &Gguf, name: &str, rows: usize, columns: usize) -> Result<Matrix, ModelError> {
    if !rows.is_multiple_of(STRIP) {
        return Err(ModelError::BadTensor { name: name.into(), problem: "has rows that are not a multiple of 16" });
    }
    matrix(file, name, rows, columns)
}

fn matrix(file: &Gguf, name: &str, rows: usize, columns: usize) -> Result<Matrix, ModelError> {
    let tensor = file.tensor(name)?;
    expect_shape(&tensor, &[rows, columns])?;
    if !columns.is_multiple_of(BLOCK) {
        return Err(ModelError::BadTensor { name: name.into(), problem: "has columns that are not a multiple of 32" });
    }
    matrix_of(&tensor)
}

/// Repacks a tensor of two dimensions whose columns are a multiple of 32.
pub(crate) fn matrix_of(tensor: &Tensor<'_>) -> Result<Matrix, ModelError> {
    let [rows, columns] = *tensor.shape else {
        return Err(ModelError::BadTensor { name: tensor.name.into(), problem: "is not a matrix" });
    };
    let strips = match tensor.kind {
        Kind::Q4_0 | Kind::Q4_1 => Strips::Q4(four_bit(tensor, rows, columns)?),
        Kind::Q8_0 => Strips::Q8(eight_bit(tensor, rows, columns)?),
        _ => {
            let all = floats(tensor)?;
            let mut strips = vec![0.0; rows.div_ceil(STRIP) * STRIP * columns];
            for (index, row) in all.chunks_exact(columns).enumerate() {
                let strip = &mut strips[index / STRIP * STRIP * columns..];
                for (column, weight) in row.iter().enumerate() {
                    strip[column * STRIP + index % STRIP] = *weight;
                }
            }
            Strips::Dense(strips)
        }
    };
    Ok(Matrix { rows, columns, strips, slot: None })
}

fn half(bytes: &[u8]) -> f16 {
    f16::from_le_bytes([bytes[0], bytes[1]])
}

fn four_bit(tensor: &Tensor<'_>, rows: usize, columns: usize) -> Result<Vec<Q4Block>, ModelError> {
    let blocks = columns / BLOCK;
    let (_, size) = tensor.kind.block();
    let mut strips = vec![Q4Block::ZERO; rows.div_ceil(STRIP) * blocks];
    for (row, bytes) in tensor.bytes.chunks_exact(blocks * size).enumerate() {
        for (b, bytes) in bytes.chunks_exact(size).enumerate() {
            let scale = half(bytes);
            // Q4_0 counts from -8: a minimum of eight scales below zero, which is exact unless it overflows.
            let (min, quants) = if tensor.kind == Kind::Q4_0 {
                (f16::from_f32(-8.0 * scale.to_f32()), &bytes[2..18])
            } else {
                (half(&bytes[2..]), &bytes[4..20])
            };
            if !(scale.is_finite() && min.is_finite()) {
                return Err(ModelError::NotFinite { name: tensor.name.into() });
            }
            strips[row / STRIP * blocks + b].set_row(row % STRIP, quants, scale.to_bits(), min.to_bits());
        }
    }
    Ok(strips)
}

fn eight_bit(tensor: &Tensor<'_>, rows: usize, columns: usize) -> Result<Vec<Q8Block>, ModelError> {
    let blocks = columns / BLOCK;
    let (_, size) = tensor.kind.block();
    let mut strips = vec![Q8Block::ZERO; rows.div_ceil(STRIP) * blocks];
    for (row, bytes) in tensor.bytes.chunks_exact(blocks * size).enumerate() {
        for (b, bytes) in bytes.chunks_exact(size).enumerate() {
            let scale = half(bytes);
            if !scale.is_finite() {
                return Err(ModelError::NotFinite { name: tensor.name.into() });
            }
            strips[row / STRIP * blocks + b].set_row(row % STRIP, &bytes[2..], scale.to_bits());
        }
    }
    Ok(strips)
}

/// All numbers of a tensor as floats.
pub(crate) fn floats(tensor: &Tensor<'_>) -> Result<Vec<f32>, ModelError> {
    let dtype = match tensor.kind {
        Kind::F32 => GgmlDType::F32,
        Kind::F16 => GgmlDType::F16,
        Kind::BF16 => GgmlDType::BF16,
        Kind::Q4_0 => GgmlDType::Q4_0,
        Kind::Q4_1 => GgmlDType::Q4_1,
        Kind::Q5_0 => GgmlDType::Q5_0,
        Kind::Q5_1 => GgmlDType::Q5_1,
        Kind::Q8_0 => GgmlDType::Q8_0,
        Kind::Q2K => GgmlDType::Q2K,
        Kind::Q3K => GgmlDType::Q3K,
        Kind::Q4K => GgmlDType::Q4K,
        Kind::Q5K => GgmlDType::Q5K,
        Kind::Q6K => GgmlDType::Q6K,
    };
    let all: Vec<f32> = match tensor.kind {
        Kind::F32 => tensor.bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Kind::F16 => tensor.bytes.chunks_exact(2).map(|bytes| half(bytes).to_f32()).collect(),
        Kind::BF16 => {
            tensor.bytes.as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
        }
        _ => {
            let widen = || {
                let storage = QStorage::from_data(Cow::Borrowed(tensor.bytes), &Device::Cpu, dtype)?;
                QTensor::new(storage, tensor.shape)?.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()
            };
            widen().map_err(|source| ModelError::Widen { name: tensor.name.into(), source })?
        }
    };
    if all.iter().all(|number| number.is_finite()) {
        Ok(all)
    } else {
        Err(ModelError::NotFinite { name: tensor.name.into() })
    }
}
