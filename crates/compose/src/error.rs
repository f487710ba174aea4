//! What can go wrong with a composition, each as a sentence a person can read.

use hinet_model::ModelError;
use hinet_protocol::Hash;
use std::{io, path::PathBuf};

/// Something that cannot be composed, or not like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// A file could not be read.
    #[error("cannot read {}; see that it is there and may be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}; see that there is room and that the folder may be written to", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A JSON file that is none.
    #[error("{} is not the JSON file it should be; fetch it once more", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A file of a checkpoint that cannot be used.
    #[error("{} {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the end of the sentence.
        problem: &'static str,
    },
    /// A folder that holds no checkpoint.
    #[error("{} holds no checkpoint (model.safetensors or model.safetensors.index.json); name a folder as Hugging Face's transformers writes it, an adapter as base+adapter, or a GGUF file", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A tensor that cannot be used.
    #[error("the tensor \"{name}\" of {whose} {problem}")]
    Tensor {
        /// The tensor.
        name: String,
        /// Where it lies.
        whose: String,
        /// What is wrong with it, as the end of the sentence.
        problem: String,
    },
    /// A member lacks a tensor of the anchor.
    #[error("{whose} lacks the tensor \"{name}\", which the anchor has; only models of one architecture can be merged")]
    MissingTensor {
        /// The tensor.
        name: String,
        /// The member.
        whose: String,
    },
    /// A member has a tensor that the anchor does not have.
    #[error(
        "{whose} has a tensor \"{name}\", which the anchor does not have; only models of one architecture can be merged"
    )]
    UnknownTensor {
        /// The tensor.
        name: String,
        /// The member.
        whose: String,
    },
    /// A tensor has other dimensions than the anchor's.
    #[error(
        "the tensor \"{name}\" of {whose} is {found:?}, but the anchor's is {expected:?}; only models of one shape and one vocabulary can be merged"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// The member.
        whose: String,
        /// Dimensions of the anchor's.
        expected: Vec<usize>,
        /// Dimensions found.
        found: Vec<usize>,
    },
    /// A weight is NaN or infinite.
    #[error(
        "the tensor \"{name}\" of {whose} holds numbers that are not finite; leave that member out, or train it again"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where it lies.
        whose: String,
    },
    /// A merged number does not fit the output's format.
    #[error("merged numbers of the tensor \"{name}\" do not fit {format}; lower the weights, or write a wider format")]
    Overflow {
        /// The tensor.
        name: String,
        /// The format.
        format: &'static str,
    },
    /// An adapter or a GGUF file that cannot be used.
    #[error("{whose} cannot be used")]
    Member {
        /// The member.
        whose: String,
        /// Why.
        source: Box<ModelError>,
    },
    /// A delta was made for another anchor.
    #[error(
        "{whose} was made for an anchor with the weights {made_for}, but its base has {found}; name the base it was made for"
    )]
    OtherAnchor {
        /// The delta.
        whose: String,
        /// The weights it was made for.
        made_for: Hash,
        /// The weights of the base that was given.
        found: Hash,
    },
    /// A recipe that contradicts itself or cannot be done.
    #[error("the recipe cannot be used: {problem}")]
    Recipe {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// A signature that cannot be used, or signatures that do not go together.
    #[error("{problem}")]
    Signature {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// A committee that cannot be used, or answers that do not fit it.
    #[error("the committee cannot be used: {problem}")]
    Committee {
        /// What is wrong, with a hint.
        problem: String,
    },
    /// A recipe's text that is no YAML.
    #[error("the recipe is not the YAML it should be; look at the line named")]
    Yaml {
        /// Why, with the line.
        source: Box<serde_saphyr::Error>,
    },
    /// A key of a recipe that this program does not know.
    #[error("the recipe's key \"{key}\" is not supported; take it out, or compose it with another program")]
    Unsupported {
        /// The key, with where it stands.
        key: String,
    },
    /// A member that is named but not at hand.
    #[error("the recipe names {hash}, which is not at hand; fetch it, or let it leave the recipe")]
    Absent {
        /// The member.
        hash: Hash,
    },
    /// Whoever asked to leave is not in the recipe.
    #[error("{hash} is no member of this recipe, so it cannot leave")]
    NoMember {
        /// Who.
        hash: Hash,
    },
    /// A matrix whose Grams cannot be solved.
    #[error("the input statistics for \"{name}\" give no solvable system; raise the ridge")]
    Singular {
        /// The tensor.
        name: String,
    },
    /// Input statistics that do not fit.
    #[error("the input statistics for \"{name}\" cannot be used: {problem}")]
    Gram {
        /// The tensor.
        name: String,
        /// What is wrong, with a hint.
        problem: &'static str,
    },
    /// Rows of a router that do not fit.
    #[error("the router of layer {layer} cannot be used: {problem}")]
    Router {
        /// The layer.
        layer: usize,
        /// What is wrong, with a hint.
        problem: &'static str,
    },
    /// An anchor that a sparse model cannot be made of.
    #[error("{whose} cannot become a mixture of experts in Mixtral's layout: {problem}")]
    NoMixture {
        /// The anchor.
        whose: String,
        /// What the layout has no place for, with a hint.
        problem: String,
    },
    /// The output is there already.
    #[error("{} is there already; choose another place, or take it away first", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes there.
    #[error("{} is being written by somebody else; wait for it, or stop it", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Threads could not be started.
    #[error("no threads could be started for merging; try fewer")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Somebody asked to stop.
    #[error("composing was stopped; what is written so far is kept and gone on from when the same recipe is run again")]
    Cancelled,
}

/// A member that cannot be used.
pub(crate) fn member(whose: String, source: ModelError) -> ComposeError {
    ComposeError::Member { whose, source: Box::new(source) }
}

/// A signature that cannot be used, as a sentence.
pub(crate) fn signature(problem: impl Into<String>) -> ComposeError {
    ComposeError::Signature { problem: problem.into() }
}

/// A committee that cannot be used, as a sentence.
pub(crate) fn committee(problem: impl Into<String>) -> ComposeError {
    ComposeError::Committee { problem: problem.into() }
}

/// A recipe that cannot be used, as a sentence.
pub(crate) fn recipe(problem: impl Into<String>) -> ComposeError {
    ComposeError::Recipe { problem: problem.into() }
}
