//! `icore sources`: the folders that are read and watched, each under its own grant.

use clap::{Args, Subcommand};
use hinet_protocol::{Event, ForgetTarget, Op, SourceId, SourceKind, SourceLine, SourceState};
use std::path::{Path, PathBuf};

use super::account::{self, Account};
use super::clean;
use super::context::{self, Context};
use super::end::End;
use super::line::{self, Line};
use super::memory::{self, Sure};
use super::output::{Output, grouped};
use super::{ingest, moment};

const EXAMPLES: &str = "\
Examples:
  icore sources add ~/notes
  icore sources add imap mail.example.org --user ana@example.org
  icore sources verify imap://ana@example.org@mail.example.org
  icore sources list
  icore sources pause ~/notes
  icore sources remove 0199f3a2-… --yes

A source is named by its id or its path. Watching needs a node that stays: the chat, or `icore node`; it also asks the
servers of accounts for what is new every 15 minutes. A folder that is called like an account is written ./imap.";

/// `icore sources`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sources {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List all sources
    List,
    /// Open a folder, which is read now and watched while a node runs, or an account on a server
    #[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true)]
    Add {
        /// The folder
        #[arg(value_name = "DIR", required = true)]
        dir: Option<PathBuf>,
        #[command(subcommand)]
        account: Option<Box<Account>>,
    },
    /// Compare an account with what its server says it holds
    Verify {
        /// Its id or path
        #[arg(value_name = "ID")]
        source: String,
    },
    /// Read a source again now; without an id, all of them
    Sync {
        /// Its id or path
        #[arg(value_name = "ID")]
        source: Option<String>,
    },
    /// Leave a source alone until it is resumed
    Pause {
        /// Its id or path
        #[arg(value_name = "ID")]
        source: String,
    },
    /// Read and watch a paused source again
    Resume {
        /// Its id or path
        #[arg(value_name = "ID")]
        source: String,
    },
    /// List what was left out when a source was last read, and why
    Skips {
        /// Its id or path
        #[arg(value_name = "ID")]
        source: String,
    },
    /// Forget a source and everything that came from it; the files stay
    Remove {
        /// Its id or path
        #[arg(value_name = "ID")]
        source: String,
        #[command(flatten)]
        sure: Sure,
    },
}

impl Sources {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        line::with(context, async |line| match self.what {
            What::List => list(&context.out, &all(line).await?),
            What::Add { account: Some(account), .. } => account.add(line).await,
            What::Add { dir, account: None } => {
                let path = context::path_text(&dir.unwrap_or_default())?;
                read(line, Op::SourceAdd { path }, "file").await
            }
            What::Verify { source } => account::verify(line, &find(line, &source).await?).await,
            What::Sync { source } => {
                let mut noun = "file";
                let source = match source {
                    Some(name) => {
                        let source = find(line, &name).await?;
                        if source.kind == SourceKind::Account {
                            noun = "item";
                        }
                        Some(source.id)
                    }
                    None => None,
                };
                read(line, Op::SourceSync { source }, noun).await
            }
            What::Pause { source } => pause(line, &source, true).await,
            What::Resume { source } => pause(line, &source, false).await,
            What::Skips { source } => skips(line, &source).await,
            What::Remove { source, sure } => {
                let source = find(line, &source).await?;
                let what = format!("the source {}", clean::one_line(&source.path));
                memory::forget(line, ForgetTarget::Source { source: source.id }, &what, sure).await
            }
        })
    }
}

async fn all(line: &Line<'_>) -> Result<Vec<SourceLine>, End> {
    match line.one(Op::Sources).await? {
        Event::Sources { sources } => Ok(sources),
        _ => Err(End::unexpected("the list of sources")),
    }
}

/// The source that `name` means: by its id, else by its path.
async fn find(line: &Line<'_>, name: &str) -> Result<SourceLine, End> {
    let sources = all(line).await?;
    let id = name.parse::<SourceId>().ok();
    let path = context::absolute(Path::new(name)).ok();
    let real = std::fs::canonicalize(name).ok();
    let means = |source: &SourceLine| {
        let at = Path::new(&source.path);
        Some(source.id) == id || source.path == name || Some(at) == path.as_deref() || Some(at) == real.as_deref()
    };
    sources.into_iter().find(means).ok_or_else(|| {
        End::failed(format!("There is no source {name}."), "`icore sources list` shows their ids and paths.")
    })
}

async fn read(line: &Line<'_>, op: Op, noun: &str) -> Result<(), End> {
    match line.one(op).await? {
        Event::Indexed { report } => ingest::show(&line.context.out, &report, noun),
        _ => Err(End::unexpected("reading a source")),
    }
}

async fn pause(line: &Line<'_>, name: &str, paused: bool) -> Result<(), End> {
    let source = find(line, name).await?;
    line.one(Op::SourcePause { source: source.id, paused }).await?;
    let out = &line.context.out;
    if out.json() {
        return out.document(&serde_json::json!({ "source": source.id, "paused": paused }));
    }
    let path = clean::one_line(&source.path);
    out.line(if paused {
        format!("{path} is left alone until you resume it.")
    } else {
        format!("{path} is read again.")
    })
}

async fn skips(line: &Line<'_>, name: &str) -> Result<(), End> {
    let source = find(line, name).await?;
    let Event::Skips { skipped } = line.one(Op::Skips { source: source.id }).await? else {
        return Err(End::unexpected("what was left out"));
    };
    let out = &line.context.out;
    if out.json() {
        return out.document(&serde_json::json!({ "skipped": skipped, "count": source.skipped }));
    }
    if skipped.is_empty() {
        out.note("Nothing was left out.");
    }
    for skip in &skipped {
        out.line(format!("{}: {}", clean::one_line(&skip.what), clean::one_line(&skip.why)))?;
    }
    let more = source.skipped.saturating_sub(skipped.len() as u64);
    if more > 0 {
        out.note(format!("and {} more", grouped(more)));
    }
    Ok(())
}

fn list(out: &Output, sources: &[SourceLine]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "sources": sources }));
    }
    if sources.is_empty() {
        out.note("There are no sources yet. `icore sources add DIR` opens a folder.");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|source| {
            vec![
                source.id.to_string(),
                match source.state {
                    SourceState::Active => "active".into(),
                    SourceState::Paused => "paused".into(),
                    SourceState::Missing => "missing".into(),
                },
                match source.kind {
                    SourceKind::Folder => "folder".into(),
                    SourceKind::Import => "import".into(),
                    SourceKind::Account => "account".into(),
                },
                format!("{} items", grouped(source.items)),
                source.synced.map_or_else(|| "not read yet".into(), |at| format!("read {}", moment::show(at))),
                clean::one_line(&source.path),
            ]
        })
        .collect();
    out.table(&rows)
}
