//! Receipts: who took part in an answer, in what mode, with what weight, and the tokens of it; signed by this device. They
//! say nothing of what was asked or answered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use hinet_vault::{Tx, verify_signature};

use super::{Composed, Stood, named, names};
use crate::failure::NodeError;
use crate::protocol::{Event, Hash, MessageId, Mode, Receipt, ReceiptBody, Tally, TokenCounts};
use crate::state::{Node, now};

/// Version of what is signed.
const VERSION: u32 = 1;
/// What every signature begins with, so that it holds for nothing else.
const DOMAIN: &[u8] = b"hinet/assembly-receipt/v1\0";

fn signed(body: &str) -> Vec<u8> {
    [DOMAIN, body.as_bytes()].concat()
}

/// Keeps a receipt of a stored answer, in the transaction that stores it.
pub(crate) fn record(
    node: &Node,
    tx: &Tx<'_>,
    Composed { said: composed, anchor, .. }: &Composed,
    answer: MessageId,
    tokens: TokenCounts,
) -> Result<(), NodeError> {
    let body = ReceiptBody {
        v: VERSION,
        at: now(),
        answer,
        assembly: composed.hash,
        anchor: *anchor,
        mode: composed.mode,
        members: composed
            .near
            .iter()
            .filter(|share| share.weight > 0.0)
            .map(|share| (share.delta, share.weight))
            .collect(),
        read: tokens.prompt.saturating_sub(tokens.cached) as u64,
        written: tokens.generated as u64,
    };
    let body = serde_json::to_string(&body).expect("plain data serialises");
    tx.put_receipt(composed.hash, &body, &node.vault.device().sign(&signed(&body)))?;
    Ok(())
}

/// All receipts, newest first. One that cannot be read or whose signature is wrong does not hold, and is not counted.
fn all(node: &Node) -> Result<Vec<Receipt>, NodeError> {
    let key = node.vault.device().public();
    let rows = node.vault.read(|r| r.receipts())?;
    let receipt = |row: hinet_vault::records::ReceiptRow| {
        let body: ReceiptBody = serde_json::from_str(&row.body).ok()?;
        let holds = body.v == VERSION
            && body.assembly == row.assembly
            && verify_signature(&key, &signed(&row.body), &row.signature);
        Some(Receipt { n: row.n, body, holds })
    };
    Ok(rows.into_iter().filter_map(receipt).collect())
}

/// In how many answers each delta took part.
pub(super) fn answers(node: &Node) -> Result<HashMap<Hash, u64>, NodeError> {
    let mut answers = HashMap::new();
    for receipt in all(node)?.iter().filter(|receipt| receipt.holds) {
        receipt.body.members.iter().for_each(|(delta, _)| *answers.entry(*delta).or_default() += 1);
    }
    Ok(answers)
}

/// Which of these members were mixed together, the set that was most often first.
pub(super) fn together(node: &Node, seated: &[Hash]) -> Result<Vec<Vec<Hash>>, NodeError> {
    let mut sets: BTreeMap<Vec<Hash>, u64> = BTreeMap::new();
    for receipt in all(node)?.iter().filter(|receipt| receipt.holds && receipt.body.mode == Mode::Mix) {
        let mut set: Vec<Hash> = receipt.body.members.iter().map(|(delta, _)| *delta).collect();
        set.sort_unstable();
        if set.iter().all(|delta| seated.contains(delta)) {
            *sets.entry(set).or_default() += 1;
        }
    }
    let mut sets: Vec<(Vec<Hash>, u64)> = sets.into_iter().collect();
    sets.sort_by_key(|(_, times)| Reverse(*times));
    Ok(sets.into_iter().map(|(set, _)| set).collect())
}

/// [`crate::protocol::Op::Receipts`].
pub(crate) fn list(node: &Node, assembly: Option<&str>, limit: usize) -> Result<Event, NodeError> {
    let only = assembly.map(|name| named(node, name)).transpose()?.map(|Stood { assembly, .. }| assembly.hash());
    let mut receipts = all(node)?;
    receipts.retain(|receipt| only.is_none_or(|hash| receipt.body.assembly == hash));
    let names = names(node)?;
    let mut tallies: Vec<Tally> = Vec::new();
    for Receipt { body, .. } in receipts.iter().filter(|receipt| receipt.holds) {
        for (delta, weight) in &body.members {
            let at = tallies.iter().position(|tally| tally.delta == *delta).unwrap_or_else(|| {
                let name = names.get(delta).cloned().unwrap_or_default();
                tallies.push(Tally { delta: *delta, name, answers: 0, read: 0.0, written: 0.0 });
                tallies.len() - 1
            });
            let tally = &mut tallies[at];
            tally.answers += 1;
            tally.read += f64::from(*weight) * body.read as f64;
            tally.written += f64::from(*weight) * body.written as f64;
        }
    }
    tallies.sort_by(|one, two| two.written.total_cmp(&one.written).then(one.delta.cmp(&two.delta)));
    receipts.truncate(limit);
    Ok(Event::Receipts { receipts, tallies })
}
