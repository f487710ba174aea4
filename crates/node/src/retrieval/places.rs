//! Where in the memory the turns of the dialogues lie, and which turns a hit brings.

use std::collections::HashMap;

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Hit, ItemId, SourceId};
use crate::state::Node;

use super::locomo::{Dialogue, Turn};

/// Turns by where they begin.
pub(super) struct Places {
    /// For each item, where turns begin and their numbers, in order.
    items: HashMap<ItemId, Vec<(usize, usize)>>,
    /// The number of each dialogue's first turn.
    first: Vec<usize>,
}

impl Places {
    /// Looks every turn up in what was read from the exports.
    pub(super) fn find(node: &Node, source: SourceId, dialogues: &[Dialogue]) -> Result<Self, NodeError> {
        let (mut items, mut first, mut number) = (HashMap::new(), Vec::new(), 0);
        let heads = node.vault.read(|r| r.items_of(source))?;
        for dialogue in dialogues {
            first.push(number);
            let name = super::name_of(dialogue);
            let mut days = Vec::new();
            for head in heads.iter().filter(|head| head.key.contains(&name)) {
                if let Some(row) = node.vault.read(|r| r.item(head.id))? {
                    days.push((row.modified, row.id, row.text));
                }
            }
            days.sort();
            let (mut day, mut from) = (0, 0);
            for turn in &dialogue.turns {
                let sought = rendered(turn);
                let place = (day..days.len()).find_map(|n| {
                    let from = if n == day { from } else { 0 };
                    Some((n, from + days[n].2[from..].find(&sought)?))
                });
                let Some((found, at)) = place else { return Err(missing(dialogue, turn)) };
                (day, from) = (found, at + sought.len());
                items.entry(days[day].1).or_insert_with(Vec::new).push((at, number));
                number += 1;
            }
        }
        Ok(Self { items, first })
    }

    /// The number of a dialogue's turn among those of all.
    pub(super) fn number(&self, dialogue: usize, turn: usize) -> usize {
        self.first[dialogue] + turn
    }

    /// The turns that hits bring, in their order, each once. A turn is where it begins.
    pub(super) fn turns(&self, hits: &[Hit]) -> Vec<usize> {
        let mut turns = Vec::new();
        for hit in hits {
            let of_item = self.items.get(&hit.item).into_iter().flatten();
            for (_, number) in of_item.filter(|(at, _)| (hit.span.start..hit.span.end).contains(at)) {
                if !turns.contains(number) {
                    turns.push(*number);
                }
            }
        }
        turns
    }
}

/// How a chat's item shows a turn.
fn rendered(turn: &Turn) -> String {
    let clock = turn.at.strftime("%H:%M");
    format!("[{clock}] {}: {}", turn.who, turn.text).trim_end().to_owned()
}

fn missing(dialogue: &Dialogue, turn: &Turn) -> NodeError {
    NodeError::said(
        ErrorKind::Failed,
        format!("Turn {} of {} is not in what was read of it.", turn.id, dialogue.name),
        "Is it another edition of the dialogues?",
    )
}
