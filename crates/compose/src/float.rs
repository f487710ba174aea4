//! The number formats of checkpoints. All arithmetic is done in 32-bit floats.

use half::{bf16, f16, slice::HalfFloatSliceExt, vec::HalfFloatVecExt};
use serde::{Deserialize, Serialize};

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Float {
    /// IEEE 754 single precision.
    #[serde(rename = "float32")]
    F32,
    /// IEEE 754 half precision.
    #[serde(rename = "float16")]
    F16,
    /// The upper half of single precision.
    #[serde(rename = "bfloat16")]
    Bf16,
}

impl Float {
    /// Bytes of one number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// What `safetensors` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// What PyTorch calls it.
    #[must_use]
    pub const fn torch(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    /// The format with this name, in the spelling of `safetensors` or of PyTorch.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::Bf16].into_iter().find(|float| name == float.name() || name == float.torch())
    }

    /// Widens little-endian bytes; `out` has one place for every number.
    pub(crate) fn widen(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => {
                out.iter_mut().zip(bytes.as_chunks::<4>().0).for_each(|(to, from)| *to = f32::from_le_bytes(*from))
            }
            Self::F16 => {
                let all: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|from| f16::from_le_bytes(*from)).collect();
                all.convert_to_f32_slice(out);
            }
            Self::Bf16 => {
                out.iter_mut()
                    .zip(bytes.as_chunks::<2>().0)
                    .for_each(|(to, from)| *to = bf16::from_le_bytes(*from).to_f32());
            }
        }
    }

    /// Rounds to the nearest number of this format, ties to even; `None` where a number does not fit.
    pub(crate) fn narrow(self, numbers: &[f32]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; numbers.len() * self.bytes()];
        let fits = match self {
            Self::F32 => {
                bytes.as_chunks_mut::<4>().0.iter_mut().zip(numbers).for_each(|(to, from)| *to = from.to_le_bytes());
                numbers.iter().fold(true, |fits, number| fits & number.is_finite())
            }
            Self::F16 => {
                let all = Vec::<f16>::from_f32_slice(numbers);
                bytes.as_chunks_mut::<2>().0.iter_mut().zip(&all).for_each(|(to, from)| *to = from.to_le_bytes());
                all.iter().fold(true, |fits, number| fits & number.is_finite())
            }
            Self::Bf16 => {
                let mut fits = true;
                for (to, from) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
                    let rounded = bf16::from_f32(*from);
                    fits &= rounded.is_finite();
                    *to = rounded.to_le_bytes();
                }
                fits
            }
        };
        fits.then_some(bytes)
    }
}
