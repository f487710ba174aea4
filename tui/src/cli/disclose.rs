//! `icore disclose`: asks for excerpts on behalf of somebody else. Grants decide; where none does, the owner is asked.

use clap::Args;
use hinet_protocol::{Asker, Capability, Event, Op};

use super::context::Context;
use super::end::End;
use super::{line, terms};

const AFTER: &str = "\
Where a grant covers it, what the grant lets through is printed and nothing else. Where none does, the exact bytes wait \
for the owner, in the consent pane or for `icore consent answer`, for a minute; what is not answered is refused (exit \
code 3). Each of these is an entry in the ledger.

Examples:
  icore disclose --asker app:editor the train to porto
  icore consent pending
  icore consent answer 1 once";

/// `icore disclose`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Disclose {
    /// On whose behalf: app:NAME or peer:HEX
    #[arg(long, value_name = "ASKER", value_parser = terms::asker)]
    asker: Asker,
    /// As what: retrieve or converse
    #[arg(long, value_name = "CAPABILITY", value_parser = terms::capability, default_value = "retrieve")]
    capability: Capability,
    /// About what
    #[arg(value_name = "ABOUT", required = true)]
    about: Vec<String>,
}

impl Disclose {
    /// Asks, and prints what was disclosed.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let out = &context.out;
        line::with(context, async |line| {
            let op = Op::Disclose { asker: self.asker, capability: self.capability, about: self.about.join(" ") };
            let Event::Disclosed { text, entry } = line.one(op).await? else {
                return Err(End::unexpected("a disclosure"));
            };
            if out.json() {
                return out.document(&serde_json::json!({ "text": text, "entry": entry }));
            }
            out.line(&text)?;
            out.note(format!("Ledger entry {entry}."));
            Ok(())
        })
    }
}
