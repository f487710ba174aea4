//! What can go wrong with an experiment, each as a sentence a person can read.

use hinet_compose::ComposeError;
use hinet_model::ModelError;
use hinet_protocol::Failure;
use hinet_train::TrainError;
use std::{io, path::PathBuf};

/// Something that ended an experiment. What was done before it is kept, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A model cannot be used.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// Tuning or judging failed, or was stopped.
    #[error(transparent)]
    Train(Box<TrainError>),
    /// Members cannot be composed.
    #[error(transparent)]
    Compose(Box<ComposeError>),
    /// Packs of facts that cannot be used.
    #[error("{} is no file of packs: {problem}", path.display())]
    Packs {
        /// The file.
        path: PathBuf,
        /// What is wrong, with a hint.
        problem: String,
    },
    /// An experiment that cannot be run like this.
    #[error("the experiment cannot be run like this: {problem}")]
    Plan {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// What was pre-registered cannot be used.
    #[error("the pre-registration cannot be used: {problem}")]
    Registered {
        /// What is wrong.
        problem: String,
    },
    /// The iCore of the experiment failed.
    #[error("the iCore of the experiment failed: {} ({})", .0.message, .0.hint)]
    Node(Box<Failure>),
    /// The folder of the experiment cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something was kept that cannot be read.
    #[error("{} is not what this experiment keeps; delete it, and it is made again", path.display())]
    Kept {
        /// Where.
        path: PathBuf,
    },
}

impl From<ModelError> for LabError {
    fn from(error: ModelError) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<TrainError> for LabError {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}

impl From<ComposeError> for LabError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(Box::new(error))
    }
}

impl From<Failure> for LabError {
    fn from(failure: Failure) -> Self {
        Self::Node(Box::new(failure))
    }
}

impl LabError {
    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Train(error) => matches!(**error, TrainError::Cancelled | TrainError::Unjudged),
            Self::Compose(error) => matches!(**error, ComposeError::Cancelled),
            _ => false,
        }
    }
}
