//! What came out of an input, and what must hold of it.

use hinet_connectors::{Document, ReadLimits, Skipped, Steward, Taker, normalised};
use hinet_index::chunk;
use std::{
    collections::{BTreeMap, HashSet},
    ops::ControlFlow,
    path::{Component, Path},
};

/// Bytes of text that one byte of an input may become. The hungriest honest form is an event of a line in a calendar that
/// has a name: the name is said with each.
const TIMES: usize = 128;
/// Bytes of text that any input may become besides: headers, and sentences about what is not read.
const BESIDES: usize = 64 << 10;
/// Items and left-out parts of any input besides one for each of its bytes.
const FEW: usize = 64;
/// Bytes of the name of an item within its file: of the longest name of a file in an archive, and of an item in that.
const NAME: usize = 4096;
/// Bytes of a sentence.
const SENTENCE: usize = 2000;

/// Documents and sentences, in the order they came in.
#[derive(Debug, Default, PartialEq)]
pub struct Taken {
    documents: Vec<Document>,
    pub(super) skipped: Vec<Skipped>,
    keys: HashSet<String>,
    bookmarks: BTreeMap<String, String>,
}

impl Taker for Taken {
    fn has(&mut self, key: &str) -> bool {
        self.keys.contains(key)
    }

    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()> {
        match found {
            Ok(document) => {
                self.keys.insert(document.key.clone());
                self.documents.push(document);
            }
            Err(skipped) => self.skipped.push(skipped),
        }
        ControlFlow::Continue(())
    }
}

impl Steward for Taken {
    fn open(&mut self, _: &str) {}

    fn close(&mut self) {}

    fn gone(&mut self, _: &str) {}

    fn bookmark(&mut self, name: &str) -> Option<String> {
        self.bookmarks.get(name).cloned()
    }

    fn keep_bookmark(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.bookmarks.insert(name.to_owned(), value.to_owned()),
            None => self.bookmarks.remove(name),
        };
    }

    fn goes_on(&mut self) -> bool {
        true
    }
}

impl Taken {
    /// Holds what came out of an input of `bytes` bytes, which unpack to `reach` at most, against what must be so. Keys lie
    /// below `place`.
    pub fn check(&self, place: &str, limits: &ReadLimits, bytes: usize, reach: usize) {
        let few = self.documents.len() + self.skipped.len();
        assert!(few <= reach.saturating_add(FEW), "{few} items and sentences of {bytes} bytes");
        let text: usize = self.documents.iter().map(|document| document.text.len()).sum();
        let most = reach.saturating_mul(TIMES).saturating_add(BESIDES);
        assert!(text <= most, "{text} bytes of text of {bytes} bytes, which unpack to {reach} at most");
        for document in &self.documents {
            check(document, place, limits);
        }
        for Skipped { what, why } in &self.skipped {
            assert!(!why.trim().is_empty());
            assert!(why.len() <= SENTENCE && !why.chars().any(char::is_control), "a sentence of {} bytes", why.len());
            assert!(what.len() <= place.len() + NAME + SENTENCE, "a name of {} bytes", what.len());
        }
    }
}

fn check(document: &Document, place: &str, limits: &ReadLimits) {
    let Document { key, title, text, labels, .. } = document;
    let below = key.strip_prefix(place).filter(|below| below.starts_with('/'));
    let below = below.unwrap_or_else(|| panic!("{key:?} lies outside of {place:?}"));
    assert!(below.len() <= NAME, "a key of {} bytes", key.len());
    assert!(!below.chars().any(char::is_control), "{key:?}");
    assert!(!Path::new(below).components().any(|step| step == Component::ParentDir), "{key:?} climbs");
    assert!(!title.trim().is_empty() && title.lines().count() == 1 && title.chars().count() <= 200, "{title:?}");
    // What was cut ends in a line break of its own.
    let fits = text.len() as u64 <= limits.max_text_bytes + 1;
    assert!(fits && !text.trim().is_empty(), "a text of {} bytes", text.len());
    assert!(normalised(text) == *text, "{text:?} has another form than it should");
    assert!(labels.len() <= 33 && labels.iter().all(|label| label.chars().count() <= 80), "{labels:?}");
    assert!(document.notes.iter().all(|note| note.len() <= SENTENCE), "{:?}", document.notes);
    // The next door of ingest: passages lie in the text, in order, and cover all that can be seen.
    let mut end = 0;
    for draft in chunk(text, document.kind) {
        let span = draft.span;
        assert!(end <= span.start && span.start < span.end, "{span:?} after {end}");
        let between = text.get(end..span.start).expect("spans on the boundaries of characters");
        assert!(between.trim().is_empty() && text.get(span.start..span.end).is_some(), "{span:?} after {end}");
        end = span.end;
    }
    assert!(text.get(end..).is_some_and(|rest| rest.trim().is_empty()), "nothing covers what follows {end}");
}
