//! The gates of assemblies, made from signatures when first needed. A gate is kept under the hash of who takes part, so one
//! of other members is never used.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hinet_compose::{Claims, Gate, elsewhere};

use super::Stood;
use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Hash};
use crate::state::Node;

/// Gates that are kept.
const KEPT: usize = 8;

/// Gates that were made.
#[derive(Default)]
pub(crate) struct Gates {
    elsewhere: OnceLock<Vec<Vec<f32>>>,
    made: Mutex<Vec<(Hash, Arc<Gate>)>>,
}

impl Gates {
    pub(super) fn of(&self, node: &Node, stood: &Stood) -> Result<Arc<Gate>, NodeError> {
        let hash = stood.assembly.hash();
        let known =
            |made: &Vec<(Hash, Arc<Gate>)>| made.iter().find(|(of, _)| *of == hash).map(|(_, gate)| gate.clone());
        if let Some(gate) = known(&self.made.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(gate);
        }
        let claims: Vec<&Claims> = stood.signatures.iter().map(|signature| &signature.claims).collect();
        let gate = Arc::new(self.over(node, &claims)?);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(0, (hash, gate.clone()));
        made.truncate(KEPT);
        Ok(gate)
    }

    /// A gate over these claims, which are of this home's embedder.
    pub(super) fn over(&self, node: &Node, claims: &[&Claims]) -> Result<Gate, NodeError> {
        let embedder = node.embedder()?;
        if claims.iter().any(|one| one.space != embedder.hash() || one.width != embedder.dim()) {
            return Err(NodeError::said(
                ErrorKind::Failed,
                "A member's signature was made with another embedder than this home's.",
                "Have it leave, and join again with a new signature.",
            ));
        }
        Ok(Gate::new(claims, self.elsewhere(node)?)?)
    }

    /// Whether what is claimed can be told from ordinary messages.
    pub(super) fn tells_apart(&self, node: &Node, claims: &Claims) -> Result<bool, NodeError> {
        Ok(self.over(node, &[claims])?.sizing().apart)
    }

    fn elsewhere(&self, node: &Node) -> Result<&[Vec<f32>], NodeError> {
        if let Some(places) = self.elsewhere.get() {
            return Ok(places);
        }
        let places = node.embedder()?.embed(&elsewhere())?;
        Ok(self.elsewhere.get_or_init(|| places))
    }

    /// Lets every gate go; each is made anew when it is next needed.
    pub(crate) fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
