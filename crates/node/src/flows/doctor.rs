//! The doctor looks over everything stored and says what it found.

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::background;
use crate::protocol::{Check, DoctorReport, Event};
use crate::state::Node;

fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), state: if ok { "ok" } else { "damaged" }.to_owned(), detail: detail.into() }
}

/// [`crate::protocol::Op::Doctor`].
pub(crate) async fn doctor(node: &Node, rebuild_index: bool, sink: &Sink) -> Result<Event, NodeError> {
    let _alone = node.memory_work.lock().await;
    let worker = node.clone();
    let mut report = tokio::task::spawn_blocking(move || look(&worker, rebuild_index))
        .await
        .map_err(|_| crate::failure::unexpected("the doctor"))??;
    if rebuild_index {
        background::embed_all(node, Some(sink), &node.live()).await?;
    }
    for sentence in node.notices.all() {
        report.checks.push(Check { name: "notice".into(), state: "warn".into(), detail: sentence });
    }
    Ok(Event::Doctor { report })
}

fn look(node: &Node, rebuild_index: bool) -> Result<DoctorReport, NodeError> {
    let mut checks = Vec::new();
    for finding in node.vault.check() {
        checks.push(check(finding.name, finding.ok, finding.detail));
    }
    let ledger = node.consent.verify()?;
    checks.push(match &ledger.broken {
        None => check("ledger", true, format!("{} entries, the chain holds", ledger.entries)),
        Some((seq, why)) => check("ledger", false, format!("broken at entry {seq}: {why}")),
    });
    if rebuild_index {
        node.index().rebuild(&node.vault, &mut |_, _| {})?;
        checks.push(check("index", true, "made again from the vault"));
    }
    checks.extend(node.index().check(&node.vault)?);
    checks.extend(models(node));
    Ok(DoctorReport { checks })
}

fn models(node: &Node) -> Vec<Check> {
    let needed = match crate::models::needed(&node.settings) {
        Ok(needed) => needed,
        Err(refused) => return vec![check("models", false, refused.message)],
    };
    needed
        .iter()
        .map(|entry| {
            let name = format!("model {}", entry.name);
            if hinet_model::locate(entry, &node.settings.models).is_none() {
                let detail = "not on this machine yet; `icore models pull` fetches it".into();
                return Check { name, state: "warn".into(), detail };
            }
            match hinet_model::verify(entry, &node.settings.models) {
                Ok(()) => check(&name, true, "its hash is right"),
                Err(error) => check(&name, false, error.to_string()),
            }
        })
        .collect()
}
