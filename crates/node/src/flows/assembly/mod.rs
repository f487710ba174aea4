//! Assemblies: deltas of others, and of the owner's, that answer together what the memory cannot. Who takes part is in the
//! vault; which of them answer a question follows from their signatures alone (`gates.rs`), so that who has left is gone
//! from everything with the row. `join.rs` tests a member before it takes part, `premerge.rs` makes one delta of several,
//! `receipts.rs` signs what was answered.

mod gates;
pub(crate) mod homes;
mod join;
mod premerge;
mod receipts;

use std::collections::{BTreeSet, HashMap};

use hinet_compose::{Assembly, Seat, Signature};
use hinet_consent::{EntryKind, Note};
use hinet_vault::records::{DeltaRow, HomeRow, PremergeRow, SeatRow, Tx};

use crate::failure::NodeError;
use crate::flows::deltas;
use crate::protocol::{Admitted, AssemblyLine, Composition, ErrorKind, Event, Hash, HomeLine, MemberLine, Mode, Share};
use crate::state::{Node, now};

pub(crate) use gates::Gates;
pub(crate) use join::{join, sign};
pub(crate) use premerge::premerge;
pub(crate) use receipts::{list as receipts, record};

/// Longest name, in characters.
const NAME_MAX: usize = 60;

/// An assembly as it is.
struct Stood {
    assembly: Assembly,
    /// One for each member, in its order.
    signatures: Vec<Signature>,
    rows: Vec<SeatRow>,
    homes: Vec<HomeRow>,
}

fn damaged(name: &str) -> NodeError {
    NodeError::said(
        ErrorKind::Damaged,
        format!("A signature in the assembly {name} is not what was stored."),
        "Have the member leave with `icore assembly leave`, and join again.",
    )
}

fn unknown(name: &str) -> NodeError {
    NodeError::said(
        ErrorKind::Usage,
        format!("There is no assembly {name}."),
        "`icore assembly list` shows them; `icore assembly add` makes one.",
    )
}

/// An assembly by its seats and its other homes, of which there is one at least.
fn stood(name: &str, rows: Vec<SeatRow>, homes: Vec<HomeRow>) -> Result<Stood, NodeError> {
    let anchor = rows.first().map(|row| row.anchor).or_else(|| homes.first().map(|home| home.anchor));
    let anchor = anchor.ok_or_else(|| unknown(name))?;
    let mut assembly = Assembly::new(anchor).with_homes(homes.iter().map(|home| home.identity));
    let mut signatures = Vec::with_capacity(rows.len());
    for row in &rows {
        let signature: Signature = serde_json::from_str(&row.signature).map_err(|_| damaged(name))?;
        assembly = assembly.with(Seat { delta: row.delta, claims: signature.claims.hash() })?;
        signatures.push(signature);
    }
    Ok(Stood { assembly, signatures, rows, homes })
}

/// An assembly by its name.
fn named(node: &Node, name: &str) -> Result<Stood, NodeError> {
    stood(name, seats_of(node, name)?, homes_of(node, name)?)
}

/// The seats of an assembly; none where there is none of that name.
fn seats_of(node: &Node, name: &str) -> Result<Vec<SeatRow>, NodeError> {
    let mut rows = node.vault.read(|r| r.seats())?;
    rows.retain(|row| row.assembly == name);
    Ok(rows)
}

/// The other homes of an assembly; none where there is none of that name.
fn homes_of(node: &Node, name: &str) -> Result<Vec<HomeRow>, NodeError> {
    let mut rows = node.vault.read(|r| r.homes())?;
    rows.retain(|row| row.assembly == name);
    Ok(rows)
}

/// What the owner calls a delta, or another home by its identity.
fn names(node: &Node) -> Result<HashMap<Hash, String>, NodeError> {
    let (deltas, homes) = (node.vault.read(|r| r.deltas())?, node.vault.read(|r| r.homes())?);
    let homes = homes.into_iter().map(|row| (row.identity, row.name));
    Ok(deltas.into_iter().map(|row| (row.hash, row.name)).chain(homes).collect())
}

/// [`crate::protocol::Op::Assemblies`].
pub(crate) fn list(node: &Node) -> Result<Event, NodeError> {
    let (rows, homes) = (node.vault.read(|r| r.seats())?, node.vault.read(|r| r.homes())?);
    let (names, answers) = (names(node)?, receipts::answers(node)?);
    let mut assemblies = Vec::new();
    let all = rows.iter().map(|row| &row.assembly).chain(homes.iter().map(|row| &row.assembly));
    for name in all.collect::<BTreeSet<_>>() {
        let seats = rows.iter().filter(|row| row.assembly == *name).cloned().collect();
        let made = stood(name, seats, homes.iter().filter(|row| row.assembly == *name).cloned().collect());
        // One that cannot be read is said, and does not hide the others.
        match made.and_then(|stood| line(node, name, &stood, (&names, &answers))) {
            Ok(line) => assemblies.push(line),
            Err(error) => node.notices.add(error.to_string()),
        }
    }
    Ok(Event::Assemblies { assemblies })
}

/// What the owner calls deltas, and in how many answers each took part.
type Known<'a> = (&'a HashMap<Hash, String>, &'a HashMap<Hash, u64>);

fn line(node: &Node, name: &str, stood: &Stood, (names, answers): Known<'_>) -> Result<AssemblyLine, NodeError> {
    // Homes alone need no gate.
    let (floor, margin) = if stood.rows.is_empty() {
        (0.0, 0.0)
    } else {
        let sizing = node.gates.of(node, stood)?.sizing();
        (sizing.floor, sizing.margin)
    };
    let own = node.vault.device().public();
    let member = |(row, signature): (&SeatRow, &Signature)| MemberLine {
        delta: row.delta,
        name: names.get(&row.delta).cloned().unwrap_or_default(),
        prompts: signature.claims.len() as u64,
        published: signature.claims.published.clone(),
        by: signature.by,
        own: signature.by.0 == own,
        admitted: serde_json::from_str(&row.admitted).unwrap_or_default(),
        answers: answers.get(&row.delta).copied().unwrap_or(0),
    };
    let home = |row: &HomeRow| HomeLine {
        identity: row.identity,
        name: row.name.clone(),
        path: row.path.clone(),
        at: row.at,
        answers: answers.get(&row.identity).copied().unwrap_or(0),
    };
    Ok(AssemblyLine {
        name: name.to_owned(),
        hash: stood.assembly.hash(),
        anchor: stood.assembly.anchor,
        members: stood.rows.iter().zip(&stood.signatures).map(member).collect(),
        floor,
        margin,
        premerges: premerge::lines(node, name)?,
        homes: stood.homes.iter().map(home).collect(),
    })
}

/// Gives a tested member its seat, with the ledger's line in the same transaction.
fn seat(node: &Node, row: &SeatRow, who: &str, admitted: Admitted) -> Result<Event, NodeError> {
    node.vault.write(|tx| {
        tx.put_seat(row)?;
        let neutral = admitted.neutral * 100.0;
        let said =
            format!("the delta {who} takes part in the assembly {} ({neutral:+.1} % on neutral text)", row.assembly);
        node.consent.record(tx, EntryKind::AssemblyJoined, vec![Note::say(said)], now())?;
        Ok::<_, NodeError>(())
    })?;
    one(node, &row.assembly)
}

/// The line of one assembly alone.
fn one(node: &Node, name: &str) -> Result<Event, NodeError> {
    let (names, answers) = (names(node)?, receipts::answers(node)?);
    Ok(Event::Assemblies { assemblies: vec![line(node, name, &named(node, name)?, (&names, &answers))?] })
}

/// [`crate::protocol::Op::AssemblyLeave`]: what was made of the member's seat is made anew when it is next needed, and the
/// model's thread lets its numbers go.
pub(crate) async fn leave(node: &Node, assembly: String, delta: Hash) -> Result<Event, NodeError> {
    let _one = node.memory_work.lock().await;
    // An answer that is being made with the member ends first.
    let _silence = node.answering.write().await;
    let gone = node.apart("the assembly", move |node| unseat(node, &assembly, delta)).await?;
    for one in gone.into_iter().chain([delta]) {
        node.mind.dismiss(one).await;
    }
    // The member has left, whatever becomes of files that nothing names any more: the next start sweeps too.
    if let Err(error) = node.apart("the deltas", deltas::sweep).await {
        node.notices.add(error.to_string());
    }
    node.apart("the assemblies", list).await
}

/// Takes a seat away, by rows alone: one whose signature is damaged can leave too. Gives the pre-merges that went with it.
fn unseat(node: &Node, assembly: &str, delta: Hash) -> Result<Vec<Hash>, NodeError> {
    let rows = seats_of(node, assembly)?;
    if rows.is_empty() {
        return Err(unknown(assembly));
    }
    if rows.iter().all(|row| row.delta != delta) {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("That delta takes no part in the assembly {assembly}."),
            "`icore assembly show` lists its members.",
        ));
    }
    let (left, who) = (rows.len() - 1, names(node)?.remove(&delta).unwrap_or_else(|| delta.to_string()));
    let gone = node.vault.write(|tx| {
        let before = tx.premerges()?;
        tx.delete_seat(assembly, delta)?;
        let after = tx.premerges()?;
        let gone = before.into_iter().filter(|row| !after.contains(row)).map(|row| row.hash);
        let gone: Vec<Hash> = gone.collect();
        say_left(node, tx, &who, assembly, (left, gone.len()))?;
        Ok::<_, NodeError>(gone)
    })?;
    node.gates.forget();
    Ok(gone)
}

/// The ledger's line of one who left: how many are left, and how many pre-merges went along.
fn say_left(
    node: &Node,
    tx: &Tx<'_>,
    who: &str,
    assembly: &str,
    (left, gone): (usize, usize),
) -> Result<(), NodeError> {
    let along = match gone {
        0 => String::new(),
        1 => "; a pre-merge went along".to_owned(),
        some => format!("; {some} pre-merges went along"),
    };
    let said = format!("the delta {who} has left the assembly {assembly}, of which {left} are left{along}");
    node.consent.record(tx, EntryKind::AssemblyLeft, vec![Note::say(said)], now())?;
    Ok(())
}

/// Removes a delta, in a transaction that takes it back, with the ledger's line for every seat that goes with it.
pub(crate) fn delete_delta(node: &Node, tx: &Tx<'_>, delta: &DeltaRow) -> Result<(), NodeError> {
    let (seats, before) = (tx.seats()?, tx.premerges()?);
    tx.delete_delta(delta.hash)?;
    let after = tx.premerges()?;
    for SeatRow { assembly, .. } in seats.iter().filter(|seat| seat.delta == delta.hash) {
        let left = seats.iter().filter(|seat| seat.assembly == *assembly).count() - 1;
        let many = |rows: &[PremergeRow]| rows.iter().filter(|row| row.assembly == *assembly).count();
        say_left(node, tx, &delta.name, assembly, (left, many(&before) - many(&after)))?;
    }
    Ok(())
}

/// [`crate::protocol::Op::AssemblyTry`].
pub(crate) fn look(node: &Node, assembly: &str, text: &str) -> Result<Event, NodeError> {
    if text.trim().is_empty() {
        return Err(NodeError::said(ErrorKind::Usage, "There is no question.", "Write it behind the assembly's name."));
    }
    Ok(Event::Tried { composition: choose(node, assembly, text)?.said })
}

/// Refuses an assembly that is not there, before anything is done with the question.
pub(crate) fn check(node: &Node, assembly: Option<&str>) -> Result<(), NodeError> {
    assembly.map_or(Ok(()), |name| named(node, name).map(|_| ()))
}

/// A composition, and the weights of the anchor that its members belong to.
#[derive(Debug, Clone)]
pub(crate) struct Composed {
    pub(crate) said: Composition,
    pub(crate) anchor: Hash,
    /// The pre-merge that answers for its members.
    pub(crate) standing: Option<Hash>,
}

/// Who answers a question that the memory has no answer to, and why.
pub(crate) fn choose(node: &Node, assembly: &str, text: &str) -> Result<Composed, NodeError> {
    let stood = named(node, assembly)?;
    if stood.rows.is_empty() {
        let mut nobody = alone(node, assembly)?;
        nobody.said.why = "no delta takes part".to_owned();
        return Ok(nobody);
    }
    let gate = node.gates.of(node, &stood)?;
    let place = node.embedder()?.embed(&[text])?.pop().unwrap_or_default();
    let choice = gate.choose(&place);
    let several: Vec<Hash> = choice.parts.iter().map(|part| part.delta).collect();
    let standing = if several.len() > 1 { premerge::standing(node, assembly, &several)? } else { None };
    let weight_of = |delta: Hash| match &standing {
        Some((_, parts)) => parts.iter().find(|(member, _)| *member == delta).map_or(0.0, |(_, weight)| *weight),
        None => choice.parts.iter().find(|part| part.delta == delta).map_or(0.0, |part| part.weight),
    };
    let names = names(node)?;
    let called = |delta: &Hash| names.get(delta).cloned().unwrap_or_else(|| delta.to_string());
    let mut near: Vec<Share> = choice
        .near
        .iter()
        .map(|fit| {
            let weight = weight_of(fit.delta);
            Share { delta: fit.delta, name: called(&fit.delta), similarity: fit.similarity, weight }
        })
        .collect();
    near.sort_by(|one, two| two.weight.total_cmp(&one.weight));
    let sizing = gate.sizing();
    let (mode, why) = match (near.first(), choice.parts.len()) {
        (Some(first), 0) => (
            Mode::Own,
            format!("nobody is near: {} is nearest with {:.2} of {:.2}", first.name, first.similarity, sizing.floor),
        ),
        (Some(first), 1) => (Mode::Route, format!("{} is clearly nearest, with {:.2}", first.name, first.similarity)),
        (Some(_), some) if standing.is_some() => (
            Mode::Merge,
            format!("{some} are within {:.2} of the nearest, and one delta was made of them beforehand", sizing.margin),
        ),
        (Some(_), some) => (Mode::Mix, format!("{some} are within {:.2} of the nearest", sizing.margin)),
        (None, _) => (Mode::Own, "no delta takes part".to_owned()),
    };
    let said = Composition { assembly: assembly.to_owned(), hash: stood.assembly.hash(), mode, why, near };
    let standing = standing.map(|(hash, _)| hash);
    Ok(Composed { said, anchor: stood.assembly.anchor, standing })
}

/// The composition of an answer that the owner's iCore gives alone, as the assembly is now; why is said later.
pub(crate) fn alone(node: &Node, assembly: &str) -> Result<Composed, NodeError> {
    let stood = named(node, assembly)?;
    let (assembly, hash) = (assembly.to_owned(), stood.assembly.hash());
    let said = Composition { assembly, hash, mode: Mode::Own, why: String::new(), near: Vec::new() };
    Ok(Composed { said, anchor: stood.assembly.anchor, standing: None })
}

/// The assemblies a delta takes part in.
pub(crate) fn of_delta(node: &Node, delta: Hash) -> Result<Vec<String>, NodeError> {
    let rows = node.vault.read(|r| r.seats())?;
    Ok(rows.into_iter().filter(|row| row.delta == delta).map(|row| row.assembly).collect())
}
