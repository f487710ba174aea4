//! Recovery words on their way in and out: from a file, stdin or a prompt; to a private file that is never
//! overwritten, or to the screen and typed back.

use crossterm::{cursor, execute, terminal};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::context::Context;
use super::end::End;
use super::prompt;

/// 24 words take at most about 220 bytes; a file that is much longer was meant for something else.
const WORDS_BYTES_MAX: u64 = 4096;
/// How many words are typed back.
const TYPED_BACK: usize = 3;

/// Reads the words from a file.
pub fn from_file(file: &Path) -> Result<Zeroizing<String>, End> {
    let opened = File::open(file).map_err(|error| {
        End::usage(
            format!("The recovery words could not be read from {}: {error}.", file.display()),
            "Give the file that --recovery-out made, or any text file with the 24 words.",
        )
    })?;
    read_words(opened)
}

/// Reads the words to restore from: a file, stdin where it is not a terminal, or a prompt.
pub fn to_restore(context: &Context, file: Option<&Path>) -> Result<Zeroizing<String>, End> {
    if let Some(file) = file {
        return from_file(file);
    }
    if context.out.piped_in() {
        return read_words(io::stdin().lock());
    }
    prompt::say("Type or paste the 24 recovery words, with spaces between them, and press Enter.");
    loop {
        let words = prompt::secret("Words (not shown): ")?;
        match hinet_node::setup::check_words(&words) {
            Ok(()) => return Ok(words),
            Err(failure) => prompt::say(&failure.message),
        }
    }
}

/// The words of a text: lines that begin with # are remarks, numbers before words are passed over.
fn read_words(from: impl Read) -> Result<Zeroizing<String>, End> {
    let mut text = Zeroizing::new(String::with_capacity(WORDS_BYTES_MAX as usize + 1));
    from.take(WORDS_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| {
        End::usage(format!("The recovery words could not be read: {error}."), "They are plain text.")
    })?;
    if text.len() as u64 > WORDS_BYTES_MAX {
        return Err(End::usage("That is far more than 24 words.", "Give the 24 recovery words and nothing else."));
    }
    Ok(only_words(&text))
}

fn only_words(text: &str) -> Zeroizing<String> {
    let mut words = Zeroizing::new(String::with_capacity(text.len()));
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    for word in lines.flat_map(str::split_whitespace).filter(|word| word.contains(char::is_alphabetic)) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// Refuses a file that is there already.
pub fn refuse_existing(file: &Path, named: &str) -> Result<(), End> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(End::failed(format!("{} cannot be made: {error}.", file.display()), "Choose another place for it."))
        }
        Ok(_) => Err(End::failed(
            format!("{} exists already and was left as it is.", file.display()),
            format!("Give {named} a name that is not taken."),
        )),
    }
}

/// Makes a file that only its owner can read, and that was not there before.
pub fn create_private(file: &Path) -> Result<File, End> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(file).map_err(|error| {
        End::failed(format!("{} could not be made: {error}.", file.display()), "Choose a folder that you may write to.")
    })
}

/// New words on their way into a file. They are on disk before the home is, under a name of their own, and get the
/// name that was asked for once the home exists: killed at any point, either nothing counts or the words are there.
pub struct WordsFile {
    waiting: PathBuf,
    file: PathBuf,
    kept: bool,
}

impl WordsFile {
    /// Writes the words beside `file`, private and on disk.
    pub fn prepare(file: &Path, words: &str) -> Result<Self, End> {
        refuse_existing(file, "--recovery-out")?;
        let waiting = waiting_name(file);
        // Left behind by a run that was killed before its home existed: those words open nothing.
        let _ = std::fs::remove_file(&waiting);
        let mut made = create_private(&waiting)?;
        let prepared = Self { waiting, file: file.to_owned(), kept: false };
        made.write_all(numbered(words).as_bytes()).and_then(|()| made.sync_all()).map_err(|error| {
            End::failed(
                format!("The recovery words could not be written to {}: {error}.", file.display()),
                "Nothing was made. Check the disk, then try again.",
            )
        })?;
        Ok(prepared)
    }

    /// The home exists: gives the file its name.
    pub fn keep(mut self) -> Result<(), End> {
        self.kept = true;
        finish(&self.waiting, &self.file).map_err(|error| {
            End::failed(
                format!("The recovery words are in {}, but could not be renamed: {error}.", self.waiting.display()),
                "Keep that file safe: it is the only copy.",
            )
        })
    }
}

impl Drop for WordsFile {
    fn drop(&mut self) {
        if !self.kept {
            // The words of a home that was not made open nothing.
            let _ = std::fs::remove_file(&self.waiting);
        }
    }
}

/// Words that still wait under their first name, because a run was killed before it could give them theirs.
pub fn interrupted(file: &Path) -> Option<Zeroizing<String>> {
    let waiting = waiting_name(file);
    if file.symlink_metadata().is_ok() || !waiting.is_file() {
        return None;
    }
    from_file(&waiting).ok()
}

/// Gives words that waited their name.
pub fn finish_interrupted(file: &Path) -> bool {
    finish(&waiting_name(file), file).is_ok()
}

fn waiting_name(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    file.with_file_name(name)
}

/// Renames without overwriting: a link fails where the name is taken.
fn finish(waiting: &Path, file: &Path) -> io::Result<()> {
    match std::fs::hard_link(waiting, file) {
        Ok(()) => std::fs::remove_file(waiting)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // A file system without links.
        Err(_) => std::fs::rename(waiting, file)?,
    }
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every file system lets a folder be synced; the rename has happened either way.
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

fn numbered(words: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(WORDS_BYTES_MAX as usize));
    text.push_str("# The 24 recovery words of an iCore. Whoever has them has everything.\n");
    for (n, word) in words.split_whitespace().enumerate() {
        text.push_str(&format!("{:>2} {word}\n", n + 1));
    }
    text
}

/// Shows the words on a screen of their own, which leaves nothing in the scrollback, and has some typed back.
pub fn show_and_check(words: &str) -> Result<(), End> {
    loop {
        show(words)?;
        prompt::say("A few of them, to be sure they are written down:");
        let all: Vec<&str> = words.split_whitespace().collect();
        let mut right = true;
        for n in places(all.len()) {
            let typed = prompt::line(&format!("Word {}: ", n + 1))?;
            right &= typed.eq_ignore_ascii_case(all[n]);
        }
        if right {
            return Ok(());
        }
        prompt::say("That was not right. Here they are once more.");
        prompt::line("Press Enter to see them again.")?;
    }
}

fn show(words: &str) -> Result<(), End> {
    let mut stderr = io::stderr();
    execute!(stderr, terminal::EnterAlternateScreen, cursor::MoveTo(0, 0))?;
    prompt::say("Your 24 recovery words. They are the root of everything here.\n");
    let all: Vec<&str> = words.split_whitespace().collect();
    let rows = all.len().div_ceil(3);
    for row in 0..rows {
        let cell = |n: usize| all.get(n).map(|word| format!("{:>2} {word:<12}", n + 1)).unwrap_or_default();
        prompt::say(&format!("   {}{}{}", cell(row), cell(row + rows), cell(row + 2 * rows)));
    }
    prompt::say("\nWrite them on paper, in this order, and keep it where you keep your passport.");
    prompt::say("Words and machine both lost means everything is lost: nobody else has a copy.");
    let read = prompt::secret("\nPress Enter once they are written down.");
    execute!(stderr, terminal::LeaveAlternateScreen)?;
    read.map(|_| ())
}

/// Which words are asked for: different ones each time, in order.
fn places(words: usize) -> Vec<usize> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let third = words / TYPED_BACK;
    (0..TYPED_BACK)
        .map(|part| part * third + (RandomState::new().build_hasher().finish() as usize) % third.max(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        let words = "abandon ability able";
        assert_eq!(*only_words(&numbered(words)), words);
        assert_eq!(*only_words("  abandon\tability\r\n\n1. able 2)"), words);
    }

    #[test]
    fn the_file_appears_only_with_the_home() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("words.txt");
        drop(WordsFile::prepare(&file, "abandon ability").unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a home that was not made leaves no words");

        WordsFile::prepare(&file, "abandon ability").unwrap().keep().unwrap();
        assert_eq!(*from_file(&file).unwrap(), "abandon ability");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(WordsFile::prepare(&file, "other words").is_err(), "an existing file is never overwritten");
        assert_eq!(*from_file(&file).unwrap(), "abandon ability");
    }

    #[test]
    fn a_kill_between_home_and_name_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("words.txt");
        std::mem::forget(WordsFile::prepare(&file, "abandon ability").unwrap());
        assert_eq!(*interrupted(&file).unwrap(), "abandon ability");
        assert!(finish_interrupted(&file));
        assert_eq!(*from_file(&file).unwrap(), "abandon ability");
        assert!(interrupted(&file).is_none());
    }

    #[test]
    fn the_words_asked_for_are_different_ones_in_order() {
        for _ in 0..50 {
            let places = places(24);
            assert!(places.is_sorted_by(|a, b| a < b) && places.iter().all(|n| *n < 24), "{places:?}");
        }
    }
}
