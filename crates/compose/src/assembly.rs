//! An assembly: members of one passport that answer together, each where it knows something, and that anyone can leave.
//!
//! [`Assembly`] says who takes part and nothing else; everything that is needed beside the members' own deltas and
//! signatures ([`Gate`], with its calibration) follows from it alone. So leaving is the assembly that never had the member:
//! nothing was summed up with it that would have to be taken out again.

mod gate;
mod premerge;
mod signature;

pub use gate::{Choice, Fit, Gate, PARTS_MAX, Part, Sizing, elsewhere};
pub use premerge::Premerge;
pub use signature::{Claims, PROMPTS_MAX, PROMPTS_MIN, Signature};

use crate::{ComposeError, error::recipe};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};

/// Members accepted in one assembly.
const MEMBERS_MAX: usize = 4096;

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assembly {
    /// The weights of the anchor that all deltas are added to.
    pub anchor: Hash,
    /// The members, in the order of their deltas' hashes.
    pub members: Vec<Seat>,
    /// The identities of those that answer by excerpts, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub homes: Vec<Hash>,
}

/// One who takes part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// The hash of its delta.
    pub delta: Hash,
    /// The hash of what its signature claims.
    pub claims: Hash,
}

impl Assembly {
    /// Of nobody yet, on the anchor with these weights.
    #[must_use]
    pub fn new(anchor: Hash) -> Self {
        Self { anchor, members: Vec::new(), homes: Vec::new() }
    }

    /// The same with a member more, or with another signature of one that is there.
    ///
    /// # Errors
    /// Where there are more members than any real assembly has.
    pub fn with(&self, seat: Seat) -> Result<Self, ComposeError> {
        let mut all = self.clone();
        all.members.retain(|other| other.delta != seat.delta);
        all.members.push(seat);
        all.members.sort_unstable();
        if all.members.len() > MEMBERS_MAX {
            return Err(recipe(format!("an assembly has at most {MEMBERS_MAX} members; make a second one")));
        }
        Ok(all)
    }

    /// The same with these who answer by excerpts, and no others of that kind.
    #[must_use]
    pub fn with_homes(mut self, homes: impl IntoIterator<Item = Hash>) -> Self {
        self.homes = homes.into_iter().collect();
        self.homes.sort_unstable();
        self.homes.dedup();
        self
    }

    /// The assembly that never had this member.
    ///
    /// # Errors
    /// Where it is no member.
    pub fn leave(&self, delta: Hash) -> Result<Self, ComposeError> {
        let mut left = self.clone();
        left.members.retain(|seat| seat.delta != delta);
        if left.members.len() == self.members.len() {
            return Err(ComposeError::NoMember { hash: delta });
        }
        Ok(left)
    }

    /// BLAKE3 over all of it; the same for the same members in any order.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut members: Vec<&Seat> = self.members.iter().collect();
        members.sort_unstable();
        let mut hasher = blake3::Hasher::new_derive_key("hinet/compose/assembly/v1");
        hasher.update(&self.anchor.0);
        for seat in members {
            hasher.update(&seat.delta.0).update(&seat.claims.0);
        }
        // Without any, the hash is what it was before there were such members.
        if !self.homes.is_empty() {
            hasher.update(b"homes");
            self.homes.iter().for_each(|home| {
                hasher.update(&home.0);
            });
        }
        Hash(*hasher.finalize().as_bytes())
    }
}
