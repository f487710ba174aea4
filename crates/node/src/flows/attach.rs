//! Attachments: a file, a folder or a command's output is read into the memory as an import under the owner's grant,
//! and the turn is confined to it.

use std::path::{Path, PathBuf};

use hinet_consent::{EntryKind, Note};
use hinet_vault::Tx;
use hinet_vault::records::{ItemRow, SourceRow};
use tokio_util::sync::CancellationToken;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::{background, ingest, pause, sources, status};
use crate::protocol::{
    Attached, Attachment, ErrorKind, Event, GrantDraft, Hash, ItemId, SourceId, SourceKind, SourceState, Trust, Within,
};
use crate::state::{Node, now};

/// Files of a folder that is attached; a larger one is a source.
const FILES_MAX: usize = 5_000;
/// Bytes of a text that is attached.
const TEXT_MAX: usize = 1 << 20;
/// Characters of a text's name.
const NAME_MAX: usize = 200;
/// Folders that are never read, and so not counted.
const UNREAD: &[&str] = &["node_modules", "target"];

/// [`crate::protocol::Op::Attach`].
pub(crate) async fn attach(
    node: &Node,
    what: Attachment,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    pause::check(node)?;
    let attached = match what {
        Attachment::File { path } => file(node, path, sink, cancel).await?,
        Attachment::Folder { path } => folder(node, path, sink, cancel).await?,
        Attachment::Text { name, text } => node.apart("the attachment", move |node| keep(node, &name, text)).await?,
    };
    // What was just handed over is asked about next: its meaning is learned now. Without the embedder its words do.
    if let Err(failure) = background::embed_all(node, Some(sink), cancel).await {
        node.notices.add(failure.to_string());
    }
    status::tell(node);
    Ok(Event::Attached { attached })
}

fn real(path: &str) -> Result<PathBuf, NodeError> {
    std::fs::canonicalize(path).map_err(|error| {
        NodeError::said(
            ErrorKind::Failed,
            format!("{path} cannot be opened: {error}."),
            "Give the path of something that exists.",
        )
    })
}

fn unfit(message: String, hint: &str) -> NodeError {
    NodeError::said(ErrorKind::Usage, message, hint)
}

/// The last part of a path, as people call it.
fn called(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

async fn file(node: &Node, path: String, sink: &Sink, cancel: &CancellationToken) -> Result<Attached, NodeError> {
    let opened = node.apart("the attachment", move |node| {
        let root = real(&path)?;
        if !root.is_file() {
            return Err(unfit(format!("{path} is not a file."), "A folder is attached as a folder."));
        }
        Ok((ingest::source_for(node, &root)?, root))
    });
    let (source, root) = opened.await?;
    let pass = ingest::Pass { root: root.clone(), forced: true };
    let report = ingest::run(node, source, pass, Some(sink), cancel).await?;
    let key = hinet_connectors::key_of(&root);
    let found = node.apart("the attachment", move |node| {
        Ok(node.vault.read(|r| {
            if let Some(item) = r.item_by_key(source, &key)? {
                return Ok::<_, hinet_vault::VaultError>(Some((Within::Item(item.id), 1)));
            }
            // A mailbox, a calendar, a chat export: all that it holds.
            let items = r.count_below(source, &key)?;
            Ok((items > 0).then(|| (Within::Folder(key.clone()), items)))
        })?)
    });
    match found.await? {
        Some((within, items)) => Ok(Attached { name: called(&root), within, items }),
        None => {
            let why = report.skipped.first().map_or("it was left out".to_owned(), |skipped| skipped.why.clone());
            Err(NodeError::said(
                ErrorKind::Failed,
                format!("{} was not read: {}.", root.display(), why.trim_end_matches('.')),
                "Text, Markdown, code, HTML, PDF, DOCX, ODT, EPUB, mail, calendars, contacts and chat exports are read.",
            ))
        }
    }
}

async fn folder(node: &Node, path: String, sink: &Sink, cancel: &CancellationToken) -> Result<Attached, NodeError> {
    let opened = node.apart("the attachment", move |node| {
        let root = real(&path)?;
        if !root.is_dir() {
            return Err(unfit(format!("{path} is not a folder."), "A file is attached as a file."));
        }
        if holds_more_than(&root, FILES_MAX) {
            return Err(unfit(
                format!("{path} holds more than {FILES_MAX} files, which is more than is attached at once."),
                "Open it as a source, and ask within it with @.",
            ));
        }
        Ok((ingest::source_for(node, &root)?, root))
    });
    let (source, root) = opened.await?;
    let pass = ingest::Pass { root: root.clone(), forced: true };
    ingest::run(node, source, pass, Some(sink), cancel).await?;
    let under = root.clone();
    let items = node.apart("the attachment", move |node| {
        let all = node.vault.read(|r| r.items_of(source))?;
        Ok(all.iter().filter(|item| Path::new(&item.key).starts_with(&under)).count() as u64)
    });
    let within = Within::Folder(root.to_string_lossy().into_owned());
    Ok(Attached { name: called(&root), within, items: items.await? })
}

/// Whether a folder holds more than so many files; links and hidden things are not followed.
fn holds_more_than(root: &Path, limit: usize) -> bool {
    let (mut count, mut folders) = (0, vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            match entry.file_type() {
                _ if name.starts_with('.') => {}
                Ok(kind) if kind.is_dir() && !UNREAD.contains(&name.as_ref()) => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => count += 1,
                _ => {}
            }
            if count > limit {
                return true;
            }
        }
    }
    false
}

/// Keeps a text under a source that is called after it. The same text again is the same item.
fn keep(node: &Node, name: &str, text: String) -> Result<Attached, NodeError> {
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME_MAX).collect();
    if name.is_empty() || text.trim().is_empty() {
        return Err(unfit("There is nothing to attach.".into(), "Attach a command that prints something."));
    }
    if text.len() > TEXT_MAX {
        return Err(unfit(
            format!("The text is {} bytes long; at most {TEXT_MAX} are attached.", text.len()),
            "Save it as a file and attach that, or attach a part of it.",
        ));
    }
    let hash = Hash(*blake3::hash(text.as_bytes()).as_bytes());
    let chunks = hinet_index::chunk(&text, "text");
    let item = node.vault.write(|tx| {
        let source = spoken_source(node, tx, &name)?;
        let known = tx.items_of(source)?;
        if let Some(same) = known.iter().find(|item| item.hash == hash) {
            return Ok(same.id);
        }
        let at = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut key = format!("{name} · {at}");
        let mut again = 1;
        while known.iter().any(|item| item.key == key) {
            again += 1;
            key = format!("{name} · {at} ({again})");
        }
        let row = ItemRow {
            id: ItemId::new(),
            source,
            key,
            title: name.clone(),
            kind: "text".into(),
            // Whatever a command prints was written by somebody else.
            trust: Trust::Untrusted,
            modified: now(),
            ingested: now(),
            hash,
            text,
            filing: None,
        };
        tx.put_item(&row, &chunks)?;
        tx.set_people(row.id, &hinet_index::people(&row.text))?;
        let note = Note::about(row.id, format!("remembered {} ({hash})", row.key));
        node.consent.record(tx, EntryKind::Ingest, vec![note], now())?;
        tx.set_source_synced(source, now())?;
        Ok::<_, NodeError>(row.id)
    })?;
    node.index().apply(&node.vault)?;
    node.names.soil();
    node.people.soil();
    Ok(Attached { name, within: Within::Item(item), items: 1 })
}

/// The source called after a command, made with its grant where there is none.
fn spoken_source(node: &Node, tx: &Tx<'_>, name: &str) -> Result<SourceId, NodeError> {
    let known = tx.sources()?.into_iter().find(|source| source.kind == SourceKind::Import && source.path == name);
    if let Some(source) = known {
        return Ok(source.id);
    }
    let id = SourceId::new();
    let draft = GrantDraft { purpose: "to remember what a command printed".into(), ..sources::leave(id, Vec::new()) };
    let grant = node.consent.grant_in(tx, draft, now())?;
    tx.put_source(&SourceRow {
        id,
        kind: SourceKind::Import,
        path: name.to_owned(),
        state: SourceState::Active,
        grant: Some(grant.id),
        added: now(),
        synced: None,
    })?;
    Ok(id)
}
