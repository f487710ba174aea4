//! What can go wrong with tuning, each as a sentence a person can read.

use hinet_compose::ComposeError;
use hinet_model::ModelError;
use std::io;

/// Something that cannot be tuned, or not like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The model itself cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A layer that has no way back yet.
    #[error("layer {layer} is a mixture of experts, which cannot be tuned yet; tune a model without mixtures")]
    Mixture {
        /// The layer.
        layer: usize,
    },
    /// A recipe that contradicts itself or the model.
    #[error("the recipe cannot be used: {problem}")]
    Recipe {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// An example that cannot be learned from.
    #[error("example {index} cannot be used: {problem}")]
    Example {
        /// Which one, counted from zero.
        index: usize,
        /// What is wrong, with a hint.
        problem: String,
    },
    /// There is nothing to learn from.
    #[error("there are no examples to learn from; gather some first")]
    NoExamples,
    /// The loss or a gradient is not a finite number.
    #[error(
        "the {what} of step {step} is not a finite number; nothing of that step is kept. Lower the learning rate, or go on from an earlier checkpoint"
    )]
    Diverged {
        /// The step, counted from one.
        step: u64,
        /// The loss, or the gradient.
        what: &'static str,
    },
    /// Somebody asked to stop; nothing of the step is kept.
    #[error("tuning was stopped; what was learned up to the last whole step is kept")]
    Cancelled,
    /// All steps of the recipe are done.
    #[error("all {steps} steps of the recipe are done; make a recipe with more to go on")]
    Finished {
        /// How many there are.
        steps: u64,
    },
    /// What was learned has another form than was asked for.
    #[error("{problem}")]
    Form {
        /// What is wrong, with a hint.
        problem: &'static str,
    },
    /// A checkpoint that cannot be used.
    #[error("the checkpoint cannot be used: {problem}; begin anew, or go on from an older one")]
    Checkpoint {
        /// What is wrong.
        problem: String,
    },
    /// Something that cannot be judged.
    #[error("this cannot be judged: {problem}")]
    Judge {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// Prompts of which no input statistics can be made.
    #[error("the public prompts cannot be used: {problem}")]
    Prompts {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// Input statistics that cannot be used.
    #[error(transparent)]
    Statistics(#[from] Box<ComposeError>),
    /// Somebody asked to stop judging.
    #[error("judging was stopped before its end, so nothing is decided; begin it anew")]
    Unjudged,
    /// A checkpoint could not be read or written.
    #[error("the checkpoint could not be read or written")]
    Io(#[from] io::Error),
}
