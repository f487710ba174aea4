//! Ingest: consent for the source → items → the vault, with the ledger entry in the same transaction → the index.
//!
//! What is stored is truth; chunks, words and vectors follow and are caught up after a crash. The same content twice
//! changes nothing. What the owner forgot stays out until they hand it over again by name.

mod importer;
mod steward;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hinet_connectors::{AccountError, Reader, awaits_download, key_of};
use hinet_consent::{ConsentError, EntryKind, Note};
use hinet_vault::records::SourceRow;
use hinet_vault::{Tx, VaultError};
use importer::Importer;
use steward::Keeper;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::accounts::{self, Account};
use crate::flows::reading::Herald;
use crate::flows::{background, pause, people, sources, status};
use crate::protocol::{
    ErrorKind, Event, IngestReport, ItemId, Progress, Skipped, SourceId, SourceKind, SourceState, Unit,
};
use crate::state::{Node, now};

/// Items in one transaction, and so in one ledger entry.
const BATCH_ITEMS: usize = 256;

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
    let mut herald = sink.is_none().then(|| Herald::new(node, source));
    let mut go_on = |seen: u64| {
        tell(sink, herald.as_mut(), &row.path, seen);
        !cancel.is_cancelled() && reading.is_live() && !pause::is_on(node)
    };
    let mut importer = Importer::new(node, &reading, row.clone(), named, &mut go_on);
    let mut reader = Reader::new(&reading, &node.limits, &node.settings.extractor);
    let (mut here, mut passed) = (HashSet::new(), HashSet::new());
    for found in hinet_connectors::walk(&reading, &pass.root, &node.limits) {
        if !importer.goes_on() {
            break;
        }
        match found {
            Err(skipped) => {
                passed.insert(skipped.what.clone());
                importer.pass_over(skipped);
            }
            Ok(file) => {
                here.insert(key_of(&file.path));
                importer.file(&mut reader, &file)?;
            }
        }
    }
    let stored = importer.flush();
    let Importer { report, mut skips, read, kept, .. } = importer;
    // What earlier batches stored is to be found, also where the last one was refused.
    node.index().apply(&node.vault)?;
    stored?;
    pause::check(node)?;
    // A pass that was cut short says nothing about what is gone, nor does a root that is not there.
    if !cancel.is_cancelled() && reading.is_live() && Path::new(&row.path).exists() {
        here.extend(passed);
        remove_vanished(node, &row, &pass.root, &here)?;
        node.vault.write(|tx| {
            if pass.root == Path::new(&row.path) {
                // What was not looked into again has nothing new to say about what it holds.
                let before = tx.skips(source)?;
                skips.extend(
                    before.into_iter().filter(|skip| Path::new(&skip.what).ancestors().any(|p| kept.contains(p))),
                );
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

/// Says how far a reading is: to whoever asked for it, or as news where nobody did.
fn tell(sink: Option<&Sink>, herald: Option<&mut Herald<'_>>, path: &str, seen: u64) {
    if let Some(sink) = sink.filter(|_| seen > 0) {
        sink.progress(Progress { what: format!("reading {path}"), done: seen, total: None, unit: Unit::Files });
    }
    if let Some(herald) = herald {
        herald.tell(path, seen);
    }
}

/// Reads an account on a server, on a blocking thread.
pub(crate) fn read_account(
    node: &Node,
    source: SourceId,
    sink: Option<&Sink>,
    cancel: &CancellationToken,
) -> Result<IngestReport, NodeError> {
    pause::check(node)?;
    let row = sources::row(node, source)?;
    let Account { plan, mut key, reading } = accounts::account(node, source)?;
    let mut herald = sink.is_none().then(|| Herald::new(node, source));
    let mut go_on = |seen: u64| {
        tell(sink, herald.as_mut(), &row.path, seen);
        !cancel.is_cancelled() && reading.is_live() && !pause::is_on(node)
    };
    let mut keeper = Keeper::new(node, Importer::new(node, &reading, row.clone(), false, &mut go_on));
    let read =
        hinet_connectors::read_account(&reading, &plan, &mut key, &node.limits, &node.settings.extractor, &mut keeper);
    let (kept, report, mut skips, read_keys) = keeper.end();
    node.index().apply(&node.vault)?;
    {
        // What was forgotten meanwhile is not named again, nor a part of it.
        let _alone = node.memory_work.blocking_lock();
        let mut named = Vec::with_capacity(skips.len());
        for skip in skips.drain(..) {
            let mut above = Path::new(&skip.what).ancestors().filter_map(Path::to_str);
            if !above.try_fold(false, |gone, key| Ok::<_, NodeError>(gone || is_forgotten(node, key)?))? {
                named.push(skip);
            }
        }
        // Also of a reading that ended early: what it looked at is not looked at again.
        if node.vault.read(|r| r.source(source))?.is_some() {
            node.vault.write(|tx| part_read(tx, &row, &read_keys, &named))?;
        }
    }
    kept?;
    match read {
        // Stopped by the owner: what came until then is the report.
        Err(AccountError::Stopped) if cancel.is_cancelled() => return Ok(report),
        Err(AccountError::Stopped) => {
            pause::check(node)?;
            reading.check().map_err(ConsentError::from)?;
            return Err(AccountError::Stopped.into());
        }
        read => read?,
    }
    node.vault.write(|tx| tx.set_source_synced(source, now()))?;
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
    let mut herald = Herald::new(node, source);
    let mut go_on = |seen: u64| {
        herald.tell(&row.path, seen);
        reading.is_live() && !pause::is_on(node)
    };
    let mut importer = Importer::new(node, &reading, row.clone(), false, &mut go_on);
    let mut reader = Reader::new(&reading, &node.limits, &node.settings.extractor);
    let (there, mut gone): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|path| path.exists());
    // A message that got a flag was renamed, and is the same message.
    let moved: HashSet<String> = there.iter().map(|path| key_of(path)).collect();
    // Nor has a file gone that a sync program put away for room.
    gone.retain(|path| !moved.contains(&key_of(path)) && !awaits_download(path));
    for found in hinet_connectors::walk_changes(&reading, Path::new(&row.path), &there, &node.limits) {
        match found {
            Err(skipped) => importer.pass_over(skipped),
            Ok(file) => importer.file(&mut reader, &file)?,
        }
    }
    importer.flush()?;
    let Importer { report, skips, mut read, .. } = importer;
    read.extend(gone.iter().map(|path| path.to_string_lossy().into_owned()));
    node.vault.write(|tx| part_read(tx, &row, &read, &skips))?;
    if Path::new(&row.path).exists() {
        for path in gone {
            remove_vanished(node, &row, Path::new(&key_of(&path)), &HashSet::new())?;
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
    // What lies in a mailbox or an archive is there as long as its file is.
    let is_there = |key: &str| {
        let path = Path::new(key);
        here.contains(key)
            || path.exists()
            || path
                .ancestors()
                .skip(1)
                .any(|around| around.to_str().is_some_and(|key| here.contains(key)) && around.is_file())
            || path.ancestors().skip(1).find(|around| around.exists()).is_some_and(Path::is_file)
    };
    let items = node.vault.read(|r| r.items_of(source.id))?;
    let vanished = items.into_iter().filter(|item| Path::new(&item.key).starts_with(root) && !is_there(&item.key));
    let vanished: Vec<ItemId> = vanished.map(|item| item.id).collect();
    remove(node, &vanished)
}

/// Takes items out of the memory because what they were read from is gone.
fn remove(node: &Node, vanished: &[ItemId]) -> Result<(), NodeError> {
    for batch in vanished.chunks(BATCH_ITEMS) {
        node.vault.write(|tx| {
            let note = Note::say(match batch.len() {
                1 => "one item left the memory with its file".to_owned(),
                n => format!("{n} items left the memory with their files"),
            });
            node.consent.record(tx, EntryKind::Forget, vec![note], now())?;
            for item in batch {
                tx.delete_item(*item)?;
            }
            people::prune(tx)?;
            Ok::<_, NodeError>(())
        })?;
        node.names.soil();
        node.people.soil();
    }
    Ok(())
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
