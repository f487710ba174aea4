//! `icore demo`: a first look on a made-up home. Maya's papers are written into a folder of its own, read, asked about for
//! real, and the chat opens on them; nothing of whoever runs it is read. At the end all of it is removed, unless it is
//! kept.

mod papers;

use clap::Args;
use hinet_node::setup::{self, InitOptions};
use hinet_node::{Presence, Settings, Unlock, models};
use hinet_protocol::{
    Asker, Capability, ChatParams, Event, Filter, GrantDraft, Limits, Op, Scope, SessionChange, SessionId, Turn,
};
use hinet_tui::app::Guise;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::context::{self, Context};
use super::end::End;
use super::line::{self, Line};
use super::models::pull_all;

const AFTER: &str = "\
Examples:
  icore demo
  icore demo --keep ~/maya      (then: icore --home ~/maya/home, passphrase \"a lantern over the estuary\")

Maya and her papers are made up. Nothing of yours is read, and your own iCore is not opened. Needs the models: where they \
are missing, they are fetched first, as `icore init` does.";

/// Not a secret: it seals nothing but made-up papers, and whoever keeps them must be able to open them.
const PASSPHRASE: &str = "a lantern over the estuary";
/// How the folder of a demo begins; the number of the process that made it follows.
const PREFIX: &str = "icore-demo-";
/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// What Maya asked before: each a conversation with its title.
const ASKED: &[(&str, &[&str])] = &[
    ("Grandmother's birthday", &["When is Grandmother's birthday lunch?", "How long does the orange cake bake?"]),
    ("Pilot Alvalade", &["How many sensors are silent?", "Who pays for the batteries?", "What time do backups run?"]),
    ("Trip to Porto", &["When does my train to Porto leave?", "Where is the passport?", "Who is my dentist?"]),
];

/// `icore demo`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Demo {
    /// Make it in this folder, which must be empty or not there, and keep it
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The folder everything of the demo is in, removed with the value unless it is kept.
struct Place {
    dir: PathBuf,
    kept: bool,
}

impl Place {
    fn make(keep: Option<&Path>) -> Result<Self, End> {
        let (dir, kept) = match keep {
            Some(dir) => (context::absolute(dir)?, true),
            None => (std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id())), false),
        };
        let there = fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
        if there || dir.is_file() {
            return Err(End::usage(
                format!("{} is not empty; it was left as it is.", dir.display()),
                format!(
                    "Name a folder that is not there yet. A demo kept there before opens with `icore --home {}`.",
                    dir.join("home").display()
                ),
            ));
        }
        private_folder(&dir).map_err(|error| {
            End::failed(
                format!("The folder {} could not be made: {error}.", dir.display()),
                "Name a place your user may write to with --keep.",
            )
        })?;
        Ok(Self { dir, kept })
    }

    fn home(&self) -> PathBuf {
        self.dir.join("home")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is swept by the next demo.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// A new folder that only this user can look into.
fn private_folder(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Removes the folders of demos whose process was killed before it could.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|pid| pid.parse::<i32>().ok());
        let Some(maker) = maker.and_then(rustix::process::Pid::from_raw) else { continue };
        let gone = rustix::process::test_kill_process(maker) == Err(rustix::io::Errno::SRCH);
        if gone && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Another user's is theirs to sweep.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Demo {
    /// Makes it, opens the chat on it, and takes it away again.
    pub fn run(self, context: &Context) -> Result<(), End> {
        if context.out.json() || !context.out.full_terminal() {
            return Err(End::usage(
                "The demo opens the chat, and that needs a terminal.",
                "Run `icore demo` in a terminal, without --json.",
            ));
        }
        sweep();
        let out = &context.out;
        out.note("This is a demo: Maya and her papers are made up, and nothing of yours is read.");
        pull_all(context, &models::missing(context.brief()))?;
        let place = Place::make(self.keep.as_deref())?;
        let settings = context.at(place.home());
        let session = make(context, &place, &settings)?;
        let guise = Guise {
            home_dir: place.dir.to_str().map(str::to_owned),
            notice: Some("A demo: Maya and her papers are made up, and nothing of yours is read.".into()),
            session,
        };
        let lasting = Settings { presence: Presence::Lasting, ..settings };
        line::block_on(async { Ok(hinet_tui::app::run_as(&lasting, Some(unlock()), guise).await?) })?;
        if place.kept {
            out.note(format!("The demo is kept in {}.", place.dir.display()));
            out.note(format!(
                "`icore --home {}` opens it; its passphrase is \"{PASSPHRASE}\".",
                place.home().display()
            ));
        } else {
            drop(place);
            out.note("The demo is over, and everything of it is removed. `icore` begins your own.");
        }
        Ok(())
    }
}

fn unlock() -> Unlock {
    Unlock::Passphrase(Zeroizing::new(PASSPHRASE.to_owned()))
}

/// Writes the papers, makes the home, has them read, asks. Gives the last conversation.
fn make(context: &Context, place: &Place, settings: &Settings) -> Result<Option<(SessionId, String)>, End> {
    let failed =
        |error: io::Error| End::failed(format!("Maya's papers could not be written: {error}."), "Is the disk full?");
    papers::write(&place.dir).map_err(failed)?;
    setup::init(settings, InitOptions::made_up("Maya (demo)", "general", PASSPHRASE))?;
    context.out.note(format!("Reading {} papers, then asking about them …", papers::COUNT));
    line::with_unlock(context, settings, unlock(), async |line| {
        for folder in papers::folders() {
            line.one(Op::SourceAdd { path: context::path_text(&place.dir.join(folder))? }).await?;
        }
        line.prove(Op::Grant { draft: cursor(&place.dir)? }).await?;
        let mut last = None;
        for (title, questions) in ASKED {
            last = Some((converse(line, title, questions).await?, (*title).to_owned()));
        }
        Ok(last)
    })
}

/// A conversation, asked for real.
async fn converse(line: &Line<'_>, title: &str, questions: &[&str]) -> Result<SessionId, End> {
    let mut session = None;
    for question in questions {
        line.context.out.note(format!("  {question}"));
        let op =
            Op::Chat { session, text: (*question).to_owned(), turn: Turn::default(), params: ChatParams::default() };
        match line.one(op).await? {
            Event::ChatDone { answer } => session = Some(answer.session),
            _ => return Err(End::unexpected("a question")),
        }
    }
    let session = session.ok_or_else(|| End::unexpected("a conversation"))?;
    let change = SessionChange { title: Some(title.to_owned()), ..SessionChange::default() };
    // Without its title a conversation is called by its first question, which does as well.
    let _ = line.one(Op::SessionChange { session, change }).await;
    Ok(session)
}

/// What Maya allows her editor: to ask about her work, for a month.
fn cursor(dir: &Path) -> Result<GrantDraft, End> {
    let ends = jiff::Timestamp::now().as_millisecond() + 30 * DAY;
    Ok(GrantDraft {
        asker: Asker::App("cursor".into()),
        capability: Capability::Converse,
        scope: Scope { folders: vec![context::path_text(&dir.join("work"))?], ..Scope::default() },
        filter: Filter::default(),
        limits: Limits { expires: Some(ends), uses_per_hour: Some(20), ..Limits::default() },
        purpose: "coding help".into(),
    })
}
