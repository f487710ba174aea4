//! The node: one per home. It owns the flows (chat, ingest, forget, doctor), the background work, the home lock and
//! the Unix socket, and offers clients one door: [`Op`](protocol::Op) in, [`Event`](protocol::Event) out.
//!
//! It contains no algorithm: what is remembered is in `vault`, found by `index`, said by `model`, allowed by
//! `consent` and read by `connectors`.

mod client;
mod dispatch;
mod door;
mod failure;
mod flows;
mod handshake;
mod mind;
mod notice;
mod peer;
mod settings;
mod state;
mod wire;
mod worn;

pub mod models;
pub mod retrieval;
pub mod roots;
pub mod setup;
pub mod trial;

pub use client::{Client, Stream};
pub use door::run_node;
pub use flows::chat::reader;
pub use hinet_connectors::{Extractor, extract_child};
pub use hinet_model::{
    Anchor, DeviceKind, Embedder, FactorKind, KvKind, LoadOptions, ModelError, Resident, kernels::Kernel, measure,
};
pub use hinet_protocol as protocol;
pub use hinet_train::{TrainError, measure as tuning};
pub use settings::{Presence, Settings, Unlock};
pub use setup::verify_export;

/// Attaches to the node that has this home open, or starts one in this process.
pub use door::connect;
