//! `icore kill`: the switch that stops every source, door and job, and stays until the owner lifts it.

use clap::Args;
use hinet_protocol::Op;

use super::context::Context;
use super::end::End;
use super::line;

const AFTER: &str = "\
The switch is an entry in the ledger and outlives restarts. Looking, forgetting and revoking go on working; lifting it \
needs fresh proof that you are the owner.";

/// `icore kill`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Kill {
    /// Let everything go on again
    #[arg(long)]
    lift: bool,
}

impl Kill {
    /// Throws or lifts the switch.
    pub fn run(self, context: &Context) -> Result<(), End> {
        line::with(context, async |line| {
            if self.lift {
                line.prove(Op::Lift).await?;
            } else {
                line.one(Op::Kill).await?;
            }
            let out = &context.out;
            if out.json() {
                return out.document(&serde_json::json!({ "killed": !self.lift }));
            }
            out.line(if self.lift {
                "The kill switch is lifted: sources, doors and jobs go on."
            } else {
                "Everything is stopped: every source, door and job. `icore kill --lift` lets it go on."
            })
        })
    }
}
