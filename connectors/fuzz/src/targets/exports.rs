//! Files and archives of many items: mail, calendars, address books, chats.

use super::{Room, pieces};
use std::path::Path;
use zip::CompressionMethod;

/// A mailbox, a message, a message in a Maildir.
pub fn mail(room: &Room, input: &[u8]) {
    const NAMES: [&str; 5] = ["Trips.mbox", "letter.eml", ".Work.2024/cur/12.M3.host:2,S", "noname", "letter.emlx"];
    let (name, letter) = pieces::form(input, NAMES.len());
    room.read(input.len(), pieces::reach(letter), |folder| {
        // What makes a folder a Maildir.
        for beside in ["new/none.tmp", "tmp/none.tmp"] {
            pieces::write(&folder.join(".Work.2024"), beside, b"");
        }
        pieces::write(folder, NAMES[name], letter);
    });
}

/// A calendar or an address book.
pub fn calendar(room: &Room, input: &[u8]) {
    const NAMES: [&str; 3] = ["home.ics", "people.vcf", "noname"];
    let (name, lines) = pieces::form(input, NAMES.len());
    room.read_file(NAMES[name], lines, lines.len());
}

/// What programs of chats and mail export: a folder of files, an archive of them, or an archive as it stands.
pub fn exports(room: &Room, input: &[u8]) {
    let (form, rest) = pieces::form(input, 4);
    let files = pieces::files(rest);
    let archive = |method| pieces::zipped(&files, method);
    let read = |archive: &[u8]| {
        room.read(input.len(), pieces::reach(rest), |folder: &Path| pieces::write(folder, "dump.zip", archive));
    };
    match form {
        0 => room.read(input.len(), pieces::reach(rest), |folder| {
            for (name, content) in &files {
                pieces::write(folder, name, content);
            }
        }),
        1 => read(&archive(CompressionMethod::Deflated)),
        2 => read(&archive(CompressionMethod::Stored)),
        _ => read(rest),
    }
}
