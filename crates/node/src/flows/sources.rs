//! Sources: each a folder or an import, each under its own consent grant.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hinet_consent::{Consent, EntryKind, Note};
use hinet_vault::Tx;
use hinet_vault::records::SourceRow;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::{accounts, background, ingest, pause, status};
use crate::protocol::{
    Asker, Capability, ErrorKind, Event, Filter, GrantDraft, IngestReport, Limits, Scope, Skipped, SourceId,
    SourceKind, SourceLine, SourceState,
};
use crate::settings::Presence;
use crate::state::{Node, now};

/// A source's row, or a sentence that there is none.
pub(crate) fn row(node: &Node, id: SourceId) -> Result<SourceRow, NodeError> {
    node.vault.read(|r| r.source(id))?.ok_or_else(|| {
        NodeError::said(ErrorKind::Failed, format!("There is no source {id}."), "`icore sources list` shows them.")
    })
}

/// Whether a source is what a command printed, which cannot be read again.
pub(crate) fn is_printed(source: &SourceRow) -> bool {
    source.kind != SourceKind::Account && !Path::new(&source.path).is_absolute()
}

/// Whether a source lies on this machine's disk.
fn is_on_disk(source: &SourceRow) -> bool {
    source.kind != SourceKind::Account && Path::new(&source.path).is_absolute()
}

/// What the owner's word for a source grants: to read it at and below these places, for this machine alone.
pub(crate) fn leave(source: SourceId, folders: Vec<String>) -> GrantDraft {
    GrantDraft {
        asker: Asker::Own,
        capability: Capability::Ingest,
        scope: Scope { sources: vec![source], folders, ..Scope::default() },
        filter: Filter { withhold: Vec::new(), placeholders: false },
        limits: Limits::default(),
        purpose: "to remember and search it on this machine".into(),
    }
}

/// Opens a source: the row, its grant and the ledger entries, in the caller's transaction.
pub(crate) fn open_in(consent: &Consent, tx: &Tx<'_>, root: &Path, kind: SourceKind) -> Result<SourceId, NodeError> {
    let path = root.to_string_lossy().into_owned();
    let id = SourceId::new();
    let grant = consent.grant_in(tx, leave(id, vec![path.clone()]), now())?;
    let state = SourceState::Active;
    tx.put_source(&SourceRow { id, kind, path, state, grant: Some(grant.id), added: now(), synced: None })?;
    Ok(id)
}

/// [`crate::protocol::Op::Sources`].
pub(crate) fn list(node: &Node) -> Result<Event, NodeError> {
    let embedder = node.index().embedder();
    let sources = node.vault.read(|r| {
        let counts = r.counts()?;
        let waiting = if counts.embedded < counts.chunks { r.waiting(embedder)? } else { HashMap::new() };
        r.sources()?
            .into_iter()
            .map(|row| {
                let items = r.source_items(row.id)?;
                let missing = row.state == SourceState::Active && is_on_disk(&row) && !Path::new(&row.path).exists();
                let state = if missing { SourceState::Missing } else { row.state };
                let SourceRow { id, kind, path, grant, synced, .. } = row;
                let (skipped, waiting) = (r.skipped(id)?, waiting.get(&id).copied().unwrap_or(0));
                Ok(SourceLine { id, kind, path, state, grant, items, synced, skipped, waiting })
            })
            .collect::<Result<Vec<_>, hinet_vault::VaultError>>()
    })?;
    Ok(Event::Sources { sources })
}

/// [`crate::protocol::Op::Skips`].
pub(crate) fn skips(node: &Node, source: SourceId) -> Result<Event, NodeError> {
    row(node, source)?;
    Ok(Event::Skips { skipped: node.vault.read(|r| r.skips(source))? })
}

/// [`crate::protocol::Op::SourceAdd`].
pub(crate) async fn add(
    node: &Node,
    path: String,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    pause::check(node)?;
    let (id, root) = node.apart("the source", move |node| open_folder(node, &path)).await?;
    let report = ingest::run(node, id, ingest::Pass { root, forced: true }, Some(sink), cancel).await?;
    ingest::close(node, report, sink, cancel).await
}

/// The source of a folder, made where there is none, and watched.
fn open_folder(node: &Node, path: &str) -> Result<(SourceId, PathBuf), NodeError> {
    let root = std::fs::canonicalize(path).map_err(|error| {
        NodeError::said(
            ErrorKind::Failed,
            format!("{path} cannot be opened: {error}."),
            "Give the path of a folder that exists.",
        )
    })?;
    if !root.is_dir() {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("{path} is not a folder."),
            "A source is a folder; a single file can be read with `icore ingest`.",
        ));
    }
    if node.excluded().iter().any(|own| own.starts_with(&root) || root.starts_with(own)) {
        return Err(NodeError::said(
            ErrorKind::Failed,
            format!("{path} holds this iCore's own home."),
            "Choose a folder that neither holds the home nor lies in it.",
        ));
    }
    let id = node.vault.write(|tx| {
        let known = tx.sources()?.into_iter().find(|s| Path::new(&s.path) == root);
        match known {
            Some(source) => {
                let id = source.id;
                if source.kind != SourceKind::Folder {
                    tx.put_source(&SourceRow { kind: SourceKind::Folder, ..source })?;
                }
                Ok(id)
            }
            None => open_in(&node.consent, tx, &root, SourceKind::Folder),
        }
    })?;
    node.names.soil();
    background::watch(node, id, &root);
    Ok((id, root))
}

/// [`crate::protocol::Op::SourceSync`].
pub(crate) async fn sync(
    node: &Node,
    asked: Option<SourceId>,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    pause::check(node)?;
    let chosen = node
        .apart("the sources", move |node| match asked {
            Some(id) => Ok(vec![row(node, id)?]),
            None => {
                let sources = node.vault.read(|r| r.sources())?;
                Ok(sources.into_iter().filter(|s| s.state == SourceState::Active && !is_printed(s)).collect())
            }
        })
        .await?;
    let mut report = IngestReport::default();
    for source in chosen {
        if cancel.is_cancelled() {
            break;
        }
        if source.state == SourceState::Paused {
            return Err(is_paused(&source));
        }
        if is_printed(&source) {
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("\"{}\" is what a command printed; there is no file to read again.", source.path),
                "Run the command again and attach what it prints.",
            ));
        }
        if source.kind == SourceKind::Account {
            match accounts::read(node, source.id, Some(sink), cancel).await {
                Ok(part) => ingest::add(&mut report, part),
                Err(error) if asked.is_some() => return Err(error),
                // One server that is away keeps nobody from the others.
                Err(error) => report.skipped.push(Skipped { what: source.path, why: error.to_string() }),
            }
            continue;
        }
        // A drive that is not plugged in stops neither the others nor anything that is remembered.
        if let Err(error) = std::fs::symlink_metadata(&source.path) {
            if asked.is_some() {
                return Err(absent(&source.path, &error));
            }
            let why = format!("it is not there now; what was read from it is kept: {error}");
            report.skipped.push(Skipped { what: source.path, why });
            continue;
        }
        let pass = ingest::Pass { root: source.path.clone().into(), forced: false };
        ingest::add(&mut report, ingest::run(node, source.id, pass, Some(sink), cancel).await?);
    }
    ingest::close(node, report, sink, cancel).await
}

/// That a source is paused.
pub(crate) fn is_paused(source: &SourceRow) -> NodeError {
    NodeError::said(
        ErrorKind::Refused,
        format!("The source {} is paused.", source.path),
        format!("`icore sources resume {}` starts it again.", source.id),
    )
}

fn absent(path: &str, error: &std::io::Error) -> NodeError {
    NodeError::said(
        ErrorKind::Failed,
        format!("{path} is not there now: {error}; what was read from it is kept."),
        "Put the folder back and try again, or forget it with `icore sources remove`.",
    )
}

/// [`crate::protocol::Op::SourcePause`].
pub(crate) async fn pause(node: &Node, source: SourceId, paused: bool) -> Result<Event, NodeError> {
    let row = node.apart("the source", move |node| set_paused(node, source, paused)).await?;
    // What changed during the pause was not watched.
    if !paused && row.kind == SourceKind::Folder && node.settings.presence == Presence::Lasting {
        let reader = node.clone();
        node.tasks.spawn(async move {
            background::read_again(&reader, source, &row.path, &reader.live()).await;
        });
    }
    status::tell(node);
    Ok(Event::Done)
}

fn set_paused(node: &Node, source: SourceId, paused: bool) -> Result<SourceRow, NodeError> {
    let row = row(node, source)?;
    let (state, kind, verb) = if paused {
        (SourceState::Paused, EntryKind::SourcePaused, "paused")
    } else {
        (SourceState::Active, EntryKind::SourceResumed, "resumed")
    };
    node.vault.write(|tx| {
        tx.set_source_state(source, state)?;
        let note = Note::say(format!("{verb} {}", row.path));
        node.consent.record(tx, kind, vec![note], now())?;
        Ok::<_, NodeError>(())
    })?;
    if paused {
        background::unwatch(node, source, Path::new(&row.path));
    } else if row.kind == SourceKind::Folder {
        background::watch(node, source, Path::new(&row.path));
    }
    Ok(row)
}
