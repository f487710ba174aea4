//! What every command works with: where things are and how to print.

use etcetera::BaseStrategy;
use hinet_node::{Extractor, Presence, Settings};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use hinet_tui::config;

use super::args::Everywhere;
use super::end::End;
use super::output::Output;

/// One run of the program.
pub struct Context {
    /// How to print.
    pub out: Output,
    settings: Settings,
    /// Where the passphrase lies, if it lies anywhere.
    pub passphrase_file: Option<PathBuf>,
    /// The passphrase once it has been read: a pipe can be read only once.
    pub passphrase: OnceCell<Zeroizing<String>>,
}

impl Context {
    /// Finds the folders; nothing is made.
    pub fn new(everywhere: &Everywhere, out: Output) -> Result<Self, End> {
        let home = match everywhere.home.clone().or_else(|| named("ICORE_HOME")) {
            Some(dir) => absolute(&dir)?,
            None => base()?.data_dir().join("hinet"),
        };
        let models = match named("ICORE_MODELS") {
            Some(dir) => absolute(&dir)?,
            None => base()?.cache_dir().join("hinet").join("models"),
        };
        let program = std::env::current_exe().map_err(|error| {
            End::failed(format!("icore cannot find its own program file: {error}."), "Start it by its full path.")
        })?;
        let extractor = Extractor { program, args: vec!["__extract".into()] };
        let hubs = ["HF_HOME", "HF_HUB_CACHE"].into_iter().filter_map(named);
        let usual = etcetera::home_dir().ok().map(|dir| dir.join(".cache").join("huggingface"));
        let hubs = hubs.chain(usual).collect();
        let config = config::read(config::path().as_deref());
        let chosen = |variable: &str, kept: Option<String>| {
            std::env::var(variable).ok().filter(|name| !name.is_empty()).or(kept)
        };
        let (anchor, device) = (chosen("ICORE_ANCHOR", config.anchor), chosen("ICORE_DEVICE", config.device));
        let settings = Settings { home, models, hubs, anchor, device, extractor, presence: Presence::Brief };
        Ok(Self { out, settings, passphrase_file: named("ICORE_PASSPHRASE_FILE"), passphrase: OnceCell::new() })
    }

    /// Settings for one command.
    #[must_use]
    pub fn brief(&self) -> &Settings {
        &self.settings
    }

    /// Settings for something that stays: the chat, the node.
    #[must_use]
    pub fn lasting(&self) -> Settings {
        Settings { presence: Presence::Lasting, ..self.settings.clone() }
    }

    /// Settings for one command on another home.
    #[must_use]
    pub fn at(&self, home: PathBuf) -> Settings {
        Settings { home, ..self.settings.clone() }
    }

    /// The folder for files that can be made again.
    #[must_use]
    pub fn generated(&self) -> &Path {
        self.settings.models.parent().unwrap_or(&self.settings.models)
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.settings.home
    }
}

/// The path that an environment variable names; an empty one names nothing.
fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The platform's own folders: XDG on Linux, ~/Library on macOS.
fn base() -> Result<impl BaseStrategy, End> {
    etcetera::base_strategy::choose_native_strategy().map_err(|_| {
        End::usage(
            "There is no home folder to keep things in: HOME is not set.",
            "Set HOME, or give --home DIR (and ICORE_MODELS).",
        )
    })
}

/// `path` from the root, without asking the disk. An empty path is refused.
pub fn absolute(path: &Path) -> Result<PathBuf, End> {
    std::path::absolute(path)
        .map_err(|error| End::usage(format!("\"{}\" is not a path: {error}.", path.display()), "Give a folder's path."))
}

/// An absolute path as the node takes it; a path that is not Unicode is refused by name.
pub fn path_text(path: &Path) -> Result<String, End> {
    absolute(path)?.into_os_string().into_string().map_err(|path| {
        End::failed(
            format!("The name \"{}\" is not Unicode.", path.to_string_lossy()),
            "Rename it, or give the folder that holds it.",
        )
    })
}

/// `~/notes`, written where no shell expands it.
#[must_use]
pub fn from_tilde(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}
