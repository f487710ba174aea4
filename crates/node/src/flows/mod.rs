//! One flow a file. A flow asks the rooms in order and says what happened; it computes nothing itself.

pub(crate) mod accounts;
pub(crate) mod assembly;
pub(crate) mod attach;
pub(crate) mod background;
pub(crate) mod chat;
pub(crate) mod compose;
pub(crate) mod consent;
pub(crate) mod conversations;
pub(crate) mod deltas;
pub(crate) mod disclose;
pub(crate) mod doctor;
pub(crate) mod feedback;
pub(crate) mod finding;
pub(crate) mod forget;
pub(crate) mod ingest;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod pause;
pub(crate) mod people;
pub(crate) mod reading;
pub(crate) mod sleep;
pub(crate) mod sources;
pub(crate) mod status;
pub(crate) mod typing;
