//! Deltas: taken in from a folder, worn by the anchor, taken off, let out again.

use std::io::BufWriter;
use std::path::Path;

use hinet_consent::{EntryKind, Note};
use hinet_model::delta::Place;
use hinet_model::fold::{fold, write_lora};
use hinet_model::gguf::{Gguf, Kind};
use hinet_model::{Anchor, Delta, LoadOptions, ModelError};
use hinet_vault::records::DeltaRow;

use crate::failure::NodeError;
use crate::flows::{assembly, status};
use crate::protocol::{DeltaForm, DeltaKind, DeltaLine, ErrorKind, Event, Hash};
use crate::state::{Node, now};
use crate::{roots, worn};

/// Longest name, in characters.
const NAME_MAX: usize = 60;

fn line(row: DeltaRow) -> DeltaLine {
    let DeltaRow { hash, kind, name, said, bytes, at, worn, .. } = row;
    DeltaLine { hash, name, said, bytes, at, worn, kind }
}

/// [`crate::protocol::Op::Deltas`].
pub(crate) fn list(node: &Node) -> Result<Event, NodeError> {
    Ok(Event::Deltas { deltas: node.vault.read(|r| r.deltas())?.into_iter().map(line).collect() })
}

fn find(node: &Node, hash: Hash) -> Result<DeltaRow, NodeError> {
    let all = node.vault.read(|r| r.deltas())?;
    all.into_iter()
        .find(|row| row.hash == hash)
        .ok_or_else(|| NodeError::said(ErrorKind::Usage, "There is no such delta.", "`icore delta list` shows them."))
}

/// Refuses what a night learned from the owner's own texts, where something is for others.
pub(crate) fn refuse_private(row: &DeltaRow, hint: &str) -> Result<(), NodeError> {
    if row.kind != DeltaKind::Private {
        return Ok(());
    }
    let said = format!("The delta {} was learned from your own texts, so it is for you alone.", row.name);
    Err(NodeError::said(ErrorKind::Refused, said, hint))
}

/// What people read about a delta.
pub(crate) fn describe(delta: &Delta) -> String {
    let (mut places, mut dora) = (0, false);
    let (mut least, mut most) = (usize::MAX, 0);
    for (_, factors) in delta.iter() {
        places += 1;
        dora |= factors.magnitudes.is_some();
        (least, most) = (least.min(factors.rank), most.max(factors.rank));
    }
    let rank = if least == most { format!("rank {most}") } else { format!("ranks {least} to {most}") };
    let kind = if dora { "DoRA" } else { "LoRA" };
    let on = delta.origin.as_ref().and_then(|origin| origin.root);
    let on = on.map_or_else(String::new, |root| format!(", on the root {}", roots::called(root)));
    format!("{kind}, {rank}, {places} {}{on}", if places == 1 { "matrix" } else { "matrices" })
}

/// [`crate::protocol::Op::DeltaImport`].
pub(crate) async fn import(node: &Node, folder: String, name: Option<String>) -> Result<Event, NodeError> {
    let _one = node.memory_work.lock().await;
    node.apart("the delta", move |node| {
        let folder = Path::new(&folder);
        let delta = Delta::open(folder)?;
        let usual = || folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.unwrap_or_else(usual).chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
        if name.trim().is_empty() {
            return Err(NodeError::said(ErrorKind::Usage, "The delta has no name.", "Give one with --name."));
        }
        let (hash, packed) = (delta.hash(), worn::pack(&delta)?);
        let object = node.vault.put_object(&packed)?;
        let (said, bytes) = (describe(&delta), packed.len() as u64);
        let row = DeltaRow { hash, kind: DeltaKind::Imported, object, at: now(), name, said, bytes, worn: false };
        node.vault.write(|tx| {
            tx.put_delta(&row)?;
            let note = Note::say(format!("the delta {} was taken in ({})", row.name, row.said));
            node.consent.record(tx, EntryKind::DeltaAdded, vec![note], now())?;
            Ok::<_, NodeError>(())
        })?;
        // One that was here before may be known better.
        Ok(Event::Deltas { deltas: vec![line(find(node, hash)?)] })
    })
    .await
}

/// [`crate::protocol::Op::DeltaWear`]: it is tried on first, so that what is recorded as worn is worn.
pub(crate) async fn wear(node: &Node, hash: Option<Hash>) -> Result<Event, NodeError> {
    let _one = node.memory_work.lock().await;
    let (row, delta) = node
        .apart("the delta", move |node| {
            let Some(hash) = hash else { return Ok((None, None)) };
            let row = find(node, hash)?;
            let delta = worn::open(&node.vault, &row)?;
            Ok((Some(row), Some(Box::new((hash, delta)))))
        })
        .await?;
    node.mind.wear(delta).await?;
    let written = node
        .apart("the delta", move |node| {
            let said = match &row {
                Some(row) => format!("the anchor answers with the delta {} from here on", row.name),
                None => "the anchor answers without a delta from here on".to_owned(),
            };
            node.vault.write(|tx| {
                tx.wear_delta(hash)?;
                node.consent.record(tx, EntryKind::DeltaWorn, vec![Note::say(said)], now())?;
                Ok::<_, NodeError>(())
            })?;
            list(node)
        })
        .await;
    if written.is_err() {
        // What could not be recorded is not so: the mind looks again at what is.
        let _ = node.mind.wear_recorded().await;
    }
    status::tell(node);
    written
}

/// [`crate::protocol::Op::DeltaRemove`].
pub(crate) async fn remove(node: &Node, hash: Hash) -> Result<Event, NodeError> {
    let _one = node.memory_work.lock().await;
    node.apart("the delta", move |node| {
        let row = find(node, hash)?;
        if row.worn {
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("The anchor answers with the delta {}.", row.name),
                "Take it off first: `icore delta use none`.",
            ));
        }
        if let Some(assembly) = assembly::of_delta(node, hash)?.first() {
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("The delta {} takes part in the assembly {assembly}.", row.name),
                "Have it leave first: `icore assembly leave`.",
            ));
        }
        node.vault.write(|tx| {
            tx.delete_delta(hash)?;
            let note = Note::say(format!("the delta {} was removed", row.name));
            node.consent.record(tx, EntryKind::DeltaRemoved, vec![note], now())?;
            Ok::<_, NodeError>(())
        })?;
        sweep(node)?;
        list(node)
    })
    .await
}

/// [`crate::protocol::Op::DeltaExport`]; the owner's proof has been checked. The ledger's line comes first. What was learned
/// from the owner's own texts leaves only where the request says so.
pub(crate) async fn export(
    node: &Node,
    hash: Hash,
    to: String,
    form: DeltaForm,
    private: bool,
) -> Result<Event, NodeError> {
    node.apart("the delta", move |node| {
        let row = find(node, hash)?;
        if !private {
            refuse_private(
                &row,
                "For a copy that stays with you say --private; `icore sleep run --share` makes one that others may have.",
            )?;
        }
        let to = Path::new(&to);
        let free = match form {
            DeltaForm::Peft => std::fs::read_dir(to).map_or(!to.exists(), |mut files| files.next().is_none()),
            _ => !to.exists(),
        };
        if !free {
            let wanted = if form == DeltaForm::Peft {
                "a folder that is empty or not there"
            } else {
                "a file that is not there"
            };
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("There is something at {} already.", to.display()),
                format!("Name {wanted} yet."),
            ));
        }
        let delta = worn::open(&node.vault, &row)?;
        // What does not fit the anchor is refused before anything is said or written. What was learned on a root is folded
        // with it.
        let mut root = None;
        let file = match form {
            DeltaForm::Peft => None,
            _ => {
                let path = crate::models::anchor_file(&node.settings)?;
                let file = Gguf::open(&path)?;
                let mut anchor = Anchor::from_gguf(&file, LoadOptions::default())?;
                if stands(&delta) {
                    if form == DeltaForm::GgufLora {
                        return Err(on_a_root(&row.name));
                    }
                    (anchor, _) = crate::roots::stand(anchor, &crate::models::anchor(&node.settings)?, &node.vault)?;
                }
                anchor.attach(&delta)?;
                root = anchor.root().filter(|_| stands(&delta)).cloned();
                Some(file)
            }
        };
        let (what, kind) = match form {
            DeltaForm::Peft => ("in PEFT's form", None),
            DeltaForm::GgufLora => ("as factors in a GGUF file", None),
            DeltaForm::FoldedF16 => ("folded into a model file", Some(Kind::F16)),
            DeltaForm::FoldedBf16 => ("folded into a model file", Some(Kind::BF16)),
            DeltaForm::FoldedF32 => ("folded into a model file", Some(Kind::F32)),
        };
        node.record(EntryKind::LetOut, &format!("the delta {} was written out of the sealed home, {what}", row.name))?;
        match (&file, kind) {
            (None, _) => delta.save(to)?,
            (Some(file), None) => whole_file(to, |out| write_lora(&delta, file, out))?,
            (Some(file), Some(kind)) => whole_file(to, |out| {
                let all = [root.as_ref(), Some(&delta)];
                let mut places: Vec<Place> = all.iter().flatten().flat_map(|delta| delta.places()).collect();
                places.sort_unstable();
                places.dedup();
                let mut change = |place: Place, weights: &mut [f32]| {
                    all.iter().flatten().try_for_each(|delta| delta.add_to(place, weights, 1.0))
                };
                fold(file, &places, kind, &mut change, out)
            })?,
        }
        Ok(Event::Deltas { deltas: vec![line(row)] })
    })
    .await
}

/// Whether a delta was tuned on a root.
fn stands(delta: &Delta) -> bool {
    delta.origin.as_ref().is_some_and(|origin| origin.root.is_some())
}

/// A delta that was tuned on a root says nothing without it, and no other program knows the root.
fn on_a_root(name: &str) -> NodeError {
    NodeError::said(
        ErrorKind::Usage,
        format!("The delta {name} was learned on the root of this home, which other programs do not have."),
        "Export it with --form peft; it fits wherever icore has the same root.",
    )
}

/// Writes a file that is there whole or not at all.
fn whole_file(
    to: &Path,
    write: impl FnOnce(&mut BufWriter<std::fs::File>) -> Result<(), ModelError>,
) -> Result<(), NodeError> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = to.with_file_name(name);
    let disk = |source| ModelError::Write { path: to.into(), source };
    // What lies there under that name is somebody's.
    let file = std::fs::File::create_new(&part).map_err(disk)?;
    let mut out = BufWriter::new(file);
    let written = write(&mut out).and_then(|()| {
        let file = out.into_inner().map_err(|error| disk(error.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&part, to)).map_err(disk)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    Ok(written?)
}

/// Removes the objects that no delta and no pre-merge names.
pub(crate) fn sweep(node: &Node) -> Result<(), NodeError> {
    let mut kept: Vec<Hash> = node.vault.read(|r| r.deltas())?.into_iter().map(|row| row.object).collect();
    kept.extend(node.vault.read(|r| r.premerges())?.into_iter().map(|row| row.object));
    // What a night that goes on is made of.
    let open = node.vault.read(|r| r.open_night())?;
    kept.extend(open.into_iter().flat_map(|night| [night.work, night.checkpoint, night.tested]).flatten());
    Ok(node.vault.keep_objects(&kept)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinet_model::Passport;
    use hinet_model::delta::{Factors, Linear};
    use hinet_model::registry::Registry;

    #[test]
    fn a_delta_is_said_with_the_root_it_needs() {
        let said = |root: Option<Hash>| {
            let (arch, nobody) = ("llama".to_owned(), Hash([1; 32]));
            let mut delta = Delta::new(Some(Passport { arch, tokenizer: nobody, weights: nobody, root }));
            let factors = Factors { rank: 2, a: vec![0.5; 6], b: vec![0.5; 8], alpha: 4.0, magnitudes: None };
            delta.insert(Place { layer: 0, linear: Linear::Up }, factors).unwrap();
            describe(&delta)
        };
        assert_eq!(said(None), "LoRA, rank 2, 1 matrix");
        let registry = Registry::builtin();
        let root = &registry.roots()[0];
        assert_eq!(said(Some(root.delta)), format!("LoRA, rank 2, 1 matrix, on the root {}", root.name));
        assert_eq!(said(Some(Hash([0xab; 32]))), "LoRA, rank 2, 1 matrix, on the root abababababab");
    }
}
