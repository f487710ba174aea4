//! Accounts on servers as sources: what is asked of them, and what a check against the server found.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::{Millis, SourceId};

/// A secret on its way to where it is sealed. It is overwritten when dropped and shows nothing when printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret over.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What kind of account a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A mailbox by IMAP.
    Imap,
    /// Google's mail.
    Gmail,
    /// Google's files.
    Drive,
    /// Google's calendars.
    Calendar,
}

/// How the connection to a server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TLS from the first byte.
    #[default]
    Tls,
    /// TLS after a greeting in the clear.
    Starttls,
    /// None; for a server on this machine only.
    Plain,
}

/// What is known about an account; nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPlan {
    /// What it is.
    pub kind: AccountKind,
    /// Who logs in; of an account with OAuth filled in after the login.
    #[serde(default)]
    pub user: String,
    /// A mail server's `host:port`; of the others the base of their interface where it is not Google's own.
    #[serde(default)]
    pub server: Option<String>,
    /// How the connection is protected.
    #[serde(default)]
    pub transport: Transport,
    /// A certificate (PEM) that is trusted besides the usual ones, for servers that have none of a public authority.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Folders of a mailbox, labels, calendars that are read; all where there are none.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Only what was written, changed or begins at or after this time.
    #[serde(default)]
    pub since: Option<Millis>,
    /// How one logs in by OAuth; a password where absent.
    #[serde(default)]
    pub oauth: Option<OAuthPlan>,
}

/// The owner's own OAuth client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthPlan {
    /// Who issues tokens: its `/.well-known/openid-configuration` says where. Google's where absent.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The client's id.
    pub client: String,
    /// What is asked for; what the kind of account needs where absent.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// With a code that is typed on another device, instead of a browser on this one.
    #[serde(default)]
    pub device: bool,
}

/// Where to log in, for the owner's browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginPage {
    /// The page.
    pub url: String,
    /// What to type there, with a login on another device.
    #[serde(default)]
    pub code: Option<String>,
}

/// What a server says one of its folders holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderCount {
    /// The folder, calendar or drive, as the server calls it.
    pub name: String,
    /// Keys of its items lie below this one.
    pub key: String,
    /// How many items the server says there are.
    pub there: u64,
}

/// One line of a check of a source against its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The folder, calendar or drive.
    pub name: String,
    /// How many items the server has.
    pub there: u64,
    /// How many of them the memory has.
    pub here: u64,
    /// How many were read and left out: empty, unreadable, too large.
    pub skipped: u64,
}

/// What a check of a source against its server found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Which source.
    pub source: SourceId,
    /// Folder by folder.
    pub folders: Vec<Verified>,
}
