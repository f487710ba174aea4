//! The program people live in.
//!
//! `update(&mut State, Msg) -> Vec<Effect>` decides without IO, `view(&State, &mut Frame)` draws without deciding,
//! and the loop in `run` carries effects out against the node and the terminal. One pane per file, overlays as a
//! stack. Nothing is drawn unless a message changed something; an idle screen does not wake the processor.

mod bars;
mod chores;
mod click;
pub mod command;
pub mod effect;
pub mod field;
pub mod fuzzy;
pub mod gate;
pub mod keymap;
pub mod keys;
pub mod mention;
pub mod menu;
pub mod msg;
pub mod overlay;
pub mod pane;
pub mod paragraphs;
pub mod reader;
mod replies;
mod run;
pub mod scroll;
pub mod slash;
pub mod state;
pub mod update;
pub mod view;
pub mod words;

pub use effect::Effect;
pub use msg::{Msg, Tag};
pub use run::{Guise, run, run_as};
pub use state::State;
pub use update::update;
pub use view::view;
