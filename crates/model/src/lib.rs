//! The decoder, its kernels, weights, tokenizer and chat template, and the sentence embedder.
//!
//! Everything here works on bytes, tokens and numbers. It does not know who is asking, reads no environment, opens no
//! socket (`pull` starts pip, and nothing else), and keeps nothing of a prompt after [`Session::clear`].

mod anchor;
mod batch;
mod bert;
mod config;
mod constrain;
pub mod delta;
mod device;
mod draft;
mod embed;
mod error;
pub mod fold;
mod generate;
pub mod gguf;
pub mod graph;
mod hf;
pub mod kernels;
pub mod kv;
pub mod measure;
mod ops;
mod prefix;
mod pull;
mod reader;
pub mod registry;
mod sample;
mod session;
pub mod shelf;
mod source;
mod step;
mod template;
mod tokenizer;
mod weights;
mod writer;

pub use anchor::{Anchor, LoadOptions, Passport};
pub use batch::{Batch, BatchOptions, Event, SequenceId};
pub use config::{Activation, Attention, Config, Family, LayerPlan, Mixture, Rope, RopePairs};
pub use constrain::Form;
pub use delta::{Delta, FactorKind, Gates, Resident};
pub use device::{AnySession, DeviceKind, DeviceModel, DeviceSession};
pub use draft::{DRAFT_MAX, Drafter, PromptLookup, SmallModel};
pub use embed::Embedder;
pub use error::ModelError;
pub use generate::{Flow, Generated, StopReason};
pub use hf::{checkpoint_gains_from, checkpoint_name};
pub use kv::{KvKind, KvPool, KvUsage};
pub use ops::RopeTable;
pub use prefix::{Prefix, PrefixUsage, Prefixes};
pub use pull::{PullOptions, PullProgress, pull, pull_with};
pub use reader::{Asked, Reader};
pub use registry::{ModelPaths, locate, verify};
pub use sample::{Sampling, TokenLog};
pub use session::{Session, SessionOptions};
pub use source::{free_memory, machine_memory};
pub use template::{ChatTemplate, ChatTurn as Turn};
pub use tokenizer::{Tokenizer, TokenizerParts, tokenizer_files};
pub use weights::floats;
