//! What a file of many items hands out, one by one, and who takes it.

use crate::{Document, Extractor, ReadLimits, Unreadable, normalised, text::title};
use hinet_protocol::{Millis, Skipped, Trust};
use std::{collections::HashMap, ops::ControlFlow};

/// Characters of a part's name that become part of its key.
const NAME_MAX: usize = 160;

/// Takes what a file holds.
pub trait Taker {
    /// Whether the item of this key is kept already. Asked only where the key says all about what the item holds, so
    /// that nothing is parsed a second time; the item then counts as the same.
    fn has(&mut self, key: &str) -> bool;

    /// Takes an item, or the reason why a part was left out. After `Break` no more is read.
    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()>;
}

/// An item on its way out.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    /// When it was written or takes place; the file's own time where that is not known.
    pub(crate) modified: Option<Millis>,
    /// Of a message, the thread it belongs to.
    pub(crate) thread: Option<String>,
    /// Of a message, what its mailbox files it under, as [`Document::labels`] has it.
    pub(crate) labels: Vec<String>,
}

/// The way out for the items of one file.
pub(crate) struct Parts<'a> {
    pub(crate) limits: &'a ReadLimits,
    pub(crate) extractor: &'a Extractor,
    /// The file's key, and within an archive the part's.
    base: String,
    modified: Millis,
    taker: &'a mut dyn Taker,
    given: u64,
    stopped: bool,
    /// Hashes of the keys given, where a key may come twice with other content, and how often it came.
    keys: HashMap<[u8; 16], u64>,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(
        base: String,
        modified: Millis,
        limits: &'a ReadLimits,
        extractor: &'a Extractor,
        taker: &'a mut dyn Taker,
    ) -> Self {
        let keys = HashMap::new();
        Self { limits, extractor, base, modified, taker, given: 0, stopped: false, keys }
    }

    /// The same way out for a file within this one.
    pub(crate) fn within<T>(&mut self, base: String, read: impl FnOnce(&mut Parts<'_>) -> T) -> T {
        let mut inner = Parts::new(base, self.modified, self.limits, self.extractor, &mut *self.taker);
        let result = read(&mut inner);
        let Parts { given, stopped, .. } = inner;
        self.given += given;
        self.stopped |= stopped;
        result
    }

    /// The key of the file itself.
    pub(crate) fn own_key(&self) -> String {
        self.base.clone()
    }

    /// How many items the file has given, the known ones among them.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// Whether nobody takes anything any more.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// The key of a part by this name.
    pub(crate) fn key(&self, name: &str) -> String {
        let mut clean: String =
            name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).take(NAME_MAX).collect();
        // A name that is cut off or means a folder would not tell parts from each other.
        if name.chars().count() > NAME_MAX || matches!(clean.trim(), "" | "." | "..") {
            clean.push_str(&format!(" {}", &blake3::hash(name.as_bytes()).to_hex()[..16]));
        }
        format!("{}/{clean}", self.base)
    }

    /// The key of a part by this name; where the name comes again, it gets a number.
    pub(crate) fn new_key(&mut self, name: &str) -> String {
        let first = self.key(name);
        let mut number = self.keys.get(&short(&first)).copied().unwrap_or(0);
        loop {
            number += 1;
            let key = if number == 1 { first.clone() } else { self.key(&format!("{name} ({number})")) };
            self.keys.insert(short(&first), number);
            if number == 1 || self.keys.insert(short(&key), 1).is_none() {
                return key;
            }
        }
    }

    /// Whether the item of this key is kept already.
    pub(crate) fn has(&mut self, key: &str) -> bool {
        let has = self.taker.has(key);
        self.given += u64::from(has);
        has
    }

    /// Hands out an item. A text over the limit is cut, and that is said: its beginning is worth more than nothing.
    pub(crate) fn put(&mut self, part: Part) {
        let Part { key, title: named, kind, text, modified, thread, labels } = part;
        let mut text = normalised(&text);
        if text.trim().is_empty() {
            self.skip(&key, Unreadable::Empty.to_string());
            return;
        }
        let limit = usize::try_from(self.limits.max_text_bytes).unwrap_or(usize::MAX);
        if text.len() > limit {
            let mut end = limit;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text = normalised(&text);
            self.skip(&key, format!("Its text is very long; the first {end} bytes were read."));
        }
        let title = title(&named).unwrap_or_else(|| "untitled".to_owned());
        let modified = modified.unwrap_or(self.modified);
        let (trust, notes) = (Trust::Untrusted, Vec::new());
        let document = Document { key, title, kind, text, modified, trust, thread, labels, notes };
        self.given += 1;
        self.stopped |= self.taker.take(Ok(document)).is_break();
    }

    /// Says that something was left out.
    pub(crate) fn skip(&mut self, what: &str, why: String) {
        self.stopped |= self.taker.take(Err(Skipped { what: what.to_owned(), why })).is_break();
    }
}

fn short(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    short
}
