//! Reading what a search found: is there evidence for an answer, is an answer grounded in its passage, and which
//! sentences of a passage say it best.
//!
//! All of it is decided in code from the words and the scores, never by asking a model: a small anchor invents when
//! nothing fits, so whether to answer at all must not be its choice.

mod evidence;
mod facts;
mod grounding;
mod numbers;
mod question;
mod quote;
mod words;

pub use evidence::{Evidence, weigh};
pub use facts::{Fact, answers, asks, facts};
pub use grounding::{Grounding, ground, shrugs};
pub use question::{Intent, Question, Wanted};
pub use quote::{only_asks, quote};
pub(crate) use words::regular;
pub use words::{sentences, stems};
