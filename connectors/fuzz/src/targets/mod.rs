//! What is done with hostile bytes: for each family of parsers one function that goes in by the doors that `icore ingest`
//! uses, and says of what comes out what must hold whatever went in. cargo-fuzz calls them by `fuzz_targets/`, and
//! `connectors/tests/fuzzed.rs` with every seed, every input that was found to break something, and many made of them.
//!
//! The first character of an input says which of a target's forms it is, `0` the first; inputs of several files have a
//! line `=== NAME` before each.

mod accounts;
mod documents;
mod exports;
mod git;
#[path = "../../../tests/support/leave.rs"]
mod leave;
mod model;
mod pieces;
mod room;
mod taken;
mod words;

pub use accounts::imap;
pub use documents::{html, notes, office, pdf};
pub use exports::{calendar, exports, mail};
pub use git::git;
pub use model::model;
pub use room::Room;
pub use words::words;

/// A family of parsers.
pub struct Target {
    /// Its name: of its function, of its file in `fuzz_targets/`, and of its folders of seeds and of what was found.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&Room, &[u8]),
    /// How many inputs the tests make of its seeds; fewer where one takes long.
    pub cases: u32,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "mail", run: mail, cases: 300 },
    Target { name: "calendar", run: calendar, cases: 300 },
    Target { name: "html", run: html, cases: 300 },
    Target { name: "notes", run: notes, cases: 200 },
    Target { name: "pdf", run: pdf, cases: 20 },
    Target { name: "office", run: office, cases: 200 },
    Target { name: "exports", run: exports, cases: 300 },
    Target { name: "git", run: git, cases: 100 },
    Target { name: "imap", run: imap, cases: 100 },
    Target { name: "words", run: words, cases: 200 },
    Target { name: "model", run: model, cases: 200 },
];
