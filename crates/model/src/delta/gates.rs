//! Which deltas a conversation is read with, and how much of each at every position.

use super::{Resident, StepDeltas};
use crate::{Anchor, ModelError};

/// How much of each active delta there is at each token of a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gates<'a> {
    /// As much at every token as was said when the deltas were set.
    Constant,
    /// One row for each token of the conversation from the first on, with a gate for each active delta in the order in
    /// which they were set; tokens beyond the last row have the gates of the last.
    PerRow(&'a [f32]),
}

/// The active deltas of a conversation.
#[derive(Debug, Clone)]
pub(crate) struct DeltaSet {
    /// What the anchor stands on, which is always there and the same for all sets of one anchor.
    root: Option<Resident>,
    members: Vec<(Resident, f32)>,
    /// Gates by position, `[tokens, members]`; empty where they are constant.
    table: Vec<f32>,
}

impl DeltaSet {
    /// Checks that the deltas belong to the anchor.
    pub(crate) fn new(anchor: &Anchor, members: &[(Resident, f32)]) -> Result<Self, ModelError> {
        for (index, (resident, gate)) in members.iter().enumerate() {
            if !resident.fits(anchor) {
                return Err(ModelError::ForeignDelta { what: "model" });
            }
            if members[..index].iter().any(|(other, _)| other.is(resident)) {
                return Err(ModelError::BadGates { problem: "a delta is given twice" });
            }
            if !gate.is_finite() {
                return Err(ModelError::BadGates { problem: "a gate is not a finite number" });
            }
        }
        Ok(Self { members: members.to_vec(), ..Self::none(anchor) })
    }

    /// The anchor as it is.
    pub(crate) fn none(anchor: &Anchor) -> Self {
        Self { root: anchor.root_resident().cloned(), members: Vec::new(), table: Vec::new() }
    }

    /// Whether there are none beside what the anchor stands on.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The same deltas with other gates.
    pub(crate) fn with(&self, gates: Gates<'_>) -> Result<Self, ModelError> {
        let table = match gates {
            Gates::Constant => &[],
            Gates::PerRow(table) => table,
        };
        if !table.iter().all(|gate| gate.is_finite()) {
            return Err(ModelError::BadGates { problem: "a gate is not a finite number" });
        }
        if matches!(gates, Gates::PerRow(_))
            && (table.is_empty() || !table.len().is_multiple_of(self.members.len().max(1)))
        {
            return Err(ModelError::BadGates {
                problem: "the table does not have one gate for each delta in every row",
            });
        }
        Ok(Self { root: self.root.clone(), members: self.members.clone(), table: table.to_vec() })
    }

    fn gate(&self, member: usize, position: usize) -> f32 {
        match self.table.len() / self.members.len().max(1) {
            0 => self.members[member].1,
            rows => self.table[position.min(rows - 1) * self.members.len() + member],
        }
    }

    /// Of some tokens, how many from the first on are read alike with both sets.
    pub(crate) fn agrees(&self, other: &Self, tokens: usize) -> usize {
        // What one has and the other has not, or has with another gate. A gate of zero is a delta that is not there.
        let covers = |one: &Self, two: &Self, position| {
            one.members.iter().enumerate().all(|(member, (resident, _))| {
                let theirs = two.members.iter().position(|(other, _)| other.is(resident));
                one.gate(member, position) == theirs.map_or(0.0, |theirs| two.gate(theirs, position))
            })
        };
        (0..tokens).take_while(|position| covers(self, other, *position) && covers(other, self, *position)).count()
    }

    /// The deltas of the set.
    pub(crate) fn residents(&self) -> impl Iterator<Item = &Resident> {
        self.root.iter().chain(self.members.iter().map(|(resident, _)| resident))
    }

    /// Which deltas read `count` tokens, of which the first is token `position`: delta by delta, at which of them, and how
    /// much. What is not there has no entry.
    pub(crate) fn gated(&self, position: usize, count: usize) -> impl Iterator<Item = (&Resident, usize, f32)> {
        let root = self.root.iter().flat_map(move |root| (0..count).map(move |offset| (root, offset, 1.0f32)));
        let members = self.members.iter().enumerate().flat_map(move |(member, (resident, _))| {
            (0..count).map(move |offset| (resident, offset, self.gate(member, position + offset)))
        });
        root.chain(members.filter(|(_, _, gate)| *gate != 0.0))
    }

    /// Says what the set wants for `count` rows of a step, of which the first is row `row` and token `position`.
    pub(crate) fn fill(&self, step: &mut StepDeltas, row: usize, position: usize, count: usize) {
        for (resident, offset, gate) in self.gated(position, count) {
            step.set(resident, row + offset, gate);
        }
    }
}
