//! The roots that ship with the program: deltas with which a small anchor reads its owner's papers better than bare.
//!
//! A root stands under everything else an anchor is read or tuned with ([`Anchor::rooted`]). It is chosen when a home is
//! made, and belongs to one anchor; another anchor, or one whose root was not made yet, answers as it is. What they learned
//! from lies in `assets/roots`; a test holds each against the size and the hash of `assets/models.toml`.

use hinet_model::registry::{ModelEntry, Registry};
use hinet_model::{Anchor, Delta};
use hinet_vault::Vault;

use crate::failure::NodeError;
use crate::protocol::Hash;

/// A root's tensors and configuration, as PEFT writes them.
struct File {
    name: &'static str,
    tensors: &'static [u8],
    config: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        File {
            name: $name,
            tensors: include_bytes!(concat!("../../../assets/roots/", $name, "/adapter_model.safetensors")),
            config: include_str!(concat!("../../../assets/roots/", $name, "/adapter_config.json")),
        }
    };
}

const FILES: &[File] = &[file!("general")];

/// The name a home keeps its choice under.
const CHOSEN: &str = "root";

/// How many passages an anchor reads at once, and whether it cites them by number and refuses what they do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) passages: usize,
    pub(crate) cites: bool,
}

/// The anchor on the root that the home chose, where there is one for it.
pub(crate) fn stand(anchor: Anchor, entry: &ModelEntry, vault: &Vault) -> Result<(Anchor, Reads), NodeError> {
    let chosen = vault.read(|r| r.meta(CHOSEN))?.unwrap_or_default();
    let registry = Registry::builtin();
    let (Some(root), Some(file)) = (registry.root(&chosen, &entry.name), FILES.iter().find(|file| file.name == chosen))
    else {
        return Ok((anchor, Reads { passages: entry.passages, cites: false }));
    };
    let delta = Delta::from_peft(file.tensors, file.config.as_bytes())?;
    Ok((anchor.rooted(delta)?, Reads { passages: root.passages, cites: true }))
}

/// What the root is called whose numbers have this hash; its first digits where it is none of those that ship.
pub(crate) fn called(root: Hash) -> String {
    let registry = Registry::builtin();
    let known = registry.roots().iter().find(|known| known.delta == root);
    known.map_or_else(|| root.to_string().chars().take(12).collect(), |known| known.name.clone())
}

/// Whether the root of that name is made, for the anchor that answers where nothing else is asked for.
#[must_use]
pub fn is_made(root: &str) -> bool {
    let registry = Registry::builtin();
    registry.root(root, &registry.default_anchor().name).is_some() && FILES.iter().any(|file| file.name == root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinet_model::registry::Sha256Digest;

    #[test]
    fn every_root_is_what_the_list_says() {
        let registry = Registry::builtin();
        assert_eq!(registry.roots().len(), FILES.len());
        for root in registry.roots() {
            let file = FILES.iter().find(|file| file.name == root.name).unwrap();
            assert_eq!((file.tensors.len() as u64, Sha256Digest::of(file.tensors)), (root.bytes, root.sha256));
            assert!(root.bytes < 12 << 20, "{} is {} bytes", root.name, root.bytes);
            assert!(crate::setup::ROOTS.contains(&root.name.as_str()));
            assert_eq!(Delta::from_peft(file.tensors, file.config.as_bytes()).unwrap().hash(), root.delta);
        }
    }
}
