//! Collects what files hold into transactions, and tells what is new from what is known.
//!
//! A file that holds many items (a mailbox, a calendar, a chat export, an archive) leaves a mark once it was read to its
//! end: as long as the file and the number of its items are the same, it is not opened again. The mark names nothing.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use hinet_connectors::{Document, FileRef, Reader, Taker, Whole, holds_items, key_of};
use hinet_consent::{ConsentError, EntryKind, Note, Reading};
use hinet_vault::records::{ItemRow, SourceRow};

use super::{BATCH_ITEMS, forgotten_key, is_forgotten, remove};
use crate::failure::NodeError;
use crate::protocol::{Hash, IngestReport, ItemId, Skipped, SourceId};
use crate::state::{Node, now};

/// Bytes of text in one transaction.
const BATCH_BYTES: usize = 16 << 20;
/// A file whose time stamp is younger than this when it was read may change again within the same tick.
const SETTLED_MS: i64 = 2_000;
/// Raised when files of many items are read in another way, so that they are read once more.
const RULES: u32 = 1;

/// Collects documents into transactions.
pub(super) struct Importer<'a> {
    node: &'a Node,
    reading: &'a Reading,
    source: SourceRow,
    forced: bool,
    /// Told how much was looked at; says whether to go on.
    go_on: &'a mut dyn FnMut(u64) -> bool,
    /// Rows, each with whether it is new and whether it was handed over by name.
    pending: Vec<(ItemRow, bool, bool)>,
    bytes: usize,
    pub(super) report: IngestReport,
    /// What the source remembers to have left out.
    pub(super) skips: Vec<Skipped>,
    /// What was not left out.
    pub(super) read: Vec<String>,
    /// Files whose items, or some of them, were not looked into again.
    pub(super) kept: HashSet<PathBuf>,
    open: Open,
    failure: Option<NodeError>,
}

/// The file that is being read.
#[derive(Default)]
struct Open {
    key: String,
    /// Hashes of the keys of its items.
    seen: HashSet<[u8; 16]>,
    /// Whether some of them were known by their keys alone.
    known: bool,
    /// Whether the owner had some of them forgotten.
    withheld: bool,
}

fn short(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    short
}

impl<'a> Importer<'a> {
    pub(super) fn new(
        node: &'a Node,
        reading: &'a Reading,
        source: SourceRow,
        forced: bool,
        go_on: &'a mut dyn FnMut(u64) -> bool,
    ) -> Self {
        Self {
            node,
            reading,
            source,
            forced,
            go_on,
            pending: Vec::new(),
            bytes: 0,
            report: IngestReport::default(),
            skips: Vec::new(),
            read: Vec::new(),
            kept: HashSet::new(),
            open: Open::default(),
            failure: None,
        }
    }

    /// Whether there is a reason to go on.
    pub(super) fn goes_on(&mut self) -> bool {
        (self.go_on)(self.report.seen)
    }

    /// Notes what the walk left out.
    pub(super) fn pass_over(&mut self, skipped: Skipped) {
        self.report.seen += 1;
        self.skip(skipped);
    }

    fn skip(&mut self, skipped: Skipped) {
        self.skips.push(skipped.clone());
        self.report.skipped.push(skipped);
    }

    /// Said to whoever asked and kept nowhere: a list of what was forgotten would be no forgetting.
    fn withhold(&mut self, key: &str) {
        self.report.skipped.push(Skipped {
            what: key.to_owned(),
            why: "you had it forgotten; hand it over by name to remember it again".into(),
        });
    }

    /// Reads a file, unless it is known to be as it was.
    pub(super) fn file(&mut self, reader: &mut Reader<'_>, file: &FileRef) -> Result<(), NodeError> {
        let key = key_of(&file.path);
        let known = self.node.vault.read(|r| r.item_by_key(self.source.id, &key))?;
        if let Some(known) = &known
            && !holds_items(&file.path)
            && known.modified == file.modified
            && known.ingested - known.modified > SETTLED_MS
        {
            self.report.seen += 1;
            self.report.same += 1;
            self.read.push(key);
            return Ok(());
        }
        if known.is_none() && !self.forced && is_forgotten(self.node, &key)? {
            self.report.seen += 1;
            self.withhold(&key);
            return Ok(());
        }
        if let Some(items) = self.unchanged(file, &key)? {
            self.report.seen += items;
            self.report.same += items;
            self.kept.insert(PathBuf::from(&key));
            self.read.push(key);
            return Ok(());
        }
        self.open = Open { key: key.clone(), ..Open::default() };
        let whole = reader.read(file, self);
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.open.known {
            self.kept.insert(PathBuf::from(&key));
        }
        if whole != Whole::Part {
            self.settle(file, &key, whole)?;
            self.read.push(key);
        }
        Ok(())
    }

    /// A file was read to its end: what it no longer holds goes, and what it was like is marked.
    fn settle(&mut self, file: &FileRef, key: &str, whole: Whole) -> Result<(), NodeError> {
        let (source, open) = (self.source.id, std::mem::take(&mut self.open));
        let mut gone: Vec<ItemId> = Vec::new();
        self.node.vault.read(|r| {
            r.each_below(source, key, &mut |id, key| {
                if !open.seen.contains(&short(key)) {
                    gone.push(id);
                }
            })?;
            if let Some(own) = r.item_by_key(source, key)?.filter(|_| !open.seen.contains(&short(key))) {
                gone.push(own.id);
            }
            Ok::<_, NodeError>(())
        })?;
        if gone.is_empty() && whole == Whole::One {
            return Ok(());
        }
        self.flush()?;
        remove(self.node, &gone)?;
        if whole == Whole::All && !open.withheld && now() - file.modified > SETTLED_MS {
            let mark = format!("{} {}", self.likeness(file), open.seen.len());
            let name = self.mark_name(key);
            self.node.vault.write(|tx| tx.set_meta(&name, &mark))?;
        }
        Ok(())
    }

    /// How many items a file holds that is as it was when it was last read to its end.
    fn unchanged(&self, file: &FileRef, key: &str) -> Result<Option<u64>, NodeError> {
        let name = self.mark_name(key);
        self.node.vault.read(|r| {
            let Some(mark) = r.meta(&name)? else { return Ok(None) };
            let Some((likeness, items)) = mark.split_once(' ') else { return Ok(None) };
            let items: u64 = items.parse().unwrap_or(u64::MAX);
            if likeness != self.likeness(file) {
                return Ok(None);
            }
            let own = u64::from(r.item_by_key(self.source.id, key)?.is_some());
            // Something of it was forgotten or went otherwise.
            Ok((own + r.count_below(self.source.id, key)? == items).then_some(items))
        })
    }

    /// The vault key of a file's mark: keyed, so that it names nothing.
    fn mark_name(&self, key: &str) -> String {
        let hash = blake3::keyed_hash(&self.node.vault.derive_key("files of many items"), key.as_bytes());
        format!("whole/{}", hash.to_hex())
    }

    /// What a file was like, and under which rules and source it was read.
    fn likeness(&self, file: &FileRef) -> String {
        let like = format!("{RULES} {} {} {}", self.source.id, file.modified, file.size);
        blake3::keyed_hash(&self.node.vault.derive_key("files of many items"), like.as_bytes()).to_hex().to_string()
    }

    /// Whether the item of this key is known, and then counts as the same.
    fn is_known(&mut self, key: &str) -> Result<bool, NodeError> {
        let short = short(key);
        let twice = self.open.seen.contains(&short);
        if !twice && self.node.vault.read(|r| r.item_by_key(self.source.id, key))?.is_none() {
            return Ok(false);
        }
        self.open.seen.insert(short);
        self.open.known = true;
        self.report.seen += 1;
        self.report.same += 1;
        Ok(true)
    }

    fn document(&mut self, document: Document) -> Result<(), NodeError> {
        let named = self.forced && document.key == self.open.key;
        let known = self.node.vault.read(|r| r.item_by_key(self.source.id, &document.key))?;
        if known.is_none() && !named && is_forgotten(self.node, &document.key)? {
            self.open.withheld = true;
            self.withhold(&document.key);
            return Ok(());
        }
        let hash = Hash(*blake3::hash(document.text.as_bytes()).as_bytes());
        let twice = !self.open.seen.insert(short(&document.key));
        match &known {
            _ if twice => self.report.same += 1,
            Some(known) if known.hash == hash && known.title == document.title => self.report.same += 1,
            Some(_) => self.report.updated += 1,
            None => self.report.new += 1,
        }
        if twice || known.as_ref().is_some_and(|known| known.hash == hash && known.title == document.title) {
            return Ok(());
        }
        let id = known.as_ref().map_or_else(ItemId::new, |known| known.id);
        self.bytes += document.text.len();
        self.pending.push((item_row(id, self.source.id, document, hash), known.is_none(), named));
        if self.pending.len() >= BATCH_ITEMS || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Stores what was collected.
    pub(super) fn flush(&mut self) -> Result<(), NodeError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let node = self.node;
        let notes = self.pending.iter().map(|(row, new, _)| {
            let verb = if *new { "remembered" } else { "updated" };
            Note { item: Some(row.id), body: format!("{verb} {} ({})", row.key, row.hash) }
        });
        let notes: Vec<Note> = notes.collect();
        let chunked: Vec<_> = self.pending.iter().map(|(row, ..)| hinet_index::chunk(&row.text, &row.kind)).collect();
        node.vault.write(|tx| {
            // Looked at inside the transaction: once a kill is written, nothing that was read before it comes after it.
            self.reading.check().map_err(ConsentError::from)?;
            for ((row, _, named), chunks) in self.pending.iter().zip(&chunked) {
                tx.put_item(row, chunks)?;
                tx.set_people(row.id, &hinet_index::people(&row.text))?;
                if *named {
                    tx.set_meta(&forgotten_key(node, &row.key), "")?;
                }
            }
            node.consent.record(tx, EntryKind::Ingest, notes, now())?;
            Ok::<_, NodeError>(())
        })?;
        self.pending.clear();
        self.bytes = 0;
        node.names.soil();
        node.people.soil();
        Ok(())
    }
}

impl Taker for Importer<'_> {
    fn has(&mut self, key: &str) -> bool {
        match self.is_known(key) {
            Ok(known) => known,
            Err(failure) => {
                self.failure = Some(failure);
                false
            }
        }
    }

    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()> {
        self.report.seen += 1;
        match found {
            Ok(document) => {
                if let Err(failure) = self.document(document) {
                    self.failure.get_or_insert(failure);
                }
            }
            Err(skipped) => self.skip(skipped),
        }
        if self.failure.is_none() && self.goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

fn item_row(id: ItemId, source: SourceId, document: Document, hash: Hash) -> ItemRow {
    ItemRow {
        id,
        source,
        key: document.key,
        title: document.title,
        kind: document.kind.to_owned(),
        trust: document.trust,
        modified: document.modified,
        ingested: now(),
        hash,
        text: document.text,
    }
}
