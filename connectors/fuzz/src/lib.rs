//! Fuzz targets for everything that reads what strangers wrote; see `targets`.

mod targets;

pub use targets::{Room, TARGETS, Target, calendar, exports, git, html, imap, mail, model, notes, office, pdf, words};

use hinet_connectors::{Extractor, extract_child};
use std::sync::OnceLock;

/// What the children that read PDFs are started with.
const EXTRACT: &str = "__extract";

/// What a target's process begins with: one that was started to read a PDF does that and ends.
pub fn begin() {
    if std::env::args().nth(1).is_some_and(|word| word == EXTRACT) {
        // What went wrong is said in what it prints.
        let _ = extract_child();
        std::process::exit(0);
    }
}

/// The room of a process that runs one target. libFuzzer ends a process without unwinding, so that what it has in the
/// folder for temporary files stays there, emptied after each input.
///
/// # Panics
/// Where the system does not say which program this is.
pub fn room() -> &'static Room {
    static ROOM: OnceLock<Room> = OnceLock::new();
    ROOM.get_or_init(|| {
        let program = std::env::current_exe().expect("this program's path");
        Room::new(Extractor { program, args: vec![EXTRACT.to_owned()] })
    })
}
