//! Repositories of git, made of objects that are named by their kind.

use super::{Room, pieces};
use gix_hash::ObjectId;
use gix_object::{Kind, Write as _};
use std::{fs, path::Path};

/// A repository: files called `commit`, `tree` and `blob` become its objects in their order, and wherever `{2}` stands
/// afterwards, it is the id of the third. A tree is written as lines: `100644 name {2}`. Every other file lies in the
/// repository as it is, packs among them.
pub fn git(room: &Room, input: &[u8]) {
    // Objects are packed, also those that were made of the input.
    let reach = input.len().saturating_mul(pieces::DEFLATE);
    room.read(input.len(), reach, |folder| repository(&folder.join("work/.git"), input));
}

fn repository(folder: &Path, input: &[u8]) {
    for inner in ["objects/pack", "refs/heads"] {
        fs::create_dir_all(folder.join(inner)).expect("folders");
    }
    pieces::write(folder, "HEAD", b"ref: refs/heads/main\n");
    let objects = gix_odb::at(folder.join("objects"), gix_hash::Kind::Sha1).expect("a store");
    let mut ids: Vec<ObjectId> = Vec::new();
    for (name, content) in pieces::files(input) {
        let (kind, content) = match name.as_str() {
            "commit" => (Kind::Commit, named(content, &ids)),
            "tree" => (Kind::Tree, tree(content, &ids)),
            "blob" => (Kind::Blob, named(content, &ids)),
            _ => {
                pieces::write(folder, &name, &named(content, &ids));
                continue;
            }
        };
        if let Ok(id) = objects.write_buf(kind, &content) {
            ids.push(id);
        }
    }
}

/// The object that a digit stands for.
fn object(digit: u8, ids: &[ObjectId]) -> Option<&ObjectId> {
    ids.get(usize::from(digit.checked_sub(b'0')?))
}

/// A text in which ids stand for their numbers.
fn named(content: &[u8], ids: &[ObjectId]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some((first, after)) = rest.split_first() {
        let id = match rest {
            [b'{', digit, b'}', ..] => object(*digit, ids),
            _ => None,
        };
        match id {
            Some(id) => {
                out.extend_from_slice(id.to_string().as_bytes());
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// A tree of lines; what is no such line is in it as it is.
fn tree(content: &[u8], ids: &[ObjectId]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    for line in content.split(|byte| *byte == b'\n') {
        let entry = match line {
            [entry @ .., b' ', b'{', digit, b'}'] => object(*digit, ids).map(|id| (entry, id)),
            _ => None,
        };
        match entry {
            Some((entry, id)) => {
                out.extend_from_slice(entry);
                out.push(0);
                out.extend_from_slice(id.as_slice());
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}
