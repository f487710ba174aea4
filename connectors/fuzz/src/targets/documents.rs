//! Files that are one document each.

use super::{Room, pieces};
use zip::CompressionMethod;

/// A web page.
pub fn html(room: &Room, input: &[u8]) {
    room.read_file("page.html", input, input.len());
}

/// A folder of notes, code and other texts: a vault where it has the settings of one.
pub fn notes(room: &Room, input: &[u8]) {
    let files = pieces::files(input);
    room.read(input.len(), pieces::reach(input), |folder| {
        for (name, content) in &files {
            pieces::write(folder, name, content);
        }
    });
}

/// A PDF, which a child reads: what becomes of the child is a sentence.
pub fn pdf(room: &Room, input: &[u8]) {
    room.read_once("paper.pdf", input, input.len().saturating_mul(pieces::DEFLATE));
}

/// A Word file, an OpenDocument file or a book. The first character says which, the second whether its parts follow
/// (packed or as they are) or the container itself.
pub fn office(room: &Room, input: &[u8]) {
    const NAMES: [&str; 4] = ["letter.docx", "letter.odt", "book.epub", "noname"];
    let (name, rest) = pieces::form(input, NAMES.len());
    let (form, rest) = pieces::form(rest, 3);
    let name = NAMES[name];
    match form {
        0 | 1 => {
            let method = if form == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
            let container = pieces::zipped(&pieces::files(rest), method);
            room.read(input.len(), input.len(), |folder| pieces::write(folder, name, &container));
        }
        // As it stands; an OpenDocument file may be one file of XML.
        _ => room.read_file(name, rest, pieces::reach(rest)),
    }
}
