//! One commit: what its object says, and the text it becomes.

use super::changes::Changes;
use crate::decode;
use encoding_rs::Encoding;
use gix_hash::ObjectId;
use hinet_protocol::Millis;
use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

/// Parents of one commit; the widest merges that people make have some sixty.
const PARENTS: usize = 256;

/// A commit as its object has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) tree: Option<ObjectId>,
    pub(super) parents: Vec<ObjectId>,
    author: String,
    committer: String,
    /// When it was written, and by which clock.
    pub(super) written: Option<Millis>,
    offset: i32,
    /// Seconds; when it came to where it is.
    pub(super) committed: i64,
    message: String,
}

impl Commit {
    /// Reads an object; `None` where it is none of a commit.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let end = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
        let (head, message) = (&data[..end], data.get(end + 2..).unwrap_or_default());
        let mut commit = Self::default();
        let mut charset = None;
        let (mut author, mut committer) = (&b""[..], &b""[..]);
        for line in head.split(|b| *b == b'\n') {
            let Some(space) = line.iter().position(|b| *b == b' ') else { continue };
            let value = &line[space + 1..];
            match &line[..space] {
                b"tree" => commit.tree = ObjectId::from_hex(value).ok(),
                b"parent" if commit.parents.len() < PARENTS => commit.parents.extend(ObjectId::from_hex(value).ok()),
                b"author" if author.is_empty() => author = value,
                b"committer" if committer.is_empty() => committer = value,
                b"encoding" => charset = Encoding::for_label(value),
                _ => {}
            }
        }
        commit.tree?;
        let words = |bytes: &[u8]| match decode::decode(bytes.to_vec(), charset) {
            Ok(decoded) => decoded.text,
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
        let (name, time) = signature(&words(author));
        commit.author = name;
        (commit.written, commit.offset) =
            time.map_or((None, 0), |(seconds, offset)| (seconds.checked_mul(1000), offset));
        let (name, time) = signature(&words(committer));
        commit.committer = name;
        commit.committed = time.map_or(0, |(seconds, _)| seconds);
        commit.message = words(message);
        Some(commit)
    }

    /// The first line of its message.
    pub(super) fn title(&self) -> String {
        let first = self.message.lines().find(|line| !line.trim().is_empty());
        first.map_or_else(|| "(no message)".to_owned(), str::to_owned)
    }

    /// Its text: who and when, what it says, what it changed.
    pub(super) fn text(&self, id: &str, changes: &Changes) -> String {
        let mut out = format!("Author: {}\n", self.author);
        if self.committer != self.author && !self.committer.is_empty() {
            out.push_str(&format!("Committer: {}\n", self.committer));
        }
        if let Some(date) = self.date() {
            out.push_str(&format!("Date: {date}\n"));
        }
        out.push_str(&format!("Commit: {id}\n\n{}\n", self.message.trim()));
        if !changes.files.is_empty() {
            out.push_str("\nFiles:\n");
            for file in &changes.files {
                out.push_str(&format!("- {file}\n"));
            }
            if changes.more {
                out.push_str("- and more\n");
            }
        }
        out
    }

    /// The author's day and hour, by the author's clock.
    fn date(&self) -> Option<String> {
        let zone = Offset::from_seconds(self.offset).map_or(TimeZone::UTC, TimeZone::fixed);
        let time = Timestamp::from_millisecond(self.written?).ok()?.to_zoned(zone);
        Some(time.strftime("%Y-%m-%d %H:%M %z").to_string())
    }
}

/// `Name <address> seconds +hhmm`: who, and when with the clock's offset in seconds.
fn signature(line: &str) -> (String, Option<(i64, i32)>) {
    let (who, when) = match line.rfind('>') {
        Some(end) => line.split_at(end + 1),
        None => (line, ""),
    };
    let mut when = when.split_whitespace();
    let seconds = when.next().and_then(|seconds| seconds.parse().ok());
    let offset = when.next().and_then(|offset| offset.parse::<i32>().ok()).unwrap_or(0);
    let offset = (offset / 100).saturating_mul(3600).saturating_add(offset % 100 * 60);
    let one_line = who.split_whitespace().collect::<Vec<_>>().join(" ");
    (one_line, seconds.map(|seconds| (seconds, offset)))
}

#[cfg(test)]
mod tests {
    use super::{Changes, Commit, signature};

    #[test]
    fn a_commit_is_read_and_written() {
        let data = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent 1111111111111111111111111111111111111111\n\
            author Ana Costa <ana@x.pt> 1700000000 +0530\ncommitter Bo <bo@x> 1700000100 -0800\n\
            gpgsig -----BEGIN\n  x\n\nBoil the water\n\nIt was cold.\n";
        let commit = Commit::parse(data.as_bytes()).expect("a commit");
        assert_eq!(
            (commit.parents.len(), commit.committed, commit.written),
            (1, 1_700_000_100, Some(1_700_000_000_000))
        );
        assert_eq!(commit.title(), "Boil the water");
        let changes = Changes { files: vec!["a.rs".into(), "b.rs (added)".into()], more: true };
        assert_eq!(
            commit.text("abc", &changes),
            "Author: Ana Costa <ana@x.pt>\nCommitter: Bo <bo@x>\nDate: 2023-11-15 03:43 +0530\nCommit: abc\n\n\
             Boil the water\n\nIt was cold.\n\nFiles:\n- a.rs\n- b.rs (added)\n- and more\n"
        );
    }

    #[test]
    fn encodings_and_oddities() {
        let tree = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n".to_vec();
        let odd = [tree.clone(), b"encoding ISO-8859-1\nauthor J\xfcrg <> 9 +0000\n\nF\xfcr".to_vec()].concat();
        let commit = Commit::parse(&odd).expect("a commit");
        assert_eq!((commit.author.as_str(), commit.message.as_str()), ("Jürg <>", "Für"));
        assert_eq!(Commit::parse(&tree).expect("a bare one").title(), "(no message)");
        assert_eq!(Commit::parse(b"author x\n\ny"), None);
        assert_eq!(Commit::parse(b""), None);
        for (line, expected) in [
            ("A <a> 5 +0100", ("A <a>", Some((5, 3600)))),
            ("A <a> 5 -0130", ("A <a>", Some((5, -5400)))),
            ("A <a> x", ("A <a>", None)),
            ("A <a>99999999999999999999", ("A <a>", None)),
            ("A <a> 5 +2147483647", ("A <a>", Some((5, i32::MAX)))),
            ("nobody", ("nobody", None)),
            ("", ("", None)),
        ] {
            let (who, when) = signature(line);
            assert_eq!((who.as_str(), when), expected, "{line}");
        }
    }
}
