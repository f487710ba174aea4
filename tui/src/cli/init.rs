//! `icore init`: makes a home without the terminal face. What is missing is asked for in a terminal; without one,
//! everything that is missing is named at once and nothing is made.

use clap::{Args, ValueEnum};
use hinet_node::setup::{self, HomeState, InitDone, InitOptions};
use hinet_node::{Unlock, models};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::context::{self, Context};
use super::end::End;
use super::models::pull_all;
use super::recovery::{self, WordsFile};
use super::{line, prompt, unlock};

const AFTER: &str = "\
Examples:
  icore init --name Maya --passphrase-file pass.txt --recovery-out words.txt --folder ~/notes
  icore init --name Maya --keychain --recovery-out words.txt --yes
  icore init --restore --words-file words.txt --name Maya --passphrase-file pass.txt

In a terminal, what is missing is asked for. Without one, --name, a way to unlock (--passphrase-file, --keychain or \
ICORE_PASSPHRASE_FILE) and --recovery-out (or --restore) are needed. Killed half-way, nothing was made: run it again.";

/// `icore init`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Init {
    /// Your name, as your iCore calls you
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it starts from: general, developer for people who write software, or none for the plain public model
    #[arg(long, value_enum, value_name = "ROOT", hide_possible_values = true)]
    root: Option<Root>,
    /// A file with the passphrase that unlocks it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Let the operating system's keychain unlock it
    #[arg(long)]
    keychain: bool,
    /// Write the 24 recovery words to this file, readable by you alone; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "restore")]
    recovery_out: Option<PathBuf>,
    /// Restore your identity from its 24 recovery words
    #[arg(long)]
    restore: bool,
    /// The file with the words to restore from (else they are asked for, or read from stdin)
    #[arg(long, value_name = "FILE", requires = "restore")]
    words_file: Option<PathBuf>,
    /// A folder to open: read and watched under a grant of its own; may be given several times
    #[arg(long, value_name = "DIR")]
    folder: Vec<PathBuf>,
    /// Do not fetch the models now
    #[arg(long)]
    no_models: bool,
    /// Ask nothing: take defaults for what is missing
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Root {
    General,
    Developer,
    None,
}

impl Root {
    fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Developer => "developer",
            Self::None => setup::NO_ROOT,
        }
    }
}

/// Everything that had to be found out before anything is made.
struct Plan {
    name: String,
    root: Root,
    passphrase: Option<Zeroizing<String>>,
    keychain: bool,
    folders: Vec<PathBuf>,
}

impl Init {
    /// Finds out what is missing, makes the home, and fetches the models.
    pub fn run(self, context: &Context) -> Result<(), End> {
        self.refuse_second(context)?;
        if let Some(file) = &self.recovery_out {
            recovery::refuse_existing(file, "--recovery-out")?;
        }
        let asks = context.out.can_ask() && !self.yes;
        if !asks {
            self.name_missing(context)?;
        }
        let plan = self.plan(context, asks)?;
        let done = self.make(context, plan)?;
        let fetched = self.fetch(context)?;
        self.report(context, &done, &fetched)
    }

    /// A home that exists is never touched; words that a killed run left waiting are found for it.
    fn refuse_second(&self, context: &Context) -> Result<(), End> {
        if setup::state(context.brief())? == HomeState::Absent {
            return Ok(());
        }
        if let Some(file) = &self.recovery_out
            && let Some(words) = recovery::interrupted(file)
            && opens(context, words)
            && recovery::finish_interrupted(file)
        {
            context.out.note(format!("Its recovery words were still waiting; they are in {} now.", file.display()));
        }
        Err(End::failed(
            format!("There is already an iCore at {}; it was left as it is.", context.home().display()),
            "Use another --home, or run `icore` to open this one.",
        ))
    }

    /// Without anyone to ask, names everything that is missing at once.
    fn name_missing(&self, context: &Context) -> Result<(), End> {
        let mut missing = Vec::new();
        if self.name.is_none() {
            missing.push("--name NAME");
        }
        if self.passphrase_file.is_none() && context.passphrase_file.is_none() && !self.keychain {
            missing.push("--passphrase-file FILE or --keychain");
        }
        if self.recovery_out.is_none() && !self.restore {
            missing.push("--recovery-out FILE (or --restore)");
        }
        if missing.is_empty() {
            return Ok(());
        }
        let why = if self.yes { "With --yes nothing is asked" } else { "There is no terminal to ask in" };
        Err(End::usage(
            format!("{why}, and this is missing: {}.", missing.join("; ")),
            "See the examples of `icore init --help`.",
        ))
    }

    fn plan(&self, context: &Context, asks: bool) -> Result<Plan, End> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => prompt::line("Your name: ")?,
        };
        if name.trim().is_empty() {
            return Err(End::usage("The name is empty.", "Any name will do; your iCore calls you by it."));
        }
        let root = match self.root {
            Some(root) => root,
            None if asks => ask_root()?,
            None => Root::General,
        };
        let (passphrase, keychain) = self.unlocking(context)?;
        let folders = match self.folder.as_slice() {
            [] if asks => ask_folders()?,
            folders => folders.iter().map(|folder| existing_folder(folder)).collect::<Result<_, _>>()?,
        };
        Ok(Plan { name, root, passphrase, keychain, folders })
    }

    fn unlocking(&self, context: &Context) -> Result<(Option<Zeroizing<String>>, bool), End> {
        if let Some(file) = &self.passphrase_file {
            return Ok((Some(unlock::read_passphrase(context, file, "--passphrase-file")?), self.keychain));
        }
        if self.keychain {
            return Ok((None, true));
        }
        if let Some(file) = &context.passphrase_file {
            return Ok((Some(unlock::read_passphrase(context, file, "ICORE_PASSPHRASE_FILE")?), false));
        }
        match prompt::line_or("Unlock it with a passphrase or with the keychain?", "passphrase")?.as_str() {
            "keychain" | "k" => Ok((None, true)),
            _ => Ok((Some(prompt::new_passphrase()?), false)),
        }
    }

    fn make(&self, context: &Context, plan: Plan) -> Result<InitDone, End> {
        let words =
            if self.restore { recovery::to_restore(context, self.words_file.as_deref())? } else { setup::new_words() };
        setup::check_words(&words)?;
        let waiting = match &self.recovery_out {
            Some(file) => Some(WordsFile::prepare(file, &words)?),
            None if self.restore => None,
            None => {
                recovery::show_and_check(&words)?;
                None
            }
        };
        let options = InitOptions {
            name: plan.name,
            root: plan.root.name().to_owned(),
            words,
            passphrase: plan.passphrase,
            keychain: plan.keychain,
            folders: plan.folders,
            restored: self.restore,
        };
        let done = setup::init(context.brief(), options)?;
        if let Some(waiting) = waiting {
            waiting.keep()?;
        }
        Ok(done)
    }

    fn fetch(&self, context: &Context) -> Result<Vec<String>, End> {
        let missing = if self.no_models { Vec::new() } else { models::missing(context.brief()) };
        match pull_all(context, &missing) {
            Err(End::Failure(mut failure)) => {
                failure.message = format!("Your iCore is made, but a model is missing: {}", failure.message);
                failure.hint = format!("`icore models pull` tries again. {}", failure.hint).trim_end().to_owned();
                Err(End::Failure(failure))
            }
            Err(End::Interrupted) => {
                context.out.note("Your iCore is made. `icore models pull` goes on with the models.");
                Err(End::Interrupted)
            }
            other => other.map(|()| missing),
        }
    }

    fn report(&self, context: &Context, done: &InitDone, fetched: &[String]) -> Result<(), End> {
        let out = &context.out;
        if out.json() {
            return out.document(&serde_json::json!({
                "home": context.home(), "identity": done.identity, "device": done.device, "restored": self.restore,
                "recovery_out": self.recovery_out, "models": fetched,
            }));
        }
        out.line(format!("Your iCore is at {}.", context.home().display()))?;
        out.line(format!("identity {}", done.identity))?;
        if let Some(file) = &self.recovery_out {
            out.note(format!(
                "The 24 recovery words are in {}. Put them on paper, then delete the file.",
                file.display()
            ));
        }
        if !models::missing(context.brief()).is_empty() {
            out.note("The models are still to come: `icore models pull`.");
        }
        if !self.folder.is_empty() {
            out.note("`icore sources sync` reads the folders you opened; the chat does it by itself.");
        }
        out.note("`icore` opens the chat.");
        Ok(())
    }
}

/// Whether these words open this home: only then are they its own.
fn opens(context: &Context, words: Zeroizing<String>) -> bool {
    let tried = line::with_unlock(context, context.brief(), Unlock::Words(words), async |_| Ok(()));
    tried.is_ok()
}

fn ask_root() -> Result<Root, End> {
    loop {
        match prompt::line_or("Start from general or developer?", "general")?.as_str() {
            "general" | "g" => return Ok(Root::General),
            "developer" | "d" => return Ok(Root::Developer),
            _ => prompt::say("Type general or developer."),
        }
    }
}

fn ask_folders() -> Result<Vec<PathBuf>, End> {
    prompt::say("Folders to open, one at a time; each is read and watched under a grant of its own. Enter ends.");
    let mut folders = Vec::new();
    loop {
        let text = prompt::line("Folder: ")?;
        if text.is_empty() {
            return Ok(folders);
        }
        match existing_folder(&context::from_tilde(&text)) {
            Ok(folder) => folders.push(folder),
            Err(End::Failure(failure)) => prompt::say(&failure.message),
            Err(end) => return Err(end),
        }
    }
}

fn existing_folder(folder: &Path) -> Result<PathBuf, End> {
    if !folder.is_dir() {
        return Err(End::usage(format!("{} is not a folder.", folder.display()), "Give folders that exist."));
    }
    context::absolute(folder)
}
