//! `icore ingest`: files and folders read once.

use clap::Args;
use hinet_protocol::{Event, IngestReport, Op};
use std::path::PathBuf;

use super::clean;
use super::context::{self, Context};
use super::end::End;
use super::line;
use super::output::{Output, count};

/// Reasons that are printed; all of them are in the JSON.
const SKIPPED_SHOWN: usize = 20;

const EXAMPLES: &str = "\
Examples:
  icore ingest ~/notes ~/Documents/contract.pdf
  icore ingest --json ~/notes | jq .skipped
  icore ingest ~/Takeout/Mail ~/Downloads/slack-export.zip

Read are Markdown, text, source code, HTML, PDF, DOCX, OpenDocument and EPUB; commits of git repositories; mail \
(EML, mbox, Maildir), calendars (ICS) and contacts (vCard); chats exported from WhatsApp, Telegram, Slack, Signal, \
Discord, Instagram, ChatGPT and Claude, also within a ZIP archive. What cannot be read is listed with its reason and \
stops nothing. The same content twice changes nothing. To have a folder watched, use `icore sources add DIR`.";

/// `icore ingest`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Ingest {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Ingest {
    /// Reads and reports.
    pub fn run(self, context: &Context) -> Result<(), End> {
        if let [path] = self.paths.as_slice()
            && let Err(error) = path.symlink_metadata()
        {
            let path = path.display();
            return Err(End::failed(
                format!("{path} cannot be opened: {error}."),
                "Give the path of a file or folder.",
            ));
        }
        let paths = self.paths.iter().map(|path| context::path_text(path)).collect::<Result<_, _>>()?;
        line::with(context, async |line| {
            let Event::Indexed { report } = line.one(Op::Ingest { paths }).await? else {
                return Err(End::unexpected("an import"));
            };
            show(&context.out, &report, "file")
        })
    }
}

/// Prints what an import or a sync came to; `noun` is what was looked at.
pub fn show(out: &Output, report: &IngestReport, noun: &str) -> Result<(), End> {
    if out.json() {
        return out.document(report);
    }
    let skipped = report.skipped.len();
    out.line(format!(
        "{} looked at: {} new, {} updated, {} unchanged, {skipped} skipped.",
        count(report.seen, noun),
        report.new,
        report.updated,
        report.same
    ))?;
    for line in report.skipped.iter().take(SKIPPED_SHOWN) {
        out.note(format!("  {}: {}", clean::one_line(&line.what), clean::one_line(&line.why)));
    }
    if skipped > SKIPPED_SHOWN {
        out.note(format!("  and {} more; --json lists them all.", skipped - SKIPPED_SHOWN));
    }
    Ok(())
}
