//! One flow a file. A flow asks the rooms in order and says what happened; it computes nothing itself.

pub(crate) mod background;
pub(crate) mod chat;
pub(crate) mod consent;
pub(crate) mod doctor;
pub(crate) mod forget;
pub(crate) mod ingest;
pub(crate) mod memory;
pub(crate) mod sources;
pub(crate) mod status;
