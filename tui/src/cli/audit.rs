//! `icore audit`: the ledger. An export verifies on any machine without a home, an unlock or a vault.

use clap::{Args, Subcommand};
use hinet_protocol::{AuditReport, ErrorKind, Event, Failure, LedgerLine, Op};
use serde::Deserialize;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::clean;
use super::context::Context;
use super::end::End;
use super::line;
use super::moment;
use super::output::{Output, count};
use super::recovery;

/// Largest export that is read, in bytes: some millions of entries.
const EXPORT_BYTES_MAX: u64 = 1 << 30;

const EXAMPLES: &str = "\
Examples:
  icore audit log -n 50
  icore audit verify
  icore audit export --out ledger.json
  icore audit verify --export ledger.json --key <the owner's public identity>";

/// `icore audit`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the newest entries
    Log {
        /// How many
        #[arg(short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        n: u32,
    },
    /// Check every entry's hash, signature and place; exits 1 at the first broken one
    Verify {
        /// Check this export instead; needs no home and no unlock
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// The public key it must be signed under (else the one it names)
        #[arg(long, value_name = "HEX", requires = "export")]
        key: Option<String>,
    },
    /// Write the ledger to a file that verifies elsewhere; needs fresh proof that you are the owner
    Export {
        /// The file to make; `-` is stdout
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

impl Audit {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let out = &context.out;
        match self.what {
            What::Log { n } => line::with(context, async |line| {
                let Event::Ledger { lines } = line
                    .one(Op::Ledger { limit: n as usize, kinds: vec![], matching: String::new(), before: None })
                    .await?
                else {
                    return Err(End::unexpected("the ledger"));
                };
                log(out, &lines)
            }),
            What::Verify { export: Some(file), key } => {
                let report = hinet_node::verify_export(&read_export(&file)?, key.as_deref())?;
                verdict(out, &report, key.is_some())
            }
            What::Verify { export: None, .. } => {
                let report = line::with(context, async |line| match line.one(Op::Verify).await? {
                    Event::Verified { report } => Ok(report),
                    _ => Err(End::unexpected("the ledger")),
                })?;
                verdict(out, &report, true)
            }
            What::Export { out: file } => export(context, &file),
        }
    }
}

fn log(out: &Output, lines: &[LedgerLine]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "entries": lines }));
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![format!("{:>6}", line.seq), moment::show(line.at), line.kind.clone(), clean::one_line(&line.text)]
        })
        .collect();
    out.table(&rows)
}

/// Prints the verdict; a broken ledger is exit code 1, said once.
fn verdict(out: &Output, report: &AuditReport, keyed: bool) -> Result<(), End> {
    if out.json() {
        out.document(report)?;
        return if report.ok { Ok(()) } else { Err(End::Said(1)) };
    }
    if report.ok {
        out.line(format!("The ledger holds: {}, head {}.", count(report.entries, "entry"), report.head))?;
        if !keyed {
            out.note("It was checked against the key it names itself; --key says whose it must be.");
        }
        return Ok(());
    }
    let (message, hint) = match &report.broken {
        Some((seq, why)) => (
            format!("The ledger is broken at entry {seq}: {}", clean::one_line(why)),
            format!("Entries before {seq} hold. `icore doctor` looks the rest over; a replica may have a whole copy."),
        ),
        None => ("The ledger does not hold.".to_owned(), "`icore doctor` looks the rest over.".to_owned()),
    };
    Err(Failure::new(ErrorKind::Damaged, message, hint).into())
}

fn read_export(file: &Path) -> Result<String, End> {
    let failed = |why: String| {
        End::failed(
            format!("{} could not be read: {why}.", file.display()),
            "Give a file that `icore audit export` made.",
        )
    };
    let opened = std::fs::File::open(file).map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    opened.take(EXPORT_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > EXPORT_BYTES_MAX {
        return Err(failed("it is larger than a gigabyte".into()));
    }
    Ok(text)
}

/// Whose an export says it is.
#[derive(Deserialize)]
struct Signed {
    identity: String,
}

fn export(context: &Context, file: &Path) -> Result<(), End> {
    let out = &context.out;
    let to_stdout = file.as_os_str() == "-";
    if !to_stdout {
        recovery::refuse_existing(file, "--out")?;
    }
    let json = line::with(context, async |line| match line.prove(Op::ExportLedger).await? {
        Event::Exported { json } => Ok(json),
        _ => Err(End::unexpected("an export")),
    })?;
    if to_stdout {
        return out.raw(format!("{json}\n").as_bytes());
    }
    let mut made = recovery::create_private(file)?;
    made.write_all(json.as_bytes()).and_then(|()| made.sync_all()).map_err(|error| {
        End::failed(format!("{} could not be written: {error}.", file.display()), "Check the disk, then export again.")
    })?;
    let Signed { identity } = serde_json::from_str(&json).map_err(|_| End::unexpected("an export"))?;
    if out.json() {
        return out.document(&serde_json::json!({ "out": file, "bytes": json.len(), "key": identity }));
    }
    out.line(format!("The ledger is in {}. Your public key is {identity}.", file.display()))?;
    out.note(format!("Anyone can check it: icore audit verify --export {} --key {identity}", file.display()));
    Ok(())
}
