//! Ingest: consent for the source → items → the vault, with the ledger entry in the same transaction → the index.
//!
//! What is stored is truth; chunks, words and vectors follow and are caught up after a crash. The same content twice
//! changes nothing. What the owner forgot stays out until they hand it over again by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hinet_connectors::{Document, FileRef};
use hinet_consent::{ConsentError, EntryKind, Note, Reading};
use hinet_vault::records::{ItemRow, SourceRow};
use hinet_vault::{Tx, VaultError};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::reading::Herald;
use crate::flows::{background, pause, sources, status};
use crate::protocol::{
    ErrorKind, Event, Hash, IngestReport, ItemId, Progress, Skipped, SourceId, SourceKind, SourceState, Unit,
};
use crate::state::{Node, now};

/// Items in one transaction, and so in one ledger entry.
const BATCH_ITEMS: usize = 256;
/// Bytes of text in one transaction.
const BATCH_BYTES: usize = 16 << 20;
/// A file whose time stamp is younger than this when it was read may change again within the same tick.
const SETTLED_MS: i64 = 2_000;

/// [`crate::protocol::Op::Ingest`]: files and folders handed over once.
pub(crate) async fn ingest(
    node: &Node,
    paths: Vec<String>,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    pause::check(node)?;
    let mut report = IngestReport::default();
    for path in paths {
        if cancel.is_cancelled() {
            break;
        }
        let found = node.apart("the import", move |node| {
            Ok(match std::fs::canonicalize(&path) {
                Ok(root) => Ok((source_for(node, &root)?, root)),
                Err(error) => Err(Skipped { what: path, why: format!("it cannot be opened: {error}") }),
            })
        });
        match found.await? {
            Ok((source, root)) => {
                add(&mut report, run(node, source, Pass { root, forced: true }, Some(sink), cancel).await?);
            }
            Err(skipped) => {
                report.seen += 1;
                report.skipped.push(skipped);
            }
        }
    }
    close(node, report, sink, cancel).await
}

/// The end of every import: the vectors, the top line, and what it came to.
pub(crate) async fn close(
    node: &Node,
    report: IngestReport,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    background::embed_all(node, Some(sink), cancel).await?;
    status::tell(node);
    if cancel.is_cancelled() {
        let files = match report.seen {
            1 => "one file".to_owned(),
            n => format!("{n} files"),
        };
        return Err(NodeError::said(
            ErrorKind::Cancelled,
            format!("Stopped after {files}; what was read is kept."),
            "Run it again to go on: nothing is read twice.",
        ));
    }
    Ok(Event::Indexed { report })
}

pub(crate) fn add(report: &mut IngestReport, part: IngestReport) {
    report.seen += part.seen;
    report.new += part.new;
    report.same += part.same;
    report.updated += part.updated;
    report.skipped.extend(part.skipped);
}

/// The source that covers `root`, made (with its grant) where none does: handing a path over is the owner's consent.
pub(crate) fn source_for(node: &Node, root: &Path) -> Result<SourceId, NodeError> {
    // In one transaction, so that two imports of the same folder at once do not make two sources.
    node.names.soil();
    node.vault.write(|tx| {
        let sources = tx.sources()?;
        let covering = sources.iter().filter(|s| root.starts_with(&s.path)).max_by_key(|s| s.path.len());
        match covering {
            Some(source) => Ok(source.id),
            None => sources::open_in(&node.consent, tx, root, SourceKind::Import),
        }
    })
}

/// One pass over a source: all of its root, or a part of it.
pub(crate) struct Pass {
    /// The folder or file to read.
    pub(crate) root: PathBuf,
    /// Whether the owner named it: then a file that was forgotten before is remembered again.
    pub(crate) forced: bool,
}

/// Reads a source on a blocking thread.
pub(crate) async fn run(
    node: &Node,
    source: SourceId,
    pass: Pass,
    sink: Option<&Sink>,
    cancel: &CancellationToken,
) -> Result<IngestReport, NodeError> {
    let _alone = node.memory_work.lock().await;
    let (sink, cancel) = (sink.cloned(), cancel.clone());
    node.apart("the import", move |node| read_source(node, source, &pass, sink.as_ref(), &cancel)).await
}

fn read_source(
    node: &Node,
    source: SourceId,
    pass: &Pass,
    sink: Option<&Sink>,
    cancel: &CancellationToken,
) -> Result<IngestReport, NodeError> {
    let row = sources::row(node, source)?;
    let reading = node.consent.admit(source, Path::new(&row.path), now())?.without(&node.excluded());
    // A folder names no file in it: what was forgotten comes back only when it is itself handed over.
    let named = pass.forced && !pass.root.is_dir();
    let mut importer = Importer::new(node, &reading, row.clone(), named);
    let mut herald = sink.is_none().then(|| Herald::new(node, source));
    let mut here = HashSet::new();
    for found in hinet_connectors::walk(&reading, &pass.root, &node.limits) {
        if cancel.is_cancelled() || !reading.is_live() || pause::is_on(node) {
            break;
        }
        importer.report.seen += 1;
        match found {
            Err(skipped) => {
                here.insert(skipped.what.clone());
                importer.skip(skipped);
            }
            Ok(file) => {
                here.insert(file.path.to_string_lossy().into_owned());
                importer.take(&file)?;
            }
        }
        if let Some(sink) = sink {
            let what = format!("reading {}", row.path);
            sink.progress(Progress { what, done: importer.report.seen, total: None, unit: Unit::Files });
        }
        if let Some(herald) = &mut herald {
            herald.tell(&row.path, importer.report.seen);
        }
    }
    let stored = importer.flush();
    let Importer { report, skips, read, .. } = importer;
    // What earlier batches stored is to be found, also where the last one was refused.
    node.index().apply(&node.vault)?;
    stored?;
    pause::check(node)?;
    // A pass that was cut short says nothing about what is gone, nor does a root that is not there.
    if !cancel.is_cancelled() && reading.is_live() && Path::new(&row.path).exists() {
        remove_vanished(node, &row, &pass.root, &here)?;
        node.vault.write(|tx| {
            if pass.root == Path::new(&row.path) {
                tx.set_skips(source, &skips)?;
            } else {
                part_read(tx, &row, &read, &skips)?;
            }
            tx.set_source_synced(source, now())
        })?;
        node.index().apply(&node.vault)?;
    }
    node.embed_wake.notify_one();
    Ok(report)
}

/// Changed paths of a watched folder, as the watcher tells them.
pub(crate) fn read_changes(node: &Node, source: SourceId, paths: &[PathBuf]) -> Result<IngestReport, NodeError> {
    // A source that was forgotten or paused while its watcher was about to speak has nothing to say.
    let row = match node.vault.read(|r| r.source(source))? {
        Some(row) if row.state == SourceState::Active => row,
        _ => return Ok(IngestReport::default()),
    };
    let reading = node.consent.admit(source, Path::new(&row.path), now())?.without(&node.excluded());
    let mut importer = Importer::new(node, &reading, row.clone(), false);
    let mut herald = Herald::new(node, source);
    let (there, gone): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|path| path.exists());
    for found in hinet_connectors::walk_changes(&reading, Path::new(&row.path), &there, &node.limits) {
        importer.report.seen += 1;
        match found {
            Err(skipped) => importer.skip(skipped),
            Ok(file) => importer.take(&file)?,
        }
        herald.tell(&row.path, importer.report.seen);
    }
    importer.flush()?;
    let Importer { report, skips, mut read, .. } = importer;
    read.extend(gone.iter().map(|path| path.to_string_lossy().into_owned()));
    node.vault.write(|tx| part_read(tx, &row, &read, &skips))?;
    if Path::new(&row.path).exists() {
        for path in gone {
            remove_vanished(node, &row, &path, &HashSet::new())?;
        }
    }
    node.index().apply(&node.vault)?;
    node.embed_wake.notify_one();
    Ok(report)
}

/// Some files of a source were read and some left out. What is said of a whole folder, only a whole reading says.
fn part_read(tx: &Tx<'_>, source: &SourceRow, read: &[String], skips: &[Skipped]) -> Result<(), VaultError> {
    let skips: Vec<Skipped> = skips.iter().filter(|skip| !Path::new(&skip.what).is_dir()).cloned().collect();
    if tx.skipped(source.id)? > 0 {
        read.iter().chain(skips.iter().map(|skip| &skip.what)).try_for_each(|path| tx.drop_skip(path))?;
    }
    if skips.is_empty() { Ok(()) } else { tx.add_skips(source.id, &skips) }
}

/// Items below `root` whose file is no longer there leave the memory, as they left the folder.
fn remove_vanished(node: &Node, source: &SourceRow, root: &Path, here: &HashSet<String>) -> Result<(), NodeError> {
    let items = node.vault.read(|r| r.items_of(source.id))?;
    let vanished: Vec<_> = items
        .into_iter()
        .filter(|item| {
            Path::new(&item.key).starts_with(root) && !here.contains(&item.key) && !Path::new(&item.key).exists()
        })
        .collect();
    for batch in vanished.chunks(BATCH_ITEMS) {
        node.vault.write(|tx| {
            let note = Note::say(match batch.len() {
                1 => "one item left the memory with its file".to_owned(),
                n => format!("{n} items left the memory with their files"),
            });
            node.consent.record(tx, EntryKind::Forget, vec![note], now())?;
            for item in batch {
                tx.delete_item(item.id)?;
            }
            Ok::<_, NodeError>(())
        })?;
        node.names.soil();
    }
    Ok(())
}

/// Collects documents into transactions.
struct Importer<'a> {
    node: &'a Node,
    reading: &'a Reading,
    source: SourceRow,
    forced: bool,
    pending: Vec<(ItemRow, bool)>,
    bytes: usize,
    report: IngestReport,
    /// What the source remembers to have left out.
    skips: Vec<Skipped>,
    /// What was not left out.
    read: Vec<String>,
}

impl<'a> Importer<'a> {
    fn new(node: &'a Node, reading: &'a Reading, source: SourceRow, forced: bool) -> Self {
        Self {
            node,
            reading,
            source,
            forced,
            pending: Vec::new(),
            bytes: 0,
            report: IngestReport::default(),
            skips: Vec::new(),
            read: Vec::new(),
        }
    }

    fn skip(&mut self, skipped: Skipped) {
        self.skips.push(skipped.clone());
        self.report.skipped.push(skipped);
    }

    fn take(&mut self, file: &FileRef) -> Result<(), NodeError> {
        let key = file.path.to_string_lossy().into_owned();
        let known = self.node.vault.read(|r| r.item_by_key(self.source.id, &key))?;
        if let Some(known) = &known
            && known.modified == file.modified
            && known.ingested - known.modified > SETTLED_MS
        {
            self.report.same += 1;
            self.read.push(key);
            return Ok(());
        }
        // Said to whoever asked and kept nowhere: a list of what was forgotten would be no forgetting.
        if known.is_none() && !self.forced && is_forgotten(self.node, &key)? {
            self.report.skipped.push(Skipped {
                what: key,
                why: "you had it forgotten; hand it over by name to remember it again".into(),
            });
            return Ok(());
        }
        let document =
            match hinet_connectors::read(self.reading, file, &self.node.limits, &self.node.settings.extractor) {
                Ok(document) => document,
                Err(skipped) => {
                    self.skip(skipped);
                    return Ok(());
                }
            };
        self.read.push(key);
        let hash = Hash(*blake3::hash(document.text.as_bytes()).as_bytes());
        match &known {
            Some(known) if known.hash == hash && known.title == document.title => {
                self.report.same += 1;
                return Ok(());
            }
            Some(_) => self.report.updated += 1,
            None => self.report.new += 1,
        }
        let id = known.as_ref().map_or_else(ItemId::new, |known| known.id);
        self.bytes += document.text.len();
        self.pending.push((item_row(id, self.source.id, document, hash), known.is_none()));
        if self.pending.len() >= BATCH_ITEMS || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), NodeError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (node, forced) = (self.node, self.forced);
        let notes = self.pending.iter().map(|(row, new)| {
            let verb = if *new { "remembered" } else { "updated" };
            Note { item: Some(row.id), body: format!("{verb} {} ({})", row.key, row.hash) }
        });
        let notes: Vec<Note> = notes.collect();
        let chunked: Vec<_> = self.pending.iter().map(|(row, _)| hinet_index::chunk(&row.text, &row.kind)).collect();
        node.vault.write(|tx| {
            // Looked at inside the transaction: once a kill is written, nothing that was read before it comes after it.
            self.reading.check().map_err(ConsentError::from)?;
            for ((row, _), chunks) in self.pending.iter().zip(&chunked) {
                tx.put_item(row, chunks)?;
                tx.set_people(row.id, &hinet_index::people(&row.text))?;
                if forced {
                    tx.set_meta(&forgotten_key(node, &row.key), "")?;
                }
            }
            node.consent.record(tx, EntryKind::Ingest, notes, now())?;
            Ok::<_, NodeError>(())
        })?;
        self.pending.clear();
        self.bytes = 0;
        node.names.soil();
        Ok(())
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

/// The vault key under which a forgotten path is remembered as forgotten: keyed, so that it names nothing.
pub(crate) fn forgotten_key(node: &Node, key: &str) -> String {
    let hash = blake3::keyed_hash(&node.vault.derive_key("forgotten paths"), key.as_bytes());
    format!("forgotten/{}", hash.to_hex())
}

fn is_forgotten(node: &Node, key: &str) -> Result<bool, NodeError> {
    let mark = node.vault.read(|r| r.meta(&forgotten_key(node, key)))?;
    Ok(mark.is_some_and(|mark| !mark.is_empty()))
}
