//! What the anchor wears: the delta that is active, from its sealed object to the model's thread.

use std::sync::Arc;

use hinet_model::Delta;
use hinet_vault::records::{DeltaRow, PremergeRow};
use hinet_vault::{Vault, VaultError};

use crate::failure::NodeError;
use crate::notice::Notices;
use crate::protocol::{ErrorKind, Hash};

/// Where a delta's configuration ends and its tensors begin: its length, in eight bytes.
const LENGTH: usize = 8;

/// Packs a delta for its sealed object: the length of PEFT's configuration, the configuration, the tensors.
pub(crate) fn pack(delta: &Delta) -> Result<zeroize::Zeroizing<Vec<u8>>, NodeError> {
    let (tensors, config) = delta.to_peft()?;
    let tensors = zeroize::Zeroizing::new(tensors);
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(LENGTH + config.len() + tensors.len()));
    bytes.extend_from_slice(&(config.len() as u64).to_le_bytes());
    bytes.extend_from_slice(config.as_bytes());
    bytes.extend_from_slice(&tensors);
    Ok(bytes)
}

/// Unpacks it; `None` where it is too short to be one.
pub(crate) fn unpack(bytes: &[u8]) -> Option<Result<Delta, NodeError>> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (config, tensors) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    Some(Delta::from_peft(tensors, config).map_err(NodeError::from))
}

/// Opens a delta's sealed object.
pub(crate) fn open(vault: &Vault, row: &DeltaRow) -> Result<Delta, NodeError> {
    opened(vault, row.object, row.hash, || {
        NodeError::said(
            ErrorKind::Damaged,
            format!("The delta {} is not what was stored.", row.name),
            "Import it again, or remove it with `icore delta remove`.",
        )
    })
}

/// Opens a pre-merge's sealed object.
fn open_premerge(vault: &Vault, row: &PremergeRow) -> Result<Delta, NodeError> {
    opened(vault, row.object, row.hash, || {
        NodeError::said(
            ErrorKind::Damaged,
            format!("A pre-merge of the assembly {} is not what was stored.", row.assembly),
            "`icore assembly premerge` makes it again.",
        )
    })
}

fn opened(vault: &Vault, object: Hash, hash: Hash, damaged: impl Fn() -> NodeError) -> Result<Delta, NodeError> {
    let bytes = vault.object(object)?;
    let delta = unpack(&bytes).ok_or_else(&damaged)??;
    if delta.hash() == hash { Ok(delta) } else { Err(damaged()) }
}

/// Where the model's thread finds what it is to wear.
pub(crate) struct Wardrobe {
    pub(crate) vault: Arc<Vault>,
    pub(crate) notices: Arc<Notices>,
}

impl Wardrobe {
    /// The delta that is active. One that cannot be opened is said, and the bare anchor answers.
    pub(crate) fn worn(&self) -> Option<(Hash, Delta)> {
        let opened = self.vault.read(|r| r.worn_delta()).map_err(NodeError::from);
        let opened = opened.and_then(|row| row.map(|row| Ok((row.hash, open(&self.vault, &row)?))).transpose());
        opened.unwrap_or_else(|error| {
            self.complain(error);
            None
        })
    }

    /// A delta by its hash, whether it is worn or not, or a pre-merge.
    pub(crate) fn find(&self, hash: Hash) -> Result<Delta, NodeError> {
        let (deltas, premerges) = self.vault.read(|r| Ok::<_, VaultError>((r.deltas()?, r.premerges()?)))?;
        if let Some(row) = deltas.iter().find(|row| row.hash == hash) {
            return open(&self.vault, row);
        }
        let row = premerges.iter().find(|row| row.hash == hash).ok_or_else(|| {
            NodeError::said(ErrorKind::Failed, "A member's delta is gone.", "`icore assembly list` shows who is left.")
        })?;
        open_premerge(&self.vault, row)
    }

    /// Says why a member, or a pre-merge of members, does not speak.
    pub(crate) fn missing(&self, error: impl Into<crate::protocol::Failure>) {
        let why = error.into().message;
        self.notices.add(format!(
            "The assembly answers without one of its deltas: {why} `icore assembly list` shows who is left."
        ));
    }

    /// Says why the anchor answers bare.
    pub(crate) fn complain(&self, error: impl Into<crate::protocol::Failure>) {
        let why = error.into().message;
        self.notices.add(format!("The anchor answers without its delta: {why} `icore delta list` shows them."));
    }
}
