//! `icore node`: the node on its own, so that it goes on when a terminal closes.

use clap::Args;
use hinet_protocol::Op;

use super::context::Context;
use super::end::End;
use super::{line, unlock};

const AFTER: &str = "\
The node runs in the foreground until Ctrl-C, a termination signal or `icore node --stop`. It watches the sources, and \
every other icore command with the same home attaches to it.";

/// `icore node`
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub struct Node {
    /// Stop the node that is running
    #[arg(long)]
    stop: bool,
}

impl Node {
    /// Runs or stops it.
    pub fn run(self, context: &Context) -> Result<(), End> {
        if self.stop { stop(context) } else { serve(context) }
    }
}

fn serve(context: &Context) -> Result<(), End> {
    let unlock = unlock::obtain(context)?;
    let settings = context.lasting();
    let out = &context.out;
    line::block_on(async {
        hinet_node::run_node(&settings, &unlock, |socket| {
            let said = if out.json() {
                out.document(&serde_json::json!({ "socket": socket, "pid": std::process::id() }))
            } else {
                out.note(format!("The node is running; its socket is {}. Ctrl-C stops it.", socket.display()));
                Ok(())
            };
            // Nobody needs to be listening for the node to run.
            drop(said);
        })
        .await?;
        out.note("The node has stopped.");
        Ok(())
    })
}

fn stop(context: &Context) -> Result<(), End> {
    line::with(context, async |line| {
        let out = &context.out;
        let running = line.is_attached();
        if running {
            line.one(Op::Shutdown).await?;
        }
        if out.json() {
            return out.document(&serde_json::json!({ "stopped": running }));
        }
        out.line(if running { "The node is stopping." } else { "No node was running." })
    })
}
