//! Making a home, and changing what unlocks it. These take the home's lock themselves: a running node is stopped first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinet_consent::{Consent, EntryKind, Note};
use hinet_vault::{Home, HomeLock, Secret, Vault, VaultError, Words, hex};
use zeroize::Zeroizing;

use crate::failure::{self, NodeError};
use crate::flows::sources;
use crate::protocol::{AuditReport, ErrorKind, Failure, SourceKind};
use crate::settings::{Settings, Unlock};
use crate::state::now;

/// Roots that can be chosen. One that is not made yet (`roots::is_made`) is recorded and used once it is.
pub const ROOTS: [&str; 2] = ["general", "developer"];
/// What is chosen where the plain public model is to answer.
pub const NO_ROOT: &str = "none";

/// Whether there is a home, and what unlocks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomeState {
    /// There is none; an onboarding that was killed leaves none either.
    Absent,
    /// There is one.
    Ready {
        /// A passphrase unlocks it.
        passphrase: bool,
        /// The operating system's keychain unlocks it.
        keychain: bool,
    },
}

/// What onboarding gathered.
pub struct InitOptions {
    /// The owner's name.
    pub name: String,
    /// One of [`ROOTS`], or [`NO_ROOT`].
    pub root: String,
    /// The 24 words: new ones, or typed in to restore an identity.
    pub words: Zeroizing<String>,
    /// The passphrase, where one is wanted.
    pub passphrase: Option<Zeroizing<String>>,
    /// Whether the keychain unlocks too.
    pub keychain: bool,
    /// Folders to open; each becomes a source under its own grant.
    pub folders: Vec<PathBuf>,
    /// Whether the words were typed in to restore an identity.
    pub restored: bool,
}

impl InitOptions {
    /// Of an owner who is made up, for measuring, showing and testing: new words, nothing opened yet, no keychain.
    #[must_use]
    pub fn made_up(name: &str, root: &str, passphrase: &str) -> Self {
        Self {
            name: name.to_owned(),
            root: root.to_owned(),
            words: new_words(),
            passphrase: Some(Zeroizing::new(passphrase.to_owned())),
            keychain: false,
            folders: Vec::new(),
            restored: false,
        }
    }
}

/// What was made.
#[derive(Debug, Clone)]
pub struct InitDone {
    /// The owner's public identity, hex.
    pub identity: String,
    /// This device's public key, hex.
    pub device: String,
}

/// Whether there is a home at the settings' path.
///
/// # Errors
/// Where the keyslots file is damaged beyond its copy.
pub fn state(settings: &Settings) -> Result<HomeState, Failure> {
    let home = Home::at(&settings.home);
    if !home.exists() {
        return Ok(HomeState::Absent);
    }
    let kinds = hinet_vault::slot_kinds(&home).map_err(failure::of)?;
    Ok(HomeState::Ready { passphrase: kinds.passphrase, keychain: kinds.keychain })
}

/// 24 new recovery words.
#[must_use]
pub fn new_words() -> Zeroizing<String> {
    Words::generate().phrase()
}

/// Whether these are 24 words of the list with a right checksum.
///
/// # Errors
/// Which word is wrong.
pub fn check_words(text: &str) -> Result<(), Failure> {
    Words::parse(text).map_err(failure::of)?;
    Ok(())
}

/// Makes the home. It appears only when this returns `Ok`: everything is made beside it and renamed at the end.
///
/// # Errors
/// Where the options make no sense, a folder cannot be opened, or the home cannot be written.
pub fn init(settings: &Settings, options: InitOptions) -> Result<InitDone, Failure> {
    let usage = |message: String, hint: &str| Failure::new(ErrorKind::Usage, message, hint);
    let name = options.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        let message = "The name is empty, too long or has control characters.".into();
        return Err(usage(message, "Any name of up to 100 characters will do."));
    }
    if options.root != NO_ROOT && !ROOTS.contains(&options.root.as_str()) {
        return Err(usage(format!("There is no root called {}.", options.root), "Choose general, developer or none."));
    }
    if options.passphrase.is_none() && !options.keychain {
        return Err(usage(
            "Nothing would unlock this home day to day.".into(),
            "Give a passphrase or use the keychain.",
        ));
    }
    let folders =
        options.folders.iter().map(|folder| canonical_folder(settings, folder)).collect::<Result<Vec<_>, _>>()?;
    make(settings, name, &options, &folders).map_err(failure::of)
}

fn make(settings: &Settings, name: &str, options: &InitOptions, folders: &[PathBuf]) -> Result<InitDone, NodeError> {
    let words = Words::parse(&options.words)?;
    let home = Home::at(&settings.home);
    if std::fs::read_dir(home.dir()).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(NodeError::said(
            ErrorKind::Failed,
            format!("{} is not empty; it was left as it is.", home.dir().display()),
            "Use another --home, or run `icore` to open the iCore that is there.",
        ));
    }
    let staged = Home::at(staging(home.dir()));
    clear_staging(&home, &staged)?;
    let mut secrets = Vec::new();
    secrets.extend(options.passphrase.clone().map(Secret::Passphrase));
    if options.keychain {
        secrets.push(Secret::Keychain);
    }
    let vault = Arc::new(Vault::create(&staged, name, &words, &secrets, now())?);
    let done = InitDone { identity: hex::encode(&vault.identity()), device: hex::encode(&vault.device().public()) };
    let consent = Consent::open(vault.clone())?;
    vault.write(|tx| {
        let how = if options.restored { "restored from the recovery words" } else { "made" };
        let body = format!("the iCore was {how} on this device, root {}", options.root);
        consent.record(tx, EntryKind::Init, vec![Note::say(body)], now())?;
        tx.set_meta("root", &options.root)?;
        folders.iter().try_for_each(|folder| sources::open_in(&consent, tx, folder, SourceKind::Folder).map(drop))
    })?;
    drop(consent);
    drop(vault);
    std::fs::rename(staged.dir(), home.dir()).map_err(|error| unwritable(home.dir(), &error))?;
    // Everything in it is on disk; its name follows now, or with the file system's own next commit.
    if let Some(folder) = std::fs::canonicalize(home.dir()).ok().as_deref().and_then(Path::parent) {
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(done)
}

/// Removes what an onboarding that was killed left behind, and nothing that an onboarding would not have made.
fn clear_staging(home: &Home, staged: &Home) -> Result<(), NodeError> {
    let found = match std::fs::read_dir(staged.dir()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        found => found.and_then(|entries| entries.collect::<Result<Vec<_>, _>>()),
    };
    let found = found.map_err(|error| unwritable(home.dir(), &error))?;
    let made = ["vault.db", "keyslots", "ledger.head", "home.lock", "index", ".creating"];
    let strange = found.iter().find(|entry| {
        let name = entry.file_name();
        !made.iter().any(|made| name.to_string_lossy().starts_with(made))
    });
    if let Some(strange) = strange {
        return Err(NodeError::said(
            ErrorKind::Failed,
            format!("{} is in the way of making the home; it was left as it is.", strange.path().display()),
            "Move that folder away, or use another --home.",
        ));
    }
    std::fs::remove_dir_all(staged.dir()).map_err(|error| unwritable(home.dir(), &error))
}

/// Where a home is made before it appears.
fn staging(home: &Path) -> PathBuf {
    let mut name = home.file_name().unwrap_or_default().to_owned();
    name.push(".making");
    home.with_file_name(name)
}

fn unwritable(home: &Path, error: &std::io::Error) -> NodeError {
    NodeError::said(
        ErrorKind::Failed,
        format!("The home {} could not be made: {error}; nothing was left behind.", home.display()),
        "Choose a place your user may write to with --home.",
    )
}

fn canonical_folder(settings: &Settings, folder: &Path) -> Result<PathBuf, Failure> {
    let failed = |why: String| {
        Failure::new(
            ErrorKind::Usage,
            format!("{} cannot be opened: {why}.", folder.display()),
            "Give a folder that exists.",
        )
    };
    let path = std::fs::canonicalize(folder).map_err(|error| failed(error.to_string()))?;
    if !path.is_dir() {
        return Err(failed("it is not a folder".into()));
    }
    if settings.home.starts_with(&path) {
        return Err(failed("it holds the iCore's own home".into()));
    }
    Ok(path)
}

/// Opens the vault alone, for a change of what unlocks it.
fn with_vault<T>(
    settings: &Settings,
    unlock: &Unlock,
    kind: EntryKind,
    body: &str,
    change: impl FnOnce(&Vault) -> Result<T, VaultError>,
) -> Result<T, Failure> {
    let open = || {
        let home = Home::at(&settings.home);
        let lock = HomeLock::take(&home)?;
        let vault = Arc::new(Vault::open(&home, &unlock.secret()?)?);
        let consent = Consent::open(vault.clone())?;
        // Written before, so that a change that was made is never missing from the ledger.
        vault.write(|tx| consent.record(tx, kind, vec![Note::say(body)], now()))?;
        Ok::<_, NodeError>((lock, vault))
    };
    let (_lock, vault) = open()?;
    change(&vault).map_err(failure::of)
}

/// Changes the passphrase. Nothing is encrypted again but the keyslot.
///
/// # Errors
/// Where the present secret is wrong, a node is running, or the file cannot be written; then the old one still holds.
pub fn change_passphrase(settings: &Settings, unlock: &Unlock, new: Zeroizing<String>) -> Result<(), Failure> {
    if new.is_empty() {
        return Err(Failure::new(
            ErrorKind::Usage,
            "The new passphrase is empty.",
            "Choose a sentence that only you would say.",
        ));
    }
    with_vault(settings, unlock, EntryKind::PassphraseChanged, "the passphrase was changed", |vault| {
        vault.change_passphrase(&new)
    })
}

/// Makes new database and sealing keys and encrypts the database again.
///
/// # Errors
/// As [`change_passphrase`].
pub fn rotate_keys(settings: &Settings, unlock: &Unlock) -> Result<(), Failure> {
    with_vault(settings, unlock, EntryKind::KeyRotated, "the keys were rotated", |vault| vault.rotate_keys())
}

/// Adds or removes the keychain's keyslot.
///
/// # Errors
/// As [`change_passphrase`]; or where there is no keychain.
pub fn set_keychain(settings: &Settings, unlock: &Unlock, on: bool) -> Result<(), Failure> {
    let body = if on { "the keychain unlocks from now on" } else { "the keychain no longer unlocks" };
    with_vault(settings, unlock, EntryKind::PassphraseChanged, body, |vault| vault.set_keychain(on))
}

/// Verifies an exported ledger without any vault.
///
/// # Errors
/// Where the document is not an export at all.
pub fn verify_export(json: &str, identity_hex: Option<&str>) -> Result<AuditReport, Failure> {
    let key = identity_hex
        .map(|text| {
            text.parse::<crate::protocol::Hash>().map(|hash| hash.0).map_err(|_| {
                Failure::new(
                    ErrorKind::Usage,
                    "The public key is not 64 hex digits.",
                    "`icore audit export` prints it.",
                )
            })
        })
        .transpose()?;
    hinet_consent::verify_export(json, key).map_err(failure::of)
}
