//! Tuning of a model on its owner's machine: gradients of the one layer graph, on the processor.
//!
//! A [`Tuner`] takes an [`hinet_model::Anchor`], a [`Recipe`] and [`Example`]s, makes one step at a time, and gives what
//! was learned as an [`hinet_model::Delta`] or as differences of whole matrices ([`Difference`]).

pub mod activation;
mod attend;
mod back;
mod checkpoint;
pub mod distill;
mod divergence;
mod engine;
mod error;
mod examples;
mod gemm;
pub mod grams;
pub mod judge;
pub mod leak;
mod learned;
pub mod measure;
mod memory;
mod model;
mod ops;
#[cfg(test)]
mod optests;
mod products;
pub mod project;
mod recipe;
pub mod replay;
pub mod router;
mod rowwise;
mod run;
mod seen;
mod tape;
#[cfg(test)]
mod tests;
mod tuner;
pub mod turns;
mod weight;

pub use error::TrainError;
pub use examples::{Example, Lesson, Soft, Stream, hash as hash_lessons};
pub use learned::Difference;
pub use recipe::{Full, Lora, Method, Recipe, Schedule};
pub use tuner::{StepReport, Tuner};
