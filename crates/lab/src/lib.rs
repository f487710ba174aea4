//! The experiments: what the whitepaper claims, tried with the crates that the node uses, from one seed, resumable at
//! every step, and reported whatever comes out.

mod chart;
mod desk;
pub mod e1;
pub mod e2;
mod error;
pub mod growth;
mod memory;
mod own;
mod owner;
pub mod root;
pub mod skills;

pub use desk::Told;
pub use error::LabError;
