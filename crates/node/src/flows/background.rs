//! What a lasting node does by itself: catch up with its folders, watch them, make the vectors that are missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hinet_connectors::Watch;
use hinet_index::IndexError;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::{ingest, pause, people, status};
use crate::protocol::{Event, IngestReport, Progress, SourceId, SourceKind, SourceState, Unit};
use crate::state::Node;

/// Changes of one file within this time are one change.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Chunks embedded between two looks at the cancel flag and two transactions.
const EMBED_BATCH: usize = 256;

/// Runs until the node ends.
pub(crate) async fn run(node: Node) {
    resume(node.clone()).await;
    loop {
        tokio::select! {
            () = node.ending.cancelled() => return,
            () = node.embed_wake.notified() => {}
        }
        let cancel = node.live();
        if node.consent.is_killed() {
            continue;
        }
        if let Err(failure) = embed_all(&node, None, &cancel).await {
            node.notices.add(failure.to_string());
        }
        status::tell(&node);
    }
}

/// Watches, and reads what changed before: at the start, and when the kill switch is lifted.
pub(crate) async fn resume(node: Node) {
    let watched = node
        .apart("the watched folders", |node| {
            start_watching(node);
            Ok(())
        })
        .await;
    if let Err(failure) = watched {
        node.notices.add(failure.to_string());
    }
    catch_up(&node).await;
    if let Err(failure) = node.apart("the people", people::fill).await {
        node.notices.add(failure.to_string());
    }
}

/// Reads what changed in the watched folders while nobody was looking.
async fn catch_up(node: &Node) {
    if node.consent.is_killed() || pause::is_on(node) {
        return;
    }
    let cancel = node.live();
    let sources = node.apart("the sources", |node| Ok(node.vault.read(|r| r.sources())?)).await.unwrap_or_default();
    for source in sources.iter().filter(|s| s.kind == SourceKind::Folder && s.state == SourceState::Active) {
        if cancel.is_cancelled() {
            return;
        }
        if Path::new(&source.path).exists() {
            read_again(node, source.id, &source.path, &cancel).await;
        }
    }
    node.embed_wake.notify_one();
}

/// Reads one source again, nobody having asked.
pub(crate) async fn read_again(node: &Node, source: SourceId, path: &str, cancel: &CancellationToken) {
    if pause::is_on(node) {
        return;
    }
    let pass = ingest::Pass { root: PathBuf::from(path), forced: false };
    match ingest::run(node, source, pass, None, cancel).await {
        Ok(report) => tell_changes(node, report),
        // Neither the kill switch nor a pause is a fault.
        Err(_) if cancel.is_cancelled() || pause::is_on(node) => {}
        Err(failure) => node.notices.add(failure.to_string()),
    }
}

pub(crate) fn tell_changes(node: &Node, report: IngestReport) {
    if report.new + report.updated > 0 {
        // Nobody listening is fine.
        let _ = node.news.send(Event::Indexed { report });
    }
}

/// Starts the watcher on every active folder.
pub(crate) fn start_watching(node: &Node) {
    if node.consent.is_killed() || pause::is_on(node) {
        return;
    }
    let sources = node.vault.read(|r| r.sources()).unwrap_or_default();
    let roots: Vec<(SourceId, PathBuf)> = sources
        .into_iter()
        .filter(|s| s.kind == SourceKind::Folder && s.state == SourceState::Active && Path::new(&s.path).is_dir())
        .map(|s| (s.id, PathBuf::from(s.path)))
        .collect();
    let (changes, mut inbox) = tokio::sync::mpsc::unbounded_channel::<(SourceId, Vec<PathBuf>)>();
    let started = Watch::start(&roots, DEBOUNCE, move |source, paths| {
        // The node has ended; nothing watches any more.
        let _ = changes.send((source, paths));
    });
    let watch = match started {
        Ok(watch) => watch.without(&node.excluded()),
        Err(error) => return node.notices.add(error.to_string()),
    };
    watch.notices().into_iter().for_each(|sentence| node.notices.add(sentence));
    {
        let mut slot = node.watch.lock().unwrap_or_else(PoisonError::into_inner);
        // Thrown or paused while the folders were walked: what this made goes as well.
        if node.consent.is_killed() || pause::is_on(node) || node.ending.is_cancelled() {
            return;
        }
        *slot = Some(watch);
    }
    let node = node.clone();
    let tasks = node.tasks.clone();
    tasks.spawn(async move {
        loop {
            let change = tokio::select! {
                () = node.ending.cancelled() => return,
                change = inbox.recv() => change,
            };
            let Some((source, paths)) = change else { return };
            changed(&node, source, paths).await;
        }
    });
}

async fn changed(node: &Node, source: SourceId, paths: Vec<PathBuf>) {
    if node.consent.is_killed() || pause::is_on(node) {
        return;
    }
    let _alone = node.memory_work.lock().await;
    let read = node.apart("a change in a watched folder", move |node| ingest::read_changes(node, source, &paths)).await;
    match read {
        Ok(report) => tell_changes(node, report),
        // Stopped in the middle; the next start or the lifting of the switch reads it.
        Err(_) if node.consent.is_killed() || pause::is_on(node) => {}
        Err(failure) => node.notices.add(failure.to_string()),
    }
}

/// Watches one more folder, where this node watches at all.
pub(crate) fn watch(node: &Node, source: SourceId, root: &Path) {
    let mut slot = node.watch.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watch) = slot.as_mut()
        && let Err(error) = watch.add(source, root)
    {
        node.notices.add(error.to_string());
    }
}

/// Watches one folder less.
pub(crate) fn unwatch(node: &Node, source: SourceId, root: &Path) {
    let mut slot = node.watch.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watch) = slot.as_mut() {
        watch.remove(source, root);
    }
}

/// Makes the vectors that are missing. Cancelled, it leaves the rest for the next time.
pub(crate) async fn embed_all(node: &Node, sink: Option<&Sink>, cancel: &CancellationToken) -> Result<(), NodeError> {
    let _alone = tokio::select! {
        () = cancel.cancelled() => return Ok(()),
        alone = node.embedding.lock() => alone,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (told, sink) = (stop.clone(), sink.cloned());
    // On a thread of its own: one that has stood back once cannot come forward again.
    let work = node.apart("embedding", move |node| {
        let apart = || {
            crate::mind::step_back();
            embed_blocking(node, sink.as_ref(), &told)
        };
        let done = std::thread::scope(|scope| scope.spawn(apart).join());
        done.unwrap_or_else(|_| Err(crate::failure::unexpected("embedding").into()))
    });
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = cancel.cancelled() => stop.store(true, Ordering::Relaxed),
    }
    work.await
}

fn embed_blocking(node: &Node, sink: Option<&Sink>, stop: &AtomicBool) -> Result<(), NodeError> {
    let counts = node.vault.read(|r| r.counts())?;
    let left = counts.chunks.saturating_sub(counts.embedded);
    if left == 0 {
        return Ok(());
    }
    let embedder = node.embedder()?;
    let index = node.index();
    let mut done = 0u64;
    while !stop.load(Ordering::Relaxed) {
        let made = match index.embed_pending(&node.vault, &embedder, EMBED_BATCH, stop, &mut |_, _| {}) {
            Err(IndexError::Cancelled) | Ok(0) => break,
            made => made?,
        };
        done += made as u64;
        if let Some(sink) = sink {
            let what = "learning the meaning".to_owned();
            sink.progress(Progress { what, done, total: Some(left.max(done)), unit: Unit::Chunks });
        }
    }
    Ok(())
}
