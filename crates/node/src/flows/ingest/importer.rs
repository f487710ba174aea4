//! Collects what files hold into transactions, and tells what is new from what is known.
//!
//! A file that holds many items (a mailbox, a calendar, a chat export, an archive) leaves a mark once it was read to its
//! end: as long as the file and the number of its items are the same, it is not opened again. The mark names nothing.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use hinet_connectors::{Document, FileRef, Reader, Taker, Whole, holds_items, key_of};
use hinet_consent::{ConsentError, EntryKind, Note, Reading};
use hinet_vault::VaultError;
use hinet_vault::records::{Filing, ItemRow, SourceRow};

use super::{BATCH_ITEMS, forgotten_key, is_forgotten, remove};
use crate::failure::NodeError;
use crate::protocol::{Hash, IngestReport, ItemId, Skipped, SourceId};
use crate::state::{Node, now};

/// Bytes of text in one transaction.
const BATCH_BYTES: usize = 16 << 20;
/// A file whose time stamp is younger than this when it was read may change again within the same tick.
const SETTLED_MS: i64 = 2_000;
/// Raised when files of many items are read in another way, so that they are read once more.
const RULES: u32 = 2;

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
    /// Items whose text is as it was, with where they stand now.
    refiled: Vec<(ItemId, Filing)>,
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
            refiled: Vec::new(),
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
        self.failure.is_none() && (self.go_on)(self.report.seen)
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
        let open = std::mem::take(&mut self.open);
        let gone = self.unseen(&open, key)?;
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

    /// Items at and below a key that were not seen since it was opened.
    fn unseen(&self, open: &Open, key: &str) -> Result<Vec<ItemId>, NodeError> {
        let mut gone: Vec<ItemId> = Vec::new();
        self.node.vault.read(|r| {
            r.each_below(self.source.id, key, &mut |id, key| {
                if !open.seen.contains(&short(key)) {
                    gone.push(id);
                }
            })?;
            if let Some(own) = r.item_by_key(self.source.id, key)?.filter(|_| !open.seen.contains(&short(key))) {
                gone.push(own.id);
            }
            Ok::<_, NodeError>(())
        })?;
        Ok(gone)
    }

    /// Begins something on a server that holds items.
    pub(super) fn open(&mut self, key: &str) {
        self.open = Open { key: key.to_owned(), ..Open::default() };
    }

    /// What was opened has been seen whole: items of it that were not seen are gone.
    pub(super) fn close(&mut self) -> Result<(), NodeError> {
        let open = std::mem::take(&mut self.open);
        self.flush()?;
        remove(self.node, &self.unseen(&open, &open.key)?)
    }

    /// One item is gone.
    pub(super) fn gone(&mut self, key: &str) -> Result<(), NodeError> {
        self.flush()?;
        // It may come back in the same reading.
        self.open.seen.remove(&short(key));
        // Nor is there a reason any more why it was left out.
        self.read.push(key.to_owned());
        match self.node.vault.read(|r| r.item_by_key(self.source.id, key))? {
            Some(item) => remove(self.node, &[item.id]),
            None => Ok(()),
        }
    }

    /// The source that is read.
    pub(super) fn source(&self) -> SourceId {
        self.source.id
    }

    /// Whether something waits to be stored.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.refiled.is_empty()
    }

    /// What went wrong while items were taken.
    pub(super) fn failure(&mut self) -> Option<NodeError> {
        self.failure.take()
    }

    /// Notes what went wrong, so that no more is taken.
    pub(super) fn fail(&mut self, failure: NodeError) {
        self.failure.get_or_insert(failure);
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

    /// Whether the item of this key is known with where it stands, and then counts as the same.
    fn is_known(&mut self, key: &str) -> Result<bool, NodeError> {
        let short = short(key);
        let twice = self.open.seen.contains(&short);
        let known = |r: &hinet_vault::Reader<'_>| match r.item_by_key(self.source.id, key)? {
            Some(known) => Ok::<_, VaultError>(Some(r.is_filed(known.id)?)),
            None => Ok(None),
        };
        match if twice { Some(true) } else { self.node.vault.read(known)? } {
            Some(true) => {}
            Some(false) => return Ok(false),
            None if is_forgotten(self.node, key)? => {
                // What the owner had forgotten is not looked at again to find that out.
                self.open.withheld = true;
                self.report.seen += 1;
                self.withhold(key);
                return Ok(true);
            }
            None => return Ok(false),
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
        let same = known.as_ref().filter(|known| known.hash == hash && known.title == document.title);
        match &known {
            _ if twice || same.is_some() => self.report.same += 1,
            Some(_) => self.report.updated += 1,
            None => self.report.new += 1,
        }
        if twice {
            return Ok(());
        }
        if let Some(same) = same {
            return self.refile(same.id, Filing { thread: document.thread, labels: document.labels });
        }
        let id = known.as_ref().map_or_else(ItemId::new, |known| known.id);
        self.bytes += document.text.len();
        self.pending.push((item_row(id, self.source.id, document, hash), known.is_none(), named));
        if self.pending.len() >= BATCH_ITEMS || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// An item's text is as it was; where it stands may be new, or known for the first time. Its passages and their
    /// vectors stay.
    fn refile(&mut self, item: ItemId, filing: Filing) -> Result<(), NodeError> {
        if self.node.vault.read(|r| r.filing(item))?.as_ref() != Some(&filing) {
            self.refiled.push((item, filing));
            if self.refiled.len() >= BATCH_ITEMS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Stores what was collected.
    pub(super) fn flush(&mut self) -> Result<(), NodeError> {
        if self.pending.is_empty() && self.refiled.is_empty() {
            return Ok(());
        }
        let node = self.node;
        // That an item stands nowhere is nothing new to anybody.
        let placed = self.refiled.iter().filter(|(_, filing)| *filing != Filing::default()).count();
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
            if !notes.is_empty() {
                node.consent.record(tx, EntryKind::Ingest, notes, now())?;
            }
            for (item, filing) in &self.refiled {
                tx.set_filing(*item, filing)?;
            }
            if placed > 0 {
                node.consent.record(tx, EntryKind::Ingest, vec![filed(placed)], now())?;
            }
            Ok::<_, NodeError>(())
        })?;
        self.pending.clear();
        self.refiled.clear();
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
        if self.goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// What the ledger says of messages whose text is as it was.
fn filed(count: usize) -> Note {
    let messages = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
    Note::say(format!("noted the thread and the labels of {messages} that were known"))
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
        filing: Some(Filing { thread: document.thread, labels: document.labels }),
    }
}
