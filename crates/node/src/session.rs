//! The conversation of the mind, wherever it is computed: on the processor by our own kernels, or on a device.

use hinet_model::{Anchor, DeviceModel, DeviceSession, Flow, Generated, ModelError, Resident, Sampling, Session};

use crate::failure::NodeError;
use crate::models;
use crate::settings::Settings;

/// A conversation with the anchor that answers.
pub(crate) enum AnySession {
    /// On the processor.
    Processor(Box<Session>),
    /// On a device.
    Device(Box<DeviceSession>),
}

impl AnySession {
    /// A conversation of up to `context` tokens, where the settings say.
    ///
    /// # Errors
    /// Where this program was built without the device they name, or the machine has none.
    pub(crate) fn new(anchor: &Anchor, settings: &Settings, context: usize) -> Result<Self, NodeError> {
        let Some(kind) = models::device(settings)? else {
            return Ok(Self::Processor(Box::new(anchor.session(context))));
        };
        let paths = models::located(&models::anchor(settings)?, settings)?;
        let session = DeviceModel::load(anchor, &paths, kind)?.session(context)?;
        Ok(Self::Device(Box::new(session)))
    }

    /// Tokens it holds.
    pub(crate) fn context(&self) -> usize {
        match self {
            Self::Processor(session) => session.context(),
            Self::Device(session) => session.context(),
        }
    }

    /// Reads on with these deltas, each as much as its gate says.
    pub(crate) fn set_deltas(&mut self, deltas: &[(Resident, f32)]) -> Result<(), ModelError> {
        match self {
            Self::Processor(session) => session.set_deltas(deltas),
            Self::Device(session) => session.set_deltas(deltas),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Processor(session) => session.clear(),
            Self::Device(session) => session.clear(),
        }
    }

    /// Continues the prompt until something ends the answer.
    pub(crate) fn generate(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, ModelError> {
        match self {
            Self::Processor(session) => session.generate(prompt, sampling, on_text),
            Self::Device(session) => session.generate(prompt, sampling, on_text),
        }
    }
}
