//! The large home that is measured on: made once, then used again.

use hinet_node::setup::{self, HomeState, InitOptions};
use hinet_node::trial;
use hinet_protocol::Failure;
use std::time::Instant;

use super::{Plan, Report, Say, Told, broken, texts};

/// The passphrase of a home that is made here: it seals nothing but made-up text.
pub const PASSPHRASE: &str = "a lantern over the estuary";
/// The long conversation's title.
pub const TITLE: &str = "A long conversation";

/// Makes the home where there is none.
pub fn prepare(plan: &Plan, report: &mut Report, say: Say<'_>) -> Result<(), Failure> {
    if setup::state(&plan.settings)? != HomeState::Absent {
        report.notes.push(format!("the home at {} was there already", plan.settings.home.display()));
        return Ok(());
    }
    say(Told::Doing(&format!("Making a home of about {} chunks and {} messages …", plan.chunks, plan.messages)));
    let began = Instant::now();
    let folder = plan.dir.join("papers");
    texts::write_files(&folder, plan.chunks, 1).map_err(broken)?;
    let folder = std::fs::canonicalize(folder).map_err(broken)?;
    setup::init(&plan.settings, InitOptions::made_up("Maya (made up)", "general", &plan.passphrase))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(broken)?;
    let said = texts::conversation(plan.messages);
    let filled = runtime.block_on(trial::fill(&plan.settings, &plan.unlock(), &folder, TITLE, &said))?;
    report.notes.push(format!(
        "the home: {} generated files in {} chunks through the real import, vectors drawn by chance, a conversation of {} \
         messages written straight into the vault; made in {:.0} s",
        filled.items,
        filled.chunks,
        said.len(),
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}
