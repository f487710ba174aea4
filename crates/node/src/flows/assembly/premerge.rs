//! Pre-merges: several members as one delta that is made beforehand, and answers where exactly these would be mixed.
//!
//! It is of members that have a seat, in equal parts; it is tested on neutral text as a member is, sealed as a delta is,
//! and its recipe lies beside it. The vault takes its row with the seat of the first of its members that leaves, and its
//! numbers are swept away after that: what is left is what never had it.

use hinet_compose::{ComposeError, PARTS_MAX, Premerge};
use hinet_consent::{EntryKind, Note};
use hinet_model::Delta;
use hinet_vault::records::PremergeRow;
use tokio_util::sync::CancellationToken;

use super::join::{harmless, refused, row_of};
use super::{Stood, named, one, receipts};
use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::protocol::{Event, Hash, PremergeLine};
use crate::state::{Node, now};
use crate::{mind, worn};

/// [`crate::protocol::Op::AssemblyPremerge`].
pub(crate) async fn premerge(
    node: &Node,
    assembly: String,
    members: Vec<Hash>,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let _one = node.memory_work.lock().await;
    let (sink, cancel) = (sink.clone(), cancel.clone());
    node.apart("the pre-merge", move |node| make(node, &assembly, members, &sink, &cancel)).await
}

fn make(
    node: &Node,
    assembly: &str,
    members: Vec<Hash>,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let stood = named(node, assembly)?;
    let members = wanted(node, assembly, &stood, members)?;
    let (anchor, ..) = mind::anchor_of(&node.settings, &node.vault)?;
    if anchor.passport().weights != stood.assembly.anchor {
        return Err(refused(
            format!("The assembly {assembly} stands on another anchor than the one that answers here now."),
            "Go back to that anchor.",
        ));
    }
    let rows = members.iter().map(|delta| row_of(node, *delta)).collect::<Result<Vec<_>, NodeError>>()?;
    let deltas = rows.iter().map(|row| worn::open(&node.vault, row)).collect::<Result<Vec<Delta>, NodeError>>()?;
    #[allow(clippy::cast_precision_loss, reason = "four at most")]
    let share = 1.0 / deltas.len() as f32;
    let parts: Vec<(&Delta, f32)> = deltas.iter().map(|delta| (delta, share)).collect();
    let recipe = Premerge::of(anchor.passport(), &parts).map_err(|error| cannot(&error))?;
    let made = recipe.make(&deltas.iter().collect::<Vec<_>>()).map_err(|error| cannot(&error))?;
    let names = rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>().join(", ");
    let neutral = harmless(&anchor, &format!("The pre-merge of {names}"), &made, sink, cancel)?;
    let packed = worn::pack(&made)?;
    let row = PremergeRow {
        assembly: assembly.to_owned(),
        hash: made.hash(),
        object: node.vault.put_object(&packed)?,
        bytes: packed.len() as u64,
        at: now(),
        recipe: serde_json::to_string(&recipe).expect("plain data serialises"),
    };
    node.vault.write(|tx| {
        tx.put_premerge(&row, &members)?;
        let neutral = neutral * 100.0;
        let said =
            format!("one delta was made of {names} for the assembly {assembly} ({neutral:+.1} % on neutral text)");
        node.consent.record(tx, EntryKind::DeltaAdded, vec![Note::say(said)], now())?;
        Ok::<_, NodeError>(())
    })?;
    one(node, assembly)
}

fn cannot(error: &ComposeError) -> NodeError {
    refused(format!("No one delta can be made of these: {error}."), "They are mixed where they are near, as before.")
}

/// The members a pre-merge is to be of: those that are named, else those that were mixed most often and have none yet, else
/// all.
fn wanted(node: &Node, assembly: &str, stood: &Stood, named: Vec<Hash>) -> Result<Vec<Hash>, NodeError> {
    let seated: Vec<Hash> = stood.rows.iter().map(|row| row.delta).collect();
    let mut members = named;
    if members.is_empty() {
        let there = of(node, assembly)?;
        let new = |set: &Vec<Hash>| !there.iter().any(|(_, recipe)| recipe.is_of(set));
        members = receipts::together(node, &seated)?.into_iter().find(new).unwrap_or_else(|| seated.clone());
    }
    members.sort_unstable();
    members.dedup();
    if members.iter().any(|delta| !seated.contains(delta)) {
        return Err(refused(
            format!("One of these takes no part in the assembly {assembly}."),
            "`icore assembly show` lists its members.",
        ));
    }
    if !(2..=PARTS_MAX).contains(&members.len()) {
        return Err(refused(
            format!(
                "A pre-merge is of 2 to {PARTS_MAX} members, as many as answer one question, and this would be of {}.",
                members.len()
            ),
            "Say of whom with --member, once for each.",
        ));
    }
    Ok(members)
}

/// The pre-merges of an assembly with their recipes. One whose recipe cannot be read answers nothing: its members are mixed.
fn of(node: &Node, assembly: &str) -> Result<Vec<(PremergeRow, Premerge)>, NodeError> {
    let rows = node.vault.read(|r| r.premerges())?;
    let read = |row: PremergeRow| {
        let recipe = Premerge::from_json(&row.recipe).ok()?;
        Some((row, recipe))
    };
    Ok(rows.into_iter().filter(|row| row.assembly == assembly).filter_map(read).collect())
}

/// A pre-merge, and how much of each member is in it.
pub(super) type Standing = (Hash, Vec<(Hash, f32)>);

/// The pre-merge of exactly these members, and how much of each is in it.
pub(super) fn standing(node: &Node, assembly: &str, members: &[Hash]) -> Result<Option<Standing>, NodeError> {
    let found = of(node, assembly)?.into_iter().find(|(_, recipe)| recipe.is_of(members));
    found.map(|(row, recipe)| Ok((row.hash, recipe.parts()?))).transpose()
}

/// What is shown of an assembly's pre-merges.
pub(super) fn lines(node: &Node, assembly: &str) -> Result<Vec<PremergeLine>, NodeError> {
    let line = |(row, recipe): (PremergeRow, Premerge)| {
        let (members, hash) = (recipe.parts()?, recipe.hash()?);
        Ok(PremergeLine { hash: row.hash, recipe: hash, members, bytes: row.bytes, at: row.at })
    };
    of(node, assembly)?.into_iter().map(line).collect()
}
