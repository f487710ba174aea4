//! The decoder on a device that candle drives: a graphics processor through Metal or CUDA, or the processor itself.
//!
//! [`crate::graph`] is run over candle's own operations; nothing here is a kernel of ours. Weights are the blocks of the
//! model's file as they are, or floats where the file has no blocks; keys and values are half floats in room that is made
//! once; deltas, gates, weights of experts and the state machine that writes are those of [`crate::Session`]. candle keeps
//! no promise that the number of rows changes no bit, so what is computed here agrees with [`crate::Session`] up to
//! rounding, and not to the bit.

mod any;
mod attend;
mod factors;
mod ops;
mod session;
mod weights;

pub use any::AnySession;
pub use session::DeviceSession;
pub use weights::DeviceModel;

use crate::ModelError;
use candle_core::Device;

/// What candle computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// The processor, by candle's operations and not by our own kernels: on every machine, to see what a device would
    /// compute.
    Candle,
    /// The graphics processor of an Apple machine; needs the feature `metal`.
    Metal,
    /// The first graphics processor of NVIDIA's; needs the feature `cuda`.
    Cuda,
}

impl DeviceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Candle, Self::Metal, Self::Cuda];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Candle => "candle",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether this program was built with it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Candle => true,
            Self::Metal => cfg!(feature = "metal"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// Where this program was built without it, or the machine has none.
    fn open(self) -> Result<Device, ModelError> {
        let missing = |problem| ModelError::NoDevice { device: self.name(), problem };
        if !self.is_built() {
            return Err(missing("this program was built without it"));
        }
        let open = move || match self {
            Self::Candle => Ok(Device::Cpu),
            Self::Metal => Device::new_metal(0),
            Self::Cuda => Device::new_cuda(0),
        };
        // Where a machine has no such device, candle and what lies under it may panic instead of saying so.
        let opened = std::panic::catch_unwind(open).map_err(|_| missing("this machine has none"))?;
        opened.map_err(|source| self.failed(source))
    }

    /// An error of candle's on this device.
    fn failed(self, source: candle_core::Error) -> ModelError {
        ModelError::Device { device: self.name(), source }
    }
}
