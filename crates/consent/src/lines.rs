//! A ledger entry as one readable line, from what is left of its bodies.

use std::path::{Path, PathBuf};

use hinet_protocol::Hash;
use hinet_vault::records::LeafRow;

use crate::entry::EntryKind;

/// Characters of a line; a body may be much longer.
const LINE_CHARS_MAX: usize = 240;

/// The sentence for an entry of `kind` with these leaves.
///
/// A surviving body that is about no item is the sentence. Otherwise the bodies are taken for the items' paths and
/// counted: "remembered 12 items from /home/maya/notes".
pub(crate) fn sentence(kind: EntryKind, leaves: &[LeafRow]) -> String {
    let said =
        leaves.iter().find(|leaf| leaf.item.is_none() && leaf.body.is_some()).and_then(|leaf| leaf.body.as_deref());
    let bodies: Vec<&str> = leaves.iter().filter_map(|leaf| leaf.body.as_deref()).collect();
    let text = match (said, leaves.len()) {
        (Some(said), _) => said.lines().next().unwrap_or_default().to_owned(),
        (None, 0) => plain(kind).to_owned(),
        (None, _) if bodies.is_empty() && kind != EntryKind::Ingest => format!("{} (erased)", plain(kind)),
        (None, count) => counted(verb(kind), count, &bodies),
    };
    printable(&text)
}

/// What an entry of this kind says when it says nothing more.
fn plain(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Init => "this iCore began",
        EntryKind::Unlock => "unlocked",
        EntryKind::Ingest => "remembered nothing new",
        EntryKind::Forget => "forgot something",
        EntryKind::Grant => "gave a grant",
        EntryKind::Revoke => "revoked a grant",
        EntryKind::Kill => "the kill switch was thrown: every source, door and job stopped",
        EntryKind::Lift => "the kill switch was lifted",
        EntryKind::AttachRefused => "a program that wanted to attach was refused",
        EntryKind::PassphraseChanged => "the way to unlock was changed",
        EntryKind::KeyRotated => "the keys were rotated",
        EntryKind::Disclose => "disclosed something",
        EntryKind::Release => "released something for use inside",
        EntryKind::Export => "the ledger was exported",
        EntryKind::SourcePaused => "a source was paused",
        EntryKind::SourceResumed => "a source was resumed",
        EntryKind::ModelChanged => "another model serves from here on",
        EntryKind::Refused => "something was refused",
        EntryKind::MemoryPaused => "remembering was paused",
        EntryKind::MemoryResumed => "remembering was resumed",
        EntryKind::DeltaAdded => "a delta was taken in",
        EntryKind::DeltaWorn => "the anchor answers with another delta",
        EntryKind::DeltaRemoved => "a delta was removed",
        EntryKind::Sleep => "a part of a night was done",
        EntryKind::Rollback => "the owner went back to an earlier night",
        EntryKind::AssemblyJoined => "a delta takes part in an assembly",
        EntryKind::AssemblyLeft => "a member has left an assembly",
        EntryKind::LetOut => "something was let out by the owner's own hand",
    }
}

fn verb(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Ingest => "remembered",
        EntryKind::Forget => "forgot",
        EntryKind::Release => "released",
        EntryKind::Disclose => "disclosed",
        _ => kind.word(),
    }
}

fn counted(verb: &str, count: usize, bodies: &[&str]) -> String {
    let items = if count == 1 { "1 item".to_owned() } else { format!("{count} items") };
    let erased = count - bodies.len();
    let place = match bodies {
        [] => return format!("{verb} {items} (erased)"),
        [one] if count == 1 => return only(verb, one),
        _ => common_folder(bodies).map(|folder| format!(" from {}", folder.display())).unwrap_or_default(),
    };
    let gone = if erased == 0 { String::new() } else { format!(" ({erased} forgotten since)") };
    format!("{verb} {items}{place}{gone}")
}

/// The verb and the path of a body; "updated /a/b.md (its hash)" and plain "/a/b.md" are both written.
fn parts(body: &str) -> (Option<&str>, &str) {
    let body = body.lines().next().unwrap_or_default();
    let said = ["remembered", "updated"].into_iter().find_map(|verb| {
        let path = body.strip_prefix(verb)?.strip_prefix(' ')?;
        Some((Some(verb), path))
    });
    let (verb, path) = said.unwrap_or((None, body));
    let is_hash = |text: &str| text.parse::<Hash>().is_ok();
    let without_hash = path.strip_suffix(')').and_then(|path| path.rsplit_once(" (")).filter(|(_, hash)| is_hash(hash));
    (verb, without_hash.map_or(path, |(path, _)| path))
}

fn only(verb: &str, body: &str) -> String {
    let (said, path) = parts(body);
    format!("{} {path}", said.unwrap_or(verb))
}

/// The deepest folder that all the paths lie in.
fn common_folder(bodies: &[&str]) -> Option<PathBuf> {
    let mut folders = bodies.iter().map(|body| Path::new(parts(body).1).parent());
    let mut common = folders.next()??.to_owned();
    for folder in folders {
        let folder = folder?;
        while !folder.starts_with(&common) {
            common.pop().then_some(())?;
        }
    }
    (common.components().count() > 0 && common != Path::new("/")).then_some(common)
}

/// Bodies can hold file names, and file names can hold terminal escapes.
fn printable(text: &str) -> String {
    let mut line: String =
        text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).take(LINE_CHARS_MAX + 1).collect();
    if line.chars().count() > LINE_CHARS_MAX {
        line = line.chars().take(LINE_CHARS_MAX - 1).chain(['…']).collect();
    }
    line
}

/// Control characters, and the marks that turn the direction of writing and so make a line read otherwise than it is.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinet_protocol::ItemId;

    fn leaves(bodies: &[Option<&str>], item: bool) -> Vec<LeafRow> {
        let leaf = |(index, body): (u32, &Option<&str>)| LeafRow {
            index,
            commitment: Hash::default(),
            item: (item && body.is_some()).then(ItemId::new),
            salt: body.map(|_| [0; 32]),
            body: body.map(str::to_owned),
        };
        (0..).zip(bodies).map(leaf).collect()
    }

    #[test]
    fn lines_say_what_is_left() {
        let many: Vec<String> = (0..12).map(|i| format!("/home/maya/notes/{i}.md")).collect();
        let all: Vec<Option<&str>> = many.iter().map(|path| Some(path.as_str())).collect();
        let mut some = all.clone();
        some[3] = None;
        some[4] = None;
        let hash = Hash::default();
        let (new, updated) = (format!("remembered /a/b (1).md ({hash})"), format!("updated /a/c.md ({hash})"));
        let cases: Vec<(EntryKind, Vec<LeafRow>, &str)> = vec![
            (EntryKind::Ingest, leaves(&all, true), "remembered 12 items from /home/maya/notes"),
            (EntryKind::Ingest, leaves(&some, true), "remembered 12 items from /home/maya/notes (2 forgotten since)"),
            (EntryKind::Ingest, leaves(&[None; 12], true), "remembered 12 items (erased)"),
            (EntryKind::Ingest, leaves(&[Some("/a/b.md")], true), "remembered /a/b.md"),
            (
                EntryKind::Ingest,
                leaves(&[Some("/a/b.md"), None], true),
                "remembered 2 items from /a (1 forgotten since)",
            ),
            (EntryKind::Ingest, leaves(&[Some("/a/b.md"), Some("/c/d.md")], true), "remembered 2 items"),
            (EntryKind::Ingest, leaves(&[Some("/a/x/1"), Some("/a/xy/1")], true), "remembered 2 items from /a"),
            (EntryKind::Ingest, leaves(&[Some(&new)], true), "remembered /a/b (1).md"),
            (EntryKind::Ingest, leaves(&[Some(&updated)], true), "updated /a/c.md"),
            (EntryKind::Ingest, leaves(&[Some(&new), Some(&updated)], true), "remembered 2 items from /a"),
            (EntryKind::Ingest, leaves(&[], true), "remembered nothing new"),
            (EntryKind::Unlock, leaves(&[Some("unlocked with the passphrase")], false), "unlocked with the passphrase"),
            (EntryKind::Unlock, leaves(&[], false), "unlocked"),
            (EntryKind::Grant, leaves(&[None], false), "gave a grant (erased)"),
            (EntryKind::Refused, leaves(&[Some("grant without proof\nmore")], false), "grant without proof"),
            (EntryKind::Refused, leaves(&[Some("\u{1b}[2Jgone\u{7}")], false), "\u{fffd}[2Jgone\u{fffd}"),
        ];
        for (kind, leaves, expected) in cases {
            assert_eq!(sentence(kind, &leaves), expected);
        }
        let long = "é".repeat(1000);
        assert_eq!(sentence(EntryKind::Unlock, &leaves(&[Some(&long)], false)).chars().count(), LINE_CHARS_MAX);
    }
}
