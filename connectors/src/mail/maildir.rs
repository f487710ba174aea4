//! Maildir: a folder with `cur`, `new` and `tmp`, one file a message, and flags in the file's name.

use std::path::Path;

/// What a file in a Maildir is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A message, in `cur` or `new`.
    Message,
    /// A message that is being delivered, in `tmp`.
    Unfinished,
}

/// Whether a folder is a Maildir.
pub(crate) fn is_maildir(folder: &Path) -> bool {
    folder.join("cur").is_dir() && (folder.join("new").is_dir() || folder.join("tmp").is_dir())
        || folder.join("new").is_dir() && folder.join("tmp").is_dir()
}

/// What a file is by where it lies; `None` where it lies in no Maildir.
pub(crate) fn place(file: &Path) -> Option<Place> {
    let folder = file.parent()?;
    let place = match folder.file_name()?.to_str()? {
        "cur" | "new" => Place::Message,
        "tmp" => Place::Unfinished,
        _ => return None,
    };
    is_maildir(folder.parent()?).then_some(place)
}

/// The key of a file's item: its path, and for a message in a Maildir the folder with the message's unique name. Mail
/// programs move a message from `new` to `cur` and rename it with every flag; it stays the same message.
#[must_use]
pub fn key_of(file: &Path) -> String {
    let unique = || {
        place(file).filter(|place| *place == Place::Message)?;
        let folder = file.parent()?.parent()?;
        let name = file.file_name()?.to_str()?;
        // `:2,` begins the flags; where a file system knows no colon it is another mark.
        let end = [":2,", ";2,", "!2,"].into_iter().filter_map(|mark| name.rfind(mark)).max().unwrap_or(name.len());
        folder.join(&name[..end]).to_str().map(str::to_owned)
    };
    unique().unwrap_or_else(|| file.to_string_lossy().into_owned())
}

/// The name of the folder that a message in a Maildir lies in.
pub(crate) fn folder_of(file: &Path) -> Option<String> {
    place(file).filter(|place| *place == Place::Message)?;
    Some(file.parent()?.parent()?.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Place, key_of, place};

    #[test]
    fn a_message_keeps_its_key_when_it_is_flagged_and_moved() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["cur", "new", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let key = folder.path().join("12.M3.host").to_string_lossy().into_owned();
        for name in ["new/12.M3.host", "cur/12.M3.host:2,", "cur/12.M3.host:2,RS", "cur/12.M3.host;2,S"] {
            assert_eq!(key_of(&folder.path().join(name)), key, "{name}");
        }
        assert_eq!(place(&folder.path().join("tmp/12")), Some(Place::Unfinished));
        let note = folder.path().join("note.md");
        assert_eq!((place(&note), key_of(&note)), (None, note.to_string_lossy().into_owned()));
    }
}
