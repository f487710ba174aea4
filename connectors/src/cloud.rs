//! Files of synced folders whose contents lie elsewhere: told by their names and by what the system says of them, so
//! that reading never makes a program download anything.

use crate::Unreadable;
use rustix::{fs::SeekFrom, io::Errno};
use std::{
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Endings that sync programs give to a file of a byte at most that stands for another.
const STANDING_FOR: [&str; 2] = [".nextcloud", ".owncloud"];
/// Beginnings of the names of folders that sync programs keep.
const SYNCED: [&str; 9] = [
    "OneDrive",
    "Dropbox",
    "Google Drive",
    "GoogleDrive-",
    "Nextcloud",
    "ownCloud",
    "iCloud Drive",
    "Mobile Documents",
    "CloudStorage",
];

/// The file that an entry of iCloud (`.name.icloud`) stands for.
pub(crate) fn stands_for(entry: &Path) -> Option<PathBuf> {
    let name = entry.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(".icloud")?;
    (!name.is_empty()).then(|| entry.with_file_name(name))
}

/// The file that an entry of this size stands for, where that does not begin with a dot.
pub(crate) fn stands_openly_for(entry: &Path, size: u64) -> Option<PathBuf> {
    let name = entry.file_name()?.to_str()?;
    let name = STANDING_FOR.iter().find_map(|end| name.strip_suffix(end)).filter(|name| !name.is_empty())?;
    (size <= 1).then(|| entry.with_file_name(name))
}

/// Whether a file that is not there only lies in the cloud: something beside it stands for it.
#[must_use]
pub fn awaits_download(file: &Path) -> bool {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return false };
    let beside = |name: String| file.with_file_name(name).symlink_metadata().is_ok();
    beside(format!(".{name}.icloud")) || STANDING_FOR.iter().any(|end| beside(format!("{name}{end}")))
}

/// Refuses a file that has a size and no contents on this machine. Only the system is asked; nothing is read.
pub(crate) fn downloaded(file: &File, meta: &Metadata) -> Result<(), Unreadable> {
    if is_dataless(meta) {
        return Err(Unreadable::NotDownloaded);
    }
    // Some file systems keep small files where no blocks are counted; whether there are bytes they know all the same.
    if meta.len() > 0 && meta.blocks() == 0 {
        let hollow = rustix::fs::seek(file, SeekFrom::Data(0)) == Err(Errno::NXIO);
        rustix::fs::seek(file, SeekFrom::Start(0)).map_err(std::io::Error::from)?;
        if hollow {
            return Err(Unreadable::NotDownloaded);
        }
    }
    Ok(())
}

/// What macOS says of files that its sync programs would fetch when they are read.
#[cfg(target_os = "macos")]
fn is_dataless(meta: &Metadata) -> bool {
    const SF_DATALESS: u32 = 0x4000_0000;
    std::os::macos::fs::MetadataExt::st_flags(meta) & SF_DATALESS != 0
}

#[cfg(not(target_os = "macos"))]
fn is_dataless(_: &Metadata) -> bool {
    false
}

/// What is said of a file of no bytes.
pub(crate) fn empty(file: &Path) -> Unreadable {
    let synced = file.ancestors().skip(1).filter_map(|folder| folder.file_name()?.to_str()).any(is_synced);
    if synced { Unreadable::EmptyHere } else { Unreadable::Empty }
}

fn is_synced(folder: &str) -> bool {
    SYNCED.iter().any(|name| folder.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::{awaits_download, stands_for, stands_openly_for};
    use std::path::{Path, PathBuf};

    #[test]
    fn names_say_what_they_stand_for() {
        for (entry, expected) in [
            ("/a/.note.md.icloud", Some("/a/note.md")),
            ("/a/.icloud", None),
            ("/a/note.icloud", None),
            ("/a/.env", None),
        ] {
            assert_eq!(stands_for(Path::new(entry)), expected.map(PathBuf::from), "{entry}");
        }
        for (entry, size, expected) in [
            ("/a/note.md.nextcloud", 1, Some("/a/note.md")),
            ("/a/note.md.owncloud", 0, Some("/a/note.md")),
            ("/a/note.md.owncloud", 20, None),
            ("/a/.nextcloud", 1, None),
            ("/a/note.md", 0, None),
        ] {
            assert_eq!(stands_openly_for(Path::new(entry), size), expected.map(PathBuf::from), "{entry}");
        }
    }

    #[test]
    fn what_stands_beside_a_file_says_that_it_is_awaited() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [".a.md.icloud", "b.md.nextcloud", "c.md"] {
            std::fs::write(folder.path().join(name), "x").expect("a file");
        }
        let awaited = ["a.md", "b.md", "c.md", "d.md"].map(|name| awaits_download(&folder.path().join(name)));
        assert_eq!(awaited, [true, true, false, false]);
    }
}
