//! Several models become one: recipes, the methods of merging, and how a member leaves.
//!
//! A [`Recipe`] names an anchor, members, a method and its numbers; [`compose`] makes the model of it, tensor by tensor,
//! from [`Sources`] into a folder as Hugging Face's `transformers` reads it. The bytes of the result depend on the recipe
//! and on what it names, never on the number of threads, the order of the members, or what was composed before; so a
//! member leaves by [`Recipe::leave`] and composing anew. Recipes of mergekit are read by [`Draft`]. An [`Assembly`] is
//! members that stay what they are and answer together; its [`Gate`] says who answers what.
//!
//! Where one model is to keep what each knows, [`Experts`] puts the members' feed-forward layers side by side instead of
//! into each other, and [`compose_experts`] writes a sparse model that is literally larger.
//!
//! Members of different passports answer as text only: [`committee`] says which of their answers is taken, and whether
//! asking several is worth it.
//!
//! This room looks at weights and at nothing else: no consent, no index, no training. What it needs of those comes through
//! traits ([`Source`], [`Grams`], [`Router`]) that others fill.

mod assembly;
pub mod committee;
mod compose;
mod error;
mod experts;
mod float;
mod merge;
mod mergekit;
mod method;
mod output;
mod plan;
mod recipe;
mod setting;
mod source;

pub use assembly::{
    Assembly, Choice, Claims, Fit, Gate, PARTS_MAX, PROMPTS_MAX, PROMPTS_MIN, Part, Premerge, Seat, Signature, Sizing,
    elsewhere,
};
pub use compose::{Composed, Options, Progress, compose, gather};
pub use error::ComposeError;
pub use experts::{Experts, ExpertsDraft, OpenedExperts, Router, Shared, compose_experts, experts_to_gguf};
pub use float::Float;
pub use merge::{
    Gram, GramSum, Grams, Narrow, Put, Rescale, Rule, Share, Sink, Sparsity, Stack, Whose, merge, regress,
};
pub use mergekit::Draft;
pub use method::Method;
pub use recipe::{Member, Recipe, Slice, SliceSource, Tuned};
pub use setting::{Filtered, Parameters, Setting};
pub use source::{Adapted, Checkpoint, GgufFile, Info, Source, Sources, open};
