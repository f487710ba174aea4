//! The panes, one file each: what it holds, how it answers keys and events, how it draws its four faces.

pub mod assembly;
pub mod chat;
pub mod composer;
pub mod consent;
pub mod face;
pub mod foot;
pub mod memory;
pub mod recalled;
pub mod sleep;
pub mod sources;
pub mod transcript;
pub mod turn;
