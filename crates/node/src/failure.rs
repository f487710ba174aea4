//! From every room's errors to what a person reads: the sentence is the error's own, the hint is the front door's.

use hinet_compose::ComposeError;
use hinet_connectors::{AccountError, WatchError};
use hinet_consent::ConsentError;
use hinet_index::IndexError;
use hinet_model::ModelError;
use hinet_train::TrainError;
use hinet_vault::VaultError;

use crate::protocol::{ErrorKind, Failure};

/// What a flow can end with, other than well: a room's error, or a sentence of the node's own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// Of the vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Of consent.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// Of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Of the index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Of an account on a server.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Of the watcher.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Of composing.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// Said by the node itself.
    #[error(transparent)]
    Said(#[from] Failure),
}

impl NodeError {
    /// A sentence of the node's own, with its hint.
    pub(crate) fn said(kind: ErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Said(Failure::new(kind, message, hint))
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Vault(error) => of_vault(error),
            NodeError::Consent(error) => of_consent(error),
            NodeError::Model(error) => of_model(error),
            NodeError::Index(error) => of_index(error),
            NodeError::Account(error) => of_account(&error),
            NodeError::Watch(error) => of_watch(error),
            NodeError::Compose(error) => of_compose(&error),
            NodeError::Said(failure) => failure,
        }
    }
}

/// Any room's error, as a person reads it.
pub(crate) fn of(error: impl Into<NodeError>) -> Failure {
    error.into().into()
}

/// Something that only a defect in the program can cause.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(
        ErrorKind::Failed,
        format!("Work on {what} stopped by a fault in icore."),
        "What was acknowledged is kept. Run `icore doctor`, then try again.",
    )
}

/// Whether a failure means that another process has the home open.
pub(crate) fn is_busy(failure: &Failure) -> bool {
    failure.hint == BUSY_HINT
}

const BUSY_HINT: &str = "Close the other icore, or use the `icore node` that is running.";

const FULL_HINT: &str = "Make room on the disk and try again.";

fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn of_vault(error: VaultError) -> Failure {
    use VaultError as E;
    let (kind, hint) = match &error {
        E::Busy { .. } => (ErrorKind::Failed, BUSY_HINT),
        E::NoHome { .. } => (ErrorKind::Failed, "Run `icore` in a terminal, or `icore init --help`."),
        E::AlreadyThere { .. } => (ErrorKind::Failed, "Use another --home, or run `icore` to open this one."),
        E::WordCount { .. } | E::UnknownWord { .. } | E::WordsMismatch => {
            (ErrorKind::Usage, "Type the words as they were written down, in their order.")
        }
        E::WrongPassphrase | E::WrongWords | E::WrongKeychain => {
            (ErrorKind::Failed, "Try again; the 24 recovery words unlock it too.")
        }
        E::NoSlot { .. } => (ErrorKind::Failed, "Unlock it the way it was set up, or with the recovery words."),
        E::Keychain { .. } | E::NoKeychain { .. } | E::KeychainSilent => {
            (ErrorKind::Failed, "Use a passphrase instead.")
        }
        E::EmptyPassphrase => (ErrorKind::Usage, "Choose a sentence that only you would say."),
        E::Damaged { .. } | E::Tampered { .. } => (
            ErrorKind::Damaged,
            "Run `icore doctor`; where you have a copy of the whole home folder, put all of it back.",
        ),
        E::Newer { .. } => (ErrorKind::Failed, "Use the newer icore."),
        E::Full => (ErrorKind::Failed, FULL_HINT),
        E::ReadOnly => (ErrorKind::Failed, "Give your user the right to write there, or use another --home."),
        E::Missing { .. } => (ErrorKind::Failed, "It may have been forgotten in the meantime."),
        _ => (ErrorKind::Failed, "Run `icore doctor`, then try again."),
    };
    Failure::new(kind, sentence(&error), hint)
}

fn of_consent(error: ConsentError) -> Failure {
    let (kind, hint) = match error {
        ConsentError::Vault(error) => return of_vault(error),
        ConsentError::Refused(_) => (ErrorKind::Refused, "`icore consent list` shows what is granted."),
        ConsentError::BadDraft(_) => (ErrorKind::Usage, "`icore consent grant --help` shows the forms."),
        ConsentError::UnknownGrant { .. } => (ErrorKind::Failed, "`icore consent list` shows their ids."),
        ConsentError::NotAnExport { .. } | ConsentError::ExportTooLong { .. } => {
            (ErrorKind::Failed, "Give a file that `icore audit export` wrote.")
        }
        ConsentError::Broken { .. } | ConsentError::StoredGrant { .. } | ConsentError::StoredRecord { .. } => {
            (ErrorKind::Damaged, "Run `icore doctor`.")
        }
        _ => (ErrorKind::Failed, "Try again."),
    };
    Failure::new(kind, sentence(&error), hint)
}

fn of_model(error: ModelError) -> Failure {
    let hint = match &error {
        ModelError::PromptTooLong { .. } => "Ask for less at once.",
        ModelError::WrongSize { .. } | ModelError::WrongHash { .. } => "`icore models pull` fetches it again.",
        ModelError::NoDevice { .. } | ModelError::Device { .. } => {
            "Write device = \"cpu\" under [mind] in the config, or set ICORE_DEVICE=cpu, to compute on the processor."
        }
        _ => "`icore models check` looks the models over; `icore models pull` fetches them again.",
    };
    Failure::new(ErrorKind::Failed, sentence(&error), hint)
}

fn of_index(error: IndexError) -> Failure {
    match error {
        IndexError::Vault(error) => of_vault(error),
        error @ IndexError::Full => Failure::new(ErrorKind::Failed, sentence(&error), FULL_HINT),
        error => Failure::new(
            ErrorKind::Damaged,
            sentence(&error),
            "The index is derived: `icore doctor --rebuild-index` makes it again from the vault.",
        ),
    }
}

/// The sentences of this room say what to do; what lies behind them is said as well, because a recipe is a person's text.
fn of_compose(error: &ComposeError) -> Failure {
    use ComposeError as E;
    let (kind, hint) = match error {
        E::Recipe { .. } | E::Unsupported { .. } | E::Yaml { .. } | E::Exists { .. } => {
            (ErrorKind::Usage, "`icore compose merge --help` shows a recipe.")
        }
        E::Signature { .. } => (ErrorKind::Usage, "`icore assembly add --help` says what a signature is made of."),
        E::Cancelled | E::Read { .. } | E::Write { .. } => {
            (ErrorKind::Failed, "The same command goes on where it stopped.")
        }
        _ => (ErrorKind::Failed, "Nothing is at the place named."),
    };
    let message = match std::error::Error::source(error) {
        Some(behind) => format!("{} {}", sentence(error), sentence(behind)),
        None => sentence(error),
    };
    Failure::new(kind, message, hint)
}

fn of_account(error: &AccountError) -> Failure {
    use AccountError as E;
    let (kind, hint) = match error {
        E::Refused(_) | E::NotCovered { .. } => (ErrorKind::Refused, "`icore consent list` shows what is granted."),
        E::Unreachable { .. } => (ErrorKind::Failed, "Look at the address and the network; what was read is kept."),
        E::Certificate { .. } => {
            (ErrorKind::Failed, "Nothing was sent. Look at the address, or name the certificate that you trust.")
        }
        E::NotLocal { .. } => (ErrorKind::Usage, "Leave --tls out, or use --tls starttls."),
        E::Address { .. } => (ErrorKind::Usage, "Look at it again."),
        E::Password { .. } => (
            ErrorKind::Failed,
            "Many providers want a password made for one application; add the account with that one.",
        ),
        E::Denied { .. } => (ErrorKind::Failed, "Try the login again, and allow what is asked for."),
        E::LoggedOut => (ErrorKind::Failed, "Add the account again to log in; what was read from it is kept."),
        E::NeedsLogin => (ErrorKind::Usage, "Give your OAuth client with --client."),
        E::Forbidden { .. } => {
            (ErrorKind::Failed, "Look at what the login allows; add the account again to change it.")
        }
        E::Busy { .. } => (ErrorKind::Failed, "Try it later; what was read is kept, and it goes on from there."),
        E::NoFolder { .. } => (ErrorKind::Usage, "Name one of these."),
        E::Stopped => (ErrorKind::Cancelled, "Run it again to go on: nothing is read twice."),
        E::Absent { .. } | E::TooLarge { .. } | E::Answer { .. } => {
            (ErrorKind::Failed, "Try it again; what was read is kept.")
        }
    };
    Failure::new(kind, sentence(error), hint)
}

/// Something that tuning or judging refused: `stopped` where somebody asked to stop, else its own sentence with this hint.
pub(crate) fn of_training(error: TrainError, stopped: impl FnOnce() -> NodeError, hint: &str) -> NodeError {
    match error {
        TrainError::Model(error) => error.into(),
        TrainError::Cancelled | TrainError::Unjudged => stopped(),
        error => NodeError::said(ErrorKind::Failed, sentence(&error), hint),
    }
}

fn of_watch(error: WatchError) -> Failure {
    Failure::new(ErrorKind::Failed, sentence(&error), "`icore sources sync` reads it by hand.")
}
