//! An input cut into the forms, the files and the archives that it stands for.

use std::{
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// How many times its size deflate may make of a text, at most.
pub const DEFLATE: usize = 1032;
/// What a file's name stands behind.
const MARK: &[u8] = b"=== ";
/// Files of one input.
const FILES: usize = 64;
/// Folders within folders.
const DEPTH: usize = 8;
/// Bytes of the name of a file or folder.
const NAME: usize = 200;

/// Which of `forms` an input is, by its first character, and the rest of it.
pub fn form(input: &[u8], forms: usize) -> (usize, &[u8]) {
    match input.split_first() {
        Some((first, rest)) => (usize::from(first.wrapping_sub(b'0')) % forms, rest),
        None => (0, input),
    }
}

/// The files of an input: each begins at a line `=== NAME`, and the line break before the next is not part of it.
pub fn files(input: &[u8]) -> Vec<(String, &[u8])> {
    let mut starts: Vec<usize> = Vec::new();
    if input.starts_with(MARK) {
        starts.push(0);
    }
    let lines = input.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    starts.extend(lines.filter(|at| input[*at..].starts_with(MARK)));
    let mut found = Vec::new();
    for (number, start) in starts.iter().enumerate().take(FILES) {
        let end = starts.get(number + 1).map_or(input.len(), |next| next - 1);
        let file = &input[start + MARK.len()..end];
        let line = file.iter().position(|byte| *byte == b'\n').unwrap_or(file.len());
        let name = String::from_utf8_lossy(&file[..line]).into_owned();
        found.push((name, file.get(line + 1..).unwrap_or_default()));
    }
    found
}

/// Writes a file below `folder`, whatever its name is. One that cannot be written is none.
pub fn write(folder: &Path, name: &str, content: &[u8]) {
    let Some(path) = below(folder, name) else { return };
    if path.parent().is_some_and(|around| fs::create_dir_all(around).is_ok()) {
        let _ = fs::write(path, content);
    }
}

/// The path below `folder` that is closest to a name.
fn below(folder: &Path, name: &str) -> Option<PathBuf> {
    let proper =
        |step: &&str| !matches!(*step, "" | "." | "..") && step.len() <= NAME && !step.chars().any(char::is_control);
    let steps: Vec<&str> = name.split('/').filter(proper).take(DEPTH).collect();
    (!steps.is_empty()).then(|| steps.iter().fold(folder.to_path_buf(), |path, step| path.join(step)))
}

/// An archive of files, each packed so, under exactly the names that they have. A name that the writer refuses is left
/// out.
pub fn zipped(files: &[(String, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        // The part that says what a container is lies in it as it is.
        let method = if name == "mimetype" { CompressionMethod::Stored } else { method };
        let options = SimpleFileOptions::default().compression_method(method);
        if zip.start_file(name.as_str(), options).is_ok() {
            let _ = zip.write_all(content);
        }
    }
    zip.finish().map(Cursor::into_inner).unwrap_or_default()
}

/// How many bytes an input may unpack to: its own, or where something packed may lie in it (as it stands, or in base64) as
/// many as deflate can make of them.
pub fn reach(input: &[u8]) -> usize {
    let packed =
        [&b"PK"[..], b"UEs", b"%PDF", b"JVBER"].iter().any(|mark| input.windows(mark.len()).any(|at| at == *mark));
    if packed { input.len().saturating_mul(DEFLATE) } else { input.len() }
}
