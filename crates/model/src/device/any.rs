//! A conversation, wherever it is computed.

use super::DeviceSession;
use crate::{Flow, Generated, ModelError, Resident, Sampling, Session};

/// A conversation on the processor, by our own kernels, or on a device.
#[derive(Debug)]
pub enum AnySession {
    /// On the processor.
    Processor(Box<Session>),
    /// On a device.
    Device(Box<DeviceSession>),
}

impl From<Session> for AnySession {
    fn from(session: Session) -> Self {
        Self::Processor(Box::new(session))
    }
}

impl From<DeviceSession> for AnySession {
    fn from(session: DeviceSession) -> Self {
        Self::Device(Box::new(session))
    }
}

/// Asks whichever it is.
macro_rules! whichever {
    ($any:expr, $session:ident => $asked:expr) => {
        match $any {
            AnySession::Processor($session) => $asked,
            AnySession::Device($session) => $asked,
        }
    };
}

impl AnySession {
    /// Tokens it holds.
    #[must_use]
    pub fn context(&self) -> usize {
        whichever!(self, session => session.context())
    }

    /// Forgets everything, as [`Session::clear`] and [`DeviceSession::clear`] say.
    pub fn clear(&mut self) {
        whichever!(self, session => session.clear());
    }

    /// Reads on with these deltas, each as much as its gate says; with none, as the anchor alone.
    ///
    /// # Errors
    /// Where one is another anchor's, or a gate is no finite number.
    pub fn set_deltas(&mut self, deltas: &[(Resident, f32)]) -> Result<(), ModelError> {
        whichever!(self, session => session.set_deltas(deltas))
    }

    /// Continues the prompt until something ends the answer, as [`Session::generate`] says.
    ///
    /// # Errors
    /// Where the prompt or a setting cannot be used, or the device fails.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, ModelError> {
        whichever!(self, session => session.generate(prompt, sampling, on_text))
    }

    /// The logits after the last of these tokens, over the vocabulary.
    ///
    /// # Errors
    /// Where the tokens cannot be read, or the device fails.
    pub fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        whichever!(self, session => session.logits(tokens))
    }

    /// The natural logarithm of the probability of each token but the first, given those before it.
    ///
    /// # Errors
    /// As for [`AnySession::logits`].
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        whichever!(self, session => session.log_probabilities(tokens))
    }
}
