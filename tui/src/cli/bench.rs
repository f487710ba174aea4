//! `icore bench`: what the face costs on this machine, measured from outside.

use clap::{Args, Subcommand};
use hinet_node::models;
use hinet_tui::bench::{self, Plan, Told};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::context::{self, Context};
use super::end::End;
use super::models::pull_all;
use super::unlock;

const EXAMPLES: &str = "\
Examples:
  icore bench tui
  icore bench tui --dir ~/bench --minutes 60     (the home made there is used again the next time)

It makes a home of generated text in DIR (a temporary folder without --dir, removed at the end), opens the chat on it in a \
pseudo-terminal, and times what reaches the screen. Your own iCore is not opened. The files of that home go through the \
real import; their vectors are drawn by chance and the long conversation is written straight into the vault, because \
the models would take hours for them and nothing that is measured looks at either.";

/// `icore bench`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The terminal face: starting, typing, idling, scrolling, memory
    Tui(Tui),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Tui {
    /// The folder for the home and the texts; kept, and used again
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Chunks of a home that is made
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    chunks: usize,
    /// Messages of its long conversation
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    messages: usize,
    /// Key presses for each figure
    #[arg(long, value_name = "N", default_value_t = 300)]
    presses: usize,
    /// Starts that are timed
    #[arg(long, value_name = "N", default_value_t = 20)]
    starts: usize,
    /// Idle seconds
    #[arg(long, value_name = "N", default_value_t = 30)]
    idle: u64,
    /// Minutes of streaming while the memory is watched; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    minutes: f64,
}

/// A temporary folder, removed with the value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // The system's own sweep takes what cannot be removed now.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Bench {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let What::Tui(tui) = self.what;
        tui.run(context)
    }
}

impl Tui {
    fn run(self, context: &Context) -> Result<(), End> {
        pull_all(context, &models::missing(context.brief()))?;
        let (dir, _temporary) = match &self.dir {
            Some(dir) => (context::absolute(dir)?, None),
            None => {
                let dir = std::env::temp_dir().join(format!("icore-bench-{}", std::process::id()));
                (dir.clone(), Some(Temporary(dir)))
            }
        };
        private(&dir)?;
        let plan = self.plan(context, &dir)?;
        let out = &context.out;
        let mut told = Ok(());
        let report = bench::run(&plan, &mut |what| match what {
            Told::Doing(doing) => out.note(doing),
            Told::Measured(figure) if !out.json() && told.is_ok() => told = out.line(figure.to_string()),
            Told::Measured(_) => {}
        })?;
        told?;
        if out.json() {
            return out.document(&report);
        }
        report.notes.iter().try_for_each(|note| out.line(format!("({note})")))
    }

    fn plan(&self, context: &Context, dir: &Path) -> Result<Plan, End> {
        let passphrase = match &context.passphrase_file {
            Some(file) => unlock::read_passphrase(context, file, "ICORE_PASSPHRASE_FILE")?,
            None => Zeroizing::new(bench::PASSPHRASE.to_owned()),
        };
        let settings = context.at(dir.join("home"));
        Ok(Plan {
            program: settings.extractor.program.clone(),
            dir: dir.to_path_buf(),
            settings,
            passphrase,
            chunks: self.chunks,
            messages: self.messages,
            presses: self.presses,
            starts: self.starts,
            idle_s: self.idle,
            minutes: self.minutes,
        })
    }
}

fn private(dir: &Path) -> Result<(), End> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        End::failed(format!("The folder {} could not be made: {error}.", dir.display()), "Name another with --dir.")
    })
}
