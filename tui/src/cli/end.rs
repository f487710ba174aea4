//! How a command ends other than well, and the exit code and words that go with it.

use hinet_protocol::{ErrorKind, Failure};
use std::io;
use std::process::ExitCode;

use super::output::Output;

/// Why a command did not run to its good end.
#[derive(Debug)]
pub enum End {
    /// It could not be done; the failure says why.
    Failure(Failure),
    /// The person stopped it.
    Interrupted,
    /// Whoever read the output has read enough.
    BrokenPipe,
    /// Everything has been said already; only the exit code is left.
    Said(u8),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            io::ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Failure(Failure::new(
                ErrorKind::Failed,
                format!("The output could not be written: {error}."),
                "Check that the disk is not full and the terminal still open.",
            )),
        }
    }
}

impl End {
    /// A failure of how the command was given.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failure(Failure::new(ErrorKind::Usage, message, hint))
    }

    /// A failure to do it.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failure(Failure::new(ErrorKind::Failed, message, hint))
    }

    /// An answer of the node that does not belong to what was asked: a fault in the program, not in the input.
    pub fn unexpected(what: &str) -> Self {
        Self::failed(
            format!("The node gave an answer that does not belong to {what}."),
            "If `icore node` runs from an older build, stop it with `icore node --stop` and try again.",
        )
    }

    /// Says what is to be said on stderr and gives the exit code.
    pub fn say(self, out: &Output) -> ExitCode {
        match self {
            Self::Failure(failure) => {
                out.failure(&failure);
                ExitCode::from(failure.kind.exit_code())
            }
            Self::Interrupted => {
                out.failure(&Failure::new(ErrorKind::Cancelled, "Stopped.", ""));
                ExitCode::from(130)
            }
            Self::BrokenPipe => ExitCode::SUCCESS,
            Self::Said(code) => ExitCode::from(code),
        }
    }
}
