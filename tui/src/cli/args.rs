//! The arguments: what every command shares, and the list of commands.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

use super::{
    ask::Ask,
    assembly::Assembly,
    audit::Audit,
    bench::Bench,
    compose::Compose,
    config::Config,
    consent::Consent,
    delta::Delta,
    demo::Demo,
    disclose::Disclose,
    doctor::Doctor,
    ingest::Ingest,
    init::Init,
    keys::Keys,
    kill::Kill,
    lab::Lab,
    manual::{Completions, Man},
    memory::Memory,
    models::Models,
    node::Node,
    sleep::Sleep,
    sources::Sources,
};

const ABOUT: &str = "\
A mind of your own: a model on your machine that answers from your own sealed memory.

Without a command, icore opens the chat in the terminal; the first time it walks you through the set-up.";

const AFTER: &str = "\
Environment:
  ICORE_HOME             the home folder, like --home
  ICORE_MODELS           where models are kept (shared by all homes)
  ICORE_PASSPHRASE_FILE  a file with the passphrase; unlocks without a prompt
  ICORE_CONFIG           the file with colours and keys
  ICORE_ANCHOR           the model that answers, by its name in `icore models list`
  ICORE_DEVICE           what it computes on: cpu, or metal or cuda where it was built in
  ICORE_THEME            dark, light, 16 or plain
  ICORE_LOG              error, warn, info, debug or trace: records on stderr (never your text)
  NO_COLOR               plain text

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 3 refused by consent, 130 stopped by you.";

/// `icore …`
#[derive(Debug, Parser)]
#[command(name = "icore", version, bin_name = "icore", about = ABOUT)]
#[command(after_help = AFTER, max_term_width = 100, disable_help_subcommand = true)]
#[command(help_template = "{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}")]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// What to do; nothing means: open the chat.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Everywhere {
    /// The home folder (everything personal, sealed)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub home: Option<PathBuf>,
    /// Print results as JSON; failures too, on stderr
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Say nothing beside the result
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an iCore on this machine, or restore one from its recovery words
    Init(Init),
    /// Ask a question and get an answer from your memory, with citations
    Ask(Ask),
    /// Read files and folders into the memory once
    Ingest(Ingest),
    /// Folders that are read and watched
    Sources(Sources),
    /// Search, show and forget what is remembered
    Memory(Memory),
    /// Who may do what with which part of the memory
    Consent(Consent),
    /// Ask for excerpts on behalf of a program or a person
    Disclose(Disclose),
    /// The signed record of everything that was done
    Audit(Audit),
    /// Stop every source, door and job at once
    Kill(Kill),
    /// Change the passphrase, the keys or the keychain
    Keys(Keys),
    /// Keep the node running on its own, so that terminals attach to it
    Node(Node),
    /// The models on this machine
    Models(Models),
    /// Learn overnight from what the grants allow, and prove it, or stay as before
    Sleep(Sleep),
    /// What changes the anchor: adapters taken in, used, let out
    Delta(Delta),
    /// Several models into one
    Compose(Compose),
    /// Deltas that answer together: who takes part, who answered, how one leaves
    Assembly(Assembly),
    /// Colours and keys: where their file lies, what is wrong with it, one to start from
    Config(Config),
    /// Look everything over and say what works here and what does not
    Doctor(Doctor),
    /// A first look: the chat on a made-up home, with nothing of yours
    Demo(Demo),
    /// Measure this program on this machine
    Bench(Bench),
    /// Run the experiments that say whether it works, on made-up people
    Lab(Lab),
    /// Print a completion script for your shell
    Completions(Completions),
    /// Print or write the manual pages
    Man(Man),
    #[command(name = "__panic", hide = true, about = "Panic with TEXT, to show that no fault ever prints it")]
    Panic {
        /// What must not be printed.
        text: String,
        /// With the terminal taken, as the face has it.
        #[arg(long)]
        drawn: bool,
    },
}
