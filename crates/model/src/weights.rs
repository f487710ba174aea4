//! From the tensors of a model file to the matrices the kernels multiply with.
//!
//! Quantised weights keep their numbers exactly and only change places (`repack`). Shapes are checked against the
//! configuration, and every scale and every float must be finite: a damaged file ends here, with the name of the tensor.

use crate::{
    Config, ModelError,
    delta::Linear,
    gguf::{Kind, Tensor},
    graph::{Decoder, Feed, FeedForward, Layer},
    kernels::{BLOCK, Matrix, STRIP},
    source::Source,
};
use candle_core::{
    Device,
    quantized::{GgmlDType, QStorage, QTensor},
};
use half::{bf16, f16};
use std::borrow::Cow;

mod repack;

pub(crate) use repack::matrix_of;

/// What the address of candle's blocks must be a multiple of, whatever their kind.
const CANDLE_ALIGN: usize = 4;

/// The weights as this crate runs them.
pub(crate) type FastDecoder = Decoder<Matrix, Vec<f32>>;

/// What the tensors of a source are made into.
pub(crate) struct Reading<'a, M, G> {
    /// Where they lie.
    pub(crate) source: &'a dyn Source,
    /// Makes a matrix of a tensor whose shape has been checked.
    pub(crate) matrix: &'a dyn Fn(&Tensor<'_>) -> Result<M, ModelError>,
    /// Makes the gains of a norm, counted from zero.
    pub(crate) gains: &'a dyn Fn(Vec<f32>) -> Result<G, ModelError>,
}

/// Reads all weights of a decoder, for the kernels of this crate.
pub(crate) fn decoder(source: &dyn Source, config: Config) -> Result<FastDecoder, ModelError> {
    let reading: Reading<'_, Matrix, Vec<f32>> = Reading { source, matrix: &matrix_of, gains: &kept };
    reading.decoder(config)
}

/// Gains stay the numbers they are.
fn kept(gains: Vec<f32>) -> Result<Vec<f32>, ModelError> {
    Ok(gains)
}

impl<M, G> Reading<'_, M, G> {
    /// Reads all weights of a decoder.
    pub(crate) fn decoder(&self, config: Config) -> Result<Decoder<M, G>, ModelError> {
        let width = config.width;
        let layers = (0..config.layers).map(|index| self.layer(&config, index)).collect::<Result<_, _>>()?;
        let head = match self.source.find_weight("output.weight")? {
            Some(_) => Some(self.matrix("output.weight", config.vocabulary, width)?),
            None => None,
        };
        Ok(Decoder {
            embedding: self.matrix("token_embd.weight", config.vocabulary, width)?,
            norm: self.gains("output_norm.weight", width)?,
            layers,
            head,
            config,
        })
    }

    fn layer(&self, config: &Config, index: usize) -> Result<Layer<M, G>, ModelError> {
        let (width, head_dim) = (config.width, config.head_dim);
        let (queries, keys) = (config.heads * head_dim, config.kv_heads * head_dim);
        let named = |name: &str| format!("blk.{index}.{name}.weight");
        let matrix = |name: &str, rows, columns| self.inner_matrix(&named(name), rows, columns);
        let normed = |name: &str, length| self.gains(&named(name), length);
        let normed_if = |wanted: bool, name: &str, length| wanted.then(|| normed(name, length)).transpose();
        for name in Linear::ALL.map(Linear::gguf) {
            if let Some(bias) = self.source.find_weight(&format!("blk.{index}.{name}.bias"))? {
                let problem = "is a bias, which this family does not have";
                return Err(ModelError::BadTensor { name: bias.name.into(), problem });
            }
        }
        let feed = |hidden, part: &str| {
            Ok(Feed {
                gate: matrix(&format!("ffn_gate{part}"), hidden, width)?,
                up: matrix(&format!("ffn_up{part}"), hidden, width)?,
                down: matrix(&format!("ffn_down{part}"), width, hidden)?,
            })
        };
        Ok(Layer {
            attention_norm: normed("attn_norm", width)?,
            query: matrix("attn_q", queries, width)?,
            key: matrix("attn_k", keys, width)?,
            value: matrix("attn_v", keys, width)?,
            query_norm: normed_if(config.head_norms, "attn_q_norm", head_dim)?,
            key_norm: normed_if(config.head_norms, "attn_k_norm", head_dim)?,
            output: matrix("attn_output", width, queries)?,
            attention_post_norm: normed_if(config.post_norms, "post_attention_norm", width)?,
            hidden_norm: normed("ffn_norm", width)?,
            feed: match config.mixture.filter(|_| config.plan[index].mixture) {
                None => FeedForward::Dense(feed(config.hidden, "")?),
                Some(how) => {
                    FeedForward::Mixture {
                        how,
                        router: self.matrix(&named("ffn_gate_inp"), how.experts, width)?,
                        experts: (0..how.experts)
                            .map(|expert| feed(how.hidden, &format!(".{expert}")))
                            .collect::<Result<_, ModelError>>()?,
                    }
                }
            },
            hidden_post_norm: normed_if(config.post_norms, "post_ffw_norm", width)?,
        })
    }

    fn gains(&self, name: &str, length: usize) -> Result<G, ModelError> {
        let mut gains = vector(self.source, name, length)?;
        gains.iter_mut().for_each(|gain| *gain += self.source.gains_from());
        (self.gains)(gains)
    }

    /// A matrix whose outputs are the inputs of another operation, which works in strips of sixteen.
    fn inner_matrix(&self, name: &str, rows: usize, columns: usize) -> Result<M, ModelError> {
        if !rows.is_multiple_of(STRIP) {
            return Err(ModelError::BadTensor { name: name.into(), problem: "has rows that are not a multiple of 16" });
        }
        self.matrix(name, rows, columns)
    }

    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<M, ModelError> {
        let tensor = self.source.weight(name)?;
        expect_shape(&tensor, &[rows, columns])?;
        if !columns.is_multiple_of(BLOCK) {
            return Err(ModelError::BadTensor {
                name: name.into(),
                problem: "has columns that are not a multiple of 32",
            });
        }
        (self.matrix)(&tensor)
    }
}

/// Factors by which rotary frequencies are divided, where the file has them (Llama 3.1 and later).
pub(crate) fn rope_factors(source: &dyn Source, rope_dims: usize) -> Result<Vec<f32>, ModelError> {
    let name = "rope_freqs.weight";
    if source.find_weight(name)?.is_none() {
        return Ok(Vec::new());
    }
    let factors = vector(source, name, rope_dims / 2)?;
    if factors.iter().any(|factor| *factor <= 0.0) {
        return Err(ModelError::BadTensor { name: name.into(), problem: "holds factors that are not positive" });
    }
    Ok(factors)
}

fn expect_shape(tensor: &Tensor<'_>, expected: &[usize]) -> Result<(), ModelError> {
    if tensor.shape == expected {
        return Ok(());
    }
    Err(ModelError::Shape { name: tensor.name.into(), expected: expected.into(), found: tensor.shape.into() })
}

fn vector(source: &dyn Source, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
    let tensor = source.weight(name)?;
    expect_shape(&tensor, &[length])?;
    floats(&tensor)
}

fn half(bytes: &[u8]) -> f16 {
    f16::from_le_bytes([bytes[0], bytes[1]])
}

/// What candle calls a kind.
const fn ggml(kind: Kind) -> GgmlDType {
    match kind {
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
    }
}

/// The blocks of a tensor as they are, on a device of candle's.
///
/// # Errors
/// Where the device has no room for them, or their rows end in the middle of a block.
pub(crate) fn blocks(tensor: &Tensor<'_>, device: &Device) -> candle_core::Result<QTensor> {
    let mut moved: Vec<u8>;
    // candle reads blocks where they lie, and panics where none could lie; a file may lay them anywhere.
    let bytes = match tensor.bytes.as_ptr().align_offset(CANDLE_ALIGN) {
        0 => tensor.bytes,
        _ => {
            moved = vec![0; tensor.bytes.len() + CANDLE_ALIGN];
            let first = moved.as_ptr().align_offset(CANDLE_ALIGN);
            moved[first..][..tensor.bytes.len()].copy_from_slice(tensor.bytes);
            &moved[first..][..tensor.bytes.len()]
        }
    };
    QTensor::new(QStorage::from_data(Cow::Borrowed(bytes), device, ggml(tensor.kind))?, tensor.shape)
}

/// All numbers of a tensor as floats.
///
/// # Errors
/// Where its blocks cannot be widened, or one of its numbers is not finite.
pub fn floats(tensor: &Tensor<'_>) -> Result<Vec<f32>, ModelError> {
    let all: Vec<f32> = match tensor.kind {
        Kind::F32 => tensor.bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Kind::F16 => tensor.bytes.chunks_exact(2).map(|bytes| half(bytes).to_f32()).collect(),
        Kind::BF16 => {
            tensor.bytes.as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
        }
        _ => {
            let widen = || blocks(tensor, &Device::Cpu)?.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1();
            widen().map_err(|source| ModelError::Widen { name: tensor.name.into(), source })?
        }
    };
    if all.iter().all(|number| number.is_finite()) {
        Ok(all)
    } else {
        Err(ModelError::NotFinite { name: tensor.name.into() })
    }
}
