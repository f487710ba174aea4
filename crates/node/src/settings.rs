//! What a node is told from outside; it reads no environment and guesses no folder.

use hinet_connectors::Extractor;
use hinet_vault::{Secret, Words};
use std::path::PathBuf;
use zeroize::Zeroizing;

use crate::protocol::Failure;

/// How long a client means to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// One command: nothing is watched, models are loaded only when the command needs them.
    Brief,
    /// A terminal or a service: folders are watched, models are loaded ahead, vectors are made in the background.
    Lasting,
}

/// Where things are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The home folder: everything personal, sealed.
    pub home: PathBuf,
    /// The model cache: public files, shared by all homes.
    pub models: PathBuf,
    /// Folders in which other programs keep models they fetched; a model may be copied from there.
    pub hubs: Vec<PathBuf>,
    /// The model that answers, by its name in the registry, where it is not the default.
    pub anchor: Option<String>,
    /// What it computes on, by its name, where it is not the processor: see [`crate::models::device_named`].
    pub device: Option<String>,
    /// The program that parses what may run away (`icore __extract`).
    pub extractor: Extractor,
    /// How long this client stays.
    pub presence: Presence,
}

/// How the owner unlocks the home.
pub enum Unlock {
    /// By passphrase.
    Passphrase(Zeroizing<String>),
    /// By the 24 recovery words.
    Words(Zeroizing<String>),
    /// By the operating system's keychain.
    Keychain,
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Unlock::Passphrase(…)",
            Self::Words(_) => "Unlock::Words(…)",
            Self::Keychain => "Unlock::Keychain",
        })
    }
}

impl Unlock {
    /// The vault's form of the secret. Fails where the words are not 24 words of the list.
    pub(crate) fn secret(&self) -> Result<Secret, Failure> {
        Ok(match self {
            Self::Passphrase(text) => Secret::Passphrase(text.clone()),
            Self::Words(text) => Secret::Words(Words::parse(text).map_err(crate::failure::of)?),
            Self::Keychain => Secret::Keychain,
        })
    }
}
