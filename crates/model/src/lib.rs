//! The decoder, its kernels, weights, tokenizer and chat template, and the sentence embedder.
//!
//! Everything here works on bytes, tokens and numbers. It does not know who is asking, reads no environment, opens no
//! socket (`pull` starts pip, and nothing else), and keeps nothing of a prompt after [`Session::clear`].

mod anchor;
mod batch;
mod bert;
mod config;
mod embed;
mod error;
mod generate;
pub mod gguf;
pub mod graph;
pub mod kernels;
pub mod kv;
mod ops;
mod prefix;
mod pull;
pub mod registry;
mod sample;
mod session;
mod step;
mod template;
mod tokenizer;
mod weights;

pub use anchor::{Anchor, LoadOptions, Passport};
pub use batch::{Batch, BatchOptions, Event, SequenceId};
pub use config::{Config, Family, RopePairs};
pub use embed::Embedder;
pub use error::ModelError;
pub use generate::{Flow, Generated, StopReason};
pub use kv::{KvKind, KvPool, KvUsage};
pub use prefix::{Prefix, PrefixUsage, Prefixes};
pub use pull::{PullOptions, PullProgress, pull, pull_with};
pub use registry::{ModelPaths, locate, verify};
pub use sample::Sampling;
pub use session::{Session, SessionOptions};
pub use template::{ChatTemplate, ChatTurn as Turn};
pub use tokenizer::{Tokenizer, TokenizerParts};
