//! The weights of a decoder on a device: blocks as they lie in the file, or floats.

use super::{DeviceKind, DeviceSession};
use crate::{
    Anchor, ModelError, ModelPaths, delta,
    gguf::{Gguf, Kind, Tensor},
    graph::Decoder,
    hf::Folder,
    source::{Source, fits, free_memory},
    weights::{Reading, blocks, floats},
};
use candle_core::{Device, quantized::QMatMul};
use hinet_protocol::Hash;
use std::{path::Path, sync::Arc};

/// A matrix of weights on a device, `[rows, columns]`.
#[derive(Debug)]
pub(super) struct DeviceMatrix {
    /// The weights.
    pub(super) weights: QMatMul,
    /// Which of a model's matrices this is, for what may be added to its products.
    pub(super) slot: Option<usize>,
}

/// The weights as a device runs them.
pub(super) type DeviceDecoder = Decoder<DeviceMatrix, candle_core::Tensor>;

/// The weights of an anchor on a device. Cloning is cheap: the weights are shared, and never change.
#[derive(Debug, Clone)]
pub struct DeviceModel {
    anchor: Anchor,
    kind: DeviceKind,
    device: Device,
    decoder: Arc<DeviceDecoder>,
}

/// Puts one matrix on a device.
fn matrix(tensor: &Tensor<'_>, kind: DeviceKind, device: &Device) -> Result<DeviceMatrix, ModelError> {
    let made = match tensor.kind {
        // Half floats are widened: products of halves would round activations that some families let grow large.
        Kind::F32 | Kind::F16 | Kind::BF16 => {
            candle_core::Tensor::from_vec(floats(tensor)?, tensor.shape, device).map(QMatMul::Tensor)
        }
        _ => blocks(tensor, device).map(|blocks| QMatMul::QTensor(Arc::new(blocks))),
    };
    let weights = made.map_err(|source| kind.failed(source))?;
    Ok(DeviceMatrix { weights, slot: None })
}

impl DeviceModel {
    /// Puts the weights of a model of the registry on a device, after checking the hash of its file. The anchor is that
    /// model, on its root where it has one, and stays: it knows the tokens, and packs deltas.
    ///
    /// # Errors
    /// Where there is no such device, it has no room, or the file is another model's.
    pub fn load(anchor: &Anchor, paths: &ModelPaths, kind: DeviceKind) -> Result<Self, ModelError> {
        Self::from_gguf(anchor, &Gguf::from_map(paths.open(".gguf")?)?, kind)
    }

    /// The same from any GGUF file or folder of Hugging Face's, known or not.
    ///
    /// # Errors
    /// As for [`DeviceModel::load`].
    pub fn open(anchor: &Anchor, path: &Path, kind: DeviceKind) -> Result<Self, ModelError> {
        if path.is_dir() {
            let folder = Folder::open(path)?;
            return Self::build(anchor, &folder, folder.weights_hash()?, kind);
        }
        Self::from_gguf(anchor, &Gguf::open(path)?, kind)
    }

    /// The same from a parsed file, which is not needed afterwards.
    ///
    /// # Errors
    /// As for [`DeviceModel::load`].
    pub fn from_gguf(anchor: &Anchor, file: &Gguf, kind: DeviceKind) -> Result<Self, ModelError> {
        Self::build(anchor, file, file.weights_hash()?, kind)
    }

    fn build(anchor: &Anchor, source: &dyn Source, weights: Hash, kind: DeviceKind) -> Result<Self, ModelError> {
        if weights != anchor.passport().weights {
            return Err(ModelError::OtherWeights);
        }
        let device = kind.open()?;
        if device.is_cpu() {
            fits(source.total_bytes(), free_memory())?;
        }
        let reading: Reading<'_, DeviceMatrix, candle_core::Tensor> = Reading {
            source,
            matrix: &|tensor| matrix(tensor, kind, &device),
            gains: &|gains| {
                let count = gains.len();
                candle_core::Tensor::from_vec(gains, count, &device).map_err(|source| kind.failed(source))
            },
        };
        let mut decoder = reading.decoder(anchor.config().clone())?;
        delta::number(&mut decoder, |matrix| &mut matrix.slot);
        Ok(Self { anchor: anchor.clone(), kind, decoder: Arc::new(decoder), device })
    }

    /// A new conversation that holds up to so many tokens, but never more than the model was trained for.
    ///
    /// # Errors
    /// Where the device has no room for its keys and values.
    pub fn session(&self, context: usize) -> Result<DeviceSession, ModelError> {
        DeviceSession::new(self, context)
    }

    /// The anchor whose weights these are.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// What it is computed on.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    pub(super) fn decoder(&self) -> &DeviceDecoder {
        &self.decoder
    }
}
