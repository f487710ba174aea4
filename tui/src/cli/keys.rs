//! `icore keys`: what unlocks the home, and the keys under it. A running node is stopped first.

use clap::{Args, Subcommand, ValueEnum};
use hinet_node::{Unlock, setup};
use std::path::PathBuf;

use super::context::Context;
use super::end::End;
use super::{prompt, recovery, unlock};

const EXAMPLES: &str = "\
Examples:
  icore keys passphrase
  icore keys passphrase --words-file words.txt      (the old one is forgotten)
  icore keys rotate
  icore keys keychain on";

/// `icore keys`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Change the passphrase
    Passphrase {
        /// A file with the new passphrase (else it is asked for, twice)
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// Unlock with the 24 recovery words in this file, where the old passphrase is lost
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
    },
    /// Make new keys and encrypt the memory again with them; may take a while
    Rotate,
    /// Let the operating system's keychain unlock, or no longer
    Keychain {
        /// Whether it unlocks
        state: Switch,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Switch {
    /// The keychain unlocks.
    On,
    /// It no longer does.
    Off,
}

impl Keys {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let settings = context.brief();
        let done = match self.what {
            What::Passphrase { new_passphrase_file, words_file } => {
                let unlock = match &words_file {
                    Some(file) => Unlock::Words(recovery::from_file(file)?),
                    None => unlock::obtain(context)?,
                };
                let new = match &new_passphrase_file {
                    Some(file) => unlock::read_passphrase(context, file, "--new-passphrase-file")?,
                    None if prompt::can_ask_secret() => prompt::new_passphrase()?,
                    None => {
                        return Err(End::usage(
                            "There is no terminal to ask for the new passphrase in.",
                            "Give it with --new-passphrase-file FILE.",
                        ));
                    }
                };
                setup::change_passphrase(settings, &unlock, new)?;
                "The passphrase is changed. The old one no longer unlocks anything."
            }
            What::Rotate => {
                let unlock = unlock::obtain(context)?;
                context.out.note("Encrypting the memory again with new keys. It is safe to be interrupted.");
                setup::rotate_keys(settings, &unlock)?;
                "The keys are new. Passphrase, keychain and recovery words unlock as before."
            }
            What::Keychain { state: Switch::On } => {
                setup::set_keychain(settings, &unlock::obtain(context)?, true)?;
                "The keychain unlocks from now on."
            }
            What::Keychain { state: Switch::Off } => {
                setup::set_keychain(settings, &unlock::obtain(context)?, false)?;
                "The keychain no longer unlocks. Your passphrase does."
            }
        };
        if context.out.json() {
            return context.out.document(&serde_json::json!({ "done": true }));
        }
        context.out.line(done)
    }
}
