//! What the front door says when something did not work: a sentence, a hint and a kind that sets the exit code.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a command ended, other than well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It could not be done (exit code 1).
    Failed,
    /// It was asked for wrongly (exit code 2).
    Usage,
    /// Consent, the kill switch or a missing owner's proof refused it (exit code 3).
    Refused,
    /// Stored data is damaged or was tampered with (exit code 1).
    Damaged,
    /// The person stopped it (exit code 1).
    Cancelled,
}

impl ErrorKind {
    /// The process exit code that goes with this kind.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Failed | Self::Damaged | Self::Cancelled => 1,
        }
    }
}

/// A failure as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Failure {
    /// What sort of failure.
    pub kind: ErrorKind,
    /// One sentence: what happened, and what is safe.
    pub message: String,
    /// One sentence: what to do now. Empty where there is nothing to do.
    pub hint: String,
}

impl Failure {
    /// A failure of `kind` with its sentence and hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}
